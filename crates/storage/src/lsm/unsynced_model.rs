//! [`Unsynced`] under modelled threads: the file `unsynced.rs` itself, on the atomics and locks of
//! `shuttle`, which runs the threads below in thousands of orders chosen at random.
//!
//! Two threads commit a batch after another, a third one fsyncs, and the test waits until everything is
//! fsynced. If a wake-up is lost, no thread can go on, which `shuttle` reports as a deadlock. Time does
//! not pass in the model: the delay is zero.

#[expect(clippy::duplicate_mod, reason = "it is the same file, on other atomics")]
#[path = "unsynced.rs"]
mod unsynced;

mod sync {
    pub(super) use shuttle::sync::atomic::{AtomicBool, Ordering};
    pub(super) use shuttle::sync::{Condvar, Mutex, MutexGuard};
}

use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::{Condvar, Mutex};

use unsynced::Unsynced;

const COMMITTERS: u32 = 2;
const COMMITS: u32 = 3;
const RUNS: usize = 3_000;
/// How many thread switches at chosen points a run has: a fault that needs up to as many is found
/// soon.
const PREEMPTIONS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A batch is noted before it is appended.
    NoteEarly,
    /// The thread looks for batches before it unsets the flag.
    LookEarly,
    /// A turn that fails is not noted again.
    ForgetFailure,
}

/// The writer of an engine.
#[derive(Default)]
struct Writer {
    appended: u32,
    synced: u32,
    /// Whether the next fsync fails without saying more than that.
    is_failing: bool,
}

struct Engine {
    writer: Mutex<Writer>,
    has_synced: Condvar,
    unsynced: Unsynced,
    fault: Fault,
}

impl Engine {
    fn commit(&self) {
        for _ in 0..COMMITS {
            if self.fault == Fault::NoteEarly {
                self.unsynced.note();
            }
            let mut writer = self.writer.lock().expect("no thread panics");
            writer.appended += 1;
            if self.fault != Fault::NoteEarly {
                self.unsynced.note();
            }
        }
    }

    fn appended(&self) -> u32 {
        self.writer.lock().expect("no thread panics").appended
    }

    fn sync_all(&self) {
        let mut early = self.appended();
        while self.unsynced.wait(Duration::ZERO) {
            let appended = match self.fault {
                Fault::LookEarly => early,
                _ => self.appended(),
            };
            // The writer is unlocked during the fsync.
            let mut writer = self.writer.lock().expect("no thread panics");
            if std::mem::take(&mut writer.is_failing) {
                if self.fault != Fault::ForgetFailure {
                    self.unsynced.note();
                }
            } else {
                writer.synced = writer.synced.max(appended);
                self.has_synced.notify_one();
            }
            drop(writer);
            if self.fault == Fault::LookEarly {
                early = self.appended();
            }
        }
    }
}

fn model(fault: Fault) {
    let run = move || {
        let writer = Mutex::new(Writer { is_failing: true, ..Writer::default() });
        let (has_synced, unsynced) = (Condvar::new(), Unsynced::default());
        let engine = Arc::new(Engine { writer, has_synced, unsynced, fault });
        let spawn = |work: fn(&Engine)| {
            let engine = Arc::clone(&engine);
            shuttle::thread::spawn(move || work(&engine))
        };
        let syncer = spawn(Engine::sync_all);
        let committers: Vec<_> = (0..COMMITTERS).map(|_| spawn(Engine::commit)).collect();
        let writer = engine.writer.lock().expect("no thread panics");
        let is_behind = |writer: &mut Writer| writer.synced < COMMITTERS * COMMITS;
        drop(engine.has_synced.wait_while(writer, is_behind).expect("no thread panics"));
        engine.unsynced.close();
        for thread in committers.into_iter().chain([syncer]) {
            thread.join().expect("no thread panics");
        }
    };
    shuttle::check_pct(run, RUNS, PREEMPTIONS);
}

#[test]
fn no_wake_up_is_lost() {
    model(Fault::None);
}

#[test]
fn the_model_finds_planted_faults() {
    for fault in [Fault::NoteEarly, Fault::LookEarly, Fault::ForgetFailure] {
        assert!(catch_unwind(|| model(fault)).is_err(), "the model missed {fault:?}");
    }
}
