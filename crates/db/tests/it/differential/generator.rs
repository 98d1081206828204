//! Making up the steps of the differential test.

use std::collections::VecDeque;
use std::time::Duration;

use velocitydb::{
    Consistency, Direction, Existing, Filter, NewIds, Origin, Sort, Time, Value, object,
};
use velocitydb_storage::contract::Random;

use super::claiming::claiming;
use super::id::{self, Id};
use super::numbering::{self, numbering};
use super::queue::queue;
use super::shuffle::shuffle;
use super::step::*;
use crate::queries::Queries;
use crate::world::START_MICROS;

const FIELDS: [&str; 3] = ["n", "m", "list"];

/// How many ids are used at a time.
const IDS: usize = 9;

/// How many of the last writes that had a request id are retried.
const RETRIED_MAX: usize = 20;

/// Makes steps up.
pub struct Generator {
    pub(super) random: Random,
    pub(super) queries: Queries,
    /// The ids that most steps are about, for a while.
    ids: Vec<Id>,
    requests: u64,
    /// The last writes that had a request id, to be retried.
    requested: Vec<Step>,
    /// Whether a restart comes next: after maintenance, so that a difference between memory and disk
    /// shows.
    is_restart_next: bool,
    /// A bound that moves, as the time does in what claims ask for.
    ticks: i64,
    /// Steps that belong together; others may come in between.
    planned: VecDeque<Step>,
}

impl Generator {
    pub fn new(mut random: Random) -> Self {
        let queries = Queries::new(Random::from_seed(random.number()));
        let ids = id::some(&mut random, IDS);
        Generator {
            random,
            queries,
            ids,
            requests: 0,
            requested: Vec::new(),
            is_restart_next: false,
            ticks: 0,
            planned: VecDeque::new(),
        }
    }

    pub fn next(&mut self) -> Step {
        if std::mem::take(&mut self.is_restart_next) {
            return Step::Restart;
        }
        if self.random.one_in(250) {
            self.ids = id::some(&mut self.random, IDS);
        }
        if self.planned.is_empty() && self.random.one_in(40) {
            let collection = self.collection();
            self.planned = match self.random.within(0..4) {
                0 => shuffle(&mut self.random, &collection).into(),
                1 => queue(&mut self.random, &collection).into(),
                2 => numbering(&mut self.random, &collection).into(),
                _ => claiming(&mut self.random, &collection).into(),
            };
        }
        if !self.random.one_in(4)
            && let Some(step) = self.planned.pop_front()
        {
            return step;
        }
        match self.random.within(0..150) {
            100..150 => self.query(),
            0 => Step::Restart,
            1..3 => self.create(),
            3 => Step::Drop { collection: self.collection() },
            4..8 => Step::Advance(self.while_passing()),
            8 => Step::GoBack(Duration::from_secs(self.random.within(1..20))),
            9..12 => {
                self.is_restart_next = self.random.one_in(4);
                Step::Maintain
            }
            12 => Step::TakeSnapshot,
            13..16 => Step::ListSnapshot { collection: self.collection(), list: self.bounds() },
            16 => Step::Collections,
            17..24 => Step::List {
                collection: self.collection(),
                list: self.bounds(),
                level: self.level(),
            },
            24..27 => Step::Count { collection: self.collection(), level: self.level() },
            27..32 => {
                Step::Get { collection: self.collection(), id: self.id(), level: self.level() }
            }
            32..35 => Step::GetMany {
                collection: self.collection(),
                ids: (0..self.random.within(0..6)).map(|_| self.id()).collect(),
                level: self.level(),
            },
            35..45 => Step::Transaction(self.transaction()),
            45..48 => self.retry(),
            _ => self.write(),
        }
    }

    /// A write of any kind, or a collection that is made or dropped, or maintenance.
    pub fn next_command(&mut self) -> Step {
        match self.random.within(0..36) {
            30..36 => self.query_command(),
            0 => self.create(),
            1 => Step::Drop { collection: self.collection() },
            2 | 3 => Step::Maintain,
            4 => self.retry(),
            _ => self.write(),
        }
    }

