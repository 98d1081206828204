//! [`Documents`]: a collection of documents of any shape.

use std::time::Duration;

use smallvec::smallvec;
use velocitydb_core::{
    Action, Body, CollectionName, Condition, Consistency, DocumentId, Expiry, IntoDocumentId,
    Operation, Origin, Outcome, RequestId, Update, Write,
};

use crate::apply::Reply;
use crate::handle::batch::{WriteBatch, check_outcomes};
use crate::handle::database::{Access, Database};
use crate::handle::fields::check_action;
use crate::keys::{self, DOCUMENTS};
use crate::{Document, Error, IntoFields, Result};

/// A collection of documents of any shape, with settings for its operations.
///
/// The first insert creates the collection. A handle is cheap to create and to clone; [`at`](Self::at),
/// [`time_to_live`](Self::time_to_live), [`expiring`](Self::expiring) and [`request`](Self::request) return
/// handles that differ in one setting.
#[derive(Clone)]
pub struct Documents {
    pub(crate) db: Database,
    name: std::result::Result<CollectionName, velocitydb_core::Error>,
    consistency: Consistency,
    expiry: Expiry,
    request: Option<RequestId>,
}

/// A document to create by [`insert_all`](Documents::insert_all).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewDocument<F> {
    /// Its id; `None` for a new one.
    pub id: Option<DocumentId>,
    /// Its own fields.
    pub fields: F,
    /// The version and times that it had where it comes from; `None` if it begins here.
    pub origin: Option<Origin>,
}

/// The result of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The document's id.
    pub id: DocumentId,
    /// The document's version after the write.
    pub version: u64,
    /// Whether the document existed before.
    pub existed: bool,
    /// The position of the write in the order of all commands.
    pub index: u64,
    /// The consistency level at which it was acknowledged.
    pub consistency: Consistency,
    /// Whether this answers an earlier call with the same request id.
    pub is_replayed: bool,
}

impl Database {
    /// A collection of documents of any shape. The first insert creates it.
    pub fn documents(&self, name: &str) -> Documents {
        Documents::new(self.clone(), name)
    }
}

impl Documents {
    pub(crate) fn new(db: Database, name: &str) -> Self {
        Documents {
            name: CollectionName::new(name),
            consistency: Consistency::default(),
            expiry: Expiry::default(),
            request: db.request_id().cloned(),
            db,
        }
    }

    /// A handle whose operations have this consistency level. The default is `strong`.
    pub fn at(&self, consistency: Consistency) -> Self {
        Documents { consistency, ..self.clone() }
    }

    /// A handle whose writes, of whatever kind, set documents to expire `duration` after the write. A
    /// document that is written with a duration of zero is never read.
    pub fn time_to_live(&self, duration: Duration) -> Self {
        self.expiring(Expiry::After(duration))
    }

