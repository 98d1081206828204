//! [`DueNext`]: lets readers know that nothing in the state that they read has expired, without
//! reading keys.
//!
//! ```text
//!   machine   lower ─▶ commit ─▶ count, raise
//!   reader    count ─▶ take the state ─▶ read ─▶ count again
//! ```
//!
//! The time is lowered before a document that expires earlier becomes visible, and raised only when
//! everything that expired before it has been removed. So a time that is read after a state was
//! taken is valid for that state, unless it was raised in between: then the state may still have
//! what was removed.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use velocitydb_core::Time;

/// A time before which no document expires and no lease ends.
#[derive(Debug)]
pub(crate) struct DueNext {
    micros: AtomicI64,
    /// How often it was raised.
    raises: AtomicU64,
}

impl Default for DueNext {
    fn default() -> Self {
        DueNext { micros: AtomicI64::new(micros(None)), raises: AtomicU64::new(0) }
    }
}

impl DueNext {
    /// A state, and a time before which no document of it expires.
    pub(crate) fn of_state<S, E>(
        &self,
        take: impl FnOnce() -> Result<S, E>,
    ) -> Result<(S, Time), E> {
        let raises = self.raises.load(Ordering::SeqCst);
        let state = take()?;
        let micros = self.micros.load(Ordering::SeqCst);
        let is_of_state = self.raises.load(Ordering::SeqCst) == raises;
        let next = if is_of_state { Time::from_micros(micros) } else { Ok(Time::MIN) };
        Ok((state, next.expect("only times are stored")))
    }

    /// Whether something may be due.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.micros.load(Ordering::SeqCst) <= now.as_micros()
    }

    /// Lowers the time before a commit with something that is due earlier. Never called
    /// concurrently.
    pub(crate) fn lower(&self, next: Option<Time>) {
        self.micros.fetch_min(micros(next), Ordering::SeqCst);
    }

    /// Sets the time after what was due before `next` is gone from the committed state. Never
    /// called concurrently.
    pub(crate) fn set(&self, next: Option<Time>) {
        if micros(next) > self.micros.load(Ordering::SeqCst) {
            self.raises.fetch_add(1, Ordering::SeqCst);
        }
        self.micros.store(micros(next), Ordering::SeqCst);
    }
}

fn micros(next: Option<Time>) -> i64 {
    next.unwrap_or(Time::MAX).as_micros()
}
