//! Tests that hints are no part of the state: whatever a machine remembers of earlier searches, it
//! finds what one that remembers nothing finds, and it looks at no more than it has to.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use smallvec::smallvec;
use velocitydb_core::{
    Action, Body, CollectionName, Command, Condition, DocumentId, Encoded, Expiry, Filter,
    IndexSpec, Lease, Maintain, MaintainScope, Modify, Object, ObjectId, Operation, Recall,
    Request, RequestId, Skip, Sort, Time, Update, Uuid, Value, Write, object,
};
use velocitydb_storage::contract::Random;
use velocitydb_storage::memory::Memory;
use velocitydb_storage::{Bounds, Direction, Durability, Engine};

use super::answer::{decode_answer, encode_answer};
use super::{Machine, Reply};
use crate::keys::{DOCUMENTS, INDEXES, SYSTEM};
use crate::state::names::Names;

const ROUNDS: u64 = 40;
const COMMANDS: u64 = 400;
const IDS: u64 = 60;

/// A machine with its engine.
struct Side {
    engine: Arc<Memory>,
    machine: Machine,
}

impl Side {
    fn new() -> Self {
        let engine = Arc::new(Memory::new(3));
        let names = Arc::new(Names::default());
        let machine = Machine::new(engine.clone(), names).unwrap();
        Side { engine, machine }
    }

    /// Applies a command, and decodes its answer from its encoding, as another node would.
    fn apply(&mut self, command: &Command) -> String {
        let mut bytes = Vec::new();
        encode_answer(&self.machine.apply(command).unwrap(), &mut bytes);
        match decode_answer(&bytes).unwrap() {
            Ok(reply) => describe(&reply),
            Err(rejection) => crate::Error::from(rejection).to_string(),
        }
    }

    fn commit(&mut self) {
        self.machine.commit(Durability::Memory).unwrap();
    }

    /// All keys and values.
    fn state(&self) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
        let snapshot = self.engine.snapshot().unwrap();
        let mut all = Vec::new();
        for keyspace in [DOCUMENTS, SYSTEM, INDEXES] {
            snapshot
                .scan(keyspace, Bounds::ALL, Direction::Forward, &mut |key, value| {
                    all.push((keyspace.0, key.to_vec(), value.to_vec()));
                    ControlFlow::Continue(())
                })
                .unwrap();
        }
        all
    }

    /// How many entries and documents a modification would look at, learning nothing by that.
    fn examined(&mut self, modify: &Modify, now: Time) -> u64 {
        let mut examined = None;
        let show = &mut |searched: super::Searched<'_>| {
            examined = Some(searched.examined.keys + searched.examined.documents);
            Ok(())
        };
        self.machine.explain(modify, now, show).unwrap();
        examined.expect("there is the collection")
    }
}

fn describe(reply: &Reply) -> String {
    let found: Vec<_> = reply.found.iter().map(|one| (one.id.clone(), one.version)).collect();
    format!("{:?} {found:?} {:?}", reply.outcomes, reply.skipped)
}

fn jobs() -> CollectionName {
    CollectionName::new("jobs").unwrap()
}

fn time(seconds: i64) -> Time {
    Time::from_micros(seconds * 1_000_000).unwrap()
}

/// Makes commands up.
struct Maker {
    random: Random,
    /// What the clock says, and what claims ask for: they go back now and then.
    now: i64,
}

impl Maker {
    fn number(&mut self, range: std::ops::Range<u64>) -> i64 {
        self.random.within(range) as i64
    }

    fn id(&mut self) -> DocumentId {
        let number = self.number(0..IDS);
        let value = match number % 6 {
            0 => Value::from(format!("j{number:02}")),
            1 => Value::from(number),
            2 => Value::from(number as f64 + 0.5),
            3 => Value::from(ObjectId::from([number as u8; 12])),
            4 => Value::from(Uuid::from([number as u8; 16])),
            _ => Value::from(time(number)),
        };
        DocumentId::new(value).unwrap()
    }

    /// When something is due: about now, or never, or not of the class that is asked for.
    fn due(&mut self) -> Option<Value> {
        Some(match self.random.within(0..12) {
            0 => return None,
            1 => Value::Null,
            2 => Value::from("soon"),
            3 => Value::from(vec![self.now + self.number(0..30), self.now - 5]),
            4 => Value::from((self.now + self.number(0..9)) as f64 + 0.5),
            5 => Value::from(time(self.now)),
            _ => Value::from(self.now + self.number(0..40) - 10),
        })
    }

