//! [`Filter`]: created from objects, JSON or bytes, combined, and evaluated.

use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize, de};

use super::evaluate::{self, Element};
use super::measure;
use super::parse::parse_filter;
use super::predicate::Predicate;
use super::shape::Shape;
use crate::encoder::append;
use crate::format::Names;
use crate::{DocumentView, Error, Object, Path, RawValue, Result, Value};

/// Which documents a query selects.
///
/// Read from JSON in MongoDB's language, or built in Rust with [`field`](super::field). While
/// building, a mistake is remembered, and reported by [`Filter::check`] and wherever the filter is
/// used. Cheap to clone. Two filters are equal if they differ only in order.
///
/// ```
/// use velocitydb_core::{Filter, field, object};
///
/// let filter = Filter::from_json(r#"{"age": {"$gte": 18}, "tags": "admin"}"#)?;
/// assert_eq!(filter, field("tags").contains("admin").and(field("age").gte(18)));
/// assert!(filter.matches_object(&object! { "age": 30, "tags": ["admin", "new"] }));
/// assert!(!filter.matches_object(&object! { "age": "30", "tags": ["admin"] }));
///
/// let error = Filter::from_json(r#"{"$or": [{"age": {"$gts": 18}}]}"#).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "filter at \"$or.0.age.$gts\" uses the unknown operator \"$gts\"; did you mean $gt?"
/// );
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Filter {
    content: Arc<Content>,
    /// The first mistake that was made while building.
    problem: Option<Box<Error>>,
}

/// What all clones of a filter share.
struct Content {
    predicate: Predicate,
    /// Computed when it is asked for first: a filter that is used over and over has it once.
    shape: OnceLock<Shape>,
    /// The same for the bound of its encoding's length.
    length_max: OnceLock<Option<usize>>,
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.predicate == other.predicate
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            None => write!(f, "Filter({})", self.to_json()),
            Some(problem) => f.debug_tuple("Filter").field(problem).finish(),
        }
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::all()
    }
}

impl Filter {
    /// The filter that every document satisfies.
    pub fn all() -> Self {
        Self::from_checked(Predicate::True)
    }

    /// Reads a filter, such as `{"age": {"$gte": 18}}`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidQuery`] says where and why it is not valid.
    pub fn from_object(filter: impl Borrow<Object>) -> Result<Self> {
        parse_filter(filter.borrow()).map(Self::from_checked)
    }

