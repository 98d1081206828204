//! Checks with threads: batches appear at one instant, commits have one order, readers go on.
//!
//! Each has a bounded number of commits and ends with them, so that no check depends on a clock.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::{
    Check, FIRST, Model, Random, SECOND, TestEngine, all, commit, get, get_at, number, put, scan,
    snapshot,
};
use crate::{Batch, Bounds, Direction};

pub(super) const CHECKS: &[Check] = &[
    ("batches_appear_at_one_instant", batches_appear_at_one_instant),
    ("inserts_and_deletes_appear_together", inserts_and_deletes_appear_together),
    ("commits_appear_in_order", commits_appear_in_order),
    ("concurrent_commits_have_one_order", concurrent_commits_have_one_order),
    ("readers_meet_every_key_that_stays", readers_meet_every_key_that_stays),
];

/// How many commits the writer of a check makes at least, and at most.
const COMMITS: Range<u64> = 2_000..50_000;
/// How often each reader reads at least, unless the writer has made all its commits before.
const READS: u64 = 500;

/// Commits one round after the other on this thread, while two others read.
pub(super) fn while_writing(write: impl FnMut(u64), read: impl Fn(&mut Random) + Sync) {
    while_writing_rounds(COMMITS, write, read);
}

/// The same with other numbers of rounds, at least and at most.
pub(super) fn while_writing_rounds(
    rounds: Range<u64>,
    mut write: impl FnMut(u64),
    read: impl Fn(&mut Random) + Sync,
) {
    let done = AtomicBool::new(false);
    let reads = [AtomicU64::new(0), AtomicU64::new(0)];
    let seed = Random::announced("contract").number();
    thread::scope(|scope| {
        for (reader, reads) in reads.iter().enumerate() {
            let (done, read) = (&done, &read);
            scope.spawn(move || {
                let mut random = Random::from_seed(seed.wrapping_add(reader as u64));
                while !done.load(Ordering::Relaxed) {
                    read(&mut random);
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also a panic of the writer ends the readers.
        let _guard = SetOnDrop(&done);
        let enough = || reads.iter().all(|reads| reads.load(Ordering::Relaxed) >= READS);
        for round in 1..rounds.end {
            write(round);
            if round >= rounds.start && enough() {
                break;
            }
        }
    });
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All keys of a batch change at once: in a snapshot, in a scan, and over single gets in a row.
fn batches_appear_at_one_instant(test: TestEngine) {
    const KEYS: [&[u8]; 4] = [b"a", b"b", b"between", b"c"];
    let engine = &*test.engine;
    let write_all = |round: u64| {
        let mut batch = Batch::new();
        for key in KEYS {
            batch.put(FIRST, key, &round.to_be_bytes());
            batch.put(SECOND, key, &round.to_be_bytes());
        }
        commit(engine, &batch);
    };
    write_all(0);
    while_writing(write_all, |random| {
        // The rounds that single gets see, in whatever order of keys, never go back.
        let mut seen = 0;
        for _ in 0..8 {
            let keyspace = [FIRST, SECOND][random.within(0..2) as usize];
            let key = KEYS[random.within(0..4) as usize];
            let round = number(&get(engine, keyspace, key).expect("the key stays"));
            assert!(round >= seen, "round {round} of {key:?} after {seen}");
            seen = round;
        }
        let snapshot = snapshot(engine);
        let first = all(&*snapshot, FIRST);
        assert_eq!(first.len(), KEYS.len());
        assert!(number(&first[0].1) >= seen);
        assert!(first.iter().all(|(_, value)| *value == first[0].1));
        assert_eq!(all(&*snapshot, SECOND), first);
        assert_eq!(get_at(&*snapshot, SECOND, b"c").as_ref(), Some(&first[0].1));
    });
}

/// A batch that moves a key is seen whole: there is always exactly one.
fn inserts_and_deletes_appear_together(test: TestEngine) {
    let engine = &*test.engine;
    let place = |round: u64| format!("{:04}", round * 7_919 % 1_000).into_bytes();
    put(engine, FIRST, &place(0), &0_u64.to_be_bytes());
    let write = |round| {
        let mut batch = Batch::new();
        batch.delete(FIRST, &place(round - 1));
        batch.put(FIRST, &place(round), &round.to_be_bytes());
        commit(engine, &batch);
    };
    while_writing(write, |random| {
        let direction = [Direction::Forward, Direction::Backward][random.within(0..2) as usize];
        let snapshot = snapshot(engine);
        let found = scan(&*snapshot, FIRST, Bounds::ALL, direction);
        assert_eq!(found.len(), 1, "{found:?}");
        let (key, value) = &found[0];
        assert_eq!(*key, place(number(value)));
        assert_eq!(get_at(&*snapshot, FIRST, key).as_ref(), Some(value));
    });
}

/// A reader that sees a commit sees all those before it.
fn commits_appear_in_order(test: TestEngine) {
    let engine = &*test.engine;
    put(engine, FIRST, b"leads", &0_u64.to_be_bytes());
    put(engine, SECOND, b"follows", &0_u64.to_be_bytes());
    let write = |round: u64| {
        put(engine, FIRST, b"leads", &round.to_be_bytes());
        put(engine, SECOND, b"follows", &round.to_be_bytes());
    };
    while_writing(write, |_| {
        let read = |keyspace, key| number(&get(engine, keyspace, key).expect("the key stays"));
        let follows = read(SECOND, b"follows");
        let leads = read(FIRST, b"leads");
        assert!(leads >= follows, "{follows} was there before {leads}");
        let snapshot = snapshot(engine);
        let read =
            |keyspace, key| number(&get_at(&*snapshot, keyspace, key).expect("the key stays"));
        let (leads, follows) = (read(FIRST, b"leads"), read(SECOND, b"follows"));
        assert!(leads == follows || leads == follows + 1);
    });
}

/// Commits of several threads are each whole, and all there in the end.
fn concurrent_commits_have_one_order(test: TestEngine) {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 200;
    let engine = &*test.engine;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let value = [thread.to_be_bytes(), round.to_be_bytes()].concat();
                    let mut batch = Batch::new();
                    batch.put(FIRST, b"shared", &value);
                    batch.put(FIRST, &[b"of ", &value[..]].concat(), b"");
                    batch.put(SECOND, b"shared", &value);
                    commit(engine, &batch);
                    let snapshot = snapshot(engine);
                    let shared = get_at(&*snapshot, FIRST, b"shared");
                    assert_eq!(get_at(&*snapshot, SECOND, b"shared"), shared);
                    // The newest commit at this point is of this round or a later one of its own.
                    let shared = shared.expect("it was put");
                    let own = thread == number(&shared[..8]);
                    assert!(!own || number(&shared[8..]) == round);
                }
            });
        }
    });
    let found = all(&*snapshot(engine), FIRST);
    assert_eq!(found.len() as u64, THREADS * ROUNDS + 1);
}

