//! The state of the naive model, and what single operations do to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use velocitydb::{Consistency, Direction, NewIds, Object, Origin};

use super::changes::{change, retried};
use super::id::Id;
use super::leases::{begin, release};
use super::rules;
use super::step::{
    self, Action, Answer, Bounds, Change, Condition, LeaseChange, Operation, Releases, Rules, Seen,
};
use crate::queries::matching;

#[derive(Clone, Default)]
pub struct State {
    pub collections: BTreeMap<String, Collection>,
    /// Highest version, and when it was dropped.
    pub dropped: BTreeMap<String, (u64, i64)>,
    pub is_purge_due: bool,
    /// When the documents of dropped collections expire, and when the leases on them end, until they
    /// are removed.
    pub leftovers: Vec<(Option<i64>, Option<i64>)>,
    pub requests: VecDeque<Remembered>,
    pub index: u64,
    pub next_number: u64,
    /// Counts everything that changes anything, and never goes back.
    pub touches: u64,
    /// While a command changes several documents, which unique values they have come by: who has
    /// them too is asked when it is done.
    pub takings: Option<Vec<Taking>>,
    /// Which operation of the command is at work.
    pub operation: usize,
    /// The ids of the new documents that the command has made so far.
    pub new_ids: Vec<Id>,
}

/// A unique value that a document has come by.
#[derive(Clone, PartialEq)]
pub struct Taking {
    pub operation: usize,
    pub collection: String,
    pub index: usize,
    pub id: Id,
    pub value: Vec<u8>,
}

#[derive(Clone, Default)]
pub struct Collection {
    pub min_write: Option<Consistency>,
    pub min_read: Option<Consistency>,
    pub ids: NewIds,
    /// The highest integer that has been an id, of those above zero.
    pub highest: i64,
    pub documents: BTreeMap<Id, Document>,
    /// Version, and when it was deleted.
    pub tombstones: BTreeMap<Id, (u64, i64)>,
    pub version_floor: u64,
    pub version_max: u64,
    pub writes: u64,
    pub touched: u64,
    /// In the order of their creation.
    pub number: u64,
    pub indexes: BTreeSet<usize>,
    pub schema: Option<Rules>,
    /// The version that the schema was proposed or imposed at.
    pub rules_version: u64,
    pub schema_version: u64,
}

#[derive(Clone)]
pub struct Document {
    pub version: u64,
    pub created: i64,
    pub modified: i64,
    pub expires: Option<i64>,
    pub lease: Option<Lease>,
    /// The shapes of claims that could not take it, and until when they do not try.
    pub unfit: Vec<(String, i64)>,
    pub fields: Object,
}

#[derive(Clone)]
pub struct Lease {
    pub until: i64,
    pub releases: Releases,
    /// The fields that the claim has set, and their values then.
    pub set: Vec<(String, Option<Vec<u8>>)>,
}

impl Lease {
    /// Whether what the claim has set is still so.
    pub fn is_as_claimed(&self, fields: &Object) -> bool {
        self.set.iter().all(|(name, value)| fields.get(name).map(rules::encoded) == *value)
    }
}

/// The answer to a request.
#[derive(Clone, Default)]
pub struct Remembered {
    pub request: String,
    /// What was asked for.
    pub asked: String,
    pub applied: i64,
    pub index: u64,
    pub outcomes: Vec<Outcome>,
    pub new_ids: Vec<Id>,
    /// What was found and changed.
    pub found: Vec<Found>,
}

/// A document that was found and changed.
#[derive(Clone)]
pub struct Found {
    pub id: Id,
    pub version: u64,
    pub before: Option<Seen>,
    pub after: Option<Seen>,
}

#[derive(Clone, PartialEq)]
pub enum Outcome {
    Applied { version: u64, existed: bool },
    Held { version: u64 },
    Refused(Refusal),
    Abandoned,
}

#[derive(Clone, PartialEq)]
pub enum Refusal {
    Exists(u64),
    Missing,
    Version(u64),
    Content(u64),
    Unmatched(u64),
    Update,
    Duplicate(usize),
    Schema,
    NoLease(u64),
}

