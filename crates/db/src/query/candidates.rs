//! The candidates: every access path that a filter allows.

use smallvec::SmallVec;
use velocitydb_core::filter::{Predicate, Test};
use velocitydb_core::key::Direction;
use velocitydb_core::sort::SortKey;
use velocitydb_core::{DocumentId, Path, Value};
use velocitydb_storage::Direction as ScanDirection;

use super::access::{Access, IndexScan, Merge, OrderAt, Range};
use super::candidate::{Candidate, Estimate};
use super::implied::{is_implied, is_present};
use super::interval::{Interval, Intervals};
use super::target::{Order, Request, Target, UsableIndex};
use crate::index::Definition;
use crate::keys::{self, Key};

/// The maximum number of ranges of one scan: `$in` lists on several keys multiply.
const RANGES_MAX: usize = 1_000;

/// How deep unions are planned within unions.
const UNION_DEPTH_MAX: usize = 2;

/// The conjuncts of a predicate.
pub(super) fn conjuncts(predicate: &Predicate) -> Vec<&Predicate> {
    match predicate {
        Predicate::True => Vec::new(),
        Predicate::And(parts) => parts.iter().collect(),
        other => vec![other],
    }
}

/// The access path without an index: by id.
pub(super) fn collection(
    target: &Target<'_>,
    request: &Request<'_>,
    conjuncts: &[&Predicate],
) -> Candidate {
    let (direction, is_sorted) = id_order(request);
    let mut ids: Option<Intervals> = None;
    let mut is_exact = true;
    for conjunct in conjuncts {
        let intervals = match conjunct {
            Predicate::Field { path, test } if is_id(path) => Intervals::of(test, false),
            _ => None,
        };
        is_exact &= intervals.as_ref().is_some_and(|intervals| intervals.is_exact);
        ids = match (ids, intervals) {
            (Some(one), Some(other)) => Some(one.intersect(&other)),
            (one, other) => one.or(other),
        };
    }
    let prefix = keys::documents(target.number);
    let mut estimate = Estimate::of_scan(target.count);
    let access = match ids {
        None => Access::Collection(Range { high: keys::end_of(&prefix), low: prefix }, direction),
        Some(ids) if ids.are_points() => {
            estimate = Estimate::of_gets(ids.list.len() as u64);
            let mut ids: Vec<_> = ids.list.iter().filter_map(point_id).collect();
            ids.sort_unstable();
            if direction == ScanDirection::Backward {
                ids.reverse();
            }
            if ids.is_empty() { Access::Nothing } else { Access::Ids(ids) }
        }
        Some(ids) => {
            let low =
                ids.list.first().map(|first| DocumentId::bound(&first.low)).unwrap_or_default();
            let high = ids.list.last().and_then(|last| last.high.as_deref().map(DocumentId::bound));
            // The filter excludes what is between the intervals.
            is_exact &= ids.list.len() == 1;
            estimate = Estimate::of_scan(target.count / 3);
            let high = match high {
                Some(high) => Some([&prefix[..], &high].concat().into()),
                None => keys::end_of(&prefix),
            };
            Access::Collection(Range { low: [&prefix[..], &low].concat().into(), high }, direction)
        }
    };
    Candidate { access, is_exact, is_sorted, estimate }
}

/// The direction of a scan by id, and whether that gives the requested order.
fn id_order(request: &Request<'_>) -> (ScanDirection, bool) {
    let Order::By(sort) = request.order else { return (ScanDirection::Forward, true) };
    let direction = sort.keys().first().map(|key| key.direction).unwrap_or_default();
    let is_sorted = sort.keys().first().is_none_or(|key| is_id(&key.path));
    match direction {
        Direction::Ascending => (ScanDirection::Forward, is_sorted),
        Direction::Descending if is_sorted => (ScanDirection::Backward, true),
        Direction::Descending => (ScanDirection::Forward, false),
    }
}

/// Whether a path is that of the document's id.
pub(super) fn is_id(path: &Path) -> bool {
    matches!(path.segments(), [only] if only.name() == "_id")
}

/// The id of an interval that is one component; `None` if its value cannot be an id.
fn point_id(interval: &Interval) -> Option<DocumentId> {
    let (value, _) = velocitydb_core::key::decode_key(&interval.low, Direction::Ascending).ok()?;
    DocumentId::new(value).ok()
}

/// The access paths by one index.
pub(super) fn index_scans(
    target: &Target<'_>,
    request: &Request<'_>,
    conjuncts: &[&Predicate],
) -> Vec<Candidate> {
    target.indexes.iter().filter_map(|index| index_scan(index, request, conjuncts)).collect()
}

