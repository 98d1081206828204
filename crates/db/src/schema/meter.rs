//! [`Meter`]: how many steps one validation may take, and how many it has taken.

use std::cell::Cell;

use velocitydb_core::RawObject;

/// How many steps validating a document takes at the most, beside those for its size.
///
/// One check of a value by a rule is one step and takes some nanoseconds; matching patterns and
/// comparing large values takes more steps.
pub const STEPS_MAX: u64 = 10_000_000;

/// How many further steps it takes for each encoded byte.
///
/// The shortest element of a large array has six bytes, so that twelve rules can check each.
pub const STEPS_PER_BYTE: u64 = 2;

/// How many bytes one step covers if they are only read.
pub(super) const BYTES_PER_STEP: u64 = 32;

/// Counts the steps of one validation, and records damage.
///
/// When the steps are used up, every value appears as null and every container as empty, so that
/// the validator ends soon; its result then means nothing.
pub(super) struct Meter {
    left: Cell<u64>,
    corrupt: Cell<Option<velocitydb_core::Error>>,
    pub(super) weights: Weights,
}

/// The cost of reading a value beyond one step, which depends on the schema.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weights {
    /// Steps per byte of a string, for the heaviest pattern that may be matched against it.
    pub(super) string_byte: u64,
    /// Steps per byte of a field's name, for all patterns that are matched against names.
    pub(super) name_byte: u64,
    /// Steps per field name, for the schema of names.
    pub(super) name: u64,
}

impl Meter {
    /// With a number of steps.
    pub(super) fn new(steps: u64, weights: Weights) -> Self {
        Meter { left: Cell::new(steps), corrupt: Cell::new(None), weights }
    }

    /// Whether the steps were used up.
    pub(super) fn is_exhausted(&self) -> bool {
        self.left.get() == 0
    }

    /// The damage that was found, if any.
    pub(super) fn take_corruption(&self) -> Option<velocitydb_core::Error> {
        self.corrupt.take()
    }

    /// Takes one step.
    #[inline]
    pub(super) fn take_step(&self) -> bool {
        self.spend(1)
    }

    /// Takes steps, and returns whether enough were left.
    #[inline]
    pub(super) fn spend(&self, steps: u64) -> bool {
        let left = self.left.get().saturating_sub(steps);
        self.left.set(left);
        left > 0
    }

    /// The value that was read, or `None` if it was damaged; then nothing else is read either.
    #[inline]
    pub(super) fn read<T>(&self, result: velocitydb_core::Result<T>) -> Option<T> {
        result
            .map_err(|error| {
                self.corrupt.set(Some(error));
                self.left.set(0);
            })
            .ok()
    }
}

/// How many steps may be taken for a document.
pub(super) fn steps_max(fields: RawObject<'_>) -> u64 {
    STEPS_MAX + STEPS_PER_BYTE * fields.as_encoded().len() as u64
}
