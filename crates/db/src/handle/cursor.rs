//! [`Cursor`]: an iterator over the results of a query, on one state and with one plan.

use std::collections::VecDeque;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::ops::ControlFlow;

use velocitydb_core::{CollectionName, DocumentId, Filter, Sort};
use velocitydb_storage::Blob;

use crate::handle::find::Query;
use crate::handle::queried::Queried;
use crate::query::{Control, Need, Pause, Paused, Selection};
use crate::{Document, Documents, Find, FromDocument, Result, Snapshot};

/// How many documents a cursor fetches at first, and at the most: enough to make resuming the plan cheap,
/// and few enough to hold.
const FETCHED_FIRST: usize = 4;
const FETCHED_MAX: usize = 256;

/// A fetch ends early at this many bytes, since one document may have a thousand times the bytes of
/// another.
const FETCHED_BYTES: usize = 1 << 20;

/// The results of a query, one by one; see [`Find::iter`](crate::Find::iter).
/// It holds the state that it reads, so that overwritten data is kept, and a few documents that were
/// fetched ahead. If no index gives the order, it holds all results, within the memory limit of the query.
/// It neither waits for writers nor keeps them waiting. It ends after an error.
pub struct Cursor<D = Document> {
    name: CollectionName,
    query: Query,
    control: Control,
    /// The rest of the query; `None` when everything was fetched.
    left: Option<Left>,
    fetched: VecDeque<(DocumentId, Blob)>,
    fetch_next: usize,
    rows: PhantomData<fn() -> D>,
}

struct Left {
    queried: Queried,
    paused: Paused,
}

impl Documents {
    /// All current documents in the order of ids, fetched as they are asked for.
    ///
    /// # Errors
    ///
    /// As for [`Find::iter`].
    pub fn iter(&self) -> Result<Cursor> {
        self.find(Filter::all()).sort(Sort::new()).iter()
    }
}

impl Snapshot {
    /// All documents of a collection in the order of ids, fetched as they are asked for.
    ///
    /// # Errors
    ///
    /// As for [`Find::iter`].
    pub fn iter(&self, collection: &str) -> Result<Cursor> {
        self.find(collection, Filter::all()).sort(Sort::new()).iter()
    }
}

impl<D: FromDocument> Find<D> {
    /// The documents one by one, fetched as they are asked for. The cursor keeps the state and the plan of
    /// this moment.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let users = db.documents("users");
    /// users.insert("alice", object! { "age": 28 })?;
    /// users.insert("bob", object! { "age": 17 })?;
    /// for user in users.find(object! { "age": { "$gte": 18 } }).iter()? {
    ///     assert_eq!(user?.id().to_string(), "alice");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`documents`](Self::documents). A later error is the last item.
    pub fn iter(self) -> Result<Cursor<D>> {
        self.query.check()?;
        let (queried, name) = (self.queried()?, self.name()?.clone());
        Cursor::new(queried, name, self.query)
    }
}

impl<D> Cursor<D> {
    /// The cursor of a query; `None` if the collection does not exist.
    fn new(queried: Option<Queried>, name: CollectionName, query: Query) -> Result<Self> {
        let control = query.control();
        let left = match queried {
            Some(queried) => {
                let paused = Paused::new(&queried.target(), &control, &selection(&query)?)?;
                Some(Left { queried, paused })
            }
            None => None,
        };
        let (fetched, fetch_next, rows) = (VecDeque::new(), FETCHED_FIRST, PhantomData);
        Ok(Cursor { name, query, control, left, fetched, fetch_next, rows })
    }

    /// Fetches the next documents. Ends the query after an error.
    fn fetch(&mut self) -> Result<()> {
        let Some(mut left) = self.left.take() else { return Ok(()) };
        let (count_max, can_pause) = (self.fetch_next, left.paused.can_pause());
        let (fetched, has_ties) = (&mut self.fetched, left.paused.has_ties());
        let (pause, mut bytes) = (Pause::default(), 0);
        let selection = selection(&self.query)?;
        left.paused.run(&left.queried.target(), &self.control, &selection, &pause, &mut |hit| {
            let id = DocumentId::new(hit.id)?;
            let record = hit.record.into_blob();
            bytes += record.len();
            fetched.push_back((id, record));
            if can_pause && (fetched.len() >= count_max || bytes >= FETCHED_BYTES) {
                pause.want();
                if !has_ties {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let Some((last, _)) = self.fetched.back().filter(|_| pause.is_wanted()) else {
            return Ok(());
        };
        left.paused.leave_out_through(last);
        self.left = Some(left);
        self.fetch_next = (count_max * 4).min(FETCHED_MAX);
        self.query.offset = 0;
        let count = self.fetched.len() as u64;
        self.query.limit = self.query.limit.map(|limit| limit.saturating_sub(count));
        Ok(())
    }
}

fn selection(query: &Query) -> Result<Selection<'_>> {
    let order = query.order();
    Ok(query.selection(order, Need::Documents, &[], query.place(order)?))
}

impl<D: FromDocument> Iterator for Cursor<D> {
    type Item = Result<D>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.fetched.is_empty()
            && let Err(error) = self.fetch()
        {
            self.fetched.clear();
            return Some(Err(error));
        }
        let (id, record) = self.fetched.pop_front()?;
        let document = Document::new(id, record);
        let read = document.and_then(|document| D::from_document(document, &self.name));
        if read.is_err() {
            self.left = None;
            self.fetched.clear();
        }
        Some(read)
    }
}

impl<D: FromDocument> FusedIterator for Cursor<D> {}