    /// Reads a filter from JSON text, extended JSON included.
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_object(Object::from_json(text)?)
    }

    /// Documents that match all of the filters; every document, if there are no filters.
    pub fn all_of(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::combine(filters, Predicate::and)
    }

    /// Documents that match at least one of the filters; no document, if there are no filters.
    pub fn any_of(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::combine(filters, Predicate::or)
    }

    /// Documents that match none of the filters; every document, if there are no filters.
    pub fn none_of(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::combine(filters, Predicate::nor)
    }

    /// Documents that match both filters.
    pub fn and(self, other: Self) -> Self {
        Self::all_of([self, other])
    }

    /// Documents that match one of the filters, or both.
    pub fn or(self, other: Self) -> Self {
        Self::any_of([self, other])
    }

    /// The predicate of the filter, for planning. For a filter with a mistake, one that no
    /// document satisfies.
    pub fn predicate(&self) -> &Predicate {
        &self.content.predicate
    }

    /// Its shape, by which a repeated search is recognized.
    pub fn shape(&self) -> &Shape {
        self.content.shape.get_or_init(|| Shape::of(self.predicate()))
    }

    /// Whether every document satisfies it.
    pub fn is_all(&self) -> bool {
        *self.predicate() == Predicate::True
    }

    /// The paths that it reads, sorted, each once.
    pub fn paths(&self) -> Vec<&Path> {
        self.predicate().paths()
    }

    /// Whether a stored document satisfies it.
    ///
    /// # Errors
    ///
    /// What [`Filter::check`] says, and [`Error::Corrupt`] when the document cannot be read.
    #[inline]
    pub fn matches(&self, document: &DocumentView<'_>) -> Result<bool> {
        if self.problem.is_some() {
            self.check()?;
        }
        self.predicate().holds(document)
    }

    /// Whether an object, as it is between the stages of a pipeline, satisfies it. None satisfies a
    /// filter with a mistake.
    pub fn matches_object(&self, object: &Object) -> bool {
        evaluate::holds_for_object(self.predicate(), object)
    }

    /// Whether a value that is an object satisfies it. Other values count as objects without
    /// fields, and arrays as objects whose names are positions, as in `$elemMatch`.
    pub fn matches_value(&self, value: &Value) -> bool {
        self.predicate().holds(&Element(value)).expect("owned values can always be read")
    }

    /// Whether an encoded value satisfies it; see [`Filter::matches_value`].
    ///
    /// # Errors
    ///
    /// As [`Filter::matches`].
    pub fn matches_raw(&self, value: RawValue<'_>) -> Result<bool> {
        self.check()?;
        self.predicate().holds(&Element(value))
    }

    /// The first mistake that was made while building, if any.
    pub fn check(&self) -> Result<()> {
        self.problem.as_ref().map_or(Ok(()), |problem| Err((**problem).clone()))
    }

    /// The filter as an object that [`Filter::from_object`] reads.
    pub fn to_object(&self) -> Object {
        self.predicate().to_object()
    }

    /// The filter as JSON text.
    pub fn to_json(&self) -> String {
        self.to_object().to_json()
    }

    /// Appends the filter as canonical bytes, for a log or a wire.
    pub fn encode_into(&self, buffer: &mut Vec<u8>) -> Result<()> {
        self.check()?;
        append(buffer, Names::Operators, |encoder| encoder.object(&self.to_object()))
    }

    /// An upper bound of the bytes that [`encode_into`](Self::encode_into) appends, without encoding
    /// them if it is known.
    pub(crate) fn encoded_length_max(&self) -> Result<usize> {
        self.check()?;
        let measured = || measure::encoded_length_max(self.predicate());
        if let Some(length) = *self.content.length_max.get_or_init(measured) {
            return Ok(length);
        }
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes)?;
        Ok(bytes.len())
    }

    /// Reads what [`Filter::encode_into`] wrote, checking all of it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let filter = RawValue::validate_names(bytes, Names::Operators)?.to_value()?;
        Self::from_object(Object::try_from(filter)?)
    }

    /// A filter whose predicate has been checked.
    fn from_checked(predicate: Predicate) -> Self {
        Self::from_content(predicate, None)
    }

    /// A filter whose parts have been checked.
    pub(super) fn from_predicate(predicate: Predicate) -> Self {
        match measure::check(&predicate) {
            Ok(()) => Self::from_checked(predicate),
            Err(problem) => Self::from_problem(problem),
        }
    }

    pub(super) fn from_problem(problem: Error) -> Self {
        Self::from_content(Predicate::never(), Some(Box::new(problem)))
    }

    fn from_content(predicate: Predicate, problem: Option<Box<Error>>) -> Self {
        Self {
            content: Arc::new(Content {
                predicate,
                shape: OnceLock::new(),
                length_max: OnceLock::new(),
            }),
            problem,
        }
    }

    fn combine(
        filters: impl IntoIterator<Item = Self>,
        join: impl FnOnce(Vec<Predicate>) -> Predicate,
    ) -> Self {
        let mut parts = Vec::new();
        for filter in filters {
            if filter.problem.is_some() {
                return filter;
            }
            parts.push(match Arc::try_unwrap(filter.content) {
                Ok(content) => content.predicate,
                Err(shared) => shared.predicate.clone(),
            });
        }
        Self::from_predicate(join(parts))
    }
}

impl std::ops::Not for Filter {
    type Output = Self;

    /// Documents that do not match the filter.
    fn not(self) -> Self {
        Self::none_of([self])
    }
}

impl From<Object> for Filter {
    /// [`Filter::from_object`], with the mistake remembered until [`Filter::check`].
    fn from(filter: Object) -> Self {
        Self::from_object(filter).unwrap_or_else(Self::from_problem)
    }
}

impl Serialize for Filter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.check().map_err(serde::ser::Error::custom)?;
        self.to_object().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_object(Object::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
