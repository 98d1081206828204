//! [`Execution`]: carries out a plan, and shows every document that satisfies the filter.

use std::collections::HashSet;
use std::ops::ControlFlow;

use smallvec::SmallVec;
use velocitydb_core::{DocumentView, Filter, Object, Time};
use velocitydb_storage::{Blob, Bounds, Direction};

use super::access::{Access, IndexScan, Merge, Range};
use super::control::Control;
use super::merge::Merged;
use super::plan::Plan;
use super::target::Target;
use crate::index::{Definition, split_entry};
use crate::keys::{self, DOCUMENTS, INDEXES, Key};
use crate::{Error, Result};

/// A document that was found.
pub(crate) struct Hit<'a> {
    pub(crate) id: &'a str,
    pub(crate) record: Record<'a>,
}

/// What is known of a document that was found.
pub(crate) enum Record<'a> {
    /// All, as it lies in the engine.
    Bytes(&'a [u8]),
    /// All, shared with the engine.
    Blob(Blob),
    /// The fields that an index has.
    Covered(Object),
    /// Nothing: it was only to be counted.
    NotFetched,
}

impl Record<'_> {
    /// The stored document.
    pub(crate) fn into_blob(self) -> Blob {
        match self {
            Record::Bytes(bytes) => Blob::copy_of(bytes),
            Record::Blob(blob) => blob,
            Record::Covered(_) | Record::NotFetched => {
                unreachable!("whoever needs documents asks for them")
            }
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Record::Bytes(bytes) => bytes,
            Record::Blob(blob) => blob,
            Record::Covered(_) | Record::NotFetched => &[],
        }
    }
}

/// What is needed of the documents that are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// All of it.
    Documents,
    /// The fields of the index that is used. The caller has seen to it that they suffice.
    IndexedFields,
    /// Only that they are there.
    Count,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Examined {
    /// Entries of indexes.
    pub(crate) keys: u64,
    /// Documents.
    pub(crate) documents: u64,
}

/// What a document is shown to.
pub(crate) type Visit<'a> = dyn FnMut(Hit<'_>) -> Result<ControlFlow<()>> + 'a;

