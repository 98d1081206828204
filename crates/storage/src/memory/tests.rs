//! Tests of the memory engine beyond the contract. Small enough for the ones under `miri`, where
//! nodes and tables are small too, to meet every kind of change to them.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::contract::{Model, Random};

const KEYSPACE: Keyspace = Keyspace(0);
/// Steps of a random test.
const STEPS: u64 = if cfg!(miri) { 100 } else { 2_000 };
const KEYS: u64 = if cfg!(miri) { 64 } else { 20_000 };

fn put(engine: &dyn Engine, key: &[u8], value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(KEYSPACE, key, value);
    engine.commit(&batch, Durability::Memory).unwrap();
}

fn delete(engine: &dyn Engine, key: &[u8]) {
    let mut batch = Batch::new();
    batch.delete(KEYSPACE, key);
    engine.commit(&batch, Durability::Memory).unwrap();
}

fn scan(snapshot: &dyn Snapshot, direction: Direction) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        pairs.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    };
    snapshot.scan(KEYSPACE, Bounds::ALL, direction, &mut visit).unwrap();
    pairs
}

fn memory_bytes(engine: &Memory) -> u64 {
    engine.sync().unwrap();
    engine.stats().keyspaces.iter().map(|keyspace| keyspace.memory_bytes).sum()
}

/// Not under an interpreter, for which 16 MiB are too much.
#[cfg(not(miri))]
#[test]
fn memory_keeps_the_contract() {
    use crate::contract::{TestEngine, checks, run};
    run(checks(), &|| TestEngine { engine: Arc::new(Memory::new(2)), reopen: None });
}

/// Keys come, change and go in ranges, so that nodes are split, emptied, merged and dropped.
#[test]
fn growing_and_shrinking_agrees_with_the_model() {
    let mut random = Random::announced("growing_and_shrinking_agrees_with_the_model");
    let (engine, model) = (Memory::new(1), Model::new(1));
    let mut held = None;
    for step in 0..STEPS {
        let start = random.within(0..KEYS);
        let mut batch = Batch::new();
        // It grows in the first half of the steps and shrinks in the second.
        let grows = random.one_in(4) != (step < STEPS / 2);
        for number in start..(start + random.within(1..KEYS / 20)).min(KEYS) {
            let key = format!("some prefix {:05}", number * 7);
            match grows {
                true => batch.put(KEYSPACE, key.as_bytes(), &step.to_be_bytes()),
                false => batch.delete(KEYSPACE, key.as_bytes()),
            }
        }
        engine.commit(&batch, Durability::Memory).unwrap();
        model.commit(&batch, Durability::Memory).unwrap();
        if step % (STEPS / 20) == 0 {
            let (found, expected) = (engine.snapshot().unwrap(), model.snapshot().unwrap());
            let all = scan(&*expected, Direction::Forward);
            assert!(scan(&*found, Direction::Forward) == all);
            assert!(scan(&*found, Direction::Backward).into_iter().rev().eq(all.iter().cloned()));
            assert_eq!(engine.stats().keyspaces[0].keys, all.len() as u64);
            held = Some((found, all));
        }
        if let (Some((found, all)), true) = (&held, step % (STEPS / 20) == STEPS / 40) {
            assert!(scan(&**found, Direction::Forward) == *all);
        }
    }
}

/// With nothing left, nothing is held but the empty indexes.
#[test]
fn memory_comes_back() {
    let engine = Memory::new(1);
    let key = |number: u64| (number * 0x9E37_79B9 % KEYS).to_be_bytes();
    let empty = memory_bytes(&engine);
    for number in 0..KEYS {
        put(&engine, &key(number), &[0; 100]);
    }
    let full = memory_bytes(&engine);
    for number in 0..KEYS {
        put(&engine, &key(number), &[1; 100]);
    }
    assert!(memory_bytes(&engine).abs_diff(full) < full / 10);
    for number in 0..KEYS {
        delete(&engine, &key(number));
    }
    // Tables keep their size until they are used again, which is much where keys are few.
    let kept_max = (full - empty) / if cfg!(miri) { 2 } else { 8 };
    assert!(memory_bytes(&engine) < empty + kept_max);
    assert_eq!(engine.stats().keyspaces[0].keys, 0);
}

/// A snapshot holds what was overwritten since, once, and gives it back when it is closed.
#[test]
fn a_snapshot_costs_what_it_sees() {
    let engine = Memory::new(1);
    for number in 0..100_u64 {
        put(&engine, &number.to_be_bytes(), &[0; 1_000]);
    }
    let before = memory_bytes(&engine);
    let held = engine.snapshot().unwrap();
    for round in 1..20 {
        for number in 0..50_u64 {
            put(&engine, &number.to_be_bytes(), &[round; 1_000]);
        }
    }
    let during = memory_bytes(&engine);
    assert!((50_000..60_000).contains(&(during - before)), "{before} {during}");
    assert_eq!(scan(&*held, Direction::Forward)[0].1, [0; 1_000]);
    drop(held);
    assert_eq!(memory_bytes(&engine), before);
}

/// A deleted key is gone from the indexes when the last snapshot that saw it is closed.
#[test]
fn deleted_keys_leave_with_the_snapshots() {
    let engine = Memory::new(1);
    let mut snapshots = Vec::new();
    for round in 0..10_u8 {
        put(&engine, b"key", &[round]);
        snapshots.push((Some(round), engine.snapshot().unwrap()));
        delete(&engine, b"key");
        snapshots.push((None, engine.snapshot().unwrap()));
    }
    let held = memory_bytes(&engine);
    while !snapshots.is_empty() {
        snapshots.remove(snapshots.len() / 2);
        for (expected, snapshot) in &snapshots {
            let found = snapshot.get(KEYSPACE, b"key").unwrap().map(|value| value[0]);
            assert_eq!(found, *expected);
            assert_eq!(scan(&**snapshot, Direction::Forward).len(), usize::from(found.is_some()));
        }
    }
    assert!(memory_bytes(&engine) < held);
    assert_eq!(engine.shared.keyspaces[0].record_bytes.load(Ordering::Relaxed), 0);
}

/// Readers in threads of their own find every key that stays, in order, while others come and go.
#[test]
fn readers_go_on_beside_the_writer() {
    let engine = Memory::new(1);
    let staying = |number: u64| format!("{number:03}").into_bytes();
    for number in 0..20 {
        put(&engine, &staying(number), b"stays");
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for number in 0..20 {
                    let blob = engine.get(KEYSPACE, &staying(number)).unwrap();
                    assert_eq!(&*blob.unwrap(), b"stays");
                }
                let snapshot = engine.snapshot().unwrap();
                let found = scan(&*snapshot, Direction::Forward);
                assert!(found.is_sorted());
                assert_eq!(found.iter().filter(|(_, value)| value == b"stays").count(), 20);
                assert!(scan(&*snapshot, Direction::Backward).into_iter().rev().eq(found));
            }
        });
        let mut random = Random::announced("readers_go_on_beside_the_writer");
        for _ in 0..STEPS {
            let key = [&staying(random.within(0..20))[..], &random.bytes(1)[..], b"+"].concat();
            match random.one_in(2) {
                true => put(&engine, &key, b"passes"),
                false => delete(&engine, &key),
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}
