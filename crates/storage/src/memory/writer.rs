//! [`Writer`]: commits batches, and unlinks versions that no reader can see any more.
//!
//! A version that a commit supersedes is unlinked at the end of that commit, unless an open
//! snapshot sees it. Then it is retained, and checked again when snapshots were closed: by later
//! commits, a bounded number each, or when the engine cleans up otherwise.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use super::clock::{Clock, OpenSnapshots};
use super::garbage::{Garbage, Piece};
use super::record::{Header, Record, SharedRecord};
use super::table::{Table, TableUse};
use super::tree::Tree;
use crate::batch::Write;
use crate::hash::hash;
use crate::{Keyspace, Part, parts};

/// How many retained versions a commit checks, beside two for each of its own writes.
const RETAINED_STEP: usize = 16;

/// How many writes ahead records are prefetched; their slots and leaves, twice as many.
const PREFETCH_AHEAD: usize = 6;

/// How many keys are composed at a time, and how much of their memory is kept for reuse.
const COMPOSED_MAX: usize = 64;
const COMPOSED_BYTES_MAX: usize = 64 << 10;

/// The indexes of one keyspace.
pub(super) struct Indexes {
    /// The keyspace.
    pub(super) keyspace: Keyspace,
    /// From a key to its newest version. It also owns every version.
    pub(super) table: Table,
    /// The newest versions in order.
    pub(super) tree: Tree,
    /// How many keys have a value.
    pub(super) keys: AtomicU64,
    /// Bytes of all linked records.
    pub(super) record_bytes: AtomicU64,
}

/// The state that only the writer uses.
pub(super) struct Writer {
    /// By keyspace.
    tables: Vec<TableUse>,
    garbage: Garbage,
    snapshots: OpenSnapshots,
    /// The records of this commit that have a previous version, by keyspace number.
    superseding: Vec<(usize, *mut Header)>,
    retained: VecDeque<Retained>,
    /// How many of the retained ones have not been checked since snapshots were closed.
    unexamined: usize,
    composed: Composed,
}

/// Keys that were composed from a prefix and the rest.
#[derive(Default)]
struct Composed {
    bytes: Vec<u8>,
    /// For each key its end, and the hash of keyspace and key.
    keys: Vec<(usize, u64)>,
}

/// A superseded version that an open snapshot saw.
struct Retained {
    keyspace: usize,
    version: *mut Header,
    superseded: u64,
}

// SAFETY: the raw pointers are to linked records, which live until this writer unlinks them.
unsafe impl Send for Writer {}

impl Indexes {
    pub(super) fn new(keyspace: Keyspace) -> Self {
        Indexes {
            keyspace,
            table: Table::new(),
            tree: Tree::new(),
            keys: AtomicU64::new(0),
            record_bytes: AtomicU64::new(0),
        }
    }
}

impl Writer {
    pub(super) fn new(keyspaces: usize) -> Self {
        Writer {
            tables: (0..keyspaces).map(|_| TableUse::default()).collect(),
            garbage: Garbage::default(),
            snapshots: OpenSnapshots::default(),
            superseding: Vec::new(),
            retained: VecDeque::new(),
            unexamined: 0,
            composed: Composed::default(),
        }
    }

