//! Checks indexes against documents, both ways: every document has its entries, and every entry
//! belongs to a document. It changes nothing.
//!
//! While an index is being built, documents after the position of the build may have none, some or
//! all of their entries: those that a write has put. Otherwise it is checked like a ready one.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use velocitydb_core::{DocumentView, IdRef};
use velocitydb_storage::{Bounds, Direction, Snapshot};

use super::report::Report;
use crate::index::{Definition, IndexState, IndexTotals, split_entry};
use crate::keys::{self, CollectionNumber, DOCUMENTS, INDEXES, IndexNumber, SYSTEM};
use crate::query::decode_histogram;
use crate::state::catalog::{Catalog, Index};
use crate::{Error, Result};

/// The indexes of a state, and their counted entries.
pub(super) struct Indexes<'a> {
    state: &'a dyn Snapshot,
    by_collection: HashMap<CollectionNumber, Vec<Checked>>,
    places: HashMap<IndexNumber, (CollectionNumber, usize)>,
    /// The indexes that no collection has, with how many entries each has.
    unknown: BTreeMap<IndexNumber, u64>,
}

struct Checked {
    /// The collection's name and the index's.
    name: String,
    definition: Arc<Definition>,
    totals: IndexTotals,
    /// How many entries there are.
    entries: u64,
}

impl<'a> Indexes<'a> {
    /// The indexes of a catalog, each checked by itself.
    pub(super) fn new(state: &'a dyn Snapshot, catalog: &Catalog, report: &mut Report) -> Self {
        let (mut by_collection, mut places) = (HashMap::new(), HashMap::new());
        let mut collections: Vec<_> = catalog.collections.iter().collect();
        collections.sort_by_key(|(_, collection)| collection.number);
        for (collection, found) in collections {
            let mut checked = Vec::with_capacity(found.indexes.len());
            for index in &found.indexes {
                let number = index.definition.number;
                let name = format!(
                    "{:?} of collection {:?}",
                    index.definition.name.as_str(),
                    collection.as_str()
                );
                report.note_all(own_problem(&name, index));
                if number >= catalog.system.next_index {
                    let next = catalog.system.next_index;
                    report
                        .note(format!("index {name} has number {number}, and the next is {next}"));
                }
                if places.insert(number, (found.number, checked.len())).is_some() {
                    report.note(format!("index {name} has number {number}, as another one has"));
                }
                checked.push(Checked {
                    name,
                    definition: index.definition.clone(),
                    totals: index.totals,
                    entries: 0,
                });
            }
            by_collection.insert(found.number, checked);
        }
        Indexes { state, by_collection, places, unknown: BTreeMap::new() }
    }

