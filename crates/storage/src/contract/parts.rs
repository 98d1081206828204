//! Checks of commits of several batches: they are one commit, and their prefixes are kept.

use super::concurrency::while_writing;
use super::{
    Check, FIRST, SECOND, TestEngine, all, commit_all, get, get_at, number, put, snapshot,
};
use crate::{Batch, Durability, Part};

pub(super) const CHECKS: &[Check] = &[
    ("parts_stand_behind_their_prefixes", parts_stand_behind_their_prefixes),
    ("later_part_wins", later_part_wins),
    ("parts_are_one_commit", parts_are_one_commit),
    ("large_parts", large_parts),
    ("parts_appear_at_one_instant", parts_appear_at_one_instant),
    ("parts_survive_a_restart", parts_survive_a_restart),
];

/// A key, and its new value or none.
type Change<'a> = (&'a [u8], Option<&'a [u8]>);

fn batch_of(writes: &[Change<'_>]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in writes {
        match value {
            Some(value) => batch.put(FIRST, key, value),
            None => batch.delete(FIRST, key),
        }
    }
    batch
}

/// The key of a write is the prefix of its part and its own, whatever bytes these are.
fn parts_stand_behind_their_prefixes(test: TestEngine) {
    let engine = &*test.engine;
    for key in [&b"a-deleted"[..], b"deleted", b"\xFF\xFFdeleted", b"b-deleted"] {
        put(engine, FIRST, key, b"old");
    }
    let mut batch = batch_of(&[
        (b"", Some(b"empty")),
        (b"twice", Some(b"one")),
        (b"key", Some(b"")),
        (b"twice", Some(b"two")),
        (b"deleted", None),
        (b"never there", None),
    ]);
    batch.put(SECOND, b"key", b"second");
    let prefixes = [&b"a-"[..], b"\xFF\xFF", b"\0", b"key"];
    let parts = prefixes.map(|prefix| Part { prefix, batch: &batch });
    commit_all(engine, &parts);
    let mut expected = vec![(b"b-deleted".to_vec(), b"old".to_vec())];
    expected.push((b"deleted".to_vec(), b"old".to_vec()));
    for prefix in prefixes {
        for (key, value) in [(&b""[..], &b"empty"[..]), (b"key", b""), (b"twice", b"two")] {
            let key = [prefix, key].concat();
            assert_eq!(get(engine, FIRST, &key).as_deref(), Some(value), "{key:?}");
            expected.push((key, value.to_vec()));
        }
        let key = [prefix, b"key"].concat();
        assert_eq!(get(engine, SECOND, &key).as_deref(), Some(&b"second"[..]));
    }
    expected.sort();
    assert_eq!(all(&*snapshot(engine), FIRST), expected);
    assert_eq!(all(&*snapshot(engine), SECOND).len(), prefixes.len());
    assert_eq!(batch.len(), 7, "the batches are left as they are");
}

/// Where parts write the same key, by the same prefix or by different ones, the later one wins.
fn later_part_wins(test: TestEngine) {
    let engine = &*test.engine;
    let batches = [
        batch_of(&[(b"bc", Some(b"one")), (b"deleted", Some(b"one")), (b"restored", None)]),
        batch_of(&[(b"c", Some(b"two")), (b"", Some(b"alone"))]),
        batch_of(&[(b"bc", Some(b"three")), (b"deleted", None), (b"restored", Some(b"three"))]),
        batch_of(&[(b"abc", Some(b"four"))]),
    ];
    let prefixes = [&b"a"[..], b"ab", b"a", b""];
    let parts: Vec<_> =
        prefixes.into_iter().zip(&batches).map(|(prefix, batch)| Part { prefix, batch }).collect();
    for (count, value) in
        [(1, &b"one"[..]), (2, b"two"), (3, b"three"), (4, b"four"), (3, b"three")]
    {
        commit_all(engine, &parts[..count]);
        assert_eq!(get(engine, FIRST, b"abc").as_deref(), Some(value));
        assert_eq!(get(engine, FIRST, b"adeleted").is_some(), count < 3);
        assert_eq!(get(engine, FIRST, b"arestored").is_some(), count >= 3);
    }
    let keys: Vec<_> = all(&*snapshot(engine), FIRST).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [&b"ab"[..], b"abc", b"arestored"]);
}

