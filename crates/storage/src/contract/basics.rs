//! Checks of single calls: what is put is read, in every size and order.

use std::ops::ControlFlow;

use super::{Check, FIRST, SECOND, TestEngine, all, commit, delete, get, put, scan, snapshot};
use crate::{Batch, Bounds, Direction};

pub(super) const CHECKS: &[Check] = &[
    ("reads_what_was_put", reads_what_was_put),
    ("later_write_of_a_batch_wins", later_write_of_a_batch_wins),
    ("batch_is_left_as_it_was", batch_is_left_as_it_was),
    ("empty_batch_changes_nothing", empty_batch_changes_nothing),
    ("empty_keys_and_values", empty_keys_and_values),
    ("keys_that_share_prefixes", keys_that_share_prefixes),
    ("large_keys_and_values", large_keys_and_values),
    ("scan_keeps_bounds", scan_keeps_bounds),
    ("scan_ends_at_a_break", scan_ends_at_a_break),
    ("stored_entries_are_counted", stored_entries_are_counted),
    ("many_keys_in_any_order", many_keys_in_any_order),
    ("large_batch", large_batch),
    ("stats_count", stats_count),
];

/// A key has the value that was put last, in its own keyspace only, until it is deleted.
fn reads_what_was_put(test: TestEngine) {
    let engine = &*test.engine;
    assert_eq!(get(engine, FIRST, b"key"), None);
    put(engine, FIRST, b"key", b"one");
    assert_eq!(get(engine, FIRST, b"key").as_deref(), Some(&b"one"[..]));
    assert_eq!(get(engine, SECOND, b"key"), None);
    assert_eq!(get(engine, FIRST, b"ke"), None);
    assert_eq!(get(engine, FIRST, b"key "), None);
    put(engine, FIRST, b"key", b"another");
    put(engine, SECOND, b"key", b"elsewhere");
    assert_eq!(get(engine, FIRST, b"key").as_deref(), Some(&b"another"[..]));
    delete(engine, FIRST, b"key");
    delete(engine, FIRST, b"never there");
    assert_eq!(get(engine, FIRST, b"key"), None);
    assert_eq!(get(engine, SECOND, b"key").as_deref(), Some(&b"elsewhere"[..]));
    put(engine, FIRST, b"key", b"again");
    assert_eq!(get(engine, FIRST, b"key").as_deref(), Some(&b"again"[..]));
    assert_eq!(all(&*snapshot(engine), FIRST).len(), 1);
}

/// Writes of the same key within a batch take effect in their order.
fn later_write_of_a_batch_wins(test: TestEngine) {
    let engine = &*test.engine;
    put(engine, FIRST, b"deleted", b"old");
    let mut batch = Batch::new();
    batch.put(FIRST, b"twice", b"one");
    batch.put(FIRST, b"twice", b"two");
    batch.put(FIRST, b"deleted", b"new");
    batch.delete(FIRST, b"deleted");
    batch.delete(FIRST, b"restored");
    batch.put(FIRST, b"restored", b"here");
    commit(engine, &batch);
    assert_eq!(get(engine, FIRST, b"twice").as_deref(), Some(&b"two"[..]));
    assert_eq!(get(engine, FIRST, b"deleted"), None);
    let expected = [(&b"restored"[..], &b"here"[..]), (b"twice", b"two")];
    let expected = expected.map(|(key, value)| (key.to_vec(), value.to_vec()));
    assert_eq!(all(&*snapshot(engine), FIRST), expected);
}

/// A commit reads its batch and leaves it to the caller, who can commit it again.
fn batch_is_left_as_it_was(test: TestEngine) {
    let engine = &*test.engine;
    let mut batch = Batch::new();
    batch.put(FIRST, b"key", b"value");
    commit(engine, &batch);
    assert_eq!(batch.len(), 1);
    delete(engine, FIRST, b"key");
    commit(engine, &batch);
    assert_eq!(get(engine, FIRST, b"key").as_deref(), Some(&b"value"[..]));
}

/// A batch without writes is committed like any other.
fn empty_batch_changes_nothing(test: TestEngine) {
    let engine = &*test.engine;
    commit(engine, &Batch::new());
    put(engine, FIRST, b"key", b"value");
    commit(engine, &Batch::new());
    assert_eq!(all(&*snapshot(engine), FIRST).len(), 1);
}

