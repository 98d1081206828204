//! [`Collection`]: a collection whose documents have a type of the caller's.

mod asynchronous;
pub(crate) mod batch;
pub(crate) mod snapshot;
pub(crate) mod transaction;

use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use velocitydb_core::aggregate::Pipeline;
use velocitydb_core::{
    CollectionName, Consistency, Encoded, Filter, IndexSpec, IntoDocumentId, RequestId, Sort, Time,
    Update,
};

use crate::handle::fields::AsFields;
use crate::schema::Schema;
use crate::{
    Aggregate, Cancellation, Claim, CompareAndSwap, Cursor, Database, Documents, Existing, Find,
    FindAndModify, FromDocument, IndexStats, Modified, Result, SchemaInfo, Typed, Written,
};

/// A collection whose documents have the type `T`, converted by serde. It has the operations of
/// [`Documents`], which [`untyped`](Self::untyped) returns. Partial changes are given as updates, as there.
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
/// let adults = users.find(velocitydb::object! { "age": { "$gte": 18 } });
/// assert_eq!(adults.documents()?[0].value.name, "Alice");
/// # Ok(())
/// # }
/// ```
pub struct Collection<T> {
    documents: Documents,
    /// Values of `T` are passed in and out; none is stored.
    types: PhantomData<fn(T) -> T>,
}

impl Database {
    /// A collection whose documents have the type `T`. The first insert creates it.
    pub fn collection<T>(&self, name: &str) -> Collection<T> {
        Collection::new(self.documents(name))
    }
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

    /// The same collection, with documents of any shape.
    pub fn untyped(&self) -> &Documents {
        &self.documents
    }

    /// The same collection at another consistency level. See [`Documents::at`].
    pub fn at(&self, consistency: Consistency) -> Self {
        Self::new(self.documents.at(consistency))
    }

    /// The same collection, whose writes set documents to expire. See [`Documents::time_to_live`].
    pub fn time_to_live(&self, duration: Duration) -> Self {
        Self::new(self.documents.time_to_live(duration))
    }

    /// The same collection for one write, which is applied at most once. See [`Documents::request`].
    pub fn request(&self, request: RequestId) -> Self {
        Self::new(self.documents.request(request))
    }

    /// Begins a query. See [`Documents::find`].
    pub fn find(&self, filter: impl Into<Filter>) -> Find<Typed<T>> {
        self.documents.find(filter).typed()
    }

    /// Sends the documents through a pipeline, whose results are [rows](Aggregate::rows) of any type. See
    /// [`Documents::aggregate`].
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use serde::{Deserialize, Serialize};
    /// use velocitydb::Pipeline;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Order {
    ///     city: String,
    ///     total: i64,
    /// }
    ///
    /// #[derive(Deserialize)]
    /// struct City {
    ///     #[serde(rename = "_id")]
    ///     name: String,
    ///     total: i64,
    /// }
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let orders = db.collection::<Order>("orders");
    /// orders.insert("1", &Order { city: "Bonn".into(), total: 10 })?;
    /// let by_city = Pipeline::from_json(r#"[{"$group": {"_id": "$city", "total": {"$sum": "$total"}}}]"#)?;
    /// let cities: Vec<City> = orders.aggregate(by_city).rows()?;
    /// assert_eq!((cities[0].name.as_str(), cities[0].total), ("Bonn", 10));
    /// # Ok(())
    /// # }
    /// ```
    pub fn aggregate(&self, pipeline: Pipeline) -> Aggregate {
        self.documents.aggregate(pipeline)
    }

