//! Evaluating predicates: one implementation for encoded and owned values, which allocates
//! nothing.

use std::cmp::Ordering;

use super::predicate::{Choices, Predicate, Presence, Test};
use super::value_type::ValueType;
use crate::fanout::{any_leaf, values};
use crate::node::{Node, Shape};
use crate::order::{compare, compare_within_class};
use crate::path::Segment;
use crate::{DocumentView, Kind, Object, Path, Result, Value};

/// An object whose fields can be tested.
pub(super) trait Fields {
    /// Whether the values at the path pass the test.
    fn pass(&self, path: &Path, test: &Test) -> Result<bool>;
}

impl Fields for DocumentView<'_> {
    #[inline]
    fn pass(&self, path: &Path, test: &Test) -> Result<bool> {
        let (first, rest) = path.split_first();
        match self.meta_node_at(path) {
            None => test.passed_at(self.fields.get(first.name())?, rest),
            Some(meta) => test.passed_at(meta, &[]),
        }
    }
}

impl Fields for &Object {
    fn pass(&self, path: &Path, test: &Test) -> Result<bool> {
        let (first, rest) = path.split_first();
        test.passed_at(self.get(first.name()), rest)
    }
}

/// An element that is an object or array. In an array, fields are positions.
pub(super) struct Element<N>(pub(super) N);

impl<'a, N: Node<'a>> Fields for Element<N> {
    fn pass(&self, path: &Path, test: &Test) -> Result<bool> {
        let (first, rest) = path.split_first();
        let found = match (self.0.kind(), first.index()) {
            (Kind::Array, Some(index)) => self.0.item(index)?,
            _ => self.0.field(first.name())?,
        };
        test.passed_at(found, rest)
    }
}

/// Whether an owned object satisfies a predicate.
pub(crate) fn holds_for_object(predicate: &Predicate, object: &Object) -> bool {
    predicate.holds(&object).expect("owned values can always be read")
}

/// Whether an owned value passes all tests, like the value of a field.
pub(crate) fn holds_for_element(tests: &[Test], value: &Value) -> bool {
    all(tests, |test| test.passed_at(Some(value), &[])).expect("owned values can always be read")
}

/// The first element of an array that passes a test with `$elemMatch`.
pub(crate) fn matching_item<'a, N: Node<'a>>(test: &Test, array: N) -> Result<Option<N>> {
    for item in array.items()?.into_iter().flatten() {
        let item = item?;
        let passed = match test {
            Test::ElemMatch(predicate) => {
                let container = matches!(item.kind(), Kind::Object | Kind::Array);
                container && predicate.holds(&Element(item))?
            }
            Test::ElemMatchValue(tests) => all(tests, |test| test.passed_by(Some(item)))?,
            _ => false,
        };
        if passed {
            return Ok(Some(item));
        }
    }
    Ok(None)
}

impl Predicate {
    pub(super) fn holds(&self, fields: &impl Fields) -> Result<bool> {
        match self {
            Self::True => Ok(true),
            Self::And(parts) => all(parts, |part| part.holds(fields)),
            Self::Or(parts) => any(parts, |part| part.holds(fields)),
            Self::Nor(parts) => any(parts, |part| part.holds(fields)).map(|any| !any),
            Self::Field { path, test } => fields.pass(path, test),
        }
    }
}

impl Test {
    /// Whether the values at a path pass. `value` is the value of its first segment, `path` are
    /// the other segments.
    pub(super) fn passed_at<'a, N: Node<'a>>(
        &self,
        value: Option<N>,
        path: &[Segment],
    ) -> Result<bool> {
        match self {
            Self::Ne(operand) => {
                any_leaf(value, path, |leaf| equals(leaf, operand)).map(|any| !any)
            }
            Self::Nin(choices) => {
                any_leaf(value, path, |leaf| choices.contain(leaf)).map(|any| !any)
            }
            Self::Not(tests) => all(tests, |test| test.passed_at(value, path)).map(|all| !all),
            Self::All(tests) => {
                Ok(!tests.is_empty() && all(tests, |test| test.passed_at(value, path))?)
            }
            Self::Exists(presence) => {
                let present = values(value, path, &mut |value, _| Ok(value.is_some()))?;
                Ok(present == (*presence == Presence::Present))
            }
            Self::Size(_) | Self::ElemMatch(_) | Self::ElemMatchValue(_) => {
                values(value, path, &mut |value, _| self.passed_by(value))
            }
            _ => any_leaf(value, path, |leaf| self.passed_by(leaf)),
        }
    }

