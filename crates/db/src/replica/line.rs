//! The [`Line`]: threads that wait for the machine, and for no disk.
//!
//! What the machine works on lies in the cache of the core that used it last, and putting a thread to sleep
//! and waking it costs as much as several commands. So while a thread writes without a pause, the others
//! leave the machine to it for a slice of time, asleep:
//!
//! ```text
//!   owner    led last; while it is busy, it leads at once until its slice is over
//!   first    sleeps for a slice, takes the machine then, and is the next owner
//!   others   sleep until they are first
//! ```
//!
//! An owner that is not busy, which does something else between two writes, applies the commands of all who
//! are in the line, as of those in the queue, and wakes the first of those who came meanwhile. So a line is
//! as long as its threads are busy; where the owner goes away within its slice, the first finds out when it
//! wakes.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use velocitydb_core::Command;
use velocitydb_storage::Durability;

use super::pipeline::{GROUP_COMMANDS_MAX, Lead, Pipeline};
use super::queue::Waiter;
use crate::Result;
use crate::apply::{Machine, Reply};

/// How long a busy thread has the machine again and again while others wait: many times what it costs to
/// wake one, and short beside what a scheduler gives a thread. A timer adds some 50 microseconds.
const SLICE: Duration = Duration::from_micros(100);

/// A thread is busy while from one write to its next there is less than this.
const BUSY: Duration = Duration::from_micros(50);

/// How long the machine has to be free before somebody takes it whose slice it is not.
const IDLE: Duration = Duration::from_micros(1);

/// How long a thread spins for the machine before it sleeps.
const SPIN: Duration = Duration::from_micros(4);

/// Threads that wait for the machine.
#[derive(Default)]
pub(super) struct Line {
    waiters: Mutex<VecDeque<Arc<Waiter>>>,
    /// How many they are.
    waiting: AtomicUsize,
    /// How often somebody took the machine.
    pub(super) leads: AtomicUsize,
    /// The thread that took it last and waits for no disk.
    owner: AtomicUsize,
    /// Whether its slice is over.
    is_over: AtomicBool,
    /// Whether somebody has become the first and does not know.
    has_new_first: AtomicBool,
}

