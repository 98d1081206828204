//! The thread that renews the leases of guards: one for the whole process, while there are guards.
//!
//! It decides only *when* to renew; how, and what follows from the result, is decided by the guard. It
//! renews one lease after another, so their number is bounded. It holds no database: a guard that is
//! dropped releases its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::{Error, Result};

/// How many leases one process renews automatically at the most. Each renewal takes an fsync, at a third of
/// the lease's duration, and one thread has to renew all of them in time.
pub const LEASE_GUARDS_MAX: usize = 1_000;

/// How long the thread waits for a new lease before it ends.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// When a lease is to be renewed, and a number that distinguishes it from others.
pub(crate) type Renewal = (Instant, u64);

/// A lease that is renewed automatically.
pub(crate) trait Renewed: Send + Sync {
    /// Renews the lease, unless it is lost or settled. Returns when to renew it next, if ever.
    fn renew(&self) -> Option<Instant>;

    /// Records the planned renewal, so that the guard can cancel it. Returns the renewal that is no longer
    /// needed: the former one, or this one if there is nothing to renew any more.
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

/// Ensures that the thread is running and that there is room for this many more leases.
///
/// # Errors
///
/// [`Error::TooManyLeases`] when there are too many, and [`Error::Thread`] when the operating system cannot
/// start a thread.
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

/// Renews a lease at a time, and then whenever its guard asks for it, until the guard is gone.
pub(crate) fn keep(held: &Arc<dyn Renewed>, at: Instant) {
    let place = {
        let mut state = KEEPER.state.lock();
        let place = (at, state.number_next);
        state.number_next += 1;
        state.due.insert(place, Arc::downgrade(held));
        // Without a thread the lease expires, and its guard reports that.
        let _ = start(&mut state);
        place
    };
    KEEPER.changed.notify_one();
    if let Some(place) = held.set_place(place) {
        forget(place);
    }
}

/// Cancels a planned renewal.
pub(crate) fn forget(place: Renewal) {
    KEEPER.state.lock().due.remove(&place);
}

/// Marks the thread as running. If a renewal panics, the next guard starts another thread.
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
