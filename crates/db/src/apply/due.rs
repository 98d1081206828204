//! Applying what is due: removing expired documents, and ending expired leases.
//!
//! If one of them fails (on bytes that cannot be read), the others must not wait for it. It is rolled back,
//! counted and *postponed*: its key moves to a later place in the order of time, with a value that says
//! since when it has been due, and why it failed.

use std::ops::ControlFlow;

use velocitydb_core::{Action, CollectionName, Expiry, Outcome, Time};
use velocitydb_storage::{Bounds, Direction, Overlay, Snapshot};

use super::Machine;
use super::documents::{Address, Stored};
use super::machine::STEP_BYTES_MAX;
use super::write::Asked;
use crate::keys::{self, CollectionNumber, DOCUMENTS, Key, SYSTEM};
use crate::state::catalog::Postponed;
use crate::{Error, Result};

/// When what was postponed is tried again, in microseconds: after a minute.
const POSTPONED_MICROS: i64 = 60_000_000;

/// How many expired leases, of all collections, a command that has another purpose considers: as many as a
/// step of maintenance.
const DUE_COUNT_MAX: usize = 1_000;

/// An expired document or lease: its key in the order of its time.
pub(super) struct Due {
    /// In which order it is.
    kind: u8,
    /// Since when it has been due.
    time: Time,
    /// The document's key.
    document: Key,
    /// Its key in that order, if it was postponed.
    postponed: Option<Key>,
}

