//! [`Hint`]: which keys of a range a repeated search need not read again.
//!
//! ```text
//!   keys ─────────────────────────────────────────────────────────────────────▶
//!   ├─ closed ─┤open├─ closed ─┤ awaits a move ├─ closed ─┤ open: not yet seen ─▶
//!              written since     of a bound
//! ```
//!
//! Keys that a search read and that cannot match are *closed*: deleted entries, and documents that
//! do not match the filter wherever its bounds are. A document that can match once a bound has moved
//! far enough, such as a job that is not due before some time, *awaits* that move. Everything else
//! is *open*: keys that no search has reached, documents that were found and not taken, and keys
//! written since.
//!
//! Opening a key is always correct; closing one that could match is not.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

use smallvec::SmallVec;
use velocitydb_core::filter::{Bound, Side};
use velocitydb_storage::Direction;

use super::access::Range;
use crate::keys::Key;

/// How many stretches of keys are kept for one range. Beyond that, neighbours are merged.
const STRETCHES_MAX: usize = 16_384;

/// How many bytes the keys of the stretches take at the most.
const BYTES_MAX: usize = 4 << 20;

/// How many moves one stretch can await; one that would await more is open.
const MOVES_MAX: usize = 8;

type Bytes = Box<[u8]>;

/// What a repeated search remembers of the keys in a range.
#[derive(Debug)]
pub(crate) struct Hint {
    /// The open stretches: from a key on, up to another one. They neither overlap nor touch.
    open: BTreeMap<Bytes, Bytes>,
    /// The stretches that are opened by one of some moves, by their first keys.
    waiting: BTreeMap<Bytes, Waiting>,
    /// The same by bound and value.
    moves: BTreeSet<(u16, Bytes, Bytes)>,
    /// The current bounds of the search.
    bounds: SmallVec<[BoundAt; 2]>,
    /// The bytes of all these keys.
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    end: Bytes,
    moves: Moves,
}

/// Bounds by number, each with the value that it has to reach.
pub(crate) type Moves = SmallVec<[(u16, Bytes); 1]>;

/// Where a bound is, and in which direction it has moved so far.
#[derive(Debug)]
struct BoundAt {
    bound: Bound,
    moved: Option<Ordering>,
}

/// A key that a search read and did not close.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) key: Key,
    /// `None`: the key is open.
    pub(crate) moves: Option<Moves>,
}

/// How far a search has come in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Up to and including a key.
    Through(Key),
    /// Up to a key, excluding it.
    Before(Key),
    /// All of it.
    End,
}

