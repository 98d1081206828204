//! [`Predicate`]: the content of a filter, for query planners. Owns the description of the normal
//! form; [`normal`](super::normal) creates it.

use crate::{Path, Value};

use super::{Pattern, ValueType};

/// What a document has to satisfy.
///
/// Every [`Filter`](super::Filter) holds a normal form: no `And` directly in an `And`, no `Or` in an
/// `Or`, none of both with fewer than two parts, no `True` in them, and the parts in one order
/// without repetition. So filters that differ only in order are equal.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// Every document satisfies it.
    True,
    /// All of them: `$and`, and several fields or operators.
    And(Vec<Predicate>),
    /// At least one of them: `$or`.
    Or(Vec<Predicate>),
    /// None of them: `$nor`.
    Nor(Vec<Predicate>),
    /// A test of the values at a path. Several tests of one path are several of these in an `And`,
    /// and different elements of an array may pass them.
    Field {
        /// The path, through arrays.
        path: Path,
        /// The test.
        test: Test,
    },
}

/// A test of the values at a path.
///
/// Except for the negated ones, a test is passed as soon as one of the values passes, which for an
/// array are its elements and the array itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// It is equal, or missing if this is null.
    Eq(Value),
    /// Not [`Test::Eq`], of any value there.
    Ne(Value),
    /// It is of the same class, and larger.
    Gt(Value),
    /// It is of the same class, and larger or equal; or missing if this is null.
    Gte(Value),
    /// It is of the same class, and smaller.
    Lt(Value),
    /// It is of the same class, and smaller or equal; or missing if this is null.
    Lte(Value),
    /// It is one of these.
    In(Choices),
    /// Not [`Test::In`], of any value there.
    Nin(Choices),
    /// There is a value, or there is none.
    Exists(Presence),
    /// It is of one of these types, which are in ascending order.
    Type(Vec<ValueType>),
    /// It is a string in which the pattern is found.
    Regex(Pattern),
    /// All of these, which are `Eq`, `Regex`, `ElemMatch` or `ElemMatchValue`; nothing passes if
    /// there are none. Different elements may pass different ones.
    All(Vec<Test>),
    /// It is an array of that many elements.
    Size(u64),
    /// It is an array with an element, an object or array, that satisfies this.
    ElemMatch(Box<Predicate>),
    /// It is an array with an element that by itself passes all of these.
    ElemMatchValue(Vec<Test>),
    /// Not all of these are passed.
    Not(Vec<Test>),
}

/// Whether there is a value at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// A value, also null.
    Present,
    /// Nothing.
    Missing,
}

/// The list of `$in` or `$nin`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choices {
    values: Vec<Value>,
    patterns: Vec<Pattern>,
}

impl Choices {
    /// Values and patterns, in any order.
    pub(super) fn new(mut values: Vec<Value>, mut patterns: Vec<Pattern>) -> Self {
        values.sort();
        values.dedup();
        patterns.sort_by(|a, b| a.text().cmp(&b.text()));
        patterns.dedup();
        Self { values, patterns }
    }

    /// The values: sorted in the total order, without duplicates.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The patterns.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }
}

impl Predicate {
    /// The paths that it reads, sorted, each once. That of `$elemMatch` is the array's.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        self.collect_paths(&mut paths);
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    fn collect_paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        match self {
            Self::True => {}
            Self::And(parts) | Self::Or(parts) | Self::Nor(parts) => {
                parts.iter().for_each(|part| part.collect_paths(paths));
            }
            Self::Field { path, .. } => paths.push(path),
        }
    }
}
