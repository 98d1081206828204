//! [`Faulty`]: an engine that fails, panics or stops at a gate on demand, and otherwise behaves as the
//! engine below it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};
use velocitydb::{Database, Mode};
use velocitydb_storage::memory::Memory;
use velocitydb_storage::{
    Batch, Blob, Durability, Engine, EngineStats, Error, Keyspace, Result, Snapshot,
};

use crate::world::{World, options};

/// What the next commits do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// They succeed.
    None,
    /// The disk is full, until this is changed.
    DiskFull,
    /// The fsync fails, which poisons the engine for good.
    Fsync,
    /// The engine panics, once.
    Panic,
    /// A value cannot be read, once.
    Read,
}

pub struct Faulty {
    inner: Memory,
    /// What goes wrong, and how many calls before it still go well.
    fault: Mutex<(Fault, u32)>,
    gate: Mutex<Gate>,
    changed: Condvar,
    /// Commits that have succeeded.
    commits: AtomicU64,
    syncs: AtomicU64,
    last_durability: Mutex<Option<Durability>>,
}

/// Where writers wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before a commit has happened.
    Before,
    /// When a commit is visible, and before its caller knows.
    After,
    /// Before an fsync has happened.
    Fsync,
}

#[derive(Default)]
struct Gate {
    closed: Option<Place>,
    waiting: u64,
    /// How many of those that wait may pass while it stays closed.
    passes: u64,
}

impl Faulty {
    pub fn new() -> Arc<Self> {
        Arc::new(Faulty {
            inner: Memory::new(3),
            fault: Mutex::new((Fault::None, 0)),
            gate: Mutex::new(Gate::default()),
            changed: Condvar::new(),
            commits: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            last_durability: Mutex::new(None),
        })
    }

    /// A database on this engine, which believes that it is on a disk: commits are grouped.
    pub fn database(self: &Arc<Self>, world: Arc<World>) -> Database {
        options(Mode::Persistent, world).open_engine(self.clone()).unwrap()
    }

    pub fn set(&self, fault: Fault) {
        *self.fault.lock() = (fault, 0);
    }

    /// As [`set`](Self::set), from the call after the next one on.
    pub fn set_after_next(&self, fault: Fault) {
        self.set_after(fault, 1);
    }

    /// As [`set`](Self::set), after this many calls that still succeed.
    pub fn set_after(&self, fault: Fault, count: u32) {
        *self.fault.lock() = (fault, count);
    }

    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }

    /// What the last commit was asked for.
    pub fn last_durability(&self) -> Option<Durability> {
        *self.last_durability.lock()
    }

    /// Writers wait at the gate until what this returns is dropped, be it by a test that fails.
    #[must_use]
    pub fn close_gate(&self, place: Place) -> ClosedGate<'_> {
        self.gate.lock().closed = Some(place);
        ClosedGate(self)
    }

    /// Waits until a writer waits at the gate.
    pub fn await_arrival(&self) {
        let mut gate = self.gate.lock();
        self.changed.wait_while(&mut gate, |gate| gate.waiting == 0);
    }

    pub fn is_anyone_at_gate(&self) -> bool {
        self.gate.lock().waiting > 0
    }

    fn pass_gate(&self, place: Place) {
        let mut gate = self.gate.lock();
        if gate.closed != Some(place) {
            return;
        }
        gate.waiting += 1;
        self.changed.notify_all();
        self.changed.wait_while(&mut gate, |gate| gate.closed.is_some() && gate.passes == 0);
        gate.passes = gate.passes.saturating_sub(1);
        gate.waiting -= 1;
    }

    fn fail(&self) -> Result<()> {
        let mut plan = self.fault.lock();
        let (fault, delay) = *plan;
        if fault != Fault::Read && delay > 0 {
            plan.1 -= 1;
            return Ok(());
        }
        match fault {
            Fault::None | Fault::Read | Fault::Fsync => Ok(()),
            Fault::DiskFull => Err(Error::DiskFull { path: "/data".into(), room: None }),
            Fault::Panic => {
                plan.0 = Fault::None;
                drop(plan);
                panic!("the panic of the fault-injecting engine, which is part of the test");
            }
        }
    }
}

impl Faulty {
    fn fail_to_read(&self) -> Result<()> {
        let mut plan = self.fault.lock();
        match &mut *plan {
            (Fault::Read, 0) => {
                plan.0 = Fault::None;
                let reason = "input/output error".to_owned();
                Err(Error::Io { action: "reading", path: "/data".into(), reason })
            }
            (Fault::Read, delay) => {
                *delay -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Opens the gate when it is dropped.
pub struct ClosedGate<'a>(&'a Faulty);

impl ClosedGate<'_> {
    /// Lets one of the waiting calls pass, and none after it.
    pub fn let_one_pass(&self) {
        self.0.gate.lock().passes += 1;
        self.0.changed.notify_all();
    }
}

impl Drop for ClosedGate<'_> {
    fn drop(&mut self) {
        self.0.gate.lock().closed = None;
        self.0.changed.notify_all();
    }
}

impl Engine for Faulty {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.fail_to_read()?;
        self.inner.get(keyspace, key)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        self.inner.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        self.pass_gate(Place::Before);
        self.fail()?;
        self.inner.commit(batch, durability)?;
        self.commits.fetch_add(1, Ordering::SeqCst);
        *self.last_durability.lock() = Some(durability);
        self.pass_gate(Place::After);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.pass_gate(Place::Fsync);
        if self.fault.lock().0 == Fault::Fsync {
            return Err(Error::Poisoned { reason: "fsync: input/output error".to_owned() });
        }
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.inner.sync()
    }

    fn check_writable(&self) -> Result<()> {
        self.fail()
    }

    fn stats(&self) -> EngineStats {
        self.inner.stats()
    }
}

/// Waits for `condition`, which others are about to make true, and gives up after very many checks.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..200_000_000_u64 {
        if condition() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("gave up waiting for {what}");
}
