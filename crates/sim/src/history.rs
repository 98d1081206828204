//! [`History`]: what clients saw in one cycle, from a worker's records.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use velocitydb::{Consistency, DocumentId, Mode};

use crate::content::OperationId;
use crate::operation::{Job, Operation, What};
use crate::record::{JournalEnd, Record};

/// What clients saw in one cycle.
#[derive(Debug, Clone)]
pub struct History {
    /// Every operation that was begun, in the order of the records.
    pub calls: Vec<Call>,
    /// Whether the worker reported that it had opened the database.
    pub is_opened: bool,
    /// The last index that is promised to survive.
    pub durable_index: u64,
    /// The failures that the worker reported.
    pub failures: Vec<String>,
    /// The journal and its length when the last write that is promised to survive became durable.
    pub durable_journal: Option<JournalEnd>,
    mode: Mode,
    positions: HashMap<OperationId, usize>,
    acknowledged_index: u64,
}

/// An operation, and what its client saw.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation.
    pub operation: Operation,
    /// The client's answer.
    pub answer: Answer,
    /// When the auditor got the answer.
    pub answered: Option<Instant>,
    /// The last index that had been acknowledged to any client when it began.
    began_after: u64,
    /// If its answer has no index: a lower bound, exclusive.
    pub index_min: u64,
    /// If its answer has no index: an upper bound, exclusive.
    pub index_end: u64,
    /// The job that was claimed.
    pub job: Option<Job>,
    /// The generated id of the inserted document.
    pub document: Option<DocumentId>,
}

/// The answer of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// None before the crash: the operation may have been applied, or not.
    None,
    /// It was applied.
    Applied {
        /// Its position; 0 if the answer has none.
        index: u64,
        /// The resulting version; 0 if there is none.
        version: u64,
    },
    /// It changed nothing.
    Nothing,
}

/// Whether an operation must be in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is in the state.
    Retained,
    /// It is not in the state: the state ends before it.
    Lost,
    /// Either.
    Possible,
    /// It changed nothing.
    Nothing,
}

impl History {
    /// An empty history of a worker in `mode`.
    pub fn new(mode: Mode) -> Self {
        History {
            calls: Vec::new(),
            is_opened: false,
            durable_index: 0,
            failures: Vec::new(),
            durable_journal: None,
            mode,
            positions: HashMap::new(),
            acknowledged_index: 0,
        }
    }

    /// Adds a record that arrived at `now`.
    pub fn add(&mut self, record: Record, now: Instant) {
        match record {
            Record::Opened => self.is_opened = true,
            Record::Begin(operation) => self.begin(operation),
            Record::Applied { id, index, version } => self.applied(id, index, version, now),
            Record::Claimed { id, index, version, job } => {
                self.applied(id, index, version, now);
                if let Some(call) = self.call_mut(id) {
                    call.job = Some(job);
                }
            }
            Record::Added { id, index, version, document } => {
                self.applied(id, index, version, now);
                if let Some(call) = self.call_mut(id) {
                    call.document = Some(document);
                }
            }
            Record::Nothing(id) => {
                if let Some(call) = self.call_mut(id) {
                    (call.answer, call.answered) = (Answer::Nothing, Some(now));
                }
            }
            Record::Failed { message } => self.failures.push(message),
            Record::Durable(end) => self.note_durable(end),
        }
    }

    /// Records how far the journal was durable. Threads of a worker read and report it in two steps,
    /// so a later report may have an earlier value.
    fn note_durable(&mut self, end: JournalEnd) {
        let place = |end: &JournalEnd| (end.journal, end.length);
        if self.durable_journal.is_none_or(|before| place(&before) <= place(&end)) {
            self.durable_journal = Some(end);
        }
    }

    fn begin(&mut self, operation: Operation) {
        self.positions.insert(operation.id, self.calls.len());
        self.calls.push(Call {
            operation,
            answer: Answer::None,
            answered: None,
            began_after: self.acknowledged_index,
            index_min: 0,
            index_end: u64::MAX,
            job: None,
            document: None,
        });
    }

    fn applied(&mut self, id: OperationId, index: u64, version: u64, now: Instant) {
        let mode = self.mode;
        let durable = match self.call_mut(id).map(|call| (call.operation, call.began_after)) {
            Some((Operation { what: What::Sync, .. }, before)) => before,
            Some((operation, _)) if is_durable(mode, operation.level_of_effect()) => index,
            _ => 0,
        };
        if self.mode != Mode::MemoryOnly {
            self.durable_index = self.durable_index.max(durable);
        }
        self.acknowledged_index = self.acknowledged_index.max(index);
        if let Some(call) = self.call_mut(id) {
            (call.answer, call.answered) = (Answer::Applied { index, version }, Some(now));
        }
    }

