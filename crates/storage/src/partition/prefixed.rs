//! [`Partition`]: the engine contract on a range of another engine.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::view::{Key, Range, View};
use crate::{
    Batch, Blob, Bounds, Durability, Engine, EngineStats, Error, Keyspace, Part, Result, Snapshot,
    WithoutSnapshots,
};

/// The number of a partition, which its owner chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u64);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A part of an engine that is an engine itself: it has the same keyspaces, and only its own keys.
///
/// Its batches can be committed with those of other partitions, see
/// [`Partitions::commit_all`](super::Partitions::commit_all), and all of it can be replaced at once,
/// see [`Partitions::replace`](super::Partitions::replace). While it is being replaced reads go on, and
/// commits are refused. Once it has been dropped, reads and commits fail with [`Error::Invalid`];
/// snapshots from before go on.
///
/// Keys may be 4 bytes shorter than those of the engine.
///
/// Syncing and reclaiming space is done for the whole engine. Of the [statistics](Engine::stats),
/// `commits` and `snapshots_open` are the partition's own, since this handle was opened. All others are
/// those of the engine, with all its partitions, so that `keys_exact` is false.
pub struct Partition {
    engine: Arc<dyn Engine>,
    id: PartitionId,
    /// The number of the range that is its content; [`DROPPED`] after it was dropped.
    range: AtomicU32,
    /// Locked shared by each commit, and exclusively to change it.
    state: RwLock<State>,
    commits: AtomicU64,
    snapshots_open: Arc<AtomicU64>,
}

/// No range has this number.
const DROPPED: u32 = u32::MAX;

/// Whether a partition accepts commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Replacing,
    Dropped,
}

impl Partition {
    pub(super) fn new(engine: Arc<dyn Engine>, id: PartitionId, range: Range) -> Self {
        Partition {
            engine,
            id,
            range: AtomicU32::new(range.0),
            state: RwLock::new(State::Open),
            commits: AtomicU64::new(0),
            snapshots_open: Arc::default(),
        }
    }

    /// Its number.
    pub fn id(&self) -> PartitionId {
        self.id
    }

    /// The range that is its content now.
    pub(super) fn range(&self) -> Result<Range> {
        match self.range.load(Ordering::Acquire) {
            DROPPED => Err(self.refuse(State::Dropped)),
            number => Ok(Range(number)),
        }
    }

    /// Makes another range its content, or none.
    pub(super) fn set_range(&self, range: Option<Range>) {
        self.range.store(range.map_or(DROPPED, |range| range.0), Ordering::Release);
    }

    /// Changes from one state to another, after the commits in flight have ended.
    pub(super) fn turn(&self, from: State, to: State) -> Result<()> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if *state != from {
            return Err(self.refuse(*state));
        }
        *state = to;
        Ok(())
    }

    /// The lock that a commit holds, and the range that it writes to.
    pub(super) fn begin_commit(&self) -> Result<(RwLockReadGuard<'_, State>, Range)> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Open => Ok((state, self.range()?)),
            other => Err(self.refuse(other)),
        }
    }

    pub(super) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it is a part of this engine.
    pub(super) fn is_of(&self, engine: &Arc<dyn Engine>) -> bool {
        Arc::ptr_eq(&self.engine, engine)
    }

    fn refuse(&self, state: State) -> Error {
        let id = self.id;
        Error::Invalid {
            what: match state {
                State::Open => format!("partition {id} is not being replaced"),
                State::Replacing => format!("partition {id} is being replaced"),
                State::Dropped => format!("partition {id} was dropped"),
            },
        }
    }

    /// The result of `read` on the range of the partition's content. If the range has changed during
    /// the read, it may have been removed meanwhile, and `read` is called again.
    fn read<T>(&self, read: impl Fn(Range) -> Result<T>) -> Result<T> {
        loop {
            let range = self.range()?;
            let found = read(range)?;
            if self.range()? == range {
                return Ok(found);
            }
        }
    }
}

impl Engine for Partition {
    #[inline]
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.read(|range| self.engine.get(keyspace, &range.key(key)))
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        let (range, snapshot) = self.read(|range| Ok((range, self.engine.snapshot()?)))?;
        Ok(Arc::new(View::new(range, snapshot, Arc::clone(&self.snapshots_open))))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        let (_open, range) = self.begin_commit()?;
        self.engine.commit_all(&[Part { prefix: &range.prefix(), batch }], durability)?;
        self.count_commit();
        Ok(())
    }

    fn commit_all(&self, parts: &[Part<'_>], durability: Durability) -> Result<()> {
        let (_open, range) = self.begin_commit()?;
        let prefixes: Vec<Key> = parts.iter().map(|part| range.key(part.prefix)).collect();
        let parts = prefixes.iter().zip(parts);
        let parts: Vec<_> =
            parts.map(|(prefix, part)| Part { prefix, batch: part.batch }).collect();
        self.engine.commit_all(&parts, durability)?;
        self.count_commit();
        Ok(())
    }

    fn remove_range(&self, keyspace: Keyspace, bounds: Bounds<'_>) -> Result<()> {
        let (_open, range) = self.begin_commit()?;
        range.with_bounds(bounds, |bounds| self.engine.remove_range(keyspace, bounds))
    }

    fn sync(&self) -> Result<()> {
        self.engine.sync()
    }

    fn check_writable(&self) -> Result<()> {
        drop(self.begin_commit()?);
        self.engine.check_writable()
    }

    fn reclaim(&self, without_snapshots: &WithoutSnapshots<'_>) -> Result<()> {
        self.engine.reclaim(without_snapshots)
    }

    fn stats(&self) -> EngineStats {
        EngineStats {
            keys_exact: false,
            commits: self.commits.load(Ordering::Relaxed),
            snapshots_open: self.snapshots_open.load(Ordering::Relaxed),
            ..self.engine.stats()
        }
    }
}
