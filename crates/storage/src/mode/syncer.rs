//! [`Syncer`]: fsyncs in the background what was committed without an fsync.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::lsm::Lsm;
use crate::{Error, Result};

/// A thread that syncs an engine each interval, if there is something to sync.
pub(super) struct Syncer {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    is_stopped: Mutex<bool>,
    changed: Condvar,
}

impl Syncer {
    pub(super) fn start(engine: Arc<Lsm>, interval: Duration) -> Result<Self> {
        let stop = Arc::<Stop>::default();
        let thread = thread::Builder::new()
            .name("velocitydb-syncer".to_owned())
            .spawn({
                let stop = Arc::clone(&stop);
                move || {
                    while !stop.wait(interval) {
                        // A failure poisons the engine, and every later commit returns it.
                        let _ = engine.sync_if_needed();
                    }
                }
            })
            .map_err(|error| Error::Invalid {
                what: format!("the syncer's thread cannot be started: {error}"),
            })?;
        Ok(Syncer { stop, thread: Some(thread) })
    }
}

impl Stop {
    /// Waits for `interval`, or less when stopped. Returns whether it is stopped.
    fn wait(&self, interval: Duration) -> bool {
        let is_stopped = self.is_stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited =
            self.changed.wait_timeout_while(is_stopped, interval, |is_stopped| !*is_stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        *self.stop.is_stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its panic was reported where it happened.
            let _ = thread.join();
        }
    }
}
