//! The [`Clock`] under modelled threads: the file `clock.rs` itself, on the atomics and locks of
//! `shuttle`, which runs the threads below in thousands of orders chosen at random.
//!
//! Every commit writes key `A`; key `C` it puts when its number is odd, and deletes when it is even.
//! So the version of one key that a reader sees determines what it must see of the other. Versions
//! are never freed here, since the epoch guarantees that none is freed while a reader uses it.

#[expect(dead_code, clippy::duplicate_mod, reason = "it is the same file, on other atomics")]
#[path = "clock.rs"]
mod clock;

mod sync {
    pub(super) use shuttle::sync::atomic::{AtomicU64, Ordering};
    pub(super) use shuttle::sync::{Mutex, MutexGuard};
}

use std::panic::catch_unwind;
use std::sync::Arc;

use shuttle::sync::atomic::{AtomicU64, Ordering};

use clock::{Clock, OpenSnapshots, Version, version_at};

const COMMITS: u64 = 5;
const READS: usize = 3;
const RUNS: usize = 3_000;
/// How many thread switches at chosen points a run has: a fault that needs up to as many is found
/// soon.
const PREEMPTIONS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A commit becomes visible before all its records are linked.
    PublishEarly,
    /// Superseded versions are unlinked though snapshots see them.
    UnlinkSeen,
    /// A get does not check whether a commit became visible meanwhile.
    GetOnce,
    /// A get answers with the newest version, visible or not.
    GetInvisible,
    /// A snapshot takes its number before it is registered.
    SnapshotUnregistered,
}

/// The versions of one key by commit, linked as the engine links records.
struct Key {
    /// The number of the commit that wrote the newest version, or 0.
    newest: AtomicU64,
    /// By commit: the commit that wrote the version before, or 0.
    previous: Vec<AtomicU64>,
}

#[derive(Clone, Copy)]
struct Commit<'a> {
    key: &'a Key,
    number: u64,
}

impl Version for Commit<'_> {
    fn sequence(self) -> u64 {
        self.number
    }

    fn previous(self) -> Option<Self> {
        let number = self.key.previous[self.number as usize].load(Ordering::Acquire);
        (number > 0).then_some(Commit { number, ..self })
    }
}

impl Key {
    fn new() -> Self {
        let previous = (0..=COMMITS).map(|_| AtomicU64::new(0)).collect();
        Key { newest: AtomicU64::new(0), previous }
    }

    fn find(&self) -> Option<Commit<'_>> {
        let number = self.newest.load(Ordering::Acquire);
        (number > 0).then_some(Commit { key: self, number })
    }

    fn link(&self, number: u64) {
        let before = self.newest.load(Ordering::Relaxed);
        self.previous[number as usize].store(before, Ordering::Release);
        self.newest.store(number, Ordering::Release);
    }

    /// Unlinks version `number`, which `superseded` follows among the newest versions.
    fn unlink(&self, number: u64) {
        let mut newer = self.newest.load(Ordering::Relaxed);
        loop {
            let previous = self.previous[newer as usize].load(Ordering::Relaxed);
            if previous == number {
                break;
            }
            newer = previous;
        }
        let before = self.previous[number as usize].load(Ordering::Relaxed);
        self.previous[newer as usize].store(before, Ordering::Release);
    }
}

struct Engine {
    clock: Clock,
    a: Key,
    c: Key,
    fault: Fault,
}

impl Engine {
    fn write(&self) {
        let mut snapshots = OpenSnapshots::default();
        let mut superseded: Vec<u64> = Vec::new();
        for number in 1..=COMMITS {
            self.a.link(number);
            if self.fault == Fault::PublishEarly {
                self.clock.publish(number);
            }
            self.c.link(number);
            self.clock.publish(number);
            superseded.extend((number > 1).then(|| number - 1));
            snapshots.refresh(&self.clock);
            superseded.retain(|old| {
                let seen = snapshots.see(*old, old + 1);
                if !seen || self.fault == Fault::UnlinkSeen {
                    self.a.unlink(*old);
                    self.unlink_of_c(*old);
                }
                seen
            });
        }
    }

    /// As for `A`; besides, a deletion without a version before it is not kept.
    fn unlink_of_c(&self, old: u64) {
        if self.c.newest.load(Ordering::Relaxed) == 0 || !self.is_linked_in_c(old) {
            return;
        }
        self.c.unlink(old);
        let newest = self.c.newest.load(Ordering::Relaxed);
        let previous = self.c.previous[newest as usize].load(Ordering::Relaxed);
        if newest.is_multiple_of(2) && previous == 0 {
            self.c.newest.store(0, Ordering::Release);
        }
    }

    fn is_linked_in_c(&self, number: u64) -> bool {
        let mut version = self.c.find();
        while let Some(newer) = version {
            version = newer.previous();
            if version.is_some_and(|version| version.number == number) {
                return true;
            }
        }
        false
    }

    fn get<'a>(&self, key: &'a Key) -> u64 {
        let found: Option<Commit<'a>> = match self.fault {
            Fault::GetOnce => version_at(key.find(), self.clock.visible()),
            Fault::GetInvisible => key.find(),
            _ => self.clock.newest(|| key.find()),
        };
        found.map_or(0, |found| found.number)
    }

    fn get_in_turn(&self) {
        for _ in 0..READS {
            let before = self.get(&self.a);
            let c = self.get(&self.c);
            let after = self.get(&self.a);
            assert!(before <= after, "went back from {before} to {after}");
            match c.is_multiple_of(2) {
                // Deleted: there was such a moment between the two reads of the other key.
                true => assert!((before..=after).any(|number| number.is_multiple_of(2))),
                false => assert!((before..=after).contains(&c), "{before} {c} {after}"),
            }
        }
    }

    fn read_snapshots(&self) {
        for _ in 0..READS {
            let early = self.clock.visible();
            let sequence = self.clock.open_snapshot();
            let seen = match self.fault {
                Fault::SnapshotUnregistered => early,
                _ => sequence,
            };
            for _ in 0..2 {
                let a = version_at(self.a.find(), seen).map_or(0, |found| found.number);
                assert_eq!(a, seen);
                let c = version_at(self.c.find(), seen).map_or(0, |found| found.number);
                let expected = if seen.is_multiple_of(2) { 0 } else { seen };
                assert_eq!(if c.is_multiple_of(2) { 0 } else { c }, expected);
            }
            self.clock.close_snapshot(sequence);
        }
    }
}

fn model(fault: Fault) {
    let run = move || {
        let engine = Arc::new(Engine { clock: Clock::new(), a: Key::new(), c: Key::new(), fault });
        let spawn = |work: fn(&Engine)| {
            let engine = Arc::clone(&engine);
            shuttle::thread::spawn(move || work(&engine))
        };
        let threads =
            [spawn(Engine::write), spawn(Engine::get_in_turn), spawn(Engine::read_snapshots)];
        for thread in threads {
            thread.join().expect("no thread panics");
        }
    };
    shuttle::check_pct(run, RUNS, PREEMPTIONS);
}

#[test]
fn readers_see_whole_commits_in_order() {
    model(Fault::None);
}

#[test]
fn the_model_finds_planted_faults() {
    for fault in [
        Fault::PublishEarly,
        Fault::UnlinkSeen,
        Fault::GetOnce,
        Fault::GetInvisible,
        Fault::SnapshotUnregistered,
    ] {
        assert!(catch_unwind(|| model(fault)).is_err(), "the model missed {fault:?}");
    }
}
