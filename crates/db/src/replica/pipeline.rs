//! [`Pipeline`]: how commands from many threads reach the one state machine, and how they share commits
//! and fsyncs.
//!
//! There is no writer thread. A thread that finds the machine free leads: it applies its own command and
//! all that wait in the queue, commits their effects as one batch, and releases the machine. A thread that
//! finds the machine taken joins the queue, or the [`Line`] if its write does not wait for the disk. A
//! commit that has to survive the loss of power stays in the window of [`Views`], and its commands wait for
//! an fsync: a thread that finds the turn free fsyncs everything committed by then, and holds nothing but
//! the turn meanwhile. So a single writer never switches threads, the next groups are applied while one is
//! being fsynced, and a write that does not wait for the disk never waits behind one that does.
//!
//! ```text
//!   writer ── machine free? ─yes─▶ lead: drain queue, apply each, commit ──▶ waits for no disk: answer
//!      │                                                                          │
//!      └─────no──▶ queue or line, sleep                                          no
//!                                                                                 ▼
//!                  answer all that were committed ◀── fsync ◀──yes── turn free? ──no──▶ sleep
//! ```
//!
//! Before an fsync, a thread waits a moment for the writers that were just answered, so that all of them
//! share one. Among many writers, those that arrive during an fsync or its preparation leave their commands
//! in the queue, and the next thread to fsync applies them first: one group and one commit for all of them
//! cost much less than one for each.
//!
//! Invariant: a thread that releases the machine checks the queue afterwards and wakes its first thread. A
//! thread that releases the turn wakes the threads that it served and the first of the others, or the first
//! of the queue. So no thread sleeps forever. No thread waits for the turn while it holds the machine.
//! Readers never come here.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use velocitydb_core::Command;
use velocitydb_storage::{Durability, Engine, Purpose};

use super::changes::Changes;
use super::group::{Commit, Group};
use super::lead::Lead;
use super::line::Line;
use super::pause::Pause;
use super::queue::{Done, Load, Sleeper, Waiter};
use super::sync::Listed;
use crate::apply::{Answer, Committed, Fatal, Machine, OnChanges, Reply, purpose_of};
use crate::state::Views;
use crate::{Error, Result};

/// How many commands are committed together at the most, so that the first of them does not wait long for
/// the last.
pub(super) const GROUP_COMMANDS_MAX: usize = 1_024;

/// How often a writer that waits for the disk and finds the machine taken tries again before it joins the
/// queue: for as long as some commands take. With a few threads that is cheaper than being woken.
const TRIES: u32 = 16;
const SPINS_PER_TRY: u32 = 16;

/// How often a writer in the queue checks for its answer before it sleeps: for about a microsecond. Falling
/// asleep and being woken costs more.
const SPINS: u32 = 64;

/// Among more writers than this, those that wait for the disk sleep at once: each is woken once in any case,
/// after its fsync, and a thread that spins until then takes the processor from those that have something to
/// do. During an fsync or its preparation they leave their commands to the next thread to fsync.
const SPINNING_WRITERS_MAX: usize = 4;

/// How many commands are left to the next thread to fsync. More are applied during the fsync that is going
/// on.
const LEFT_COMMANDS_MAX: usize = 32;

/// The way to the state machine.
pub(crate) struct Pipeline {
    pub(super) machine: Mutex<Machine>,
    /// Commands that wait to be applied.
    queue: Mutex<VecDeque<Arc<Waiter>>>,
    /// How many they are, or were a moment ago.
    pub(super) queued: AtomicUsize,
    /// Whether one of them may not wait for the disk, and so must not wait for the fsync of others.
    has_hasty: AtomicBool,
    /// The sleepers that wait for an fsync, each with its commit.
    pub(super) unsynced: Mutex<VecDeque<(u64, Sleeper)>>,
    /// Held by the thread that fsyncs.
    pub(super) turn: Mutex<()>,
    /// Threads that wait for the machine and not for the disk.
    pub(super) line: Line,
    pause: Pause,
    pub(super) load: Load,
    /// How many writers there were when the last fsync ended: those that it served, and those that waited
    /// for the next one.
    pub(super) writers: AtomicUsize,
    /// How long the last fsync took, in nanoseconds.
    pub(super) sync_ns: AtomicU64,
    /// Whether collections that were dropped in the window are still to be published to readers.
    pub(super) has_unpublished: AtomicBool,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) views: Arc<Views>,
    listener: Box<dyn Fn(&Committed) + Send + Sync>,
    /// The consumer of changes.
    changes: Option<Changes>,
    /// The threads that lead and fsync for commands without a sleeping caller, once there are any.
    drivers: OnceLock<[Thread; 2]>,
}

