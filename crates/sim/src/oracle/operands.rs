//! The results of operators for operands that are not valid, for texts to be converted to times, and
//! for a day that does not begin at midnight, implemented from MongoDB's documentation as simply as
//! possible, as in [`constants`](super::constants). [`generate`](super::generate) generates these
//! calls.

use velocitydb_core::{Object, Time, Value};

use super::constants::{Right, constant};

/// Operators on numbers or texts that check their operands one after the other.
pub const ONE_AFTER_ANOTHER: [&str; 3] = ["$add", "$multiply", "$concat"];

/// Operators on two numbers that check both before they compute.
pub const OF_TWO: [&str; 4] = ["$subtract", "$divide", "$mod", "$pow"];

/// Texts to be converted to times, and the times.
pub const TIMES: [(&str, Option<&str>); 18] = [
    ("2026-11-23T09:15:00Z", Some("2026-11-23T09:15:00Z")),
    ("2026-11-23T09:15:00", Some("2026-11-23T09:15:00Z")),
    ("2026-11-23 09:15:00", Some("2026-11-23T09:15:00Z")),
    ("2026-11-23 09:15:00Z", Some("2026-11-23T09:15:00Z")),
    ("2026-11-23T09:15:00.250", Some("2026-11-23T09:15:00.250Z")),
    ("2026-11-23T09:15", Some("2026-11-23T09:15:00Z")),
    ("2026-11-23", Some("2026-11-23T00:00:00Z")),
    ("2026-11-23T14:15:00+05:00", Some("2026-11-23T09:15:00Z")),
    ("2026-11-23T14:15:00+0500", Some("2026-11-23T09:15:00Z")),
    ("2026-11-23T14:15:00+05", Some("2026-11-23T09:15:00Z")),
    ("2026-11-23 14:45:00 +0530", Some("2026-11-23T09:15:00Z")),
    ("2026-11-23T05:45:00-0330", Some("2026-11-23T09:15:00Z")),
    ("2026-12-31T23:30:00-0100", Some("2027-01-01T00:30:00Z")),
    ("", None),
    ("x", None),
    ("2026-11-23T", None),
    ("2026-11-23Tx", None),
    ("2026-13-23T09:15:00", None),
];

/// The right result of a call, if it is known here.
pub fn right(call: &Object) -> Option<Right> {
    let (operator, operand) = call.iter().next().filter(|_| call.len() == 1)?;
    match operator {
        "$add" | "$subtract" if is_time_and_nan(operand) => Some(Right::Refused),
        operator if ONE_AFTER_ANOTHER.contains(&operator) => {
            one_after_another(operator, operand.as_array()?)
        }
        operator if OF_TWO.contains(&operator) => of_two(operand.as_array()?),
        "$toDate" => Some(time(constant(operand)?.as_str()?)?.map_or(Right::Refused, Right::Is)),
        "$convert" => converted(operand.as_object()?),
        "$arrayToObject" => pairs(constant(operand)?.as_array()?),
        "$regexMatch" => has_unknown_options(operand.as_object()?).then_some(Right::Refused),
        "$and" => begins_a_day(operand.as_array()?).then_some(Right::Is(true.into())),
        _ => None,
    }
}

/// Whether a stage is refused, whatever it is applied to: an accumulator of a group takes one
/// expression, and a constant pattern is read with the pipeline.
pub fn is_refused(stage: &Object) -> bool {
    stage.values().any(has_bad_pattern) || has_accumulator_of_several(stage)
}

fn has_bad_pattern(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_bad_pattern),
        Value::Object(object) => {
            let test = object.get("$regexMatch").and_then(Value::as_object);
            let is_bad = |it: &Object| it["regex"].as_str().is_some() && has_unknown_options(it);
            test.is_some_and(is_bad) || object.values().any(has_bad_pattern)
        }
        _ => false,
    }
}

fn has_accumulator_of_several(stage: &Object) -> bool {
    let computed = |stage: &str, fields: &Object| match stage {
        "$group" => Some(fields.clone()),
        "$bucket" => fields.get("output")?.as_object().cloned(),
        _ => None,
    };
    let takes_several = |value: &Value| {
        let call = value.as_object().and_then(|it| it.iter().next());
        call.is_some_and(|(name, operand)| name.starts_with('$') && operand.as_array().is_some())
    };
    stage.iter().any(|(name, value)| {
        let fields = value.as_object().and_then(|fields| computed(name, fields));
        let mut fields = fields.into_iter().flatten();
        fields.any(|(name, value)| name != "_id" && takes_several(&value))
    })
}

/// An operand that is not an expression.
fn plain(operand: &Value) -> Option<&Value> {
    match operand {
        Value::Object(_) => constant(operand),
        Value::Array(_) | Value::String(_) => None,
        operand => Some(operand),
    }
}

fn is_number(value: &Value) -> bool {
    value.kind().is_number()
}

/// The first operand that is null decides, unless one before it has a wrong type.
fn one_after_another(operator: &str, operands: &[Value]) -> Option<Right> {
    let fits = |value: &Value| match operator {
        "$concat" => value.as_str().is_some(),
        _ => is_number(value),
    };
    let operands: Option<Vec<&Value>> = operands.iter().map(plain).collect();
    let first = operands?.into_iter().find(|value| !fits(value))?;
    Some(if first.is_null() { Right::Is(Value::Null) } else { Right::Refused })
}