impl Hint {
    /// Nothing is remembered of the keys in a range: all are open.
    pub(crate) fn empty<'a>(
        start: &[u8],
        end: &[u8],
        bounds: impl Iterator<Item = &'a Bound>,
    ) -> Self {
        let (open, waiting, moves) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let bounds = bounds.map(|bound| BoundAt { bound: bound.clone(), moved: None }).collect();
        let mut hint = Hint { open, waiting, moves, bounds, bytes: 0 };
        hint.open_up(start.into(), end.into());
        hint
    }

    /// How many stretches are open, and how many await a move.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.open.len(), self.waiting.len())
    }

    /// How many stretches there are.
    pub(crate) fn len(&self) -> usize {
        self.open.len() + self.waiting.len()
    }

    /// The distance from these bounds to others: two for each different move, and one if a bound
    /// moves that has not moved so far. `None` if a bound would reverse its direction: then they
    /// belong to another search.
    pub(crate) fn distance<'a>(&self, bounds: impl Iterator<Item = &'a Bound>) -> Option<usize> {
        let mut moves: SmallVec<[(&[u8], &[u8]); 4]> = SmallVec::new();
        let mut has_stood = false;
        for (from, to) in self.bounds.iter().zip(bounds) {
            let moved = to.component.cmp(&from.bound.component);
            if moved.is_eq() {
                continue;
            }
            if from.moved.is_some_and(|before| before != moved) {
                return None;
            }
            has_stood |= from.moved.is_none();
            let step = (&*from.bound.component, &*to.component);
            if !moves.contains(&step) {
                moves.push(step);
            }
        }
        Some(2 * moves.len() + usize::from(has_stood))
    }

    /// Moves the bounds, and opens the stretches that awaited it.
    pub(crate) fn move_to<'a>(&mut self, bounds: impl Iterator<Item = &'a Bound>) {
        for (number, to) in bounds.enumerate() {
            let from = &mut self.bounds[number];
            let moved = to.component.cmp(&from.bound.component);
            if moved.is_eq() {
                continue;
            }
            from.bound.component.clone_from(&to.component);
            from.moved = Some(moved);
            self.open_reached(number as u16, &to.component, to.side);
        }
    }

    /// Opens the stretches that awaited a bound's current position.
    fn open_reached(&mut self, number: u16, at: &[u8], side: Side) {
        let empty = Bytes::default;
        let behind = || Bytes::from([at, &[0]].concat());
        let reached = match side {
            Side::AtLeast => {
                (Included((number, empty(), empty())), Excluded((number, behind(), empty())))
            }
            Side::Above => {
                (Included((number, empty(), empty())), Excluded((number, at.into(), empty())))
            }
            Side::AtMost => {
                (Included((number, at.into(), empty())), Excluded((number + 1, empty(), empty())))
            }
            Side::Below => {
                (Included((number, behind(), empty())), Excluded((number + 1, empty(), empty())))
            }
        };
        while let Some((_, _, start)) = self.moves.range(reached.clone()).next().cloned() {
            let waiting = self.take_waiting(&start).expect("every move has a waiting stretch");
            self.open_up(start, waiting.end);
        }
    }

    /// The first open stretch in a direction, within a range.
    pub(crate) fn next_open(&self, within: &Range, direction: Direction) -> Option<Range> {
        let (low, high) = (&within.low[..], within.high.as_deref());
        if high.is_some_and(|high| high <= low) {
            return None;
        }
        let (start, end) = match direction {
            Direction::Forward => {
                let before = self.open.range::<[u8], _>((Unbounded, Included(low))).next_back();
                let around = before.filter(|(_, end)| &end[..] > low);
                let after = || self.open.range::<[u8], _>((Excluded(low), Unbounded)).next();
                around.or_else(after)?
            }
            Direction::Backward => {
                let top = high.map_or(Unbounded, Excluded);
                self.open.range::<[u8], _>((Unbounded, top)).next_back()?
            }
        };
        let low = Key::from_slice(low.max(start));
        let high = high.map_or(&end[..], |high| high.min(end));
        (&low[..] < high).then(|| Range { high: Some(Key::from_slice(high)), low })
    }

    /// Opens a key that was written, or whose document was written.
    pub(crate) fn touch(&mut self, key: &[u8]) {
        let open = self.open.range::<[u8], _>((Unbounded, Included(key))).next_back();
        if open.is_some_and(|(_, end)| &end[..] > key) {
            return;
        }
        let waiting = self.waiting.range::<[u8], _>((Unbounded, Included(key))).next_back();
        if let Some((start, waiting)) = waiting
            && &waiting.end[..] > key
        {
            let start = start.clone();
            let Waiting { end, moves } =
                self.take_waiting(&start).expect("the stretch was found above");
            let behind = successor(key);
            if &start[..] < key {
                self.put_waiting(start, key.into(), moves.clone());
            }
            if behind < end {
                self.put_waiting(behind, end, moves);
            }
        }
        self.open_up(key.into(), successor(key));
        self.shrink();
    }

    /// Closes the keys that a search read, except those that it marked.
    pub(crate) fn learn(
        &mut self,
        scanned: &Range,
        direction: Direction,
        reached: &Reached,
        marks: Vec<Mark>,
    ) {
        let Some(high) = &scanned.high else { return };
        let (low, high): (Bytes, Bytes) = match (reached, direction) {
            (Reached::End, _) => (scanned.low[..].into(), high[..].into()),
            (Reached::Through(key), Direction::Forward) => (scanned.low[..].into(), successor(key)),
            (Reached::Before(key), Direction::Forward) => (scanned.low[..].into(), key[..].into()),
            (Reached::Through(key), Direction::Backward) => (key[..].into(), high[..].into()),
            (Reached::Before(key), Direction::Backward) => (successor(key), high[..].into()),
        };
        self.close(&low, &high);
        for Mark { key, moves } in marks {
            let end = successor(&key);
            match moves {
                Some(moves) if moves.len() <= MOVES_MAX => {
                    self.put_waiting(key[..].into(), end, moves);
                }
                _ => self.open_up(key[..].into(), end),
            }
        }
        self.shrink();
    }

    /// Removes the open stretches from a range of keys.
    fn close(&mut self, low: &[u8], high: &[u8]) {
        if low >= high {
            return;
        }
        let before = self.open.range::<[u8], _>((Unbounded, Excluded(low))).next_back();
        if let Some((start, end)) = before
            && &end[..] > low
        {
            let (start, end) = (start.clone(), end.clone());
            self.take_open(&start);
            self.put_open(start, low.into());
            if &end[..] > high {
                self.put_open(high.into(), end);
            }
        }
        while let Some((start, end)) =
            self.open.range::<[u8], _>((Included(low), Excluded(high))).next()
        {
            let (start, end) = (start.clone(), end.clone());
            self.take_open(&start);
            if &end[..] > high {
                self.put_open(high.into(), end);
            }
        }
    }

    /// Opens a range of keys in which nothing awaits a move.
    fn open_up(&mut self, mut start: Bytes, mut end: Bytes) {
        if let Some((before, its_end)) =
            self.open.range::<[u8], _>((Unbounded, Included(&start[..]))).next_back()
            && *its_end >= start
        {
            (start, end) = (before.clone(), end.max(its_end.clone()));
        }
        let touching = |open: &BTreeMap<Bytes, Bytes>, end: &[u8]| {
            let next = open.range::<[u8], _>((Included(&start[..]), Included(end))).next();
            next.map(|(start, end)| (start.clone(), end.clone()))
        };
        while let Some((next, its_end)) = touching(&self.open, &end) {
            self.take_open(&next);
            end = end.max(its_end);
        }
        self.put_open(start, end);
    }

    fn put_open(&mut self, start: Bytes, end: Bytes) {
        self.bytes += start.len() + end.len();
        self.open.insert(start, end);
    }

    fn take_open(&mut self, start: &[u8]) {
        if let Some(end) = self.open.remove(start) {
            self.bytes -= start.len() + end.len();
        }
    }

    fn put_waiting(&mut self, start: Bytes, end: Bytes, moves: Moves) {
        // Two ranges of a union can overlap, and both can have the key.
        self.take_waiting(&start);
        self.bytes += start.len() + end.len();
        for (bound, value) in &moves {
            self.bytes += start.len() + 2 * value.len();
            self.moves.insert((*bound, value.clone(), start.clone()));
        }
        self.waiting.insert(start, Waiting { end, moves });
    }

    fn take_waiting(&mut self, start: &[u8]) -> Option<Waiting> {
        let (start, waiting) = self.waiting.remove_entry(start)?;
        self.bytes -= start.len() + waiting.end.len();
        for (bound, value) in &waiting.moves {
            self.bytes -= start.len() + 2 * value.len();
            self.moves.remove(&(*bound, value.clone(), start.clone()));
        }
        Some(waiting)
    }

    /// Merges neighbouring stretches if there are too many.
    fn shrink(&mut self) {
        let is_too_much = |hint: &Hint| hint.len() > STRETCHES_MAX || hint.bytes > BYTES_MAX;
        while is_too_much(self) {
            let before = self.len();
            self.join_waiting();
            if self.len() >= before - before / 8 {
                self.join_open();
            }
            if self.len() == before {
                return;
            }
        }
    }

    /// Merges every other waiting stretch with the one before it, unless there is an open one
    /// between them. The merged stretch awaits the moves of both.
    fn join_waiting(&mut self) {
        let starts: Vec<Bytes> = self.waiting.keys().cloned().collect();
        for pair in starts.chunks_exact(2) {
            let between =
                self.open.range::<[u8], _>((Included(&pair[0][..]), Excluded(&pair[1][..])));
            if between.take(1).count() > 0 {
                continue;
            }
            let first = self.take_waiting(&pair[0]).expect("it is one of the listed keys");
            let second = self.take_waiting(&pair[1]).expect("it is one of the listed keys");
            let moves = self.either(first.moves, second.moves);
            match moves.len() <= MOVES_MAX {
                true => self.put_waiting(pair[0].clone(), second.end, moves),
                false => self.open_up(pair[0].clone(), second.end),
            }
        }
    }

    /// The moves that open either of two stretches.
    fn either(&self, mut one: Moves, other: Moves) -> Moves {
        for (bound, value) in other {
            let Some(same) = one.iter_mut().find(|(number, _)| *number == bound) else {
                one.push((bound, value));
                continue;
            };
            // The value that the bound reaches first.
            let is_rising =
                matches!(self.bounds[usize::from(bound)].bound.side, Side::AtLeast | Side::Above);
            let is_sooner = if is_rising { value < same.1 } else { value > same.1 };
            if is_sooner {
                same.1 = value;
            }
        }
        one
    }

    /// Merges every other open stretch with the one before it, and all keys between them.
    fn join_open(&mut self) {
        let starts: Vec<Bytes> = self.open.keys().cloned().collect();
        for pair in starts.chunks_exact(2) {
            let between =
                self.waiting.range::<[u8], _>((Included(&pair[0][..]), Excluded(&pair[1][..])));
            let between: Vec<Bytes> = between.map(|(start, _)| start.clone()).collect();
            for start in between {
                self.take_waiting(&start);
            }
            let end = self.open[&pair[1]].clone();
            self.take_open(&pair[1]);
            self.open_up(pair[0].clone(), end);
        }
        if starts.len() < 2 {
            // One stretch is open, and too many wait: only everything can be merged.
            let ends = self.waiting.keys().next().cloned().zip(self.waiting.values().next_back());
            if let Some((start, end)) = ends.map(|(start, last)| (start, last.end.clone())) {
                self.waiting.clear();
                self.moves.clear();
                self.bytes = self.open.iter().map(|(start, end)| start.len() + end.len()).sum();
                self.open_up(start, end);
            }
        }
    }
}

