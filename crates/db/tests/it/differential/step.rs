//! What the differential test does to a database, as data, and what it is answered with.

use std::time::Duration;

use velocitydb::schema::Schema;
use velocitydb::{
    Consistency, Direction, Existing, Filter, IndexSpec, NewIds, Object, Origin, Sort, Value,
    object,
};

use super::id::Id;

/// One thing that is done.
#[derive(Debug, Clone)]
pub enum Step {
    Write {
        operation: Operation,
        context: Context,
    },
    InsertMany {
        collection: String,
        /// With what they had elsewhere, where they come from there.
        documents: Vec<(Id, Object, Option<Origin>)>,
        context: Context,
    },
    Batch {
        operations: Vec<Operation>,
        context: Context,
    },
    Transaction(Vec<TransactionStep>),
    Create {
        collection: String,
        min_write: Option<Consistency>,
        min_read: Option<Consistency>,
        ids: NewIds,
    },
    /// Inserts documents without ids, if the collection gives integers to them.
    Number {
        collection: String,
        documents: Vec<Object>,
        context: Context,
    },
    Drop {
        collection: String,
    },
    Get {
        collection: String,
        id: Id,
        level: Consistency,
    },
    GetMany {
        collection: String,
        ids: Vec<Id>,
        level: Consistency,
    },
    Count {
        collection: String,
        level: Consistency,
    },
    List {
        collection: String,
        list: Bounds,
        level: Consistency,
    },
    Collections,
    TakeSnapshot,
    ListSnapshot {
        collection: String,
        list: Bounds,
    },
    Advance(Duration),
    GoBack(Duration),
    Maintain,
    Restart,
    CreateIndex {
        collection: String,
        index: usize,
    },
    DropIndex {
        collection: String,
        index: usize,
    },
    SetSchema {
        collection: String,
        schema: Rules,
        existing: Existing,
    },
    RemoveSchema {
        collection: String,
    },
    Find {
        collection: String,
        filter: Filter,
        sort: Sort,
        offset: u64,
        limit: Option<u64>,
    },
    /// All pages of this size.
    Pages {
        collection: String,
        filter: Filter,
        sort: Sort,
        size: u64,
    },
    Distinct {
        collection: String,
        filter: Filter,
        path: String,
    },
    /// Which documents have ids that documents have in a field.
    Lookup {
        collection: String,
        filter: Filter,
        from: String,
        field: String,
    },
    /// Changes all documents that satisfy a filter, or deletes them.
    Many {
        collection: String,
        filter: Filter,
        changes: Option<Vec<Change>>,
        context: Context,
    },
    /// Changes the first, or deletes it.
    One {
        collection: String,
        filter: Filter,
        sort: Sort,
        changes: Option<Vec<Change>>,
        context: Context,
    },
    Claim(Claim),
    Settle {
        collection: String,
        id: Id,
        version: u64,
        how: Settling,
        context: Context,
    },
}

impl Step {
    /// How it is done, where it can have a request id.
    pub fn context_mut(&mut self) -> Option<&mut Context> {
        match self {
            Step::Write { context, .. }
            | Step::InsertMany { context, .. }
            | Step::Number { context, .. }
            | Step::Batch { context, .. }
            | Step::Many { context, .. }
            | Step::One { context, .. }
            | Step::Claim(Claim { context, .. })
            | Step::Settle { context, .. } => Some(context),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Claim {
    pub collection: String,
    pub filter: Filter,
    pub sort: Sort,
    pub limit: u32,
    pub changes: Vec<Change>,
    pub lease: Option<(Duration, Releases)>,
    pub is_even_if_leased: bool,
    pub context: Context,
}

/// What is done at the end of a lease: the first whose filter the document satisfies.
pub type Releases = Vec<(Filter, Vec<Change>)>;

/// What becomes of claimed work.
#[derive(Debug, Clone)]
pub enum Settling {
    Complete(Vec<Change>),
    Renew(Duration),
    Release,
    /// Not before this, and for this reason.
    Retry(i64, String),
}

/// A schema, of the few that there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rules {
    /// `n` is a number, and `m` is 7 if nothing is said.
    Numbers,
    /// There is an `n`.
    Needs,
}

impl Rules {
    pub fn schema(self) -> Schema {
        let text = match self {
            Rules::Numbers => r#"{"properties": {"n": {"type": "number"}, "m": {"default": 7}}}"#,
            Rules::Needs => r#"{"required": ["n"]}"#,
        };
        Schema::from_json(text).unwrap()
    }
}

/// The indexes that there can be; unique are 5 to 7 and 14.
pub fn index(number: usize) -> IndexSpec {
    let on = |keys: &[(&str, bool)]| {
        let with = |sort: Sort, (path, up): &(&str, bool)| match up {
            true => sort.ascending(path),
            false => sort.descending(path),
        };
        IndexSpec::new(keys.iter().fold(Sort::new(), with))
    };
    let spec = match number {
        0 => on(&[("n", true)]),
        1 => on(&[("n", false), ("m", true)]),
        2 => on(&[("list", true)]).sparse(),
        3 => on(&[("deep.m.x", true), ("n", false)]),
        4 => on(&[("n", true)]).partial(object! { "n": { "$gte": 1 } }),
        5 => on(&[("n", true)]).unique(),
        6 => on(&[("m", true), ("n", false)]).unique().sparse(),
        7 => on(&[("list", true)]).unique().sparse().partial(object! { "n": { "$exists": true } }),
        8 => on(&[("a", true), ("tags", true)]),
        9 => on(&[("b", false), ("c", true)]),
        10 => on(&[("tags", false)]),
        11 => on(&[("items.x", true), ("d.y", false)]),
        12 => on(&[("items.x", true), ("items.y", true)]),
        13 => on(&[("items.x", false), ("items.y", true)]),
        _ => on(&[("m", true), ("n", true)]).unique(),
    };
    spec.named(index_name(number))
}

pub fn index_name(number: usize) -> String {
    format!("i{number:02}")
}

pub const INDEXES: usize = 15;

/// A conditional write of one document.
#[derive(Debug, Clone)]
pub struct Operation {
    pub collection: String,
    pub id: Id,
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
    Matches(Filter),
}

#[derive(Debug, Clone)]
pub enum Action {
    Insert(Object),
    /// The id is a generated one, of which the collection makes one of its own.
    InsertNew(Object),
    Import(Object, Origin),
    Replace(Object),
    Upsert(Object),
    Update(Vec<Change>),
    Delete,
    Compare,
    Complete(Vec<Change>),
    /// For so long.
    Renew(Duration),
    Release,
    Retry(i64, String),
    /// What claiming and settling come to in a transaction: fields, and what becomes of the lease.
    Settle(Object, LeaseChange),
}

/// What a transaction does to the lease on a document.
#[derive(Debug, Clone, PartialEq)]
pub enum LeaseChange {
    End,
    /// It ends so long after the commit.
    Renew(Duration),
    Begin(Begun),
}

/// A lease that begins with the commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    pub duration: Duration,
    pub releases: Releases,
    /// The fields that the claim has set, and their values then.
    pub set: Vec<(String, Option<Vec<u8>>)>,
}

/// A change of one top-level field.
#[derive(Debug, Clone, PartialEq)]
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
    Get(String, Id),
    Count(String),
    List(String),
    Find(String, Filter),
    /// A part in an order.
    Query(String, Filter, Sort, u64, Option<u64>),
    Insert(String, Id, Object),
    Replace(String, Id, Object),
    Upsert(String, Id, Object),
    Update(String, Id, Vec<Change>),
    Delete(String, Id),
    Document(String, Id),
    Compare(String, Id, Condition),
    Settle(String, Id, u64, Settling),
    Claim(Claim),
    /// A step on the document that was claimed last: its names, and a version of 0 or 1, count from
    /// there.
    OfClaimed(Box<TransactionStep>),
    /// What another client does meanwhile.
    Other(Box<Step>),
}

