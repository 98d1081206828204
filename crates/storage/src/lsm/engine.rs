//! [`Lsm`]: the engine contract on a [`Store`](super::store::Store).
//!
//! It owns publication: readers see a batch only once it has its durability. One writer at a time;
//! readers take no lock that a writer holds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use fjall::AbstractTree;

use super::options::LsmOptions;
use super::snapshot::{Held, State};
use super::writer::Writer;
use crate::{
    Batch, Blob, Durability, Engine, EngineStats, Keyspace, KeyspaceStats, Result, Snapshot,
};

/// An engine that keeps its data on disk.
pub struct Lsm {
    /// What readers see. Replaced after each commit, once the batch has its durability.
    published: ArcSwap<State>,
    writer: Mutex<Writer>,
    snapshots_open: Arc<AtomicU64>,
    commits: AtomicU64,
    fsyncs: AtomicU64,
}

impl Lsm {
    /// Opens the data folder, or creates it.
    pub fn open(options: LsmOptions) -> Result<Self> {
        options.validate()?;
        let (writer, state) = Writer::open(options)?;
        Ok(Lsm {
            published: ArcSwap::from_pointee(state),
            writer: Mutex::new(writer),
            snapshots_open: Arc::default(),
            commits: AtomicU64::new(0),
            fsyncs: AtomicU64::new(0),
        })
    }

    /// Does what [`sync`](Engine::sync) does, unless nothing was committed since the last fsync.
    pub(crate) fn sync_if_needed(&self) -> Result<()> {
        let mut writer = self.writer();
        if writer.is_dirty() { self.persist(&mut writer) } else { Ok(()) }
    }

    fn persist(&self, writer: &mut Writer) -> Result<()> {
        writer.persist()?;
        self.fsyncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The writer, for one caller at a time. Its state is valid after a panic too: what was being
    /// written then was not published.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Lsm {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.published.load().get(keyspace, key)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        let open = Arc::clone(&self.snapshots_open);
        Ok(Arc::new(Held::new(self.published.load_full(), open)))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        let mut writer = self.writer();
        if let Some(state) = writer.revive(self.snapshots_open.load(Ordering::Relaxed))? {
            self.published.store(Arc::new(state));
        }
        if !batch.is_empty() {
            writer.append(batch)?;
        }
        if durability == Durability::Disk {
            self.persist(&mut writer)?;
        }
        if let Some(state) = writer.state() {
            self.published.store(Arc::new(state));
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut writer = self.writer();
        if let Some(state) = writer.revive(self.snapshots_open.load(Ordering::Relaxed))? {
            self.published.store(Arc::new(state));
        }
        self.persist(&mut writer)
    }

    fn stats(&self) -> EngineStats {
        let published = self.published.load();
        let keyspaces = published.trees().iter().map(|tree| KeyspaceStats {
            keys: tree.approximate_len() as u64,
            memory_bytes: tree.active_memtable().size(),
            disk_bytes: tree.disk_space(),
        });
        EngineStats {
            keyspaces: keyspaces.collect(),
            keys_exact: false,
            commits: self.commits.load(Ordering::Relaxed),
            fsyncs: self.fsyncs.load(Ordering::Relaxed),
            snapshots_open: self.snapshots_open.load(Ordering::Relaxed),
            ..EngineStats::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    const DOCUMENTS: Keyspace = Keyspace(0);

    fn put(engine: &Lsm, key: &[u8], durability: Durability) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(DOCUMENTS, key, b"value");
        engine.commit(&batch, durability)
    }

    /// The batch whose fsync failed is not seen before a restart; afterwards it may be there.
    #[test]
    fn a_failed_fsync_poisons_writes_and_leaves_reads() {
        let folder = tempfile::tempdir().unwrap();
        let options = LsmOptions::new(folder.path(), &["documents"]);
        let engine = Lsm::open(options.clone()).unwrap();
        put(&engine, b"before", Durability::Disk).unwrap();
        engine.writer().store().unwrap().is_fsync_broken = true;
        put(&engine, b"without fsync", Durability::Os).unwrap();
        for _ in 0..2 {
            for durability in [Durability::Disk, Durability::Os] {
                let error = put(&engine, b"refused", durability).unwrap_err();
                assert!(matches!(error, Error::Poisoned { .. }), "{error}");
            }
            assert!(matches!(engine.sync(), Err(Error::Poisoned { .. })));
            assert!(engine.get(DOCUMENTS, b"refused").unwrap().is_none());
            assert!(engine.get(DOCUMENTS, b"before").unwrap().is_some());
            assert!(engine.get(DOCUMENTS, b"without fsync").unwrap().is_some());
        }
        drop(engine);
        let engine = Lsm::open(options).unwrap();
        assert!(engine.get(DOCUMENTS, b"before").unwrap().is_some());
        put(&engine, b"after", Durability::Disk).unwrap();
    }

    /// Memtables are flushed as their bound requires, and every key stays where it was.
    #[test]
    fn write_buffers_stay_within_their_bound() {
        let folder = tempfile::tempdir().unwrap();
        let options =
            LsmOptions { memory_bytes: 4 << 20, ..LsmOptions::new(folder.path(), &["documents"]) };
        let engine = Lsm::open(options.clone()).unwrap();
        let mut batch = Batch::new();
        for number in 0..20_000_u32 {
            batch.put(DOCUMENTS, &number.to_be_bytes(), &[7; 500]);
            if number % 10 == 9 {
                engine.commit(&batch, Durability::Os).unwrap();
                batch.clear();
                let memory = engine.stats().keyspaces[0].memory_bytes;
                assert!(memory <= options.write_buffer_bytes(), "{memory} bytes");
            }
        }
        for number in 0..20_000_u32 {
            assert!(engine.get(DOCUMENTS, &number.to_be_bytes()).unwrap().is_some());
        }
    }
}
