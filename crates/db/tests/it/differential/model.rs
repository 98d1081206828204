//! The naive model: the specification of the database as simple code, with maps in maps that are copied
//! entirely. It shares no code with the database.

use std::time::Duration;

use velocitydb::{Consistency, NewIds, Object, Origin};

use super::id::Id;
use super::state::{Collection, Document, Expiry, Outcome, Refusal, Remembered, State};
use super::step::{Action, Answer, Condition, Context, Operation, Step};
use crate::world::START_MICROS;

const RETENTION_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// A database.
#[derive(Clone)]
pub struct Model {
    pub(super) state: State,
    snapshot: State,
    pub(super) now: i64,
}

pub(super) struct Reply {
    pub(super) outcomes: Vec<Outcome>,
    new_ids: Vec<Id>,
    index: u64,
    is_replayed: bool,
}

impl Reply {
    /// As the answer to a call that inserts several documents.
    fn as_many(&self) -> Answer {
        let Reply { outcomes, index, is_replayed, .. } = self;
        let (index, is_replayed) = (*index, *is_replayed);
        let mut answers = Vec::new();
        for (position, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Outcome::Applied { version, existed } => {
                    let (version, existed) = (*version, *existed);
                    answers.push(Answer::Written { version, existed, index, is_replayed });
                }
                Outcome::Refused(refusal) => {
                    return failed(format!("{position}: {}", refusal.describe()));
                }
                _ => {}
            }
        }
        Answer::ManyWritten(answers)
    }
}

/// What a request asks for. Ids that were generated for it are no part of that.
fn asked_for(operations: &[Operation], context: &Context) -> String {
    let chosen = operations.iter().map(|one| match one.action {
        Action::InsertNew(_) => Operation { id: Id::new(""), ..one.clone() },
        _ => one.clone(),
    });
    format!("{:?} {:?}", chosen.collect::<Vec<_>>(), context.time_to_live)
}

pub(super) fn failed(what: impl Into<String>) -> Answer {
    Answer::Failed(what.into())
}

pub(super) fn micros(duration: Duration) -> i64 {
    duration.as_micros() as i64
}

impl Model {
    pub fn new() -> Self {
        Model { state: State::default(), snapshot: State::default(), now: START_MICROS }
    }

    pub fn now(&self) -> i64 {
        self.now
    }

    pub fn run(&mut self, step: &Step) -> Answer {
        match step {
            Step::Write { operation, context } => self.write(operation, context),
            Step::InsertMany { collection, documents, context } => {
                self.insert_many(collection, documents, context)
            }
            Step::Batch { operations, context } => self.batch(operations, context),
            Step::Transaction(steps) => self.transaction(steps),
            Step::Number { collection, documents, context } => {
                self.number(collection, documents, context)
            }
            Step::Create { collection, min_write, min_read, ids } => {
                if self.state.collections.contains_key(collection) {
                    return failed("collection exists");
                }
                self.state.create(collection, *min_write, *min_read);
                self.state.alter(collection).ids = *ids;
                self.state.index += 1;
                Answer::Done
            }
            Step::Drop { collection } => {
                let Some(dropped) = self.state.collections.remove(collection) else {
                    return failed("no collection");
                };
                let times = |one: &Document| (one.expires, one.lease.as_ref().map(|one| one.until));
                self.state.leftovers.extend(dropped.documents.values().map(times));
                self.state.dropped.insert(collection.clone(), (dropped.version_max, self.now));
                self.state.is_purge_due = true;
                self.state.index += 1;
                Answer::Done
            }
            Step::Get { collection, id, level } => self.reading(collection, *level, |state| {
                Answer::Documents(vec![state.see(collection, id)])
            }),
            Step::GetMany { collection, ids, level } => self.reading(collection, *level, |state| {
                Answer::Documents(ids.iter().map(|id| state.see(collection, id)).collect())
            }),
            Step::Count { collection, level } => {
                self.reading(collection, *level, |state| Answer::Count(state.count(collection)))
            }
            Step::List { collection, list, level } => {
                self.reading(collection, *level, |state| state.list(collection, list))
            }
            Step::Collections => {
                let visible = self.visible();
                let row = |(name, one): (&String, &Collection)| {
                    let (count, tombstones) = (one.documents.len(), one.tombstones.len());
                    (name.clone(), count as u64, one.writes, tombstones as u64)
                };
                Answer::Collections(visible.collections.iter().map(row).collect())
            }
            Step::TakeSnapshot => {
                self.snapshot = self.visible();
                Answer::Done
            }
            Step::ListSnapshot { collection, list } => self.snapshot.list(collection, list),
            Step::Advance(duration) => {
                self.now += micros(*duration);
                Answer::Done
            }
            Step::GoBack(duration) => {
                self.now -= micros(*duration);
                Answer::Done
            }
            Step::Maintain => {
                self.maintain();
                Answer::Done
            }
            Step::Restart => {
                self.snapshot = self.visible();
                Answer::Done
            }
            step => self.run_query(step),
        }
    }