/// A command of a group, and what it waits for.
type Member<'a> = (&'a Command, Durability);

/// The result for a caller: an answer, or that the node has failed.
fn flat(applied: std::result::Result<Answer, Fatal>) -> Result<Reply> {
    Ok(applied??)
}

fn is_failure(reply: &Result<Reply>) -> bool {
    matches!(reply, Err(Error::Storage(_)))
}

impl Pipeline {
    /// A pipeline to `machine`, which is on `engine`. `listener` is told of every commit, in order, before
    /// any of its commands is answered, and `on_changes` of what the commit changed, once it is settled.
    pub(crate) fn new(
        mut machine: Machine,
        engine: Arc<dyn Engine>,
        views: Arc<Views>,
        on_changes: Option<Arc<OnChanges>>,
        listener: impl Fn(&Committed) + Send + Sync + 'static,
    ) -> Self {
        if on_changes.is_some() {
            machine.record_changes();
        }
        Pipeline {
            machine: Mutex::new(machine),
            queue: Mutex::default(),
            queued: AtomicUsize::new(0),
            has_hasty: AtomicBool::new(false),
            unsynced: Mutex::default(),
            turn: Mutex::new(()),
            line: Line::default(),
            pause: Pause::default(),
            load: Load::default(),
            writers: AtomicUsize::new(0),
            sync_ns: AtomicU64::new(0),
            has_unpublished: AtomicBool::new(false),
            engine,
            views,
            listener: Box::new(listener),
            changes: on_changes.map(Changes::new),
            drivers: OnceLock::new(),
        }
    }

    /// Applies `command` and waits until its effects have `durability` and are visible.
    ///
    /// The size of commands is checked here and nowhere else: there is no other way to the machine.
    pub(crate) fn submit(&self, command: Command, durability: Durability) -> Result<Reply> {
        let _under_way = self.load.enter(command.encoded_length_max()?)?;
        if durability == Durability::Disk {
            self.pause.wait();
        }
        let (reply, commit) = if durability < Durability::Disk {
            self.submit_in_line(command, durability)
        } else if !self.leaves_queue()
            && let Some(machine) = self.try_machine()
        {
            let group = self.take_group(GROUP_COMMANDS_MAX - 1);
            let lead = Lead::new(self, machine, &group);
            self.lead(lead, Some((&command, durability))).expect("its own reply")
        } else {
            self.submit_in_queue(command, durability)
        };
        if let Some(commit) = commit {
            self.await_sync(commit)?;
        }
        reply
    }

    /// Applies `command` and calls `done` when it has `durability`. Returns at once. A thread has to drive
    /// the pipeline: see [`drive`](Self::drive).
    pub(super) fn propose(&self, command: Command, durability: Durability, done: Done) {
        let under_way = command.encoded_length_max().map_err(Error::from);
        let waiter = match under_way.and_then(|bytes| self.load.enter(bytes)) {
            Ok(under_way) => Waiter::of_call(command, durability, done, under_way),
            Err(error) => return done(Err(error)),
        };
        self.push(Arc::new(waiter));
        if !self.machine.is_locked() {
            self.wake_next();
        }
    }

