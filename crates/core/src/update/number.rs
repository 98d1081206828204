//! The arithmetic of `$inc` and `$mul`: exact on integers, and never silently inexact.

use crate::{Decimal, Value};

/// An operation on two numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arithmetic {
    Add,
    Multiply,
}

/// Why there is no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoResult {
    NotANumber,
    Overflow,
}

pub(super) fn is_number(value: &Value) -> bool {
    value.kind().is_number()
}

impl Arithmetic {
    /// Two integers give an integer. A decimal and any number give a decimal, and otherwise a float and
    /// any number a float.
    pub(super) fn apply(self, a: &Value, b: &Value) -> Result<Value, NoResult> {
        if let (Some(a), Some(b)) = (integer(a), integer(b)) {
            let result = match self {
                Self::Add => a.checked_add(b),
                Self::Multiply => a.checked_mul(b),
            };
            return result.and_then(Value::integer).ok_or(NoResult::Overflow);
        }
        if let (Value::Decimal(_), _) | (_, Value::Decimal(_)) = (a, b) {
            let (Some(a), Some(b)) = (decimal(a), decimal(b)) else {
                return Err(NoResult::NotANumber);
            };
            return Ok(Value::Decimal(match self {
                Self::Add => a + b,
                Self::Multiply => a * b,
            }));
        }
        match (float(a), float(b), self) {
            (Some(a), Some(b), Self::Add) => Ok(Value::Float(a + b)),
            (Some(a), Some(b), Self::Multiply) => Ok(Value::Float(a * b)),
            _ => Err(NoResult::NotANumber),
        }
    }
}

/// A zero of the same type as the number.
pub(super) fn zero(like: &Value) -> Value {
    match like {
        Value::Float(_) => Value::Float(0.0),
        Value::Decimal(_) => Value::Decimal(Decimal::ZERO),
        _ => Value::Int(0),
    }
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Decimal(value) => Some(*value),
        Value::Float(value) => Some(Decimal::from_f64(*value)),
        value => integer(value).map(Decimal::nearest),
    }
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(value) => Some((*value).into()),
        Value::UInt(value) => Some((*value).into()),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    integer(value).map(|value| value as f64).or_else(|| value.as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_stay_exact_or_fail() {
        let add = |a: Value, b: Value| Arithmetic::Add.apply(&a, &b);
        let multiply = |a: Value, b: Value| Arithmetic::Multiply.apply(&a, &b);
        let is = |result: Result<Value, NoResult>, expected: Value| {
            let result = result.unwrap();
            assert!(result.is_identical(&expected), "{result:?}, not {expected:?}");
        };
        is(add(1.into(), 2.into()), Value::Int(3));
        is(add(i64::MAX.into(), 1.into()), Value::UInt(1 << 63));
        is(add(u64::MAX.into(), (-1).into()), Value::UInt(u64::MAX - 1));
        is(multiply(3.into(), 0.5.into()), Value::Float(1.5));
        is(multiply((1_i64 << 53).into(), 3.into()), Value::Int(3 << 53));
        assert_eq!(add(u64::MAX.into(), 1.into()), Err(NoResult::Overflow));
        assert_eq!(add(i64::MIN.into(), (-1).into()), Err(NoResult::Overflow));
        assert_eq!(multiply(u64::MAX.into(), u64::MAX.into()), Err(NoResult::Overflow));
        assert_eq!(add("1".into(), 1.into()), Err(NoResult::NotANumber));
        is(add(f64::MAX.into(), f64::MAX.into()), Value::Float(f64::INFINITY));
        let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
        is(add(decimal("1.50"), 1.into()), decimal("2.50"));
        is(add(0.1.into(), decimal("1")), decimal("1.100000000000000"));
        is(multiply(decimal("1.50"), u64::MAX.into()), decimal("27670116110564327422.50"));
        assert_eq!(add(decimal("1"), "1".into()), Err(NoResult::NotANumber));
    }
}
