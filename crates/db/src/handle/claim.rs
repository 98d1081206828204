//! [`Claim`]: finding work and taking it, as one command.
//!
//! ```text
//!  waiting ──claim──▶ taken, version v ──complete(v)──▶ done
//!     ▲                  │   │ renew(v): version v + 1, a later end
//!     └── release(v), or the end of the lease
//! ```
//!
//! No job is assigned twice: of any number of concurrent claims, only one gets a job. The version of a
//! claimed document is its *fencing token*: it rises with each claim, and completing, renewing and
//! releasing are compare-and-swaps on it. A claimant that has lost a job, because its lease has expired for
//! instance, can no longer complete it.

pub(crate) mod parameters;

use std::marker::PhantomData;
use std::time::Duration;

use velocitydb_core::{
    Action, Condition, DocumentId, Expiry, Filter, IntoDocumentId, Modify, Object, Outcome, Recall,
    Refusal, Release, Sort, Time, Update,
};

use crate::apply::{Found, Reply, SKIPPED_MAX};
use crate::handle::claim::parameters::{CheckedClaim, ClaimParameters};
use crate::handle::lease_guard::Before;
use crate::handle::lease_keeper;
use crate::{
    Document, Documents, Error, Explanation, FromDocument, LeaseGuard, Proposed, Result, Typed,
};

/// The field that the claimant's name is written to by default.
pub const CLAIMANT_FIELD: &str = "claimed_by";

/// The field that says when work that was given back by [`Documents::retry`] is to be tried again.
pub const RETRY_AT_FIELD: &str = "retry_at";

/// The field that says why work was given back by [`Documents::retry`].
pub const RETRY_REASON_FIELD: &str = "retry_reason";

/// The largest number of documents of one claim.
pub const CLAIM_COUNT_MAX: u32 = 1_000;

/// A claim that is being built; see [`Documents::claim`].
#[must_use = "nothing is claimed until `update`, `hold` or `update_async` is called"]
pub struct Claim<'a, D = Document> {
    documents: &'a Documents,
    parameters: ClaimParameters,
    rows: PhantomData<fn() -> D>,
}

/// The result of a claim.
#[derive(Debug, Clone)]
pub struct Claimed<D = Document> {
    /// The claimed documents, after the update. The version of each is its fencing token.
    pub documents: Vec<D>,
    /// Documents that were claimed too, and do not fit the type that they are read as.
    pub misfits: Vec<Misfit>,
    /// Documents that were claimed and no longer have the version of the claim. In the answer to a retry:
    /// those that have been completed, renewed or claimed by another claimant since the first attempt, and
    /// those whose lease has expired.
    pub lost: Vec<Lost>,
    /// Documents that satisfy the filter, and to which the claim's update could not be applied; at most 16
    /// are listed. Later claims with the same operators, paths and types of values skip them without
    /// reporting them again, until they change or a minute has passed (a second if a unique index refused
    /// the update).
    pub skipped: Vec<Skipped>,
    /// How many were skipped.
    pub skipped_count: u64,
    /// The position of the claim in the order of all commands.
    pub index: u64,
    /// Whether this answers an earlier call with the same request id. Then the documents are those that the
    /// earlier call claimed and that still have the versions that it gave them.
    pub is_replayed: bool,
}

/// A document that was claimed, and no longer has the version that the claim gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its id.
    pub id: DocumentId,
    /// The version that the claim gave it, which is no longer a valid fencing token.
    pub version: u64,
}

/// A document that was claimed, and does not fit the type that it is read as. The claim holds: complete the
/// document or give it back, by its version.
#[derive(Debug, Clone)]
pub struct Misfit {
    /// The document.
    pub document: Document,
    /// What does not fit.
    pub reason: Error,
}

/// A document that a claim skipped.
#[derive(Debug, Clone)]
pub struct Skipped {
    /// Its id.
    pub id: DocumentId,
    /// Why the update could not be applied to it.
    pub reason: Error,
}