/// The smallest key above another one.
fn successor(key: &[u8]) -> Bytes {
    [key, &[0]].concat().into()
}

#[cfg(test)]
mod tests {
    use velocitydb_core::Value;
    use velocitydb_core::key::{Direction as Order, encode_key_value};
    use velocitydb_storage::contract::Random;

    use super::*;

    const SIDES: [Side; 4] = [Side::AtLeast, Side::Above, Side::AtMost, Side::Below];

    /// The model of the tests: the state of each key.
    #[derive(Debug, Clone, PartialEq)]
    enum State {
        Open,
        Closed,
        Awaits(Moves),
    }

    fn component(value: i64) -> Bytes {
        let mut bytes = Vec::new();
        encode_key_value(&Value::from(value), Order::Ascending, &mut bytes);
        bytes.into()
    }

    fn bounds(values: &[i64; 4]) -> Vec<Bound> {
        let at = |(value, side): (&i64, Side)| Bound { component: component(*value), side };
        values.iter().zip(SIDES).map(at).collect()
    }

    fn keys() -> Vec<Key> {
        let letters = [1, 2, 3, 4, 5];
        let pairs = letters.iter().flat_map(|one| letters.iter().map(move |other| [*one, *other]));
        let mut keys: Vec<Key> = pairs.map(|pair| Key::from_slice(&pair)).collect();
        keys.extend(letters.map(|letter| Key::from_slice(&[letter])));
        keys.sort();
        keys
    }

