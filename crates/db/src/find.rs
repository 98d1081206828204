//! [`Find`]: a query that is being put together, and its results.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::time::{Duration, Instant};

use velocitydb_core::key::{Direction, encode_key_value};
use velocitydb_core::{
    CollectionName, Consistency, DocumentId, DocumentView, Filter, Object, Path, Projection, Sort,
    Value, limits,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::explain::Explanation;
use crate::queried::Queried;
use crate::query::{Control, Hit, Need, Order, Record, Selection, count, order_key, select};
use crate::{Database, Document, Documents, Error, Result, Snapshot};

/// A query that is being put together; see [`Documents::find`].
///
/// It reads one consistent snapshot, waits for no writer, and none waits for it.
#[must_use = "a query does nothing until it is asked for results"]
#[derive(Clone)]
pub struct Find {
    source: Source,
    collection: std::result::Result<CollectionName, velocitydb_core::Error>,
    query: Query,
}

/// Where a query reads.
#[derive(Clone)]
enum Source {
    /// In the newest state, at a level.
    Newest(Database, Consistency),
    Snapshot(Snapshot),
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) filter: Filter,
    pub(crate) sort: Option<Sort>,
    projection: Option<Projection>,
    pub(crate) offset: u64,
    pub(crate) limit: Option<u64>,
    page_bytes_max: usize,
    after: Option<FindCursor>,
    deadline: Option<Instant>,
    memory_bytes_max: usize,
}

/// A part of the results of a query.
#[derive(Debug, Clone)]
pub struct FindPage {
    /// The documents.
    pub documents: Vec<Document>,
    /// Where the next part begins; `None` when there is nothing more.
    pub next: Option<FindCursor>,
}

/// A place in the results of a query. Documents that come and go before it shift nothing. Its text
/// can be stored and parsed again, and is good for queries with the same sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindCursor {
    /// Which sort it belongs to.
    sort: u64,
    /// The values that the last document was sorted by, and its id.
    place: Vec<u8>,
}

