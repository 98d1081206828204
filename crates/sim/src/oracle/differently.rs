//! Rewrites queries for mingo that it would answer wrongly in their original form.
//!
//! - A time truncated in a zone, shown as local time. Mingo truncates in UTC and shifts afterwards; it
//!   does show times in zones, and a format can have zeros in it.
//! - A `$lookup` from a field that has only an empty array, for which MongoDB looks up null, and mingo
//!   nothing.
//! - A `$push` that sorts by several fields. Mingo sorts by the first alone, so it sorts by one after
//!   the other, the last one first: its sorts are stable.
//! - Calls with results known by [`by_the_book`], [`constants`] and [`operands`]: their results as literals, or
//!   something that mingo refuses if the call is refused.
//! - Fields of the time `$$NOW`, which has none, while an object of JavaScript has some.

use velocitydb_core::{Object, Value, value};

use super::by_the_book;
use super::constants::{self, Right};
use super::operands;

/// The format in which truncated times are shown.
pub const CLOCK: &str = "%Y-%m-%dT%H:%M:%S.%L";

/// The query, rewritten for mingo.
pub fn for_mingo(query: &Value) -> Value {
    match query {
        Value::Array(items) => items.iter().flat_map(with_empty_as_null).collect(),
        Value::Object(object) => {
            let known = by_the_book::right(object);
            let known = known.or_else(|| constants::right(object));
            let known = known.or_else(|| operands::right(object));
            let known = known.map(|right| match right {
                Right::Is(value) => value!({ "$literal": value }),
                // No operator has this name, so it is refused once it is evaluated, as the call is.
                Right::Refused => value!({ REFUSED: 1 }),
            });
            let known = known.or_else(|| truncated_text(object));
            known.or_else(|| sorted_in_steps(object)).unwrap_or_else(|| {
                let inside = object.iter().map(|(name, value)| (name, for_mingo(value)));
                inside.collect::<Object>().into()
            })
        }
        Value::String(path) if path.starts_with("$$NOW.") => "$$REMOVE".into(),
        _ => query.clone(),
    }
}

/// A name that no operator and no stage has.
const REFUSED: &str = "$refused";

/// A stage as one or two: if a local field has an empty list of values, null is looked up.
fn with_empty_as_null(stage: &Value) -> Vec<Value> {
    const LOOKED_FOR: &str = "looked_for";
    if stage.as_object().is_some_and(operands::is_refused) {
        return vec![value!({ REFUSED: {} })];
    }
    let lookup = stage.as_object().and_then(|it| it.get("$lookup")).and_then(Value::as_object);
    let Some((lookup, local)) = lookup.and_then(|it| Some((it, it.get("localField")?.as_str()?)))
    else {
        return vec![for_mingo(stage)];
    };
    let is_positional = local.split('.').any(|name| name.parse::<u32>().is_ok());
    if is_positional {
        return vec![stage.clone()];
    }
    let found = format!("${local}");
    let prepared = value!({ "$set": { LOOKED_FOR: {
        "$cond": [{ "$eq": [found.as_str(), { "$literal": [] }] }, Value::Null, found.as_str()],
    } } });
    let mut lookup = lookup.clone();
    lookup.insert("localField", LOOKED_FOR);
    vec![prepared, value!({ "$lookup": lookup })]
}

/// An update with a `$push` that sorts by several fields, as several updates.
fn sorted_in_steps(query: &Object) -> Option<Value> {
    let update = query.get("update")?.as_object()?;
    let pushes = update.get("$push")?.as_object()?;
    let (mut first, mut steps) = (pushes.clone(), Vec::new());
    for (path, push) in pushes.iter() {
        let Some(push) = push.as_object() else { continue };
        let Some(Value::Array(keys)) = push.get("$sort") else { continue };
        let mut unsorted = push.clone();
        unsorted.remove("$sort");
        let slice = unsorted.remove("$slice");
        first.insert(path, unsorted);
        for (number, key) in keys.iter().enumerate().rev() {
            let mut step = Object::from([("$each", value!([])), ("$sort", key.clone())]);
            step.extend(slice.clone().filter(|_| number == 0).map(|slice| ("$slice", slice)));
            steps.push(value!({ "$push": { (path): step } }));
        }
    }
    let mut update = update.clone();
    update.insert("$push", first);
    let is_sorted = !steps.is_empty();
    let updates = std::iter::once(Value::from(update)).chain(steps);
    let mut query = query.clone();
    query.insert("update", updates.collect::<Value>());
    is_sorted.then(|| query.into())
}

/// The rewritten form of a truncated time as text, if it is one, with the same zone throughout.
fn truncated_text(object: &Object) -> Option<Value> {
    let text = object.get("$dateToString")?.as_object()?;
    let truncated = text.get("date")?.as_object()?.get("$dateTrunc")?.as_object()?;
    let zone = text.get("timezone")?;
    if text["format"] != CLOCK.into() || truncated.get("timezone") != Some(zone) {
        return None;
    }
    let format = match truncated["unit"].as_str()? {
        "year" => "%Y-01-01T00:00:00.000",
        "month" => "%Y-%m-01T00:00:00.000",
        "day" => "%Y-%m-%dT00:00:00.000",
        "hour" => "%Y-%m-%dT%H:00:00.000",
        "minute" => "%Y-%m-%dT%H:%M:00.000",
        _ => return None,
    };
    let date = truncated["date"].clone();
    Some(value!({ "$dateToString": { "date": date, "format": format, "timezone": zone.clone() } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncating_becomes_a_format_with_zeros() {
        let query = value!([{ "$project": { "r": { "$dateToString": {
            "date": { "$dateTrunc": { "date": "$t", "unit": "day", "timezone": "+05:30" } },
            "format": CLOCK,
            "timezone": "+05:30",
        } } } }]);
        let asked = value!([{ "$project": { "r": { "$dateToString": {
            "date": "$t", "format": "%Y-%m-%dT00:00:00.000", "timezone": "+05:30",
        } } } }]);
        assert_eq!(for_mingo(&query), asked);
        assert_eq!(for_mingo(&asked), asked);
    }

    #[test]
    fn sorting_by_several_fields_becomes_several_sorts() {
        let query = value!({ "kind": "update", "update": {
            "$inc": { "n": 1 },
            "$push": { "a": { "$each": [3], "$slice": 2, "$sort": [{ "x": 1 }, { "y": -1 }] }, "b": 1 },
        } });
        let asked = value!({ "kind": "update", "update": [
            { "$inc": { "n": 1 }, "$push": { "a": { "$each": [3] }, "b": 1 } },
            { "$push": { "a": { "$each": [], "$sort": { "y": -1 } } } },
            { "$push": { "a": { "$each": [], "$sort": { "x": 1 }, "$slice": 2 } } },
        ] });
        assert_eq!(for_mingo(&query), asked);
        let plain = value!({ "kind": "update", "update": { "$push": { "a": { "$each": [3], "$sort": 1 } } } });
        assert_eq!(for_mingo(&plain), plain);
    }

    #[test]
    fn what_is_refused_becomes_what_mingo_refuses() {
        let query = value!([
            { "$project": { "r": { "$multiply": [2, { "$literal": "text" }] } } },
            { "$group": { "_id": null, "r": { "$sum": ["$n", "$f"] } } },
        ]);
        let asked = value!([{ "$project": { "r": { REFUSED: 1 } } }, { REFUSED: {} }]);
        assert_eq!(for_mingo(&query), asked);
        assert_eq!(
            for_mingo(&value!({ "$ifNull": ["$$NOW.x", 1] })),
            value!({ "$ifNull": ["$$REMOVE", 1] })
        );
    }
}