/// The carrying out of a plan.
pub(crate) struct Execution<'a> {
    pub(crate) target: &'a Target<'a>,
    pub(crate) control: &'a Control,
    /// What is still to be satisfied.
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) need: Need,
    /// Documents whose time was over then are none.
    pub(crate) now: Option<Time>,
    pub(crate) examined: Examined,
    /// How many entries may be read before the documents that they lead to.
    pub(crate) ahead: usize,
    /// The ids that were shown, where an access leads to a document more than once.
    seen: Option<HashSet<Box<str>>>,
    /// Whether the time of the document that was looked at last was over.
    was_over: bool,
    /// By range of an index scan, the key of the first entry that may have satisfied the filter. One
    /// of a document whose time is over counts: the clock of the next command may be behind.
    pub(crate) first_hits: Vec<Option<Key>>,
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
            now: None,
            examined: Examined::default(),
            ahead: AHEAD_MAX,
            seen: None,
            was_over: false,
            first_hits: Vec::new(),
        }
    }

    /// Shows what the access leads to, until the end or until `visit` breaks.
    pub(crate) fn run(&mut self, access: &Access, visit: &mut Visit<'_>) -> Result<()> {
        if access.has_repeats() {
            self.seen = Some(HashSet::new());
        }
        self.follow(access, visit).map(drop)
    }

    fn follow(&mut self, access: &Access, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
        match access {
            Access::Nothing => Ok(ControlFlow::Continue(())),
            Access::Ids(ids) => {
                for id in ids {
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
        let target = self.target;
        let mut outcome = Ok(ControlFlow::Continue(()));
        let bounds = Bounds { start: &range.low, end: range.high.as_deref() };
        target.state.scan(DOCUMENTS, bounds, direction, &mut |key, record| {
            let Some((_, id)) = keys::split_document(key) else {
                outcome = Err(corrupt_entry("document key", key));
                return ControlFlow::Break(());
            };
            self.examined.documents += 1;
            outcome = match self.is_new(id) {
                Ok(true) => self.show(id, Record::Bytes(record), visit),
                Ok(false) => Ok(ControlFlow::Continue(())),
                Err(error) => Err(error),
            };
            if matches!(outcome, Ok(ControlFlow::Continue(()))) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        outcome
    }

    fn scan_index(&mut self, scan: &IndexScan, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
        self.first_hits = vec![None; scan.ranges.len()];
        if scan.merge == Merge::Ordered && scan.ranges.len() > 1 {
            return self.merge_ranges(scan, visit);
        }
        let mut numbers: Vec<usize> = (0..scan.ranges.len()).collect();
        if scan.direction == Direction::Backward {
            numbers.reverse();
        }
        for number in numbers {
            let mut outcome = Ok(ControlFlow::Continue(()));
            let range = &scan.ranges[number];
            let bounds = Bounds { start: &range.low, end: range.high.as_deref() };
            let state = self.target.state;
            let mut ahead = Ahead::default();
            state.scan(INDEXES, bounds, scan.direction, &mut |key, value| {
                outcome = match self.need == Need::Documents && self.ahead > 1 {
                    true => self.enter_ahead(scan, number, key, value, &mut ahead, visit),
                    false => self.enter(scan, number, key, value, visit),
                };
                match outcome {
                    Ok(flow) => flow,
                    Err(_) => ControlFlow::Break(()),
                }
            })?;
            if outcome?.is_break() || self.catch_up(number, &mut ahead, visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Notes one entry of an index, and looks at the documents once there are some.
    fn enter_ahead(
        &mut self,
        scan: &IndexScan,
        number: usize,
        key: &[u8],
        value: &[u8],
        ahead: &mut Ahead,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        self.examined.keys += 1;
        let (start, left) = (scan.prefixes[number], scan.definition.paths().len() - scan.fixed);
        let Some((id, _)) = split_entry(&scan.definition, key, value, start, left) else {
            return Err(corrupt_entry("index entry", key));
        };
        if !self.is_new(&id)? {
            return Ok(ControlFlow::Continue(()));
        }
        ahead.entries.push((Key::from_slice(key), keys::document(self.target.number, &id)));
        match ahead.entries.len() < self.ahead {
            true => Ok(ControlFlow::Continue(())),
            false => self.catch_up(number, ahead, visit),
        }
    }

    /// Looks at the documents of the entries that were noted.
    fn catch_up(
        &mut self,
        number: usize,
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
            if self.fetch_key(id, &document, Some((number, &key)), visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads the ranges side by side, in the order of what follows their prefixes.
    fn merge_ranges(&mut self, scan: &IndexScan, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
        let mut merged = Merged::new(self.target.state, scan)?;
        let mut has_hit = false;
        while let Some((number, key, value)) = merged.next()? {
            let flow = self.enter(scan, number, &key, &value, visit)?;
            if !has_hit && self.first_hits[number].is_some() {
                has_hit = true;
                // What the others have been read up to was no hit.
                for (number, head) in merged.heads() {
                    self.first_hits[number].get_or_insert(head);
                }
            }
            if flow.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Looks at one entry of an index.
    #[inline]
    fn enter(
        &mut self,
        scan: &IndexScan,
        number: usize,
        key: &[u8],
        value: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        self.examined.keys += 1;
        if self.need == Need::Count && self.seen.is_none() {
            self.control.step()?;
            return visit(Hit { id: "", record: Record::NotFetched });
        }
        let (start, left) = (scan.prefixes[number], scan.definition.paths().len() - scan.fixed);
        let Some((id, is_exact)) = split_entry(&scan.definition, key, value, start, left) else {
            return Err(corrupt_entry("index entry", key));
        };
        if !self.is_new(&id)? {
            return Ok(ControlFlow::Continue(()));
        }
        match self.need {
            Need::Count => visit(Hit { id: &id, record: Record::NotFetched }),
            Need::IndexedFields if is_exact => {
                self.control.step()?;
                let object = covered(&scan.definition, key, &id)?;
                if self.filter.is_some_and(|filter| !filter.matches_object(&object)) {
                    return Ok(ControlFlow::Continue(()));
                }
                visit(Hit { id: &id, record: Record::Covered(object) })
            }
            Need::Documents | Need::IndexedFields => self.fetch(&id, Some((number, key)), visit),
        }
    }

    /// Gets a document, and shows it if it satisfies the filter. `entry` is where an index led to
    /// it: an entry without its document is corrupt.
    fn fetch(
        &mut self,
        id: &str,
        entry: Option<(usize, &[u8])>,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let key = keys::document(self.target.number, id);
        self.fetch_key(id, &key, entry, visit)
    }

    /// As [`fetch`](Self::fetch), by the document's key.
    fn fetch_key(
        &mut self,
        id: &str,
        key: &[u8],
        entry: Option<(usize, &[u8])>,
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
        let mut is_hit = false;
        self.was_over = false;
        let flow = self.show(id, Record::Blob(record), &mut |hit| {
            is_hit = true;
            visit(hit)
        })?;
        if let Some((number, key)) = entry.filter(|_| is_hit || self.was_over) {
            self.first_hits[number].get_or_insert_with(|| Key::from_slice(key));
        }
        Ok(flow)
    }

    /// Shows a document if it satisfies the filter and its time is not over.
    #[inline]
    fn show(
        &mut self,
        id: &str,
        record: Record<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        self.control.step()?;
        if self.filter.is_some() || self.now.is_some() {
            let document = DocumentView::decode(id, record.bytes())?;
            let is_over = |now| document.header.expires.is_some_and(|expires| expires <= now);
            if self.now.is_some_and(is_over) {
                self.was_over = true;
                return Ok(ControlFlow::Continue(()));
            }
            if let Some(filter) = self.filter
                && !filter.matches(&document)?
            {
                return Ok(ControlFlow::Continue(()));
            }
        }
        visit(Hit { id, record })
    }

    /// Whether a document has not been come to before.
    fn is_new(&mut self, id: &str) -> Result<bool> {
        let Some(seen) = &mut self.seen else { return Ok(true) };
        if seen.contains(id) {
            return Ok(false);
        }
        self.control.take(SEEN, id.len() + SEEN_BYTES)?;
        seen.insert(Box::from(id));
        Ok(true)
    }

    fn intersect(
        &mut self,
        first: &IndexScan,
        second: &IndexScan,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let mut ids: HashSet<Box<str>> = HashSet::new();
        self.each_id(first, &mut |this, id| {
            this.control.take(SEEN, id.len() + SEEN_BYTES)?;
            ids.insert(Box::from(id));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut flow = ControlFlow::Continue(());
        self.each_id(second, &mut |this, id| {
            if ids.remove(id) {
                flow = this.fetch(id, None, visit)?;
            }
            Ok(flow)
        })?;
        Ok(flow)
    }

    /// Shows the id of every entry of a scan.
    fn each_id(
        &mut self,
        scan: &IndexScan,
        visit: &mut dyn FnMut(&mut Self, &str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let left = scan.definition.paths().len() - scan.fixed;
        let state = self.target.state;
        for (range, prefix) in scan.ranges.iter().zip(&scan.prefixes) {
            let mut outcome = Ok(ControlFlow::Continue(()));
            let bounds = Bounds { start: &range.low, end: range.high.as_deref() };
            state.scan(INDEXES, bounds, Direction::Forward, &mut |key, value| {
                self.examined.keys += 1;
                let id = split_entry(&scan.definition, key, value, *prefix, left);
                outcome = match (id, self.control.step()) {
                    (_, Err(error)) => Err(error),
                    (None, _) => Err(corrupt_entry("index entry", key)),
                    (Some((id, _)), _) => visit(self, &id),
                };
                match outcome {
                    Ok(flow) => flow,
                    Err(_) => ControlFlow::Break(()),
                }
            })?;
            if outcome?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// How many entries are read before their documents at the most: as many as memory can be asked for
/// at once.
pub(super) const AHEAD_MAX: usize = 16;

/// Entries whose documents are still to be looked at: their keys, and those of the documents.
#[derive(Default)]
struct Ahead {
    entries: SmallVec<[(Key, Key); AHEAD_MAX]>,
}

const SEEN: &str = "memory of a query for the ids that it has seen in bytes";

/// What an id takes in a set beside its bytes.
const SEEN_BYTES: usize = 48;

/// The fields that an entry's key tells, and the id.
fn covered(definition: &Definition, key: &[u8], id: &str) -> Result<Object> {
    use velocitydb_core::key::{Component, decode_component};
    let mut object = Object::with_capacity(definition.paths().len() + 1);
    object.insert("_id", id);
    let mut at = keys::entries(definition.number).len();
    for (number, path) in definition.paths().enumerate() {
        let rest = key.get(at..).unwrap_or_default();
        let (component, length) = decode_component(rest, definition.direction(number))?;
        at += length;
        if let Component::Value(value) = component {
            path.set(&mut object, value)?;
        }
    }
    Ok(object)
}

pub(super) fn corrupt_entry(what: &str, key: &[u8]) -> Error {
    Error::Corrupt { place: format!("index key {}", key.escape_ascii()), what: what.to_owned() }
}
