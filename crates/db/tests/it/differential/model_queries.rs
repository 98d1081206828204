//! The naive model: queries, indexes, schemas and claims, by looking at one document after another.

use std::collections::{BTreeMap, BTreeSet};

use velocitydb::{Existing, Filter, Object, Sort, Time, Value, object};

use super::id::Id;
use super::model::{Model, failed, micros};
use super::rules;
use super::state::{Document, Expiry, Found, Outcome, Refusal, Remembered, State};
use super::step::{
    Action, Answer, Change, Claim, Condition, Context, Operation, Rules, Settling, Step,
};
use crate::queries::{matching, sorted};

/// What was found and changed.
struct Modified {
    found: Vec<Found>,
    index: u64,
    is_replayed: bool,
}

/// Which documents are changed.
struct Which<'a> {
    collection: &'a str,
    filter: &'a Filter,
    sort: &'a Sort,
    limit: usize,
    /// The only documents that are considered.
    candidates: Option<Vec<Id>>,
    context: &'a Context,
}

impl Document {
    /// Its fields, and when the lease on it ends.
    pub fn object(&self) -> Object {
        let mut object = self.fields.clone();
        let until = self.lease.as_ref().map(|lease| Time::from_micros(lease.until).unwrap());
        object.extend(until.map(|until| ("_meta", object! { "lease": until })));
        object
    }
}

impl State {
    pub fn objects(&self, collection: &str, now: i64) -> BTreeMap<Id, Object> {
        let documents = self.collections.get(collection).map(|one| one.documents.iter());
        let live = |one: &Document| one.expires.is_none_or(|time| time > now);
        let documents = documents.into_iter().flatten().filter(|(_, one)| live(one));
        documents.map(|(id, one)| (id.clone(), one.object())).collect()
    }

    /// Ids and versions of the documents that satisfy a filter and whose time is not over.
    pub fn matching_live(&self, collection: &str, filter: &Filter, now: i64) -> Vec<(Id, u64)> {
        let found = matching(&self.objects(collection, now), filter);
        let version = |id: &Id| self.document(collection, id).unwrap().version;
        found.keys().map(|id| (id.clone(), version(id))).collect()
    }

    /// The same of the first of them in an order.
    pub fn first_live(
        &self,
        collection: &str,
        (filter, sort, limit): (&Filter, &Sort, Option<u64>),
        now: i64,
    ) -> Vec<(Id, u64)> {
        let mut ids = self.find(collection, filter, sort, now);
        ids.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
        let version = |id: &Id| self.document(collection, id).unwrap().version;
        ids.into_iter().map(|id| (id.clone(), version(&id))).collect()
    }

    fn find(&self, collection: &str, filter: &Filter, sort: &Sort, now: i64) -> Vec<Id> {
        sorted(&matching(&self.objects(collection, now), filter), sort)
    }

    /// Expires all documents and ends all leases that are due.
    pub fn do_what_is_due(&mut self, now: i64) {
        for name in self.collections.keys().cloned().collect::<Vec<_>>() {
            let collection = &self.collections[&name];
            for id in collection.documents.keys().cloned().collect::<Vec<_>>() {
                self.expire_one(&name, &id, now);
            }
        }
        self.end_leases(None, now);
    }

    /// Takes the lease from a document, without a write of its own.
    fn forget_lease(&mut self, collection: &str, id: &Id) {
        let collection = self.collections.get_mut(collection).unwrap();
        collection.documents.entry(id.clone()).and_modify(|found| found.lease = None);
    }

    /// Marks a document that claims of this shape cannot take.
    fn mark_unfit(&mut self, collection: &str, id: &Id, shape: &str, until: i64) {
        let unfit = &mut self.alter(collection).documents.get_mut(id).unwrap().unfit;
        unfit.retain(|(other, _)| other != shape);
        if unfit.len() == 8 {
            unfit.remove(0);
        }
        unfit.push((shape.to_owned(), until));
    }

    /// Does what is due with one document.
    pub fn settle_one(&mut self, collection: &str, id: &Id, now: i64) {
        self.expire_one(collection, id, now);
        let lease = self.document(collection, id).and_then(|found| found.lease.as_ref());
        if lease.is_some_and(|lease| lease.until <= now) {
            self.end_lease(collection, id, now);
        }
    }

