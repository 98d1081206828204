//! [`KnownOutcome`]: the errors of commands after storage has failed permanently.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::replica::Done;
use crate::{Error, Result};

/// Distinguishes whether the outcome of a command is known after a failure of storage. A command that was
/// running when storage failed may have been written; later ones were not.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownOutcome {
    /// Whether storage has failed permanently, and a caller has been told so.
    has_failed: Arc<AtomicBool>,
}

impl KnownOutcome {
    /// Calls a function that storage may make fail.
    pub(crate) fn of<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let had_failed = self.has_failed.load(Ordering::Acquire);
        act().map_err(|error| self.told(error, had_failed))
    }

    /// As [`of`](Self::of), for a call that begins now and is answered later.
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
