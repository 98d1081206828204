//! [`Hints`]: what repeated searches need not read again.
//!
//! A queue is read at its front: without hints, every claim would read the entries of claimed documents,
//! which a store keeps for a while after their deletion, and all jobs that are for other claimants or not
//! yet due. So the machine keeps a [`Hint`] for each range that a search reads, and opens keys in it again
//! when they are written.
//!
//! Searches are the same if they have the same *shape*: the sort, and the filter without its bounds, which
//! change from one claim to the next if they are the current time. If bounds alternate between several
//! values, as with different kinds of workers, each of these values has a place of its own, with its own
//! hint.
//!
//! Hints are not part of the state. A search finds the same documents with or without them.

use std::collections::HashMap;

use velocitydb_core::filter::Bound;
use velocitydb_core::key::Direction;
use velocitydb_core::{Filter, Sort};
use velocitydb_storage::Keyspace;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::keys::{CollectionNumber, DOCUMENTS, INDEXES, Key, end_of};
use crate::query::{Hint, Plan, RangeProgress, Remembered};

/// How many places are remembered: enough for as many kinds of workers.
const PLACES_MAX: usize = 4_096;

/// How many searches have a place in the same range at the most: each is updated when the range is written
/// to.
const SEARCHES_MAX: usize = 64;

/// How many stretches all hints have together: some ten megabytes.
const STRETCHES_MAX: usize = 65_536;

/// How many ranges of one search are remembered.
const RANGES_MAX: usize = 64;

/// The hints of all searches.
#[derive(Debug, Default)]
pub(super) struct Hints {
    entries: Ranges,
    documents: Ranges,
    places: usize,
    stretches: usize,
    /// Counts the uses of places.
    clock: u64,
    /// The places that the current command has updated.
    learned: Vec<Token>,
}

/// The ranges of one keyspace.
#[derive(Debug, Default)]
struct Ranges {
    /// By the prefix that all keys of the range begin with.
    by_prefix: HashMap<Key, Vec<Place>, rapidhash::fast::RandomState>,
    /// The indexes or collections with hints, each with the length of a prefix.
    lengths: Vec<(u32, usize)>,
}

/// A search in a range: its shape, its hint, and when it was last used.
#[derive(Debug)]
struct Place {
    search: u128,
    hint: Hint,
    /// A number that is never used again.
    number: u64,
    used: u64,
}

/// A search: its shape, and the values of its bounds.
#[derive(Debug)]
pub(super) struct Search<'a> {
    name: u128,
    /// Those of the filter.
    bounds: &'a [Bound],
    /// One more after them.
    last: Option<Bound>,
}

impl<'a> Search<'a> {
    pub(super) fn new(filter: &'a Filter, sort: &Sort) -> Self {
        Search { name: name_of(filter, sort), bounds: &filter.shape().bounds, last: None }
    }

    /// The search with further demands, and one more bound after those of the filter.
    pub(super) fn with_demands(mut self, demands: &[u8], bound: Option<Bound>) -> Self {
        self.name = xxh3_128(&[&self.name.to_le_bytes()[..], demands].concat());
        self.last = bound;
        self
    }

    /// A hash of everything of which a plan of the search is made: its shape, the values of the filter's
    /// bounds, the collection and the limit.
    pub(super) fn identity(&self, collection: CollectionNumber, limit: u64) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(&self.name.to_le_bytes());
        hash.update(&collection.to_le_bytes());
        hash.update(&limit.to_le_bytes());
        for bound in self.bounds {
            hash.update(&(bound.component.len() as u64).to_le_bytes());
            hash.update(&bound.component);
        }
        hash.digest128()
    }

    fn bounds(&self) -> impl Iterator<Item = &Bound> {
        self.bounds.iter().chain(&self.last)
    }
}

/// Identifies the place of a range of a plan.
#[derive(Debug, Clone)]
pub(super) struct Token {
    keyspace: Keyspace,
    prefix: Key,
    number: u64,
}

/// A hash of the shape of a search.
fn name_of(filter: &Filter, sort: &Sort) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&filter.shape().hash.to_le_bytes());
    for key in sort.keys() {
        hash.update(&[u8::from(key.direction == Direction::Descending)]);
        for segment in key.path.segments() {
            hash.update(&(segment.name().len() as u64).to_le_bytes());
            hash.update(segment.name().as_bytes());
        }
    }
    hash.digest128()
}

