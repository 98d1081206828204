//! Making up steps that move unique values among documents: shifts, swaps, and a value of a document
//! that is deleted for one that comes. What random writes make of unique values is nearly always a
//! refusal; here the state that a command ends in often has no value twice, though its operations,
//! one after another, would have.

use std::time::Duration;

use velocitydb::{Filter, Object, Value, object};
use velocitydb_storage::contract::Random;

use super::id::{self, Id};
use super::step::*;

/// How many documents values are moved among.
const IDS: usize = 6;

/// The unique indexes that `n` alone decides about.
const UNIQUE: [u64; 2] = [5, 6];

/// Steps on a new collection, with a unique index and a document for each value.
pub fn shuffle(random: &mut Random, collection: &str) -> Vec<Step> {
    let name = || collection.to_owned();
    let index = UNIQUE[random.within(0..UNIQUE.len() as u64) as usize] as usize;
    let ids = &id::some(random, IDS);
    let document = |(n, id): (usize, &Id)| (id.clone(), fields(n as i64), None);
    let mut steps = vec![
        Step::Many {
            collection: name(),
            filter: Filter::all(),
            changes: None,
            context: Context::default(),
        },
        Step::CreateIndex { collection: name(), index },
        Step::InsertMany {
            collection: name(),
            documents: ids.iter().enumerate().map(document).collect(),
            context: Context::default(),
        },
        rotation(random, collection, ids),
    ];
    let count = random.within(2..8);
    steps.extend((0..count).map(|_| one(random, collection, ids)));
    steps
}

fn one(random: &mut Random, collection: &str, ids: &[Id]) -> Step {
    let name = || collection.to_owned();
    match random.within(0..10) {
        0..3 => {
            let by = [-1, 1, 1, 2][random.within(0..4) as usize];
            let filter = match random.one_in(2) {
                true => Filter::all(),
                false => Filter::from(object! { "n": { "$gte": random.within(0..4) as i64 } }),
            };
            let changes = Some(vec![Change::Inc("n".to_owned(), by)]);
            Step::Many { collection: name(), filter, changes, context: Context::default() }
        }
        3 => Step::Advance(Duration::from_secs(random.within(0..8))),
        4 => Step::Write {
            operation: operation(random, collection, ids),
            context: Context {
                time_to_live: Some(Duration::from_secs(random.within(1..8))),
                ..Context::default()
            },
        },
        5 => rotation(random, collection, ids),
        6..8 => {
            let count = random.within(2..6);
            let operations = (0..count).map(|_| operation(random, collection, ids)).collect();
            Step::Batch { operations, context: Context::default() }
        }
        _ => {
            let count = random.within(2..6);
            let steps = (0..count).map(|_| in_transaction(operation(random, collection, ids)));
            Step::Transaction(steps.collect())
        }
    }
}

/// Each of some documents gets the value that another one of them began with.
fn rotation(random: &mut Random, collection: &str, ids: &[Id]) -> Step {
    let count = random.within(2..IDS as u64) as usize;
    let (first, by) = (random.within(0..6) as usize, random.within(1..count as u64) as usize);
    let operation = |at: usize| Operation {
        collection: collection.to_owned(),
        id: ids[(first + at) % IDS].clone(),
        condition: Condition::Always,
        action: Action::Upsert(fields(((first + (at + by) % count) % IDS) as i64)),
    };
    let mut operations: Vec<_> = (0..count).map(operation).collect();
    if random.one_in(4) {
        // One goes, and a new one has its value.
        let gone = operations[0].clone();
        let id = id::one_of(random, &id::all());
        if !ids.contains(&id) {
            operations.push(Operation { id, ..gone.clone() });
        }
        operations[0] = Operation { action: Action::Delete, ..gone };
    }
    match random.one_in(2) {
        true => Step::Batch { operations, context: Context::default() },
        false => Step::Transaction(operations.into_iter().map(in_transaction).collect()),
    }
}

/// A write that leaves a value, takes one, or both.
fn operation(random: &mut Random, collection: &str, ids: &[Id]) -> Operation {
    let n = random.within(0..IDS as u64 + 2) as i64;
    let action = match random.within(0..8) {
        0 | 1 => Action::Delete,
        2 => Action::Insert(fields(n)),
        3 => Action::Upsert(object! { "m": n }),
        4..6 => Action::Update(vec![Change::Set("n".to_owned(), Value::from(n))]),
        _ => Action::Upsert(fields(n)),
    };
    let id = id::one_of(random, ids);
    Operation { collection: collection.to_owned(), id, condition: Condition::Always, action }
}

fn in_transaction(operation: Operation) -> TransactionStep {
    let Operation { collection, id, action, .. } = operation;
    match action {
        Action::Delete => TransactionStep::Delete(collection, id),
        Action::Insert(fields) => TransactionStep::Insert(collection, id, fields),
        Action::Update(changes) => TransactionStep::Update(collection, id, changes),
        Action::Upsert(fields) => TransactionStep::Upsert(collection, id, fields),
        _ => unreachable!("no other writes are made up here"),
    }
}

fn fields(n: i64) -> Object {
    object! { "n": n, "m": 1 }
}
