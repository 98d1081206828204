//! Committing what a group of commands has made of the state, and telling readers of it.

use std::sync::Arc;

use velocitydb_core::{CollectionName, Time};
use velocitydb_storage::{Durability, Purpose};

use super::{Change, Fatal, Machine};
use crate::Result;
use crate::keys::IndexNumber;
use crate::state::Views;

/// A batch of more is not kept for its memory.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// What was committed, for those who live off it.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Whether readers are to be told of names once it is settled.
    pub(crate) has_unpublished: bool,
    /// What was changed, in order, where somebody asks for that.
    pub(crate) changes: Vec<Change>,
    /// A time before which no document expires and no lease ends.
    pub(crate) due_next: Option<Time>,
    /// Whether something was dropped that maintenance is to remove.
    pub(crate) has_leftovers: bool,
    /// Indexes of which so much changed that how their values are distributed is not known any more.
    pub(crate) stale: Vec<(IndexNumber, CollectionName)>,
}

impl Machine {
    /// Commits the effects of all commands since the last time, as one batch, which is visible then.
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

    /// Commits the same within the window of `views`, which is to be settled once an fsync has made it
    /// durable. `settle` makes durable what was committed before.
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
            // An engine that is short of room may have to close its store, for which the window holds
            // states too many.
            Err(_) => {
                let committed =
                    settle().and_then(|()| self.engine.commit(&batch, Durability::Disk));
                self.end_commit(committed, names_changed)
            }
        }
    }

    /// Notes which names readers are told of only when a commit is settled.
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

    /// Tells readers of the names that were changed in the window up to a commit that is settled now.
    /// Whether there are others.
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

    /// What there is to tell of the last commit.
    pub(crate) fn take_committed(&mut self) -> Committed {
        Committed {
            has_unpublished: !self.names_unsettled.is_empty(),
            changes: self.changes.as_mut().map(std::mem::take).unwrap_or_default(),
            due_next: self.due_next,
            has_leftovers: std::mem::take(&mut self.has_leftovers),
            stale: self.catalog.take_stale(),
        }
    }

    /// Commits where a log is by now, after commands without an effect. Nobody's answer rests on that:
    /// where it is lost, the same state gives the same answers again. So it waits for no disk, and for
    /// no room on it.
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

    /// Notes that the commands up to this position of a log have been applied.
    pub(crate) fn move_to(&mut self, position: u64) {
        self.catalog.system.log_position = position;
        self.has_moved = true;
    }

    /// Completes the batch. Returns the names that change for readers.
    fn begin_commit(&mut self) -> Vec<CollectionName> {
        // A snapshot that is held keeps what it sees.
        self.snapshot = None;
        self.has_moved = false;
        self.catalog.write_totals(&mut self.batch, self.index);
        std::mem::take(&mut self.names_changed)
    }

    /// Takes from readers the names whose collection is about to be dropped, and returns them.
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
