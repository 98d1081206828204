//! Applying: unique indexes, checked at the end of a command.
//!
//! A command that changes several documents may move values among them, swap them, or give the value of a
//! document that it deletes to another one: uniqueness is required of the state after the command, and not
//! between its operations.
//!
//! ```text
//!  take ──▶ no document has the entry ────────────────────────▶ it is given to the document
//!       ──▶ another one has it, one document is changed ──────▶ refused
//!       ──▶ another one has it, several are changed ──────────▶ it is given to the document, and is
//!                                                                contested until the end
//!  at the end, for each contested entry: how many documents still have its values?
//!       none ──▶ the entry is deleted     one ──▶ it is given to that one     more ──▶ refused
//! ```
//!
//! Indexes are not read while a command is being applied, so contested entries are never seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::SmallVec;
use velocitydb_core::{CollectionName, DocumentId, IdRef, Refusal, Time};

use super::Machine;
use super::documents::{Stored, is_expired, refusable};
use super::indexes::Moved;
use crate::Result;
use crate::index::{Definition, Entry, owner_of};
use crate::keys::{self, CollectionNumber, DOCUMENTS, INDEXES, Key};

/// The entries of unique indexes that the documents of one command took from each other.
#[derive(Default)]
pub(super) struct Contests {
    /// The operation that is being applied.
    pub(super) operation: usize,
    /// Whether the current part of the command has to be decided at once.
    is_at_once: bool,
    entries: BTreeMap<Key, Contest>,
}

/// An entry that more than one document has had during the command.
struct Contest {
    collection: CollectionName,
    number: CollectionNumber,
    definition: Arc<Definition>,
    /// The position of the index among those of the collection.
    position: usize,
    /// In the order in which they took it; the first one had it before the command.
    holders: Vec<Holder>,
}

struct Holder {
    id: DocumentId,
    /// The operation that took it; `None` for the first holder.
    operation: Option<usize>,
}

/// The owner of an entry of a unique index.
enum Owner {
    Nobody,
    Itself,
    Other(DocumentId),
}

