//! Applying: what time makes due.
//!
//! Expired documents become tombstones, leases that are over end, old tombstones and request ids are forgotten, and what
//! dropped collections and indexes left behind is removed, a bounded number of keys in one command. It reads
//! ranges of the committed state, so it is applied on an empty batch.

use std::ops::ControlFlow;
use std::sync::Arc;

use velocitydb_core::{Action, Expiry, Header, Maintain, Outcome, Time};
use velocitydb_storage::{Bounds, Direction, Snapshot};

use super::documents::{Place, Stored};
use super::write::Asked;
use super::{Machine, Reply};
use crate::Result;
use crate::catalog::{Collection, Tombstone, corrupt};
use crate::keys::{self, CollectionNumber, DOCUMENTS, INDEXES, IndexNumber, Key, SYSTEM};

/// Up to where the lists that maintenance works off have nothing left. A store keeps deleted keys for
/// a while, and so a list is not looked at from its beginning each time. This is no part of the state:
/// without it, the same is found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fronts {
    /// No collection before this number is still to be removed.
    pub(super) purge: CollectionNumber,
    /// No index before this number is.
    pub(super) index_purge: IndexNumber,
    /// No tombstone is older.
    pub(super) tombstones: Time,
    /// No dropped name is older.
    pub(super) dropped: Time,
}

impl Default for Fronts {
    fn default() -> Self {
        Fronts { purge: 0, index_purge: 0, tombstones: Time::MIN, dropped: Time::MIN }
    }
}

/// One step of maintenance: what it reads, and how much it may still do.
struct Step {
    snapshot: Arc<dyn Snapshot>,
    budget: usize,
}

impl Step {
    /// The first keys of the system keyspace from `start` to `end`, as many as the budget allows.
    fn keys(&self, start: &[u8], end: Option<&[u8]>) -> Result<Vec<Key>> {
        scan_keys(&*self.snapshot, SYSTEM, Bounds { start, end }, self.budget)
    }

    fn spend(&mut self, count: usize) {
        self.budget = self.budget.saturating_sub(count);
    }
}

impl Machine {
    pub(super) fn maintain(&mut self, now: Time, maintain: &Maintain) -> Result<Reply> {
        debug_assert!(self.batch.is_empty(), "maintenance scans the committed state");
        let budget = maintain.count_max as usize;
        let mut step = Step { snapshot: self.engine.snapshot()?, budget };
        self.do_what_is_due(&mut step, now)?;
        self.forget_tombstones(&mut step, maintain.forget_deleted_before)?;
        self.forget_dropped_names(&mut step, maintain.forget_deleted_before)?;
        self.purge_dropped(&mut step)?;
        self.purge_indexes(&mut step)?;
        while step.budget > 0 && self.forget_request_before(maintain.forget_requests_before)? {
            step.spend(1);
        }
        Ok(Reply { has_more: step.budget == 0, ..Reply::default() })
    }

    /// When the first document or lease expires.
    pub(super) fn first_due(snapshot: &dyn Snapshot) -> Result<Option<Time>> {
        let mut first = None;
        for kind in [keys::EXPIRY, keys::LEASE_END] {
            let next = first_timed(snapshot, &[kind], kind)?;
            first = [first, next].into_iter().flatten().min();
        }
        Ok(first)
    }

    /// Expires documents and leases.
    fn do_what_is_due(&mut self, step: &mut Step, now: Time) -> Result<()> {
        if self.due_next.is_none_or(|next| next > now) {
            return Ok(());
        }
        let after = |kind| keys::timed_after(kind, now);
        let due = step.keys(&[keys::EXPIRY], Some(&after(keys::EXPIRY)))?;
        step.spend(due.len());
        for key in &due {
            self.expire(key, now)?;
        }
        let due = step.keys(&[keys::LEASE_END], Some(&after(keys::LEASE_END)))?;
        step.spend(due.len());
        // What was put meanwhile, by the end of a lease, counts too.
        self.due_next = None;
        for key in &due {
            self.end_lease(key, now)?;
        }
        for kind in [keys::EXPIRY, keys::LEASE_END] {
            let next = first_timed(&*step.snapshot, &after(kind), kind)?;
            self.due_next = [self.due_next, next].into_iter().flatten().min();
        }
        if step.budget == 0 {
            self.due_next = Some(now);
        }
        Ok(())
    }

