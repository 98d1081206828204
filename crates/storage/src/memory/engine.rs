//! [`Memory`]: the engine and its snapshots, put together from the parts beside it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use crossbeam_epoch as epoch;

use super::clock::{Clock, Version, version_at};
use super::record::Record;
use super::writer::{Indexes, Writer};
use crate::hash::hash;
use crate::{
    Batch, Blob, Bounds, Direction, Durability, Engine, EngineStats, Error, Keyspace,
    KeyspaceStats, Part, Result, Snapshot, Visit, parts,
};

/// How many retained versions are checked when a snapshot is closed, or statistics are read.
const CLEAN_STEPS: usize = 1024;

/// An [`Engine`] that keeps everything in memory and nothing on disk.
///
/// Committing takes a lock, so that there is one writer at a time. Reading takes none.
pub struct Memory {
    shared: Arc<Shared>,
}

/// What an engine and its snapshots share.
struct Shared {
    keyspaces: Vec<Indexes>,
    clock: Clock,
    writer: Mutex<Writer>,
}

struct MemorySnapshot {
    shared: Arc<Shared>,
    sequence: u64,
}

impl Memory {
    /// An empty engine with `keyspaces` keyspaces.
    pub fn new(keyspaces: usize) -> Self {
        assert!(keyspaces <= Keyspace::COUNT_MAX, "too many keyspaces");
        let numbers = (0..keyspaces).map(|number| Keyspace(number as u8));
        Memory {
            shared: Arc::new(Shared {
                keyspaces: numbers.map(Indexes::new).collect(),
                clock: Clock::new(),
                writer: Mutex::new(Writer::new(keyspaces)),
            }),
        }
    }
}

impl Shared {
    fn indexes(&self, keyspace: Keyspace) -> &Indexes {
        &self.keyspaces[usize::from(keyspace.0)]
    }

    /// Frees a bounded number of versions that only closed snapshots saw, unless a commit is
    /// running, which does the same.
    fn clean_a_little(&self) {
        if let Ok(mut writer) = self.writer.try_lock() {
            writer.clean(&self.keyspaces, &self.clock, CLEAN_STEPS);
        }
    }
}

impl Engine for Memory {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        let shared = &*self.shared;
        let guard = epoch::pin();
        let hash = hash(keyspace, key);
        let table = &shared.indexes(keyspace).table;
        let newest = shared.clock.newest(|| table.find(hash, key, &guard));
        Ok(newest.and_then(blob_of))
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        Ok(Arc::new(MemorySnapshot {
            shared: Arc::clone(&self.shared),
            sequence: self.shared.clock.open_snapshot(),
        }))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        self.commit_all(&[Part::from(batch)], durability)
    }

    fn commit_all(&self, parts: &[Part<'_>], _durability: Durability) -> Result<()> {
        let shared = &*self.shared;
        let mut writer = shared
            .writer
            .lock()
            .map_err(|_| Error::Poisoned { reason: "an earlier commit panicked".to_owned() })?;
        parts::apart(parts, |parts| writer.commit(&shared.keyspaces, &shared.clock, parts));
        Ok(())
    }

    /// There is nothing to make durable. Frees all versions that only closed snapshots saw.
    fn sync(&self) -> Result<()> {
        let shared = &*self.shared;
        while let Ok(mut writer) = shared.writer.lock()
            && writer.clean(&shared.keyspaces, &shared.clock, CLEAN_STEPS)
        {}
        Ok(())
    }

    fn stats(&self) -> EngineStats {
        let shared = &*self.shared;
        shared.clean_a_little();
        let keyspaces = shared.keyspaces.iter().map(|indexes| KeyspaceStats {
            keys: indexes.keys.load(Ordering::Relaxed),
            memory_bytes: indexes.record_bytes.load(Ordering::Relaxed)
                + indexes.table.allocated_bytes()
                + indexes.tree.allocated_bytes(),
            disk_bytes: 0,
        });
        EngineStats {
            keyspaces: keyspaces.collect(),
            keys_exact: true,
            commits: shared.clock.visible(),
            snapshots_open: shared.clock.snapshots_open(),
            ..EngineStats::default()
        }
    }
}

impl Snapshot for MemorySnapshot {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        let guard = epoch::pin();
        let table = &self.shared.indexes(keyspace).table;
        let newest = table.find(hash(keyspace, key), key, &guard);
        Ok(version_at(newest, self.sequence).and_then(blob_of))
    }

    fn prefetch(&self, keyspace: Keyspace, keys: &[&[u8]]) {
        let guard = epoch::pin();
        let table = &self.shared.indexes(keyspace).table;
        let hashes = keys.iter().map(|key| hash(keyspace, key));
        hashes.clone().for_each(|hash| table.prefetch_slot(hash));
        hashes.for_each(|hash| table.prefetch_found(hash, &guard));
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let tree = &self.shared.indexes(keyspace).tree;
        super::scan::scan(tree, self.sequence, bounds, direction, visit);
        Ok(())
    }

    fn count_stored(&self, keyspace: Keyspace, ranges: &[Bounds<'_>]) -> Result<u64> {
        let tree = &self.shared.indexes(keyspace).tree;
        Ok(ranges.iter().map(|bounds| super::scan::count(tree, *bounds)).sum())
    }
}

impl Drop for MemorySnapshot {
    fn drop(&mut self) {
        self.shared.clock.close_snapshot(self.sequence);
        self.shared.clean_a_little();
    }
}

impl Version for Record<'_> {
    #[inline]
    fn sequence(self) -> u64 {
        Record::sequence(self)
    }

    #[inline]
    fn previous(self) -> Option<Self> {
        Record::previous(self)
    }
}

/// The value of a version, unless that is a deletion.
fn blob_of(version: Record<'_>) -> Option<Blob> {
    (!version.is_deleted()).then(|| Blob::from(version.share()))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
