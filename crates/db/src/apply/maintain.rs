//! Applying: what time makes due.
//!
//! Expired documents become tombstones, old tombstones and request ids are forgotten, and what
//! dropped collections left behind is removed, a bounded number of keys in one command. It reads
//! ranges of the committed state, so it is applied on an empty batch.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use velocitydb_core::{CollectionName, Header, Maintain, Time};
use velocitydb_storage::{Bounds, Direction, Snapshot};

use super::{Machine, Reply};
use crate::Result;
use crate::catalog::{Tombstone, corrupt};
use crate::keys::{self, CollectionNumber, DOCUMENTS, Key, SYSTEM};

/// One step of maintenance: what it reads, and how much it may still do.
struct Step {
    snapshot: Arc<dyn Snapshot>,
    names: HashMap<CollectionNumber, CollectionName>,
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
        let collections = self.catalog.collections.iter();
        let mut step = Step {
            snapshot: self.engine.snapshot()?,
            names: collections.map(|(name, one)| (one.number, name.clone())).collect(),
            budget: maintain.count_max as usize,
        };
        self.expire(&mut step, now)?;
        self.forget_tombstones(&mut step, maintain.forget_deleted_before)?;
        self.forget_dropped_names(&mut step, maintain.forget_deleted_before)?;
        self.purge_dropped(&mut step)?;
        while step.budget > 0 && self.forget_request_before(maintain.forget_requests_before)? {
            step.spend(1);
        }
        if !self.batch.is_empty() {
            // Most of this shows in the totals of no collection, and has its place in the order of
            // commands nevertheless.
            self.change_system();
        }
        Ok(Reply { has_more: step.budget == 0, ..Reply::default() })
    }

    /// When the first document expires.
    pub(super) fn first_expiry(snapshot: &dyn Snapshot) -> Result<Option<Time>> {
        let start = [keys::EXPIRY];
        let end = keys::end_of(&start);
        let bounds = Bounds { start: &start, end: end.as_deref() };
        let first = scan_keys(snapshot, SYSTEM, bounds, 1)?;
        Ok(first.first().and_then(|key| keys::split_timed(key)).map(|(time, _)| time))
    }

    fn expire(&mut self, step: &mut Step, now: Time) -> Result<()> {
        if self.expiry_next.is_none_or(|next| next > now) {
            return Ok(());
        }
        let end = keys::timed_after(keys::EXPIRY, now);
        let due = step.keys(&[keys::EXPIRY], Some(&end))?;
        step.spend(due.len());
        for key in &due {
            let (_, document) = keys::split_timed(key).ok_or_else(|| corrupt(key))?;
            let (number, _) = keys::split_document(document).ok_or_else(|| corrupt(key))?;
            match (step.names.get(&number), self.get(DOCUMENTS, document)?) {
                (Some(name), Some(record)) => {
                    self.remove_document(name, document, &record, now)?;
                }
                _ => {
                    // Its collection was dropped, and it would have gone with the rest of that.
                    self.batch.delete(DOCUMENTS, document);
                    self.batch.delete(SYSTEM, key);
                }
            }
        }
        let rest = Bounds { start: &end, end: Some(&[keys::EXPIRY + 1]) };
        let is_more_due = step.budget == 0;
        let first_left = scan_keys(&*step.snapshot, SYSTEM, rest, 1)?;
        let first_left = first_left.first().and_then(|key| keys::split_timed(key));
        self.expiry_next = if is_more_due { Some(now) } else { first_left.map(|(time, _)| time) };
        Ok(())
    }

    fn forget_tombstones(&mut self, step: &mut Step, before: Time) -> Result<()> {
        let end = keys::timed(keys::TOMBSTONE_AGE, before, &[]);
        let due = step.keys(&[keys::TOMBSTONE_AGE], Some(&end))?;
        step.spend(due.len());
        for key in &due {
            let (deleted, document) = keys::split_timed(key).ok_or_else(|| corrupt(key))?;
            let (number, _) = keys::split_document(document).ok_or_else(|| corrupt(key))?;
            self.forget_tombstone(step.names.get(&number), document, deleted);
        }
        Ok(())
    }

    fn forget_dropped_names(&mut self, step: &mut Step, before: Time) -> Result<()> {
        for key in step.keys(&[keys::DROPPED], Some(&[keys::DROPPED + 1]))? {
            let Some(bytes) = self.get(SYSTEM, &key)? else { continue };
            let dropped = Tombstone::decode(&bytes).ok_or_else(|| corrupt(&key))?;
            if dropped.deleted < before {
                self.batch.delete(SYSTEM, &key);
                step.spend(1);
            }
        }
        Ok(())
    }

    /// Removes what dropped collections left: documents with their places in the order of expiry,
    /// then tombstones. Tombstones that are in the batch already are no harm: a delete of what
    /// does not exist changes nothing.
    fn purge_dropped(&mut self, step: &mut Step) -> Result<()> {
        for key in step.keys(&[keys::PURGE], Some(&[keys::PURGE + 1]))? {
            let prefix = key.get(1..).ok_or_else(|| corrupt(&key))?;
            let end = keys::end_of(prefix);
            let bounds = Bounds { start: prefix, end: end.as_deref() };
            let documents = scan_keys(&*step.snapshot, DOCUMENTS, bounds, step.budget)?;
            step.spend(documents.len());
            for document in &documents {
                if let Some(record) = self.get(DOCUMENTS, document)? {
                    if let (Header { expires: Some(time), .. }, _) = Header::decode(&record)? {
                        self.batch.delete(SYSTEM, &keys::timed(keys::EXPIRY, time, document));
                    }
                    self.batch.delete(DOCUMENTS, document);
                }
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
        }
        Ok(())
    }
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
