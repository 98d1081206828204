//! The results of operators on constants of all types: comparing them, their types, sums and products of
//! decimals, and conversions. Mingo gets the results as literals, since it lacks the types.
//! [`generate`](crate::oracle::generate) generates these calls.

use velocitydb_core::{Object, Value};

use super::numbers::{Number, decimal_text, product, read_decimal, sum};
use super::order::compare;
use super::types::type_of;
use crate::oracle::constants::{Right, constant};

/// The right result of a call, if it is known here.
pub fn right(call: &Object) -> Option<Right> {
    let (operator, operand) = call.iter().next().filter(|_| call.len() == 1)?;
    match operator {
        "$cmp" | "$eq" | "$lt" | "$gte" => compared(operator, operand.as_array()?),
        "$type" => Some(Right::Is(type_of(constant(operand)?).into())),
        "$isNumber" => Some(Right::Is(Number::of(constant(operand)?).is_some().into())),
        "$toString" => text_of(operand.as_object()?),
        "$toLong" => long(constant(operand)?),
        "$toDouble" => double(constant(operand)?),
        _ => None,
    }
}

fn compared(operator: &str, operands: &[Value]) -> Option<Right> {
    let [a, b] = operands else { return None };
    let order = compare(constant(a)?, constant(b)?);
    Some(Right::Is(match operator {
        "$cmp" => (order as i64).into(),
        "$eq" => order.is_eq().into(),
        "$lt" => order.is_lt().into(),
        _ => order.is_ge().into(),
    }))
}

/// The text of a result, so that its digits count.
fn text_of(call: &Object) -> Option<Right> {
    let (operator, operand) = call.iter().next().filter(|_| call.len() == 1)?;
    let text = match operator {
        "$add" | "$multiply" => {
            let [a, b] = operand.as_array()?.as_slice() else { return None };
            let (a, b) = (constant(a)?, constant(b)?);
            a.as_decimal().or(b.as_decimal())?;
            let compute = if operator == "$add" { sum } else { product };
            decimal_text(compute(a, b)?.as_decimal()?)
        }
        "$toDecimal" | "$toObjectId" => match converted(operator, constant(operand)?.as_str()?) {
            Some(text) => text,
            None => return Some(Right::Refused),
        },
        "$convert" => {
            let arguments = operand.as_object()?;
            let operator = match arguments.get("to")?.as_str()? {
                "decimal" => "$toDecimal",
                "objectId" => "$toObjectId",
                _ => return None,
            };
            let input = constant(arguments.get("input")?)?.as_str()?;
            let on_error = arguments.get("onError")?.as_str()?;
            converted(operator, input).unwrap_or_else(|| on_error.to_owned())
        }
        _ => return None,
    };
    Some(Right::Is(text.into()))
}

/// The text of the decimal or ObjectId that a text stands for.
fn converted(operator: &str, text: &str) -> Option<String> {
    if operator == "$toDecimal" {
        return read_decimal(text).and_then(|it| Some(decimal_text(it.as_decimal()?)));
    }
    let is_hexadecimal = text.len() == 24 && text.bytes().all(|it| it.is_ascii_hexdigit());
    is_hexadecimal.then(|| text.to_ascii_lowercase())
}

/// A decimal without its fraction, if integers reach that far: up to 2^64 - 1.
fn long(value: &Value) -> Option<Right> {
    let text = decimal_text(value.as_decimal().filter(|it| it.is_finite())?);
    let plain = text.split('.').next().filter(|_| !text.contains('E'))?;
    let signed = plain.parse::<i64>().map(Value::from);
    let whole = signed.or_else(|_| plain.parse::<u64>().map(Value::from));
    Some(whole.map_or(Right::Refused, Right::Is))
}

/// The nearest float, as Rust reads it.
fn double(value: &Value) -> Option<Right> {
    let decimal = value.as_decimal().filter(|it| it.is_finite())?;
    let float: f64 = decimal_text(decimal).parse().ok()?;
    (float.is_finite() && (float != 0.0 || decimal.is_zero())).then(|| Right::Is(float.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb_core::value;

    #[test]
    fn what_is_known_is_right() {
        let decimal = |text: &str| value!({ "$literal": read_decimal(text).unwrap() });
        for (call, expected) in [
            (value!({ "$cmp": [{ "$literal": 1.0 }, decimal("1.00")] }), Right::Is(0.into())),
            (value!({ "$lt": [decimal("1"), { "$literal": "" }] }), Right::Is(true.into())),
            (value!({ "$type": decimal("1") }), Right::Is("decimal".into())),
            (value!({ "$isNumber": { "$literal": "1" } }), Right::Is(false.into())),
            (
                value!({ "$toString": { "$add": [decimal("1.50"), { "$literal": 1 }] } }),
                Right::Is("2.50".into()),
            ),
            (
                value!({ "$toString": { "$multiply": [decimal("1E+10"), decimal("1.5")] } }),
                Right::Is("1.5E+10".into()),
            ),
            (
                value!({ "$toString": { "$toDecimal": { "$literal": "0.000000012" } } }),
                Right::Is("1.2E-8".into()),
            ),
            (value!({ "$toString": { "$toObjectId": { "$literal": "x" } } }), Right::Refused),
            (
                value!({ "$toString": { "$convert": {
                    "input": { "$literal": "1.2.3" }, "to": "decimal", "onError": "none",
                } } }),
                Right::Is("none".into()),
            ),
            (value!({ "$toLong": decimal("-1.9") }), Right::Is((-1).into())),
            (value!({ "$toLong": decimal("18446744073709551616") }), Right::Refused),
            (value!({ "$toDouble": decimal("0.10") }), Right::Is(0.1.into())),
        ] {
            assert_eq!(right(call.as_object().unwrap()), Some(expected), "{call}");
        }
        assert_eq!(right(value!({ "$toString": "$n" }).as_object().unwrap()), None);
    }
}
