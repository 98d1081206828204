//! [`TransactionQuery`]: queries of a transaction, with an order, limit and offset, which see its own
//! writes.

use std::marker::PhantomData;
use std::ops::ControlFlow;

use velocitydb_core::{Check, CollectionName, DocumentId, Filter, QueryCheck, Sort, limits};

use crate::apply::Fingerprint;
use crate::handle::transaction::Transaction;
use crate::keys::Key;
use crate::query::{Control, Hit, Order, Record, Selection, order_key, select};
use crate::{Document, FromDocument, Result, Typed};

/// A query of a transaction that is being built; see [`Transaction::query`].
#[must_use = "a query does nothing until its results are requested"]
pub struct TransactionQuery<'t, D = Document> {
    transaction: &'t mut Transaction,
    collection: &'t str,
    filter: Filter,
    sort: Sort,
    offset: u64,
    limit: Option<u64>,
    rows: PhantomData<fn() -> D>,
}

impl Transaction {
    /// Begins a query. It sees this transaction's own writes. If the query finds anything else when the
    /// transaction commits (more documents, fewer, or other versions), that is a conflict. Changes of
    /// documents beyond its limit are no conflict; the limit is counted there with as many more as the
    /// transaction itself has written in the collection.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{Sort, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// db.documents("jobs").insert("job1", object! { "state": "waiting", "priority": 1 })?;
    /// let next = db.transaction(|txn| {
    ///     txn.insert("jobs", "job2", object! { "state": "waiting", "priority": 7 })?;
    ///     let waiting = txn.query("jobs", object! { "state": "waiting" });
    ///     waiting.sort(Sort::new().descending("priority")).first()
    /// })?;
    /// assert_eq!(next.expect("two wait").id().to_string(), "job2");
    /// # Ok(())
    /// # }
    /// ```
    pub fn query<'t>(
        &'t mut self,
        collection: &'t str,
        filter: impl Into<Filter>,
    ) -> TransactionQuery<'t> {
        TransactionQuery {
            transaction: self,
            collection,
            filter: filter.into(),
            sort: Sort::new(),
            offset: 0,
            limit: None,
            rows: PhantomData,
        }
    }
}

impl<'t> TransactionQuery<'t> {
    /// The same query, with results of the type `T`.
    pub fn typed<T>(self) -> TransactionQuery<'t, Typed<T>> {
        let TransactionQuery { transaction, collection, filter, sort, offset, limit, .. } = self;
        let rows = PhantomData;
        TransactionQuery { transaction, collection, filter, sort, offset, limit, rows }
    }
}

impl<D: FromDocument> TransactionQuery<'_, D> {
    /// Sets the order. Documents that are equal in it, and all documents without a sort, are ordered by id.
    pub fn sort(mut self, sort: Sort) -> Self {
        self.sort = sort;
        self
    }

    /// Sets how many results there are at the most.
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets how many results are left out at the beginning.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// The first result.
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents).
    pub fn first(self) -> Result<Option<D>> {
        Ok(self.limit(1).documents()?.pop())
    }

    /// The documents. Sorting them takes at most the
    /// [memory](velocitydb_core::limits::QUERY_MEMORY_BYTES_MAX) of a query.
    ///
    /// # Errors
    ///
    /// When the name, the filter or the sort is invalid, a document does not fit its type, the
    /// transaction has read too much, or storage fails.
    pub fn documents(self) -> Result<Vec<D>> {
        let name = CollectionName::new(self.collection)?;
        self.filter.check()?;
        self.sort.check()?;
        let TransactionQuery { transaction, filter, sort, offset, limit, .. } = self;
        let all = transaction.find_in_order(&name, filter, sort, offset, limit)?;
        let part = all.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX));
        let count_max =
            limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        part.take(count_max).map(|document| D::from_document(document, &name)).collect()
    }
}

/// The result of a search, and what the commit checks of it.
pub(crate) struct Searched {
    /// The documents in their order, the transaction's own writes included.
    pub(crate) found: Vec<Document>,
    check: QueryCheck,
}

impl Transaction {
    /// The documents in their order, up to the end of a part at the least.
    fn find_in_order(
        &mut self,
        name: &CollectionName,
        filter: Filter,
        sort: Sort,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<Vec<Document>> {
        let end = limit.map(|limit| limit.saturating_add(offset));
        let searched = self.search(name, &filter, &sort, end)?;
        self.note(searched)
    }

    /// The documents in their order: at least this many, if there are so many.
    pub(crate) fn search(
        &self,
        name: &CollectionName,
        filter: &Filter,
        sort: &Sort,
        end: Option<u64>,
    ) -> Result<Searched> {
        let order = Order::By(sort);
        let queried = self.snapshot.queried(name)?;
        // The transaction's own writes may remove as many from the result.
        let own = self.writes_to(name).count() as u64;
        let limit = end.map(|end| end.saturating_add(own));
        let mut found = Vec::new();
        let mut fingerprint = Fingerprint::default();
        if let Some(queried) = &queried {
            let selection = Selection { order, limit, ..Selection::new(filter) };
            let control = Control::new(None, limits::QUERY_MEMORY_BYTES_MAX);
            select(&queried.target(), &control, &selection, &mut |hit| {
                let id = DocumentId::new(hit.id)?;
                let document = Document::new(id, hit.record.into_blob())?;
                fingerprint.add(document.id().by_ref(), document.version());
                found.push(document);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        if own > 0 {
            self.put_own_in_order(name, filter, order, &mut found)?;
        }
        let index = queried.map_or(0, |queried| queried.index);
        let (collection, fingerprint) = (name.clone(), fingerprint.finish());
        let (filter, sort) = (filter.clone(), sort.clone());
        let check = QueryCheck { collection, index, filter, sort, offset: 0, limit, fingerprint };
        Ok(Searched { found, check })
    }

    /// Records what was found, so that the commit checks it, and returns it.
    pub(crate) fn note(&mut self, searched: Searched) -> Result<Vec<Document>> {
        let Searched { found, check } = searched;
        if check.filter.is_all() && check.limit.is_none() {
            // Every write to the collection changes what is found.
            self.read_collection(check.collection.as_str())?;
            return Ok(found);
        }
        let check = Check::Query(Box::new(check));
        self.holds(check.encoded_length_max()?)?;
        self.queries.push(check);
        Ok(found)
    }

    /// Applies the transaction's own writes to what was found.
    fn put_own_in_order(
        &self,
        name: &CollectionName,
        filter: &Filter,
        order: Order<'_>,
        found: &mut Vec<Document>,
    ) -> Result<()> {
        found.retain(|one| !self.writes.contains_key(&(name.clone(), one.id().clone())));
        for (place, write) in self.writes_to(name) {
            let Some(new) = write else { continue };
            let document = self.written(place, new)?;
            if filter.matches(&document.view()?)? {
                found.push(document);
            }
        }
        let key_of = |one: &Document| {
            order_key(order, &Hit { id: one.id().by_ref(), record: Record::Bytes(one.record()) })
        };
        let keys = found.iter().map(key_of).collect::<Result<Vec<Key>>>()?;
        let mut keyed: Vec<_> = keys.into_iter().zip(found.drain(..)).collect();
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        found.extend(keyed.into_iter().map(|(_, document)| document));
        Ok(())
    }
}
