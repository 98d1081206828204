//! [`Transaction`]: serializable reads and writes of several documents and collections.
//!
//! Optimistic: a transaction reads from a snapshot, records what it read and at which version, and buffers
//! its writes. The commit is one command. It checks that everything that was read is unchanged, and then
//! writes; otherwise it is a conflict. Since reads are checked too, write skew is a conflict, and
//! transactions are serializable. No lock is held.

pub(crate) mod aggregate;
pub(crate) mod claim;
pub(crate) mod leases;
pub(crate) mod query;
pub(crate) mod run;

use std::collections::{BTreeMap, HashMap};

use velocitydb_core::{
    Action, Body, Check, CollectionName, Condition, Consistency, DocumentId, Encoded, Expiry,
    Filter, Header, IntoDocumentId, LeaseChange, Operation, Outcome, Refusal, Request, Time,
    Update, Write, check_own_fields, limits,
};

use crate::apply::{next_id, unmet, unmet_by_none};
use crate::handle::database::Access;
use crate::handle::fields::check_condition;
use crate::state::catalog;
use crate::{Database, Document, Error, IntoFields, Result, Snapshot};

/// A running transaction; see [`Database::transaction`].
pub struct Transaction {
    db: Database,
    snapshot: Snapshot,
    /// The headers of the documents that were read; `None` if there was no document.
    documents: HashMap<DocumentRef, Option<Header>>,
    /// By collection that was read as a whole, the last command that had changed it; 0 if there was none.
    collections: HashMap<CollectionName, u64>,
    /// What queries found, as checks of the commit.
    queries: Vec<Check>,
    /// The writes; `None` deletes.
    writes: BTreeMap<DocumentRef, Option<New>>,
    /// The approximate size of all of these in the command that commits, in bytes.
    bytes: usize,
}

/// A document as the transaction leaves it.
pub(crate) struct New {
    pub(crate) fields: Encoded,
    pub(crate) expires: Option<Time>,
    /// The change of the lease that the document had before the transaction, if any.
    pub(crate) lease: Option<LeaseChange>,
}

impl New {
    /// Without a time of expiry, as after every write but an update.
    fn from(fields: impl IntoFields) -> Result<Self> {
        let fields = fields.into_fields()?;
        check_own_fields(fields.view())?;
        Ok(New { fields, expires: None, lease: None })
    }
}

pub(crate) type DocumentRef = (CollectionName, DocumentId);

