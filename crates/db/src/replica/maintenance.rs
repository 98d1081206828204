//! The maintenance thread: proposes what time has made due, for all databases of the process.
//!
//! It decides only *when*; what is done is a command like any other. It sleeps until the next document
//! of any database expires, and looks after old tombstones and request ids of each once a [`TICK`]. It
//! is started with the first database and ends with the last.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use velocitydb_core::Time;

use crate::Result;

/// How often a database is looked at when nothing expires. Tombstones and request ids live for hours,
/// so a minute more is no matter.
const TICK: Duration = Duration::from_secs(60);

/// How long a database is left alone after a failure, so that a full disk is not asked in a tight loop.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A moment for others between two steps. Documents that expire one by one are gathered for it,
/// instead of each being a command of its own.
const GATHERING: Duration = Duration::from_millis(1);

/// The databases of this process that the thread looks after.
static SERVICE: Service = Service { served: Mutex::new(Served::new()), changed: Condvar::new() };

struct Service {
    served: Mutex<Served>,
    /// Notified when a database comes, goes, has been looked at, or has something due earlier.
    changed: Condvar,
}

struct Served {
    databases: Vec<Client>,
    next_number: u64,
    has_thread: bool,
}

/// What the thread can do for a database.
pub(crate) trait Maintained: Send + Sync {
    /// What the database tells the thread.
    fn alarm(&self) -> &Arc<Alarm>;

    /// When the clock of this process will show `time`, as far as can be told now.
    fn instant_of(&self, time: Time) -> Instant;

    /// One step of what time makes due; whether there is more to do.
    fn maintenance_step(&self) -> Result<bool>;

    /// Gives the space of what was deleted back.
    fn reclaim(&self) -> Result<()>;

    /// Looks at how the values of indexes are distributed where that has changed.
    fn analyze(&self, is_stopped: &dyn Fn() -> bool) -> Result<()>;
}

/// A database, and when it is to be looked at.
struct Client {
    number: u64,
    database: Arc<dyn Maintained>,
    agenda: Agenda,
    /// Whether it is being looked at.
    is_busy: bool,
}

#[derive(Clone, Copy)]
struct Agenda {
    tick: Instant,
    not_before: Instant,
    /// Whether much may have been deleted since space was last given back.
    reclaims: bool,
}

/// What a database tells the thread.
#[derive(Default)]
pub(crate) struct Alarm {
    state: Mutex<State>,
    is_stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    expiry_next: Option<Time>,
    /// Whether there is something to do at once.
    is_wanted: bool,
}

impl Alarm {
    /// Says when the next document expires.
    pub(crate) fn set(&self, expiry_next: Option<Time>) {
        let before = std::mem::replace(&mut self.state.lock().expiry_next, expiry_next);
        // Who wakes too early sleeps again.
        let is_earlier = match (before, expiry_next) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(now)) => now < before,
        };
        if is_earlier {
            SERVICE.wake();
        }
    }

    /// Says that something was dropped.
    pub(crate) fn wake(&self) {
        self.state.lock().is_wanted = true;
        SERVICE.wake();
    }
}

/// A database is looked after until this is gone.
pub(crate) struct Maintenance {
    alarm: Arc<Alarm>,
    number: u64,
}

impl Maintenance {
    pub(crate) fn start(database: Arc<dyn Maintained>) -> std::io::Result<Self> {
        let alarm = database.alarm().clone();
        let mut served = SERVICE.served.lock();
        if !served.has_thread {
            let thread = std::thread::Builder::new().name("velocitydb-maintenance".to_owned());
            thread.spawn(serve)?;
            served.has_thread = true;
        }
        let number = served.next_number;
        served.next_number += 1;
        // An index whose building was interrupted does not wait for the first tick.
        let (tick, not_before) = (Instant::now(), Instant::now());
        let agenda = Agenda { tick, not_before, reclaims: false };
        served.databases.push(Client { number, database, agenda, is_busy: false });
        SERVICE.changed.notify_all();
        Ok(Maintenance { alarm, number })
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.alarm.is_stopped.store(true, Ordering::Relaxed);
        let mut served = SERVICE.served.lock();
        let is_busy = |client: &Client| client.number == self.number && client.is_busy;
        SERVICE.changed.wait_while(&mut served, |served| served.databases.iter().any(is_busy));
        served.databases.retain(|client| client.number != self.number);
        SERVICE.changed.notify_all();
    }
}

