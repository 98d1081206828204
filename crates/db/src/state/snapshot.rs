//! [`Snapshot`]: an immutable state of the database, for any number of reads. It blocks no
//! writer, and no writer blocks it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use velocitydb_core::{
    CollectionName, CollectionOptions, DocumentId, Header, IntoDocumentId, Time,
};
use velocitydb_storage::{Bounds, Direction};

use crate::Result;
use crate::keys::{self, CollectionNumber, DOCUMENTS, SYSTEM};
use crate::state::catalog::{self, Totals};
use crate::state::document::Document;
use crate::state::lease::LeaseRecord;

/// An immutable state of the database, at the time when it was taken: documents that had expired
/// by then are not in it, and those that expire later stay in it.
///
/// It costs memory (or disk, in the disk modes) for what is overwritten while it is held.
///
/// ```
/// # fn main() -> velocitydb::Result<()> {
/// use velocitydb::object;
///
/// let db = velocitydb::open_in_memory()?;
/// let users = db.documents("users");
/// users.insert("alice", object! { "age": 28 })?;
/// let before = db.snapshot()?;
/// users.update("alice", object! { "age": 29 })?;
/// assert_eq!(before.get("users", "alice")?.expect("alice").version(), 1);
/// assert_eq!(users.get("alice")?.expect("alice").version(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Snapshot {
    state: Arc<dyn velocitydb_storage::Snapshot>,
    time: Time,
    /// No document of the state expires before this time.
    expiry_next: Time,
}

/// The totals and options of a collection, which are known without reading its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionStats {
    /// Its name.
    pub name: CollectionName,
    /// How it behaves.
    pub options: CollectionOptions,
    /// Documents that it has.
    pub count: u64,
    /// Bytes of ids, headers and encoded fields, including those of expired documents that are
    /// still to be removed.
    pub bytes: u64,
    /// Writes that have been applied to it, deletes and expiries included.
    pub writes: u64,
    /// Deleted documents whose last version is still remembered.
    pub tombstones: u64,
    /// Documents that claims skip, since a claim's update could not be applied to them.
    pub skipped: u64,
}

impl Snapshot {
    /// A state at a time, in which no document expires before `expiry_next`.
    pub(crate) fn new(
        state: Arc<dyn velocitydb_storage::Snapshot>,
        time: Time,
        expiry_next: Time,
    ) -> Self {
        Snapshot { state, time, expiry_next }
    }

    /// A state with all that is stored, expired documents included.
    pub(crate) fn of_everything(state: Arc<dyn velocitydb_storage::Snapshot>) -> Self {
        Self::new(state, Time::MIN, Time::MAX)
    }

    /// The time at which it was taken.
    pub fn time(&self) -> Time {
        self.time
    }

    /// How many documents of each collection had expired and were still stored.
    fn expired(&self, visit: &mut dyn FnMut(CollectionNumber)) -> Result<()> {
        if self.expiry_next > self.time {
            return Ok(());
        }
        let start = keys::timed(keys::EXPIRY, self.expiry_next, &[]);
        let end = keys::timed_after(keys::EXPIRY, self.time);
        let bounds = Bounds { start: &start, end: Some(&end) };
        self.state.scan(SYSTEM, bounds, Direction::Forward, &mut |key, _| {
            let document = keys::split_timed(key).map(|(_, document)| document);
            if let Some((number, _)) = document.and_then(keys::split_document) {
                visit(number);
            }
            ControlFlow::Continue(())
        })?;
        Ok(())
    }

    /// How many documents of a collection had expired and were still stored: normally none.
    pub(crate) fn expired_count(&self, collection: CollectionNumber) -> Result<u64> {
        let mut count = 0;
        self.expired(&mut |number| count += u64::from(number == collection))?;
        Ok(count)
    }

    fn is_expired(&self, record: &[u8]) -> Result<bool> {
        if self.expiry_next > self.time {
            return Ok(false);
        }
        let (header, _) = Header::decode(record)?;
        Ok(header.expires.is_some_and(|expires| expires <= self.time))
    }

