//! [`Machine`]: the deterministic state machine. A command goes in; a reply, and writes to the
//! state, come out.
//!
//! It owns the catalog and the batch that collects the effects of a group of commands. Applying
//! reads no clock and no randomness: the same commands on the same state give the same bytes, in
//! whatever groups they are committed. The machine does not decide how durable they become.

use std::sync::Arc;

use velocitydb_core::{Action, Body, CollectionName, Command, Time, limits};
use velocitydb_storage::{Batch, Blob, Engine, Keyspace, Purpose, Savepoint, Snapshot};

use super::changes::{Change, Effect};
use super::fronts::Fronts;
use super::hints::Hints;
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
    /// The last batch that was to become durable, whose memory is used again when nobody has it.
    pub(super) last_batch: Option<Arc<Batch>>,
    pub(super) index: u64,
    /// A time before which no document expires and no lease ends.
    pub(super) due_next: Option<Time>,
    /// The same of the committed state, for readers.
    pub(super) due_next_shared: Arc<DueNext>,
    /// What searches need not look at again.
    pub(super) hints: Hints,
    /// Where maintenance may begin.
    pub(super) fronts: Fronts,
    /// The committed state that the batch lies on, once somebody has asked for it.
    pub(super) snapshot: Option<Arc<dyn Snapshot>>,
    /// What readers know of collections. It may lack one that was created just now, for which they
    /// look in the state; it never has one that readers of the state know to be dropped.
    pub(super) names: Arc<Names>,
    /// Whether something was dropped that maintenance is to remove.
    pub(super) has_leftovers: bool,
    /// Collections that the group creates or drops, or whose indexes come and go.
    pub(super) names_changed: Vec<CollectionName>,
    /// Names whose collection was dropped in the window, and the last commit there that changed them.
    /// Until it is on the disk, readers find in their own state which collection they see.
    pub(super) names_unsettled: Vec<(CollectionName, u64)>,
    /// Whether the group has come to another position of the log that it is from.
    pub(super) has_moved: bool,
    /// Whether somebody wants to know more of the command that is being applied than whether it was.
    pub(super) is_asked: bool,
    /// Commands that have been tried, whatever became of them.
    attempt: u64,
    /// How many bytes the batch had before the command that is being applied, if those that it adds
    /// are bounded.
    pub(super) bytes_before: usize,
    /// How collections were before the command that is being applied touched them.
    undo: Vec<(CollectionName, Option<Collection>)>,
    /// While a command changes several documents, the unique values that they took from each other.
    /// Without, a document that has another one's values is refused at once.
    pub(super) contests: Option<Contests>,
    /// What the group has changed, where somebody asks for that.
    pub(super) changes: Option<Vec<Change>>,
    /// Why the state is not known any more.
    broken: Option<Error>,
}

/// What a command, or a part of one, is rolled back to when it is not applied after all.
pub(super) struct Start {
    savepoint: Savepoint,
    length: usize,
    system: SystemTotals,
    due_next: Option<Time>,
    fronts: u64,
    changes: usize,
    /// What was touched before.
    undo: Vec<(CollectionName, Option<Collection>)>,
}

impl Machine {
    /// A machine on the state that `engine` holds, which tells readers of collections in `names`.
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

    /// Takes all that the group has touched from the engine again.
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

    /// Applies `command` to the state and the batch. One that is rejected, is refused or has no effect
    /// leaves both as they were, but for the memory of its answer.
    ///
    /// # Errors
    ///
    /// When this node fails, which stops the machine: what the batch holds is not committed any more.
    pub(crate) fn apply(&mut self, command: &Command) -> std::result::Result<Answer, Fatal> {
        self.is_asked = true;
        self.apply_as_asked(command)
    }

    /// Applies `command` like [`apply`](Self::apply), where nobody asked for an answer: none is put
    /// together, but for what is remembered of a request.
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
            // A step has bounds of its own, and what it cannot do would never be done.
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