    /// Begins a claim. See [`Documents::claim`].
    pub fn claim(&self, filter: impl Into<Filter>) -> Claim<'_, Typed<T>> {
        self.documents.claim(filter).typed()
    }

    /// Begins a compare-and-swap. See [`Documents::compare_and_swap`], and [`CompareAndSwap::replace_with`]
    /// for values of the type.
    pub fn compare_and_swap<'a>(&'a self, id: impl IntoDocumentId) -> CompareAndSwap<'a, Typed<T>> {
        self.documents.compare_and_swap(id).typed()
    }

    /// Begins finding one document and changing it. See [`Documents::find_and_modify`].
    pub fn find_and_modify(&self, filter: impl Into<Filter>) -> FindAndModify<'_, Typed<T>> {
        self.documents.find_and_modify(filter).typed()
    }

    /// The collection's name. See [`Documents::name`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::name`].
    pub fn name(&self) -> Result<&CollectionName> {
        self.documents.name()
    }

    /// How many documents there are. See [`Documents::count`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::count`].
    pub fn count(&self) -> Result<u64> {
        self.documents.count()
    }

    /// Changes some fields of a document. See [`Documents::update`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::update`].
    pub fn update(&self, id: impl IntoDocumentId, update: impl Into<Update>) -> Result<Written> {
        self.documents.update(id, update)
    }

    /// Changes all documents that satisfy a filter. See [`Documents::update_many`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::update_many`].
    pub fn update_many(
        &self,
        filter: impl Into<Filter>,
        update: impl Into<Update>,
    ) -> Result<Modified> {
        self.documents.update_many(filter, update)
    }

    /// Deletes a document. See [`Documents::delete`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::delete`].
    pub fn delete(&self, id: impl IntoDocumentId) -> Result<Written> {
        self.documents.delete(id)
    }

    /// Deletes all documents that satisfy a filter. See [`Documents::delete_many`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::delete_many`].
    pub fn delete_many(&self, filter: impl Into<Filter>) -> Result<Modified> {
        self.documents.delete_many(filter)
    }

    /// Completes claimed work. See [`Documents::complete`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::complete`].
    pub fn complete(
        &self,
        id: impl IntoDocumentId,
        version: u64,
        update: impl Into<Update>,
    ) -> Result<u64> {
        self.documents.complete(id, version, update)
    }

    /// Extends the lease on claimed work. See [`Documents::renew`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::renew`].
    pub fn renew(&self, id: impl IntoDocumentId, version: u64, duration: Duration) -> Result<u64> {
        self.documents.renew(id, version, duration)
    }

    /// Gives claimed work back. See [`Documents::release`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::release`].
    pub fn release(&self, id: impl IntoDocumentId, version: u64) -> Result<u64> {
        self.documents.release(id, version)
    }

    /// Gives claimed work back, to be tried again at a later time. See [`Documents::retry`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::retry`].
    pub fn retry(
        &self,
        id: impl IntoDocumentId,
        version: u64,
        not_before: Time,
        reason: &str,
    ) -> Result<u64> {
        self.documents.retry(id, version, not_before, reason)
    }

    /// Creates an index. See [`Documents::create_index`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::create_index`].
    pub fn create_index(&self, spec: IndexSpec) -> Result<()> {
        self.documents.create_index(spec)
    }

    /// Drops an index. See [`Documents::drop_index`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::drop_index`].
    pub fn drop_index(&self, name: &str) -> Result<()> {
        self.documents.drop_index(name)
    }

    /// The indexes, in the order of their names. See [`Documents::indexes`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::indexes`].
    pub fn indexes(&self) -> Result<Vec<IndexStats>> {
        self.documents.indexes()
    }

    /// Sets the schema of the collection. See [`Documents::set_schema`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::set_schema`].
    pub fn set_schema(&self, schema: &Schema, existing: Existing) -> Result<u64> {
        self.documents.set_schema(schema, existing)
    }

    /// Sets the schema, until it is cancelled. See [`Documents::set_schema_until`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::set_schema_until`].
    pub fn set_schema_until(
        &self,
        schema: &Schema,
        existing: Existing,
        cancellation: &Cancellation,
    ) -> Result<u64> {
        self.documents.set_schema_until(schema, existing, cancellation)
    }

    /// Removes the schema. See [`Documents::remove_schema`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::remove_schema`].
    pub fn remove_schema(&self) -> Result<()> {
        self.documents.remove_schema()
    }

    /// The schema; `None` when there is none. See [`Documents::schema`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::schema`].
    pub fn schema(&self) -> Result<Option<SchemaInfo>> {
        self.documents.schema()
    }
}