impl Hints {
    /// The hints for a search, as of when it was last made.
    pub(super) fn of_search<'a>(&'a self, search: &'a Search<'a>) -> OfSearch<'a> {
        OfSearch { hints: self, search }
    }

    /// The places of the ranges of a plan; none if it has no ranges or too many.
    pub(super) fn places_of(&mut self, plan: &Plan, search: &Search<'_>) -> Vec<Token> {
        let ranges = plan.access.scanned_ranges();
        if ranges.len() > RANGES_MAX {
            return Vec::new();
        }
        let tokens = ranges.iter().map(|one| self.place_of(one.keyspace, one.prefix, search));
        tokens.collect::<Option<_>>().unwrap_or_default()
    }

    /// The place of a search in a range, with its bounds moved to their current values. A new one if there
    /// is none from which they can have moved there.
    fn place_of(
        &mut self,
        keyspace: Keyspace,
        prefix: &[u8],
        search: &Search<'_>,
    ) -> Option<Token> {
        let end = end_of(prefix)?;
        self.clock += 1;
        let clock = self.clock;
        let token = |number| Token { keyspace, prefix: Key::from_slice(prefix), number };
        let places = self.ranges_mut(keyspace).by_prefix.get_mut(prefix);
        let near = places.into_iter().flatten().filter(|place| place.search == search.name);
        let near = near.filter_map(|place| Some((place.hint.distance(search.bounds())?, place)));
        let nearest = near.min_by_key(|(distance, place)| (*distance, u64::MAX - place.used));
        if let Some((_, place)) = nearest {
            place.hint.move_to(search.bounds());
            let number = place.number;
            place.used = clock;
            return Some(token(number));
        }
        if self.places >= PLACES_MAX || self.stretches >= STRETCHES_MAX {
            self.forget_unused();
        }
        let (number, used) = (clock, clock);
        let hint = Hint::empty(prefix, &end, search.bounds());
        self.stretches += hint.len();
        self.places += 1;
        let number_of = number_of(prefix)?;
        let ranges = self.ranges_mut(keyspace);
        if !ranges.lengths.contains(&(number_of, prefix.len())) {
            ranges.lengths.push((number_of, prefix.len()));
        }
        let places = ranges.by_prefix.entry(Key::from_slice(prefix)).or_default();
        places.push(Place { search: search.name, hint, number, used });
        if places.len() > SEARCHES_MAX
            && let Some(oldest) = (0..places.len()).min_by_key(|at| places[*at].used)
        {
            let place = places.swap_remove(oldest);
            self.places -= 1;
            self.stretches -= place.hint.len();
        }
        Some(token(number))
    }

    /// The hints of these places.
    pub(super) fn of_places(&self, tokens: &[Token]) -> Vec<Option<&Hint>> {
        let place = |token: &Token| {
            let places = self.ranges(token.keyspace).by_prefix.get(&token.prefix)?;
            places.iter().find(|place| place.number == token.number)
        };
        tokens.iter().map(|token| place(token).map(|place| &place.hint)).collect()
    }

    /// Updates the hints by the progress in the ranges of a plan.
    pub(super) fn learn(&mut self, plan: &Plan, tokens: &[Token], progress: Vec<RangeProgress>) {
        let ranges = plan.access.scanned_ranges();
        for ((token, one), range) in tokens.iter().zip(ranges).zip(progress) {
            let Some(reached) = range.reached else { continue };
            let places = self.ranges_mut(token.keyspace).by_prefix.get_mut(&token.prefix);
            let place = places.into_iter().flatten().find(|place| place.number == token.number);
            let Some(place) = place else { continue };
            let before = place.hint.len();
            place.hint.learn(one.range, one.direction, &reached, range.marks);
            let after = place.hint.len();
            self.stretches = self.stretches - before + after;
            self.learned.push(token.clone());
        }
    }

    /// Begins a command.
    pub(super) fn begin(&mut self) {
        self.learned.clear();
    }

    /// Forgets the hints that the current command has updated, since its writes are undone.
    pub(super) fn unlearn(&mut self) {
        for Token { keyspace, prefix, number } in std::mem::take(&mut self.learned) {
            if let Some(places) = self.ranges_mut(keyspace).by_prefix.get_mut(&prefix) {
                places.retain(|place| place.number != number);
            }
        }
        self.count();
    }

    /// Whether there is a hint for an index.
    pub(super) fn has_index(&self, index: u32) -> bool {
        self.entries.lengths.iter().any(|(other, _)| *other == index)
    }

    /// Whether there is a hint for the documents of a collection.
    pub(super) fn has_collection(&self, collection: u32) -> bool {
        self.documents.lengths.iter().any(|(other, _)| *other == collection)
    }

    /// Opens an entry that was written or deleted, or whose document was.
    pub(super) fn touch_entry(&mut self, key: &[u8]) {
        self.touch(INDEXES, key);
    }

    /// Opens a document that was written or deleted.
    pub(super) fn touch_document(&mut self, key: &[u8]) {
        self.touch(DOCUMENTS, key);
    }

    fn touch(&mut self, keyspace: Keyspace, key: &[u8]) {
        let Some(number) = number_of(key) else { return };
        let mut added = 0;
        let Ranges { by_prefix, lengths } = self.ranges_mut(keyspace);
        for (_, length) in lengths.iter().filter(|(other, _)| *other == number) {
            let places = key.get(..*length).and_then(|prefix| by_prefix.get_mut(prefix));
            for place in places.into_iter().flatten() {
                let before = place.hint.len() as isize;
                place.hint.touch(key);
                added += place.hint.len() as isize - before;
            }
        }
        self.stretches = self.stretches.saturating_add_signed(added);
    }

    /// Forgets an index.
    pub(super) fn forget_index(&mut self, index: u32) {
        let ranges = &mut self.entries;
        ranges.by_prefix.retain(|prefix, _| number_of(prefix) != Some(index));
        self.count();
    }

    /// Forgets everything, when writes have been discarded.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets the less recently used half of the places.
    fn forget_unused(&mut self) {
        let ranges = [&self.entries, &self.documents].into_iter();
        let places = ranges.flat_map(|ranges| ranges.by_prefix.values().flatten());
        let mut used: Vec<u64> = places.map(|place| place.used).collect();
        let middle = used.len() / 2;
        if used.is_empty() {
            return;
        }
        let (_, median, _) = used.select_nth_unstable(middle);
        let median = *median;
        for ranges in [&mut self.entries, &mut self.documents] {
            ranges.by_prefix.values_mut().for_each(|places| places.retain(|one| one.used > median));
        }
        self.count();
    }

    /// Counts what is left, and removes what is empty.
    fn count(&mut self) {
        (self.places, self.stretches) = (0, 0);
        for ranges in [&mut self.entries, &mut self.documents] {
            ranges.by_prefix.retain(|_, places| !places.is_empty());
            ranges.lengths.clear();
            for (prefix, places) in &ranges.by_prefix {
                let length = number_of(prefix).map(|number| (number, prefix.len()));
                if let Some(length) = length.filter(|length| !ranges.lengths.contains(length)) {
                    ranges.lengths.push(length);
                }
                self.places += places.len();
                self.stretches += places.iter().map(|place| place.hint.len()).sum::<usize>();
            }
        }
    }

    fn ranges(&self, keyspace: Keyspace) -> &Ranges {
        if keyspace == INDEXES { &self.entries } else { &self.documents }
    }

    fn ranges_mut(&mut self, keyspace: Keyspace) -> &mut Ranges {
        if keyspace == INDEXES { &mut self.entries } else { &mut self.documents }
    }
}