    /// What has to do with queries, indexes, schemas or claims.
    fn query(&mut self) -> Step {
        let (collection, filter, sort) = (self.collection(), self.filter(), self.sort());
        match self.random.within(0..50) {
            0..16 => Step::Find {
                collection,
                filter,
                sort,
                offset: self.random.within(0..4),
                limit: self.random.one_in(2).then(|| self.random.within(0..6)),
            },
            16..20 => Step::Pages { collection, filter, sort, size: self.random.within(1..5) },
            47..50 => {
                let from = self.collection();
                Step::Lookup { collection, filter, from, field: self.field() }
            }
            20..24 => Step::Distinct { collection, filter, path: self.field() },
            _ => self.query_command(),
        }
    }

    /// What changes something by way of a query, an index or a schema.
    fn query_command(&mut self) -> Step {
        let (collection, filter, sort) = (self.collection(), self.filter(), self.sort());
        let index = self.random.within(0..INDEXES as u64) as usize;
        let changes = self.changes();
        match self.random.within(0..26) {
            0..4 => Step::CreateIndex { collection, index },
            4..6 => Step::DropIndex { collection, index },
            6 => Step::SetSchema {
                collection,
                schema: if self.random.one_in(2) { Rules::Numbers } else { Rules::Needs },
                existing: if self.random.one_in(2) { Existing::Check } else { Existing::Keep },
            },
            7 | 8 => Step::RemoveSchema { collection },
            9..12 => {
                let changes = (!self.random.one_in(4)).then_some(changes);
                let context = self.strong_context();
                self.remembered(Step::Many { collection, filter, changes, context })
            }
            12..15 => {
                let changes = (!self.random.one_in(4)).then_some(changes);
                let context = self.strong_context();
                self.remembered(Step::One { collection, filter, sort, changes, context })
            }
            15..21 => {
                let claim = self.claim();
                let context = self.strong_context();
                self.remembered(Step::Claim(Claim { context, ..claim }))
            }
            _ => {
                let settle = Step::Settle {
                    collection,
                    id: self.id(),
                    version: self.random.within(1..9),
                    how: self.settling(),
                    context: self.strong_context(),
                };
                self.remembered(settle)
            }
        }
    }

    fn claim(&mut self) -> Claim {
        let duration = Duration::from_secs(self.random.within(0..30));
        Claim {
            collection: self.collection(),
            filter: self.filter(),
            sort: self.sort(),
            limit: self.random.within(0..4) as u32,
            changes: self.changes(),
            lease: (!self.random.one_in(3)).then(|| (duration, self.releases())),
            is_even_if_leased: self.random.one_in(5),
            context: Context::default(),
        }
    }

    fn releases(&mut self) -> Releases {
        let count = self.random.within(0..3);
        let mut releases: Releases = (0..count)
            .map(|_| {
                let filter = object! { "n": { "$gte": self.random.within(0..3) as i64 } };
                (Filter::from_object(filter).unwrap(), self.changes())
            })
            .collect();
        if count == 0 || self.random.one_in(2) {
            releases.push((Filter::all(), self.changes()));
        }
        releases
    }

    /// Remembers a step that has a request id, to be retried.
    fn remembered(&mut self, mut step: Step) -> Step {
        if step.context_mut().is_some_and(|context| context.request.is_some()) {
            if self.requested.len() == RETRIED_MAX {
                self.requested.remove(0);
            }
            self.requested.push(step.clone());
        }
        step
    }

    /// One of the last writes that had a request id, again.
    fn retry(&mut self) -> Step {
        if self.requested.is_empty() {
            return Step::Maintain;
        }
        let at = self.random.within(0..self.requested.len() as u64) as usize;
        let mut step = self.requested[at].clone();
        numbering::generate_again(&mut self.random, &mut step);
        step
    }

