//! [`TransactionClaim`]: a claim within a transaction.
//!
//! ```text
//!  txn.claim ──▶ search for free documents, own writes included ──▶ written within the transaction
//!                                                                      │
//!  commit ──▶ the same search finds others ──▶ conflict                ▼
//!         └─▶ it finds the same ──────────▶ Settle(fields, Begin): the lease begins
//! ```
//!
//! The promise is that of a [`Claim`](crate::Claim): of any number of concurrent claims, within
//! transactions and without, only one gets a job. The lease begins with the commit, which is also when its
//! duration begins.
//!
//! # CAVEATS
//!
//! - A `Claim` continues where earlier claims of its kind ended. A `TransactionClaim` searches from the
//!   front, in its snapshot and again when the commit checks its result.
//! - A document that violates a schema or a unique index after the update makes the commit fail. A `Claim`
//!   skips it.

use std::marker::PhantomData;
use std::time::Duration;

use velocitydb_core::{
    BegunLease, CollectionName, Encoded, Filter, Header, LeaseChange, Release, Skip, Sort, Update,
    field,
};

use crate::apply::SKIPPED_MAX;
use crate::handle::claim::CLAIMANT_FIELD;
use crate::handle::claim::parameters::{CheckedClaim, ClaimParameters};
use crate::handle::transaction::leases::version_after;
use crate::handle::transaction::{DocumentRef, New};
use crate::{Document, FromDocument, Result, Transaction, Typed};

/// A claim within a transaction that is being built; see [`Transaction::claim`].
#[must_use = "nothing is claimed until `update` is called"]
pub struct TransactionClaim<'t, D = Document> {
    transaction: &'t mut Transaction,
    collection: &'t str,
    parameters: ClaimParameters,
    rows: PhantomData<fn() -> D>,
}

impl Transaction {
    /// Begins a claim within this transaction, with the options of
    /// [`Documents::claim`](crate::Documents::claim). It sees the transaction's own writes. The commit is a
    /// conflict, and claims nothing, if another claimant has claimed one of the documents by then, or if
    /// another document now precedes them in the order of the claim.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use std::time::Duration;
    /// use velocitydb::{Sort, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let jobs = db.documents("jobs");
    /// jobs.insert("job1", object! { "state": "waiting", "priority": 1 })?;
    /// jobs.insert("job2", object! { "state": "waiting", "priority": 7 })?;
    /// let job = db.transaction(|txn| {
    ///     let claim = txn.claim("jobs", object! { "state": "waiting" });
    ///     let claim = claim.sort(Sort::new().descending("priority")).claimant("executor1");
    ///     let claim = claim.lease(Duration::from_secs(30), object! { "state": "waiting" });
    ///     let job = claim.update(object! { "state": "running" })?.pop().expect("two wait");
    ///     // That it has begun is written with the claim, or neither is.
    ///     txn.insert("log", "1", object! { "begun": (job.id()) })?;
    ///     Ok(job)
    /// })?;
    /// jobs.complete(job.id(), job.version(), object! { "state": "done" })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn claim<'t>(
        &'t mut self,
        collection: &'t str,
        filter: impl Into<Filter>,
    ) -> TransactionClaim<'t> {
        let parameters = ClaimParameters::new(filter.into());
        TransactionClaim { transaction: self, collection, parameters, rows: PhantomData }
    }
}

impl<'t> TransactionClaim<'t> {
    /// The same claim, with documents of the type `T`.
    pub fn typed<T>(self) -> TransactionClaim<'t, Typed<T>> {
        let TransactionClaim { transaction, collection, parameters, .. } = self;
        TransactionClaim { transaction, collection, parameters, rows: PhantomData }
    }
}

