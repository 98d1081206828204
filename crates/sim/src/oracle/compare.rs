//! Whether two answers say the same. Owns what "the same" means; knows nothing of queries but
//! whether their order counts.

use std::collections::BTreeSet;

use velocitydb_core::{Object, Value};

use super::case::{Answer, Order};

/// By how much computed floats may differ, relative to the larger one.
const TOLERANCE: f64 = 1e-9;

/// By how much they may differ near zero, where sums of numbers around 1 cancel out.
const TOLERANCE_NEAR_ZERO: f64 = 1e-12;

/// Whether both answers say the same. Two refusals do, whatever their reasons.
pub fn agree(a: &Answer, b: &Answer, order: Order) -> bool {
    match (a, b) {
        (Answer::Refused(_), Answer::Refused(_)) => true,
        (Answer::Ids(a), Answer::Ids(b)) => match order {
            Order::Given => a == b,
            Order::Free | Order::Sets => {
                a.len() == b.len() && a.iter().collect::<BTreeSet<_>>() == b.iter().collect()
            }
        },
        (Answer::Documents(a), Answer::Documents(b)) => lists_agree(a, b, order),
        (Answer::Values(a), Answer::Values(b)) => lists_agree(a, b, Order::Free),
        (Answer::Count(a), Answer::Count(b)) => a == b,
        _ => false,
    }
}

/// Whether two values are the same: numbers by their value, whatever their type; floats nearly;
/// objects as sets of fields.
pub fn values_agree(a: &Value, b: &Value, order: Order) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => lists_agree(a, b, order),
        (Value::Object(a), Value::Object(b)) => objects_agree(a, b, order),
        _ => match (float(a), float(b)) {
            (Some(a), Some(b)) => numbers_agree(a, b),
            (None, None) => a == b,
            _ => false,
        },
    }
}

fn objects_agree(a: &Object, b: &Object, order: Order) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b.iter())
            .all(|((a_name, a), (b_name, b))| a_name == b_name && values_agree(a, b, order))
}

fn lists_agree(a: &[Value], b: &[Value], order: Order) -> bool {
    let inner = if order == Order::Free { Order::Given } else { order };
    if a.len() != b.len() {
        return false;
    }
    if a.iter().zip(b).all(|(a, b)| values_agree(a, b, inner)) {
        return true;
    }
    if order == Order::Given {
        return false;
    }
    let mut left: Vec<&Value> = b.iter().collect();
    a.iter().all(|a| {
        let found = left.iter().position(|b| values_agree(a, b, inner));
        found.map(|at| left.swap_remove(at)).is_some()
    })
}

/// The number as the only kind of number that JavaScript has.
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::UInt(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

fn numbers_agree(a: f64, b: f64) -> bool {
    a == b
        || (a.is_nan() && b.is_nan())
        || (a.is_finite()
            && b.is_finite()
            && (a - b).abs() <= (TOLERANCE * a.abs().max(b.abs())).max(TOLERANCE_NEAR_ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb_core::value;

    #[test]
    fn numbers_agree_by_value_and_orders_only_where_they_are_given() {
        let agree = |a, b, order| values_agree(&a, &b, order);
        assert!(agree(value!([1, { "a": 0.1 + 0.2 }]), value!([1.0, { "a": 0.3 }]), Order::Given));
        assert!(!agree(value!(1), value!("1"), Order::Given));
        assert!(!agree(value!(0), value!(null), Order::Given));
        assert!(!agree(value!({ "a": null }), value!({}), Order::Given));
        assert!(!agree(value!([1, 2]), value!([2, 1]), Order::Given));
        assert!(agree(value!([1, 2, 2]), value!([2, 1, 2]), Order::Free));
        assert!(!agree(value!([1, 2, 2]), value!([2, 1, 1]), Order::Free));
        assert!(!agree(value!([[1, 2]]), value!([[2, 1]]), Order::Free));
        assert!(agree(value!([[1, 2]]), value!([[2, 1]]), Order::Sets));
        assert!(agree(value!(f64::NAN), value!(f64::NAN), Order::Given));
        assert!(!agree(value!(f64::INFINITY), value!(f64::MAX), Order::Given));
    }
}