    fn filter(&mut self) -> Filter {
        if self.random.one_in(5) {
            return self.filter_by_id();
        }
        let filter = match self.random.within(0..11) {
            // Ranges of a unique index that are merged, with the next sorts.
            7 => object! { "m": { "$in": [self.value(), self.value(), self.value()] } },
            // A bound that moves with the clock.
            8 => {
                let bound = Value::from(self.ticks);
                self.ticks += self.random.within(0..3) as i64;
                match self.random.one_in(2) {
                    true => object! { "n": { "$lte": bound } },
                    false => object! { "m": { "$ne": 2 }, "n": { "$lt": bound } },
                }
            }
            0 => return Filter::all(),
            1 | 2 => return self.queries.filter(),
            9 => object! {
                "_meta.lease": { "$exists": self.random.one_in(4) },
                "_lease": { "$exists": self.random.one_in(4) }
            },
            10 => {
                object! { "list": self.random.within(0..4) as i64, "_meta.lease": { "$exists": false } }
            }
            3 => object! { "n": self.value() },
            4 => object! { "n": { "$gte": self.value() } },
            5 => object! { "list": self.random.within(0..4) as i64 },
            _ => {
                object! { "n": { "$in": [self.value(), self.value()] }, "m": { "$ne": self.value() } }
            }
        };
        Filter::from_object(filter).unwrap_or_else(|_| Filter::all())
    }

    /// A filter about ids, of which many are of other types than the ids that there are.
    fn filter_by_id(&mut self) -> Filter {
        let mut bound = || id::bound(&mut self.random, &self.ids);
        let (one, other) = (bound(), bound());
        let list: Value = (0..4).map(|_| bound()).collect();
        let test = match self.random.within(0..10) {
            0 => object! { "$eq": one },
            1 | 2 => object! { "$in": list },
            3 => object! { "$gt": one },
            4 => object! { "$gte": one },
            5 => object! { "$lt": one },
            6 => object! { "$lte": one },
            7 => object! { "$gte": one, "$lt": other },
            8 => object! { "$not": { "$gt": one } },
            _ => object! { "$nin": list },
        };
        let filter = match self.random.within(0..4) {
            0 => object! { "$or": [{ "_id": test }, { "n": self.value() }] },
            1 => object! { "_id": test, "n": { "$exists": true } },
            _ => object! { "_id": test },
        };
        Filter::from_object(filter).unwrap_or_else(|_| Filter::all())
    }

    fn sort(&mut self) -> Sort {
        match self.random.within(0..10) {
            6 => Sort::new().descending("n"),
            7 => Sort::new().ascending("n").ascending("_id"),
            0 => Sort::new(),
            1 | 2 => self.queries.sort(),
            3 => Sort::new().ascending("n"),
            4 => Sort::new().descending("n").ascending("m"),
            8 => Sort::new().ascending("_id"),
            9 => Sort::new().descending("_id"),
            _ => Sort::new().ascending("list").descending("_id"),
        }
    }

    fn write(&mut self) -> Step {
        let context = self.context();
        let step = match self.random.within(0..10) {
            0 => {
                let count = self.random.within(1..5);
                let documents = (0..count)
                    .map(|_| {
                        let origin = self.random.one_in(6).then(|| self.origin());
                        (self.id(), self.object(), origin)
                    })
                    .collect();
                Step::InsertMany { collection: self.collection(), documents, context }
            }
            1..3 => {
                let count = self.random.within(0..6);
                let operations = (0..count).map(|_| self.operation_of_batch()).collect();
                let context = Context { time_to_live: None, ..context };
                Step::Batch { operations, context }
            }
            _ => Step::Write { operation: self.operation(), context },
        };
        self.remembered(step)
    }

    /// A request id for some writes; now and then one that was used before, mostly for something
    /// else.
    fn request(&mut self) -> Option<String> {
        if !self.random.one_in(6) {
            return None;
        }
        if self.requests > 0 && self.random.one_in(5) {
            return Some(format!("r{}", self.random.within(1..self.requests + 1)));
        }
        self.requests += 1;
        Some(format!("r{}", self.requests))
    }

    /// How a write is done that is made at `strong`.
    fn strong_context(&mut self) -> Context {
        Context { level: Consistency::Strong, ..self.context() }
    }

