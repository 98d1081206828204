//! [`Statistics`]: how the entries of an index are distributed, as it is stored with the index. It only
//! affects the choice of plans. It is made from a snapshot and becomes part of the state by a command.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use velocitydb_core::Histogram;
use velocitydb_core::limits::HISTOGRAM_BOUNDS_MAX;
use velocitydb_storage::{Bounds, Direction, Snapshot};

use crate::Result;
use crate::keys::{self, INDEXES, IndexNumber, Key, SYSTEM};

/// The statistics of an index, which are read from the state when they are first needed.
#[derive(Debug, Default)]
pub(crate) struct Statistics(OnceLock<Option<Arc<Histogram>>>);

/// How many entries are read at once, so that no reader's epoch is held for long.
const CHUNK: usize = 4_096;

impl Statistics {
    /// Statistics that need not be read.
    pub(crate) fn known(histogram: Arc<Histogram>) -> Self {
        Statistics(OnceLock::from(Some(histogram)))
    }

    /// The histogram of the index; `None` if it was not analysed.
    pub(crate) fn histogram(
        &self,
        state: &dyn Snapshot,
        index: IndexNumber,
    ) -> Result<Option<&Histogram>> {
        let histogram = match self.0.get() {
            Some(histogram) => histogram,
            None => {
                let stored = stored(state, index)?.map(Arc::new);
                self.0.get_or_init(|| stored)
            }
        };
        Ok(histogram.as_deref())
    }
}

/// The histogram of an index that is stored in a state.
fn stored(state: &dyn Snapshot, index: IndexNumber) -> Result<Option<Histogram>> {
    let key = keys::numbered(keys::HISTOGRAM, index);
    let Some(bytes) = state.get(SYSTEM, &key)? else { return Ok(None) };
    decode(&bytes).map(Some).ok_or_else(|| keys::corrupt(&key))
}

/// Reads the stored form of a histogram.
pub(crate) fn decode(mut bytes: &[u8]) -> Option<Histogram> {
    Histogram::take(&mut bytes).filter(|_| bytes.is_empty())
}

/// Reads a whole index, and makes its histogram. `None` when `is_stopped` has returned true meanwhile.
pub(crate) fn analyze(
    state: &dyn Snapshot,
    index: IndexNumber,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<Histogram>> {
    // The distance between two samples doubles whenever there are too many.
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
        while samples.len() > HISTOGRAM_BOUNDS_MAX {
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
    let bounds = samples.iter().map(|key| &key[size_of::<IndexNumber>()..]);
    Ok(Histogram::new(entries, bounds))
}

#[cfg(test)]
mod tests {
    use velocitydb_storage::memory::Memory;
    use velocitydb_storage::{Batch, Durability, Engine};

    use super::*;

    #[test]
    fn parts_are_about_right_whatever_the_number_of_entries() {
        for count in [0_u32, 1, 100, 511, 512, 513, 30_000] {
            let engine = Memory::new(3);
            let mut batch = Batch::new();
            for number in 0..count {
                batch.put(INDEXES, &[7_u32.to_be_bytes(), number.to_be_bytes()].concat(), &[]);
                batch.put(INDEXES, &[8_u32.to_be_bytes(), number.to_be_bytes()].concat(), &[]);
            }
            engine.commit(&batch, Durability::Memory).unwrap();
            let state = engine.snapshot().unwrap();
            let histogram = analyze(&*state, 7, &|| false).unwrap().unwrap();
            assert_eq!(histogram.entries(), u64::from(count));
            if count >= 100 {
                let part = |low: u32, high: u32| {
                    histogram.part_of(&low.to_be_bytes(), Some(&high.to_be_bytes()))
                };
                let half = part(count / 4, count / 4 * 3);
                assert!((0.45..0.55).contains(&half), "{half}");
                assert!(part(3, 4) < 0.02);
            }
        }
    }
}