fn index_scan(
    index: &UsableIndex,
    request: &Request<'_>,
    conjuncts: &[&Predicate],
) -> Option<Candidate> {
    let definition = &index.definition;
    if !has_all(definition, conjuncts) {
        return None;
    }
    let built = Built::new(index, conjuncts);
    let order = built.order(index, request);
    let is_bounded = built.bounded > 0;
    if !is_bounded && order.is_none() && definition.spec.partial_filter().is_none() {
        return None;
    }
    let Found { direction, merge, order_at } = order.unwrap_or(Found {
        direction: ScanDirection::Forward,
        merge: Merge::Concatenated,
        order_at: None,
    });
    let is_sorted = order_at.is_some() || matches!(request.order, Order::Any);
    let scan = IndexScan {
        definition: definition.clone(),
        prefixes: built.prefixes,
        ranges: built.ranges,
        fixed: built.fixed,
        direction,
        merge,
        order_at,
        has_repeats: built.has_repeats,
    };
    let access = if scan.ranges.is_empty() { Access::Nothing } else { Access::Index(scan) };
    let is_exact = built.is_exact;
    Some(Candidate { access, is_exact, is_sorted, estimate: Estimate::default() })
}

/// Whether an index has all documents that match the conjuncts.
fn has_all(definition: &Definition, conjuncts: &[&Predicate]) -> bool {
    let is_partial_enough = definition
        .spec
        .partial_filter()
        .is_none_or(|partial| is_implied(partial.predicate(), conjuncts));
    let is_sparse_enough =
        !definition.spec.is_sparse() || definition.paths().any(|path| is_present(path, conjuncts));
    is_partial_enough && is_sparse_enough
}

/// The ranges of an index that conjuncts bound.
struct Built {
    ranges: Vec<Range>,
    prefixes: Vec<usize>,
    fixed: usize,
    /// By key, whether all entries in the ranges have the same value.
    constant: SmallVec<[bool; 8]>,
    bounded: usize,
    is_exact: bool,
    has_repeats: bool,
}

/// The intervals of one key of an index, and the conjuncts that they represent.
struct KeyBounds {
    intervals: Intervals,
    /// Numbers of the conjuncts that need not be evaluated again.
    settled: SmallVec<[usize; 4]>,
}

impl Built {
    fn new(index: &UsableIndex, conjuncts: &[&Predicate]) -> Self {
        let definition = &index.definition;
        let mut bases: Vec<Key> = vec![keys::entries(definition.number)];
        let mut built = Built {
            ranges: Vec::new(),
            prefixes: Vec::new(),
            fixed: 0,
            constant: SmallVec::new(),
            bounded: 0,
            is_exact: false,
            has_repeats: false,
        };
        let mut settled: SmallVec<[usize; 4]> = SmallVec::new();
        let mut last = None;
        for (key, path) in definition.paths().enumerate() {
            let is_multikey = index.totals.is_multikey(key);
            // An array can have several entries of a document, unless the value is fixed.
            let Some(bounds) = key_bounds(path, is_multikey, conjuncts) else { break };
            built.bounded += 1;
            settled.extend(bounds.settled);
            let direction = definition.direction(key);
            let list = bounds.intervals.list.iter().map(|one| one.in_direction(direction));
            let list: Vec<Interval> = list.collect();
            let is_fixed = bounds.intervals.are_points()
                && bases.len().saturating_mul(list.len()) <= RANGES_MAX;
            if !is_fixed {
                last = Some(list);
                built.has_repeats |= is_multikey;
                break;
            }
            built.has_repeats |= is_multikey && list.len() > 1;
            built.constant.push(list.len() == 1 && !is_multikey);
            bases = extend(&bases, &list);
            built.fixed += 1;
        }
        for key in built.bounded..definition.paths().len() {
            built.has_repeats |= index.totals.is_multikey(key);
        }
        built.constant.resize(definition.paths().len(), false);
        bases.sort_unstable();
        let partial = definition.spec.partial_filter();
        let of_partial = partial.map(|partial| self::conjuncts(partial.predicate()));
        let is_settled = |number: usize| {
            let is_partial = |parts: &Vec<&Predicate>| parts.contains(&conjuncts[number]);
            settled.contains(&number) || of_partial.as_ref().is_some_and(is_partial)
        };
        built.is_exact = (0..conjuncts.len()).all(is_settled);
        built.set_ranges(bases, last);
        built
    }

