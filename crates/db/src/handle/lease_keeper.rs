//! The thread that renews the leases of guards: one for all of a process, while there are any.
//!
//! It decides only *when*; what is done, and what comes of it, is the guard's. It renews one lease after
//! another, so their number is bounded. It holds no database: a guard that is dropped lets go of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::{Error, Result};

/// How many leases one process has renewed by itself at the most. Each takes an fsync a third of its
/// time, and one thread has to be in time for all of them.
pub const LEASE_GUARDS_MAX: usize = 1_000;

/// How long the thread stays when there is nothing to renew.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// When a lease is to be renewed, and a number that tells it from others.
pub(crate) type Renewal = (Instant, u64);

/// A lease that is renewed by itself.
pub(crate) trait Renewed: Send + Sync {
    /// Renews the lease, unless it is lost or settled. Returns when to do that next, if ever.
    fn renew(&self) -> Option<Instant>;

    /// Notes where the thread has it, for the guard to take it from there. Returns the place that is
    /// not needed: the one before, or this one when there is nothing to renew any more.
    fn set_place(&self, place: Renewal) -> Option<Renewal>;
}

struct Keeper {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    due: BTreeMap<Renewal, Weak<dyn Renewed>>,
    number_next: u64,
    is_running: bool,
}

static KEEPER: Keeper = Keeper {
    state: Mutex::new(State { due: BTreeMap::new(), number_next: 0, is_running: false }),
    changed: Condvar::new(),
};

/// Sees to it that there is a thread, and room for so many more leases.
///
/// # Errors
///
/// [`Error::TooManyLeases`] when there are too many, and [`Error::Thread`] when the operating system
/// gives no thread.
pub(crate) fn make_ready(count: usize) -> Result<()> {
    let mut state = KEEPER.state.lock();
    let held = state.due.len();
    if held + count > LEASE_GUARDS_MAX {
        return Err(Error::TooManyLeases { held, max: LEASE_GUARDS_MAX });
    }
    start(&mut state)
}

fn start(state: &mut State) -> Result<()> {
    if state.is_running {
        return Ok(());
    }
    let name = "velocitydb-leases";
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|error| Error::Thread { name, reason: error.to_string() })?;
    state.is_running = true;
    Ok(())
}

/// Renews a lease at a time, and from then on when its guard wants it, until that is gone.
pub(crate) fn keep(held: &Arc<dyn Renewed>, at: Instant) {
    let place = {
        let mut state = KEEPER.state.lock();
        let place = (at, state.number_next);
        state.number_next += 1;
        state.due.insert(place, Arc::downgrade(held));
        // Without a thread the lease ends by itself, and its guard says so.
        let _ = start(&mut state);
        place
    };
    KEEPER.changed.notify_one();
    if let Some(place) = held.set_place(place) {
        forget(place);
    }
}

/// Forgets a lease.
pub(crate) fn forget(place: Renewal) {
    KEEPER.state.lock().due.remove(&place);
}

/// The thread that runs. Should a renewal panic, the next guard starts another one.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            KEEPER.state.lock().is_running = false;
        }
    }
}

fn run() {
    let _running = Running;
    let mut idle_since = Instant::now();
    loop {
        let next = {
            let mut state = KEEPER.state.lock();
            loop {
                let now = Instant::now();
                match state.due.first_key_value().map(|(place, _)| *place) {
                    Some(place) if place.0 <= now => break state.due.remove(&place),
                    Some(place) => drop(KEEPER.changed.wait_until(&mut state, place.0)),
                    None if now >= idle_since + IDLE_MAX => {
                        state.is_running = false;
                        return;
                    }
                    None => drop(KEEPER.changed.wait_until(&mut state, idle_since + IDLE_MAX)),
                }
            }
        };
        idle_since = Instant::now();
        let Some(held) = next.as_ref().and_then(Weak::upgrade) else { continue };
        if let Some(at) = held.renew() {
            keep(&held, at);
        }
    }
}
