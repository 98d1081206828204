//! Applying: finding documents and changing them as one, of which a claim is the case that matters
//! most.
//!
//! What is found must not depend on which indexes there are, or on where other replicas would look
//! first: documents are taken in a total order, that of the sort and then of ids.

use smallvec::SmallVec;
use velocitydb_core::{
    Action, CollectionName, DocumentId, Modify, Outcome, QueryCheck, Recall, Time, limits,
};
use velocitydb_storage::{Blob, Direction, Overlay};
use xxhash_rust::xxh3::Xxh3;

use super::documents::{Place, Stored};
use super::hints::Hints;
use super::machine::{CHANGED_BYTES, effects_within};
use super::write::Asked;
use super::{Found, Machine, Reply};
use crate::Result;
use crate::catalog::Collection;
use crate::index::IndexState;
use crate::keys::{self, DOCUMENTS};
use crate::query::{
    Control, Execution, IndexScan, Merge, Order, Plan, Selection, Target, UsableIndex, run, select,
};

impl Machine {
    pub(super) fn modify(&mut self, now: Time, modify: &Modify) -> Result<Reply> {
        let Some(collection) = self.catalog.collections.get(&modify.collection) else {
            return Ok(Reply::default());
        };
        let number = collection.number;
        let wanted = match &modify.candidates {
            Some(ids) => self.satisfying(&modify.collection, ids, modify, now)?,
            None => self.find(modify, now)?,
        };
        if wanted.len() > limits::COMMAND_OPERATIONS_MAX {
            return Err(velocitydb_core::Error::LimitExceeded {
                what: "number of documents that one command changes",
                path: String::new(),
                found: wanted.len(),
                max: limits::COMMAND_OPERATIONS_MAX,
            }
            .into());
        }
        let mut reply = Reply::default();
        let (action, lease) = (&modify.action, modify.lease.as_ref());
        for (id, record) in wanted {
            let key = keys::document(number, &id);
            let place = Place { collection: &modify.collection, key };
            let stored = Stored::read(record)?;
            let asked = Asked { action, expiry: modify.expiry, lease };
            let version = match self.act(now, &asked, Some(&place), Some(&stored))? {
                Outcome::Applied { version, .. } => version,
                outcome => {
                    let found = Found { id, version: 0, before: None, after: None };
                    reply.found_count = 0;
                    reply.found = SmallVec::from_elem(found, 1);
                    reply.outcomes = SmallVec::from_elem(outcome, 1);
                    return Ok(reply);
                }
            };
            reply.found_count += 1;
            if modify.recall == Recall::Count {
                continue;
            }
            let after = match action {
                Action::Delete => None,
                _ => self.get(DOCUMENTS, &place.key)?,
            };
            reply.found.push(Found { id, version, before: Some(stored.record), after });
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
            let place = Place { collection, key: keys::document(number, id) };
            let Some(stored) = self.live_document(&place, now)? else { continue };
            if modify.filter.matches(&stored.view(id)?)? {
                bytes += stored.record.len();
                effects_within(CHANGED_BYTES, bytes)?;
                found.push((id.clone(), stored.record));
            }
        }
        Ok(found)
    }

