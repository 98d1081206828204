//! [`State`]: one committed state of all trees, which readers share without a lock.

use std::ops::Bound;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{AbstractTree, AnyTree};
use lsm_tree::{Guard, UserKey};

use super::error;
use super::folder::Folder;
use super::stored::StoredBytes;
use crate::{Blob, Bounds, Direction, Error, Keyspace, Result, Snapshot, Visit};

/// What all states of one opened store share.
pub(super) struct Trees {
    /// Locked while any state is held: tables that compaction made obsolete are removed when the last
    /// state that has them is dropped, and a later opening may reuse their names.
    pub(super) folder: Arc<Folder>,
    pub(super) names: Vec<String>,
    /// By keyspace. Trees rather than the store's keyspace handles, since those keep the journal
    /// open, and reads go on while the store is closed.
    pub(super) trees: Vec<AnyTree>,
    /// The tree of our own records.
    pub(super) record: AnyTree,
}

/// The key of our own records for the empty key of a keyspace, since the store has no empty keys.
pub(super) fn empty_key(keyspace: Keyspace) -> [u8; 2] {
    [b'e', keyspace.0]
}

/// The trees as of one sequence number.
pub(super) struct State {
    trees: Arc<Trees>,
    sequence: fjall::SeqNo,
    /// Keeps compaction from dropping what this state has.
    _pin: fjall::Snapshot,
}

impl State {
    pub(super) fn new(trees: Arc<Trees>, pin: fjall::Snapshot) -> Self {
        State { trees, sequence: pin.seqno(), _pin: pin }
    }

    pub(super) fn trees(&self) -> &[AnyTree] {
        &self.trees.trees
    }

    pub(super) fn tree(&self, keyspace: Keyspace) -> Result<&AnyTree> {
        let tree = self.trees.trees.get(usize::from(keyspace.0));
        tree.ok_or_else(|| Error::Invalid {
            what: format!("the engine has no keyspace {}", keyspace.0),
        })
    }

    pub(super) fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        let tree = self.tree(keyspace)?;
        let value = match key {
            [] => self.trees.record.get(empty_key(keyspace), self.sequence),
            key => tree.get(key, self.sequence),
        };
        let value = value.map_err(|error| self.failed(keyspace, key, error))?;
        Ok(value.map(|bytes| Blob::from(StoredBytes::new(bytes))))
    }

    pub(super) fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        if bounds.end.is_some_and(|end| end <= bounds.start) {
            return Ok(());
        }
        let empty = match bounds.start {
            [] => self.get(keyspace, &[])?,
            _ => None,
        };
        let visit_empty = |visit: &mut Visit<'_>| match &empty {
            Some(value) => visit(&[], value),
            None => ControlFlow::Continue(()),
        };
        if direction == Direction::Forward && visit_empty(visit).is_break() {
            return Ok(());
        }
        let flow = self.scan_tree(keyspace, bounds, direction, visit)?;
        if direction == Direction::Backward && flow.is_continue() {
            let _ = visit_empty(visit);
        }
        Ok(())
    }

    fn scan_tree(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let end = bounds.end.map_or(Bound::Unbounded, Bound::Excluded);
        let range = (Bound::Included(bounds.start), end);
        let tree = self.tree(keyspace)?;
        let mut pairs = tree.range::<&[u8], _>(range, self.sequence, None);
        loop {
            let pair = match direction {
                Direction::Forward => pairs.next(),
                Direction::Backward => pairs.next_back(),
            };
            let Some(pair) = pair else {
                return Ok(ControlFlow::Continue(()));
            };
            let (key, value) =
                pair.into_inner().map_err(|error| self.failed(keyspace, bounds.start, error))?;
            if visit(&key, &value).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// Every entry of the tables and of the active memtable, tombstones included. A memtable that is
    /// just being flushed is not accessible.
    pub(super) fn count_stored(&self, keyspace: Keyspace, ranges: &[Bounds<'_>]) -> Result<u64> {
        let tree = self.tree(keyspace)?;
        let ranges = ranges.iter().filter(|range| range.end.is_none_or(|end| range.start < end));
        let ranges: Vec<_> = ranges.copied().collect();
        let in_memory = tree.active_memtable();
        let mut count = count_within(in_memory.iter().map(|entry| entry.key.user_key), &ranges);
        for Bounds { start, end } in ranges {
            let end = end.map_or(Bound::Unbounded, |end| Bound::Excluded(UserKey::from(end)));
            for table in tree.current_version().iter_tables() {
                let range = (Bound::Included(UserKey::from(start)), end.clone());
                for entry in table.range(range) {
                    entry.map_err(|error| self.failed(keyspace, start, error))?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    fn failed(&self, keyspace: Keyspace, key: &[u8], error: lsm_tree::Error) -> Error {
        let place = || {
            let name = &self.trees.names[usize::from(keyspace.0)];
            format!("keyspace {name}, at or after key {}", key.escape_ascii())
        };
        error::store("reading", self.trees.folder.path(), place, &error.into())
    }
}

/// How many keys are in these ranges, each counted once per range that has it. The keys are in order,
/// and are iterated over once.
fn count_within(keys: impl Iterator<Item = UserKey>, ranges: &[Bounds<'_>]) -> u64 {
    let mut starts: Vec<&[u8]> = ranges.iter().map(|range| range.start).collect();
    let mut ends: Vec<&[u8]> = ranges.iter().filter_map(|range| range.end).collect();
    starts.sort_unstable();
    ends.sort_unstable();
    let (mut begun, mut ended, mut count) = (0, 0, 0);
    for key in keys {
        begun += starts[begun..].iter().take_while(|start| **start <= &key[..]).count();
        ended += ends[ended..].iter().take_while(|end| **end <= &key[..]).count();
        count += (begun - ended) as u64;
        if ended == starts.len() {
            break;
        }
    }
    count
}

/// A [`State`] held by a caller, which is counted while it is held.
pub(super) struct Held {
    state: Arc<State>,
    open: Arc<AtomicU64>,
}

impl Held {
    pub(super) fn new(state: Arc<State>, open: Arc<AtomicU64>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Held { state, open }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Snapshot for Held {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.state.get(keyspace, key)
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        self.state.scan(keyspace, bounds, direction, visit)
    }

    fn count_stored(&self, keyspace: Keyspace, ranges: &[Bounds<'_>]) -> Result<u64> {
        self.state.count_stored(keyspace, ranges)
    }
}
