//! Checks of the removal of a range: all of it goes, nothing beside it, and snapshots keep it.

use super::{
    Check, FIRST, Model, Random, SECOND, TestEngine, all, commit, get, get_at, put, scan, snapshot,
};
use crate::{Batch, Bounds, Direction, Engine, Keyspace};

pub(super) const CHECKS: &[Check] = &[
    ("range_is_removed", range_is_removed),
    ("long_range_is_removed", long_range_is_removed),
    ("removed_range_stays_in_snapshots", removed_range_stays_in_snapshots),
    ("removed_range_is_written_again", removed_range_is_written_again),
    ("random_ranges_are_removed", random_ranges_are_removed),
    ("removed_range_stays_removed", removed_range_stays_removed),
];

fn remove(engine: &dyn Engine, keyspace: Keyspace, bounds: Bounds<'_>) {
    engine.remove_range(keyspace, bounds).expect("a range is removed");
}

/// The keys from the start, included, to the end, excluded, of one keyspace are gone, and no others,
/// also where they have been read before.
fn range_is_removed(test: TestEngine) {
    let engine = &*test.engine;
    let keys = [&b""[..], b"a", b"a\0", b"ab", b"b", b"ba", b"\xFF", b"\xFF\xFF"];
    let ends = [&b""[..], b"a", b"a\0", b"aa", b"b", b"bb", b"\xFF", b"\xFF\0"];
    for start in ends {
        for end in ends.map(Some).into_iter().chain([None]) {
            for key in keys {
                put(engine, FIRST, key, b"first");
                put(engine, SECOND, key, b"second");
                assert!(get(engine, FIRST, key).is_some());
            }
            remove(engine, FIRST, Bounds { start, end });
            let within = |key: &&[u8]| *key >= start && end.is_none_or(|end| *key < end);
            let left: Vec<&[u8]> = keys.into_iter().filter(|key| !within(key)).collect();
            for key in keys {
                assert_eq!(get(engine, FIRST, key).is_some(), left.contains(&key), "{key:?}");
            }
            let found = all(&*snapshot(engine), FIRST);
            assert!(found.iter().map(|(key, _)| &key[..]).eq(left), "{start:?} to {end:?}");
            assert_eq!(all(&*snapshot(engine), SECOND).len(), keys.len());
        }
    }
}

/// Many keys, and large ones, between others.
fn long_range_is_removed(test: TestEngine) {
    let engine = &*test.engine;
    let mut batch = Batch::new();
    for number in 0..6_000_u32 {
        let prefix = [b"a", b"b", b"c"][number as usize % 3];
        batch.put(FIRST, &[prefix, &number.to_be_bytes()[..]].concat(), &[7; 100]);
    }
    for number in 0..40_u8 {
        batch.put(FIRST, &[b"b", &[number; 30_000][..]].concat(), &[number; 300_000]);
    }
    commit(engine, &batch);
    remove(engine, FIRST, Bounds::range(b"b", b"c"));
    let found = all(&*snapshot(engine), FIRST);
    assert_eq!(found.len(), 4_000);
    assert!(found.iter().all(|(key, _)| key[0] != b'b'));
    remove(engine, FIRST, Bounds::ALL);
    assert_eq!(all(&*snapshot(engine), FIRST), []);
    remove(engine, FIRST, Bounds::ALL);
}

/// A snapshot shows the range as it was, for as long as it is held.
fn removed_range_stays_in_snapshots(test: TestEngine) {
    let engine = &*test.engine;
    let mut batch = Batch::new();
    for number in 0..3_000_u32 {
        batch.put(FIRST, &number.to_be_bytes(), &number.to_le_bytes());
    }
    commit(engine, &batch);
    let before = snapshot(engine);
    let expected = all(&*before, FIRST);
    let (low, high) = (500_u32.to_be_bytes(), 2_500_u32.to_be_bytes());
    remove(engine, FIRST, Bounds::range(&low, &high));
    let after = snapshot(engine);
    put(engine, FIRST, &low, b"new");
    remove(engine, FIRST, Bounds::ALL);
    assert_eq!(all(&*before, FIRST), expected);
    assert_eq!(get_at(&*before, FIRST, &low).as_deref(), Some(&500_u32.to_le_bytes()[..]));
    assert_eq!(all(&*after, FIRST).len(), 1_000);
    let found = scan(&*after, FIRST, Bounds::range(&low, &high), Direction::Backward);
    assert_eq!(found, []);
    assert_eq!(all(&*snapshot(engine), FIRST), []);
}

