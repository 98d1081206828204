//! [`Estimate`]: the expected cost of an access path.
//!
//! Small ranges are counted, up to a bound; larger ones are estimated from the statistics of the
//! index, or without them from their form. The unit of cost is fetching one document by its id.

use std::ops::ControlFlow;

use super::access::{Access, IndexScan, Range};
use super::candidate::{Candidate, Estimate};
use super::progress::{Parts, visit_part};
use super::target::{Request, Target};
use crate::Result;
use crate::keys::INDEXES;

/// How many entries of a range are counted at the most.
const COUNTED_MAX: u64 = 64;

/// With a limit up to this and the right order, an index is used without counting.
const LIMIT_SMALL: u64 = 100;

const COST_KEY: f64 = 0.1;
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
    pub(super) fn all(
        target: &Target<'_>,
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
        for candidate in candidates {
            let keys_of = |scan: &IndexScan| match has_quick {
                true => Ok(entries_by_form(target, scan)),
                false => entries_in(target, request, scan),
            };
            candidate.estimate = match &candidate.access {
                Access::Collection(..) => scan_estimate(request, candidate),
                Access::Index(_) if is_quick(candidate) => {
                    index_estimate(request, candidate, request.limit.unwrap_or(LIMIT_SMALL))
                }
                Access::Index(scan) => index_estimate(request, candidate, keys_of(scan)?),
                Access::Union(parts) => {
                    let mut keys = 0;
                    for part in parts {
                        if let Access::Index(scan) = part {
                            keys += keys_of(scan)?;
                        }
                    }
                    index_estimate(request, candidate, keys)
                }
                Access::Nothing | Access::Ids(_) | Access::Intersection(..) => candidate.estimate,
            };
        }
        Ok(())
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
    let cost = read * (COST_KEY + 1.0) + sorted;
    Estimate { keys: read as u64, documents: read as u64, cost }
}

/// About how many entries a scan reads.
fn entries_in(target: &Target<'_>, request: &Request<'_>, scan: &IndexScan) -> Result<u64> {
    let counted = count_entries(target, request, scan)?;
    if counted < COUNTED_MAX {
        return Ok(counted);
    }
    Ok(entries_by_form(target, scan).max(counted))
}

/// Counts the entries of a scan's ranges, up to the bound, without those that the hints skip.
fn count_entries(target: &Target<'_>, request: &Request<'_>, scan: &IndexScan) -> Result<u64> {
    let mut count = 0;
    for (range, prefix) in scan.ranges.iter().zip(&scan.prefixes) {
        let hint = request.remembered.and_then(|hints| hints.of(&range.low[..*prefix]));
        let mut parts = Parts::of(range, scan.direction);
        while count < COUNTED_MAX
            && let Some(part) = parts.next(hint)
        {
            let _ = visit_part(target.state, INDEXES, &part, scan.direction, |_, _| {
                count += 1;
                let is_enough = count >= COUNTED_MAX;
                Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
        }
    }
    Ok(count)
}

/// About how many entries a scan reads, by the statistics of its index.
fn entries_by_form(target: &Target<'_>, scan: &IndexScan) -> u64 {
    let number = scan.definition.number;
    let index = target.indexes.iter().find(|index| index.definition.number == number);
    let Some(index) = index else { return 0 };
    let entries = index.totals.entries as f64;
    if let Some(statistics) = &index.statistics {
        let part = |range: &Range| statistics.part_of(&range.low, range.high.as_deref());
        return (scan.ranges.iter().map(part).sum::<f64>().min(1.0) * entries) as u64;
    }
    let is_range =
        scan.ranges.iter().zip(&scan.prefixes).any(|(range, prefix)| range.low.len() > *prefix);
    let each = SELECTIVITY.powi(scan.fixed as i32) * if is_range { 0.3 } else { 1.0 };
    ((each * scan.ranges.len() as f64).min(1.0) * entries) as u64
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
