//! What holds for all documents and queries: encoded and owned forms agree, filters survive every
//! trip, and indexes see what filters compare.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use velocitydb_core::{
    DocumentView, Encoded, Filter, Header, Object, Path, Projection, Sort, Time, Update, Value,
    field, object, value,
};

use crate::random;

const NAMES: &[&str] = &["a", "b", "c", "0", "1", "_version"];
const PATHS: &[&str] = &[
    "a",
    "b",
    "c",
    "a.b",
    "a.0",
    "a.0.b",
    "a.b.c",
    "b.1",
    "a.1.0",
    "0",
    "c.0.0",
    "_id",
    "_meta",
    "_meta.version",
    "_meta.lease",
    "_version",
];

/// Values of which many are equal to each other, so that filters are satisfied now and then.
fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-2_i64..4).prop_map(Value::from),
        2 => (-3_i64..4).prop_map(|half| Value::from(half as f64 / 2.0)),
        2 => select(&["", "a", "ab", "b", "doc"][..]).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Float(f64::NAN)),
        1 => (0_i64..3).prop_map(|micros| Time::from_micros(micros).unwrap().into()),
        1 => random::number(),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((select(NAMES), inner), 0..4).prop_map(|fields| Object::from_iter(fields).into()),
        ]
    })
}

fn document() -> impl Strategy<Value = Object> {
    vec((select(NAMES), any_value()), 0..5).prop_map(Object::from_iter)
}

fn regex() -> impl Strategy<Value = Value> {
    select(&["^a", "b$", "^$", "."][..]).prop_map(|pattern| value!({ "$regex": pattern }))
}

fn comparison() -> impl Strategy<Value = (&'static str, Value)> {
    let list = || vec(any_value(), 0..4);
    prop_oneof![
        4 => (select(&["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"][..]), any_value()),
        1 => (select(&["$in", "$nin", "$all"][..]), list()).prop_map(|(op, list)| (op, list.into())),
        1 => (select(&["$in", "$nin"][..]), regex()).prop_map(|(op, one)| (op, value!([one, 1]))),
        1 => any::<bool>().prop_map(|exists| ("$exists", exists.into())),
        1 => select(&["int", "long", "number", "array", "object", "null", "string"][..])
            .prop_map(|name| ("$type", name.into())),
        1 => (0_i64..4).prop_map(|size| ("$size", size.into())),
        1 => regex().prop_map(|regex| ("$regex", regex.as_object().unwrap()["$regex"].clone())),
    ]
}

/// The operators of one field.
fn operators() -> impl Strategy<Value = Object> {
    let flat = vec(comparison(), 1..3).prop_map(Object::from_iter);
    flat.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| object! { "$not": inner }),
            inner.clone().prop_map(|inner| object! { "$elemMatch": inner }),
            (select(PATHS), inner)
                .prop_map(|(path, inner)| object! { "$elemMatch": { (path): inner } }),
        ]
    })
}

/// Any filter.
pub fn filter() -> impl Strategy<Value = Object> {
    let fields = vec(
        (
            select(PATHS),
            prop_oneof![
                2 => operators().prop_map(Value::from),
                1 => any_value(),
            ],
        ),
        0..3,
    );
    fields.prop_map(Object::from_iter).prop_recursive(3, 12, 3, |inner| {
        (select(&["$and", "$or", "$nor"][..]), vec(inner, 1..4))
            .prop_map(|(operator, filters)| object! { (operator): filters })
    })
}

fn view(encoded: &Encoded) -> DocumentView<'_> {
    let (created, modified) = (Time::UNIX_EPOCH, Time::MAX);
    let header = Header { version: 1, created, modified, expires: None, lease: None };
    DocumentView { id: velocitydb_core::IdRef::of_text("doc"), header, fields: encoded.view() }
}

#[test]
fn filters_say_the_same_of_encoded_and_owned_documents_and_after_every_trip() {
    random::check((document(), filter()), |(document, given)| {
        let encoded = Encoded::from_object(&document).unwrap();
        let view = view(&encoded);
        let whole = view.to_object().unwrap();
        let filter = Filter::from_object(&given).unwrap();
        let yes = filter.matches(&view).unwrap();
        prop_assert_eq!(filter.matches_object(&whole), yes);
        prop_assert_eq!(filter.matches_value(&whole.into()), yes);
        prop_assert_eq!((!filter.clone()).matches(&view), Ok(!yes));
        let mut bytes = Vec::new();
        filter.encode_into(&mut bytes).unwrap();
        let trips = [
            Filter::decode(&bytes).unwrap(),
            Filter::from_object(filter.to_object()).unwrap(),
            Filter::from_json(&filter.to_json()).unwrap(),
            !!filter.clone(),
        ];
        for again in trips {
            prop_assert_eq!(again.matches(&view), Ok(yes));
            prop_assert!(
                again.to_object() == filter.to_object() || again.predicate() != filter.predicate()
            );
        }
        prop_assert_eq!(Filter::decode(&bytes).unwrap(), filter);
        Ok(())
    });
}

