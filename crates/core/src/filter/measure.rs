//! The size and depth of filters, so that both can be bounded.

use super::Pattern;
use super::predicate::{Choices, Predicate, Test};
use crate::format::Names;
use crate::limits::QUERY_NODES_MAX;
use crate::{Error, Result, Value};

/// How many levels of arrays and objects a filter may have when it is written as an object.
pub(super) const LEVELS_MAX: usize = Names::Operators.depth_max();

/// Checks the bounds of a filter, whose depth is already bounded, so that this can recurse.
pub(super) fn check(predicate: &Predicate) -> Result<()> {
    let mut measure = Measure::default();
    let levels = measure.predicate(predicate);
    bound("number of operators and values in one filter", measure.nodes, QUERY_NODES_MAX)?;
    bound("depth of a filter", levels, LEVELS_MAX)
}

fn bound(what: &'static str, found: usize, max: usize) -> Result<()> {
    if found <= max {
        return Ok(());
    }
    Err(Error::LimitExceeded { what: what.into(), path: String::new(), found, max })
}

/// Checks that a value is valid as an operand: that it is not too deep, and could be in a
/// document. An error is the end of a sentence.
pub(super) fn check_operand(value: &Value) -> Result<(), String> {
    check_levels(value, LEVELS_MAX)
}

fn check_levels(value: &Value, levels: usize) -> Result<(), String> {
    let inner = || {
        let too_deep = || format!("has a value with more than {LEVELS_MAX} levels");
        levels.checked_sub(1).ok_or_else(too_deep)
    };
    match value {
        Value::Array(items) => {
            let levels = inner()?;
            items.iter().try_for_each(|item| check_levels(item, levels))
        }
        Value::Object(object) => {
            let levels = inner()?;
            object.iter().try_for_each(|(name, value)| match name.starts_with('$') {
                true => Err(format!(
                    "compares with an object that has the field {name:?}, and no document has a field \
                     that begins with `$`"
                )),
                false => check_levels(value, levels),
            })
        }
        _ => Ok(()),
    }
}

/// An upper bound of the bytes of an encoded predicate; `None` when a value in it is nested too
/// deeply for that to be known without encoding it.
pub(super) fn encoded_length_max(predicate: &Predicate) -> Option<usize> {
    Some(NESTED + length_max(predicate)?)
}

/// An upper bound of what a container adds, and the entry that holds it.
const NESTED: usize = 2 * Value::ENTRY_LENGTH_MAX;

/// An upper bound of what an operator's name adds, and of the names of types.
const NAME: usize = 16;

/// The bytes of a predicate within an object, or as one of a list in one: where a name is taken, it
/// goes to a list of its own.
fn length_max(predicate: &Predicate) -> Option<usize> {
    let list = |parts: &[Predicate]| {
        let parts = parts.iter().map(|part| Some(NESTED + length_max(part)?));
        Some(NAME + 2 * NESTED + parts.sum::<Option<usize>>()?)
    };
    match predicate {
        Predicate::True => Some(0),
        Predicate::And(parts) | Predicate::Or(parts) | Predicate::Nor(parts) => list(parts),
        Predicate::Field { path, test } => {
            Some(path.text_length() + 2 * NESTED + test_length_max(test)?)
        }
    }
}

/// The bytes of an operator and its operand.
fn test_length_max(test: &Test) -> Option<usize> {
    let all = |tests: &[Test]| {
        tests.iter().map(|test| Some(NESTED + test_length_max(test)?)).sum::<Option<usize>>()
    };
    let operand = match test {
        Test::Eq(value)
        | Test::Ne(value)
        | Test::Gt(value)
        | Test::Gte(value)
        | Test::Lt(value)
        | Test::Lte(value) => value.encoded_length_max(0)?,
        Test::In(choices) | Test::Nin(choices) => choices_length_max(choices)?,
        Test::Exists(_) | Test::Size(_) => 0,
        Test::Type(types) => types.len() * (NAME + NESTED),
        Test::Regex(pattern) => pattern_length_max(pattern),
        Test::All(tests) | Test::ElemMatchValue(tests) | Test::Not(tests) => all(tests)?,
        Test::ElemMatch(predicate) => length_max(predicate)?,
    };
    Some(NAME + NESTED + operand)
}

fn choices_length_max(choices: &Choices) -> Option<usize> {
    let patterns: usize = choices.patterns().iter().map(pattern_length_max).sum();
    let values = choices.values().iter();
    let values = values.map(|value| Some(Value::ENTRY_LENGTH_MAX + value.encoded_length_max(0)?));
    Some(patterns + values.sum::<Option<usize>>()?)
}

fn pattern_length_max(pattern: &Pattern) -> usize {
    let (source, options) = pattern.text();
    source.len() + options.len() + 2 * (NAME + NESTED)
}

#[derive(Default)]
struct Measure {
    nodes: usize,
}

impl Measure {
    fn predicate(&mut self, predicate: &Predicate) -> usize {
        self.nodes += 1;
        match predicate {
            Predicate::True => 1,
            Predicate::And(parts) | Predicate::Or(parts) | Predicate::Nor(parts) => {
                2 + parts.iter().map(|part| self.predicate(part)).max().unwrap_or(0)
            }
            Predicate::Field { test, .. } => 1 + self.test(test),
        }
    }

    fn test(&mut self, test: &Test) -> usize {
        self.nodes += 1;
        1 + match test {
            Test::Eq(value)
            | Test::Ne(value)
            | Test::Gt(value)
            | Test::Gte(value)
            | Test::Lt(value)
            | Test::Lte(value) => levels(value),
            Test::In(choices) | Test::Nin(choices) => {
                self.nodes += choices.values().len() + choices.patterns().len();
                1 + choices.values().iter().map(levels).max().unwrap_or(0).max(1)
            }
            Test::All(tests) => 1 + self.tests(tests),
            Test::ElemMatchValue(tests) | Test::Not(tests) => self.tests(tests),
            Test::ElemMatch(predicate) => self.predicate(predicate),
            Test::Type(_) => 1,
            Test::Exists(_) | Test::Regex(_) | Test::Size(_) => 0,
        }
    }

    fn tests(&mut self, tests: &[Test]) -> usize {
        tests.iter().map(|test| self.test(test)).max().unwrap_or(1)
    }
}

/// The levels of arrays and objects in a value, which is known to have few.
fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}
