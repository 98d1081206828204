//! [`Snapshot`]: one unchanging state of the database, for any number of reads. It blocks no
//! writer, and none blocks it.

use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;

use velocitydb_core::{CollectionName, CollectionOptions, DocumentId, Header, Time};
use velocitydb_storage::{Blob, Bounds, Direction};

use crate::catalog::{self, Totals};
use crate::keys::{self, CollectionNumber, DOCUMENTS, Key, SYSTEM};
use crate::lease::LeaseRecord;
use crate::{Document, Error, Result};

/// How many documents an iterator fetches at a time: enough to make the way to them cheap, and few
/// enough to hold.
const CHUNK_DOCUMENTS: usize = 256;

/// The bytes at which it has fetched enough before. A document may have a thousand times the bytes of
/// another one.
const CHUNK_BYTES: usize = 1 << 20;

/// One unchanging state of the database, at the time when it was taken: documents that had expired
/// by then are not in it, and those that expire later stay.
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

/// Which part of a collection to list, in the order of ids (by the bytes of their UTF-8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// How many documents to leave out first. Leaving out costs as much as listing; a cursor
    /// does not.
    pub offset: usize,
    /// How many documents to return at the most. 0 returns none, and does not look whether there
    /// are any. `None` returns all: for large collections
    /// [`Snapshot::iter`] holds only some at a time.
    pub limit: Option<usize>,
    /// How many bytes of documents to return at the most, or one document that has more. A part
    /// that ends for this has a [`next`](Page::next).
    pub bytes_max: Option<usize>,
    /// Where an earlier page ended. Documents that come and go before it shift nothing.
    pub after: Option<Cursor>,
    /// From the smallest id up, or from the largest down.
    pub direction: Direction,
}

impl Default for List {
    fn default() -> Self {
        List { offset: 0, limit: None, bytes_max: None, after: None, direction: Direction::Forward }
    }
}

/// A part of a collection.
#[derive(Debug, Clone)]
pub struct Page {
    /// The documents.
    pub documents: Vec<Document>,
    /// Where the next page begins; `None` when there is nothing more.
    pub next: Option<Cursor>,
}

/// The place in a collection where a page ended. Its text can be stored and parsed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(DocumentId);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(Cursor(DocumentId::new(text)?))
    }
}

/// What is known of a collection without looking at its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionStats {
    /// Its name.
    pub name: CollectionName,
    /// How it behaves.
    pub options: CollectionOptions,
    /// Documents that it has.
    pub count: u64,
    /// Bytes of ids, headers and encoded fields, those of expired documents that are still to be
    /// removed included.
    pub bytes: u64,
    /// Writes that have been applied to it, deletes and expiries included.
    pub writes: u64,
    /// Deleted documents whose last version is still remembered.
    pub tombstones: u64,
    /// Documents that claims pass over, since they could not be changed as a claim wanted.
    pub passed_over: u64,
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

    /// A state with all that is stored, whatever the time.
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
    pub fn get(&self, collection: &str, id: &str) -> Result<Option<Document>> {
        let id = DocumentId::new(id)?;
        let Some(number) = self.number(&CollectionName::new(collection)?)? else {
            return Ok(None);
        };
        match self.state.get(DOCUMENTS, &keys::document(number, id.as_str()))? {
            Some(record) if !self.is_expired(&record)? => Document::new(id, record).map(Some),
            _ => Ok(None),
        }
    }

    /// The documents with these ids, in their order.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn get_many<'a>(
        &self,
        collection: &str,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Option<Document>>> {
        ids.into_iter().map(|id| self.get(collection, id)).collect()
    }

    /// How many documents the collection has; 0 when it does not exist. O(1), but for those that
    /// have expired and are still to be removed.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn count(&self, collection: &str) -> Result<u64> {
        let Some(number) = self.number(&CollectionName::new(collection)?)? else { return Ok(0) };
        let count = self.totals_of(number)?.map_or(0, |totals| totals.count);
        Ok(count.saturating_sub(self.expired_count(number)?))
    }

    /// A part of the collection in the order of ids, complete within its bounds.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get). A document that cannot be read is an error, never left out.
    pub fn list(&self, collection: &str, list: &List) -> Result<Page> {
        let mut iter = self.iter_from(collection, list.after.clone(), list.direction)?;
        iter.skip_documents(list.offset)?;
        let mut documents: Vec<Document> = Vec::new();
        let limit = list.limit.unwrap_or(usize::MAX);
        let mut bytes_left = list.bytes_max.unwrap_or(usize::MAX);
        let has_more = loop {
            let Some(document) = iter.next().transpose()? else { break false };
            let bytes = document.stored_bytes();
            if documents.len() == limit || bytes > bytes_left && !documents.is_empty() {
                break true;
            }
            bytes_left = bytes_left.saturating_sub(bytes);
            documents.push(document);
        };
        let last = documents.last().map(|document| Cursor(document.id().clone()));
        Ok(Page { documents, next: last.filter(|_| has_more) })
    }

    /// All documents of the collection in the order of ids, fetched as they are asked for.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn iter(&self, collection: &str) -> Result<Iter> {
        self.iter_from(collection, None, Direction::Forward)
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
            let totals = totals.remove(&number).ok_or_else(|| catalog::corrupt(&key()))?;
            let expired = expired.get(&number).copied().unwrap_or(0);
            let Totals { bytes, writes, tombstones, unfit, .. } = totals;
            let count = totals.count.saturating_sub(expired);
            let passed_over = unfit;
            Ok(CollectionStats { name, options, count, bytes, writes, tombstones, passed_over })
        };
        catalog::all_names(self.state())?.into_iter().map(stats).collect()
    }

    /// The place of the last command that changed anything. O(1).
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
        Ok(Some(Totals::decode(&bytes).ok_or_else(|| catalog::corrupt(&key))?))
    }

    pub(crate) fn number(&self, collection: &CollectionName) -> Result<Option<CollectionNumber>> {
        Ok(catalog::find(self.state(), collection)?.map(|entry| entry.number))
    }

    /// What is kept of the lease on a document.
    pub(crate) fn lease_of(
        &self,
        collection: &CollectionName,
        id: &DocumentId,
    ) -> Result<LeaseRecord> {
        let number = self.number(collection)?.unwrap_or_default();
        let key = keys::of_document(keys::LEASE, &keys::document(number, id));
        let bytes = self.state.get(SYSTEM, &key)?.ok_or_else(|| catalog::corrupt(&key))?;
        LeaseRecord::decode(&bytes).ok_or_else(|| catalog::corrupt(&key))
    }

    fn iter_from(
        &self,
        collection: &str,
        after: Option<Cursor>,
        direction: Direction,
    ) -> Result<Iter> {
        let number = self.number(&CollectionName::new(collection)?)?;
        let prefix = keys::document(number.unwrap_or_default(), "");
        let (mut start, mut end) = (prefix.clone(), keys::end_of(&prefix));
        if let Some(Cursor(id)) = &after {
            let mut key = keys::document(number.unwrap_or_default(), id.as_str());
            match direction {
                Direction::Forward => {
                    key.push(0);
                    start = key;
                }
                Direction::Backward => end = Some(key),
            }
        }
        Ok(Iter {
            snapshot: self.clone(),
            start,
            end,
            direction,
            chunk: Vec::new().into_iter(),
            is_finished: number.is_none(),
        })
    }
}

