//! [`Batch`]: the writes that become visible together, and their effect on the state.
//!
//! A batch is also the overlay that a command is applied on: [`Batch::get`] returns the last value
//! that the batch itself wrote. One arena holds all bytes, so that a batch that is cleared and
//! reused allocates nothing. Keys are only sorted for scans: [`Batch::sort_keys`].

use std::collections::BTreeSet;
use std::ops::Bound;

use hashbrown::HashTable;

use crate::hash::hash;
use crate::{Bounds, Keyspace, Part};

/// Writes over any keyspaces, in order; a later one of the same key wins.
#[derive(Default)]
pub struct Batch {
    arena: Vec<u8>,
    operations: Vec<Operation>,
    /// Hash of (keyspace, key) to the number of its newest operation.
    newest: HashTable<u32>,
    /// The keys of the first `sorted` operations, and of some that were rolled back.
    order: BTreeSet<(Keyspace, Box<[u8]>)>,
    sorted: usize,
    purpose: Purpose,
}

/// The purpose of a batch, which decides how much room the device must have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Purpose {
    /// To free space eventually: it is accepted when other batches are already refused.
    Free,
    /// Anything else.
    #[default]
    Keep,
}

#[derive(Clone, Copy)]
struct Operation {
    keyspace: Keyspace,
    is_delete: bool,
    /// Whether a later operation has the same key.
    is_overwritten: bool,
    /// The newest earlier operation on the same key, which a rollback restores.
    earlier: Option<u32>,
    hash: u64,
    start: usize,
    key_length: u32,
    value_length: u32,
}

/// One write of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write<'a> {
    /// The keyspace.
    pub keyspace: Keyspace,
    /// The key.
    pub key: &'a [u8],
    /// The new value; `None` deletes.
    pub value: Option<&'a [u8]>,
    /// Whether a later write of the same batch has the same key, so that this one has no effect.
    pub is_overwritten: bool,
    /// The hash of keyspace and key.
    pub(crate) hash: u64,
}

