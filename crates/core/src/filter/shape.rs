//! [`Shape`]: identifies a search that is repeated with bounds that move. Reads filters, and builds
//! none.

use xxhash_rust::xxh3::Xxh3;

use super::Pattern;
use super::awaits::{Bound, bounds_of, class_of};
use super::predicate::{Choices, Predicate, Presence, Test};
use crate::key::{Direction, encode_key_value};
use crate::{Path, Value};

/// A filter but for the values of its bounds, as a hash, and those values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The same for filters that differ only in the values of their bounds, if these are of the
    /// same classes.
    pub hash: u128,
    /// The bounds, in an order that is the same for filters of the same shape.
    pub bounds: Box<[Bound]>,
}

impl Shape {
    pub(super) fn of(predicate: &Predicate) -> Self {
        let mut hasher = Hasher { hash: Xxh3::new(), component: Vec::new() };
        hasher.predicate(predicate);
        Shape { hash: hasher.hash.digest128(), bounds: bounds_of(predicate) }
    }
}

struct Hasher {
    hash: Xxh3,
    /// A reused buffer.
    component: Vec<u8>,
}

impl Hasher {
    fn predicate(&mut self, predicate: &Predicate) {
        match predicate {
            Predicate::True => self.tag(0),
            Predicate::And(parts) => self.list(1, parts, Self::predicate),
            Predicate::Or(parts) => self.list(2, parts, Self::predicate),
            Predicate::Nor(parts) => self.list(3, parts, Self::predicate),
            Predicate::Field { path, test } => {
                self.tag(4);
                self.path(path);
                self.test(test);
            }
        }
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::Eq(value) => self.value(10, value),
            Test::Ne(value) => self.value(11, value),
            Test::Gt(value) => self.bound(12, value),
            Test::Gte(value) => self.bound(13, value),
            Test::Lt(value) => self.bound(14, value),
            Test::Lte(value) => self.bound(15, value),
            Test::In(choices) => self.choices(16, choices),
            Test::Nin(choices) => self.choices(17, choices),
            Test::Exists(Presence::Present) => self.tag(18),
            Test::Exists(Presence::Missing) => self.tag(19),
            Test::Type(types) => self.list(20, types, |hasher, one| hasher.tag(one.tag())),
            Test::Regex(pattern) => self.pattern(21, pattern),
            Test::All(tests) => self.list(22, tests, Self::test),
            Test::Size(size) => {
                self.tag(23);
                self.hash.update(&size.to_le_bytes());
            }
            Test::ElemMatch(predicate) => {
                self.tag(24);
                self.predicate(predicate);
            }
            Test::ElemMatchValue(tests) => self.list(25, tests, Self::test),
            Test::Not(tests) => self.list(26, tests, Self::test),
        }
    }

    fn tag(&mut self, tag: u8) {
        self.hash.update(&[tag]);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.hash.update(&(bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    fn list<T>(&mut self, tag: u8, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.tag(tag);
        self.hash.update(&(items.len() as u64).to_le_bytes());
        items.iter().for_each(|one| item(self, one));
    }

    fn path(&mut self, path: &Path) {
        self.list(27, path.segments(), |hasher, segment| hasher.bytes(segment.name().as_bytes()));
    }

    /// Adds a value by its key, which equal values share.
    fn value(&mut self, tag: u8, value: &Value) {
        self.component.clear();
        encode_key_value(value, Direction::Ascending, &mut self.component);
        self.hash.update(&[tag]);
        self.hash.update(&(self.component.len() as u64).to_le_bytes());
        self.hash.update(&self.component);
    }

    /// Adds a bound by the representative of its class, or a value that is not a bound.
    fn bound(&mut self, tag: u8, value: &Value) {
        match class_of(value) {
            Some(class) => {
                self.tag(28);
                self.value(tag, &class);
            }
            None => self.value(tag, value),
        }
    }

    fn choices(&mut self, tag: u8, choices: &Choices) {
        self.list(tag, choices.values(), |hasher, value| hasher.value(29, value));
        self.list(30, choices.patterns(), |hasher, pattern| hasher.pattern(31, pattern));
    }

    fn pattern(&mut self, tag: u8, pattern: &Pattern) {
        let (source, options) = pattern.text();
        self.tag(tag);
        self.bytes(source.as_bytes());
        self.bytes(options.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, Object, object, value};

    fn shape(object: Object) -> u128 {
        Filter::from_object(&object).unwrap().shape().hash
    }

    #[test]
    fn filters_of_one_shape_differ_in_their_bounds_alone() {
        let at = |bound: Value| object! { "a": 1, "b": { "$lte": bound }, "$or": [{ "c": { "$gt": 5 } }, { "d": null }] };
        let one = shape(at(value!(1)));
        for other in [value!(2), value!(2.5), value!(-9_000_000_000_i64)] {
            assert_eq!(one, shape(at(other.clone())), "{other}");
        }
        for other in [value!("1"), value!(null), value!([1]), value!(f64::NAN), value!(true)] {
            assert_ne!(one, shape(at(other.clone())), "{other}");
        }
        assert_eq!(shape(object! { "a": 1 }), shape(object! { "a": 1.0 }));
    }

    /// All of these differ, also where lengths of parts could be confused.
    #[test]
    fn filters_that_differ_have_different_shapes() {
        let filters = [
            object! {},
            object! { "a": 1 },
            object! { "a": 2 },
            object! { "b": 1 },
            object! { "a.b": 1 },
            object! { "a": { "$ne": 1 } },
            object! { "a": { "$lt": 1 } },
            object! { "a": { "$lte": 1 } },
            object! { "a": { "$gt": 1 } },
            object! { "a": { "$gte": 1 } },
            object! { "a": { "$in": [1, 2] } },
            object! { "a": { "$in": [1] }, "b": { "$in": [2] } },
            object! { "a": { "$nin": [1, 2] } },
            object! { "a": { "$exists": true } },
            object! { "a": { "$exists": false } },
            object! { "a": { "$type": "string" } },
            object! { "a": { "$type": ["string", "number"] } },
            object! { "a": { "$regex": "x" } },
            object! { "a": { "$regex": "x", "$options": "i" } },
            object! { "a": { "$all": [1, 2] } },
            object! { "a": { "$size": 1 } },
            object! { "a": { "$elemMatch": { "b": 1 } } },
            object! { "a": { "$elemMatch": { "$eq": 1 } } },
            object! { "a": { "$not": { "$lt": 1 } } },
            object! { "$or": [{ "a": 1 }, { "b": 1 }] },
            object! { "$nor": [{ "a": 1 }, { "b": 1 }] },
            object! { "a": 1, "b": 1 },
        ];
        for (number, one) in filters.iter().enumerate() {
            for other in &filters[number + 1..] {
                assert_ne!(shape(one.clone()), shape(other.clone()), "{one} {other}");
            }
        }
    }
}