    fn range(low: &[u8], high: &[u8]) -> Range {
        Range { low: Key::from_slice(low), high: Some(Key::from_slice(high)) }
    }

    /// The open keys within a range, in a direction.
    fn open_keys(hint: &Hint, within: &Range, direction: Direction) -> Vec<Key> {
        let (mut found, mut rest) = (Vec::new(), within.clone());
        while let Some(part) = hint.next_open(&rest, direction) {
            let high = part.high.clone().unwrap();
            let mut inside: Vec<_> =
                keys().into_iter().filter(|key| (&part.low..&high).contains(&key)).collect();
            match direction {
                Direction::Forward => rest.low = high,
                Direction::Backward => {
                    inside.reverse();
                    rest.high = Some(part.low);
                }
            }
            found.extend(inside);
        }
        found
    }

    struct Test {
        random: Random,
        hint: Hint,
        model: BTreeMap<Key, State>,
        values: [i64; 4],
    }

    impl Test {
        fn new(random: Random) -> Self {
            let values = [10; 4];
            let hint = Hint::empty(&[0], &[9], bounds(&values).iter());
            let model = keys().into_iter().map(|key| (key, State::Open)).collect();
            Test { random, hint, model, values }
        }

        fn number(&mut self, below: usize) -> usize {
            self.random.within(0..below as u64) as usize
        }

