//! The naive model: what the database promises, written from the specification in the plainest way,
//! one map in another, everything copied. It shares no code with what it is compared to.

use std::collections::BTreeMap;
use std::time::Duration;

use velocitydb::{Consistency, Filter, Object, Time, Value};

use super::state::{
    self, Collection, Document, Expiry, Outcome, Refusal, Remembered, State, change,
};
use super::step::{
    Action, Answer, Condition, Context, Operation, Seen, Settling, Step, TransactionStep,
};
use crate::queries::matching;
use crate::world::START_MICROS;

const RETENTION_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// A database.
#[derive(Clone)]
pub struct Model {
    pub(super) state: State,
    snapshot: State,
    pub(super) now: i64,
}

pub(super) struct Reply {
    pub(super) outcomes: Vec<Outcome>,
    index: u64,
    is_replayed: bool,
}

pub(super) fn failed(what: impl Into<String>) -> Answer {
    Answer::Failed(what.into())
}

pub(super) fn micros(duration: Duration) -> i64 {
    duration.as_micros() as i64
}

impl Model {
    pub fn new() -> Self {
        Model { state: State::default(), snapshot: State::default(), now: START_MICROS }
    }

    pub fn now(&self) -> i64 {
        self.now
    }

    pub fn run(&mut self, step: &Step) -> Answer {
        match step {
            Step::Write { operation, context } => self.write(operation, context),
            Step::InsertMany { collection, documents, context } => {
                self.insert_many(collection, documents, context)
            }
            Step::Batch { operations, context } => self.batch(operations, context),
            Step::Transaction(steps) => self.transaction(steps),
            Step::Create { collection, min_write, min_read } => {
                if self.state.collections.contains_key(collection) {
                    return failed("collection exists");
                }
                self.state.create(collection, *min_write, *min_read);
                self.state.index += 1;
                Answer::Done
            }
            Step::Drop { collection } => {
                let Some(dropped) = self.state.collections.remove(collection) else {
                    return failed("no collection");
                };
                let times = |one: &Document| (one.expires, one.lease.as_ref().map(|one| one.until));
                self.state.leftovers.extend(dropped.documents.values().map(times));
                self.state.dropped.insert(collection.clone(), (dropped.version_max, self.now));
                self.state.is_purge_due = true;
                self.state.index += 1;
                Answer::Done
            }
            Step::Get { collection, id, level } => self.reading(collection, *level, |state| {
                Answer::Documents(vec![state.see(collection, id)])
            }),
            Step::GetMany { collection, ids, level } => self.reading(collection, *level, |state| {
                Answer::Documents(ids.iter().map(|id| state.see(collection, id)).collect())
            }),
            Step::Count { collection, level } => {
                self.reading(collection, *level, |state| Answer::Count(state.count(collection)))
            }
            Step::List { collection, list, level } => {
                self.reading(collection, *level, |state| state.list(collection, list))
            }
            Step::Collections => {
                let visible = self.visible();
                let row = |(name, one): (&String, &Collection)| {
                    let (count, tombstones) = (one.documents.len(), one.tombstones.len());
                    (name.clone(), count as u64, one.writes, tombstones as u64)
                };
                Answer::Collections(visible.collections.iter().map(row).collect())
            }
            Step::TakeSnapshot => {
                self.snapshot = self.visible();
                Answer::Done
            }
            Step::ListSnapshot { collection, list } => self.snapshot.list(collection, list),
            Step::Advance(duration) => {
                self.now += micros(*duration);
                Answer::Done
            }
            Step::GoBack(duration) => {
                self.now -= micros(*duration);
                Answer::Done
            }
            Step::Maintain => {
                self.maintain();
                Answer::Done
            }
            Step::Restart => {
                self.snapshot = self.visible();
                Answer::Done
            }
            step => self.run_query(step),
        }
    }

    fn reading(
        &self,
        collection: &str,
        level: Consistency,
        read: impl FnOnce(&State) -> Answer,
    ) -> Answer {
        let floor = self.state.collections.get(collection).and_then(|one| one.min_read);
        if floor.is_some_and(|floor| level < floor) {
            return failed("too weak");
        }
        read(&self.visible())
    }

    /// What a reader sees now: nothing that has expired.
    pub(super) fn visible(&self) -> State {
        let mut state = self.state.clone();
        for collection in state.collections.values_mut() {
            collection.documents.retain(|_, one| one.expires.is_none_or(|time| time > self.now));
        }
        state
    }

    fn is_too_weak(&self, collection: &str, level: Consistency) -> bool {
        let floor = self.state.collections.get(collection).and_then(|one| one.min_write);
        floor.is_some_and(|floor| level < floor)
    }

