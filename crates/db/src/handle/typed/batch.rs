//! [`BatchCollection`]: a typed collection as a batch writes to it.

use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use velocitydb_core::{Action, Condition, DocumentId, Encoded, IntoDocumentId, Time, Update};

use crate::{Result, WriteBatch};

/// A typed view of a batch, for one collection. See [`WriteBatch::collection`].
pub struct BatchCollection<'a, T> {
    batch: &'a mut WriteBatch,
    name: &'a str,
    /// Values of `T` are passed in; none is stored.
    types: PhantomData<fn(T)>,
}

impl WriteBatch {
    /// A collection whose documents have the type `T`. Its methods add items to this batch.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use serde::{Deserialize, Serialize};
    /// use velocitydb::WriteBatch;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Account {
    ///     balance: i64,
    /// }
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let mut batch = WriteBatch::new();
    /// let mut accounts = batch.collection::<Account>("accounts");
    /// accounts.insert("alice", &Account { balance: 10 })?;
    /// accounts.insert("bob", &Account { balance: 0 })?;
    /// db.write(batch)?;
    /// assert_eq!(db.collection::<Account>("accounts").count()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn collection<'a, T>(&'a mut self, name: &'a str) -> BatchCollection<'a, T> {
        BatchCollection { batch: self, name, types: PhantomData }
    }
}

impl<T> BatchCollection<'_, T> {
    /// Changes some fields of a document. See [`WriteBatch::update`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::update`].
    pub fn update(&mut self, id: impl IntoDocumentId, update: impl Into<Update>) -> Result<()> {
        self.batch.update(self.name, id, update)
    }

    /// Deletes a document if it exists. See [`WriteBatch::delete`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::delete`].
    pub fn delete(&mut self, id: impl IntoDocumentId) -> Result<()> {
        self.batch.delete(self.name, id)
    }

    /// Completes claimed work. See [`WriteBatch::complete`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::complete`].
    pub fn complete(
        &mut self,
        id: impl IntoDocumentId,
        version: u64,
        update: impl Into<Update>,
    ) -> Result<()> {
        self.batch.complete(self.name, id, version, update)
    }

    /// Extends the lease on claimed work. See [`WriteBatch::renew`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::renew`].
    pub fn renew(
        &mut self,
        id: impl IntoDocumentId,
        version: u64,
        duration: Duration,
    ) -> Result<()> {
        self.batch.renew(self.name, id, version, duration)
    }

    /// Gives claimed work back. See [`WriteBatch::release`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::release`].
    pub fn release(&mut self, id: impl IntoDocumentId, version: u64) -> Result<()> {
        self.batch.release(self.name, id, version)
    }

    /// Gives claimed work back, to be tried again at a later time. See [`WriteBatch::retry`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::retry`].
    pub fn retry(
        &mut self,
        id: impl IntoDocumentId,
        version: u64,
        not_before: Time,
        reason: &str,
    ) -> Result<()> {
        self.batch.retry(self.name, id, version, not_before, reason)
    }

    /// The batch is refused unless a condition holds. See [`WriteBatch::compare`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::compare`].
    pub fn compare(&mut self, id: impl IntoDocumentId, condition: Condition) -> Result<()> {
        self.batch.compare(self.name, id, condition)
    }
}

impl<T: Serialize> BatchCollection<'_, T> {
    /// Creates a document. See [`WriteBatch::insert`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::insert`], and when `value` is not an object.
    pub fn insert(&mut self, id: impl IntoDocumentId, value: &T) -> Result<()> {
        self.batch.insert(self.name, id, Encoded::from_serialize(value)?)
    }

    /// Creates a document under this new id. See [`WriteBatch::insert_new`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::insert_new`], and when `value` is not an object.
    pub fn insert_new(&mut self, id: DocumentId, value: &T) -> Result<()> {
        self.batch.insert_new(self.name, id, Encoded::from_serialize(value)?)
    }

    /// Replaces a document. See [`WriteBatch::replace`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::replace`], and when `value` is not an object.
    pub fn replace(&mut self, id: impl IntoDocumentId, value: &T) -> Result<()> {
        self.batch.replace(self.name, id, Encoded::from_serialize(value)?)
    }

    /// Creates or replaces a document. See [`WriteBatch::upsert`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::upsert`], and when `value` is not an object.
    pub fn upsert(&mut self, id: impl IntoDocumentId, value: &T) -> Result<()> {
        self.batch.upsert(self.name, id, Encoded::from_serialize(value)?)
    }

    /// Replaces a document, or creates it if the condition is that it is absent. The batch is refused
    /// unless the condition holds. See [`WriteBatch::compare_and_swap`].
    ///
    /// # Errors
    ///
    /// As for [`WriteBatch::compare_and_swap`], and when `value` is not an object.
    pub fn compare_and_swap(
        &mut self,
        id: impl IntoDocumentId,
        condition: Condition,
        value: &T,
    ) -> Result<()> {
        let action = Action::Upsert(Encoded::from_serialize(value)?);
        self.batch.compare_and_swap(self.name, id, condition, action)
    }
}
