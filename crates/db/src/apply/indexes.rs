//! Applying: creating, building, maintaining and dropping indexes.
//!
//! Every write maintains an index from the moment when it is created. Its build adds the existing documents
//! in the order of ids, a bounded number with each command, so it can be interrupted anywhere and continues
//! there. Queries use it once the build is complete.

use std::ops::ControlFlow;
use std::sync::Arc;

use smallvec::SmallVec;
use velocitydb_core::{
    CollectionName, CollectionOptions, DocumentId, DocumentView, Histogram, IdRef, IndexName,
    IndexSpec, Refusal, Time, limits,
};
use velocitydb_storage::{Blob, Bounds, Direction, Overlay, Snapshot};

use super::documents::{is_expired, refusable};
use super::machine::STEP_BYTES_MAX;
use super::{Machine, Reply};
use crate::index::{Definition, Entries, Entry, IndexState, IndexTotals, owner_of};
use crate::keys::{self, CollectionNumber, DOCUMENTS, INDEXES, Key, SYSTEM};
use crate::query::Statistics;
use crate::state::catalog::Index;
use crate::{Error, Result};

/// The most bytes of documents that one step of a build reads.
const BUILD_BYTES_MAX: usize = 4 << 20;

impl Machine {
    /// Replaces the entries of a document by those of its new content. Returns why they are refused, if
    /// they are.
    pub(super) fn move_entries(
        &mut self,
        collection: &CollectionName,
        before: Option<&DocumentView<'_>>,
        after: Option<&DocumentView<'_>>,
        now: Time,
    ) -> Result<Option<Refusal>> {
        let found = self.catalog.collections.get(collection).expect("it was found");
        let number = found.number;
        if self.hints.has_collection(number)
            && let Some(view) = before.or(after)
        {
            self.hints.touch_document(&keys::document(number, view.id));
        }
        if found.indexes.is_empty() {
            return Ok(None);
        }
        let indexes = found.indexes.iter().map(|index| index.definition.clone());
        let indexes: SmallVec<[Arc<Definition>; 4]> = indexes.collect();
        for (position, definition) in indexes.iter().enumerate() {
            if matches!(definition.state, IndexState::Failed { .. }) {
                continue;
            }
            if let (Some(before), Some(after)) = (before, after)
                && definition.has_same_source(before, after)?
            {
                if self.hints.has_index(definition.number) {
                    let entries = refusable(definition.entries(after))?.unwrap_or_default();
                    entries.list.iter().for_each(|entry| self.hints.touch_entry(&entry.key));
                }
                continue;
            }
            let old = match before {
                // A document that is older than the index may not be valid for it.
                Some(before) => refusable(definition.entries(before))?.unwrap_or_default(),
                None => Entries::default(),
            };
            let new = match after.map(|after| refusable(definition.entries(after))).transpose()? {
                Some(Err(error)) => return Ok(Some(Refusal::Update(error))),
                new => new.and_then(std::result::Result::ok).unwrap_or_default(),
            };
            let Some(id) = before.or(after).map(|view| view.id) else { continue };
            let moved = Moved { number, definition, position, id };
            if let Some(refusal) = self.move_entries_of(collection, &moved, &old, &new, now)? {
                return Ok(Some(refusal));
            }
            self.check_effects()?;
        }
        Ok(None)
    }