    fn write(&mut self, operation: &Operation, context: &Context) -> Answer {
        if self.is_too_weak(&operation.collection, context.level) {
            return failed("too weak");
        }
        let reply = match self.apply(std::slice::from_ref(operation), context) {
            Ok(reply) => reply,
            Err(reused) => return reused,
        };
        let (index, is_replayed) = (reply.index, reply.is_replayed);
        let outcome = &reply.outcomes[0];
        // That a swap cannot be done is no answer to its comparison.
        if let Outcome::Refused(
            refusal @ (Refusal::Duplicate(_) | Refusal::Schema | Refusal::Update),
        ) = outcome
        {
            return failed(refusal.describe());
        }
        if operation.condition == Condition::Always {
            return match outcome {
                Outcome::Applied { version, existed } => {
                    Answer::Written { version: *version, existed: *existed, index, is_replayed }
                }
                Outcome::Held { version } => {
                    Answer::Written { version: *version, existed: false, index, is_replayed }
                }
                Outcome::Refused(refusal) => failed(refusal.describe()),
                Outcome::Abandoned => unreachable!(),
            };
        }
        // What has expired was not there for a comparison that did not hold, though it still is.
        let mut state = self.state.clone();
        if matches!(outcome, Outcome::Refused(_)) && !is_replayed {
            state.settle_one(&operation.collection, &operation.id, self.now);
        }
        // The answer to a retry shows the document as it is now.
        let current = match is_replayed {
            true => self.visible().see(&operation.collection, &operation.id),
            false => state.see(&operation.collection, &operation.id),
        };
        let version = match outcome {
            Outcome::Applied { version, .. }
            | Outcome::Held { version }
            | Outcome::Refused(
                Refusal::Exists(version)
                | Refusal::Version(version)
                | Refusal::Content(version)
                | Refusal::Unmatched(version),
            ) => *version,
            _ => 0,
        };
        let swapped = matches!(outcome, Outcome::Applied { .. });
        let held = !matches!(outcome, Outcome::Refused(_));
        Answer::Swapped { swapped, held, version, index, is_replayed, current }
    }