impl Transaction {
    pub(crate) fn new(db: Database, snapshot: Snapshot) -> Self {
        Transaction {
            db,
            snapshot,
            documents: HashMap::new(),
            collections: HashMap::new(),
            queries: Vec::new(),
            writes: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// A document as this transaction sees it: in the state of its beginning, with its own writes. A
    /// document that the transaction has written has its former version until the commit: 0 if it is new.
    ///
    /// # Errors
    ///
    /// When a name or id is invalid or storage fails.
    pub fn get(&mut self, collection: &str, id: impl IntoDocumentId) -> Result<Option<Document>> {
        self.current(&place(collection, id)?)
    }

    /// The documents with these ids, in their order. See [`get`](Self::get).
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn get_many(
        &mut self,
        collection: &str,
        ids: impl IntoIterator<Item = impl IntoDocumentId>,
    ) -> Result<Vec<Option<Document>>> {
        ids.into_iter().map(|id| self.get(collection, id)).collect()
    }

    /// Returns an error unless `condition` holds for the document as this transaction sees it.
    ///
    /// # Errors
    ///
    /// [`Error::VersionMismatch`], [`Error::ConditionFailed`], [`Error::NotFound`] or
    /// [`Error::AlreadyExists`] when it does not hold; and when the input is invalid.
    pub fn compare(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        condition: &Condition,
    ) -> Result<()> {
        check_condition(condition)?;
        let place = place(collection, id)?;
        let refusal = match self.current(&place)? {
            Some(document) => unmet(condition, &document.view()?)?,
            None => unmet_by_none(condition),
        };
        match refusal {
            None => Ok(()),
            Some(refusal) => Err(Error::refused(place.0, place.1, refusal, None)),
        }
    }

    /// Creates a document.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`] when the id is taken; and when the input is invalid.
    pub fn insert(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        fields: impl IntoFields,
    ) -> Result<()> {
        let place = place(collection, id)?;
        if let Some(document) = self.current(&place)? {
            let refusal = Refusal::Exists { version: document.version() };
            return Err(Error::refused(place.0, place.1, refusal, None));
        }
        self.set(place, Some(New::from(fields)?))
    }

    /// Creates a document under a new id, and returns the id. See
    /// [`Documents::insert_new`](crate::Documents::insert_new).
    ///
    /// # Errors
    ///
    /// When the input is invalid.
    pub fn insert_new(&mut self, collection: &str, fields: impl IntoFields) -> Result<DocumentId> {
        let id = self.new_id(collection)?;
        self.insert(collection, &id, fields)?;
        Ok(id)
    }

    /// An id for a new document, as the collection gives them in the state that this transaction reads. If
    /// another transaction commits the same integer first, this one conflicts with it.
    fn new_id(&self, collection: &str) -> Result<DocumentId> {
        let (name, state) = (CollectionName::new(collection)?, self.snapshot.state());
        let (generated, found) = (self.db.new_id(), catalog::find(state, &name)?);
        let Some(found) = found else { return Ok(generated) };
        if let Some(id) = found.options.ids.of(&generated) {
            return Ok(id);
        }
        let own = self.writes_to(&name).filter_map(|((_, id), _)| id.to_value().as_i64());
        let stored = catalog::highest_id(state, found.number)?;
        next_id(own.fold(stored, i64::max))
    }

    /// Creates a document, or replaces its fields.
    ///
    /// # Errors
    ///
    /// When the input is invalid.
    pub fn upsert(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        fields: impl IntoFields,
    ) -> Result<()> {
        let place = place(collection, id)?;
        self.current(&place)?;
        self.set(place, Some(New::from(fields)?))
    }

    /// Replaces the fields of a document.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it does not exist; and when the input is invalid.
    pub fn replace(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        fields: impl IntoFields,
    ) -> Result<()> {
        let place = place(collection, id)?;
        self.existing(&place)?;
        self.set(place, Some(New::from(fields)?))
    }

    /// Changes some fields of a document. An object is merged. The time of expiry stays as it is.
    ///
    /// # Errors
    ///
    /// As for [`replace`](Self::replace).
    pub fn update(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        update: impl Into<Update>,
    ) -> Result<()> {
        self.update_at(place(collection, id)?, &update.into())
    }

    fn update_at(&mut self, place: DocumentRef, update: &Update) -> Result<()> {
        let document = self.existing(&place)?;
        self.update_document(&place, &document, update)
    }

    pub(crate) fn update_document(
        &mut self,
        place: &DocumentRef,
        document: &Document,
        update: &Update,
    ) -> Result<()> {
        let fields = self.updated(place, document, update)?;
        self.set(place.clone(), Some(New { fields, expires: document.expires(), lease: None }))
    }

    /// Deletes a document. Returns whether it existed.
    ///
    /// # Errors
    ///
    /// When a name or id is invalid or storage fails.
    pub fn delete(&mut self, collection: &str, id: impl IntoDocumentId) -> Result<bool> {
        let place = place(collection, id)?;
        let existed = self.current(&place)?.is_some();
        self.set(place, None)?;
        Ok(existed)
    }

    /// How many documents the collection has, this transaction's own writes included. From here on, a write
    /// to the collection by anyone else is a conflict.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn count(&mut self, collection: &str) -> Result<u64> {
        let name = self.read_collection(collection)?;
        let mut count = self.snapshot.count(collection)?;
        for ((_, id), write) in self.writes_to(&name) {
            let existed = self.snapshot.get(collection, id)?.is_some();
            count = count + u64::from(write.is_some()) - u64::from(existed);
        }
        Ok(count)
    }

    /// The documents that satisfy a filter, this transaction's own writes included, in the order of ids.
    /// `object! {}` finds all; [`query`](Self::query) can sort them and return a part of them. If the
    /// filter finds anything else when the transaction commits (more documents, fewer, or other versions),
    /// that is a conflict: there are no phantoms.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// db.documents("doctors").insert("alice", object! { "on_call": true })?;
    /// let on_call = db.transaction(|txn| {
    ///     txn.insert("doctors", "bob", object! { "on_call": true })?;
    ///     txn.find("doctors", object! { "on_call": true })
    /// })?;
    /// assert_eq!(on_call.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get), and when the filter is invalid.
    pub fn find(&mut self, collection: &str, filter: impl Into<Filter>) -> Result<Vec<Document>> {
        self.query(collection, filter).documents()
    }

    /// Changes all documents that satisfy a filter. Returns how many there were. See [`find`](Self::find).
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find), and [`Error::Inapplicable`] when the update cannot be applied to one of
    /// them.
    pub fn update_many(
        &mut self,
        collection: &str,
        filter: impl Into<Filter>,
        update: impl Into<Update>,
    ) -> Result<u64> {
        let (found, update) = (self.find(collection, filter)?, update.into());
        for document in &found {
            let place = (CollectionName::new(collection)?, document.id().clone());
            self.update_at(place, &update)?;
        }
        Ok(found.len() as u64)
    }