/// All parts together count as one commit; and none, or none that writes, as an empty one.
fn parts_are_one_commit(test: TestEngine) {
    let engine = &*test.engine;
    let (batch, empty) = (batch_of(&[(b"key", Some(b"value"))]), Batch::new());
    let before = engine.stats().commits;
    let parts = [&b"a"[..], b"b", b"c"].map(|prefix| Part { prefix, batch: &batch });
    commit_all(engine, &parts);
    assert_eq!(engine.stats().commits - before, 1);
    commit_all(engine, &[]);
    commit_all(engine, &[Part { prefix: b"d", batch: &empty }, Part::from(&empty)]);
    assert_eq!(engine.stats().commits - before, 3);
    assert_eq!(all(&*snapshot(engine), FIRST).len(), 3);
    let held = snapshot(engine);
    commit_all(engine, &[Part { prefix: b"d", batch: &batch }]);
    assert_eq!(get_at(&*held, FIRST, b"dkey"), None);
}

/// Parts can have many writes, of the same key again and again, and long keys.
fn large_parts(test: TestEngine) {
    const KEYS: u64 = 3_000;
    let engine = &*test.engine;
    let mut batch = Batch::new();
    for round in 0..3_u64 {
        for number in (0..KEYS).rev() {
            batch.put(FIRST, &number.to_be_bytes(), &round.to_be_bytes());
            batch.put(SECOND, &number.to_be_bytes(), &number.to_be_bytes());
        }
    }
    (0..KEYS / 2).for_each(|number| batch.delete(SECOND, &number.to_be_bytes()));
    let mut long = Batch::new();
    (0..40_u8).for_each(|key| long.put(FIRST, &vec![key; 20_000], &[key]));
    let prefixes = [&b"left"[..], b"right", b"long"];
    let batches = [&batch, &batch, &long];
    let parts: Vec<_> =
        prefixes.into_iter().zip(batches).map(|(prefix, batch)| Part { prefix, batch }).collect();
    commit_all(engine, &parts);
    let snapshot = snapshot(engine);
    let key = |prefix: &[u8], number: u64| [prefix, &number.to_be_bytes()].concat();
    let long = (0..40_u8).map(|byte| ([&b"long"[..], &vec![byte; 20_000]].concat(), vec![byte]));
    let sides = [&b"left"[..], b"right"];
    let left = (0..KEYS).map(|number| (key(sides[0], number), 2_u64.to_be_bytes().to_vec()));
    let right = (0..KEYS).map(|number| (key(sides[1], number), 2_u64.to_be_bytes().to_vec()));
    assert!(all(&*snapshot, FIRST).into_iter().eq(left.chain(long).chain(right)));
    let kept = sides.into_iter().flat_map(|side| {
        (KEYS / 2..KEYS).map(move |number| (key(side, number), number.to_be_bytes().to_vec()))
    });
    assert!(all(&*snapshot, SECOND).into_iter().eq(kept));
}

/// All parts change at once: in a snapshot, in a scan, and over single gets in a row.
fn parts_appear_at_one_instant(test: TestEngine) {
    const PREFIXES: [&[u8]; 3] = [b"a", b"b", b"c"];
    let engine = &*test.engine;
    let write_all = |round: u64| {
        let mut batch = Batch::new();
        batch.put(FIRST, b"key", &round.to_be_bytes());
        batch.put(SECOND, b"key", &round.to_be_bytes());
        commit_all(engine, &PREFIXES.map(|prefix| Part { prefix, batch: &batch }));
    };
    write_all(0);
    while_writing(write_all, |random| {
        let mut seen = 0;
        for _ in 0..8 {
            let keyspace = [FIRST, SECOND][random.within(0..2) as usize];
            let prefix = PREFIXES[random.within(0..3) as usize];
            let found = get(engine, keyspace, &[prefix, b"key"].concat());
            let round = number(&found.expect("the key stays"));
            assert!(round >= seen, "round {round} of {prefix:?} after {seen}");
            seen = round;
        }
        let snapshot = snapshot(engine);
        let first = all(&*snapshot, FIRST);
        assert_eq!(first.len(), PREFIXES.len());
        assert!(number(&first[0].1) >= seen);
        assert!(first.iter().all(|(_, value)| *value == first[0].1));
        assert_eq!(all(&*snapshot, SECOND), first);
    });
}

/// All parts of a commit with the durability of the disk are there after a restart.
fn parts_survive_a_restart(test: TestEngine) {
    let Some(reopen) = test.reopen else { return };
    let batch = batch_of(&[(b"key", Some(b"value")), (b"", Some(b"empty"))]);
    let parts = [&b"a"[..], b"b", b""].map(|prefix| Part { prefix, batch: &batch });
    test.engine.commit_all(&parts[..2], Durability::Disk).expect("a commit succeeds");
    test.engine.commit_all(&parts, Durability::Disk).expect("a commit succeeds");
    test.engine.sync().expect("a sync succeeds");
    let engine = reopen(test.engine);
    let keys: Vec<_> = all(&*snapshot(&*engine), FIRST).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [&b""[..], b"a", b"akey", b"b", b"bkey", b"key"]);
}
