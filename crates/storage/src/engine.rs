//! The contract between the database and the storage engines.
//!
//! No code above this trait depends on the engine. It defines the terms (keyspace, bounds, durability,
//! snapshot) and their meaning; it must not know documents.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::{Batch, Blob, Error, Part, Result, parts, range};

/// One of an engine's independent ordered maps, numbered from 0.
///
/// The keyspaces of an engine are fixed when it is opened, see [`Keyspace::COUNT_MAX`]: a
/// collection is a key prefix, never a keyspace, so that a million collections cost a million
/// prefixes and not a million trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyspace(pub u8);

impl Keyspace {
    /// The most keyspaces that an engine has. Each costs a disk engine a tree of its own.
    pub const COUNT_MAX: usize = 8;
}

/// The keys that a scan covers: from `start`, included, to `end`, excluded. An `end` of `None`
/// is the end of the keyspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds<'a> {
    /// The smallest key that is visited.
    pub start: &'a [u8],
    /// The smallest key above `start` that is no longer visited.
    pub end: Option<&'a [u8]>,
}

impl<'a> Bounds<'a> {
    /// Every key of the keyspace.
    pub const ALL: Bounds<'static> = Bounds { start: &[], end: None };

    /// The keys from `start`, included, to `end`, excluded.
    pub fn range(start: &'a [u8], end: &'a [u8]) -> Self {
        Bounds { start, end: Some(end) }
    }
}

/// The order in which a scan visits keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the smallest key to the largest.
    Forward,
    /// From the largest key to the smallest.
    Backward,
}

/// How durable a batch must be before [`Engine::commit`] returns. Each includes those above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Visible to readers. A crash of the process may lose it, and then all batches after it too.
    Memory,
    /// Handed to the operating system: survives a crash of the process, not one of the machine.
    Os,
    /// On the device (fsync): survives the loss of power.
    Disk,
}