    fn reading(
        &self,
        collection: &str,
        level: Consistency,
        read: impl FnOnce(&State) -> Answer,
    ) -> Answer {
        let floor = self.state.collections.get(collection).and_then(|one| one.min_read);
        if floor.is_some_and(|floor| level < floor) {
            return failed("too weak");
        }
        read(&self.visible())
    }

    /// What a reader sees now: nothing that has expired.
    pub(super) fn visible(&self) -> State {
        let mut state = self.state.clone();
        for collection in state.collections.values_mut() {
            collection.documents.retain(|_, one| one.expires.is_none_or(|time| time > self.now));
        }
        state
    }

    fn is_too_weak(&self, collection: &str, level: Consistency) -> bool {
        let floor = self.state.collections.get(collection).and_then(|one| one.min_write);
        floor.is_some_and(|floor| level < floor)
    }

    fn write(&mut self, operation: &Operation, context: &Context) -> Answer {
        if self.is_too_weak(&operation.collection, context.level) {
            return failed("too weak");
        }
        let reply = match self.apply(std::slice::from_ref(operation), context) {
            Ok(reply) => reply,
            Err(reused) => return reused,
        };
        let (index, is_replayed) = (reply.index, reply.is_replayed);
        let outcome = &reply.outcomes[0];
        // That a swap cannot be done is no answer to its comparison.
        if let Outcome::Refused(
            refusal @ (Refusal::Duplicate(_) | Refusal::Schema | Refusal::Update),
        ) = outcome
        {
            return failed(refusal.describe());
        }
        if operation.condition == Condition::Always {
            return match outcome {
                Outcome::Applied { version, existed } => {
                    Answer::Written { version: *version, existed: *existed, index, is_replayed }
                }
                Outcome::Held { version } => {
                    Answer::Written { version: *version, existed: false, index, is_replayed }
                }
                Outcome::Refused(refusal) => failed(refusal.describe()),
                Outcome::Abandoned => unreachable!(),
            };
        }
        // What has expired was not there for a comparison that did not hold, though it still is.
        let mut state = self.state.clone();
        if matches!(outcome, Outcome::Refused(_)) && !is_replayed {
            state.settle_one(&operation.collection, &operation.id, self.now);
        }
        // The answer to a retry shows the document as it is now.
        let current = match is_replayed {
            true => self.visible().see(&operation.collection, &operation.id),
            false => state.see(&operation.collection, &operation.id),
        };
        let version = match outcome {
            Outcome::Applied { version, .. }
            | Outcome::Held { version }
            | Outcome::Refused(
                Refusal::Exists(version)
                | Refusal::Version(version)
                | Refusal::Content(version)
                | Refusal::Unmatched(version),
            ) => *version,
            _ => 0,
        };
        let is_applied = matches!(outcome, Outcome::Applied { .. });
        let held = !matches!(outcome, Outcome::Refused(_));
        Answer::Swapped {
            is_applied,
            held,
            version,
            index,
            is_replayed,
            current: current.map(Box::new),
        }
    }

