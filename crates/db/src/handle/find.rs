//! [`Find`]: a query that is being built, and its results.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::time::Duration;

use serde::de::DeserializeOwned;
use velocitydb_core::key::{Direction, encode_key_value};
use velocitydb_core::{
    CollectionName, Consistency, DocumentId, DocumentView, Filter, Object, Path, Projection, Sort,
    Value, limits,
};

use crate::handle::explain::Explanation;
use crate::handle::page::PageToken;
use crate::handle::queried::Queried;
use crate::query::{Control, Hit, Need, Order, Record, Selection, count, order_key, select};
use crate::{
    Cancellation, Database, Document, Documents, Error, FromDocument, Page, Result, Snapshot, Typed,
};

/// A query that is being built; see [`Documents::find`]. Its results are documents as they are stored, or
/// [typed](Self::typed) ones.
///
/// It reads one consistent snapshot. It neither waits for writers nor keeps them waiting.
#[must_use = "a query does nothing until its results are requested"]
pub struct Find<D = Document> {
    source: Source,
    collection: std::result::Result<CollectionName, velocitydb_core::Error>,
    pub(super) query: Query,
    rows: PhantomData<fn() -> D>,
}

impl<D> Clone for Find<D> {
    fn clone(&self) -> Self {
        let (source, query) = (self.source.clone(), self.query.clone());
        Find { source, collection: self.collection.clone(), query, rows: PhantomData }
    }
}

/// The state that a query reads.
#[derive(Clone)]
enum Source {
    /// The newest state, at a consistency level.
    Newest(Database, Consistency),
    Snapshot(Snapshot),
}

/// What a query asks for.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) filter: Filter,
    pub(crate) sort: Option<Sort>,
    projection: Option<Projection>,
    pub(crate) offset: u64,
    pub(crate) limit: Option<u64>,
    page_bytes_max: usize,
    after: Option<PageToken>,
    cancellation: Cancellation,
    memory_bytes_max: usize,
}

impl Documents {
    /// Begins a query. Its options say in which order the results come, how many, and with which fields.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{Sort, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let users = db.documents("users");
    /// users.insert("alice", object! { "age": 28, "tags": ["admin"] })?;
    /// users.insert("bob", object! { "age": 32 })?;
    /// let adults = users.find(object! { "age": { "$gte": 18 } });
    /// let oldest = adults.sort(Sort::new().descending("age")).limit(1).documents()?;
    /// assert_eq!(oldest[0].id().to_string(), "bob");
    /// assert_eq!(users.find(object! { "tags": "admin" }).count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn find(&self, filter: impl Into<Filter>) -> Find {
        let source = Source::Newest(self.db.clone(), self.consistency());
        Find::new(source, self.name().cloned(), filter.into())
    }

    /// One document that satisfies a filter; `None` when there is none.
    ///
    /// # Errors
    ///
    /// As for [`Find::documents`].
    pub fn find_one(&self, filter: impl Into<Filter>) -> Result<Option<Document>> {
        self.find(filter).first()
    }
}

impl Snapshot {
    /// Begins a query of this state. See [`Documents::find`].
    pub fn find(&self, collection: &str, filter: impl Into<Filter>) -> Find {
        let name = CollectionName::new(collection).map_err(Error::from);
        Find::new(Source::Snapshot(self.clone()), name, filter.into())
    }
}

impl Find {
    /// The same query, with results of the type `T`.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     age: u32,
    /// }
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let users = db.documents("users");
    /// users.insert("alice", object! { "age": 28 })?;
    /// let adults = users.find(object! { "age": { "$gte": 18 } }).typed::<User>();
    /// assert_eq!(adults.documents()?[0].value.age, 28);
    /// # Ok(())
    /// # }
    /// ```
    pub fn typed<T>(self) -> Find<Typed<T>> {
        let Find { source, collection, query, .. } = self;
        Find { source, collection, query, rows: PhantomData }
    }

    fn new(source: Source, collection: Result<CollectionName>, filter: Filter) -> Self {
        let collection = collection.map_err(|error| match error {
            Error::Invalid(error) => error,
            other => {
                velocitydb_core::Error::Serde { path: String::new(), message: other.to_string() }
            }
        });
        let query = Query {
            filter,
            sort: None,
            projection: None,
            offset: 0,
            limit: None,
            page_bytes_max: usize::MAX,
            after: None,
            cancellation: Cancellation::never(),
            memory_bytes_max: limits::QUERY_MEMORY_BYTES_MAX,
        };
        Find { source, collection, query, rows: PhantomData }
    }
}

