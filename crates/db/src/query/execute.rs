//! [`Execution`]: executes a plan, and passes every matching document to a visitor.

use std::collections::HashSet;
use std::ops::ControlFlow;

use smallvec::SmallVec;
use velocitydb_core::filter::Awaits;
use velocitydb_core::{DocumentId, DocumentView, Filter, IdRef, Object, Time};
use velocitydb_storage::{Bounds, Direction};

use super::access::{Access, IndexScan, Merge, Range};
use super::control::{Control, Pause};
use super::hint::{Hint, Moves, Reached};
use super::hit::{Accept, Demand, Examined, Hit, Need, Record, Visit};
use super::merge::Merged;
use super::plan::Plan;
use super::progress::{Parts, Progress, RangeProgress, Verdict, corrupt_entry, visit_part};
use super::target::Target;
use crate::Result;
use crate::index::{Content, Definition, EntryId, split_entry};
use crate::keys::{self, DOCUMENTS, INDEXES, Key};

/// Ids of documents that were already found.
pub(super) type Seen = HashSet<Box<[u8]>>;

/// The execution of a plan.
pub(crate) struct Execution<'a> {
    pub(crate) target: &'a Target<'a>,
    pub(crate) control: &'a Control,
    /// The part of the filter that the access path does not guarantee.
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) need: Need,
    /// Documents that have expired by then are skipped.
    now: Option<Time>,
    pub(crate) examined: Examined,
    /// How many entries may be read ahead of their documents.
    pub(crate) ahead: usize,
    /// The ids that were found, if the access path can find a document more than once.
    seen: Option<Seen>,
    /// A further condition on documents that match the filter.
    pub(crate) accept: Option<&'a Demand<'a>>,
    /// The hints for the ranges, and how far the search has come in them.
    progress: Option<Progress<'a>>,
    /// Whether moving the filter's bounds can make a document match.
    has_bounds: bool,
    /// How many ranges the earlier parts of a union have.
    ranges_before: usize,
    /// The verdict on the last document.
    verdict: Verdict,
    /// Asks the execution to suspend; `None` if it cannot be resumed.
    pub(super) pause: Option<&'a Pause>,
}

impl<'a> Execution<'a> {
    pub(crate) fn new(
        target: &'a Target<'a>,
        control: &'a Control,
        plan: &Plan,
        filter: &'a Filter,
    ) -> Self {
        Execution {
            target,
            control,
            filter: (!plan.is_exact).then_some(filter),
            need: Need::Documents,
            now: target.now,
            examined: Examined::default(),
            ahead: AHEAD_MAX,
            seen: None,
            accept: None,
            progress: None,
            has_bounds: false,
            ranges_before: 0,
            verdict: Verdict::Closed,
            pause: None,
        }
    }

    /// Resumes a suspended execution, or begins one that can be suspended.
    pub(super) fn track(&mut self, progress: Progress<'a>, seen: Option<Seen>, pause: &'a Pause) {
        (self.progress, self.seen, self.pause) = (Some(progress), seen, Some(pause));
    }

    /// The ids that were found, if the access path can find a document more than once.
    pub(super) fn take_seen(&mut self) -> Option<Seen> {
        self.seen.take()
    }

    /// Skips the closed keys in the ranges of the plan, in the order of
    /// [`Access::scanned_ranges`](super::Access::scanned_ranges), and records what it learns.
    pub(crate) fn use_hints(&mut self, hints: Vec<Option<&'a Hint>>) {
        self.has_bounds = self.filter.is_some_and(|filter| !filter.shape().bounds.is_empty());
        self.progress = Some(Progress::new(hints));
    }

    /// Returns what was learned of the ranges.
    pub(crate) fn into_ranges(self) -> Vec<RangeProgress> {
        self.progress.map(Progress::into_ranges).unwrap_or_default()
    }

    /// Passes the documents of the access path to `visit`, until the end or until it breaks.
    pub(crate) fn run(&mut self, access: &Access, visit: &mut Visit<'_>) -> Result<()> {
        if access.has_repeats() {
            self.seen.get_or_insert_default();
        }
        self.follow(access, visit).map(drop)
    }

