//! [`Pipeline`]: how commands from many threads reach the one state machine, and how they share an
//! fsync.
//!
//! There is no writer thread. A command that waits for no disk takes the machine's lock, which nobody
//! holds through an fsync. Of those that wait, whoever finds the turn free leads: it applies its own
//! command and all that wait in the queue, commits their effects as one batch, gives the machine back,
//! fsyncs, and hands out the replies. Whoever finds the turn taken queues up and sleeps until it is
//! answered, or woken to lead the next group. So one writer alone never switches threads, and while a
//! leader waits for the disk the next group gathers behind it. Before a commit that is fsynced, a
//! leader waits a moment for the writers that were just answered, so that all of them share one.
//!
//! ```text
//!   writer ── turn free? ──yes──> lead: drain queue, apply each, commit ──> fsync ──> answer ──┐
//!      │                          └──── with the machine's lock ────┘                          │
//!      └─────no──> queue ──> sleep <── woken: answered, or first in the queue <────────────────┘
//! ```
//!
//! What readers see between a commit and its fsync is the matter of [`Views`].
//!
//! Invariant: whoever gives the turn back looks at the queue afterwards and wakes its first, so
//! that nobody sleeps in a queue that no one will drain. Readers never come here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use velocitydb_core::Command;
use velocitydb_storage::{Durability, Engine, Purpose};

use crate::apply::{Answer, Fatal, Machine, Reply, purpose_of, removes_what_was_dropped};
use crate::views::Views;
use crate::{Error, Result};

/// Commands under way at the most, whatever their levels: those that wait and the group that is
/// applied. Each is a thread of the caller's that sleeps, or a request that the server has taken;
/// more than this is an overload that waiting does not cure.
const COMMANDS_MAX: usize = 65_536;

/// Bytes of the commands under way at the most, for the same reason.
const COMMANDS_BYTES_MAX: usize = 1 << 30;

/// Commands that are committed together at the most, so that the first of them does not wait long
/// for the last.
const GROUP_COMMANDS_MAX: usize = 1_024;

/// Bytes of effects that are committed together at the most, for the same reason.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// How often a waiting writer looks before it sleeps: about a microsecond. Falling asleep and being
/// woken costs more, unless the group before it waits for an fsync.
const SPINS: u32 = 64;

/// The way to the state machine.
pub(crate) struct Pipeline {
    machine: Mutex<Machine>,
    /// Held by whoever leads commands that wait until the system or the device has them.
    turn: Mutex<()>,
    queue: Mutex<VecDeque<Arc<Waiter>>>,
    /// Commands under way, and their bytes.
    commands: AtomicUsize,
    commands_bytes: AtomicUsize,
    /// How many writers there were when the last leader ended: those that it answered, and those
    /// that waited behind them.
    writers: AtomicUsize,
    /// How long the last commit to the disk took, in nanoseconds.
    commit_ns: AtomicU64,
    /// Whether readers are still to be told of collections that took the place of others.
    has_replaced: AtomicBool,
    engine: Arc<dyn Engine>,
    views: Arc<Views>,
    after_commit: Box<dyn Fn(&mut Machine) + Send + Sync>,
}

/// A command that waits for its reply.
struct Waiter {
    command: Command,
    durability: Durability,
    is_answered: AtomicBool,
    reply: Mutex<Option<Result<Reply>>>,
    thread: Thread,
}

impl Waiter {
    fn answer(&self, reply: Result<Reply>) {
        *self.reply.lock() = Some(reply);
        self.is_answered.store(true, Ordering::Release);
        self.thread.unpark();
    }

    fn take_reply(&self) -> Option<Result<Reply>> {
        if !self.is_answered.load(Ordering::Acquire) {
            return None;
        }
        self.reply.lock().take()
    }
}

/// What a caller is told: an answer, or that the node has failed.
fn flat(applied: std::result::Result<Answer, Fatal>) -> Result<Reply> {
    Ok(applied??)
}

fn is_failure(reply: &Result<Reply>) -> bool {
    matches!(reply, Err(Error::Storage(_)))
}