        fn learn(&mut self) {
            let all = keys();
            let (one, other) = (self.number(all.len()), self.number(all.len()));
            let within = match self.random.one_in(2) {
                true => range(&[0], &[9]),
                false => range(&all[one.min(other)], &all[one.max(other)]),
            };
            let direction =
                if self.random.one_in(2) { Direction::Forward } else { Direction::Backward };
            let open = open_keys(&self.hint, &within, direction);
            let count = self.number(open.len() + 1);
            let reached = match (open.get(count), self.random.one_in(2)) {
                (None, _) => Reached::End,
                (Some(next), true) => Reached::Before(next.clone()),
                (Some(_), false) if count == 0 => return,
                (Some(_), false) => Reached::Through(open[count - 1].clone()),
            };
            let mut marks = Vec::new();
            for key in &open[..count] {
                let state = match self.random.within(0..3) {
                    0 => State::Closed,
                    1 => State::Open,
                    _ => State::Awaits(self.moves()),
                };
                match &state {
                    State::Closed => {}
                    State::Open => marks.push(Mark { key: key.clone(), moves: None }),
                    State::Awaits(moves) => {
                        marks.push(Mark { key: key.clone(), moves: Some(moves.clone()) });
                    }
                }
                self.model.insert(key.clone(), state);
            }
            self.hint.learn(&within, direction, &reached, marks);
        }

        /// Random moves that have not been made.
        fn moves(&mut self) -> Moves {
            let count = 1 + self.number(2);
            let first = self.number(4);
            let moves = (0..count).map(|n| {
                let bound = (first + n) % 4;
                let far = self.random.within(1..6) as i64;
                let value = match SIDES[bound] {
                    Side::AtLeast | Side::Above => self.values[bound] + far,
                    Side::AtMost | Side::Below => self.values[bound] - far,
                };
                (bound as u16, component(value))
            });
            moves.collect()
        }

        fn move_bounds(&mut self) {
            let bound = self.number(4);
            self.values[bound] += self.random.within(0..7) as i64 - 3;
            let to = bounds(&self.values);
            self.hint.move_to(to.iter());
            for state in self.model.values_mut() {
                let State::Awaits(moves) = state else { continue };
                let is_made = |(bound, value): &(u16, Bytes)| {
                    let at = &to[usize::from(*bound)];
                    at.side.is_reached(&at.component, value)
                };
                if moves.iter().any(is_made) {
                    *state = State::Open;
                }
            }
        }

        fn touch(&mut self) {
            let all = keys();
            let key = all[self.number(all.len())].clone();
            self.hint.touch(&key);
            self.model.insert(key, State::Open);
        }

