//! [`Group`]: commands that are applied to one batch and committed together. Nothing else drives a machine:
//! whatever orders commands, a queue of threads or a log, brings them here.

use velocitydb_core::Command;
use velocitydb_storage::Durability;

use crate::Result;
use crate::apply::{Answer, Committed, Fatal, Machine};
use crate::state::Views;

/// The most bytes of effects that are committed together, so that the first command of a group does not
/// wait long for the last.
const BYTES_MAX: usize = 8 << 20;

/// Commands that are being applied.
pub(crate) struct Group<'a> {
    machine: &'a mut Machine,
}

/// How a group is committed.
#[derive(Clone, Copy)]
pub(crate) enum Commit<'a> {
    /// With this durability, before readers see it.
    At(Durability),
    /// Visible at once, and in the window of these views until an fsync has made it durable. An engine that
    /// is short of room may need an empty window: then it calls the function, which settles the window.
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
    /// When this node fails, which stops the machine: nothing of the group is committed then.
    pub(crate) fn apply(&mut self, command: &Command) -> std::result::Result<Answer, Fatal> {
        self.machine.apply(command)
    }

    /// Applies a command like [`apply`](Self::apply), without an answer.
    ///
    /// # Errors
    ///
    /// As for [`apply`](Self::apply).
    #[cfg_attr(not(test), expect(dead_code, reason = "there is no replicated log yet"))]
    pub(crate) fn follow(&mut self, command: &Command) -> std::result::Result<(), Fatal> {
        self.machine.follow(command)
    }

    /// Records that the applied commands came from a log, up to this position, which is committed with
    /// their effects, or without if there are none.
    #[cfg_attr(not(test), expect(dead_code, reason = "there is no replicated log yet"))]
    pub(crate) fn move_to(&mut self, position: u64) {
        self.machine.move_to(position);
    }

    /// Whether the group has to be committed before another command is applied.
    pub(crate) fn is_full(&self) -> bool {
        self.machine.batch_bytes() >= BYTES_MAX
    }

    /// Commits what was applied since the last commit. When that fails, none of it has been committed.
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
