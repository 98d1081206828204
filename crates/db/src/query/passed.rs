//! [`Passed`]: a state that notes what its scans pass, for explanations.

use std::sync::atomic::{AtomicU64, Ordering};

use velocitydb_storage::{Blob, Bounds, Direction, Keyspace, Result, Snapshot, Visit};

/// A state whose scans are counted: not what they show, but all that the engine has to pass for it.
pub(crate) struct Passed<'a> {
    state: &'a dyn Snapshot,
    count: AtomicU64,
}

impl<'a> Passed<'a> {
    pub(crate) fn new(state: &'a dyn Snapshot) -> Self {
        Passed { state, count: AtomicU64::new(0) }
    }

    /// How many stored entries were passed, deleted and overwritten ones included.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
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
        // The key at which the scan was ended.
        let mut last = None;
        self.state.scan(keyspace, bounds, direction, &mut |key, value| {
            let flow = visit(key, value);
            if flow.is_break() {
                last = Some(key.to_vec());
            }
            flow
        })?;
        let passed = match (&mut last, direction) {
            (None, _) => bounds,
            (Some(last), Direction::Forward) => {
                last.push(0);
                Bounds { start: bounds.start, end: Some(last) }
            }
            (Some(last), Direction::Backward) => Bounds { start: last, end: bounds.end },
        };
        let count = self.state.count_stored(keyspace, passed)?;
        self.count.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }

    fn count_stored(&self, keyspace: Keyspace, bounds: Bounds<'_>) -> Result<u64> {
        self.state.count_stored(keyspace, bounds)
    }
}