impl Documents {
    /// Begins a claim, which finds documents and changes them as one step. Its options say which documents
    /// come first, how many are claimed, by whom, and for how long.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{Sort, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let jobs = db.documents("jobs");
    /// jobs.insert("job1", object! { "state": "waiting", "priority": 2 })?;
    /// jobs.insert("job2", object! { "state": "waiting", "priority": 1 })?;
    /// let claimed = jobs
    ///     .claim(object! { "state": "waiting" })
    ///     .sort(Sort::new().ascending("priority"))
    ///     .claimant("executor1")
    ///     .update(object! { "state": "running" })?;
    /// let job = &claimed.documents[0];
    /// assert_eq!(job.id().to_string(), "job2");
    /// jobs.complete(job.id(), job.version(), object! { "state": "done" })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn claim(&self, filter: impl Into<Filter>) -> Claim<'_> {
        let parameters = ClaimParameters::new(filter.into());
        Claim { documents: self, parameters, rows: PhantomData }
    }

    /// Completes claimed work, if it still has the version that the claim gave it: applies an update and
    /// ends the lease, if there is one. Returns the new version.
    ///
    /// # Errors
    ///
    /// [`Error::VersionMismatch`] when the document has another version: it was changed, or another
    /// claimant has it. And as for all writes.
    pub fn complete(
        &self,
        id: impl IntoDocumentId,
        version: u64,
        update: impl Into<Update>,
    ) -> Result<u64> {
        self.settle(id, version, Action::Complete(update.into()))
    }

    /// Extends the lease on claimed work to end `duration` from now, if the work still has this version.
    /// Returns the new version, which is the fencing token from then on.
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete), and [`Error::NotLeased`] when the document has no lease.
    pub fn renew(&self, id: impl IntoDocumentId, version: u64, duration: Duration) -> Result<u64> {
        self.settle(id, version, Action::Renew(duration))
    }

    /// Gives claimed work back, if it still has this version: ends its lease, and applies the lease's
    /// release now. Returns the new version.
    ///
    /// # Errors
    ///
    /// As for [`renew`](Self::renew).
    pub fn release(&self, id: impl IntoDocumentId, version: u64) -> Result<u64> {
        self.settle(id, version, Action::Release)
    }

    /// Gives claimed work back as [`release`](Self::release) does, to be tried again at a later time. The
    /// same write sets the fields [`RETRY_AT_FIELD`] and [`RETRY_REASON_FIELD`] to that time and to the
    /// reason. Claims for [due](Claim::due) work leave the document out until then. Returns the new
    /// version.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use std::time::Duration;
    /// use velocitydb::object;
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let jobs = db.documents("jobs");
    /// jobs.insert("job1", object! { "state": "waiting" })?;
    /// let claim = || {
    ///     let claim = jobs.claim(object! { "state": "waiting" }).due();
    ///     let claim = claim.lease(Duration::from_secs(30), object! { "state": "waiting" });
    ///     claim.update(object! { "state": "running" })
    /// };
    /// let claimed = claim()?;
    /// let token = claimed.documents[0].version();
    /// let later = db.now().saturating_add(Duration::from_secs(60));
    /// jobs.retry("job1", token, later, "the executor is busy")?;
    /// assert!(claim()?.documents.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`renew`](Self::renew), and [`Error::Inapplicable`] when the release of the lease cannot be
    /// applied.
    pub fn retry(
        &self,
        id: impl IntoDocumentId,
        version: u64,
        not_before: Time,
        reason: &str,
    ) -> Result<u64> {
        self.settle(id, version, Action::Retry(retry_update(not_before, reason)))
    }

    fn settle(&self, id: impl IntoDocumentId, version: u64, action: Action) -> Result<u64> {
        let id = DocumentId::new(id)?;
        let reply = self.submit_one(id.clone(), Condition::Version(version), action)?;
        self.settled(id, &reply)
    }

    /// The version of claimed work after an operation that completes it, renews it or gives it back.
    pub(super) fn settled(&self, id: DocumentId, reply: &Reply) -> Result<u64> {
        match &reply.outcomes[0] {
            Outcome::Applied { version, .. } | Outcome::Held { version } => Ok(*version),
            Outcome::Refused(refusal) => {
                Err(Error::refused(self.name()?.clone(), id, refusal.clone(), None))
            }
            Outcome::Abandoned => unreachable!("there is one operation"),
        }
    }
}

