//! The same random commands on an engine and on the [`Model`], with snapshots held across them.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{
    Check, FIRST, Model, Random, SECOND, TestEngine, all, commit, commit_all, get, get_at, scan,
    snapshot,
};
use crate::{Batch, Bounds, Direction, Keyspace, Part, Snapshot};

pub(super) const CHECKS: &[Check] = &[
    ("agrees_with_the_model", agrees_with_the_model),
    ("agrees_with_the_model_on_few_keys", agrees_with_the_model_on_few_keys),
];

/// Random commands over many keys give what the model gives, also in every held snapshot.
fn agrees_with_the_model(test: TestEngine) {
    let random = Random::announced("contract");
    compare(test, random, KeyLengthMax(6));
}

/// The same with keys so few that most commands meet what others left.
fn agrees_with_the_model_on_few_keys(test: TestEngine) {
    let random = Random::announced("contract");
    compare(test, random, KeyLengthMax(2));
}

struct KeyLengthMax(u64);

const STEPS: usize = 3_000;
const SNAPSHOTS_HELD_MAX: usize = 8;

/// A snapshot of the engine and one of the model, of the same moment.
type Held = (Arc<dyn Snapshot>, Arc<dyn Snapshot>);

fn compare(test: TestEngine, mut random: Random, key_length_max: KeyLengthMax) {
    let KeyLengthMax(length) = key_length_max;
    let TestEngine { mut engine, reopen } = test;
    let model = Model::new(2);
    let mut held: Vec<Held> = Vec::new();
    for step in 0..STEPS {
        match random.within(0..100) {
            0..45 => {
                let batch = random_batch(&mut random, length);
                commit(&*engine, &batch);
                commit(&model, &batch);
            }
            45..60 => {
                let parts: Vec<_> = (0..random.within(1..5))
                    .map(|_| (random.bytes(2), random_batch(&mut random, length)))
                    .collect();
                let parts: Vec<_> =
                    parts.iter().map(|(prefix, batch)| Part { prefix, batch }).collect();
                commit_all(&*engine, &parts);
                commit_all(&model, &parts);
            }
            60..75 => {
                let keyspace = random_keyspace(&mut random);
                let key = random.bytes(length);
                assert_eq!(get(&*engine, keyspace, &key), get(&model, keyspace, &key));
            }
            75..80 if held.len() < SNAPSHOTS_HELD_MAX => {
                held.push((snapshot(&*engine), snapshot(&model)));
            }
            80..84 if !held.is_empty() => {
                held.swap_remove(random.within(0..held.len() as u64) as usize);
            }
            84 if random.one_in(10) => {
                if let Some(reopen) = &reopen {
                    held.clear();
                    engine.sync().expect("a sync succeeds");
                    engine = reopen(engine);
                }
            }
            _ => match held.len() {
                0 => same_view((snapshot(&*engine), snapshot(&model)), &mut random, length),
                count => {
                    let (found, expected) = &held[random.within(0..count as u64) as usize];
                    let pair = (Arc::clone(found), Arc::clone(expected));
                    same_view(pair, &mut random, length);
                }
            },
        }
        if step % 500 == 499 {
            held.push((snapshot(&*engine), snapshot(&model)));
            for (found, expected) in &held {
                assert_eq!(all(&**found, FIRST), all(&**expected, FIRST));
                assert_eq!(all(&**found, SECOND), all(&**expected, SECOND));
            }
            held.pop();
        }
    }
}

fn random_keyspace(random: &mut Random) -> Keyspace {
    [FIRST, SECOND][random.within(0..2) as usize]
}

fn random_batch(random: &mut Random, key_length_max: u64) -> Batch {
    let mut batch = Batch::new();
    let writes_max = [1, 4, 40][random.within(0..3) as usize];
    for _ in 0..random.within(0..writes_max + 1) {
        let keyspace = random_keyspace(random);
        let key = random.bytes(key_length_max);
        match random.one_in(3) {
            true => batch.delete(keyspace, &key),
            false => batch.put(keyspace, &key, &random.bytes(20)),
        }
    }
    batch
}

/// One get and one scan of random bounds and length give the same in both.
fn same_view((found, expected): Held, random: &mut Random, key_length_max: u64) {
    let keyspace = random_keyspace(random);
    let key = random.bytes(key_length_max);
    assert_eq!(get_at(&*found, keyspace, &key), get_at(&*expected, keyspace, &key));
    let (start, end) = (random.bytes(3), random.bytes(3));
    let bounds = Bounds { start: &start, end: (!random.one_in(4)).then_some(&end[..]) };
    let direction = [Direction::Forward, Direction::Backward][random.within(0..2) as usize];
    let mut expected = scan(&*expected, keyspace, bounds, direction);
    if random.one_in(2) && !expected.is_empty() {
        expected.truncate(random.within(1..expected.len() as u64 + 1) as usize);
    }
    let mut pairs = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        pairs.push((key.to_vec(), value.to_vec()));
        match pairs.len() == expected.len() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    found.scan(keyspace, bounds, direction, &mut visit).expect("a scan succeeds");
    assert_eq!(pairs, expected, "{bounds:?} {direction:?}");
}
