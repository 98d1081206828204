//! [`Merged`]: several ranges of an index, merged in the order of what follows their prefixes,
//! ids included.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::ControlFlow;

use velocitydb_storage::{Direction, Snapshot};

use super::access::{IndexScan, Range};
use super::hint::{Hint, Reached};
use super::progress::{Parts, corrupt_entry, visit_part};
use crate::Result;
use crate::index::{Definition, append_id, owner_of};
use crate::keys::{INDEXES, Key};

/// The entries of several ranges in one order.
pub(super) struct Merged<'a> {
    state: &'a dyn Snapshot,
    definition: &'a Definition,
    direction: Direction,
    streams: Vec<Stream<'a>>,
    /// How many bytes of each range are fetched at a time.
    bytes_max: usize,
    /// The streams that have entries left, by what follows the prefix of their next entry.
    heads: BinaryHeap<Head>,
}

/// The rest of a range, and its fetched entries.
struct Stream<'a> {
    hint: Option<&'a Hint>,
    parts: Parts,
    /// The rest of the part that is being read.
    part: Option<Range>,
    prefix: usize,
    fetched: VecDeque<(Key, Key)>,
    fetch_next: usize,
}

struct Head {
    order: Key,
    stream: usize,
    direction: Direction,
}

/// How many entries of a range are fetched at first, and at the most.
const FETCHED_FIRST: usize = 4;
const FETCHED_MAX: usize = 256;

/// How many bytes are fetched of all ranges together, but at least one entry of each.
const FETCHED_BYTES: usize = 1 << 20;

impl<'a> Merged<'a> {
    /// Merges the ranges of a scan, skipping the keys that hints exclude.
    pub(super) fn new(
        state: &'a dyn Snapshot,
        scan: &'a IndexScan,
        hint_of: impl Fn(usize) -> Option<&'a Hint>,
    ) -> Result<Self> {
        let ranges = scan.ranges.iter().zip(&scan.prefixes).enumerate();
        let streams = ranges.map(|(number, (range, prefix))| Stream {
            hint: hint_of(number),
            parts: Parts::of(range, scan.direction),
            part: None,
            prefix: *prefix,
            fetched: VecDeque::new(),
            fetch_next: FETCHED_FIRST,
        });
        let (definition, direction) = (&*scan.definition, scan.direction);
        let (streams, heads) = (streams.collect(), BinaryHeap::new());
        let bytes_max = FETCHED_BYTES / scan.ranges.len().max(1);
        let mut merged = Merged { state, definition, direction, streams, bytes_max, heads };
        for stream in 0..merged.streams.len() {
            merged.push_head(stream)?;
        }
        Ok(merged)
    }

    /// The next entry: the number of its range, its key and its value.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Key, Key)>> {
        let Some(Head { stream, .. }) = self.heads.pop() else { return Ok(None) };
        let (key, value) =
            self.streams[stream].fetched.pop_front().expect("a stream with a head has an entry");
        self.push_head(stream)?;
        Ok(Some((stream, key, value)))
    }

    /// How far each range has been read: up to its next entry.
    pub(super) fn reached(&self) -> impl Iterator<Item = Reached> {
        self.streams.iter().map(|stream| match stream.fetched.front() {
            Some((key, _)) => Reached::Before(key.clone()),
            None => Reached::End,
        })
    }

    fn push_head(&mut self, number: usize) -> Result<()> {
        let stream = &mut self.streams[number];
        if stream.fetched.is_empty() {
            stream.fetch(self.state, self.direction, self.bytes_max)?;
        }
        if let Some((key, value)) = stream.fetched.front() {
            let mut order = Key::from_slice(&key[stream.prefix..]);
            if self.definition.spec.is_unique() {
                // In a unique index entries of different ranges can have the same values, and
                // their keys have no id.
                let id = owner_of(value).ok_or_else(|| corrupt_entry("index entry", key))?;
                append_id(id, self.definition.last_direction(), &mut order);
            }
            self.heads.push(Head { order, stream: number, direction: self.direction });
        }
        Ok(())
    }
}

impl Stream<'_> {
    fn fetch(
        &mut self,
        state: &dyn Snapshot,
        direction: Direction,
        bytes_max: usize,
    ) -> Result<()> {
        let mut bytes = 0;
        while self.fetched.len() < self.fetch_next && (bytes < bytes_max || bytes == 0) {
            let part = self.part.take().or_else(|| self.parts.next(self.hint));
            let Some(mut part) = part else { break };
            let (fetched, wanted) = (&mut self.fetched, self.fetch_next);
            let mut has_more = false;
            let _ = visit_part(state, INDEXES, &part, direction, |key, value| {
                fetched.push_back((Key::from_slice(key), Key::from_slice(value)));
                bytes += key.len() + value.len();
                has_more = fetched.len() == wanted || bytes >= bytes_max;
                Ok(if has_more { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
            if has_more && let Some((last, _)) = fetched.back() {
                match direction {
                    Direction::Forward => {
                        part.low = last.clone();
                        part.low.push(0);
                    }
                    Direction::Backward => part.high = Some(last.clone()),
                }
                self.part = Some(part);
            }
        }
        self.fetch_next = (self.fetch_next * 4).min(FETCHED_MAX);
        Ok(())
    }
}

impl Ord for Head {
    /// The heap pops the largest first, so the order is reversed.
    fn cmp(&self, other: &Self) -> Ordering {
        let order = match self.direction {
            Direction::Forward => other.order.cmp(&self.order),
            Direction::Backward => self.order.cmp(&other.order),
        };
        order.then(other.stream.cmp(&self.stream))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}
