//! [`Views`]: which state readers see while writes are on their way to the disk.
//!
//! Becoming visible and becoming durable are two steps. A group of commands that wait for the disk is
//! committed, which lets the next commands build on it, and fsynced then, with nobody held up by that.
//! In between there is a *window*:
//!
//! ```text
//!            commit                    fsync done: the window closes, writers are answered
//!  ────────────┼───────────────────────────┼──────────▶
//!   settled ───┘         window            └─── settled = visible
//! ```
//!
//! - Reads at `local` see the *visible* state, with all that was committed.
//! - All others see the *settled* state, which no crash takes back but for what was written at
//!   `local`: the visible one without a window, and within one the state from before it. Nobody was
//!   told of anything that it lacks.
//! - Unless somebody was: a write at `local` does not wait for the disk, and is acknowledged on top of
//!   what is on its way there. Then the others wait for the window to close, since no state has the one
//!   without the other.
//!
//! A point read looks at the newest value first, and then whether the window has to do with its key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::{Condvar, Mutex};
use velocitydb_core::{Consistency, Time};
use velocitydb_storage::{Batch, Blob, Engine, Keyspace, Snapshot};

use crate::apply::DueNext;
use crate::{Error, Result};

/// What readers see.
pub(crate) struct Views {
    engine: Arc<dyn Engine>,
    due_next: Arc<DueNext>,
    /// Whether there is a window. It is set before a commit makes anything visible.
    has_window: AtomicBool,
    window: ArcSwapOption<Window>,
    /// Held by who changes the window, for a moment.
    changing: Mutex<()>,
    changed: Condvar,
}

/// What is visible and not settled.
#[derive(Clone)]
struct Window {
    /// The state before.
    settled: Arc<dyn Snapshot>,
    /// A time before which nothing of that state is due.
    due_next: Time,
    /// What was committed since and waits for the disk.
    batches: Vec<Arc<Batch>>,
    /// Whether something was acknowledged on top of it.
    is_built_on: bool,
    /// Why it never becomes settled.
    failure: Option<Error>,
}

impl Window {
    fn has(&self, keyspace: Keyspace, key: &[u8]) -> bool {
        self.batches.iter().any(|batch| batch.get(keyspace, key).is_some())
    }
}

impl Views {
    pub(crate) fn new(engine: Arc<dyn Engine>, due_next: Arc<DueNext>) -> Self {
        Views {
            engine,
            due_next,
            has_window: AtomicBool::new(false),
            window: ArcSwapOption::empty(),
            changing: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The state that a read at this level sees, and a time before which nothing of it is due.
    pub(crate) fn snapshot(&self, level: Consistency) -> Result<(Arc<dyn Snapshot>, Time)> {
        loop {
            if level > Consistency::Local
                && let Some(window) = self.window()
            {
                if !window.is_built_on {
                    return Ok((window.settled.clone(), window.due_next));
                }
                self.wait_behind(&window)?;
            }
            let found = self.due_next.of_state(|| self.engine.snapshot())?;
            if level == Consistency::Local || self.window().is_none() {
                return Ok(found);
            }
        }
    }

    /// The value that a read at this level sees.
    #[inline]
    pub(crate) fn get(
        &self,
        level: Consistency,
        keyspace: Keyspace,
        key: &[u8],
    ) -> Result<Option<Blob>> {
        let value = self.engine.get(keyspace, key)?;
        // Whoever made the value visible had opened the window before.
        if level > Consistency::Local && self.has_window.load(Ordering::Acquire) {
            return self.get_settled(value, keyspace, key);
        }
        Ok(value)
    }

    /// The settled value of a key whose visible one is `value`.
    #[cold]
    fn get_settled(
        &self,
        mut value: Option<Blob>,
        keyspace: Keyspace,
        key: &[u8],
    ) -> Result<Option<Blob>> {
        loop {
            match self.window() {
                Some(window) if window.has(keyspace, key) => {
                    if !window.is_built_on {
                        return Ok(window.settled.get(keyspace, key)?);
                    }
                    self.wait_behind(&window)?;
                }
                _ => return Ok(value),
            }
            value = self.engine.get(keyspace, key)?;
        }
    }

    /// Opens the window for a batch that is about to be committed, or takes it into the one that is
    /// open.
    pub(crate) fn open(&self, batch: Arc<Batch>) -> velocitydb_storage::Result<()> {
        let _one = self.changing.lock();
        let window = match self.window.load_full() {
            Some(window) => {
                let mut window = Window::clone(&window);
                window.batches.push(batch);
                window
            }
            None => {
                let (settled, due_next) = self.due_next.of_state(|| self.engine.snapshot())?;
                let batches = vec![batch];
                Window { settled, due_next, batches, is_built_on: false, failure: None }
            }
        };
        self.window.store(Some(Arc::new(window)));
        self.has_window.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Takes the last batch out of the window: it was not committed.
    pub(crate) fn withdraw(&self) {
        self.change(|window| {
            window.batches.pop();
            !window.batches.is_empty()
        });
    }

    /// Notes that something is acknowledged that does not wait for the disk.
    pub(crate) fn build_on(&self) {
        if self.window().is_some_and(|window| !window.is_built_on) {
            self.change(|window| {
                window.is_built_on = true;
                true
            });
        }
    }

    /// Closes the window: everything is on the disk.
    pub(crate) fn settle(&self) {
        self.change(|_| false);
    }

    /// Notes that what is in the window never becomes settled.
    pub(crate) fn fail(&self, error: &Error) {
        self.change(|window| {
            window.failure = Some(error.clone());
            true
        });
    }

    fn window(&self) -> Option<Arc<Window>> {
        if self.has_window.load(Ordering::Acquire) { self.window.load_full() } else { None }
    }

    /// Changes the window; `change` says whether it stays.
    fn change(&self, change: impl FnOnce(&mut Window) -> bool) {
        let _one = self.changing.lock();
        let Some(window) = self.window.load_full() else { return };
        let mut window = Window::clone(&window);
        let stays = change(&mut window);
        if !stays {
            self.has_window.store(false, Ordering::SeqCst);
        }
        self.window.store(stays.then(|| Arc::new(window)));
        self.changed.notify_all();
    }

    /// Waits until a window has changed.
    fn wait_behind(&self, window: &Arc<Window>) -> Result<()> {
        let mut one = self.changing.lock();
        loop {
            match self.window.load_full() {
                Some(now) => match &now.failure {
                    Some(failure) => return Err(failure.clone()),
                    None if !Arc::ptr_eq(&now, window) => return Ok(()),
                    None => self.changed.wait(&mut one),
                },
                None => return Ok(()),
            }
        }
    }
}
