//! [`select`]: the documents of a filter, in order, between an offset and a limit.

use std::ops::ControlFlow;

use velocitydb_core::key::{Direction, skip_key};
use velocitydb_core::{DocumentView, Filter, IdRef, Path, Sort};
use velocitydb_storage::{Bounds, Direction as ScanDirection};

use super::access::{Access, IndexScan, Merge, OrderAt};
use super::candidates::is_id;
use super::control::Control;
use super::execute::{AHEAD_MAX, Execution};
use super::hit::{Examined, Hit, Need, Record, Visit};
use super::plan::{Plan, plan};
use super::sorter::Sorter;
use super::target::{Order, Remembered, Request, Target, id_direction};
use crate::Result;
use crate::index::append_id;
use crate::keys::{INDEXES, Key, end_of};

/// Which documents are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Selection<'a> {
    pub(crate) filter: &'a Filter,
    pub(crate) order: Order<'a>,
    /// How many to skip first.
    pub(crate) offset: u64,
    pub(crate) limit: Option<u64>,
    /// The position in the order after which to begin.
    pub(crate) after: Option<&'a [u8]>,
    /// How much of the documents is needed.
    pub(crate) need: Need,
    /// The needed paths, if only indexed fields are needed.
    pub(crate) fields: &'a [Path],
}

impl<'a> Selection<'a> {
    /// All documents that match a filter, in any order.
    pub(crate) fn new(filter: &'a Filter) -> Self {
        Selection {
            filter,
            order: Order::Any,
            offset: 0,
            limit: None,
            after: None,
            need: Need::Documents,
            fields: &[],
        }
    }

    fn request(&self) -> Request<'a> {
        let limit = self.limit.map(|limit| limit.saturating_add(self.offset));
        Request { filter: self.filter, order: self.order, limit, remembered: None }
    }

    /// The plan of this selection.
    pub(crate) fn plan(&self, target: &Target<'_>, control: &Control) -> Result<Plan> {
        plan(target, control, &self.request())
    }

    /// As [`plan`](Self::plan), with the hints for the ranges of indexes.
    pub(crate) fn plan_with(
        &self,
        target: &Target<'_>,
        control: &Control,
        remembered: &dyn Remembered,
    ) -> Result<Plan> {
        plan(target, control, &Request { remembered: Some(remembered), ..self.request() })
    }
}

/// Shows the documents of a selection, until the end or until `visit` breaks.
pub(crate) fn select(
    target: &Target<'_>,
    control: &Control,
    selection: &Selection<'_>,
    visit: &mut Visit<'_>,
) -> Result<Examined> {
    let mut plan = selection.plan(target, control)?;
    let mut execution = Execution::new(target, control, &plan, selection.filter);
    run(&mut plan, &mut execution, selection, visit)?;
    Ok(execution.examined)
}

/// How many documents match a filter.
pub(crate) fn count(target: &Target<'_>, control: &Control, filter: &Filter) -> Result<u64> {
    let selection = Selection { need: Need::Count, ..Selection::new(filter) };
    let mut plan = selection.plan(target, control)?;
    let mut count = 0;
    let is_counted = allowed_need(target, &plan, &selection) == Need::Count;
    if let (true, Access::Index(scan)) = (is_counted && !plan.access.has_repeats(), &plan.access) {
        for range in &scan.ranges {
            let bounds = Bounds { start: &range.low, end: range.high.as_deref() };
            let _ = target.state.try_scan(INDEXES, bounds, scan.direction, |_, _| {
                count += 1;
                control.step().map(ControlFlow::Continue)
            })?;
        }
        return Ok(count);
    }
    let mut execution = Execution::new(target, control, &plan, filter);
    run(&mut plan, &mut execution, &selection, &mut |_| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}

/// As [`select`], with a given plan.
pub(crate) fn run(
    plan: &mut Plan,
    execution: &mut Execution<'_>,
    selection: &Selection<'_>,
    visit: &mut Visit<'_>,
) -> Result<()> {
    execution.control.check()?;
    execution.need = allowed_need(execution.target, plan, selection);
    if let Some(limit) = selection.request().limit.filter(|_| plan.is_sorted) {
        // Reading ahead beyond the limit would be in vain.
        execution.ahead = usize::try_from(limit).unwrap_or(usize::MAX).clamp(1, AHEAD_MAX);
    }
    if selection.limit == Some(0) {
        return Ok(());
    }
    if !plan.is_sorted {
        return sort(plan, execution, selection, visit);
    }
    match plan.access.has_open_ties() {
        true => settle_ties(plan, execution, selection, visit),
        false => stream(plan, execution, selection, visit),
    }
}

/// How much of the documents has to be read with this plan.
pub(crate) fn allowed_need(target: &Target<'_>, plan: &Plan, selection: &Selection<'_>) -> Need {
    if target.now.is_some() {
        // Entries of indexes do not tell whether their documents have expired.
        return Need::Documents;
    }
    let is_counting = plan.is_exact && selection.after.is_none();
    match (selection.need, &plan.access) {
        (Need::Count, Access::Index(_)) if is_counting && matches!(selection.order, Order::Any) => {
            Need::Count
        }
        (Need::IndexedFields, Access::Index(scan)) => {
            let has = |path: &&Path| {
                scan.definition.paths().any(|indexed| indexed == *path) || is_id(path)
            };
            let is_enough = selection.filter.paths().iter().all(has)
                && selection.fields.iter().all(|path| has(&path))
                && (plan.is_sorted && !plan.access.has_open_ties()
                    || sort_paths(selection).iter().all(has));
            if is_enough { Need::IndexedFields } else { Need::Documents }
        }
        _ => Need::Documents,
    }
}

fn sort_paths<'a>(selection: &Selection<'a>) -> Vec<&'a Path> {
    match selection.order {
        Order::Any => Vec::new(),
        Order::By(sort) => sort.keys().iter().map(|key| &key.path).collect(),
    }
}

