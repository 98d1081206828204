//! Queries and answers, with their JSON forms. Owns no semantics.

use velocitydb_core::{Object, Value, object};

use super::by_the_book::Number;

/// The parts of the language, each with a generator of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Filters: which documents are found, how many, and their distinct values.
    Filter,
    /// Sorts, with skip and limit.
    Sort,
    /// Projections.
    Projection,
    /// Updates.
    Update,
    /// Aggregation pipelines.
    Pipeline,
    /// Values of all types: filters, sorts, distinct values, groups and updates. JavaScript lacks some of
    /// the types, so that mingo is not asked.
    Value,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Filter, Self::Sort, Self::Projection, Self::Update, Self::Pipeline, Self::Value];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Sort => "sort",
            Self::Projection => "projection",
            Self::Update => "update",
            Self::Pipeline => "pipeline",
            Self::Value => "value",
        }
    }

    /// Whether mingo answers, or else the book.
    pub fn is_for_mingo(self) -> bool {
        self != Self::Value
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A collection, and queries on it. Each document has an `_id`, and they are in the order of their
/// ids.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The part of the language that it is about.
    pub kind: Kind,
    /// The collection.
    pub documents: Vec<Object>,
    /// The questions.
    pub queries: Vec<Query>,
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// Which documents are found.
    Find(Find),
    /// How many documents a filter finds.
    Count {
        /// The filter.
        filter: Object,
    },
    /// The distinct values of the documents at a path.
    Distinct {
        /// The path.
        path: String,
        /// The filter of the documents.
        filter: Object,
    },
    /// The update of one document.
    Update {
        /// Its position in the collection.
        document: usize,
        /// The update.
        update: Object,
    },
    /// The results of a pipeline. It may join the collection with itself, by any name.
    Aggregate {
        /// The stages.
        pipeline: Vec<Value>,
        /// Whether the order of the results matters.
        order: Order,
    },
}

/// A search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Find {
    /// Which documents.
    pub filter: Object,
    /// Objects of one field each, from the first key to the last.
    pub sort: Vec<Value>,
    /// How many results are skipped.
    pub skip: Option<u64>,
    /// How many results there are at most.
    pub limit: Option<u64>,
    /// Which fields.
    pub projection: Option<Object>,
}

/// Whether an order of results has to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It has to be the same.
    Given,
    /// Results may come in any order.
    Free,
    /// Results may come in any order, and so may the elements of their lists, some of
    /// which are sets.
    Sets,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The ids of the found documents, as [`id_text`] gives them.
    Ids(Vec<String>),
    /// The found documents.
    Documents(Vec<Value>),
    /// Values, in no order.
    Values(Vec<Value>),
    /// A number of documents.
    Count(u64),
    /// The query was refused, or failed, for this reason.
    Refused(String),
}

impl Query {
    /// Whether the order of the results has to be the same.
    pub fn order(&self) -> Order {
        match self {
            Self::Find(find) if find.sort.is_empty() => Order::Free,
            Self::Aggregate { order, .. } => *order,
            _ => Order::Given,
        }
    }

    /// The form that the driver reads, and that a report shows.
    pub fn to_value(&self) -> Value {
        Value::Object(match self {
            Self::Find(find) => find.to_object(),
            Self::Count { filter } => object! { "kind": "count", "filter": filter.clone() },
            Self::Distinct { path, filter } => {
                object! { "kind": "distinct", "path": path.as_str(), "filter": filter.clone() }
            }
            Self::Update { document, update } => {
                object! { "kind": "update", "document": *document, "update": update.clone() }
            }
            Self::Aggregate { pipeline, .. } => {
                object! { "kind": "aggregate", "pipeline": pipeline.clone() }
            }
        })
    }
}

impl Find {
    fn to_object(&self) -> Object {
        let mut object = object! { "kind": "find", "filter": self.filter.clone() };
        if !self.sort.is_empty() {
            object.insert("sort", self.sort.clone());
        }
        if let Some(skip) = self.skip {
            object.insert("skip", skip);
        }
        if let Some(limit) = self.limit {
            object.insert("limit", limit);
        }
        if let Some(projection) = &self.projection {
            object.insert("projection", projection.clone());
        }
        object
    }
}

impl Answer {
    /// Reads what the driver wrote.
    pub fn from_json(line: &str) -> Option<Self> {
        let answer = Object::from_json(line).ok()?;
        let (name, value) = answer.into_iter().next()?;
        match (name.as_str(), value) {
            ("ids", Value::Array(ids)) => Some(Self::Ids(ids.iter().map(id_text).collect())),
            ("documents", Value::Array(documents)) => Some(Self::Documents(documents)),
            ("values", Value::Array(values)) => Some(Self::Values(values)),
            ("count", count) => count.as_u64().map(Self::Count),
            ("refused", Value::String(reason)) => Some(Self::Refused(reason)),
            _ => None,
        }
    }

    /// A short text for reports.
    pub fn to_text(&self) -> String {
        match self {
            Self::Ids(ids) => format!("ids {ids:?}"),
            Self::Documents(documents) => {
                let lines: Vec<String> = documents.iter().map(Value::to_json).collect();
                format!("documents [{}]", lines.join(", "))
            }
            Self::Values(values) => format!("values {}", Value::Array(values.clone())),
            Self::Count(count) => format!("count {count}"),
            Self::Refused(reason) => format!("refused: {reason}"),
        }
    }

    /// Whether there is no result.
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// The `_id` of a document of a batch, as a text.
pub fn id_of(document: &Object) -> String {
    document.get("_id").map(id_text).unwrap_or_default()
}

/// A text that only equal ids have: numbers are one id if they are equal, whatever their type.
pub fn id_text(id: &Value) -> String {
    Number::of(id).map_or_else(|| id.to_json(), |number| number.to_text())
}