    /// Whether the value itself passes, without its elements.
    #[inline]
    pub(super) fn passed_by<'a, N: Node<'a>>(&self, value: Option<N>) -> Result<bool> {
        match self {
            Self::Eq(operand) => equals(value, operand),
            Self::Ne(operand) => equals(value, operand).map(|equal| !equal),
            Self::Gt(operand) => ordered(value, operand, Ordering::is_gt),
            Self::Gte(operand) => ordered(value, operand, Ordering::is_ge),
            Self::Lt(operand) => ordered(value, operand, Ordering::is_lt),
            Self::Lte(operand) => ordered(value, operand, Ordering::is_le),
            Self::In(choices) => choices.contain(value),
            Self::Nin(choices) => choices.contain(value).map(|contained| !contained),
            Self::Exists(presence) => Ok(value.is_some() == (*presence == Presence::Present)),
            Self::Not(tests) => all(tests, |test| test.passed_by(value)).map(|all| !all),
            Self::All(tests) => Ok(!tests.is_empty() && all(tests, |test| test.passed_by(value))?),
            _ => value.map_or(Ok(false), |value| self.passed_by_present(value)),
        }
    }

    /// The other tests, which a missing value does not pass.
    fn passed_by_present<'a, N: Node<'a>>(&self, value: N) -> Result<bool> {
        match self {
            Self::Type(types) => Ok(types.contains(&ValueType::of(value)?)),
            Self::Regex(pattern) => match value.kind() {
                Kind::String => text(value, |text| pattern.is_found_in(text)),
                _ => Ok(false),
            },
            Self::Size(size) => Ok(value.items()?.is_some_and(|items| items.len() as u64 == *size)),
            Self::ElemMatch(_) | Self::ElemMatchValue(_) => {
                Ok(matching_item(self, value)?.is_some())
            }
            _ => Ok(false),
        }
    }
}

impl Choices {
    fn contain<'a, N: Node<'a>>(&self, value: Option<N>) -> Result<bool> {
        let Some(value) = value else {
            // MinKey and undefined are below null.
            return Ok(self.values().binary_search(&Value::Null).is_ok());
        };
        let (mut low, mut high) = (0, self.values().len());
        while low < high {
            let middle = low + (high - low) / 2;
            match compare(value, &self.values()[middle], 0)? {
                Ordering::Greater => low = middle + 1,
                Ordering::Less => high = middle,
                Ordering::Equal => return Ok(true),
            }
        }
        if self.patterns().is_empty() || value.kind() != Kind::String {
            return Ok(false);
        }
        text(value, |text| self.patterns().iter().any(|pattern| pattern.is_found_in(text)))
    }
}

#[inline]
fn equals<'a, N: Node<'a>>(value: Option<N>, operand: &Value) -> Result<bool> {
    ordered(value, operand, Ordering::is_eq)
}

/// Whether a value is of the operand's class, and compares as required. A missing value equals
/// null.
#[inline]
fn ordered<'a, N: Node<'a>>(
    value: Option<N>,
    operand: &Value,
    so: impl FnOnce(Ordering) -> bool,
) -> Result<bool> {
    match value {
        Some(value) => Ok(compare_within_class(value, operand)?.is_some_and(so)),
        None => Ok(operand.is_null() && so(Ordering::Equal)),
    }
}

fn text<'a, N: Node<'a>>(value: N, test: impl FnOnce(&str) -> bool) -> Result<bool> {
    match value.shape(0)? {
        Shape::String(text) => Ok(test(text)),
        _ => Ok(false),
    }
}

#[inline]
fn all<T>(parts: &[T], mut holds: impl FnMut(&T) -> Result<bool>) -> Result<bool> {
    for part in parts {
        if !holds(part)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[inline]
fn any<T>(parts: &[T], mut holds: impl FnMut(&T) -> Result<bool>) -> Result<bool> {
    for part in parts {
        if holds(part)? {
            return Ok(true);
        }
    }
    Ok(false)
}
