//! Applying: conditional writes of documents.
//!
//! Every change of a document, whatever asked for it, goes through [`Machine::put_document`] or
//! [`Machine::remove_document`]: they keep the totals, the tombstones and the order of expiry, and
//! are where indexes, validation and change capture belong.

use velocitydb_core::{
    Action, Check, CollectionName, CollectionOptions, Condition, Encoded, Expiry, Header,
    Operation, Outcome, RawObject, Refusal, Time, Update, Write,
};
use velocitydb_storage::Blob;

use super::{Machine, Reply};
use crate::Result;
use crate::catalog::{Tombstone, corrupt};
use crate::keys::{self, DOCUMENTS, Key, SYSTEM};

/// A document as it is stored now.
struct Stored {
    record: Blob,
    header: Header,
    fields_start: usize,
}

impl Stored {
    fn read(record: Blob) -> Result<Self> {
        let (header, fields_start) = Header::decode(&record)?;
        Ok(Stored { record, header, fields_start })
    }

    fn fields(&self) -> Result<RawObject<'_>> {
        Ok(RawObject::new(&self.record[self.fields_start..])?)
    }
}

/// Where a document is.
struct Place<'a> {
    collection: &'a CollectionName,
    key: Key,
}

impl Machine {
    pub(super) fn write(&mut self, now: Time, write: &Write) -> Result<Reply> {
        for check in &write.checks {
            if !self.holds(check, now)? {
                return Err(crate::Error::Conflict);
            }
        }
        let mut reply = Reply::default();
        for operation in &write.operations {
            let (outcome, current) = self.operate(now, operation)?;
            reply.outcomes.push(outcome);
            reply.current = current;
        }
        if write.operations.len() != 1 {
            reply.current = None;
        }
        if reply.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_))) {
            for outcome in &mut reply.outcomes {
                if !matches!(outcome, Outcome::Refused(_)) {
                    *outcome = Outcome::Abandoned;
                }
            }
        }
        Ok(reply)
    }

    fn holds(&self, check: &Check, now: Time) -> Result<bool> {
        match check {
            Check::Collection { collection, index } => {
                let found = self.catalog.collections.get(collection);
                Ok(found.map_or(0, |found| found.totals.index) == *index)
            }
            Check::Document { collection, id, version } => {
                let Some(found) = self.catalog.collections.get(collection) else {
                    return Ok(*version == 0);
                };
                let key = keys::document(found.number, id.as_str());
                let Some(record) = self.get(DOCUMENTS, &key)? else { return Ok(*version == 0) };
                let (header, _) = Header::decode(&record)?;
                let found = if is_expired(&header, now) { 0 } else { header.version };
                Ok(found == *version)
            }
        }
    }

    /// Applies one operation. Returns what became of it and, when it had a condition, the stored
    /// document as it is afterwards.
    fn operate(&mut self, now: Time, operation: &Operation) -> Result<(Outcome, Option<Blob>)> {
        let collection = &operation.collection;
        let is_creating = matches!(operation.action, Action::Insert(_) | Action::Upsert(_));
        if is_creating && !self.catalog.collections.contains_key(collection) {
            self.make_collection(collection, &CollectionOptions::default())?;
        }
        let number = self.catalog.collections.get(collection).map(|found| found.number);
        let place = number
            .map(|number| Place { collection, key: keys::document(number, operation.id.as_str()) });
        let stored = match &place {
            Some(place) => self.live_document(place, now)?,
            None => None,
        };
        let outcome = match refusal(&operation.condition, stored.as_ref())? {
            Some(refusal) => Outcome::Refused(refusal),
            None => self.act(now, operation, place.as_ref(), stored.as_ref())?,
        };
        if operation.condition == Condition::Always {
            return Ok((outcome, None));
        }
        let current = match (&outcome, &place) {
            (Outcome::Applied { .. }, Some(place)) => self.get(DOCUMENTS, &place.key)?,
            _ => stored.map(|stored| stored.record),
        };
        Ok((outcome, current))
    }

    /// The document at `place`. One whose time is over expires here and now.
    fn live_document(&mut self, place: &Place<'_>, now: Time) -> Result<Option<Stored>> {
        let Some(record) = self.get(DOCUMENTS, &place.key)? else { return Ok(None) };
        let stored = Stored::read(record)?;
        if is_expired(&stored.header, now) {
            self.remove_document(place.collection, &place.key, &stored.record, now)?;
            return Ok(None);
        }
        Ok(Some(stored))
    }

    fn act(
        &mut self,
        now: Time,
        operation: &Operation,
        place: Option<&Place<'_>>,
        stored: Option<&Stored>,
    ) -> Result<Outcome> {
        let version = stored.map_or(0, |stored| stored.header.version);
        let updated;
        let fields = match (&operation.action, stored) {
            (Action::Insert(_), Some(_)) => {
                return Ok(Outcome::Refused(Refusal::Exists { version }));
            }
            (Action::Replace(_) | Action::Update(_), None) => {
                return Ok(Outcome::Refused(Refusal::Missing));
            }
            (Action::Compare, _) | (Action::Delete, None) => return Ok(Outcome::Held { version }),
            (Action::Delete, Some(stored)) => {
                let place = place.expect("a stored document has a place");
                let version =
                    self.remove_document(place.collection, &place.key, &stored.record, now)?;
                return Ok(Outcome::Applied { version, existed: true });
            }
            (Action::Update(update), Some(stored)) => match updated_fields(update, stored, now)? {
                Ok(fields) => {
                    updated = fields;
                    &updated
                }
                Err(error) => return Ok(Outcome::Refused(Refusal::Update(error))),
            },
            (Action::Insert(fields) | Action::Replace(fields) | Action::Upsert(fields), _) => {
                fields
            }
        };
        let place = place.expect("the collection of a write exists by now");
        let expires = match (operation.expiry, &operation.action) {
            (Expiry::At(time), _) => Some(time),
            (Expiry::Keep, Action::Update(_)) => stored.and_then(|stored| stored.header.expires),
            (Expiry::Keep | Expiry::Never, _) => None,
        };
        let version = self.put_document(place, stored, fields, expires, now)?;
        Ok(Outcome::Applied { version, existed: stored.is_some() })
    }

    /// Writes a document, and all that hangs on it. Returns its new version.
    fn put_document(
        &mut self,
        place: &Place<'_>,
        stored: Option<&Stored>,
        fields: &Encoded,
        expires: Option<Time>,
        now: Time,
    ) -> Result<u64> {
        let Place { collection, key } = place;
        let header = match stored {
            Some(stored) => Header {
                version: stored.header.version + 1,
                created: stored.header.created,
                modified: now.max(stored.header.modified),
                expires,
            },
            None => {
                let version = self.take_last_version(collection, key)? + 1;
                Header { version, created: now, modified: now, expires }
            }
        };
        let mut head = Vec::with_capacity(Header::LENGTH_MAX);
        header.encode_into(&mut head);
        let fields = fields.as_bytes();
        self.batch.put_parts(DOCUMENTS, key, &[&head, fields]);
        self.move_expiry(key, stored.and_then(|stored| stored.header.expires), expires);
        let id_length = key.len() - size_of::<keys::CollectionNumber>();
        let totals = &mut self.change_collection(collection).expect("it was found").totals;
        totals.writes += 1;
        totals.version_max = totals.version_max.max(header.version);
        totals.bytes += (head.len() + fields.len()) as u64;
        match stored {
            Some(stored) => totals.bytes -= stored.record.len() as u64,
            None => {
                totals.count += 1;
                totals.bytes += id_length as u64;
            }
        }
        Ok(header.version)
    }

    /// Removes a document, and all that hangs on it, and leaves a tombstone. Returns the version
    /// of the tombstone.
    pub(super) fn remove_document(
        &mut self,
        collection: &CollectionName,
        key: &[u8],
        record: &[u8],
        now: Time,
    ) -> Result<u64> {
        let (header, _) = Header::decode(record)?;
        let version = header.version + 1;
        self.batch.delete(DOCUMENTS, key);
        self.move_expiry(key, header.expires, None);
        let tombstone = Tombstone { version, deleted: now };
        self.batch.put(SYSTEM, &keys::of_document(keys::TOMBSTONE, key), &tombstone.encode());
        self.batch.put(SYSTEM, &keys::timed(keys::TOMBSTONE_AGE, now, key), &[]);
        let id_length = key.len() - size_of::<keys::CollectionNumber>();
        let totals = &mut self.change_collection(collection).expect("it was found").totals;
        totals.writes += 1;
        totals.count -= 1;
        totals.bytes -= (record.len() + id_length) as u64;
        totals.tombstones += 1;
        totals.version_max = totals.version_max.max(version);
        Ok(version)
    }

    /// The last version that a document that does not exist has had; its tombstone goes.
    fn take_last_version(&mut self, collection: &CollectionName, key: &[u8]) -> Result<u64> {
        let totals = self.change_collection(collection).expect("it was found").totals;
        if totals.tombstones > 0 {
            let tombstone_key = keys::of_document(keys::TOMBSTONE, key);
            if let Some(bytes) = self.get(SYSTEM, &tombstone_key)? {
                let tombstone = Tombstone::decode(&bytes).ok_or_else(|| corrupt(&tombstone_key))?;
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
            self.batch.put(SYSTEM, &keys::timed(keys::EXPIRY, time, key), &[]);
            self.expiry_next = Some(self.expiry_next.map_or(time, |next| next.min(time)));
        }
    }
}

