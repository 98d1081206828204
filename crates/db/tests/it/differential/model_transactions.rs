//! The naive model: transactions, as a copy of the state that they began with and a list of writes.

use std::collections::BTreeMap;

use velocitydb::{Filter, Object, Sort, Time, object};

use super::changes::{change, retried};
use super::id::Id;
use super::leases;
use super::model::{Model, failed, micros};
use super::rules;
use super::state::{self, Document, Expiry, Lease, Outcome, Refusal, State};
use super::step::{
    Action, Answer, Begun, Change, Claim, ClaimedLast, Condition, LeaseChange, Operation, Releases,
    Seen, Settling, TransactionStep,
};
use crate::queries::{matching, sorted};

impl Model {
    pub(super) fn transaction(&mut self, steps: &[TransactionStep]) -> Answer {
        let mut transaction = Transaction {
            begin: self.visible(),
            documents: BTreeMap::new(),
            collections: BTreeMap::new(),
            queries: Vec::new(),
            writes: BTreeMap::new(),
            leases: BTreeMap::new(),
            claimed: None,
            now: self.now,
        };
        let mut answers = Vec::new();
        for step in steps {
            transaction.now = self.now;
            let answer = match step {
                TransactionStep::Other(step) => self.run(step),
                step => match step.of_claimed(&transaction.claimed) {
                    Some(step) => transaction.run(&step),
                    None => Answer::Done,
                },
            };
            let is_own = !matches!(step, TransactionStep::Other(_));
            answers.push(answer);
            if is_own && matches!(answers.last(), Some(Answer::Failed(_))) {
                return Answer::Transaction(answers, Box::new(failed("given up")));
            }
        }
        let result = self.commit(transaction);
        Answer::Transaction(answers, Box::new(result))
    }

    fn commit(&mut self, transaction: Transaction) -> Answer {
        let before = self.state.clone();
        let answer = self.try_commit(transaction, before.clone());
        if matches!(answer, Answer::Failed(_)) {
            self.state = before;
        }
        answer
    }

    fn try_commit(&mut self, transaction: Transaction, before: State) -> Answer {
        let read = transaction.documents.keys().map(|(collection, _)| collection);
        let read = read.chain(transaction.collections.keys());
        for collection in read.chain(transaction.queries.iter().map(|query| &query.collection)) {
            self.state.end_leases(Some(collection), self.now);
        }
        for ((collection, id), version) in &transaction.documents {
            let found = self.state.document(collection, id);
            let is_live = |one: &&Document| one.expires.is_none_or(|time| time > self.now);
            if found.filter(is_live).map_or(0, |one| one.version) != *version {
                return failed("conflict");
            }
        }
        for (collection, touched) in &transaction.collections {
            if self.state.touched(collection) != *touched {
                return failed("conflict");
            }
        }
        for query in &transaction.queries {
            if self.state.touched(&query.collection) != query.touched
                && self.state.first_live(&query.collection, query.part(), self.now) != query.found
            {
                return failed("conflict");
            }
        }
        let leases = transaction.leases;
        let operations = transaction.writes.into_iter().map(|((collection, id), write)| {
            let lease = leases.get(&(collection.clone(), id.clone()));
            let (action, expires) = match (write, lease) {
                (Some((fields, expires)), Some(change)) => {
                    (Action::Settle(fields, change.clone()), expires)
                }
                (Some((fields, expires)), None) => (Action::Upsert(fields), expires),
                (None, _) => (Action::Delete, None),
            };
            let operation = Operation { collection, id, condition: Condition::Always, action };
            (operation, Expiry::Set(expires))
        });
        let operations: Vec<_> = operations.collect();
        let all = operations.iter().map(|(operation, expiry)| (operation, *expiry));
        let (outcomes, _) = self.apply_all(all, before);
        for outcome in &outcomes {
            if let Outcome::Refused(refusal) = outcome {
                return failed(refusal.describe());
            }
        }
        Answer::Committed(self.state.index)
    }
}

type Place = (String, Id);