/// What a scan calls for each key and value; [`ControlFlow::Break`] ends the scan.
///
/// The slices are borrowed for the call alone, so that a scan copies nothing.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Ordered maps of bytes with atomic batches over all of them.
///
/// # To ensure correctness
///
/// - *Atomic.* After [`commit`](Engine::commit) returned `Ok`, every read and every snapshot taken
///   from then on, on any thread, sees the whole batch. Before that no reader sees a part of it, not
///   even two single [`get`](Engine::get)s in a row. After `Err`, unless the error is
///   [`Error::Poisoned`], nothing of it is visible, now or after a restart.
/// - *Ordered.* Commits take effect one after another, in the order in which they were called; a
///   crash loses a suffix of that order, never a middle.
/// - *Durable.* When `commit` returns, the batch has the durability asked for, and a batch is not
///   visible before it has it: a crash does not undo what a reader saw. An engine that lives in memory
///   ignores the durability.
/// - *Readers never wait* for a commit, a flush or a compaction, and block none.
/// - *A snapshot never changes*, whatever is committed after it, and holds back no writer.
/// - *Corruption is an error* with the place, never a missing key and never a panic.
/// - *A failed fsync poisons* the engine: from then on every commit and sync fails with
///   `Poisoned`; reads go on.
pub trait Engine: Send + Sync + 'static {
    /// The value of `key` in the newest committed state.
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>>;

    /// The newest committed state, which does not change while it is held. O(1).
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>>;

    /// Applies a batch as a whole. The batch is left as it is, for the caller to clear and reuse.
    ///
    /// Concurrent calls are allowed and are put in some order; the database calls it from one
    /// thread at a time.
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()>;

    /// Applies several batches as one: what [`commit`](Engine::commit) promises for a batch holds for
    /// all of them together, and they cost what one costs, one fsync included. The key of a write is
    /// the prefix of its part and then its own. Where two parts write the same key, the later one
    /// wins. Without any part it commits an empty batch.
    ///
    /// An engine concatenates prefix and key while it writes. This default copies all writes into one
    /// batch, for engines that wrap another one.
    fn commit_all(&self, parts: &[Part<'_>], durability: Durability) -> Result<()> {
        match parts {
            [Part { prefix: [], batch }] => self.commit(batch, durability),
            parts => self.commit(&parts::join(parts), durability),
        }
    }

    /// Removes every key within `bounds`, however many there are, in commits of bounded size. It is as
    /// durable as commits are that ask for [`Durability::Memory`].
    ///
    /// It is not atomic. Until it has returned `Ok`, and after an error or a crash, each of these keys
    /// may exist or not, with any value that it has had; calling it again removes the rest. No other
    /// key is touched, and snapshots do not change. Do not write within `bounds` meanwhile: such a
    /// write may be removed too, or stay.
    ///
    /// On a full device it can fail midway, like other commits that free space.
    ///
    /// The space returns to the device: at once if an engine can remove whole files, the rest when it
    /// compacts its files, see [`reclaim`](Engine::reclaim).
    fn remove_range(&self, keyspace: Keyspace, bounds: Bounds<'_>) -> Result<()> {
        range::remove(self, keyspace, bounds, u64::MAX).map(|_| ())
    }

    /// Makes all that has been committed as durable as [`Durability::Disk`].
    fn sync(&self) -> Result<()>;

    /// Makes everything committed durable, before the engine is dropped. After `Err` some of it is
    /// not; dropping the engine tries once more, and cannot report a failure.
    fn close(&self) -> Result<()> {
        self.sync()
    }

    /// Fails when any commit would be refused now: because the device is full, or because the engine
    /// has stopped.
    fn check_writable(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the space of deleted keys to the device, as far as that is worth its cost. Does nothing
    /// while snapshots are held, and waits for a reclaim that is already running. Short steps during
    /// which no snapshot may be held run within `without_snapshots`.
    fn reclaim(&self, without_snapshots: &WithoutSnapshots<'_>) -> Result<()> {
        let _ = without_snapshots;
        Ok(())
    }

    /// Statistics of the engine. Cheap enough to be called every second.
    fn stats(&self) -> EngineStats;
}

/// Calls a function while the engine's owner keeps itself from holding snapshots, or does not call it if
/// that is impossible. Others may still hold some, so the function has to check.
pub type WithoutSnapshots<'a> = dyn Fn(&mut dyn FnMut()) + Sync + 'a;

/// An immutable state of an [`Engine`].
pub trait Snapshot: Send + Sync {
    /// The value of `key` in this state.
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>>;

    /// Announces that these keys will be read soon. A hint: an engine may use it to overlap the memory
    /// accesses.
    fn prefetch(&self, keyspace: Keyspace, keys: &[&[u8]]) {
        let _ = (keyspace, keys);
    }

    /// Visits every key within `bounds` in the given order, until the end or until `visit` breaks.
    ///
    /// `visit` may call the engine, `commit` included, but must not keep the slices.
    fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()>;

    /// How many stored entries scans of these ranges pass: visited keys, keys that are deleted or
    /// newer than this state and still stored, and every version of a key if the engine stores them
    /// side by side. For `explain`: it reads them all, and an engine may leave out a table in memory
    /// that it is just flushing.
    fn count_stored(&self, keyspace: Keyspace, ranges: &[Bounds<'_>]) -> Result<u64> {
        let mut count = 0;
        for bounds in ranges {
            self.scan(keyspace, *bounds, Direction::Forward, &mut |_, _| {
                count += 1;
                ControlFlow::Continue(())
            })?;
        }
        Ok(count)
    }
}

impl dyn Snapshot + '_ {
    /// Visits keys like [`scan`](Snapshot::scan), until `visit` breaks or fails. Returns the last result of
    /// `visit`.
    ///
    /// # Errors
    ///
    /// As for [`scan`](Snapshot::scan), and the one that `visit` failed with.
    #[inline]
    pub fn try_scan<E: From<Error>>(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        mut visit: impl FnMut(&[u8], &[u8]) -> std::result::Result<ControlFlow<()>, E>,
    ) -> std::result::Result<ControlFlow<()>, E> {
        let mut outcome = Ok(ControlFlow::Continue(()));
        self.scan(keyspace, bounds, direction, &mut |key, value| {
            outcome = visit(key, value);
            match outcome {
                Ok(flow) => flow,
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        outcome
    }
}

/// Statistics of one keyspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyspaceStats {
    /// How many keys it has; an estimate where [`EngineStats::keys_exact`] is false.
    pub keys: u64,
    /// Bytes in memory that it occupies, keys, values and structure.
    pub memory_bytes: u64,
    /// Bytes on disk that it occupies.
    pub disk_bytes: u64,
}

/// Statistics of an engine since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// By keyspace, in their order.
    pub keyspaces: Vec<KeyspaceStats>,
    /// Whether the numbers of keys are exact.
    pub keys_exact: bool,
    /// Batches committed.
    pub commits: u64,
    /// Calls of fsync that a commit or a sync waited for.
    pub fsyncs: u64,
    /// Snapshots that are held now.
    pub snapshots_open: u64,
    /// Reads answered by the document cache; 0 without one.
    pub cache_hits: u64,
    /// Reads that the document cache could not answer.
    pub cache_misses: u64,
    /// Bytes that the document cache holds now.
    pub cache_bytes: u64,
    /// Batches acknowledged and not yet persisted (`memory-first`).
    pub behind_batches: u64,
    /// Bytes of those.
    pub behind_bytes: u64,
    /// Why acknowledged batches cannot be persisted now; `None` when they can.
    pub behind_reason: Option<String>,
    /// Bytes that everything in the data folder occupies on the device; 0 without one.
    pub disk_bytes: u64,
    /// Bytes on disk of the journals (write-ahead logs), which hold what is not in the tables of the
    /// keyspaces yet.
    pub journal_bytes: u64,
}
