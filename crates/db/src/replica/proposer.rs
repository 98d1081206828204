//! [`Proposer`]: brings commands into an order. And [`Local`], the proposer of a database on a single node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};

use parking_lot::Mutex;
use velocitydb_core::{Command, Consistency};
use velocitydb_storage::{Durability, Mode};

use super::pipeline::{Pipeline, Role};
pub(crate) use super::queue::Done;
use crate::apply::Reply;
use crate::{Error, Result};

/// Brings commands into an order. Handles know nothing else about ordering.
pub(crate) trait Proposer: Send + Sync + 'static {
    /// Proposes a command. Returns at once, and calls `done` when its outcome is known as the level asks:
    /// it was answered, it was not applied, or the outcome cannot be known (`Poisoned`).
    fn propose(&self, command: Command, level: Consistency, done: Done);

    /// Proposes a command, and waits for its outcome.
    fn submit(&self, command: Command, level: Consistency) -> Result<Reply>;

    /// Waits until a read at this level may use the state of this node. Every read with a level calls this
    /// first.
    fn read_barrier(&self, level: Consistency) -> Result<()>;
}

/// The proposer of a database on a single node: the order is that in which commands reach the machine.
/// Waiting callers do the work themselves; two threads do it for callers that do not wait, once there are
/// any.
pub(crate) struct Local {
    pipeline: Arc<Pipeline>,
    mode: Mode,
    /// The leading thread ends before the one that fsyncs its commits.
    drivers: Mutex<Option<(Driver, Driver)>>,
}

/// A thread that drives the pipeline, until this is dropped and no caller waits.
struct Driver {
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Local {
    pub(crate) fn new(pipeline: Arc<Pipeline>, mode: Mode) -> Self {
        Local { pipeline, mode, drivers: Mutex::default() }
    }

    /// Starts the threads that drive the pipeline, unless they are running.
    fn ensure_driven(&self) -> Result<()> {
        let mut drivers = self.drivers.lock();
        if drivers.is_none() {
            let lead = Driver::start("velocitydb-lead", &self.pipeline, Role::Lead)?;
            let fsync = Driver::start("velocitydb-fsync", &self.pipeline, Role::Sync)?;
            self.pipeline.set_drivers([lead.handle(), fsync.handle()]);
            *drivers = Some((lead, fsync));
        }
        Ok(())
    }
}

impl Driver {
    fn start(name: &'static str, pipeline: &Arc<Pipeline>, role: Role) -> Result<Self> {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (pipeline, stopped) = (pipeline.clone(), is_stopped.clone());
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || pipeline.drive(role, &stopped))
            .map_err(|error| Error::Thread { name, reason: error.to_string() })?;
        Ok(Driver { is_stopped, thread: Some(thread) })
    }

    fn handle(&self) -> Thread {
        self.thread.as_ref().expect("it runs").thread().clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The callback may drop the last handle.
            if thread.thread().id() != std::thread::current().id() {
                // A panic of the thread has been reported by its own message.
                let _ = thread.join();
            }
        }
    }
}

impl Proposer for Local {
    fn propose(&self, command: Command, level: Consistency, done: Done) {
        match self.ensure_driven() {
            Ok(()) => self.pipeline.propose(command, durability(self.mode, level), done),
            Err(error) => done(Err(error)),
        }
    }

    fn submit(&self, command: Command, level: Consistency) -> Result<Reply> {
        self.pipeline.submit(command, durability(self.mode, level))
    }

    /// There is no other node that could have newer writes.
    fn read_barrier(&self, _: Consistency) -> Result<()> {
        Ok(())
    }
}

/// What a write at `level` waits for: nothing in memory modes.
fn durability(mode: Mode, level: Consistency) -> Durability {
    match (mode, level) {
        (Mode::MemoryOnly | Mode::MemoryFirst, _) | (_, Consistency::Local) => Durability::Memory,
        (Mode::Hybrid, _) => Durability::Os,
        (Mode::Persistent, _) => Durability::Disk,
    }
}
