//! Applying: conditional writes of documents by their ids.

use smallvec::SmallVec;
use velocitydb_core::{
    Action, BegunLease, Check, CollectionOptions, Condition, DocumentId, DocumentView, Encoded,
    Expiry, Header, Lease, LeaseChange, Operation, Origin, Outcome, Path, Refusal, Time, Update,
    Value, Write,
};
use velocitydb_storage::Blob;

use super::documents::{Address, New, NewLease, Stored, is_expired, refusable};
use super::unique::Contests;
use super::{Machine, Reply};
use crate::Result;
use crate::keys::{self, DOCUMENTS};

impl Machine {
    pub(super) fn write(&mut self, now: Time, write: &Write) -> Result<Reply> {
        for check in &write.checks {
            if !self.end_leases(check.collection(), now)? {
                return Ok(Reply { is_behind: true, ..Reply::default() });
            }
            if !self.holds(check, now)? {
                return Err(crate::Error::Conflict);
            }
        }
        let (mut reply, mut chosen) = (Reply::default(), Vec::new());
        self.contests = (write.operations.len() > 1).then(Contests::default);
        for (position, operation) in write.operations.iter().enumerate() {
            if let Some(contests) = &mut self.contests {
                contests.operation = position;
            }
            let own = self.chosen_id(operation)?;
            let id = own.as_ref().unwrap_or(&operation.id);
            let (outcome, current) = self.operate(now, operation, id)?;
            chosen.extend(own.map(|id| (position, id)));
            reply.outcomes.push(outcome);
            reply.current = current;
        }
        if write.operations.len() != 1 {
            reply.current = None;
        }
        if !reply.is_refused() {
            // Uniqueness is not decided for a command that is refused for another reason.
            for (position, (_, refusal)) in self.settle_contests()? {
                reply.outcomes[position] = Outcome::Refused(refusal);
            }
        }
        Self::tell_new_ids(&write.operations, chosen, &mut reply);
        if reply.is_refused() {
            for outcome in &mut reply.outcomes {
                if !matches!(outcome, Outcome::Refused(_)) {
                    *outcome = Outcome::Abandoned;
                }
            }
        }
        Ok(reply)
    }

    fn holds(&mut self, check: &Check, now: Time) -> Result<bool> {
        match check {
            Check::Collection { collection, index } => {
                let found = self.catalog.collections.get(collection);
                Ok(found.map_or(0, |found| found.totals.index) == *index)
            }
            Check::Document { collection, id, version } => {
                let Some(found) = self.catalog.collections.get(collection) else {
                    return Ok(*version == 0);
                };
                let key = keys::document(found.number, id);
                let Some(record) = self.get(DOCUMENTS, &key)? else { return Ok(*version == 0) };
                let (header, _) = Header::decode(&record)?;
                let found = if is_expired(&header, now) { 0 } else { header.version };
                Ok(found == *version)
            }
            Check::Query(check) => self.finds_the_same(check, now),
        }
    }

    /// Applies one operation. Returns its outcome and, if it had a condition, the stored document
    /// afterwards.
    fn operate(
        &mut self,
        now: Time,
        operation: &Operation,
        id: &DocumentId,
    ) -> Result<(Outcome, Option<Blob>)> {
        let collection = &operation.collection;
        let is_creating = matches!(
            operation.action,
            Action::Insert(_)
                | Action::InsertNew(_)
                | Action::Import(..)
                | Action::Upsert(_)
                | Action::Settle(_, LeaseChange::Begin(_))
        );
        if is_creating && !self.catalog.collections.contains_key(collection) {
            self.make_collection(collection, &CollectionOptions::default())?;
        }
        let number = self.catalog.collections.get(collection).map(|found| found.number);
        let place = number.map(|number| Address { collection, key: keys::document(number, id) });
        let stored = match &place {
            Some(place) => self.live_document(place, now)?,
            None => None,
        };
        let outcome = match refusal(&operation.condition, id, stored.as_ref())? {
            Some(refusal) => Outcome::Refused(refusal),
            None => {
                let (action, expiry) = (&operation.action, operation.expiry);
                let asked = Asked { action, expiry, lease: None, is_claim: false };
                self.act(now, &asked, place.as_ref(), stored.as_ref())?
            }
        };
        if operation.condition == Condition::Always || !self.is_asked {
            return Ok((outcome, None));
        }
        let current = match (&outcome, &place) {
            (Outcome::Applied { .. }, Some(place)) => self.get(DOCUMENTS, &place.key)?,
            _ => stored.map(|stored| stored.record),
        };
        Ok((outcome, current))
    }

