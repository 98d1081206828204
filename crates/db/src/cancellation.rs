//! [`Cancellation`]: whether something that takes long is to stop, at a deadline or because somebody
//! wants it to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// Whether something that takes long is to stop: at a deadline, or when it is cancelled. Clones are
/// cancelled together. Queries, cursors, pipelines, the building of indexes and the making of
/// statistics look at it some ten thousand times a second, and stop with an error.
///
/// ```
/// # fn main() -> velocitydb::Result<()> {
/// use std::time::Duration;
/// use velocitydb::{Cancellation, Error, object};
///
/// let db = velocitydb::open_in_memory()?;
/// let users = db.documents("users");
/// users.insert("alice", object! { "age": 28 })?;
/// let cancellation = Cancellation::new().deadline(Duration::from_secs(5));
/// assert_eq!(users.find(object! { "age": 28 }).until(&cancellation).documents()?.len(), 1);
/// // From any thread:
/// cancellation.cancel();
/// let error = users.find(object! { "age": 28 }).until(&cancellation).documents().unwrap_err();
/// assert!(matches!(error, Error::Cancelled));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Cancellation {
    deadline: Option<Instant>,
    /// None where nobody can cancel it.
    is_cancelled: Option<Arc<AtomicBool>>,
}

impl Default for Cancellation {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancellation {
    /// Without a deadline, and not cancelled.
    pub fn new() -> Self {
        Cancellation { deadline: None, is_cancelled: Some(Arc::default()) }
    }

    /// Of what nobody cancels, which costs nothing.
    pub(crate) fn never() -> Self {
        Cancellation { deadline: None, is_cancelled: None }
    }

    /// The same, cancelled together with this one, that stops when this time has passed from now, or
    /// earlier where it did so before.
    pub fn deadline(mut self, duration: Duration) -> Self {
        // What no clock can show is never reached.
        let deadline = Instant::now().checked_add(duration);
        self.deadline = [self.deadline, deadline].into_iter().flatten().min();
        self
    }

    /// Stops whatever looks at this or at a clone of it.
    pub fn cancel(&self) {
        if let Some(is_cancelled) = &self.is_cancelled {
            is_cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was cancelled or its deadline has passed.
    pub fn is_over(&self) -> bool {
        self.check().is_err()
    }

    /// Fails when it is to stop.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`] when it was cancelled, and [`Error::DeadlineExceeded`] when its deadline
    /// has passed.
    pub fn check(&self) -> Result<()> {
        if self
            .is_cancelled
            .as_ref()
            .is_some_and(|is_cancelled| is_cancelled.load(Ordering::Relaxed))
        {
            return Err(Error::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::DeadlineExceeded),
            _ => Ok(()),
        }
    }
}