impl<D: FromDocument> TransactionClaim<'_, D> {
    /// Sets the order in which documents are claimed. Documents that are equal in it are ordered by id, in
    /// the direction of the last key of the sort. Without a sort, documents are claimed in ascending order
    /// of their ids.
    pub fn sort(mut self, sort: Sort) -> Self {
        self.parameters.sort = sort;
        self
    }

    /// Sets how many documents are claimed at the most: 1 by default, and never more than
    /// [`CLAIM_COUNT_MAX`](crate::CLAIM_COUNT_MAX).
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

    /// Claims under a lease that ends `duration` after the commit, and whose `release` is applied then; see
    /// [`Claim::lease`](crate::Claim::lease). The release is applied only if the fields that the claim has
    /// set still have the values that the claim gave them, even if this transaction itself changes them
    /// after its claim.
    pub fn lease(mut self, duration: Duration, release: impl Into<Release>) -> Self {
        self.parameters.lease = Some((duration, release.into()));
        self
    }

    /// Leaves out documents that are to be [tried again](crate::Documents::retry) later than now.
    pub fn due(mut self) -> Self {
        self.parameters.set_due(self.transaction.now());
        self
    }

    /// Also claims documents that are under a lease, if they satisfy the filter. Their current claimants
    /// lose them when the transaction commits.
    pub fn even_if_leased(mut self) -> Self {
        self.parameters.set_even_if_leased();
        self
    }

    /// Claims the documents, by applying an update to each after which other claims no longer find it.
    /// Returns the updated documents. The version of each is its fencing token, both within the transaction
    /// and once it is committed. The version is 0 for a document that the transaction itself has created,
    /// since its version is not known before the commit.
    ///
    /// Documents to which the update cannot be applied are skipped. It is no error when there was nothing
    /// to claim. A document whose lease has expired counts as leased until the lease has ended in the
    /// state. If the lease ends before the commit and this claim would have found the document, the commit
    /// is a conflict.
    ///
    /// # Errors
    ///
    /// When the name, the filter, the sort or an update is invalid, a document does not fit its type
    /// (nothing is claimed then), the transaction has read or written too much, or storage fails.
    pub fn update(self, update: impl Into<Update>) -> Result<Vec<D>> {
        let name = CollectionName::new(self.collection)?;
        let CheckedClaim { filter, sort, limit, skip, lease, update } =
            self.parameters.check(update.into())?;
        let change = match lease {
            Some(lease) => {
                let set = update.set_paths().cloned().collect();
                LeaseChange::Begin(Box::new(BegunLease { lease, set, values: None }))
            }
            // Whoever had a lease before loses it.
            None => LeaseChange::End,
        };
        let filter = match skip {
            Skip::UnfitAndLeased => filter.and(field("_meta.lease").is_missing()),
            Skip::Unfit | Skip::Nothing => filter,
        };
        filter.check()?;
        sort.check()?;
        let transaction = self.transaction;
        let found = transaction.find_changed(&name, &filter, &sort, limit, &update)?;
        let (mut claimed, mut writes) = (Vec::new(), Vec::new());
        for (document, fields) in found {
            let place = (name.clone(), document.id().clone());
            let (expires, lease) = (document.expires(), Some(change.clone()));
            let new = New { fields, expires, lease };
            claimed.push(D::from_document(transaction.claimed(&place, &new)?, &name)?);
            writes.push((place, new));
        }
        for (place, new) in writes {
            transaction.set(place, Some(new))?;
        }
        Ok(claimed)
    }
}

impl Transaction {
    /// The first documents to which the update can be applied, each with its fields after the update.
    fn find_changed(
        &mut self,
        name: &CollectionName,
        filter: &Filter,
        sort: &Sort,
        limit: u32,
        update: &Update,
    ) -> Result<Vec<(Document, Encoded)>> {
        let (limit, now) = (limit as usize, self.now());
        let mut end = limit;
        loop {
            let searched = self.search(name, filter, sort, Some(end as u64))?;
            let is_all = searched.found.len() < end;
            let (mut changed, mut unfit_count) = (Vec::with_capacity(limit), 0);
            for document in searched.found.iter().take(end) {
                match update.apply_encoded(document.raw()?, now) {
                    Ok(fields) => changed.push((document.clone(), fields)),
                    Err(error @ velocitydb_core::Error::Corrupt { .. }) => return Err(error.into()),
                    Err(_) => unfit_count += 1,
                }
            }
            if is_all || changed.len() == limit || unfit_count >= SKIPPED_MAX {
                self.note(searched)?;
                return Ok(changed);
            }
            // Searches for as many more as were skipped.
            end = limit + unfit_count;
        }
    }

    /// A document as the transaction writes it, with the version that the commit gives it. Records that the
    /// document was read.
    fn claimed(&mut self, place: &DocumentRef, new: &New) -> Result<Document> {
        self.current(place)?;
        let written = self.written(place, new)?;
        let header = Header { version: version_after(&written), ..written.header() };
        Document::of_parts(place.1.clone(), &header, &new.fields)
    }
}
