//! [`Progress`]: how far a search has come in the ranges of a plan, of which it skips the keys that a
//! [`Hint`] excludes, and its verdicts on their keys.

use std::ops::ControlFlow;

use velocitydb_storage::{Bounds, Direction, Keyspace, Snapshot};

use super::access::{Access, Range};
use super::hint::{Hint, Mark, Moves, Reached};
use crate::keys::{CollectionNumber, DOCUMENTS, INDEXES, Key};
use crate::{Error, Result};

/// How many marks are made in one range; keys after the last one are not remembered.
const MARKS_MAX: usize = 65_536;

/// The progress of a search, in the order of the ranges.
pub(super) struct Progress<'a> {
    hints: Vec<Option<&'a Hint>>,
    ranges: Vec<RangeProgress>,
    /// Whether verdicts on single keys are remembered.
    has_marks: bool,
}

/// The progress in one range.
#[derive(Debug, Default)]
pub(crate) struct RangeProgress {
    /// How far it has been read; `None` if not at all.
    pub(crate) reached: Option<Reached>,
    /// The keys that are not closed.
    pub(crate) marks: Vec<Mark>,
}

/// The verdict of a search on a key.
#[derive(Debug, Default)]
pub(crate) enum Verdict {
    /// Closed: it need not be read again before it is written.
    #[default]
    Closed,
    /// It has to be read again.
    Open,
    /// It has to be read again after one of these moves.
    Awaits(Moves),
}

impl<'a> Progress<'a> {
    pub(super) fn new(hints: Vec<Option<&'a Hint>>) -> Self {
        let ranges = hints.iter().map(|_| RangeProgress::default()).collect();
        Progress { hints, ranges, has_marks: true }
    }

    /// For a search that is only to be resumed, through so many ranges.
    pub(super) fn without_marks(count: usize) -> Self {
        Progress { has_marks: false, ..Self::new(vec![None; count]) }
    }

    /// The hint for the range with this number.
    pub(super) fn hint(&self, place: usize) -> Option<&'a Hint> {
        self.hints.get(place).copied().flatten()
    }

    /// Notes the verdict on a key.
    pub(super) fn note(&mut self, place: usize, key: &[u8], verdict: Verdict) {
        let Some(range) = self.ranges.get_mut(place).filter(|range| !range.is_full()) else {
            return;
        };
        let moves = match verdict {
            _ if !self.has_marks => None,
            Verdict::Closed => None,
            Verdict::Open => Some(None),
            Verdict::Awaits(moves) => Some(Some(moves)),
        };
        range.marks.extend(moves.map(|moves| Mark { key: Key::from_slice(key), moves }));
        range.reached = Some(Reached::Through(Key::from_slice(key)));
    }

    /// Notes how far a range has been read.
    pub(super) fn reach(&mut self, place: usize, reached: Reached) {
        if let Some(range) = self.ranges.get_mut(place).filter(|range| !range.is_full()) {
            range.reached = Some(reached);
        }
    }

    pub(super) fn into_ranges(self) -> Vec<RangeProgress> {
        self.ranges
    }
}

impl RangeProgress {
    fn is_full(&self) -> bool {
        self.marks.len() >= MARKS_MAX
    }
}

/// The open parts of a range.
pub(super) struct Parts {
    rest: Option<Range>,
    direction: Direction,
}

impl Parts {
    pub(super) fn of(range: &Range, direction: Direction) -> Self {
        Parts { rest: Some(range.clone()), direction }
    }

    pub(super) fn next(&mut self, hint: Option<&Hint>) -> Option<Range> {
        let rest = self.rest.take()?;
        let Some(hint) = hint else { return Some(rest) };
        let part = hint.next_open(&rest, self.direction)?;
        self.rest = match self.direction {
            Direction::Forward => part.high.clone().map(|low| Range { low, high: rest.high }),
            Direction::Backward => Some(Range { low: rest.low, high: Some(part.low.clone()) }),
        };
        Some(part)
    }
}

/// Visits the keys of a part, until `visit` breaks or fails. Returns what it said last.
pub(super) fn visit_part(
    state: &dyn Snapshot,
    keyspace: Keyspace,
    part: &Range,
    direction: Direction,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    if part.is_empty() {
        return Ok(ControlFlow::Continue(()));
    }
    if is_one_key(part) {
        return match state.get(keyspace, &part.low)? {
            Some(value) => visit(&part.low, &value),
            None => Ok(ControlFlow::Continue(())),
        };
    }
    let bounds = Bounds { start: &part.low, end: part.high.as_deref() };
    state.try_scan(keyspace, bounds, direction, visit)
}

/// Whether there is only one key in a range.
fn is_one_key(range: &Range) -> bool {
    let behind = range.high.as_deref().and_then(|high| high.split_last());
    behind.is_some_and(|(last, key)| *last == 0 && key == &range.low[..])
}

/// A range of a plan, and the prefix of the keys that its hint covers.
pub(crate) struct ScannedRange<'a> {
    pub(crate) keyspace: Keyspace,
    pub(crate) range: &'a Range,
    pub(crate) prefix: &'a [u8],
    pub(crate) direction: Direction,
}

impl Access {
    /// The ranges that are scanned, in that order.
    pub(crate) fn scanned_ranges(&self) -> Vec<ScannedRange<'_>> {
        let mut ranges = Vec::new();
        self.collect_scanned_ranges(&mut ranges);
        ranges
    }

    fn collect_scanned_ranges<'a>(&'a self, ranges: &mut Vec<ScannedRange<'a>>) {
        match self {
            Access::Collection(range, direction) => ranges.push(ScannedRange {
                keyspace: DOCUMENTS,
                range,
                prefix: &range.low[..size_of::<CollectionNumber>()],
                direction: *direction,
            }),
            Access::Index(scan) => {
                let scanned = scan.ranges.iter().zip(&scan.prefixes);
                ranges.extend(scanned.map(|(range, prefix)| ScannedRange {
                    keyspace: INDEXES,
                    range,
                    prefix: &range.low[..*prefix],
                    direction: scan.direction,
                }));
            }
            Access::Union(parts) => {
                parts.iter().for_each(|part| part.collect_scanned_ranges(ranges))
            }
            Access::Nothing | Access::Ids(_) | Access::Intersection(..) => {}
        }
    }
}

pub(super) fn corrupt_entry(what: &str, key: &[u8]) -> Error {
    Error::Corrupt { place: format!("index key {}", key.escape_ascii()), what: what.to_owned() }
}
