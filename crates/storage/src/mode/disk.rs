//! [`Disk`]: the modes whose data is on disk, `hybrid` and `persistent`.

use std::sync::Arc;

use super::options::Options;
use super::syncer::Syncer;
use crate::cache::{Cached, Fill};
use crate::lsm::Lsm;
use crate::{
    Batch, Blob, Bounds, Durability, Engine, EngineStats, Keyspace, Part, Result, Snapshot,
    WithoutSnapshots,
};

/// The LSM engine behind the document cache, with fsyncs in the background.
pub(super) struct Disk {
    /// Before the engine, so that the thread ends before the folder is closed.
    _syncer: Syncer,
    engine: Cached<Lsm>,
}

impl Disk {
    pub(super) fn open(options: &Options, fill: Fill) -> Result<Self> {
        let lsm = Arc::new(Lsm::open(options.lsm())?);
        let syncer = Syncer::start(Arc::clone(&lsm), options.sync_interval)?;
        Ok(Disk {
            _syncer: syncer,
            engine: Cached::new(lsm, options.document_keyspace, fill, options.cache_bytes()),
        })
    }
}

impl Engine for Disk {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.engine.get(keyspace, key)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        self.engine.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        self.engine.commit(batch, durability)
    }

    fn commit_all(&self, parts: &[Part<'_>], durability: Durability) -> Result<()> {
        self.engine.commit_all(parts, durability)
    }

    fn remove_range(&self, keyspace: Keyspace, bounds: Bounds<'_>) -> Result<()> {
        self.engine.remove_range(keyspace, bounds)
    }

    fn sync(&self) -> Result<()> {
        self.engine.sync()
    }

    fn close(&self) -> Result<()> {
        self.engine.close()
    }

    fn check_writable(&self) -> Result<()> {
        self.engine.check_writable()
    }

    fn reclaim(&self, without_snapshots: &WithoutSnapshots<'_>) -> Result<()> {
        self.engine.reclaim(without_snapshots)
    }

    fn stats(&self) -> EngineStats {
        self.engine.stats()
    }
}