    fn call_mut(&mut self, id: OperationId) -> Option<&mut Call> {
        self.positions.get(&id).map(|position| &mut self.calls[*position])
    }

    /// The call of an operation.
    pub fn call(&self, id: OperationId) -> Option<&Call> {
        self.positions.get(&id).map(|position| &self.calls[*position])
    }

    /// Call this after all records were added: bounds the positions of operations whose answers have
    /// none, by the same client's operations before and after.
    pub fn finish(&mut self) {
        let mut last = HashMap::<u8, u64>::new();
        for call in &mut self.calls {
            let index = last.entry(call.operation.id.thread()).or_default();
            call.index_min = *index;
            if let Answer::Applied { index: told @ 1.., .. } = call.answer {
                *index = told;
            }
        }
        let mut next = HashMap::<u8, u64>::new();
        for call in self.calls.iter_mut().rev() {
            let index = next.entry(call.operation.id.thread()).or_insert(u64::MAX);
            call.index_end = *index;
            if let Answer::Applied { index: told @ 1.., .. } = call.answer {
                *index = told;
            }
        }
    }

    /// Whether a call must be in the state that ends with `recovered`.
    pub fn fate(&self, call: &Call, recovered: u64) -> Fate {
        match call.answer {
            Answer::None => Fate::Possible,
            Answer::Nothing => Fate::Nothing,
            Answer::Applied { index: 0, .. } => {
                if call.index_end <= recovered || is_durable(self.mode, Consistency::Strong) {
                    Fate::Retained
                } else if call.index_min >= recovered {
                    Fate::Lost
                } else {
                    Fate::Possible
                }
            }
            Answer::Applied { index, .. } if index <= recovered => Fate::Retained,
            Answer::Applied { .. } => Fate::Lost,
        }
    }

    /// The mode of the worker.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How many operations were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.calls.iter().filter(|call| call.answer != Answer::None).count() as u64
    }

    /// How many operations were in flight at the end.
    pub fn in_flight(&self) -> u64 {
        self.calls.len() as u64 - self.acknowledged()
    }

    /// How many acknowledged operations the state that ends with `recovered` has lost, and how long
    /// before `end` the first of them was acknowledged.
    pub fn lost(&self, recovered: u64, end: Instant) -> (u64, Duration) {
        let has_effect = |call: &&Call| {
            use What::{Add, Claim, Finish, Offer, Swarm, Transfer, Write};
            let what = &call.operation.what;
            let is_told = !matches!(call.answer, Answer::Applied { index: 0, .. });
            let is_effect = matches!(what, Write { .. } | Transfer { .. } | Claim { .. });
            is_told && (is_effect || matches!(what, Offer { .. } | Finish { .. } | Swarm | Add))
        };
        let lost = self.calls.iter().filter(has_effect);
        let lost = lost.filter(|call| self.fate(call, recovered) == Fate::Lost);
        let (mut count, mut age) = (0, Duration::ZERO);
        for call in lost {
            count += 1;
            let answered = call.answered.unwrap_or(end);
            age = age.max(end.saturating_duration_since(answered));
        }
        (count, age)
    }
}

impl Operation {
    /// The level at which its effect was acknowledged: transactions, creating and dropping have only
    /// one.
    fn level_of_effect(&self) -> Consistency {
        match self.what {
            What::Write { .. } | What::Add => self.level,
            _ => Consistency::Strong,
        }
    }
}

/// Whether a write that is acknowledged at `level` is promised to survive `kill -9`.
fn is_durable(mode: Mode, level: Consistency) -> bool {
    matches!(mode, Mode::Hybrid | Mode::Persistent) && level > Consistency::Local
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of two threads, the one that read first reported last, and the simulated loss of power removed
    /// what the other had read as durable.
    #[test]
    fn the_furthest_durable_end_counts_whoever_tells_it_last() {
        let mut history = History::new(Mode::Persistent);
        let mut tell = |journal, length| {
            let end = JournalEnd { journal, length, background: length };
            history.add(Record::Durable(end), Instant::now());
            history.durable_journal.map(|end| (end.journal, end.length))
        };
        assert_eq!(tell(3, 200), Some((3, 200)));
        assert_eq!(tell(3, 100), Some((3, 200)));
        assert_eq!(tell(4, 10), Some((4, 10)));
        assert_eq!(tell(3, 300), Some((4, 10)));
    }
}
