//! Claimed work in a transaction: completing it, renewing its lease and giving it back, with fencing as
//! outside of transactions. And when documents expire.

use std::time::Duration;

use velocitydb_core::{
    DocumentId, Encoded, Expiry, IntoDocumentId, LeaseChange, Refusal, Time, Update,
};

use crate::handle::claim::retry_update;
use crate::handle::transaction::{DocumentRef, New, place};
use crate::state::lease::hash_of_values;
use crate::{Document, Error, Result, Transaction};

impl Transaction {
    /// Completes claimed work, if it has the version that the claim gave it: applies an update and ends the
    /// lease, if there is one. Returns the version that the document has after the commit. The version is 0
    /// for a document that this transaction has created, since it is not known before the commit.
    ///
    /// For a document that this transaction has written, two versions are accepted: the one from before the
    /// transaction, and the one that [claiming](Self::claim) or renewing it in this transaction returned.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let jobs = db.documents("jobs");
    /// jobs.insert("job1", object! { "state": "waiting" })?;
    /// let claimed = jobs.claim(object! { "state": "waiting" }).update(object! { "state": "running" })?;
    /// let token = claimed.documents[0].version();
    /// db.transaction(|txn| {
    ///     txn.complete("jobs", "job1", token, object! { "state": "done" })?;
    ///     txn.insert("results", "job1", object! { "answer": 42 })
    /// })?;
    /// assert_eq!(db.documents("results").count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::VersionMismatch`] when the document has another version: it was changed, or another
    /// claimant has it. [`Error::Inapplicable`] when the update cannot be applied.
    pub fn complete(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        version: u64,
        update: impl Into<Update>,
    ) -> Result<u64> {
        let place = place(collection, id)?;
        let document = self.held(&place, version)?;
        let fields = self.updated(&place, &document, &update.into())?;
        self.settle(
            place,
            New { fields, expires: document.expires(), lease: Some(LeaseChange::End) },
            &document,
        )
    }

