//! [`Statistics`]: how the entries of an index are distributed. They only affect the choice of
//! plans, so they are not part of the state: they are made from a snapshot, in the background.

use std::ops::ControlFlow;

use velocitydb_storage::{Bounds, Direction, Snapshot};

use crate::Result;
use crate::keys::{self, INDEXES, IndexNumber, Key};

/// How the entries of an index are distributed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// How many entries there were.
    pub(crate) entries: u64,
    /// Keys between which there are equally many entries, in order.
    bounds: Vec<Key>,
}

/// Into how many parts the entries are divided: the smallest fraction of an index that can be
/// estimated.
const PARTS: usize = 256;

/// How many entries are read at once, so that no reader's epoch is held for long.
const CHUNK: usize = 4_096;

impl Statistics {
    /// Reads the whole index, unless `is_stopped` returns true.
    pub(crate) fn collect(
        state: &dyn Snapshot,
        index: IndexNumber,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Self>> {
        // The distance between two samples doubles whenever there are twice as many samples as
        // needed.
        let (mut samples, mut distance, mut entries) = (Vec::new(), 1_u64, 0_u64);
        let mut start = keys::entries(index);
        let end = keys::end_of(&start);
        loop {
            let bounds = Bounds { start: &start, end: end.as_deref() };
            let (mut last, mut count) = (None, 0);
            state.scan(INDEXES, bounds, Direction::Forward, &mut |key, _| {
                if entries.is_multiple_of(distance) {
                    samples.push(Key::from_slice(key));
                }
                (entries, count) = (entries + 1, count + 1);
                if count < CHUNK {
                    return ControlFlow::Continue(());
                }
                last = Some(Key::from_slice(key));
                ControlFlow::Break(())
            })?;
            while samples.len() >= 2 * PARTS {
                let mut number = 0;
                samples.retain(|_| {
                    number += 1;
                    number % 2 == 1
                });
                distance *= 2;
            }
            let Some(mut key) = last else { break };
            key.push(0);
            start = key;
            if is_stopped() {
                return Ok(None);
            }
        }
        Ok(Some(Statistics { entries, bounds: samples }))
    }

    /// About what fraction of the entries is within a range.
    pub(crate) fn part_of(&self, low: &[u8], high: Option<&[u8]>) -> f64 {
        if self.bounds.is_empty() {
            return 0.0;
        }
        let below = |key: &[u8]| self.bounds.partition_point(|bound| &bound[..] < key);
        let (first, end) = (below(low), high.map_or(self.bounds.len(), below));
        // A range that has no sample is smaller than a part.
        (end.saturating_sub(first) as f64).max(0.5) / self.bounds.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use velocitydb_storage::memory::Memory;
    use velocitydb_storage::{Batch, Durability, Engine};

    use super::*;

    #[test]
    fn parts_are_about_right_whatever_the_number_of_entries() {
        for count in [0_u32, 1, 100, 511, 512, 30_000] {
            let engine = Memory::new(3);
            let mut batch = Batch::new();
            for number in 0..count {
                batch.put(INDEXES, &[7_u32.to_be_bytes(), number.to_be_bytes()].concat(), &[]);
                batch.put(INDEXES, &[8_u32.to_be_bytes(), number.to_be_bytes()].concat(), &[]);
            }
            engine.commit(&batch, Durability::Memory).unwrap();
            let state = engine.snapshot().unwrap();
            let statistics = Statistics::collect(&*state, 7, &|| false).unwrap().unwrap();
            assert_eq!(statistics.entries, u64::from(count));
            assert!(statistics.bounds.len() <= 2 * PARTS);
            let key = |number: u32| [7_u32.to_be_bytes(), number.to_be_bytes()].concat();
            if count >= 100 {
                let half = statistics.part_of(&key(count / 4), Some(&key(count / 4 * 3)));
                assert!((0.45..0.55).contains(&half), "{half}");
                assert!(statistics.part_of(&key(3), Some(&key(4))) < 0.02);
            }
        }
    }
}