    fn move_entries_of(
        &mut self,
        collection: &CollectionName,
        moved: &Moved<'_>,
        old: &Entries,
        new: &Entries,
        now: Time,
    ) -> Result<Option<Refusal>> {
        let definition = moved.definition;
        let is_building = matches!(definition.state, IndexState::Building { .. });
        let mut change = 0_i64;
        // Entries that stay are opened in hints too, since their document has changed.
        new.list.iter().for_each(|entry| self.hints.touch_entry(&entry.key));
        for entry in missing_from(&old.list, &new.list) {
            // It is not known whether the build has reached the document, and whether another one has taken
            // the entry.
            let is_sure = !is_building && !self.is_contested(&entry.key);
            if is_sure || self.holds_entry(definition, &entry.key, moved.id)? {
                self.batch.delete(INDEXES, &entry.key);
                change -= 1;
            }
        }
        for entry in missing_from(&new.list, &old.list) {
            let is_there = if definition.spec.is_unique() {
                // Equal values can be of different types, such as 2 and 2.0.
                let has_key = old.list.iter().any(|other| other.key == entry.key);
                match self.take_entry(collection, moved, &entry.key, has_key, now)? {
                    Ok(is_there) => is_there,
                    Err(refusal) => return Ok(Some(refusal)),
                }
            } else {
                is_building && self.get(INDEXES, &entry.key)?.is_some()
            };
            let value = definition.entry_value(entry, moved.id);
            self.batch.put(INDEXES, &entry.key, &value);
            change += i64::from(!is_there);
        }
        let changed = self.change_collection(collection).expect("it was found");
        let index = &mut changed.indexes[moved.position];
        index.totals.entries = index.totals.entries.wrapping_add_signed(change);
        index.totals.multikey |= new.multikey;
        index.is_changed = true;
        Ok(None)
    }

    fn holds_entry(&self, definition: &Definition, key: &[u8], id: IdRef<'_>) -> Result<bool> {
        let value = self.get(INDEXES, key)?;
        Ok(value.is_some_and(|value| !definition.spec.is_unique() || owner_of(&value) == Some(id)))
    }

    pub(super) fn create_index(
        &mut self,
        collection: &CollectionName,
        spec: &IndexSpec,
    ) -> Result<Reply> {
        spec.check()?;
        let name = IndexName::new(spec.name())?;
        if !self.catalog.collections.contains_key(collection) {
            self.make_collection(collection, &CollectionOptions::default())?;
        }
        let found = &self.catalog.collections[collection];
        if let Some(index) = found.index(&name) {
            let is_failed = matches!(index.definition.state, IndexState::Failed { .. });
            if index.definition.spec != *spec {
                return Err(Error::IndexExists { collection: collection.clone(), index: name });
            }
            if !is_failed {
                return Ok(Reply::default());
            }
            self.drop_index(collection, &name)?;
        }
        let found = &self.catalog.collections[collection];
        if found.indexes.len() >= limits::INDEXES_MAX {
            return Err(velocitydb_core::Error::LimitExceeded {
                what: "number of indexes of one collection".into(),
                path: String::new(),
                found: found.indexes.len() + 1,
                max: limits::INDEXES_MAX,
            }
            .into());
        }
        let is_ready = found.totals.count == 0;
        let state = match is_ready {
            true => IndexState::Ready,
            false => IndexState::Building { after: None, done: 0 },
        };
        let number = self.catalog.system.next_index;
        self.change_system().next_index = number + 1;
        let definition = Arc::new(Definition::new(number, spec.clone(), state)?);
        let totals = IndexTotals { is_ready, ..IndexTotals::default() };
        let changed = self.change_collection(collection).expect("it exists by now");
        let index = Index { is_changed: true, ..Index::new(definition.clone(), totals) };
        changed.indexes.push(index);
        changed.indexes.sort_by(|a, b| a.definition.name.cmp(&b.definition.name));
        self.put_definition(collection, &definition)?;
        self.changes_name(collection);
        Ok(Reply { has_more: !is_ready, ..Reply::default() })
    }

    pub(super) fn drop_index(
        &mut self,
        collection: &CollectionName,
        name: &IndexName,
    ) -> Result<Reply> {
        let found = self.catalog.collections.get(collection);
        let index = found.and_then(|found| found.index(name));
        let Some(number) = index.map(|index| index.definition.number) else {
            let (collection, index) = (collection.clone(), name.clone());
            return Err(Error::NoIndex { collection, index });
        };
        let changed = self.change_collection(collection).expect("it was found");
        changed.indexes.retain(|index| index.definition.number != number);
        let collection_number = changed.number;
        self.forget_index(collection_number, name, number);
        self.changes_name(collection);
        Ok(Reply::default())
    }

