//! Commands that wait: their limits, and how their callers get the outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;

use parking_lot::Mutex;
use velocitydb_core::Command;
use velocitydb_storage::Durability;

use crate::apply::Reply;
use crate::{Error, Result};

/// How many commands may be in progress, whatever their levels: those that wait, and those that are being
/// applied. Each is a sleeping thread of a caller, or a request that a server has accepted; more are an
/// overload that waiting does not cure.
pub(super) const COMMANDS_MAX: usize = 65_536;

/// How many bytes the commands in progress may have, for the same reason.
pub(super) const COMMANDS_BYTES_MAX: usize = 1 << 30;

/// The commands in progress.
#[derive(Default)]
pub(super) struct Load {
    pub(super) commands: AtomicUsize,
    pub(super) bytes: AtomicUsize,
}

/// A command in progress.
pub(super) struct UnderWay<'a> {
    load: &'a Load,
    bytes: usize,
}

impl Load {
    /// Admits a command, unless there are too many.
    pub(super) fn enter(&self, bytes: usize) -> Result<UnderWay<'_>> {
        let count = self.commands.fetch_add(1, Ordering::Relaxed);
        let bytes_before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let under_way = UnderWay { load: self, bytes };
        if count >= COMMANDS_MAX || bytes_before + bytes > COMMANDS_BYTES_MAX {
            return Err(Error::Overloaded { waiting: count });
        }
        Ok(under_way)
    }
}

impl UnderWay<'_> {
    /// Keeps the command in progress after this is dropped. Returns the bytes to subtract when it ends.
    fn keep(self) -> usize {
        let bytes = self.bytes;
        std::mem::forget(self);
        bytes
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.load.commands.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Called once with the outcome of a command, by the thread that knows it first. It must be quick, since
/// others wait for that thread.
pub(crate) type Done = Box<dyn FnOnce(Result<Reply>) + Send>;

/// A command that waits for its outcome.
pub(super) struct Waiter {
    pub(super) command: Command,
    pub(super) durability: Durability,
    who: Who,
    /// The number of the commit that has to be durable before the reply is given; 0 for none.
    commit: AtomicU64,
    is_answered: AtomicBool,
    reply: Mutex<Option<Result<Reply>>>,
}

/// Who gets the outcome.
enum Who {
    /// A thread, which sleeps meanwhile.
    Thread(Thread),
    /// A callback, and the bytes for which the command counts until it is called.
    Call { done: Mutex<Option<Done>>, bytes: usize },
}

impl Waiter {
    /// A command of this thread.
    pub(super) fn of_thread(command: Command, durability: Durability) -> Self {
        Self::new(command, durability, Who::Thread(std::thread::current()))
    }

    /// A command whose outcome is given to a callback.
    pub(super) fn of_call(
        command: Command,
        durability: Durability,
        done: Done,
        under_way: UnderWay<'_>,
    ) -> Self {
        let who = Who::Call { done: Mutex::new(Some(done)), bytes: under_way.keep() };
        Self::new(command, durability, who)
    }

    fn new(command: Command, durability: Durability, who: Who) -> Self {
        Waiter {
            command,
            durability,
            who,
            commit: AtomicU64::new(0),
            is_answered: AtomicBool::new(false),
            reply: Mutex::new(None),
        }
    }

    /// The thread that sleeps until it gets the outcome, if there is one.
    pub(super) fn thread(&self) -> Option<&Thread> {
        match &self.who {
            Who::Thread(thread) => Some(thread),
            Who::Call { .. } => None,
        }
    }

    /// Sets the outcome of the command, and the number of the commit that has to be durable before its
    /// caller gets it. Does not notify the caller.
    pub(super) fn answer(&self, reply: Result<Reply>, commit: Option<u64>) {
        *self.reply.lock() = Some(reply);
        self.commit.store(commit.unwrap_or(0), Ordering::Relaxed);
        self.is_answered.store(true, Ordering::Release);
    }

    /// Gives the caller the outcome of the command, or the failure that keeps it from being durable.
    pub(super) fn tell(&self, load: &Load, failure: Option<&Error>) {
        match &self.who {
            Who::Thread(thread) => thread.unpark(),
            Who::Call { done, bytes } => {
                let Some(done) = done.lock().take() else { return };
                let reply = self.reply.lock().take().expect("it has been answered");
                drop(UnderWay { load, bytes: *bytes });
                done(failure.map_or(reply, |error| Err(error.clone())));
            }
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Acquire)
    }

    /// The outcome of the command, once, and the commit to wait for.
    pub(super) fn take_reply(&self) -> Option<(Result<Reply>, Option<u64>)> {
        if !self.is_answered() {
            return None;
        }
        let commit = self.commit.load(Ordering::Relaxed);
        Some((self.reply.lock().take()?, (commit > 0).then_some(commit)))
    }
}

/// Who waits for an fsync.
pub(super) enum Sleeper {
    Thread(Thread),
    /// A caller that gets its outcome by a callback.
    Call(Arc<Waiter>),
}

impl From<&Arc<Waiter>> for Sleeper {
    fn from(waiter: &Arc<Waiter>) -> Self {
        match waiter.thread() {
            Some(thread) => Sleeper::Thread(thread.clone()),
            None => Sleeper::Call(waiter.clone()),
        }
    }
}

impl Sleeper {
    pub(super) fn is_thread(&self, thread: &Thread) -> bool {
        matches!(self, Sleeper::Thread(one) if one.id() == thread.id())
    }
}
