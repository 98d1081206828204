//! [`Views`]: which state readers see while writes wait for an fsync.
//!
//! Becoming visible and becoming durable are two steps. A group of commands that wait for the disk is
//! committed first, so that the next commands see its effects, and then fsynced, which delays no other
//! command. In between it is in the *window*:
//!
//! ```text
//!        commit 1     commit 2      fsync of 1 done           fsync of 2 done
//!  ─────────┼────────────┼────────────────┼─────────────────────────┼──────────▶
//!  settled ─┘ window {1} │  window {1, 2} └── settled, window {2}   └── settled = visible
//! ```
//!
//! - Reads at `local` see the *visible* state, with all that was committed.
//! - All others see the *settled* state, which no crash undoes except for `local` writes: without a
//!   window the visible state, and with one the state before its first commit. It lacks no
//!   acknowledged write.
//! - Except `local` ones: a write at `local` does not wait for the disk, and is acknowledged on top of
//!   the window. Then other reads wait until it is settled, since no state has it without the commits
//!   before it.
//!
//! A point read looks at the newest value first, and then checks whether the window affects its key.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::{Condvar, Mutex};
use velocitydb_core::{Consistency, Time};
use velocitydb_storage::{Batch, Blob, Engine, Keyspace, Snapshot};

use crate::state::DueNext;
use crate::{Error, Result};

/// What readers see.
pub(crate) struct Views {
    engine: Arc<dyn Engine>,
    due_next: Arc<DueNext>,
    /// Whether there is a window. It is set before a commit makes anything visible.
    has_window: AtomicBool,
    window: ArcSwapOption<Window>,
    /// The number of the last commit that is settled.
    settled: AtomicU64,
    /// Locked briefly to change the window; the number of the last commit in it.
    changing: Mutex<u64>,
    changed: Condvar,
}

/// The commits that are visible and not settled: at least one, in order.
#[derive(Clone, Default)]
struct Window {
    commits: VecDeque<Arc<Unsettled>>,
    /// Why it never becomes settled.
    failure: Option<Error>,
}

/// A commit that waits for the disk.
struct Unsettled {
    number: u64,
    /// The state before it, including commits since then that do not wait for the disk.
    before: Arc<dyn Snapshot>,
    /// A time before which nothing of that state is due.
    due_next: Time,
    batch: Arc<Batch>,
    /// Whether it drops a collection, whose documents later commits may remove.
    drops: bool,
    /// Whether something was acknowledged on top of it.
    is_built_on: AtomicBool,
}

impl Window {
    fn first(&self) -> &Unsettled {
        &self.commits[0]
    }

    /// Whether it may affect a key.
    fn has(&self, keyspace: Keyspace, key: &[u8]) -> bool {
        let has = |commit: &Arc<Unsettled>| commit.batch.get(keyspace, key).is_some();
        self.commits.iter().any(|commit| commit.drops || has(commit))
    }

    /// The number of the last commit that something was acknowledged on top of; 0 if there is none.
    fn built_on(&self) -> u64 {
        let mut commits = self.commits.iter().rev();
        let last = commits.find(|commit| commit.is_built_on.load(Ordering::Acquire));
        last.map_or(0, |commit| commit.number)
    }
}

impl Views {
    pub(crate) fn new(engine: Arc<dyn Engine>, due_next: Arc<DueNext>) -> Self {
        Views {
            engine,
            due_next,
            has_window: AtomicBool::new(false),
            window: ArcSwapOption::empty(),
            settled: AtomicU64::new(0),
            changing: Mutex::new(0),
            changed: Condvar::new(),
        }
    }