    fn set_ranges(&mut self, bases: Vec<Key>, last: Option<Vec<Interval>>) {
        let Some(mut intervals) = last else {
            self.prefixes = bases.iter().map(|base| base.len()).collect();
            let range = |low: Key| Range { high: keys::end_of(&low), low };
            self.ranges = bases.into_iter().map(range).collect();
            return;
        };
        intervals.sort_by(|one, other| one.low.cmp(&other.low));
        // If the list is too long, the filter checks it instead.
        let (first, end) = (intervals.first().cloned(), intervals.last().cloned());
        if bases.len().saturating_mul(intervals.len()) > RANGES_MAX
            && let (Some(first), Some(end)) = (first, end)
        {
            intervals = vec![Interval { low: first.low, high: end.high, is_point: false }];
            self.is_exact = false;
        }
        for base in &bases {
            for interval in &intervals {
                let low: Key = [&base[..], &interval.low].concat().into();
                let high = match &interval.high {
                    Some(high) => Some([&base[..], high].concat().into()),
                    None => keys::end_of(base),
                };
                self.ranges.push(Range { low, high });
                self.prefixes.push(base.len());
            }
        }
    }

    /// How the ranges give the requested order, if they can.
    fn order(&self, index: &UsableIndex, request: &Request<'_>) -> Option<Found> {
        let Order::By(sort) = request.order else { return None };
        let keys = sort.keys();
        let id_at = keys.iter().position(|key| is_id(&key.path));
        let id_direction = match id_at {
            Some(at) => keys[at].direction,
            None => request.order.id_direction(),
        };
        let keys = &keys[..id_at.unwrap_or(keys.len())];
        let concatenated = self.direction_of(index, keys, id_direction, 0);
        let merged = || self.direction_of(index, keys, id_direction, self.fixed);
        let is_whole = |order: &(ScanDirection, Ties)| order.1 == Ties::InOrder;
        if let Some((direction, ties)) = concatenated.filter(|order| {
            // Merged ranges may give the whole order if concatenated ones leave ties.
            is_whole(order) || !merged().is_some_and(|merged| is_whole(&merged))
        }) {
            let lead = self.constant.iter().take_while(|constant| **constant).count();
            let order_at = match ties {
                Ties::InOrder => self.shared_lead(index, keys, lead).map(OrderAt::Shared),
                Ties::Open => Some(OrderAt::Ties),
            };
            let order_at = Some(order_at.unwrap_or(OrderAt::Spread));
            return Some(Found { direction, merge: Merge::Concatenated, order_at });
        }
        let (direction, ties) = merged()?;
        let is_plain = index.definition.paths().len() - self.fixed == keys.len();
        let order_at = match ties {
            Ties::InOrder if is_plain => OrderAt::Prefix,
            Ties::InOrder => OrderAt::Spread,
            Ties::Open => OrderAt::Ties,
        };
        Some(Found { direction, merge: Merge::Ordered, order_at: Some(order_at) })
    }

    /// In which direction the keys of the index from `first` on have the order of `keys`, and
    /// whether also that of ids.
    fn direction_of(
        &self,
        index: &UsableIndex,
        keys: &[SortKey],
        id_direction: Direction,
        first: usize,
    ) -> Option<(ScanDirection, Ties)> {
        let definition = &index.definition;
        let paths: SmallVec<[&Path; 8]> = definition.paths().collect();
        let is_constant = |path: &Path| {
            paths.iter().zip(&self.constant).any(|(one, constant)| *constant && *one == path)
        };
        let mut wanted = keys.iter().filter(|key| !is_constant(&key.path));
        let mut found: Option<ScanDirection> = None;
        let mut agree = |same: bool| {
            let direction = if same { ScanDirection::Forward } else { ScanDirection::Backward };
            *found.get_or_insert(direction) == direction
        };
        let (mut matched, mut ties) = (0, Ties::InOrder);
        for key in first..paths.len() {
            if self.constant[key] {
                continue;
            }
            let Some(next) = wanted.next() else {
                ties = Ties::Open;
                break;
            };
            let is_usable = next.path == *paths[key] && !index.totals.is_multikey(key);
            if !is_usable || !agree(next.direction == definition.direction(key)) {
                return None;
            }
            matched += 1;
        }
        if wanted.next().is_some() {
            return None;
        }
        // No two entries of a unique index have the same values, so ids do not matter. But entries
        // of different ranges may differ only in the ranges' prefixes.
        let is_told_apart = definition.spec.is_unique() && (first == 0 || self.ranges.len() == 1);
        let ids_decide = !is_told_apart && ties == Ties::InOrder;
        if ids_decide && !agree(id_direction == definition.last_direction()) {
            ties = Ties::Open;
        }
        // If no key is in order, all documents would be one tie.
        (matched > 0 || ties == Ties::InOrder)
            .then(|| (found.unwrap_or(ScanDirection::Forward), ties))
    }

