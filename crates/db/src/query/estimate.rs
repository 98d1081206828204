//! [`Estimate`]: the expected cost of an access path.
//!
//! Small ranges are counted; larger ones are estimated from the statistics of the index. Without these
//! all ranges are counted together, until one ends or the rest cost more than another plan. The unit of
//! cost is fetching one document by its id.

use std::iter::Sum;
use std::ops::ControlFlow;

use velocitydb_storage::Direction;

use super::access::{Access, IndexScan, Range};
use super::candidate::{Candidate, Estimate};
use super::control::Control;
use super::progress::{Parts, visit_part};
use super::target::{Request, Target};
use crate::Result;
use crate::keys::{self, INDEXES, Key};

/// How many entries of a range are counted at the most, unless nothing else says how many there are.
const COUNTED_MAX: u64 = 64;

/// The bytes of entries that are counted at once, so that no reader's epoch is held for long.
const PIECE_BYTES: usize = 256 << 10;

/// With a limit up to this and the right order, an index is used without counting.
const LIMIT_SMALL: u64 = 100;

const COST_KEY: f64 = 0.1;
/// Of an index, with the document that it leads to.
const COST_ENTRY: f64 = COST_KEY + 1.0;
const COST_SCANNED: f64 = 0.12;
const COST_SORTED: f64 = 0.2;

/// The assumed fraction of documents that match, if nothing is known about the filter.
const SELECTIVITY: f64 = 0.1;

impl Estimate {
    /// The cost of scanning documents.
    pub(super) fn of_scan(documents: u64) -> Self {
        Estimate { keys: 0, documents, cost: 1.0 + documents as f64 * COST_SCANNED }
    }

    /// The cost of fetching documents by their ids.
    pub(super) fn of_gets(documents: u64) -> Self {
        Estimate { keys: 0, documents, cost: documents as f64 }
    }

    /// Estimates all candidates, of which there are at least two.
    ///
    /// # Errors
    ///
    /// Those of reading indexes, and of `control`.
    pub(super) fn all(
        target: &Target<'_>,
        control: &Control,
        request: &Request<'_>,
        candidates: &mut [Candidate],
    ) -> Result<()> {
        // If so few entries are enough for the limit, their number does not matter.
        let is_small = request.limit.is_some_and(|limit| limit <= LIMIT_SMALL);
        let is_lone = candidates.len() == 2;
        let is_quick = |candidate: &Candidate| match &candidate.access {
            Access::Index(scan) => {
                let is_plain = candidate.is_exact || is_lone && scan.fixed > 0;
                is_small && candidate.is_sorted && is_plain
            }
            _ => false,
        };
        let has_quick = candidates.iter().any(&is_quick);
        let mut bound = COUNTED_MAX;
        loop {
            // The least cost of a candidate that is known, and whether another one may cost less.
            let (mut least, mut is_open) = (f64::INFINITY, false);
            for candidate in candidates.iter_mut() {
                let keys = match &candidate.access {
                    Access::Index(_) if is_quick(candidate) => {
                        Some(Keys::known(request.limit.unwrap_or(LIMIT_SMALL)))
                    }
                    Access::Index(_) | Access::Union(_) => {
                        let keys = candidate.scans().map(|scan| match has_quick {
                            true => Keys::by_form(target, scan),
                            false => Keys::counted(target, control, request, scan, bound),
                        });
                        Some(keys.sum::<Result<Keys>>()?)
                    }
                    Access::Collection(..) => {
                        candidate.estimate = scan_estimate(request, candidate);
                        None
                    }
                    Access::Nothing | Access::Ids(_) | Access::Intersection(..) => None,
                };
                if let Some(keys) = keys {
                    candidate.estimate = index_estimate(request, candidate, keys.number);
                    // Of a range in the right order no more is read than the limit needs.
                    if !keys.is_known && candidate.estimate.keys >= bound {
                        is_open = true;
                        continue;
                    }
                }
                least = least.min(candidate.estimate.cost);
            }
            if !is_open || has_quick || bound as f64 * COST_ENTRY >= least {
                return Ok(());
            }
            bound *= 4;
        }
    }
}

/// About how many entries there are, and whether that is based on more than the form of a range.
#[derive(Debug, Clone, Copy)]
struct Keys {
    number: u64,
    is_known: bool,
}

impl Keys {
    fn known(number: u64) -> Self {
        Keys { number, is_known: true }
    }

    /// The entries that a scan reads, counted up to a bound. Counting an entry costs a small part of
    /// fetching its document, so that a query does little more than it would if they were known, as
    /// long as the bound does not exceed what the best known plan reads.
    fn counted(
        target: &Target<'_>,
        control: &Control,
        request: &Request<'_>,
        scan: &IndexScan,
        bound: u64,
    ) -> Result<Self> {
        if bound > COUNTED_MAX {
            let by_form = Keys::by_form(target, scan)?;
            if by_form.is_known {
                return Ok(Keys::known(by_form.number.max(COUNTED_MAX)));
            }
        }
        let counted = count_entries(target, control, request, scan, bound)?;
        if counted < bound {
            return Ok(Keys::known(counted));
        }
        let by_form = Keys::by_form(target, scan)?;
        Ok(Keys { number: by_form.number.max(counted), ..by_form })
    }