/// The documents of a collection in the order of ids; see [`Snapshot::iter`].
pub struct Iter {
    snapshot: Snapshot,
    start: Key,
    end: Option<Key>,
    direction: Direction,
    chunk: std::vec::IntoIter<(Key, Blob)>,
    is_finished: bool,
}

impl Iter {
    /// Leaves out `count` documents without reading their fields.
    fn skip_documents(&mut self, count: usize) -> Result<()> {
        let mut left = count;
        if left == 0 || self.is_finished {
            return Ok(());
        }
        let (mut last, mut failed) = (None, None);
        let bounds = Bounds { start: &self.start, end: self.end.as_deref() };
        self.snapshot.state.scan(DOCUMENTS, bounds, self.direction, &mut |key, record| {
            match self.snapshot.is_expired(record) {
                Ok(true) => return ControlFlow::Continue(()),
                Ok(false) => left -= 1,
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            if left > 0 {
                return ControlFlow::Continue(());
            }
            last = Some(Key::from_slice(key));
            ControlFlow::Break(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        match last {
            Some(key) => self.move_past(key),
            None => self.is_finished = true,
        }
        Ok(())
    }

    fn move_past(&mut self, mut key: Key) {
        match self.direction {
            Direction::Forward => {
                key.push(0);
                self.start = key;
            }
            Direction::Backward => self.end = Some(key),
        }
    }

    fn fetch(&mut self) -> Result<()> {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        let bounds = Bounds { start: &self.start, end: self.end.as_deref() };
        self.snapshot.state.scan(DOCUMENTS, bounds, self.direction, &mut |key, record| {
            // One whose header cannot be read is an error when it comes to be shown.
            if self.snapshot.is_expired(record).unwrap_or(false) {
                return ControlFlow::Continue(());
            }
            chunk.push((Key::from_slice(key), Blob::copy_of(record)));
            bytes += record.len();
            match chunk.len() < CHUNK_DOCUMENTS && bytes < CHUNK_BYTES {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        match chunk.last() {
            Some((key, _)) => self.move_past(key.clone()),
            None => self.is_finished = true,
        }
        self.chunk = chunk.into_iter();
        Ok(())
    }
}

impl Iterator for Iter {
    type Item = Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.chunk.as_slice().is_empty()
            && !self.is_finished
            && let Err(error) = self.fetch()
        {
            self.is_finished = true;
            return Some(Err(error));
        }
        let (key, record) = self.chunk.next()?;
        let id = keys::split_document(&key).and_then(|(_, id)| DocumentId::new(id).ok());
        Some(match id {
            Some(id) => Document::new(id, record),
            None => Err(Error::Corrupt {
                place: format!("document key {}", key.escape_ascii()),
                what: "an id that is none".to_owned(),
            }),
        })
    }
}
