//! [`Fronts`]: where what maintenance works off begins.
//!
//! A list is a range of keys that is worked off from its beginning, a bounded number with each step. A
//! store keeps deleted keys for a while, so that a step which began at the beginning would pass all
//! that the steps before it have removed, and working off a list would take time in proportion to the
//! square of its length.
//!
//! This is no part of the state: without it, the same is found.

use crate::keys::{self, Key};

/// The kinds of system keys that are such lists.
const LISTS: [u8; 6] = [
    keys::EXPIRY,
    keys::LEASE_END,
    keys::TOMBSTONE_AGE,
    keys::DROPPED_AGE,
    keys::PURGE,
    keys::INDEX_PURGE,
];

/// What a dropped collection or index leaves, in a range of its own that nothing is added to.
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
    /// The prefixes of the last ranges that were looked at, and the fronts of these.
    leftovers: [(Key, Key); 3],
    /// How often one was moved on.
    moves: u64,
}

impl Fronts {
    /// Where the list of this kind of keys begins.
    pub(super) fn of_list(&mut self, kind: u8) -> Key {
        let front = self.list(kind);
        if front.is_empty() { Key::from_slice(&[kind]) } else { front.clone() }
    }

    /// Nothing is left of a list before this key.
    pub(super) fn move_list(&mut self, kind: u8, front: Key) {
        self.moves += 1;
        *self.list(kind) = front;
    }

    /// A key is put into a list.
    pub(super) fn add(&mut self, key: &Key) {
        let front = self.list(key[0]);
        if *front > *key {
            front.clone_from(key);
        }
    }

    /// Where a range begins of which all keys have this prefix.
    pub(super) fn of_leftover(&self, leftover: Leftover, prefix: &[u8]) -> Key {
        match &self.leftovers[leftover as usize] {
            (known, front) if known[..] == *prefix => front.clone(),
            _ => Key::from_slice(prefix),
        }
    }

    /// Nothing is left of a range before this key.
    pub(super) fn move_leftover(&mut self, leftover: Leftover, prefix: &[u8], front: Key) {
        self.moves += 1;
        self.leftovers[leftover as usize] = (Key::from_slice(prefix), front);
    }

    /// How far they have come, for [`undo`](Self::undo).
    pub(super) fn mark(&self) -> u64 {
        self.moves
    }

    /// What was done since a mark is not done after all.
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
