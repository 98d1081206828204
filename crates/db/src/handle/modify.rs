//! Finding documents and changing them: `update_many`, `delete_many`, [`FindAndModify`].

use std::marker::PhantomData;
use std::ops::ControlFlow;

use velocitydb_core::{
    Action, Body, CollectionName, DocumentId, Filter, Modify, Outcome, Recall, Skip, Sort, Update,
    limits,
};

use crate::apply::{Found, Reply};
use crate::handle::database::Access;
use crate::handle::fields::check_action;
use crate::query::{Control, Need, Order, Selection, select};
use crate::{Document, Documents, Error, FromDocument, IntoFields, Proposed, Result, Typed};

/// The result of changing many documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Modified {
    /// How many documents were changed.
    pub count: u64,
    /// The position of the last command that changed any, in the order of all commands; 0 if none did.
    pub index: u64,
    /// Whether this answers an earlier call with the same request id.
    pub is_replayed: bool,
}

/// How many documents one step changes: a command of some milliseconds.
const STEP_DOCUMENTS: usize = 1_000;

/// A step ends at this many bytes of documents: as many as are committed together at the most.
const STEP_BYTES: usize = 8 << 20;

impl Documents {
    /// Changes all documents that satisfy a filter.
    ///
    /// The documents that satisfy the filter now are changed in the order of their ids; each is checked
    /// again before it is changed. Up to 1,000 documents are changed as one step. More documents, or large
    /// ones, are changed in several steps, each applied as a whole, so that other writers do not wait for
    /// long. With a [`request`](Documents::request) id all are changed as one step: at most 10,000, with at
    /// most [`COMMAND_EFFECT_BYTES_MAX`](limits::COMMAND_EFFECT_BYTES_MAX) bytes. Unique indexes are
    /// checked against the state after a step, so values can be moved and swapped within it.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let jobs = db.documents("jobs");
    /// jobs.insert("a", object! { "state": "running" })?;
    /// jobs.insert("b", object! { "state": "running" })?;
    /// let changed = jobs.update_many(object! { "state": "running" }, object! { "state": "lost" })?;
    /// assert_eq!(changed.count, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the update cannot be applied to one of the documents, its step has no effect and the call ends;
    /// and as for all queries and writes. If earlier steps have changed documents, the error is
    /// [`Error::Unfinished`], which says how many, up to which id, and why the call ended.
    pub fn update_many(
        &self,
        filter: impl Into<Filter>,
        update: impl Into<Update>,
    ) -> Result<Modified> {
        self.modify_many(filter.into(), Action::Update(update.into()))
    }

    /// Deletes all documents that satisfy a filter, as [`update_many`](Self::update_many).
    ///
    /// # Errors
    ///
    /// As for all queries and writes.
    pub fn delete_many(&self, filter: impl Into<Filter>) -> Result<Modified> {
        self.modify_many(filter.into(), Action::Delete)
    }

    /// Begins finding one document and changing it, in one step.
    ///
    /// The retry of a [`request`](Documents::request) gets the document of the first attempt. Documents
    /// that have more than [`REQUEST_DOCUMENT_BYTES_MAX`](crate::REQUEST_DOCUMENT_BYTES_MAX) bytes, before
    /// and after the change together, are not remembered; then the retry is [`Error::AlreadyApplied`].
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{Sort, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let tickets = db.documents("tickets");
    /// tickets.insert("a", object! { "open": true, "priority": 1 })?;
    /// tickets.insert("b", object! { "open": true, "priority": 7 })?;
    /// let first = tickets
    ///     .find_and_modify(object! { "open": true })
    ///     .sort(Sort::new().descending("priority"));
    /// let closed = first.update(object! { "open": false })?.expect("one is open");
    /// assert_eq!((closed.id().to_string().as_str(), closed.version()), ("b", 2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn find_and_modify(&self, filter: impl Into<Filter>) -> FindAndModify<'_> {
        FindAndModify {
            documents: self,
            filter: filter.into(),
            sort: Sort::new(),
            rows: PhantomData,
        }
    }

    fn modify_many(&self, filter: Filter, action: Action) -> Result<Modified> {
        filter.check()?;
        let modify = Modify {
            collection: self.name()?.clone(),
            filter,
            candidates: None,
            sort: Sort::new(),
            limit: None,
            action,
            expiry: self.expiry(),
            lease: None,
            recall: Recall::Count,
            skip: Skip::Nothing,
        };
        if self.request_id().is_some() {
            let reply = self.modify(modify)?;
            let count = reply.found_count;
            return Ok(Modified { count, index: reply.index, is_replayed: reply.is_replayed });
        }
        // Documents that are released by this may satisfy the filter.
        self.db.core().do_what_is_due()?;
        let mut found = self.ids_of(&modify.filter)?;
        found.sort_unstable();
        let (mut modified, mut last) = (Modified::default(), None);
        for step in steps(&found) {
            let ids: Vec<_> = step.iter().map(|(id, _)| id.clone()).collect();
            if let Err(cause) = self.modify_step(&modify, &ids, &mut modified, &mut last) {
                return Err(self.unfinished(modified, last, cause));
            }
        }
        Ok(modified)
    }

