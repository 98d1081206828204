//! Random expressions, stages, and documents for them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use velocitydb_core::{Object, Time, Value, value};

use crate::random;

/// An expression over the fields that documents have.
pub fn expression() -> impl Strategy<Value = Value> {
    let paths = [
        "$a",
        "$b",
        "$c",
        "$a.b",
        "$b.c",
        "$a.b.c",
        "$_id",
        "$_meta.version",
        "$_meta",
        "$$ROOT",
        "$$NOW",
    ];
    let leaf = prop_oneof![
        6 => select(paths.to_vec()).prop_map(Value::from),
        1 => random::number(),
        1 => select(vec!["x", "y", ""]).prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let lists = [
            "$add",
            "$multiply",
            "$and",
            "$or",
            "$max",
            "$min",
            "$sum",
            "$avg",
            "$ifNull",
            "$mergeObjects",
            "$concatArrays",
            "$setUnion",
            "$concat",
        ];
        let pairs = ["$eq", "$lt", "$cmp", "$subtract", "$divide", "$arrayElemAt", "$in", "$slice"];
        let singles =
            ["$type", "$isArray", "$size", "$not", "$toString", "$objectToArray", "$year"];
        prop_oneof![
            (select(lists.to_vec()), vec(inner.clone(), 2..4))
                .prop_map(|(name, args)| value!({ (name): args })),
            (select(pairs.to_vec()), inner.clone(), inner.clone())
                .prop_map(|(name, a, b)| value!({ (name): [a, b] })),
            (select(singles.to_vec()), inner.clone()).prop_map(|(name, a)| value!({ (name): [a] })),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| value!({ "$cond": [a, b, c] })),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| value!({ "x": a, "y": b })),
            (inner.clone(), inner).prop_map(|(input, body)| {
                let map = value!({ "$map": { "input": "$$l", "in": ["$$this", body] } });
                value!({ "$let": { "vars": { "l": [input] }, "in": map } })
            }),
        ]
    })
}

pub fn stage() -> impl Strategy<Value = Value> {
    let path = || select(vec!["a", "b", "c", "a.b", "b.c", "d", "_meta.version", "_version"]);
    let accumulator = select(vec![
        "$sum",
        "$avg",
        "$min",
        "$max",
        "$first",
        "$last",
        "$push",
        "$addToSet",
        "$stdDevPop",
    ]);
    let flag = || select(vec![0, 1]);
    prop_oneof![
        (path(), random::number())
            .prop_map(|(path, number)| value!({ "$match": { (path): { "$gte": number } } })),
        expression().prop_map(|expression| value!({ "$match": { "$expr": expression } })),
        (expression(), accumulator, expression()).prop_map(|(id, name, x)| {
            let id = if id.as_array().is_some() { value!({ "$literal": id }) } else { id };
            value!({ "$group": { "_id": id, "c": { (name): { "$ifNull": [x, "$a"] } } } })
        }),
        (path(), select(vec![1, -1])).prop_map(|(path, way)| value!({ "$sort": { (path): way } })),
        (1..9_u64).prop_map(|limit| value!({ "$limit": limit })),
        (0..3_u64).prop_map(|skip| value!({ "$skip": skip })),
        (path(), flag(), flag())
            .prop_map(|(path, id, keep)| value!({ "$project": { "_id": id, (path): keep } })),
        (path(), expression()).prop_map(|(path, x)| {
            // An object would be taken as fields, and a number as keeping or dropping.
            let x = value!({ "$ifNull": [x, "$a"] });
            value!({ "$project": { (path): x, "e": 1, "f.g": 1 } })
        }),
        (path(), expression()).prop_map(|(path, x)| value!({ "$set": { (path): x } })),
        path().prop_map(|path| value!({ "$unset": path })),
        (path(), any::<bool>()).prop_map(|(path, keep)| value!({ "$unwind": {
            "path": (format!("${path}")),
            "preserveNullAndEmptyArrays": keep,
            "includeArrayIndex": "d",
        } })),
        expression()
            .prop_map(|x| value!({ "$replaceWith": { "$mergeObjects": ["$$ROOT", { "d": x }] } })),
        expression().prop_map(|x| value!({ "$sortByCount": { "$ifNull": [x, "$a"] } })),
        Just(
            value!({ "$facet": { "a": [{ "$limit": 2 }], "b": [{ "$group": { "_id": "$a" } }] } })
        ),
        (path(), path()).prop_map(|(local, foreign)| value!({ "$lookup": {
            "from": "other", "localField": local, "foreignField": foreign, "as": "c",
        } })),
    ]
}

/// Documents of few names, so that stages find something.
pub fn documents() -> impl Strategy<Value = Vec<Object>> {
    let leaf = prop_oneof![
        (-2_i64..3).prop_map(Value::from),
        random::number(),
        select(vec!["x", "y"]).prop_map(Value::from),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        Just(Value::Time(Time::UNIX_EPOCH)),
    ];
    let name = || select(vec!["a", "b", "c"]);
    let value = leaf.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((name(), inner), 0..3).prop_map(|fields| Object::from_iter(fields).into()),
        ]
    });
    vec(vec((name(), value), 0..4).prop_map(Object::from_iter), 0..8)
}