/// The documents come in order, and are shown as they come.
fn stream(
    plan: &mut Plan,
    execution: &mut Execution<'_>,
    selection: &Selection<'_>,
    visit: &mut Visit<'_>,
) -> Result<()> {
    let is_sought = match selection.after {
        Some(after) => seek(&mut plan.access, selection, after),
        None => true,
    };
    let mut shown = Shown { offset: selection.offset, left: selection.limit, visit };
    execution.run(&plan.access, &mut |hit| {
        if let Some(after) = selection.after.filter(|_| !is_sought)
            && &order_key(selection.order, &hit)?[..] <= after
        {
            return Ok(ControlFlow::Continue(()));
        }
        shown.show(hit)
    })
}

/// The documents come in order except for ties: those with equal sort keys are sorted by id, and
/// then shown.
fn settle_ties(
    plan: &Plan,
    execution: &mut Execution<'_>,
    selection: &Selection<'_>,
    visit: &mut Visit<'_>,
) -> Result<()> {
    let (control, pause) = (execution.control, execution.pause);
    let mut tied = Sorter::new(control, None);
    let mut tied_key = Key::new();
    let mut shown = Shown { offset: selection.offset, left: selection.limit, visit };
    let mut has_ended = false;
    execution.run(&plan.access, &mut |hit| {
        let (key, values) = order_key_parts(selection.order, &hit)?;
        if selection.after.is_some_and(|after| &key[..] <= after) {
            return Ok(ControlFlow::Continue(()));
        }
        if key[..values] != tied_key[..] {
            let before = std::mem::replace(&mut tied, Sorter::new(control, None));
            has_ended = shown.show_all(before)?.is_break();
            tied_key = Key::from_slice(&key[..values]);
            if let Some(pause) = pause.filter(|pause| pause.is_wanted()) {
                pause.leave_unread();
                has_ended = true;
            }
        }
        if has_ended {
            return Ok(ControlFlow::Break(()));
        }
        tied.push(key, hit)?;
        Ok(ControlFlow::Continue(()))
    })?;
    if !has_ended {
        let _ = shown.show_all(tied)?;
    }
    Ok(())
}

/// Applies offset and limit to documents that come in order.
struct Shown<'a, 'v> {
    offset: u64,
    left: Option<u64>,
    visit: &'a mut Visit<'v>,
}

impl Shown<'_, '_> {
    fn show(&mut self, hit: Hit<'_>) -> Result<ControlFlow<()>> {
        if self.offset > 0 {
            self.offset -= 1;
            return Ok(ControlFlow::Continue(()));
        }
        self.left = self.left.map(|left| left - 1);
        let flow = (self.visit)(hit)?;
        Ok(if self.left == Some(0) { ControlFlow::Break(()) } else { flow })
    }

    fn show_all(&mut self, sorter: Sorter<'_>) -> Result<ControlFlow<()>> {
        let mut flow = ControlFlow::Continue(());
        sorter.finish(|_, hit| {
            if flow.is_continue() {
                flow = self.show(hit)?;
            }
            Ok(())
        })?;
        Ok(flow)
    }
}