    /// Changes these documents in one step, or in smaller ones if they are too large for that. `last` is
    /// the last document of the earlier steps.
    fn modify_step(
        &self,
        modify: &Modify,
        ids: &[DocumentId],
        modified: &mut Modified,
        last: &mut Option<DocumentId>,
    ) -> Result<()> {
        let candidates = Some(ids.to_vec());
        match self.modify(Modify { candidates, ..modify.clone() }) {
            Ok(reply) => {
                modified.count += reply.found_count;
                modified.index = reply.index;
                *last = ids.last().cloned();
                Ok(())
            }
            Err(error) if ids.len() > 1 && error.is_too_large() => {
                let (first, second) = ids.split_at(ids.len() / 2);
                self.modify_step(modify, first, modified, last)?;
                self.modify_step(modify, second, modified, last)
            }
            Err(error) => Err(error),
        }
    }

    /// The error of a call that stopped after some steps, the last of which ended with this document.
    fn unfinished(&self, done: Modified, last: Option<DocumentId>, cause: Error) -> Error {
        match (last, self.name()) {
            (Some(last), Ok(collection)) if done.count > 0 => Error::Unfinished {
                collection: collection.clone(),
                changed: done.count,
                last,
                index: done.index,
                cause: Box::new(cause),
            },
            _ => cause,
        }
    }

    /// The ids of the documents that satisfy a filter now, and their sizes as far as they were read.
    fn ids_of(&self, filter: &Filter) -> Result<Vec<(DocumentId, usize)>> {
        let Some(queried) = self.db.queried(self.name()?, self.consistency())? else {
            self.db.entry(self.name()?, Access::Write, self.consistency())?;
            return Ok(Vec::new());
        };
        // Ids are small compared with documents, and there can be many.
        let control = Control::new(None, IDS_BYTES_MAX);
        let fields = ["_id".parse()?];
        let selection = Selection {
            order: Order::Any,
            need: Need::IndexedFields,
            fields: &fields,
            ..Selection::new(filter)
        };
        let mut ids = Vec::new();
        select(&queried.target(), &control, &selection, &mut |hit| {
            control.take(IDS, hit.id.as_bytes().len() + size_of::<(DocumentId, usize)>())?;
            ids.push((DocumentId::new(hit.id)?, hit.record.bytes().len()));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(ids)
    }

    /// Submits a modification, and turns a refusal into an error.
    pub(crate) fn modify(&self, modify: Modify) -> Result<Reply> {
        self.db.entry(self.name()?, Access::Write, self.consistency())?;
        check_modify(&modify)?;
        self.modified(self.submit_body(Body::Modify(Box::new(modify)))?)
    }

    /// Proposes a modification, and turns a refusal into an error.
    pub(super) fn propose_modify(
        &self,
        modify: &Modify,
    ) -> Result<impl Future<Output = Result<Reply>> + Send + use<>> {
        check_modify(modify)?;
        let reply = self.propose(Body::Modify(Box::new(modify.clone())))?;
        let documents = self.clone();
        Ok(async move { documents.modified(reply.await?) })
    }

    fn modified(&self, reply: Reply) -> Result<Reply> {
        match reply.outcomes.first() {
            Some(Outcome::Refused(refusal)) => {
                let id = reply.found.first().map(|found| found.id.clone());
                let id = id.expect("a refusal names the document");
                Err(Error::refused(self.name()?.clone(), id, refusal.clone(), None))
            }
            _ => Ok(reply),
        }
    }
}

fn check_modify(modify: &Modify) -> Result<()> {
    modify.filter.check()?;
    modify.sort.check()?;
    check_action(&modify.action)?;
    if let Some(lease) = &modify.lease {
        lease.release.check()?;
    }
    Ok(())
}

/// Splits documents into steps, each limited in number and in bytes, of at least one document.
fn steps(found: &[(DocumentId, usize)]) -> impl Iterator<Item = &[(DocumentId, usize)]> {
    let mut left = found;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |(_, size): &&(DocumentId, usize)| {
            let is_first = bytes == 0;
            bytes += size;
            is_first || bytes <= STEP_BYTES
        };
        let count = left.iter().take(STEP_DOCUMENTS).take_while(fits).count();
        let (step, rest) = left.split_at(count);
        left = rest;
        (!step.is_empty()).then_some(step)
    })
}