    /// Applies an action to a document whose condition holds.
    pub(super) fn act(
        &mut self,
        now: Time,
        asked: &Asked<'_>,
        place: Option<&Address<'_>>,
        stored: Option<&Stored>,
    ) -> Result<Outcome> {
        let version = stored.map_or(0, |stored| stored.header.version);
        let has_lease = stored.is_some_and(|stored| stored.header.lease.is_some());
        let mut updated = None;
        let fields = match (asked.action, stored) {
            (Action::Insert(_) | Action::InsertNew(_) | Action::Import(..), Some(_)) => {
                return Ok(Outcome::Refused(Refusal::Exists { version }));
            }
            (Action::Compare, _) | (Action::Delete, None) => return Ok(Outcome::Held { version }),
            (Action::Delete, Some(stored)) => {
                let place = place.expect("a stored document has a place");
                let version =
                    self.remove_document(place.collection, &place.key, &stored.record, now)?;
                return Ok(Outcome::Applied { version, existed: true });
            }
            (
                Action::Insert(fields)
                | Action::InsertNew(fields)
                | Action::Import(fields, _)
                | Action::Upsert(fields)
                | Action::Settle(fields, LeaseChange::Begin(_)),
                _,
            ) => fields,
            (_, None) => return Ok(Outcome::Refused(Refusal::Missing)),
            (
                Action::Renew(_)
                | Action::Release
                | Action::Retry(_)
                | Action::Settle(_, LeaseChange::Renew(_)),
                Some(_),
            ) if !has_lease => {
                return Ok(Outcome::Refused(Refusal::NoLease { version }));
            }
            (Action::Replace(fields) | Action::Settle(fields, _), Some(_)) => fields,
            (Action::Renew(_), Some(stored)) => &*updated.insert(stored.fields()?.to_encoded()),
            (Action::Release | Action::Retry(_), Some(stored)) => {
                let place = place.expect("a stored document has a place");
                match self.released_fields(asked.action, place, stored, now)? {
                    Ok(Some(fields)) => &*updated.insert(fields),
                    Ok(None) => return Ok(applied(self.drop_lease(place, stored, now)?, true)),
                    Err(error) => return Ok(Outcome::Refused(Refusal::Update(error))),
                }
            }
            (Action::Update(update) | Action::Complete(update), Some(stored)) => {
                match updated_fields(update, stored, now)? {
                    Ok(fields) => &*updated.insert(fields),
                    Err(error) => return Ok(Outcome::Refused(Refusal::Update(error))),
                }
            }
        };
        let place = place.expect("the collection of a write exists by now");
        let expires = asked.expires(stored, now);
        let new = New { fields, expires, lease: asked.new_lease(now), origin: asked.origin() };
        let written = self.put_document(place, stored, &new, now)?;
        if written.is_ok() {
            self.check_effects()?;
            if expires.is_some_and(|time| time <= now) {
                // It expires within the same command, so that it is never read.
                self.live_document(place, now)?;
            }
        }
        Ok(applied(written, stored.is_some()))
    }

    /// The fields of a document that is given back: after the release of its lease, and the update of a
    /// retry. `None` if there is neither; the inner error is that of an update.
    fn released_fields(
        &self,
        action: &Action,
        place: &Address<'_>,
        stored: &Stored,
        now: Time,
    ) -> Result<std::result::Result<Option<Encoded>, velocitydb_core::Error>> {
        let lease = self.lease_of(&place.key)?;
        let release = lease.release.choose(&stored.view(place.id()?)?)?;
        let retry = match action {
            Action::Retry(update) => Some(update),
            _ => None,
        };
        let mut fields: Option<Encoded> = None;
        for update in release.into_iter().chain(retry) {
            let before = match &fields {
                Some(fields) => fields.view(),
                None => stored.fields()?,
            };
            match refusable(update.apply_encoded(before, now).map_err(Into::into))? {
                Ok(after) => fields = Some(after),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(fields))
    }
}

/// The outcome of a write that gave a document this version, or was refused.
fn applied(written: std::result::Result<u64, Refusal>, existed: bool) -> Outcome {
    match written {
        Ok(version) => Outcome::Applied { version, existed },
        Err(refusal) => Outcome::Refused(refusal),
    }
}

/// What a command asks to be done to a document.
pub(super) struct Asked<'a> {
    pub(super) action: &'a Action,
    pub(super) expiry: Expiry,
    pub(super) lease: Option<&'a Lease>,
    /// Whether it is a claim.
    pub(super) is_claim: bool,
}

