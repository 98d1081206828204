//! [`Database`]: an open database.

use std::sync::Arc;
use std::time::Instant;

use velocitydb_core::{
    Body, CollectionName, CollectionOptions, Consistency, DocumentId, Modify, Request, RequestId,
    Time,
};
use velocitydb_storage::{Blob, Engine, Keyspace, Mode};

use crate::apply::{Reply, Searched, find_answer};
use crate::handle::batch::{BatchOutcomes, BatchWritten, WriteBatch, check_outcomes};
use crate::options::{MaintenanceMode, Options};
use crate::replica::{Core, Maintained, Maintenance};
use crate::state::catalog::{self, CollectionEntry};
use crate::{CollectionStats, Error, Explanation, Result, Snapshot};

/// An open database. Clones are handles to the same one, which closes with the last of them.
#[derive(Clone)]
pub struct Database {
    pub(super) inner: Arc<Inner>,
    /// The request id of the next call through this handle.
    request: Option<RequestId>,
}

/// The fields are dropped in this order: the maintenance thread ends before the core is released.
pub(super) struct Inner {
    pub(super) _maintenance: Option<Maintenance>,
    pub(super) core: Arc<Core>,
}

/// For what a call uses its consistency level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Database {
    pub(crate) fn start(engine: Arc<dyn Engine>, options: Options) -> Result<Self> {
        let leads = !options.storage.is_read_only;
        let is_automatic = leads && options.maintenance == MaintenanceMode::Automatic;
        let core = Arc::new(Core::open(engine, options)?);
        if leads {
            core.begin_to_lead()?;
        }
        let maintenance = is_automatic.then(|| Maintenance::start(core.clone()));
        let maintenance = maintenance.transpose().map_err(|error| Error::Thread {
            name: "velocitydb-maintenance",
            reason: error.to_string(),
        })?;
        let inner = Arc::new(Inner { _maintenance: maintenance, core });
        Ok(Database { inner, request: None })
    }

    /// A handle for one call, which is executed at most once, however often it is retried with this id: a
    /// retry gets the answer of the first attempt. It is an error to use the same id for another call.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{CollectionOptions, Error, RequestId};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let once = db.request(RequestId::new("set-up-4711")?);
    /// once.create_collection("jobs", CollectionOptions::default())?;
    /// once.create_collection("jobs", CollectionOptions::default())?;
    /// let error = once.drop_collection("jobs").unwrap_err();
    /// assert!(matches!(error, Error::RequestReused { .. }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn request(&self, request: RequestId) -> Self {
        Database { inner: self.inner.clone(), request: Some(request) }
    }

    /// A handle without the request id, for the parts of a call.
    pub(crate) fn without_request(&self) -> Self {
        Database { inner: self.inner.clone(), request: None }
    }

    /// The request id of the calls through this handle.
    pub(crate) fn request_id(&self) -> Option<&RequestId> {
        self.request.as_ref()
    }

    /// Creates a collection with options.
    ///
    /// # Errors
    ///
    /// [`Error::CollectionExists`] when the collection exists.
    pub fn create_collection(&self, name: &str, options: CollectionOptions) -> Result<()> {
        let name = CollectionName::new(name)?;
        let body = Body::CreateCollection { name, options };
        self.submit(body, self.request.clone(), Consistency::Strong)?;
        Ok(())
    }

    /// Drops a collection with all its documents. The documents are removed in the background.
    ///
    /// # Errors
    ///
    /// [`Error::NoCollection`] when the collection does not exist.
    pub fn drop_collection(&self, name: &str) -> Result<()> {
        let name = CollectionName::new(name)?;
        self.submit(Body::DropCollection { name }, self.request.clone(), Consistency::Strong)?;
        Ok(())
    }

    /// Whether there is a collection of this name. O(1).
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// let db = velocitydb::open_in_memory()?;
    /// assert!(!db.has_collection("users")?);
    /// db.documents("users").insert("alice", velocitydb::object! { "age": 28 })?;
    /// assert!(db.has_collection("users")?);
    /// db.drop_collection("users")?;
    /// assert!(!db.has_collection("users")?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the name is not valid, or storage fails.
    pub fn has_collection(&self, name: &str) -> Result<bool> {
        let name = CollectionName::new(name)?;
        self.inner.core.proposer.read_barrier(Consistency::Strong)?;
        if self.inner.core.names.entry(&name).is_some() {
            return Ok(true);
        }
        Ok(catalog::find(self.snapshot()?.state(), &name)?.is_some())
    }

    /// All collections, in the order of their names.
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn collections(&self) -> Result<Vec<CollectionStats>> {
        self.snapshot()?.collections()
    }

    /// The current state, as reads at `strong` see it, without the documents that have expired by now. It
    /// does not change while it is held. O(1).
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot_at(Consistency::Strong)
    }

    /// The state that reads at this level see now.
    pub(crate) fn snapshot_at(&self, level: Consistency) -> Result<Snapshot> {
        let core = &self.inner.core;
        core.proposer.read_barrier(level)?;
        let time = core.environment.now();
        let (state, next) = core.views.snapshot(level)?;
        Ok(Snapshot::new(state, time, next))
    }

    /// The value of a key that reads at this level see now.
    #[inline]
    pub(crate) fn value_at(
        &self,
        level: Consistency,
        keyspace: Keyspace,
        key: &[u8],
    ) -> Result<Option<Blob>> {
        self.inner.core.views.get(level, keyspace, key)
    }

    /// Applies a batch as a whole, or nothing of it.
    ///
    /// Unique indexes are checked against the state after the batch, so values can be moved and swapped in
    /// any order.
    ///
    /// # Errors
    ///
    /// When an item is refused: the error of the same write outside of a batch ([`Error::AlreadyExists`],
    /// [`Error::Duplicate`], …), and [`Error::VersionMismatch`] or [`Error::ConditionFailed`] when a
    /// condition does not hold. [`Error::batch`] has the outcomes of all items. And when a collection does
    /// not accept writes at `strong`, or storage fails.
    pub fn write(&self, batch: WriteBatch) -> Result<BatchWritten> {
        self.write_at(batch, Consistency::default(), self.request.clone())
    }

    /// Like [`write`](Self::write), at a consistency level, and at most once for a request id.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    pub fn write_at(
        &self,
        batch: WriteBatch,
        consistency: Consistency,
        request: Option<RequestId>,
    ) -> Result<BatchWritten> {
        let (places, new_ids) = (batch.places(), batch.new_ids());
        written(self.submit_batch(batch, consistency, request)?, places, new_ids)
    }

    /// Like [`write_at`](Self::write_at), but returns the outcome of each item: a refused batch is not an
    /// error.
    ///
    /// # Errors
    ///
    /// When a collection does not accept writes at this level, or storage fails.
    pub fn write_for_outcomes(
        &self,
        batch: WriteBatch,
        consistency: Consistency,
        request: Option<RequestId>,
    ) -> Result<BatchOutcomes> {
        let new_ids = batch.new_ids();
        let mut reply = self.submit_batch(batch, consistency, request)?;
        let (is_applied, new_ids) = (!reply.is_refused(), reply.new_ids_or(new_ids));
        let Reply { outcomes, index, is_replayed, .. } = reply;
        let outcomes = outcomes.into_vec();
        Ok(BatchOutcomes { is_applied, outcomes, new_ids, index, is_replayed })
    }

    fn submit_batch(
        &self,
        batch: WriteBatch,
        consistency: Consistency,
        request: Option<RequestId>,
    ) -> Result<Reply> {
        let (body, request) = self.batch_command(batch, consistency, request)?;
        self.inner.core.submit(body, request, consistency)
    }

    /// The command of a batch.
    pub(super) fn batch_command(
        &self,
        batch: WriteBatch,
        consistency: Consistency,
        request: Option<RequestId>,
    ) -> Result<(Body, Option<Request>)> {
        for operation in batch.operations() {
            self.entry(&operation.collection, Access::Write, consistency)?;
        }
        let body = Body::Write(batch.into_write());
        let request = request.map(|id| request_of(id, &body)).transpose()?;
        Ok((body, request))
    }

    /// Waits until everything that was acknowledged, at whatever level, is as durable as the mode can make
    /// it.
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn sync(&self) -> Result<()> {
        Ok(self.engine().sync()?)
    }

    /// Does all due maintenance: removes expired documents, ends expired leases, forgets old tombstones and
    /// request ids, removes what was dropped, and continues interrupted index builds. Then it returns the
    /// space of deleted data to the disk if that is worth its cost, unless snapshots are held. It waits for
    /// maintenance that is already running. With [`MaintenanceMode::Automatic`] a thread does all of this
    /// automatically.
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn maintain(&self) -> Result<()> {
        let core = &self.inner.core;
        let mut may_make_room = true;
        loop {
            match core.maintenance_step() {
                Ok(true) => may_make_room = true,
                Ok(false) => return core.reclaim(),
                // What was removed before may have freed the space to remove more.
                Err(error) if error.is_disk_full() && may_make_room => {
                    core.reclaim()?;
                    may_make_room = false;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Does one step of [`maintain`](Self::maintain), of [bounded size](Options::maintenance_step). Returns
    /// whether there is more to do. Returns no space to the disk.
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn maintain_step(&self) -> Result<bool> {
        self.inner.core.maintenance_step()
    }

    /// A new document id, a UUIDv7.
    pub fn new_id(&self) -> DocumentId {
        let core = &self.inner.core;
        let millis = u64::try_from(core.environment.now().as_millis()).unwrap_or(0);
        let [random @ .., _, _, _, _, _, _] = core.environment.random().to_le_bytes();
        core.ids.lock().next(millis, random)
    }

    /// The storage mode in which the database was opened.
    pub fn mode(&self) -> Mode {
        self.inner.core.options.storage.mode
    }

    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.inner.core.engine
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }

    pub(crate) fn waiting(&self) -> usize {
        self.inner.core.pipeline.waiting()
    }

    /// The time now, by the clock of the database's [`Environment`](Options::environment).
    pub fn now(&self) -> Time {
        self.inner.core.environment.now()
    }

    /// The collection of this name, if it exists and allows this access at this level.
    #[inline]
    pub(crate) fn entry(
        &self,
        name: &CollectionName,
        access: Access,
        level: Consistency,
    ) -> Result<Option<CollectionEntry>> {
        if access == Access::Read {
            self.inner.core.proposer.read_barrier(level)?;
        }
        let entry = match self.inner.core.names.entry(name) {
            Some(entry) => entry,
            // It may exist already: a new collection is in the state before it is in the names.
            None => match catalog::find(self.snapshot_at(level)?.state(), name)? {
                Some(entry) => entry,
                None => return Ok(None),
            },
        };
        let (floor, action) = match access {
            Access::Read => (entry.options.min_read, "reads"),
            Access::Write => (entry.options.min_write, "writes"),
        };
        match floor {
            Some(floor) if level < floor => Err(Error::ConsistencyTooWeak {
                collection: name.clone(),
                action: action.into(),
                floor,
                level,
            }),
            _ => Ok(Some(entry)),
        }
    }

    pub(crate) fn submit(
        &self,
        body: Body,
        request: Option<RequestId>,
        level: Consistency,
    ) -> Result<Reply> {
        let request = request.map(|id| request_of(id, &body)).transpose()?;
        self.inner.core.submit(body, request, level)
    }

    /// Applies the last of the commands that a call consists of.
    pub(crate) fn submit_last(&self, body: Body, request: Option<Request>) -> Result<Reply> {
        self.inner.core.submit(body, request, Consistency::Strong)
    }

    /// This handle's request, if it has one, for a call whose last command is `body`, and the remembered
    /// answer.
    pub(crate) fn request_for(&self, body: &Body) -> Result<(Option<Request>, Option<Reply>)> {
        let Some(id) = &self.request else { return Ok((None, None)) };
        let request = request_of(id.clone(), body)?;
        let answer = find_answer(self.snapshot()?.state(), &request)?;
        Ok((Some(request), answer))
    }

    /// How the documents of a modification would be found now.
    pub(crate) fn explain_modify(&self, modify: &Modify) -> Result<Explanation> {
        let core = &self.inner.core;
        let (now, begin) = (core.environment.now(), Instant::now());
        let mut explanation = Explanation::of_nothing();
        let show = &mut |searched: Searched<'_>| {
            let execution = begin.elapsed();
            explanation = Explanation { execution, ..Explanation::of_search(&searched)? };
            Ok(())
        };
        core.pipeline.ask(|machine| machine.explain(modify, now, show))?;
        Ok(explanation)
    }
}

/// The request of a call whose last command is `body`.
pub(super) fn request_of(id: RequestId, body: &Body) -> Result<Request> {
    Ok(Request { fingerprint: body.fingerprint()?, id })
}

/// The result of a batch.
pub(super) fn written(
    mut reply: Reply,
    mut places: Vec<(CollectionName, DocumentId)>,
    new_ids: Vec<DocumentId>,
) -> Result<BatchWritten> {
    reply.restore_ids(&mut places);
    check_outcomes(&reply, &places)?;
    let new_ids = reply.new_ids_or(new_ids);
    let Reply { outcomes, index, is_replayed, .. } = reply;
    Ok(BatchWritten { outcomes: outcomes.into_vec(), new_ids, index, is_replayed })
}
