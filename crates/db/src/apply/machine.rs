//! [`Machine`]: the deterministic state machine. Its input is commands; its output is replies, and writes
//! to the state.
//!
//! It owns the catalog and the batch that collects the effects of a group of commands. Applying uses no
//! clock and no randomness: the same commands on the same state give the same bytes, however they are
//! grouped into commits. The machine does not decide how durable they become.

use std::sync::Arc;

use velocitydb_core::{Action, Body, CollectionName, Command, Time, limits};
use velocitydb_storage::{Batch, Blob, Engine, Keyspace, Purpose, Savepoint, Snapshot};

use super::changes::{Change, Effect};
use super::fronts::Fronts;
use super::hints::Hints;
use super::plans::Plans;
use super::reply::Reply;
use super::unique::Contests;
use super::verdict::{Answer, Fatal, Rejection};
use crate::state::DueNext;
use crate::state::catalog::{Catalog, Collection, SystemTotals};
use crate::state::names::Names;
use crate::{Error, Result};

/// The state machine of one shard.
pub(crate) struct Machine {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) catalog: Catalog,
    pub(super) batch: Batch,
    /// The last durable batch, whose memory is used again once nothing else refers to it.
    pub(super) last_batch: Option<Arc<Batch>>,
    pub(super) index: u64,
    /// A time before which no document expires and no lease ends.
    pub(super) due_next: Option<Time>,
    /// The same for the committed state, for readers.
    pub(super) due_next_shared: Arc<DueNext>,
    /// The hints of repeated searches.
    pub(super) hints: Hints,
    /// The plans of repeated searches.
    pub(super) plans: Plans,
    /// The keys at which maintenance begins its work lists.
    pub(super) fronts: Fronts,
    /// The committed state under the batch, once it has been needed.
    pub(super) snapshot: Option<Arc<dyn Snapshot>>,
    /// The collections as readers see them. A collection that was just created may be missing; readers then
    /// look it up in the state. It never has a collection that has been dropped in the readers' state.
    pub(super) names: Arc<Names>,
    /// Whether something was dropped that maintenance has to remove.
    pub(super) has_leftovers: bool,
    /// Collections that the group creates or drops, or whose indexes change.
    pub(super) names_changed: Vec<CollectionName>,
    /// Names whose collection was dropped in the window, and the last commit there that changed them. Until
    /// that is settled, readers look them up in their own state.
    pub(super) names_unsettled: Vec<(CollectionName, u64)>,
    /// Whether the group has moved to another position of its log.
    pub(super) has_moved: bool,
    /// Whether the caller of the command needs an answer.
    pub(super) is_asked: bool,
    /// How many commands have been tried.
    attempt: u64,
    /// The bytes of the batch before the current command, if what it adds is limited.
    pub(super) bytes_before: usize,
    /// The collections that the current command changed, as they were before.
    undo: Vec<(CollectionName, Option<Collection>)>,
    /// While a command changes several documents, the unique values that they took from each other. `None`
    /// for other commands: a document that has the values of another one is refused at once.
    pub(super) contests: Option<Contests>,
    /// The changes of the group, if they are recorded.
    pub(super) changes: Option<Vec<Change>>,
    /// Why the machine has stopped.
    broken: Option<Error>,
}

/// The point to which a command, or a part of one, is rolled back.
pub(super) struct Start {
    savepoint: Savepoint,
    length: usize,
    system: SystemTotals,
    due_next: Option<Time>,
    fronts: u64,
    changes: usize,
    /// The collections that were changed before.
    undo: Vec<(CollectionName, Option<Collection>)>,
}

impl Machine {
    /// A machine on the state of `engine`, which publishes collections to readers in `names`.
    pub(crate) fn new(engine: Arc<dyn Engine>, names: Arc<Names>) -> Result<Self> {
        let mut machine = Machine {
            engine,
            catalog: Catalog::default(),
            batch: Batch::new(),
            last_batch: None,
            index: 0,
            due_next: None,
            due_next_shared: Arc::default(),
            hints: Hints::default(),
            plans: Plans::default(),
            fronts: Fronts::default(),
            snapshot: None,
            names,
            has_leftovers: false,
            names_changed: Vec::new(),
            names_unsettled: Vec::new(),
            has_moved: false,
            is_asked: true,
            attempt: 0,
            bytes_before: 0,
            undo: Vec::new(),
            contests: None,
            changes: None,
            broken: None,
        };
        let snapshot = machine.engine.snapshot()?;
        machine.catalog = Catalog::load(&*snapshot)?;
        machine.index = machine.catalog.system.index;
        machine.due_next = Self::first_due(&*snapshot)?;
        machine.due_next_shared.set(machine.due_next);
        machine.names.publish_all(&machine.catalog);
        Ok(machine)
    }

