//! Applying: the change of one document, and of everything that belongs to it.
//!
//! Every change of a document goes through [`Machine::put_document`] (which enforces the schema),
//! [`Machine::drop_lease`] or [`Machine::remove_document`]. Everything that belongs to a document (totals,
//! indexes, tombstones, the orders of expiry and of leases, and hints) is maintained by two functions of
//! this file, `write_record` and `remove_document`. No other file puts or deletes a record, which `cargo
//! xtask tidy` checks.

use smallvec::SmallVec;
use velocitydb_core::{
    CollectionName, DocumentView, Encoded, Header, IdRef, Origin, Path, RawObject, Refusal,
    Release, Time,
};
use velocitydb_storage::Blob;

use super::Machine;
use super::changes::Cause;
use crate::keys::{self, DOCUMENTS, Key, SYSTEM};
use crate::state::catalog::Tombstone;
use crate::state::lease::{LeaseRecord, hash_of_values};
use crate::{Error, Result};

/// A document as it is stored now.
pub(super) struct Stored {
    pub(super) record: Blob,
    pub(super) header: Header,
    fields_start: usize,
}

impl Stored {
    pub(super) fn read(record: Blob) -> Result<Self> {
        let (header, fields_start) = Header::decode(&record)?;
        Ok(Stored { record, header, fields_start })
    }

    pub(super) fn fields(&self) -> Result<RawObject<'_>> {
        Ok(RawObject::new(&self.record[self.fields_start..])?)
    }

    pub(super) fn view<'a>(&'a self, id: impl Into<IdRef<'a>>) -> Result<DocumentView<'a>> {
        Ok(DocumentView { id: id.into(), header: self.header, fields: self.fields()? })
    }
}

/// The collection and key of a document.
pub(super) struct Address<'a> {
    pub(super) collection: &'a CollectionName,
    pub(super) key: Key,
}

impl Address<'_> {
    pub(super) fn id(&self) -> Result<IdRef<'_>> {
        id_of(&self.key)
    }
}

/// The new content of a document.
pub(super) struct New<'a> {
    pub(super) fields: &'a Encoded,
    pub(super) expires: Option<Time>,
    pub(super) lease: NewLease<'a>,
    /// Where it comes from, if it is imported.
    pub(super) origin: Option<Origin>,
}

/// The change of the lease on a document.
pub(super) enum NewLease<'a> {
    /// The lease stays, if there is one.
    Keep,
    /// A claim begins a new lease.
    Set {
        until: Time,
        /// The release of the lease.
        release: &'a Release,
        /// The paths that the claim set.
        set: SmallVec<[&'a Path; 4]>,
        /// A hash of the values that the claim left there, if they differ from those that are written.
        values: Option<u128>,
    },
    /// The lease ends at another time.
    Until(Time),
    /// The lease ends now.
    End,
}

impl Machine {
    /// The document at `place`, after what is due: it is removed here if it has expired, and its lease ends
    /// if that has expired.
    pub(super) fn live_document(
        &mut self,
        place: &Address<'_>,
        now: Time,
    ) -> Result<Option<Stored>> {
        let Some(record) = self.get(DOCUMENTS, &place.key)? else { return Ok(None) };
        let stored = Stored::read(record)?;
        if is_expired(&stored.header, now) {
            self.remove_document(place.collection, &place.key, &stored.record, now)?;
            return Ok(None);
        }
        if !is_lease_over(&stored.header, now) {
            return Ok(Some(stored));
        }
        self.end_lease(place, &stored, now)?;
        self.get(DOCUMENTS, &place.key)?.map(Stored::read).transpose()
    }

