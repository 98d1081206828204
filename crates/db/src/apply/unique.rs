//! Applying: uniqueness, judged by what a command leaves.
//!
//! A command that changes several documents may shift values among them, swap them, or give the
//! value of one that it deletes to another: whether two documents have the same is a question about
//! the state that it ends in, not about the order of its operations.
//!
//! ```text
//!  take ──▶ nobody has the entry ───────────────────────▶ it is the document's
//!       ──▶ another one does, one document is changed ──▶ refused
//!       ──▶ another one does, several are changed ──────▶ it is the document's for the time being,
//!                                                         and contested
//!  at the end, of each contested entry: who still has these values?
//!       nobody ──▶ there is no entry     one ──▶ it is that one's     more ──▶ refused
//! ```
//!
//! Nobody reads indexes while a command is under way, so nobody meets an entry that is contested.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::SmallVec;
use velocitydb_core::{CollectionName, DocumentId, Refusal, Time};

use super::Machine;
use super::documents::{Stored, is_expired, refusable};
use super::indexes::Moved;
use crate::Result;
use crate::index::{Definition, Entry, owner_of};
use crate::keys::{self, CollectionNumber, DOCUMENTS, INDEXES, Key};

/// The entries of unique indexes that the documents of one command took from each other.
#[derive(Default)]
pub(super) struct Contests {
    /// Which operation of the command is being applied.
    pub(super) operation: usize,
    /// Whether what is being applied cannot wait for the end of the command.
    is_at_once: bool,
    entries: BTreeMap<Key, Contest>,
}

/// An entry that more than one document has had in the course of a command.
struct Contest {
    collection: CollectionName,
    number: CollectionNumber,
    definition: Arc<Definition>,
    /// Where the index is among those of the collection.
    position: usize,
    /// In the order in which they took it. Whoever had it before anybody took it from them is the
    /// first.
    holders: Vec<Holder>,
}

struct Holder {
    id: DocumentId,
    /// The operation that took it; `None` of the first.
    operation: Option<usize>,
}

/// Whose an entry of a unique index is.
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
    /// Lets the document have an entry of a unique index, at least until the end of the command.
    /// Returns whether the entry is there, or why the document cannot have it.
    pub(super) fn take_entry(
        &mut self,
        collection: &CollectionName,
        moved: &Moved<'_>,
        key: &Key,
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
        if let Some(contest) = contests.entries.get_mut(key) {
            contest.holders.retain(|holder| holder.id.as_str() != moved.id);
            let id = DocumentId::new(moved.id)?;
            contest.holders.push(Holder { id, operation: Some(operation) });
        }
        Ok(Ok(is_there))
    }

    /// Another document that has the values of a contested entry as it is now.
    fn other_holder(&self, id: &str, key: &Key) -> Result<Option<DocumentId>> {
        let contest = self.contests.as_ref().and_then(|contests| contests.entries.get(key));
        let Some(contest) = contest else { return Ok(None) };
        for holder in contest.holders.iter().filter(|holder| holder.id.as_str() != id) {
            if self.entry_of(contest, &holder.id, key)?.is_some() {
                return Ok(Some(holder.id.clone()));
            }
        }
        Ok(None)
    }

    /// Does a part of a command that is refused at once where another document has its values: the
    /// end of a lease, which refuses nothing but itself.
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

    /// Whether another document may have taken this entry in the course of the command.
    pub(super) fn is_contested(&self, key: &Key) -> bool {
        self.contests.as_ref().is_some_and(|contests| contests.entries.contains_key(key))
    }

    /// Whose the entry of a unique index is. One that has expired goes here and now.
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

    /// Ends a command that changed several documents: each entry that they took from each other
    /// becomes that of the one that still has its values. Returns the operations that are refused
    /// since another document has them too, each with its document and the first reason.
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
        if found.as_ref().and_then(|value| owner_of(value)) == Some(&holder.id) {
            return Ok(());
        }
        // Whoever took it in between has left it, and the entry went along.
        self.batch.put(INDEXES, key, &contest.definition.entry_value(entry, &holder.id));
        self.hints.touch_entry(key);
        let changed = self.change_collection(&contest.collection).expect("it was found");
        changed.indexes[contest.position].totals.entries += u64::from(found.is_none());
        changed.indexes[contest.position].is_changed = true;
        Ok(())
    }

    /// The entry with this key that a document has as it is now, if it has it.
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

/// The operations that took values which another document has in the end, unless that one is refused
/// itself.
fn refused(ended: &[Ended<'_>]) -> BTreeMap<usize, (DocumentId, Refusal)> {
    let mut takings = Vec::new();
    for (number, one) in ended.iter().enumerate() {
        for (place, (holder, _)) in one.holders.iter().enumerate().skip(1) {
            let operation = holder.operation.expect("whoever took nothing is the first");
            // Entries are in the order of the numbers of indexes, and theirs is not that of names.
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
