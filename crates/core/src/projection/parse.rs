//! Parsing projections from objects and JSON, and writing them as objects.

use std::borrow::Borrow;

use super::projection_type::{Part, Projection, Slice, parse_elem_match};
use crate::filter::has_operators;
use crate::vocabulary::{self, Kind};
use crate::{Error, Object, Path, Result, Value, value};

const OPERATORS: [&str; 2] = ["$slice", "$elemMatch"];

impl Projection {
    /// Reads a projection, such as `{"name": 1, "address.city": 1}`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidQuery`] says where and why it is not valid.
    pub fn from_object(projection: impl Borrow<Object>) -> Result<Self> {
        let mut parts = Vec::with_capacity(projection.borrow().len());
        collect(projection.borrow(), "", &mut parts)?;
        Self::from_parts(parts)
    }

    /// Reads a projection from JSON text, extended JSON included.
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_object(Object::from_json(text)?)
    }

    /// The projection as an object that [`Projection::from_object`] reads.
    pub fn to_object(&self) -> Object {
        let value = |part: &Part| match part {
            Part::Include => 1.into(),
            Part::Exclude => 0.into(),
            Part::Slice(Slice { skip: None, count }) => value!({ "$slice": *count }),
            Part::Slice(Slice { skip: Some(skip), count }) => value!({ "$slice": [*skip, *count] }),
            Part::ElemMatch(test) => Value::from(test.to_operators()),
        };
        self.parts.iter().map(|(path, part)| (path.to_string(), value(part))).collect()
    }
}

/// Reads the parts of an object that is the value at a path, or of the whole projection.
fn collect(object: &Object, outside: &str, parts: &mut Vec<(Path, Part)>) -> Result<()> {
    for (name, value) in object {
        let joined;
        let name = match outside {
            "" => name,
            _ => {
                joined = format!("{outside}.{name}");
                &joined
            }
        };
        let path = name
            .parse()
            .map_err(|error| invalid(name.to_owned(), format!("is not a field: {error}")))?;
        match value {
            // `{"a": {"b": 1}}` is `{"a.b": 1}`. Paths have few segments, and bound the recursion.
            Value::Object(inner) if !inner.is_empty() && !has_operators(inner) => {
                collect(inner, name, parts)?;
            }
            value => parts.push((path, part(name, value)?)),
        }
    }
    Ok(())
}

fn part(name: &str, value: &Value) -> Result<Part> {
    match value {
        Value::Bool(true) => Ok(Part::Include),
        Value::Bool(false) => Ok(Part::Exclude),
        value if *value == Value::Int(0) => Ok(Part::Exclude),
        value if value.kind().is_number() => Ok(Part::Include),
        Value::Object(operators) if operators.len() == 1 => {
            let (operator, operand) = operators.iter().next().expect("there is one");
            match operator {
                "$slice" => slice(operand)
                    .map(Part::Slice)
                    .map_err(|problem| invalid(format!("{name}.$slice"), problem.to_owned())),
                "$elemMatch" => parse_elem_match(operand)
                    .map(Part::ElemMatch)
                    .map_err(|error| inside(name, error)),
                unknown if unknown.starts_with('$') => {
                    let problem = vocabulary::unknown(Kind::Projection, unknown, &OPERATORS);
                    Err(invalid(format!("{name}.{unknown}"), problem))
                }
                _ => Err(wrong(name, value)),
            }
        }
        other => Err(wrong(name, other)),
    }
}

fn slice(operand: &Value) -> Result<Slice, &'static str> {
    const EXPECTED: &str =
        "takes a whole number of elements, or [skip, number], the number being above zero";
    match operand {
        Value::Array(pair) => match pair[..] {
            [ref skip, ref count] => match (skip.to_whole(), count.to_whole()) {
                (Some(skip), Some(count @ 1..)) => Ok(Slice { skip: Some(skip), count }),
                _ => Err(EXPECTED),
            },
            _ => Err(EXPECTED),
        },
        count => count.to_whole().map(|count| Slice { skip: None, count }).ok_or(EXPECTED),
    }
}

fn wrong(name: &str, value: &Value) -> Error {
    let found = value.kind();
    let problem = format!(
        "is a value of type {found}; it takes 1 to include, 0 to exclude, {{\"$slice\": …}} or \
         {{\"$elemMatch\": …}}"
    );
    invalid(name.to_owned(), problem)
}

/// An error of a filter within a projection.
fn inside(name: &str, error: Error) -> Error {
    match error {
        Error::InvalidQuery { place, problem, .. } => invalid(format!("{name}.{place}"), problem),
        other => other,
    }
}

fn invalid(place: String, problem: String) -> Error {
    Error::InvalidQuery { what: "projection".into(), place, problem }
}