    fn follow(&mut self, access: &Access, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
        match access {
            Access::Nothing => Ok(ControlFlow::Continue(())),
            Access::Ids(ids) => {
                for id in ids.iter().map(DocumentId::by_ref) {
                    if self.is_new(id)? && self.fetch(id, None, visit)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            }
            Access::Collection(range, direction) => self.scan_documents(range, *direction, visit),
            Access::Index(scan) => self.scan_index(scan, visit),
            Access::Union(parts) => {
                for part in parts {
                    if self.follow(part, visit)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            }
            Access::Intersection(first, second) => self.intersect(first, second, visit),
        }
    }

    fn scan_documents(
        &mut self,
        range: &Range,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let (state, place) = (self.target.state, self.take_numbers(1));
        let mut parts = Parts::of(range, direction);
        while let Some(part) = parts.next(self.hint(place)) {
            let flow = visit_part(state, DOCUMENTS, &part, direction, |key, record| {
                self.scan_document(place, key, record, visit)
            });
            if flow?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.reach(place, Reached::End);
        Ok(ControlFlow::Continue(()))
    }

    fn scan_document(
        &mut self,
        place: usize,
        key: &[u8],
        record: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let Some((_, id)) = keys::split_document(key) else {
            return Err(corrupt_entry("document key", key));
        };
        self.examined.documents += 1;
        if !self.is_new(id)? {
            self.verdict = Verdict::Open;
            self.note(place, key);
            return Ok(ControlFlow::Continue(()));
        }
        let flow = self.show(id, Record::Bytes(record), visit)?;
        self.note(place, key);
        Ok(flow)
    }

    fn scan_index(&mut self, scan: &IndexScan, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
        let first = self.take_numbers(scan.ranges.len());
        if scan.merge == Merge::Ordered && scan.ranges.len() > 1 {
            return self.merge_ranges(scan, first, visit);
        }
        let mut numbers: Vec<usize> = (0..scan.ranges.len()).collect();
        if scan.direction == Direction::Backward {
            numbers.reverse();
        }
        // A skipped entry must not be noted before those that were read ahead of it.
        let is_noted = self.progress.is_some() && self.seen.is_some();
        let is_ahead = self.need == Need::Documents && self.ahead > 1 && !is_noted;
        let state = self.target.state;
        for number in numbers {
            let place = ScanRange { scan, number, of_all: first + number };
            let mut parts = Parts::of(&scan.ranges[number], scan.direction);
            let mut ahead = Ahead::default();
            while let Some(part) = parts.next(self.hint(place.of_all)) {
                let flow =
                    visit_part(
                        state,
                        INDEXES,
                        &part,
                        scan.direction,
                        |key, value| match is_ahead {
                            true => self.enter_ahead(&place, key, value, &mut ahead, visit),
                            false => self.enter(&place, key, value, visit),
                        },
                    );
                if flow?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if self.catch_up(&place, &mut ahead, visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.reach(place.of_all, Reached::End);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Collects one entry of an index, and reads the documents once several are collected.
    fn enter_ahead(
        &mut self,
        place: &ScanRange<'_>,
        key: &[u8],
        value: &[u8],
        ahead: &mut Ahead,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        self.examined.keys += 1;
        let (id, _) = place.split_entry(key, value)?;
        let id = id.by_ref();
        if !self.is_new(id)? {
            return Ok(ControlFlow::Continue(()));
        }
        ahead.entries.push((Key::from_slice(key), keys::document(self.target.number, id)));
        match ahead.entries.len() < self.ahead {
            true => Ok(ControlFlow::Continue(())),
            false => self.catch_up(place, ahead, visit),
        }
    }

    /// Reads the documents of the collected entries.
    fn catch_up(
        &mut self,
        place: &ScanRange<'_>,
        ahead: &mut Ahead,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        if ahead.entries.len() > 1 {
            let wanted: SmallVec<[&[u8]; AHEAD_MAX]> =
                ahead.entries.iter().map(|(_, document)| &document[..]).collect();
            self.target.state.prefetch(DOCUMENTS, &wanted);
        }
        for (key, document) in ahead.entries.drain(..) {
            let Some((_, id)) = keys::split_document(&document) else {
                return Err(corrupt_entry("index entry", &key));
            };
            if self.fetch_key(id, &document, Some((place, &key)), visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Merges the ranges, in the order of what follows their prefixes.
    fn merge_ranges(
        &mut self,
        scan: &IndexScan,
        first: usize,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let progress = self.progress.as_ref();
        let hint_of = |number| progress.and_then(|progress| progress.hint(first + number));
        let mut merged = Merged::new(self.target.state, scan, hint_of)?;
        let (mut flow, mut last) = (ControlFlow::Continue(()), None);
        while flow.is_continue()
            && let Some((number, key, value)) = merged.next()?
        {
            let place = ScanRange { scan, number, of_all: first + number };
            flow = self.enter(&place, &key, &value, visit)?;
            last = Some((place.of_all, key));
        }
        if self.progress.is_some() {
            let reached = merged.reached().enumerate();
            reached.for_each(|(number, reached)| self.reach(first + number, reached));
        }
        if let (Some((place, key)), Some(pause)) = (last, self.pause)
            && pause.is_unread()
        {
            self.reach(place, Reached::Before(key));
        }
        Ok(flow)
    }

    /// Reads one entry of an index.
    #[inline]
    fn enter(
        &mut self,
        place: &ScanRange<'_>,
        key: &[u8],
        value: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        self.examined.keys += 1;
        if self.need == Need::Count && self.seen.is_none() {
            self.control.step()?;
            return visit(Hit { id: UNREAD, record: Record::NotFetched });
        }
        let (id, content) = place.split_entry(key, value)?;
        let id = id.by_ref();
        if !self.is_new(id)? {
            // The verdict on its document is not known any more.
            self.verdict = Verdict::Open;
            self.note(place.of_all, key);
            return Ok(ControlFlow::Continue(()));
        }
        match (self.need, content) {
            (Need::Count, _) => visit(Hit { id, record: Record::NotFetched }),
            (Need::IndexedFields, Content::Sorted | Content::Ordered(_)) => {
                self.control.step()?;
                let definition = &place.scan.definition;
                let order = match content {
                    Content::Ordered(order) => order,
                    _ => definition.keys_by_path(),
                };
                let object = covered(definition, key, order, id)?;
                if self.filter.is_some_and(|filter| !filter.matches_object(&object)) {
                    return Ok(ControlFlow::Continue(()));
                }
                visit(Hit { id, record: Record::Covered(object) })
            }
            (Need::Documents | Need::IndexedFields, _) => self.fetch(id, Some((place, key)), visit),
        }
    }

    /// Gets a document, and shows it if it matches the filter. `entry` is its index entry: an
    /// entry without its document is corrupt.
    fn fetch(
        &mut self,
        id: IdRef<'_>,
        entry: Option<(&ScanRange<'_>, &[u8])>,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let key = keys::document(self.target.number, id);
        self.fetch_key(id, &key, entry, visit)
    }

    /// As [`fetch`](Self::fetch), by the document's key.
    fn fetch_key(
        &mut self,
        id: IdRef<'_>,
        key: &[u8],
        entry: Option<(&ScanRange<'_>, &[u8])>,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let record = self.target.state.get(DOCUMENTS, key)?;
        let Some(record) = record else {
            return match entry {
                Some((_, key)) => Err(corrupt_entry("index entry without its document", key)),
                None => Ok(ControlFlow::Continue(())),
            };
        };
        self.examined.documents += 1;
        let flow = self.show(id, Record::Blob(record), visit)?;
        if let Some((place, key)) = entry {
            self.note(place.of_all, key);
        }
        Ok(flow)
    }

    /// Shows a document if it matches the filter and has not expired.
    #[inline]
    fn show(
        &mut self,
        id: IdRef<'_>,
        record: Record<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        self.control.step()?;
        // An expired document stays open: the clock of the next command may be behind.
        self.verdict = Verdict::Open;
        if self.filter.is_some() || self.now.is_some() || self.accept.is_some() {
            let document = DocumentView::decode(id, record.bytes())?;
            let is_over = |now| document.header.expires.is_some_and(|expires| expires <= now);
            if self.now.is_some_and(is_over) {
                return Ok(ControlFlow::Continue(()));
            }
            if let Some(filter) = self.filter
                && !filter.matches(&document)?
            {
                self.verdict = match self.has_bounds {
                    true => Verdict::of(filter, &document)?,
                    false => Verdict::Closed,
                };
                return Ok(ControlFlow::Continue(()));
            }
            if let Some(accept) = self.accept {
                match accept(id, &document.header)? {
                    Accept::Yes => {}
                    Accept::No(verdict) => {
                        self.verdict = verdict;
                        return Ok(ControlFlow::Continue(()));
                    }
                }
            }
        }
        visit(Hit { id, record })
    }

    /// Takes the next numbers for `count` ranges among all ranges of the plan, and returns
    /// the first.
    fn take_numbers(&mut self, count: usize) -> usize {
        let first = self.ranges_before;
        self.ranges_before += count;
        first
    }

    fn hint(&self, place: usize) -> Option<&'a Hint> {
        self.progress.as_ref().and_then(|progress| progress.hint(place))
    }

    /// Notes the verdict on a key.
    fn note(&mut self, place: usize, key: &[u8]) {
        let Some(progress) = &mut self.progress else { return };
        match self.pause {
            Some(pause) if pause.is_unread() => {
                progress.reach(place, Reached::Before(Key::from_slice(key)));
            }
            _ => progress.note(place, key, std::mem::take(&mut self.verdict)),
        }
    }

    fn reach(&mut self, place: usize, reached: Reached) {
        if let Some(progress) = &mut self.progress {
            progress.reach(place, reached);
        }
    }

    /// Whether a document is found for the first time.
    fn is_new(&mut self, id: IdRef<'_>) -> Result<bool> {
        let Some(seen) = &mut self.seen else { return Ok(true) };
        if seen.contains(id.as_bytes()) {
            return Ok(false);
        }
        self.control.take(SEEN, id.as_bytes().len() + SEEN_BYTES)?;
        seen.insert(Box::from(id.as_bytes()));
        Ok(true)
    }

    fn intersect(
        &mut self,
        first: &IndexScan,
        second: &IndexScan,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let mut ids: HashSet<Box<[u8]>> = HashSet::new();
        self.each_id(first, &mut |this, id| {
            this.control.take(SEEN, id.as_bytes().len() + SEEN_BYTES)?;
            ids.insert(Box::from(id.as_bytes()));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut flow = ControlFlow::Continue(());
        self.each_id(second, &mut |this, id| {
            if ids.remove(id.as_bytes()) {
                flow = this.fetch(id, None, visit)?;
            }
            Ok(flow)
        })?;
        Ok(flow)
    }

    /// Visits the id of every entry of a scan.
    fn each_id(
        &mut self,
        scan: &IndexScan,
        visit: &mut dyn FnMut(&mut Self, IdRef<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let left = scan.definition.paths().len() - scan.fixed;
        let state = self.target.state;
        for (range, prefix) in scan.ranges.iter().zip(&scan.prefixes) {
            let bounds = Bounds { start: &range.low, end: range.high.as_deref() };
            let flow = state.try_scan(INDEXES, bounds, Direction::Forward, |key, value| {
                self.examined.keys += 1;
                self.control.step()?;
                let id = split_entry(&scan.definition, key, value, *prefix, left);
                let (id, _) = id.ok_or_else(|| corrupt_entry("index entry", key))?;
                visit(self, id.by_ref())
            });
            if flow?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A range of a scan.
struct ScanRange<'a> {
    scan: &'a IndexScan,
    /// Its number in the scan.
    number: usize,
    /// Its number among all ranges of the plan.
    of_all: usize,
}

impl ScanRange<'_> {
    /// The id of an entry, and what its key tells.
    fn split_entry<'e>(
        &self,
        key: &'e [u8],
        value: &'e [u8],
    ) -> Result<(EntryId<'e>, Content<&'e [u8]>)> {
        let (scan, start) = (self.scan, self.scan.prefixes[self.number]);
        let left = scan.definition.paths().len() - scan.fixed;
        let split = split_entry(&scan.definition, key, value, start, left);
        split.ok_or_else(|| corrupt_entry("index entry", key))
    }
}

impl Verdict {
    /// The verdict on a document that does not match a filter.
    fn of(filter: &Filter, document: &DocumentView<'_>) -> Result<Self> {
        Ok(match filter.awaits(document)? {
            Awaits::Nothing => Verdict::Open,
            Awaits::Change => Verdict::Closed,
            Awaits::Moves(moves) => {
                let moves = moves.into_iter();
                let moves: Moves = moves.map(|one| (one.bound as u16, one.value.into())).collect();
                Verdict::Awaits(moves)
            }
        })
    }
}

/// How many entries are read ahead of their documents at the most: as many as memory can prefetch
/// at once.
pub(super) const AHEAD_MAX: usize = 16;

/// Entries whose documents are still to be read: their keys, and those of the documents.
#[derive(Default)]
struct Ahead {
    entries: SmallVec<[(Key, Key); AHEAD_MAX]>,
}

/// The id of a document that was only counted.
const UNREAD: IdRef<'static> = IdRef::of_text("");

const SEEN: &str = "memory of a query for the ids that it has seen in bytes";

/// The overhead of an id in a set, in bytes.
const SEEN_BYTES: usize = 48;

/// The id and the fields in an entry's key, which the document has in the order of these keys.
fn covered(definition: &Definition, key: &[u8], order: &[u8], id: IdRef<'_>) -> Result<Object> {
    use velocitydb_core::key::{Component, decode_component};
    let mut found: SmallVec<[_; 4]> = SmallVec::new();
    let mut at = keys::entries(definition.number).len();
    for (number, path) in definition.paths().enumerate() {
        let rest = key.get(at..).unwrap_or_default();
        let (component, length) = decode_component(rest, definition.direction(number))?;
        at += length;
        found.push(Some((path, component)));
    }
    let mut object = Object::with_capacity(found.len() + 1);
    object.insert("_id", id);
    for number in order {
        let next = found.get_mut(usize::from(*number)).and_then(Option::take);
        let (path, component) = next.ok_or_else(|| corrupt_entry("index entry", key))?;
        if let Component::Value(value) = component {
            path.set(&mut object, value)?;
        }
    }
    match found.iter().any(Option::is_some) {
        true => Err(corrupt_entry("index entry", key)),
        false => Ok(object),
    }
}
