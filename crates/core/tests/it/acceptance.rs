//! What is taken and what is not, as MongoDB has it: shapes of updates, filters, projections and
//! expressions that were refused and meant something, or were accepted and meant nothing.

use velocitydb_core::aggregate::{Pipeline, SingleCollection};
use velocitydb_core::{Error, Filter, Object, Projection, Time, Update, Value, object, value};

fn updated(json: &str, before: Object) -> Object {
    let mut document = before;
    Update::from_json(json).unwrap().apply(&mut document, Time::UNIX_EPOCH).unwrap();
    document
}

fn computed(expression: Value) -> Result<Value, Error> {
    let pipeline = Pipeline::from_value(&value!([{ "$project": { "x": expression } }]))?;
    let row = object! { "s": "text", "n": null };
    let rows = pipeline.run(&SingleCollection(Time::UNIX_EPOCH), [row])?;
    Ok(rows[0].get("x").cloned().unwrap_or("missing".into()))
}

#[test]
fn a_push_sorts_by_several_fields_in_their_written_order() {
    let rows = || object! { "a": [{ "x": 1, "y": 1 }, { "x": 2, "y": 1 }, { "x": 1, "y": 2 }] };
    let ids = |document: Object| {
        let array = document["a"].as_array().unwrap().clone();
        let text = |row: &Value| {
            let row = row.as_object().unwrap();
            format!("{}{}", row["x"], row["y"])
        };
        array.iter().map(text).collect::<Vec<_>>().join(" ")
    };
    for (sort, expected) in [
        (r#"{"x": 1, "y": -1}"#, "12 11 21"),
        (r#"{"y": -1, "x": 1}"#, "12 11 21"),
        (r#"{"y": 1, "x": -1}"#, "21 11 12"),
        (r#"{"x": -1.0, "y": 1.0}"#, "21 11 12"),
        (r#"[{"y": 1}, {"x": -1}]"#, "21 11 12"),
    ] {
        let json = format!(r#"{{"$push": {{"a": {{"$each": [], "$sort": {sort}}}}}}}"#);
        assert_eq!(ids(updated(&json, rows())), expected, "{sort}");
    }
    let sort = object! { "$push": { "a": { "$each": [], "$sort": {} } } };
    let error = Update::from_object(sort).unwrap_err().to_string();
    assert!(error.contains("$push at \"a\"") && error.contains("or of a list"), "{error}");
}

#[test]
fn whole_floats_are_whole_numbers() {
    let before = || object! { "a": [1, 2, 3] };
    assert_eq!(updated(r#"{"$pop": {"a": 1.0}}"#, before()), object! { "a": [1, 2] });
    assert_eq!(updated(r#"{"$pop": {"a": -1.0}}"#, before()), object! { "a": [2, 3] });
    let push = r#"{"$push": {"a": {"$each": [9], "$position": 0.0, "$slice": 2.0}}}"#;
    assert_eq!(updated(push, before()), object! { "a": [9, 1] });
    for (json, is_there) in [
        (r#"{"a": {"$exists": 1.0}}"#, true),
        (r#"{"a": {"$exists": 7}}"#, true),
        (r#"{"a": {"$exists": 0.0}}"#, false),
        (r#"{"a": {"$exists": 0}}"#, false),
    ] {
        assert_eq!(Filter::from_json(json).unwrap().matches_object(&before()), is_there, "{json}");
    }
    assert!(Update::from_json(r#"{"$pop": {"a": 1.5}}"#).is_err());
    assert!(Filter::from_json(r#"{"a": {"$exists": "1"}}"#).is_err());
}

#[test]
fn elements_are_picked_beside_what_is_left_out() {
    let document = object! { "l": [{ "x": 1 }, { "x": 2 }], "b": 1, "c": 2 };
    let projection =
        |json: &str| Projection::from_json(json).unwrap().apply_object(document.clone());
    let picked = object! { "l": [{ "x": 2 }], "c": 2 };
    assert_eq!(projection(r#"{"l": {"$elemMatch": {"x": 2}}, "b": 0}"#), picked);
    let alone = object! { "l": [{ "x": 2 }] };
    assert_eq!(projection(r#"{"l": {"$elemMatch": {"x": 2}}}"#), alone);
    assert_eq!(projection(r#"{"l": {"$elemMatch": {"x": 2}}, "b": 1}"#), {
        object! { "l": [{ "x": 2 }], "b": 1 }
    });
    assert!(Projection::from_json(r#"{"l": {"$elemMatch": {"x": 2}}, "b": 0, "c": 1}"#).is_err());
}

#[test]
fn null_decides_before_what_stands_behind_it() {
    for expression in [
        value!({ "$multiply": [null, "s"] }),
        value!({ "$multiply": ["$n", "$s"] }),
        value!({ "$add": [null, "s"] }),
        value!({ "$subtract": [null, "s"] }),
        value!({ "$subtract": ["s", null] }),
        value!({ "$divide": ["s", null] }),
        value!({ "$divide": [null, "s"] }),
        value!({ "$mod": [null, "s"] }),
        value!({ "$pow": ["s", "$n"] }),
        value!({ "$concat": [null, 5] }),
    ] {
        assert_eq!(computed(expression.clone()).unwrap(), Value::Null, "{expression}");
    }
    for expression in [
        value!({ "$multiply": ["s", null] }),
        value!({ "$add": ["s", null] }),
        value!({ "$multiply": [2, "s"] }),
        value!({ "$concat": [5, null] }),
    ] {
        assert!(computed(expression.clone()).is_err(), "{expression}");
    }
}

#[test]
fn times_are_read_in_the_forms_that_people_write() {
    for (text, expected) in [
        ("2026-11-23T09:15:00Z", "2026-11-23T09:15:00Z"),
        ("2026-11-23T09:15:00", "2026-11-23T09:15:00Z"),
        ("2026-11-23 09:15:00", "2026-11-23T09:15:00Z"),
        ("2026-11-23 09:15:00.25", "2026-11-23T09:15:00.25Z"),
        ("2026-11-23T09:15", "2026-11-23T09:15:00Z"),
        ("2026-11-23T14:15:00+0500", "2026-11-23T09:15:00Z"),
        ("2026-11-23T14:15:00+05", "2026-11-23T09:15:00Z"),
        ("2026-11-23 04:15:00 -0500", "2026-11-23T09:15:00Z"),
        ("2026-11-23T14:15:00+05:00", "2026-11-23T09:15:00Z"),
        ("2026-11-23", "2026-11-23T00:00:00Z"),
    ] {
        let expected: Time = expected.parse().unwrap();
        assert_eq!(computed(value!({ "$toDate": text })).unwrap(), expected.into(), "{text}");
    }
    for text in ["", "x", "2026-11-23T", "2026-11-23Tx", "2026-11-23 09", "2026-11-23T09:15:00+é1"]
    {
        assert!(computed(value!({ "$toDate": text })).is_err(), "{text}");
    }
}

#[test]
fn there_is_nothing_in_a_time_or_in_what_is_missing() {
    for path in ["$$NOW.x", "$$REMOVE.x", "$$NOW.x.y"] {
        assert_eq!(computed(path.into()).unwrap(), "missing".into(), "{path}");
        assert_eq!(computed(value!({ "$ifNull": [path, 1] })).unwrap(), 1.into(), "{path}");
    }
    assert!(computed("$$NOW.".into()).is_err());
}

#[test]
fn accumulators_take_one_expression() {
    for name in ["$sum", "$avg", "$min", "$max", "$push", "$addToSet", "$first", "$last"] {
        let group = value!([{ "$group": { "_id": null, "x": { name: ["$a", "$b"] } } }]);
        let error = Pipeline::from_value(&group).unwrap_err().to_string();
        assert!(error.contains("takes one expression"), "{name}: {error}");
    }
}

#[test]
fn what_means_nothing_is_refused() {
    let mixed = value!({ "$arrayToObject": { "$literal": [["a", 1], { "k": "b", "v": 2 }] } });
    let error = computed(mixed).unwrap_err().to_string();
    assert!(error.contains("not of both"), "{error}");
    for regex in [value!(null), value!("$n"), value!("a")] {
        let test = value!({ "$regexMatch": { "input": "$s", "regex": regex, "options": "q" } });
        let error = computed(test.clone()).unwrap_err().to_string();
        assert!(error.contains("i, m, s and x"), "{test}: {error}");
    }
}

/// Only the update of a field said where it was: what did not fit a Rust type did not.
#[test]
fn what_does_not_fit_names_its_place() {
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "it is only read into")]
    struct Item {
        sku: String,
    }
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "it is only read into")]
    struct Order {
        items: Vec<Item>,
    }
    let order = object! { "items": [{ "sku": "a" }, { "sku": 5 }] };
    let encoded = velocitydb_core::Encoded::from_object(&order).unwrap();
    let error = encoded.view().deserialize::<Order>().unwrap_err().to_string();
    assert_eq!(error, r#"field "items.1.sku": invalid type: integer `5`, expected a string"#);
    for (json, expected) in [
        (r#"{"$inc": {"a.b": 1}}"#, r#"$inc at "a.b" works on a number, and found"#),
        (r#"{"$push": {"a.b": 1}}"#, r#"$push at "a.b" works on an array, and found"#),
        (r#"{"$pop": {"a.b": 1}}"#, r#"$pop at "a.b" works on an array, and found"#),
        (r#"{"$set": {"a.b.c": 1}}"#, r#"path "a.b.c" leads through"#),
        (r#"{"$rename": {"l.0.x": "y"}}"#, r#"$rename at "l.0.x" works on fields of objects"#),
    ] {
        let mut document = object! { "a": { "b": "text" }, "l": [{ "x": 1 }] };
        let update = Update::from_json(json).unwrap();
        let error = update.apply(&mut document, Time::UNIX_EPOCH).unwrap_err().to_string();
        assert!(error.contains(expected), "{json}: {error}");
    }
}