    /// Commits the writes of `parts`, no two of which write the same key.
    pub(super) fn commit(&mut self, keyspaces: &[Indexes], clock: &Clock, parts: &[Part<'_>]) {
        let sequence = clock.visible() + 1;
        for part in parts {
            match part.prefix {
                [] => self.write_all(keyspaces, sequence, part.batch.writes()),
                _ => self.write_composed(keyspaces, sequence, *part),
            }
        }
        clock.publish(sequence);
        self.unlink_superseded(keyspaces, clock);
        self.unlink_retained(keyspaces, 2 * parts::len(parts) + RETAINED_STEP);
    }

    /// Writes a part that has a prefix, some keys at a time.
    fn write_composed(&mut self, keyspaces: &[Indexes], sequence: u64, part: Part<'_>) {
        let mut composed = std::mem::take(&mut self.composed);
        let mut rest = part.batch.writes().filter(|write| !write.is_overwritten);
        loop {
            let run = rest.clone();
            composed.clear();
            let keys = rest.by_ref().take(COMPOSED_MAX);
            keys.for_each(|write| composed.push(write.keyspace, part.prefix, write.key));
            if composed.keys.is_empty() {
                break;
            }
            let writes = run.zip(composed.iter());
            let writes = writes.map(|(write, (key, hash))| Write { key, hash, ..write });
            self.write_all(keyspaces, sequence, writes);
        }
        self.composed = composed;
    }

    fn write_all<'w>(
        &mut self,
        keyspaces: &[Indexes],
        sequence: u64,
        writes: impl Iterator<Item = Write<'w>> + Clone,
    ) {
        // What a write will need is prefetched during earlier writes.
        let (mut to_find, mut found) = (writes.clone(), writes.clone());
        to_find
            .by_ref()
            .take(2 * PREFETCH_AHEAD)
            .for_each(|write| self.prefetch_indexes(keyspaces, write));
        found
            .by_ref()
            .take(PREFETCH_AHEAD)
            .for_each(|write| self.prefetch_records(keyspaces, write));
        for write in writes {
            if let Some(later) = to_find.next() {
                self.prefetch_indexes(keyspaces, later);
            }
            if let Some(later) = found.next() {
                self.prefetch_records(keyspaces, later);
            }
            if !write.is_overwritten {
                self.write(&keyspaces[usize::from(write.keyspace.0)], sequence, write);
            }
        }
    }

    /// Prefetches the slot and the leaf of a write's record.
    fn prefetch_indexes(&self, keyspaces: &[Indexes], write: Write<'_>) {
        let indexes = &keyspaces[usize::from(write.keyspace.0)];
        indexes.table.prefetch_slot(write.hash);
        indexes.tree.prefetch_leaf(write.key, &self.garbage);
    }

    /// Prefetches the record, by what [`prefetch_indexes`](Self::prefetch_indexes) prefetched.
    fn prefetch_records(&self, keyspaces: &[Indexes], write: Write<'_>) {
        let indexes = &keyspaces[usize::from(write.keyspace.0)];
        indexes.table.prefetch_record(write.hash, &self.garbage);
    }

    fn write(&mut self, indexes: &Indexes, sequence: u64, write: Write<'_>) {
        let Write { key, value, hash, .. } = write;
        // SAFETY: this is the writer, and what is found is not retired in this function.
        let found = unsafe { indexes.table.find_slot(hash, key) };
        let Some((slot, old)) = found else {
            if value.is_some() {
                let new = indexes.link(SharedRecord::new(sequence, key, value, None));
                let number = usize::from(indexes.keyspace.0);
                let tables = &mut self.tables[number];
                indexes.table.insert(hash, new, tables, &mut self.garbage);
                indexes.tree.insert(new, &mut self.garbage);
                indexes.keys.fetch_add(1, Ordering::Relaxed);
            }
            return;
        };
        match (old.is_deleted(), value.is_none()) {
            (true, true) => return,
            (true, false) => drop(indexes.keys.fetch_add(1, Ordering::Relaxed)),
            (false, true) => drop(indexes.keys.fetch_sub(1, Ordering::Relaxed)),
            (false, false) => {}
        }
        let new = indexes.link(SharedRecord::new(sequence, key, value, Some(old)));
        Table::replace(slot, new);
        indexes.tree.replace(old, new, &self.garbage);
        let number = usize::from(indexes.keyspace.0);
        self.superseding.push((number, new.as_raw()));
    }

    /// Unlinks or retains the versions that this commit superseded.
    fn unlink_superseded(&mut self, keyspaces: &[Indexes], clock: &Clock) {
        if self.snapshots.refresh(clock) {
            self.unexamined = self.retained.len();
        }
        while let Some((keyspace, newer)) = self.superseding.pop() {
            // SAFETY: it was linked by this commit.
            let newer = unsafe { Record::from_raw(newer) }.expect("links are not null");
            let old = newer.previous().expect("it superseded a version");
            match self.snapshots.see(old.sequence(), newer.sequence()) {
                true => self.retained.push_back(Retained {
                    keyspace,
                    version: old.as_raw(),
                    superseded: newer.sequence(),
                }),
                false => self.unlink(&keyspaces[keyspace], newer, old),
            }
        }
    }

