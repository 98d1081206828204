//! [`Transaction`]: reads and writes of several documents and collections, as if nobody else were
//! there.
//!
//! Optimistic: a transaction reads from a snapshot, remembers what it read and at which version,
//! and keeps its writes to itself. Committing is one command, which checks that everything that was
//! read is still so and then writes, or else is a conflict. That makes transactions serializable:
//! write skew is a conflict too, since reads are checked, not only writes. Nothing is ever locked.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use velocitydb_core::{
    Action, Body, Check, CollectionName, Condition, Consistency, DocumentId, DocumentView, Encoded,
    Expiry, Filter, Header, Object, Operation, Outcome, QueryCheck, Sort, Time, Update, Write,
    check_own_fields, limits,
};

use crate::apply::Fingerprint;
use crate::database::Access;
use crate::modify::refused;
use crate::query::{Control, Order, Selection, select};
use crate::{Database, Document, Error, IntoFields, List, Result, Snapshot};

/// How often [`Database::transaction`] runs a closure at the most. After this many conflicts in a
/// row, others are at the same documents all the time, and trying on only adds to it.
const ATTEMPTS_MAX: u32 = 100;

/// A transaction that is under way; see [`Database::transaction`].
pub struct Transaction {
    db: Database,
    snapshot: Snapshot,
    /// The versions of the documents that were read; 0 for none.
    documents: HashMap<Place, u64>,
    /// The last commands that had changed the collections that were read as a whole; 0 for none.
    collections: HashMap<CollectionName, u64>,
    /// What queries found.
    queries: Vec<QueryCheck>,
    /// What is to be written; `None` deletes.
    writes: BTreeMap<Place, Option<New>>,
}

/// What a document is to become.
struct New {
    fields: Encoded,
    expires: Option<Time>,
}

impl New {
    /// Without a time of expiry, as after every write but an update.
    fn from(fields: impl IntoFields) -> Result<Self> {
        let fields = fields.into_fields()?;
        check_own_fields(fields.view())?;
        Ok(New { fields, expires: None })
    }
}

type Place = (CollectionName, DocumentId);

impl Database {
    /// Runs `body` as a transaction and commits it, as often as it takes to do so without a
    /// conflict. It is run again from the start, so it should do nothing that cannot be repeated.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// db.documents("accounts").insert("alice", object! { "balance": 10 })?;
    /// db.documents("accounts").insert("bob", object! { "balance": 0 })?;
    /// db.transaction(|txn| {
    ///     let alice = txn.get("accounts", "alice")?.expect("alice");
    ///     let balance = alice.get("balance").and_then(|value| value.as_i64()).unwrap_or(0);
    ///     txn.update("accounts", "alice", object! { "balance": balance - 5 })?;
    ///     txn.update("accounts", "bob", object! { "balance": 5 })
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What `body` returns, in which case nothing is written; [`Error::Contention`] when it kept
    /// conflicting with others; and as for all writes.
    pub fn transaction<T>(&self, mut body: impl FnMut(&mut Transaction) -> Result<T>) -> Result<T> {
        for _ in 0..ATTEMPTS_MAX {
            let mut transaction = self.begin()?;
            let result = match body(&mut transaction) {
                Ok(value) => transaction.commit().map(|_| value),
                Err(error) => Err(error),
            };
            match result {
                // A lease that is over is read as it was until it has ended in the log.
                Err(Error::Conflict) => self.core().do_what_is_due()?,
                result => return result,
            }
            std::thread::yield_now();
        }
        Err(Error::Contention { attempts: ATTEMPTS_MAX })
    }

    /// Begins a transaction that the caller commits.
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn begin(&self) -> Result<Transaction> {
        Ok(Transaction {
            db: self.clone(),
            snapshot: self.snapshot()?,
            documents: HashMap::new(),
            collections: HashMap::new(),
            queries: Vec::new(),
            writes: BTreeMap::new(),
        })
    }
}

impl Transaction {
    /// The fields of a document as this transaction sees it: as of its beginning, with its own
    /// writes.
    ///
    /// # Errors
    ///
    /// When a name or id is invalid or storage fails.
    pub fn get(&mut self, collection: &str, id: &str) -> Result<Option<Object>> {
        Ok(self.current(&place(collection, id)?)?.map(|(fields, _)| fields))
    }