    /// Deletes all documents that satisfy a filter. Returns how many there were. See [`find`](Self::find).
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find).
    pub fn delete_many(&mut self, collection: &str, filter: impl Into<Filter>) -> Result<u64> {
        let found = self.find(collection, filter)?;
        for document in &found {
            self.delete(collection, document.id())?;
        }
        Ok(found.len() as u64)
    }

    /// Commits, at `strong`. Returns the position in the order of all commands.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when something that was read has changed since: nothing was written,
    /// and the transaction can be run again. [`Error::AlreadyApplied`] when the handle that began it has
    /// a [request id](Database::request) under which another transaction was committed meanwhile.
    /// [`Error::SchemaViolation`] and [`Error::Duplicate`] when a written document violates a schema or a
    /// unique index. And as for all writes.
    pub fn commit(self) -> Result<u64> {
        for (collection, _) in self.writes.keys() {
            self.db.entry(collection, Access::Write, Consistency::Strong)?;
        }
        let documents = self.documents.into_iter().map(|((collection, id), header)| {
            Check::Document { collection, id, version: header.map_or(0, |header| header.version) }
        });
        let collections = self.collections.into_iter();
        let collections =
            collections.map(|(collection, index)| Check::Collection { collection, index });
        let operations = self.writes.into_iter().map(|((collection, id), write)| {
            let expiry =
                write.as_ref().and_then(|new| new.expires).map_or(Expiry::Never, Expiry::At);
            let action = match write {
                Some(New { fields, lease: Some(change), .. }) => Action::Settle(fields, change),
                Some(New { fields, lease: None, .. }) => Action::Upsert(fields),
                None => Action::Delete,
            };
            Operation { collection, id, condition: Condition::Always, action, expiry }
        });
        let write = Write {
            checks: documents.chain(collections).chain(self.queries).collect(),
            operations: operations.collect(),
        };
        let places: Vec<DocumentRef> =
            write.operations.iter().map(|one| (one.collection.clone(), one.id.clone())).collect();
        let request = request(&self.db);
        let reply = self.db.submit_last(Body::Write(write), request.clone())?;
        for (position, outcome) in reply.outcomes.into_iter().enumerate() {
            let Outcome::Refused(refusal) = outcome else { continue };
            return Err(match (places.get(position).cloned(), request) {
                (Some((collection, id)), _) => Error::refused(collection, id, refusal, None),
                (None, Some(request)) => Error::RequestReused { request: request.id },
                (None, None) => unreachable!("there is one outcome for each write"),
            });
        }
        match request {
            Some(request) if reply.is_replayed => {
                Err(Error::AlreadyApplied { request: request.id, index: reply.index })
            }
            _ => Ok(reply.index),
        }
    }

    /// The document as this transaction sees it.
    pub(crate) fn current(&mut self, place: &DocumentRef) -> Result<Option<Document>> {
        match self.writes.get(place) {
            Some(Some(new)) => return self.written(place, new).map(Some),
            Some(None) => return Ok(None),
            None => {}
        }
        let document = self.snapshot.get(place.0.as_str(), &place.1)?;
        let header = document.as_ref().map(Document::header);
        if self.documents.insert(place.clone(), header).is_none() {
            self.holds(length_of(place))?;
        }
        Ok(document)
    }

    pub(crate) fn existing(&mut self, place: &DocumentRef) -> Result<Document> {
        self.current(place)?.ok_or_else(|| {
            let (collection, id) = place.clone();
            Error::refused(collection, id, Refusal::Missing, None)
        })
    }

    /// A document as this transaction has written it.
    fn written(&self, place: &DocumentRef, new: &New) -> Result<Document> {
        let now = self.now();
        let before = self.documents.get(place).copied().flatten();
        let header = match before {
            Some(header) => Header {
                modified: now.max(header.modified),
                expires: new.expires,
                lease: match &new.lease {
                    None => header.lease,
                    Some(change) => lease_end(change, now),
                },
                ..header
            },
            None => Header {
                version: 0,
                created: now,
                modified: now,
                expires: new.expires,
                lease: new.lease.as_ref().and_then(|change| lease_end(change, now)),
            },
        };
        Document::of_parts(place.1.clone(), &header, &new.fields)
    }

    fn writes_to(
        &self,
        name: &CollectionName,
    ) -> impl Iterator<Item = (&DocumentRef, &Option<New>)> {
        self.writes.iter().filter(move |((other, _), _)| other == name)
    }

    /// The fields of a document after an update.
    pub(crate) fn updated(
        &self,
        place: &DocumentRef,
        document: &Document,
        update: &Update,
    ) -> Result<Encoded> {
        update.check()?;
        match update.apply_encoded(document.raw()?, self.now()) {
            Err(error @ velocitydb_core::Error::Corrupt { .. }) => Err(error.into()),
            Err(error) => {
                let (collection, id) = place.clone();
                Err(Error::refused(collection, id, Refusal::Update(error), None))
            }
            Ok(fields) => Ok(fields),
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.db.now()
    }

    /// Records how the transaction leaves a document. Earlier changes of its lease are kept.
    pub(crate) fn set(&mut self, place: DocumentRef, mut write: Option<New>) -> Result<()> {
        if let Some(new) = &mut write {
            new.lease = self.lease_after(&place, new)?;
        }
        let (added, place_length) = (length_of_write(&write)?, length_of(&place));
        match self.writes.insert(place, write) {
            Some(before) => {
                self.bytes -= length_of_write(&before)?;
                self.holds(added)?;
            }
            None => self.holds(added + place_length)?,
        }
        within(
            "the number of documents that one transaction writes",
            self.writes.len(),
            limits::COMMAND_OPERATIONS_MAX,
        )
    }

    /// Counts bytes towards the command that commits. What would exceed its limit is refused at once and
    /// not only by the commit, since all of it is held in memory until then.
    fn holds(&mut self, bytes: usize) -> Result<()> {
        self.bytes += bytes;
        let checks = self.documents.len() + self.collections.len() + self.queries.len();
        within(
            "the number of documents, listings and queries that one transaction has read",
            checks,
            limits::COMMAND_CHECKS_MAX,
        )?;
        within(
            "the size of one transaction (what it has read, as ids and filters, and writes) in bytes",
            self.bytes,
            limits::COMMAND_BYTES_MAX,
        )
    }

    /// Records that the whole collection was read.
    fn read_collection(&mut self, collection: &str) -> Result<CollectionName> {
        let name = CollectionName::new(collection)?;
        let totals = self.snapshot.totals(&name)?;
        let index = totals.map_or(0, |totals| totals.index);
        if self.collections.insert(name.clone(), index).is_none() {
            self.holds(name.as_str().len())?;
        }
        Ok(name)
    }
}