/// What is written into the range afterwards is there, whatever it was before.
fn removed_range_is_written_again(test: TestEngine) {
    let engine = &*test.engine;
    for round in 0..5_u64 {
        for number in 0..200_u64 {
            assert_eq!(get(engine, FIRST, &number.to_be_bytes()), None);
            put(engine, FIRST, &number.to_be_bytes(), &(number + round).to_be_bytes());
            let found = get(engine, FIRST, &number.to_be_bytes());
            assert_eq!(found.as_deref(), Some(&(number + round).to_be_bytes()[..]));
        }
        assert_eq!(all(&*snapshot(engine), FIRST).len(), 200);
        remove(engine, FIRST, Bounds::range(&[0], &[1]));
    }
}

/// Random commits and removals give what the model gives, also in snapshots that are held.
fn random_ranges_are_removed(test: TestEngine) {
    let engine = &*test.engine;
    let model = Model::new(2);
    let mut random = Random::announced("contract");
    let mut held = Vec::new();
    for step in 0..400 {
        let mut batch = Batch::new();
        for _ in 0..random.within(1..20) {
            let keyspace = [FIRST, SECOND][random.within(0..2) as usize];
            match random.one_in(6) {
                true => batch.delete(keyspace, &random.bytes(4)),
                false => batch.put(keyspace, &random.bytes(4), &random.bytes(20)),
            }
        }
        commit(engine, &batch);
        commit(&model, &batch);
        if random.one_in(4) {
            let (start, end) = (random.bytes(3), random.bytes(3));
            let bounds = Bounds { start: &start, end: (!random.one_in(8)).then_some(&end[..]) };
            let keyspace = [FIRST, SECOND][random.within(0..2) as usize];
            remove(engine, keyspace, bounds);
            remove(&model, keyspace, bounds);
        }
        if random.one_in(10) {
            held.push((snapshot(engine), snapshot(&model)));
        }
        if step % 20 == 19 {
            held.push((snapshot(engine), snapshot(&model)));
            for (found, expected) in &held {
                for keyspace in [FIRST, SECOND] {
                    assert_eq!(all(&**found, keyspace), all(&**expected, keyspace));
                }
            }
            held.truncate(random.within(0..6) as usize);
        }
    }
}

/// No key comes back with a restart, and what is beside the range is there.
fn removed_range_stays_removed(test: TestEngine) {
    let TestEngine { mut engine, reopen } = test;
    let Some(reopen) = reopen else { return };
    let key = |prefix: u8, number: u32| [&[prefix][..], &number.to_be_bytes()].concat();
    for round in 1..4_usize {
        let mut batch = Batch::new();
        for number in 0..1_000 {
            batch.put(FIRST, &key(b'r', number), &[7; 200]);
            batch.put(FIRST, &key(b's', round as u32 * 1_000 + number), &[8; 200]);
        }
        commit(&*engine, &batch);
        if round == 2 {
            engine.sync().expect("a sync succeeds");
            engine = reopen(engine);
        }
        remove(&*engine, FIRST, Bounds::range(b"r", b"s"));
        engine.sync().expect("a sync succeeds");
        engine = reopen(engine);
        let found = all(&*snapshot(&*engine), FIRST);
        assert_eq!(found.len(), round * 1_000);
        assert!(found.iter().all(|(key, _)| key[0] == b's'));
    }
}