impl<'a> Claim<'a> {
    /// The same claim, with documents of the type `T`. Those that do not fit the type are
    /// [`misfits`](Claimed::misfits).
    pub fn typed<T>(self) -> Claim<'a, Typed<T>> {
        let Claim { documents, parameters, .. } = self;
        Claim { documents, parameters, rows: PhantomData }
    }
}

impl<D: FromDocument> Claim<'_, D> {
    /// Sets the order in which documents are claimed. Documents that are equal in it are ordered by id, in
    /// the direction of the last key of the sort. Without a sort, documents are claimed in ascending order
    /// of their ids.
    pub fn sort(mut self, sort: Sort) -> Self {
        self.parameters.sort = sort;
        self
    }

    /// Sets how many documents are claimed at the most: 1 by default, and never more than
    /// [`CLAIM_COUNT_MAX`]. Fewer are claimed if they have more than about 64 MiB together.
    pub fn limit(mut self, limit: u32) -> Self {
        self.parameters.limit = limit;
        self
    }

    /// Names the claimant, which is written to the field [`CLAIMANT_FIELD`] of each document.
    pub fn claimant(self, claimant: &str) -> Self {
        self.claimant_in(CLAIMANT_FIELD, claimant)
    }

    /// Names the claimant, which is written to the field at `path` of each document.
    pub fn claimant_in(mut self, path: &str, claimant: &str) -> Self {
        self.parameters.set_claimant(path, claimant);
        self
    }

    /// Claims under a lease of this duration. Unless the work is completed, renewed or released before the
    /// lease ends, `release` is applied to the document then, so that it can be claimed again. `release` is
    /// an update, or several with filters, of which the first that matches is applied (see [`Release`]).
    ///
    /// The release is applied only if the fields that the claim has set (`$set` and `$unset`, the claimant
    /// included) still have the values that the claim gave them. If one of them was changed, for instance
    /// to a state that means done, the lease ends without a release. So the claim should set only fields
    /// that stay as they are while the work is done.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use std::time::Duration;
    /// use velocitydb::{Release, Update, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let jobs = db.documents("jobs");
    /// jobs.insert("job1", object! { "state": "waiting" })?;
    /// let release = Release::when(object! { "attempts": { "$lt": 3 } }, object! { "state": "waiting" })
    ///     .or(object! { "state": "dead" });
    /// let claim = jobs.claim(object! { "state": "waiting" });
    /// let claim = claim.lease(Duration::from_secs(30), release);
    /// let claimed = claim.update(Update::new().set("state", "running").inc("attempts", 1))?;
    /// assert_eq!(claimed.documents.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lease(mut self, duration: Duration, release: impl Into<Release>) -> Self {
        self.parameters.lease = Some((duration, release.into()));
        self
    }

    /// Leaves out documents that are to be [tried again](Documents::retry) later than now.
    pub fn due(mut self) -> Self {
        self.parameters.set_due(self.documents.db.now());
        self
    }

    /// Also claims documents that are under a lease, if they satisfy the filter. Their current claimants
    /// lose them.
    pub fn even_if_leased(mut self) -> Self {
        self.parameters.set_even_if_leased();
        self
    }

    /// How the claim would find its documents now, and at what cost. Claims nothing.
    ///
    /// Repeated claims do not read again what earlier ones passed: claimed documents, and documents that
    /// the filter excludes, until the document or the time in the filter changes. `hints` says where the
    /// search begins. So its cost does not grow with the number of documents that were passed.
    ///
    /// # Errors
    ///
    /// When the filter or the sort is invalid, and as for all queries.
    pub fn explain(self) -> Result<Explanation> {
        self.parameters.check_limit()?;
        let ClaimParameters { filter, sort, limit, skip, .. } = self.parameters;
        filter.check()?;
        sort.check()?;
        self.documents.db.explain_modify(&Modify {
            collection: self.documents.name()?.clone(),
            filter,
            candidates: None,
            sort,
            limit: Some(limit),
            action: Action::Compare,
            expiry: Expiry::Keep,
            lease: None,
            recall: Recall::Versions,
            skip,
        })
    }

    /// Claims the documents, by applying an update to each after which other claims no longer find it.
    ///
    /// Documents to which the update cannot be applied are skipped, and reported in [`Claimed::skipped`].
    ///
    /// # Errors
    ///
    /// When the filter, the sort or an update is invalid, and as for all writes. It is no error when there
    /// was nothing to claim.
    pub fn update(self, update: impl Into<Update>) -> Result<Claimed<D>> {
        let name = self.documents.name()?;
        self.take(update.into())?.try_map(|document| D::from_document(document, name))
    }

    /// Claims as [`update`](Self::update) does, and returns guards that renew the leases automatically
    /// until they are settled or dropped.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update); when the claim has no [lease](Self::lease); and
    /// [`Error::TooManyLeases`] when this process would hold more than
    /// [`LEASE_GUARDS_MAX`](crate::LEASE_GUARDS_MAX) leases. In these cases nothing is claimed.
    pub fn hold(self, update: impl Into<Update>) -> Result<Claimed<LeaseGuard<D>>> {
        let Some((duration, _)) = &self.parameters.lease else {
            let (what, place) = ("claim", String::new());
            let problem = "has no lease to be held; give it one with `lease`".to_owned();
            return Err(
                velocitydb_core::Error::InvalidQuery { what: what.into(), place, problem }.into()
            );
        };
        let (documents, duration) = (self.documents, *duration);
        self.parameters.check_limit()?;
        lease_keeper::make_ready(self.parameters.limit as usize)?;
        let before = Before::now(documents);
        self.take(update.into())?.try_map(|document| {
            let bound = before.bound_until(duration, document.header().lease);
            let token = (document.id().clone(), document.version());
            let read = D::from_document(document, documents.name()?)?;
            LeaseGuard::new(documents, token, duration, (before, bound), read)
        })
    }

    fn take(self, update: Update) -> Result<Claimed> {
        let documents = self.documents;
        let modify = self.into_modify(update)?;
        let (mut reply, mut before) = (documents.modify(modify.clone())?, SkippedBefore::default());
        while documents.goes_on_behind(&reply) {
            before.note(reply);
            reply = documents.modify(modify.clone())?;
        }
        documents.claimed(reply, before)
    }

    /// Claims as [`update`](Self::update) does, and returns at once. The claim has been proposed by then,
    /// and is executed whether or not the future is awaited. It occupies no thread. Where the first thousand
    /// documents all have to be skipped, it goes on behind them while the future is awaited.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn update_async(self, update: impl Into<Update>) -> Proposed<Claimed<D>> {
        let documents = self.documents.clone();
        let proposed = self.into_modify(update.into()).and_then(|modify| {
            let reply = documents.propose_modify(&modify)?;
            Ok((modify, reply))
        });
        Proposed::new(async move {
            let (modify, reply) = proposed?;
            let (mut reply, mut before) = (reply.await?, SkippedBefore::default());
            while documents.goes_on_behind(&reply) {
                before.note(reply);
                reply = documents.propose_modify(&modify)?.await?;
            }
            let name = documents.name()?;
            let claimed = documents.claimed(reply, before)?;
            claimed.try_map(|document| D::from_document(document, name))
        })
    }

    /// The command of this claim.
    fn into_modify(self, update: Update) -> Result<Modify> {
        let CheckedClaim { filter, sort, limit, skip, lease, update } =
            self.parameters.check(update)?;
        Ok(Modify {
            collection: self.documents.name()?.clone(),
            filter,
            candidates: None,
            sort,
            limit: Some(limit),
            action: Action::Update(update),
            expiry: self.documents.expiry(),
            lease,
            recall: Recall::Versions,
            skip,
        })
    }
}

