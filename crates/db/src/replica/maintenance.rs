//! The maintenance thread: proposes due maintenance, for all databases of the process.
//!
//! It decides only *when*; maintenance itself is a command like any other. The thread sleeps until the next
//! document of any database expires, and forgets old tombstones and request ids of each database once a
//! [`TICK`]. It starts with the first database and ends with the last.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use velocitydb_core::Time;

use crate::Result;

/// How often a database is maintained when nothing expires. Tombstones and request ids are kept for hours,
/// so a delay of a minute does not matter.
const TICK: Duration = Duration::from_secs(60);

/// How long a database is not maintained after a failure, so that it is not retried in a tight loop on a
/// full disk.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The pause between two steps, in which other commands can be applied. Documents that expire one after
/// another are collected meanwhile, so that not each is a command of its own.
const GATHERING: Duration = Duration::from_millis(1);

/// How many times as long as an analysis of indexes the pause after it is, since while an index grows its
/// statistics are stale again and again.
const ANALYSIS_PAUSE: u32 = 20;

/// The databases of this process that the thread maintains.
static SERVICE: Service = Service { served: Mutex::new(Served::new()), changed: Condvar::new() };

struct Service {
    served: Mutex<Served>,
    /// Notified when a database is opened, closed or has been maintained, or has something due earlier.
    changed: Condvar,
}

struct Served {
    databases: Vec<Client>,
    next_number: u64,
    has_thread: bool,
}

/// What the thread needs of a database.
pub(crate) trait Maintained: Send + Sync {
    /// How the database wakes the thread.
    fn alarm(&self) -> &Arc<Alarm>;

    /// When the clock of this process will show `time`, as far as is known now.
    fn instant_of(&self, time: Time) -> Instant;

    /// One step of due maintenance. Returns whether there is more to do.
    fn maintenance_step(&self) -> Result<bool>;

    /// Returns the space of deleted data to the device.
    fn reclaim(&self) -> Result<()>;

    /// Updates the statistics of indexes that have changed much.
    fn analyze(&self, is_stopped: &dyn Fn() -> bool) -> Result<()>;
}

/// A database, and when it is to be maintained.
struct Client {
    number: u64,
    database: Arc<dyn Maintained>,
    agenda: Agenda,
    /// Whether it is being maintained.
    is_busy: bool,
}

#[derive(Clone, Copy)]
struct Agenda {
    tick: Instant,
    not_before: Instant,
    /// Whether much may have been deleted since space was last returned.
    reclaims: bool,
    /// Indexes are not analysed again before this.
    analyzes: Instant,
}

/// How a database wakes the thread.
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
    /// Whether there are indexes to be analysed.
    has_stale: bool,
}

impl Alarm {
    /// Sets when the next document expires.
    pub(crate) fn set(&self, expiry_next: Option<Time>) {
        let before = std::mem::replace(&mut self.state.lock().expiry_next, expiry_next);
        // Only an earlier time has to wake the thread: if it wakes too early, it sleeps again.
        let is_earlier = match (before, expiry_next) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(now)) => now < before,
        };
        if is_earlier {
            SERVICE.wake();
        }
    }

    /// Reports that the statistics of an index are stale.
    pub(crate) fn wake_to_analyze(&self) {
        if !std::mem::replace(&mut self.state.lock().has_stale, true) {
            SERVICE.wake();
        }
    }

    /// Reports that something was dropped.
    pub(crate) fn wake(&self) {
        self.state.lock().is_wanted = true;
        SERVICE.wake();
    }
}

/// A database is maintained until this is dropped.
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
        // An interrupted index build does not wait for the first tick.
        let (tick, not_before) = (Instant::now(), Instant::now());
        let agenda = Agenda { tick, not_before, reclaims: false, analyzes: tick };
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
        // Locked so that the thread is not between its last check and its sleep.
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
    /// When the database is to be maintained.
    fn due(&self) -> Instant {
        let Agenda { tick, not_before, analyzes, .. } = self.agenda;
        let state = self.database.alarm().state.lock();
        if state.is_wanted {
            return not_before;
        }
        let expiry = state.expiry_next.map(|time| self.database.instant_of(time));
        let analysis = state.has_stale.then_some(analyzes);
        let others = expiry.into_iter().chain(analysis);
        others.fold(tick, Instant::min).max(not_before)
    }
}

/// The loop of the thread.
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
            // A panic has been reported by its own message, and has stopped the machine if it was in there.
            catch_unwind(AssertUnwindSafe(|| look_after(&*database, agenda))).unwrap_or_default()
        });
        match (served.client(number), next) {
            (Some(client), Some(agenda)) => {
                (client.agenda, client.is_busy) = (agenda, false);
            }
            // The machine has stopped, so there is nothing left to do.
            _ => served.databases.retain(|client| client.number != number),
        }
        SERVICE.changed.notify_all();
    }
}

/// Does one step for a database. Returns when to do the next one; `None` when its machine has stopped.
fn look_after(database: &dyn Maintained, agenda: Agenda) -> Option<Agenda> {
    let is_wanted = std::mem::take(&mut database.alarm().state.lock().is_wanted);
    let reclaims = agenda.reclaims | is_wanted;
    let is_tick = agenda.tick <= Instant::now();
    match database.maintenance_step() {
        // What a bounded step has left does not wait for the next tick.
        Ok(true) => {
            let now = Instant::now();
            Some(Agenda { not_before: now, tick: now, reclaims: true, ..agenda })
        }
        Ok(false) => {
            if is_tick || reclaims {
                // A failure is reported to the next writer.
                let _ = database.reclaim();
            }
            let analyzes = analyze(database, agenda.analyzes);
            let now = Instant::now();
            let (not_before, tick) = (now + GATHERING, now + TICK);
            Some(Agenda { not_before, tick, reclaims: false, analyzes })
        }
        Err(error) if error.cause().is_poisoned() => None,
        Err(error) => {
            if error.is_disk_full() {
                // This may make room for the next attempt.
                let _ = database.reclaim();
            }
            let now = Instant::now();
            let (not_before, tick) = (now + PAUSE_AFTER_FAILURE, now + TICK);
            Some(Agenda { not_before, tick, reclaims, ..agenda })
        }
    }
}

/// Analyses indexes that have changed much, unless that is not due before a later time. Returns when it
/// may be done again.
fn analyze(database: &dyn Maintained, due: Instant) -> Instant {
    let begin = Instant::now();
    if due > begin {
        return due;
    }
    database.alarm().state.lock().has_stale = false;
    // Plans do without statistics that cannot be made; the failure is reported to the next reader or
    // writer.
    let _ = database.analyze(&|| database.alarm().is_stopped.load(Ordering::Relaxed));
    let end = Instant::now();
    end + (end - begin) * ANALYSIS_PAUSE
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{Database, object};

    #[cfg(target_os = "linux")]
    fn threads() -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
        // The system truncates names.
        let names = tasks.filter_map(|task| name(task.ok()?));
        names.filter(|name| name.starts_with("velocitydb-main")).count()
    }

    /// One thread maintains a hundred databases; when some are closed, the others are still maintained.
    #[test]
    fn all_databases_share_one_thread() {
        let mut databases: Vec<Database> =
            (0..100).map(|_| crate::open_in_memory().unwrap()).collect();
        // A thread of an earlier test may be about to end.
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
