//! What the differential test does to a database, as data, and what it is answered with.

use std::time::Duration;

use velocitydb::{Consistency, Direction, Object, Value, object};
use velocitydb_storage::contract::Random;

/// One thing that is done.
#[derive(Debug, Clone)]
pub enum Step {
    Write { operation: Operation, context: Context },
    InsertMany { collection: String, documents: Vec<(String, Object)>, context: Context },
    Batch { operations: Vec<Operation>, context: Context },
    Transaction(Vec<TransactionStep>),
    Create { collection: String, min_write: Option<Consistency>, min_read: Option<Consistency> },
    Drop { collection: String },
    Get { collection: String, id: String, level: Consistency },
    GetMany { collection: String, ids: Vec<String>, level: Consistency },
    Count { collection: String, level: Consistency },
    List { collection: String, list: Bounds, level: Consistency },
    Collections,
    TakeSnapshot,
    ListSnapshot { collection: String, list: Bounds },
    Advance(Duration),
    GoBack(Duration),
    Maintain,
    Restart,
}

/// A conditional write of one document.
#[derive(Debug, Clone)]
pub struct Operation {
    pub collection: String,
    pub id: String,
    pub condition: Condition,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Always,
    Absent,
    Version(u64),
    Document(Object),
    Fields(Vec<(String, Option<Value>)>),
}

#[derive(Debug, Clone)]
pub enum Action {
    Insert(Object),
    Replace(Object),
    Upsert(Object),
    Update(Vec<Change>),
    Delete,
    Compare,
}

/// A change of one top-level field.
#[derive(Debug, Clone)]
pub enum Change {
    Set(String, Value),
    Unset(String),
    Inc(String, i64),
    Push(String, i64),
}

/// How a write is to be done.
#[derive(Debug, Clone, Default)]
pub struct Context {
    pub level: Consistency,
    pub time_to_live: Option<Duration>,
    pub request: Option<String>,
}

#[derive(Debug, Clone)]
pub enum TransactionStep {
    Get(String, String),
    Count(String),
    List(String),
    Insert(String, String, Object),
    Replace(String, String, Object),
    Upsert(String, String, Object),
    Update(String, String, Vec<Change>),
    Delete(String, String),
    /// What somebody else does meanwhile.
    Other(Box<Step>),
}

/// The part of a collection that is listed.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub offset: usize,
    pub limit: Option<usize>,
    pub after: Option<String>,
    pub direction: Direction,
}

/// What is answered, in a form that both sides arrive at.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done,
    Failed(String),
    Written { version: u64, existed: bool, index: u64, is_replayed: bool },
    ManyWritten(Vec<Answer>),
    Swapped { swapped: bool, version: u64, index: u64, is_replayed: bool, current: Option<Seen> },
    Batch { is_applied: bool, index: u64, is_replayed: bool, outcomes: Vec<String> },
    Documents(Vec<Option<Seen>>),
    Page(Vec<Seen>, Option<String>),
    Count(u64),
    Collections(Vec<(String, u64, u64, u64)>),
    Fields(Option<String>),
    Transaction(Vec<Answer>, Box<Answer>),
    Committed(u64),
}

/// A document as a caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub id: String,
    pub version: u64,
    pub created: i64,
    pub modified: i64,
    pub expires: Option<i64>,
    pub fields: String,
}

/// Few names and ids, so that everything meets everything. Some are prefixes of others.
pub const COLLECTIONS: [&str; 4] = ["a", "ab", "b", "_"];
const IDS: [&str; 8] = ["a", "aa", "ab", "b", "é", " ", "~", "0"];
const FIELDS: [&str; 3] = ["n", "m", "list"];

/// Makes steps up.
pub struct Generator {
    random: Random,
    requests: u64,
    /// The last write that had a request id, to be retried.
    last: Option<Step>,
    /// Whether a restart comes next: it is when maintenance has left something behind in memory
    /// alone that a restart tells.
    is_restart_next: bool,
}

impl Generator {
    pub fn new(random: Random) -> Self {
        Generator { random, requests: 0, last: None, is_restart_next: false }
    }

    pub fn next(&mut self) -> Step {
        if std::mem::take(&mut self.is_restart_next) {
            return Step::Restart;
        }
        match self.random.within(0..100) {
            0 => Step::Restart,
            1..3 => self.create(),
            3 => Step::Drop { collection: self.collection() },
            4..8 => Step::Advance(self.while_passing()),
            8 => Step::GoBack(Duration::from_secs(self.random.within(1..20))),
            9..12 => {
                self.is_restart_next = self.random.one_in(4);
                Step::Maintain
            }
            12 => Step::TakeSnapshot,
            13..16 => Step::ListSnapshot { collection: self.collection(), list: self.bounds() },
            16 => Step::Collections,
            17..24 => Step::List {
                collection: self.collection(),
                list: self.bounds(),
                level: self.level(),
            },
            24..27 => Step::Count { collection: self.collection(), level: self.level() },
            27..32 => {
                Step::Get { collection: self.collection(), id: self.id(), level: self.level() }
            }
            32..35 => Step::GetMany {
                collection: self.collection(),
                ids: (0..self.random.within(0..6)).map(|_| self.id()).collect(),
                level: self.level(),
            },
            35..45 => Step::Transaction(self.transaction()),
            45..48 => self.last.clone().unwrap_or(Step::Maintain),
            _ => self.write(),
        }
    }

    /// A write of any kind, or a collection that is made or dropped, or maintenance.
    pub fn next_command(&mut self) -> Step {
        match self.random.within(0..30) {
            0 => self.create(),
            1 => Step::Drop { collection: self.collection() },
            2 | 3 => Step::Maintain,
            4 => self.last.clone().unwrap_or(Step::Maintain),
            _ => self.write(),
        }
    }