    fn fields(&mut self) -> Object {
        let states = ["waiting", "waiting", "waiting", "running", "done"];
        let mut fields = object! {
            "state": states[self.random.within(0..5) as usize],
            "priority": self.number(0..4),
            "cpu": 1 + self.number(0..8),
            "n": self.number(0..1_000)
        };
        for name in ["not_before", "deadline"] {
            fields.extend(self.due().map(|due| (name.to_owned(), due)));
        }
        if self.random.one_in(2) {
            let count = self.random.within(0..4);
            fields.insert(
                "tags",
                (0..count).map(|_| Value::from(self.number(0..4))).collect::<Value>(),
            );
        }
        if self.random.one_in(3) {
            let count = self.random.within(0..3);
            let steps = (0..count).map(|_| {
                let mut step = object! { "done": self.random.one_in(2) };
                step.extend(self.due().map(|due| ("at".to_owned(), due)));
                Value::from(step)
            });
            fields.insert("steps", steps.collect::<Value>());
        }
        fields
    }

    fn filter(&mut self) -> Filter {
        let now = self.now;
        let bound = [2, 4, 8][self.random.within(0..3) as usize];
        let filter = match self.random.within(0..14) {
            0..3 => object! { "state": "waiting", "not_before": { "$lte": now } },
            3 => {
                object! { "state": "waiting", "not_before": { "$lt": now }, "cpu": { "$lte": bound } }
            }
            4 => object! { "state": "waiting", "deadline": { "$gt": now } },
            5 => object! {
                "state": "waiting", "not_before": { "$lte": now }, "deadline": { "$gte": now - 9 }
            },
            6 => object! {
                "state": "waiting",
                "$or": [{ "not_before": null }, { "not_before": { "$lte": now } }]
            },
            7 => object! { "state": { "$in": ["waiting", "done"] }, "not_before": { "$lte": now } },
            8 => object! { "tags": { "$in": [1, 2] }, "not_before": { "$lte": now } },
            9 => object! { "state": "waiting", "not_before": { "$not": { "$gt": now } } },
            10 => {
                object! { "state": "waiting", "steps": { "$elemMatch": { "at": { "$lte": now }, "done": false } } }
            }
            11 => object! { "$nor": [{ "not_before": { "$gt": now } }, { "state": "done" }] },
            12 => object! { "priority": { "$gte": 1 }, "not_before": { "$lte": time(now) } },
            _ => object! { "tags": 1, "cpu": { "$lte": bound } },
        };
        Filter::from_object(filter).unwrap()
    }

    fn sort(&mut self) -> Sort {
        let sort = Sort::new();
        match self.random.within(0..7) {
            0 => sort,
            1 => sort.ascending("priority"),
            2 => sort.descending("priority").ascending("not_before"),
            3 => sort.ascending("not_before"),
            4 => sort.descending("not_before"),
            5 => sort.descending("_id"),
            _ => sort.descending("priority"),
        }
    }

    fn modify(&mut self) -> Modify {
        let update = match self.random.within(0..6) {
            0 => Update::new().set("claimed_by", self.number(0..3)),
            1 => Update::new().set("priority", self.number(0..4)),
            2 => Update::new().set("not_before", self.now + self.number(0..20)),
            // What cannot be added to is refused, and the whole command with it.
            3 => Update::new().inc("not_before", 1),
            _ => Update::new().set("state", "running"),
        };
        let action = match self.random.one_in(8) {
            true => Action::Delete,
            false => Action::Update(update),
        };
        let lease = (self.random.one_in(3) && action != Action::Delete).then(|| Lease {
            duration: Duration::from_secs(self.random.within(0..20)),
            release: Update::new().set("state", "waiting").into(),
        });
        let skip = match self.random.within(0..4) {
            0 => Skip::Nothing,
            1 => Skip::Unfit,
            _ => Skip::UnfitAndLeased,
        };
        Modify {
            collection: jobs(),
            filter: self.filter(),
            candidates: None,
            sort: self.sort(),
            limit: Some(1 + self.number(0..3) as u32),
            action,
            expiry: Expiry::Keep,
            lease,
            recall: Recall::Versions,
            skip,
        }
    }

