//! Applying: maintenance.
//!
//! Expired documents become tombstones, expired leases end, old tombstones and request ids are forgotten,
//! and what dropped collections and indexes left is removed, a bounded number of keys in one command.
//!
//! None of these waits for another: a failed one is rolled back and reported, and if a single document or
//! lease fails, the others are done nevertheless.

use std::ops::ControlFlow;

use velocitydb_core::{Maintain, MaintainScope, Time};
use velocitydb_storage::{Bounds, Direction, Keyspace, Overlay, Snapshot};

use super::due::{self, Due};
use super::fronts::Leftover;
use super::machine::STEP_BYTES_MAX;
use super::{Machine, Reply};
use crate::Result;
use crate::keys::{self, DOCUMENTS, INDEXES, Key, SYSTEM};
use crate::state::catalog::Tombstone;

/// One step of maintenance, and its remaining budget.
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
            let (start, mark) = (self.start(), self.fronts.mark());
            match chore(self, &mut step) {
                Ok(()) => self.keep(start),
                Err(error) if due::is_about_data(&error) => {
                    self.undo(&start);
                    // What it took from a work list is still there, since it was rolled back.
                    self.fronts.undo(mark);
                    reply.problems.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        reply.has_more = step.has_more;
        Ok(reply)
    }

    /// Removes expired documents and ends expired leases. If there are more than the budget allows, each
    /// kind gets half of it.
    fn do_what_is_due(&mut self, step: &mut Step, now: Time) -> Result<()> {
        if self.due_next.is_none_or(|next| next > now) {
            return Ok(());
        }
        // Times that are set meanwhile, by a release or by postponing, count too.
        self.due_next = None;
        let (snapshot, bytes_before) = (self.group_snapshot()?, self.batch.byte_length());
        for (kind, share) in
            [(keys::EXPIRY, step.budget.div_ceil(2)), (keys::LEASE_END, usize::MAX)]
        {
            let count_max = share.min(step.budget);
            let (start, after) = (self.fronts.of_list(kind), keys::timed_after(kind, now));
            let bounds = Bounds { start: &start, end: Some(&after) };
            let overlay = Overlay::new(&*snapshot, &mut self.batch);
            let due = Due::scan(&overlay, bounds, count_max)?;
            let (mut done, mut front) = (0, start);
            for one in &due {
                // The end of a lease writes the document, which can be large.
                if self.batch.byte_length() - bytes_before >= STEP_BYTES_MAX {
                    break;
                }
                let name = one.collection().and_then(|number| self.catalog.name_of(number));
                let name = name.cloned();
                self.do_due(name.as_ref(), one, now)?;
                done += 1;
                front = one.key();
            }
            step.spend(done);
            let has_more = done == count_max || done < due.len();
            if !has_more {
                front = after;
            }
            step.has_more |= has_more;
            // Readers and claims check for what is due from this time on, so it must not be later than
            // anything that is left.
            let overlay = Overlay::new(&*snapshot, &mut self.batch);
            let next = due::first(&overlay, &front, kind)?;
            self.due_next = [self.due_next, next].into_iter().flatten().min();
            self.fronts.move_list(kind, front);
        }
        Ok(())
    }

    fn forget_tombstones(&mut self, step: &mut Step) -> Result<()> {
        let kind = keys::TOMBSTONE_AGE;
        let end = keys::timed(kind, step.maintain.forget_deleted_before, &[]);
        for key in self.take_list(kind, &end, step)? {
            let (deleted, document) = keys::split_timed(&key).ok_or_else(|| keys::corrupt(&key))?;
            let (number, _) = keys::split_document(document).ok_or_else(|| keys::corrupt(&key))?;
            let name = self.catalog.name_of(number).cloned();
            self.forget_tombstone(name.as_ref(), document, deleted);
        }
        Ok(())
    }

    fn forget_dropped_names(&mut self, step: &mut Step) -> Result<()> {
        let kind = keys::DROPPED_AGE;
        let end = keys::timed(kind, step.maintain.forget_deleted_before, &[]);
        for key in self.take_list(kind, &end, step)? {
            let (_, name) = keys::split_timed(&key).ok_or_else(|| keys::corrupt(&key))?;
            self.batch.delete(SYSTEM, &keys::of_document(keys::DROPPED, name));
            self.batch.delete(SYSTEM, &key);
        }
        Ok(())
    }

    /// Removes what dropped collections left: documents with their keys in the order of expiry, and then
    /// tombstones. A tombstone that the batch deletes already may be deleted again, which changes nothing.
    fn purge_dropped(&mut self, step: &mut Step) -> Result<()> {
        let start = self.fronts.of_list(keys::PURGE);
        for key in self.keys_of(SYSTEM, &start, &[keys::PURGE + 1], step)? {
            let prefix = key.get(1..).ok_or_else(|| keys::corrupt(&key))?;
            for document in self.take_range(Leftover::Documents, DOCUMENTS, prefix, step)? {
                self.remove_leftover(&document)?;
            }
            let prefix = keys::of_document(keys::TOMBSTONE, prefix);
            for tombstone_key in self.take_range(Leftover::Tombstones, SYSTEM, &prefix, step)? {
                let Some(bytes) = self.get(SYSTEM, &tombstone_key)? else { continue };
                match Tombstone::decode(&bytes) {
                    Some(one) => self.forget_tombstone(None, &tombstone_key[1..], one.deleted),
                    None => self.batch.delete(SYSTEM, &tombstone_key),
                }
            }
            if step.budget == 0 {
                return Ok(());
            }
            self.batch.delete(SYSTEM, &key);
            step.spend(1);
            self.fronts.move_list(keys::PURGE, key);
        }
        Ok(())
    }

    /// Removes the entries of indexes that were dropped.
    fn purge_indexes(&mut self, step: &mut Step) -> Result<()> {
        let start = self.fronts.of_list(keys::INDEX_PURGE);
        for key in self.keys_of(SYSTEM, &start, &[keys::INDEX_PURGE + 1], step)? {
            let prefix = key.get(1..).ok_or_else(|| keys::corrupt(&key))?;
            for entry in self.take_range(Leftover::Entries, INDEXES, prefix, step)? {
                self.batch.delete(INDEXES, &entry);
            }
            if step.budget == 0 {
                return Ok(());
            }
            self.batch.delete(SYSTEM, &key);
            step.spend(1);
            self.fronts.move_list(keys::INDEX_PURGE, key);
        }
        Ok(())
    }

    /// The first keys of a work list in the order of time, up to `end`, which the caller removes.
    fn take_list(&mut self, kind: u8, end: &Key, step: &mut Step) -> Result<Vec<Key>> {
        let (start, budget) = (self.fronts.of_list(kind), step.budget);
        let keys = self.keys_of(SYSTEM, &start, end, step)?;
        step.spend(keys.len());
        let last = if keys.len() < budget { Some(end) } else { keys.last() };
        if let Some(last) = last.filter(|last| **last > start) {
            self.fronts.move_list(kind, last.clone());
        }
        Ok(keys)
    }

    /// The first keys with the prefix of something dropped, which the caller removes.
    fn take_range(
        &mut self,
        leftover: Leftover,
        keyspace: Keyspace,
        prefix: &[u8],
        step: &mut Step,
    ) -> Result<Vec<Key>> {
        let start = self.fronts.of_leftover(leftover, prefix);
        let end = keys::end_of(prefix).ok_or_else(|| keys::corrupt(prefix))?;
        let budget = step.budget;
        let keys = self.keys_of(keyspace, &start, &end, step)?;
        step.spend(keys.len());
        let front = if keys.len() < budget { Some(&end) } else { keys.last() };
        if let Some(front) = front {
            self.fronts.move_leftover(leftover, prefix, front.clone());
        }
        Ok(keys)
    }

    /// The first keys of a range, as many as the budget allows.
    fn keys_of(
        &mut self,
        keyspace: Keyspace,
        start: &[u8],
        end: &[u8],
        step: &Step,
    ) -> Result<Vec<Key>> {
        let mut found = Vec::new();
        if step.budget == 0 {
            return Ok(found);
        }
        let snapshot = self.group_snapshot()?;
        let overlay = Overlay::new(&*snapshot, &mut self.batch);
        overlay.scan(keyspace, Bounds::range(start, end), Direction::Forward, &mut |key, _| {
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