    fn context(&mut self) -> Context {
        let request = self.request();
        let time_to_live =
            self.random.one_in(5).then(|| Duration::from_secs(self.random.within(0..30)));
        Context { level: self.level(), time_to_live, request }
    }

    fn operation_of_batch(&mut self) -> Operation {
        let operation = self.operation();
        if self.random.one_in(8) {
            let (id, fields) = (numbering::generated(&mut self.random), self.object());
            return Operation::insert_new(&operation.collection, id, fields);
        }
        if !self.random.one_in(5) {
            return operation;
        }
        let action = match self.settling() {
            Settling::Complete(changes) => Action::Complete(changes),
            Settling::Renew(duration) => Action::Renew(duration),
            Settling::Release => Action::Release,
            Settling::Retry(not_before, reason) => Action::Retry(not_before, reason),
        };
        let condition = Condition::Version(self.random.within(1..9));
        Operation { condition, action, ..operation }
    }

    fn settling(&mut self) -> Settling {
        match self.random.within(0..4) {
            0 => Settling::Complete(self.changes()),
            1 => Settling::Renew(Duration::from_secs(self.random.within(0..30))),
            2 => Settling::Retry(self.random.within(0..9) as i64, "it is busy".to_owned()),
            _ => Settling::Release,
        }
    }

    fn condition(&mut self) -> Condition {
        match self.random.within(0..15) {
            0 => Condition::Absent,
            1 | 2 => Condition::Version(self.random.within(0..12)),
            3 => Condition::Document(self.object()),
            4 | 5 => {
                let count = self.random.within(0..3);
                let value =
                    |generator: &mut Self| (!generator.random.one_in(4)).then(|| generator.value());
                Condition::Fields((0..count).map(|_| (self.field(), value(self))).collect())
            }
            6 => Condition::Matches(self.filter()),
            _ => Condition::Always,
        }
    }

    fn operation(&mut self) -> Operation {
        let (collection, id) = (self.collection(), self.id());
        let condition = self.condition();
        let action = match self.random.within(0..14) {
            0..4 if condition == Condition::Always => Action::Insert(self.object()),
            4 if condition == Condition::Always => Action::Replace(self.object()),
            12 if condition == Condition::Always => Action::Import(self.object(), self.origin()),
            5..8 => Action::Upsert(self.object()),
            8 | 9 => Action::Delete,
            10 if condition != Condition::Always => Action::Compare,
            _ => Action::Update(self.changes()),
        };
        Operation { collection, id, condition, action }
    }

    fn transaction(&mut self) -> Vec<TransactionStep> {
        let count = self.random.within(0..7);
        let mut steps: Vec<_> = (0..count).map(|_| self.transaction_step()).collect();
        if self.random.one_in(2) {
            let claim = TransactionStep::Claim(self.claim());
            let at = self.random.within(0..count + 1) as usize;
            let count = self.random.within(0..4);
            let after: Vec<_> = (0..count).map(|_| self.step_of_claimed()).collect();
            steps.splice(at..at, [claim].into_iter().chain(after));
        }
        steps
    }

    /// Something that is done to what the transaction has claimed.
    fn step_of_claimed(&mut self) -> TransactionStep {
        let (nothing, no_id) = (String::new, || Id::new(""));
        let step = match self.random.within(0..8) {
            0..3 => {
                // Its token, or the version from before.
                let before = u64::from(self.random.one_in(4));
                TransactionStep::Settle(nothing(), no_id(), before, self.settling())
            }
            3 | 4 => TransactionStep::Update(nothing(), no_id(), self.changes()),
            5 => TransactionStep::Upsert(nothing(), no_id(), self.object()),
            6 => TransactionStep::Delete(nothing(), no_id()),
            _ => TransactionStep::Document(nothing(), no_id()),
        };
        TransactionStep::OfClaimed(Box::new(step))
    }

