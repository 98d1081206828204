//! [`WriteBatch`]: writes and conditions that are applied together or not at all.

use std::time::Duration;

use velocitydb_core::{
    Action, CollectionName, Condition, DocumentId, Expiry, IntoDocumentId, Operation, Outcome,
    Time, Update, Write, limits,
};

use crate::apply::Reply;
use crate::handle::claim::retry_update;
use crate::handle::fields::{check_action, check_condition};
use crate::{Error, IntoFields, RefusedBatch, Result};

/// Writes and conditions that are applied together or not at all; see
/// [`Database::write`](crate::Database::write).
///
/// ```
/// # fn main() -> velocitydb::Result<()> {
/// use velocitydb::{Condition, WriteBatch, object};
///
/// let db = velocitydb::open_in_memory()?;
/// let mut batch = WriteBatch::new();
/// batch.insert("accounts", "alice", object! { "balance": 10 })?;
/// batch.insert("accounts", "bob", object! { "balance": 0 })?;
/// batch.compare("locks", "accounts", Condition::Absent)?;
/// assert_eq!(db.write(batch)?.outcomes.len(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct WriteBatch {
    write: Write,
    /// The expiry of documents of the items that follow.
    expiry: Expiry,
}

/// The result of a [`WriteBatch`].
#[derive(Debug, Clone, PartialEq)]
pub struct BatchWritten {
    /// One outcome for each item, in their order; none is a refusal.
    pub outcomes: Vec<Outcome>,
    /// The ids of the documents of [`WriteBatch::insert_new`], in the order of those items. For a retry
    /// they are those of the first attempt.
    pub new_ids: Vec<DocumentId>,
    /// The position in the order of all commands.
    pub index: u64,
    /// Whether this answers an earlier call with the same request id.
    pub is_replayed: bool,
}

/// The outcomes of a [`WriteBatch`], whether it was applied or refused; see
/// [`Database::write_for_outcomes`](crate::Database::write_for_outcomes).
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a batch that was refused changed nothing"]
pub struct BatchOutcomes {
    /// Whether the batch was applied; otherwise nothing of it was.
    pub is_applied: bool,
    /// One outcome for each item, in their order.
    pub outcomes: Vec<Outcome>,
    /// The ids of the documents of [`WriteBatch::insert_new`], in the order of those items. For a retry
    /// they are those of the first attempt.
    pub new_ids: Vec<DocumentId>,
    /// The position in the order of all commands.
    pub index: u64,
    /// Whether this answers an earlier call with the same request id.
    pub is_replayed: bool,
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a document. The batch is refused if it exists.
    ///
    /// # Errors
    ///
    /// When an argument is invalid or the batch is full, as for all methods that add an item.
    pub fn insert(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        fields: impl IntoFields,
    ) -> Result<()> {
        let action = Action::Insert(fields.into_fields()?);
        self.compare_and_swap(collection, id, Condition::Always, action)
    }

    /// Creates a document under a new id of [`Database::new_id`](crate::Database::new_id). The retry of a
    /// request may pass another new id: the answer has the [id of the first
    /// attempt](BatchWritten::new_ids).
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn insert_new(
        &mut self,
        collection: &str,
        id: DocumentId,
        fields: impl IntoFields,
    ) -> Result<()> {
        self.push(Operation {
            collection: CollectionName::new(collection)?,
            id,
            condition: Condition::Always,
            action: Action::InsertNew(fields.into_fields()?),
            expiry: Expiry::Keep,
        })
    }