struct Transaction {
    begin: State,
    documents: BTreeMap<Place, u64>,
    collections: BTreeMap<String, u64>,
    queries: Vec<Query>,
    writes: BTreeMap<Place, Option<(Object, Option<i64>)>>,
    /// What becomes of leases.
    leases: BTreeMap<Place, LeaseChange>,
    /// The document that was claimed last.
    claimed: ClaimedLast,
    now: i64,
}

/// What a query of a transaction found: ids and versions.
struct Query {
    collection: String,
    touched: u64,
    filter: Filter,
    sort: Sort,
    /// How many documents were read, including as many as its own writes may have removed.
    limit: Option<u64>,
    found: Vec<(Id, u64)>,
}

impl Query {
    fn part(&self) -> (&Filter, &Sort, Option<u64>) {
        (&self.filter, &self.sort, self.limit)
    }
}

impl Transaction {
    fn run(&mut self, step: &TransactionStep) -> Answer {
        use TransactionStep::{
            Claim, Compare, Count, Delete, Document, Find, Get, Insert, List, OfClaimed, Other,
            Query, Replace, Settle, Update, Upsert,
        };
        match step {
            Get(collection, id) => {
                let found = self.read(collection, id);
                Answer::Fields(found.map(|(fields, _)| fields.to_json()))
            }
            Count(collection) => Answer::Count(self.list(collection).len() as u64),
            List(collection) => {
                let one = |(id, fields): (Id, Object)| Some(format!("{id} {}", fields.to_json()));
                let all = self.list(collection).into_iter().filter_map(one);
                Answer::Fields(Some(all.collect::<Vec<_>>().join("\n")))
            }
            Find(collection, filter) => self.find(collection, filter, &Sort::new(), 0, None),
            Query(collection, filter, sort, offset, limit) => {
                self.find(collection, filter, sort, *offset, *limit)
            }
            Insert(collection, id, fields) => match self.read(collection, id) {
                Some(_) => failed(format!("exists {}", self.version(collection, id))),
                None => self.write(collection, id, Some((fields.clone(), None))),
            },
            Replace(collection, id, fields) => match self.read(collection, id) {
                Some(_) => self.write(collection, id, Some((fields.clone(), None))),
                None => failed("missing"),
            },
            Upsert(collection, id, fields) => {
                self.read(collection, id);
                self.write(collection, id, Some((fields.clone(), None)))
            }
            Update(collection, id, changes) => match self.read(collection, id) {
                Some((fields, expires)) => match change(&fields, changes) {
                    Some(fields) => self.write(collection, id, Some((fields, expires))),
                    None => failed("update"),
                },
                None => failed("missing"),
            },
            Delete(collection, id) => {
                let existed = self.read(collection, id).is_some();
                self.write(collection, id, None);
                Answer::Count(u64::from(existed))
            }
            Document(collection, id) => Answer::Documents(vec![self.see(collection, id)]),
            Compare(collection, id, condition) => {
                let seen = self.read(collection, id);
                let version = self.version(collection, id);
                let lease = self.lease(&(collection.clone(), id.clone()));
                let document = seen.map(|(fields, _)| {
                    let set = Vec::new();
                    let lease = lease.map(|(until, releases)| Lease { until, releases, set });
                    state::Document { lease, ..state::Document::of(version, fields) }
                });
                match state::refusal(condition, id, document.as_ref()) {
                    // As an error a condition that does not hold is one, whatever it says.
                    Some(Refusal::Unmatched(version)) => failed(format!("content {version}")),
                    Some(refusal) => failed(refusal.describe()),
                    None => Answer::Done,
                }
            }
            Settle(collection, id, version, how) => self.settle(collection, id, *version, how),
            Claim(claim) => self.claim(claim),
            OfClaimed(_) | Other(_) => unreachable!(),
        }
    }

    fn find(
        &mut self,
        collection: &str,
        filter: &Filter,
        sort: &Sort,
        offset: u64,
        limit: Option<u64>,
    ) -> Answer {
        let all = match (filter.is_all(), limit) {
            (true, None) => self.list(collection),
            _ => {
                let own = self.writes.keys().filter(|(other, _)| other == collection).count();
                self.look(collection, filter, sort, limit.map(|limit| limit + offset + own as u64));
                self.all(collection)
            }
        };
        let found = sorted(&matching(&self.objects(collection), filter), sort);
        let found = found.into_iter().skip(offset as usize);
        let found = found.take(limit.map_or(usize::MAX, |limit| limit as usize));
        let found = found.map(|id| format!("{id} {}", all[&id].to_json()));
        Answer::Fields(Some(found.collect::<Vec<_>>().join("\n")))
    }

