//! [`Fronts`]: the keys at which maintenance begins its work lists.
//!
//! A work list is a range of keys that is processed from its beginning, a bounded number of keys in each
//! step. A store keeps deleted keys for a while, so a step that began at the beginning of the range would
//! pass everything that earlier steps have removed, and processing a list would take time proportional to
//! the square of its length.
//!
//! Fronts are not part of the state. Maintenance does the same with or without them.

use crate::keys::{self, Key};

/// The kinds of system keys that are work lists.
const LISTS: [u8; 6] = [
    keys::EXPIRY,
    keys::LEASE_END,
    keys::TOMBSTONE_AGE,
    keys::DROPPED_AGE,
    keys::PURGE,
    keys::INDEX_PURGE,
];

/// What a dropped collection or index left, in a range of its own to which nothing is added.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leftover {
    Documents,
    Tombstones,
    Entries,
}

/// Keys before which nothing is left.
#[derive(Debug, Default)]
pub(super) struct Fronts {
    lists: [Key; LISTS.len()],
    /// The prefixes of the ranges that were last processed, and their fronts.
    leftovers: [(Key, Key); 3],
    /// How often a front was moved.
    moves: u64,
}

impl Fronts {
    /// The front of the work list of this kind.
    pub(super) fn of_list(&mut self, kind: u8) -> Key {
        let front = self.list(kind);
        if front.is_empty() { Key::from_slice(&[kind]) } else { front.clone() }
    }

    /// Moves the front of a work list, since there are no keys before it.
    pub(super) fn move_list(&mut self, kind: u8, front: Key) {
        self.moves += 1;
        *self.list(kind) = front;
    }

    /// Moves the front back if a key before it is added.
    pub(super) fn add(&mut self, key: &Key) {
        let front = self.list(key[0]);
        if *front > *key {
            front.clone_from(key);
        }
    }

    /// The front of a range of keys with this prefix.
    pub(super) fn of_leftover(&self, leftover: Leftover, prefix: &[u8]) -> Key {
        match &self.leftovers[leftover as usize] {
            (known, front) if known[..] == *prefix => front.clone(),
            _ => Key::from_slice(prefix),
        }
    }

    /// Moves the front of a range, since there are no keys before it.
    pub(super) fn move_leftover(&mut self, leftover: Leftover, prefix: &[u8], front: Key) {
        self.moves += 1;
        self.leftovers[leftover as usize] = (Key::from_slice(prefix), front);
    }

    /// A mark for [`undo`](Self::undo).
    pub(super) fn mark(&self) -> u64 {
        self.moves
    }

    /// Undoes the moves since a mark.
    pub(super) fn undo(&mut self, mark: u64) {
        if self.moves != mark {
            let moves = self.moves + 1;
            *self = Fronts { moves, ..Fronts::default() };
        }
    }

    fn list(&mut self, kind: u8) -> &mut Key {
        let at = LISTS.iter().position(|list| *list == kind).expect("it is one of the lists");
        &mut self.lists[at]
    }
}
