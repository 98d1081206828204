//! [`Core`]: the parts of an open database, which its handles and the maintenance thread share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use velocitydb_core::{
    Body, CollectionName, Command, Consistency, IdGenerator, IndexName, Maintain, MaintainScope,
    Request, SchemaChange, Time,
};
use velocitydb_storage::Engine;

use super::pending::{Pending, pending};
use super::{Alarm, Local, Maintained, Pipeline, Proposer};
use crate::apply::{Committed, Machine, Reply};
use crate::environment::Environment;
use crate::options::Options;
use crate::query;
use crate::replica::KnownOutcome;
use crate::state::catalog::{self, is_stale};
use crate::state::names::{Names, PublishedIndex};
use crate::state::{DueNext, Views};
use crate::{Error, Result};

/// What the handles and the maintenance thread share.
pub(crate) struct Core {
    pub(crate) alarm: Arc<Alarm>,
    pub(crate) engine: Arc<dyn Engine>,
    /// Brings commands to the machine. It is dropped before the engine.
    pub(crate) proposer: Box<dyn Proposer>,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) views: Arc<Views>,
    pub(crate) names: Arc<Names>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) ids: Mutex<IdGenerator>,
    pub(crate) options: Options,
    /// What failed in the last maintenance.
    maintenance_problems: Mutex<Vec<String>>,
    due_next: Arc<DueNext>,
    pub(crate) outcome: KnownOutcome,
}

impl Core {
    /// The core of a database on the state of `engine`.
    pub(crate) fn open(engine: Arc<dyn Engine>, options: Options) -> Result<Self> {
        let names = Arc::new(Names::default());
        let machine = Machine::new(engine.clone(), names.clone())?;
        let due_next = machine.due_next_shared();
        let views = Arc::new(Views::new(engine.clone(), due_next.clone()));
        let alarm = Arc::new(Alarm::default());
        alarm.set(machine.due_next());
        let on_changes = options.on_changes.clone();
        let pipeline = Pipeline::new(machine, engine.clone(), views.clone(), on_changes, {
            let (alarm, names) = (alarm.clone(), names.clone());
            move |committed: &Committed| {
                alarm.set(committed.due_next);
                if committed.has_leftovers {
                    alarm.wake();
                }
                for (index, collection) in &committed.stale {
                    names.note_stale(*index, collection.clone());
                }
                if !committed.stale.is_empty() {
                    alarm.wake_to_analyze();
                }
            }
        });
        let pipeline = Arc::new(pipeline);
        let proposer = Box::new(Local::new(pipeline.clone(), options.storage.mode));
        let environment = options.environment.clone();
        let ids = Mutex::new(IdGenerator::default());
        Ok(Core {
            alarm,
            engine,
            proposer,
            pipeline,
            views,
            names,
            environment,
            ids,
            options,
            maintenance_problems: Mutex::default(),
            due_next,
            outcome: KnownOutcome::default(),
        })
    }

    /// Done by a new leader before anything else is proposed: withdraws schemas that were proposed and not
    /// confirmed, since their proposers are gone.
    pub(crate) fn begin_to_lead(&self) -> Result<()> {
        for (collection, version) in self.pipeline.ask(|machine| machine.proposals()) {
            let change = SchemaChange::Withdraw(version);
            self.submit(Body::SetSchema { collection, change }, None, Consistency::Strong)?;
        }
        Ok(())
    }

    pub(crate) fn submit(
        &self,
        body: Body,
        request: Option<Request>,
        level: Consistency,
    ) -> Result<Reply> {
        let mut command = Command { now: self.environment.now(), request, body };
        loop {
            let copy = self.can_be_behind(&command).then(|| command.clone());
            let reply = self.outcome.of(|| self.proposer.submit(command, level))?;
            if !reply.is_behind {
                return Ok(reply);
            }
            self.do_what_is_due()?;
            let waiting = self.pipeline.waiting();
            command = copy.ok_or(Error::Overloaded { waiting })?;
            command.now = self.environment.now();
        }
    }

    /// Proposes a command, and returns at once: the future has its answer. If something due has to be done
    /// first, it is proposed when the future is awaited.
    pub(crate) fn propose(
        self: &Arc<Self>,
        body: Body,
        request: Option<Request>,
        level: Consistency,
    ) -> impl Future<Output = Result<Reply>> + Send + use<> {
        let core = self.clone();
        let command = Command { now: self.environment.now(), request, body };
        let mut copy = core.can_be_behind(&command).then(|| command.clone());
        let mut reply = core.propose_command(command, level);
        async move {
            loop {
                let answered = reply.await?;
                if !answered.is_behind {
                    return Ok(answered);
                }
                while core.due_next.is_due(core.environment.now()) {
                    let (now, body) = core.maintain(MaintainScope::Due);
                    let maintain = Command { now, request: None, body };
                    if !core.propose_command(maintain, Consistency::Local).await?.has_more {
                        break;
                    }
                }
                let waiting = core.pipeline.waiting();
                let mut command = copy.take().ok_or(Error::Overloaded { waiting })?;
                command.now = core.environment.now();
                copy = core.can_be_behind(&command).then(|| command.clone());
                reply = core.propose_command(command, level);
            }
        }
    }

