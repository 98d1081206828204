//! Random filters. Operands are mostly taken from the documents, so that filters match
//! some.

use velocitydb_core::{Object, Value, object, value};

use super::Source;
use super::documents::{FIELDS, INNER};
use super::values::{Values, whole};

/// Patterns, with options, that both sides support.
const PATTERNS: [(&str, &str); 14] = [
    ("^a", ""),
    ("b$", ""),
    ("a", "i"),
    ("^$", ""),
    ("a.c", ""),
    ("[a-c]+b", ""),
    ("é", ""),
    ("é", "i"),
    ("^(?:1|2)0?$", ""),
    (r"\d", ""),
    ("^a b$", "m"),
    ("^.*$", "s"),
    ("ab?", "i"),
    ("^(a|b)", ""),
];
const RANGES: [&str; 4] = ["$gt", "$gte", "$lt", "$lte"];

/// The source of operands, and the nesting of filters.
#[derive(Debug, Clone, Copy)]
pub struct Filters<'a> {
    /// The collection.
    pub documents: &'a [Object],
    /// Which values there are.
    pub values: Values,
}

impl Filters<'_> {
    /// A filter.
    pub fn filter(self, source: &mut Source) -> Object {
        if source.percent(2) { Object::new() } else { self.nested(2, source) }
    }

    /// Sometimes a filter, so that other documents become neighbours.
    pub fn sometimes(self, source: &mut Source) -> Object {
        if source.percent(20) { self.filter(source) } else { Object::new() }
    }

    fn nested(self, depth: usize, source: &mut Source) -> Object {
        let compound = if depth == 0 { 0 } else { 30 };
        if !source.percent(compound) {
            return self.conjunction(depth, source);
        }
        let operator = *source.one_of(&["$and", "$or", "$nor"]);
        let count = 1 + source.below(3);
        let parts: Value = (0..count).map(|_| self.nested(depth - 1, source)).collect();
        let mut filter = object! { (operator): parts };
        if source.percent(20) {
            filter.extend(self.conjunction(depth, source));
        }
        filter
    }

    /// Conditions on one to three paths.
    fn conjunction(self, depth: usize, source: &mut Source) -> Object {
        let count = 1 + source.weighted(&[75, 20, 5]);
        (0..count)
            .map(|_| {
                let path = path(self.documents, source);
                let condition = self.condition(&path, depth, source);
                (path, condition)
            })
            .collect()
    }

    fn condition(self, path: &str, depth: usize, source: &mut Source) -> Value {
        if source.percent(25) {
            return self.operand(path, source);
        }
        let mut condition = Object::new();
        for _ in 0..=source.weighted(&[75, 20, 5]) {
            self.add_operator(path, depth, &mut condition, source);
        }
        condition.into()
    }

    fn add_operator(self, path: &str, depth: usize, to: &mut Object, source: &mut Source) {
        match source.weighted(&[10, 10, 30, 12, 8, 8, 5, 9, 5, 4, 8, 6]) {
            0 => drop(to.insert("$eq", self.operand(path, source))),
            1 => drop(to.insert("$ne", self.operand(path, source))),
            2 => {
                let operand = self.range_operand(path, source);
                to.insert(*source.one_of(&RANGES), operand);
            }
            3 => drop(to.insert("$in", self.operands(path, source))),
            4 => drop(to.insert("$nin", self.operands(path, source))),
            5 => drop(to.insert("$exists", is_there(source))),
            6 => drop(to.insert("$type", self.values.some_type(source))),
            7 if self.values == Values::OfJavaScript => add_pattern(to, source),
            8 => drop(to.insert("$all", self.operands(path, source))),
            9 => drop(to.insert("$size", whole(source.between(0, 3), source))),
            10 if depth > 0 => drop(to.insert("$elemMatch", self.element(path, depth, source))),
            11 if depth > 0 => {
                let mut inner = Object::new();
                self.add_operator(path, depth - 1, &mut inner, source);
                to.insert("$not", inner);
            }
            _ => drop(to.insert("$ne", self.operand(path, source))),
        }
    }

    /// The operand of `$elemMatch`: conditions on an element, or on fields of it.
    fn element(self, path: &str, depth: usize, source: &mut Source) -> Object {
        if source.percent(60) {
            let mut inner = Object::new();
            self.add_operator(path, 0, &mut inner, source);
            return inner;
        }
        let count = 1 + source.below(2);
        (0..count)
            .map(|_| {
                let name = *source.one_of(&INNER);
                (name, self.condition(&format!("{path}.{name}"), depth - 1, source))
            })
            .collect()
    }

    fn operands(self, path: &str, source: &mut Source) -> Value {
        (0..source.weighted(&[3, 40, 35, 15, 7])).map(|_| self.operand(path, source)).collect()
    }

    /// A value that a document has at the path, or an element of it, or any other value.
    fn operand(self, path: &str, source: &mut Source) -> Value {
        let known = if source.percent(85) { self.known(path, source) } else { None };
        let operand = known.unwrap_or_else(|| self.values.stranger(source));
        let is_positional = path.split('.').any(|name| name.parse::<u32>().is_ok());
        if is_positional && operand.is_null() { value!(1) } else { operand }
    }

    /// Operands of ranges are mostly scalars.
    fn range_operand(self, path: &str, source: &mut Source) -> Value {
        let operand = self.operand(path, source);
        match operand {
            Value::Array(_) | Value::Object(_) if source.percent(95) => source.between(0, 4).into(),
            operand => operand,
        }
    }

    fn known(self, path: &str, source: &mut Source) -> Option<Value> {
        let mut value = Value::Object(source.one_of(self.documents).clone());
        for name in path.split('.') {
            value = match (value, name.parse::<usize>()) {
                (Value::Object(object), _) => object.get(name)?.clone(),
                (Value::Array(items), Ok(at)) => items.get(at)?.clone(),
                (Value::Array(items), Err(_)) => {
                    items.iter().find_map(|item| item.as_object()?.get(name))?.clone()
                }
                _ => return None,
            };
        }
        match value {
            Value::Array(items) if !items.is_empty() && source.percent(70) => {
                Some(source.one_of(&items).clone())
            }
            value => Some(value),
        }
    }
}