    fn write(&mut self) -> Step {
        let context = self.context();
        let step = match self.random.within(0..10) {
            0 => {
                let count = self.random.within(1..5);
                let documents = (0..count).map(|_| (self.id(), self.object())).collect();
                Step::InsertMany { collection: self.collection(), documents, context }
            }
            1..3 => {
                let count = self.random.within(0..6);
                let operations = (0..count).map(|_| self.operation()).collect();
                let context = Context { time_to_live: None, ..context };
                Step::Batch { operations, context }
            }
            _ => Step::Write { operation: self.operation(), context },
        };
        if matches!(&step, Step::Write { context, .. } | Step::InsertMany { context, .. } | Step::Batch { context, .. } if context.request.is_some())
        {
            self.last = Some(step.clone());
        }
        step
    }

    fn context(&mut self) -> Context {
        let request = self.random.one_in(6).then(|| {
            self.requests += 1;
            format!("r{}", self.requests)
        });
        let time_to_live =
            self.random.one_in(5).then(|| Duration::from_secs(self.random.within(0..30)));
        Context { level: self.level(), time_to_live, request }
    }

    fn operation(&mut self) -> Operation {
        let (collection, id) = (self.collection(), self.id());
        let condition = match self.random.within(0..14) {
            0 => Condition::Absent,
            1 | 2 => Condition::Version(self.random.within(0..12)),
            3 => Condition::Document(self.object()),
            4 | 5 => {
                let count = self.random.within(0..3);
                let value =
                    |generator: &mut Self| (!generator.random.one_in(4)).then(|| generator.value());
                Condition::Fields((0..count).map(|_| (self.field(), value(self))).collect())
            }
            _ => Condition::Always,
        };
        let action = match self.random.within(0..14) {
            0..4 if condition == Condition::Always => Action::Insert(self.object()),
            4 if condition == Condition::Always => Action::Replace(self.object()),
            5..8 => Action::Upsert(self.object()),
            8 | 9 => Action::Delete,
            10 if condition != Condition::Always => Action::Compare,
            _ => Action::Update(self.changes()),
        };
        Operation { collection, id, condition, action }
    }

    fn transaction(&mut self) -> Vec<TransactionStep> {
        let count = self.random.within(0..7);
        (0..count).map(|_| self.transaction_step()).collect()
    }

    fn transaction_step(&mut self) -> TransactionStep {
        let (collection, id) = (self.collection(), self.id());
        match self.random.within(0..24) {
            0..5 => TransactionStep::Get(collection, id),
            5 => TransactionStep::Count(collection),
            6 => TransactionStep::List(collection),
            7 | 8 => TransactionStep::Insert(collection, id, self.object()),
            9 => TransactionStep::Replace(collection, id, self.object()),
            10..15 => TransactionStep::Upsert(collection, id, self.object()),
            15 | 16 => TransactionStep::Update(collection, id, self.changes()),
            17..20 => TransactionStep::Delete(collection, id),
            _ => TransactionStep::Other(Box::new(self.next_command())),
        }
    }

    fn create(&mut self) -> Step {
        let mut floor =
            || self.random.one_in(4).then(|| Consistency::ALL[self.random.within(0..4) as usize]);
        let (min_write, min_read) = (floor(), floor());
        Step::Create { collection: self.collection(), min_write, min_read }
    }

    fn bounds(&mut self) -> Bounds {
        Bounds {
            offset: if self.random.one_in(2) { 0 } else { self.random.within(0..10) as usize },
            limit: self.random.one_in(2).then(|| self.random.within(0..10) as usize),
            after: self.random.one_in(3).then(|| self.id()),
            direction: match self.random.one_in(2) {
                true => Direction::Forward,
                false => Direction::Backward,
            },
        }
    }

    fn while_passing(&mut self) -> Duration {
        match self.random.one_in(8) {
            true => Duration::from_secs(3_600 * self.random.within(1..30)),
            false => Duration::from_millis(self.random.within(0..15_000)),
        }
    }

    fn object(&mut self) -> Object {
        match self.random.within(0..6) {
            0 => Object::new(),
            1 => object! { "n": self.value(), "list": [1, 2] },
            2 => object! { "n": self.value(), "deep": { "m": [null, { "x": self.value() }] } },
            _ => object! { "n": self.value() },
        }
    }

    fn changes(&mut self) -> Vec<Change> {
        let field = self.field();
        let first = match self.random.within(0..8) {
            0..4 => Change::Set(field, self.value()),
            4 => Change::Unset(field),
            5 => Change::Inc(field, self.random.within(0..5) as i64 - 2),
            6 => Change::Push(field, self.random.within(0..5) as i64),
            _ => return Vec::new(),
        };
        vec![first, Change::Set("other".to_owned(), self.value())]
    }

    fn value(&mut self) -> Value {
        match self.random.within(0..9) {
            0 => Value::Null,
            1 => Value::from(self.random.one_in(2)),
            2 => Value::from("1"),
            3 => Value::from(self.random.within(0..3) as f64),
            4 => Value::from(vec![1, 2]),
            _ => Value::from(self.random.within(0..3) as i64),
        }
    }

    fn level(&mut self) -> Consistency {
        match self.random.one_in(2) {
            true => Consistency::Strong,
            false => Consistency::ALL[self.random.within(0..4) as usize],
        }
    }

    fn collection(&mut self) -> String {
        self.one_of(&COLLECTIONS)
    }

    fn id(&mut self) -> String {
        self.one_of(&IDS)
    }

    fn field(&mut self) -> String {
        self.one_of(&FIELDS)
    }

    fn one_of(&mut self, names: &[&str]) -> String {
        names[self.random.within(0..names.len() as u64) as usize].to_owned()
    }
}