/// The empty key is the smallest key, and an empty value is not an absent one.
fn empty_keys_and_values(test: TestEngine) {
    let engine = &*test.engine;
    put(engine, FIRST, b"\0", b"");
    put(engine, FIRST, b"", b"the empty key");
    assert_eq!(get(engine, FIRST, b"").as_deref(), Some(&b"the empty key"[..]));
    assert_eq!(get(engine, FIRST, b"\0").as_deref(), Some(&b""[..]));
    let snapshot = snapshot(engine);
    let keys = |direction| {
        let pairs = scan(&*snapshot, FIRST, Bounds::ALL, direction);
        pairs.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys(Direction::Forward), [&b""[..], b"\0"]);
    assert_eq!(keys(Direction::Backward), [&b"\0"[..], b""]);
    delete(engine, FIRST, b"");
    assert_eq!(get(engine, FIRST, b""), None);
}

/// Keys are compared as unsigned bytes, a prefix before what it is a prefix of.
fn keys_that_share_prefixes(test: TestEngine) {
    let engine = &*test.engine;
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for prefix in [&b""[..], b"a", b"shared-prefix-of-a-key-", b"\xFF\xFF"] {
        for end in 0..=40 {
            keys.push([prefix, &vec![0; end]].concat());
            keys.push([prefix, &vec![0xFF; end], b"\x01"].concat());
            keys.push([prefix, &[end as u8, 0x80]].concat());
        }
    }
    for key in keys.iter().rev() {
        put(engine, FIRST, key, key);
    }
    keys.sort();
    keys.dedup();
    for key in &keys {
        assert_eq!(get(engine, FIRST, key).as_ref(), Some(key));
    }
    let found = all(&*snapshot(engine), FIRST);
    assert!(found.iter().map(|(key, _)| key).eq(&keys));
}

/// Keys of 60 KiB and values of 16 MiB come back as they were.
fn large_keys_and_values(test: TestEngine) {
    let engine = &*test.engine;
    let key: Vec<u8> = (0..60 << 10).map(|byte| (byte % 251) as u8).collect();
    let mut sibling = key.clone();
    *sibling.last_mut().expect("the key is not empty") ^= 1;
    let value: Vec<u8> = (0..16 << 20).map(|byte| (byte % 253) as u8).collect();
    put(engine, FIRST, &key, &value);
    put(engine, FIRST, &sibling, b"small");
    put(engine, FIRST, b"key", &value);
    assert!(get(engine, FIRST, &key).is_some_and(|found| found == value));
    assert_eq!(get(engine, FIRST, &sibling).as_deref(), Some(&b"small"[..]));
    let found = all(&*snapshot(engine), FIRST);
    assert_eq!(found.len(), 3);
    assert!(found.iter().any(|(k, v)| *k == key && *v == value));
}

/// A scan visits the keys from its start, included, to its end, excluded, in both directions.
fn scan_keeps_bounds(test: TestEngine) {
    let engine = &*test.engine;
    let keys = [&b""[..], b"a", b"a\0", b"ab", b"b", b"ba", b"\xFF"];
    for key in keys {
        put(engine, FIRST, key, b"value");
    }
    put(engine, SECOND, b"aa", b"of another keyspace");
    let snapshot = snapshot(engine);
    let ends = [&b""[..], b"a", b"a\0", b"aa", b"b", b"bb", b"\xFF", b"\xFF\0"];
    for start in ends {
        for end in ends.map(Some).into_iter().chain([None]) {
            let bounds = Bounds { start, end };
            let within = |key: &&[u8]| *key >= start && end.is_none_or(|end| *key < end);
            let mut expected: Vec<&[u8]> = keys.into_iter().filter(within).collect();
            for direction in [Direction::Forward, Direction::Backward] {
                let found = scan(&*snapshot, FIRST, bounds, direction);
                let found: Vec<&[u8]> = found.iter().map(|(key, _)| &key[..]).collect();
                assert_eq!(found, expected, "{bounds:?} {direction:?}");
                expected.reverse();
            }
        }
    }
}