thread_local! {
    /// When this thread began its last write, or was told of it if it had to wait.
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Notes that this thread writes, and returns whether it did so a moment ago.
fn is_busy() -> bool {
    let now = Instant::now();
    LAST.replace(Some(now)).is_some_and(|last| now - last < BUSY)
}

/// What tells this thread from all others that live.
fn this_thread() -> usize {
    LAST.with(|here| std::ptr::from_ref(here).addr())
}

impl Line {
    /// Whether a thread may take the machine now.
    fn admits(&self, thread: usize) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
            || self.owner.load(Ordering::Relaxed) == thread && !self.is_over.load(Ordering::Relaxed)
    }

    fn push(&self, waiter: Arc<Waiter>) {
        let mut waiters = self.waiters.lock();
        if waiters.is_empty() {
            self.is_over.store(false, Ordering::Relaxed);
        }
        waiters.push_back(waiter);
        self.waiting.store(waiters.len(), Ordering::Relaxed);
    }

    fn is_first(&self, waiter: &Arc<Waiter>) -> bool {
        self.waiters.lock().front().is_some_and(|first| Arc::ptr_eq(first, waiter))
    }

    /// Takes out the first, whose slice begins, unless its command was applied by another. Called with the
    /// machine held.
    fn leave(&self, waiter: &Arc<Waiter>) -> bool {
        let mut waiters = self.waiters.lock();
        let is_first = waiters.pop_front_if(|first| Arc::ptr_eq(first, waiter)).is_some();
        if is_first {
            self.is_over.store(false, Ordering::Relaxed);
            self.note_change(&waiters);
        }
        is_first
    }

    fn note_change(&self, waiters: &VecDeque<Arc<Waiter>>) {
        self.waiting.store(waiters.len(), Ordering::Relaxed);
        self.has_new_first.store(!waiters.is_empty(), Ordering::Relaxed);
    }

    /// Takes out those who came first, for a leader who applies their commands. Called with the machine
    /// held.
    pub(super) fn drain_to(&self, group: &mut Vec<Arc<Waiter>>, count_max: usize) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            let mut waiters = self.waiters.lock();
            let count = waiters.len().min(count_max.saturating_sub(group.len()));
            group.extend(waiters.drain(..count));
            self.note_change(&waiters);
        }
    }

    /// Wakes the first: to lead, unless the owner keeps the machine until its slice is over, or to know
    /// that it is the first. The machine has been given back, with a fence behind that.
    pub(super) fn wake_first(&self, owner_keeps: bool) {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        if !owner_keeps {
            self.is_over.store(true, Ordering::Relaxed);
        }
        if self.has_new_first.swap(false, Ordering::Relaxed) || self.is_over.load(Ordering::Relaxed)
        {
            let first = self.waiters.lock().front().cloned();
            if let Some(thread) = first.as_ref().and_then(|first| first.thread()) {
                thread.unpark();
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiters.lock().len()
    }
}

impl Pipeline {
    /// Applies a command that waits for no disk, in this thread's turn. Returns what it was answered, and
    /// the commit to wait for.
    pub(super) fn submit_in_line(
        &self,
        command: Command,
        durability: Durability,
    ) -> (Result<Reply>, Option<u64>) {
        let (is_busy, thread) = (is_busy(), this_thread());
        if self.line.admits(thread)
            && let Some(machine) = self.machine.try_lock().or_else(|| self.await_idle())
        {
            return self.lead_in_slice(machine, (&command, durability), is_busy, thread);
        }
        let waiter = Arc::new(Waiter::of_thread(command, durability));
        self.line.push(waiter.clone());
        let answer = loop {
            if let Some(answer) = waiter.take_reply() {
                break answer;
            }
            if !self.line.is_first(&waiter) {
                std::thread::park();
            } else if let Some(machine) = self.await_slice(&waiter) {
                if self.line.leave(&waiter) {
                    let own = (&waiter.command, durability);
                    break self.lead_in_slice(machine, own, is_busy, thread);
                }
                Lead::new(self, machine, &[]).end();
            }
        };
        LAST.set(Some(Instant::now()));
        answer
    }

    /// The machine for the first in the line: when the slice of the owner is over, or when the owner is
    /// not busy. `None` where this thread was woken for something else.
    fn await_slice(&self, first: &Waiter) -> Option<MutexGuard<'_, Machine>> {
        if !self.line.is_over.load(Ordering::Relaxed) {
            std::thread::park_timeout(SLICE);
            if first.is_answered() {
                return None;
            }
        }
        self.line.is_over.store(true, Ordering::Relaxed);
        // Pairs with that of who gives the machine back: one of the two sees the other.
        fence(Ordering::SeqCst);
        let machine = self.machine.try_lock();
        if machine.is_none() {
            std::thread::park();
        }
        machine
    }

    /// Leads, and keeps the machine for this thread's slice if it is busy.
    fn lead_in_slice(
        &self,
        machine: MutexGuard<'_, Machine>,
        own: (&Command, Durability),
        is_busy: bool,
        thread: usize,
    ) -> (Result<Reply>, Option<u64>) {
        if self.line.owner.load(Ordering::Relaxed) != thread {
            self.line.owner.store(thread, Ordering::Relaxed);
        }
        let mut group = self.take_queue(GROUP_COMMANDS_MAX - 1);
        if !is_busy {
            self.line.drain_to(&mut group, GROUP_COMMANDS_MAX - 1);
        }
        let mut lead = Lead::new(self, machine, &group);
        lead.keeps_machine = is_busy;
        self.lead(lead, Some(own)).expect("its own reply")
    }

    /// The machine, once nobody has wanted it for a moment.
    fn await_idle(&self) -> Option<MutexGuard<'_, Machine>> {
        let begin = Instant::now();
        let mut leads = self.line.leads.load(Ordering::Relaxed);
        let mut free_since = None;
        loop {
            std::hint::spin_loop();
            let now = Instant::now();
            let leads_now = self.line.leads.load(Ordering::Relaxed);
            if self.machine.is_locked() || leads_now != leads {
                (leads, free_since) = (leads_now, None);
            } else if now - *free_since.get_or_insert(now) >= IDLE {
                return self.machine.try_lock();
            }
            if now - begin >= SPIN {
                return None;
            }
        }
    }
}
