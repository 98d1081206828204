//! One sample of claims, and a check of which jobs were claimed.

use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::jobs::{FIRST_TIME, Jobs, State, number_of};
use super::{Executor, Store};
use crate::Result;
use crate::velocity::BATCH;

/// How many jobs are claimed in a cycle, and how many wait at its end.
const CYCLE: u64 = 1_000;

/// A store, and the record of its claimed jobs.
pub struct Ledger {
    store: Box<dyn Store>,
    feed: Feed,
    claimed: HashSet<u64>,
}

/// The source of waiting jobs.
struct Feed {
    /// The number of the next job.
    next: u64,
    /// How many have been inserted.
    inserted: u64,
}

impl Feed {
    fn refill(&mut self, store: &dyn Store) -> Result<()> {
        let numbers = self.next..self.next + CYCLE;
        self.next = numbers.end;
        self.inserted += CYCLE;
        let mut batches = (Jobs { state: State::Waiting, numbers }).batches(BATCH as u64);
        batches.try_for_each(|batch| store.insert(&batch?))
    }
}

impl Ledger {
    /// Loads finished jobs into an empty store, and the first waiting ones.
    pub fn load(store: Box<dyn Store>, finished: u64) -> Result<Self> {
        let mut batches =
            (Jobs { state: State::Finished, numbers: 0..finished }).batches(BATCH as u64);
        batches.try_for_each(|batch| store.insert(&batch?))?;
        let mut feed = Feed { next: finished, inserted: 0 };
        feed.refill(&*store)?;
        store.settle()?;
        Ok(Ledger { store, feed, claimed: HashSet::new() })
    }

    /// Claims a second by some threads, in cycles. Before each cycle, as many jobs are inserted
    /// as it claims, while the clock is stopped.
    pub fn rate(&mut self, claimants: usize, cycles: usize, longest: Duration) -> Result<f64> {
        let (store, feed, gate) = (&*self.store, &mut self.feed, &Gate::new(claimants));
        let mut passed = Duration::ZERO;
        let claimed = thread::scope(|scope| {
            let threads =
                (0..claimants).map(|number| scope.spawn(move || gate.work(store, number)));
            let threads: Vec<_> = threads.collect();
            let mut run = || -> Result<()> {
                for _ in 0..cycles {
                    if passed < longest && !gate.has_failed.load(Ordering::SeqCst) {
                        feed.refill(store)?;
                        passed += gate.cycle();
                    }
                }
                Ok(())
            };
            let run = run();
            gate.close();
            let claimed: Result<Vec<_>> = threads
                .into_iter()
                .map(|thread| thread.join().expect("claimants report errors"))
                .collect();
            run.and(claimed)
        })?;
        let count = claimed.iter().map(Vec::len).sum::<usize>();
        for id in claimed.into_iter().flatten() {
            if !self.claimed.insert(number_of(&id)?) {
                return Err(format!("{id} was claimed twice").into());
            }
        }
        Ok(count as f64 / passed.as_secs_f64())
    }

    /// Calls `settle` of the store.
    pub fn settle(&self) -> Result<()> {
        self.store.settle()
    }

    /// Checks that every job that was not claimed is waiting.
    pub fn audit(&self) -> Result<()> {
        let (waiting, claimed) = (self.store.waiting()?, self.claimed.len() as u64);
        if waiting + claimed == self.feed.inserted {
            return Ok(());
        }
        let inserted = self.feed.inserted;
        Err(format!("of {inserted} jobs, {claimed} were claimed, and {waiting} wait").into())
    }
}

/// Blocks claimants between cycles.
struct Gate {
    start: Barrier,
    finish: Barrier,
    /// Claims left in this cycle.
    left: AtomicI64,
    is_over: AtomicBool,
    has_failed: AtomicBool,
}

impl Gate {
    fn new(claimants: usize) -> Self {
        Gate {
            start: Barrier::new(claimants + 1),
            finish: Barrier::new(claimants + 1),
            left: AtomicI64::new(0),
            is_over: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Lets all claimants run a cycle, and returns how long it took.
    fn cycle(&self) -> Duration {
        self.left.store(CYCLE as i64, Ordering::SeqCst);
        self.start.wait();
        let start = Instant::now();
        self.finish.wait();
        start.elapsed()
    }

    fn close(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.start.wait();
    }

    /// A claimant's thread: returns the claimed ids. One that fails still passes the gate until
    /// the end, so that the others do not wait for it.
    fn work(&self, store: &dyn Store, number: usize) -> Result<Vec<String>> {
        let mut claimant = store.claimant(Executor::of(number));
        let mut claimed = Ok(Vec::new());
        let mut now = FIRST_TIME as i64;
        loop {
            let has_failed = claimant.is_err() || claimed.is_err();
            self.has_failed.fetch_or(has_failed, Ordering::SeqCst);
            self.start.wait();
            if self.is_over.load(Ordering::SeqCst) {
                return claimant.and(claimed);
            }
            if let (Ok(claimant), Ok(ids)) = (&mut claimant, &mut claimed) {
                let mut claim = || -> Result<()> {
                    while self.left.fetch_sub(1, Ordering::Relaxed) > 0 {
                        now += 1;
                        let id = claimant.claim(now)?;
                        ids.push(id.ok_or("a claim found nothing while jobs were waiting")?);
                    }
                    Ok(())
                };
                if let Err(error) = claim() {
                    claimed = Err(error);
                }
            }
            self.finish.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::{Claimant, Job};
    use super::*;

    /// A queue that gives out one of its jobs twice, or loses it.
    struct Faulty {
        ids: Mutex<Vec<String>>,
        fault: Fault,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        Twice,
        Lost,
        Empty,
    }

    impl Store for Faulty {
        fn insert(&self, jobs: &[Job]) -> Result<()> {
            self.ids.lock().unwrap().extend(jobs.iter().map(|job| job.id.clone()));
            Ok(())
        }

        fn settle(&self) -> Result<()> {
            Ok(())
        }

        fn claimant(&self, _: Executor) -> Result<Box<dyn Claimant + '_>> {
            Ok(Box::new(self))
        }

        fn waiting(&self) -> Result<u64> {
            Ok(self.ids.lock().unwrap().len() as u64)
        }
    }

    impl Claimant for &Faulty {
        fn claim(&mut self, _: i64) -> Result<Option<String>> {
            let mut ids = self.ids.lock().unwrap();
            if ids.len() == 1_500 {
                match self.fault {
                    Fault::None => {}
                    Fault::Twice => return Ok(ids.last().cloned()),
                    Fault::Lost => drop(ids.pop()),
                    Fault::Empty => return Ok(None),
                }
            }
            Ok(ids.pop())
        }
    }

    #[test]
    fn faults_are_found() {
        for (fault, message) in [
            (Fault::None, ""),
            (Fault::Twice, "was claimed twice"),
            (Fault::Lost, "were claimed, and"),
            (Fault::Empty, "found nothing while jobs were waiting"),
        ] {
            let store = Faulty { ids: Mutex::new(Vec::new()), fault };
            let mut ledger = Ledger::load(Box::new(store), 0).unwrap();
            let result = ledger.rate(3, 2, Duration::MAX).and_then(|_| ledger.audit());
            let found = result.err().map_or(String::new(), |error| error.to_string());
            assert!(found.contains(message) && found.is_empty() == message.is_empty(), "{found}");
        }
    }
}