impl Due {
    /// The first of a range of one of the orders of time, up to a number.
    pub(super) fn scan(
        state: &dyn Snapshot,
        bounds: Bounds<'_>,
        count_max: usize,
    ) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        if count_max == 0 {
            return Ok(found);
        }
        state.scan(SYSTEM, bounds, Direction::Forward, &mut |key, value| {
            // A key that is not valid is ignored here, so that it does not block others; the doctor reports
            // it.
            found.extend(Self::read(key, value));
            match found.len() < count_max {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        Ok(found)
    }

    fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let (kind, (time, document)) = (*key.first()?, keys::split_timed(key)?);
        let document = Key::from_slice(document);
        if value.is_empty() {
            return Some(Due { kind, time, document, postponed: None });
        }
        let postponed = Postponed::decode(value)?;
        Some(Due { kind, time: postponed.since, document, postponed: Some(Key::from_slice(key)) })
    }

    /// The number of the document's collection.
    pub(super) fn collection(&self) -> Option<CollectionNumber> {
        keys::split_document(&self.document).map(|(number, _)| number)
    }

    pub(super) fn key(&self) -> Key {
        let key = || keys::timed(self.kind, self.time, &self.document);
        self.postponed.clone().unwrap_or_else(key)
    }
}

/// Whether an error is about stored data at one place. Such an error must not block other work, unlike an
/// error of the storage itself.
pub(super) fn is_about_data(error: &Error) -> bool {
    matches!(error, Error::Corrupt { .. } | Error::Invalid(_) | Error::MemoryExceeded { .. })
}

/// The time of the first key from `start` on in one of the orders of time.
pub(super) fn first(state: &dyn Snapshot, start: &[u8], kind: u8) -> Result<Option<Time>> {
    let (mut found, end) = (None, [kind + 1]);
    let bounds = Bounds { start, end: Some(&end) };
    state.scan(SYSTEM, bounds, Direction::Forward, &mut |key, _| {
        found = keys::split_timed(key).map(|(time, _)| time);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

impl Machine {
    /// When the first document expires or the first lease ends.
    pub(super) fn first_due(state: &dyn Snapshot) -> Result<Option<Time>> {
        let kinds = [keys::EXPIRY, keys::LEASE_END];
        let [expiry, lease] = kinds.map(|kind| first(state, &[kind], kind));
        Ok([expiry?, lease?].into_iter().flatten().min())
    }

    /// Ends the expired leases of a collection, so that a search finds their documents released. Returns
    /// false if they are too many or too large for one command, so that maintenance has to come first; the
    /// command does nothing then.
    pub(super) fn end_leases(&mut self, name: &CollectionName, now: Time) -> Result<bool> {
        if self.due_next.is_none_or(|next| next > now) {
            return Ok(true);
        }
        let Some(collection) = self.catalog.collections.get(name) else { return Ok(true) };
        let number = collection.number;
        let start = self.fronts.of_list(keys::LEASE_END);
        let end = keys::timed_after(keys::LEASE_END, now);
        let snapshot = self.group_snapshot()?;
        let overlay = Overlay::new(&*snapshot, &mut self.batch);
        let bounds = Bounds { start: &start, end: Some(&end) };
        let due = Due::scan(&overlay, bounds, DUE_COUNT_MAX + 1)?;
        if due.len() > DUE_COUNT_MAX {
            return Ok(false);
        }
        for one in due.iter().filter(|one| one.collection() == Some(number)) {
            if self.batch.byte_length().saturating_sub(self.bytes_before) >= STEP_BYTES_MAX {
                return Ok(false);
            }
            self.do_due(Some(name), one, now)?;
        }
        Ok(true)
    }

    /// Does what is due, or postpones it. `name` is that of the document's collection, unless that was
    /// dropped.
    pub(super) fn do_due(
        &mut self,
        name: Option<&CollectionName>,
        due: &Due,
        now: Time,
    ) -> Result<()> {
        let start = self.start();
        let done = match due.kind {
            keys::EXPIRY => self.expire(name, due, now),
            _ => self.end_lease_of(name, due, now),
        };
        match done {
            Ok(()) => {
                self.keep(start);
                if due.postponed.is_some() {
                    self.batch.delete(SYSTEM, &due.key());
                    self.change_system().postponed -= 1;
                }
            }
            Err(error) if is_about_data(&error) => {
                self.undo(&start);
                self.postpone(due, &error, now);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn postpone(&mut self, due: &Due, error: &Error, now: Time) {
        let again = now.as_micros().saturating_add(POSTPONED_MICROS);
        let again = Time::from_micros(again).unwrap_or(Time::MAX);
        let value = Postponed { since: due.time, reason: &error.to_string() }.encode();
        self.batch.delete(SYSTEM, &due.key());
        self.put_in_list(&keys::timed(due.kind, again, &due.document), &value);
        self.is_due_at(again);
        if due.postponed.is_none() {
            self.change_system().postponed += 1;
        }
    }

    fn expire(&mut self, name: Option<&CollectionName>, due: &Due, now: Time) -> Result<()> {
        let Some(name) = name else {
            // Its collection was dropped, and the document would have been removed with it.
            self.remove_leftover(&due.document)?;
            self.batch.delete(SYSTEM, &due.key());
            return Ok(());
        };
        let record = self.get(DOCUMENTS, &due.document)?;
        let stored = record.map(Stored::read).transpose()?;
        match stored.filter(|stored| stored.header.expires == Some(due.time)) {
            Some(stored) => {
                self.remove_document(name, &due.document, &stored.record, now)?;
            }
            None => self.batch.delete(SYSTEM, &due.key()),
        }
        Ok(())
    }

    fn end_lease_of(&mut self, name: Option<&CollectionName>, due: &Due, now: Time) -> Result<()> {
        let Some(name) = name else {
            self.remove_leftover(&due.document)?;
            self.batch.delete(SYSTEM, &due.key());
            return Ok(());
        };
        let record = self.get(DOCUMENTS, &due.document)?;
        let stored = record.map(Stored::read).transpose()?;
        match stored.filter(|stored| stored.header.lease == Some(due.time)) {
            Some(stored) => {
                let place = Address { collection: name, key: due.document.clone() };
                self.end_lease(&place, &stored, now)
            }
            None => {
                self.batch.delete(SYSTEM, &due.key());
                Ok(())
            }
        }
    }

    /// Ends the lease on a document, and applies its release if the fields that the claim has set have not
    /// changed. If they have, or the release cannot be applied, the lease ends without one.
    pub(super) fn end_lease(
        &mut self,
        place: &Address<'_>,
        stored: &Stored,
        now: Time,
    ) -> Result<()> {
        if !self.lease_of(&place.key)?.is_as_claimed(stored.fields()?)? {
            return self.just_end_lease(place, stored, now);
        }
        let start = self.start();
        let (action, expiry) = (&Action::Release, Expiry::Keep);
        let asked = Asked { action, expiry, lease: None, is_claim: false };
        let outcome =
            self.judged_at_once(|machine| machine.act(now, &asked, Some(place), Some(stored)));
        if !matches!(outcome, Ok(Outcome::Refused(_))) {
            self.keep(start);
            return outcome.map(drop);
        }
        self.undo(&start);
        self.just_end_lease(place, stored, now)
    }

    fn just_end_lease(&mut self, place: &Address<'_>, stored: &Stored, now: Time) -> Result<()> {
        match self.drop_lease(place, stored, now)? {
            Ok(_) => Ok(()),
            Err(refusal) => Err(Error::Corrupt {
                place: format!("document key {}", place.key.escape_ascii()),
                what: format!("entries of indexes that it cannot have: {refusal}"),
            }),
        }
    }
}
