//! [`Reclaiming`]: returns the space of deleted keys to the device.
//!
//! The store writes a deletion as a tombstone, and drops it with the deleted key only when it
//! compacts the tables that hold both, which for a small or a quiet tree may be never. And it keeps
//! a journal until 64 MB of it are full, which every opening reads. So:
//!
//! ```text
//!  flush the memtables ─▶ compact trees with a large part of tombstones ─────▶ start a new journal
//!        └───────── beside readers and writers ──────────┘                  with the store closed
//! ```
//!
//! On a device that is nearly full there may be no room for a compaction before the journals are
//! removed, whose content the flush has just written to tables: then it runs after that.
//!
//! If room is short, shorter journals are started anew too, also if only obsolete tables are to be
//! freed: the store keeps their files for a while after compacting them.
//!
//! Tables within a range whose keys are all deleted are not compacted but dropped, see
//! [`Reclaiming::drop_tables`].
//!
//! # Caveats
//!
//! A tree above [`TREE_BYTES_MAX`] is left to the store's own compaction: all of it at once would
//! take long, and as much room again.

use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use fjall::{AbstractTree, AnyTree, PersistMode};
use lsm_tree::Table;

use crate::{Bounds, Keyspace};

/// A smaller tree is not worth compacting.
const TREE_BYTES_MIN: u64 = 256 << 10;
/// A larger tree is not compacted as a whole: this size takes about two seconds.
const TREE_BYTES_MAX: u64 = 512 << 20;
/// A tree is compacted when at least one in this many of its entries is a tombstone: that writes at
/// most three entries for each that it drops.
const ENTRIES_PER_DELETION: u64 = 4;
/// Shorter journals are read quickly, see [`journal_is_long`].
pub(super) const JOURNAL_BYTES_MIN: u64 = 4 << 20;
/// How many bytes reopening the store has to free to be worth it on a device that is short of room.
pub(super) const RESTART_BYTES_MIN: u64 = 512 << 10;

/// How often, and how long each time, to wait for flushes: two minutes in all.
const WAITS_MAX: u32 = 60_000;
const WAIT: Duration = Duration::from_millis(2);

/// Whether compacting a tree is worth it, of which the memtables hold about `buffered` tombstones.
pub(super) fn is_worth(tree: &AnyTree, buffered: u64) -> bool {
    let bytes = tree.disk_space();
    let deletions = tree.tombstone_count() + buffered;
    (TREE_BYTES_MIN..=TREE_BYTES_MAX).contains(&bytes)
        && deletions > 0
        && deletions * ENTRIES_PER_DELETION >= tree.approximate_len() as u64
}

/// Whether journals are much larger than the trees.
pub(super) fn journal_is_long(journal_bytes: u64, tree_bytes: u64) -> bool {
    journal_bytes >= JOURNAL_BYTES_MIN && journal_bytes >= 2 * tree_bytes
}

/// Flushes all memtables, and waits for that. Returns whether it was done in time.
pub(super) fn flush(
    database: &fjall::Database,
    keyspaces: &[fjall::Keyspace],
) -> fjall::Result<bool> {
    for keyspace in keyspaces {
        keyspace.rotate_memtable()?;
    }
    for _ in 0..WAITS_MAX {
        if keyspaces.iter().all(|keyspace| keyspace.tree.sealed_memtable_count() == 0) {
            return Ok(true);
        }
        // Fails when the workers that do the flush have stopped.
        database.persist(PersistMode::Buffer)?;
        thread::sleep(WAIT);
    }
    Ok(false)
}

/// Space being reclaimed. The store is not closed while this is held.
pub(super) struct Reclaiming {
    database: fjall::Database,
    keyspaces: Vec<fjall::Keyspace>,
    /// The last field, so that the handles to the store are dropped before it.
    _busy: Token,
}

impl Reclaiming {
    pub(super) fn new(
        database: fjall::Database,
        keyspaces: Vec<fjall::Keyspace>,
        busy: &Arc<Busy>,
    ) -> Self {
        Reclaiming { database, keyspaces, _busy: busy.begin() }
    }

    /// Drops the tables of a keyspace that have no key outside of these bounds, with their
    /// tombstones. Their files are removed when no snapshot reads them any more.
    pub(super) fn drop_tables(self, keyspace: Keyspace, bounds: Bounds<'_>) -> fjall::Result<()> {
        let end = bounds.end.map_or(Bound::Unbounded, Bound::Excluded);
        let tree = &self.keyspaces[usize::from(keyspace.0)].tree;
        Ok(tree.drop_range::<&[u8], _>((Bound::Included(bounds.start), end))?)
    }

    /// Compacts the trees with a large part of tombstones; `has_room` says whether that many bytes
    /// may be written.
    pub(super) fn merge(self, has_room: impl Fn(u64) -> bool) -> fjall::Result<Merged> {
        let mut merged = Merged::default();
        if !flush(&self.database, &self.keyspaces)? {
            return Ok(merged);
        }
        for keyspace in self.keyspaces.iter().filter(|keyspace| is_worth(&keyspace.tree, 0)) {
            let entries = keyspace.tree.approximate_len() as u64;
            let dropped = (2 * keyspace.tree.tombstone_count()).min(entries);
            let kept_bytes = keyspace.tree.disk_space() / entries.max(1) * (entries - dropped);
            if has_room(kept_bytes) {
                keyspace.major_compact()?;
                merged.trees += 1;
            } else {
                merged.lacked_room = true;
            }
        }
        Ok(merged)
    }
}

/// The bytes of the tables that have no key outside of these bounds.
pub(super) fn bytes_within(tree: &AnyTree, bounds: Bounds<'_>) -> u64 {
    let is_within = |table: &&Table| {
        let keys = &table.metadata.key_range;
        bounds.start <= &keys.min()[..] && bounds.end.is_none_or(|end| &keys.max()[..] < end)
    };
    let version = tree.current_version();
    let tables = version.iter_tables().filter(is_within);
    tables.map(|table| table.metadata.file_size).sum()
}

/// The result of compacting.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) trees: usize,
    /// The device had no room for compacting another tree; what is freed now may make some.
    pub(super) lacked_room: bool,
}

/// Whether another thread than the writer works on the files of the store.
#[derive(Default)]
pub(super) struct Busy {
    is_busy: Mutex<bool>,
    ended: Condvar,
}

struct Token(Arc<Busy>);

impl Busy {
    /// Waits until none does.
    pub(super) fn wait(&self) {
        let busy = self.is_busy.lock().unwrap_or_else(PoisonError::into_inner);
        let _ended = self.ended.wait_while(busy, |is_busy| *is_busy);
    }

    fn begin(self: &Arc<Self>) -> Token {
        *self.is_busy.lock().unwrap_or_else(PoisonError::into_inner) = true;
        Token(Arc::clone(self))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        *self.0.is_busy.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.ended.notify_all();
    }
}
