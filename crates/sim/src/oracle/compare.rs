//! Compares two answers. Owns the meaning of "the same"; of queries it knows only whether their order
//! counts.

use std::collections::BTreeSet;

use velocitydb_core::{Object, Value};

use super::case::{Answer, Order};

/// By how much computed floats may differ, relative to the larger one.
const TOLERANCE: f64 = 1e-9;

/// By how much they may differ near zero, where sums of numbers around 1 cancel out.
const TOLERANCE_NEAR_ZERO: f64 = 1e-12;

/// Whether both answers are the same, including the representation of numbers and the order of fields:
/// integers differ from floats, and zero has a sign. Answers of VelocityDB have to be the same in this
/// sense, whatever the plan.
pub fn look_alike(a: &Answer, b: &Answer, order: Order) -> bool {
    let lists = |a: &[Value], b: &[Value], order| lists_match(a, b, order, Looks::Compared);
    match (a, b) {
        (Answer::Documents(a), Answer::Documents(b)) => lists(a, b, order),
        (Answer::Values(a), Answer::Values(b)) => lists(a, b, Order::Free),
        (a, b) => agree(a, b, order),
    }
}

/// Whether both answers are the same, including the representation of numbers and the order of fields,
/// and without any tolerance.
pub fn is_identical(a: &Answer, b: &Answer, order: Order) -> bool {
    let lists = |a: &[Value], b: &[Value], order| lists_match(a, b, order, Looks::Identical);
    match (a, b) {
        (Answer::Documents(a), Answer::Documents(b)) => lists(a, b, order),
        (Answer::Values(a), Answer::Values(b)) => lists(a, b, Order::Free),
        (a, b) => agree(a, b, order),
    }
}

/// When equal values count as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// If they are identical.
    Identical,
    /// Always.
    Ignored,
    /// If numbers are of the same type, integers exactly the same, decimals of the same digits, zeros of
    /// the same sign, and fields in the same order.
    Compared,
}

/// Whether both answers are the same. Two refusals are, whatever their reasons.
pub fn agree(a: &Answer, b: &Answer, order: Order) -> bool {
    match (a, b) {
        (Answer::Refused(_), Answer::Refused(_)) => true,
        (Answer::Ids(a), Answer::Ids(b)) => match order {
            Order::Given => a == b,
            Order::Free | Order::Sets => {
                a.len() == b.len() && a.iter().collect::<BTreeSet<_>>() == b.iter().collect()
            }
        },
        (Answer::Documents(a), Answer::Documents(b)) => lists_match(a, b, order, Looks::Ignored),
        (Answer::Values(a), Answer::Values(b)) => lists_match(a, b, Order::Free, Looks::Ignored),
        (Answer::Count(a), Answer::Count(b)) => a == b,
        _ => false,
    }
}

/// Whether two answers to an update have those fields that the document had before in the same order.
pub fn keep_order(before: &Object, a: &Answer, b: &Answer) -> bool {
    let names = |answer: &Answer| match answer {
        Answer::Documents(documents) => {
            let fields = documents.iter().filter_map(Value::as_object).flat_map(Object::keys);
            let old = fields.filter(|name| before.contains_key(name));
            old.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    names(a) == names(b)
}

/// Whether two values are the same: numbers by their value, whatever their type; floats nearly;
/// objects as sets of fields.
pub fn values_agree(a: &Value, b: &Value, order: Order) -> bool {
    values_match(a, b, order, Looks::Ignored)
}

fn values_match(a: &Value, b: &Value, order: Order, looks: Looks) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => lists_match(a, b, order, looks),
        (Value::Object(a), Value::Object(b)) => objects_match(a, b, order, looks),
        _ if looks == Looks::Identical => a.is_identical(b),
        _ => match (float(a), float(b)) {
            (Some(_), Some(_)) if looks == Looks::Compared && !looks_like(a, b) => false,
            (Some(a), Some(b)) => numbers_agree(a, b),
            (None, None) => a == b,
            _ => false,
        },
    }
}

/// Whether two numbers are of one type, integers equal, decimals of the same digits, and zeros of one
/// sign.
fn looks_like(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => {
            (*a != 0.0 && *b != 0.0) || a.is_sign_negative() == b.is_sign_negative()
        }
        (Value::Decimal(a), Value::Decimal(b)) => a.is_identical(*b),
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::UInt(a), Value::UInt(b)) => a == b,
        _ => false,
    }
}

