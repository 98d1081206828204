//! [`Clock`]: which commits are visible, and which superseded versions a snapshot can still see.
//!
//! ```text
//!   writer    link records of commit 8 ──▶ visible = 8 ──▶ unlink what 8 superseded
//!   get                 newest version? of 8, not visible ──▶ the one before it ──▶ still 7? done
//!   snapshot  opened at 7 ───────────── the newest version up to 7, always there ─────────▶ closed
//! ```
//!
//! Every commit has a number, and its records carry it. They are linked before they are visible;
//! one store of `visible` makes them all visible. A version that was superseded is unlinked unless
//! a snapshot between the two is open, so a version that a snapshot can see is always linked.
//!
//! A get needs no snapshot: if the newest version is visible, that is the result. If not, the get
//! follows the links to the newest visible version, and takes it if no commit has become visible
//! meanwhile; otherwise the writer may have unlinked a version concurrently, and the get starts
//! again. It repeats only when a commit succeeded, so it never waits for one.
//!
//! This file uses the atomics and locks of its parent, so that the tests can run it on modelled
//! ones. It must not know how records are found or freed.

use std::collections::BTreeMap;

use super::sync::{AtomicU64, Mutex, MutexGuard, Ordering};

/// How many commits `settled` may lag behind.
const SETTLED_LAG: u64 = 256;

/// One version of a key.
pub(super) trait Version: Copy {
    /// The number of the commit that wrote it.
    fn sequence(self) -> u64;
    /// The version that it superseded, unless that is unlinked.
    fn previous(self) -> Option<Self>;
}

/// The numbers of commits that readers and the writer agree on.
pub(super) struct Clock {
    visible: Line,
    /// Not above `visible`, and written rarely, so that it stays in the caches of readers while
    /// the writer commits.
    settled: Line,
    snapshots: Mutex<Snapshots>,
}

/// A number in cache lines of its own.
#[repr(align(128))]
struct Line(AtomicU64);

/// The open snapshots.
#[derive(Default)]
struct Snapshots {
    /// How many there are of each commit.
    open: BTreeMap<u64, u64>,
    count: u64,
    /// Counts openings and closings, to detect an outdated copy.
    changes: u64,
}

/// A copy of the open snapshots, for the writer.
#[derive(Default)]
pub(super) struct OpenSnapshots {
    sequences: Vec<u64>,
    changes: u64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Clock {
            visible: Line(AtomicU64::new(0)),
            settled: Line(AtomicU64::new(0)),
            snapshots: Mutex::new(Snapshots::default()),
        }
    }

    /// The newest commit that is visible.
    pub(super) fn visible(&self) -> u64 {
        self.visible.0.load(Ordering::Acquire)
    }

    /// Makes commit `sequence` visible, all of whose records are linked. For the writer alone.
    pub(super) fn publish(&self, sequence: u64) {
        self.visible.0.store(sequence, Ordering::Release);
        if sequence.is_multiple_of(SETTLED_LAG) {
            self.settled.0.store(sequence, Ordering::Release);
        }
    }

    /// The newest visible version, where `find` finds the newest one that is linked.
    #[inline]
    pub(super) fn newest<V: Version>(&self, find: impl Fn() -> Option<V>) -> Option<V> {
        loop {
            let newest = find()?;
            if newest.sequence() <= self.settled.0.load(Ordering::Acquire) {
                return Some(newest);
            }
            // Loaded after the version was found: if that was removed and inserted again, the
            // removal is visible at this number.
            let visible = self.visible();
            let version = version_at(Some(newest), visible);
            let is_newest = newest.sequence() <= visible;
            if is_newest || self.visible() == visible {
                return version;
            }
        }
    }

    /// Opens a snapshot of the newest visible commit, which is returned.
    pub(super) fn open_snapshot(&self) -> u64 {
        let mut snapshots = self.snapshots();
        // Loaded under the lock: the writer has either seen the snapshot when it looks, or the
        // snapshot sees the commit after which the writer looks.
        let sequence = self.visible();
        *snapshots.open.entry(sequence).or_default() += 1;
        snapshots.count += 1;
        snapshots.changes += 1;
        sequence
    }

    /// Closes a snapshot of commit `sequence`.
    pub(super) fn close_snapshot(&self, sequence: u64) {
        let mut snapshots = self.snapshots();
        let open = snapshots.open.get_mut(&sequence);
        let open = open.expect("a snapshot is closed once");
        *open -= 1;
        if *open == 0 {
            snapshots.open.remove(&sequence);
        }
        snapshots.count -= 1;
        snapshots.changes += 1;
    }

    /// How many snapshots are open.
    pub(super) fn snapshots_open(&self) -> u64 {
        self.snapshots().count
    }

    fn snapshots(&self) -> MutexGuard<'_, Snapshots> {
        self.snapshots.lock().expect("no holder of the lock panics")
    }
}

impl OpenSnapshots {
    /// Updates the copy. Returns whether anything has changed.
    pub(super) fn refresh(&mut self, clock: &Clock) -> bool {
        let snapshots = clock.snapshots();
        let changed = self.changes != snapshots.changes;
        if changed {
            self.changes = snapshots.changes;
            self.sequences.clear();
            self.sequences.extend(snapshots.open.keys());
        }
        changed
    }

    /// Whether a snapshot sees a version that commit `written` wrote and `superseded` superseded.
    pub(super) fn see(&self, written: u64, superseded: u64) -> bool {
        let from = self.sequences.partition_point(|open| *open < written);
        self.sequences.get(from).is_some_and(|open| *open < superseded)
    }
}

/// The newest version up to commit `sequence`, from `newest` on.
#[inline]
pub(super) fn version_at<V: Version>(newest: Option<V>, sequence: u64) -> Option<V> {
    let mut version = newest;
    while let Some(newer) = version
        && newer.sequence() > sequence
    {
        version = newer.previous();
    }
    version
}