    /// Writes a document, and everything that belongs to it. Returns its new version, or why it is refused.
    pub(super) fn put_document(
        &mut self,
        place: &Address<'_>,
        stored: Option<&Stored>,
        new: &New<'_>,
        now: Time,
    ) -> Result<std::result::Result<u64, Refusal>> {
        let Address { collection, key } = place;
        let completed;
        let fields = match self.keep_to_schema(collection, new.fields.view())? {
            Ok(None) => new.fields,
            Ok(Some(fields)) => {
                completed = fields;
                &completed
            }
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (expires, lease) = (new.expires, new_lease(&new.lease, stored));
        let header = match stored {
            Some(stored) => Header {
                version: stored.header.version + 1,
                created: stored.header.created,
                modified: now.max(stored.header.modified),
                expires,
                lease,
            },
            None => {
                let last = self.take_last_version(collection, key)?;
                match new.origin {
                    None => {
                        Header { version: last + 1, created: now, modified: now, expires, lease }
                    }
                    Some(Origin { version: given, .. }) if given <= last => {
                        let used = velocitydb_core::Error::VersionUsed { given, last };
                        return Ok(Err(Refusal::Update(used)));
                    }
                    Some(Origin { version, created, modified, .. }) => {
                        Header { version, created, modified, expires, lease }
                    }
                }
            }
        };
        self.write_record(place, stored, &header, fields.view(), &new.lease, now)
    }

    /// Ends the lease on a document, and changes nothing else. Its fields are not checked, so this succeeds
    /// whatever the schema is by now.
    pub(super) fn drop_lease(
        &mut self,
        place: &Address<'_>,
        stored: &Stored,
        now: Time,
    ) -> Result<std::result::Result<u64, Refusal>> {
        let header = Header { version: stored.header.version + 1, lease: None, ..stored.header };
        self.write_record(place, Some(stored), &header, stored.fields()?, &NewLease::End, now)
    }

    /// Writes the record of a document, and everything that belongs to it. Returns its version, or why it
    /// is refused. Nothing else writes a record.
    fn write_record(
        &mut self,
        place: &Address<'_>,
        stored: Option<&Stored>,
        header: &Header,
        fields: RawObject<'_>,
        lease: &NewLease<'_>,
        now: Time,
    ) -> Result<std::result::Result<u64, Refusal>> {
        let Address { collection, key } = place;
        let view = DocumentView { id: place.id()?, header: *header, fields };
        let before = stored.map(|stored| stored.view(view.id)).transpose()?;
        let savepoint = self.batch.savepoint();
        if let Some(refusal) = self.move_entries(collection, before.as_ref(), Some(&view), now)? {
            // The rest of the command is still checked, and must not find entries of this document.
            self.batch.rollback(savepoint);
            return Ok(Err(refusal));
        }
        let mut head = Vec::with_capacity(Header::LENGTH_MAX);
        header.encode_into(&mut head);
        self.batch.put_parts(DOCUMENTS, key, &[&head, fields.as_encoded()]);
        if stored.is_none() {
            self.note_integer(place)?;
        }
        self.move_expiry(key, stored.and_then(|stored| stored.header.expires), header.expires);
        self.move_lease(key, stored.and_then(|stored| stored.header.lease), lease, fields)?;
        self.forget_unfit(collection, key)?;
        if self.changes.is_some() {
            let has_ended = stored.is_some_and(|stored| is_lease_over(&stored.header, now));
            let cause = match lease {
                NewLease::End if has_ended => Cause::LeaseEnded,
                _ => Cause::Written,
            };
            let before = stored.map(|stored| &*stored.record);
            let after = [&head, fields.as_encoded()].concat();
            let records = [before, Some(&after[..])];
            self.note_document(collection, place.id()?, header.version, records, cause)?;
        }
        let length = head.len() + fields.as_encoded().len();
        self.count_put(place, stored, header.version, length as u64);
        Ok(Ok(header.version))
    }

    /// Deletes the record of a document, and nothing that belongs to it. Nothing else deletes a record.
    fn delete_record(&mut self, key: &[u8]) {
        self.batch.delete(DOCUMENTS, key);
    }

    /// Removes a document of a dropped collection, and its keys in the orders of time. It is removed even
    /// if its header cannot be read; keys in those orders without a document are removed when they are due.
    pub(super) fn remove_leftover(&mut self, key: &[u8]) -> Result<()> {
        let Some(record) = self.get(DOCUMENTS, key)? else { return Ok(()) };
        if let Ok((header, _)) = Header::decode(&record) {
            if let Some(time) = header.expires {
                self.batch.delete(SYSTEM, &keys::timed(keys::EXPIRY, time, key));
            }
            if let Some(time) = header.lease {
                self.batch.delete(SYSTEM, &keys::timed(keys::LEASE_END, time, key));
            }
        }
        for kind in [keys::LEASE, keys::UNFIT] {
            self.batch.delete(SYSTEM, &keys::of_document(kind, key));
        }
        self.delete_record(key);
        Ok(())
    }

    fn count_put(
        &mut self,
        place: &Address<'_>,
        stored: Option<&Stored>,
        version: u64,
        bytes: u64,
    ) {
        let id_length = place.key.len() - size_of::<keys::CollectionNumber>();
        let collection = self.change_documents(place.collection).expect("it was found");
        let totals = &mut collection.totals;
        totals.writes += 1;
        totals.version_max = totals.version_max.max(version);
        totals.bytes += bytes;
        match stored {
            Some(stored) => totals.bytes -= stored.record.len() as u64,
            None => {
                totals.count += 1;
                totals.bytes += id_length as u64;
            }
        }
    }

    /// Removes a document, and everything that belongs to it, and leaves a tombstone. Returns the version
    /// of the tombstone.
    pub(super) fn remove_document(
        &mut self,
        collection: &CollectionName,
        key: &[u8],
        record: &[u8],
        now: Time,
    ) -> Result<u64> {
        let view = DocumentView::decode(id_of(key)?, record)?;
        let version = view.header.version + 1;
        self.move_entries(collection, Some(&view), None, now)?;
        self.delete_record(key);
        self.move_expiry(key, view.header.expires, None);
        self.move_lease(key, view.header.lease, &NewLease::End, view.fields)?;
        self.forget_unfit(collection, key)?;
        let cause = if is_expired(&view.header, now) { Cause::Expired } else { Cause::Written };
        self.note_document(collection, view.id, version, [Some(record), None], cause)?;
        let tombstone = Tombstone { version, deleted: now };
        self.batch.put(SYSTEM, &keys::of_document(keys::TOMBSTONE, key), &tombstone.encode());
        self.put_in_list(&keys::timed(keys::TOMBSTONE_AGE, now, key), &[]);
        let id_length = key.len() - size_of::<keys::CollectionNumber>();
        let totals = &mut self.change_documents(collection).expect("it was found").totals;
        totals.writes += 1;
        totals.count -= 1;
        totals.bytes -= (record.len() + id_length) as u64;
        totals.tombstones += 1;
        totals.version_max = totals.version_max.max(version);
        Ok(version)
    }

    /// The last version of a document that does not exist. Removes its tombstone.
    fn take_last_version(&mut self, collection: &CollectionName, key: &[u8]) -> Result<u64> {
        let totals = self.change_collection(collection).expect("it was found").totals;
        if totals.tombstones > 0 {
            let tombstone_key = keys::of_document(keys::TOMBSTONE, key);
            if let Some(bytes) = self.get(SYSTEM, &tombstone_key)? {
                let tombstone =
                    Tombstone::decode(&bytes).ok_or_else(|| keys::corrupt(&tombstone_key))?;
                self.forget_tombstone(Some(collection), key, tombstone.deleted);
                return Ok(tombstone.version);
            }
        }
        Ok(totals.version_floor)
    }

    /// Removes a tombstone.
    pub(super) fn forget_tombstone(
        &mut self,
        collection: Option<&CollectionName>,
        key: &[u8],
        deleted: Time,
    ) {
        self.batch.delete(SYSTEM, &keys::of_document(keys::TOMBSTONE, key));
        self.batch.delete(SYSTEM, &keys::timed(keys::TOMBSTONE_AGE, deleted, key));
        if let Some(collection) = collection
            && let Some(collection) = self.change_collection(collection)
        {
            collection.totals.tombstones -= 1;
        }
    }

    fn move_expiry(&mut self, key: &[u8], before: Option<Time>, after: Option<Time>) {
        if before == after {
            return;
        }
        if let Some(time) = before {
            self.batch.delete(SYSTEM, &keys::timed(keys::EXPIRY, time, key));
        }
        if let Some(time) = after {
            self.put_in_list(&keys::timed(keys::EXPIRY, time, key), &[]);
            self.is_due_at(time);
        }
    }

    fn move_lease(
        &mut self,
        key: &[u8],
        before: Option<Time>,
        new: &NewLease<'_>,
        fields: RawObject<'_>,
    ) -> Result<()> {
        let lease_key = || keys::of_document(keys::LEASE, key);
        let until = match (new, before) {
            (NewLease::Keep, _) | (NewLease::End | NewLease::Until(_), None) => return Ok(()),
            (NewLease::End, Some(_)) => {
                self.batch.delete(SYSTEM, &lease_key());
                None
            }
            (NewLease::Until(time), Some(_)) => Some(*time),
            (NewLease::Set { until, release, set, values }, _) => {
                let set: Vec<Path> = set.iter().copied().cloned().collect();
                let values = match values {
                    Some(values) => *values,
                    None => hash_of_values(&set, fields)?,
                };
                let record = LeaseRecord::new((*release).clone(), set, values);
                self.batch.put(SYSTEM, &lease_key(), &record.encode()?);
                Some(*until)
            }
        };
        if let Some(time) = before {
            self.batch.delete(SYSTEM, &keys::timed(keys::LEASE_END, time, key));
        }
        if let Some(time) = until {
            self.put_in_list(&keys::timed(keys::LEASE_END, time, key), &[]);
            self.is_due_at(time);
        }
        Ok(())
    }

    /// The stored record of the lease on a document.
    pub(super) fn lease_of(&self, key: &[u8]) -> Result<LeaseRecord> {
        let lease_key = keys::of_document(keys::LEASE, key);
        let bytes = self.get(SYSTEM, &lease_key)?.ok_or_else(|| keys::corrupt(&lease_key))?;
        LeaseRecord::decode(&bytes).ok_or_else(|| keys::corrupt(&lease_key))
    }

    /// Adds a key to one of the work lists of maintenance.
    pub(super) fn put_in_list(&mut self, key: &Key, value: &[u8]) {
        self.batch.put(SYSTEM, key, value);
        self.fronts.add(key);
    }

    /// Records that something is due at this time.
    pub(super) fn is_due_at(&mut self, time: Time) {
        self.due_next = Some(self.due_next.map_or(time, |next| next.min(time)));
    }
}

/// The end of the lease on a document that is written.
fn new_lease(new: &NewLease<'_>, stored: Option<&Stored>) -> Option<Time> {
    let before = stored.and_then(|stored| stored.header.lease);
    match new {
        NewLease::Keep => before,
        NewLease::Set { until, .. } => Some(*until),
        NewLease::Until(time) => before.map(|_| *time),
        NewLease::End => None,
    }
}

fn is_lease_over(header: &Header, now: Time) -> bool {
    header.lease.is_some_and(|end| end <= now)
}

pub(super) fn is_expired(header: &Header, now: Time) -> bool {
    header.expires.is_some_and(|expires| expires <= now)
}

/// Distinguishes an invalid document, which is refused, from a failure to read one, which is an error.
pub(super) fn refusable<T>(
    result: Result<T>,
) -> Result<std::result::Result<T, velocitydb_core::Error>> {
    match result {
        Err(Error::Invalid(error)) => Ok(Err(error)),
        result => result.map(Ok),
    }
}

fn id_of(key: &[u8]) -> Result<IdRef<'_>> {
    let (_, id) = keys::split_document(key).ok_or_else(|| Error::Corrupt {
        place: format!("document key {}", key.escape_ascii()),
        what: "an invalid id".to_owned(),
    })?;
    Ok(id)
}