    /// Applies `command` and remembers its answer. Also says whether that changed the state.
    fn apply_and_remember(&mut self, command: &Command, start: &Start) -> Result<(Reply, bool)> {
        let reply = Reply { index: self.index, ..self.apply_body(command)? };
        let is_done = !reply.is_refused() && !reply.is_behind;
        let has_effect = is_done && self.batch.len() > start.length;
        if !has_effect {
            let due_next = self.due_next;
            self.undo_command(start);
            // That nothing was due is worth knowing.
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
        }
    }

    /// Fails when the state is not known any more.
    pub(crate) fn check_broken(&self) -> Result<()> {
        self.broken.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Begins a command, or a part of one, that may have to be undone.
    pub(super) fn start(&mut self) -> Start {
        // What is changed from here on is remembered as it is now.
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

    /// Keeps what was done since `start`, as a part of what was done before it.
    pub(super) fn keep(&mut self, start: Start) {
        for (name, before) in std::mem::replace(&mut self.undo, start.undo) {
            if !self.undo.iter().any(|(touched, _)| *touched == name) {
                self.undo.push((name, before));
            }
        }
    }

    /// Undoes what was done since `start`. What searches have learned before it stays right.
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

    /// Stops the machine for good, since this node failed.
    pub(crate) fn fail(&mut self, error: Error) {
        self.poison(Fatal::new(error).to_poisoned());
    }

    /// Stops the machine for good, after a fault that leaves the state unknown. What has not been
    /// committed by now never is.
    pub(crate) fn poison(&mut self, error: Error) {
        self.broken = Some(error);
    }

    /// The schemas that are proposed, with their versions, by collection in order.
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

    /// Refuses a command that writes more than one may.
    pub(super) fn check_effects(&self) -> Result<()> {
        effects_within(WRITTEN_BYTES, self.batch.byte_length().saturating_sub(self.bytes_before))
    }

    /// Notes that maintenance has something to remove.
    pub(super) fn leaves_something(&mut self) {
        self.has_leftovers = true;
    }

    /// How much the batch holds.
    pub(crate) fn batch_bytes(&self) -> usize {
        self.batch.byte_length()
    }

    /// What tells readers when the first document expires.
    pub(crate) fn due_next_shared(&self) -> Arc<DueNext> {
        self.due_next_shared.clone()
    }

    /// A time before which no document and no lease expires; `None` when none does.
    pub(crate) fn due_next(&self) -> Option<Time> {
        self.due_next
    }

    /// Notes that readers are to see a collection otherwise once the group is committed.
    pub(super) fn changes_name(&mut self, collection: &CollectionName) {
        self.names_changed.push(collection.clone());
    }

    /// The committed state that the batch lies on.
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

    /// The collection of this name, to be changed; remembered as it was.
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

    /// The collection of this name, whose documents are about to be changed: transactions that have
    /// read all of them are told by that.
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

/// What is bounded of what one command writes.
const WRITTEN_BYTES: &str =
    "what one command writes (its documents and their entries in indexes) in bytes";

/// What is bounded of the documents that one command finds to change.
pub(super) const CHANGED_BYTES: &str =
    "the size of the documents that one command changes in bytes";

/// How many bytes a step of what is done by and by writes: 8 MiB, and what one document more makes of
/// it. Others wait for it.
pub(super) const STEP_BYTES_MAX: usize = 8 << 20;

/// Refuses a command that reads to change, or writes, more than one may.
pub(super) fn effects_within(what: &'static str, found: usize) -> Result<()> {
    let max = limits::COMMAND_EFFECT_BYTES_MAX;
    if found <= max {
        return Ok(());
    }
    Err(Error::CommandTooLarge { what: what.into(), found, max })
}

/// Whether a command gives space back, so that it is applied when the device has no room for others.
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
        | Body::SetSchema { .. } => false,
    };
    if frees { Purpose::Free } else { Purpose::Keep }
}
