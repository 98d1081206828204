//! The second half of a write that waits for the disk: the fsync, which all share who wait by then.

use std::collections::VecDeque;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;
use smallvec::SmallVec;

use super::pipeline::{GROUP_COMMANDS_MAX, Pipeline, Role};
use super::queue::Sleeper;
use crate::{Error, Result};

/// Whether a thread may be among those who wait for an fsync already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    No,
    Maybe,
}

impl Pipeline {
    /// Waits until a commit is on the disk, and fsyncs if nobody else does.
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

    /// Lets somebody be told when a commit is on the disk, or woken when it is to fsync itself. `false`
    /// when it is there already.
    pub(super) fn sleeps_until(&self, commit: u64, sleeper: Sleeper, listed: Listed) -> bool {
        let mut unsynced = self.unsynced.lock();
        // Whoever fsyncs notes that before it looks here.
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

    /// Wakes one of those who wait for an fsync, if nobody does one.
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

    /// Makes all that is committed by now durable, and so what all readers see.
    pub(super) fn sync(&self, turn: MutexGuard<'_, ()>) -> Result<()> {
        let mut turn = Turn { pipeline: self, turn: Some(turn), failure: None };
        self.gather();
        self.lead_left();
        let Some(last) = self.views.last() else { return Ok(()) };
        let begin = Instant::now();
        if let Err(error) = self.engine.sync() {
            // What is on the disk is not known, and others may have built on it.
            let error = Error::from(error);
            self.views.fail(&error);
            self.ask(|machine| machine.fail(error.clone()));
            turn.failure = Some(error.clone());
            return Err(error);
        }
        self.views.settle(last);
        // Taken back first, so that what is dropped meanwhile is not forgotten.
        if self.has_unpublished.swap(false, Ordering::Relaxed)
            && self.ask(|machine| machine.publish_settled(last))
        {
            self.has_unpublished.store(true, Ordering::Relaxed);
        }
        let sync_ns = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.sync_ns.store(sync_ns, Ordering::Relaxed);
        drop(turn);
        // Whoever is told may write, and wait for an fsync.
        self.tell_changes();
        Ok(())
    }

    /// Waits a moment for the writers that were there a moment ago: those that were just answered
    /// are about to come back, and would have to wait for a second fsync behind this one. Never
    /// longer than half of what that would take.
    fn gather(&self) {
        let writers = self.writers.load(Ordering::Relaxed).min(GROUP_COMMANDS_MAX);
        let begin = Instant::now();
        let time_max = Duration::from_nanos(self.sync_ns.load(Ordering::Relaxed) / 2);
        // Who gathers is one of them.
        while self.unsynced.lock().len() + self.queued.load(Ordering::Relaxed) + 1 < writers
            && begin.elapsed() < time_max
        {
            std::thread::yield_now();
        }
    }
}

/// The turn. However the fsync ends, it is given back, and then those told who waited for it.
struct Turn<'a> {
    pipeline: &'a Pipeline,
    turn: Option<MutexGuard<'a, ()>>,
    failure: Option<Error>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Turn { pipeline, turn, failure } = self;
        drop(turn.take());
        // Pairs with that of who leaves a command in the queue: one of the two sees the other.
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
                // Who fsyncs next applies the queue first.
                Some(next) => pipeline.wake_sleeper(Some(next)),
                None => pipeline.wake_next(),
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