fn is_expired(header: &Header, now: Time) -> bool {
    header.expires.is_some_and(|expires| expires <= now)
}

/// Why `condition` does not hold; `None` when it does.
fn refusal(condition: &Condition, stored: Option<&Stored>) -> Result<Option<Refusal>> {
    let Some(stored) = stored else {
        return Ok(match condition {
            Condition::Always | Condition::Absent => None,
            Condition::Version(_) => Some(Refusal::Version { found: 0 }),
            Condition::Document(_) | Condition::Fields(_) => Some(Refusal::Missing),
        });
    };
    let version = stored.header.version;
    Ok(match condition {
        Condition::Always => None,
        Condition::Absent => Some(Refusal::Exists { version }),
        Condition::Version(expected) => {
            (*expected != version).then_some(Refusal::Version { found: version })
        }
        Condition::Document(expected) => {
            let is_equal = stored.fields()?.as_value().compare(expected.view().as_value())?.is_eq();
            (!is_equal).then_some(Refusal::Content { path: None, version })
        }
        Condition::Fields(expected) => {
            let fields = stored.fields()?;
            for (path, value) in expected {
                let is_equal = match (fields.get_path(path)?, value) {
                    (Some(found), Some(value)) => found.compare_value(value)?.is_eq(),
                    (None, None) => true,
                    _ => false,
                };
                if !is_equal {
                    return Ok(Some(Refusal::Content { path: Some(path.clone()), version }));
                }
            }
            None
        }
    })
}

/// The fields of `stored` after `update`; the inner error is the update's own.
fn updated_fields(
    update: &Update,
    stored: &Stored,
    now: Time,
) -> Result<std::result::Result<Encoded, velocitydb_core::Error>> {
    match update.apply_encoded(stored.fields()?, now) {
        Err(error @ velocitydb_core::Error::Corrupt { .. }) => Err(error.into()),
        updated => Ok(updated),
    }
}
