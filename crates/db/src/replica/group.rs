//! [`Group`]: commands that are applied to one batch and committed together. Nothing else drives a
//! machine: whoever orders commands, a queue of threads or a log, brings them here.

use velocitydb_core::Command;
use velocitydb_storage::Durability;

use crate::Result;
use crate::apply::{Answer, Committed, Fatal, Machine};
use crate::state::Views;

/// Bytes of effects that are committed together at the most, so that the first command of a group does
/// not wait long for the last.
const BYTES_MAX: usize = 8 << 20;

/// Commands on their way into the state.
pub(crate) struct Group<'a> {
    machine: &'a mut Machine,
}

/// How a group is committed.
#[derive(Clone, Copy)]
pub(crate) enum Commit<'a> {
    /// With this durability, before anybody sees it.
    At(Durability),
    /// Visible at once, and in the window of these views until an fsync has made it durable. An engine
    /// that is short of room may need the window to be empty: the function settles what is in it.
    Within(&'a Views, &'a dyn Fn() -> velocitydb_storage::Result<()>),
}

impl<'a> Group<'a> {
    /// Begins a group.
    pub(crate) fn begin(machine: &'a mut Machine) -> Self {
        Group { machine }
    }

    /// Applies a command on top of those before it.
    ///
    /// # Errors
    ///
    /// When this node fails, which stops the machine: nothing of the group is committed any more.
    pub(crate) fn apply(&mut self, command: &Command) -> std::result::Result<Answer, Fatal> {
        self.machine.apply(command)
    }

    /// Applies a command like [`apply`](Self::apply), for nobody who would want an answer.
    ///
    /// # Errors
    ///
    /// As for [`apply`](Self::apply).
    #[cfg_attr(not(test), expect(dead_code, reason = "a replicated log is the caller to come"))]
    pub(crate) fn follow(&mut self, command: &Command) -> std::result::Result<(), Fatal> {
        self.machine.follow(command)
    }

    /// Notes that what was applied came from a log, up to this position. It is committed with the rest,
    /// also where that has no effect.
    #[cfg_attr(not(test), expect(dead_code, reason = "a replicated log is the caller to come"))]
    pub(crate) fn move_to(&mut self, position: u64) {
        self.machine.move_to(position);
    }

    /// Whether what was applied is to be committed before more is.
    pub(crate) fn is_full(&self) -> bool {
        self.machine.batch_bytes() >= BYTES_MAX
    }

    /// Commits what was applied since the last time. When that fails, nothing of it has been.
    pub(crate) fn commit(&mut self, how: Commit<'_>) -> Result<Committed> {
        match how {
            Commit::At(durability) => self.machine.commit(durability)?,
            Commit::Within(views, settle) => self.machine.commit_within(views, settle)?,
        }
        Ok(self.machine.take_committed())
    }
}

#[cfg(test)]
#[path = "tests/group.rs"]
mod tests;