/// After a break nothing more is visited.
fn scan_ends_at_a_break(test: TestEngine) {
    let engine = &*test.engine;
    for key in 0..300_u32 {
        put(engine, FIRST, &key.to_be_bytes(), b"value");
    }
    let snapshot = snapshot(engine);
    for direction in [Direction::Forward, Direction::Backward] {
        for visits_max in [1, 2, 63, 64, 65, 299, 300] {
            let mut visits = 0;
            let mut visit = |_: &[u8], _: &[u8]| {
                visits += 1;
                match visits == visits_max {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            snapshot.scan(FIRST, Bounds::ALL, direction, &mut visit).expect("a scan succeeds");
            assert_eq!(visits, visits_max);
        }
    }
}

/// What is stored within bounds is at least what a scan visits there, also where much was deleted.
fn stored_entries_are_counted(test: TestEngine) {
    let engine = &*test.engine;
    for key in 0..100_u32 {
        put(engine, FIRST, &key.to_be_bytes(), b"value");
    }
    let mut batch = Batch::new();
    (0..90_u32).for_each(|key| batch.delete(FIRST, &key.to_be_bytes()));
    commit(engine, &batch);
    let snapshot = snapshot(engine);
    let (low, high) = (50_u32.to_be_bytes(), 95_u32.to_be_bytes());
    for bounds in [Bounds::ALL, Bounds::range(&low, &high), Bounds::range(&high, &low)] {
        let visited = scan(&*snapshot, FIRST, bounds, Direction::Forward).len() as u64;
        let stored = snapshot.count_stored(FIRST, &[bounds]).expect("counting succeeds");
        assert!((visited..=200).contains(&stored), "{bounds:?}: {stored} of {visited}");
        let twice = snapshot.count_stored(FIRST, &[bounds, Bounds::range(&high, &low), bounds]);
        assert_eq!(twice.expect("counting succeeds"), 2 * stored, "{bounds:?}");
    }
}

/// Thousands of keys, put and deleted in orders unlike their own, are each found and in order.
fn many_keys_in_any_order(test: TestEngine) {
    const KEYS: u64 = 5_000;
    let engine = &*test.engine;
    let key = |number: u64| format!("key-{number:08}").into_bytes();
    // A step that has no common divisor with the count meets every number once.
    let shuffled = |step: u64| (0..KEYS).map(move |index| index * step % KEYS);
    for number in shuffled(1_237) {
        put(engine, FIRST, &key(number), &number.to_be_bytes());
    }
    let found = all(&*snapshot(engine), FIRST);
    let expected = (0..KEYS).map(|number| (key(number), number.to_be_bytes().to_vec()));
    assert!(found.into_iter().eq(expected));
    for number in shuffled(2_741).filter(|number| number % 5 != 0) {
        delete(engine, FIRST, &key(number));
    }
    let left: Vec<u64> = (0..KEYS).filter(|number| number % 5 == 0).collect();
    let found = scan(&*snapshot(engine), FIRST, Bounds::ALL, Direction::Backward);
    assert!(
        found.into_iter().map(|(found, _)| found).eq(left.iter().rev().map(|number| key(*number)))
    );
    for number in 0..KEYS {
        let found = get(engine, FIRST, &key(number));
        assert_eq!(found.is_some(), number % 5 == 0);
    }
    for number in left {
        delete(engine, FIRST, &key(number));
    }
    assert_eq!(all(&*snapshot(engine), FIRST), []);
}

/// A batch can hold many writes over several keyspaces.
fn large_batch(test: TestEngine) {
    const KEYS: u64 = 20_000;
    let engine = &*test.engine;
    let mut batch = Batch::new();
    for number in (0..KEYS).rev() {
        batch.put(FIRST, &number.to_be_bytes(), b"first");
        batch.put(SECOND, &number.to_be_bytes(), b"second");
    }
    commit(engine, &batch);
    let snapshot = snapshot(engine);
    for (keyspace, value) in [(FIRST, &b"first"[..]), (SECOND, b"second")] {
        let found = all(&*snapshot, keyspace);
        let expected = (0..KEYS).map(|number| (number.to_be_bytes().to_vec(), value.to_vec()));
        assert!(found.into_iter().eq(expected));
    }
}

/// Statistics count keys where they say that they are exact, and commits.
fn stats_count(test: TestEngine) {
    let engine = &*test.engine;
    let commits = engine.stats().commits;
    for key in [b"a", b"b", b"c", b"a"] {
        put(engine, FIRST, key, b"value");
    }
    delete(engine, FIRST, b"b");
    delete(engine, FIRST, b"never there");
    put(engine, SECOND, b"a", b"value");
    let stats = engine.stats();
    assert_eq!(stats.commits - commits, 7);
    assert!(stats.keyspaces.len() >= 2);
    if stats.keys_exact {
        assert_eq!(stats.keyspaces[0].keys, 2);
        assert_eq!(stats.keyspaces[1].keys, 1);
    }
}
