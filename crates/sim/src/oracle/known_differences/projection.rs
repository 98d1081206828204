//! Known differences of projections. The query of an example is a projection.

use velocitydb_core::Value;

use super::difference::{Example, KnownDifference, Recognise};
use crate::oracle::reach::{Reach, is_object};

pub(super) const KNOWN: &[KnownDifference] = &[
    KnownDifference {
        name: "leaving out of arrays in arrays",
        why: "MongoDB leaves a field out of all objects, however deep the arrays are that they are in; \
          mingo leaves arrays in arrays as they are",
        example: Example {
            documents: r#"[{ "a": [[{ "x": 1 }]] }]"#,
            query: r#"{ "a.x": 0 }"#,
            mingo: r#"[{ "a": [[{ "x": 1 }]] }]"#,
            right: r#"[{ "a": [[{}]] }]"#,
        },
        recognise: Recognise::Projected(|path, document, _| Reach::of(document, path).nested > 0),
    },
    KnownDifference {
        name: "$slice and nothing else",
        why: "in MongoDB a projection that only cuts arrays leaves all other fields as they are; mingo \
          leaves them out",
        example: Example {
            documents: r#"[{ "a": [1, 2], "b": 3 }]"#,
            query: r#"{ "a": { "$slice": 1 } }"#,
            mingo: r#"[{ "a": [1] }]"#,
            right: r#"[{ "a": [1], "b": 3 }]"#,
        },
        recognise: Recognise::Projected(|_, _, projection| {
            let is_slice =
                |value: &Value| value.as_object().is_some_and(|it| it.contains_key("$slice"));
            let others = projection.iter().filter(|(name, _)| *name != "_id");
            others.clone().all(|(_, value)| is_slice(value)) && others.count() > 0
        }),
    },
    KnownDifference {
        name: "$slice beside fields that are left out",
        why: "in MongoDB $slice goes with fields that are left out as well as with fields that are \
              kept; mingo takes it for a field that is kept",
        example: Example {
            documents: r#"[{ "a": [1, 2], "b": 3 }]"#,
            query: r#"{ "a": { "$slice": 1 }, "b": 0 }"#,
            mingo: r#""refused""#,
            right: r#"[{ "a": [1] }]"#,
        },
        recognise: Recognise::Projected(|_, _, projection| {
            let is_slice =
                |value: &Value| value.as_object().is_some_and(|it| it.contains_key("$slice"));
            let is_kept = |(name, value): (&str, &Value)| name != "_id" && keeps(value);
            projection.values().any(is_slice) && !projection.iter().any(is_kept)
        }),
    },
    KnownDifference {
        name: "$elemMatch beside fields that are left out",
        why: "in MongoDB $elemMatch goes with fields that are left out as well as with fields that are \
              kept; mingo takes it for a field that is kept",
        example: Example {
            documents: r#"[{ "a": [{ "x": 1 }, { "x": 2 }], "b": 3, "c": 4 }]"#,
            query: r#"{ "a": { "$elemMatch": { "x": 2 } }, "b": 0 }"#,
            mingo: r#""refused""#,
            right: r#"[{ "a": [{ "x": 2 }], "c": 4 }]"#,
        },
        recognise: Recognise::Projected(|_, _, projection| {
            let is_match =
                |value: &Value| value.as_object().is_some_and(|it| it.contains_key("$elemMatch"));
            let is_left_out = |(name, value): (&str, &Value)| name != "_id" && leaves_out(value);
            let others = projection.iter().filter(|(name, _)| *name != "_id");
            projection.values().any(is_match)
                && projection.iter().any(is_left_out)
                && others.clone().all(|it| is_match(it.1) || is_left_out(it))
        }),
    },
    KnownDifference {
        name: "keeping _id beside fields that are left out",
        why: "in MongoDB _id may be kept or left out whatever is done with the other fields; mingo \
              refuses to keep it beside fields that are left out",
        example: Example {
            documents: r#"[{ "a": 1, "b": 2 }]"#,
            query: r#"{ "_id": 1, "a": 0 }"#,
            mingo: r#""refused""#,
            right: r#"[{ "b": 2 }]"#,
        },
        recognise: Recognise::Projected(|_, _, projection| {
            let is_left_out = |(name, value): (&str, &Value)| name != "_id" && leaves_out(value);
            let others = projection.iter().filter(|(name, _)| *name != "_id");
            projection.get("_id").is_some_and(keeps) && others.clone().all(is_left_out)
        }),
    },
    KnownDifference {
        name: "projecting elements that are no objects",
        why: "a filter in $elemMatch is about the fields of objects; mingo compares a scalar itself, \
          and takes every element for {}",
        example: Example {
            documents: r#"[{ "a": [3, { "x": 3 }] }]"#,
            query: r#"{ "a": { "$elemMatch": { "x": 3 } } }"#,
            mingo: r#"[{ "a": [3] }]"#,
            right: r#"[{ "a": [{ "x": 3 }] }]"#,
        },
        recognise: Recognise::Projected(|path, document, projection| {
            let part = projection.get(path).and_then(Value::as_object);
            let is_match = part.is_some_and(|it| it.contains_key("$elemMatch"));
            is_match && Reach::of(document, path).with_elements().any(|it| !is_object(it))
        }),
    },
];

fn keeps(value: &Value) -> bool {
    value.as_bool() == Some(true) || *value == Value::Int(1)
}

fn leaves_out(value: &Value) -> bool {
    value.as_bool() == Some(false) || *value == Value::Int(0)
}
