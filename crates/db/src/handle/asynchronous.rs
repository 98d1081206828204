//! Writes that return at once: futures that need no runtime and occupy no thread.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use smallvec::smallvec;
use velocitydb_core::{
    Action, Body, Condition, Consistency, DocumentId, IntoDocumentId, Operation, RequestId, Time,
    Update, Write,
};

use crate::apply::Reply;
use crate::handle::claim::retry_update;
use crate::handle::database::{Access, request_of, written};
use crate::{BatchWritten, Database, Documents, IntoFields, Result, WriteBatch, Written};

/// A future of the result of a proposed write. It needs no runtime, and no thread sleeps for it. The write
/// is executed whether or not the future is awaited. The database stays open until the future is ready or
/// dropped.
#[must_use = "errors are reported only to whoever awaits it"]
pub struct Proposed<T>(Pin<Box<dyn Future<Output = Result<T>> + Send>>);

impl<T> Proposed<T> {
    pub(super) fn new(future: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        Proposed(Box::pin(future))
    }
}

impl<T> Future for Proposed<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        self.0.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for Proposed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Proposed").finish_non_exhaustive()
    }
}

impl Database {
    /// Like [`write_at`](Self::write_at), but returns at once. The future is ready when the batch is as
    /// durable as the level asks, and needs no runtime. The batch is applied whether or not the future is
    /// awaited; it occupies no thread.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{Consistency, WriteBatch, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let mut batch = WriteBatch::new();
    /// batch.insert("jobs", "first", object! { "state": "waiting" })?;
    /// let written = db.write_async(batch, Consistency::Strong, None);
    /// # async fn waiting(
    /// #     written: impl Future<Output = velocitydb::Result<velocitydb::BatchWritten>>,
    /// # ) -> velocitydb::Result<()> {
    /// assert_eq!(written.await?.index, 1);
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    pub fn write_async(
        &self,
        batch: WriteBatch,
        consistency: Consistency,
        request: Option<RequestId>,
    ) -> Proposed<BatchWritten> {
        let (places, new_ids) = (batch.places(), batch.new_ids());
        let command = self.batch_command(batch, consistency, request);
        let reply = command.map(|(body, request)| self.core().propose(body, request, consistency));
        Proposed::new(async move { written(reply?.await?, places, new_ids) })
    }
}

/// Each method is like the one without `_async`, but returns at once. The write has been proposed by then,
/// and is executed whether or not the future is awaited.
///
/// ```
/// # fn main() -> velocitydb::Result<()> {
/// use velocitydb::object;
///
/// let db = velocitydb::open_in_memory()?;
/// let jobs = db.documents("jobs");
/// // Both share one commit, and one fsync.
/// let (first, second) =
///     (jobs.insert_async("1", object! { "n": 1 }), jobs.insert_async("2", object! { "n": 2 }));
/// # async fn waiting(
/// #     first: impl Future<Output = velocitydb::Result<velocitydb::Written>>,
/// #     second: impl Future<Output = velocitydb::Result<velocitydb::Written>>,
/// # ) -> velocitydb::Result<()> {
/// first.await?;
/// assert_eq!(second.await?.version, 1);
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
impl Documents {
    /// Creates a document. See [`insert`](Self::insert).
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn insert_async(
        &self,
        id: impl IntoDocumentId,
        fields: impl IntoFields,
    ) -> Proposed<Written> {
        self.write_one_async(id, fields.into_fields().map(Action::Insert))
    }

    /// Creates a document under a new id. See [`insert_new`](Self::insert_new).
    ///
    /// # Errors
    ///
    /// As for [`insert_new`](Self::insert_new).
    pub fn insert_new_async(&self, fields: impl IntoFields) -> Proposed<Written> {
        let id = self.database().new_id();
        self.write_one_async(id, fields.into_fields().map(Action::InsertNew))
    }

    /// Changes some fields of a document. See [`update`](Self::update).
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn update_async(
        &self,
        id: impl IntoDocumentId,
        update: impl Into<Update>,
    ) -> Proposed<Written> {
        self.write_one_async(id, Ok(Action::Update(update.into())))
    }

