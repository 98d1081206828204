//! Updates of top-level fields. This returns `None` for what it does not support: other paths, filters
//! in `$pull`, `$rename`, arithmetic with floats or with more digits than a decimal has.

use velocitydb_core::{Object, Value};

use super::numbers::{product, sum};
use super::order::{compare, is_equal};
use crate::oracle::case::Answer;

/// What is left of a field.
enum Left {
    /// This value.
    Value(Value),
    /// No field.
    Nothing,
    /// The operator does not fit its value.
    Refused,
}

/// The updated document, or that the update is refused.
pub fn updated(document: &Object, update: &Object) -> Option<Answer> {
    let mut left = document.clone();
    let mut added: Vec<(&str, Value)> = Vec::new();
    for (operator, changes) in update.iter() {
        for (name, operand) in changes.as_object()?.iter() {
            if name.contains('.') || added.iter().any(|(added, _)| *added == name) {
                return None;
            }
            let before = document.get(name);
            match changed(operator, before, operand)? {
                Left::Value(value) if before.is_some() => {
                    left.insert(name, value);
                }
                Left::Value(value) => added.push((name, value)),
                Left::Nothing => drop(left.remove(name)),
                Left::Refused => return Some(Answer::Refused("it does not fit".to_owned())),
            }
        }
    }
    added.sort_by_key(|(name, _)| *name);
    left.extend(added);
    Some(Answer::Documents(vec![left.into()]))
}

fn changed(operator: &str, before: Option<&Value>, operand: &Value) -> Option<Left> {
    let keeps = |keeps: bool| before.filter(|_| keeps).unwrap_or(operand).clone();
    Some(match operator {
        "$set" => Left::Value(operand.clone()),
        "$unset" => Left::Nothing,
        "$min" => Left::Value(keeps(before.is_some_and(|it| compare(operand, it).is_ge()))),
        "$max" => Left::Value(keeps(before.is_some_and(|it| compare(operand, it).is_le()))),
        "$inc" | "$mul" => computed(operator, before, operand)?,
        "$push" | "$addToSet" | "$pull" | "$pullAll" => changed_list(operator, before, operand)?,
        _ => return None,
    })
}

/// The sum or product of two numbers of which one is a decimal.
fn computed(operator: &str, before: Option<&Value>, operand: &Value) -> Option<Left> {
    let Some(before) = before else {
        return (operator == "$inc").then(|| Left::Value(operand.clone()));
    };
    if !before.kind().is_number() {
        return Some(Left::Refused);
    }
    let is_decimal = before.as_decimal().is_some() || operand.as_decimal().is_some();
    let compute = if operator == "$inc" { sum } else { product };
    compute(before, operand).filter(|_| is_decimal).map(Left::Value)
}

fn changed_list(operator: &str, before: Option<&Value>, operand: &Value) -> Option<Left> {
    let mut items = match before {
        Some(Value::Array(items)) => items.clone(),
        Some(_) => return Some(Left::Refused),
        None if operator == "$push" || operator == "$addToSet" => Vec::new(),
        None => return Some(Left::Nothing),
    };
    let modifiers = operand.as_object().filter(|it| it.contains_key("$each"));
    if modifiers.is_some_and(|it| it.keys().any(|name| !["$each", "$sort"].contains(&name))) {
        return None;
    }
    let each = match modifiers.map(|it| it["$each"].as_array()) {
        Some(each) => each?.clone(),
        None => vec![operand.clone()],
    };
    match operator {
        "$push" => {
            items.extend(each);
            match modifiers.and_then(|it| it.get("$sort")) {
                Some(Value::Int(1)) => items.sort_by(compare),
                Some(Value::Int(-1)) => items.sort_by(|a, b| compare(b, a)),
                Some(_) => return None,
                None => {}
            }
        }
        "$addToSet" => {
            for item in each {
                if !items.iter().any(|it| is_equal(it, &item)) {
                    items.push(item);
                }
            }
        }
        "$pull" if operand.as_object().is_none() => items.retain(|it| !is_equal(it, operand)),
        "$pullAll" => {
            let wanted = operand.as_array()?;
            items.retain(|it| !wanted.iter().any(|other| is_equal(it, other)));
        }
        _ => return None,
    }
    Some(Left::Value(items.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb_core::{Decimal, object, value};

    #[test]
    fn fields_keep_their_places_and_new_ones_follow_by_name() {
        let decimal = |text: &str| Value::from(text.parse::<Decimal>().unwrap());
        let document = object! { "b": decimal("1.50"), "a": [1, 2.0], "c": 1 };
        let update = object! {
            "$set": { "e": 1, "a": true }, "$inc": { "b": 1 }, "$min": { "d": 2 }, "$unset": { "c": "" },
        };
        let Some(Answer::Documents(found)) = updated(&document, &update) else { panic!() };
        let expected = value!({ "b": decimal("2.50"), "a": true, "d": 2, "e": 1 });
        assert!(found[0].is_identical(&expected), "{}", found[0]);
        let refused = updated(&document, &object! { "$mul": { "a": decimal("1") } });
        assert!(refused.is_some_and(|answer| answer.is_refused()));
        assert_eq!(updated(&document, &object! { "$inc": { "b": 0.5 } }), None);
    }

    #[test]
    fn elements_are_equal_whatever_their_type() {
        let document = object! { "a": [1, 2.0, "1"] };
        for (update, expected) in [
            (object! { "$addToSet": { "a": { "$each": [1.0, 3] } } }, value!([1, 2.0, "1", 3])),
            (object! { "$pull": { "a": 2 } }, value!([1, "1"])),
            (object! { "$pullAll": { "a": [1.0, "1"] } }, value!([2.0])),
            (object! { "$push": { "a": { "$each": [0], "$sort": -1 } } }, value!(["1", 2.0, 1, 0])),
        ] {
            let found = updated(&document, &update);
            assert_eq!(found, Some(Answer::Documents(vec![value!({ "a": expected })])), "{update}");
        }
    }
}
