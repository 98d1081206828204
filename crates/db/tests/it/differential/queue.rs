//! Making up steps that read a queue in order: by two fields of the elements of one array, and by the
//! second key of a unique index whose first key is one of several values, so that ranges are merged in
//! which different documents have the same values. Each is searched, read in pages and claimed, with
//! bounds that move as the time does in what claims ask for.

use std::time::Duration;

use velocitydb::{Consistency, Filter, Object, Sort, Value, object};
use velocitydb_storage::contract::Random;

use super::id::{self, Id};
use super::step::*;

/// How many documents there are at first.
const IDS: usize = 8;

/// The indexes over two fields of an array's elements, and those that are unique by `m` and `n`.
const OF_ELEMENTS: [usize; 3] = [12, 13, 11];
const UNIQUE: [usize; 2] = [14, 6];

/// Steps on a new collection, with indexes or without.
pub fn queue(random: &mut Random, collection: &str) -> Vec<Step> {
    let name = || collection.to_owned();
    let (filter, context) = (Filter::all(), Context::default());
    let mut steps = vec![Step::Many { collection: name(), filter, changes: None, context }];
    let mut indexes = Vec::new();
    for among in [&OF_ELEMENTS[..], &UNIQUE[..]] {
        if !random.one_in(4) {
            indexes.push(among[random.within(0..among.len() as u64) as usize]);
        }
    }
    steps.extend(
        indexes.iter().map(|index| Step::CreateIndex { collection: name(), index: *index }),
    );
    // No two have the same `m` and `n`, and many the same `n`.
    let ids = &id::some(random, IDS);
    let documents = ids.iter().enumerate().map(|(place, id)| {
        let (m, n) = (place as i64 % 3, place as i64 / 3);
        (id.clone(), fields(random, m, n), None)
    });
    let documents = documents.collect();
    let context = Context::default();
    steps.push(Step::InsertMany { collection: name(), documents, context });
    let mut tick = 0;
    for _ in 0..random.within(6..16) {
        tick += random.within(0..2) as i64;
        steps.push(one(random, collection, ids, tick));
    }
    steps
}

fn one(random: &mut Random, collection: &str, ids: &[Id], tick: i64) -> Step {
    let collection = collection.to_owned();
    let is_by_elements = random.one_in(2);
    let sort = if is_by_elements { by_elements(random) } else { by_number(random) };
    let filter = match is_by_elements {
        true => about_elements(random),
        false => several(random, tick),
    };
    match random.within(0..12) {
        0..3 => {
            let limit = random.one_in(2).then(|| random.within(1..5));
            Step::Find { collection, filter, sort, offset: random.within(0..3), limit }
        }
        3..6 => Step::Pages { collection, filter, sort, size: random.within(1..4) },
        6 => {
            let id = id::one_of(random, ids);
            let m = random.within(0..3) as i64;
            let action = Action::Upsert(fields(random, m, tick + 1));
            let operation = Operation { collection, id, condition: Condition::Always, action };
            Step::Write { operation, context: Context::default() }
        }
        7 => Step::Advance(Duration::from_secs(random.within(1..6))),
        _ => Step::Claim(claim(random, collection, filter, sort, tick)),
    }
}

/// A claim that takes documents out of the filter, or leaves some of them in it, or only leases them.
fn claim(random: &mut Random, collection: String, filter: Filter, sort: Sort, tick: i64) -> Claim {
    let changes = match random.within(0..3) {
        0 => vec![Change::Set("n".to_owned(), Value::from(100 + tick))],
        1 => vec![Change::Set("m".to_owned(), Value::from(9))],
        _ => Vec::new(),
    };
    let duration = Duration::from_secs(random.within(1..8));
    let back = vec![Change::Inc("n".to_owned(), 1)];
    let back = if random.one_in(2) { back } else { Vec::new() };
    let releases = vec![(Filter::all(), back)];
    Claim {
        collection,
        filter,
        sort,
        limit: random.within(1..3) as u32,
        changes,
        lease: (!random.one_in(4)).then_some((duration, releases)),
        is_even_if_leased: false,
        context: Context { level: Consistency::Strong, ..Context::default() },
    }
}

fn directed(sort: Sort, path: &str, random: &mut Random) -> Sort {
    if random.one_in(2) { sort.ascending(path) } else { sort.descending(path) }
}

/// By two fields of one array, now and then by the array too, or by what is beside it.
fn by_elements(random: &mut Random) -> Sort {
    let sort = directed(Sort::new(), "items.x", random);
    let sort = directed(sort, "items.y", random);
    match random.within(0..6) {
        0 => directed(sort, "m", random),
        1 => directed(sort, "_id", random),
        2 => directed(directed(Sort::new(), "m", random), "items.y", random),
        _ => sort,
    }
}

fn by_number(random: &mut Random) -> Sort {
    let sort = directed(Sort::new(), "n", random);
    if random.one_in(3) { directed(sort, "_id", random) } else { sort }
}

/// What an index of elements reads one range for, or several, or everything.
fn about_elements(random: &mut Random) -> Filter {
    let value = |random: &mut Random| random.within(0..3) as i64;
    let filter = match random.within(0..5) {
        0 => return Filter::all(),
        1 => object! { "items.x": { "$in": [value(random), value(random)] } },
        2 => object! { "items.x": { "$gte": value(random) } },
        3 => object! { "items.x": { "$gte": 0 }, "items.y": { "$lte": value(random) } },
        _ => object! { "items": { "$elemMatch": { "x": value(random), "y": { "$gte": 0 } } } },
    };
    Filter::from(filter)
}

/// The first key is one of several values; the second may have a bound that moves.
fn several(random: &mut Random, tick: i64) -> Filter {
    let mut filter = object! { "m": { "$in": [0, 1, 2] } };
    match random.within(0..4) {
        0 => drop(filter.insert("m", object! { "$in": [0, 2] })),
        1 => drop(filter.insert("m", object! { "$gte": 0 })),
        _ => {}
    }
    if random.one_in(2) {
        filter.insert("n", object! { "$lte": tick });
    }
    Filter::from(filter)
}

fn fields(random: &mut Random, m: i64, n: i64) -> Object {
    let count = random.within(0..4);
    let items: Value = (0..count).map(|_| element(random)).collect();
    object! { "m": m, "n": n, "items": items }
}

/// An element with both fields, mostly.
fn element(random: &mut Random) -> Value {
    let mut element = Object::new();
    for name in ["x", "y"] {
        if !random.one_in(8) {
            element.insert(name, random.within(0..3) as i64);
        }
    }
    element.into()
}