    fn operation(&mut self) -> Operation {
        let action = match self.random.within(0..10) {
            0 => Action::Delete,
            1 => Action::Complete(Update::new().set("state", "done")),
            2 => Action::Release,
            3 | 4 => Action::Update(Update::new().set("state", "waiting")),
            _ => Action::Upsert(Encoded::from_object(&self.fields()).unwrap()),
        };
        let expiry = match self.random.one_in(6) {
            true => Expiry::At(time(self.now + self.number(0..20))),
            false => Expiry::Keep,
        };
        Operation {
            collection: jobs(),
            id: self.id(),
            condition: Condition::Always,
            action,
            expiry,
        }
    }

    fn index(&mut self) -> IndexSpec {
        let sort = Sort::new();
        let keys = match self.random.within(0..9) {
            0 => sort.ascending("state").descending("priority").ascending("not_before"),
            1 => sort.ascending("state").ascending("priority"),
            2 => sort.ascending("state").ascending("not_before"),
            3 => sort.ascending("state").descending("not_before"),
            4 => sort.ascending("tags").ascending("priority"),
            5 => sort.ascending("priority").ascending("not_before"),
            6 => sort.descending("not_before"),
            7 => sort.ascending("priority"),
            _ => {
                sort.ascending("state").ascending("priority").ascending("not_before").ascending("n")
            }
        };
        let is_wide = keys.keys().len() == 4;
        let spec = IndexSpec::new(keys);
        let spec = match self.random.within(0..4) {
            0 => spec.partial(object! { "state": "waiting" }),
            1 => spec.sparse(),
            _ => spec,
        };
        let name = format!("i{}", self.random.within(0..4));
        if is_wide { spec.unique().named(name) } else { spec.named(name) }
    }

    fn body(&mut self) -> Body {
        match self.random.within(0..40) {
            0 => Body::CreateIndex { collection: jobs(), spec: Box::new(self.index()) },
            1 => {
                let name = self.index().name().try_into().unwrap();
                Body::DropIndex { collection: jobs(), name }
            }
            2 | 3 => Body::Maintain(Maintain {
                forget_deleted_before: Time::MIN,
                forget_requests_before: Time::MIN,
                count_max: 1 + self.number(0..100) as u32,
                scope: MaintainScope::All,
            }),
            4..18 => {
                let count = self.random.within(1..4);
                let operations = (0..count).map(|_| self.operation()).collect();
                Body::Write(Write { checks: Vec::new(), operations })
            }
            _ => Body::Modify(Box::new(self.modify())),
        }
    }

    fn command(&mut self) -> Command {
        match self.random.within(0..12) {
            0 => self.now -= self.number(0..30),
            1..8 => self.now += self.number(0..3),
            _ => {}
        }
        let body = self.body();
        let request = self.random.one_in(4).then(|| {
            let id = RequestId::new(&format!("r{}", self.random.within(0..100))).unwrap();
            Request { id, fingerprint: body.fingerprint().unwrap() }
        });
        Command { now: time(self.now), request, body }
    }
}

/// Builds an index to its end.
fn build(side: &mut Side, command: &Command) {
    let Body::CreateIndex { collection, spec } = &command.body else { return };
    let name = spec.name().try_into().unwrap();
    let body = Body::BuildIndex { collection: collection.clone(), name, count_max: 1_000 };
    let step = Command { now: command.now, request: None, body };
    while side.machine.apply(&step).unwrap().unwrap().has_more {}
}

#[test]
fn what_is_found_does_not_depend_on_what_is_remembered() {
    let mut random = Random::announced("what_is_found_does_not_depend_on_what_is_remembered");
    for _ in 0..ROUNDS {
        let (mut hot, mut cold) = (Side::new(), Side::new());
        // One that is asked for no answer.
        let mut follower = Side::new();
        let mut maker = Maker { random: Random::from_seed(random.number()), now: 1_000 };
        for n in 0..3 {
            let spec = maker.index().named(format!("i{n}"));
            let body = Body::CreateIndex { collection: jobs(), spec: Box::new(spec) };
            let command = Command { now: time(1_000), request: None, body };
            assert_eq!(hot.apply(&command), cold.apply(&command));
            follower.machine.follow(&command).unwrap();
        }
        for _ in 0..COMMANDS {
            let command = maker.command();
            cold.machine.hints.clear();
            let (found, expected) = (hot.apply(&command), cold.apply(&command));
            assert_eq!(found, expected, "{command:#?}");
            follower.machine.follow(&command).unwrap();
            for side in [&mut hot, &mut cold, &mut follower] {
                build(side, &command);
            }
            // What has been learned in a group is learned of a state that is not yet committed.
            if maker.random.one_in(3) {
                hot.commit();
            }
            cold.commit();
        }
        hot.commit();
        follower.commit();
        assert_eq!(hot.state(), cold.state());
        assert_eq!(follower.state(), cold.state());
    }
}

