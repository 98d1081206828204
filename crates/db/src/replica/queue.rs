//! Commands that wait: how many there may be, and how each is told what became of it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;

use parking_lot::Mutex;
use velocitydb_core::Command;
use velocitydb_storage::Durability;

use crate::apply::Reply;
use crate::{Error, Result};

/// Commands under way at the most, whatever their levels: those that wait, and those that are being
/// applied. Each is a thread of the caller's that sleeps, or a request that the server has taken;
/// more than this is an overload that waiting does not cure.
pub(super) const COMMANDS_MAX: usize = 65_536;

/// Bytes of the commands under way at the most, for the same reason.
pub(super) const COMMANDS_BYTES_MAX: usize = 1 << 30;

/// What is under way.
#[derive(Default)]
pub(super) struct Load {
    pub(super) commands: AtomicUsize,
    pub(super) bytes: AtomicUsize,
}

/// A command that is under way.
pub(super) struct UnderWay<'a> {
    load: &'a Load,
    bytes: usize,
}

impl Load {
    /// Lets a command in, unless there are too many.
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

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.load.commands.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A command whose thread waits for what becomes of it.
pub(super) struct Waiter {
    pub(super) command: Command,
    pub(super) durability: Durability,
    pub(super) thread: Thread,
    /// The number of the commit that it waits for beside its reply; 0 for none.
    commit: AtomicU64,
    is_answered: AtomicBool,
    reply: Mutex<Option<Result<Reply>>>,
}

impl Waiter {
    pub(super) fn new(command: Command, durability: Durability) -> Self {
        Waiter {
            command,
            durability,
            thread: std::thread::current(),
            commit: AtomicU64::new(0),
            is_answered: AtomicBool::new(false),
            reply: Mutex::new(None),
        }
    }

    /// Says what became of the command, and the number of the commit that has to be on the disk
    /// before its caller is told. Does not wake the thread.
    pub(super) fn answer(&self, reply: Result<Reply>, commit: Option<u64>) {
        *self.reply.lock() = Some(reply);
        self.commit.store(commit.unwrap_or(0), Ordering::Relaxed);
        self.is_answered.store(true, Ordering::Release);
    }

    /// What became of the command, once, and the commit to wait for.
    pub(super) fn take_reply(&self) -> Option<(Result<Reply>, Option<u64>)> {
        if !self.is_answered.load(Ordering::Acquire) {
            return None;
        }
        let commit = self.commit.load(Ordering::Relaxed);
        Some((self.reply.lock().take()?, (commit > 0).then_some(commit)))
    }
}