    /// Ends the expired leases, of one collection or of all, in the order of their ends.
    pub fn end_leases(&mut self, of: Option<&str>, now: i64) {
        let mut due = Vec::new();
        let all = self.collections.iter();
        for (name, collection) in all.filter(|(name, _)| of.is_none_or(|of| of == name.as_str())) {
            for (id, document) in &collection.documents {
                let ends = document.lease.iter().filter(|lease| lease.until <= now);
                due.extend(
                    ends.map(|one| (one.until, collection.number, id.clone(), name.clone())),
                );
            }
        }
        due.sort();
        for (_, _, id, collection) in due {
            self.end_lease(&collection, &id, now);
        }
    }

    fn end_lease(&mut self, collection: &str, id: &Id, now: i64) {
        let before = self.clone();
        // What ended before it may have taken the values of a document that has expired, which goes.
        let Some(document) = self.document(collection, id) else { return };
        if !document.lease.as_ref().unwrap().is_as_claimed(&document.fields) {
            self.just_end_lease(collection, id);
            return;
        }
        let (collection, id) = (collection.to_owned(), id.clone());
        let condition = Condition::Always;
        let operation = Operation { collection, id, condition, action: Action::Release };
        // What it takes is asked about at once.
        let takings = self.takings.take();
        let outcome = self.act(&operation, Expiry::Keep, None, now);
        self.takings = takings;
        if matches!(outcome, Outcome::Refused(_)) {
            *self = before;
            self.just_end_lease(&operation.collection, &operation.id);
        }
    }
}

impl Model {
    pub fn run_query(&mut self, step: &Step) -> Answer {
        match step {
            Step::CreateIndex { collection, index } => self.create_index(collection, *index),
            Step::DropIndex { collection, index } => {
                let found = self.state.collections.get_mut(collection);
                if !found.is_some_and(|found| found.indexes.remove(index)) {
                    return failed("no index");
                }
                self.state.alter(collection);
                self.state.index += 1;
                self.state.is_purge_due = true;
                Answer::Done
            }
            Step::SetSchema { collection, schema, existing } => {
                self.set_schema(collection, *schema, *existing)
            }
            Step::RemoveSchema { collection } => {
                if !self.state.collections.contains_key(collection) {
                    return failed("no collection");
                }
                self.change_schema(collection).schema = None;
                Answer::Done
            }
            Step::Find { collection, filter, sort, offset, limit } => {
                let ids = self.state.find(collection, filter, sort, self.now).into_iter();
                let limit = limit.map_or(usize::MAX, |limit| limit as usize);
                self.found(collection, ids.skip(*offset as usize).take(limit))
            }
            Step::Pages { collection, filter, sort, .. } => {
                let ids = self.state.find(collection, filter, sort, self.now).into_iter();
                self.found(collection, ids)
            }
            Step::Distinct { collection, filter, path } => self.distinct(collection, filter, path),
            Step::Lookup { collection, filter, from, field } => {
                self.lookup((collection, filter), (from, field))
            }
            Step::Many { collection, filter, changes, context } => {
                let sort = Sort::new();
                let mut which = Which {
                    collection,
                    filter,
                    sort: &sort,
                    limit: usize::MAX,
                    candidates: None,
                    context,
                };
                if context.request.is_none() {
                    self.do_what_is_due();
                    let ids = self.state.find(collection, filter, &sort, self.now);
                    if ids.is_empty() {
                        return Answer::Many { count: 0, index: 0, is_replayed: false };
                    }
                    which.candidates = Some(ids);
                }
                let action = changes.clone().map_or(Action::Delete, Action::Update);
                match self.modify("many", &which, &action) {
                    Ok(Modified { found, index, is_replayed }) => {
                        Answer::Many { count: found.len() as u64, index, is_replayed }
                    }
                    Err(failed) => failed,
                }
            }
            Step::One { collection, filter, sort, changes, context } => {
                let (limit, candidates) = (1, None);
                let which = Which { collection, filter, sort, limit, candidates, context };
                let action = changes.clone().map_or(Action::Delete, Action::Update);
                match self.modify("one", &which, &action) {
                    Ok(Modified { found, .. }) => {
                        let found = found.into_iter();
                        let found = found.filter_map(|one| match changes {
                            Some(_) => one.after,
                            None => one.before,
                        });
                        Answer::Found(found.collect())
                    }
                    Err(failed) => failed,
                }
            }
            Step::Claim(claim) => self.claim(claim),
            Step::Settle { collection, id, version, how, context } => {
                self.settle((collection, id), *version, how, context)
            }
            step => unreachable!("{step:?} is no query"),
        }
    }

