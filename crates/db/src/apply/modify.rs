//! Applying: finding and changing documents in one step, above all for claims.
//!
//! Which documents are found must depend neither on the indexes that exist nor on the plan of a replica:
//! they are taken in a total order, that of the sort and then of ids.

use std::collections::HashSet;
use std::ops::ControlFlow::{Break, Continue};

use smallvec::SmallVec;
use velocitydb_core::{
    Action, CollectionName, DocumentId, Header, IdRef, Modify, Outcome, QueryCheck, Recall, Skip,
    Time, limits,
};
use velocitydb_storage::{Blob, Overlay, Snapshot};
use xxhash_rust::xxh3::Xxh3;

use super::claims::{Free, TAKEN_BYTES_MAX};
use super::documents::{Address, Stored};
use super::hints::Search;
use super::machine::{CHANGED_BYTES, effects_within};
use super::unique::Contests;
use super::write::Asked;
use super::{Found, Machine, Reply};
use crate::index::IndexState;
use crate::keys::{self, DOCUMENTS};
use crate::query::{
    Accept, Control, Examined, Execution, Hint, Order, Passed, Plan, Selection, Target,
    UsableIndex, run, select,
};
use crate::state::catalog::Collection;
use crate::{Error, Result};

impl Machine {
    pub(super) fn modify(&mut self, now: Time, modify: &Modify) -> Result<Reply> {
        let Some(collection) = self.catalog.collections.get(&modify.collection) else {
            return Ok(Reply::default());
        };
        let number = collection.number;
        if !self.end_leases(&modify.collection, now)? {
            return Ok(Reply { is_behind: true, ..Reply::default() });
        }
        if modify.skip != Skip::Nothing {
            return self.take(now, modify);
        }
        let limit = modify.limit.map_or(limits::COMMAND_OPERATIONS_MAX as u64 + 1, u64::from);
        let wanted = match &modify.candidates {
            Some(ids) => self.satisfying(&modify.collection, ids, modify, now)?,
            None => self.find(modify, limit, None, now, None)?,
        };
        if wanted.len() > limits::COMMAND_OPERATIONS_MAX {
            return Err(Error::CommandTooLarge {
                what: "number of documents that one command changes".into(),
                found: wanted.len(),
                max: limits::COMMAND_OPERATIONS_MAX,
            });
        }
        let mut reply = Reply::default();
        let (action, lease) = (&modify.action, modify.lease.as_ref());
        self.contests = (wanted.len() > 1).then(Contests::default);
        for (position, (id, record)) in wanted.into_iter().enumerate() {
            if let Some(contests) = &mut self.contests {
                contests.operation = position;
            }
            let key = keys::document(number, &id);
            let place = Address { collection: &modify.collection, key };
            let stored = Stored::read(record)?;
            let asked = Asked { action, expiry: modify.expiry, lease, is_claim: false };
            let version = match self.act(now, &asked, Some(&place), Some(&stored))? {
                Outcome::Applied { version, .. } => version,
                outcome => return Ok(refused(id, outcome)),
            };
            reply.found_count += 1;
            if modify.recall == Recall::Count || !self.is_asked {
                continue;
            }
            let after = match action {
                Action::Delete => None,
                _ => self.get(DOCUMENTS, &place.key)?,
            };
            reply.found.push(Found { id, version, before: Some(stored.record), after });
        }
        if let Some((_, (id, refusal))) = self.settle_contests()?.pop_first() {
            return Ok(refused(id, Outcome::Refused(refusal)));
        }
        Ok(reply)
    }

    /// Those of the documents with these ids that satisfy the filter.
    fn satisfying(
        &mut self,
        collection: &CollectionName,
        ids: &[DocumentId],
        modify: &Modify,
        now: Time,
    ) -> Result<Vec<(DocumentId, Blob)>> {
        let number = self.catalog.collections[collection].number;
        let (mut found, mut bytes) = (Vec::with_capacity(ids.len()), 0);
        for id in ids {
            let place = Address { collection, key: keys::document(number, id) };
            let Some(stored) = self.live_document(&place, now)? else { continue };
            if modify.filter.matches(&stored.view(id)?)? {
                bytes += stored.record.len();
                effects_within(CHANGED_BYTES, bytes)?;
                found.push((id.clone(), stored.record));
            }
        }
        Ok(found)
    }

    /// Finds the documents of a modification, and explains how.
    pub(crate) fn explain(
        &mut self,
        modify: &Modify,
        now: Time,
        show: &mut Show<'_>,
    ) -> Result<()> {
        self.check_broken()?;
        if self.catalog.collections.contains_key(&modify.collection) {
            let limit = u64::from(modify.limit.unwrap_or(u32::MAX));
            let free = self.free(modify, HashSet::new());
            self.find(modify, limit, free.as_ref(), now, Some(show))?;
        }
        Ok(())
    }