/// When a written document expires.
#[derive(Clone, Copy)]
pub enum Expiry {
    /// As an update does.
    Keep,
    Set(Option<i64>),
}

impl Outcome {
    pub fn describe(&self) -> String {
        match self {
            Outcome::Applied { version, existed } => format!("applied {version} {existed}"),
            Outcome::Held { version } => format!("held {version}"),
            Outcome::Refused(refusal) => format!("refused {}", refusal.describe()),
            Outcome::Abandoned => "abandoned".to_owned(),
        }
    }
}

impl Refusal {
    pub fn describe(&self) -> String {
        match self {
            Refusal::Exists(version) => format!("exists {version}"),
            Refusal::Missing => "missing".to_owned(),
            Refusal::Version(found) => format!("version {found}"),
            Refusal::Content(version) => format!("content {version}"),
            Refusal::Unmatched(version) => format!("unmatched {version}"),
            Refusal::Update => "update".to_owned(),
            Refusal::Duplicate(index) => format!("duplicate {}", step::index_name(*index)),
            Refusal::Schema => "schema".to_owned(),
            Refusal::NoLease(version) => format!("no lease {version}"),
        }
    }
}

impl State {
    pub fn document(&self, collection: &str, id: &Id) -> Option<&Document> {
        self.collections.get(collection)?.documents.get(id)
    }

    pub fn see(&self, collection: &str, id: &Id) -> Option<Seen> {
        self.document(collection, id).map(|one| one.see(id))
    }

    pub fn count(&self, collection: &str) -> u64 {
        self.collections.get(collection).map_or(0, |one| one.documents.len() as u64)
    }

    pub fn touched(&self, collection: &str) -> u64 {
        self.collections.get(collection).map_or(0, |one| one.touched)
    }

    pub fn list(&self, collection: &str, list: &Bounds) -> Answer {
        let all = self.collections.get(collection).map(|one| one.documents.iter());
        let mut all: Vec<_> =
            all.into_iter().flatten().map(|(id, document)| document.see(id)).collect();
        if list.direction == Direction::Backward {
            all.reverse();
        }
        if let Some(after) = &list.after {
            all.retain(|one| match list.direction {
                Direction::Forward => one.id > *after,
                Direction::Backward => one.id < *after,
            });
        }
        all.drain(..list.offset.min(all.len()));
        let limit = list.limit.unwrap_or(usize::MAX);
        let has_more = all.len() > limit;
        all.truncate(limit);
        let next = all.last().map(|one| one.id.clone()).filter(|_| has_more);
        Answer::Page(all, next.map(Box::new))
    }

    /// Something of the collection, and none of its documents, is about to change.
    pub fn alter(&mut self, collection: &str) -> &mut Collection {
        self.touches += 1;
        self.collections.get_mut(collection).unwrap()
    }

    /// Documents of the collection are about to change.
    pub fn touch(&mut self, collection: &str) -> &mut Collection {
        self.touches += 1;
        let found = self.collections.get_mut(collection).unwrap();
        found.touched = self.touches;
        found
    }

    pub fn create(
        &mut self,
        name: &str,
        min_write: Option<Consistency>,
        min_read: Option<Consistency>,
    ) {
        let floor = self.dropped.remove(name).map_or(0, |(version, _)| version);
        let collection = Collection {
            min_write,
            min_read,
            version_floor: floor,
            version_max: floor,
            number: self.next_number,
            ..Collection::default()
        };
        self.next_number += 1;
        self.collections.insert(name.to_owned(), collection);
        self.touch(name);
    }

    pub fn expire_one(&mut self, collection: &str, id: &Id, now: i64) {
        if self
            .document(collection, id)
            .is_some_and(|one| one.expires.is_some_and(|time| time <= now))
        {
            self.remove(collection, id, now);
        }
    }

    pub fn remove(&mut self, collection: &str, id: &Id, now: i64) -> u64 {
        let collection = self.touch(collection);
        let version = collection.documents.remove(id).unwrap().version + 1;
        collection.tombstones.insert(id.clone(), (version, now));
        collection.version_max = collection.version_max.max(version);
        collection.writes += 1;
        version
    }