    fn found(&self, collection: &str, ids: impl Iterator<Item = Id>) -> Answer {
        Answer::Found(ids.filter_map(|id| self.visible().see(collection, &id)).collect())
    }

    fn lookup(&self, (collection, filter): (&str, &Filter), (from, field): (&str, &str)) -> Answer {
        let foreign = self.state.objects(from, self.now);
        let one = |(id, object): (Id, Object)| {
            let sought = match object.get(field) {
                Some(Value::Array(items)) => items.iter().filter_map(Id::of).collect(),
                value => value.and_then(Id::of).into_iter().collect::<Vec<_>>(),
            };
            (id, foreign.keys().filter(|id| sought.contains(id)).cloned().collect())
        };
        let found = matching(&self.state.objects(collection, self.now), filter);
        Answer::Lookups(found.into_iter().map(one).collect())
    }

    fn distinct(&self, collection: &str, filter: &Filter, path: &str) -> Answer {
        let mut keys = BTreeSet::new();
        for object in matching(&self.state.objects(collection, self.now), filter).values() {
            match object.get(path) {
                Some(Value::Array(items)) => keys.extend(items.iter().filter_map(element)),
                Some(value) => drop(keys.insert(rules::encoded(value))),
                None => {}
            }
        }
        Answer::Keys(keys.into_iter().collect())
    }

    fn modify(
        &mut self,
        kind: &str,
        which: &Which<'_>,
        action: &Action,
    ) -> Result<Modified, Answer> {
        let Which { collection, filter, sort, limit, candidates, context } = which;
        let ttl = context.time_to_live;
        let what = (kind, collection, filter, sort, limit, action, ttl);
        let asked = format!("{what:?}");
        if let Some(known) = self.known(context, &asked)? {
            if let Some(Outcome::Refused(refusal)) = known.outcomes.first() {
                return Err(failed(refusal.describe()));
            }
            let (found, index) = (known.found, known.index);
            return Ok(Modified { found, index, is_replayed: true });
        }
        let (state, now) = (self.state.clone(), self.now);
        self.state.end_leases(Some(collection), now);
        let expiry = ttl.map_or(Expiry::Keep, |ttl| Expiry::Set(Some(now + micros(ttl))));
        let ids = match candidates {
            None => self.state.find(collection, filter, sort, now),
            Some(candidates) => {
                candidates.iter().for_each(|id| self.state.expire_one(collection, id, now));
                let found = self.state.matching_live(collection, filter, now);
                let ids = found.into_iter().map(|(id, _)| id);
                ids.filter(|id| candidates.contains(id)).collect()
            }
        };
        let (mut found, mut refused) = (Vec::new(), None);
        let ids: Vec<_> = ids.into_iter().take(*limit).collect();
        self.state.takings = (ids.len() > 1).then(Vec::new);
        for (position, id) in ids.into_iter().enumerate() {
            self.state.operation = position;
            let before = self.state.see(collection, &id);
            let (collection, condition) = ((*collection).to_owned(), Condition::Always);
            let operation =
                Operation { collection, id: id.clone(), condition, action: action.clone() };
            match self.state.act(&operation, expiry, None, now) {
                Outcome::Applied { version, .. } => {
                    let after = self.state.see(&operation.collection, &id);
                    found.push(Found { id, version, before, after });
                }
                Outcome::Refused(refusal) => {
                    refused = Some(refusal);
                    break;
                }
                Outcome::Held { .. } | Outcome::Abandoned => unreachable!("it was found"),
            }
        }
        if refused.is_none()
            && let Some((_, index)) = self.state.duplicates().pop_first()
        {
            refused = Some(Refusal::Duplicate(index));
        }
        if let Some(refusal) = refused {
            self.state = state;
            let outcomes = vec![Outcome::Refused(refusal.clone())];
            self.remember(context, asked, false, Remembered { outcomes, ..Remembered::default() });
            return Err(failed(refusal.describe()));
        }
        let is_applied = self.state.touches > state.touches;
        self.state.index += u64::from(is_applied);
        let answer = Remembered { found: found.clone(), ..Remembered::default() };
        self.remember(context, asked, is_applied, answer);
        Ok(Modified { found, index: self.state.index, is_replayed: false })
    }