    /// All documents of a collection, with its own writes, and when the leases on them end.
    fn objects(&self, collection: &str) -> BTreeMap<Id, Object> {
        let mut objects = self.begin.objects(collection, i64::MIN);
        for (place, write) in self.writes.iter().filter(|((other, _), _)| other == collection) {
            let Some((fields, _)) = write else {
                objects.remove(&place.1);
                continue;
            };
            let mut object = fields.clone();
            let until = self.lease(place).map(|(until, _)| Time::from_micros(until).unwrap());
            object.extend(until.map(|until| ("_meta", object! { "lease": until })));
            objects.insert(place.1.clone(), object);
        }
        objects
    }

    /// When the lease on a document ends, and what is done then.
    fn lease(&self, place: &Place) -> Option<(i64, Releases)> {
        let before = || self.begin.document(&place.0, &place.1)?.lease.clone();
        match self.leases.get(place) {
            None => before().map(|lease| (lease.until, lease.releases)),
            Some(LeaseChange::End) => None,
            Some(LeaseChange::Renew(duration)) => {
                before().map(|lease| (self.now + micros(*duration), lease.releases))
            }
            Some(LeaseChange::Begin(begun)) => {
                Some((self.now + micros(begun.duration), begun.releases.clone()))
            }
        }
    }

    /// Whether there was such a document before.
    fn existed(&self, place: &Place) -> bool {
        self.documents[place] > 0
    }

    fn set_lease(&mut self, place: Place, change: LeaseChange) {
        if change == LeaseChange::End && !self.existed(&place) {
            self.leases.remove(&place);
        } else {
            self.leases.insert(place, change);
        }
    }

    fn claim(&mut self, claim: &Claim) -> Answer {
        let Claim { collection, filter, sort, limit, changes, lease, .. } = claim;
        let free = Filter::from_object(object! { "_meta.lease": { "$exists": false } }).unwrap();
        let filter =
            if claim.is_even_if_leased { filter.clone() } else { filter.clone().and(free) };
        let ids = sorted(&matching(&self.objects(collection), &filter), sort);
        let all = self.all(collection);
        let (mut taken, mut looked_at) = (Vec::new(), 0);
        for id in ids {
            if taken.len() == *limit as usize {
                break;
            }
            looked_at += 1;
            taken.extend(change(&all[&id], changes).map(|fields| (id, fields)));
        }
        if taken.len() < *limit as usize {
            // It has seen that there are no more.
            looked_at += 1;
        }
        let own = self.writes.keys().filter(|(other, _)| other == collection).count();
        self.look(collection, &filter, sort, Some((looked_at + own) as u64));
        let mut seen = Vec::new();
        for (id, fields) in taken {
            let place = (collection.clone(), id.clone());
            let (_, expires) = self.read(collection, &id).unwrap();
            let change = match lease {
                None => LeaseChange::End,
                Some((duration, releases)) => {
                    let set = changes.iter().filter_map(Change::set);
                    let value = |name: &String| fields.get(name).map(rules::encoded);
                    let set = set.map(|name| (name.clone(), value(&name))).collect();
                    LeaseChange::Begin(Begun {
                        duration: *duration,
                        releases: releases.clone(),
                        set,
                    })
                }
            };
            self.write(collection, &id, Some((fields, expires)));
            self.set_lease(place, change);
            let mut one = self.see(collection, &id).unwrap();
            one.version += u64::from(one.version > 0);
            self.claimed = Some((collection.clone(), id, one.version));
            seen.push(one);
        }
        Answer::Found(seen)
    }

    /// Records what was read.
    fn look(&mut self, collection: &str, filter: &Filter, sort: &Sort, limit: Option<u64>) {
        self.queries.push(Query {
            collection: collection.to_owned(),
            touched: self.begin.touched(collection),
            filter: filter.clone(),
            sort: sort.clone(),
            limit,
            found: self.begin.first_live(collection, (filter, sort, limit), i64::MIN),
        });
    }