/// A point of a batch to which it can be rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Savepoint {
    operations: usize,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    ///
    /// # Panics
    ///
    /// When key or value are 4 GiB or longer; the database limits both far below.
    pub fn put(&mut self, keyspace: Keyspace, key: &[u8], value: &[u8]) {
        self.push(keyspace, &[], key, Some(&[value]));
    }

    /// Sets `key` to the concatenation of `parts`, without the caller having to join them.
    pub fn put_parts(&mut self, keyspace: Keyspace, key: &[u8], parts: &[&[u8]]) {
        self.push(keyspace, &[], key, Some(parts));
    }

    /// Removes `key`, which need not exist.
    pub fn delete(&mut self, keyspace: Keyspace, key: &[u8]) {
        self.push(keyspace, &[], key, None);
    }

    /// The purpose of the batch. Clearing the batch resets it to [`Purpose::Keep`].
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Sets the purpose of the batch.
    pub fn set_purpose(&mut self, purpose: Purpose) {
        self.purpose = purpose;
    }

    /// Appends the writes of `part` that are not overwritten, with its prefix.
    pub(crate) fn append(&mut self, part: Part<'_>) {
        for write in part.batch.writes().filter(|write| !write.is_overwritten) {
            let value = write.value.as_ref().map(std::slice::from_ref);
            self.push(write.keyspace, part.prefix, write.key, value);
        }
    }

    /// The key is the concatenation of `prefix` and `key`.
    #[inline]
    fn push(&mut self, keyspace: Keyspace, prefix: &[u8], key: &[u8], value: Option<&[&[u8]]>) {
        let number =
            u32::try_from(self.operations.len()).expect("a batch has less than 2^32 writes");
        let start = self.arena.len();
        if !prefix.is_empty() {
            self.arena.extend_from_slice(prefix);
        }
        self.arena.extend_from_slice(key);
        let key_end = self.arena.len();
        let hash = hash(keyspace, &self.arena[start..]);
        for part in value.unwrap_or_default() {
            self.arena.extend_from_slice(part);
        }
        let value_length = self.arena.len() - key_end;
        self.operations.push(Operation {
            keyspace,
            is_delete: value.is_none(),
            is_overwritten: false,
            earlier: None,
            hash,
            start,
            key_length: u32::try_from(key_end - start).expect("a key is shorter than 4 GiB"),
            value_length: u32::try_from(value_length).expect("a value is shorter than 4 GiB"),
        });
        let (arena, operations) = (&self.arena, &self.operations);
        let key = &arena[start..key_end];
        let found = self.newest.find_mut(hash, |other| {
            let other = &operations[*other as usize];
            other.keyspace == keyspace && other.key(arena) == key
        });
        match found {
            Some(newest) => {
                self.operations[*newest as usize].is_overwritten = true;
                self.operations[number as usize].earlier = Some(*newest);
                *newest = number;
            }
            None => {
                self.newest.insert_unique(hash, number, |other| operations[*other as usize].hash);
            }
        }
    }

    /// The value of `key` after this batch: `None` when the batch does not touch it, `Some(None)`
    /// when it deletes it.
    pub fn get(&self, keyspace: Keyspace, key: &[u8]) -> Option<Option<&[u8]>> {
        if self.operations.is_empty() {
            return None;
        }
        let number = self.newest.find(hash(keyspace, key), |number| {
            let operation = &self.operations[*number as usize];
            operation.keyspace == keyspace && operation.key(&self.arena) == key
        })?;
        let operation = &self.operations[*number as usize];
        Some(operation.value(&self.arena))
    }

    /// Sorts the keys of all writes, for [`touched`](Self::touched).
    pub fn sort_keys(&mut self) {
        for operation in &self.operations[self.sorted..] {
            self.order.insert((operation.keyspace, operation.key(&self.arena).into()));
        }
        self.sorted = self.operations.len();
    }

    /// The keys within `bounds` that writes up to the last [`sort_keys`](Self::sort_keys) touched,
    /// in order. Keys of writes that were rolled back may be among them: check them with
    /// [`get`](Self::get).
    pub fn touched<'a>(
        &'a self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
    ) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        let end = match bounds.end {
            Some(end) => Bound::Excluded((keyspace, Box::from(end))),
            None => Bound::Excluded((Keyspace(keyspace.0 + 1), Box::default())),
        };
        let start = Bound::Included((keyspace, Box::from(bounds.start)));
        let is_empty = self.order.is_empty() || bounds.end.is_some_and(|end| end <= bounds.start);
        let range = (!is_empty).then(|| self.order.range((start, end)));
        range.into_iter().flatten().map(|(_, key)| &**key)
    }

    /// The writes in order.
    pub fn writes(&self) -> impl ExactSizeIterator<Item = Write<'_>> + Clone {
        self.operations.iter().map(|operation| Write {
            keyspace: operation.keyspace,
            key: operation.key(&self.arena),
            value: operation.value(&self.arena),
            is_overwritten: operation.is_overwritten,
            hash: operation.hash,
        })
    }

    /// How many writes it holds, overwritten ones included.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether it holds no write.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Bytes of all keys and values that it holds.
    pub fn byte_length(&self) -> usize {
        self.arena.len()
    }

    /// The point to which [`rollback`](Self::rollback) returns.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint { operations: self.operations.len() }
    }

    /// Forgets every write since `savepoint`.
    pub fn rollback(&mut self, savepoint: Savepoint) {
        while self.operations.len() > savepoint.operations {
            let number = (self.operations.len() - 1) as u32;
            let operation = self.operations[number as usize];
            let entry = self.newest.find_entry(operation.hash, |other| *other == number);
            if let Ok(mut entry) = entry {
                match operation.earlier {
                    Some(earlier) => {
                        *entry.get_mut() = earlier;
                        self.operations[earlier as usize].is_overwritten = false;
                    }
                    None => drop(entry.remove()),
                }
            }
            self.operations.pop();
            self.arena.truncate(operation.start);
        }
        self.sorted = self.sorted.min(self.operations.len());
    }

    /// Removes all writes and keeps the memory for reuse, up to a bound.
    pub fn clear(&mut self) {
        let written = self.operations.len().max(NEWEST_KEPT);
        match self.newest.capacity() > NEWEST_SPARSE * written {
            // Clearing a table takes as long as the table is large, whatever is in it.
            true => self.newest = HashTable::with_capacity(written),
            false => self.newest.clear(),
        }
        self.operations.clear();
        self.order.clear();
        self.sorted = 0;
        self.purpose = Purpose::Keep;
        self.arena.clear();
        self.arena.shrink_to(ARENA_KEPT_BYTES_MAX);
    }
}

/// The memory that a cleared batch keeps: enough for a full group of small commands.
const ARENA_KEPT_BYTES_MAX: usize = 4 << 20;

/// How many times as large as what is in it the table of keys may be when it is cleared.
const NEWEST_SPARSE: usize = 16;

/// The table of keys is not made smaller than for so many.
const NEWEST_KEPT: usize = 16;