    /// Creates a document, or replaces its fields.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn upsert(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        fields: impl IntoFields,
    ) -> Result<()> {
        let action = Action::Upsert(fields.into_fields()?);
        self.compare_and_swap(collection, id, Condition::Always, action)
    }

    /// Replaces the fields of a document. The batch is refused if it does not exist.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn replace(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        fields: impl IntoFields,
    ) -> Result<()> {
        let action = Action::Replace(fields.into_fields()?);
        self.compare_and_swap(collection, id, Condition::Always, action)
    }

    /// Changes some fields of a document. The batch is refused if it does not exist.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn update(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        update: impl Into<Update>,
    ) -> Result<()> {
        let action = Action::Update(update.into());
        self.compare_and_swap(collection, id, Condition::Always, action)
    }

    /// Deletes a document if it exists.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn delete(&mut self, collection: &str, id: impl IntoDocumentId) -> Result<()> {
        self.compare_and_swap(collection, id, Condition::Always, Action::Delete)
    }

    /// Completes claimed work: applies an update and ends the lease, if there is one. The batch is refused
    /// unless the document has the version that the claim gave it.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{WriteBatch, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let jobs = db.documents("jobs");
    /// jobs.insert("job1", object! { "state": "waiting" })?;
    /// let claimed = jobs.claim(object! { "state": "waiting" }).update(object! { "state": "running" })?;
    /// let mut batch = WriteBatch::new();
    /// batch.complete("jobs", "job1", claimed.documents[0].version(), object! { "state": "done" })?;
    /// batch.insert("results", "job1", object! { "answer": 42 })?;
    /// db.write(batch)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn complete(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        version: u64,
        update: impl Into<Update>,
    ) -> Result<()> {
        self.settle(collection, id, version, Action::Complete(update.into()))
    }

    /// Extends the lease on claimed work to end `duration` after the batch. The batch is refused unless the
    /// document has this version and a lease. The version in the outcome is the fencing token from then on.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn renew(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        version: u64,
        duration: Duration,
    ) -> Result<()> {
        self.settle(collection, id, version, Action::Renew(duration))
    }

    /// Gives claimed work back: ends the lease, and applies the lease's release. The batch is refused
    /// unless the document has this version and a lease.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn release(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        version: u64,
    ) -> Result<()> {
        self.settle(collection, id, version, Action::Release)
    }

    /// Gives claimed work back as [`release`](Self::release) does, to be tried again at a later time. Sets
    /// the fields [`RETRY_AT_FIELD`](crate::RETRY_AT_FIELD) and
    /// [`RETRY_REASON_FIELD`](crate::RETRY_REASON_FIELD) to that time and to the reason. See
    /// [`Documents::retry`](crate::Documents::retry).
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use std::time::Duration;
    /// use velocitydb::{WriteBatch, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let jobs = db.documents("jobs");
    /// jobs.insert("job1", object! { "state": "waiting" })?;
    /// let claim = jobs.claim(object! { "state": "waiting" });
    /// let claim = claim.lease(Duration::from_secs(30), object! { "state": "waiting" });
    /// let token = claim.update(object! { "state": "running" })?.documents[0].version();
    /// let later = db.now().saturating_add(Duration::from_secs(60));
    /// let mut batch = WriteBatch::new();
    /// batch.retry("jobs", "job1", token, later, "the executor is busy")?;
    /// batch.insert("failures", "1", object! { "job": "job1" })?;
    /// db.write(batch)?;
    /// assert!(jobs.claim(object! { "state": "waiting" }).due().update(object! {})?.documents.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn retry(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        version: u64,
        not_before: Time,
        reason: &str,
    ) -> Result<()> {
        self.settle(collection, id, version, Action::Retry(retry_update(not_before, reason)))
    }

    /// Sets when the documents of the items that follow expire: see [`Expiry`]. Completing, renewing and
    /// giving back claimed work do not change when it expires.
    pub fn expiry(&mut self, expiry: Expiry) {
        self.expiry = expiry;
    }

    fn settle(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        version: u64,
        action: Action,
    ) -> Result<()> {
        self.push(Operation {
            collection: CollectionName::new(collection)?,
            id: DocumentId::new(id)?,
            condition: Condition::Version(version),
            action,
            expiry: Expiry::Keep,
        })
    }

    /// The batch is refused unless `condition` holds.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{Condition, Filter, WriteBatch, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// db.documents("accounts").insert("alice", object! { "balance": 3 })?;
    /// let mut batch = WriteBatch::new();
    /// let enough = Filter::from(object! { "balance": { "$gte": 5 } });
    /// batch.compare("accounts", "alice", Condition::Matches(Box::new(enough)))?;
    /// batch.insert("orders", "1", object! { "price": 5 })?;
    /// let error = db.write(batch).unwrap_err();
    /// assert!(matches!(error, velocitydb::Error::ConditionFailed { .. }), "{error}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn compare(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        condition: Condition,
    ) -> Result<()> {
        self.compare_and_swap(collection, id, condition, Action::Compare)
    }

    /// Executes `action`. The batch is refused unless `condition` holds.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn compare_and_swap(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        condition: Condition,
        action: Action,
    ) -> Result<()> {
        self.push(Operation {
            collection: CollectionName::new(collection)?,
            id: DocumentId::new(id)?,
            condition,
            action,
            expiry: self.expiry,
        })
    }

    /// Adds an operation.
    ///
    /// # Errors
    ///
    /// When the batch is full, or a filter or the fields or update to write are invalid.
    pub fn push(&mut self, operation: Operation) -> Result<()> {
        check_action(&operation.action)?;
        let count = self.write.operations.len() + 1;
        if count > limits::COMMAND_OPERATIONS_MAX {
            return Err(velocitydb_core::Error::LimitExceeded {
                what: "the number of operations of one batch".into(),
                path: String::new(),
                found: count,
                max: limits::COMMAND_OPERATIONS_MAX,
            }
            .into());
        }
        check_condition(&operation.condition)?;
        self.write.operations.push(operation);
        Ok(())
    }

    /// How many items the batch has.
    pub fn len(&self) -> usize {
        self.write.operations.len()
    }

    /// Whether the batch has no items.
    pub fn is_empty(&self) -> bool {
        self.write.operations.is_empty()
    }

    pub(crate) fn operations(&self) -> &[Operation] {
        &self.write.operations
    }

    /// The ids of the items that insert a document under a new id.
    pub(crate) fn new_ids(&self) -> Vec<DocumentId> {
        let is_new = |one: &&Operation| matches!(one.action, Action::InsertNew(_));
        self.write.operations.iter().filter(is_new).map(|one| one.id.clone()).collect()
    }

    /// The collection and id of each item, in their order.
    pub(crate) fn places(&self) -> Vec<(CollectionName, DocumentId)> {
        let operations = self.operations().iter();
        operations.map(|one| (one.collection.clone(), one.id.clone())).collect()
    }

    pub(crate) fn into_write(self) -> Write {
        self.write
    }
}

/// The error of a refused batch on these documents: that of its first refused operation.
pub(crate) fn check_outcomes(reply: &Reply, places: &[(CollectionName, DocumentId)]) -> Result<()> {
    for (position, (outcome, place)) in reply.outcomes.iter().zip(places).enumerate() {
        if let Outcome::Refused(refusal) = outcome {
            let (collection, id) = place.clone();
            let batch = RefusedBatch { position, outcomes: reply.outcomes.to_vec() };
            let batch = Some(Box::new(batch));
            return Err(Error::refused(collection, id, refusal.clone(), batch));
        }
    }
    Ok(())
}
