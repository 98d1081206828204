//! [`TransactionCollection`]: a typed collection as a transaction sees it.

use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use velocitydb_core::{
    CollectionName, Condition, DocumentId, Encoded, Expiry, Filter, IntoDocumentId, Time, Update,
};

use crate::{
    CompareAndSwap, Document, FromDocument, Result, Transaction, TransactionClaim,
    TransactionQuery, Typed,
};

/// A collection whose documents have the type `T`, within a transaction: reads see the transaction's own
/// writes. See [`Transaction::collection`].
pub struct TransactionCollection<'a, T> {
    transaction: &'a mut Transaction,
    name: &'a str,
    /// Values of `T` are passed in and out; none is stored.
    types: PhantomData<fn(T) -> T>,
}

impl Transaction {
    /// A collection whose documents have the type `T`, as this transaction sees it.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Account {
    ///     balance: i64,
    /// }
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// db.collection("accounts").insert("alice", &Account { balance: 10 })?;
    /// let left = db.transaction(|txn| {
    ///     let mut accounts = txn.collection::<Account>("accounts");
    ///     let balance = accounts.get("alice")?.expect("alice").value.balance;
    ///     accounts.replace("alice", &Account { balance: balance - 3 })?;
    ///     Ok(accounts.get("alice")?.expect("alice").value.balance)
    /// })?;
    /// assert_eq!(left, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn collection<'a, T>(&'a mut self, name: &'a str) -> TransactionCollection<'a, T> {
        TransactionCollection { transaction: self, name, types: PhantomData }
    }
}

impl<T> TransactionCollection<'_, T> {
    /// The transaction, and the name of the collection.
    pub(crate) fn parts(&mut self) -> (&mut Transaction, &str) {
        (self.transaction, self.name)
    }

    /// How many documents there are. See [`Transaction::count`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::count`].
    pub fn count(&mut self) -> Result<u64> {
        self.transaction.count(self.name)
    }

    /// Returns an error unless a condition holds. See [`Transaction::compare`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::compare`].
    pub fn compare(&mut self, id: impl IntoDocumentId, condition: &Condition) -> Result<()> {
        self.transaction.compare(self.name, id, condition)
    }

    /// Changes some fields of a document. See [`Transaction::update`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::update`].
    pub fn update(&mut self, id: impl IntoDocumentId, update: impl Into<Update>) -> Result<()> {
        self.transaction.update(self.name, id, update)
    }

    /// Changes all documents that satisfy a filter, and returns how many. See [`Transaction::update_many`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::update_many`].
    pub fn update_many(
        &mut self,
        filter: impl Into<Filter>,
        update: impl Into<Update>,
    ) -> Result<u64> {
        self.transaction.update_many(self.name, filter, update)
    }

    /// Deletes a document, and returns whether it existed. See [`Transaction::delete`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::delete`].
    pub fn delete(&mut self, id: impl IntoDocumentId) -> Result<bool> {
        self.transaction.delete(self.name, id)
    }

    /// Deletes all documents that satisfy a filter, and returns how many. See [`Transaction::delete_many`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::delete_many`].
    pub fn delete_many(&mut self, filter: impl Into<Filter>) -> Result<u64> {
        self.transaction.delete_many(self.name, filter)
    }

    /// Completes claimed work. See [`Transaction::complete`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::complete`].
    pub fn complete(
        &mut self,
        id: impl IntoDocumentId,
        version: u64,
        update: impl Into<Update>,
    ) -> Result<u64> {
        self.transaction.complete(self.name, id, version, update)
    }

    /// Extends the lease on claimed work. See [`Transaction::renew`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::renew`].
    pub fn renew(
        &mut self,
        id: impl IntoDocumentId,
        version: u64,
        duration: Duration,
    ) -> Result<u64> {
        self.transaction.renew(self.name, id, version, duration)
    }

    /// Gives claimed work back. See [`Transaction::release`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::release`].
    pub fn release(&mut self, id: impl IntoDocumentId, version: u64) -> Result<u64> {
        self.transaction.release(self.name, id, version)
    }

    /// Gives claimed work back, to be tried again at a later time. See [`Transaction::retry`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::retry`].
    pub fn retry(
        &mut self,
        id: impl IntoDocumentId,
        version: u64,
        not_before: Time,
        reason: &str,
    ) -> Result<u64> {
        self.transaction.retry(self.name, id, version, not_before, reason)
    }

    /// Sets when a document expires. See [`Transaction::expire`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::expire`].
    pub fn expire(&mut self, id: impl IntoDocumentId, expiry: Expiry) -> Result<()> {
        self.transaction.expire(self.name, id, expiry)
    }
}

