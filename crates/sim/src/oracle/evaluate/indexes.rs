//! Random indexes: over one path or several, ascending and descending, sometimes partial or sparse.
//! One that is created after the documents is unique if they allow it.

use velocitydb::{IndexSpec, Object, Sort, object, value};

use crate::Random;
use crate::oracle::generate::RANK;

/// What may be indexed in the collections of filters, sorts, projections and updates.
const PATHS: [&str; 12] =
    ["a", "b", "c", "_version", "e", "a.x", "a.y", "b.x", "b.y", "c.x", "c.y", "e.x"];

/// What may be indexed in the records that pipelines are about.
const RECORD_PATHS: [&str; 17] =
    ["d", "q", "n", "f", "s", "t", "g", "h", "p", "k", "l", "w", "o.x", "m", "z", "j.x", "j.y"];

/// The indexes of a collection: the same for the same number.
pub(super) fn random(documents: &[Object], number: u64) -> Vec<IndexSpec> {
    let mut random = Random::part(number, 0x1D);
    let is_records = documents.iter().any(|document| document.contains_key("h"));
    let paths: &[&str] = if is_records { &RECORD_PATHS } else { &PATHS };
    let count = random.within(2..8);
    let mut specs: Vec<IndexSpec> = (0..count).map(|_| spec(paths, &mut random)).collect();
    if !is_records && random.one_in(2) {
        // The last ones are unique if possible, as it is here.
        let keys = Sort::new().ascending("a");
        let descends = random.one_in(2);
        let keys = if descends { keys.descending(RANK) } else { keys.ascending(RANK) };
        specs.push(IndexSpec::new(keys));
    }
    let named = |(number, spec): (usize, IndexSpec)| spec.named(format!("index{number}"));
    specs.into_iter().enumerate().map(named).filter(|spec| spec.check().is_ok()).collect()
}

fn spec(paths: &[&str], random: &mut Random) -> IndexSpec {
    let mut keys = Sort::new();
    let mut taken = Vec::new();
    // Every other one is over one path, since that serves most queries.
    let count = if random.one_in(2) { 1 } else { random.within(2..4) };
    for _ in 0..count {
        let path = random.one_of(paths);
        if taken.contains(&path) {
            continue;
        }
        taken.push(path);
        keys = if random.one_in(3) { keys.descending(path) } else { keys.ascending(path) };
    }
    let spec = IndexSpec::new(keys);
    match random.within(0..10) {
        0 => spec.sparse(),
        1 => spec.partial(condition(random.one_of(paths), random)),
        _ => spec,
    }
}

/// Which documents a partial index has.
fn condition(path: &str, random: &mut Random) -> Object {
    match random.within(0..3) {
        0 => object! { (path): { "$exists": true } },
        1 => object! { (path): { "$gte": random.within(0..3) } },
        _ => object! { (path): { "$type": value!("string") } },
    }
}
