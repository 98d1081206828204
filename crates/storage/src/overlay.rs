//! [`Overlay`]: a snapshot overlaid with a batch: the state that a command sees within a group.
//! Owns the merge of the two; must not write.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use crate::{Batch, Blob, Bounds, Direction, Keyspace, Result, Snapshot, Visit};

/// The state after a batch is committed on a snapshot.
pub struct Overlay<'a> {
    snapshot: &'a dyn Snapshot,
    batch: &'a Batch,
}

impl<'a> Overlay<'a> {
    /// Overlays `snapshot`, the state that `batch` is going to be committed on, with it.
    pub fn new(snapshot: &'a dyn Snapshot, batch: &'a mut Batch) -> Self {
        batch.sort_keys();
        Overlay { snapshot, batch }
    }
}

impl Snapshot for Overlay<'_> {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        match self.batch.get(keyspace, key) {
            Some(value) => Ok(value.map(Blob::copy_of)),
            None => self.snapshot.get(keyspace, key),
        }
    }

    fn prefetch(&self, keyspace: Keyspace, keys: &[&[u8]]) {
        self.snapshot.prefetch(keyspace, keys);
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let touched = self.batch.touched(keyspace, bounds);
        match direction {
            Direction::Forward => self.merge(keyspace, bounds, direction, touched, visit),
            Direction::Backward => self.merge(keyspace, bounds, direction, touched.rev(), visit),
        }
    }

    fn count_stored(&self, keyspace: Keyspace, ranges: &[Bounds<'_>]) -> Result<u64> {
        let touched = ranges.iter().map(|bounds| self.batch.touched(keyspace, *bounds).count());
        Ok(self.snapshot.count_stored(keyspace, ranges)? + touched.sum::<usize>() as u64)
    }
}

impl Overlay<'_> {
    /// Visits the keys of the snapshot and of the batch in one order.
    fn merge<'k>(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        touched: impl Iterator<Item = &'k [u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let mut touched = touched.peekable();
        if touched.peek().is_none() {
            return self.snapshot.scan(keyspace, bounds, direction, visit);
        }
        let is_before = |one: &[u8], other: &[u8]| match direction {
            Direction::Forward => one.cmp(other) == Ordering::Less,
            Direction::Backward => one.cmp(other) == Ordering::Greater,
        };
        let mut has_ended = false;
        self.snapshot.scan(keyspace, bounds, direction, &mut |key, value| {
            let mut flow = ControlFlow::Continue(());
            while flow.is_continue()
                && let Some(new) = touched.next_if(|new| is_before(new, key))
            {
                flow = self.see(keyspace, new, None, visit);
            }
            if flow.is_continue() {
                flow = match touched.next_if(|new| *new == key) {
                    Some(_) => self.see(keyspace, key, Some(value), visit),
                    None => visit(key, value),
                };
            }
            has_ended |= flow.is_break();
            flow
        })?;
        if has_ended {
            return Ok(());
        }
        let _ = touched.try_for_each(|new| self.see(keyspace, new, None, visit));
        Ok(())
    }

    /// Visits a key that the batch has touched, unless it does not exist; `below` is its value in
    /// the snapshot.
    fn see(
        &self,
        keyspace: Keyspace,
        key: &[u8],
        below: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        match self.batch.get(keyspace, key).unwrap_or(below) {
            Some(value) => visit(key, value),
            None => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Random;
    use crate::memory::Memory;
    use crate::{Durability, Engine};

    const SPACE: Keyspace = Keyspace(1);

    type Seen = Vec<(Vec<u8>, Vec<u8>)>;

    fn scan(state: &dyn Snapshot, bounds: Bounds<'_>, direction: Direction, max: usize) -> Seen {
        let mut seen = Vec::new();
        let visit = &mut |key: &[u8], value: &[u8]| {
            seen.push((key.to_vec(), value.to_vec()));
            if seen.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        state.scan(SPACE, bounds, direction, visit).unwrap();
        seen
    }

    /// A scan of a batch over a snapshot is a scan of the state after the commit, also after a
    /// rollback, and also where the visitor breaks.
    #[test]
    fn an_overlay_is_the_state_after_the_commit() {
        let mut random = Random::announced("an_overlay_is_the_state_after_the_commit");
        for _ in 0..300 {
            let engine = Memory::new(2);
            let mut batch = Batch::new();
            for round in 0..3 {
                let mut savepoint = batch.savepoint();
                for _ in 0..random.within(1..20) {
                    let key = random.bytes(2);
                    match random.within(0..8) {
                        0 => savepoint = batch.savepoint(),
                        1 => {
                            batch.sort_keys();
                            batch.rollback(savepoint);
                        }
                        2..=3 => batch.delete(SPACE, &key),
                        _ => batch.put(SPACE, &key, &random.bytes(3)),
                    }
                    savepoint = if random.one_in(4) { batch.savepoint() } else { savepoint };
                    if savepoint > batch.savepoint() {
                        savepoint = batch.savepoint();
                    }
                }
                let before = engine.snapshot().unwrap();
                let overlay = Overlay::new(&*before, &mut batch);
                let (start, end) = (random.bytes(2), random.bytes(2));
                let max = random.within(1..12) as usize;
                let all = [Bounds::ALL, Bounds::range(&start, &end)];
                let directions = [Direction::Forward, Direction::Backward];
                let seen = all.map(|bounds| directions.map(|d| scan(&overlay, bounds, d, max)));
                let probe = random.bytes(2);
                let got = overlay.get(SPACE, &probe).unwrap();
                engine.commit(&batch, Durability::Memory).unwrap();
                let after = engine.snapshot().unwrap();
                let expected = all.map(|bounds| directions.map(|d| scan(&*after, bounds, d, max)));
                assert_eq!(seen, expected, "round {round}");
                assert_eq!(got, after.get(SPACE, &probe).unwrap());
                batch.clear();
            }
        }
    }
}
