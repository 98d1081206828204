//! What a running pipeline needs from its caller: other collections, the time, and whether to
//! go on. Owns the counting of memory; reads no clock.

use std::cell::Cell;
use std::ops::ControlFlow;

use super::measure::Measure;
use super::row::Row;
use crate::limits::{DEPTH_MAX, QUERY_MEMORY_BYTES_MAX};
use crate::{Error, Filter, Result, Time, Value};

/// What a running pipeline needs from its caller.
pub trait Context {
    /// Passes the documents of a collection that match a filter to `found`, in the order of their
    /// ids, until it breaks or fails. A collection that does not exist is empty.
    ///
    /// # Errors
    ///
    /// Those of `found`, and the implementer's own.
    fn lookup(
        &self,
        collection: &str,
        filter: &Filter,
        found: &mut dyn FnMut(Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()>;

    /// The time that `$$NOW` stands for, the same during the whole run.
    fn now(&self) -> Time;

    /// Fails when the pipeline is to stop, with [`Error::DeadlineExceeded`] for instance. It is
    /// called once in a thousand rows, iterations or comparisons.
    ///
    /// # Errors
    ///
    /// The error that the pipeline is to fail with.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// How many bytes of memory the pipeline may hold.
    fn memory_bytes_max(&self) -> usize {
        QUERY_MEMORY_BYTES_MAX
    }
}

/// A context without other collections.
///
/// ```
/// use velocitydb_core::aggregate::{Pipeline, SingleCollection};
/// use velocitydb_core::{Time, object};
///
/// let pipeline = Pipeline::new().count("n");
/// let rows = [object! { "a": 1 }, object! { "a": 2 }];
/// assert_eq!(pipeline.run(&SingleCollection(Time::UNIX_EPOCH), rows)?, [object! { "n": 2 }]);
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SingleCollection(
    /// The time that `$$NOW` stands for.
    pub Time,
);

impl Context for SingleCollection {
    fn lookup(
        &self,
        _collection: &str,
        _filter: &Filter,
        _found: &mut dyn FnMut(Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        Ok(())
    }

    fn now(&self) -> Time {
        self.0
    }
}

/// The state that all stages of one run share.
pub(super) struct Shared<'c> {
    pub(super) context: &'c dyn Context,
    pub(super) now: Value,
    memory_max: usize,
    memory: Cell<usize>,
    ticks: Cell<u32>,
}

/// How many steps are taken between two checks of the deadline.
pub(super) const STEPS_PER_CHECK: u32 = 1_000;

impl<'c> Shared<'c> {
    pub(super) fn new(context: &'c dyn Context) -> Self {
        Self {
            context,
            now: Value::Time(context.now()),
            memory_max: context.memory_bytes_max(),
            memory: Cell::new(0),
            ticks: Cell::new(STEPS_PER_CHECK - 1),
        }
    }

    /// Counts a step, and checks the deadline once in [`STEPS_PER_CHECK`] steps.
    #[inline]
    pub(super) fn step(&self) -> Result<()> {
        let ticks = self.ticks.get() + 1;
        if ticks < STEPS_PER_CHECK {
            self.ticks.set(ticks);
            return Ok(());
        }
        self.ticks.set(0);
        self.context.check()
    }

    /// Checks the size of a value that is being built, and is not counted yet.
    pub(super) fn admit(&self, operator: &'static str, measure: Measure) -> Result<()> {
        if measure.depth > DEPTH_MAX {
            return Err(Error::LimitExceeded {
                what: "nesting depth of a value".into(),
                path: operator.to_owned(),
                found: measure.depth,
                max: DEPTH_MAX,
            });
        }
        let found = self.memory.get().saturating_add(measure.bytes);
        if found > self.memory_max {
            return Err(self.exhausted(operator, found));
        }
        Ok(())
    }

    fn exhausted(&self, place: &str, found: usize) -> Error {
        let what = "query memory in bytes";
        Error::MemoryExceeded {
            what: what.into(),
            place: place.to_owned(),
            found,
            max: self.memory_max,
        }
    }
}

/// The memory that one stage holds.
#[derive(Debug, Default)]
pub(super) struct Held(usize);

impl Held {
    /// Counts more bytes, for the stage at a place.
    #[inline]
    pub(super) fn add(&mut self, shared: &Shared<'_>, place: &str, bytes: usize) -> Result<()> {
        let found = shared.memory.get().saturating_add(bytes);
        if found > shared.memory_max {
            return Err(shared.exhausted(place, found));
        }
        shared.memory.set(found);
        self.0 += bytes;
        Ok(())
    }

    /// Frees bytes.
    pub(super) fn give_back(&mut self, shared: &Shared<'_>, bytes: usize) {
        let bytes = bytes.min(self.0);
        self.0 -= bytes;
        shared.memory.set(shared.memory.get() - bytes);
    }

    /// Frees all bytes.
    pub(super) fn clear(&mut self, shared: &Shared<'_>) {
        self.give_back(shared, self.0);
    }
}
