//! Building filters in Rust.

use super::filter_type::Filter;
use super::measure;
use super::pattern::Pattern;
use super::predicate::{Choices, Predicate, Presence, Test};
use super::value_type::ValueType;
use crate::{Error, Path, Result, Value};

/// The start of a filter on the values at a path.
///
/// ```
/// use velocitydb_core::{Filter, field, object};
///
/// let adults = field("age").gte(18).and(field("address.city").is_in(["Berlin", "Bonn"]));
/// assert!(adults.matches_object(&object! { "age": 18, "address": { "city": "Bonn" } }));
/// assert_eq!(
///     adults,
///     Filter::from_json(r#"{"age": {"$gte": 18}, "address.city": {"$in": ["Berlin", "Bonn"]}}"#)?
/// );
/// assert!(field("a..b").eq(1).check().is_err());
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
pub fn field(path: &str) -> Field {
    Field { path: path.parse() }
}

/// The values at a path, to be tested. Its methods return filters.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a field is no filter before it is tested"]
pub struct Field {
    path: Result<Path>,
}

impl Field {
    /// The value, or an element of it, is equal; missing fields equal null: `$eq`.
    pub fn eq(self, value: impl Into<Value>) -> Filter {
        self.compared(value, Test::Eq)
    }

    /// Neither the value nor an element of it is equal: `$ne`.
    pub fn ne(self, value: impl Into<Value>) -> Filter {
        self.compared(value, Test::Ne)
    }

    /// It is larger: `$gt`.
    pub fn gt(self, value: impl Into<Value>) -> Filter {
        self.compared(value, Test::Gt)
    }

    /// It is larger or equal: `$gte`.
    pub fn gte(self, value: impl Into<Value>) -> Filter {
        self.compared(value, Test::Gte)
    }

    /// It is smaller: `$lt`.
    pub fn lt(self, value: impl Into<Value>) -> Filter {
        self.compared(value, Test::Lt)
    }

    /// It is smaller or equal: `$lte`.
    pub fn lte(self, value: impl Into<Value>) -> Filter {
        self.compared(value, Test::Lte)
    }

    /// It is an array with this element, or the value itself; the same as [`Field::eq`].
    pub fn contains(self, value: impl Into<Value>) -> Filter {
        self.eq(value)
    }

    /// It is one of these: `$in`.
    pub fn is_in(self, values: impl IntoIterator<Item = impl Into<Value>>) -> Filter {
        let values = values.into_iter().map(Into::into).collect();
        self.of_values(values, |values| Test::In(Choices::new(values, Vec::new())))
    }

    /// It is none of these: `$nin`.
    pub fn not_in(self, values: impl IntoIterator<Item = impl Into<Value>>) -> Filter {
        let values = values.into_iter().map(Into::into).collect();
        self.of_values(values, |values| Test::Nin(Choices::new(values, Vec::new())))
    }

    /// It has all of these: `$all`.
    pub fn has_all(self, values: impl IntoIterator<Item = impl Into<Value>>) -> Filter {
        let values = values.into_iter().map(Into::into).collect();
        self.of_values(values, |values| Test::All(values.into_iter().map(Test::Eq).collect()))
    }

    /// There is a value, also null: `$exists`.
    pub fn exists(self) -> Filter {
        self.tested(|| Ok(Test::Exists(Presence::Present)))
    }

    /// There is no value: `$exists` with `false`.
    pub fn is_missing(self) -> Filter {
        self.tested(|| Ok(Test::Exists(Presence::Missing)))
    }

    /// It is of this type: `$type`.
    pub fn is_type(self, value_type: ValueType) -> Filter {
        self.tested(|| Ok(Test::Type(vec![value_type])))
    }

    /// It is a string in which the pattern is found: `$regex`.
    pub fn matches(self, pattern: &str) -> Filter {
        self.matches_with(pattern, "")
    }

    /// It is a string in which the pattern is found, with options: `$regex` with `$options`.
    pub fn matches_with(self, pattern: &str, options: &str) -> Filter {
        self.tested(|| Pattern::new(pattern, options).map(Test::Regex).map_err(Mistake))
    }

    /// It is an array of that many elements: `$size`.
    pub fn has_size(self, size: u64) -> Filter {
        self.tested(|| Ok(Test::Size(size)))
    }

    /// It is an array with an element, an object, that satisfies the filter: `$elemMatch`.
    pub fn elem_match(self, filter: Filter) -> Filter {
        if filter.check().is_err() {
            return filter;
        }
        self.tested(|| Ok(Test::ElemMatch(Box::new(filter.predicate().clone()))))
    }

    fn compared(self, value: impl Into<Value>, test: impl FnOnce(Value) -> Test) -> Filter {
        self.of_values(vec![value.into()], |mut values| test(values.remove(0)))
    }

    fn of_values(self, values: Vec<Value>, test: impl FnOnce(Vec<Value>) -> Test) -> Filter {
        self.tested(|| {
            values.iter().try_for_each(measure::check_operand).map_err(Mistake)?;
            Ok(test(values))
        })
    }

    fn tested(self, test: impl FnOnce() -> Result<Test, Mistake>) -> Filter {
        match self.path {
            Err(problem) => Filter::from_problem(problem),
            Ok(path) => match test() {
                Ok(test) => Filter::from_predicate(Predicate::Field { path, test }),
                Err(Mistake(problem)) => {
                    let place = path.to_string();
                    Filter::from_problem(Error::InvalidQuery {
                        what: "filter".into(),
                        place,
                        problem,
                    })
                }
            },
        }
    }
}

/// What is wrong with an operand, as the end of a sentence.
struct Mistake(String);