/// What the first attempts of a claim skipped, none of which found a document.
#[derive(Default)]
struct SkippedBefore {
    /// What the first attempt reported.
    first: Option<Vec<(DocumentId, Refusal)>>,
    count: usize,
}

impl SkippedBefore {
    fn note(&mut self, reply: Reply) {
        self.count += reply.skipped_count;
        self.first.get_or_insert(reply.skipped);
    }
}

impl Documents {
    /// Whether a claim has to be repeated: it found nothing, and stopped since it had skipped as many as
    /// one command may.
    fn goes_on_behind(&self, reply: &Reply) -> bool {
        reply.found.is_empty() && reply.skipped_count >= SKIPPED_MAX && self.request_id().is_none()
    }

    /// The result of a claim: the reply of its last attempt, and what the attempts before skipped.
    fn claimed(&self, reply: Reply, before: SkippedBefore) -> Result<Claimed> {
        let (index, is_replayed) = (reply.index, reply.is_replayed);
        let skipped_count = before.count + reply.skipped_count;
        let name = self.name()?;
        let skipped = before.first.unwrap_or(reply.skipped).into_iter().map(|(id, refusal)| {
            Skipped { id: id.clone(), reason: Error::refused(name.clone(), id, refusal, None) }
        });
        let (skipped, skipped_count) = (skipped.collect(), skipped_count as u64);
        let (mut documents, mut lost) = (Vec::with_capacity(reply.found.len()), Vec::new());
        let now = self.db.now();
        // A document whose lease has expired is no longer held.
        let is_still_had = |document: &Document, version| {
            document.version() == version && document.header().lease.is_none_or(|end| end > now)
        };
        for Found { id, version, after, .. } in reply.found {
            let document = match is_replayed {
                true => self.for_answer(&id)?.filter(|one| is_still_had(one, version)),
                false => after.map(|record| Document::new(id.clone(), record)).transpose()?,
            };
            match document {
                Some(document) => documents.push(document),
                None => lost.push(Lost { id, version }),
            }
        }
        let misfits = Vec::new();
        Ok(Claimed { documents, misfits, lost, skipped, skipped_count, index, is_replayed })
    }
}

