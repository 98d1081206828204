//! [`Meter`]: how many steps one validation may take, and how many it has taken.

use std::cell::Cell;

use velocitydb_core::RawObject;

/// How many steps validating a document takes at the most, beside those for its size.
///
/// A look of a rule at a value is one step and takes some nanoseconds; matching patterns and
/// comparing large values takes more.
pub const STEPS_MAX: u64 = 10_000_000;

/// How many further steps it takes for each encoded byte.
///
/// The shortest element of a large array has six bytes, so that twelve rules can look at each.
pub const STEPS_A_BYTE: u64 = 2;

/// How many bytes are read in one step where they are only read.
pub(super) const BYTES_A_STEP: u64 = 32;

/// Counts the steps of one validation, and notes damage.
///
/// When the steps are used up, everything looks like null and every container looks empty, so that
/// the validator comes to an end; what it says then means nothing.
pub(super) struct Meter {
    left: Cell<u64>,
    corrupt: Cell<Option<velocitydb_core::Error>>,
    pub(super) weights: Weights,
}

/// What looks cost beyond one step, since the schema does more with what is seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weights {
    /// Steps a byte of a string, for the heaviest pattern that may be matched against it.
    pub(super) string_byte: u64,
    /// Steps a byte of a field's name, for all patterns that are matched against names.
    pub(super) name_byte: u64,
    /// Steps a field's name, for the schema of names.
    pub(super) name: u64,
}

impl Meter {
    /// So many steps.
    pub(super) fn new(steps: u64, weights: Weights) -> Self {
        Meter { left: Cell::new(steps), corrupt: Cell::new(None), weights }
    }

    /// Whether the steps were used up.
    pub(super) fn is_exhausted(&self) -> bool {
        self.left.get() == 0
    }

    /// The damage that was met, if any was.
    pub(super) fn take_corruption(&self) -> Option<velocitydb_core::Error> {
        self.corrupt.take()
    }

    /// Takes one look of one step.
    #[inline]
    pub(super) fn look(&self) -> bool {
        self.spend(1)
    }

    /// Takes steps, and says whether there were as many.
    #[inline]
    pub(super) fn spend(&self, steps: u64) -> bool {
        let left = self.left.get().saturating_sub(steps);
        self.left.set(left);
        left > 0
    }

    /// What was read, or nothing where it was damaged; then nothing else is looked at either.
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
    STEPS_MAX + STEPS_A_BYTE * fields.as_encoded().len() as u64
}
