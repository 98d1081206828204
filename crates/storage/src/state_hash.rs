//! [`StateHasher`]: one hash of an engine's whole content, independent of the engine.

use xxhash_rust::xxh3::Xxh3;

use crate::Keyspace;

/// Hashes the keys and values of a state, in their order, one after the other.
///
/// Two equal states have the same hash, whatever engines they are in, and in whatever portions they
/// are read or received: a hasher is kept, or cloned, from one portion to the next. Different states
/// have different hashes, unless an attacker constructs a collision.
#[derive(Clone)]
pub struct StateHasher {
    hasher: Xxh3,
    keyspaces: u8,
    /// The keyspace that the last key was in.
    keyspace: u8,
}

/// The end mark of a keyspace: no key has this length.
const END: [u8; 8] = u64::MAX.to_le_bytes();

impl StateHasher {
    /// A hasher for a state with `keyspaces` keyspaces.
    ///
    /// # Panics
    ///
    /// When they are more than [`Keyspace::COUNT_MAX`].
    pub fn new(keyspaces: usize) -> Self {
        assert!(keyspaces <= Keyspace::COUNT_MAX, "too many keyspaces");
        StateHasher { hasher: Xxh3::new(), keyspaces: keyspaces as u8, keyspace: 0 }
    }

    /// Adds the next key, in the order of keyspaces and then of keys. The caller ensures the order of
    /// keys.
    ///
    /// # Panics
    ///
    /// When the keyspace is before that of the last key, or does not exist in the state.
    pub fn add(&mut self, keyspace: Keyspace, key: &[u8], value: &[u8]) {
        assert!(keyspace.0 < self.keyspaces, "the state has no keyspace {}", keyspace.0);
        assert!(keyspace.0 >= self.keyspace, "keyspaces are added in order");
        self.end_keyspaces(keyspace.0);
        for part in [key, value] {
            self.hasher.update(&(part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
    }

    /// The hash of the state, all of whose keys were added.
    pub fn finish(mut self) -> u128 {
        self.end_keyspaces(self.keyspaces);
        self.hasher.digest128()
    }

    fn end_keyspaces(&mut self, next: u8) {
        while self.keyspace < next {
            self.hasher.update(&END);
            self.keyspace += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Random;

    type Entry = (Keyspace, Vec<u8>, Vec<u8>);

    fn hash(keyspaces: usize, entries: &[Entry]) -> u128 {
        let mut hasher = StateHasher::new(keyspaces);
        entries.iter().for_each(|(keyspace, key, value)| hasher.add(*keyspace, key, value));
        hasher.finish()
    }

    fn entry(keyspace: u8, key: &[u8], value: &[u8]) -> Entry {
        (Keyspace(keyspace), key.to_vec(), value.to_vec())
    }

    /// Replicas compare these numbers, also those of different releases.
    #[test]
    fn the_hash_of_a_state_does_not_change() {
        let entries =
            [entry(0, b"", b"the empty key"), entry(0, b"key", b""), entry(2, b"key", &[7; 1_000])];
        assert_eq!(hash(3, &entries), 171_222_435_998_555_414_577_498_296_240_757_965_144);
        let mut bytes = Vec::new();
        for keyspace in 0..3 {
            for (_, key, value) in entries.iter().filter(|entry| entry.0.0 == keyspace) {
                for part in [key, value] {
                    bytes.extend((part.len() as u64).to_le_bytes());
                    bytes.extend(part);
                }
            }
            bytes.extend([0xFF; 8]);
        }
        assert_eq!(hash(3, &entries), xxhash_rust::xxh3::xxh3_128(&bytes));
        assert_eq!(hash(3, &[]), xxhash_rust::xxh3::xxh3_128(&[0xFF; 24]));
    }

    /// Moving a byte between key, value, entry and keyspace gives another state, and another hash.
    #[test]
    fn states_that_differ_have_other_hashes() {
        let states: &[&[Entry]] = &[
            &[],
            &[entry(0, b"", b"")],
            &[entry(1, b"", b"")],
            &[entry(0, b"a", b"")],
            &[entry(0, b"", b"a")],
            &[entry(0, b"a", b""), entry(0, b"b", b"")],
            &[entry(0, b"a", b""), entry(1, b"b", b"")],
            &[entry(0, b"a", b"b")],
            &[entry(0, b"ab", b"")],
        ];
        let mut hashes: Vec<_> = states.iter().map(|entries| hash(2, entries)).collect();
        hashes.push(hash(3, &[]));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), states.len() + 1);
    }

    #[test]
    fn portions_of_any_size_give_the_same_hash() {
        let mut random = Random::announced("portions_of_any_size_give_the_same_hash");
        for _ in 0..50 {
            let mut entries: Vec<Entry> = (0..random.within(0..40))
                .map(|_| {
                    let keyspace = random.within(0..3) as u8;
                    entry(keyspace, &random.bytes(5), &random.bytes(300))
                })
                .collect();
            entries.sort();
            let expected = hash(3, &entries);
            let mut hasher = StateHasher::new(3);
            for portion in entries.chunks(random.within(1..9) as usize) {
                let mut next = hasher.clone();
                portion.iter().for_each(|(keyspace, key, value)| next.add(*keyspace, key, value));
                hasher = next;
            }
            assert_eq!(hasher.finish(), expected);
        }
    }
}