    /// A handle whose writes, of whatever kind, set when documents expire. [`Expiry::Never`] removes the
    /// time to live of a document that it updates.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use std::time::Duration;
    /// use velocitydb::{Expiry, object};
    ///
    /// let sessions = velocitydb::open_in_memory()?.documents("sessions");
    /// sessions.time_to_live(Duration::from_secs(60)).insert("s1", object! { "user": "alice" })?;
    /// sessions.expiring(Expiry::Never).update("s1", object! {})?;
    /// assert_eq!(sessions.get("s1")?.expect("s1").expires(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn expiring(&self, expiry: Expiry) -> Self {
        Documents { expiry, ..self.clone() }
    }

    /// A handle for one write, which is applied at most once, however often it is retried with this id: a
    /// retry gets the answer of the first attempt, new ids included. Another write with the same id is
    /// [`Error::RequestReused`], and does nothing.
    pub fn request(&self, request: RequestId) -> Self {
        Documents { request: Some(request), ..self.clone() }
    }

    /// The collection's name.
    ///
    /// # Errors
    ///
    /// When the name that the handle was created with is not valid.
    pub fn name(&self) -> Result<&CollectionName> {
        Ok(self.name.as_ref().map_err(Clone::clone)?)
    }

    /// The document with this id; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When a name or id is invalid, the level is too weak, or storage fails, as for all reads.
    #[inline]
    pub fn get(&self, id: impl IntoDocumentId) -> Result<Option<Document>> {
        let id = DocumentId::new(id)?;
        let Some(entry) = self.db.entry(self.name()?, Access::Read, self.consistency)? else {
            return Ok(None);
        };
        let key = keys::document(entry.number, &id);
        let Some(record) = self.db.value_at(self.consistency, DOCUMENTS, &key)? else {
            return Ok(None);
        };
        let document = Document::new(id, record)?;
        // Only a document that expires needs the clock.
        let has_expired = document.expires().is_some_and(|expires| expires <= self.db.now());
        Ok((!has_expired).then_some(document))
    }

    /// The current document, for the answer to the retry of a write. The minimum level of the collection
    /// for reads does not apply, since the caller does not read.
    pub(crate) fn for_answer(&self, id: impl IntoDocumentId) -> Result<Option<Document>> {
        self.db.snapshot_at(self.consistency)?.get(self.name()?.as_str(), id)
    }

    /// The documents with these ids, in the order of the ids, all from one state.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn get_many(
        &self,
        ids: impl IntoIterator<Item = impl IntoDocumentId>,
    ) -> Result<Vec<Option<Document>>> {
        self.db.entry(self.name()?, Access::Read, self.consistency)?;
        self.db.snapshot_at(self.consistency)?.get_many(self.name()?.as_str(), ids)
    }

    /// How many documents there are. O(1), apart from expired documents that are still to be removed.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn count(&self) -> Result<u64> {
        self.db.entry(self.name()?, Access::Read, self.consistency)?;
        self.db.snapshot_at(self.consistency)?.count(self.name()?.as_str())
    }

    /// Creates a document.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`] when the id is in use; and when the input is invalid, the level is too
    /// weak, or storage fails, as for all writes.
    pub fn insert(&self, id: impl IntoDocumentId, fields: impl IntoFields) -> Result<Written> {
        self.write_one(DocumentId::new(id)?, Action::Insert(fields.into_fields()?))
    }

    /// Creates a document under a new id, a UUIDv7: later ids sort after earlier ones.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn insert_new(&self, fields: impl IntoFields) -> Result<Written> {
        self.write_one(self.db.new_id(), Action::InsertNew(fields.into_fields()?))
    }

    /// Creates all of these documents, or none of them.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert), for the first document that was refused; [`Error::batch`] says
    /// which one it is, and has the outcomes of the others.
    pub fn insert_many<F: IntoFields>(
        &self,
        documents: impl IntoIterator<Item = (impl IntoDocumentId, F)>,
    ) -> Result<Vec<Written>> {
        let actions = documents
            .into_iter()
            .map(|(id, fields)| Ok((DocumentId::new(id)?, Action::Insert(fields.into_fields()?))));
        self.write_many(actions)
    }

    /// Creates a document with the version and times that it had where it comes from.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert), and [`Error::Inapplicable`] when the document was deleted here at
    /// that version or a later one: a version is never used twice.
    pub fn import(
        &self,
        id: impl IntoDocumentId,
        fields: impl IntoFields,
        origin: Origin,
    ) -> Result<Written> {
        self.write_one(DocumentId::new(id)?, Action::Import(fields.into_fields()?, origin))
    }

    /// Creates all of these documents under new ids, or none of them.
    ///
    /// # Errors
    ///
    /// As for [`insert_many`](Self::insert_many).
    pub fn insert_many_new<F: IntoFields>(
        &self,
        documents: impl IntoIterator<Item = F>,
    ) -> Result<Vec<Written>> {
        let actions = documents
            .into_iter()
            .map(|fields| Ok((self.db.new_id(), Action::InsertNew(fields.into_fields()?))));
        self.write_many(actions)
    }

    /// Creates all of these documents, or none of them: each under its id or a new one, and with the version
    /// and times that it had where it comes from, or from now on.
    ///
    /// # Errors
    ///
    /// As for [`insert_many`](Self::insert_many) and [`import`](Self::import), and
    /// [`InvalidQuery`](crate::InputError::InvalidQuery) for one that has an origin and no id.
    pub fn insert_all<F: IntoFields>(
        &self,
        documents: impl IntoIterator<Item = NewDocument<F>>,
    ) -> Result<Vec<Written>> {
        let actions = documents.into_iter().map(|document| {
            let fields = document.fields.into_fields()?;
            Ok(match (document.id, document.origin) {
                (Some(id), None) => (id, Action::Insert(fields)),
                (Some(id), Some(origin)) => (id, Action::Import(fields, origin)),
                (None, None) => (self.db.new_id(), Action::InsertNew(fields)),
                (None, Some(_)) => return Err(Origin::without_id().into()),
            })
        });
        self.write_many(actions)
    }

    /// Applies all of these operations, or none of them.
    fn write_many(
        &self,
        actions: impl Iterator<Item = Result<(DocumentId, Action)>>,
    ) -> Result<Vec<Written>> {
        let mut batch = WriteBatch::new();
        for action in actions {
            let (id, action) = action?;
            batch.push(self.operation(id, Condition::Always, action)?)?;
        }
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut places = batch.places();
        let reply = self.submit(batch.into_write())?;
        reply.restore_ids(&mut places);
        check_outcomes(&reply, &places)?;
        let written = places.into_iter().zip(&reply.outcomes);
        Ok(written.map(|((_, id), outcome)| self.written(id, outcome, &reply)).collect())
    }

    /// Changes some fields of a document. The update is an object whose fields are set while the others
    /// stay, or it has operators, as in `object! { "$inc": { "age": 1 } }`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it does not exist; and as for [`insert`](Self::insert).
    pub fn update(&self, id: impl IntoDocumentId, update: impl Into<Update>) -> Result<Written> {
        self.write_one(DocumentId::new(id)?, Action::Update(update.into()))
    }

    /// Replaces the fields of a document.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn replace(&self, id: impl IntoDocumentId, fields: impl IntoFields) -> Result<Written> {
        self.write_one(DocumentId::new(id)?, Action::Replace(fields.into_fields()?))
    }

    /// Creates a document, or replaces its fields.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert), except [`Error::AlreadyExists`].
    pub fn upsert(&self, id: impl IntoDocumentId, fields: impl IntoFields) -> Result<Written> {
        self.write_one(DocumentId::new(id)?, Action::Upsert(fields.into_fields()?))
    }

    /// Deletes a document. `existed` says whether there was one. Its version is remembered, so that a
    /// document that is inserted under the same id later continues it.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert), except [`Error::AlreadyExists`].
    pub fn delete(&self, id: impl IntoDocumentId) -> Result<Written> {
        self.write_one(DocumentId::new(id)?, Action::Delete)
    }

    /// Applies one operation, and turns a refusal into an error.
    fn write_one(&self, id: DocumentId, action: Action) -> Result<Written> {
        let reply = self.submit_one(id.clone(), Condition::Always, action)?;
        self.written_one(id, reply)
    }

    /// The result of one operation on a document.
    pub(super) fn written_one(&self, id: DocumentId, mut reply: Reply) -> Result<Written> {
        let id = reply.new_ids.pop().map_or(id, |(_, first)| first);
        match &reply.outcomes[0] {
            Outcome::Refused(refusal) => {
                Err(Error::refused(self.name()?.clone(), id, refusal.clone(), None))
            }
            outcome => Ok(self.written(id, outcome, &reply)),
        }
    }

    fn written(&self, id: DocumentId, outcome: &Outcome, reply: &Reply) -> Written {
        let (version, existed) = match outcome {
            Outcome::Applied { version, existed } => (*version, *existed),
            Outcome::Held { version } => (*version, false),
            Outcome::Refused(_) | Outcome::Abandoned => {
                unreachable!("a refused command has been turned into an error")
            }
        };
        Written {
            id,
            version,
            existed,
            index: reply.index,
            consistency: self.consistency,
            is_replayed: reply.is_replayed,
        }
    }

    pub(crate) fn submit_one(
        &self,
        id: DocumentId,
        condition: Condition,
        action: Action,
    ) -> Result<Reply> {
        let operation = self.operation(id, condition, action)?;
        self.submit(Write { checks: Vec::new(), operations: smallvec![operation] })
    }

    pub(crate) fn operation(
        &self,
        id: DocumentId,
        condition: Condition,
        action: Action,
    ) -> Result<Operation> {
        check_action(&action)?;
        let (collection, expiry) = (self.name()?.clone(), self.expiry());
        Ok(Operation { collection, id, condition, action, expiry })
    }

    /// The expiry of what is written through this handle.
    pub(crate) fn expiry(&self) -> Expiry {
        self.expiry
    }

    pub(crate) fn submit(&self, write: Write) -> Result<Reply> {
        self.db.entry(self.name()?, Access::Write, self.consistency)?;
        self.submit_body(Body::Write(write))
    }

    pub(crate) fn submit_body(&self, body: Body) -> Result<Reply> {
        self.db.submit(body, self.request.clone(), self.consistency)
    }

    /// The database, with this handle's request id.
    pub(crate) fn database(&self) -> Database {
        match &self.request {
            Some(request) => self.db.request(request.clone()),
            None => self.db.without_request(),
        }
    }

    /// A handle without the request id, for the parts of a call.
    pub(crate) fn without_request(&self) -> Self {
        Documents { db: self.db.without_request(), request: None, ..self.clone() }
    }

    pub(crate) fn consistency(&self) -> Consistency {
        self.consistency
    }

    pub(crate) fn request_id(&self) -> Option<&RequestId> {
        self.request.as_ref()
    }
}