impl<D> Find<D> {
    /// Sets the order. Results that are equal in it are ordered by id, in the direction of the last key of
    /// the sort. Without a sort, the order is unspecified.
    pub fn sort(mut self, sort: Sort) -> Self {
        self.query.sort = Some(sort);
        self
    }

    /// Sets how many results there are at the most.
    pub fn limit(mut self, limit: u64) -> Self {
        self.query.limit = Some(limit);
        self
    }

    /// Limits the bytes of documents on a [`page`](Self::page). A single larger document is a page of its
    /// own. A page that ends at this limit has a [`next`](Page::next).
    pub fn page_bytes(mut self, bytes: usize) -> Self {
        self.query.page_bytes_max = bytes;
        self
    }

    /// Sets how many results are left out at the beginning. They cost as much as if they were read; a page
    /// token does not.
    pub fn offset(mut self, offset: u64) -> Self {
        self.query.offset = offset;
        self
    }

    /// Continues after the place where an earlier page ended.
    pub fn after(mut self, token: PageToken) -> Self {
        self.query.after = Some(token);
        self
    }

    /// Sets which fields [`objects`](Self::objects) have.
    pub fn project(mut self, projection: Projection) -> Self {
        self.query.projection = Some(projection);
        self
    }

    /// How long the query may take from now on, before it stops with an error.
    pub fn deadline(mut self, duration: Duration) -> Self {
        self.query.cancellation = self.query.cancellation.deadline(duration);
        self
    }

    /// Stops the query with an error when this is cancelled or its deadline has passed. A
    /// [deadline](Self::deadline) of the query is to be set after it.
    pub fn until(mut self, cancellation: &Cancellation) -> Self {
        self.query.cancellation = cancellation.clone();
        self
    }