/// The collection, id and version of a document that was claimed.
pub type ClaimedLast = Option<(String, Id, u64)>;

impl TransactionStep {
    /// The step, applied to the document that was claimed last; `None` when it needs one and there is none.
    pub fn of_claimed(&self, claimed: &ClaimedLast) -> Option<TransactionStep> {
        use TransactionStep::{Delete, Document, OfClaimed, Settle, Update, Upsert};
        let OfClaimed(step) = self else { return Some(self.clone()) };
        let (collection, id, version) = claimed.clone()?;
        Some(match &**step {
            Settle(_, _, before, how) => {
                Settle(collection, id, version.saturating_sub(*before), how.clone())
            }
            Update(_, _, changes) => Update(collection, id, changes.clone()),
            Upsert(_, _, fields) => Upsert(collection, id, fields.clone()),
            Delete(..) => Delete(collection, id),
            _ => Document(collection, id),
        })
    }
}

/// The part of a collection that is listed.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub offset: usize,
    pub limit: Option<usize>,
    pub after: Option<Id>,
    pub direction: Direction,
}

/// What is answered, in a form that both sides arrive at.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done,
    Failed(String),
    Written {
        version: u64,
        existed: bool,
        index: u64,
        is_replayed: bool,
    },
    /// That of a document without an id of its own.
    Numbered(Box<(Id, Answer)>),
    ManyWritten(Vec<Answer>),
    Swapped {
        is_applied: bool,
        held: bool,
        version: u64,
        index: u64,
        is_replayed: bool,
        current: Option<Box<Seen>>,
    },
    Batch {
        is_applied: bool,
        index: u64,
        is_replayed: bool,
        outcomes: Vec<String>,
        /// The ids of new documents.
        new_ids: Vec<Id>,
    },
    Documents(Vec<Option<Seen>>),
    Page(Vec<Seen>, Option<Box<Id>>),
    Count(u64),
    Collections(Vec<(String, u64, u64, u64)>),
    Fields(Option<String>),
    Transaction(Vec<Answer>, Box<Answer>),
    Committed(u64),
    Version(u64),
    Found(Vec<Seen>),
    Keys(Vec<Vec<u8>>),
    /// Documents, each with the ids that it leads to.
    Lookups(Vec<(Id, Vec<Id>)>),
    Many {
        count: u64,
        index: u64,
        is_replayed: bool,
    },
    /// What was claimed, the ids and versions of what has changed since, and what was skipped.
    Claimed {
        documents: Vec<Seen>,
        lost: Vec<(Id, u64)>,
        skipped: Vec<Id>,
        index: u64,
        is_replayed: bool,
    },
}

/// A document as a caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub id: Id,
    pub version: u64,
    pub created: i64,
    pub modified: i64,
    pub expires: Option<i64>,
    pub fields: String,
}

/// Few names and ids, so that everything meets everything. Some are prefixes of others.
pub const COLLECTIONS: [&str; 4] = ["a", "ab", "b", "_"];
