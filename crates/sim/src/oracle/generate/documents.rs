//! Random collections. Fields are few (`a` to `e`, with `x`, `y`, `z` inside), so that paths meet
//! them.

use std::collections::BTreeMap;

use velocitydb_core::{Decimal, Object, Value, object};

use super::Source;
use super::ids::Ids;
use super::values::{
    Theme, alike, binary, decimal, list, object_id, recent_time, scalar, small_number,
};
use crate::oracle::by_the_book::compare;

/// The names of top-level fields.
pub const FIELDS: [&str; 5] = ["a", "b", "c", "_version", "e"];
/// The name of a number that is unique among documents with the same `a`, or the same element of it, and
/// shared with those with another `a`: see `rank_of`.
pub const RANK: &str = "r";
/// The names of fields inside of objects.
pub const INNER: [&str; 3] = ["x", "y", "z"];

/// How complex documents are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Scalars; a field is either null or missing in a whole collection, not both.
    Flat,
    /// Scalars, objects, and lists of scalars.
    Plain,
    /// Also lists of objects, lists in objects, and lists in lists.
    Rich,
}

/// A collection of 20 to 40 documents.
pub fn collection(flavour: Flavour, source: &mut Source) -> Vec<Object> {
    let themes: Vec<Theme> = FIELDS.iter().map(|_| Theme::random(source)).collect();
    let count = source.between(20, 40);
    let nothing = if source.percent(50) { Some(Value::Null) } else { None };
    let mut ranks = BTreeMap::new();
    let ids = Ids::for_mingo(source);
    let documents = (0..count)
        .map(|number| {
            let mut document = object! { "_id": ids.id(number, source) };
            for (name, theme) in FIELDS.iter().zip(&themes) {
                let value = match field(flavour, *theme, source) {
                    None | Some(Value::Null) if flavour == Flavour::Flat => nothing.clone(),
                    value => value,
                };
                if let Some(value) = value {
                    document.insert(*name, value);
                }
            }
            let rank = rank_of(document.get("a"), &mut ranks);
            document.insert(RANK, rank);
            shuffled(document, source)
        })
        .collect();
    by_id(documents)
}

/// The documents in the order of their ids.
pub fn by_id(mut documents: Vec<Object>) -> Vec<Object> {
    documents.sort_by(|a, b| compare(&a["_id"], &b["_id"]));
    documents
}

/// The document with its fields in any order, behind its id.
pub fn shuffled(mut document: Object, source: &mut Source) -> Object {
    let id = document.remove("_id").map(|id| ("_id".to_owned(), id));
    let fields: Vec<(String, Value)> = document.into_iter().collect();
    let fields = source.several(&fields, fields.len());
    id.into_iter().chain(fields.into_iter().cloned()).collect()
}

/// The next number for the value, so that an index over `a` and this number can be unique, and ranges of
/// several values have the same numbers.
pub fn rank_of(value: Option<&Value>, next: &mut BTreeMap<Option<Value>, i64>) -> i64 {
    let keys: Vec<Option<Value>> = match value {
        Some(Value::Array(items)) if !items.is_empty() => items.iter().cloned().map(Some).collect(),
        value => vec![value.cloned()],
    };
    let rank = keys.iter().filter_map(|key| next.get(key).copied()).max().unwrap_or_default();
    next.extend(keys.into_iter().map(|key| (key, rank + 1)));
    rank
}

/// Documents for computations: every field has a type, and a few are null or missing.
///
/// `n` integers, `f` halves, `d` decimals, `s` strings, `name` strings of which each is there once, `q`
/// ObjectIds and binary, `t` times, `g` and `h` keys of groups, `p` integers of two
/// digits, `k` and `l` lists of integers, `w` lists of strings, `o` objects of `x` and `y`, `j` lists of
/// objects of `x` and a list `y`, `m` anything but NaN and ObjectIds, `z` zeros and ones with different
/// representations, `c` an integer that is never missing. Times are after 2000, since mingo truncates
/// earlier ones to later ones.
pub fn records(source: &mut Source) -> Vec<Object> {
    let count = source.between(20, 40);
    // If a field has both, sorts differ.
    let nothing = if source.percent(50) { Some(Value::Null) } else { None };
    let ids = Ids::for_mingo(source);
    let mut record = |number| record(number, &ids, nothing.as_ref(), source);
    by_id((0..count).map(&mut record).collect())
}