    fn insert_many(
        &mut self,
        collection: &str,
        documents: &[(Id, Object, Option<Origin>)],
        context: &Context,
    ) -> Answer {
        if self.is_too_weak(collection, context.level) {
            return failed("too weak");
        }
        let operation = |(id, fields, origin): &(Id, Object, Option<Origin>)| Operation {
            collection: collection.to_owned(),
            id: id.clone(),
            condition: Condition::Always,
            action: match origin {
                None => Action::Insert(fields.clone()),
                Some(origin) => Action::Import(fields.clone(), *origin),
            },
        };
        let operations: Vec<_> = documents.iter().map(operation).collect();
        match self.apply(&operations, context) {
            Ok(reply) => reply.as_many(),
            Err(reused) => reused,
        }
    }

    fn number(&mut self, collection: &str, documents: &[Object], context: &Context) -> Answer {
        if self.state.collections.get(collection).is_none_or(|one| one.ids != NewIds::Integer) {
            return failed("no integers");
        }
        if self.is_too_weak(collection, context.level) {
            return failed("too weak");
        }
        let operation = |fields: &Object| Operation {
            collection: collection.to_owned(),
            id: Id::new(""),
            condition: Condition::Always,
            action: Action::InsertNew(fields.clone()),
        };
        let operations: Vec<_> = documents.iter().map(operation).collect();
        let reply = match self.apply(&operations, context) {
            Ok(reply) => reply,
            Err(reused) => return reused,
        };
        match reply.as_many() {
            Answer::ManyWritten(all) => {
                let all = reply.new_ids.into_iter().zip(all);
                let one = |(id, answer)| Answer::Numbered(Box::new((id, answer)));
                Answer::ManyWritten(all.map(one).collect())
            }
            failed => failed,
        }
    }

    fn batch(&mut self, operations: &[Operation], context: &Context) -> Answer {
        if operations.iter().any(|one| self.is_too_weak(&one.collection, context.level)) {
            return failed("too weak");
        }
        let Reply { outcomes, new_ids, index, is_replayed } = match self.apply(operations, context)
        {
            Ok(reply) => reply,
            Err(reused) => return reused,
        };
        let is_applied = !outcomes.iter().any(|one| matches!(one, Outcome::Refused(_)));
        let outcomes = outcomes.iter().map(Outcome::describe).collect();
        Answer::Batch { is_applied, index, is_replayed, outcomes, new_ids }
    }

    /// Applies a command, unless its request was answered before; an answer if its request id was
    /// used for something else.
    pub(super) fn apply(
        &mut self,
        operations: &[Operation],
        context: &Context,
    ) -> Result<Reply, Answer> {
        let asked = asked_for(operations, context);
        if let Some(known) = self.known(context, &asked)? {
            let Remembered { outcomes, new_ids, index, .. } = known;
            return Ok(Reply { outcomes, new_ids, index, is_replayed: true });
        }
        let ttl = context.time_to_live.map(|duration| self.now + micros(duration));
        let expiry = ttl.map_or(Expiry::Keep, |time| Expiry::Set(Some(time)));
        let with_expiry = operations.iter().map(|one| (one, expiry));
        let (outcomes, is_applied) = self.apply_all(with_expiry, self.state.clone());
        let is_refused = outcomes.iter().any(|one| matches!(one, Outcome::Refused(_)));
        let new_ids = std::mem::take(&mut self.state.new_ids);
        let new_ids = if is_refused { Vec::new() } else { new_ids };
        let answer = Remembered {
            outcomes: outcomes.clone(),
            new_ids: new_ids.clone(),
            ..Remembered::default()
        };
        self.remember(context, asked, is_applied, answer);
        Ok(Reply { outcomes, new_ids, index: self.state.index, is_replayed: false })
    }