#[test]
fn an_index_sees_what_equality_compares() {
    random::check((document(), select(PATHS), any_value()), |(document, path, other)| {
        let encoded = Encoded::from_object(&document).unwrap();
        let view = view(&encoded);
        let path: Path = path.parse().unwrap();
        let mut leaves = Vec::new();
        let fanout = view
            .for_each_leaf(&path, |leaf| {
                leaves.push(leaf.to_value()?);
                Ok(())
            })
            .unwrap();
        prop_assert_eq!(fanout.leaves, leaves.len());
        prop_assert!(fanout.multikey || leaves.len() == 1);
        let candidates = leaves.iter().flatten().cloned().chain([other, Value::Null]);
        for candidate in candidates.filter(|candidate| candidate.as_array().is_none()) {
            let among = leaves.iter().any(|leaf| match leaf {
                Some(leaf) => *leaf == candidate,
                None => candidate.is_null(),
            });
            let filter = field(&path.to_string()).eq(candidate);
            prop_assert_eq!(filter.matches(&view), Ok(among), "{:?}", filter);
        }
        Ok(())
    });
}

#[test]
fn sorts_have_the_same_keys_for_encoded_and_owned_documents() {
    let keys = vec((select(PATHS), any::<bool>()), 0..3);
    random::check((document(), document(), keys), |(a, b, keys)| {
        let mut sort = Sort::new();
        for (path, ascending) in &keys {
            sort = if *ascending { sort.ascending(path) } else { sort.descending(path) };
        }
        if sort.check().is_err() {
            return Ok(());
        }
        let mut lengths = Vec::new();
        for document in [&a, &b] {
            let (encoded, mut key) = (Encoded::from_object(document).unwrap(), Vec::new());
            sort.encode_key(&view(&encoded), &mut key).unwrap();
            let whole = view(&encoded).to_object().unwrap();
            prop_assert_eq!(&sort.key_of(&whole).unwrap(), &key);
            let mut rest = &key[..];
            for one in sort.keys() {
                rest = &rest[velocitydb_core::key::skip_key(rest, one.direction).unwrap()..];
            }
            prop_assert!(rest.is_empty());
            lengths.push(key.len());
        }
        prop_assert_eq!(Sort::from_value(&sort.to_value()), Ok(sort));
        Ok(())
    });
}

#[test]
fn projections_do_the_same_to_encoded_and_owned_documents() {
    let parts = vec((select(PATHS), 0_i64..2), 0..4);
    random::check((document(), parts), |(document, parts)| {
        let Ok(projection) = Projection::from_object(Object::from_iter(parts)) else {
            return Ok(());
        };
        prop_assert_eq!(Projection::from_object(projection.to_object()), Ok(projection.clone()));
        let encoded = Encoded::from_object(&document).unwrap();
        let view = view(&encoded);
        let mut whole = view.to_object().unwrap();
        // Only what is asked for of what the engine knows is returned with a document.
        let is_asked_for =
            |(path, part): (&str, &Value)| path.starts_with("_meta") && *part == Value::Int(1);
        if !projection.to_object().iter().any(is_asked_for) {
            whole.remove("_meta");
        }
        let projected = projection.apply(&view).unwrap();
        prop_assert!(projected.is_identical(&projection.apply_object(whole)));
        Ok(())
    });
}

#[test]
fn pulls_survive_their_object_and_remove_what_the_filter_says() {
    random::check((vec(any_value(), 0..6), filter()), |(items, filter)| {
        let filter = Filter::from_object(filter).unwrap();
        let update = Update::new().pull_where("l", filter.clone());
        let mut fields = object! { "l": items.clone() };
        update.apply(&mut fields, Time::UNIX_EPOCH).unwrap();
        let kept = items.into_iter().filter(|item| match item {
            Value::Object(object) => !filter.matches_object(object),
            _ => true,
        });
        prop_assert_eq!(&fields["l"], &kept.collect::<Value>());
        let mut bytes = Vec::new();
        update.encode_into(&mut bytes).unwrap();
        prop_assert_eq!(Update::decode(&bytes), Ok(update));
        Ok(())
    });
}

