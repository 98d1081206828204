//! [`Passed`]: a state that records the ranges of its scans, for `explain`.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use velocitydb_storage::{Blob, Bounds, Direction, Keyspace, Result, Snapshot, Visit};

/// A state that records which of its ranges are scanned, to count afterwards how many stored
/// entries the engine had to pass there, including those that the scans do not show.
pub(crate) struct Passed<'a> {
    state: &'a dyn Snapshot,
    ranges: Mutex<BTreeMap<Keyspace, Vec<Range>>>,
}

/// From a key up to another one, if there is an end.
type Range = (Vec<u8>, Option<Vec<u8>>);

impl<'a> Passed<'a> {
    pub(crate) fn new(state: &'a dyn Snapshot) -> Self {
        Passed { state, ranges: Mutex::default() }
    }

    /// How many stored entries were passed, deleted ones included. Reads all of them.
    pub(crate) fn count(&self) -> Result<u64> {
        let mut count = 0;
        for (keyspace, ranges) in &*self.ranges.lock() {
            let bounds = ranges.iter().map(|(start, end)| Bounds { start, end: end.as_deref() });
            count += self.state.count_stored(*keyspace, &bounds.collect::<Vec<_>>())?;
        }
        Ok(count)
    }
}

impl Snapshot for Passed<'_> {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.state.get(keyspace, key)
    }

    fn prefetch(&self, keyspace: Keyspace, keys: &[&[u8]]) {
        self.state.prefetch(keyspace, keys);
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        // The last key of a scan that ended early.
        let mut last = None;
        self.state.scan(keyspace, bounds, direction, &mut |key, value| {
            let flow = visit(key, value);
            if flow.is_break() {
                last = Some(key.to_vec());
            }
            flow
        })?;
        let (start, end) = (bounds.start.to_vec(), bounds.end.map(<[u8]>::to_vec));
        let passed = match (last, direction) {
            (None, _) => (start, end),
            (Some(last), Direction::Forward) => (start, Some([&last[..], &[0]].concat())),
            (Some(last), Direction::Backward) => (last, end),
        };
        self.ranges.lock().entry(keyspace).or_default().push(passed);
        Ok(())
    }

    fn count_stored(&self, keyspace: Keyspace, ranges: &[Bounds<'_>]) -> Result<u64> {
        self.state.count_stored(keyspace, ranges)
    }
}