fn objects_match(a: &Object, b: &Object, order: Order, looks: Looks) -> bool {
    a.len() == b.len()
        && (looks == Looks::Ignored || a.keys().eq(b.keys()))
        && a.by_name()
            .zip(b.by_name())
            .all(|((a_name, a), (b_name, b))| a_name == b_name && values_match(a, b, order, looks))
}

fn lists_match(a: &[Value], b: &[Value], order: Order, looks: Looks) -> bool {
    let inner = if order == Order::Free { Order::Given } else { order };
    if a.len() != b.len() {
        return false;
    }
    if a.iter().zip(b).all(|(a, b)| values_match(a, b, inner, looks)) {
        return true;
    }
    if order == Order::Given {
        return false;
    }
    let mut left: Vec<&Value> = b.iter().collect();
    a.iter().all(|a| {
        let found = left.iter().position(|b| values_match(a, b, inner, looks));
        found.map(|at| left.swap_remove(at)).is_some()
    })
}

/// The number as a double, the only number type of JavaScript.
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::UInt(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Decimal(value) => Some(value.to_f64()),
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
    use velocitydb_core::{Decimal, value};

    #[test]
    fn numbers_agree_by_value_and_orders_only_where_they_are_given() {
        let agree = |a, b, order| values_agree(&a, &b, order);
        assert!(agree(value!([1, { "a": 0.1 + 0.2 }]), value!([1.0, { "a": 0.3 }]), Order::Given));
        assert!(!agree(value!(1), value!("1"), Order::Given));
        assert!(!agree(value!(0), value!(null), Order::Given));
        assert!(!agree(value!({ "a": null }), value!({}), Order::Given));
        assert!(agree(value!({ "a": 1, "b": 1 }), value!({ "b": 1, "a": 1 }), Order::Given));
        assert!(!agree(value!([1, 2]), value!([2, 1]), Order::Given));
        assert!(agree(value!([1, 2, 2]), value!([2, 1, 2]), Order::Free));
        assert!(!agree(value!([1, 2, 2]), value!([2, 1, 1]), Order::Free));
        assert!(!agree(value!([[1, 2]]), value!([[2, 1]]), Order::Free));
        assert!(agree(value!([[1, 2]]), value!([[2, 1]]), Order::Sets));
        assert!(agree(value!(f64::NAN), value!(f64::NAN), Order::Given));
        assert!(!agree(value!(f64::INFINITY), value!(f64::MAX), Order::Given));
    }

    #[test]
    fn an_update_leaves_fields_in_their_places() {
        let answer = |document| Answer::Documents(vec![document]);
        let before = velocitydb_core::object! { "b": 1, "a": 1, "c": 1 };
        let one = answer(value!({ "b": 2, "a": 1, "y": 1, "x": 1 }));
        assert!(keep_order(&before, &one, &answer(value!({ "b": 2, "a": 1, "x": 1, "y": 1 }))));
        assert!(!keep_order(&before, &one, &answer(value!({ "a": 1, "b": 2, "y": 1, "x": 1 }))));
    }

    #[test]
    fn answers_of_one_database_look_alike() {
        let alike = |a: Value, b: Value| {
            look_alike(&Answer::Values(vec![a]), &Answer::Values(vec![b]), Order::Free)
        };
        assert!(alike(value!(1), value!(1)));
        assert!(alike(value!([0.1 + 0.2]), value!([0.3])));
        assert!(!alike(value!(1), value!(1.0)));
        assert!(!alike(value!({ "a": 0.0 }), value!({ "a": -0.0 })));
        assert!(!alike(value!(0), value!(-0.0)));
        let (short, long): (Decimal, Decimal) = ("1.5".parse().unwrap(), "1.50".parse().unwrap());
        assert!(alike(value!(short), value!(short)) && !alike(value!(short), value!(long)));
        assert!(!alike(value!(1_i64 << 53), value!((1_i64 << 53) + 1)));
        assert!(!alike(value!({ "a": 1, "b": 1 }), value!({ "b": 1, "a": 1 })));
    }
}
