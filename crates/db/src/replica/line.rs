//! The [`Line`]: threads that wait for the machine, and whose writes do not wait for the disk.
//!
//! The data that the machine works on are in the cache of the core that used them last, and putting a thread
//! to sleep and waking it costs as much as several commands. So a thread that writes without a pause keeps the
//! machine for a slice of time, while the other threads sleep:
//!
//! ```text
//!   owner    the last leader; while it is busy, it may lead again at once until its slice is over
//!   first    sleeps for one slice, then takes the machine and becomes the owner
//!   others   sleep until they are first
//! ```
//!
//! An owner that is not busy, since it does other work between two writes, applies the commands of the whole
//! line, like those of the queue, and wakes the first thread that arrived meanwhile. If a busy owner stops
//! writing within its slice, the first thread takes the machine when it wakes.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use velocitydb_core::Command;
use velocitydb_storage::Durability;

use super::lead::Lead;
use super::pipeline::{GROUP_COMMANDS_MAX, Pipeline};
use super::queue::Waiter;
use crate::Result;
use crate::apply::{Machine, Reply};

/// How long a busy thread may keep the machine while others wait: many times the cost of waking a thread,
/// and short compared to a time slice of the scheduler. Timers of the system add about 50 microseconds.
const SLICE: Duration = Duration::from_micros(100);

/// A thread is busy if its last write began, or was answered, less than this before the next one.
const BUSY: Duration = Duration::from_micros(50);

/// How long the machine has to be free before a thread takes it in the slice of another.
const IDLE: Duration = Duration::from_micros(1);

/// How long a thread spins for the machine before it sleeps.
const SPIN: Duration = Duration::from_micros(4);

/// Threads that wait for the machine.
#[derive(Default)]
pub(super) struct Line {
    waiters: Mutex<VecDeque<Arc<Waiter>>>,
    /// How many they are.
    waiting: AtomicUsize,
    /// How many times a leader has taken the machine.
    pub(super) leads: AtomicUsize,
    /// The thread that led last, of those that do not wait for the disk.
    owner: AtomicUsize,
    /// Whether its slice is over.
    is_over: AtomicBool,
    /// Whether a sleeping thread has become the first, and has to be woken to know it.
    has_new_first: AtomicBool,
}

thread_local! {
    /// When this thread began its last write, or was answered if it had to wait.
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Records that this thread writes now, and returns whether it is busy.
fn is_busy() -> bool {
    let now = Instant::now();
    LAST.replace(Some(now)).is_some_and(|last| now - last < BUSY)
}

/// A number that no other live thread has.
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

    /// Removes the first thread, whose slice begins, unless another leader has applied its command. The
    /// caller holds the machine.
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

    /// Moves the first waiters to the group of a leader, up to a size of the group. The caller holds the
    /// machine.
    pub(super) fn drain_to(&self, group: &mut Vec<Arc<Waiter>>, count_max: usize) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            let mut waiters = self.waiters.lock();
            let count = waiters.len().min(count_max.saturating_sub(group.len()));
            group.extend(waiters.drain(..count));
            self.note_change(&waiters);
        }
    }

    /// Wakes the first thread: to lead, unless the owner keeps the machine until its slice is over, or to
    /// begin its sleep as the first. Called after the machine was released, and a fence after that.
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
    /// Applies a command that does not wait for the disk, when it is this thread's turn. Returns its answer,
    /// and the commit to wait for.
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

    /// Waits until the owner's slice is over, or the owner is not busy, and takes the machine for the first
    /// thread in the line. `None` if the thread was woken for another reason.
    fn await_slice(&self, first: &Waiter) -> Option<MutexGuard<'_, Machine>> {
        if !self.line.is_over.load(Ordering::Relaxed) {
            std::thread::park_timeout(SLICE);
            if first.is_answered() {
                return None;
            }
        }
        self.line.is_over.store(true, Ordering::Relaxed);
        // Pairs with the fence of the thread that releases the machine: one of the two sees the other.
        fence(Ordering::SeqCst);
        let machine = self.machine.try_lock();
        if machine.is_none() {
            std::thread::park();
        }
        machine
    }

    /// Leads, and keeps the machine for this thread's slice if the thread is busy.
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

    /// Spins for a moment, and takes the machine if no other thread uses it.
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
