//! Known differences of pipelines. The query of an example is a list of stages. Each is recognised
//! by both answers being the same after the difference is removed from them.

use velocitydb_core::{Object, Value};

use super::difference::{Example, KnownDifference, Recognise};
use crate::oracle::reach::is_nan;

pub(super) const KNOWN: &[KnownDifference] = &[
    KnownDifference {
        name: "$bucket lists empty buckets",
        why: "MongoDB returns the buckets that have documents; mingo all of them",
        example: Example {
            documents: r#"[{ "a": 1 }]"#,
            query: r#"[{ "$bucket": { "groupBy": "$a", "boundaries": [0, 2, 4] } }]"#,
            mingo: r#"[{ "_id": 0, "count": 1 }, { "_id": 2, "count": 0 }]"#,
            right: r#"[{ "_id": 0, "count": 1 }]"#,
        },
        recognise: Recognise::Pipeline(
            |pipeline| mentions(pipeline, "$bucket"),
            |answer| {
                without(answer, &|it| it.as_object().is_some_and(|it| it["count"] == 0.into()))
            },
        ),
    },
    KnownDifference {
        name: "$count of nothing",
        why: "MongoDB's $count returns no document if there are none; mingo returns 0",
        example: Example {
            documents: "[]",
            query: r#"[{ "$count": "n" }]"#,
            mingo: r#"[{ "n": 0 }]"#,
            right: "[]",
        },
        recognise: Recognise::Pipeline(
            |pipeline| mentions(pipeline, "$count"),
            |answer| {
                without(answer, &|it| {
                    let zero = |it: &Object| it.len() == 1 && it.values().all(|it| *it == 0.into());
                    it.as_object().is_some_and(zero)
                })
            },
        ),
    },
    KnownDifference {
        name: "collecting missing values",
        why: "MongoDB's $push and $addToSet leave out what is missing; mingo collects nulls for it",
        example: Example {
            documents: "[{}]",
            query: r#"[{ "$group": { "_id": null, "all": { "$push": "$a" } } }]"#,
            mingo: r#"[{ "_id": null, "all": [null] }]"#,
            right: r#"[{ "_id": null, "all": [] }]"#,
        },
        recognise: Recognise::Pipeline(
            |pipeline| mentions(pipeline, "$push") || mentions(pipeline, "$addToSet"),
            |answer| without(answer, &Value::is_null),
        ),
    },
    KnownDifference {
        name: "the deviation of one number",
        why: "MongoDB's $stdDevSamp of fewer than two numbers is null; mingo divides by zero",
        example: Example {
            documents: r#"[{ "a": 1 }]"#,
            query: r#"[{ "$group": { "_id": null, "d": { "$stdDevSamp": "$a" } } }]"#,
            mingo: r#"[{ "_id": null, "d": { "$numberDouble": "NaN" } }]"#,
            right: r#"[{ "_id": null, "d": null }]"#,
        },
        recognise: Recognise::Pipeline(
            |pipeline| mentions(pipeline, "$stdDevSamp"),
            |answer| map(answer, &|it| if is_nan(&it) { Value::Null } else { it }),
        ),
    },
    KnownDifference {
        name: "the default format in a zone",
        why: "MongoDB's default format ends in Z only in UTC; mingo's always does",
        example: Example {
            documents: r#"[{ "t": { "$date": "2026-01-01T00:00:00Z" } }]"#,
            query: r#"[{ "$project": {
                "_id": 0, "r": { "$dateToString": { "date": "$t", "timezone": "+01:00" } }
            } }]"#,
            mingo: r#"[{ "r": "2026-01-01T01:00:00.000Z" }]"#,
            right: r#"[{ "r": "2026-01-01T01:00:00.000" }]"#,
        },
        recognise: Recognise::Pipeline(
            |pipeline| pipeline.iter().any(|stage| is_any(stage, &has_default_format)),
            |answer| {
                map(answer, &|it| match it {
                    Value::String(text) => text.trim_end_matches('Z').into(),
                    it => it,
                })
            },
        ),
    },
    KnownDifference {
        name: "joining an array that repeats itself",
        why: "MongoDB joins a document once; mingo once for each element that is equal",
        example: Example {
            documents: r#"[{ "a": 1, "b": [1, 1] }]"#,
            query: r#"[
                { "$lookup": { "from": "c", "localField": "a", "foreignField": "b", "as": "j" } },
                { "$project": { "j": "$j.a" } }
            ]"#,
            mingo: r#"[{ "j": [1, 1] }]"#,
            right: r#"[{ "j": [1] }]"#,
        },
        recognise: Recognise::Pipeline(
            |pipeline| mentions(pipeline, "$lookup"),
            |answer| {
                map(answer, &|it| match it {
                    Value::Array(items) => Value::Array(without_doubles(items)),
                    it => it,
                })
            },
        ),
    },
];

/// Whether an operator is in it.
fn mentions(pipeline: &[Value], operator: &str) -> bool {
    pipeline.iter().any(|stage| is_any(stage, &|it: &Object| it.contains_key(operator)))
}

/// Whether one of the objects in it satisfies `is_such`.
fn is_any(value: &Value, is_such: &dyn Fn(&Object) -> bool) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| is_any(item, is_such)),
        Value::Object(object) => {
            is_such(object) || object.values().any(|value| is_any(value, is_such))
        }
        _ => false,
    }
}

fn has_default_format(object: &Object) -> bool {
    let operand = object.get("$dateToString").and_then(Value::as_object);
    operand.is_some_and(|it| it.contains_key("timezone") && !it.contains_key("format"))
}

/// The value with `change` applied to everything in it, innermost first.
fn map(value: Value, change: &dyn Fn(Value) -> Value) -> Value {
    change(match value {
        Value::Array(items) => items.into_iter().map(|it| map(it, change)).collect(),
        Value::Object(object) => {
            let fields = object.into_iter().map(|(name, value)| (name, map(value, change)));
            fields.collect::<Object>().into()
        }
        value => value,
    })
}

/// The value without some elements of the lists in it.
fn without(value: Value, unwanted: &dyn Fn(&Value) -> bool) -> Value {
    map(value, &|it| match it {
        Value::Array(items) => items.into_iter().filter(|it| !unwanted(it)).collect(),
        it => it,
    })
}

fn without_doubles(items: Vec<Value>) -> Vec<Value> {
    let mut once: Vec<Value> = Vec::new();
    for item in items {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}
