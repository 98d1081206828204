//! Filters: which documents a query selects, in MongoDB's language.
//!
//! | operator | satisfied when at the path there is |
//! |---|---|
//! | `$eq`, or a value itself | an equal value; null also where the field is missing |
//! | `$gt` `$gte` `$lt` `$lte` | a larger, smaller value of the same class |
//! | `$in` | a value that `$eq` one of a list, or a string that matches a pattern of it |
//! | `$exists` | a value, be it null; with `false`, none |
//! | `$type` | a value of one of the types |
//! | `$regex`, `$options` | a string in which the pattern is found |
//! | `$all` | all of a list: for each there is a value that `$eq` it |
//! | `$size` | an array of that many elements |
//! | `$elemMatch` | an array with an element that satisfies all of a filter, or of operators |
//! | `$ne` `$nin` `$not` | not what `$eq`, `$in`, the operators in `$not` are satisfied by |
//!
//! `$and`, `$or` and `$nor` combine filters; all fields of a filter and all operators of a field
//! have to be satisfied. The values at a path are those that it leads to when arrays inside the
//! path fan out to their elements, and, if it leads to an array, the array and its elements: one
//! of them has to satisfy the operator. Classes, equality and order are those of
//! [`order`](crate::order), except for NaN, which equals itself and is neither below nor above
//! any number.
//!
//! Evaluating allocates nothing, and reads encoded documents in place.

mod awaits;
mod build;
mod evaluate;
mod filter_type;
mod measure;
mod normal;
mod parse;
mod pattern;
mod perl_classes;
mod predicate;
mod shape;
mod value_type;
mod write;

pub use awaits::{Awaits, Bound, Move, Side};
pub use build::{Field, field};
pub use filter_type::Filter;
pub use pattern::Pattern;
pub use predicate::{Choices, Predicate, Presence, Test};
pub use shape::Shape;
pub use value_type::ValueType;

pub(crate) use evaluate::{holds_for_element, holds_for_object, matching_item};
pub(crate) use parse::{has_operators, parse_filter, parse_operators, tests_a_value};
pub(crate) use perl_classes::{Spaces, with_perl_classes};
pub(crate) use write::operators_to_object;