/// A contested entry at the end of the command.
struct Ended<'a> {
    key: &'a Key,
    contest: &'a Contest,
    /// Those that still have its values, with the entry that it makes for each.
    holders: SmallVec<[(&'a Holder, Entry); 2]>,
}

impl Machine {
    /// Gives a document an entry of a unique index, at least until the end of the command. `has_key` is
    /// whether the document has values already that make this key. Returns whether the entry exists, or why
    /// the document cannot have it.
    pub(super) fn take_entry(
        &mut self,
        collection: &CollectionName,
        moved: &Moved<'_>,
        key: &Key,
        has_key: bool,
        now: Time,
    ) -> Result<std::result::Result<bool, Refusal>> {
        let owner = self.owner(collection, moved, key, now)?;
        let is_there = !matches!(owner, Owner::Nobody);
        if self.contests.as_ref().is_none_or(|contests| contests.is_at_once) {
            let other = match &owner {
                Owner::Other(id) => Some(id.clone()),
                Owner::Itself | Owner::Nobody => self.other_holder(moved.id, key)?,
            };
            if let Some(id) = other {
                let index = moved.definition.name.clone();
                return Ok(Err(Refusal::Duplicate { index, id }));
            }
        }
        let Some(contests) = &mut self.contests else { return Ok(Ok(is_there)) };
        if let Owner::Other(first) = owner {
            contests.entries.entry(key.clone()).or_insert_with(|| Contest {
                collection: collection.clone(),
                number: moved.number,
                definition: moved.definition.clone(),
                position: moved.position,
                holders: vec![Holder { id: first, operation: None }],
            });
        }
        let operation = contests.operation;
        if let Some(contest) = contests.entries.get_mut(key)
            && !(has_key && contest.holders.iter().any(|holder| holder.id.by_ref() == moved.id))
        {
            contest.holders.retain(|holder| holder.id.by_ref() != moved.id);
            let id = DocumentId::new(moved.id)?;
            contest.holders.push(Holder { id, operation: Some(operation) });
        }
        Ok(Ok(is_there))
    }

    /// Another document that currently has the values of a contested entry.
    fn other_holder(&self, id: IdRef<'_>, key: &Key) -> Result<Option<DocumentId>> {
        let contest = self.contests.as_ref().and_then(|contests| contests.entries.get(key));
        let Some(contest) = contest else { return Ok(None) };
        for holder in contest.holders.iter().filter(|holder| holder.id.by_ref() != id) {
            if self.entry_of(contest, &holder.id, key)?.is_some() {
                return Ok(Some(holder.id.clone()));
            }
        }
        Ok(None)
    }

    /// Applies a part of a command that is refused at once if another document has its values: the end of a
    /// lease, whose refusal does not refuse the command.
    pub(super) fn judged_at_once<T>(&mut self, part: impl FnOnce(&mut Self) -> T) -> T {
        let set = |machine: &mut Self, is_at_once| {
            let contests = machine.contests.as_mut();
            contests.map(|contests| std::mem::replace(&mut contests.is_at_once, is_at_once))
        };
        let before = set(self, true);
        let result = part(self);
        set(self, before.unwrap_or(false));
        result
    }

    /// Whether another document may have taken this entry during the command.
    pub(super) fn is_contested(&self, key: &Key) -> bool {
        self.contests.as_ref().is_some_and(|contests| contests.entries.contains_key(key))
    }

    /// The owner of an entry of a unique index. An owner that has expired is removed here.
    fn owner(
        &mut self,
        collection: &CollectionName,
        moved: &Moved<'_>,
        key: &Key,
        now: Time,
    ) -> Result<Owner> {
        let Some(value) = self.get(INDEXES, key)? else { return Ok(Owner::Nobody) };
        let owner = owner_of(&value).ok_or_else(|| keys::corrupt(key))?;
        if owner == moved.id {
            return Ok(Owner::Itself);
        }
        let document = keys::document(moved.number, owner);
        let record = self.get(DOCUMENTS, &document)?.ok_or_else(|| keys::corrupt(key))?;
        let stored = Stored::read(record)?;
        if is_expired(&stored.header, now) {
            self.remove_document(collection, &document, &stored.record, now)?;
            return Ok(Owner::Nobody);
        }
        Ok(Owner::Other(DocumentId::new(owner)?))
    }

    /// Ends a command that changed several documents: each entry that they took from each other is given to
    /// the document that still has its values. Returns the operations that are refused since another
    /// document has them too, each with its document and the first reason.
    pub(super) fn settle_contests(&mut self) -> Result<BTreeMap<usize, (DocumentId, Refusal)>> {
        let contests = self.contests.take().unwrap_or_default();
        let mut ended = Vec::with_capacity(contests.entries.len());
        for (key, contest) in &contests.entries {
            let mut holders = SmallVec::new();
            for holder in &contest.holders {
                if let Some(entry) = self.entry_of(contest, &holder.id, key)? {
                    holders.push((holder, entry));
                }
            }
            ended.push(Ended { key, contest, holders });
        }
        let refused = refused(&ended);
        if refused.is_empty() {
            for ended in &ended {
                self.give_entry(ended)?;
            }
        }
        Ok(refused)
    }

    /// Gives a contested entry to the one document that has its values, if there is one.
    fn give_entry(&mut self, ended: &Ended<'_>) -> Result<()> {
        let Some((holder, entry)) = ended.holders.first() else { return Ok(()) };
        let (key, contest) = (ended.key, ended.contest);
        let found = self.get(INDEXES, key)?;
        if found.as_ref().and_then(|value| owner_of(value)) == Some(holder.id.by_ref()) {
            return Ok(());
        }
        // Documents that took it in between no longer have it, and the entry was deleted with their change.
        self.batch.put(INDEXES, key, &contest.definition.entry_value(entry, holder.id.by_ref()));
        self.hints.touch_entry(key);
        let changed = self.change_collection(&contest.collection).expect("it was found");
        changed.indexes[contest.position].totals.entries += u64::from(found.is_none());
        changed.indexes[contest.position].is_changed = true;
        Ok(())
    }

    /// The entry with this key of a document in its current state, if it has one.
    fn entry_of(&self, contest: &Contest, id: &DocumentId, key: &Key) -> Result<Option<Entry>> {
        let Some(record) = self.get(DOCUMENTS, &keys::document(contest.number, id))? else {
            return Ok(None);
        };
        let stored = Stored::read(record)?;
        let entries = refusable(contest.definition.entries(&stored.view(id)?))?;
        let entries = entries.unwrap_or_default().list.into_iter();
        Ok(entries.into_iter().find(|entry| entry.key == *key))
    }
}

/// The operations that took values that another document has in the end, unless that document's operation
/// is refused itself.
fn refused(ended: &[Ended<'_>]) -> BTreeMap<usize, (DocumentId, Refusal)> {
    let mut takings = Vec::new();
    for (number, one) in ended.iter().enumerate() {
        for (place, (holder, _)) in one.holders.iter().enumerate().skip(1) {
            let operation = holder.operation.expect("whoever took nothing is the first");
            // Entries are in the order of the numbers of indexes, which is not that of their names.
            takings.push((operation, one.contest.position, number, place));
        }
    }
    takings.sort_unstable();
    let (mut refused, mut documents) = (BTreeMap::new(), BTreeSet::new());
    for (operation, _, number, place) in takings {
        let Ended { contest, holders, .. } = &ended[number];
        let document = |place: usize| (contest.number, &holders[place].0.id);
        let other = (0..place).find(|other| !documents.contains(&document(*other)));
        if let Some(other) = other {
            let (index, id) = (contest.definition.name.clone(), holders[other].0.id.clone());
            let refusal = (holders[place].0.id.clone(), Refusal::Duplicate { index, id });
            refused.entry(operation).or_insert(refusal);
            documents.insert(document(place));
        }
    }
    refused
}