impl Pipeline {
    /// A pipeline to `machine`, which is on `engine`. `after_commit` is called with it whenever
    /// something has been committed, before anybody is answered.
    pub(crate) fn new(
        machine: Machine,
        engine: Arc<dyn Engine>,
        views: Arc<Views>,
        after_commit: impl Fn(&mut Machine) + Send + Sync + 'static,
    ) -> Self {
        let pipeline = Pipeline {
            machine: Mutex::new(machine),
            turn: Mutex::new(()),
            queue: Mutex::new(VecDeque::new()),
            commands: AtomicUsize::new(0),
            commands_bytes: AtomicUsize::new(0),
            writers: AtomicUsize::new(0),
            commit_ns: AtomicU64::new(0),
            has_replaced: AtomicBool::new(false),
            engine,
            views,
            after_commit: Box::new(after_commit),
        };
        (pipeline.after_commit)(&mut pipeline.machine.lock());
        pipeline
    }

    /// Applies `command` and waits until its effects have `durability` and are visible.
    ///
    /// The size of commands is checked here and nowhere else: there is no other way to the machine.
    pub(crate) fn submit(&self, command: Command, durability: Durability) -> Result<Reply> {
        let _under_way = UnderWay::enter(self, command.encoded_length_max()?)?;
        // A group is gathered to share a write or an fsync. Where there is none to share, the time
        // that the machine is busy is shorter than falling asleep takes, and a plain lock serves best.
        if durability == Durability::Memory && !removes_what_was_dropped(&command) {
            return self.apply_at_once(&command);
        }
        match self.turn.try_lock() {
            Some(turn) => self.lead_with(turn, command, durability),
            None => self.wait(command, durability),
        }
    }

