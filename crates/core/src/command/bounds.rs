//! The limits of a [`Command`](super::Command) as a whole, checked when it is encoded and when it is
//! decoded, so that every node decodes what any node encodes. The types of its parts check their own
//! limits.

use super::{Action, Body, Command, LeaseChange};
use crate::limits::{
    COMMAND_BYTES_MAX, COMMAND_CHECKS_MAX, COMMAND_OPERATIONS_MAX, UPDATE_OPERATIONS_MAX,
};
use crate::{Error, Result};

/// Checks the length of an encoding.
pub(super) fn check_bytes(found: usize) -> Result<()> {
    bound(
        "the size of one command (its documents, updates, filters and checks) in bytes",
        found,
        COMMAND_BYTES_MAX,
    )
}

/// Checks how many parts a command has.
pub(super) fn check_parts(command: &Command) -> Result<()> {
    match &command.body {
        Body::Write(write) => {
            check_checks(write.checks.len())?;
            check_operations(write.operations.len())?;
            write.operations.iter().try_for_each(|operation| check_action(&operation.action))
        }
        Body::Modify(modify) => check_action(&modify.action),
        _ => Ok(()),
    }
}

fn check_action(action: &Action) -> Result<()> {
    match action {
        Action::Settle(_, LeaseChange::Begin(begun)) => check_set(begun.set.len()),
        Action::Import(_, origin) => origin.check(),
        _ => Ok(()),
    }
}

/// Checks how many paths a claim sets: no more than one update can.
pub(super) fn check_set(found: usize) -> Result<()> {
    bound("number of paths that one claim sets", found, UPDATE_OPERATIONS_MAX)
}

/// Checks how many checks there are.
pub(super) fn check_checks(found: usize) -> Result<()> {
    bound("number of checks in one command", found, COMMAND_CHECKS_MAX)
}

/// Checks how many operations there are.
pub(super) fn check_operations(found: usize) -> Result<()> {
    bound("number of operations in one command", found, COMMAND_OPERATIONS_MAX)
}

fn bound(what: &'static str, found: usize, max: usize) -> Result<()> {
    if found <= max {
        return Ok(());
    }
    Err(Error::LimitExceeded { what: what.into(), path: String::new(), found, max })
}
