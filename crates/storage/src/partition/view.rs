//! [`Range`]: the keys of an engine that begin with one number, and [`View`]: a snapshot of them.
//! Own the conversion between keys of a partition and keys of the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use crate::{Blob, Bounds, Direction, Keyspace, Result, Snapshot, Visit};

/// The length up to which keys in the engine need no allocation.
const KEY_LENGTH_USUAL: usize = 128;

/// A key in the engine.
pub(super) type Key = SmallVec<[u8; KEY_LENGTH_USUAL]>;

/// The keys that begin with this number, which is below `u32::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range(pub(super) u32);

impl Range {
    const PREFIX_LENGTH: usize = size_of::<u32>();

    /// The prefix of its keys.
    pub(super) fn prefix(self) -> [u8; Self::PREFIX_LENGTH] {
        self.0.to_be_bytes()
    }

    /// The smallest key after all of its keys.
    pub(super) fn end(self) -> [u8; Self::PREFIX_LENGTH] {
        (self.0 + 1).to_be_bytes()
    }

    /// The engine's key for one of the partition.
    #[inline]
    pub(super) fn key(self, key: &[u8]) -> Key {
        let mut composed = Key::from_slice(&self.prefix());
        composed.extend_from_slice(key);
        composed
    }

    /// Calls `with` with the engine's bounds for those of the partition.
    pub(super) fn with_bounds<R>(
        self,
        bounds: Bounds<'_>,
        with: impl FnOnce(Bounds<'_>) -> R,
    ) -> R {
        let start = self.key(bounds.start);
        let end = match bounds.end {
            Some(end) => self.key(end),
            None => Key::from_slice(&self.end()),
        };
        with(Bounds::range(&start, &end))
    }
}

/// An immutable state of a partition.
pub(super) struct View {
    range: Range,
    snapshot: Arc<dyn Snapshot>,
    open: Arc<AtomicU64>,
}

impl View {
    /// The part of `snapshot` in `range`; it is counted in `open` while it is held.
    pub(super) fn new(range: Range, snapshot: Arc<dyn Snapshot>, open: Arc<AtomicU64>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        View { range, snapshot, open }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Snapshot for View {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.snapshot.get(keyspace, &self.range.key(key))
    }

    fn prefetch(&self, keyspace: Keyspace, keys: &[&[u8]]) {
        let composed: Vec<Key> = keys.iter().map(|key| self.range.key(key)).collect();
        let composed: SmallVec<[&[u8]; 16]> = composed.iter().map(|key| &key[..]).collect();
        self.snapshot.prefetch(keyspace, &composed);
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let visit = &mut |key: &[u8], value: &[u8]| visit(&key[Range::PREFIX_LENGTH..], value);
        self.range
            .with_bounds(bounds, |bounds| self.snapshot.scan(keyspace, bounds, direction, visit))
    }

    fn count_stored(&self, keyspace: Keyspace, ranges: &[Bounds<'_>]) -> Result<u64> {
        let composed: Vec<(Key, Key)> = ranges
            .iter()
            .map(|bounds| {
                self.range.with_bounds(*bounds, |bounds| {
                    (Key::from_slice(bounds.start), Key::from_slice(bounds.end.unwrap_or_default()))
                })
            })
            .collect();
        let ranges: Vec<_> =
            composed.iter().map(|(start, end)| Bounds::range(start, end)).collect();
        self.snapshot.count_stored(keyspace, &ranges)
    }
}