    /// The state that a read at this level sees, and a time before which nothing of it is due.
    pub(crate) fn snapshot(&self, level: Consistency) -> Result<(Arc<dyn Snapshot>, Time)> {
        // The read waits for what was acknowledged when it began, and not for what is acknowledged
        // while it waits.
        let mut needed = None;
        loop {
            if level > Consistency::Local
                && let Some(window) = self.window()
            {
                let needed = *needed.get_or_insert_with(|| window.built_on());
                let first = window.first();
                if needed < first.number {
                    return Ok((first.before.clone(), first.due_next));
                }
                self.wait_for(needed)?;
                continue;
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
        // The window was opened before the value became visible.
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
        let mut needed = None;
        loop {
            let Some(window) = self.window().filter(|window| window.has(keyspace, key)) else {
                return Ok(value);
            };
            let needed = *needed.get_or_insert_with(|| window.built_on());
            let first = window.first();
            if needed < first.number {
                return Ok(first.before.get(keyspace, key)?);
            }
            self.wait_for(needed)?;
            value = self.engine.get(keyspace, key)?;
        }
    }

    /// Adds a batch that is about to be committed to the window; `drops` is whether it drops a
    /// collection. Returns the number of the commit; the caller calls this for one batch at a time.
    pub(crate) fn open(&self, batch: Arc<Batch>, drops: bool) -> velocitydb_storage::Result<u64> {
        let mut last = self.changing.lock();
        let (before, due_next) = self.due_next.of_state(|| self.engine.snapshot())?;
        let number = *last + 1;
        let is_built_on = AtomicBool::new(false);
        let commit = Unsettled { number, before, due_next, batch, drops, is_built_on };
        let window = self.window.load_full();
        let mut window = window.map_or_else(Window::default, |window| Window::clone(&window));
        window.commits.push_back(Arc::new(commit));
        *last = number;
        self.window.store(Some(Arc::new(window)));
        self.has_window.store(true, Ordering::SeqCst);
        Ok(number)
    }

    /// Removes the last commit from the window: it failed.
    pub(crate) fn withdraw(&self, number: u64) {
        self.change(|window| window.commits.retain(|commit| commit.number != number));
    }

    /// Notes that a write that does not wait for the disk is acknowledged on top of the window. Never
    /// called during a commit.
    pub(crate) fn build_on(&self) {
        if let Some(commit) = self.window().as_ref().and_then(|window| window.commits.back()) {
            commit.is_built_on.store(true, Ordering::Release);
        }
    }

    /// The number of the last commit in the window, on which the visible state may depend.
    pub(crate) fn last(&self) -> Option<u64> {
        self.window().and_then(|window| window.commits.back().map(|commit| commit.number))
    }

    /// Notes that the commits up to a number are fsynced.
    pub(crate) fn settle(&self, number: u64) {
        self.change(|window| {
            while window.commits.front().is_some_and(|commit| commit.number <= number) {
                window.commits.pop_front();
            }
        });
        self.settled.fetch_max(number, Ordering::Release);
    }

    /// Whether a commit is fsynced.
    pub(crate) fn is_settled(&self, number: u64) -> bool {
        self.settled.load(Ordering::Acquire) >= number
    }

    /// Notes that the commits in the window will never be settled.
    pub(crate) fn fail(&self, error: &Error) {
        self.change(|window| window.failure = Some(error.clone()));
    }

    fn window(&self) -> Option<Arc<Window>> {
        if self.has_window.load(Ordering::Acquire) { self.window.load_full() } else { None }
    }

    /// Changes the window, and removes it when it is empty.
    fn change(&self, change: impl FnOnce(&mut Window)) {
        let _one = self.changing.lock();
        let Some(window) = self.window.load_full() else { return };
        let mut window = Window::clone(&window);
        change(&mut window);
        let stays = !window.commits.is_empty();
        if !stays {
            self.has_window.store(false, Ordering::SeqCst);
        }
        self.window.store(stays.then(|| Arc::new(window)));
        self.changed.notify_all();
    }

    /// Waits until a commit is settled or withdrawn.
    fn wait_for(&self, number: u64) -> Result<()> {
        let mut changing = self.changing.lock();
        while let Some(window) = self.window.load_full() {
            if window.first().number > number {
                return Ok(());
            }
            if let Some(failure) = &window.failure {
                return Err(failure.clone());
            }
            self.changed.wait(&mut changing);
        }
        Ok(())
    }
}
