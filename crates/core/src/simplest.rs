//! Which of several equal values is returned. `1` equals `1.0`, and `0` equals `-0.0`, but they have
//! different representations; if one represents all equal ones (a distinct value, the key of a
//! group, a least value), it must not be the one that came first, since that depends on the plan.
//!
//! The *simplest* represents all: an integer rather than a float, a float rather than a decimal, and
//! `0.0` rather than `-0.0`. Of decimals it is the one with the fewest digits, and of these the one
//! whose exponent is nearest to 0, and then the positive one: `1E+3` rather than `1000`, `0` rather than
//! `0.0` and `-0`. In arrays and objects the first number with a different representation decides,
//! in objects in the order of names. If all are the same, the object does whose names come first as
//! they are written: one that is in the order of its names rather than any other.

use std::cmp::Ordering;

use crate::magnitude::Magnitude;
use crate::{Decimal, Value};

impl Value {
    /// Whether this value is simpler than an equal one.
    pub fn is_simpler_than(&self, other: &Value) -> bool {
        compare(self, other).is_lt()
    }

    /// Whether no value that equals this one is simpler.
    pub fn is_simplest(&self) -> bool {
        match self {
            Value::Float(float) => {
                // Beyond this there are no integers that it could equal.
                const END: f64 = 18_446_744_073_709_551_616.0;
                float.fract() != 0.0 || *float >= END || *float < -END / 2.0
            }
            Value::Decimal(decimal) => {
                let simplest = Magnitude::of_decimal(*decimal);
                let simplest = simplest.and_then(|number| number.to_value(decimal.sign()));
                simplest.is_some_and(|simplest| simplest.is_identical(self))
            }
            Value::Array(items) => items.iter().all(Value::is_simplest),
            Value::Object(object) => {
                object.is_sorted_by_name() && object.values().all(Value::is_simplest)
            }
            _ => true,
        }
    }
}

/// Compares the representations of equal values.
fn compare(one: &Value, other: &Value) -> Ordering {
    let first_unequal = |order: Ordering, next: Ordering| order.then(next);
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            let pairs = one.iter().zip(other);
            pairs.map(|(one, other)| compare(one, other)).fold(Ordering::Equal, first_unequal)
        }
        (Value::Object(one), Value::Object(other)) => {
            let pairs = one.by_name().zip(other.by_name());
            pairs
                .map(|((_, one), (_, other))| compare(one, other))
                .fold(Ordering::Equal, first_unequal)
                .then_with(|| one.keys().cmp(other.keys()))
        }
        (Value::Decimal(one), Value::Decimal(other)) => digits(*one).cmp(&digits(*other)),
        (one, other) => rank(one).cmp(&rank(other)),
    }
}

/// What distinguishes equal decimals.
fn digits(decimal: Decimal) -> (u32, u32, bool, bool) {
    let exponent = decimal.exponent();
    (decimal.digits(), exponent.unsigned_abs(), exponent < 0, decimal.is_negative())
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Decimal(_) => 3,
        Value::Float(float) if *float == 0.0 && float.is_sign_negative() => 2,
        Value::Float(_) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::value;

    #[test]
    fn integers_stand_for_equal_floats() {
        for (one, other) in [
            (value!(1), value!(1.0)),
            (value!(0), value!(0.0)),
            (value!(0.0), value!(-0.0)),
            (value!(9_007_199_254_740_992_i64), value!(9_007_199_254_740_992.0)),
            (value!([1, 2]), value!([1, 2.0])),
            (value!([1, 2.0]), value!([1.0, 2])),
            (value!({ "x": { "y": 0 } }), value!({ "x": { "y": -0.0 } })),
            (value!({ "x": 1, "y": 2 }), value!({ "y": 2, "x": 1 })),
            (value!({ "y": 2, "x": 1 }), value!({ "x": 1.0, "y": 2 })),
            (value!({ "y": 1, "x": 2.0, "z": 3 }), value!({ "z": 3.0, "x": 2.0, "y": 1 })),
            (value!([{ "y": 1, "x": 2, "z": 3 }]), value!([{ "z": 3, "x": 2, "y": 1 }])),
            (value!({ "a": { "x": 1, "y": 1 } }), value!({ "a": { "y": 1, "x": 1 } })),
        ] {
            assert!(one.is_simpler_than(&other) && !other.is_simpler_than(&one), "{one} {other}");
            assert!(!other.is_simplest(), "{other}");
            assert!(!one.is_simpler_than(&one));
        }
        for simplest in [
            value!(1),
            value!(u64::MAX),
            value!(0.5),
            value!(f64::NAN),
            value!(f64::INFINITY),
            value!(1e300),
            value!(["a", 1, { "b": 1.5, "c": 1 }]),
        ] {
            assert!(simplest.is_simplest(), "{simplest}");
        }
    }
}