    fn propose_command(&self, command: Command, level: Consistency) -> Pending<Result<Reply>> {
        let (done, reply) = pending();
        self.proposer.propose(command, level, self.outcome.of_later(Box::new(done)));
        reply
    }

    /// Whether more may be due before a command than it can do itself.
    fn can_be_behind(&self, command: &Command) -> bool {
        let is_about_others = match &command.body {
            Body::Modify(_) => true,
            Body::Write(write) => !write.checks.is_empty(),
            _ => false,
        };
        is_about_others && self.due_next.is_due(command.now)
    }

    /// Removes all expired documents and ends all expired leases.
    pub(crate) fn do_what_is_due(&self) -> Result<()> {
        while self.due_next.is_due(self.environment.now())
            && self.maintain_within(MaintainScope::Due)?
        {}
        Ok(())
    }

    /// The command of a maintenance step, and its time.
    fn maintain(&self, scope: MaintainScope) -> (Time, Body) {
        let now = self.environment.now();
        let before = |age: Duration| {
            let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            Time::from_micros(now.as_micros().saturating_sub(age)).unwrap_or(Time::MIN)
        };
        let body = Body::Maintain(Maintain {
            forget_deleted_before: before(self.options.tombstone_retention),
            forget_requests_before: before(self.options.request_retention),
            count_max: self.options.maintenance_step,
            scope,
        });
        (now, body)
    }

    fn maintain_within(&self, scope: MaintainScope) -> Result<bool> {
        let (_, body) = self.maintain(scope);
        let reply = self.submit(body, None, Consistency::Local)?;
        if scope == MaintainScope::All {
            *self.maintenance_problems.lock() = reply.problems;
        }
        Ok(reply.has_more)
    }

    /// Fails when the node has failed and applies no more commands.
    pub(crate) fn check_running(&self) -> Result<()> {
        self.pipeline.ask(|machine| machine.check_broken())
    }

    pub(crate) fn maintenance_problems(&self) -> Vec<String> {
        self.maintenance_problems.lock().clone()
    }

    /// Does one step of an index build. Returns whether there is more to do.
    pub(crate) fn build_step(
        &self,
        collection: &CollectionName,
        name: &IndexName,
        level: Consistency,
    ) -> Result<bool> {
        let (collection, name) = (collection.clone(), name.clone());
        let body = Body::BuildIndex { collection, name, count_max: STEP_DOCUMENTS };
        Ok(self.submit(body, None, level)?.has_more)
    }

    /// Makes the statistics of an index, unless they are still good. Returns false when it was stopped.
    pub(crate) fn analyze_index(
        &self,
        collection: &CollectionName,
        index: &PublishedIndex,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let (number, state) = (index.definition.number, self.engine.snapshot()?);
        let Some(totals) = catalog::index_totals(&*state, number)? else { return Ok(true) };
        if !is_stale(totals.analyzed, totals.entries) {
            return Ok(true);
        }
        let Some(histogram) = query::analyze(&*state, number, is_stopped)? else {
            return Ok(false);
        };
        let (collection, histogram) = (collection.clone(), Box::new(histogram));
        let body = Body::SetStatistics { collection, index: number, histogram };
        self.submit(body, None, Consistency::Local)?;
        Ok(true)
    }

    /// As [`analyze_index`](Self::analyze_index), of an index with this name, if there is one.
    pub(crate) fn analyze_named(
        &self,
        collection: &CollectionName,
        name: &IndexName,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<()> {
        let indexes = self.names.get(collection).and_then(|published| published.indexes);
        let index = indexes.iter().flat_map(|indexes| &**indexes);
        for index in index.filter(|index| index.definition.name == *name) {
            self.analyze_index(collection, index, is_stopped)?;
        }
        Ok(())
    }

    /// Continues an index build that no caller drives. Returns whether there is more to do.
    fn build_next(&self) -> Result<bool> {
        let Some((collection, name)) = self.names.first_building() else { return Ok(false) };
        self.build_step(&collection, &name, Consistency::Local)?;
        Ok(self.names.first_building().is_some())
    }
}

impl Maintained for Core {
    fn alarm(&self) -> &Arc<Alarm> {
        &self.alarm
    }

    fn instant_of(&self, time: Time) -> Instant {
        let wait = time.as_micros().saturating_sub(self.environment.now().as_micros());
        Instant::now() + Duration::from_micros(u64::try_from(wait).unwrap_or(0)).min(WAIT_MAX)
    }

    fn maintenance_step(&self) -> Result<bool> {
        Ok(self.maintain_within(MaintainScope::All)? | self.build_next()?)
    }

    fn reclaim(&self) -> Result<()> {
        Ok(self.engine.reclaim(&|work| self.pipeline.while_settled(work))?)
    }

    fn analyze(&self, is_stopped: &dyn Fn() -> bool) -> Result<()> {
        while let Some((number, collection)) = self.names.take_stale() {
            if let Some(index) = self.names.index(&collection, number)
                && !self.analyze_index(&collection, &index, is_stopped)?
            {
                self.names.note_stale(number, collection);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// How many documents one step of an index build adds, so that other writers wait for a millisecond or two.
const STEP_DOCUMENTS: u32 = 512;

/// The longest single wait of the maintenance thread, which bounds its delay when the clock is set.
const WAIT_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
#[path = "tests/statistics.rs"]
mod tests;
