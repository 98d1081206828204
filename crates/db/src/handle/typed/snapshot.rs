//! [`SnapshotCollection`]: a typed collection in one unchanging state.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use velocitydb_core::aggregate::Pipeline;
use velocitydb_core::{CollectionName, Filter, IntoDocumentId, Sort, Time};

use crate::{Aggregate, Cursor, Document, Find, FromDocument, Result, Snapshot, Typed};

/// A collection whose documents have the type `T`, in one unchanging state. See
/// [`Snapshot::collection`].
pub struct SnapshotCollection<'a, T> {
    snapshot: &'a Snapshot,
    name: &'a str,
    /// Values of `T` are passed out; none is stored.
    types: PhantomData<fn() -> T>,
}

impl Snapshot {
    /// A collection whose documents have the type `T`, in this state.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct User {
    ///     age: u32,
    /// }
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let users = db.collection::<User>("users");
    /// users.insert("alice", &User { age: 28 })?;
    /// let before = db.snapshot()?;
    /// users.replace("alice", &User { age: 29 })?;
    /// assert_eq!(before.collection::<User>("users").get("alice")?.expect("alice").value.age, 28);
    /// # Ok(())
    /// # }
    /// ```
    pub fn collection<'a, T>(&'a self, name: &'a str) -> SnapshotCollection<'a, T> {
        SnapshotCollection { snapshot: self, name, types: PhantomData }
    }
}

impl<T> SnapshotCollection<'_, T> {
    /// How many documents there are. See [`Snapshot::count`].
    ///
    /// # Errors
    ///
    /// As for [`Snapshot::count`].
    pub fn count(&self) -> Result<u64> {
        self.snapshot.count(self.name)
    }

    /// Begins a query. See [`Snapshot::find`].
    pub fn find(&self, filter: impl Into<Filter>) -> Find<Typed<T>> {
        self.snapshot.find(self.name, filter).typed()
    }

    /// Sends the documents through a pipeline. See [`Snapshot::aggregate`].
    pub fn aggregate(&self, pipeline: Pipeline, now: Time) -> Aggregate {
        self.snapshot.aggregate(self.name, pipeline, now)
    }
}

impl<T: DeserializeOwned> SnapshotCollection<'_, T> {
    /// The document with this id; `None` when there is none. See [`Snapshot::get`].
    ///
    /// # Errors
    ///
    /// [`Error::Type`](crate::Error::Type) when it does not fit `T`; and as for [`Snapshot::get`].
    pub fn get(&self, id: impl IntoDocumentId) -> Result<Option<Typed<T>>> {
        self.snapshot.get(self.name, id)?.map(|document| self.read(document)).transpose()
    }

    /// The documents with these ids, in the order of the ids. See [`Snapshot::get_many`].
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn get_many(
        &self,
        ids: impl IntoIterator<Item = impl IntoDocumentId>,
    ) -> Result<Vec<Option<Typed<T>>>> {
        ids.into_iter().map(|id| self.get(id)).collect()
    }

    /// One document that satisfies a filter; `None` when there is none.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get), and when the filter is invalid.
    pub fn find_one(&self, filter: impl Into<Filter>) -> Result<Option<Typed<T>>> {
        self.find(filter).first()
    }

    /// All documents in the order of ids, fetched as they are asked for.
    ///
    /// # Errors
    ///
    /// As for [`Find::iter`].
    pub fn iter(&self) -> Result<Cursor<Typed<T>>> {
        self.find(Filter::all()).sort(Sort::new()).iter()
    }

    fn read(&self, document: Document) -> Result<Typed<T>> {
        Typed::from_document(document, &CollectionName::new(self.name)?)
    }
}