    /// Extends the lease on claimed work to end `duration` after the commit, if the work has this version.
    /// Returns the version that the document has after the commit: the fencing token from then on.
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete), and [`Error::NotLeased`] when the document has no lease.
    pub fn renew(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        version: u64,
        duration: Duration,
    ) -> Result<u64> {
        let place = place(collection, id)?;
        let document = self.leased(&place, version)?;
        let (fields, expires) = (document.raw()?.to_encoded(), document.expires());
        self.settle(
            place,
            New { fields, expires, lease: Some(LeaseChange::Renew(duration)) },
            &document,
        )
    }

    /// Gives claimed work back, if it has this version: ends its lease, and applies the lease's release.
    /// Returns the version that the document has after the commit.
    ///
    /// # Errors
    ///
    /// As for [`renew`](Self::renew).
    pub fn release(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        version: u64,
    ) -> Result<u64> {
        let place = place(collection, id)?;
        let document = self.leased(&place, version)?;
        let fields = match self.release_of(&place, &document)? {
            Some(update) => self.updated(&place, &document, &update)?,
            None => document.raw()?.to_encoded(),
        };
        self.settle(
            place,
            New { fields, expires: document.expires(), lease: Some(LeaseChange::End) },
            &document,
        )
    }

    /// Gives claimed work back, to be tried again at a later time, with the reason. See
    /// [`Documents::retry`](crate::Documents::retry).
    ///
    /// # Errors
    ///
    /// As for [`renew`](Self::renew).
    pub fn retry(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        version: u64,
        not_before: Time,
        reason: &str,
    ) -> Result<u64> {
        let id = DocumentId::new(id)?;
        let version = self.release(collection, &id, version)?;
        self.update(collection, &id, retry_update(not_before, reason))?;
        Ok(version)
    }

    /// Sets when a document expires. A later write of this transaction that replaces the document resets it
    /// to never.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such document; and when the input is invalid.
    pub fn expire(
        &mut self,
        collection: &str,
        id: impl IntoDocumentId,
        expiry: Expiry,
    ) -> Result<()> {
        let place = place(collection, id)?;
        let document = self.existing(&place)?;
        let expires = match expiry {
            Expiry::Keep => document.expires(),
            Expiry::Never => None,
            Expiry::At(time) => Some(time),
            Expiry::After(duration) => Some(self.now().saturating_add(duration)),
        };
        let fields = document.raw()?.to_encoded();
        self.set(place, Some(New { fields, expires, lease: None }))
    }

    /// The document, if it has this version: its version from before the transaction, or the one that the
    /// transaction's own writes give it.
    fn held(&mut self, place: &DocumentRef, version: u64) -> Result<Document> {
        let document = self.current(place)?;
        let found = document.as_ref().map_or(0, Document::version);
        let is_written = self.writes.contains_key(place);
        match document {
            Some(document)
                if found == version || is_written && version_after(&document) == version =>
            {
                Ok(document)
            }
            _ => {
                let refusal = Refusal::Version { expected: version, found };
                Err(Error::refused(place.0.clone(), place.1.clone(), refusal, None))
            }
        }
    }

    fn leased(&mut self, place: &DocumentRef, version: u64) -> Result<Document> {
        let document = self.held(place, version)?;
        if document.header().lease.is_none() {
            let refusal = Refusal::NoLease { version: document.version() };
            return Err(Error::refused(place.0.clone(), place.1.clone(), refusal, None));
        }
        Ok(document)
    }

    fn settle(&mut self, place: DocumentRef, new: New, document: &Document) -> Result<u64> {
        self.set(place, Some(new))?;
        Ok(version_after(document))
    }

    /// The update that the release of a document's lease applies to it.
    fn release_of(&self, place: &DocumentRef, document: &Document) -> Result<Option<Update>> {
        let view = document.view()?;
        let written = self.writes.get(place).and_then(Option::as_ref);
        if let Some(LeaseChange::Begin(begun)) = written.and_then(|new| new.lease.as_ref()) {
            return Ok(begun.lease.release.choose(&view)?.cloned());
        }
        let lease = self.snapshot.lease_of(&place.0, &place.1)?;
        Ok(lease.release.choose(&view)?.cloned())
    }

    /// The change of a document's lease, after what this transaction has done to it before.
    pub(crate) fn lease_after(
        &self,
        place: &DocumentRef,
        new: &New,
    ) -> Result<Option<LeaseChange>> {
        let existed = self.documents.get(place).is_some_and(Option::is_some);
        let before = match self.writes.get(place) {
            Some(Some(before)) => before.lease_beside(&new.fields)?,
            // The document was deleted, and its lease with it.
            Some(None) => existed.then_some(LeaseChange::End),
            None => None,
        };
        Ok(match (new.lease.clone(), before) {
            (None, before) => before,
            // There was no document, and so no lease that could end.
            (Some(LeaseChange::End), _) if !existed => None,
            (Some(LeaseChange::Renew(duration)), Some(LeaseChange::Begin(mut begun))) => {
                begun.lease.duration = duration;
                Some(LeaseChange::Begin(begun))
            }
            (change, _) => change,
        })
    }
}

impl New {
    /// The change of the lease if the document gets these fields. If they differ from what a claim has set,
    /// the values that the claim has set are kept with the lease, so that the lease ends without a release,
    /// as after a later transaction.
    fn lease_beside(&self, fields: &Encoded) -> Result<Option<LeaseChange>> {
        let mut lease = self.lease.clone();
        if let Some(LeaseChange::Begin(begun)) = &mut lease {
            let claimed = match begun.values {
                Some(claimed) => claimed,
                None => hash_of_values(&begun.set, self.fields.view())?,
            };
            let is_left = hash_of_values(&begun.set, fields.view())? == claimed;
            begun.values = (!is_left).then_some(claimed);
        }
        Ok(lease)
    }
}

/// The version that a document has after the commit. It is 0 if the transaction has created the document,
/// since it is not known before the commit.
pub(crate) fn version_after(document: &Document) -> u64 {
    match document.version() {
        0 => 0,
        version => version + 1,
    }
}
