//! [`KnownOutcome`]: what a command is told when storage fails for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::replica::Done;
use crate::{Error, Result};

/// Whether it is known what became of commands that storage failed for. One that was under way when it
/// failed may have been written; what came later was not.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownOutcome {
    /// Whether storage has failed for good, and somebody was told.
    has_failed: Arc<AtomicBool>,
}

impl KnownOutcome {
    /// Does something that storage may fail for.
    pub(crate) fn of<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let had_failed = self.has_failed.load(Ordering::Acquire);
        act().map_err(|error| self.told(error, had_failed))
    }

    /// The same for something that begins now, and is answered later.
    pub(crate) fn of_later(&self, done: Done) -> Done {
        let (outcome, had_failed) = (self.clone(), self.has_failed.load(Ordering::Acquire));
        Box::new(move |result| done(result.map_err(|error| outcome.told(error, had_failed))))
    }

    fn told(&self, error: Error, had_failed: bool) -> Error {
        if !error.is_poisoned() {
            return error;
        }
        self.has_failed.store(true, Ordering::Release);
        if had_failed { error } else { Error::OutcomeUnknown { cause: Box::new(error) } }
    }
}