#[test]
fn what_is_built_equals_what_is_read() {
    let read = |text| Filter::from_json(text).unwrap();
    let cases = [
        (Filter::all(), "{}"),
        (field("a.b").eq(1), r#"{"a.b": 1}"#),
        (field("a").contains("x"), r#"{"a": {"$eq": "x"}}"#),
        (field("a").ne(1).and(field("a").gt(0)), r#"{"a": {"$ne": 1, "$gt": 0}}"#),
        (
            field("a").lt(1).or(field("b").lte(2)),
            r#"{"$or": [{"b": {"$lte": 2}}, {"a": {"$lt": 1}}]}"#,
        ),
        (field("a").is_in([2, 1, 2]), r#"{"a": {"$in": [1, 2]}}"#),
        (field("a").not_in(["x"]), r#"{"a": {"$nin": ["x"]}}"#),
        (field("a").has_all([1, 2]), r#"{"a": {"$all": [1, 2]}}"#),
        (field("a").exists(), r#"{"a": {"$exists": true}}"#),
        (field("a").is_missing(), r#"{"a": {"$exists": false}}"#),
        (field("a").has_size(2), r#"{"a": {"$size": 2}}"#),
        (field("a").matches_with("^x", "i"), r#"{"a": {"$regex": "^x", "$options": "i"}}"#),
        (field("a").elem_match(field("b").gte(1)), r#"{"a": {"$elemMatch": {"b": {"$gte": 1}}}}"#),
        (!field("a").eq(1).or(field("b").eq(2)), r#"{"$nor": [{"a": 1}, {"b": 2}]}"#),
        (object! { "a": { "$gt": 5 } }.into(), r#"{"a": {"$gt": 5}}"#),
    ];
    for (built, text) in cases {
        built.check().unwrap();
        assert_eq!(built, read(text));
    }
}

#[test]
fn mistakes_are_remembered_until_the_filter_is_used() {
    let wrong: [Filter; 5] = [
        field("a..b").eq(1),
        field("a").matches("("),
        object! { "a": { "$gts": 5 } }.into(),
        field("b").eq(1).and(field("a").eq(value!({ "$gt": 1 }))),
        !field("a").elem_match(field("").exists()),
    ];
    let encoded = Encoded::default();
    for filter in wrong {
        let error = filter.check().unwrap_err();
        assert_eq!(filter.matches(&view(&encoded)), Err(error.clone()));
        assert_eq!(filter.encode_into(&mut Vec::new()), Err(error));
        assert!(!filter.matches_object(&Object::new()));
    }
}

/// A filter could be nested until evaluating or dropping it ran out of stack.
#[test]
fn size_and_depth_of_filters_are_bounded() {
    let mut filter = field("a").eq(1);
    for _ in 0..10_000 {
        filter = (!filter).and(field("b").eq(2));
    }
    assert!(filter.check().unwrap_err().to_string().starts_with("depth of a filter is "));

    let mut deep = value!({ "a": 1 });
    for _ in 0..200 {
        deep = value!({ "$nor": [deep] });
    }
    let error = Filter::from_object(Object::try_from(deep).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("depth of a filter is "), "{error}");

    let mut deep = value!(1);
    for _ in 0..200 {
        deep = value!([deep]);
    }
    assert!(field("a").eq(deep).check().is_err());

    let error = field("a").is_in(0..20_000).check().unwrap_err();
    let expected =
        "number of operators and values in one filter is 20002, and at most 10000 is allowed";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn paths_of_a_query_are_what_an_index_has_to_hold() {
    let filter = Filter::from_json(
        r#"{"b.c": 1, "$or": [{"a": 2}, {"b.c": {"$gt": 1}}], "l": {"$elemMatch": {"x": 1}}}"#,
    );
    let filter = filter.unwrap();
    let paths: Vec<String> = filter.paths().into_iter().map(Path::to_string).collect();
    assert_eq!(paths, ["a", "b.c", "l"]);
    let paths = |projection: Projection| {
        let paths = projection.paths()?;
        Some(paths.iter().map(Path::to_string).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(paths(Projection::include(["b.c", "a"])).as_deref(), Some("_id a b.c"));
    assert_eq!(paths(Projection::include(["a"]).without_id()).as_deref(), Some("a"));
    assert_eq!(paths(Projection::exclude(["a"])), None);
    assert_eq!(paths(Projection::all()), None);
}
