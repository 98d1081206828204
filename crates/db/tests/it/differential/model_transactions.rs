//! The naive model: transactions, as a copy of the state that they began with and a list of writes.

use std::collections::BTreeMap;
use std::time::Duration;

use velocitydb::{Filter, Object, Sort, Time, Value};

use super::model::{Model, failed, micros};
use super::state::{self, Document, Expiry, Outcome, Refusal, State, change};
use super::step::{Action, Answer, Condition, Operation, Seen, Settling, TransactionStep};
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
            now: self.now,
        };
        let mut answers = Vec::new();
        for step in steps {
            transaction.now = self.now;
            let answer = match step {
                TransactionStep::Other(step) => self.run(step),
                step => transaction.run(step),
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
                    (Action::Settle(fields, *change), expires)
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

type Place = (String, String);

struct Transaction {
    begin: State,
    documents: BTreeMap<Place, u64>,
    collections: BTreeMap<String, u64>,
    queries: Vec<Query>,
    writes: BTreeMap<Place, Option<(Object, Option<i64>)>>,
    /// The leases that end, or end so long after the commit.
    leases: BTreeMap<Place, Option<Duration>>,
    now: i64,
}

/// What a query of a transaction found: ids and versions.
struct Query {
    collection: String,
    touched: u64,
    filter: Filter,
    sort: Sort,
    /// How many of them were looked at: as many as its own writes may have taken away are among them.
    limit: Option<u64>,
    found: Vec<(String, u64)>,
}

impl Query {
    fn part(&self) -> (&Filter, &Sort, Option<u64>) {
        (&self.filter, &self.sort, self.limit)
    }
}

impl Transaction {
    fn run(&mut self, step: &TransactionStep) -> Answer {
        use TransactionStep::{
            Compare, Count, Delete, Document, Find, Get, Insert, List, Other, Query, Replace,
            Settle, Update, Upsert,
        };
        match step {
            Get(collection, id) => {
                let found = self.read(collection, id);
                Answer::Fields(found.map(|(fields, _)| fields.to_json()))
            }
            Count(collection) => Answer::Count(self.list(collection).len() as u64),
            List(collection) => {
                let one =
                    |(id, fields): (String, Object)| Some(format!("{id} {}", fields.to_json()));
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
                let document = seen.map(|(fields, _)| state::Document::of(version, fields));
                match state::refusal(condition, id, document.as_ref()) {
                    // As an error a condition that does not hold is one, whatever it says.
                    Some(Refusal::Unmatched(version)) => failed(format!("content {version}")),
                    Some(refusal) => failed(refusal.describe()),
                    None => Answer::Done,
                }
            }
            Settle(collection, id, version, how) => self.settle(collection, id, *version, how),
            Other(_) => unreachable!(),
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
                let looked_at = limit.map(|limit| limit + offset + own as u64);
                let part = (filter, sort, looked_at);
                self.queries.push(Query {
                    collection: collection.to_owned(),
                    touched: self.begin.touched(collection),
                    filter: filter.clone(),
                    sort: sort.clone(),
                    limit: looked_at,
                    found: self.begin.first_live(collection, part, i64::MIN),
                });
                self.all(collection)
            }
        };
        let mut objects = self.begin.objects(collection, i64::MIN);
        for (place, write) in self.writes.iter().filter(|((other, _), _)| other == collection) {
            let Some((fields, _)) = write else {
                objects.remove(&place.1);
                continue;
            };
            let before = self.begin.document(collection, &place.1);
            let before = before.and_then(|one| one.lease.as_ref()).map(|lease| lease.until);
            let until = match (self.leases.get(place), before) {
                (None, before) => before,
                (Some(Some(duration)), Some(_)) => Some(self.now + micros(*duration)),
                (Some(_), _) => None,
            };
            let mut object = fields.clone();
            let until = until.map(|until| Time::from_micros(until).unwrap());
            object.extend(until.map(|until| ("_lease", Value::from(until))));
            objects.insert(place.1.clone(), object);
        }
        let found = sorted(&matching(&objects, filter), sort).into_iter().skip(offset as usize);
        let found = found.take(limit.map_or(usize::MAX, |limit| limit as usize));
        let found = found.map(|id| format!("{id} {}", all[&id].to_json()));
        Answer::Fields(Some(found.collect::<Vec<_>>().join("\n")))
    }

    fn read(&mut self, collection: &str, id: &str) -> Option<(Object, Option<i64>)> {
        let place = (collection.to_owned(), id.to_owned());
        if let Some(write) = self.writes.get(&place) {
            return write.clone();
        }
        let found = self.begin.document(collection, id);
        self.documents.insert(place, found.map_or(0, |one| one.version));
        found.map(|one| (one.fields.clone(), one.expires))
    }

    /// The version of a document that this transaction sees: that from before.
    fn version(&self, collection: &str, id: &str) -> u64 {
        self.documents[&(collection.to_owned(), id.to_owned())]
    }

    fn see(&mut self, collection: &str, id: &str) -> Option<Seen> {
        let (fields, expires) = self.read(collection, id)?;
        let place = (collection.to_owned(), id.to_owned());
        let before = self.begin.see(collection, id);
        if !self.writes.contains_key(&place) {
            return before;
        }
        Some(Seen {
            id: id.to_owned(),
            version: before.as_ref().map_or(0, |one| one.version),
            created: before.as_ref().map_or(self.now, |one| one.created),
            modified: before.as_ref().map_or(self.now, |one| one.modified.max(self.now)),
            expires,
            fields: fields.to_json(),
        })
    }

    fn settle(&mut self, collection: &str, id: &str, version: u64, how: &Settling) -> Answer {
        let found = self.read(collection, id);
        let has = found.as_ref().map_or(0, |_| self.version(collection, id));
        let Some((fields, expires)) = found.filter(|_| has == version) else {
            return failed(format!("version {has}"));
        };
        let place = (collection.to_owned(), id.to_owned());
        let lease = self.begin.document(collection, id).and_then(|one| one.lease.clone());
        let lease = lease.filter(|_| self.leases.get(&place) != Some(&None));
        let (fields, change) = match (how, lease) {
            (Settling::Complete(changes), _) => (change(&fields, changes), None),
            (_, None) => return failed(format!("no lease {version}")),
            (Settling::Renew(duration), Some(_)) => (Some(fields), Some(*duration)),
            (Settling::Release, Some(lease)) => {
                let changes = state::release(&lease.releases, &fields).unwrap_or_default();
                (change(&fields, &changes), None)
            }
            (Settling::Retry(not_before, reason), Some(lease)) => {
                let release = state::release(&lease.releases, &fields).unwrap_or_default();
                let changes = [release, state::retry_changes(*not_before, reason)].concat();
                (change(&fields, &changes), None)
            }
        };
        let Some(fields) = fields else { return failed("update") };
        self.write(collection, id, Some((fields, expires)));
        self.leases.insert(place, change);
        Answer::Version(version + 1)
    }

    fn list(&mut self, collection: &str) -> BTreeMap<String, Object> {
        self.collections.insert(collection.to_owned(), self.begin.touched(collection));
        self.all(collection)
    }

    /// All documents of a collection, with its own writes.
    fn all(&self, collection: &str) -> BTreeMap<String, Object> {
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

    fn write(
        &mut self,
        collection: &str,
        id: &str,
        write: Option<(Object, Option<i64>)>,
    ) -> Answer {
        let place = (collection.to_owned(), id.to_owned());
        if self.writes.get(&place) == Some(&None) && self.documents[&place] > 0 {
            // Its lease went with what was deleted.
            self.leases.insert(place.clone(), None);
        }
        self.writes.insert(place, write);
        Answer::Done
    }
}
