//! [`Syncer`]: fsyncs in the background what was committed without an fsync.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::lsm::Lsm;
use crate::{Error, Result};

/// A thread that syncs an engine an interval after the first commit that is not synced. While there is
/// none, it sleeps.
pub(super) struct Syncer {
    engine: Arc<Lsm>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(engine: Arc<Lsm>, interval: Duration) -> Result<Self> {
        let thread = thread::Builder::new()
            .name("velocitydb-syncer".to_owned())
            .spawn({
                let engine = Arc::clone(&engine);
                move || {
                    while engine.unsynced().wait(interval) {
                        // A failure poisons the engine, and every later commit returns it.
                        let _ = engine.sync_if_needed();
                    }
                }
            })
            .map_err(|error| Error::Invalid {
                what: format!("the syncer's thread cannot be started: {error}"),
            })?;
        Ok(Syncer { engine, thread: Some(thread) })
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.engine.unsynced().close();
        if let Some(thread) = self.thread.take() {
            // Its panic was reported where it happened.
            let _ = thread.join();
        }
    }
}
