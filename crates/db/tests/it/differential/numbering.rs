//! Making up collections that give ids to new documents: inserts without ids beside inserts of integers and of
//! other ids, imports, deletes of the highest one, and retries, to which a request passes other ids.

use std::time::Duration;

use velocitydb::{NewIds, Object, Uuid, object};
use velocitydb_storage::contract::Random;

use super::id::{self, Id};
use super::step::*;

/// Steps on a new collection of integers.
pub fn numbering(random: &mut Random, collection: &str) -> Vec<Step> {
    let name = || collection.to_owned();
    let ids = if random.one_in(4) { any_kind(random) } else { NewIds::Integer };
    let mut steps = vec![
        Step::Drop { collection: name() },
        Step::Create { collection: name(), min_write: None, min_read: None, ids },
    ];
    let count = random.within(4..12);
    steps.extend((0..count).map(|_| one(random, collection)));
    steps
}

fn any_kind(random: &mut Random) -> NewIds {
    NewIds::ALL[random.within(0..NewIds::ALL.len() as u64) as usize]
}

fn one(random: &mut Random, collection: &str) -> Step {
    let name = || collection.to_owned();
    match random.within(0..10) {
        0..4 => {
            let documents = (0..random.within(1..4)).map(|_| fields(random)).collect();
            Step::Number { collection: name(), documents, context: Context::default() }
        }
        4..7 => {
            let count = random.within(1..5);
            let operations = (0..count).map(|_| operation(random, collection)).collect();
            Step::Batch { operations, context: Context::default() }
        }
        7 => Step::Advance(Duration::from_secs(random.within(0..20))),
        _ => {
            let id = Id::new(random.within(0..20) as i64);
            let action = match random.one_in(2) {
                true => Action::Delete,
                false => Action::Upsert(fields(random)),
            };
            let operation =
                Operation { collection: name(), id, condition: Condition::Always, action };
            Step::Write { operation, context: Context::default() }
        }
    }
}

fn operation(random: &mut Random, collection: &str) -> Operation {
    let id = match random.within(0..4) {
        0 => id::one_of(random, &id::all()),
        1 => Id::new(random.within(0..20) as f64),
        _ => generated(random),
    };
    let action = match random.within(0..6) {
        0 => Action::Delete,
        1 => Action::Upsert(fields(random)),
        _ => return Operation::insert_new(collection, generated(random), fields(random)),
    };
    Operation { collection: collection.to_owned(), id, condition: Condition::Always, action }
}

impl Operation {
    pub fn insert_new(collection: &str, generated: Id, fields: Object) -> Self {
        let (condition, action) = (Condition::Always, Action::InsertNew(fields));
        Operation { collection: collection.to_owned(), id: generated, condition, action }
    }
}

/// An id such as the database generates; few, so that some come twice.
pub fn generated(random: &mut Random) -> Id {
    let millis = 1_767_225_600_000 + u128::from(random.within(0..3)) * 999;
    let uuid = millis << 80 | 0x7000_8000 << 48 | u128::from(random.within(0..4)) << 40;
    Id::new(Uuid::from(uuid.to_be_bytes()).to_string())
}

/// Passes other generated ids, which are no part of what is asked for.
pub fn generate_again(random: &mut Random, step: &mut Step) {
    let Step::Batch { operations, .. } = step else { return };
    for one in operations {
        if matches!(one.action, Action::InsertNew(_)) {
            one.id = generated(random);
        }
    }
}

fn fields(random: &mut Random) -> Object {
    object! { "n": random.within(0..3) as i64 }
}