    /// The documents that satisfy the filter, in order, up to the limit.
    fn find(&mut self, modify: &Modify, now: Time) -> Result<Vec<(DocumentId, Blob)>> {
        let collection = &self.catalog.collections[&modify.collection];
        let (number, count, indexes) = parts_of(collection);
        let snapshot = self.group_snapshot()?;
        let overlay = Overlay::new(&*snapshot, &mut self.batch);
        let target = Target { state: &overlay, number, count, indexes };
        let limit = modify.limit.map_or(limits::COMMAND_OPERATIONS_MAX as u64 + 1, u64::from);
        let selection = Selection {
            order: Order::By(&modify.sort),
            limit: Some(limit),
            now: Some(now),
            ..Selection::new(&modify.filter)
        };
        let mut plan = selection.plan(&target)?;
        let hinted = Hinted::new(&mut plan, modify, &mut self.hints)?;
        let control = Control::of_command();
        let mut execution = Execution::new(&target, &control, &plan, &modify.filter);
        let (mut found, mut bytes) = (Vec::new(), 0);
        run(&mut plan, &mut execution, &selection, &mut |hit| {
            bytes += hit.record.bytes().len();
            effects_within(CHANGED_BYTES, bytes)?;
            found.push((DocumentId::new(hit.id)?, hit.record.into_blob()));
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        if let Some(hinted) = hinted {
            hinted.remember(&execution.first_hits, &mut self.hints);
        }
        Ok(found)
    }

    /// Whether a query of a transaction finds what it found then.
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
        let target = Target { state: &overlay, number, count, indexes };
        let selection = Selection {
            order: Order::By(&check.sort),
            offset: check.offset,
            limit: check.limit,
            now: Some(now),
            ..Selection::new(&check.filter)
        };
        let mut fingerprint = Fingerprint::default();
        select(&target, &Control::of_command(), &selection, &mut |hit| {
            let (header, _) = velocitydb_core::Header::decode(hit.record.bytes())?;
            fingerprint.add(hit.id, header.version);
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(fingerprint.finish() == check.fingerprint)
    }
}

/// What a target is made of.
fn parts_of(collection: &Collection) -> (u32, u64, SmallVec<[UsableIndex; 4]>) {
    let ready = collection.indexes.iter();
    let ready = ready.filter(|index| index.definition.state == IndexState::Ready);
    let indexes = ready.map(|index| UsableIndex {
        definition: index.definition.clone(),
        totals: index.totals,
        statistics: None,
    });
    (collection.number, collection.totals.count, indexes.collect())
}

/// A hash of which documents a query found, and which versions.
#[derive(Default)]
pub(crate) struct Fingerprint(Xxh3);

impl Fingerprint {
    pub(crate) fn add(&mut self, id: &str, version: u64) {
        self.0.update(&version.to_le_bytes());
        self.0.update(id.as_bytes());
        // No id has this byte.
        self.0.update(&[0]);
    }

    pub(crate) fn finish(&self) -> u128 {
        self.0.digest128()
    }
}

/// A search that hints can shorten: of one range or of several that are read side by side, in the
/// order of their keys.
struct Hinted {
    search: u128,
    /// The prefix of each range.
    prefixes: Vec<keys::Key>,
}

impl Hinted {
    /// Lets the ranges of a plan begin where a result can be.
    fn new(plan: &mut Plan, modify: &Modify, hints: &mut Hints) -> Result<Option<Self>> {
        let is_sorted = plan.is_sorted;
        let Some(scan) = plan.index_scan_mut() else { return Ok(None) };
        if !is_sorted || !can_be_hinted(scan) {
            return Ok(None);
        }
        let search = hints.name_of(&modify.filter, &modify.sort)?;
        let prefixes: Vec<_> = scan.ranges.iter().map(|range| range.low.clone()).collect();
        for range in &mut scan.ranges {
            if let Some(first) = hints.first(&range.low, search) {
                range.low = first.clone();
            }
        }
        Ok(Some(Hinted { search, prefixes }))
    }

    /// Remembers up to where nothing was found.
    fn remember(self, first_hits: &[Option<keys::Key>], hints: &mut Hints) {
        for (prefix, first) in self.prefixes.iter().zip(first_hits) {
            let end = || keys::end_of(prefix);
            if let Some(first) = first.clone().or_else(end) {
                hints.remember(prefix, self.search, first);
            }
        }
    }
}

fn can_be_hinted(scan: &IndexScan) -> bool {
    let is_read_up_to_the_hit = scan.ranges.len() == 1 || scan.merge == Merge::Ordered;
    let are_prefixes = scan.ranges.iter().zip(&scan.prefixes);
    let are_prefixes = are_prefixes.into_iter().all(|(range, prefix)| range.low.len() == *prefix);
    is_read_up_to_the_hit
        && are_prefixes
        && scan.direction == Direction::Forward
        && !scan.has_repeats
}
