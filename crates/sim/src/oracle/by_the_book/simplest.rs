//! Which of several equal values is returned, as `docs/queries.md` says.

use std::cmp::Ordering;

use velocitydb_core::{Object, Value};

use super::order::is_equal;

/// The distinct values among these, each as the simplest of those that equal it.
pub fn distinct<'a>(values: impl IntoIterator<Item = &'a Value>) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for value in values {
        match found.iter_mut().find(|it| is_equal(it, value)) {
            Some(known) if is_simpler(value, known) => *known = value.clone(),
            Some(_) => {}
            None => found.push(value.clone()),
        }
    }
    found
}

/// Whether a value is simpler than one that equals it.
pub fn is_simpler(value: &Value, other: &Value) -> bool {
    compare(value, other).is_lt()
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.iter().zip(b).map(|(a, b)| compare(a, b)).fold(Ordering::Equal, Ordering::then)
        }
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&str> = a.keys().collect();
            names.sort_unstable();
            let fields = names.into_iter().map(|name| compare(&a[name], &b[name]));
            let order = |object: &Object| object.keys().map(str::to_owned).collect::<Vec<_>>();
            fields.fold(Ordering::Equal, Ordering::then).then_with(|| order(a).cmp(&order(b)))
        }
        _ => form(a).cmp(&form(b)),
    }
}

/// The type of a number, whether it is a negative zero, and of a decimal how many digits it has and how
/// far its exponent is from 0, in this direction or the other, and whether it is negative.
fn form(value: &Value) -> (u8, bool, usize, u32, bool, bool) {
    match value {
        Value::Float(float) => (1, *float == 0.0 && float.is_sign_negative(), 0, 0, false, false),
        Value::Decimal(it) => {
            let digits = it.coefficient().to_string().len();
            let exponent = it.exponent();
            (2, false, digits, exponent.unsigned_abs(), exponent < 0, it.is_negative())
        }
        _ => (0, false, 0, 0, false, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb_core::{Decimal, value};

    #[test]
    fn the_simplest_of_equal_values_is_one_of_them() {
        let decimal = |text: &str| Value::from(text.parse::<Decimal>().unwrap());
        for (values, expected) in [
            (vec![value!(1.0), value!(1), decimal("1")], value!(1)),
            (vec![decimal("1.50"), value!(1.5), decimal("1.5")], value!(1.5)),
            (vec![value!(-0.0), decimal("0"), value!(0.0)], value!(0.0)),
            (vec![decimal("-0"), decimal("0")], decimal("0")),
            (vec![decimal("1000"), decimal("1E+3"), decimal("1.0E+3")], decimal("1E+3")),
            (
                vec![value!({ "b": 1, "a": 1 }), value!({ "a": 1.0, "b": 1 })],
                value!({ "b": 1, "a": 1 }),
            ),
            (
                vec![value!({ "b": 1, "a": 1 }), value!({ "a": 1, "b": 1 })],
                value!({ "a": 1, "b": 1 }),
            ),
        ] {
            let found = distinct(&values);
            assert!(found.len() == 1 && found[0].is_identical(&expected), "{values:?} {found:?}");
        }
    }
}