    /// Which operations of the command are refused at its end, since another document has the values that
    /// they took, each with the first index.
    pub fn duplicates(&mut self) -> BTreeMap<usize, usize> {
        let takings = self.takings.take().unwrap_or_default();
        let mut conflicts = BTreeSet::new();
        for taking in &takings {
            let is_same = |one: &&Taking| {
                let same = (&one.collection, one.index, &one.value);
                same == (&taking.collection, taking.index, &taking.value)
            };
            let last = |id: &Id| {
                let mut by = takings.iter().filter(is_same).filter(|one| one.id == *id);
                by.next_back().map(|one| one.operation)
            };
            let has_value = |one: &Document| {
                let values = rules::unique_values(taking.index, &one.fields);
                values.unwrap_or_default().contains(&taking.value)
            };
            let documents = self.collections[&taking.collection].documents.iter();
            let holders = documents.filter(|(_, one)| has_value(one));
            let mut holders: Vec<_> = holders.map(|(id, _)| (last(id), id)).collect();
            holders.sort_unstable();
            let place = |(_, id): (Option<usize>, &Id)| (taking.collection.clone(), id.clone());
            for later in 1..holders.len() {
                let operation = holders[later].0.expect("one had it before");
                let others: Vec<_> = holders[..later].iter().copied().map(place).collect();
                conflicts.insert((operation, taking.index, place(holders[later]), others));
            }
        }
        // A document that is refused itself does not refuse others.
        let (mut refused, mut gone) = (BTreeMap::new(), BTreeSet::new());
        for (operation, index, document, others) in conflicts {
            if others.iter().any(|other| !gone.contains(other)) {
                refused.entry(operation).or_insert(index);
                gone.insert(document);
            }
        }
        refused
    }

    pub fn operate(&mut self, operation: &Operation, expiry: Expiry, now: i64) -> Outcome {
        if let Action::InsertNew(_) = operation.action {
            let id = self.new_id(&operation.collection, &operation.id);
            self.new_ids.push(id.clone());
            return self.operate_on(&Operation { id, ..operation.clone() }, expiry, now);
        }
        self.operate_on(operation, expiry, now)
    }

    fn operate_on(&mut self, operation: &Operation, expiry: Expiry, now: i64) -> Outcome {
        let Operation { collection, id, condition, action: _ } = operation;
        self.settle_one(collection, id, now);
        let found = self.document(collection, id).cloned();
        if let Some(refusal) = refusal(condition, id, found.as_ref()) {
            return Outcome::Refused(refusal);
        }
        self.act(operation, expiry, None, now)
    }

