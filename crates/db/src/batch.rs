//! [`WriteBatch`]: writes and compares that are applied together or not at all.

use velocitydb_core::{
    Action, CollectionName, Condition, DocumentId, Expiry, Operation, Outcome, Update, Write,
    limits,
};

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
    /// When the batch is full.
    pub fn push(&mut self, operation: Operation) -> Result<()> {
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

    pub(crate) fn into_write(self) -> Write {
        self.write
    }
}

/// Refuses a write that is larger than a command may be. One document alone is not.
pub(crate) fn check_size(write: &Write) -> Result<()> {
    let size = |one: &Operation| match &one.action {
        Action::Insert(fields) | Action::Replace(fields) | Action::Upsert(fields) => {
            fields.as_bytes().len()
        }
        _ => 0,
    };
    let found = match &*write.operations {
        [] | [_] => 0,
        many => many.iter().map(size).sum(),
    };
    if found <= limits::COMMAND_BYTES_MAX {
        return Ok(());
    }
    Err(velocitydb_core::Error::LimitExceeded {
        what: "the size of the documents of one batch in bytes",
        path: String::new(),
        found,
        max: limits::COMMAND_BYTES_MAX,
    }
    .into())
}