    /// How many bytes precede the order in all ranges, if exactly the order follows them.
    fn shared_lead(&self, index: &UsableIndex, keys: &[SortKey], lead: usize) -> Option<usize> {
        let is_contiguous = self.constant[lead..].iter().all(|constant| !constant)
            && index.definition.paths().len() - lead == keys.len();
        let first = self.ranges.first()?;
        if !is_contiguous {
            return None;
        }
        let mut length = keys::entries(index.definition.number).len();
        for key in 0..lead {
            let rest = first.low.get(length..)?;
            let direction = index.definition.direction(key);
            length += velocitydb_core::key::skip_key(rest, direction).ok()?;
        }
        Some(length)
    }
}

/// Whether documents with equal sort keys come in the order of their ids.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ties {
    InOrder,
    Open,
}

/// How an order was found.
struct Found {
    direction: ScanDirection,
    merge: Merge,
    order_at: Option<OrderAt>,
}

fn extend(bases: &[Key], points: &[Interval]) -> Vec<Key> {
    let with = |base: &Key, point: &Interval| [&base[..], &point.low].concat().into();
    bases.iter().flat_map(|base| points.iter().map(move |point| with(base, point))).collect()
}

/// The bounds that the conjuncts put on the values at a path.
fn key_bounds(path: &Path, is_multikey: bool, conjuncts: &[&Predicate]) -> Option<KeyBounds> {
    let mut bounds: Option<KeyBounds> = None;
    for (number, conjunct) in conjuncts.iter().enumerate() {
        let Predicate::Field { path: other, test } = conjunct else { continue };
        if other != path {
            continue;
        }
        let Some(intervals) = Intervals::of(test, is_multikey) else { continue };
        let is_settled = intervals.is_exact && (!is_multikey || is_plain_equality(test));
        let mut settled = SmallVec::new();
        if is_settled {
            settled.push(number);
        }
        bounds = Some(match bounds {
            None => KeyBounds { intervals, settled },
            // Different elements of an array may satisfy the two conjuncts: only one of them can
            // bound the scan.
            Some(before) if is_multikey => match is_better(&intervals, &before.intervals) {
                true => KeyBounds { intervals, settled },
                false => before,
            },
            Some(mut before) => {
                before.settled.extend(settled);
                let intervals = before.intervals.intersect(&intervals);
                KeyBounds { intervals, settled: before.settled }
            }
        });
    }
    bounds
}

/// Whether a test on an array matches exactly the documents with an element of that value.
fn is_plain_equality(test: &Test) -> bool {
    match test {
        Test::Eq(value) => !matches!(value, Value::Null | Value::Array(_)),
        Test::In(choices) => {
            let is_plain = |value: &Value| !matches!(value, Value::Null | Value::Array(_));
            choices.patterns().is_empty() && choices.values().iter().all(is_plain)
        }
        _ => false,
    }
}

fn is_better(one: &Intervals, other: &Intervals) -> bool {
    let rank = |intervals: &Intervals| (!intervals.are_points(), intervals.list.len());
    rank(one) < rank(other)
}

/// The union of several access paths, one for each part of an `$or`.
pub(super) fn union(
    target: &Target<'_>,
    request: &Request<'_>,
    conjuncts: &[&Predicate],
) -> Option<Candidate> {
    let unions = conjuncts.iter().filter_map(|conjunct| match conjunct {
        Predicate::Or(parts) => union_of(target, request, parts, UNION_DEPTH_MAX),
        _ => None,
    });
    let access = unions.into_iter().next()?;
    let is_sorted = matches!(request.order, Order::Any);
    Some(Candidate { access, is_exact: false, is_sorted, estimate: Estimate::default() })
}

fn union_of(
    target: &Target<'_>,
    request: &Request<'_>,
    parts: &[Predicate],
    depth_left: usize,
) -> Option<Access> {
    let depth_left = depth_left.checked_sub(1)?;
    let mut branches = Vec::with_capacity(parts.len());
    for part in parts {
        let conjuncts = conjuncts(part);
        let unordered = Request { order: Order::Any, limit: None, ..*request };
        let by_id = collection(target, &unordered, &conjuncts);
        if matches!(by_id.access, Access::Ids(_) | Access::Nothing) {
            branches.push(by_id.access);
            continue;
        }
        let scans = index_scans(target, &unordered, &conjuncts);
        let rank = |candidate: &Candidate| match &candidate.access {
            Access::Index(scan) => (!candidate.is_exact, usize::MAX - scan.fixed),
            _ => (false, 0),
        };
        let best = scans.into_iter().min_by_key(rank).map(|candidate| candidate.access);
        let nested = || {
            conjuncts.iter().find_map(|conjunct| match conjunct {
                Predicate::Or(parts) => union_of(target, request, parts, depth_left),
                _ => None,
            })
        };
        branches.push(best.or_else(nested)?);
    }
    Some(Access::Union(branches))
}