    /// What a request was answered with before.
    pub(super) fn known(
        &self,
        context: &Context,
        asked: &str,
    ) -> Result<Option<Remembered>, Answer> {
        let Some(request) = &context.request else { return Ok(None) };
        match self.state.requests.iter().find(|one| one.request == *request) {
            Some(known) if known.asked == asked => Ok(Some(known.clone())),
            Some(_) => Err(failed("request reused")),
            None => Ok(None),
        }
    }

    /// Remembers the answer to a request. That changes the state too, if nothing else did.
    pub(super) fn remember(
        &mut self,
        context: &Context,
        asked: String,
        is_applied: bool,
        answer: Remembered,
    ) {
        let Some(request) = context.request.clone() else { return };
        if !is_applied {
            self.state.index += 1;
        }
        let (applied, index) = (self.now, self.state.index);
        self.state.requests.push_back(Remembered { request, asked, applied, index, ..answer });
    }

    /// Applies all operations or none; what became of them, and whether anything has changed since
    /// `before`.
    pub(super) fn apply_all<'a>(
        &mut self,
        operations: impl Iterator<Item = (&'a Operation, Expiry)>,
        before: State,
    ) -> (Vec<Outcome>, bool) {
        let now = self.now;
        let operations: Vec<_> = operations.collect();
        self.state.takings = (operations.len() > 1).then(Vec::new);
        self.state.new_ids.clear();
        let mut outcomes = Vec::new();
        for (position, (one, expiry)) in operations.into_iter().enumerate() {
            self.state.operation = position;
            outcomes.push(self.state.operate(one, expiry, now));
        }
        let is_refused =
            |outcomes: &[Outcome]| outcomes.iter().any(|one| matches!(one, Outcome::Refused(_)));
        if !is_refused(&outcomes) {
            for (position, index) in self.state.duplicates() {
                outcomes[position] = Outcome::Refused(Refusal::Duplicate(index));
            }
        }
        let is_refused = is_refused(&outcomes);
        if is_refused {
            for outcome in &mut outcomes {
                if !matches!(outcome, Outcome::Refused(_)) {
                    *outcome = Outcome::Abandoned;
                }
            }
        }
        if is_refused || self.state.touches == before.touches {
            self.state = before;
            return (outcomes, false);
        }
        self.state.index += 1;
        (outcomes, true)
    }

    fn maintain(&mut self) {
        let (now, before) = (self.now, self.now - RETENTION_MICROS);
        let state = &mut self.state;
        let touches = state.touches;
        let mut is_changed = false;
        state.do_what_is_due(now);
        state.leftovers.clear();
        for name in state.collections.keys().cloned().collect::<Vec<_>>() {
            let collection = state.collections.get_mut(&name).unwrap();
            let count = collection.tombstones.len();
            collection.tombstones.retain(|_, (_, deleted)| *deleted >= before);
            if collection.tombstones.len() < count {
                state.alter(&name);
            }
        }
        let count = state.dropped.len() + state.requests.len();
        state.dropped.retain(|_, (_, deleted)| *deleted >= before);
        while state.requests.front().is_some_and(|oldest| oldest.applied < before) {
            state.requests.pop_front();
        }
        is_changed |= state.dropped.len() + state.requests.len() < count;
        is_changed |= std::mem::take(&mut state.is_purge_due);
        is_changed |= state.touches > touches;
        state.index += u64::from(is_changed);
    }

    /// Does what is due before something else that looks for documents.
    pub(super) fn do_what_is_due(&mut self) {
        let (touches, now) = (self.state.touches, self.now);
        let leftovers = self.state.leftovers.len();
        self.state.do_what_is_due(now);
        // Due documents of dropped collections are removed too, which is not visible.
        let is_due = |time: Option<i64>| time.is_some_and(|time| time <= now);
        self.state.leftovers.retain(|(expires, lease)| !is_due(*expires) && !is_due(*lease));
        let is_changed = self.state.touches > touches || self.state.leftovers.len() < leftovers;
        self.state.index += u64::from(is_changed);
    }
}
