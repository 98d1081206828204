//! The maintenance thread: proposes what time has made due.
//!
//! It decides only *when*; what is done is a command like any other. It sleeps until the next
//! document expires, and looks after old tombstones and request ids once a [`TICK`].

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use velocitydb_core::Time;

use crate::Error;
use crate::database::Core;

/// How often the thread wakes when nothing expires. Tombstones and request ids live for hours, so
/// a minute more is no matter.
const TICK: Duration = Duration::from_secs(60);

/// How long the thread waits after a failure, so that a full disk is not asked in a tight loop.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A moment for others between two steps. Documents that expire one by one are gathered for it,
/// instead of each being a command of its own.
const GATHERING: Duration = Duration::from_millis(1);

/// What wakes the thread.
#[derive(Default)]
pub(crate) struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    expiry_next: Option<Time>,
    /// Whether there is something to do at once.
    is_wanted: bool,
    is_stopped: bool,
}

impl Alarm {
    /// Says when the next document expires.
    pub(crate) fn set(&self, expiry_next: Option<Time>) {
        let mut state = self.state.lock();
        if state.expiry_next != expiry_next {
            state.expiry_next = expiry_next;
            self.changed.notify_one();
        }
    }

    /// Says that something was dropped.
    pub(crate) fn wake(&self) {
        self.state.lock().is_wanted = true;
        self.changed.notify_one();
    }

    fn stop(&self) {
        self.state.lock().is_stopped = true;
        self.changed.notify_one();
    }
}

/// The running thread; it ends with this.
pub(crate) struct Maintenance {
    alarm: Arc<Alarm>,
    thread: Option<JoinHandle<()>>,
}

impl Maintenance {
    pub(crate) fn start(core: Arc<Core>) -> std::io::Result<Self> {
        let alarm = core.alarm.clone();
        let thread = std::thread::Builder::new()
            .name("velocitydb-maintenance".to_owned())
            .spawn(move || run(&core))?;
        Ok(Maintenance { alarm, thread: Some(thread) })
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.alarm.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its own message.
            let _ = thread.join();
        }
    }
}

fn run(core: &Core) {
    // An index whose building was interrupted does not wait for the first tick.
    let mut tick = Instant::now();
    let mut not_before = Instant::now();
    // Whether much may have been deleted since space was last given back.
    let mut reclaims = false;
    loop {
        {
            let mut state = core.alarm.state.lock();
            loop {
                if state.is_stopped {
                    return;
                }
                let due = state.expiry_next.map_or(tick, |time| tick.min(core.instant_of(time)));
                let due = if state.is_wanted { not_before } else { due.max(not_before) };
                if due <= Instant::now() {
                    reclaims |= std::mem::take(&mut state.is_wanted);
                    break;
                }
                core.alarm.changed.wait_until(&mut state, due);
            }
        }
        let is_tick = tick <= Instant::now();
        match core.maintenance_step() {
            // What a bounded step has left does not wait for the next tick.
            Ok(true) => {
                (not_before, tick) = (Instant::now(), Instant::now());
                reclaims = true;
            }
            Ok(false) => {
                if is_tick || reclaims {
                    // Who writes next is told why it did not work.
                    let _ = core.reclaim();
                    reclaims = false;
                }
                if is_tick {
                    // Plans do without what cannot be read; who reads it next is told why.
                    let _ = core.analyze(&|| core.alarm.state.lock().is_stopped);
                }
                not_before = Instant::now() + GATHERING;
                tick = Instant::now() + TICK;
            }
            Err(Error::Storage(velocitydb_storage::Error::Poisoned { .. })) => return,
            Err(error) => {
                if error.is_disk_full() {
                    // There may be room for the next attempt.
                    let _ = core.reclaim();
                }
                not_before = Instant::now() + PAUSE_AFTER_FAILURE;
                tick = Instant::now() + TICK;
            }
        }
    }
}
