//! [`WriteBatch`]: writes and compares that are applied together or not at all.

use velocitydb_core::{
    Action, CollectionName, Condition, DocumentId, Expiry, Operation, Outcome, Update, Write,
    limits,
};

use crate::fields::check_action;
use crate::{IntoFields, Result};

/// Writes and compares that are applied together or not at all; see
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
/// assert!(db.write(batch)?.is_applied);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct WriteBatch {
    write: Write,
}

/// What became of a [`WriteBatch`].
#[derive(Debug, Clone, PartialEq)]
pub struct BatchResult {
    /// Whether all of it was applied; otherwise nothing was.
    pub is_applied: bool,
    /// One for each item, in their order.
    pub outcomes: Vec<Outcome>,
    /// The ids that documents got by [`WriteBatch::insert_new`], in the order of those items. For
    /// a retry they are those of the first attempt.
    pub new_ids: Vec<DocumentId>,
    /// The place in the order of all commands.
    pub index: u64,
    /// Whether this answers an earlier call with the same request id.
    pub is_replayed: bool,
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a document; refused when it exists.
    ///
    /// # Errors
    ///
    /// When an argument is invalid or the batch is full, as for all that add to it.
    pub fn insert(&mut self, collection: &str, id: &str, fields: impl IntoFields) -> Result<()> {
        let action = Action::Insert(fields.into_fields()?);
        self.compare_and_swap(collection, id, Condition::Always, action)
    }

    /// Creates a document under an id that was just made up for it, by
    /// [`Database::new_id`](crate::Database::new_id). That another one is made up for the retry of
    /// a request makes no difference: the answer has the [first one](BatchResult::new_ids).
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
    pub fn upsert(&mut self, collection: &str, id: &str, fields: impl IntoFields) -> Result<()> {
        let action = Action::Upsert(fields.into_fields()?);
        self.compare_and_swap(collection, id, Condition::Always, action)
    }

    /// Replaces the fields of a document; refused when it does not exist.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn replace(&mut self, collection: &str, id: &str, fields: impl IntoFields) -> Result<()> {
        let action = Action::Replace(fields.into_fields()?);
        self.compare_and_swap(collection, id, Condition::Always, action)
    }

    /// Changes some fields of a document; refused when it does not exist.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn update(&mut self, collection: &str, id: &str, update: impl Into<Update>) -> Result<()> {
        let action = Action::Update(update.into());
        self.compare_and_swap(collection, id, Condition::Always, action)
    }

    /// Deletes a document if it exists.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn delete(&mut self, collection: &str, id: &str) -> Result<()> {
        self.compare_and_swap(collection, id, Condition::Always, Action::Delete)
    }

    /// Refuses the batch unless `condition` holds.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn compare(&mut self, collection: &str, id: &str, condition: Condition) -> Result<()> {
        self.compare_and_swap(collection, id, condition, Action::Compare)
    }

    /// Does `action`, and refuses the batch unless `condition` holds.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn compare_and_swap(
        &mut self,
        collection: &str,
        id: &str,
        condition: Condition,
        action: Action,
    ) -> Result<()> {
        self.push(Operation {
            collection: CollectionName::new(collection)?,
            id: DocumentId::new(id)?,
            condition,
            action,
            expiry: Expiry::Keep,
        })
    }

    /// Adds an operation.
    ///
    /// # Errors
    ///
    /// When the batch is full, or what is to be written is invalid.
    pub fn push(&mut self, operation: Operation) -> Result<()> {
        check_action(&operation.action)?;
        let count = self.write.operations.len() + 1;
        if count > limits::COMMAND_OPERATIONS_MAX {
            return Err(velocitydb_core::Error::LimitExceeded {
                what: "the number of operations of one batch",
                path: String::new(),
                found: count,
                max: limits::COMMAND_OPERATIONS_MAX,
            }
            .into());
        }
        self.write.operations.push(operation);
        Ok(())
    }

    /// How many items it has.
    pub fn len(&self) -> usize {
        self.write.operations.len()
    }

    /// Whether it has no item.
    pub fn is_empty(&self) -> bool {
        self.write.operations.is_empty()
    }

    pub(crate) fn operations(&self) -> &[Operation] {
        &self.write.operations
    }

    /// The ids that were made up.
    pub(crate) fn new_ids(&self) -> Vec<DocumentId> {
        let is_new = |one: &&Operation| matches!(one.action, Action::InsertNew(_));
        self.write.operations.iter().filter(is_new).map(|one| one.id.clone()).collect()
    }

    pub(crate) fn into_write(self) -> Write {
        self.write
    }
}
