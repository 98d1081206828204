//! [`Control`]: the memory limit of a query, and its cancellation.

use std::cell::Cell;

use velocitydb_core::limits;

use crate::cancellation::Cancellation;
use crate::{Error, Result};

/// The memory limit and the cancellation of a query.
#[derive(Debug)]
pub(crate) struct Control {
    /// `None` for commands, which are applied to their end.
    cancellation: Option<Cancellation>,
    memory_bytes_max: usize,
    memory_bytes: Cell<usize>,
    ticks: Cell<u32>,
}

/// How many steps are taken between two checks of the clock: some ten microseconds.
const TICKS: u32 = 128;

impl Control {
    /// With a limit of memory in bytes, and a cancellation.
    pub(crate) fn new(cancellation: Option<Cancellation>, memory_bytes_max: usize) -> Self {
        let (memory_bytes, ticks) = (Cell::new(0), Cell::new(0));
        Control { cancellation, memory_bytes_max, memory_bytes, ticks }
    }

    /// Without a limit or a cancellation: commands are applied to their end, on every replica.
    pub(crate) fn of_command() -> Self {
        Self::new(None, limits::QUERY_MEMORY_BYTES_MAX)
    }

    /// Counts a step. Fails when the query was cancelled.
    #[inline]
    pub(crate) fn step(&self) -> Result<()> {
        let ticks = self.ticks.get() + 1;
        self.ticks.set(ticks % TICKS);
        if ticks == TICKS { self.check() } else { Ok(()) }
    }

    /// Fails when the query was cancelled.
    pub(crate) fn check(&self) -> Result<()> {
        self.cancellation.as_ref().map_or(Ok(()), Cancellation::check)
    }

    /// Reserves memory for `what`. Fails when the limit is exceeded.
    pub(crate) fn take(&self, what: &'static str, bytes: usize) -> Result<()> {
        let found = self.memory_bytes.get() + bytes;
        self.memory_bytes.set(found);
        if found <= self.memory_bytes_max {
            return Ok(());
        }
        let (place, max) = (String::new(), self.memory_bytes_max);
        Err(Error::MemoryExceeded { what: what.into(), place, found, max })
    }

    /// Frees reserved bytes.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.memory_bytes.set(self.memory_bytes.get().saturating_sub(bytes));
    }
}

/// A request to suspend a query.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    is_wanted: Cell<bool>,
    is_unread: Cell<bool>,
}

impl Pause {
    /// Asks the query to suspend: at once, or after the documents with equal sort keys have been
    /// shown.
    pub(crate) fn want(&self) {
        self.is_wanted.set(true);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.get()
    }

    /// Notes that the last document was not shown, so that it comes again.
    pub(super) fn leave_unread(&self) {
        self.is_unread.set(true);
    }

    pub(super) fn is_unread(&self) -> bool {
        self.is_unread.get()
    }
}