    /// Reloads everything that the group has changed in the catalog from the engine.
    pub(super) fn reload_touched(&mut self) -> Result<()> {
        let snapshot = self.engine.snapshot()?;
        self.hints.clear();
        self.fronts = Fronts::default();
        self.catalog.reload_touched(&*snapshot)?;
        self.index = self.catalog.system.index;
        self.due_next = Self::first_due(&*snapshot)?;
        self.due_next_shared.set(self.due_next);
        self.catalog.take_stale();
        Ok(())
    }

    /// Applies `command` to the state and the batch. A command that is rejected, refused or has no effect
    /// leaves both unchanged, except for its remembered answer.
    ///
    /// # Errors
    ///
    /// When this node fails, which stops the machine: what is in the batch is never committed.
    pub(crate) fn apply(&mut self, command: &Command) -> std::result::Result<Answer, Fatal> {
        self.is_asked = true;
        self.apply_as_asked(command)
    }

    /// Applies `command` like [`apply`](Self::apply), without an answer: only what is remembered of a
    /// request is computed.
    ///
    /// # Errors
    ///
    /// As for [`apply`](Self::apply).
    pub(crate) fn follow(&mut self, command: &Command) -> std::result::Result<(), Fatal> {
        self.is_asked = command.request.is_some();
        self.apply_as_asked(command).map(|_| ())
    }

    fn apply_as_asked(&mut self, command: &Command) -> std::result::Result<Answer, Fatal> {
        self.check_broken().map_err(Fatal::new)?;
        match self.try_apply(command) {
            Ok(reply) => Ok(Ok(reply)),
            Err(error) => {
                let rejected = Rejection::of(error);
                Ok(Err(rejected.inspect_err(|fatal| self.poison(fatal.to_poisoned()))?))
            }
        }
    }

    fn try_apply(&mut self, command: &Command) -> Result<Reply> {
        if let Some(request) = &command.request
            && let Some(reply) = self.find_request(request)?
        {
            return Ok(reply);
        }
        self.undo.clear();
        self.contests = None;
        self.hints.begin();
        self.bytes_before = match command.body {
            // A step has limits of its own, and would fail again and again at this one.
            Body::Maintain(_) | Body::BuildIndex { .. } => usize::MAX,
            _ => self.batch.byte_length(),
        };
        let start = self.start();
        self.index += 1;
        let applied = self.apply_and_remember(command, &start);
        if applied.is_err() {
            self.undo_command(&start);
        }
        if matches!(applied, Ok((_, true))) {
            let is_first = start.length == 0;
            let before = if is_first { Purpose::Free } else { self.batch.purpose() };
            self.batch.set_purpose(before.max(purpose_of(command)));
        } else {
            self.index -= 1;
        }
        applied.map(|(reply, _)| Reply { index: self.index, ..reply })
    }

    /// Applies `command` and remembers its answer. Also returns whether that changed the state.
    fn apply_and_remember(&mut self, command: &Command, start: &Start) -> Result<(Reply, bool)> {
        let reply = Reply { index: self.index, ..self.apply_body(command)? };
        let is_done = !reply.is_refused() && !reply.is_behind;
        let has_effect = is_done && self.batch.len() > start.length;
        if !has_effect {
            let due_next = self.due_next;
            self.undo_command(start);
            // When nothing was due, the time when something will be is still useful.
            self.due_next = due_next;
        }
        if reply.is_behind {
            return Ok((reply, false));
        }
        if let Some(request) = &command.request {
            self.remember_request(request, command.now, &command.body, &reply)?;
        }
        Ok((reply, has_effect || command.request.is_some()))
    }