    fn read(&mut self, collection: &str, id: &Id) -> Option<(Object, Option<i64>)> {
        let place = (collection.to_owned(), id.clone());
        if let Some(write) = self.writes.get(&place) {
            return write.clone();
        }
        let found = self.begin.document(collection, id);
        self.documents.insert(place, found.map_or(0, |one| one.version));
        found.map(|one| (one.fields.clone(), one.expires))
    }

    /// The version of a document that this transaction sees: that from before.
    fn version(&self, collection: &str, id: &Id) -> u64 {
        self.documents[&(collection.to_owned(), id.clone())]
    }

    fn see(&mut self, collection: &str, id: &Id) -> Option<Seen> {
        let (fields, expires) = self.read(collection, id)?;
        let place = (collection.to_owned(), id.clone());
        let before = self.begin.see(collection, id);
        if !self.writes.contains_key(&place) {
            return before;
        }
        Some(Seen {
            id: id.clone(),
            version: before.as_ref().map_or(0, |one| one.version),
            created: before.as_ref().map_or(self.now, |one| one.created),
            modified: before.as_ref().map_or(self.now, |one| one.modified.max(self.now)),
            expires,
            fields: fields.to_json(),
        })
    }

    fn settle(&mut self, collection: &str, id: &Id, version: u64, how: &Settling) -> Answer {
        let found = self.read(collection, id);
        let has = found.as_ref().map_or(0, |_| self.version(collection, id));
        let place = (collection.to_owned(), id.clone());
        let has_after = if has == 0 { 0 } else { has + 1 };
        let is_held = version == has || self.writes.contains_key(&place) && version == has_after;
        let Some((fields, expires)) = found.filter(|_| is_held) else {
            return failed(format!("version {has}"));
        };
        let lease = self.lease(&place).map(|(_, releases)| releases);
        let (fields, change) = match (how, lease) {
            (Settling::Complete(changes), _) => (change(&fields, changes), LeaseChange::End),
            (_, None) => return failed(format!("no lease {has}")),
            (Settling::Renew(duration), Some(_)) => {
                let duration = *duration;
                let change = match self.leases.get(&place).cloned() {
                    Some(LeaseChange::Begin(begun)) => {
                        LeaseChange::Begin(Begun { duration, ..begun })
                    }
                    _ => LeaseChange::Renew(duration),
                };
                (Some(fields), change)
            }
            (Settling::Release, Some(releases)) => {
                let changes = leases::release(&releases, &fields).unwrap_or_default();
                (change(&fields, &changes), LeaseChange::End)
            }
            (Settling::Retry(not_before, reason), Some(releases)) => {
                let release = leases::release(&releases, &fields).unwrap_or_default();
                let fields = retried(&fields, &release, *not_before, reason);
                (fields, LeaseChange::End)
            }
        };
        let Some(fields) = fields else { return failed("update") };
        self.write(collection, id, Some((fields, expires)));
        self.set_lease(place, change);
        Answer::Version(has_after)
    }

    fn list(&mut self, collection: &str) -> BTreeMap<Id, Object> {
        self.collections.insert(collection.to_owned(), self.begin.touched(collection));
        self.all(collection)
    }

    /// All documents of a collection, with its own writes.
    fn all(&self, collection: &str) -> BTreeMap<Id, Object> {
        let mut all = BTreeMap::new();
        if let Some(found) = self.begin.collections.get(collection) {
            all.extend(found.documents.iter().map(|(id, one)| (id.clone(), one.fields.clone())));
        }
        for ((_, id), write) in self.writes.iter().filter(|((other, _), _)| other == collection) {
            match write {
                Some((fields, _)) => all.insert(id.clone(), fields.clone()),
                None => all.remove(id),
            };
        }
        all
    }

    fn write(&mut self, collection: &str, id: &Id, write: Option<(Object, Option<i64>)>) -> Answer {
        let place = (collection.to_owned(), id.clone());
        if self.writes.get(&place) == Some(&None) {
            // Its lease went with what was deleted.
            self.set_lease(place.clone(), LeaseChange::End);
        }
        self.writes.insert(place, write);
        Answer::Done
    }
}
