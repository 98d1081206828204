//! Commands that are not applied: the state rejects them, or this node fails.
//!
//! While a command is applied both are errors, propagated by `?`. Where they leave the machine they get
//! different types. A [`Rejection`] is an answer: a function of the state and the command, which every
//! machine with that state gives. A [`Fatal`] is not an answer, since another node may be able to read what
//! this one could not: it stops the machine, so that nothing is built on an incomplete state.

use velocitydb_core::wire::Wire;
use velocitydb_core::wire_enum;

use super::Reply;
use crate::Error;
use crate::error::RefusedBatch;

/// The result of applying a command.
pub(crate) type Answer = std::result::Result<Reply, Rejection>;

/// Why a command is not valid in this state. It had no effect.
#[derive(Debug, Clone)]
pub(crate) struct Rejection(Error);

/// Why this node cannot apply a command: storage failed, or reports its bytes as damaged.
#[derive(Debug, Clone)]
pub(crate) struct Fatal(Error);

impl Rejection {
    /// The error as a rejection, unless it is a failure of this node.
    ///
    /// Stored bytes that storage reports as intact and that are not valid ([`Error::Corrupt`]) are part of
    /// the state, the same on every node, and so the command is rejected.
    pub(super) fn of(error: Error) -> std::result::Result<Self, Fatal> {
        match error {
            Error::Invalid(_)
            | Error::NotFound { .. }
            | Error::AlreadyExists { .. }
            | Error::Duplicate { .. }
            | Error::SchemaViolation { .. }
            | Error::Inapplicable { .. }
            | Error::VersionMismatch { .. }
            | Error::ConditionFailed { .. }
            | Error::NotLeased { .. }
            | Error::Conflict
            | Error::CollectionExists { .. }
            | Error::NoCollection { .. }
            | Error::IndexExists { .. }
            | Error::NoIndex { .. }
            | Error::IndexFailed { .. }
            | Error::SchemaSuperseded { .. }
            | Error::SchemaViolated { .. }
            | Error::MemoryExceeded { .. }
            | Error::CommandTooLarge { .. }
            | Error::RequestReused { .. }
            | Error::Corrupt { .. } => Ok(Rejection(error)),
            Error::Storage(_)
            | Error::Thread { .. }
            | Error::InUse { .. }
            | Error::StateVersion { .. }
            | Error::NotMigrated { .. }
            | Error::OutcomeUnknown { .. } => Err(Fatal(error)),
            // Errors of handles, which the state never gives: a machine that does must not continue.
            Error::LeaseLost { .. }
            | Error::TooManyLeases { .. }
            | Error::Unfinished { .. }
            | Error::Contention { .. }
            | Error::ConsistencyTooWeak { .. }
            | Error::Type { .. }
            | Error::DeadlineExceeded
            | Error::Cancelled
            | Error::Overloaded { .. }
            | Error::AlreadyApplied { .. } => Err(Fatal(error)),
        }
    }
}

// The errors that reject a command. No others are encoded.
wire_enum!(Error {
    0 Invalid(error);
    1 NotFound { collection, id, batch };
    2 AlreadyExists { collection, id, version, batch };
    3 Duplicate { collection, id, index, other, batch };
    4 SchemaViolation { collection, id, violations, batch };
    5 Inapplicable { collection, id, reason, batch };
    6 VersionMismatch { collection, id, expected, found, batch };
    7 ConditionFailed { collection, id, path, version, batch };
    8 NotLeased { collection, id, version, batch };
    9 Conflict;
    10 CollectionExists { collection };
    11 NoCollection { collection };
    12 IndexExists { collection, index };
    13 NoIndex { collection, index };
    14 IndexFailed { collection, index, reason };
    15 SchemaSuperseded { collection };
    16 SchemaViolated { collection, count, offenders };
    17 MemoryExceeded { what, place, found, max };
    18 CommandTooLarge { what, found, max };
    19 RequestReused { request };
    20 Corrupt { place, what };
    else unreachable!("an error that is not a rejection")
});

impl Wire for Box<RefusedBatch> {
    fn put(&self, out: &mut Vec<u8>) {
        self.position.put(out);
        self.outcomes.put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let (position, outcomes) = Wire::take(bytes)?;
        Some(Box::new(RefusedBatch { position, outcomes }))
    }
}

impl Wire for Rejection {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Error::take(bytes).map(Rejection)
    }
}

impl Fatal {
    pub(super) fn new(error: Error) -> Self {
        Fatal(error)
    }

    /// The error of later calls.
    pub(super) fn to_poisoned(&self) -> Error {
        match &self.0 {
            Error::Storage(poisoned @ velocitydb_storage::Error::Poisoned { .. }) => {
                poisoned.clone().into()
            }
            error => velocitydb_storage::Error::Poisoned { reason: error.to_string() }.into(),
        }
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        rejection.0
    }
}

impl From<Fatal> for Error {
    fn from(fatal: Fatal) -> Self {
        fatal.0
    }
}