    /// Checks up to `steps_max` retained versions, and unlinks those that no snapshot sees.
    fn unlink_retained(&mut self, keyspaces: &[Indexes], steps_max: usize) {
        for _ in 0..self.unexamined.min(steps_max) {
            self.unexamined -= 1;
            let Some(retained) = self.retained.pop_front() else { return };
            // SAFETY: retained versions are linked.
            let version = unsafe { Record::from_raw(retained.version) };
            let version = version.expect("links are not null");
            if self.snapshots.see(version.sequence(), retained.superseded) {
                self.retained.push_back(retained);
                continue;
            }
            let indexes = &keyspaces[retained.keyspace];
            let hash = hash(indexes.keyspace, version.key());
            // SAFETY: this is the writer; what is found is retired by the last call, `unlink`.
            let found = unsafe { indexes.table.find_slot(hash, version.key()) };
            let (_, newest) = found.expect("the key of a linked version is in the index");
            self.unlink(indexes, newest, version);
        }
    }

    /// Unlinks `version`, which no reader can see, from the versions of its key that start with
    /// `newest`; and the key, when only a deletion is left.
    fn unlink(&mut self, indexes: &Indexes, newest: Record<'_>, version: Record<'_>) {
        let mut newer = newest;
        loop {
            let previous = newer.previous().expect("the version is linked");
            if previous.as_raw() == version.as_raw() {
                break;
            }
            newer = previous;
        }
        newer.set_previous(version.previous());
        if newest.is_deleted() && newest.previous().is_none() {
            let hash = hash(indexes.keyspace, newest.key());
            // SAFETY: as above; the record is retired behind its last use.
            let found = unsafe { indexes.table.find_slot(hash, newest.key()) };
            let (slot, _) = found.expect("the newest version is in the index");
            let tables = &mut self.tables[usize::from(indexes.keyspace.0)];
            indexes.table.remove(hash, slot, tables);
            indexes.tree.remove(newest, &mut self.garbage);
            self.retire(indexes, newest);
        }
        self.retire(indexes, version);
    }

    /// Releases an unlinked record, when no reader uses it any more.
    fn retire(&mut self, indexes: &Indexes, record: Record<'_>) {
        let bytes = record.allocated_bytes();
        indexes.record_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        // SAFETY: the callers have just unlinked it from everything that leads to it.
        unsafe { self.garbage.retire(Piece::Record(record.as_raw()), bytes) };
    }

    /// Unlinks up to `steps_max` versions that no snapshot sees any more, and frees what can be.
    /// Returns whether there are more to check.
    pub(super) fn clean(&mut self, keyspaces: &[Indexes], clock: &Clock, steps_max: usize) -> bool {
        if self.snapshots.refresh(clock) {
            self.unexamined = self.retained.len();
        }
        self.unlink_retained(keyspaces, steps_max);
        self.garbage.hand_over();
        self.unexamined > 0
    }
}

impl Composed {
    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(COMPOSED_BYTES_MAX);
        self.keys.clear();
    }

    fn push(&mut self, keyspace: Keyspace, prefix: &[u8], key: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(prefix);
        self.bytes.extend_from_slice(key);
        self.keys.push((self.bytes.len(), hash(keyspace, &self.bytes[start..])));
    }

    /// The keys in order, each with its hash.
    fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> + Clone {
        self.keys.iter().enumerate().map(|(index, (end, hash))| {
            let start = index.checked_sub(1).map_or(0, |before| self.keys[before].0);
            (&self.bytes[start..*end], *hash)
        })
    }
}

impl Indexes {
    /// Gives a new record to the indexes, which own it from now on.
    fn link<'w>(&self, record: SharedRecord) -> Record<'w> {
        // SAFETY: it is released by the writer alone, through `retire`, or with the table.
        let record = unsafe { Record::from_raw(record.into_raw()) }.expect("it was allocated");
        let bytes = record.allocated_bytes() as u64;
        self.record_bytes.fetch_add(bytes, Ordering::Relaxed);
        record
    }
}