    fn insert_many(
        &mut self,
        collection: &str,
        documents: &[(String, Object)],
        context: &Context,
    ) -> Answer {
        if self.is_too_weak(collection, context.level) {
            return failed("too weak");
        }
        let operation = |(id, fields): &(String, Object)| Operation {
            collection: collection.to_owned(),
            id: id.clone(),
            condition: Condition::Always,
            action: Action::Insert(fields.clone()),
        };
        let operations: Vec<_> = documents.iter().map(operation).collect();
        let Reply { outcomes, index, is_replayed } = match self.apply(&operations, context) {
            Ok(reply) => reply,
            Err(reused) => return reused,
        };
        let mut answers = Vec::new();
        for (position, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Outcome::Applied { version, existed } => answers.push(Answer::Written {
                    version: *version,
                    existed: *existed,
                    index,
                    is_replayed,
                }),
                Outcome::Refused(refusal) => {
                    return failed(format!("{position}: {}", refusal.describe()));
                }
                _ => {}
            }
        }
        Answer::ManyWritten(answers)
    }

    fn batch(&mut self, operations: &[Operation], context: &Context) -> Answer {
        if operations.iter().any(|one| self.is_too_weak(&one.collection, context.level)) {
            return failed("too weak");
        }
        let Reply { outcomes, index, is_replayed } = match self.apply(operations, context) {
            Ok(reply) => reply,
            Err(reused) => return reused,
        };
        let is_applied = !outcomes.iter().any(|one| matches!(one, Outcome::Refused(_)));
        let outcomes = outcomes.iter().map(Outcome::describe).collect();
        Answer::Batch { is_applied, index, is_replayed, outcomes }
    }

    /// Applies a command, unless its request was answered before; an answer if its request id was
    /// used for something else.
    pub(super) fn apply(
        &mut self,
        operations: &[Operation],
        context: &Context,
    ) -> Result<Reply, Answer> {
        let asked = format!("{operations:?} {:?}", context.time_to_live);
        if let Some(known) = self.known(context, &asked)? {
            let (outcomes, index) = (known.outcomes, known.index);
            return Ok(Reply { outcomes, index, is_replayed: true });
        }
        let ttl = context.time_to_live.map(|duration| self.now + micros(duration));
        let expiry = ttl.map_or(Expiry::Keep, |time| Expiry::Set(Some(time)));
        let with_expiry = operations.iter().map(|one| (one, expiry));
        let (outcomes, is_applied) = self.apply_all(with_expiry, self.state.clone());
        let answer = Remembered { outcomes: outcomes.clone(), ..Remembered::default() };
        self.remember(context, asked, is_applied, answer);
        Ok(Reply { outcomes, index: self.state.index, is_replayed: false })
    }

    /// What a request was answered with before.
    pub(super) fn known(
        &self,
        context: &Context,
        asked: &str,
    ) -> Result<Option<Remembered>, Answer> {
        let Some(request) = &context.request else { return Ok(None) };
        match self.state.requests.iter().find(|one| one.request == *request) {
            Some(known) if known.asked == asked => Ok(Some(known.clone())),
            Some(_) => Err(failed("request reused")),
            None => Ok(None),
        }
    }

    /// Remembers the answer to a request. That changes the state too, if nothing else did.
    pub(super) fn remember(
        &mut self,
        context: &Context,
        asked: String,
        is_applied: bool,
        answer: Remembered,
    ) {
        let Some(request) = context.request.clone() else { return };
        if !is_applied {
            self.state.index += 1;
        }
        let (applied, index) = (self.now, self.state.index);
        self.state.requests.push_back(Remembered { request, asked, applied, index, ..answer });
    }

    /// Applies all operations or none; what became of them, and whether anything has changed since
    /// `before`.
    pub(super) fn apply_all<'a>(
        &mut self,
        operations: impl Iterator<Item = (&'a Operation, Expiry)>,
        before: State,
    ) -> (Vec<Outcome>, bool) {
        let now = self.now;
        let operations: Vec<_> = operations.collect();
        self.state.takings = (operations.len() > 1).then(Vec::new);
        let mut outcomes = Vec::new();
        for (position, (one, expiry)) in operations.into_iter().enumerate() {
            self.state.operation = position;
            outcomes.push(self.state.operate(one, expiry, now));
        }
        let is_refused =
            |outcomes: &[Outcome]| outcomes.iter().any(|one| matches!(one, Outcome::Refused(_)));
        if !is_refused(&outcomes) {
            for (position, index) in self.state.duplicates() {
                outcomes[position] = Outcome::Refused(Refusal::Duplicate(index));
            }
        }
        let is_refused = is_refused(&outcomes);
        if is_refused {
            for outcome in &mut outcomes {
                if !matches!(outcome, Outcome::Refused(_)) {
                    *outcome = Outcome::Abandoned;
                }
            }
        }
        if is_refused || self.state.touches == before.touches {
            self.state = before;
            return (outcomes, false);
        }
        self.state.index += 1;
        (outcomes, true)
    }

    fn maintain(&mut self) {
        let (now, before) = (self.now, self.now - RETENTION_MICROS);
        let state = &mut self.state;
        let touches = state.touches;
        let mut is_changed = false;
        state.do_what_is_due(now);
        state.leftovers.clear();
        for name in state.collections.keys().cloned().collect::<Vec<_>>() {
            let collection = state.collections.get_mut(&name).unwrap();
            let count = collection.tombstones.len();
            collection.tombstones.retain(|_, (_, deleted)| *deleted >= before);
            if collection.tombstones.len() < count {
                state.touch(&name);
            }
        }
        let count = state.dropped.len() + state.requests.len();
        state.dropped.retain(|_, (_, deleted)| *deleted >= before);
        while state.requests.front().is_some_and(|oldest| oldest.applied < before) {
            state.requests.pop_front();
        }
        is_changed |= state.dropped.len() + state.requests.len() < count;
        is_changed |= std::mem::take(&mut state.is_purge_due);
        is_changed |= state.touches > touches;
        state.index += u64::from(is_changed);
    }

    /// Does what is due before something else that looks for documents.
    pub(super) fn do_what_is_due(&mut self) {
        let (touches, now) = (self.state.touches, self.now);
        let leftovers = self.state.leftovers.len();
        self.state.do_what_is_due(now);
        // What is due of dropped collections goes too, and nobody sees that.
        let is_due = |time: Option<i64>| time.is_some_and(|time| time <= now);
        self.state.leftovers.retain(|(expires, lease)| !is_due(*expires) && !is_due(*lease));
        let is_changed = self.state.touches > touches || self.state.leftovers.len() < leftovers;
        self.state.index += u64::from(is_changed);
    }

    fn transaction(&mut self, steps: &[TransactionStep]) -> Answer {
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
                && self.state.matching_live(&query.collection, &query.filter, self.now)
                    != query.found
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
    found: Vec<(String, u64)>,
}

impl Transaction {
    fn run(&mut self, step: &TransactionStep) -> Answer {
        use TransactionStep::{
            Compare, Count, Delete, Document, Find, Get, Insert, List, Other, Replace, Settle,
            Update, Upsert,
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
            Find(collection, filter) => self.find(collection, filter),
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
                    Some(state::Refusal::Unmatched(version)) => {
                        failed(format!("content {version}"))
                    }
                    Some(refusal) => failed(refusal.describe()),
                    None => Answer::Done,
                }
            }
            Settle(collection, id, version, how) => self.settle(collection, id, *version, how),
            Other(_) => unreachable!(),
        }
    }

    fn find(&mut self, collection: &str, filter: &Filter) -> Answer {
        self.queries.push(Query {
            collection: collection.to_owned(),
            touched: self.begin.touched(collection),
            filter: filter.clone(),
            found: self.begin.matching_live(collection, filter, i64::MIN),
        });
        let all = self.all(collection);
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
        let found = matching(&objects, filter);
        let found = found.keys().map(|id| format!("{id} {}", all[id].to_json()));
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
                let mut releases = lease.releases.iter();
                match releases.find(|(filter, _)| filter.matches_object(&fields)) {
                    Some((_, changes)) => (change(&fields, changes), None),
                    None => (Some(fields), None),
                }
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