    fn expire(&mut self, key: &[u8], now: Time) -> Result<()> {
        let (_, document) = keys::split_timed(key).ok_or_else(|| corrupt(key))?;
        let (number, _) = keys::split_document(document).ok_or_else(|| corrupt(key))?;
        match (self.catalog.name_of(number).cloned(), self.get(DOCUMENTS, document)?) {
            (Some(name), Some(record)) => {
                self.remove_document(&name, document, &record, now)?;
            }
            _ => {
                // Its collection was dropped, and it would have gone with the rest of that.
                self.remove_leftover(document)?;
                self.batch.delete(SYSTEM, key);
            }
        }
        Ok(())
    }

    /// Does to a document what its lease holds for this end. Where that is not possible any more,
    /// the lease ends all the same.
    fn end_lease(&mut self, key: &[u8], now: Time) -> Result<()> {
        let (time, document) = keys::split_timed(key).ok_or_else(|| corrupt(key))?;
        let (number, _) = keys::split_document(document).ok_or_else(|| corrupt(key))?;
        let record = self.get(DOCUMENTS, document)?;
        let (Some(name), Some(record)) = (self.catalog.name_of(number).cloned(), record) else {
            self.batch.delete(SYSTEM, key);
            return Ok(());
        };
        let stored = Stored::read(record)?;
        if stored.header.lease != Some(time) {
            return Ok(());
        }
        let place = Place { collection: &name, key: Key::from_slice(document) };
        let before = Collection::clone(&self.catalog.collections[&name]);
        let savepoint = self.batch.savepoint();
        let asked = Asked { action: &Action::Release, expiry: Expiry::Keep, lease: None };
        let outcome = self.act(now, &asked, Some(&place), Some(&stored))?;
        if matches!(outcome, Outcome::Refused(_)) {
            self.batch.rollback(savepoint);
            *self.change_collection(&name).expect("it was found") = before;
            self.batch.delete(SYSTEM, &keys::of_document(keys::LEASE, document));
            self.batch.delete(SYSTEM, key);
            self.forget_lease(&place, &stored)?;
        }
        Ok(())
    }

    /// Takes the lease out of the header of a document.
    fn forget_lease(&mut self, place: &Place<'_>, stored: &Stored) -> Result<()> {
        let header = Header { version: stored.header.version + 1, lease: None, ..stored.header };
        let mut head = Vec::with_capacity(Header::LENGTH_MAX);
        header.encode_into(&mut head);
        let fields = stored.fields()?.as_encoded();
        self.batch.put_parts(DOCUMENTS, &place.key, &[&head, fields]);
        let bytes = (head.len() + fields.len()) as u64;
        self.count_put(place, Some(stored), header.version, bytes);
        Ok(())
    }

    fn forget_tombstones(&mut self, step: &mut Step, before: Time) -> Result<()> {
        let start = keys::timed(keys::TOMBSTONE_AGE, self.fronts.tombstones, &[]);
        let end = keys::timed(keys::TOMBSTONE_AGE, before, &[]);
        let due = step.keys(&start, Some(&end))?;
        step.spend(due.len());
        for key in &due {
            let (deleted, document) = keys::split_timed(key).ok_or_else(|| corrupt(key))?;
            let (number, _) = keys::split_document(document).ok_or_else(|| corrupt(key))?;
            let name = self.catalog.name_of(number).cloned();
            self.forget_tombstone(name.as_ref(), document, deleted);
        }
        self.fronts.tombstones = front(&due, step, before, self.fronts.tombstones);
        Ok(())
    }

    fn forget_dropped_names(&mut self, step: &mut Step, before: Time) -> Result<()> {
        let start = keys::timed(keys::DROPPED_AGE, self.fronts.dropped, &[]);
        let end = keys::timed(keys::DROPPED_AGE, before, &[]);
        let due = step.keys(&start, Some(&end))?;
        step.spend(due.len());
        for key in &due {
            let (_, name) = keys::split_timed(key).ok_or_else(|| corrupt(key))?;
            self.batch.delete(SYSTEM, &keys::of_document(keys::DROPPED, name));
            self.batch.delete(SYSTEM, key);
        }
        self.fronts.dropped = front(&due, step, before, self.fronts.dropped);
        Ok(())
    }