impl<T: Serialize> TransactionCollection<'_, T> {
    /// Creates a document. See [`Transaction::insert`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::insert`], and when `value` is not an object.
    pub fn insert(&mut self, id: impl IntoDocumentId, value: &T) -> Result<()> {
        self.transaction.insert(self.name, id, Encoded::from_serialize(value)?)
    }

    /// Creates a document under a new id, and returns the id. See [`Transaction::insert_new`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::insert_new`], and when `value` is not an object.
    pub fn insert_new(&mut self, value: &T) -> Result<DocumentId> {
        self.transaction.insert_new(self.name, Encoded::from_serialize(value)?)
    }

    /// Replaces a document. See [`Transaction::replace`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::replace`], and when `value` is not an object.
    pub fn replace(&mut self, id: impl IntoDocumentId, value: &T) -> Result<()> {
        self.transaction.replace(self.name, id, Encoded::from_serialize(value)?)
    }

    /// Creates or replaces a document. See [`Transaction::upsert`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::upsert`], and when `value` is not an object.
    pub fn upsert(&mut self, id: impl IntoDocumentId, value: &T) -> Result<()> {
        self.transaction.upsert(self.name, id, Encoded::from_serialize(value)?)
    }
}

impl<T: DeserializeOwned> TransactionCollection<'_, T> {
    /// The document with this id; `None` when there is none. See [`Transaction::get`].
    ///
    /// # Errors
    ///
    /// [`Error::Type`](crate::Error::Type) when it does not fit `T`; and as for
    /// [`Transaction::get`].
    pub fn get(&mut self, id: impl IntoDocumentId) -> Result<Option<Typed<T>>> {
        self.transaction.get(self.name, id)?.map(|document| self.read(document)).transpose()
    }

    /// The documents with these ids, in the order of the ids. See [`Transaction::get_many`].
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn get_many(
        &mut self,
        ids: impl IntoIterator<Item = impl IntoDocumentId>,
    ) -> Result<Vec<Option<Typed<T>>>> {
        ids.into_iter().map(|id| self.get(id)).collect()
    }

    /// The documents that satisfy a filter, in the order of ids. See [`Transaction::find`].
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get), and when the filter is invalid.
    pub fn find(&mut self, filter: impl Into<Filter>) -> Result<Vec<Typed<T>>> {
        let found = self.transaction.find(self.name, filter)?;
        found.into_iter().map(|document| self.read(document)).collect()
    }

    /// Begins a compare-and-swap. See [`Transaction::compare_and_swap`].
    pub fn compare_and_swap<'t>(
        &'t mut self,
        id: impl IntoDocumentId,
    ) -> CompareAndSwap<'t, Typed<T>> {
        self.transaction.compare_and_swap(self.name, id).typed()
    }

    /// Begins a query. See [`Transaction::query`].
    pub fn query(&mut self, filter: impl Into<Filter>) -> TransactionQuery<'_, Typed<T>> {
        self.transaction.query(self.name, filter).typed()
    }

    /// Begins a claim. See [`Transaction::claim`].
    pub fn claim(&mut self, filter: impl Into<Filter>) -> TransactionClaim<'_, Typed<T>> {
        self.transaction.claim(self.name, filter).typed()
    }

    fn read(&self, document: Document) -> Result<Typed<T>> {
        Typed::from_document(document, &CollectionName::new(self.name)?)
    }
}