/// Any operand that is null decides.
fn of_two(operands: &[Value]) -> Option<Right> {
    let operands: Option<Vec<&Value>> = operands.iter().map(plain).collect();
    let operands = operands?;
    if operands.iter().any(|value| value.is_null()) {
        return Some(Right::Is(Value::Null));
    }
    operands.iter().any(|value| !is_number(value)).then_some(Right::Refused)
}

fn is_time_and_nan(operands: &Value) -> bool {
    let Some([time, number]) = operands.as_array().map(Vec::as_slice) else { return false };
    let is_nan = |value: &Value| value.as_f64().is_some_and(f64::is_nan);
    *time == Value::from("$t") && constant(number).is_some_and(is_nan)
}

/// The time of a known text; the inner `None` if it is not a valid time.
fn time(text: &str) -> Option<Option<Value>> {
    let (_, time) = TIMES.iter().find(|(known, _)| *known == text)?;
    let parsed = |text: &str| text.parse::<Time>().expect("the times of the table are times");
    Some(time.map(|time| parsed(time).into()))
}

fn converted(arguments: &Object) -> Option<Right> {
    let text = constant(arguments.get("input")?)?.as_str()?;
    if arguments.get("to")?.as_str() != Some("date") {
        return None;
    }
    time(text)?.or_else(|| arguments.get("onError").cloned()).map(Right::Is)
}

/// Pairs are lists of two or objects of `k` and `v`, all of the same form; the last one of a name
/// counts.
fn pairs(items: &[Value]) -> Option<Right> {
    let lists: Option<Vec<(&str, &Value)>> = items
        .iter()
        .map(|item| match item.as_array()?.as_slice() {
            [name, value] => Some((name.as_str()?, value)),
            _ => None,
        })
        .collect();
    let object = |item: &Value| item.as_object().map(|it| (it["k"].clone(), it["v"].clone()));
    let objects: Option<Vec<(Value, Value)>> = items.iter().map(object).collect();
    let named =
        |(name, value): (Value, Value)| (name.as_str().unwrap_or_default().to_owned(), value);
    Some(match (lists, objects) {
        (Some(lists), _) => {
            let fields = lists.into_iter().map(|(name, value)| (name.to_owned(), value.clone()));
            Right::Is(fields.collect::<Object>().into())
        }
        (None, Some(objects)) => {
            Right::Is(objects.into_iter().map(named).collect::<Object>().into())
        }
        (None, None) => Right::Refused,
    })
}

/// Options are checked before the pattern.
fn has_unknown_options(arguments: &Object) -> bool {
    let options = arguments.get("options").and_then(Value::as_str).unwrap_or_default();
    options.chars().any(|option| !"imsx".contains(option))
}

/// Whether these are the parts of a call that [`day`](super::generate) generates: it checks that the
/// start of a time's day is not later, is on the same day, and that the moment before is not.
fn begins_a_day(parts: &[Value]) -> bool {
    let first = parts.first().and_then(|it| it.as_object()?.get("$lte")?.as_array()?.first());
    first.and_then(Value::as_object).is_some_and(|it| it.contains_key("$dateTrunc"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb_core::value;

    #[test]
    fn what_is_known_is_right() {
        for (call, expected) in [
            (value!({ "$multiply": [null, { "$literal": "s" }] }), Right::Is(Value::Null)),
            (value!({ "$multiply": [{ "$literal": "s" }, null] }), Right::Refused),
            (value!({ "$divide": [{ "$literal": "s" }, null] }), Right::Is(Value::Null)),
            (value!({ "$pow": [2, { "$literal": "s" }] }), Right::Refused),
            (value!({ "$concat": [null, 5] }), Right::Is(Value::Null)),
            (value!({ "$concat": [5, null] }), Right::Refused),
            (value!({ "$toDate": { "$literal": "x" } }), Right::Refused),
            (
                value!({ "$arrayToObject": { "$literal": [["a", 1], { "k": "b", "v": 2 }] } }),
                Right::Refused,
            ),
            (
                value!({ "$regexMatch": { "input": "$s", "regex": null, "options": "q" } }),
                Right::Refused,
            ),
        ] {
            assert_eq!(right(call.as_object().unwrap()), Some(expected), "{call}");
        }
        let object = value!({ "$arrayToObject": { "$literal": [["a", 1], ["a", 2]] } });
        let expected = Right::Is(value!({ "a": 2 }));
        assert_eq!(right(object.as_object().unwrap()), Some(expected));
        for known in [value!({ "$multiply": [2, 3] }), value!({ "$multiply": ["$n", "s"] })] {
            assert_eq!(right(known.as_object().unwrap()), None, "{known}");
        }
    }

    #[test]
    fn accumulators_take_one_expression() {
        let refused = |stage: Value| is_refused(stage.as_object().unwrap());
        assert!(refused(value!({ "$group": { "_id": null, "r": { "$sum": ["$n"] } } })));
        assert!(refused(value!({ "$bucket": { "output": { "r": { "$max": [] } } } })));
        assert!(!refused(value!({ "$group": { "_id": { "$sum": ["$n"] }, "r": { "$sum": 1 } } })));
        assert!(!refused(value!({ "$project": { "r": { "$sum": ["$n"] } } })));
        let tested = |regex: Value| {
            let test = value!({ "$regexMatch": { "input": "$s", "regex": regex, "options": "q" } });
            value!({ "$project": { "r": test } })
        };
        assert!(refused(tested("a".into())));
        assert!(!refused(tested(Value::Null)));
    }
}