    pub(crate) fn state(&self) -> &dyn velocitydb_storage::Snapshot {
        &*self.state
    }

    /// The document with this id; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When a name or id is invalid or storage fails, as for all reads.
    pub fn get(&self, collection: &str, id: impl IntoDocumentId) -> Result<Option<Document>> {
        let id = DocumentId::new(id)?;
        let Some(number) = self.number(&CollectionName::new(collection)?)? else {
            return Ok(None);
        };
        match self.state.get(DOCUMENTS, &keys::document(number, &id))? {
            Some(record) if !self.is_expired(&record)? => Document::new(id, record).map(Some),
            _ => Ok(None),
        }
    }

    /// The documents with these ids, in their order.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn get_many(
        &self,
        collection: &str,
        ids: impl IntoIterator<Item = impl IntoDocumentId>,
    ) -> Result<Vec<Option<Document>>> {
        ids.into_iter().map(|id| self.get(collection, id)).collect()
    }

    /// How many documents the collection has; 0 when it does not exist. O(1), except for expired
    /// documents that are still to be removed.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn count(&self, collection: &str) -> Result<u64> {
        let Some(number) = self.number(&CollectionName::new(collection)?)? else { return Ok(0) };
        let count = self.totals_of(number)?.map_or(0, |totals| totals.count);
        Ok(count.saturating_sub(self.expired_count(number)?))
    }

    /// Every collection, by name.
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn collections(&self) -> Result<Vec<CollectionStats>> {
        let mut totals = catalog::all_totals(self.state())?;
        let mut expired: HashMap<CollectionNumber, u64> = HashMap::new();
        self.expired(&mut |number| *expired.entry(number).or_default() += 1)?;
        let stats = |(name, number, options)| {
            let key = || keys::numbered(keys::COLLECTION_TOTALS, number);
            let totals = totals.remove(&number).ok_or_else(|| keys::corrupt(&key()))?;
            let expired = expired.get(&number).copied().unwrap_or(0);
            let Totals { bytes, writes, tombstones, unfit, .. } = totals;
            let count = totals.count.saturating_sub(expired);
            let skipped = unfit;
            Ok(CollectionStats { name, options, count, bytes, writes, tombstones, skipped })
        };
        catalog::all_names(self.state())?.into_iter().map(stats).collect()
    }

    /// The position of the last command that changed anything, in the order of all commands.
    /// O(1).
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn index(&self) -> Result<u64> {
        catalog::last_index(self.state())
    }

    pub(crate) fn totals(&self, collection: &CollectionName) -> Result<Option<Totals>> {
        let Some(number) = self.number(collection)? else { return Ok(None) };
        self.totals_of(number)
    }

    /// The totals of the collection with this number; `None` when it does not exist.
    pub(crate) fn totals_of(&self, number: CollectionNumber) -> Result<Option<Totals>> {
        let key = keys::numbered(keys::COLLECTION_TOTALS, number);
        let Some(bytes) = self.state.get(SYSTEM, &key)? else { return Ok(None) };
        Ok(Some(Totals::decode(&bytes).ok_or_else(|| keys::corrupt(&key))?))
    }

    pub(crate) fn number(&self, collection: &CollectionName) -> Result<Option<CollectionNumber>> {
        Ok(catalog::find(self.state(), collection)?.map(|entry| entry.number))
    }

    /// The record of the lease on a document.
    pub(crate) fn lease_of(
        &self,
        collection: &CollectionName,
        id: &DocumentId,
    ) -> Result<LeaseRecord> {
        let number = self.number(collection)?.unwrap_or_default();
        let key = keys::of_document(keys::LEASE, &keys::document(number, id));
        let bytes = self.state.get(SYSTEM, &key)?.ok_or_else(|| keys::corrupt(&key))?;
        LeaseRecord::decode(&bytes).ok_or_else(|| keys::corrupt(&key))
    }
}