    fn transaction_step(&mut self) -> TransactionStep {
        let (collection, id) = (self.collection(), self.id());
        match self.random.within(0..35) {
            27 | 28 => TransactionStep::Document(collection, id),
            29 | 30 => TransactionStep::Compare(collection, id, self.condition()),
            31 | 32 => {
                let version = self.random.within(1..9);
                TransactionStep::Settle(collection, id, version, self.settling())
            }
            24 => TransactionStep::Find(collection, self.filter()),
            25 => TransactionStep::Find(collection, Filter::all()),
            26 | 33 | 34 => {
                let filter = if self.random.one_in(4) { Filter::all() } else { self.filter() };
                let limit = (!self.random.one_in(4)).then(|| self.random.within(0..4));
                let (sort, offset) = (self.sort(), self.random.within(0..3));
                TransactionStep::Query(collection, filter, sort, offset, limit)
            }
            0..5 => TransactionStep::Get(collection, id),
            5 => TransactionStep::Count(collection),
            6 => TransactionStep::List(collection),
            7 | 8 => TransactionStep::Insert(collection, id, self.object()),
            9 => TransactionStep::Replace(collection, id, self.object()),
            10..15 => TransactionStep::Upsert(collection, id, self.object()),
            15 | 16 => TransactionStep::Update(collection, id, self.changes()),
            17..20 => TransactionStep::Delete(collection, id),
            _ => TransactionStep::Other(Box::new(self.next_command())),
        }
    }

    /// What a document had elsewhere; here it may have had a later version.
    fn origin(&mut self) -> Origin {
        let time = |micros| Time::from_micros(START_MICROS + micros).unwrap();
        let mut seconds = |max| self.random.within(0..max) as i64 * 1_000_000;
        let expires = seconds(100);
        Origin {
            created: time(-seconds(100)),
            modified: time(seconds(100)),
            expires: (expires > 50_000_000).then(|| time(expires)),
            version: self.random.within(1..20),
        }
    }

    fn create(&mut self) -> Step {
        let mut floor =
            || self.random.one_in(4).then(|| Consistency::ALL[self.random.within(0..4) as usize]);
        let (min_write, min_read) = (floor(), floor());
        let ids = NewIds::ALL[self.random.within(0..4) as usize];
        Step::Create { collection: self.collection(), min_write, min_read, ids }
    }

    fn bounds(&mut self) -> Bounds {
        Bounds {
            offset: if self.random.one_in(2) { 0 } else { self.random.within(0..10) as usize },
            limit: self.random.one_in(2).then(|| self.random.within(0..10) as usize),
            after: self.random.one_in(3).then(|| self.id()),
            direction: match self.random.one_in(2) {
                true => Direction::Forward,
                false => Direction::Backward,
            },
        }
    }

    fn while_passing(&mut self) -> Duration {
        match self.random.one_in(8) {
            true => Duration::from_secs(3_600 * self.random.within(1..30)),
            false => Duration::from_millis(self.random.within(0..15_000)),
        }
    }

    fn changes(&mut self) -> Vec<Change> {
        let field = self.field();
        let first = match self.random.within(0..8) {
            0..4 => Change::Set(field, self.value()),
            4 => Change::Unset(field),
            5 => Change::Inc(field, self.random.within(0..5) as i64 - 2),
            6 => Change::Push(field, self.random.within(0..5) as i64),
            _ => return Vec::new(),
        };
        let mut changes = vec![first, Change::Set("other".to_owned(), self.value())];
        if self.random.one_in(3) {
            let name = self.one_of(&["b", "z"]);
            let at = self.random.within(0..3) as usize;
            changes.insert(at, Change::Set(name, self.value()));
        }
        changes
    }

    fn level(&mut self) -> Consistency {
        match self.random.one_in(2) {
            true => Consistency::Strong,
            false => Consistency::ALL[self.random.within(0..4) as usize],
        }
    }

    fn collection(&mut self) -> String {
        self.one_of(&COLLECTIONS)
    }

    fn id(&mut self) -> Id {
        match self.random.one_in(12) {
            true => id::one_of(&mut self.random, &id::all()),
            false => id::one_of(&mut self.random, &self.ids),
        }
    }

    fn field(&mut self) -> String {
        self.one_of(&FIELDS)
    }

    fn one_of(&mut self, names: &[&str]) -> String {
        names[self.random.within(0..names.len() as u64) as usize].to_owned()
    }
}