    /// The documents that satisfy the filter, and are free if the modification is a claim, in order, up to
    /// the limit.
    pub(super) fn find(
        &mut self,
        modify: &Modify,
        limit: u64,
        free: Option<&Free<'_>>,
        now: Time,
        show: Option<&mut Show<'_>>,
    ) -> Result<Vec<(DocumentId, Blob)>> {
        let collection = &self.catalog.collections[&modify.collection];
        let (number, count, indexes) = parts_of(collection);
        let snapshot = self.group_snapshot()?;
        let overlay = Overlay::new(&*snapshot, &mut self.batch);
        let passed = Passed::new(&overlay);
        let state: &dyn Snapshot = if show.is_some() { &passed } else { &overlay };
        let target = Target { state, number, count, indexes, now: Some(now) };
        let selection = Selection {
            order: Order::By(&modify.sort),
            limit: Some(limit),
            ..Selection::new(&modify.filter)
        };
        let search = search_of(modify, free, now);
        let identity = search.as_ref().map(|search| search.identity(number, limit));
        let is_repeated = identity.filter(|_| show.is_none());
        let control = Control::of_command();
        let mut kept = self.plans.take_or(is_repeated, &target, || match &search {
            Some(search) => selection.plan_with(&target, &control, &self.hints.of_search(search)),
            None => selection.plan(&target, &control),
        })?;
        let plan = &mut kept.plan;
        let places = search.as_ref().map(|search| self.hints.places_of(plan, search));
        let places = places.unwrap_or_default();
        let accept = |id: IdRef<'_>, header: &Header| match free {
            Some(free) => free.accepts(&overlay, number, id, header, now),
            None => Ok(Accept::Yes),
        };
        let mut execution = Execution::new(&target, &control, plan, &modify.filter);
        execution.accept = free.is_some().then_some(&accept);
        if !places.is_empty() {
            execution.use_hints(self.hints.of_places(&places));
        }
        let (mut found, mut bytes) = (Vec::new(), 0);
        run(plan, &mut execution, &selection, &mut |hit| {
            bytes += hit.record.bytes().len();
            found.push((DocumentId::new(hit.id)?, hit.record.into_blob()));
            if free.is_some() {
                let is_enough = bytes >= TAKEN_BYTES_MAX;
                return Ok(if is_enough { Break(()) } else { Continue(()) });
            }
            effects_within(CHANGED_BYTES, bytes)?;
            Ok(Continue(()))
        })?;
        if let Some(show) = show {
            let (hints, examined) = (self.hints.of_places(&places), execution.examined);
            let (plan, selection, returned) = (&*plan, &selection, found.len() as u64);
            let (target, passed) = (&target, &passed);
            show(Searched { target, plan, selection, hints, examined, passed, returned })?;
        }
        let progress = execution.into_ranges();
        self.hints.learn(plan, &places, progress);
        if let Some(identity) = is_repeated.filter(|_| !places.is_empty()) {
            self.plans.put(identity, kept);
        }
        Ok(found)
    }

    /// Whether a query of a transaction still has the same result.
    pub(super) fn finds_the_same(&mut self, check: &QueryCheck, now: Time) -> Result<bool> {
        let collection = self.catalog.collections.get(&check.collection);
        if collection.map_or(0, |found| found.totals.index) == check.index {
            return Ok(true);
        }
        let Some(collection) = collection else {
            return Ok(check.fingerprint == Fingerprint::default().finish());
        };
        let (number, count, indexes) = parts_of(collection);
        let snapshot = self.group_snapshot()?;
        let overlay = Overlay::new(&*snapshot, &mut self.batch);
        let target = Target { state: &overlay, number, count, indexes, now: Some(now) };
        let selection = Selection {
            order: Order::By(&check.sort),
            offset: check.offset,
            limit: check.limit,
            ..Selection::new(&check.filter)
        };
        let mut fingerprint = Fingerprint::default();
        select(&target, &Control::of_command(), &selection, &mut |hit| {
            let (header, _) = velocitydb_core::Header::decode(hit.record.bytes())?;
            fingerprint.add(hit.id, header.version);
            Ok(Continue(()))
        })?;
        Ok(fingerprint.finish() == check.fingerprint)
    }
}

/// The search of a modification, by which it is remembered. Modifications without a limit are rarely
/// repeated, so nothing is remembered of them.
fn search_of<'a>(modify: &'a Modify, free: Option<&Free<'_>>, now: Time) -> Option<Search<'a>> {
    modify.limit?;
    let search = Search::new(&modify.filter, &modify.sort);
    Some(match free {
        Some(free) => free.search(search, now),
        None => search,
    })
}

/// The reply to a command that was refused because of this document.
fn refused(id: DocumentId, outcome: Outcome) -> Reply {
    let found = Found { id, version: 0, before: None, after: None };
    Reply {
        found: SmallVec::from_elem(found, 1),
        outcomes: SmallVec::from_elem(outcome, 1),
        ..Reply::default()
    }
}

/// Receives the explanation of a search.
pub(crate) type Show<'a> = dyn FnMut(Searched<'_>) -> Result<()> + 'a;

/// How a command found documents.
pub(crate) struct Searched<'a> {
    pub(crate) target: &'a Target<'a>,
    pub(crate) plan: &'a Plan,
    pub(crate) selection: &'a Selection<'a>,
    /// The hints for the ranges of the plan, as they were before.
    pub(crate) hints: Vec<Option<&'a Hint>>,
    pub(crate) examined: Examined,
    /// Stored keys that the scans passed.
    pub(crate) passed: &'a Passed<'a>,
    pub(crate) returned: u64,
}

/// The parts of a collection from which a target is built.
fn parts_of(collection: &Collection) -> (u32, u64, SmallVec<[UsableIndex; 4]>) {
    let ready = collection.indexes.iter();
    let ready = ready.filter(|index| index.definition.state == IndexState::Ready);
    let indexes = ready.map(|index| UsableIndex {
        definition: index.definition.clone(),
        totals: index.totals,
        statistics: index.statistics.clone(),
    });
    (collection.number, collection.totals.count, indexes.collect())
}

/// A hash of the ids and versions of the documents that a query found.
#[derive(Default)]
pub(crate) struct Fingerprint(Xxh3);

impl Fingerprint {
    pub(crate) fn add(&mut self, id: IdRef<'_>, version: u64) {
        self.0.update(&version.to_le_bytes());
        self.0.update(&(id.as_bytes().len() as u64).to_le_bytes());
        self.0.update(id.as_bytes());
    }

    pub(crate) fn finish(&self) -> u128 {
        self.0.digest128()
    }
}