    /// Removes an index from the state; its entries are removed step by step.
    pub(super) fn forget_index(
        &mut self,
        collection: CollectionNumber,
        name: &IndexName,
        number: keys::IndexNumber,
    ) {
        self.batch.delete(SYSTEM, &keys::index(collection, name));
        self.batch.delete(SYSTEM, &keys::numbered(keys::INDEX_TOTALS, number));
        self.batch.delete(SYSTEM, &keys::numbered(keys::HISTOGRAM, number));
        self.note_index_purge(number);
        self.hints.forget_index(number);
    }

    /// Records that the entries of an index are to be removed.
    fn note_index_purge(&mut self, number: keys::IndexNumber) {
        self.put_in_list(&keys::numbered(keys::INDEX_PURGE, number), &[]);
        self.leaves_something();
    }

    /// Adds the next documents to an index that is being built.
    pub(super) fn build_index(
        &mut self,
        collection: &CollectionName,
        name: &IndexName,
        count_max: u32,
        now: Time,
    ) -> Result<Reply> {
        let found = self.catalog.collections.get(collection);
        let Some(number) = found.map(|found| found.number) else { return Ok(Reply::default()) };
        let found = found.and_then(|found| found.index(name));
        let Some(definition) = found.map(|index| index.definition.clone()) else {
            return Ok(Reply::default());
        };
        let IndexState::Building { after, done } = &definition.state else {
            return Ok(Reply::default());
        };
        let documents = self.documents_after(number, after.as_ref(), count_max)?;
        let (bytes_before, mut entered) = (self.batch.byte_length(), 0);
        for (key, record) in &documents {
            if let Some(reason) = self.enter(collection, &definition, key, record, now)? {
                return self.fail_index(collection, &definition, reason);
            }
            entered += 1;
            // The entries of a document can be many times its size.
            if self.batch.byte_length() - bytes_before >= STEP_BYTES_MAX {
                break;
            }
        }
        let last = documents[..entered].last().and_then(|(key, _)| keys::split_document(key));
        let state = match last {
            Some((_, id)) => IndexState::Building {
                after: Some(DocumentId::new(id)?),
                done: done + entered as u64,
            },
            None => IndexState::Ready,
        };
        let has_more = last.is_some();
        self.set_index_state(collection, &definition, state)?;
        Ok(Reply { has_more, ..Reply::default() })
    }

    /// Keeps the histogram of an index, unless the index was dropped meanwhile.
    pub(super) fn set_statistics(
        &mut self,
        collection: &CollectionName,
        number: keys::IndexNumber,
        histogram: &Histogram,
    ) -> Reply {
        let is_it = |index: &Index| index.definition.number == number && index.totals.is_ready;
        let found = self.catalog.collections.get(collection);
        if !found.is_some_and(|found| found.indexes.iter().any(is_it)) {
            return Reply::default();
        }
        let changed = self.change_collection(collection).expect("it was found");
        let statistics = Arc::new(Statistics::known(Arc::new(histogram.clone())));
        for index in changed.indexes.iter_mut().filter(|index| is_it(index)) {
            index.statistics = statistics.clone();
            index.totals.analyzed = histogram.entries();
            index.entries_known = histogram.entries();
            index.is_changed = true;
        }
        let mut bytes = Vec::new();
        histogram.encode_into(&mut bytes);
        self.batch.put(SYSTEM, &keys::numbered(keys::HISTOGRAM, number), &bytes);
        self.changes_name(collection);
        Reply::default()
    }

