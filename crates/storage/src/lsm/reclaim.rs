//! [`Reclaiming`]: giving the space of what was deleted back to the device.
//!
//! The store writes a deletion as one more entry, and drops it with what it deletes only when it
//! merges the tables that hold both, which for a small or a quiet tree may be never. And it keeps a
//! journal until 64 MB of it are full, which every opening reads. So:
//!
//! ```text
//!  flush the memtables ─▶ merge the trees that are deleted for a large part ─▶ begin a new journal
//!        └───────── beside readers and writers ──────────┘                  with the store closed
//! ```
//!
//! On a device that is nearly full a merge may have no room before the journals are gone, which
//! hold again what the flush has just written: then it is done after that.
//!
//! Where room is short, shorter journals are begun anew too, and for tables alone that the store has
//! merged by itself: it keeps their files for a while.
//!
//! The tables that lie within a range of which every key is deleted are not merged but dropped, see
//! [`Reclaiming::drop_tables`].
//!
//! # Caveats
//!
//! A tree above [`TREE_BYTES_MAX`] is left to the store's own merging: all of it at once would take
//! long, and as much room again.

use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use fjall::{AbstractTree, AnyTree, PersistMode};
use lsm_tree::Table;

use crate::{Bounds, Keyspace};

/// A tree of less is not worth it.
const TREE_BYTES_MIN: u64 = 256 << 10;
/// A tree of more is not merged as a whole: about two seconds of work.
const TREE_BYTES_MAX: u64 = 512 << 20;
/// A tree is merged when so many times its deletions are as many as its entries: merging it writes
/// at most three entries for each that it drops.
const ENTRIES_PER_DELETION: u64 = 4;
/// Journals of less are read in a moment, see [`journal_is_long`].
pub(super) const JOURNAL_BYTES_MIN: u64 = 4 << 20;
/// What closing and opening the store has to give back on a device that is short of room.
pub(super) const RESTART_BYTES_MIN: u64 = 512 << 10;

/// How often, and how long each time, flushes are waited for: two minutes.
const WAITS_MAX: u32 = 60_000;
const WAIT: Duration = Duration::from_millis(2);

/// Whether merging a tree is worth it, of which the memtables hold about `buffered` deletions.
pub(super) fn is_worth(tree: &AnyTree, buffered: u64) -> bool {
    let bytes = tree.disk_space();
    let deletions = tree.tombstone_count() + buffered;
    (TREE_BYTES_MIN..=TREE_BYTES_MAX).contains(&bytes)
        && deletions > 0
        && deletions * ENTRIES_PER_DELETION >= tree.approximate_len() as u64
}

/// Whether journals hold much more than what there is.
pub(super) fn journal_is_long(journal_bytes: u64, tree_bytes: u64) -> bool {
    journal_bytes >= JOURNAL_BYTES_MIN && journal_bytes >= 2 * tree_bytes
}

/// Flushes all memtables, and waits for it. Whether it came to that in time.
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

/// Space being reclaimed. The store is not closed for as long as this is held.
pub(super) struct Reclaiming {
    database: fjall::Database,
    keyspaces: Vec<fjall::Keyspace>,
    /// The last, so that the handles to the store are gone before.
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

    /// Drops the tables of a keyspace that have no key outside of these bounds, with their deletions.
    /// Their files go when nobody reads them any more.
    pub(super) fn drop_tables(self, keyspace: Keyspace, bounds: Bounds<'_>) -> fjall::Result<()> {
        let end = bounds.end.map_or(Bound::Unbounded, Bound::Excluded);
        let tree = &self.keyspaces[usize::from(keyspace.0)].tree;
        Ok(tree.drop_range::<&[u8], _>((Bound::Included(bounds.start), end))?)
    }

    /// Merges the trees that are deleted for a large part; `has_room` says whether so many bytes
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

/// What came of merging.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) trees: usize,
    /// Another tree was worth it, for which the device had no room: what goes now may make some.
    pub(super) lacked_room: bool,
}

/// Whether somebody works on the files of the store beside its writer.
#[derive(Default)]
pub(super) struct Busy {
    is_busy: Mutex<bool>,
    ended: Condvar,
}

struct Token(Arc<Busy>);

impl Busy {
    /// Waits until nobody does.
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