impl Operation {
    fn key<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.start..self.start + self.key_length as usize]
    }

    fn value<'a>(&self, arena: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.start + self.key_length as usize;
        (!self.is_delete).then(|| &arena[start..start + self.value_length as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Random;

    const FIRST: Keyspace = Keyspace(0);
    const SECOND: Keyspace = Keyspace(1);

    #[test]
    fn the_newest_write_of_a_key_is_read() {
        let mut batch = Batch::new();
        assert_eq!(batch.get(FIRST, b"key"), None);
        batch.put(FIRST, b"key", b"one");
        batch.put_parts(FIRST, b"key", &[b"t", b"", b"wo"]);
        batch.delete(SECOND, b"key");
        assert_eq!(batch.get(FIRST, b"key"), Some(Some(&b"two"[..])));
        assert_eq!(batch.get(SECOND, b"key"), Some(None));
        assert_eq!(batch.get(FIRST, b"ke"), None);
        let overwritten: Vec<bool> = batch.writes().map(|write| write.is_overwritten).collect();
        assert_eq!(overwritten, [true, false, false]);
        assert_eq!(batch.byte_length(), 3 + 3 + 3 + 3 + 3);
        batch.clear();
        assert!(batch.is_empty());
        assert_eq!(batch.get(FIRST, b"key"), None);
    }

    #[test]
    fn an_empty_value_is_not_a_delete() {
        let mut batch = Batch::new();
        batch.put(FIRST, b"", b"");
        assert_eq!(batch.get(FIRST, b""), Some(Some(&b""[..])));
        batch.put_parts(FIRST, b"", &[]);
        assert_eq!(batch.get(FIRST, b""), Some(Some(&b""[..])));
        batch.delete(FIRST, b"");
        assert_eq!(batch.get(FIRST, b""), Some(None));
    }

    #[test]
    fn rollback_restores_what_was_overwritten() {
        let mut batch = Batch::new();
        batch.put(FIRST, b"key", b"one");
        let first = batch.savepoint();
        batch.put(FIRST, b"key", b"two");
        batch.delete(FIRST, b"other");
        let second = batch.savepoint();
        batch.delete(FIRST, b"key");
        batch.put(FIRST, b"key", b"three");
        batch.rollback(second);
        assert_eq!(batch.get(FIRST, b"key"), Some(Some(&b"two"[..])));
        assert_eq!(batch.get(FIRST, b"other"), Some(None));
        batch.rollback(first);
        assert_eq!(batch.get(FIRST, b"key"), Some(Some(&b"one"[..])));
        assert_eq!(batch.get(FIRST, b"other"), None);
        assert_eq!(batch.byte_length(), 6);
        assert!(batch.writes().all(|write| !write.is_overwritten));
    }

    /// A batch after any writes and rollbacks is as if only the writes that stayed were made.
    #[test]
    fn rolled_back_writes_leave_no_trace() {
        let mut random = Random::announced("rolled_back_writes_leave_no_trace");
        let mut batch = Batch::new();
        for _ in 0..200 {
            let mut writes: Vec<(Keyspace, Vec<u8>, Option<Vec<u8>>)> = Vec::new();
            let mut savepoints = Vec::new();
            for _ in 0..random.within(0..60) {
                match random.within(0..8) {
                    0 => savepoints.push((batch.savepoint(), writes.len())),
                    1 => {
                        if let Some((savepoint, length)) = savepoints.pop() {
                            batch.rollback(savepoint);
                            writes.truncate(length);
                        }
                    }
                    kind => {
                        let keyspace = [FIRST, SECOND][random.within(0..2) as usize];
                        let (key, value) = (random.bytes(1), random.bytes(9));
                        match kind {
                            2 => batch.delete(keyspace, &key),
                            _ => batch.put(keyspace, &key, &value),
                        }
                        writes.push((keyspace, key, (kind != 2).then_some(value)));
                    }
                }
            }
            let found = batch.writes().map(|write| {
                let value = write.value.map(<[u8]>::to_vec);
                (write.keyspace, write.key.to_vec(), value)
            });
            assert!(found.eq(writes.iter().cloned()));
            for (number, write) in batch.writes().enumerate() {
                let same = |(keyspace, key, _): &(Keyspace, Vec<u8>, _)| {
                    *keyspace == write.keyspace && key == write.key
                };
                let newest = writes.iter().rposition(same).unwrap();
                assert_eq!(write.is_overwritten, newest != number);
                let expected = writes[newest].2.as_deref();
                assert_eq!(batch.get(write.keyspace, write.key), Some(expected));
            }
            batch.clear();
        }
    }
}