impl<'a> Asked<'a> {
    fn expires(&self, stored: Option<&Stored>, now: Time) -> Option<Time> {
        match (self.expiry, self.action) {
            (Expiry::At(time), _) => Some(time),
            (Expiry::After(duration), _) => Some(now.saturating_add(duration)),
            (Expiry::Keep, Action::Import(_, origin)) => origin.expires,
            (Expiry::Never, _)
            | (
                Expiry::Keep,
                Action::Insert(_) | Action::InsertNew(_) | Action::Replace(_) | Action::Upsert(_),
            ) => None,
            (Expiry::Keep, _) => stored.and_then(|stored| stored.header.expires),
        }
    }

    fn origin(&self) -> Option<Origin> {
        match self.action {
            Action::Import(_, origin) => Some(*origin),
            _ => None,
        }
    }

    fn new_lease(&self, now: Time) -> NewLease<'a> {
        match (self.lease, self.action) {
            (Some(lease), action) => {
                let set = match action {
                    Action::Update(update) => update.set_paths().collect(),
                    _ => SmallVec::new(),
                };
                begun(lease, set, None, now)
            }
            (None, Action::Settle(_, LeaseChange::Begin(claimed))) => {
                let BegunLease { lease, set, values } = &**claimed;
                begun(lease, set.iter().collect(), *values, now)
            }
            // Whoever had a lease before loses it.
            (None, _) if self.is_claim => NewLease::End,
            (None, Action::Renew(duration) | Action::Settle(_, LeaseChange::Renew(duration))) => {
                NewLease::Until(now.saturating_add(*duration))
            }
            (
                None,
                Action::Complete(_)
                | Action::Release
                | Action::Retry(_)
                | Action::Settle(_, LeaseChange::End),
            ) => NewLease::End,
            (None, _) => NewLease::Keep,
        }
    }
}

/// The lease that begins with a claim that set these paths.
fn begun<'a>(
    lease: &'a Lease,
    set: SmallVec<[&'a Path; 4]>,
    values: Option<u128>,
    now: Time,
) -> NewLease<'a> {
    let until = now.saturating_add(lease.duration);
    NewLease::Set { until, release: &lease.release, set, values }
}

/// Why the condition of an operation does not hold; `None` if it does.
fn refusal(
    condition: &Condition,
    id: &DocumentId,
    stored: Option<&Stored>,
) -> Result<Option<Refusal>> {
    match stored {
        Some(stored) => unmet(condition, &stored.view(id)?),
        None => Ok(unmet_by_none(condition)),
    }
}

/// Why a condition does not hold without a document; `None` if it does.
pub(crate) fn unmet_by_none(condition: &Condition) -> Option<Refusal> {
    match condition {
        Condition::Always | Condition::Absent => None,
        Condition::Version(expected) => Some(Refusal::Version { expected: *expected, found: 0 }),
        Condition::Document(_) | Condition::Fields(_) | Condition::Matches(_) => {
            Some(Refusal::Missing)
        }
    }
}

/// Why a condition does not hold for a document; `None` if it does.
pub(crate) fn unmet(condition: &Condition, found: &DocumentView<'_>) -> Result<Option<Refusal>> {
    let version = found.header.version;
    Ok(match condition {
        Condition::Always => None,
        Condition::Absent => Some(Refusal::Exists { version }),
        Condition::Version(expected) => (*expected != version)
            .then_some(Refusal::Version { expected: *expected, found: version }),
        Condition::Document(expected) => {
            let is_equal = found.fields.as_value().compare(expected.view().as_value())?.is_eq();
            (!is_equal).then_some(Refusal::Content { path: None, version })
        }
        Condition::Fields(expected) => {
            for (path, value) in expected {
                if !has_value(found, path, value.as_ref())? {
                    return Ok(Some(Refusal::Content { path: Some(path.clone()), version }));
                }
            }
            None
        }
        Condition::Matches(filter) => {
            (!filter.matches(found)?).then_some(Refusal::Unmatched { version })
        }
    })
}

/// Whether a document has this value, or none, at a path. The id and metadata (such as `_meta.version`) can
/// be compared too.
fn has_value(view: &DocumentView<'_>, path: &Path, value: Option<&Value>) -> Result<bool> {
    if let Some(found) = view.meta_at(path) {
        return Ok(found.as_ref() == value);
    }
    Ok(match (view.fields.get_path(path)?, value) {
        (Some(found), Some(value)) => found.compare_value(value)?.is_eq(),
        (None, None) => true,
        _ => false,
    })
}

/// The fields of `stored` after `update`; the inner error is the update's own.
pub(super) fn updated_fields(
    update: &Update,
    stored: &Stored,
    now: Time,
) -> Result<std::result::Result<Encoded, velocitydb_core::Error>> {
    refusable(update.apply_encoded(stored.fields()?, now).map_err(Into::into))
}
