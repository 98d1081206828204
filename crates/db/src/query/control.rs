//! [`Control`]: what a query may take, and whether it is to stop.

use std::cell::Cell;

use velocitydb_core::limits;

use crate::cancellation::Cancellation;
use crate::{Error, Result};

/// What a query may take.
#[derive(Debug)]
pub(crate) struct Control {
    /// None for commands, which are applied to their end.
    cancellation: Option<Cancellation>,
    memory_bytes_max: usize,
    memory_bytes: Cell<usize>,
    ticks: Cell<u32>,
}

/// How many steps are taken between two looks at the clock: some ten microseconds.
const TICKS: u32 = 128;

impl Control {
    /// With so many bytes of memory, until it is cancelled.
    pub(crate) fn new(cancellation: Option<Cancellation>, memory_bytes_max: usize) -> Self {
        let (memory_bytes, ticks) = (Cell::new(0), Cell::new(0));
        Control { cancellation, memory_bytes_max, memory_bytes, ticks }
    }

    /// Without an end before its own: commands are applied to it, on every replica.
    pub(crate) fn of_command() -> Self {
        Self::new(None, limits::QUERY_MEMORY_BYTES_MAX)
    }

    /// One more step. Fails when it is to stop.
    #[inline]
    pub(crate) fn step(&self) -> Result<()> {
        let ticks = self.ticks.get() + 1;
        self.ticks.set(ticks % TICKS);
        if ticks == TICKS { self.check() } else { Ok(()) }
    }

    /// Fails when it is to stop.
    pub(crate) fn check(&self) -> Result<()> {
        self.cancellation.as_ref().map_or(Ok(()), Cancellation::check)
    }

    /// Takes so many bytes of memory for `what`. Fails when they are too many.
    pub(crate) fn take(&self, what: &'static str, bytes: usize) -> Result<()> {
        let found = self.memory_bytes.get() + bytes;
        self.memory_bytes.set(found);
        if found <= self.memory_bytes_max {
            return Ok(());
        }
        let (place, max) = (String::new(), self.memory_bytes_max);
        Err(Error::MemoryExceeded { what: what.into(), place, found, max })
    }

    /// Gives bytes back.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.memory_bytes.set(self.memory_bytes.get().saturating_sub(bytes));
    }
}

/// Whether a query is to be stopped for a while.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    is_wanted: Cell<bool>,
    is_unread: Cell<bool>,
}

impl Pause {
    /// Asks for a stop, which comes at once or once those that a sort does not tell apart are shown.
    pub(crate) fn want(&self) {
        self.is_wanted.set(true);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.get()
    }

    /// Notes that the document that was come to last is not shown, so that it comes again.
    pub(super) fn leave_unread(&self) {
        self.is_unread.set(true);
    }

    pub(super) fn is_unread(&self) -> bool {
        self.is_unread.get()
    }
}