    /// Asks the machine something between two groups.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&mut Machine) -> T) -> T {
        let mut lead = Lead::new(self, &[]);
        let answer = question(lead.machine());
        lead.end();
        answer
    }

    /// Does something while nothing is on its way to the disk, so that no state is held for that.
    pub(crate) fn while_settled(&self, work: impl FnOnce()) {
        let _turn = Turn { pipeline: self, answered: 0, turn: Some(self.turn.lock()) };
        work();
    }

    /// The way of a command that waits for no disk.
    fn apply_at_once(&self, command: &Command) -> Result<Reply> {
        let mut lead = Lead::new(self, &[]);
        let machine = lead.machine();
        let reply = flat(machine.apply(command));
        let committed = machine.commit(Durability::Memory);
        (self.after_commit)(machine);
        // Whatever it is answered rests on what is on its way to the disk.
        self.views.build_on();
        lead.end();
        if is_failure(&reply) { reply } else { committed.and(reply) }
    }

    /// The lone writer's way: nothing is shared, so nothing is allocated for sharing.
    fn lead_with(
        &self,
        turn: MutexGuard<'_, ()>,
        command: Command,
        durability: Durability,
    ) -> Result<Reply> {
        self.gather(durability, 1);
        let followers = self.take_group(GROUP_COMMANDS_MAX - 1);
        if followers.is_empty() {
            let _turn = Turn { pipeline: self, answered: 1, turn: Some(turn) };
            let mut lead = Lead::new(self, &[]);
            let machine = lead.machine();
            let reply = flat(machine.apply(&command));
            let begin = Instant::now();
            let committed = self.commit(machine, durability);
            (self.after_commit)(machine);
            lead.give_back();
            let settled = committed.and_then(|waits| self.settle(waits, begin));
            lead.end();
            return if is_failure(&reply) { reply } else { settled.and(reply) };
        }
        let own = Arc::new(Waiter::new(command, durability));
        let mut group = followers;
        group.push(own.clone());
        self.run(turn, group);
        own.take_reply().expect("the group that a command is in has been run")
    }

    fn wait(&self, command: Command, durability: Durability) -> Result<Reply> {
        let waiter = Arc::new(Waiter::new(command, durability));
        self.queue.lock().push_back(waiter.clone());
        let mut spins_left = if durability == Durability::Disk { 0 } else { SPINS };
        loop {
            if let Some(reply) = waiter.take_reply() {
                return reply;
            }
            if let Some(turn) = self.turn.try_lock() {
                self.gather(durability, 0);
                let group = self.take_group(GROUP_COMMANDS_MAX);
                let has_led = !group.is_empty();
                self.run(turn, group);
                if has_led {
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

    /// Waits a moment for the writers that were there a moment ago: those that were just answered
    /// are about to come back, and would have to wait for a second fsync behind this one. Never
    /// longer than half of what that would take. `leading` is how many of them are not in the
    /// queue, for they lead.
    fn gather(&self, durability: Durability, leading: usize) {
        if durability != Durability::Disk {
            return;
        }
        let writers = self.writers.load(Ordering::Relaxed).min(GROUP_COMMANDS_MAX);
        let begin = Instant::now();
        let time_max = Duration::from_nanos(self.commit_ns.load(Ordering::Relaxed) / 2);
        while self.waiting() + leading < writers && begin.elapsed() < time_max {
            std::thread::yield_now();
        }
    }

    /// Commits what has been applied. Whether it still has to be fsynced.
    fn commit(&self, machine: &mut Machine, durability: Durability) -> Result<bool> {
        match durability {
            Durability::Memory | Durability::Os => machine.commit(durability).map(|()| false),
            Durability::Disk => {
                let waits = machine.commit_for_disk(&self.views)?;
                if machine.has_replaced() {
                    self.has_replaced.store(true, Ordering::Relaxed);
                }
                Ok(waits)
            }
        }
    }

    /// Makes what has been committed durable, if it waits for that, and so what all readers see; and
    /// notes how long that took since the commit began. The turn is held.
    fn settle(&self, waits: bool, begin: Instant) -> Result<()> {
        if !waits {
            return Ok(());
        }
        if let Err(error) = self.engine.sync() {
            // What is on the disk is not known, and others may have built on it.
            let error = Error::from(error);
            self.views.fail(&error);
            self.machine.lock().fail(error.clone());
            return Err(error);
        }
        self.views.settle();
        if self.has_replaced.swap(false, Ordering::Relaxed) {
            self.machine.lock().publish_replaced();
        }
        let commit_ns = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.commit_ns.store(commit_ns, Ordering::Relaxed);
        Ok(())
    }

    /// Commits what has been applied; when that fails, so does every command of the group: what it
    /// was answered rests on what those before it did. Whether something still has to be fsynced.
    fn commit_since(
        &self,
        machine: &mut Machine,
        group: &[Arc<Waiter>],
        replies: &mut [Result<Reply>],
        durability: Durability,
    ) -> bool {
        let error = match self.commit(machine, durability) {
            Ok(waits) => return waits,
            Err(error) => error,
        };
        // Whoever met the failure first knows more of it.
        for reply in replies.iter_mut().filter(|reply| !is_failure(reply)) {
            *reply = Err(error.clone());
        }
        error.is_disk_full() && self.retry_what_frees(machine, group, replies, durability)
    }

    /// On a full disk, tries those commands of a group again that give space back: without the
    /// others, which there is no room for. Whether something still has to be fsynced.
    fn retry_what_frees(
        &self,
        machine: &mut Machine,
        group: &[Arc<Waiter>],
        replies: &mut [Result<Reply>],
        durability: Durability,
    ) -> bool {
        let frees = |waiter: &Arc<Waiter>| purpose_of(&waiter.command) == Purpose::Free;
        let mut waits = false;
        if group.iter().all(frees) {
            return waits;
        }
        for (waiter, reply) in group.iter().zip(replies) {
            if frees(waiter) && reply.as_ref().is_err_and(Error::is_disk_full) {
                *reply = flat(machine.apply(&waiter.command));
                match self.commit(machine, durability) {
                    Ok(committed) => waits |= committed,
                    Err(error) => *reply = Err(error),
                }
            }
        }
        waits
    }

    fn take_group(&self, count_max: usize) -> Vec<Arc<Waiter>> {
        let mut queue = self.queue.lock();
        let count = queue.len().min(count_max);
        queue.drain(..count).collect()
    }

    /// Leads: applies and commits a group, waits for the disk, answers, and hands the turn on. The
    /// group is empty when another leader has taken it and is about to answer.
    fn run(&self, turn: MutexGuard<'_, ()>, group: Vec<Arc<Waiter>>) {
        let turn = Turn { pipeline: self, answered: group.len().max(1), turn: Some(turn) };
        let mut replies = Vec::with_capacity(group.len());
        let mut lead = Lead::new(self, &group);
        let machine = lead.machine();
        let (mut first_open, mut waits) = (0, false);
        let mut durability = Durability::Memory;
        for (position, waiter) in group.iter().enumerate() {
            if machine.batch_bytes() >= GROUP_BYTES_MAX {
                let open = &group[first_open..position];
                waits |= self.commit_since(machine, open, &mut replies[first_open..], durability);
                first_open = position;
                durability = Durability::Memory;
            }
            replies.push(flat(machine.apply(&waiter.command)));
            durability = durability.max(waiter.durability);
        }
        let (open, begin) = (&group[first_open..], Instant::now());
        waits |= self.commit_since(machine, open, &mut replies[first_open..], durability);
        (self.after_commit)(machine);
        lead.give_back();
        if let Err(error) = self.settle(waits, begin) {
            for reply in replies.iter_mut().filter(|reply| !is_failure(reply)) {
                *reply = Err(error.clone());
            }
        }
        lead.end();
        drop(turn);
        for (waiter, reply) in group.iter().zip(replies) {
            waiter.answer(reply);
        }
    }

    /// How many commands wait to be taken into a group.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    /// Wakes the first in the queue, to lead if nobody else does, when `answered` writers have
    /// been led.
    fn wake_next(&self, answered: usize) {
        let next = {
            let queue = self.queue.lock();
            self.writers.store(answered + queue.len(), Ordering::Relaxed);
            queue.front().map(|waiter| waiter.thread.clone())
        };
        if let Some(thread) = next {
            thread.unpark();
        }
    }
}

impl Waiter {
    fn new(command: Command, durability: Durability) -> Self {
        Waiter {
            command,
            durability,
            is_answered: AtomicBool::new(false),
            reply: Mutex::new(None),
            thread: std::thread::current(),
        }
    }
}

/// A command that is under way.
struct UnderWay<'a> {
    pipeline: &'a Pipeline,
    bytes: usize,
}

impl<'a> UnderWay<'a> {
    /// Lets a command in, unless there are too many.
    fn enter(pipeline: &'a Pipeline, bytes: usize) -> Result<Self> {
        let count = pipeline.commands.fetch_add(1, Ordering::Relaxed);
        let bytes_before = pipeline.commands_bytes.fetch_add(bytes, Ordering::Relaxed);
        let under_way = UnderWay { pipeline, bytes };
        if count >= COMMANDS_MAX || bytes_before + bytes > COMMANDS_BYTES_MAX {
            return Err(Error::Overloaded { waiting: count });
        }
        Ok(under_way)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.pipeline.commands.fetch_sub(1, Ordering::Relaxed);
        self.pipeline.commands_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The lead over a group. When it ends by a panic, the group is answered, and the machine stopped: a
/// bug must not leave anybody asleep for ever, nor anything built on a state that is half changed.
struct Lead<'a> {
    pipeline: &'a Pipeline,
    group: &'a [Arc<Waiter>],
    /// Until it is given back.
    machine: Option<MutexGuard<'a, Machine>>,
    has_ended: bool,
}

impl<'a> Lead<'a> {
    fn new(pipeline: &'a Pipeline, group: &'a [Arc<Waiter>]) -> Self {
        Lead { pipeline, group, machine: Some(pipeline.machine.lock()), has_ended: false }
    }

    fn machine(&mut self) -> &mut Machine {
        self.machine.as_mut().expect("the machine has not been given back")
    }

    /// Lets others have the machine, while the group waits for the disk.
    fn give_back(&mut self) {
        self.machine = None;
    }

    fn end(mut self) {
        self.has_ended = true;
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let reason = "a bug: applying a command panicked".to_owned();
        let error = Error::from(velocitydb_storage::Error::Poisoned { reason });
        self.pipeline.views.fail(&error);
        let mut machine = self.machine.take().unwrap_or_else(|| self.pipeline.machine.lock());
        machine.poison(error.clone());
        for waiter in self.group {
            waiter.answer(Err(error.clone()));
        }
    }
}

/// The turn. However the lead ends, it is given back, and then the next leader woken.
struct Turn<'a> {
    pipeline: &'a Pipeline,
    answered: usize,
    turn: Option<MutexGuard<'a, ()>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        drop(self.turn.take());
        self.pipeline.wake_next(self.answered);
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;
    use velocitydb_core::{
        Action, Body, Condition, Encoded, Expiry, Maintain, MaintainScope, Operation, Time, Write,
    };
    use velocitydb_storage::Engine;
    use velocitydb_storage::memory::Memory;

    use super::*;
    use crate::Snapshot;
    use crate::keys::KEYSPACE_NAMES;

    fn pipeline() -> (Pipeline, Arc<Memory>) {
        let engine = Arc::new(Memory::new(KEYSPACE_NAMES.len()));
        let machine = Machine::new(engine.clone(), Arc::default()).unwrap();
        let views = Arc::new(Views::new(engine.clone(), machine.due_next_shared()));
        (Pipeline::new(machine, engine.clone(), views, |_| {}), engine)
    }

    fn command(seconds: i64, body: Body) -> Command {
        Command { now: Time::from_millis(seconds * 1_000).unwrap(), request: None, body }
    }

    fn insert(seconds: i64, id: &str, expiry: Expiry) -> Command {
        let operation = Operation {
            collection: "docs".try_into().unwrap(),
            id: id.try_into().unwrap(),
            condition: Condition::Always,
            action: Action::Insert(Encoded::default()),
            expiry,
        };
        let operations = smallvec![operation];
        command(seconds, Body::Write(Write { checks: Vec::new(), operations }))
    }

    /// Only those that waited in the queue were counted: writers at a level that waits for no disk
    /// waited for the machine itself, any number of them with any number of bytes.
    #[test]
    fn what_is_under_way_is_bounded_at_every_level() {
        let (pipeline, _) = pipeline();
        let command = command(0, Body::Write(Write::default()));
        let busy = pipeline.machine.lock();
        for durability in [Durability::Memory, Durability::Os, Durability::Disk] {
            for (commands, bytes) in [(COMMANDS_MAX, 0), (1, COMMANDS_BYTES_MAX)] {
                pipeline.commands.store(commands, Ordering::Relaxed);
                pipeline.commands_bytes.store(bytes, Ordering::Relaxed);
                let error = pipeline.submit(command.clone(), durability).unwrap_err();
                assert!(matches!(error, Error::Overloaded { waiting } if waiting == commands));
                assert!(error.is_retryable());
                assert_eq!(pipeline.commands.load(Ordering::Relaxed), commands);
                assert_eq!(pipeline.commands_bytes.load(Ordering::Relaxed), bytes);
            }
        }
        drop(busy);
        pipeline.commands.store(0, Ordering::Relaxed);
        pipeline.commands_bytes.store(0, Ordering::Relaxed);
        pipeline.submit(command, Durability::Disk).unwrap();
        assert_eq!(pipeline.commands.load(Ordering::Relaxed), 0);
    }

    /// A group is taken from the queue up to a number of commands; the others stay for the next.
    #[test]
    fn a_group_is_bounded() {
        let (pipeline, _) = pipeline();
        let command = command(0, Body::Write(Write::default()));
        let waiter = Arc::new(Waiter::new(command.clone(), Durability::Disk));
        let count = 3 * GROUP_COMMANDS_MAX;
        pipeline.queue.lock().extend(std::iter::repeat_n(waiter, count));
        pipeline.submit(command, Durability::Disk).unwrap();
        assert_eq!(pipeline.waiting(), count - (GROUP_COMMANDS_MAX - 1));
    }

    /// Maintenance in a group sees what came before it there, and is seen by what follows.
    #[test]
    fn maintenance_in_a_group_does_as_alone() {
        let at = |seconds: i64| Expiry::At(Time::from_millis(seconds * 1_000).unwrap());
        let maintain = Maintain {
            forget_deleted_before: Time::MIN,
            forget_requests_before: Time::MIN,
            count_max: 10,
            scope: MaintainScope::All,
        };
        let commands = [
            insert(0, "expires", at(10)),
            insert(0, "stays", Expiry::Keep),
            command(20, Body::Maintain(maintain)),
            insert(20, "expires", at(30)),
            command(40, Body::Maintain(maintain)),
            insert(40, "last", Expiry::Keep),
        ];
        let (alone, engine_alone) = pipeline();
        for command in &commands {
            alone.submit(command.clone(), Durability::Disk).unwrap();
        }
        let (grouped, engine_grouped) = pipeline();
        let (last, first) = commands.split_last().unwrap();
        let waiter = |command: &Command| Arc::new(Waiter::new(command.clone(), Durability::Disk));
        grouped.queue.lock().extend(first.iter().map(waiter));
        assert_eq!(grouped.submit(last.clone(), Durability::Disk).unwrap().index, 6);
        let hash = |engine: &Memory| {
            Snapshot::of_everything(engine.snapshot().unwrap()).state_hash().unwrap()
        };
        assert_eq!(hash(&engine_alone), hash(&engine_grouped));
        assert!(engine_grouped.stats().commits < engine_alone.stats().commits);
    }
}