    /// Leads, or fsyncs, for commands without a sleeping caller, until it is stopped and no command is
    /// left.
    pub(super) fn drive(&self, role: Role, is_stopped: &AtomicBool) {
        loop {
            let is_last = is_stopped.load(Ordering::Acquire);
            let work = || match role {
                Role::Lead => self.drive_queue(),
                Role::Sync => self.drive_fsyncs(),
            };
            // The panic has stopped the machine, which all later commands have to report.
            let has_panicked = catch_unwind(AssertUnwindSafe(work)).is_err();
            if has_panicked {
                continue;
            }
            if is_last {
                return;
            }
            std::thread::park();
        }
    }

    fn drive_queue(&self) {
        loop {
            self.pause.wait();
            let machine = self.machine.lock();
            let group = self.take_group(GROUP_COMMANDS_MAX);
            self.lead(Lead::new(self, machine, &group), None);
            if group.is_empty() {
                return;
            }
        }
    }

    fn drive_fsyncs(&self) {
        while !self.unsynced.lock().is_empty() {
            // The waiting callers get the error of a failed fsync.
            if self.sync(self.turn.lock()).is_err() {
                return;
            }
        }
    }

    /// Says which threads drive the pipeline.
    pub(super) fn set_drivers(&self, threads: [Thread; 2]) {
        let _ = self.drivers.set(threads);
    }

    pub(super) fn wake_driver(&self, role: Role) {
        if let Some(threads) = self.drivers.get() {
            threads[role as usize].unpark();
        }
    }