    fn apply_body(&mut self, command: &Command) -> Result<Reply> {
        match &command.body {
            Body::Write(write) => self.write(command.now, write),
            Body::CreateCollection { name, options } => self.create_collection(name, options),
            Body::DropCollection { name } => self.drop_collection(name, command.now),
            Body::Maintain(maintain) => self.maintain(command.now, maintain),
            Body::Modify(modify) => self.modify(command.now, modify),
            Body::CreateIndex { collection, spec } => self.create_index(collection, spec),
            Body::BuildIndex { collection, name, count_max } => {
                self.build_index(collection, name, *count_max, command.now)
            }
            Body::DropIndex { collection, name } => self.drop_index(collection, name),
            Body::SetSchema { collection, change } => self.set_schema(collection, change),
            Body::SetStatistics { collection, index, histogram } => {
                Ok(self.set_statistics(collection, *index, histogram))
            }
        }
    }

    /// Fails when the machine has stopped.
    pub(crate) fn check_broken(&self) -> Result<()> {
        self.broken.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Begins a command, or a part of one, that may have to be undone.
    pub(super) fn start(&mut self) -> Start {
        // Collections that change from here on are recorded as they are now.
        self.attempt += 1;
        Start {
            savepoint: self.batch.savepoint(),
            length: self.batch.len(),
            system: self.catalog.system,
            due_next: self.due_next,
            fronts: self.fronts.mark(),
            changes: self.changes.as_ref().map_or(0, Vec::len),
            undo: std::mem::take(&mut self.undo),
        }
    }

    /// Undoes a whole command.
    fn undo_command(&mut self, start: &Start) {
        if self.batch.len() > start.length {
            self.hints.unlearn();
        }
        self.undo(start);
    }

    /// Keeps what was done since `start`, as a part of the enclosing command.
    pub(super) fn keep(&mut self, start: Start) {
        for (name, before) in std::mem::replace(&mut self.undo, start.undo) {
            if !self.undo.iter().any(|(touched, _)| *touched == name) {
                self.undo.push((name, before));
            }
        }
    }

    /// Undoes what was done since `start`. Hints from before that stay valid.
    pub(super) fn undo(&mut self, start: &Start) {
        if self.batch.len() > start.length {
            self.fronts.undo(start.fronts);
        }
        self.batch.rollback(start.savepoint);
        if let Some(changes) = &mut self.changes {
            changes.truncate(start.changes);
        }
        self.catalog.system = start.system;
        self.due_next = start.due_next;
        for (name, before) in self.undo.drain(..).rev() {
            match before {
                Some(collection) => self.catalog.insert(name, collection),
                None => self.catalog.remove(&name),
            };
        }
        self.undo.clone_from(&start.undo);
    }

    /// Stops the machine permanently, since this node failed.
    pub(crate) fn fail(&mut self, error: Error) {
        self.poison(Fatal::new(error).to_poisoned());
    }

    /// Stops the machine permanently, after a fault that leaves the state unknown. What has not been
    /// committed yet never is.
    pub(crate) fn poison(&mut self, error: Error) {
        self.broken = Some(error);
    }

    /// The proposed schemas with their versions, in the order of their collections.
    pub(crate) fn proposals(&self) -> Vec<(CollectionName, u64)> {
        let proposal = |(name, collection): (&CollectionName, &Collection)| {
            let proposed = collection.schema.as_ref()?.proposed.as_ref()?;
            Some((name.clone(), proposed.version))
        };
        let collections = self.catalog.collections.iter().map(|(name, one)| (name, &**one));
        let mut proposals: Vec<_> = collections.filter_map(proposal).collect();
        proposals.sort_unstable();
        proposals
    }

    /// Refuses a command that writes too much.
    pub(super) fn check_effects(&self) -> Result<()> {
        effects_within(WRITTEN_BYTES, self.batch.byte_length().saturating_sub(self.bytes_before))
    }

    /// Records that maintenance has something to remove.
    pub(super) fn leaves_something(&mut self) {
        self.has_leftovers = true;
    }

    /// The size of the batch.
    pub(crate) fn batch_bytes(&self) -> usize {
        self.batch.byte_length()
    }

    /// The time when the first document expires, as readers see it.
    pub(crate) fn due_next_shared(&self) -> Arc<DueNext> {
        self.due_next_shared.clone()
    }

    /// A time before which no document or lease expires; `None` when none does.
    pub(crate) fn due_next(&self) -> Option<Time> {
        self.due_next
    }

    /// Records that readers see another state of a collection once the group is committed.
    pub(super) fn changes_name(&mut self, collection: &CollectionName) {
        self.names_changed.push(collection.clone());
    }

    /// The committed state under the batch.
    pub(super) fn group_snapshot(&mut self) -> Result<Arc<dyn Snapshot>> {
        if let Some(snapshot) = &self.snapshot {
            return Ok(snapshot.clone());
        }
        let snapshot = self.engine.snapshot()?;
        self.snapshot = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// The value of `key`, with the effects of the batch.
    pub(super) fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        match self.batch.get(keyspace, key) {
            Some(value) => Ok(value.map(Blob::copy_of)),
            None => Ok(self.engine.get(keyspace, key)?),
        }
    }

    /// The collection of this name, for a change; its former state is recorded.
    pub(super) fn change_collection(&mut self, name: &CollectionName) -> Option<&mut Collection> {
        let collection = self.catalog.collections.get_mut(name)?;
        if collection.remembered_in != self.attempt {
            self.undo.push((name.clone(), Some(Collection::clone(collection))));
            collection.remembered_in = self.attempt;
        }
        if !collection.is_changed {
            collection.is_changed = true;
            self.catalog.touch(name);
        }
        self.catalog.collections.get_mut(name).map(|collection| &mut **collection)
    }

    /// The collection of this name, for a change of its documents, which transactions that have read all of
    /// them detect by this.
    pub(super) fn change_documents(&mut self, name: &CollectionName) -> Option<&mut Collection> {
        let index = self.index;
        let collection = self.change_collection(name)?;
        collection.totals.index = index;
        Some(collection)
    }

    pub(super) fn add_collection(&mut self, name: CollectionName, collection: Collection) {
        self.catalog.touch(&name);
        self.changes_name(&name);
        let collection = Collection { is_changed: true, remembered_in: self.attempt, ..collection };
        self.note_change(&name, Effect::Created);
        let before = self.catalog.insert(name.clone(), collection);
        self.undo.push((name, before));
    }

    pub(super) fn remove_collection(&mut self, name: &CollectionName) -> Option<Collection> {
        let before = self.catalog.remove(name)?;
        self.catalog.touch(name);
        self.changes_name(name);
        self.undo.push((name.clone(), Some(before.clone())));
        self.note_change(name, Effect::Dropped);
        Some(before)
    }

    pub(super) fn change_system(&mut self) -> &mut SystemTotals {
        &mut self.catalog.system
    }
}

/// What the size of a command's writes is called in errors.
const WRITTEN_BYTES: &str =
    "what one command writes (its documents and their entries in indexes) in bytes";

/// What the size of the documents that a command changes is called in errors.
pub(super) const CHANGED_BYTES: &str =
    "the size of the documents that one command changes in bytes";

/// How many bytes one step of background work writes, not counting the last document: 8 MiB. Other commands
/// wait for it.
pub(super) const STEP_BYTES_MAX: usize = 8 << 20;

/// Refuses a command that exceeds the size of its effects.
pub(super) fn effects_within(what: &'static str, found: usize) -> Result<()> {
    let max = limits::COMMAND_EFFECT_BYTES_MAX;
    if found <= max {
        return Ok(());
    }
    Err(Error::CommandTooLarge { what: what.into(), found, max })
}

/// Whether a command frees space, so that it is applied when the device has no room for others.
pub(crate) fn purpose_of(command: &Command) -> Purpose {
    let frees = match &command.body {
        Body::Write(write) => {
            let mut actions = write.operations.iter().map(|operation| &operation.action);
            actions.all(|action| matches!(action, Action::Delete))
        }
        Body::Modify(modify) => matches!(modify.action, Action::Delete),
        Body::DropCollection { .. } | Body::DropIndex { .. } | Body::Maintain(_) => true,
        Body::CreateCollection { .. }
        | Body::CreateIndex { .. }
        | Body::BuildIndex { .. }
        | Body::SetSchema { .. }
        | Body::SetStatistics { .. } => false,
    };
    if frees { Purpose::Free } else { Purpose::Keep }
}