impl Service {
    fn wake(&self) {
        // Taken so that nobody is about to sleep who has not seen why it should not.
        let _served = self.served.lock();
        self.changed.notify_all();
    }
}

impl Served {
    const fn new() -> Self {
        Served { databases: Vec::new(), next_number: 0, has_thread: false }
    }

    fn client(&mut self, number: u64) -> Option<&mut Client> {
        self.databases.iter_mut().find(|client| client.number == number)
    }
}

impl Client {
    /// When it is to be looked at.
    fn due(&self) -> Instant {
        let Agenda { tick, not_before, .. } = self.agenda;
        let state = self.database.alarm().state.lock();
        if state.is_wanted {
            return not_before;
        }
        let expiry = state.expiry_next.map(|time| self.database.instant_of(time));
        expiry.map_or(tick, |expiry| tick.min(expiry)).max(not_before)
    }
}

/// What the thread does.
fn serve() {
    let mut served = SERVICE.served.lock();
    loop {
        let clients = served.databases.iter().map(|client| (client.due(), client.number));
        let Some((due, number)) = clients.min() else {
            served.has_thread = false;
            return;
        };
        if due > Instant::now() {
            SERVICE.changed.wait_until(&mut served, due);
            continue;
        }
        let client = served.client(number).expect("it was found just now");
        client.is_busy = true;
        let (database, agenda) = (client.database.clone(), client.agenda);
        let next = MutexGuard::unlocked(&mut served, || {
            // A panic has been reported by its own message, and the machine is stopped if it was there.
            catch_unwind(AssertUnwindSafe(|| look_after(&*database, agenda))).unwrap_or_default()
        });
        match (served.client(number), next) {
            (Some(client), Some(agenda)) => {
                (client.agenda, client.is_busy) = (agenda, false);
            }
            // Nothing can be done for it any more.
            _ => served.databases.retain(|client| client.number != number),
        }
        SERVICE.changed.notify_all();
    }
}

/// Does one step for a database. Returns when it is to be looked at next; `None` when its machine has
/// stopped.
fn look_after(database: &dyn Maintained, agenda: Agenda) -> Option<Agenda> {
    let is_wanted = std::mem::take(&mut database.alarm().state.lock().is_wanted);
    let reclaims = agenda.reclaims | is_wanted;
    let is_tick = agenda.tick <= Instant::now();
    match database.maintenance_step() {
        // What a bounded step has left does not wait for the next tick.
        Ok(true) => {
            Some(Agenda { not_before: Instant::now(), tick: Instant::now(), reclaims: true })
        }
        Ok(false) => {
            if is_tick || reclaims {
                // Who writes next is told why it did not work.
                let _ = database.reclaim();
            }
            if is_tick {
                // Plans do without what cannot be read; who reads it next is told why.
                let _ = database.analyze(&|| database.alarm().is_stopped.load(Ordering::Relaxed));
            }
            let not_before = Instant::now() + GATHERING;
            Some(Agenda { not_before, tick: Instant::now() + TICK, reclaims: false })
        }
        Err(error) if error.cause().is_poisoned() => None,
        Err(error) => {
            if error.is_disk_full() {
                // There may be room for the next attempt.
                let _ = database.reclaim();
            }
            let not_before = Instant::now() + PAUSE_AFTER_FAILURE;
            Some(Agenda { not_before, tick: Instant::now() + TICK, reclaims })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{Database, object};

    #[cfg(target_os = "linux")]
    fn threads() -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
        // The system cuts names off.
        let names = tasks.filter_map(|task| name(task.ok()?));
        names.filter(|name| name.starts_with("velocitydb-main")).count()
    }

    /// A hundred databases are looked after by one thread; some close, and the others are looked after
    /// as before.
    #[test]
    fn all_databases_share_one_thread() {
        let mut databases: Vec<Database> =
            (0..100).map(|_| crate::open_in_memory().unwrap()).collect();
        // One of an earlier test may be about to end.
        #[cfg(target_os = "linux")]
        assert!((0..1_000_000).any(|_| threads() == 1), "{} threads", threads());
        databases.truncate(50);
        for db in &databases {
            let docs = db.documents("docs").time_to_live(Duration::from_millis(1));
            docs.insert("a", object! {}).unwrap();
        }
        for db in &databases {
            // It is not only hidden: a tombstone is left.
            while db.collections().unwrap()[0].tombstones == 0 {
                std::thread::yield_now();
            }
        }
    }
}