    /// Replaces the fields of a document. See [`replace`](Self::replace).
    ///
    /// # Errors
    ///
    /// As for [`replace`](Self::replace).
    pub fn replace_async(
        &self,
        id: impl IntoDocumentId,
        fields: impl IntoFields,
    ) -> Proposed<Written> {
        self.write_one_async(id, fields.into_fields().map(Action::Replace))
    }

    /// Creates a document, or replaces its fields. See [`upsert`](Self::upsert).
    ///
    /// # Errors
    ///
    /// As for [`upsert`](Self::upsert).
    pub fn upsert_async(
        &self,
        id: impl IntoDocumentId,
        fields: impl IntoFields,
    ) -> Proposed<Written> {
        self.write_one_async(id, fields.into_fields().map(Action::Upsert))
    }

    /// Deletes a document. See [`delete`](Self::delete).
    ///
    /// # Errors
    ///
    /// As for [`delete`](Self::delete).
    pub fn delete_async(&self, id: impl IntoDocumentId) -> Proposed<Written> {
        self.write_one_async(id, Ok(Action::Delete))
    }

    /// Completes claimed work. See [`complete`](Self::complete).
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete).
    pub fn complete_async(
        &self,
        id: impl IntoDocumentId,
        version: u64,
        update: impl Into<Update>,
    ) -> Proposed<u64> {
        self.settle_async(id, version, Action::Complete(update.into()))
    }

    /// Extends the lease on claimed work. See [`renew`](Self::renew).
    ///
    /// # Errors
    ///
    /// As for [`renew`](Self::renew).
    pub fn renew_async(
        &self,
        id: impl IntoDocumentId,
        version: u64,
        duration: Duration,
    ) -> Proposed<u64> {
        self.settle_async(id, version, Action::Renew(duration))
    }

    /// Gives claimed work back. See [`release`](Self::release).
    ///
    /// # Errors
    ///
    /// As for [`release`](Self::release).
    pub fn release_async(&self, id: impl IntoDocumentId, version: u64) -> Proposed<u64> {
        self.settle_async(id, version, Action::Release)
    }

    /// Gives claimed work back, to be tried again. See [`retry`](Self::retry).
    ///
    /// # Errors
    ///
    /// As for [`retry`](Self::retry).
    pub fn retry_async(
        &self,
        id: impl IntoDocumentId,
        version: u64,
        not_before: Time,
        reason: &str,
    ) -> Proposed<u64> {
        self.settle_async(id, version, Action::Retry(retry_update(not_before, reason)))
    }

    fn write_one_async(
        &self,
        id: impl IntoDocumentId,
        action: Result<Action>,
    ) -> Proposed<Written> {
        let proposed = self.propose_one(DocumentId::new(id), Condition::Always, action);
        let documents = self.clone();
        Proposed::new(async move {
            let (id, reply) = proposed?;
            documents.written_one(id, reply.await?)
        })
    }

    fn settle_async(&self, id: impl IntoDocumentId, version: u64, action: Action) -> Proposed<u64> {
        let proposed =
            self.propose_one(DocumentId::new(id), Condition::Version(version), Ok(action));
        let documents = self.clone();
        Proposed::new(async move {
            let (id, reply) = proposed?;
            documents.settled(id, &reply.await?)
        })
    }

    fn propose_one(
        &self,
        id: velocitydb_core::Result<DocumentId>,
        condition: Condition,
        action: Result<Action>,
    ) -> Result<(DocumentId, impl Future<Output = Result<Reply>> + Send + use<>)> {
        let id = id?;
        let operation: Operation = self.operation(id.clone(), condition, action?)?;
        let write = Write { checks: Vec::new(), operations: smallvec![operation] };
        Ok((id, self.propose(Body::Write(write))?))
    }

    /// Proposes a command that changes documents of this collection.
    pub(crate) fn propose(
        &self,
        body: Body,
    ) -> Result<impl Future<Output = Result<Reply>> + Send + use<>> {
        let (database, consistency) = (self.database(), self.consistency());
        database.entry(self.name()?, Access::Write, consistency)?;
        let request = self.request_id().cloned().map(|id| request_of(id, &body)).transpose()?;
        Ok(database.core().propose(body, request, consistency))
    }
}