/// The fingerprint of every transaction. Its commands come from a closure, which cannot be compared, and
/// depend on what it reads.
const FINGERPRINT: u128 = u128::from_be_bytes(*b"   transaction  ");

/// The request that a transaction of this handle belongs to.
fn request(db: &Database) -> Option<Request> {
    db.request_id().map(|id| Request { id: id.clone(), fingerprint: FINGERPRINT })
}

fn within(what: &'static str, found: usize, max: usize) -> Result<()> {
    if found <= max {
        return Ok(());
    }
    Err(velocitydb_core::Error::LimitExceeded {
        what: what.into(),
        path: String::new(),
        found,
        max,
    }
    .into())
}

pub(crate) fn place(collection: &str, id: impl IntoDocumentId) -> Result<DocumentRef> {
    Ok((CollectionName::new(collection)?, DocumentId::new(id)?))
}

/// The end of a lease after a change at this time.
fn lease_end(change: &LeaseChange, now: Time) -> Option<Time> {
    match change {
        LeaseChange::End => None,
        LeaseChange::Renew(duration) => Some(now.saturating_add(*duration)),
        LeaseChange::Begin(begun) => Some(now.saturating_add(begun.lease.duration)),
    }
}

/// The approximate size of a write in a command without the collection and the id, in bytes.
fn length_of_write(write: &Option<New>) -> Result<usize> {
    let Some(new) = write else { return Ok(0) };
    let lease = new.lease.as_ref().map(LeaseChange::encoded_length_max).transpose()?;
    Ok(new.fields.as_bytes().len() + lease.unwrap_or(0))
}

/// The approximate size of a collection and an id in a command, in bytes.
fn length_of(place: &DocumentRef) -> usize {
    place.0.as_str().len() + place.1.as_bytes().len()
}