    /// Asks the machine something between two groups.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&mut Machine) -> T) -> T {
        let mut lead = Lead::new(self, self.machine.lock(), &[]);
        let answer = question(lead.machine());
        lead.end();
        answer
    }

    /// Calls a function while nothing is being made durable, so that no state is held for that, unless the
    /// disk has failed. Commands that wait for the disk wait meanwhile.
    pub(crate) fn while_settled(&self, work: impl FnOnce()) {
        let _paused = self.pause.begin();
        loop {
            let lead = Lead::new(self, self.machine.lock(), &[]);
            let Some(last) = self.views.last() else {
                work();
                lead.end();
                return;
            };
            lead.end();
            if self.await_sync(last).is_err() {
                return;
            }
        }
    }

    /// How many commands wait to be applied.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().len() + self.line.len()
    }

    /// Whether a writer that waits for the disk is to check again before it sleeps.
    pub(super) fn spins(&self) -> bool {
        self.writers.load(Ordering::Relaxed) <= SPINNING_WRITERS_MAX
    }

    /// Whether the queue is left to the thread that has the turn. That thread applies the queue before its
    /// fsync, and checks the queue again after it has released the turn: so a thread whose command is in the
    /// queue and that finds the turn taken may sleep.
    fn leaves_queue(&self) -> bool {
        !self.spins()
            && !self.has_hasty.load(Ordering::Relaxed)
            && self.queued.load(Ordering::Relaxed) < LEFT_COMMANDS_MAX
            && self.turn.is_locked()
    }

    /// Applies what was left to this thread, which has the turn.
    pub(super) fn lead_left(&self) {
        if !self.spins() && self.queued.load(Ordering::Relaxed) > 0 {
            let machine = self.machine.lock();
            let group = self.take_queue(GROUP_COMMANDS_MAX);
            let mut lead = Lead::new(self, machine, &group);
            lead.has_turn = true;
            self.lead(lead, None);
        }
    }

    /// The machine, if it is free or becomes so in a moment.
    fn try_machine(&self) -> Option<MutexGuard<'_, Machine>> {
        let machine = self.machine.try_lock();
        if machine.is_some() || !self.spins() {
            return machine;
        }
        for _ in 1..TRIES {
            (0..SPINS_PER_TRY).for_each(|_| std::hint::spin_loop());
            if let Some(machine) = self.machine.try_lock() {
                return Some(machine);
            }
        }
        None
    }

    /// Leaves a command that waits for the disk to the next leader, which may be this thread. Returns
    /// what it was answered, and the commit to wait for.
    fn submit_in_queue(
        &self,
        command: Command,
        durability: Durability,
    ) -> (Result<Reply>, Option<u64>) {
        let waiter = Arc::new(Waiter::of_thread(command, durability));
        self.push(waiter.clone());
        let mut spins_left = if self.spins() { SPINS } else { 0 };
        loop {
            if let Some(answer) = waiter.take_reply() {
                return answer;
            }
            if !self.leaves_queue()
                && let Some(machine) = self.machine.try_lock()
            {
                let group = self.take_group(GROUP_COMMANDS_MAX);
                self.lead(Lead::new(self, machine, &group), None);
                if !group.is_empty() {
                    continue;
                }
            }
            if spins_left > 0 {
                spins_left -= 1;
                std::hint::spin_loop();
            } else {
                std::thread::park();
            }
        }
    }

    fn push(&self, waiter: Arc<Waiter>) {
        let mut queue = self.queue.lock();
        if waiter.durability < Durability::Disk {
            self.has_hasty.store(true, Ordering::Relaxed);
        }
        queue.push_back(waiter);
        self.queued.store(queue.len(), Ordering::Relaxed);
        drop(queue);
        // Pairs with that of who gives the machine back: one of the two sees the other.
        fence(Ordering::SeqCst);
    }

    /// The commands that the next leader applies.
    fn take_group(&self, count_max: usize) -> Vec<Arc<Waiter>> {
        let mut group = self.take_queue(count_max);
        self.line.drain_to(&mut group, count_max);
        group
    }

    /// Commands of the queue.
    pub(super) fn take_queue(&self, count_max: usize) -> Vec<Arc<Waiter>> {
        if self.queued.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let mut queue = self.queue.lock();
        let count = queue.len().min(count_max);
        let group = queue.drain(..count).collect();
        if queue.is_empty() {
            self.has_hasty.store(false, Ordering::Relaxed);
        }
        self.queued.store(queue.len(), Ordering::Relaxed);
        group
    }

    /// Leads: applies and commits a group and then the leader's own command, releases the machine, and
    /// answers the group. Returns the reply to the leader's own command, and the commit that it has to wait
    /// for.
    pub(super) fn lead(
        &self,
        mut lead: Lead<'_>,
        own: Option<Member<'_>>,
    ) -> Option<(Result<Reply>, Option<u64>)> {
        let group = lead.group;
        let members = group.iter().map(|waiter| (&waiter.command, waiter.durability)).chain(own);
        let members: SmallVec<[Member<'_>; 1]> = members.collect();
        let mut replies: SmallVec<[Result<Reply>; 1]> = SmallVec::with_capacity(members.len());
        let mut group_of_machine = Group::begin(lead.machine());
        let (mut first_open, mut durability) = (0, Durability::Memory);
        for (position, (command, asked)) in members.iter().enumerate() {
            if group_of_machine.is_full() {
                let open = &members[first_open..position];
                self.commit_since(
                    &mut group_of_machine,
                    open,
                    &mut replies[first_open..],
                    durability,
                );
                (first_open, durability) = (position, Durability::Memory);
            }
            replies.push(flat(group_of_machine.apply(command)));
            durability = durability.max(*asked);
        }
        let open = &members[first_open..];
        self.commit_since(&mut group_of_machine, open, &mut replies[first_open..], durability);
        self.unsettle_replays(&members, &mut replies);
        // An answer depends on all commits that are not yet durable: a command that waits for the disk waits
        // for all of them, and readers wait for what a command was answered at once.
        let unsettled = self.views.last();
        if unsettled.is_some() && members.iter().any(|(_, asked)| *asked < Durability::Disk) {
            self.views.build_on();
        }
        let has_turn = lead.has_turn;
        lead.end();
        if !has_turn {
            self.tell_changes();
        }
        let commit_of = |asked: Durability, reply: &Result<Reply>| {
            unsettled.filter(|_| asked == Durability::Disk && !is_failure(reply))
        };
        let mut replies = replies.into_iter();
        for (waiter, reply) in group.iter().zip(&mut replies) {
            let commit = commit_of(waiter.durability, &reply);
            waiter.answer(reply, commit);
            match commit {
                Some(commit) if self.sleeps_until(commit, waiter.into(), Listed::No) => {}
                _ => waiter.tell(&self.load, None),
            }
        }
        let own = own.zip(replies.next()).map(|((_, asked), reply)| {
            let commit = commit_of(asked, &reply);
            (reply, commit)
        });
        if !group.is_empty() && !matches!(own, Some((_, Some(_)))) {
            self.wake_to_sync();
        }
        own
    }

    /// Lets retries wait for the disk as their own level asks: the earlier attempt, whose answer they get, may
    /// have been made at a weaker one.
    fn unsettle_replays(&self, members: &[Member<'_>], replies: &mut [Result<Reply>]) {
        let is_replayed = |reply: &Result<Reply>| reply.as_ref().is_ok_and(|one| one.is_replayed);
        let replays = members
            .iter()
            .zip(replies)
            .filter(|((_, asked), reply)| *asked == Durability::Disk && is_replayed(reply));
        let mut replays = replays.map(|(_, reply)| reply).peekable();
        if replays.peek().is_some()
            && let Err(error) = self.views.open(Arc::default(), false)
        {
            replays.for_each(|reply| *reply = Err(error.clone().into()));
        }
    }

    /// Commits what has been applied, and tells the listener.
    fn commit(&self, group: &mut Group<'_>, durability: Durability) -> Result<()> {
        let committed = match durability {
            Durability::Memory | Durability::Os => group.commit(Commit::At(durability))?,
            Durability::Disk => group.commit(Commit::Within(&self.views, &|| {
                let Some(last) = self.views.last() else { return Ok(()) };
                self.engine.sync()?;
                self.views.settle(last);
                Ok(())
            }))?,
        };
        if committed.has_unpublished {
            self.has_unpublished.store(true, Ordering::Relaxed);
        }
        (self.listener)(&committed);
        if let Some(changes) = &self.changes {
            changes.push(&self.views, committed.changes);
        }
        Ok(())
    }

    pub(super) fn tell_changes(&self) {
        if let Some(changes) = &self.changes {
            changes.tell(&self.views);
        }
    }

    /// Commits what has been applied; when that fails, so does every command of the group: what it
    /// was answered rests on what those before it did.
    fn commit_since(
        &self,
        group: &mut Group<'_>,
        members: &[Member<'_>],
        replies: &mut [Result<Reply>],
        durability: Durability,
    ) {
        let Err(error) = self.commit(group, durability) else { return };
        // The error of the command that met the failure first says more.
        for reply in replies.iter_mut().filter(|reply| !is_failure(reply)) {
            *reply = Err(error.clone());
        }
        if error.is_disk_full() {
            self.retry_what_frees(group, members, replies);
        }
    }

    /// On a full disk, tries those commands of a group again that give space back: without the
    /// others, which there is no room for.
    fn retry_what_frees(
        &self,
        group: &mut Group<'_>,
        members: &[Member<'_>],
        replies: &mut [Result<Reply>],
    ) {
        let frees = |command: &Command| purpose_of(command) == Purpose::Free;
        if members.iter().all(|(command, _)| frees(command)) {
            return;
        }
        for ((command, durability), reply) in members.iter().zip(replies) {
            if frees(command) && reply.as_ref().is_err_and(Error::is_disk_full) {
                *reply = flat(group.apply(command));
                if let Err(error) = self.commit(group, *durability) {
                    *reply = Err(error);
                }
            }
        }
    }

    /// Wakes the first in the queue, to lead if no other thread does. The machine has been released, with a
    /// fence behind that.
    pub(super) fn wake_next(&self) {
        if self.queued.load(Ordering::Relaxed) == 0 || self.leaves_queue() {
            return;
        }
        let next = self.queue.lock().front().cloned();
        match next.as_ref().map(|waiter| waiter.thread()) {
            Some(Some(thread)) => thread.unpark(),
            Some(None) => self.wake_driver(Role::Lead),
            None => {}
        }
    }
}

/// What a thread does that drives a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Leads those who wait for the machine.
    Lead,
    /// Fsyncs for those who wait for that.
    Sync,
}

#[cfg(test)]
#[path = "tests/pipeline.rs"]
mod tests;