    /// Does what is asked to a document, with a new lease if there is one.
    pub fn act(
        &mut self,
        operation: &Operation,
        expiry: Expiry,
        lease: Option<(i64, Releases)>,
        now: i64,
    ) -> Outcome {
        let Operation { collection, id, action, .. } = operation;
        let found = self.document(collection, id).cloned();
        let version = found.as_ref().map_or(0, |one| one.version);
        let changed = |changes: &[Change]| {
            let fields = &found.as_ref().expect("it was found").fields;
            change(fields, changes).ok_or(Outcome::Refused(Refusal::Update))
        };
        let before = found.as_ref().and_then(|one| one.lease.clone());
        let fields = match (action, &found) {
            (Action::Insert(_) | Action::InsertNew(_) | Action::Import(..), Some(_)) => {
                return Outcome::Refused(Refusal::Exists(version));
            }
            (Action::Compare, _) | (Action::Delete, None) => return Outcome::Held { version },
            (Action::Delete, Some(_)) => {
                let version = self.remove(collection, id, now);
                return Outcome::Applied { version, existed: true };
            }
            (
                Action::Insert(fields)
                | Action::InsertNew(fields)
                | Action::Import(fields, _)
                | Action::Upsert(fields)
                | Action::Settle(fields, LeaseChange::Begin(_)),
                _,
            ) => Ok(fields.clone()),
            (_, None) => return Outcome::Refused(Refusal::Missing),
            (Action::Update(changes) | Action::Complete(changes), _) => changed(changes),
            (
                Action::Renew(_)
                | Action::Release
                | Action::Retry(..)
                | Action::Settle(_, LeaseChange::Renew(_)),
                _,
            ) if before.is_none() => {
                return Outcome::Refused(Refusal::NoLease(version));
            }
            (Action::Replace(fields) | Action::Settle(fields, _), _) => Ok(fields.clone()),
            (Action::Renew(_), Some(found)) => Ok(found.fields.clone()),
            (Action::Retry(not_before, reason), Some(found)) => {
                let releases = &before.as_ref().expect("it was looked at").releases;
                let release = release(releases, &found.object()).unwrap_or_default();
                retried(&found.fields, &release, *not_before, reason)
                    .ok_or(Outcome::Refused(Refusal::Update))
            }
            (Action::Release, Some(found)) => {
                let releases = &before.as_ref().expect("it was looked at").releases;
                match release(releases, &found.object()) {
                    Some(changes) => changed(&changes),
                    None => {
                        let version = self.just_end_lease(collection, id);
                        return Outcome::Applied { version, existed: true };
                    }
                }
            }
        };
        let fields = match fields {
            Ok(fields) => fields,
            Err(refused) => return refused,
        };
        let is_claim = lease.is_some();
        let lease = match (lease, action) {
            (Some((until, releases)), _) => Some(Lease { until, releases, set: Vec::new() }),
            (None, Action::Settle(_, LeaseChange::Begin(begun))) => Some(begin(begun, now)),
            (None, Action::Renew(duration) | Action::Settle(_, LeaseChange::Renew(duration))) => {
                let until = now + super::model::micros(*duration);
                before.map(|lease| Lease { until, ..lease })
            }
            (
                None,
                Action::Complete(_)
                | Action::Release
                | Action::Retry(..)
                | Action::Settle(_, LeaseChange::End),
            ) => None,
            (None, _) => before,
        };
        let expires = match (expiry, action) {
            (Expiry::Set(time), _) => time,
            (
                Expiry::Keep,
                Action::Update(_)
                | Action::Complete(_)
                | Action::Renew(_)
                | Action::Release
                | Action::Retry(..)
                | Action::Settle(..),
            ) => found.as_ref().and_then(|one| one.expires),
            (Expiry::Keep, Action::Import(_, origin)) => {
                origin.expires.map(|time| time.as_micros())
            }
            (Expiry::Keep, _) => None,
        };
        let origin = match action {
            Action::Import(_, origin) => Some(*origin),
            _ => None,
        };
        let new = New { fields, expires, lease, origin };
        match self.put(collection, id, found.as_ref(), new, now) {
            Ok(version) => {
                match action {
                    Action::Update(changes) if is_claim => {
                        let set = changes.iter().filter_map(Change::set).collect();
                        self.keep_what_is_set(collection, id, set);
                    }
                    Action::Settle(written, LeaseChange::Begin(begun))
                        if begun.is_left(written) =>
                    {
                        let set = begun.set.iter().map(|(name, _)| name.clone()).collect();
                        self.keep_what_is_set(collection, id, set);
                    }
                    _ => {}
                }
                self.expire_one(collection, id, now);
                Outcome::Applied { version, existed: found.is_some() }
            }
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    /// Keeps with the lease on a document what the claim has set, as it is stored.
    fn keep_what_is_set(&mut self, collection: &str, id: &Id, set: Vec<String>) {
        let collection = self.collections.get_mut(collection).unwrap();
        let document = collection.documents.get_mut(id).unwrap();
        let value = |name: &String| document.fields.get(name).map(rules::encoded);
        let set = set.into_iter().map(|name| (name.clone(), value(&name))).collect();
        document.lease.as_mut().unwrap().set = set;
    }

    /// Ends the lease on a document, and changes nothing else.
    pub fn just_end_lease(&mut self, collection: &str, id: &Id) -> u64 {
        let collection = self.touch(collection);
        collection.writes += 1;
        let document = collection.documents.get_mut(id).unwrap();
        (document.lease, document.unfit) = (None, Vec::new());
        document.version += 1;
        let version = document.version;
        collection.version_max = collection.version_max.max(version);
        version
    }

    pub fn put(
        &mut self,
        collection: &str,
        id: &Id,
        found: Option<&Document>,
        new: New,
        now: i64,
    ) -> Result<u64, Refusal> {
        if !self.collections.contains_key(collection) {
            self.create(collection, None, None);
        }
        let New { fields, expires, lease, origin } = new;
        let fields = rules::keep_to_schema(self.collections[collection].schema, fields)?;
        let last = self.collections[collection].last_version(id, found);
        if origin.is_some_and(|origin| origin.version <= last) {
            return Err(Refusal::Update);
        }
        let is_last_word = self.takings.is_none();
        let way = &self.collections[collection];
        let way = rules::in_the_way(way, id, found, &fields, now, is_last_word)?;
        match (&mut self.takings, way.duplicate) {
            (None, Some(index)) => return Err(Refusal::Duplicate(index)),
            (None, None) => {}
            (Some(takings), _) => {
                let taking = |(index, value)| {
                    let (collection, id) = (collection.to_owned(), id.clone());
                    Taking { operation: self.operation, collection, index, id, value }
                };
                takings.extend(way.taken.into_iter().map(taking));
            }
        }
        way.stale.iter().for_each(|other| {
            self.remove(collection, other, now);
        });
        let collection = self.touch(collection);
        collection.tombstones.remove(id);
        if let Some(integer) = id.as_integer() {
            collection.highest = collection.highest.max(integer);
        }
        let (version, created, modified) = match (found, origin) {
            (Some(found), _) => (last + 1, found.created, found.modified.max(now)),
            (None, None) => (last + 1, now, now),
            (None, Some(Origin { version, created, modified, .. })) => {
                (version, created.as_micros(), modified.as_micros())
            }
        };
        let unfit = Vec::new();
        let document = Document { version, created, modified, expires, lease, unfit, fields };
        collection.documents.insert(id.clone(), document);
        collection.version_max = collection.version_max.max(version);
        collection.writes += 1;
        Ok(version)
    }
}

impl Collection {
    /// The last version of a document that there is, or was.
    fn last_version(&self, id: &Id, found: Option<&Document>) -> u64 {
        let tombstone = self.tombstones.get(id).map(|(version, _)| *version);
        found.map(|one| one.version).or(tombstone).unwrap_or(self.version_floor)
    }
}

/// What a document is to become.
pub struct New {
    pub fields: Object,
    pub expires: Option<i64>,
    pub lease: Option<Lease>,
    /// What it had elsewhere.
    pub origin: Option<Origin>,
}

impl Document {
    /// One with nothing but a version and fields.
    pub fn of(version: u64, fields: Object) -> Self {
        let (created, modified, unfit) = (0, 0, Vec::new());
        Document { version, created, modified, expires: None, lease: None, unfit, fields }
    }

    pub fn see(&self, id: &Id) -> Seen {
        Seen {
            id: id.clone(),
            version: self.version,
            created: self.created,
            modified: self.modified,
            expires: self.expires,
            fields: self.fields.to_json(),
        }
    }
}

pub fn refusal(condition: &Condition, id: &Id, found: Option<&Document>) -> Option<Refusal> {
    let Some(found) = found else {
        return match condition {
            Condition::Always | Condition::Absent => None,
            Condition::Version(_) => Some(Refusal::Version(0)),
            Condition::Document(_) | Condition::Fields(_) | Condition::Matches(_) => {
                Some(Refusal::Missing)
            }
        };
    };
    let holds = match condition {
        Condition::Always => true,
        Condition::Absent => return Some(Refusal::Exists(found.version)),
        Condition::Version(version) if *version == found.version => true,
        Condition::Version(_) => return Some(Refusal::Version(found.version)),
        Condition::Document(fields) => *fields == found.fields,
        Condition::Matches(filter) => {
            let one = BTreeMap::from([(id.clone(), found.object())]);
            let is_met = !matching(&one, filter).is_empty();
            return (!is_met).then_some(Refusal::Unmatched(found.version));
        }
        Condition::Fields(fields) => {
            fields.iter().all(|(name, value)| found.fields.get(name) == value.as_ref())
        }
    };
    (!holds).then_some(Refusal::Content(found.version))
}