    /// Checks that a document has the entries that it should have. The document can be read.
    pub(super) fn check_document(
        &self,
        report: &mut Report,
        collection: CollectionNumber,
        id: IdRef<'_>,
        record: &[u8],
    ) -> Result<()> {
        let view = DocumentView::decode(id, record)?;
        for index in self.by_collection.get(&collection).into_iter().flatten() {
            let is_entered = match &index.definition.state {
                IndexState::Failed { .. } => continue,
                IndexState::Ready => true,
                IndexState::Building { after, .. } => {
                    after.as_ref().is_some_and(|after| id <= after.by_ref())
                }
            };
            let place = || format!("document {id:?} in index {}", index.name);
            let entries = match index.definition.entries(&view) {
                Ok(entries) => entries,
                Err(error) if is_entered => {
                    report.note(format!("{}: {error}", place()));
                    continue;
                }
                Err(_) => continue,
            };
            if is_entered && entries.multikey & !index.totals.multikey != 0 {
                let problem = "there is an array on a path that is not marked as multikey";
                report.note(format!("{}: {problem}", place()));
            }
            for entry in entries.list.iter().filter(|_| is_entered) {
                let expected = index.definition.entry_value(entry, id);
                let found = self.state.get(INDEXES, &entry.key)?;
                let key = entry.key.escape_ascii();
                match found.as_deref() {
                    Some(found) if found == &expected[..] => {}
                    Some(found) if index.definition.spec.is_unique() => {
                        let owner = found.strip_suffix(&[0]).unwrap_or(found).escape_ascii();
                        let problem = format!("entry {key} is that of document \"{owner}\"");
                        report.note(format!("{}: unique {problem}", place()));
                    }
                    Some(_) => report.note(format!(
                        "{}: entry {key} says wrongly whether its key has the exact values",
                        place()
                    )),
                    None => {
                        report.note(format!("{}: entry {key} is missing", place()));
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks that every entry is one of a document, and counts them.
    pub(super) fn check_entries(&mut self, report: &mut Report) -> Result<()> {
        let state = self.state;
        let _ = state.try_scan(INDEXES, Bounds::ALL, Direction::Forward, |key, value| {
            report.note_all(self.entry_problem(key, value)?);
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        for index in self.by_collection.values().flatten() {
            let is_failed = matches!(index.definition.state, IndexState::Failed { .. });
            if !is_failed && index.entries != index.totals.entries {
                report.note(format!(
                    "index {} says entries {}, but it has {}",
                    index.name, index.totals.entries, index.entries
                ));
            }
            // The entries of a failed index are removed in steps.
            if is_failed && index.entries > 0 {
                self.unknown.insert(index.definition.number, index.entries);
            }
        }
        for (number, count) in &self.unknown {
            if state.get(SYSTEM, &keys::numbered(keys::INDEX_PURGE, *number))?.is_none() {
                report.note(format!(
                    "{count} entries of index number {number}, which does not exist or has failed"
                ));
            }
        }
        Ok(())
    }

    fn entry_problem(&mut self, key: &[u8], value: &[u8]) -> Result<Option<String>> {
        let place = || format!("index entry {}", key.escape_ascii());
        let Some((number, _)) = key.split_first_chunk::<4>() else {
            return Ok(Some(format!("{}: an invalid key", place())));
        };
        let number = u32::from_be_bytes(*number);
        let Some((collection, position)) = self.places.get(&number).copied() else {
            *self.unknown.entry(number).or_default() += 1;
            return Ok(None);
        };
        let index = self.by_collection.get_mut(&collection).and_then(|all| all.get_mut(position));
        let index = index.expect("every position has an index");
        index.entries += 1;
        let definition = &index.definition;
        if matches!(definition.state, IndexState::Failed { .. }) {
            return Ok(None);
        }
        let name = &index.name;
        let count = definition.paths().len();
        let Some((id, _)) = split_entry(definition, key, value, size_of::<IndexNumber>(), count)
        else {
            return Ok(Some(format!("{} of index {name}: not valid", place())));
        };
        let id = id.by_ref();
        let document = keys::document(collection, id);
        let Some(record) = self.state.get(DOCUMENTS, &document)? else {
            let problem = format!("document {id:?} does not exist");
            return Ok(Some(format!("{} of index {name}: {problem}", place())));
        };
        // One that cannot be read has been reported.
        let Ok(view) = DocumentView::decode(id, &record) else { return Ok(None) };
        let is_one = definition.entries(&view).is_ok_and(|entries| {
            entries.list.iter().any(|entry| {
                &entry.key[..] == key && &definition.entry_value(entry, id)[..] == value
            })
        });
        let problem = || format!("document {id:?} has other entries");
        Ok((!is_one).then(|| format!("{} of index {name}: {}", place(), problem())))
    }

    /// What is wrong with a record of an index whose collection or index may not exist.
    pub(super) fn record_problem(&self, key: &[u8], value: &[u8]) -> Option<String> {
        let (kind, rest) = key.split_first()?;
        let number = rest.first_chunk::<4>().map(|number| u32::from_be_bytes(*number));
        let is_known = match *kind {
            keys::INDEX | keys::SCHEMA => {
                number.is_some_and(|number| self.by_collection.contains_key(&number))
            }
            _ => number.is_some_and(|number| self.places.contains_key(&number)),
        };
        let of = match *kind {
            keys::INDEX | keys::SCHEMA => "a collection",
            _ => "an index",
        };
        let problem = match is_known {
            false => format!("of {of} that does not exist"),
            true if *kind == keys::HISTOGRAM && decode_histogram(value).is_none() => {
                "is not a histogram".to_owned()
            }
            true => return None,
        };
        Some(format!("system key {}: {problem}", key.escape_ascii()))
    }
}

/// What is wrong with an index by itself.
fn own_problem(name: &str, index: &Index) -> Option<String> {
    let problem = match &index.definition.state {
        IndexState::Ready if !index.totals.is_ready => "is ready, but may not be used",
        IndexState::Building { .. } | IndexState::Failed { .. } if index.totals.is_ready => {
            "may be used, but is not ready"
        }
        IndexState::Building { after, done } if after.is_some() != (*done > 0) => {
            "counts more documents than can be up to the position of its build"
        }
        IndexState::Failed { .. } if index.totals.entries > 0 => "has failed, but counts entries",
        IndexState::Ready | IndexState::Building { .. } | IndexState::Failed { .. } => {
            return None;
        }
    };
    Some(format!("index {name} {problem}"))
}