impl Claimed {
    /// Converts each document. Those that cannot be converted become misfits.
    fn try_map<D>(self, mut make: impl FnMut(Document) -> Result<D>) -> Result<Claimed<D>> {
        let Claimed { documents, mut misfits, lost, skipped, skipped_count, .. } = self;
        let mut made = Vec::with_capacity(documents.len());
        for document in documents {
            match make(document.clone()) {
                Ok(one) => made.push(one),
                Err(reason) => misfits.push(Misfit { document, reason }),
            }
        }
        let (documents, index, is_replayed) = (made, self.index, self.is_replayed);
        Ok(Claimed { documents, misfits, lost, skipped, skipped_count, index, is_replayed })
    }
}

impl<D> Claimed<D> {
    /// The first document, if any was claimed.
    pub fn first(&self) -> Option<&D> {
        self.documents.first()
    }
}

impl Claimed {
    /// The documents as objects, each with its id and its metadata: `_meta.version` is its fencing
    /// token.
    ///
    /// # Errors
    ///
    /// When the stored bytes are corrupt.
    pub fn to_objects(&self) -> Result<Vec<Object>> {
        self.documents.iter().map(Document::to_object_with_meta).collect()
    }
}

/// The update of work that is given back to be tried again.
pub(crate) fn retry_update(not_before: Time, reason: &str) -> Update {
    Update::new().set(RETRY_AT_FIELD, not_before).set(RETRY_REASON_FIELD, reason)
}