impl Documents {
    /// Begins a query: which documents, and then in which order, how many, and what of them.
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
    /// assert_eq!(oldest[0].id().as_str(), "bob");
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
            deadline: None,
            memory_bytes_max: limits::QUERY_MEMORY_BYTES_MAX,
        };
        Find { source, collection, query }
    }

    /// Puts the results into an order; where it leaves that open, ids decide, in the direction of
    /// its last key. Without a sort, the order is any.
    pub fn sort(mut self, sort: Sort) -> Self {
        self.query.sort = Some(sort);
        self
    }

    /// At most so many results.
    pub fn limit(mut self, limit: u64) -> Self {
        self.query.limit = Some(limit);
        self
    }

    /// How many bytes of documents a [`page`](Self::page) has at the most, or one document that has
    /// more. One that ends for this has a [`next`](FindPage::next).
    pub fn page_bytes(mut self, bytes: usize) -> Self {
        self.query.page_bytes_max = bytes;
        self
    }

    /// Leaves out so many results first. That costs as much as reading them; a cursor does not.
    pub fn offset(mut self, offset: u64) -> Self {
        self.query.offset = offset;
        self
    }

    /// Goes on behind the place where an earlier page ended.
    pub fn after(mut self, cursor: FindCursor) -> Self {
        self.query.after = Some(cursor);
        self
    }

    /// Which fields [`objects`](Self::objects) have.
    pub fn project(mut self, projection: Projection) -> Self {
        self.query.projection = Some(projection);
        self
    }

    /// How long the query may take, from now on. Then it stops with an error.
    pub fn deadline(mut self, duration: Duration) -> Self {
        self.query.deadline = Instant::now().checked_add(duration);
        self
    }

    /// How many bytes the query may hold for sorting and the like; 100 MiB if nothing is said.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.query.memory_bytes_max = bytes;
        self
    }

    /// The documents.
    ///
    /// # Errors
    ///
    /// When a name, the filter or the sort is invalid, the level is too weak, a limit of memory or
    /// time is reached, or storage fails, as for all queries.
    pub fn documents(self) -> Result<Vec<Document>> {
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
    pub fn first(self) -> Result<Option<Document>> {
        Ok(self.limit(1).documents()?.pop())
    }

    /// Shows every document, until the end or until `visit` breaks. Where an index gives the order,
    /// or there is none, nothing is held in memory.
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents), and what `visit` returns.
    pub fn each(self, mut visit: impl FnMut(Document) -> Result<ControlFlow<()>>) -> Result<()> {
        let query = &self.query;
        self.run(query.order(), Need::Documents, &[], &mut |hit| {
            let id = DocumentId::new(hit.id)?;
            visit(Document::new(id, hit.record.into_blob())?)
        })
    }

    /// The documents up to the limit, and where the next page begins. Without a sort they are in the
    /// order of ids.
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents).
    pub fn page(mut self) -> Result<FindPage> {
        let sort = self.query.sort.take().unwrap_or_default();
        let limit = self.query.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        // One more tells whether there is more.
        self.query.limit = self.query.limit.map(|limit| limit.saturating_add(1));
        let (mut documents, mut place, mut has_more) = (Vec::new(), Vec::new(), false);
        if limit == Some(0) {
            return Ok(FindPage { documents, next: None });
        }
        let (mut bytes_left, is_bounded) =
            (self.query.page_bytes_max, self.query.page_bytes_max < usize::MAX);
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
            let id = DocumentId::new(hit.id)?;
            documents.push(Document::new(id, hit.record.into_blob())?);
            Ok(ControlFlow::Continue(()))
        })?;
        let next = has_more.then(|| FindCursor { sort: sort_id(&sort), place });
        Ok(FindPage { documents, next })
    }

    /// The results as objects: `_id` and the fields, or what the projection leaves of them. Where an
    /// index has all that is needed, no document is read.
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

    /// Shows every result as [`objects`](Self::objects) returns it, until the end or until `visit`
    /// breaks.
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

    /// The different values at a path, of arrays those of their elements, in the one total order. Of
    /// values that are equal and look different, one is shown, whichever indexes there are: an
    /// integer rather than the equal float, and `0.0` rather than `-0.0`.
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
                // An array without elements has none.
                let is_array = |value: velocitydb_core::RawValue<'_>| {
                    Ok::<_, velocitydb_core::Error>(
                        value.as_array()?.is_some_and(|array| array.is_empty()),
                    )
                };
                if leaf.is_missing() || leaf.as_raw().map_or(Ok(false), is_array)? {
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

    /// How the query would be carried out, and what that took.
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

    /// The state that the query reads; `None` when the collection does not exist there.
    fn queried(&self) -> Result<Option<Queried>> {
        let name = self.collection.as_ref().map_err(Clone::clone)?;
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

const DISTINCT: &str = "memory of a query for distinct values in bytes";

impl Query {
    fn order(&self) -> Order<'_> {
        match (&self.sort, &self.after) {
            (Some(sort), _) => Order::By(sort),
            (None, None) => Order::Any,
            // What a page without a sort was in the order of.
            (None, Some(_)) => Order::By(const { &Sort::new() }),
        }
    }

    fn control(&self) -> Control {
        Control::new(self.deadline, self.memory_bytes_max)
    }

    fn check(&self) -> Result<()> {
        self.filter.check()?;
        self.sort.as_ref().map_or(Ok(()), Sort::check)?;
        Ok(())
    }

    /// Whether all that satisfies the filter is asked for.
    fn is_whole(&self) -> bool {
        self.offset == 0 && self.limit.is_none() && self.after.is_none()
    }

    /// The place in the order behind which to begin.
    fn place(&self, order: Order<'_>) -> Result<Option<&[u8]>> {
        let Some(cursor) = &self.after else { return Ok(None) };
        let is_same = match order {
            Order::Any => false,
            Order::By(sort) => sort_id(sort) == cursor.sort,
        };
        if is_same {
            return Ok(Some(&cursor.place));
        }
        Err(cursor_error("belongs to a query with another sort").into())
    }

    fn selection<'a>(
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

/// Tells sorts apart.
fn sort_id(sort: &Sort) -> u64 {
    xxh3_64(sort.to_value().to_json().as_bytes())
}

fn cursor_error(problem: &str) -> velocitydb_core::Error {
    let (what, place, problem) = ("cursor", String::new(), problem.to_owned());
    velocitydb_core::Error::InvalidQuery { what, place, problem }
}

impl fmt::Display for FindCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.sort)?;
        self.place.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for FindCursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || cursor_error("is not one; take it from the page before as it is");
        let (sort, place) = text.split_at_checked(16).ok_or_else(wrong)?;
        let sort = u64::from_str_radix(sort, 16).map_err(|_| wrong())?;
        let digits = place.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        let place = digits.collect::<Option<Vec<u8>>>().ok_or_else(wrong)?;
        Ok(FindCursor { sort, place })
    }
}