    /// How many bytes of memory the query may use for sorting and the like; 100 MiB by default.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.query.memory_bytes_max = bytes;
        self
    }

    /// The results as objects: `_id` and the fields, or those that the projection selects. If an index has
    /// all of them, no document is read.
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents), and when the projection is invalid.
    pub fn objects(self) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        self.each_object(|object| {
            objects.push(object);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(objects)
    }

    /// The results of [`objects`](Self::objects), as values of type `R`.
    ///
    /// # Errors
    ///
    /// As for [`objects`](Self::objects), and [`Error::Invalid`] when a result does not fit the type.
    pub fn rows<R: DeserializeOwned>(self) -> Result<Vec<R>> {
        let mut rows = Vec::new();
        self.each_object(|object| {
            rows.push(object.to()?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    /// Passes every result to `visit`, in the form of [`objects`](Self::objects), until the end or until
    /// `visit` breaks.
    ///
    /// # Errors
    ///
    /// As for [`objects`](Self::objects), and what `visit` returns.
    pub fn each_object(
        self,
        mut visit: impl FnMut(Object) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let projection = self.query.projection.clone().unwrap_or_else(Projection::all);
        projection.check()?;
        let paths = projection.paths();
        let need = if paths.is_some() { Need::IndexedFields } else { Need::Documents };
        let fields = paths.unwrap_or_default();
        self.run(self.query.order(), need, &fields, &mut |hit| {
            visit(match hit.record {
                Record::Covered(object) => projection.apply_object(object),
                record => projection.apply(&DocumentView::decode(hit.id, record.bytes())?)?,
            })
        })
    }

    /// How many results there are.
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents).
    pub fn count(self) -> Result<u64> {
        self.query.filter.check()?;
        if self.query.is_whole() {
            let Some(queried) = self.queried()? else { return Ok(0) };
            let target = queried.target();
            return match self.query.filter.is_all() {
                true => Ok(target.count),
                false => count(&target, &self.query.control(), &self.query.filter),
            };
        }
        let mut count = 0;
        self.run(self.query.order(), Need::Count, &[], &mut |_| {
            count += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(count)
    }

    /// The distinct values at a path, for arrays those of their elements, in the total order of values. Of
    /// equal values with several representations one is returned, whatever indexes exist: an integer rather
    /// than the equal float, a float rather than a decimal, and `0.0` rather than `-0.0`. An array without
    /// elements has none, and is one where it is an element.
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents), and when the path is invalid.
    pub fn distinct(self, path: &str) -> Result<Vec<Value>> {
        let path: Path = path.parse()?;
        let control = self.query.control();
        let mut values: BTreeMap<Vec<u8>, Value> = BTreeMap::new();
        let mut key = Vec::new();
        let fields = [path.clone()];
        self.run(self.query.order(), Need::IndexedFields, &fields, &mut |hit| {
            let mut take = |key: &[u8], value: &mut dyn FnMut() -> Result<Option<Value>>| {
                let known = values.get_mut(key);
                if known.as_ref().is_some_and(|known| known.is_simplest()) {
                    return Ok::<_, Error>(());
                }
                match (known, value()?) {
                    (Some(known), Some(value)) if value.is_simpler_than(known) => *known = value,
                    (None, Some(value)) => {
                        control.take(DISTINCT, key.len() * 2 + 64)?;
                        values.insert(key.to_vec(), value);
                    }
                    _ => {}
                }
                Ok(())
            };
            if let Record::Covered(object) = &hit.record {
                let Some(value) = path.get(object) else { return Ok(ControlFlow::Continue(())) };
                key.clear();
                encode_key_value(value, Direction::Ascending, &mut key);
                take(&key, &mut || Ok(Some(value.clone())))?;
                return Ok(ControlFlow::Continue(()));
            }
            let document = DocumentView::decode(hit.id, hit.record.bytes())?;
            let mut failed = Ok(());
            document.for_each_leaf(&path, |leaf| {
                // An empty array has no values.
                if leaf.is_missing() || leaf.is_empty_array() {
                    return Ok(());
                }
                key.clear();
                leaf.encode_key(Direction::Ascending, &mut key)?;
                if failed.is_ok() {
                    failed = take(&key, &mut || Ok(leaf.to_value()?));
                }
                Ok(())
            })?;
            failed.map(|()| ControlFlow::Continue(()))
        })?;
        Ok(values.into_values().collect())
    }

    /// How the query is executed, and what that costs.
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents).
    pub fn explain(self) -> Result<Explanation> {
        let (need, fields) = match &self.query.projection {
            Some(projection) => (Need::IndexedFields, projection.paths()),
            None => (Need::Documents, None),
        };
        let need = if fields.is_some() { need } else { Need::Documents };
        let fields = fields.unwrap_or_default();
        self.query.check()?;
        let Some(queried) = self.queried()? else { return Ok(Explanation::of_nothing()) };
        let after = self.query.place(self.query.order())?;
        let selection = self.query.selection(self.query.order(), need, &fields, after);
        Explanation::new(&queried.target(), &self.query.control(), &selection)
    }

    pub(super) fn name(&self) -> Result<&CollectionName> {
        Ok(self.collection.as_ref().map_err(Clone::clone)?)
    }

    /// The state that the query reads; `None` when the collection does not exist there.
    pub(super) fn queried(&self) -> Result<Option<Queried>> {
        let name = self.name()?;
        match &self.source {
            Source::Newest(db, level) => db.queried(name, *level),
            Source::Snapshot(snapshot) => snapshot.queried(name),
        }
    }

    fn run(
        &self,
        order: Order<'_>,
        need: Need,
        fields: &[Path],
        visit: &mut dyn FnMut(Hit<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.query.check()?;
        let Some(queried) = self.queried()? else { return Ok(()) };
        let after = self.query.place(order)?;
        let selection = self.query.selection(order, need, fields, after);
        select(&queried.target(), &self.query.control(), &selection, visit)?;
        Ok(())
    }
}

impl<D: FromDocument> Find<D> {
    /// The documents.
    ///
    /// # Errors
    ///
    /// When a name, the filter or the sort is invalid, the level is too weak, a memory or time limit is
    /// reached, or storage fails, as for all queries. [`Error::Type`] when a document does not fit the type
    /// that it is read as.
    pub fn documents(self) -> Result<Vec<D>> {
        let mut documents = Vec::new();
        self.each(|document| {
            documents.push(document);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(documents)
    }

    /// The first document.
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents).
    pub fn first(self) -> Result<Option<D>> {
        Ok(self.limit(1).documents()?.pop())
    }

    /// Passes every document to `visit`, until the end or until `visit` breaks. If an index gives the
    /// order, or none was set, nothing is held in memory.
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents), and what `visit` returns.
    pub fn each(self, mut visit: impl FnMut(D) -> Result<ControlFlow<()>>) -> Result<()> {
        let (query, name) = (&self.query, self.name()?);
        self.run(query.order(), Need::Documents, &[], &mut |hit| visit(read(hit, name)?))
    }

    /// The documents up to the limit, and where the next page begins. Without a sort they are in the order
    /// of ids.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let users = db.documents("users");
    /// for id in ["alice", "bob", "carol"] {
    ///     users.insert(id, object! {})?;
    /// }
    /// let first = users.find(object! {}).limit(2).page()?;
    /// assert_eq!(first.documents.len(), 2);
    /// let second = users.find(object! {}).limit(2).after(first.next.expect("carol")).page()?;
    /// assert_eq!((second.documents.len(), second.next), (1, None));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents).
    pub fn page(mut self) -> Result<Page<D>> {
        let sort = self.query.sort.take().unwrap_or_default();
        let limit = self.query.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        // One more document shows whether there is a next page.
        self.query.limit = self.query.limit.map(|limit| limit.saturating_add(1));
        let (mut documents, mut place, mut has_more) = (Vec::new(), Vec::new(), false);
        if limit == Some(0) {
            return Ok(Page { documents, next: None });
        }
        let (mut bytes_left, is_bounded) =
            (self.query.page_bytes_max, self.query.page_bytes_max < usize::MAX);
        let name = self.name()?;
        self.run(Order::By(&sort), Need::Documents, &[], &mut |hit| {
            let bytes = hit.record.bytes().len();
            if limit == Some(documents.len()) || bytes > bytes_left && !documents.is_empty() {
                has_more = true;
                return Ok(ControlFlow::Break(()));
            }
            bytes_left = bytes_left.saturating_sub(bytes);
            if is_bounded || limit == Some(documents.len() + 1) {
                place = order_key(Order::By(&sort), &hit)?.to_vec();
            }
            documents.push(read(hit, name)?);
            Ok(ControlFlow::Continue(()))
        })?;
        let next = has_more.then(|| PageToken::new(&sort, place));
        Ok(Page { documents, next })
    }
}

/// A document that was found, in the requested type.
fn read<D: FromDocument>(hit: Hit<'_>, name: &CollectionName) -> Result<D> {
    let id = DocumentId::new(hit.id)?;
    D::from_document(Document::new(id, hit.record.into_blob())?, name)
}

const DISTINCT: &str = "memory of a query for distinct values in bytes";

impl Query {
    pub(crate) fn order(&self) -> Order<'_> {
        match (&self.sort, &self.after) {
            (Some(sort), _) => Order::By(sort),
            (None, None) => Order::Any,
            // A page without a sort is in the order of ids.
            (None, Some(_)) => Order::By(const { &Sort::new() }),
        }
    }

    pub(crate) fn control(&self) -> Control {
        Control::new(Some(self.cancellation.clone()), self.memory_bytes_max)
    }

    pub(super) fn check(&self) -> Result<()> {
        self.filter.check()?;
        self.sort.as_ref().map_or(Ok(()), Sort::check)?;
        Ok(())
    }

    /// Whether all documents that satisfy the filter are asked for.
    fn is_whole(&self) -> bool {
        self.offset == 0 && self.limit.is_none() && self.after.is_none()
    }

    /// The place in the order after which to begin.
    pub(crate) fn place(&self, order: Order<'_>) -> Result<Option<&[u8]>> {
        match (&self.after, order) {
            (None, _) => Ok(None),
            (Some(token), Order::By(sort)) => token.place(sort).map(Some),
            (Some(token), Order::Any) => token.place(&Sort::new()).map(Some),
        }
    }

    pub(crate) fn selection<'a>(
        &'a self,
        order: Order<'a>,
        need: Need,
        fields: &'a [Path],
        after: Option<&'a [u8]>,
    ) -> Selection<'a> {
        Selection {
            order,
            offset: self.offset,
            limit: self.limit,
            after,
            need,
            fields,
            ..Selection::new(&self.filter)
        }
    }
}