impl<T: Serialize> Collection<T> {
    /// Creates a document. See [`Documents::insert`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::insert`], and when `value` is not an object.
    pub fn insert(&self, id: impl IntoDocumentId, value: &T) -> Result<Written> {
        self.documents.insert(id, Encoded::from_serialize(value)?)
    }

    /// Creates a document under a new id. See [`Documents::insert_new`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::insert_new`], and when `value` is not an object.
    pub fn insert_new(&self, value: &T) -> Result<Written> {
        self.documents.insert_new(Encoded::from_serialize(value)?)
    }

    /// Creates all of these documents, or none of them. See [`Documents::insert_many`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::insert_many`], and when a value is not an object.
    pub fn insert_many<'a>(
        &self,
        values: impl IntoIterator<Item = (impl IntoDocumentId, &'a T)>,
    ) -> Result<Vec<Written>>
    where
        T: 'a,
    {
        let values = values.into_iter().map(|(id, value)| (id, AsFields(value)));
        self.documents.insert_many(values)
    }

    /// Creates all of these documents under new ids, or none of them. See [`Documents::insert_many_new`].
    ///
    /// # Errors
    ///
    /// As for [`insert_many`](Self::insert_many).
    pub fn insert_many_new<'a>(
        &self,
        values: impl IntoIterator<Item = &'a T>,
    ) -> Result<Vec<Written>>
    where
        T: 'a,
    {
        self.documents.insert_many_new(values.into_iter().map(AsFields))
    }

    /// Replaces a document. See [`Documents::replace`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::replace`], and when `value` is not an object.
    pub fn replace(&self, id: impl IntoDocumentId, value: &T) -> Result<Written> {
        self.documents.replace(id, Encoded::from_serialize(value)?)
    }

    /// Creates or replaces a document. See [`Documents::upsert`].
    ///
    /// # Errors
    ///
    /// As for [`Documents::upsert`], and when `value` is not an object.
    pub fn upsert(&self, id: impl IntoDocumentId, value: &T) -> Result<Written> {
        self.documents.upsert(id, Encoded::from_serialize(value)?)
    }
}

impl<T: DeserializeOwned> Collection<T> {
    /// The document with this id; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Type`](crate::Error::Type) when it does not fit `T`; and as for [`Documents::get`].
    pub fn get(&self, id: impl IntoDocumentId) -> Result<Option<Typed<T>>> {
        self.documents.get(id)?.map(|document| self.read(document)).transpose()
    }

    /// The documents with these ids, in the order of the ids, all from one state.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn get_many(
        &self,
        ids: impl IntoIterator<Item = impl IntoDocumentId>,
    ) -> Result<Vec<Option<Typed<T>>>> {
        let documents = self.documents.get_many(ids)?.into_iter();
        documents.map(|found| found.map(|document| self.read(document)).transpose()).collect()
    }

    /// One document that satisfies a filter; `None` when there is none.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get), and when the filter is invalid.
    pub fn find_one(&self, filter: impl Into<Filter>) -> Result<Option<Typed<T>>> {
        self.find(filter).first()
    }

    /// All current documents in the order of ids, fetched as they are asked for.
    ///
    /// # Errors
    ///
    /// As for [`Find::iter`].
    pub fn iter(&self) -> Result<Cursor<Typed<T>>> {
        self.find(Filter::all()).sort(Sort::new()).iter()
    }

    fn read(&self, document: crate::Document) -> Result<Typed<T>> {
        Typed::from_document(document, self.documents.name()?)
    }
}