const IDS: &str = "memory for the ids of documents that are to be changed in bytes";

/// Ids of some million documents.
const IDS_BYTES_MAX: usize = 10 * limits::QUERY_MEMORY_BYTES_MAX;

/// Finding the first document of a filter and changing it; see [`Documents::find_and_modify`].
#[must_use = "nothing is changed until an update, a replacement or a delete is called"]
pub struct FindAndModify<'a, D = Document> {
    documents: &'a Documents,
    filter: Filter,
    sort: Sort,
    rows: PhantomData<fn() -> D>,
}

impl<'a> FindAndModify<'a> {
    /// The same, with a document of the type `T`. If the document does not fit the type, the error is
    /// [`Error::Type`], and the document has been changed nevertheless.
    pub fn typed<T>(self) -> FindAndModify<'a, Typed<T>> {
        let FindAndModify { documents, filter, sort, .. } = self;
        FindAndModify { documents, filter, sort, rows: PhantomData }
    }
}

impl<D: FromDocument> FindAndModify<'_, D> {
    /// Sets the order, whose first document is changed. Documents that are equal in it are ordered by id,
    /// in the direction of the last key of the sort.
    pub fn sort(mut self, sort: Sort) -> Self {
        self.sort = sort;
        self
    }

    /// Changes some of its fields. Returns the document after the change; `None` when none was found.
    ///
    /// # Errors
    ///
    /// As for all queries and writes.
    pub fn update(self, update: impl Into<Update>) -> Result<Option<D>> {
        Ok(self.run(Action::Update(update.into()))?.and_then(|changed| changed.after))
    }

    /// Replaces its fields. Returns the document after the change; `None` when none was found.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn replace(self, fields: impl IntoFields) -> Result<Option<D>> {
        let action = Action::Replace(fields.into_fields()?);
        Ok(self.run(action)?.and_then(|changed| changed.after))
    }

    /// Deletes it. Returns the deleted document; `None` when none was found.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn delete(self) -> Result<Option<D>> {
        Ok(self.run(Action::Delete)?.and_then(|changed| changed.before))
    }

    /// Changes some of its fields. Returns the document before and after the change; `None` when none was
    /// found.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn update_returning_both(self, update: impl Into<Update>) -> Result<Option<Changed<D>>> {
        self.run(Action::Update(update.into()))
    }

    /// As [`update_returning_both`](Self::update_returning_both), but returns at once. The change has been
    /// proposed by then, and is executed whether or not the future is awaited. It occupies no thread.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn update_async(self, update: impl Into<Update>) -> Proposed<Option<Changed<D>>> {
        let documents = self.documents.clone();
        let modify = self.into_modify(Action::Update(update.into()));
        let reply = modify.and_then(|modify| documents.propose_modify(&modify));
        Proposed::new(async move { documents.changed(reply?.await?) })
    }

    fn run(self, action: Action) -> Result<Option<Changed<D>>> {
        let documents = self.documents;
        documents.changed(documents.modify(self.into_modify(action)?)?)
    }

    fn into_modify(self, action: Action) -> Result<Modify> {
        Ok(Modify {
            collection: self.documents.name()?.clone(),
            filter: self.filter,
            candidates: None,
            sort: self.sort,
            limit: Some(1),
            action,
            expiry: self.documents.expiry(),
            lease: None,
            recall: Recall::Documents,
            skip: Skip::Nothing,
        })
    }
}

impl Documents {
    /// The document that was found and changed, if any.
    fn changed<D: FromDocument>(&self, mut reply: Reply) -> Result<Option<Changed<D>>> {
        let Some(found) = reply.found.pop() else { return Ok(None) };
        let (before, after) = (found.before.is_some(), found.after.is_some());
        match (before || after, self.request_id()) {
            (false, Some(request)) => {
                Err(Error::AlreadyApplied { request: request.clone(), index: reply.index })
            }
            _ => Changed::new(found, self.name()?).map(Some),
        }
    }
}

/// A document that was found and changed.
#[derive(Debug, Clone)]
pub struct Changed<D = Document> {
    /// The document before the change.
    pub before: Option<D>,
    /// The document after the change; `None` when it was deleted.
    pub after: Option<D>,
    /// Its version after the change.
    pub version: u64,
}

impl<D: FromDocument> Changed<D> {
    fn new(found: Found, name: &CollectionName) -> Result<Self> {
        let Found { id, version, before, after } = found;
        let document = |record| D::from_document(Document::new(id.clone(), record)?, name);
        let (before, after) = (before.map(document).transpose()?, after.map(document).transpose()?);
        Ok(Changed { before, after, version })
    }
}