fn record(number: i64, ids: &Ids, nothing: Option<&Value>, source: &mut Source) -> Object {
    let mut record = object! {
        "_id": ids.id(number, source),
        "name": format!("i{number}"),
        "d": decimal(source),
        "q": if source.percent(50) { object_id(source).into() } else { binary(source) },
        "n": source.between(-10, 20),
        "f": source.between(-20, 20) as f64 / 2.0,
        "s": Theme::Text.scalar(source),
        "t": recent_time(source),
        "g": source.between(0, 3),
        "h": *source.one_of(&["u", "v", "w"]),
        "p": source.between(10, 99),
        "k": integers(source),
        "l": integers(source),
        "w": words(source),
        "o": { "x": source.between(0, 5), "y": *source.one_of(&["u", "v"]) },
        "j": parts(source),
        "m": Some(scalar(source)).filter(is_plain),
        "z": alike(source),
        "c": source.between(0, 9),
    };
    for name in ["n", "f", "d", "s", "g", "h", "o", "m"] {
        if source.percent(10) {
            record.remove(name);
            record.extend(nothing.map(|nothing| (name, nothing.clone())));
        }
    }
    record
}

/// Few lists have an element twice, since joining differs for them.
fn integers(source: &mut Source) -> Value {
    let count = source.below(4);
    if source.percent(3) {
        return (0..count).map(|_| source.between(0, 3)).collect();
    }
    let choices: Vec<i64> = (0..10).collect();
    source.several(&choices, count).into_iter().copied().collect()
}

fn words(source: &mut Source) -> Value {
    let count = source.below(4);
    source.several(&["u", "v", "w", "é"], count).into_iter().copied().collect()
}

fn parts(source: &mut Source) -> Value {
    (0..source.below(3))
        .map(|_| {
            let mut part = object! { "x": source.between(0, 4), "y": integers(source) };
            if source.percent(20) {
                part.remove("x");
            }
            Value::from(part)
        })
        .collect()
}

/// Whether mingo sorts it as VelocityDB does.
fn is_plain(value: &Value) -> bool {
    let is_finite = value.as_decimal().is_none_or(Decimal::is_finite);
    is_finite && value.as_f64().is_none_or(f64::is_finite) && value.as_object_id().is_none()
}

/// The value of a top-level field, or none.
fn field(flavour: Flavour, theme: Theme, source: &mut Source) -> Option<Value> {
    if source.percent(10) {
        return None;
    }
    let structured = if flavour == Flavour::Flat { 0 } else { 80 };
    Some(match (flavour, source.weighted(&[300, 40, structured, structured])) {
        (_, 0) => theme.scalar(source),
        (_, 1) => scalar(source),
        (Flavour::Flat | Flavour::Plain, 2) => list(theme, source),
        (Flavour::Flat | Flavour::Plain, _) => object_of(theme, source).into(),
        (Flavour::Rich, 2) => intricate_list(theme, source),
        (Flavour::Rich, _) => intricate_object(theme, source),
    })
}

fn object_of(theme: Theme, source: &mut Source) -> Object {
    let count = source.below(4);
    let names = source.several(&INNER, count);
    names.into_iter().map(|name| (*name, theme.scalar(source))).collect()
}

fn intricate_list(theme: Theme, source: &mut Source) -> Value {
    if source.percent(35) {
        return alike_list(theme, source);
    }
    (0..source.below(4))
        .map(|_| match source.weighted(&[45, 40, 15]) {
            0 => theme.scalar(source),
            1 => object_of(theme, source).into(),
            _ => list(theme, source),
        })
        .collect()
}

/// A list of objects that mostly have the same fields, and often the same value in one of them, for
/// sorts by several fields of an element.
fn alike_list(theme: Theme, source: &mut Source) -> Value {
    let count = 1 + source.below(INNER.len());
    let names: Vec<&str> = source.several(&INNER, count).into_iter().copied().collect();
    let is_small = source.percent(60);
    let value = |source: &mut Source| match is_small {
        true => source.between(0, 2).into(),
        false => theme.scalar(source),
    };
    (0..source.below(5))
        .map(|_| {
            let has_all = source.percent(90);
            let names = names.iter().skip(usize::from(!has_all));
            Value::from(names.map(|name| (*name, value(source))).collect::<Object>())
        })
        .collect()
}

fn intricate_object(theme: Theme, source: &mut Source) -> Value {
    let mut object = object_of(theme, source);
    let name = *source.one_of(&INNER);
    match source.below(4) {
        0 => drop(object.insert(name, list(theme, source))),
        1 => drop(object.insert(name, object_of(theme, source))),
        2 => {
            let objects: Value = (0..source.below(3)).map(|_| object_of(theme, source)).collect();
            object.insert(name, objects);
        }
        _ => drop(object.insert(name, small_number(source))),
    }
    object.into()
}