    /// The entries that a scan reads, by the statistics of its index, or without them by its form.
    fn by_form(target: &Target<'_>, scan: &IndexScan) -> Result<Self> {
        let number = scan.definition.number;
        let index = target.indexes.iter().find(|index| index.definition.number == number);
        let Some(index) = index else { return Ok(Keys::known(0)) };
        let entries = index.totals.entries as f64;
        let histogram = index.statistics.histogram(target.state, number)?;
        // An index that has doubled since may have its new entries anywhere.
        if let Some(histogram) = histogram.filter(|known| known.entries() as f64 >= entries / 2.0) {
            // A key that is not of the index bounds nothing in it.
            let prefix = keys::entries(number);
            let part = |range: &Range| {
                let low = range.low.strip_prefix(&prefix[..]).unwrap_or_default();
                let high = range.high.as_ref().and_then(|high| high.strip_prefix(&prefix[..]));
                histogram.part_of(low, high)
            };
            let part = scan.ranges.iter().map(part).sum::<f64>().min(1.0);
            return Ok(Keys::known((part * entries) as u64));
        }
        let is_range =
            scan.ranges.iter().zip(&scan.prefixes).any(|(range, prefix)| range.low.len() > *prefix);
        let each = SELECTIVITY.powi(scan.fixed as i32) * if is_range { 0.3 } else { 1.0 };
        let number = ((each * scan.ranges.len() as f64).min(1.0) * entries) as u64;
        Ok(Keys { number, is_known: scan.fixed == 0 && !is_range })
    }
}

impl Sum for Keys {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Keys::known(0), |sum, one| Keys {
            number: sum.number + one.number,
            is_known: sum.is_known && one.is_known,
        })
    }
}

/// How many of `count` documents are read if they come in order and reading stops at a limit.
fn until_limit(request: &Request<'_>, candidate: &Candidate, count: u64, selectivity: f64) -> f64 {
    let needed = match request.limit {
        Some(limit) if candidate.is_sorted => limit as f64 / selectivity,
        _ => f64::INFINITY,
    };
    needed.min(count as f64)
}

fn scan_estimate(request: &Request<'_>, candidate: &Candidate) -> Estimate {
    let count = candidate.estimate.documents;
    let selectivity = if candidate.is_exact { 1.0 } else { SELECTIVITY };
    let read = until_limit(request, candidate, count, selectivity);
    let sorted = if candidate.is_sorted { 0.0 } else { read * selectivity * COST_SORTED };
    Estimate { keys: 0, documents: read as u64, cost: 1.0 + read * COST_SCANNED + sorted }
}

fn index_estimate(request: &Request<'_>, candidate: &Candidate, keys: u64) -> Estimate {
    let selectivity = if candidate.is_exact { 1.0 } else { 0.5 };
    let read = until_limit(request, candidate, keys, selectivity);
    let sorted = if candidate.is_sorted { 0.0 } else { read * COST_SORTED };
    let cost = read * COST_ENTRY + sorted;
    Estimate { keys: read as u64, documents: read as u64, cost }
}

/// Counts the entries of a scan's ranges, up to the bound, without those that the hints skip.
fn count_entries(
    target: &Target<'_>,
    control: &Control,
    request: &Request<'_>,
    scan: &IndexScan,
    bound: u64,
) -> Result<u64> {
    let mut count = 0;
    for (range, prefix) in scan.ranges.iter().zip(&scan.prefixes) {
        let hint = request.remembered.and_then(|hints| hints.of(&range.low[..*prefix]));
        let mut parts = Parts::of(range, scan.direction);
        while count < bound
            && let Some(mut part) = parts.next(hint)
        {
            while let Some(last) = count_piece(target, &part, scan.direction, bound, &mut count)? {
                control.check()?;
                match scan.direction {
                    Direction::Forward => {
                        part.low = last;
                        part.low.push(0);
                    }
                    Direction::Backward => part.high = Some(last),
                }
            }
        }
    }
    Ok(count)
}

/// Counts entries of a part of a range up to the bound. Returns the last key, if it stopped before that.
fn count_piece(
    target: &Target<'_>,
    part: &Range,
    direction: Direction,
    bound: u64,
    count: &mut u64,
) -> Result<Option<Key>> {
    let (mut bytes, mut last) = (0, None);
    let _ = visit_part(target.state, INDEXES, part, direction, |key, value| {
        *count += 1;
        bytes += key.len() + value.len();
        if *count < bound && bytes < PIECE_BYTES {
            return Ok(ControlFlow::Continue(()));
        }
        last = (*count < bound).then(|| Key::from_slice(key));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(last)
}

/// The intersection of two index scans, if that leaves much less to fetch than either of them.
pub(super) fn intersection(
    target: &Target<'_>,
    request: &Request<'_>,
    candidates: &[Candidate],
) -> Option<Candidate> {
    if request.limit.is_some_and(|limit| limit <= LIMIT_SMALL) {
        return None;
    }
    let mut scans: Vec<_> = candidates
        .iter()
        .filter_map(|candidate| match &candidate.access {
            Access::Index(scan) if scan.fixed > 0 => Some((scan, candidate.estimate.keys)),
            _ => None,
        })
        .collect();
    scans.sort_by_key(|(_, keys)| *keys);
    let [(first, few), (second, more), ..] = scans[..] else { return None };
    let common = few as f64 * more as f64 / (target.count.max(1)) as f64;
    let is_sorted = matches!(request.order, super::target::Order::Any);
    let sorted = if is_sorted { 0.0 } else { common * COST_SORTED };
    // Each entry is read, and its id is stored or looked up.
    let cost = (few + more) as f64 * COST_KEY * 2.0 + common + sorted;
    let estimate = Estimate { keys: few + more, documents: common as u64, cost };
    let access = Access::Intersection(Box::new(first.clone()), Box::new(second.clone()));
    Some(Candidate { access, is_exact: false, is_sorted, estimate })
}