    fn claim(&mut self, claim: &Claim) -> Answer {
        let Claim { collection, context, .. } = claim;
        let asked = format!("{:?}", Claim { context: Context::default(), ..claim.clone() });
        let asked = format!("{asked} {:?}", context.time_to_live);
        let known = match self.known(context, &asked) {
            Ok(known) => known,
            Err(reused) => return reused,
        };
        if let Some(known) = known {
            return self.claimed(claim, known.found, Vec::new(), known.index, true);
        }
        let (before, now) = (self.state.clone(), self.now);
        self.state.end_leases(Some(collection), now);
        let shape = shape_of(&claim.changes);
        let expiry = context.time_to_live;
        let expiry = expiry.map_or(Expiry::Keep, |ttl| Expiry::Set(Some(now + micros(ttl))));
        let (mut found, mut skipped) = (Vec::new(), Vec::new());
        for id in self.state.find(collection, &claim.filter, &claim.sort, now) {
            let document = self.state.document(collection, &id).unwrap();
            let is_unfit = |(other, until): &(String, i64)| *other == shape && *until > now;
            if found.len() == claim.limit as usize {
                break;
            }
            if document.lease.is_some() && !claim.is_even_if_leased
                || document.unfit.iter().any(is_unfit)
            {
                continue;
            }
            let before = self.state.see(collection, &id);
            let operation = Operation {
                collection: collection.clone(),
                id: id.clone(),
                condition: Condition::Always,
                action: Action::Update(claim.changes.clone()),
            };
            let lease = claim.lease.clone();
            let lease = lease.map(|(duration, releases)| (now + micros(duration), releases));
            match self.state.act(&operation, expiry, lease, now) {
                Outcome::Applied { version, .. } => {
                    if claim.lease.is_none() {
                        // Whoever had a lease before loses it.
                        self.state.forget_lease(collection, &id);
                    }
                    let after = self.state.see(collection, &id);
                    found.push(Found { id, version, before, after });
                }
                Outcome::Refused(refusal) => {
                    let seconds = if matches!(refusal, Refusal::Duplicate(_)) { 1 } else { 60 };
                    self.state.mark_unfit(collection, &id, &shape, now + seconds * 1_000_000);
                    skipped.push(id);
                }
                Outcome::Held { .. } | Outcome::Abandoned => unreachable!("it was found"),
            }
        }
        let is_applied = self.state.touches > before.touches;
        self.state.index += u64::from(is_applied);
        let answer = Remembered { found: found.clone(), ..Remembered::default() };
        self.remember(context, asked, is_applied, answer);
        self.claimed(claim, found, skipped, self.state.index, false)
    }

    fn claimed(
        &self,
        claim: &Claim,
        found: Vec<Found>,
        skipped: Vec<Id>,
        index: u64,
        is_replayed: bool,
    ) -> Answer {
        let (visible, mut documents, mut lost) = (self.visible(), Vec::new(), Vec::new());
        for one in found {
            let document = visible.document(&claim.collection, &one.id);
            let lease = document.and_then(|document| document.lease.as_ref());
            let has_expired = is_replayed && lease.is_some_and(|lease| lease.until <= self.now);
            let now = visible.see(&claim.collection, &one.id).filter(|_| !has_expired);
            match now.filter(|now| now.version == one.version) {
                Some(now) => documents.push(now),
                None => lost.push((one.id, one.version)),
            }
        }
        Answer::Claimed { documents, lost, skipped, index, is_replayed }
    }

    fn settle(
        &mut self,
        (collection, id): (&str, &Id),
        version: u64,
        how: &Settling,
        context: &Context,
    ) -> Answer {
        let action = match how {
            Settling::Complete(changes) => Action::Complete(changes.clone()),
            Settling::Renew(duration) => Action::Renew(*duration),
            Settling::Release => Action::Release,
            Settling::Retry(not_before, reason) => Action::Retry(*not_before, reason.clone()),
        };
        let (collection, id) = (collection.to_owned(), id.clone());
        let condition = Condition::Version(version);
        let operation = Operation { collection, id, condition, action };
        let outcomes = match self.apply(std::slice::from_ref(&operation), context) {
            Ok(reply) => reply.outcomes,
            Err(reused) => return reused,
        };
        match &outcomes[0] {
            Outcome::Applied { version, .. } => Answer::Version(*version),
            Outcome::Refused(Refusal::Version(found)) => failed(format!("version {found}")),
            Outcome::Refused(refusal) => failed(refusal.describe()),
            Outcome::Held { .. } | Outcome::Abandoned => unreachable!("it does something"),
        }
    }

