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

/// What became of changing many documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Modified {
    /// How many documents were changed.
    pub count: u64,
    /// The place of the last command that did so in the order of all; 0 when there was nothing to
    /// change.
    pub index: u64,
    /// Whether this answers an earlier call with the same request id.
    pub is_replayed: bool,
}

/// How many documents one step of changing many changes: a command of some milliseconds.
const STEP_DOCUMENTS: usize = 1_000;

/// The bytes of their documents at which a step has enough: as many as are committed together at the
/// most.
const STEP_BYTES: usize = 8 << 20;

impl Documents {
    /// Changes all documents that satisfy a filter.
    ///
    /// Those that satisfy it now are taken in the order of their ids, and each is changed if it
    /// still does when it is its turn. Up to 1,000 of them are changed as one; more in steps, each
    /// applied as a whole, so that other writers do not wait for long; large documents in smaller
    /// steps. With a [`request`](Documents::request) id all are changed as one: at most 10,000, and
    /// at most [`COMMAND_EFFECT_BYTES_MAX`](limits::COMMAND_EFFECT_BYTES_MAX) of them. Whether two
    /// documents have the same values in a unique index is asked of what such a whole leaves, so
    /// values can be shifted and swapped within it.
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
    /// When one of the documents cannot be changed so, which leaves its step without effect and
    /// ends the call; and as for all queries and writes. If steps before it have changed documents,
    /// the error is [`Error::Unfinished`], which says how many, up to which id, and why it went no
    /// further.
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

    /// Begins finding one document and changing it, as one.
    ///
    /// The retry of a [`request`](Documents::request) is given the document of the first attempt;
    /// documents of more than
    /// [`REQUEST_DOCUMENT_BYTES_MAX`](crate::REQUEST_DOCUMENT_BYTES_MAX), as it was and as it became
    /// together, are not remembered, which [`Error::AlreadyApplied`] says.
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
    /// assert_eq!((closed.id().as_str(), closed.version()), ("b", 2));
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
        // What is released now may satisfy the filter.
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

    /// Changes these documents as one, or in smaller steps if they are too large for that. `last` is
    /// the last document of the steps that were done.
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

    /// The error of changing many that stopped after some steps, which ended with this document.
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

    /// The ids of the documents that satisfy a filter now, and their bytes as far as they were read.
    fn ids_of(&self, filter: &Filter) -> Result<Vec<(DocumentId, usize)>> {
        let Some(queried) = self.db.queried(self.name()?, self.consistency())? else {
            self.db.entry(self.name()?, Access::Write, self.consistency())?;
            return Ok(Vec::new());
        };
        // An id takes a small part of what documents would, and there can be many.
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
            control.take(IDS, hit.id.len() + size_of::<(DocumentId, usize)>())?;
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

/// The documents of each step: up to a number, and up to a number of bytes or one that has more.
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
#[must_use = "nothing is changed until it is said how"]
pub struct FindAndModify<'a, D = Document> {
    documents: &'a Documents,
    filter: Filter,
    sort: Sort,
    rows: PhantomData<fn() -> D>,
}

impl<'a> FindAndModify<'a> {
    /// The same, its document of the type `T`. Where it does not fit, the error is [`Error::Type`],
    /// and the document is changed all the same.
    pub fn typed<T>(self) -> FindAndModify<'a, Typed<T>> {
        let FindAndModify { documents, filter, sort, .. } = self;
        FindAndModify { documents, filter, sort, rows: PhantomData }
    }
}

impl<D: FromDocument> FindAndModify<'_, D> {
    /// Which document is the first; equal ones are ordered by id, in the direction of the last key of the
    /// sort.
    pub fn sort(mut self, sort: Sort) -> Self {
        self.sort = sort;
        self
    }

    /// Changes some of its fields. Returns the document as it is then; `None` when there was none.
    ///
    /// # Errors
    ///
    /// As for all queries and writes.
    pub fn update(self, update: impl Into<Update>) -> Result<Option<D>> {
        Ok(self.run(Action::Update(update.into()))?.and_then(|changed| changed.after))
    }

    /// Replaces its fields. Returns the document as it is then; `None` when there was none.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn replace(self, fields: impl IntoFields) -> Result<Option<D>> {
        let action = Action::Replace(fields.into_fields()?);
        Ok(self.run(action)?.and_then(|changed| changed.after))
    }

    /// Deletes it. Returns the document as it was; `None` when there was none.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn delete(self) -> Result<Option<D>> {
        Ok(self.run(Action::Delete)?.and_then(|changed| changed.before))
    }

    /// Changes some of its fields. Returns it as it was, and as it is; `None` when there was none.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn update_returning_both(self, update: impl Into<Update>) -> Result<Option<Changed<D>>> {
        self.run(Action::Update(update.into()))
    }

    /// As [`update_returning_both`](Self::update_returning_both), and returns at once: the change is
    /// proposed before that, and made whether or not the future is waited for. No thread is held
    /// meanwhile.
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
    /// The document that was found and changed, if there was one.
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
    /// The document as it was.
    pub before: Option<D>,
    /// The document as it became; `None` when it was deleted.
    pub after: Option<D>,
    /// Its version from here on.
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