fn claim(filter: Object, sort: Sort, limit: u32) -> Modify {
    Modify {
        collection: jobs(),
        filter: Filter::from_object(filter).unwrap(),
        candidates: None,
        sort,
        limit: Some(limit),
        action: Action::Update(Update::new().set("state", "running")),
        expiry: Expiry::Keep,
        lease: None,
        recall: Recall::Versions,
        skip: Skip::UnfitAndLeased,
    }
}

fn insert(side: &mut Side, id: &str, fields: Object) {
    let (collection, id) = (jobs(), DocumentId::new(id).unwrap());
    let action = Action::Upsert(Encoded::from_object(&fields).unwrap());
    let (condition, expiry) = (Condition::Always, Expiry::Keep);
    let operation = Operation { collection, id, condition, action, expiry };
    let body = Body::Write(Write { checks: Vec::new(), operations: smallvec![operation] });
    side.machine.apply(&Command { now: time(0), request: None, body }).unwrap().unwrap();
}

/// A claim of due jobs read all jobs that were not yet due, and all that had been claimed, with every
/// claim, since its filter was different each time. What it reads is counted here: by every index that
/// fits, by none, in every order, alone or several at once.
#[test]
fn a_claim_looks_at_nothing_twice_though_the_time_moves() {
    let sort = Sort::new;
    let indexes = [
        None,
        Some(sort().ascending("state").descending("priority").ascending("not_before")),
        Some(sort().ascending("state").ascending("priority").ascending("not_before")),
        Some(sort().ascending("state").ascending("not_before")),
        Some(sort().ascending("state").descending("not_before")),
        Some(sort().ascending("state")),
        Some(sort().descending("priority")),
    ];
    let orders = [
        sort().descending("priority").ascending("not_before"),
        sort().ascending("not_before"),
        sort().descending("not_before"),
        sort(),
    ];
    let filters = [
        |now: i64| object! { "state": "waiting", "not_before": { "$lte": now } },
        |now: i64| object! { "state": { "$in": ["waiting", "again"] }, "not_before": { "$lte": now } },
        |now: i64| {
            object! {
                "state": "waiting", "deadline": { "$gt": now },
                "$or": [{ "not_before": null }, { "not_before": { "$lte": now } }]
            }
        },
    ];
    for (index, keys) in indexes.iter().enumerate() {
        for order in &orders {
            for (number, filter) in filters.iter().enumerate() {
                let mut side = Side::new();
                if let Some(keys) = keys {
                    let spec = Box::new(IndexSpec::new(keys.clone()));
                    let body = Body::CreateIndex { collection: jobs(), spec };
                    side.machine
                        .apply(&Command { now: time(0), request: None, body })
                        .unwrap()
                        .unwrap();
                }
                // Those at the head are not due for long; the others come due one after another.
                for n in 0..300 {
                    let (priority, due) = if n < 150 { (9, 10_000 + n) } else { (1, n) };
                    let fields = object! {
                        "state": "waiting", "priority": priority, "not_before": due,
                        "deadline": 100_000
                    };
                    insert(&mut side, &format!("j{n:03}"), fields);
                }
                side.commit();
                let limit = 1 + (number as u32 % 2);
                for now in 200..280 {
                    let modify = claim(filter(now), order.clone(), limit);
                    // What a search has to look at grows with what is due and waits, if its order is
                    // that of no index; those are at most 51, and become fewer.
                    let bound = if now < 202 { 1_000 } else { 2 * (60 + 2 * u64::from(limit)) };
                    let examined = side.examined(&modify, time(now));
                    assert!(
                        examined <= bound,
                        "index {index} {keys:?}, {order:?}, filter {number}: {examined} at {now}"
                    );
                    let body = Body::Modify(Box::new(modify));
                    let command = Command { now: time(now), request: None, body };
                    let reply = side.machine.apply(&command).unwrap().unwrap();
                    assert!(reply.found.len() <= limit as usize);
                    side.commit();
                }
            }
        }
    }
}
