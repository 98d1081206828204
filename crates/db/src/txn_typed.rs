//! [`TransactionCollection`]: a typed collection as a transaction sees it.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use velocitydb_core::{CollectionName, Encoded, Filter, Update};

use crate::typed::typed;
use crate::{Document, Result, Transaction, Typed};

/// A collection whose documents have the type `T`, within a transaction: reads see what it has
/// written. See [`Transaction::collection`].
pub struct TransactionCollection<'a, T> {
    transaction: &'a mut Transaction,
    name: &'a str,
    /// A collection makes and takes values of `T`; it holds none.
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
    /// Changes some fields of a document. See [`Transaction::update`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::update`].
    pub fn update(&mut self, id: &str, update: impl Into<Update>) -> Result<()> {
        self.transaction.update(self.name, id, update)
    }

    /// Deletes a document; whether there was one. See [`Transaction::delete`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::delete`].
    pub fn delete(&mut self, id: &str) -> Result<bool> {
        self.transaction.delete(self.name, id)
    }

    /// Completes claimed work. See [`Transaction::complete`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::complete`].
    pub fn complete(&mut self, id: &str, version: u64, update: impl Into<Update>) -> Result<u64> {
        self.transaction.complete(self.name, id, version, update)
    }

    /// How many documents there are. See [`Transaction::count`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::count`].
    pub fn count(&mut self) -> Result<u64> {
        self.transaction.count(self.name)
    }
}

impl<T: Serialize> TransactionCollection<'_, T> {
    /// Creates a document. See [`Transaction::insert`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::insert`], and when `value` is no object.
    pub fn insert(&mut self, id: &str, value: &T) -> Result<()> {
        self.transaction.insert(self.name, id, Encoded::from_serialize(value)?)
    }

    /// Replaces a document. See [`Transaction::replace`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::replace`], and when `value` is no object.
    pub fn replace(&mut self, id: &str, value: &T) -> Result<()> {
        self.transaction.replace(self.name, id, Encoded::from_serialize(value)?)
    }

    /// Creates or replaces a document. See [`Transaction::upsert`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::upsert`], and when `value` is no object.
    pub fn upsert(&mut self, id: &str, value: &T) -> Result<()> {
        self.transaction.upsert(self.name, id, Encoded::from_serialize(value)?)
    }
}

impl<T: DeserializeOwned> TransactionCollection<'_, T> {
    /// The document with this id; `None` when there is none. See [`Transaction::document`].
    ///
    /// # Errors
    ///
    /// [`Error::Type`](crate::Error::Type) when it does not fit `T`; and as for
    /// [`Transaction::document`].
    pub fn get(&mut self, id: &str) -> Result<Option<Typed<T>>> {
        let found = self.transaction.document(self.name, id)?;
        found.map(|document| typed(&CollectionName::new(self.name)?, &document)).transpose()
    }

    /// All documents in the order of ids. See [`Transaction::list`].
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn list(&mut self) -> Result<Vec<Typed<T>>> {
        let documents = self.transaction.list_documents(self.name)?;
        self.typed(&documents)
    }

    /// The documents that satisfy a filter, in the order of ids. See [`Transaction::find`].
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get), and when the filter is invalid.
    pub fn find(&mut self, filter: impl Into<Filter>) -> Result<Vec<Typed<T>>> {
        let documents = self.transaction.find_documents(self.name, filter.into())?;
        self.typed(&documents)
    }

    fn typed(&self, documents: &[Document]) -> Result<Vec<Typed<T>>> {
        let name = CollectionName::new(self.name)?;
        documents.iter().map(|document| typed(&name, document)).collect()
    }
}