    fn create_index(&mut self, collection: &str, index: usize) -> Answer {
        if !self.state.collections.contains_key(collection) {
            self.state.create(collection, None, None);
        }
        if self.state.collections[collection].indexes.contains(&index) {
            return Answer::Done;
        }
        self.state.alter(collection);
        self.state.index += 1;
        let ids: Vec<_> = self.state.collections[collection].documents.keys().cloned().collect();
        if ids.is_empty() {
            self.state.alter(collection).indexes.insert(index);
            return Answer::Done;
        }
        // One step enters all, and one finds that there are no more; or one fails, and it is dropped.
        self.state.index += 2;
        let mut entered = BTreeSet::new();
        for id in ids {
            self.state.expire_one(collection, &id, self.now);
            let Some(document) = self.state.document(collection, &id) else { continue };
            let values = rules::unique_values(index, &document.fields);
            if values.as_ref().is_none_or(|values| !entered.is_disjoint(values)) {
                self.state.alter(collection);
                self.state.is_purge_due = true;
                return failed("index failed");
            }
            entered.extend(values.unwrap_or_default());
        }
        self.state.alter(collection).indexes.insert(index);
        Answer::Done
    }

    fn set_schema(&mut self, collection: &str, rules: Rules, existing: Existing) -> Answer {
        let now = self.now;
        let found = self.state.collections.get(collection);
        // Setting what is set changes nothing.
        let is_set = found.is_some_and(|found| found.schema == Some(rules));
        let version = match is_set {
            true => found.map_or(0, |found| found.rules_version),
            false => self.change_schema(collection).schema_version,
        };
        let put = |found: &mut super::state::Collection| {
            (found.schema, found.rules_version) = (Some(rules), version);
        };
        if existing == Existing::Keep {
            put(self.state.collections.get_mut(collection).unwrap());
            return Answer::Version(version);
        }
        let is_live = |one: &&Document| one.expires.is_none_or(|time| time > now);
        let is_bad = |one: &&Document| {
            rules::is_violated(rules, &rules::completed(rules, one.fields.clone()))
        };
        let documents = self.state.collections[collection].documents.values();
        let count = documents.filter(is_live).filter(is_bad).count();
        if count > 0 {
            if !is_set {
                self.change_schema(collection);
            }
            return failed(format!("violated {count}"));
        }
        if !is_set {
            put(self.change_schema(collection));
        }
        match self.fill_in_defaults(collection, rules) {
            0 => Answer::Version(version),
            count => failed(format!("violated {count}")),
        }
    }

    /// Writes the documents that lack a default: all at once, or one after another where one of them
    /// cannot be written. Returns how many cannot.
    fn fill_in_defaults(&mut self, collection: &str, rules: Rules) -> usize {
        let now = self.now;
        let documents = self.state.collections[collection].documents.iter();
        let lacking = documents.filter(|(_, one)| {
            one.expires.is_none_or(|time| time > now)
                && rules::completed(rules, one.fields.clone()) != one.fields
        });
        let ids: Vec<_> = lacking.map(|(id, _)| id.clone()).collect();
        if ids.is_empty() || self.fill(collection, &ids) {
            return 0;
        }
        ids.iter().filter(|id| !self.fill(collection, std::slice::from_ref(*id))).count()
    }

    /// Writes documents as they are, as one; whether that can be.
    fn fill(&mut self, collection: &str, ids: &[Id]) -> bool {
        let (context, filter) = (Context::default(), Filter::all());
        let (sort, limit, candidates) = (Sort::new(), usize::MAX, Some(ids.to_vec()));
        let which = Which {
            collection,
            filter: &filter,
            sort: &sort,
            limit,
            candidates,
            context: &context,
        };
        self.modify("fill", &which, &Action::Update(Vec::new())).is_ok()
    }

    fn change_schema(&mut self, collection: &str) -> &mut super::state::Collection {
        if !self.state.collections.contains_key(collection) {
            self.state.create(collection, None, None);
        }
        self.state.index += 1;
        let found = self.state.alter(collection);
        found.schema_version += 1;
        found
    }
}

/// What claims have in common that fail at the same documents: operators, fields, types of values.
fn shape_of(changes: &[Change]) -> String {
    let part = |change: &Change| match change {
        Change::Set(name, value) => format!("set {name} {}", value.kind()),
        Change::Unset(name) => format!("unset {name}"),
        Change::Inc(name, _) => format!("inc {name}"),
        Change::Push(name, _) => format!("push {name}"),
    };
    let mut parts: Vec<_> = changes.iter().map(part).collect();
    parts.sort();
    parts.join(", ")
}

/// What an element of an array is among the different values.
fn element(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Array(items) if items.is_empty() => None,
        value => Some(rules::encoded(value)),
    }
}
