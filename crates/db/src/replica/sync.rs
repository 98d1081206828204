//! The second half of a write that waits for the disk: the fsync, which all writers that wait by then
//! share.

use std::collections::VecDeque;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;
use smallvec::SmallVec;

use super::pipeline::{GROUP_COMMANDS_MAX, Pipeline, Role};
use super::queue::Sleeper;
use crate::{Error, Result};

/// Whether a thread may be registered already among those that wait for an fsync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    No,
    Maybe,
}

impl Pipeline {
    /// Waits until a commit is durable, and fsyncs if no other thread does.
    pub(super) fn await_sync(&self, commit: u64) -> Result<()> {
        let thread = || Sleeper::Thread(std::thread::current());
        loop {
            if self.views.is_settled(commit) {
                return Ok(());
            }
            if let Some(turn) = self.turn.try_lock() {
                self.sync(turn)?;
            } else if self.sleeps_until(commit, thread(), Listed::Maybe) && self.turn.is_locked() {
                std::thread::park();
            }
        }
    }

    /// Registers a sleeper that is notified when a commit is durable, or woken when it has to fsync itself.
    /// Returns `false` if the commit is durable already.
    pub(super) fn sleeps_until(&self, commit: u64, sleeper: Sleeper, listed: Listed) -> bool {
        let mut unsynced = self.unsynced.lock();
        // A thread that fsyncs records that the commit is settled before it checks for sleepers.
        if self.views.is_settled(commit) {
            return false;
        }
        let is_there = match &sleeper {
            Sleeper::Thread(thread) if listed == Listed::Maybe => {
                unsynced.iter().any(|(_, other)| other.is_thread(thread))
            }
            _ => false,
        };
        if !is_there {
            unsynced.push_back((commit, sleeper));
        }
        true
    }

    /// Wakes one of the threads that wait for an fsync, if none is in progress.
    pub(super) fn wake_to_sync(&self) {
        if !self.turn.is_locked() {
            self.wake_sleeper(self.unsynced.lock().front());
        }
    }

    fn wake_sleeper(&self, next: Option<&(u64, Sleeper)>) {
        match next {
            Some((_, Sleeper::Thread(thread))) => thread.unpark(),
            Some((_, Sleeper::Call(_))) => self.wake_driver(Role::Sync),
            None => {}
        }
    }

    /// Makes everything that is committed by now durable, and visible to all readers.
    pub(super) fn sync(&self, turn: MutexGuard<'_, ()>) -> Result<()> {
        let mut turn = Turn { pipeline: self, turn: Some(turn), failure: None };
        self.gather();
        self.lead_left();
        let Some(last) = self.views.last() else { return Ok(()) };
        let begin = Instant::now();
        if let Err(error) = self.engine.sync() {
            // It is not known what is on the disk, and later commits may build on it.
            let error = Error::from(error);
            self.views.fail(&error);
            self.ask(|machine| machine.fail(error.clone()));
            turn.failure = Some(error.clone());
            return Err(error);
        }
        self.views.settle(last);
        // Reset first, so that a drop in the meantime is not lost.
        if self.has_unpublished.swap(false, Ordering::Relaxed)
            && self.ask(|machine| machine.publish_settled(last))
        {
            self.has_unpublished.store(true, Ordering::Relaxed);
        }
        let sync_ns = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.sync_ns.store(sync_ns, Ordering::Relaxed);
        drop(turn);
        // A consumer that is notified may write, and wait for an fsync.
        self.tell_changes();
        Ok(())
    }

    /// Waits a moment for writers that were active a moment ago: those that were just answered are about to
    /// write again, and would need a second fsync after this one. It never waits longer than half the time
    /// of an fsync.
    fn gather(&self) {
        let writers = self.writers.load(Ordering::Relaxed).min(GROUP_COMMANDS_MAX);
        let begin = Instant::now();
        let time_max = Duration::from_nanos(self.sync_ns.load(Ordering::Relaxed) / 2);
        // The waiting thread is one of them, and so are those whose commands it is going to apply.
        let are_there = || {
            let left = if self.spins() { 0 } else { self.queued.load(Ordering::Relaxed) };
            self.unsynced.lock().len() + left + 1 >= writers
        };
        while !are_there() && begin.elapsed() < time_max {
            std::thread::yield_now();
        }
    }
}

/// The turn to fsync. However the fsync ends, the turn is returned, and then those that waited for it are
/// notified.
struct Turn<'a> {
    pipeline: &'a Pipeline,
    turn: Option<MutexGuard<'a, ()>>,
    failure: Option<Error>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Turn { pipeline, turn, failure } = self;
        drop(turn.take());
        // Pairs with that of a thread that leaves a command in the queue: one of the two sees the other.
        fence(Ordering::SeqCst);
        let mut served = SmallVec::<[Sleeper; 64]>::new();
        {
            let mut unsynced = pipeline.unsynced.lock();
            pipeline.writers.store(unsynced.len() + 1, Ordering::Relaxed);
            // They are nearly in the order of their commits.
            let waits = |(commit, _): &(u64, Sleeper)| {
                failure.is_none() && !pipeline.views.is_settled(*commit)
            };
            let mut left = VecDeque::new();
            for one in unsynced.drain(..) {
                if waits(&one) { left.push_back(one) } else { served.push(one.1) }
            }
            *unsynced = left;
            match unsynced.front() {
                // Among many writers, the next thread to fsync applies the queue first.
                Some(next) if !pipeline.spins() => pipeline.wake_sleeper(Some(next)),
                next => {
                    pipeline.wake_sleeper(next);
                    pipeline.wake_next();
                }
            }
        }
        for sleeper in served {
            match sleeper {
                Sleeper::Thread(thread) => thread.unpark(),
                Sleeper::Call(waiter) => waiter.tell(&pipeline.load, failure.as_ref()),
            }
        }
    }
}
