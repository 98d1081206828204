//! Scans: the versions that a snapshot sees, leaf by leaf.

use std::ops::ControlFlow;

use crossbeam_epoch as epoch;

use super::clock::version_at;
use super::leaf::{Entry, LEAF_CAPACITY};
use super::tree::{Path, Place, Tree};
use crate::{Bounds, Direction, Visit};

/// How many records ahead the bytes of a record are prefetched.
const PREFETCH_AHEAD: usize = 6;

/// The rest of a scan: the keys from `from`, included, to `to`, excluded.
struct Rest {
    from: Vec<u8>,
    to: Option<Vec<u8>>,
}

/// Visits what the snapshot of commit `sequence` sees within `bounds`. The epoch is pinned for one
/// leaf at a time, so that a long scan holds back no memory.
pub(super) fn scan(
    tree: &Tree,
    sequence: u64,
    bounds: Bounds<'_>,
    direction: Direction,
    visit: &mut Visit<'_>,
) {
    let mut rest = Rest { from: bounds.start.to_vec(), to: bounds.end.map(<[u8]>::to_vec) };
    let mut entries = Vec::with_capacity(LEAF_CAPACITY);
    let mut guard = epoch::pin();
    while !rest.is_empty() {
        let path = tree.path(rest.place(direction), &guard);
        path.collect(&mut entries);
        let within = rest.within(&path, &entries);
        let ahead = |index: usize| match direction {
            Direction::Forward => index + PREFETCH_AHEAD,
            Direction::Backward => index.wrapping_sub(PREFETCH_AHEAD),
        };
        // If only a part of a leaf is visited, only that part is prefetched.
        entries[within.clone()].iter().for_each(|entry| path.record(*entry).prefetch_header());
        let mut see = |index: usize| {
            if let Some(entry) = entries.get(ahead(index)) {
                path.record(*entry).prefetch_bytes();
            }
            let version = version_at(Some(path.record(entries[index])), sequence);
            match version.filter(|version| !version.is_deleted()) {
                Some(version) => visit(version.key(), version.value()),
                None => ControlFlow::Continue(()),
            }
        };
        let flow = match direction {
            Direction::Forward => within.into_iter().try_for_each(&mut see),
            Direction::Backward => within.into_iter().rev().try_for_each(&mut see),
        };
        if flow.is_break() || !rest.go_on(&path, direction) {
            return;
        }
        guard.repin();
    }
}

/// How many keys the tree has within `bounds`, including those whose newest version is a deletion.
pub(super) fn count(tree: &Tree, bounds: Bounds<'_>) -> u64 {
    let mut rest = Rest { from: bounds.start.to_vec(), to: bounds.end.map(<[u8]>::to_vec) };
    let (mut count, mut entries) = (0, Vec::with_capacity(LEAF_CAPACITY));
    let mut guard = epoch::pin();
    while !rest.is_empty() {
        let path = tree.path(rest.place(Direction::Forward), &guard);
        path.collect(&mut entries);
        count += rest.within(&path, &entries).len() as u64;
        if !rest.go_on(&path, Direction::Forward) {
            break;
        }
        guard.repin();
    }
    count
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }

    /// The position of the next leaf.
    fn place(&self, direction: Direction) -> Place<'_> {
        match (direction, &self.to) {
            (Direction::Forward, _) => Place::Before(&self.from),
            (Direction::Backward, Some(to)) => Place::Behind(to),
            (Direction::Backward, None) => Place::End,
        }
    }

    /// Which of the leaf's entries are to be visited.
    fn within(&self, path: &Path<'_>, entries: &[Entry]) -> std::ops::Range<usize> {
        let starts_before = path.lower().unwrap_or_default() < &self.from[..];
        let start = match starts_before {
            true => path.position(entries, &self.from),
            false => 0,
        };
        let end = match (&self.to, path.upper()) {
            (None, _) => entries.len(),
            (Some(to), Some(upper)) if upper <= &to[..] => entries.len(),
            (Some(to), _) => path.position(entries, to),
        };
        start..end
    }

    /// Removes the leaf's range from the rest. False when nothing is left.
    fn go_on(&mut self, path: &Path<'_>, direction: Direction) -> bool {
        match direction {
            Direction::Forward => path.upper().map(|upper| {
                self.from.clear();
                self.from.extend_from_slice(upper);
            }),
            Direction::Backward => path.lower().map(|lower| {
                let to = self.to.get_or_insert_default();
                to.clear();
                to.extend_from_slice(lower);
            }),
        }
        .is_some()
    }
}