/// The documents come in any order, and are sorted first.
fn sort(
    plan: &Plan,
    execution: &mut Execution<'_>,
    selection: &Selection<'_>,
    visit: &mut Visit<'_>,
) -> Result<()> {
    let needed = selection.request().limit;
    let mut sorter = Sorter::new(execution.control, needed);
    execution.run(&plan.access, &mut |hit| {
        let key = order_key(selection.order, &hit)?;
        if selection.after.is_none_or(|after| &key[..] > after) {
            sorter.push(key, hit)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let mut shown = Shown { offset: selection.offset, left: selection.limit, visit };
    let _ = shown.show_all(sorter)?;
    Ok(())
}

/// The position of a document in an order: bytes that compare as the order does.
pub(crate) fn order_key(order: Order<'_>, hit: &Hit<'_>) -> Result<Key> {
    order_key_parts(order, hit).map(|(key, _)| key)
}

/// As [`order_key`], with how many of its bytes precede the id.
fn order_key_parts(order: Order<'_>, hit: &Hit<'_>) -> Result<(Key, usize)> {
    let Order::By(sort) = order else { return Ok((Key::from_slice(hit.id.as_bytes()), 0)) };
    let mut bytes = Vec::with_capacity(64);
    match &hit.record {
        Record::Covered(object) => sort.encode_key_object(object, &mut bytes),
        record if !sort.keys().is_empty() => {
            sort.encode_key(&DocumentView::decode(hit.id, record.bytes())?, &mut bytes)?;
        }
        _ => {}
    }
    let id_at = sort.keys().iter().position(|key| is_id(&key.path));
    let values = match id_at {
        Some(at) => {
            let mut length = 0;
            for key in &sort.keys()[..at] {
                length += skip_key(&bytes[length..], key.direction)?;
            }
            length
        }
        None => bytes.len(),
    };
    let mut key = Key::from_vec(bytes);
    append_id(hit.id, id_direction(sort), &mut key);
    Ok((key, values))
}

/// Makes an access path begin after a position in the order. `false` if it cannot; then earlier
/// documents have to be skipped.
fn seek(access: &mut Access, selection: &Selection<'_>, after: &[u8]) -> bool {
    let Order::By(sort) = selection.order else { return false };
    match access {
        Access::Collection(range, direction)
            if sort.keys().first().is_none_or(|key| is_id(&key.path)) =>
        {
            let Some(id) = id_of_place(sort, after) else { return false };
            let prefix = &range.low[..size_of::<crate::keys::CollectionNumber>()];
            let mut place: Key = [prefix, &id].concat().into();
            match direction {
                ScanDirection::Forward => {
                    place.push(0);
                    range.low = range.low.clone().max(place);
                }
                ScanDirection::Backward => {
                    range.high =
                        Some(range.high.take().map_or(place.clone(), |high| high.min(place)));
                }
            }
            true
        }
        Access::Index(scan) => seek_index(scan, sort, after),
        _ => false,
    }
}

fn seek_index(scan: &mut IndexScan, sort: &Sort, after: &[u8]) -> bool {
    // The id in an order's position has another encoding than in the keys of the index.
    let has_id =
        sort.keys().iter().any(|key| matches!(key.path.segments(), [one] if one.name() == "_id"));
    if has_id {
        return false;
    }
    let Some(place) = entry_place(scan, sort, after) else { return false };
    // Without an id, all entries of the position's values come before it, if there can only be
    // one.
    let is_merged = scan.merge == Merge::Ordered && scan.ranges.len() > 1;
    let is_told_apart = place.is_whole || !is_merged;
    for number in 0..scan.ranges.len() {
        let lead = match scan.order_at {
            Some(OrderAt::Shared(length)) => length,
            Some(OrderAt::Prefix) => scan.prefixes[number],
            Some(OrderAt::Spread | OrderAt::Ties) | None => return false,
        };
        let range = &mut scan.ranges[number];
        let at: Key = [&range.low[..lead], &place.bytes].concat().into();
        match scan.direction {
            ScanDirection::Forward => {
                let behind = match (place.is_whole, is_told_apart) {
                    (true, _) => [&at[..], &[0]].concat().into(),
                    (false, true) => end_of(&at).unwrap_or(at),
                    (false, false) => at,
                };
                range.low = range.low.clone().max(behind);
            }
            ScanDirection::Backward => {
                let end = if is_told_apart { Some(at) } else { end_of(&at) };
                range.high = match (range.high.take(), end) {
                    (Some(high), Some(end)) => Some(high.min(end)),
                    (high, end) => high.or(end),
                };
            }
        }
    }
    is_told_apart
}

/// A position in the order as the bytes of index keys.
struct OrderBound {
    bytes: Key,
    /// Whether they are a complete key; in a unique index it has no id.
    is_whole: bool,
}

/// How many bytes of a position in the order precede the id.
fn components_of_place(sort: &Sort, place: &[u8]) -> Option<usize> {
    let mut length = 0;
    for key in sort.keys() {
        length += skip_key(place.get(length..)?, key.direction).ok()?;
    }
    Some(length)
}

/// The id of a position in the order, in bytes.
fn id_of_place(sort: &Sort, place: &[u8]) -> Option<Vec<u8>> {
    let id = place.get(components_of_place(sort, place)?..)?;
    Some(match id_direction(sort) {
        Direction::Ascending => id.to_vec(),
        Direction::Descending => id.split_last()?.1.iter().map(|byte| !byte).collect(),
    })
}

fn entry_place(scan: &IndexScan, sort: &Sort, after: &[u8]) -> Option<OrderBound> {
    let components = after.get(..components_of_place(sort, after)?)?;
    let is_unique = scan.definition.spec.is_unique();
    let mut bytes = Key::from_slice(components);
    if !is_unique {
        // The id is decoded from the order's encoding, and encoded as in the index.
        let id = id_of_place(sort, after)?;
        let id = IdRef::from_bytes(&id).ok()?;
        if scan.direction == ScanDirection::Backward {
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
        }
        append_id(id, scan.definition.last_direction(), &mut bytes);
    } else if scan.direction == ScanDirection::Backward {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    Some(OrderBound { bytes, is_whole: !is_unique })
}
