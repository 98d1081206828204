//! The sort key of a document, by MongoDB's documentation: of all combinations of values at the sort's
//! paths, which are the keys that an index would have, the first in the sort's order. All combinations
//! are built, and the first is taken.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use velocitydb_core::Value;

use super::order::compare;

/// The value of one key of the sort.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue<'a> {
    /// For an ascending key.
    Ascending(Least<'a>),
    /// For a descending key.
    Descending(Reverse<Least<'a>>),
}

/// An array without elements comes before what is missing, and that before all values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Least<'a> {
    /// An array without elements.
    EmptyArray,
    /// Nothing.
    Missing,
    /// A value.
    Value(&'a Value),
}

impl Least<'_> {
    const fn rank(self) -> u8 {
        match self {
            Self::EmptyArray => 0,
            Self::Missing => 1,
            Self::Value(_) => 2,
        }
    }
}

impl Ord for Least<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Value(a), Self::Value(b)) => compare(a, b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Least<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The number of a key of the sort, and the rest of its path.
type Key<'p> = (usize, &'p [&'p str]);
/// The value of each key, by its number.
type Combination<'a> = BTreeMap<usize, Least<'a>>;

/// The sort key of a document; `None` if a path may lead to a position.
pub fn sort_values<'a>(sort: &[Value], document: &'a Value) -> Option<Vec<SortValue<'a>>> {
    let keys: Vec<(&str, &Value)> = sort.iter().filter_map(Value::as_object).flatten().collect();
    let paths: Vec<Vec<&str>> = keys.iter().map(|(path, _)| path.split('.').collect()).collect();
    if paths.iter().flatten().any(|name| name.parse::<u32>().is_ok()) {
        return None;
    }
    let ways: Vec<Key<'_>> = paths.iter().map(|path| &path[..]).enumerate().collect();
    let in_order = |combination: Combination<'a>| -> Vec<SortValue<'a>> {
        let directions = keys.iter().map(|(_, direction)| (**direction).cmp(&Value::Int(0)));
        let values = combination.into_values().zip(directions);
        values
            .map(|(value, direction)| match direction {
                Ordering::Less => SortValue::Descending(Reverse(value)),
                _ => SortValue::Ascending(value),
            })
            .collect()
    };
    combinations(Some(document), &ways).into_iter().map(in_order).min()
}

/// All combinations from a value on.
fn combinations<'a>(value: Option<&'a Value>, keys: &[Key<'_>]) -> Vec<Combination<'a>> {
    match value {
        Some(Value::Array(items)) if items.is_empty() => {
            let nothing =
                |path: &[&str]| if path.is_empty() { Least::EmptyArray } else { Least::Missing };
            vec![keys.iter().map(|(number, path)| (*number, nothing(path))).collect()]
        }
        Some(Value::Array(items)) => items.iter().flat_map(|item| of_element(item, keys)).collect(),
        value => of_fields(value, keys),
    }
}

/// The combinations from an element of an array. At the end of a path it counts as it is; only an
/// object has fields.
fn of_element<'a>(item: &'a Value, keys: &[Key<'_>]) -> Vec<Combination<'a>> {
    let (ended, onwards): (Vec<Key<'_>>, Vec<Key<'_>>) =
        keys.iter().partition(|(_, path)| path.is_empty());
    let fields = Some(item).filter(|item| matches!(item, Value::Object(_)));
    let with_itself = |mut combination: Combination<'a>| {
        combination.extend(ended.iter().map(|(number, _)| (*number, Least::Value(item))));
        combination
    };
    of_fields(fields, &onwards).into_iter().map(with_itself).collect()
}

/// The combinations from a value that is not an array: all combinations of its fields' values.
fn of_fields<'a>(value: Option<&'a Value>, keys: &[Key<'_>]) -> Vec<Combination<'a>> {
    let mut all = vec![Combination::new()];
    let mut by_name: BTreeMap<&str, Vec<Key<'_>>> = BTreeMap::new();
    for (number, path) in keys {
        match path.split_first() {
            None => {
                let value = value.map_or(Least::Missing, Least::Value);
                all.iter_mut().for_each(|it| it.extend([(*number, value)]));
            }
            Some((name, rest)) => by_name.entry(name).or_default().push((*number, rest)),
        }
    }
    for (name, keys) in by_name {
        let field = value.and_then(Value::as_object).and_then(|object| object.get(name));
        let parts = combinations(field, &keys);
        let with = |one: &Combination<'a>, part: &Combination<'a>| {
            one.iter().chain(part).map(|(number, value)| (*number, *value)).collect()
        };
        all = all.iter().flat_map(|one| parts.iter().map(move |part| with(one, part))).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb_core::value;

    #[test]
    fn one_element_counts() {
        let sort = [value!({ "a.x": 1 }), value!({ "a.y": -1 }), value!({ "b": 1 })];
        let document = value!({
            "a": [{ "x": 1, "y": 1 }, { "x": 0, "y": 2 }, { "x": 0, "y": 3 }], "b": [5, 4],
        });
        let expected = [
            SortValue::Ascending(Least::Value(&Value::Int(0))),
            SortValue::Descending(Reverse(Least::Value(&Value::Int(3)))),
            SortValue::Ascending(Least::Value(&Value::Int(4))),
        ];
        assert_eq!(sort_values(&sort, &document).as_deref(), Some(&expected[..]));
        let document = value!({ "a": [7, { "x": 0 }], "b": [] });
        let expected = [
            SortValue::Ascending(Least::Missing),
            SortValue::Descending(Reverse(Least::Missing)),
            SortValue::Ascending(Least::EmptyArray),
        ];
        assert_eq!(sort_values(&sort, &document).as_deref(), Some(&expected[..]));
        assert_eq!(sort_values(&[value!({ "a.0": 1 })], &document), None);
    }
}
