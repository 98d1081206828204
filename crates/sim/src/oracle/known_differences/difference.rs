//! [`KnownDifference`]: one row of the tables.

use velocitydb_core::{Object, Value};

use crate::oracle::case::Answer;

/// A known difference.
#[derive(Debug)]
pub struct KnownDifference {
    /// A name of a few words.
    pub name: &'static str,
    /// Who is right, and why.
    pub why: &'static str,
    /// The smallest case.
    pub example: Example,
    /// The condition that recognises it.
    pub recognise: Recognise,
}

/// A case in which the two differ. All are JSON.
#[derive(Debug)]
pub struct Example {
    /// The documents, a list; they need no `_id`.
    pub documents: &'static str,
    /// The query: a filter, a list of sort keys, a projection, an update, or a list of stages, as
    /// its table says.
    pub query: &'static str,
    /// What mingo answers: documents, as a list, or `"refused"`.
    pub mingo: &'static str,
    /// What is right.
    pub right: &'static str,
}

/// How a difference is recognised.
#[derive(Debug)]
pub enum Recognise {
    /// By a condition of a filter and the object that it is applied to.
    Condition(fn(&Condition<'_>) -> bool),
    /// By a key of a sort and a document that is sorted. The others have to be in the same order.
    Key(fn(&Key<'_>) -> bool),
    /// By a key of a sort and a document that affects the order of all documents.
    Upset(fn(&Key<'_>) -> bool),
    /// By a path of a projection and a document that it is applied to.
    Projected(fn(&str, &Value, &Object) -> bool),
    /// By an operator of an update, and the document that it changes.
    Change(fn(&Change<'_>) -> bool),
    /// By a pipeline, and by both answers being the same after the difference is removed from
    /// them.
    Pipeline(fn(&[Value]) -> bool, fn(Value) -> Value),
}

/// One operator of a filter, applied to one object: a document, or an element that `$elemMatch`
/// looks at.
#[derive(Debug, Clone, Copy)]
pub struct Condition<'a> {
    /// The object that it is applied to.
    pub object: &'a Value,
    /// The path; empty for the element itself.
    pub path: &'a str,
    /// The operator.
    pub operator: &'a str,
    /// Its operand.
    pub operand: &'a Value,
}

/// One key of a sort, and one document that is sorted.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The document.
    pub document: &'a Value,
    /// The path that is sorted by.
    pub path: &'a str,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// One change of an update, and the document that it changes.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The document.
    pub document: &'a Value,
    /// The path that is changed.
    pub path: &'a str,
    /// The operator.
    pub operator: &'a str,
    /// Its operand.
    pub operand: &'a Value,
    /// VelocityDB's answer.
    pub ours: &'a Answer,
}
