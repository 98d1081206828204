//! [`Cancellation`]: stops a long call at a deadline, or when it is cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// Stops a long call: at a deadline, or when it is cancelled. Clones are cancelled together.
/// Queries, cursors, pipelines, index builds and the making of statistics check it some ten thousand
/// times a second, and stop with an error.
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
    /// `None` if it cannot be cancelled.
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

    /// A token that is never cancelled, which costs nothing.
    pub(crate) fn never() -> Self {
        Cancellation { deadline: None, is_cancelled: None }
    }

    /// The same token, cancelled together with this one, with a deadline after `duration` from now;
    /// an earlier deadline stays.
    pub fn deadline(mut self, duration: Duration) -> Self {
        // A deadline beyond the range of the clock is never reached.
        let deadline = Instant::now().checked_add(duration);
        self.deadline = [self.deadline, deadline].into_iter().flatten().min();
        self
    }

    /// Cancels this and all of its clones.
    pub fn cancel(&self) {
        if let Some(is_cancelled) = &self.is_cancelled {
            is_cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was cancelled or its deadline has passed.
    pub fn is_over(&self) -> bool {
        self.check().is_err()
    }

    /// Fails when it was cancelled or its deadline has passed.
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