    /// Removes what dropped collections left: documents with their places in the order of expiry,
    /// then tombstones. Tombstones that are in the batch already are no harm: a delete of what
    /// does not exist changes nothing.
    fn purge_dropped(&mut self, step: &mut Step) -> Result<()> {
        let start = keys::numbered(keys::PURGE, self.fronts.purge);
        for key in step.keys(&start, Some(&[keys::PURGE + 1]))? {
            let prefix = key.get(1..).ok_or_else(|| corrupt(&key))?;
            let end = keys::end_of(prefix);
            let bounds = Bounds { start: prefix, end: end.as_deref() };
            let documents = scan_keys(&*step.snapshot, DOCUMENTS, bounds, step.budget)?;
            step.spend(documents.len());
            for document in &documents {
                self.remove_leftover(document)?;
            }
            let start = keys::of_document(keys::TOMBSTONE, prefix);
            let end = keys::end_of(&start);
            let tombstones = step.keys(&start, end.as_deref())?;
            step.spend(tombstones.len());
            for tombstone_key in &tombstones {
                if let Some(bytes) = self.get(SYSTEM, tombstone_key)? {
                    let tombstone =
                        Tombstone::decode(&bytes).ok_or_else(|| corrupt(tombstone_key))?;
                    self.forget_tombstone(None, &tombstone_key[1..], tombstone.deleted);
                }
            }
            if step.budget == 0 {
                return Ok(());
            }
            self.batch.delete(SYSTEM, &key);
            step.spend(1);
            self.fronts.purge = numbered_after(prefix).ok_or_else(|| corrupt(&key))?;
        }
        Ok(())
    }

    /// Removes a document of a dropped collection, with its places in the orders of time.
    fn remove_leftover(&mut self, document: &[u8]) -> Result<()> {
        let Some(record) = self.get(DOCUMENTS, document)? else { return Ok(()) };
        let (header, _) = Header::decode(&record)?;
        if let Some(time) = header.expires {
            self.batch.delete(SYSTEM, &keys::timed(keys::EXPIRY, time, document));
        }
        if let Some(time) = header.lease {
            self.batch.delete(SYSTEM, &keys::timed(keys::LEASE_END, time, document));
            self.batch.delete(SYSTEM, &keys::of_document(keys::LEASE, document));
        }
        self.batch.delete(DOCUMENTS, document);
        Ok(())
    }

    /// Removes the entries of indexes that were dropped.
    fn purge_indexes(&mut self, step: &mut Step) -> Result<()> {
        let start = keys::numbered(keys::INDEX_PURGE, self.fronts.index_purge);
        for key in step.keys(&start, Some(&[keys::INDEX_PURGE + 1]))? {
            let prefix = key.get(1..).ok_or_else(|| corrupt(&key))?;
            let end = keys::end_of(prefix);
            let bounds = Bounds { start: prefix, end: end.as_deref() };
            let entries = scan_keys(&*step.snapshot, INDEXES, bounds, step.budget)?;
            step.spend(entries.len());
            entries.iter().for_each(|entry| self.batch.delete(INDEXES, entry));
            if step.budget == 0 {
                return Ok(());
            }
            self.batch.delete(SYSTEM, &key);
            step.spend(1);
            self.fronts.index_purge = numbered_after(prefix).ok_or_else(|| corrupt(&key))?;
        }
        Ok(())
    }
}

/// Up to where a list in the order of time has nothing left, after those that were `due` before a
/// time have been done.
fn front(due: &[Key], step: &Step, before: Time, front: Time) -> Time {
    match due.last().and_then(|key| keys::split_timed(key)) {
        // There may be more of the same time.
        Some((time, _)) if step.budget == 0 => time,
        None if step.budget == 0 => front,
        _ => front.max(before),
    }
}

/// The number after the one that a key ends in.
fn numbered_after(number: &[u8]) -> Option<u32> {
    number.try_into().ok().map(|number| u32::from_be_bytes(number).saturating_add(1))
}

/// The time of the first key from `start` on of a kind that is in the order of time.
fn first_timed(snapshot: &dyn Snapshot, start: &[u8], kind: u8) -> Result<Option<Time>> {
    let bounds = Bounds { start, end: Some(&[kind + 1]) };
    let first = scan_keys(snapshot, SYSTEM, bounds, 1)?;
    Ok(first.first().and_then(|key| keys::split_timed(key)).map(|(time, _)| time))
}

fn scan_keys(
    snapshot: &dyn Snapshot,
    keyspace: velocitydb_storage::Keyspace,
    bounds: Bounds<'_>,
    count_max: usize,
) -> Result<Vec<Key>> {
    let mut found = Vec::new();
    if count_max == 0 {
        return Ok(found);
    }
    snapshot.scan(keyspace, bounds, Direction::Forward, &mut |key, _| {
        found.push(Key::from_slice(key));
        if found.len() < count_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(found)
}
