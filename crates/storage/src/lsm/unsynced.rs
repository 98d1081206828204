//! [`Unsynced`]: since when there is something to fsync, and the wait of the thread that does it.
//!
//! ```text
//!   committing, the writer locked       the thread that fsyncs in the background
//!   -----------------------------       ----------------------------------------
//!   append a batch                      wait until there is a `since`, however long that takes
//!   is_noted = true; was it false?      wait for the rest of the delay that begins with it
//!     since = now, wake the thread      since = none, is_noted = false
//!                                       lock the writer: is there a batch to fsync?
//!                                       fsync, the writer unlocked
//! ```
//!
//! So the delay counts from the first batch that is not fsynced, and later ones cost one load of a
//! flag. An engine that is not written to wakes nobody.
//!
//! # No batch waits for ever
//!
//! - A batch that is appended before the thread locks the writer is fsynced by that turn. The commit
//!   of a later one locks the writer after the thread has unset `is_noted`, so it sees that, or that
//!   another commit has set it since: in both cases there is a turn to come.
//! - Whoever sets `is_noted` records `since`, and only the turn that takes `since` unsets `is_noted`.
//!   So `is_noted` is never left set without a turn to come.
//! - `since` is recorded with the state locked. The thread looks at it with the state locked, and
//!   unlocks that only by beginning to wait, so it sees `since`, or it is woken.
//!
//! The lock of the writer orders the accesses to the flag, which therefore are relaxed: [`note`] is to
//! be called with that lock, or after it was released.
//!
//! This file uses the atomics and locks of its parent, so that the tests can run it on modelled ones.
//!
//! [`note`]: Unsynced::note

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering};

/// Whether there is something to fsync.
#[derive(Default)]
pub(crate) struct Unsynced {
    is_noted: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// When the first batch was noted that no turn has begun for.
    since: Option<Instant>,
    is_closed: bool,
}

impl Unsynced {
    /// Notes that a batch was appended.
    #[inline]
    pub(super) fn note(&self) {
        if !self.is_noted.load(Ordering::Relaxed) {
            self.note_first();
        }
    }

    #[cold]
    fn note_first(&self) {
        if !self.is_noted.swap(true, Ordering::Relaxed) {
            self.state().since = Some(Instant::now());
            self.changed.notify_one();
        }
    }

    /// Waits until `delay` after the first batch that was noted since the last turn, and begins a turn:
    /// everything appended by now is to be fsynced. Returns whether there is one, which after
    /// [`close`](Self::close) there is not. Called by one thread.
    pub(crate) fn wait(&self, delay: Duration) -> bool {
        let mut state = self.state();
        while !state.is_closed {
            let rest = state.since.map(|since| delay.saturating_sub(since.elapsed()));
            state = match rest {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    state.since = None;
                    self.is_noted.store(false, Ordering::Relaxed);
                    return true;
                }
                Some(rest) => {
                    let waited = self.changed.wait_timeout(state, rest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        false
    }

    /// Ends the wait for good.
    pub(crate) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
