//! [`TransactionClaim`]: finding work and taking it, together with what else a transaction writes.
//!
//! ```text
//!  txn.claim ──▶ search: what is free, own writes included ──▶ written, in the transaction alone
//!                   │                                                 │
//!  commit:   it finds something else ──▶ conflict                     ▼
//!                   └──▶ it finds the same ──────────▶ Settle(fields, Begin): the lease begins
//! ```
//!
//! The promise is that of a claim by itself: among any number of claims at the same time, within
//! transactions and without, each job goes to one. A lease begins with the commit, its time is counted
//! from there, and it is the same one that a claim by itself begins.
//!
//! # CAVEATS
//!
//! - A claim by itself remembers what such claims have passed before. This one searches anew, from the
//!   front, in its snapshot and again where the commit checks it.
//! - What a schema or a unique index does not let be is an error of the commit. A claim by itself passes
//!   over it.

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

/// A claim of a transaction that is being put together; see [`Transaction::claim`].
#[must_use = "nothing is claimed until it is said what is to be done"]
pub struct TransactionClaim<'t, D = Document> {
    transaction: &'t mut Transaction,
    collection: &'t str,
    parameters: ClaimParameters,
    rows: PhantomData<fn() -> D>,
}

impl Transaction {
    /// Begins a claim, as [`Documents::claim`](crate::Documents::claim) does: which documents, which
    /// first, by whom, how many, and for how long. It sees this transaction's own writes. If somebody
    /// else has claimed one of the documents when the transaction commits, or there is another one that
    /// comes before, that is a conflict, and nobody has claimed anything here.
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
    ///     txn.insert("log", "1", object! { "begun": (job.id().as_str()) })?;
    ///     Ok(job)
    /// })?;
    /// jobs.complete(job.id().as_str(), job.version(), object! { "state": "done" })?;
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
    /// The same claim, its documents of the type `T`.
    pub fn typed<T>(self) -> TransactionClaim<'t, Typed<T>> {
        let TransactionClaim { transaction, collection, parameters, .. } = self;
        TransactionClaim { transaction, collection, parameters, rows: PhantomData }
    }
}

impl<D: FromDocument> TransactionClaim<'_, D> {
    /// Which documents come first; equal ones are ordered by id, in the direction of the last key of the
    /// sort. Without a sort, the smallest ids come first.
    pub fn sort(mut self, sort: Sort) -> Self {
        self.parameters.sort = sort;
        self
    }

    /// How many documents to take at the most; 1 if nothing is said, and at most
    /// [`CLAIM_COUNT_MAX`](crate::CLAIM_COUNT_MAX).
    pub fn limit(mut self, limit: u32) -> Self {
        self.parameters.limit = limit;
        self
    }

    /// Who claims: is written to the field [`CLAIMANT_FIELD`].
    pub fn claimant(self, claimant: &str) -> Self {
        self.claimant_in(CLAIMANT_FIELD, claimant)
    }

    /// Who claims: is written to this field.
    pub fn claimant_in(mut self, path: &str, claimant: &str) -> Self {
        self.parameters.set_claimant(path, claimant);
        self
    }

    /// For how long after the commit, and what is done then; see [`Claim::lease`](crate::Claim::lease).
    /// The release is done only while what the claim has set is still so, also where this transaction
    /// changes it after its claim.
    pub fn lease(mut self, duration: Duration, release: impl Into<Release>) -> Self {
        self.parameters.lease = Some((duration, release.into()));
        self
    }

    /// Leaves out what is to be [tried again](crate::Documents::retry) later than now.
    pub fn due(mut self) -> Self {
        self.parameters.set_due(self.transaction.now());
        self
    }

    /// Takes documents that are under somebody's lease too, if they satisfy the filter. Whoever had one
    /// before has lost it with the commit.
    pub fn even_if_leased(mut self) -> Self {
        self.parameters.set_even_if_leased();
        self
    }

    /// Takes the documents, and changes each so that nobody else finds it. Returns them as they are
    /// then. The version of each is its fencing token once the transaction is committed, and counts in
    /// the transaction as well; it is 0 for a document that the transaction has made, whose version
    /// nobody can know before.
    ///
    /// One that cannot be changed so is skipped. That there was nothing to claim is no error. A lease
    /// that has expired and has not yet ended in the state is seen as one that is there; it has ended
    /// when the transaction commits, which is a conflict where this claim would have found the document.
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
            // Whoever had it before has lost it.
            None => LeaseChange::End,
        };
        let filter = match skip {
            Skip::UnfitAndLeased => filter.and(field("_lease").is_missing()),
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
    /// The first documents that can be changed so, each with its fields after the update.
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
            // As many more as were skipped.
            end = limit + unfit_count;
        }
    }

    /// A document that is written so, with the version that the commit gives it. Notes that it was read.
    fn claimed(&mut self, place: &DocumentRef, new: &New) -> Result<Document> {
        self.current(place)?;
        let written = self.written(place, new)?;
        let header = Header { version: version_after(&written), ..written.header() };
        Document::of_parts(place.1.clone(), &header, &new.fields)
    }
}
