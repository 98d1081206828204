//! [`Hints`]: where in an index a search that is made over and over may begin.
//!
//! A queue is read at its front: every claim looks at the entries of what was claimed before it,
//! in a store that keeps deleted ones for a while, and at all jobs that wait for somebody else. So
//! the machine remembers, for a search, the first entry that satisfied it: all before did not. It
//! forgets as much of that as is needed whenever an entry is written before that place, or the
//! document of one.
//!
//! This is no part of the state. With or without hints, a search finds the same.

use std::collections::{HashMap, VecDeque};

use velocitydb_core::{Filter, Sort};
use xxhash_rust::xxh3::xxh3_128;

use crate::Result;
use crate::keys::{IndexNumber, Key};

/// How many places are remembered: those of as many kinds of workers.
const PLACES_MAX: usize = 4_096;

/// How many searches share a range at the most: each is looked at when that range is written to.
const SEARCHES_MAX: usize = 64;

/// The first places at which searches can have a result.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// By the prefix that all entries of the searched range begin with.
    ranges: HashMap<Key, VecDeque<Place>, rapidhash::fast::RandomState>,
    /// The indexes that are searched, and the lengths of the prefixes.
    lengths: Vec<(IndexNumber, usize)>,
    places: usize,
    /// The newest searches with their names.
    searches: VecDeque<(Filter, Sort, u128)>,
}

#[derive(Debug)]
struct Place {
    search: u128,
    first: Key,
}

/// How many searches are known by sight: naming one takes longer than finding it here.
const KNOWN_MAX: usize = 16;

impl Hints {
    /// A name for a search, the same for the same filter and sort.
    pub(super) fn name_of(&mut self, filter: &Filter, sort: &Sort) -> Result<u128> {
        let known = self.searches.iter().position(|(one, by, _)| one == filter && by == sort);
        if let Some(at) = known {
            return Ok(self.searches[at].2);
        }
        let mut bytes = Vec::with_capacity(256);
        filter.encode_into(&mut bytes)?;
        for key in sort.keys() {
            bytes.extend_from_slice(key.path.to_string().as_bytes());
            bytes.extend_from_slice(&key.direction.sign().to_le_bytes());
        }
        let name = xxh3_128(&bytes);
        if self.searches.len() >= KNOWN_MAX {
            self.searches.pop_front();
        }
        self.searches.push_back((filter.clone(), sort.clone(), name));
        Ok(name)
    }

    /// Where a search in the range of all keys that begin with `prefix` may begin.
    pub(super) fn first(&self, prefix: &[u8], search: u128) -> Option<&Key> {
        let places = self.ranges.get(prefix)?;
        places.iter().find(|place| place.search == search).map(|place| &place.first)
    }

    /// Remembers that nothing in the range before `first` satisfies the search.
    pub(super) fn remember(&mut self, prefix: &[u8], search: u128, first: Key) {
        if let Some(places) = self.ranges.get_mut(prefix) {
            if let Some(place) = places.iter_mut().find(|place| place.search == search) {
                place.first = first;
                return;
            }
            if places.len() >= SEARCHES_MAX {
                places.pop_front();
                self.places -= 1;
            }
            places.push_back(Place { search, first });
            self.places += 1;
            return;
        }
        if self.places >= PLACES_MAX {
            self.clear();
        }
        let Some(index) = index_of(prefix) else { return };
        if !self.lengths.contains(&(index, prefix.len())) {
            self.lengths.push((index, prefix.len()));
        }
        self.ranges.insert(Key::from_slice(prefix), VecDeque::from([Place { search, first }]));
        self.places += 1;
    }

    /// Whether anything is remembered of an index.
    pub(super) fn has(&self, index: IndexNumber) -> bool {
        self.lengths.iter().any(|(other, _)| *other == index)
    }

    /// Forgets what an entry that was written, or whose document was, may have changed.
    pub(super) fn touch(&mut self, key: &[u8]) {
        if self.places == 0 {
            return;
        }
        let Some(index) = index_of(key) else { return };
        let lengths = self.lengths.iter().filter(|(other, _)| *other == index);
        for (_, length) in lengths {
            let places = key.get(..*length).and_then(|prefix| self.ranges.get_mut(prefix));
            for place in places.into_iter().flatten().filter(|place| key < &place.first[..]) {
                place.first = Key::from_slice(key);
            }
        }
    }

    /// Forgets an index.
    pub(super) fn forget(&mut self, index: IndexNumber) {
        self.lengths.retain(|(other, _)| *other != index);
        self.ranges.retain(|prefix, _| index_of(prefix) != Some(index));
        self.places = self.ranges.values().map(VecDeque::len).sum();
    }

    /// Forgets everything, as when what was written has been thrown away.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn index_of(key: &[u8]) -> Option<IndexNumber> {
    key.first_chunk::<4>().map(|number| u32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_before_the_place_moves_it_back() {
        let mut hints = Hints::default();
        let key =
            |text: &str| Key::from_slice(&[&7_u32.to_be_bytes()[..], text.as_bytes()].concat());
        hints.remember(&key("a"), 1, key("a5"));
        hints.remember(&key("a"), 2, key("a7"));
        hints.remember(&key("bb"), 1, key("bb9"));
        assert!(hints.has(7) && !hints.has(8));
        hints.touch(&key("a6"));
        assert_eq!(hints.first(&key("a"), 1), Some(&key("a5")));
        assert_eq!(hints.first(&key("a"), 2), Some(&key("a6")));
        hints.touch(&key("a0"));
        assert_eq!(hints.first(&key("a"), 1), Some(&key("a0")));
        hints.touch(&key("bb1"));
        assert_eq!(hints.first(&key("bb"), 1), Some(&key("bb1")));
        assert_eq!(hints.first(&key("bb"), 3), None);
        hints.forget(7);
        assert_eq!(hints.first(&key("a"), 1), None);
        assert!(!hints.has(7));
    }

    #[test]
    fn it_is_bounded() {
        let mut hints = Hints::default();
        for number in 0..20_000_u32 {
            let prefix = [1_u32.to_be_bytes(), (number / 100).to_be_bytes()].concat();
            hints.remember(&prefix, number.into(), Key::from_slice(&prefix));
            assert!(hints.places <= PLACES_MAX + 1);
            assert!(hints.ranges.values().all(|places| places.len() <= SEARCHES_MAX));
        }
    }
}