    /// Adds one document to an index. Returns why it is refused, if it is.
    fn enter(
        &mut self,
        collection: &CollectionName,
        definition: &Arc<Definition>,
        key: &[u8],
        record: &[u8],
        now: Time,
    ) -> Result<Option<String>> {
        let (number, id) = keys::split_document(key).ok_or_else(|| keys::corrupt(key))?;
        let view = DocumentView::decode(id, record)?;
        if is_expired(&view.header, now) {
            // An expired document is removed here: an index that is ready has every document that exists.
            // It may have been removed already, if its values were in the way of another one.
            if let Some(record) = self.get(DOCUMENTS, key)? {
                self.remove_document(collection, key, &record, now)?;
            }
            return Ok(None);
        }
        let new = match refusable(definition.entries(&view))? {
            Ok(entries) => entries,
            Err(error) => return Ok(Some(format!("document {id:?}: {error}"))),
        };
        let indexes = &self.catalog.collections[collection].indexes;
        let position = indexes.iter().position(|one| one.definition.number == definition.number);
        let position = position.expect("it was found under its name");
        let moved = Moved { number, definition, position, id };
        let refusal = self.move_entries_of(collection, &moved, &Entries::default(), &new, now)?;
        Ok(refusal.map(|refusal| match refusal {
            Refusal::Duplicate { id: other, .. } => {
                format!("documents {:?} and {id:?} have the same values", other.by_ref())
            }
            refusal => format!("document {id:?}: {refusal}"),
        }))
    }

    fn fail_index(
        &mut self,
        collection: &CollectionName,
        definition: &Arc<Definition>,
        reason: String,
    ) -> Result<Reply> {
        self.note_index_purge(definition.number);
        self.set_index_state(collection, definition, IndexState::Failed { reason })?;
        Ok(Reply::default())
    }

    fn set_index_state(
        &mut self,
        collection: &CollectionName,
        definition: &Definition,
        state: IndexState,
    ) -> Result<()> {
        let definition = Arc::new(definition.with_state(state));
        let changed = self.change_collection(collection).expect("it was found");
        let indexes = changed.indexes.iter_mut();
        for index in indexes.filter(|index| index.definition.number == definition.number) {
            index.definition = definition.clone();
            index.is_changed = true;
            index.totals.is_ready = definition.state == IndexState::Ready;
            if matches!(definition.state, IndexState::Failed { .. }) {
                index.totals.entries = 0;
            }
        }
        if !matches!(definition.state, IndexState::Building { .. }) {
            self.changes_name(collection);
        }
        self.put_definition(collection, &definition)
    }

    fn put_definition(
        &mut self,
        collection: &CollectionName,
        definition: &Definition,
    ) -> Result<()> {
        let number = self.catalog.collections[collection].number;
        self.batch.put(SYSTEM, &keys::index(number, &definition.name), &definition.encode()?);
        Ok(())
    }

    /// The next documents of a collection in the order of ids, those in the batch included.
    fn documents_after(
        &mut self,
        number: CollectionNumber,
        after: Option<&DocumentId>,
        count_max: u32,
    ) -> Result<Vec<(Key, Blob)>> {
        let prefix = keys::documents(number);
        let end = keys::end_of(&prefix);
        let mut start = prefix.clone();
        if let Some(after) = after {
            start = keys::document(number, after);
            start.push(0);
        }
        let snapshot = self.group_snapshot()?;
        let overlay = Overlay::new(&*snapshot, &mut self.batch);
        let (mut found, mut bytes) = (Vec::new(), 0);
        let bounds = Bounds { start: &start, end: end.as_deref() };
        overlay.scan(DOCUMENTS, bounds, Direction::Forward, &mut |key, record| {
            found.push((Key::from_slice(key), Blob::copy_of(record)));
            bytes += record.len();
            match found.len() < count_max as usize && bytes < BUILD_BYTES_MAX {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        Ok(found)
    }
}

/// The document and the index whose entries are moved.
pub(super) struct Moved<'a> {
    /// The collection's number.
    pub(super) number: CollectionNumber,
    pub(super) definition: &'a Arc<Definition>,
    /// The position of the index among those of the collection.
    pub(super) position: usize,
    pub(super) id: IdRef<'a>,
}

/// The entries that the other list does not have; both are sorted in the same way.
fn missing_from<'a>(list: &'a [Entry], other: &'a [Entry]) -> impl Iterator<Item = &'a Entry> {
    list.iter().filter(|entry| other.binary_search(entry).is_err())
}