    /// The whole document as of the beginning of this transaction, without its own writes.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn document(&mut self, collection: &str, id: &str) -> Result<Option<Document>> {
        let place = place(collection, id)?;
        let document = self.snapshot.get(collection, id)?;
        self.documents.insert(place, document.as_ref().map_or(0, Document::version));
        Ok(document)
    }

    /// Creates a document.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`] when the id is taken; and when the input is invalid.
    pub fn insert(&mut self, collection: &str, id: &str, fields: impl IntoFields) -> Result<()> {
        let place = place(collection, id)?;
        if self.current(&place)?.is_some() {
            let version = self.documents.get(&place).copied().unwrap_or(0);
            let (collection, id) = place;
            return Err(Error::AlreadyExists { collection, id, version });
        }
        self.set(place, Some(New::from(fields)?))
    }

    /// Creates a document, or replaces its fields.
    ///
    /// # Errors
    ///
    /// When the input is invalid.
    pub fn upsert(&mut self, collection: &str, id: &str, fields: impl IntoFields) -> Result<()> {
        let place = place(collection, id)?;
        self.current(&place)?;
        self.set(place, Some(New::from(fields)?))
    }

    /// Replaces the fields of a document.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it does not exist; and when the input is invalid.
    pub fn replace(&mut self, collection: &str, id: &str, fields: impl IntoFields) -> Result<()> {
        let place = place(collection, id)?;
        self.existing(&place)?;
        self.set(place, Some(New::from(fields)?))
    }

    /// Changes some fields of a document. An object is merged. When it expires, if ever, stays.
    ///
    /// # Errors
    ///
    /// As for [`replace`](Self::replace).
    pub fn update(&mut self, collection: &str, id: &str, update: impl Into<Update>) -> Result<()> {
        let place = place(collection, id)?;
        let (mut fields, expires) = self.existing(&place)?;
        update.into().apply(&mut fields, self.db.now())?;
        self.set(place, Some(New { fields: Encoded::from_object(&fields)?, expires }))
    }

    /// Deletes a document; whether there was one.
    ///
    /// # Errors
    ///
    /// When a name or id is invalid or storage fails.
    pub fn delete(&mut self, collection: &str, id: &str) -> Result<bool> {
        let place = place(collection, id)?;
        let existed = self.current(&place)?.is_some();
        self.set(place, None)?;
        Ok(existed)
    }

    /// How many documents the collection has, with this transaction's own writes. A write of
    /// anybody else's to the collection is a conflict from here on.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn count(&mut self, collection: &str) -> Result<u64> {
        let name = self.read_collection(collection)?;
        let mut count = self.snapshot.count(collection)?;
        for ((_, id), write) in self.writes.iter().filter(|((other, _), _)| *other == name) {
            let existed = self.snapshot.get(collection, id.as_str())?.is_some();
            count = count + u64::from(write.is_some()) - u64::from(existed);
        }
        Ok(count)
    }

    /// All documents of the collection in the order of ids, with this transaction's own writes. A
    /// write of anybody else's to the collection is a conflict from here on.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn list(&mut self, collection: &str) -> Result<Vec<(DocumentId, Object)>> {
        let name = self.read_collection(collection)?;
        let mut documents = BTreeMap::new();
        for document in self.snapshot.list(collection, &List::default())?.documents {
            documents.insert(document.id().clone(), document.fields()?);
        }
        for ((_, id), write) in self.writes.iter().filter(|((other, _), _)| *other == name) {
            match write {
                Some(new) => documents.insert(id.clone(), new.fields.view().to_object()?),
                None => documents.remove(id),
            };
        }
        Ok(documents.into_iter().collect())
    }

    /// The documents that satisfy a filter, with this transaction's own writes, in the order of ids.
    /// If what the filter finds has changed when the transaction commits (a document would come in,
    /// go, or be another version), that is a conflict: there are no phantoms.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get), and when the filter is invalid.
    pub fn find(
        &mut self,
        collection: &str,
        filter: impl Into<Filter>,
    ) -> Result<Vec<(DocumentId, Object)>> {
        let (name, filter) = (CollectionName::new(collection)?, filter.into());
        filter.check()?;
        let queried = self.snapshot.queried(&name)?;
        let mut found = BTreeMap::new();
        let mut fingerprint = Fingerprint::default();
        if let Some(queried) = &queried {
            let sort = Sort::new();
            let selection = Selection { order: Order::By(&sort), ..Selection::new(&filter) };
            let control = Control::new(None, limits::QUERY_MEMORY_BYTES_MAX);
            select(&queried.target(), &control, &selection, &mut |hit| {
                let document = DocumentView::decode(hit.id, hit.record.bytes())?;
                fingerprint.add(hit.id, document.header.version);
                found.insert(DocumentId::new(hit.id)?, document.fields.to_object()?);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        for ((_, id), write) in self.writes.iter().filter(|((other, _), _)| *other == name) {
            found.remove(id);
            let Some(new) = write else { continue };
            let header = Header {
                version: 0,
                created: self.db.now(),
                modified: self.db.now(),
                expires: new.expires,
                lease: None,
            };
            if filter.matches(&DocumentView { id, header, fields: new.fields.view() })? {
                found.insert(id.clone(), new.fields.view().to_object()?);
            }
        }
        let index = queried.map_or(0, |queried| queried.index);
        self.queries.push(QueryCheck {
            collection: name,
            index,
            filter,
            sort: Sort::new(),
            offset: 0,
            limit: None,
            fingerprint: fingerprint.finish(),
        });
        Ok(found.into_iter().collect())
    }

    /// Commits, at `strong`. Returns the place in the order of all commands.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when something that was read has changed since: nothing was written,
    /// and the transaction can be run again. [`Error::SchemaViolation`] and [`Error::Duplicate`] when
    /// a document that is written cannot be as it is. And as for all writes.
    pub fn commit(self) -> Result<u64> {
        for (collection, _) in self.writes.keys() {
            self.db.entry(collection, Access::Write, Consistency::Strong)?;
        }
        let documents = self
            .documents
            .into_iter()
            .map(|((collection, id), version)| Check::Document { collection, id, version });
        let collections = self.collections.into_iter();
        let collections =
            collections.map(|(collection, index)| Check::Collection { collection, index });
        let queries = self.queries.into_iter().map(|check| Check::Query(Box::new(check)));
        let operations = self.writes.into_iter().map(|((collection, id), write)| {
            let expiry =
                write.as_ref().and_then(|new| new.expires).map_or(Expiry::Never, Expiry::At);
            let action = write.map_or(Action::Delete, |new| Action::Upsert(new.fields));
            Operation { collection, id, condition: Condition::Always, action, expiry }
        });
        let write = Write {
            checks: documents.chain(collections).chain(queries).collect(),
            operations: operations.collect(),
        };
        let places: Vec<Place> =
            write.operations.iter().map(|one| (one.collection.clone(), one.id.clone())).collect();
        let reply = self.db.submit(Body::Write(write), None, Consistency::Strong)?;
        for (outcome, (collection, id)) in reply.outcomes.into_iter().zip(places) {
            if let Outcome::Refused(refusal) = outcome {
                return Err(refused(collection, id, refusal));
            }
        }
        Ok(reply.index)
    }

    /// The fields of a document, and when it expires.
    fn current(&mut self, place: &Place) -> Result<Option<(Object, Option<Time>)>> {
        if let Some(write) = self.writes.get(place) {
            let Some(new) = write else { return Ok(None) };
            return Ok(Some((new.fields.view().to_object()?, new.expires)));
        }
        let document = self.document(place.0.as_str(), place.1.as_str())?;
        document.map(|document| Ok((document.fields()?, document.expires()))).transpose()
    }

    fn existing(&mut self, place: &Place) -> Result<(Object, Option<Time>)> {
        self.current(place)?.ok_or_else(|| {
            let (collection, id) = place.clone();
            Error::NotFound { collection, id }
        })
    }

    fn set(&mut self, place: Place, write: Option<New>) -> Result<()> {
        self.writes.insert(place, write);
        if self.writes.len() > limits::COMMAND_OPERATIONS_MAX {
            return Err(velocitydb_core::Error::LimitExceeded {
                what: "the number of documents that one transaction writes",
                path: String::new(),
                found: self.writes.len(),
                max: limits::COMMAND_OPERATIONS_MAX,
            }
            .into());
        }
        Ok(())
    }

    /// Remembers that the whole collection was read.
    fn read_collection(&mut self, collection: &str) -> Result<CollectionName> {
        let name = CollectionName::new(collection)?;
        let totals = self.snapshot.totals(&name)?;
        self.collections.insert(name.clone(), totals.map_or(0, |totals| totals.index));
        Ok(name)
    }
}

fn place(collection: &str, id: &str) -> Result<Place> {
    Ok((CollectionName::new(collection)?, DocumentId::new(id)?))
}
