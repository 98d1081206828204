//! Operators on constants at the edges of numbers and strings, which JavaScript and mingo get wrong or
//! do not support, implemented from MongoDB's documentation as simply as possible. Mingo gets the
//! result as a literal. [`generate`](super::generate) generates these calls.

use velocitydb_core::{Object, Value};

/// The right result of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Right {
    /// It is this.
    Is(Value),
    /// It is refused.
    Refused,
}

/// The right result of a call, if it is known here.
pub fn right(call: &Object) -> Option<Right> {
    let (operator, operand) = call.iter().next().filter(|_| call.len() == 1)?;
    match operator {
        "$toDouble" => double(constant(operand)?.as_str()?),
        _ => value(call).map(Right::Is),
    }
}

fn value(call: &Object) -> Option<Value> {
    let (operator, operand) = call.iter().next().filter(|_| call.len() == 1)?;
    match operator {
        "$toString" => constant(operand)?.as_f64().map(|value| float_text(value).into()),
        "$convert" => converted(operand.as_object()?),
        "$pow" => power(operand.as_array()?),
        "$indexOfCP" => position(operand.as_array()?),
        "$regexMatch" => matched(operand.as_object()?),
        "$dateToParts" => {
            operand.as_object()?.get("iso8601").filter(|it| it.is_null()).map(|_| Value::Null)
        }
        _ => None,
    }
}

/// The value of a literal operand.
pub(super) fn constant(value: &Value) -> Option<&Value> {
    value.as_object()?.get("$literal")
}

/// The fewest digits that parse as the same float, with an exponent of at least two digits if C's `%g`
/// with 16 digits has one.
fn float_text(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return value.to_string().replace("inf", "Infinity");
    }
    let scientific = (0..17)
        .map(|digits| format!("{value:.digits$e}"))
        .find(|text| text.parse() == Ok(value))
        .unwrap_or_default();
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// A text as a double: one that is beyond all doubles is an error.
fn converted(arguments: &Object) -> Option<Value> {
    let text = constant(arguments.get("input")?)?.as_str()?;
    if arguments.get("to")?.as_str() != Some("double") {
        return None;
    }
    match double(text)? {
        Right::Is(value) => Some(value),
        Right::Refused => arguments.get("onError").cloned(),
    }
}

/// A text as a double.
fn double(text: &str) -> Option<Right> {
    let value: f64 = text.parse().ok()?;
    let is_zero = text.split('e').next()?.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-'));
    let is_beyond = value.is_infinite() || (value == 0.0 && !is_zero);
    Some(if is_beyond { Right::Refused } else { Right::Is(value.into()) })
}

/// The power of -1, whose exponents may be beyond 2^53.
fn power(arguments: &[Value]) -> Option<Value> {
    let [base, exponent] = arguments else { return None };
    let exponent = exponent.as_i64()?;
    (base.as_i64() == Some(-1)).then(|| if exponent % 2 == 0 { 1.into() } else { (-1).into() })
}

/// The first position, below the end, at which the one text is in the other.
fn position(arguments: &[Value]) -> Option<Value> {
    let [text, wanted, start, end] = arguments else { return None };
    let text: Vec<char> = constant(text)?.as_str()?.chars().collect();
    let wanted: Vec<char> = constant(wanted)?.as_str()?.chars().collect();
    let (start, end) = (start.as_u64()? as usize, end.as_u64()? as usize);
    if text.is_empty() && wanted.is_empty() {
        return Some(0.into());
    }
    let found = (start..end.min(text.len())).find(|at| text[*at..].starts_with(&wanted));
    Some(found.map_or(Value::Int(-1), Value::from))
}

/// Patterns with the option `x`, and what they are without it.
pub const SPACED: [(&str, &str); 5] = [
    ("^a [ ] b$", "^a b$"),
    ("a [b c]", "a(b| |c)"),
    ("^ [^ ] b # [", "^[^ ]b"),
    ("[#] | é # one", "#|é"),
    ("(?-x:a b) c ?", "a bc?"),
];

fn matched(arguments: &Object) -> Option<Value> {
    let pattern = arguments.get("regex")?.as_str()?;
    let (_, plain) = SPACED.iter().find(|(spaced, _)| *spaced == pattern)?;
    let text = constant(arguments.get("input")?)?.as_str()?;
    let filter = velocitydb_core::field("it").matches(plain);
    let document = Object::from([("it", text)]);
    Some(filter.matches_object(&document).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb_core::value;

    #[test]
    fn what_is_known_is_right() {
        for (call, expected) in [
            (value!({ "$toString": { "$literal": 1e16 } }), value!("1e+16")),
            (value!({ "$toString": { "$literal": 9e-5 } }), value!("9e-05")),
            (value!({ "$toString": { "$literal": 5e-324 } }), value!("5e-324")),
            (value!({ "$toString": { "$literal": 0.5 } }), value!("0.5")),
            (value!({ "$pow": [-1, 9_007_199_254_740_993_i64] }), value!(-1)),
            (
                value!({ "$indexOfCP": [{ "$literal": "abcd" }, { "$literal": "cd" }, 0, 3] }),
                value!(2),
            ),
            (value!({ "$indexOfCP": [{ "$literal": "a" }, { "$literal": "" }, 1, 9] }), value!(-1)),
        ] {
            assert_eq!(right(call.as_object().unwrap()), Some(Right::Is(expected)), "{call}");
        }
        let beyond = value!({ "$convert": {
            "input": { "$literal": "1e309" }, "to": "double", "onError": "none",
        } });
        assert_eq!(right(beyond.as_object().unwrap()), Some(Right::Is("none".into())));
        let beyond = value!({ "$toDouble": { "$literal": "1e400" } });
        assert_eq!(right(beyond.as_object().unwrap()), Some(Right::Refused));
        assert_eq!(right(value!({ "$toString": "$n" }).as_object().unwrap()), None);
    }
}
