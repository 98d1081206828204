//! What becomes of a command that is not applied: the state rejects it, or this node fails.
//!
//! While a command is applied both are errors, handed up by `?`. Where they leave the machine they
//! are told apart, and from there on they have different types. A [`Rejection`] is an answer: a
//! function of the state and the command, which every machine with that state gives. A [`Fatal`] is
//! none, since another node may well read what this one could not: it stops the machine, so that
//! nothing that follows is built on what was left out.

use super::Reply;
use crate::Error;

/// What the state says to a command.
pub(crate) type Answer = std::result::Result<Reply, Rejection>;

/// Why the state does not take a command. Nothing of it was done.
#[derive(Debug, Clone)]
pub(crate) struct Rejection(Error);

/// Why this node cannot say what becomes of a command: storage failed, or its bytes are damaged.
#[derive(Debug, Clone)]
pub(crate) struct Fatal(Error);

impl Rejection {
    /// The rejection that an error is, unless it says that the node failed.
    ///
    /// Stored bytes that storage vouches for and that mean nothing ([`Error::Corrupt`]) are a part of
    /// the state, the same on every node that has it, and so they reject.
    pub(super) fn of(error: Error) -> std::result::Result<Self, Fatal> {
        match error {
            Error::Storage(_)
            | Error::Thread { .. }
            | Error::InUse { .. }
            | Error::StateVersion { .. }
            | Error::OutcomeUnknown { .. } => Err(Fatal(error)),
            Error::Invalid(_)
            | Error::NotFound { .. }
            | Error::AlreadyExists { .. }
            | Error::Duplicate { .. }
            | Error::SchemaViolation { .. }
            | Error::Inapplicable { .. }
            | Error::VersionMismatch { .. }
            | Error::ConditionFailed { .. }
            | Error::NotLeased { .. }
            | Error::LeaseLost { .. }
            | Error::TooManyLeases { .. }
            | Error::Unfinished { .. }
            | Error::Conflict
            | Error::Contention { .. }
            | Error::CollectionExists { .. }
            | Error::NoCollection { .. }
            | Error::IndexExists { .. }
            | Error::NoIndex { .. }
            | Error::IndexFailed { .. }
            | Error::SchemaSuperseded { .. }
            | Error::SchemaViolated { .. }
            | Error::ConsistencyTooWeak { .. }
            | Error::Type { .. }
            | Error::DeadlineExceeded
            | Error::Cancelled
            | Error::MemoryExceeded { .. }
            | Error::CommandTooLarge { .. }
            | Error::Overloaded { .. }
            | Error::RequestReused { .. }
            | Error::DoneBefore { .. }
            | Error::Corrupt { .. } => Ok(Rejection(error)),
        }
    }
}

impl Fatal {
    pub(super) fn new(error: Error) -> Self {
        Fatal(error)
    }

    /// What whoever comes later is told.
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
