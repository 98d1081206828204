//! [`Puppet`]: an engine whose commits fail on demand, as on a full device, and whose reads can call
//! something else first.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::error::Room;
use crate::{
    Batch, Blob, Durability, Engine, EngineStats, Error, Keyspace, Part, Result, Snapshot,
};

/// An engine around another one.
pub(super) struct Puppet {
    engine: Arc<dyn Engine>,
    /// How many commits succeed before the one that fails.
    successes: AtomicU64,
    has_failed: AtomicBool,
    /// What is called before the next read.
    interlude: Mutex<Option<Interlude>>,
}

type Interlude = Box<dyn FnOnce() + Send>;

impl Puppet {
    pub(super) fn new(engine: Arc<dyn Engine>) -> Self {
        let (successes, has_failed) = (AtomicU64::new(u64::MAX), AtomicBool::new(false));
        Puppet { engine, successes, has_failed, interlude: Mutex::default() }
    }

    /// Makes one commit fail, after `successes` that succeed.
    pub(super) fn fail_after(&self, successes: u64) {
        self.has_failed.store(false, Ordering::SeqCst);
        self.successes.store(successes, Ordering::SeqCst);
    }

    /// Whether one has failed since then.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::SeqCst)
    }

    /// Calls `interlude` before the next read reads.
    pub(super) fn before_next_read(&self, interlude: impl FnOnce() + Send + 'static) {
        *self.interlude.lock().expect("no holder of the lock panics") = Some(Box::new(interlude));
    }

    fn play(&self) {
        let interlude = self.interlude.lock().expect("no holder of the lock panics").take();
        if let Some(interlude) = interlude {
            interlude();
        }
    }

    fn pass(&self) -> Result<()> {
        if self.successes.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        self.has_failed.store(true, Ordering::SeqCst);
        let room = Some(Room { free_bytes: 0, needed_bytes: 1 });
        Err(Error::DiskFull { path: "/data".into(), room })
    }
}

impl Engine for Puppet {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.play();
        self.engine.get(keyspace, key)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        self.play();
        self.engine.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        self.pass()?;
        self.engine.commit(batch, durability)
    }

    fn commit_all(&self, parts: &[Part<'_>], durability: Durability) -> Result<()> {
        self.pass()?;
        self.engine.commit_all(parts, durability)
    }

    fn sync(&self) -> Result<()> {
        self.engine.sync()
    }

    fn stats(&self) -> EngineStats {
        self.engine.stats()
    }
}