/// While keys around them come and go, the keys that stay are found by every get and scan.
fn readers_meet_every_key_that_stays(test: TestEngine) {
    const STAYING: u64 = 200;
    let engine = &*test.engine;
    let staying = |number: u64| format!("{number:05}-stays").into_bytes();
    for number in 0..STAYING {
        put(engine, FIRST, &staying(number), &number.to_be_bytes());
    }
    let mut random = Random::announced("contract");
    let model = Model::new(2);
    let write = |_| {
        let neighbour = format!("{:05}", random.within(0..STAYING));
        let neighbour = [neighbour.as_bytes(), &random.bytes(2)].concat();
        let mut batch = Batch::new();
        match random.one_in(2) {
            true => batch.put(FIRST, &neighbour, b"passing"),
            false => batch.delete(FIRST, &neighbour),
        }
        commit(engine, &batch);
        commit(&model, &batch);
    };
    while_writing(write, |random| {
        for _ in 0..20 {
            let one = random.within(0..STAYING);
            let found = get(engine, FIRST, &staying(one));
            assert_eq!(found.as_deref(), Some(&one.to_be_bytes()[..]));
        }
        let direction = [Direction::Forward, Direction::Backward][random.within(0..2) as usize];
        let found = scan(&*snapshot(engine), FIRST, Bounds::ALL, direction);
        let stay = found.iter().filter(|(key, _)| key.ends_with(b"-stays"));
        assert_eq!(stay.count() as u64, STAYING);
        let mut keys: Vec<_> = found.iter().map(|(key, _)| key).collect();
        if direction == Direction::Backward {
            keys.reverse();
        }
        assert!(keys.is_sorted_by(|left, right| left < right));
    });
    let (found, passing) = (snapshot(engine), snapshot(&model));
    let passing = all(&*passing, FIRST).len();
    assert_eq!(all(&*found, FIRST).len(), STAYING as usize + passing);
}
