//! [`Batch`]: the writes that become visible together, and what they will make of the state.
//!
//! A batch is also the overlay that a command is applied on: [`Batch::get`] answers with what the
//! batch itself wrote last. One arena holds all bytes, so that a batch that is cleared and reused
//! allocates nothing.

use hashbrown::HashTable;

use crate::Keyspace;
use crate::hash::hash;

/// Writes over any keyspaces, in order; a later one of the same key wins.
#[derive(Default)]
pub struct Batch {
    arena: Vec<u8>,
    operations: Vec<Operation>,
    /// Hash of (keyspace, key) to the number of its newest operation.
    newest: HashTable<u32>,
}

#[derive(Clone, Copy)]
struct Operation {
    keyspace: Keyspace,
    is_delete: bool,
    /// The newest earlier operation on the same key, to be found again by a rollback.
    earlier: Option<u32>,
    hash: u64,
    start: usize,
    key_length: u32,
    value_length: u32,
}

/// One write of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write<'a> {
    /// Where it goes.
    pub keyspace: Keyspace,
    /// The key.
    pub key: &'a [u8],
    /// The new value; `None` deletes.
    pub value: Option<&'a [u8]>,
    /// Whether a later write of the same batch has the same key, so that this one has no effect.
    pub is_overwritten: bool,
}

/// A point of a batch to which it can be rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        self.push(keyspace, key, Some(&[value]));
    }

    /// Sets `key` to the concatenation of `parts`, without the caller having to join them.
    pub fn put_parts(&mut self, keyspace: Keyspace, key: &[u8], parts: &[&[u8]]) {
        self.push(keyspace, key, Some(parts));
    }

    /// Removes `key`, which need not exist.
    pub fn delete(&mut self, keyspace: Keyspace, key: &[u8]) {
        self.push(keyspace, key, None);
    }

    fn push(&mut self, keyspace: Keyspace, key: &[u8], value: Option<&[&[u8]]>) {
        let hash = hash(keyspace, key);
        let number =
            u32::try_from(self.operations.len()).expect("a batch has less than 2^32 writes");
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        for part in value.unwrap_or_default() {
            self.arena.extend_from_slice(part);
        }
        let value_length = self.arena.len() - start - key.len();
        self.operations.push(Operation {
            keyspace,
            is_delete: value.is_none(),
            earlier: None,
            hash,
            start,
            key_length: u32::try_from(key.len()).expect("a key is shorter than 4 GiB"),
            value_length: u32::try_from(value_length).expect("a value is shorter than 4 GiB"),
        });
        let (arena, operations) = (&self.arena, &self.operations);
        let found = self.newest.find_mut(hash, |other| {
            let other = &operations[*other as usize];
            other.keyspace == keyspace && other.key(arena) == key
        });
        match found {
            Some(newest) => {
                self.operations[number as usize].earlier = Some(*newest);
                *newest = number;
            }
            None => {
                self.newest
                    .insert_unique(hash, number, |other| operations[*other as usize].hash);
            }
        }
    }

    /// What this batch makes of `key`: `None` when it does not touch it, `Some(None)` when it
    /// deletes it.
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

    /// The writes in order.
    pub fn writes(&self) -> impl ExactSizeIterator<Item = Write<'_>> {
        self.operations
            .iter()
            .enumerate()
            .map(|(number, operation)| {
                let key = operation.key(&self.arena);
                let newest = self.newest.find(operation.hash, |other| {
                    let other = &self.operations[*other as usize];
                    other.keyspace == operation.keyspace && other.key(&self.arena) == key
                });
                Write {
                    keyspace: operation.keyspace,
                    key,
                    value: operation.value(&self.arena),
                    is_overwritten: newest.is_none_or(|newest| *newest as usize != number),
                }
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
        Savepoint {
            operations: self.operations.len(),
        }
    }

    /// Forgets every write since `savepoint`.
    pub fn rollback(&mut self, savepoint: Savepoint) {
        while self.operations.len() > savepoint.operations {
            let number = (self.operations.len() - 1) as u32;
            let operation = self.operations[number as usize];
            let entry = self
                .newest
                .find_entry(operation.hash, |other| *other == number);
            if let Ok(mut entry) = entry {
                match operation.earlier {
                    Some(earlier) => *entry.get_mut() = earlier,
                    None => drop(entry.remove()),
                }
            }
            self.operations.pop();
            self.arena.truncate(operation.start);
        }
    }

    /// Forgets everything and keeps the memory, unless one huge batch made that huge.
    pub fn clear(&mut self) {
        self.operations.clear();
        self.newest.clear();
        self.arena.clear();
        self.arena.shrink_to(ARENA_KEPT_BYTES_MAX);
    }
}

/// The memory that a cleared batch keeps: enough for a full group of small commands.
const ARENA_KEPT_BYTES_MAX: usize = 4 << 20;

impl Operation {
    fn key<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.start..self.start + self.key_length as usize]
    }

    fn value<'a>(&self, arena: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.start + self.key_length as usize;
        (!self.is_delete).then(|| &arena[start..start + self.value_length as usize])
    }
}