/// The hints for a search.
pub(super) struct OfSearch<'a> {
    hints: &'a Hints,
    search: &'a Search<'a>,
}

impl Remembered for OfSearch<'_> {
    fn of(&self, prefix: &[u8]) -> Option<&Hint> {
        let places = self.hints.entries.by_prefix.get(prefix)?;
        let near = places.iter().filter(|place| place.search == self.search.name);
        near.max_by_key(|place| place.used).map(|place| &place.hint)
    }
}

/// The number of the index or the collection that a key belongs to.
fn number_of(key: &[u8]) -> Option<u32> {
    key.first_chunk::<4>().map(|number| u32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use velocitydb_core::object;

    use super::*;

    fn filter(bound: i64, state: &str) -> Filter {
        Filter::from_object(object! { "state": state, "due": { "$lte": bound } }).unwrap()
    }

    fn prefix(index: u32, range: u32) -> Vec<u8> {
        [index.to_be_bytes(), range.to_be_bytes()].concat()
    }

    #[test]
    fn bounds_that_move_are_those_of_one_search_and_others_have_their_own_place() {
        let mut hints = Hints::default();
        let mut place = |bound, state| {
            let (filter, sort) = (filter(bound, state), Sort::new());
            let search = Search::new(&filter, &sort);
            let token = hints.place_of(INDEXES, &prefix(7, 1), &search).unwrap();
            token.number
        };
        let first = place(5, "waiting");
        assert_eq!(place(6, "waiting"), first);
        assert_ne!(place(6, "again"), first);
        let earlier = place(3, "waiting");
        assert_ne!(earlier, first);
        assert_eq!(place(7, "waiting"), first);
        assert_eq!(place(3, "waiting"), earlier);
        assert!(hints.has_index(7) && !hints.has_index(8) && !hints.has_collection(7));
        hints.forget_index(7);
        assert!(!hints.has_index(7));
        assert_eq!((hints.places, hints.stretches), (0, 0));
    }

    #[test]
    fn what_was_learned_in_vain_is_forgotten() {
        let mut hints = Hints::default();
        let filter = filter(1, "waiting");
        let search = Search::new(&filter, &Sort::new());
        let token = hints.place_of(INDEXES, &prefix(7, 1), &search).unwrap();
        let other = hints.place_of(DOCUMENTS, &prefix(7, 1)[..4], &search).unwrap();
        hints.begin();
        hints.learned.push(token.clone());
        hints.unlearn();
        let found = hints.of_places(&[token, other]);
        assert!(found[0].is_none() && found[1].is_some());
        assert!(!hints.has_index(7) && hints.has_collection(7));
    }

    #[test]
    fn places_are_bounded() {
        let mut hints = Hints::default();
        for number in 0..20_000_u32 {
            let filter = filter(1, &number.to_string());
            let search = Search::new(&filter, &Sort::new());
            hints.place_of(INDEXES, &prefix(1, number / 100), &search).unwrap();
            assert!(hints.places <= PLACES_MAX + 1);
            assert!(hints.entries.by_prefix.values().all(|places| places.len() <= SEARCHES_MAX));
        }
        let count: usize = hints.entries.by_prefix.values().map(Vec::len).sum();
        assert_eq!(count, hints.places);
    }
}
