//! Removes a range of keys in bounded steps, each a commit, through the engine contract alone. Must
//! not know how an engine stores its keys.

use std::ops::ControlFlow;

use crate::{Batch, Bounds, Direction, Durability, Engine, Keyspace, Purpose, Result};

/// How many keys, and how many of their bytes, a step deletes.
const STEP_KEYS_MAX: usize = 1024;
const STEP_BYTES_MAX: usize = 128 << 10;

/// How many bytes of keys and values a step reads.
const STEP_READ_BYTES_MAX: usize = 4 << 20;

/// The progress of [`remove`].
#[derive(Debug, Default)]
pub(crate) struct Removed {
    /// Bytes of the keys and values that were removed.
    pub(crate) bytes: u64,
    /// The smallest key that may be left; `None` when none is.
    pub(crate) rest: Option<Vec<u8>>,
}

/// Removes keys of a range from its start on, until none is left or those removed, with their values,
/// have about `bytes_max`.
pub(crate) fn remove<E: Engine + ?Sized>(
    engine: &E,
    keyspace: Keyspace,
    bounds: Bounds<'_>,
    bytes_max: u64,
) -> Result<Removed> {
    let mut removed = Removed::default();
    let mut batch = Batch::new();
    let mut start = bounds.start.to_vec();
    while removed.bytes < bytes_max {
        batch.clear();
        batch.set_purpose(Purpose::Free);
        let rest = Bounds { start: &start, end: bounds.end };
        let (bytes, is_last) = read_step(engine, keyspace, rest, &mut batch)?;
        removed.bytes += bytes as u64;
        if let Some(last) = batch.writes().last() {
            start.clear();
            start.extend_from_slice(last.key);
            engine.commit(&batch, Durability::Memory)?;
        }
        if is_last {
            return Ok(removed);
        }
    }
    removed.rest = Some(start);
    Ok(removed)
}

/// Puts deletions of the first keys of a range into `batch`. Returns how many bytes they and their
/// values have, and whether these are all. No snapshot is held when it returns.
fn read_step<E: Engine + ?Sized>(
    engine: &E,
    keyspace: Keyspace,
    bounds: Bounds<'_>,
    batch: &mut Batch,
) -> Result<(usize, bool)> {
    let (mut bytes, mut is_last) = (0, true);
    engine.snapshot()?.scan(keyspace, bounds, Direction::Forward, &mut |key, value| {
        batch.delete(keyspace, key);
        bytes += key.len() + value.len();
        let is_full = batch.len() >= STEP_KEYS_MAX
            || batch.byte_length() >= STEP_BYTES_MAX
            || bytes >= STEP_READ_BYTES_MAX;
        is_last = !is_full;
        if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok((bytes, is_last))
}
