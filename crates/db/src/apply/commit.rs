//! Committing the effects of a group of commands, and making them visible to readers.

use std::sync::Arc;

use velocitydb_core::{CollectionName, Time};
use velocitydb_storage::{Durability, Purpose};

use super::{Change, Fatal, Machine};
use crate::Result;
use crate::keys::IndexNumber;
use crate::state::Views;

/// The memory of a larger batch is not used again.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// What a commit changed, for those that have to act on it.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Whether names have to be published to readers once the commit is settled.
    pub(crate) has_unpublished: bool,
    /// The changes in order, if they are recorded.
    pub(crate) changes: Vec<Change>,
    /// A time before which no document expires and no lease ends.
    pub(crate) due_next: Option<Time>,
    /// Whether something was dropped that maintenance has to remove.
    pub(crate) has_leftovers: bool,
    /// Indexes that have changed so much that their statistics are stale.
    pub(crate) stale: Vec<(IndexNumber, CollectionName)>,
}

impl Machine {
    /// Commits the effects of all commands since the last commit as one batch, which is visible afterwards.
    /// When that fails, none of them has been applied.
    pub(crate) fn commit(&mut self, durability: Durability) -> Result<()> {
        self.check_broken()?;
        if self.batch.is_empty() {
            return self.commit_position();
        }
        let names_changed = self.begin_commit();
        self.withdraw_names(&names_changed);
        let committed = self.engine.commit(&self.batch, durability);
        self.batch.clear();
        self.end_commit(committed, names_changed)
    }

    /// As [`commit`](Self::commit), within the window of `views`, which is to be settled once an fsync has
    /// made the batch durable. `settle` makes earlier commits durable.
    pub(crate) fn commit_within(
        &mut self,
        views: &Views,
        settle: &dyn Fn() -> velocitydb_storage::Result<()>,
    ) -> Result<()> {
        self.check_broken()?;
        if self.batch.is_empty() {
            return self.commit_position();
        }
        let names_changed = self.begin_commit();
        let empty = self.last_batch.take().and_then(Arc::into_inner).map(|mut batch| {
            batch.clear();
            batch
        });
        let batch = Arc::new(std::mem::replace(&mut self.batch, empty.unwrap_or_default()));
        self.last_batch = (batch.byte_length() <= KEPT_BYTES_MAX).then(|| batch.clone());
        let dropped = self.withdraw_names(&names_changed);
        let committed = views.open(batch.clone(), !dropped.is_empty()).and_then(|number| {
            let committed = self.engine.commit(&batch, Durability::Os);
            committed.map(|()| number).inspect_err(|_| views.withdraw(number))
        });
        match committed {
            Ok(number) => {
                self.unsettle_names(dropped, &names_changed, number);
                self.end_commit(Ok(()), names_changed)
            }
            // An engine that is short of room may have to close its store, which the states that the window
            // holds would prevent.
            Err(_) => {
                let committed =
                    settle().and_then(|()| self.engine.commit(&batch, Durability::Disk));
                self.end_commit(committed, names_changed)
            }
        }
    }

    /// Records the names that are published to readers only when a commit is settled.
    fn unsettle_names(
        &mut self,
        dropped: Vec<CollectionName>,
        names_changed: &[CollectionName],
        number: u64,
    ) {
        self.names_unsettled.extend(dropped.into_iter().map(|name| (name, number)));
        for (name, last) in &mut self.names_unsettled {
            if names_changed.contains(name) {
                *last = number;
            }
        }
    }

    /// Publishes the names that were changed in the window up to a commit that is now settled. Returns
    /// whether others are left.
    pub(crate) fn publish_settled(&mut self, number: u64) -> bool {
        let mut settled = Vec::new();
        self.names_unsettled.retain(|(name, last)| {
            let is_settled = *last <= number;
            if is_settled {
                settled.push(name.clone());
            }
            !is_settled
        });
        self.names.publish(&self.catalog, &settled);
        !self.names_unsettled.is_empty()
    }

    /// What the last commit changed.
    pub(crate) fn take_committed(&mut self) -> Committed {
        Committed {
            has_unpublished: !self.names_unsettled.is_empty(),
            changes: self.changes.as_mut().map(std::mem::take).unwrap_or_default(),
            due_next: self.due_next,
            has_leftovers: std::mem::take(&mut self.has_leftovers),
            stale: self.catalog.take_stale(),
        }
    }

    /// Commits the position of the log after commands without an effect. No answer depends on it: if it is
    /// lost, the same state gives the same answers again. So it waits neither for the disk nor for room on
    /// it.
    fn commit_position(&mut self) -> Result<()> {
        self.snapshot = None;
        self.names_changed.clear();
        self.due_next_shared.set(self.due_next);
        self.catalog.settle();
        if !std::mem::take(&mut self.has_moved) {
            return Ok(());
        }
        self.catalog.write_totals(&mut self.batch, self.index);
        self.batch.set_purpose(Purpose::Free);
        let committed = self.engine.commit(&self.batch, Durability::Memory);
        self.batch.clear();
        match committed {
            Err(velocitydb_storage::Error::DiskFull { .. }) => Ok(()),
            committed => Ok(committed?),
        }
    }

    /// Records that the commands up to this position of the log have been applied.
    pub(crate) fn move_to(&mut self, position: u64) {
        self.catalog.system.log_position = position;
        self.has_moved = true;
    }

    /// Completes the batch. Returns the names that change for readers.
    fn begin_commit(&mut self) -> Vec<CollectionName> {
        // A snapshot that is held would keep overwritten data.
        self.snapshot = None;
        self.has_moved = false;
        self.catalog.write_totals(&mut self.batch, self.index);
        std::mem::take(&mut self.names_changed)
    }

    /// Hides the names of collections that are about to be dropped from readers, and returns them.
    fn withdraw_names(&mut self, names_changed: &[CollectionName]) -> Vec<CollectionName> {
        self.due_next_shared.lower(self.due_next);
        self.names.withdraw(&self.catalog, names_changed)
    }

    fn end_commit(
        &mut self,
        committed: std::result::Result<(), velocitydb_storage::Error>,
        names_changed: Vec<CollectionName>,
    ) -> Result<()> {
        match &committed {
            Ok(()) => self.due_next_shared.set(self.due_next),
            Err(_) => {
                self.changes.iter_mut().for_each(Vec::clear);
                if let Err(error) = self.reload_touched() {
                    self.poison(Fatal::new(error).to_poisoned());
                    return Ok(committed?);
                }
            }
        }
        self.catalog.settle();
        let is_settled = |name: &&CollectionName| {
            !self.names_unsettled.iter().any(|(unsettled, _)| unsettled == *name)
        };
        let names_settled: Vec<_> = names_changed.iter().filter(is_settled).cloned().collect();
        self.names.publish(&self.catalog, &names_settled);
        Ok(committed?)
    }
}