/// A path that documents may have: mostly one that one of them has.
pub fn path(documents: &[Object], source: &mut Source) -> String {
    if source.percent(75) {
        return known_path(source.one_of(documents), source);
    }
    let field = *source.one_of(&FIELDS);
    let inner = *source.one_of(&INNER);
    match source.weighted(&[40, 40, 5, 7, 4, 4]) {
        0 => field.to_owned(),
        1 => format!("{field}.{inner}"),
        2 => format!("{field}.{inner}.{}", source.one_of(&INNER)),
        3 => format!("{field}.{}", source.below(3)),
        4 => format!("{field}.{}.{inner}", source.below(2)),
        _ => "_id".to_owned(),
    }
}

/// A path that the document has.
fn known_path(document: &Object, source: &mut Source) -> String {
    let names: Vec<&str> = document.keys().collect();
    let mut path = (*source.one_of(&names)).to_owned();
    let mut value = document.get(&path);
    while let Some(inside) = value {
        let object = match inside {
            Value::Object(object) => Some(object),
            Value::Array(items) => items.iter().find_map(Value::as_object),
            _ => None,
        };
        let names: Vec<&str> = object.map(|it| it.keys().collect()).unwrap_or_default();
        if names.is_empty() || source.percent(30) {
            break;
        }
        let name = *source.one_of(&names);
        path = format!("{path}.{name}");
        value = object.and_then(|it| it.get(name));
    }
    path
}

/// An operand of `$exists`, in various forms.
fn is_there(source: &mut Source) -> Value {
    let is_there = source.percent(50);
    if source.percent(60) { is_there.into() } else { whole(is_there.into(), source) }
}

fn add_pattern(to: &mut Object, source: &mut Source) {
    let (pattern, options) = *source.one_of(&PATTERNS);
    to.insert("$regex", pattern);
    if !options.is_empty() {
        to.insert("$options", options);
    }
}
