//! [`Collection`]: a collection whose documents have a type of the caller's.

use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use velocitydb_core::{CollectionName, Consistency, Encoded, RequestId, Update};

use crate::{Document, Documents, Error, Iter, List, Result, Typed, Written};

/// A collection whose documents have the type `T`, through serde. The same documents can be
/// reached untyped, see [`Self::untyped`].
///
/// ```
/// # fn main() -> velocitydb::Result<()> {
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct User {
///     name: String,
///     age: u32,
/// }
///
/// let db = velocitydb::open_in_memory()?;
/// let users = db.collection::<User>("users");
/// users.insert("alice", &User { name: "Alice".into(), age: 28 })?;
/// assert_eq!(users.get("alice")?.expect("alice").value.age, 28);
/// # Ok(())
/// # }
/// ```
pub struct Collection<T> {
    documents: Documents,
    /// A collection makes and takes values of `T`; it holds none.
    types: PhantomData<fn(T) -> T>,
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self::new(self.documents.clone())
    }
}

impl<T> Collection<T> {
    pub(crate) fn new(documents: Documents) -> Self {
        Collection { documents, types: PhantomData }
    }

    /// The same collection, its documents of any shape: compare-and-swap is there too.
    pub fn untyped(&self) -> &Documents {
        &self.documents
    }

    /// The same collection at another level. See [`Documents::at`].
    pub fn at(&self, consistency: Consistency) -> Self {
        Self::new(self.documents.at(consistency))
    }

    /// The same collection with expiring writes. See [`Documents::time_to_live`].
    pub fn time_to_live(&self, duration: Duration) -> Self {
        Self::new(self.documents.time_to_live(duration))
    }

    /// The same collection for one write, applied at most once. See [`Documents::request`].
    pub fn request(&self, request: RequestId) -> Self {
        Self::new(self.documents.request(request))
    }

    /// How many documents there are. O(1).
    ///
    /// # Errors
    ///
    /// As for [`Documents::get`].
    pub fn count(&self) -> Result<u64> {
        self.documents.count()
    }

    /// Changes some fields of a document. See [`Documents::update`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::update`].
    pub fn update(&self, id: &str, update: impl Into<Update>) -> Result<Written> {
        self.documents.update(id, update)
    }

    /// Deletes a document. See [`Documents::delete`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::delete`].
    pub fn delete(&self, id: &str) -> Result<Written> {
        self.documents.delete(id)
    }
}

impl<T: Serialize> Collection<T> {
    /// Creates a document. See [`Documents::insert`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::insert`], and when `value` is no object.
    pub fn insert(&self, id: &str, value: &T) -> Result<Written> {
        self.documents.insert(id, Encoded::from_serialize(value)?)
    }

    /// Creates a document under a new id. See [`Documents::insert_new`].
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn insert_new(&self, value: &T) -> Result<Written> {
        self.documents.insert_new(Encoded::from_serialize(value)?)
    }

    /// Creates all of these documents, or none. See [`Documents::insert_many`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::insert_many`].
    pub fn insert_many<'a>(
        &self,
        values: impl IntoIterator<Item = (impl AsRef<str>, &'a T)>,
    ) -> Result<Vec<Written>>
    where
        T: 'a,
    {
        let encoded = values.into_iter().map(|(id, value)| {
            Encoded::from_serialize(value).map(|fields| (id, fields)).map_err(Error::from)
        });
        self.documents.insert_many(encoded.collect::<Result<Vec<_>>>()?)
    }

    /// Replaces a document. See [`Documents::replace`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::replace`], and when `value` is no object.
    pub fn replace(&self, id: &str, value: &T) -> Result<Written> {
        self.documents.replace(id, Encoded::from_serialize(value)?)
    }

    /// Creates or replaces a document. See [`Documents::upsert`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::upsert`], and when `value` is no object.
    pub fn upsert(&self, id: &str, value: &T) -> Result<Written> {
        self.documents.upsert(id, Encoded::from_serialize(value)?)
    }
}

impl<T: DeserializeOwned> Collection<T> {
    /// The document with this id; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when it does not fit `T`; and as for [`Documents::get`].
    pub fn get(&self, id: &str) -> Result<Option<Typed<T>>> {
        self.documents.get(id)?.map(|document| self.typed(&document)).transpose()
    }

    /// The documents with these ids, in their order, as of one moment.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn get_many<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Option<Typed<T>>>> {
        let documents = self.documents.get_many(ids)?.into_iter();
        documents.map(|found| found.map(|document| self.typed(&document)).transpose()).collect()
    }

    /// A part of the collection in the order of ids. For the cursor of the next page, list
    /// [`untyped`](Self::untyped).
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn list(&self, list: &List) -> Result<Vec<Typed<T>>> {
        let page = self.documents.list(list)?;
        page.documents.iter().map(|document| self.typed(document)).collect()
    }

    /// All documents as of now in the order of ids, fetched as they are asked for.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn iter(&self) -> Result<TypedIter<T>> {
        Ok(TypedIter { iter: self.documents.iter()?, collection: self.clone() })
    }

    fn typed(&self, document: &Document) -> Result<Typed<T>> {
        typed(self.documents.name()?, document)
    }
}

/// A document as a value of a type of the caller's.
pub(crate) fn typed<T: DeserializeOwned>(
    collection: &CollectionName,
    document: &Document,
) -> Result<Typed<T>> {
    let value = document.to().map_err(|error| match error {
        Error::Invalid(reason) => Error::Type {
            collection: collection.clone(),
            id: document.id().clone(),
            reason: reason.to_string(),
        },
        error => error,
    })?;
    Ok(Typed {
        id: document.id().clone(),
        version: document.version(),
        created: document.created(),
        modified: document.modified(),
        expires: document.expires(),
        value,
    })
}

/// The documents of a typed collection; see [`Collection::iter`].
pub struct TypedIter<T> {
    iter: Iter,
    collection: Collection<T>,
}

impl<T: DeserializeOwned> Iterator for TypedIter<T> {
    type Item = Result<Typed<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        let document = self.iter.next()?;
        Some(document.and_then(|document| self.collection.typed(&document)))
    }
}
