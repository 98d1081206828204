//! Making up transactions that claim: work that is there and work that they make, which they settle, write
//! or delete afterwards, while others write, claim and give back the same. Between them time passes, so
//! that leases end which began with a commit.

use std::time::Duration;

use velocitydb::{Filter, Object, Sort, Value, object};
use velocitydb_storage::contract::Random;

use super::id::{self, Id};
use super::step::*;

const IDS: usize = 8;

/// The unique indexes, which would stand against most of what is written here.
const UNIQUE: [usize; 4] = [5, 6, 7, 14];

/// Steps on a new collection.
pub fn claiming(random: &mut Random, collection: &str) -> Vec<Step> {
    let name = || collection.to_owned();
    let context = Context::default;
    let mut steps: Vec<_> =
        UNIQUE.map(|index| Step::DropIndex { collection: name(), index }).into();
    steps.push(Step::RemoveSchema { collection: name() });
    let filter = Filter::all();
    steps.push(Step::Many { collection: name(), filter, changes: None, context: context() });
    let ids = &id::some(random, IDS);
    let documents = ids.iter().map(|id| (id.clone(), fields(random), None)).collect();
    steps.push(Step::InsertMany { collection: name(), documents, context: context() });
    if random.one_in(2) {
        // What a claim takes away, a default puts back.
        let (schema, existing) = (Rules::Numbers, velocitydb::Existing::Keep);
        steps.push(Step::SetSchema { collection: name(), schema, existing });
    }
    for _ in 0..random.within(4..10) {
        steps.push(Step::Transaction(transaction(random, collection, ids)));
        if random.one_in(2) {
            steps.push(between(random, collection, ids));
        }
    }
    steps
}

fn transaction(random: &mut Random, collection: &str, ids: &[Id]) -> Vec<TransactionStep> {
    let mut steps = Vec::new();
    for _ in 0..random.within(0..3) {
        steps.push(own(random, collection, ids));
    }
    for _ in 0..random.within(1..3) {
        steps.push(TransactionStep::Claim(claim(random, collection)));
        for _ in 0..random.within(0..4) {
            steps.push(TransactionStep::OfClaimed(Box::new(of_claimed(random))));
        }
    }
    if random.one_in(2) {
        let at = random.within(0..steps.len() as u64 + 1) as usize;
        steps.insert(at, TransactionStep::Other(Box::new(other(random, collection, ids))));
    }
    steps
}

/// What the transaction writes itself.
fn own(random: &mut Random, collection: &str, ids: &[Id]) -> TransactionStep {
    let (collection, id) = (collection.to_owned(), id::one_of(random, ids));
    match random.within(0..4) {
        0 => TransactionStep::Delete(collection, id),
        1 => TransactionStep::Upsert(collection, id::one_of(random, &id::all()), fields(random)),
        _ => TransactionStep::Upsert(collection, id, fields(random)),
    }
}

/// What is done to what was claimed last.
fn of_claimed(random: &mut Random) -> TransactionStep {
    let (nothing, no_id) = (String::new, || Id::new(""));
    match random.within(0..12) {
        0..3 => TransactionStep::Update(nothing(), no_id(), vec![set(random)]),
        3 => TransactionStep::Upsert(nothing(), no_id(), fields(random)),
        4 | 5 => TransactionStep::Delete(nothing(), no_id()),
        6 => TransactionStep::Document(nothing(), no_id()),
        which => {
            let how = match which {
                7 => Settling::Complete(vec![set(random)]),
                8 => Settling::Release,
                9 => Settling::Retry(random.within(0..9) as i64, "it is busy".to_owned()),
                _ => Settling::Renew(seconds(random)),
            };
            // Its token, or the version from before.
            TransactionStep::Settle(nothing(), no_id(), u64::from(random.one_in(4)), how)
        }
    }
}

/// What another client does to the same collection meanwhile.
fn other(random: &mut Random, collection: &str, ids: &[Id]) -> Step {
    match random.one_in(3) {
        true => Step::Claim(claim(random, collection)),
        false => write(random, collection, ids),
    }
}

fn between(random: &mut Random, collection: &str, ids: &[Id]) -> Step {
    match random.within(0..6) {
        0 => Step::Maintain,
        1 => Step::Claim(claim(random, collection)),
        2 => write(random, collection, ids),
        _ => Step::Advance(seconds(random)),
    }
}

fn write(random: &mut Random, collection: &str, ids: &[Id]) -> Step {
    let (condition, action) = match random.one_in(2) {
        true => (Condition::Always, Action::Upsert(fields(random))),
        false => (Condition::Always, Action::Update(vec![set(random)])),
    };
    let (collection, id) = (collection.to_owned(), id::one_of(random, ids));
    let operation = Operation { collection, id, condition, action };
    Step::Write { operation, context: Context::default() }
}

fn claim(random: &mut Random, collection: &str) -> Claim {
    let filter = match random.within(0..4) {
        0 => Filter::all(),
        1 => Filter::from(object! { "n": { "$gte": 1 } }),
        _ => Filter::from(object! { "n": random.within(0..3) as i64 }),
    };
    let sort = match random.within(0..3) {
        0 => Sort::new(),
        1 => Sort::new().ascending("m"),
        _ => Sort::new().descending("n").ascending("m"),
    };
    let changes = (0..random.within(0..3)).map(|_| change(random));
    let mut changes: Vec<_> = changes.collect();
    changes.dedup_by(|one, other| one.name() == other.name());
    let releases = vec![(Filter::all(), vec![set(random)])];
    Claim {
        collection: collection.to_owned(),
        filter,
        sort,
        limit: random.within(1..4) as u32,
        changes,
        lease: (!random.one_in(5)).then(|| (seconds(random), releases)),
        is_even_if_leased: random.one_in(5),
        context: Context::default(),
    }
}

/// A change of a claim, which some documents cannot take.
fn change(random: &mut Random) -> Change {
    match random.within(0..6) {
        0 => Change::Unset("m".to_owned()),
        1 => Change::Inc("m".to_owned(), 1),
        2 => Change::Push("m".to_owned(), 1),
        _ => set(random),
    }
}

fn set(random: &mut Random) -> Change {
    Change::Set(one_of(random, &["n", "m"]), Value::from(random.within(0..3) as i64))
}

fn fields(random: &mut Random) -> Object {
    let mut fields = object! { "n": random.within(0..3) as i64 };
    if !random.one_in(4) {
        fields.insert("m", random.within(0..3) as i64);
    }
    fields
}

fn seconds(random: &mut Random) -> Duration {
    Duration::from_secs(random.within(1..8))
}

fn one_of(random: &mut Random, names: &[&str]) -> String {
    names[random.within(0..names.len() as u64) as usize].to_owned()
}
