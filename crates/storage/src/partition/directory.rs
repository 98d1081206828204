//! [`Directory`]: which range is the content of which partition, and which ranges are to be removed, as
//! rows of the engine. Owns their encoding; must not decide their content.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::prefixed::PartitionId;
use super::view::{Key, Range};
use crate::{Batch, Bounds, Direction, Engine, Error, Keyspace, Result, Snapshot};

/// The range of the directory's own rows, and their keyspace.
const ROWS: Range = Range(0);
const ROWS_KEYSPACE: Keyspace = Keyspace(0);

/// The first byte of a row's key.
const KIND_HEAD: u8 = 0;
const KIND_PARTITION: u8 = 1;
const KIND_LEFTOVER: u8 = 2;

const FORMAT: u8 = 1;

/// The decoded rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Directory {
    /// The next unused range. All below it are or were in use.
    pub(super) next: Range,
    /// The content of each partition.
    pub(super) partitions: BTreeMap<PartitionId, Range>,
    /// The ranges to be removed, except one that is just being written.
    pub(super) leftovers: BTreeSet<Range>,
}

impl Directory {
    /// Reads the rows of `engine`, which has `keyspaces` keyspaces; `None` when it is empty.
    pub(super) fn read(engine: &dyn Engine, keyspaces: usize) -> Result<Option<Self>> {
        let snapshot = engine.snapshot()?;
        let mut rows = Vec::new();
        let visit = &mut |key: &[u8], value: &[u8]| {
            rows.push((key[ROWS.prefix().len()..].to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        };
        ROWS.with_bounds(Bounds::ALL, |all| {
            snapshot.scan(ROWS_KEYSPACE, all, Direction::Forward, visit)
        })?;
        let Some((head, rows)) = rows.split_first() else {
            return match is_empty(&*snapshot, keyspaces)? {
                true => Ok(None),
                false => Err(not_ours()),
            };
        };
        let next = match (&head.0[..], &head.1[..]) {
            ([KIND_HEAD], [FORMAT, next @ ..]) => range_of(next),
            _ => return Err(not_ours()),
        };
        let next = next.ok_or_else(|| corrupt(&head.0))?;
        let mut directory = Directory::new(next);
        let mut seen = BTreeSet::from([ROWS]);
        for (key, value) in rows {
            let range = directory.add(key, value).ok_or_else(|| corrupt(key))?;
            if range >= next || !seen.insert(range) {
                return Err(corrupt(key));
            }
        }
        Ok(Some(directory))
    }

    fn new(next: Range) -> Self {
        Directory { next, partitions: BTreeMap::new(), leftovers: BTreeSet::new() }
    }

    /// The directory of an engine without partitions.
    pub(super) fn empty() -> Self {
        Directory::new(Range(1))
    }

    /// Adds a row; returns its range.
    fn add(&mut self, key: &[u8], value: &[u8]) -> Option<Range> {
        match key {
            [KIND_PARTITION, id @ ..] => {
                let id = PartitionId(u64::from_be_bytes(id.try_into().ok()?));
                let range = range_of(value)?;
                self.partitions.insert(id, range);
                Some(range)
            }
            [KIND_LEFTOVER, range @ ..] if value.is_empty() => {
                let range = Range(u32::from_be_bytes(range.try_into().ok()?));
                self.leftovers.insert(range);
                Some(range)
            }
            _ => None,
        }
    }
}

/// Writes the head: which range is used next.
pub(super) fn put_head(batch: &mut Batch, next: Range) {
    let key = ROWS.key(&[KIND_HEAD]);
    batch.put_parts(ROWS_KEYSPACE, &key, &[&[FORMAT], &next.0.to_le_bytes()]);
}

/// Writes which range is the content of a partition.
pub(super) fn put_partition(batch: &mut Batch, id: PartitionId, range: Range) {
    batch.put(ROWS_KEYSPACE, &partition_key(id), &range.0.to_le_bytes());
}

/// Deletes the row of a partition.
pub(super) fn delete_partition(batch: &mut Batch, id: PartitionId) {
    batch.delete(ROWS_KEYSPACE, &partition_key(id));
}

/// Writes that a range is to be removed.
pub(super) fn put_leftover(batch: &mut Batch, range: Range) {
    batch.put(ROWS_KEYSPACE, &leftover_key(range), &[]);
}

/// Writes that a range is not to be removed, or has been.
pub(super) fn delete_leftover(batch: &mut Batch, range: Range) {
    batch.delete(ROWS_KEYSPACE, &leftover_key(range));
}

fn partition_key(id: PartitionId) -> Key {
    let mut key = ROWS.key(&[KIND_PARTITION]);
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

fn leftover_key(range: Range) -> Key {
    let mut key = ROWS.key(&[KIND_LEFTOVER]);
    key.extend_from_slice(&range.0.to_be_bytes());
    key
}

fn range_of(bytes: &[u8]) -> Option<Range> {
    Some(Range(u32::from_le_bytes(bytes.try_into().ok()?)))
}

fn is_empty(snapshot: &dyn Snapshot, keyspaces: usize) -> Result<bool> {
    let mut is_empty = true;
    for keyspace in (0..keyspaces as u8).map(Keyspace) {
        snapshot.scan(keyspace, Bounds::ALL, Direction::Forward, &mut |_, _| {
            is_empty = false;
            ControlFlow::Break(())
        })?;
    }
    Ok(is_empty)
}

fn not_ours() -> Error {
    Error::Invalid { what: "the engine has keys that are not of partitions".to_owned() }
}

fn corrupt(key: &[u8]) -> Error {
    Error::Corrupt {
        place: format!("the directory of partitions, row {}", key.escape_ascii()),
        what: "it is not a valid row, or contradicts another one".to_owned(),
    }
}
