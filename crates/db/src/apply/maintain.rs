//! Applying: what time makes due, and what is left to be removed.
//!
//! Expired documents become tombstones, leases that are over end, old tombstones and request ids are
//! forgotten, and what dropped collections and indexes left behind is removed, a bounded number of
//! keys in one command.
//!
//! None of these waits for another: one that cannot be done is rolled back and reported, and of what
//! is due by itself (a document, a lease) the rest is done all the same.

use std::ops::ControlFlow;

use velocitydb_core::{Maintain, MaintainScope, Time};
use velocitydb_storage::{Bounds, Direction, Keyspace, Overlay, Snapshot};

use super::due::{self, Due};
use super::machine::STEP_BYTES_MAX;
use super::{Machine, Reply};
use crate::Result;
use crate::catalog::{Tombstone, corrupt};
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

/// One step of maintenance: how much it may still do.
struct Step {
    budget: usize,
    /// Whether there is more to do than the budget allows.
    has_more: bool,
    maintain: Maintain,
}

/// A part of maintenance that is done as a whole or not at all.
type Chore = fn(&mut Machine, &mut Step) -> Result<()>;

const CHORES: [Chore; 5] = [
    Machine::forget_tombstones,
    Machine::forget_dropped_names,
    Machine::purge_dropped,
    Machine::purge_indexes,
    Machine::forget_requests,
];

impl Step {
    fn spend(&mut self, count: usize) {
        self.budget = self.budget.saturating_sub(count);
        self.has_more |= self.budget == 0;
    }
}

impl Machine {
    pub(super) fn maintain(&mut self, now: Time, maintain: &Maintain) -> Result<Reply> {
        let budget = maintain.count_max as usize;
        let mut step = Step { budget, has_more: false, maintain: *maintain };
        let mut reply = Reply::default();
        self.do_what_is_due(&mut step, now)?;
        let chores = match maintain.scope {
            MaintainScope::Due => &[],
            MaintainScope::All => &CHORES[..],
        };
        for chore in chores {
            let start = self.start();
            match chore(self, &mut step) {
                Ok(()) => self.keep(start),
                Err(error) if due::is_about_data(&error) => {
                    self.undo(&start);
                    reply.problems.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        reply.has_more = step.has_more;
        Ok(reply)
    }

    /// Expires documents and ends leases. Neither waits for the other: when there are more than the
    /// budget allows, each has a half of it.
    fn do_what_is_due(&mut self, step: &mut Step, now: Time) -> Result<()> {
        if self.due_next.is_none_or(|next| next > now) {
            return Ok(());
        }
        // What is put meanwhile, by the end of a lease or by what is postponed, counts too.
        self.due_next = None;
        let (snapshot, bytes_before) = (self.group_snapshot()?, self.batch.byte_length());
        for (kind, share) in
            [(keys::EXPIRY, step.budget.div_ceil(2)), (keys::LEASE_END, usize::MAX)]
        {
            let count_max = share.min(step.budget);
            let after = keys::timed_after(kind, now);
            let bounds = Bounds { start: &[kind], end: Some(&after) };
            let overlay = Overlay::new(&*snapshot, &mut self.batch);
            let due = Due::scan(&overlay, bounds, count_max)?;
            let mut done = 0;
            for one in &due {
                // The end of a lease writes the document, of any size.
                if self.batch.byte_length() - bytes_before >= STEP_BYTES_MAX {
                    break;
                }
                let name = one.collection().and_then(|number| self.catalog.name_of(number));
                let name = name.cloned();
                self.do_due(name.as_ref(), one, now)?;
                done += 1;
            }
            step.spend(done);
            let has_more = done == count_max || done < due.len();
            let next = match has_more {
                true => Some(now),
                false => due::first(&Overlay::new(&*snapshot, &mut self.batch), &after, kind)?,
            };
            step.has_more |= has_more;
            self.due_next = [self.due_next, next].into_iter().flatten().min();
        }
        Ok(())
    }

    fn forget_tombstones(&mut self, step: &mut Step) -> Result<()> {
        let before = step.maintain.forget_deleted_before;
        let start = keys::timed(keys::TOMBSTONE_AGE, self.fronts.tombstones, &[]);
        let end = keys::timed(keys::TOMBSTONE_AGE, before, &[]);
        let due = self.keys_of(SYSTEM, Bounds::range(&start, &end), step)?;
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

    fn forget_dropped_names(&mut self, step: &mut Step) -> Result<()> {
        let before = step.maintain.forget_deleted_before;
        let start = keys::timed(keys::DROPPED_AGE, self.fronts.dropped, &[]);
        let end = keys::timed(keys::DROPPED_AGE, before, &[]);
        let due = self.keys_of(SYSTEM, Bounds::range(&start, &end), step)?;
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
        for key in self.keys_of(SYSTEM, Bounds::range(&start, &[keys::PURGE + 1]), step)? {
            let prefix = key.get(1..).ok_or_else(|| corrupt(&key))?;
            let end = keys::end_of(prefix);
            let bounds = Bounds { start: prefix, end: end.as_deref() };
            let documents = self.keys_of(DOCUMENTS, bounds, step)?;
            step.spend(documents.len());
            for document in &documents {
                self.remove_leftover(document)?;
            }
            let start = keys::of_document(keys::TOMBSTONE, prefix);
            let end = keys::end_of(&start);
            let bounds = Bounds { start: &start, end: end.as_deref() };
            let tombstones = self.keys_of(SYSTEM, bounds, step)?;
            step.spend(tombstones.len());
            for tombstone_key in &tombstones {
                let Some(bytes) = self.get(SYSTEM, tombstone_key)? else { continue };
                match Tombstone::decode(&bytes) {
                    Some(one) => self.forget_tombstone(None, &tombstone_key[1..], one.deleted),
                    None => self.batch.delete(SYSTEM, tombstone_key),
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

    /// Removes the entries of indexes that were dropped.
    fn purge_indexes(&mut self, step: &mut Step) -> Result<()> {
        let start = keys::numbered(keys::INDEX_PURGE, self.fronts.index_purge);
        for key in self.keys_of(SYSTEM, Bounds::range(&start, &[keys::INDEX_PURGE + 1]), step)? {
            let prefix = key.get(1..).ok_or_else(|| corrupt(&key))?;
            let end = keys::end_of(prefix);
            let bounds = Bounds { start: prefix, end: end.as_deref() };
            let entries = self.keys_of(INDEXES, bounds, step)?;
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

    /// The first keys within `bounds`, as many as the budget allows.
    fn keys_of(&mut self, keyspace: Keyspace, bounds: Bounds<'_>, step: &Step) -> Result<Vec<Key>> {
        let mut found = Vec::new();
        if step.budget == 0 {
            return Ok(found);
        }
        let snapshot = self.group_snapshot()?;
        let overlay = Overlay::new(&*snapshot, &mut self.batch);
        overlay.scan(keyspace, bounds, Direction::Forward, &mut |key, _| {
            found.push(Key::from_slice(key));
            match found.len() < step.budget {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        Ok(found)
    }

    fn forget_requests(&mut self, step: &mut Step) -> Result<()> {
        let before = step.maintain.forget_requests_before;
        while step.budget > 0 && self.forget_request_before(before)? {
            step.spend(1);
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
