//! Projections: which parts of a document a query returns, in MongoDB's language.
//!
//! | value at a path | meaning |
//! |---|---|
//! | `1`, `true` | include it, and leave out all fields that are not named, except `_id` |
//! | `0`, `false` | exclude it, and keep all others |
//! | `{"$slice": n}`, `{"$slice": [skip, n]}` | the first `n` elements, or the last if negative |
//! | `{"$elemMatch": filter}` | the first element that satisfies the filter; includes |
//!
//! One projection either includes or excludes; only `_id` and `_meta` may differ:
//! the former is returned unless it is excluded, of the latter what is included. Paths lead through arrays to all of their elements; numbers in them are names. If an
//! included path leads into a value that is not an object, nothing is included; in arrays such
//! elements are left out.

mod apply;
mod parse;
mod projection_type;

pub use projection_type::Projection;
