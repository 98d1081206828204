//! Checks of snapshots: a state that stays as it is, and blocks nothing while it is held.

use std::ops::ControlFlow;

use super::{
    Check, FIRST, SECOND, TestEngine, all, commit, delete, get, get_at, put, scan, snapshot,
};
use crate::{Batch, Bounds, Direction};

pub(super) const CHECKS: &[Check] = &[
    ("snapshot_stays", snapshot_stays),
    ("snapshots_of_every_commit_stay", snapshots_of_every_commit_stay),
    ("snapshot_keeps_what_is_deleted", snapshot_keeps_what_is_deleted),
    ("visitor_may_commit", visitor_may_commit),
    ("snapshots_are_counted", snapshots_are_counted),
    ("snapshot_outlives_the_engine_handle", snapshot_outlives_the_engine_handle),
    ("blob_outlives_its_key", blob_outlives_its_key),
];

/// A snapshot shows its state after puts, overwrites and deletes in the newest one.
fn snapshot_stays(test: TestEngine) {
    let engine = &*test.engine;
    put(engine, FIRST, b"overwritten", b"old");
    put(engine, FIRST, b"deleted", b"old");
    let before = snapshot(engine);
    put(engine, FIRST, b"overwritten", b"new");
    put(engine, FIRST, b"inserted", b"new");
    delete(engine, FIRST, b"deleted");
    let after = snapshot(engine);
    let old = |key: &[u8]| (key.to_vec(), b"old".to_vec());
    let new = |key: &[u8]| (key.to_vec(), b"new".to_vec());
    assert_eq!(all(&*before, FIRST), [old(b"deleted"), old(b"overwritten")]);
    assert_eq!(all(&*after, FIRST), [new(b"inserted"), new(b"overwritten")]);
    assert_eq!(get_at(&*before, FIRST, b"inserted"), None);
    assert_eq!(get_at(&*after, FIRST, b"deleted"), None);
    let found = get_at(&*before, FIRST, b"deleted");
    assert_eq!(found.as_deref(), Some(&b"old"[..]));
}

/// A snapshot after each of many commits shows what that commit made, whichever are dropped.
fn snapshots_of_every_commit_stay(test: TestEngine) {
    const COMMITS: u64 = 200;
    let engine = &*test.engine;
    let mut held = Vec::new();
    for number in 0..COMMITS {
        let mut batch = Batch::new();
        batch.put(FIRST, b"counter", &number.to_be_bytes());
        match number % 3 {
            0 => batch.put(SECOND, b"now and then", &number.to_be_bytes()),
            _ => batch.delete(SECOND, b"now and then"),
        }
        commit(engine, &batch);
        held.push((number, snapshot(engine)));
        if number % 7 == 6 {
            held.swap_remove(number as usize / 3 % held.len());
        }
        for (number, snapshot) in &held {
            let counter = get_at(&**snapshot, FIRST, b"counter");
            assert_eq!(counter.as_deref(), Some(&number.to_be_bytes()[..]));
            let found = get_at(&**snapshot, SECOND, b"now and then");
            assert_eq!(found.is_some(), number % 3 == 0);
            assert_eq!(all(&**snapshot, SECOND).len(), usize::from(number % 3 == 0));
        }
    }
}

/// A snapshot shows all its keys though the newest state has lost every one of them since.
fn snapshot_keeps_what_is_deleted(test: TestEngine) {
    const KEYS: u32 = 2_000;
    let engine = &*test.engine;
    let mut batch = Batch::new();
    for number in 0..KEYS {
        batch.put(FIRST, &number.to_be_bytes(), b"value");
    }
    commit(engine, &batch);
    let before = snapshot(engine);
    for number in 0..KEYS {
        delete(engine, FIRST, &number.to_be_bytes());
        if number % 97 == 0 {
            let now = snapshot(engine);
            assert_eq!(all(&*now, FIRST).len(), (KEYS - number - 1) as usize);
        }
    }
    for direction in [Direction::Forward, Direction::Backward] {
        let found = scan(&*before, FIRST, Bounds::ALL, direction);
        assert_eq!(found.len(), KEYS as usize);
    }
    assert_eq!(all(&*snapshot(engine), FIRST), []);
}

/// The visitor of a scan can delete the visited key and insert others; the scan does not change.
fn visitor_may_commit(test: TestEngine) {
    const KEYS: u32 = 300;
    let engine = &*test.engine;
    for number in 0..KEYS {
        put(engine, FIRST, &(2 * number).to_be_bytes(), b"old");
    }
    for direction in [Direction::Forward, Direction::Backward] {
        let before = snapshot(engine);
        let expected = scan(&*before, FIRST, Bounds::ALL, direction);
        let mut visited = Vec::new();
        let mut visit = |key: &[u8], value: &[u8]| {
            visited.push((key.to_vec(), value.to_vec()));
            delete(engine, FIRST, key);
            put(engine, FIRST, &[key, b"+"].concat(), b"new");
            ControlFlow::Continue(())
        };
        before.scan(FIRST, Bounds::ALL, direction, &mut visit).expect("a scan succeeds");
        assert_eq!(visited, expected);
        assert_eq!(all(&*snapshot(engine), FIRST).len(), KEYS as usize);
    }
}

/// Statistics count the snapshots that are held, however many handles there are of each.
fn snapshots_are_counted(test: TestEngine) {
    let engine = &*test.engine;
    put(engine, FIRST, b"key", b"value");
    assert_eq!(engine.stats().snapshots_open, 0);
    let held: Vec<_> = (0..100).map(|_| snapshot(engine)).collect();
    assert_eq!(engine.stats().snapshots_open, 100);
    drop(held);
    assert_eq!(engine.stats().snapshots_open, 0);
}

/// A snapshot can be read after the last handle of its engine is gone.
fn snapshot_outlives_the_engine_handle(test: TestEngine) {
    put(&*test.engine, FIRST, b"key", b"value");
    let held = snapshot(&*test.engine);
    drop(test);
    let found = get_at(&*held, FIRST, b"key");
    assert_eq!(found.as_deref(), Some(&b"value"[..]));
    assert_eq!(all(&*held, FIRST).len(), 1);
}

/// Bytes that were handed out stay, though key, snapshot and engine are gone.
fn blob_outlives_its_key(test: TestEngine) {
    let engine = &*test.engine;
    put(engine, FIRST, b"key", b"the first value");
    let blob = engine.get(FIRST, b"key").expect("a get succeeds");
    let blob = blob.expect("the key was put");
    let part = blob.slice(4..9);
    put(engine, FIRST, b"key", b"the second value");
    for number in 0..1_000_u32 {
        put(engine, FIRST, &number.to_be_bytes(), b"of the same size");
    }
    delete(engine, FIRST, b"key");
    assert_eq!(get(engine, FIRST, b"key"), None);
    drop(test);
    assert_eq!(&*blob, b"the first value");
    drop(blob);
    assert_eq!(&*part, b"first");
}