        /// Every open key of the model is open. Further open keys must come from merging.
        fn check(&mut self, has_joined: bool) {
            for direction in [Direction::Forward, Direction::Backward] {
                let mut open = open_keys(&self.hint, &range(&[0], &[9]), direction);
                open.sort();
                let is_open =
                    |(key, state): (&Key, &State)| (*state == State::Open).then(|| key.clone());
                let expected: Vec<Key> = self.model.iter().filter_map(is_open).collect();
                if has_joined {
                    assert!(expected.iter().all(|key| open.contains(key)), "{:#?}", self.hint);
                    open.into_iter().for_each(|key| drop(self.model.insert(key, State::Open)));
                } else {
                    assert_eq!(open, expected, "{:#?}", self.hint);
                }
            }
            let bytes = |map: &BTreeMap<Bytes, Bytes>| -> usize {
                map.iter().map(|(start, end)| start.len() + end.len()).sum()
            };
            let waiting: usize = self
                .hint
                .waiting
                .iter()
                .map(|(start, waiting)| {
                    let moves =
                        waiting.moves.iter().map(|(_, value)| start.len() + 2 * value.len());
                    start.len() + waiting.end.len() + moves.sum::<usize>()
                })
                .sum();
            assert_eq!(self.hint.bytes, bytes(&self.hint.open) + waiting);
            let moves: usize = self.hint.waiting.values().map(|one| one.moves.len()).sum();
            assert_eq!(self.hint.moves.len(), moves);
        }
    }

    #[test]
    fn it_knows_what_need_not_be_looked_at() {
        let mut random = Random::announced("it_knows_what_need_not_be_looked_at");
        for round in 0..300 {
            let mut test = Test::new(Random::from_seed(random.number()));
            let joins = round % 2 == 1;
            for _ in 0..60 {
                match test.random.within(0..8) {
                    0 | 1 => test.touch(),
                    2 | 3 => test.move_bounds(),
                    4 if joins => test.hint.join_waiting(),
                    5 if joins => test.hint.join_open(),
                    _ => test.learn(),
                }
                test.check(joins);
            }
        }
    }

    #[test]
    fn it_is_bounded() {
        let end = [u8::MAX];
        let at = |value| [Bound { component: component(value), side: Side::AtLeast }];
        let mut hint = Hint::empty(&[], &end, at(0).iter());
        let marks = (0..3 * STRETCHES_MAX as u32).map(|n| {
            let moves: Moves = smallvec::smallvec![(0, component(1 + i64::from(n)))];
            Mark { key: Key::from_slice(&n.to_be_bytes()), moves: Some(moves) }
        });
        hint.learn(&range(&[], &end), Direction::Forward, &Reached::End, marks.collect());
        assert!(hint.len() <= STRETCHES_MAX && hint.len() > STRETCHES_MAX / 4, "{}", hint.len());
        assert!(hint.next_open(&range(&[], &end), Direction::Forward).is_none());
        // The stretch that awaits the first move is opened, with its neighbours, and nothing
        // else.
        hint.move_to(at(1).iter());
        let first = hint.next_open(&range(&[], &end), Direction::Forward).unwrap();
        assert_eq!(&first.low[..], 0_u32.to_be_bytes());
        assert!(first.high.unwrap()[..] <= *16_u32.to_be_bytes().as_slice());
        for n in 0..3 * STRETCHES_MAX as u32 {
            hint.touch(&[&[200], &n.to_be_bytes()[..]].concat());
            assert!(hint.len() <= STRETCHES_MAX && hint.bytes <= BYTES_MAX);
        }
        let long = [7; 100_000];
        for n in 0..200_u32 {
            hint.touch(&[&long[..], &n.to_be_bytes()].concat());
            assert!(hint.bytes <= BYTES_MAX, "{}", hint.bytes);
        }
    }

    #[test]
    fn bounds_that_go_to_and_fro_are_not_those_of_one_search() {
        let at = |one: i64, other: i64| {
            let at = |value| Bound { component: component(value), side: Side::AtLeast };
            [at(one), at(other)]
        };
        let mut hint = Hint::empty(&[1], &[2], at(5, 5).iter());
        assert_eq!(hint.distance(at(5, 5).iter()), Some(0));
        assert_eq!(hint.distance(at(6, 6).iter()), Some(3));
        assert_eq!(hint.distance(at(6, 4).iter()), Some(5));
        hint.move_to(at(6, 5).iter());
        assert_eq!(hint.distance(at(5, 5).iter()), None);
        assert_eq!(hint.distance(at(7, 5).iter()), Some(2));
        assert_eq!(hint.distance(at(7, 4).iter()), Some(5));
    }
}
