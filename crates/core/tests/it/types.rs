//! Rust types of users, straight to encoded bytes and back.

use std::collections::{BTreeMap, HashMap};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use velocitydb_core::{
    Binary, Bytes, Decimal, Encoded, Error, Foreign, Object, ObjectId, Time, Uuid, Value, object,
    value,
};

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) -> Encoded {
    let encoded = Encoded::from_serialize(value).unwrap();
    Encoded::from_untrusted(encoded.as_bytes().to_vec()).unwrap();
    assert_eq!(encoded.deserialize::<T>().unwrap(), *value);
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *value, "{text}");
    encoded
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
enum Shape {
    Point,
    Circle(f64),
    Line(i8, u64),
    Rectangle { width: u32, height: Option<u32> },
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Meters(f32);

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Everything {
    zulu: String,
    unit: (),
    none: Option<i32>,
    some: Option<i32>,
    tuple: (bool, char, u64),
    wide: i128,
    newtype: Meters,
    shapes: Vec<Shape>,
    by_number: BTreeMap<i16, String>,
    by_text: HashMap<String, Vec<u8>>,
    seen: Time,
    raw: Bytes,
    any: Value,
    fields: Object,
}

fn everything() -> Everything {
    Everything {
        zulu: "é".into(),
        unit: (),
        none: None,
        some: Some(-1),
        tuple: (true, '🚀', u64::MAX),
        wide: i128::from(i64::MIN),
        newtype: Meters(0.5),
        shapes: vec![
            Shape::Point,
            Shape::Circle(1.0),
            Shape::Line(-1, 1 << 63),
            Shape::Rectangle { width: 3, height: None },
        ],
        by_number: BTreeMap::from([(-5, "a".into()), (12, "b".into())]),
        by_text: HashMap::from([("k".into(), vec![0, 255])]),
        seen: "2026-11-23T09:15:00.000001Z".parse().unwrap(),
        raw: Bytes(vec![1, 2, 3]),
        any: value!([Time::UNIX_EPOCH, Bytes(vec![9]), 1, 1.0, null, u64::MAX]),
        fields: object! { "a": { "b": Time::MAX } },
    }
}

#[test]
fn structs_of_every_kind_survive() {
    let encoded = round_trip(&everything());
    let object = encoded.to_object().unwrap();
    assert!(object["seen"].as_time().is_some() && object["raw"].as_bytes().is_some());
    assert_eq!(
        object["shapes"],
        value!([
            "Point",
            { "Circle": 1.0 },
            { "Line": [-1, (1_u64 << 63)] },
            { "Rectangle": { "width": 3, "height": null } },
        ])
    );
    assert_eq!(object["by_number"], value!({ "-5": "a", "12": "b" }));
    assert_eq!(object["any"].as_array().unwrap()[0], value!(Time::UNIX_EPOCH));
}

#[test]
fn times_and_bytes_are_extended_json_elsewhere() {
    let text = serde_json::to_string(&(Time::UNIX_EPOCH, Bytes(vec![1, 2]))).unwrap();
    assert_eq!(
        text,
        r#"[{"$date":"1970-01-01T00:00:00Z"},{"$binary":{"base64":"AQI=","subType":"00"}}]"#
    );
    let encoded = Encoded::from_serialize(&everything()).unwrap();
    let json: serde_json::Value = encoded.deserialize().unwrap();
    assert_eq!(json["raw"]["$binary"]["base64"], "AQID");
    assert_eq!(Value::try_from(json).unwrap(), encoded.to_object().unwrap().into());
}

#[test]
fn flattened_and_tagged_types_survive() {
    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Inner {
        at: Time,
        raw: Bytes,
    }
    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(tag = "kind")]
    enum Event {
        Started { at: Time },
        Sent(Inner),
    }
    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Outer {
        event: Event,
        #[serde(flatten)]
        inner: Inner,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    let inner = || Inner { at: Time::MAX, raw: Bytes(vec![7]) };
    let rest = BTreeMap::from([("more".to_owned(), value!([Time::MIN, null]))]);
    round_trip(&Outer { event: Event::Sent(inner()), inner: inner(), rest: rest.clone() });
    let started = Event::Started { at: Time::UNIX_EPOCH };
    round_trip(&Outer { event: started, inner: inner(), rest });
}

#[test]
fn strings_and_bytes_are_borrowed() {
    #[derive(Serialize, Deserialize)]
    struct Borrowing<'a> {
        name: &'a str,
    }
    let encoded = Encoded::from_serialize(&Borrowing { name: "Alice" }).unwrap();
    let back: Borrowing<'_> = encoded.deserialize().unwrap();
    assert!(encoded.as_bytes().as_ptr_range().contains(&back.name.as_ptr()));
}

#[test]
fn what_does_not_fit_is_an_error_that_says_where_or_what() {
    let error = |result: Result<Encoded, Error>| result.unwrap_err().to_string();
    assert_eq!(
        error(Encoded::from_serialize(&7)),
        "a value of type integer is not an object, as a document has to be"
    );
    assert_eq!(
        error(Encoded::from_serialize(&BTreeMap::from([("n", u128::MAX)]))),
        format!("integer {} does not fit 64 bits; write it as a float or a string", u128::MAX)
    );
    assert_eq!(
        error(Encoded::from_serialize(&BTreeMap::from([("a", BTreeMap::from([("$b", 1)]))]))),
        "field \"a.$b\" begins with `$`, which is reserved for operators; use another name"
    );
    assert_eq!(
        error(Encoded::from_serialize(&HashMap::from([((1, 2), 3)]))),
        "the key of a map has no text; use strings, numbers or unit variants"
    );
    #[derive(Serialize)]
    struct Twice {
        a: i32,
        #[serde(flatten)]
        rest: BTreeMap<&'static str, i32>,
    }
    let twice = Twice { a: 1, rest: BTreeMap::from([("b", 2), ("a", 3)]) };
    assert_eq!(
        error(Encoded::from_serialize(&twice)),
        "field \"a\" appears twice in one object; keep one of them"
    );
    let encoded = Encoded::from_object(&object! { "a": "text" }).unwrap();
    let wrong = encoded.deserialize::<BTreeMap<String, i64>>().unwrap_err().to_string();
    assert!(wrong.contains("invalid type: string \"text\", expected i64"), "{wrong}");
}

#[test]
fn limits_are_reported_with_their_path() {
    let mut deep = value!(1);
    for _ in 0..99 {
        deep = value!([deep]);
    }
    assert!(Encoded::from_object(&object! { "a": deep.clone() }).is_ok());
    let error = Encoded::from_object(&object! { "a": { "b": deep } }).unwrap_err().to_string();
    let expected = "depth of nested arrays and objects at \"a.b.0.0.";
    assert!(error.starts_with(expected) && error.ends_with("is 101, and at most 100 is allowed"));

    let name = "n".repeat(1024);
    let encoded = Encoded::from_object(&object! { (name.clone()): 1 }).unwrap();
    assert_eq!(encoded.view().get(&name).unwrap().unwrap().as_i64(), Ok(Some(1)));
    let error = Encoded::from_object(&object! { (name + "n"): 1 }).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded { found: 1025, max: 1024, .. }));

    let text = "x".repeat(9 << 20);
    assert!(Encoded::from_object(&object! { "a": text.clone() }).is_ok());
    let error = Encoded::from_object(&object! { "a": text.clone(), "b": text }).unwrap_err();
    assert!(error.to_string().starts_with("size of a document in bytes is 18"), "{error}");
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Order {
    id: ObjectId,
    customer: Uuid,
    total: Decimal,
    hash: Binary,
    at: Foreign,
    #[serde(with = "velocitydb_core::uuid_binary")]
    session: uuid::Uuid,
    discount: Option<Decimal>,
    any: Vec<Value>,
}

#[test]
fn types_of_other_databases_are_native_here_and_text_elsewhere() {
    let order = Order {
        id: ObjectId::from([7; 12]),
        customer: Uuid::from([1; 16]),
        total: "1.50".parse().unwrap(),
        hash: Binary::new(5, [2; 16]),
        at: Foreign::timestamp(1, 2),
        session: uuid::Uuid::from_bytes([3; 16]),
        discount: None,
        any: vec![Decimal::NAN.into(), ObjectId::default().into(), Foreign::min_key().into()],
    };
    let encoded = round_trip(&order);
    let expected = object! {
        "id": (order.id), "customer": (order.customer), "total": (order.total),
        "hash": (order.hash.clone()), "at": (order.at.clone()),
        "session": (Uuid::from([3; 16])), "discount": null, "any": (order.any.clone()),
    };
    assert!(encoded.to_object().unwrap().is_identical(&expected));
    let json = serde_json::to_value(&order).unwrap();
    assert_eq!(json["id"], "070707070707070707070707");
    assert_eq!(json["customer"], "01010101-0101-0101-0101-010101010101");
    assert_eq!(json["total"], "1.50");
    assert_eq!(json["any"][1]["$oid"], "000000000000000000000000");
    // Extended JSON is read by the same fields, and integers are decimals.
    let text = object! { "id": (order.id), "total": 3 }.to_json();
    #[derive(Deserialize)]
    struct Part {
        id: ObjectId,
        total: Decimal,
    }
    let part: Part = serde_json::from_str(&text).unwrap();
    assert_eq!((part.id, part.total.to_string()), (order.id, "3".to_owned()));
    let wrong = serde_json::from_str::<Part>(r#"{"id": "x", "total": 1}"#).map(drop).unwrap_err();
    assert!(wrong.to_string().contains("24 hexadecimal digits"), "{wrong}");
}

#[test]
fn any_other_type_gets_extended_json() {
    let object = Object::from_json(
        r#"{"d": {"$numberDecimal": "1.50"}, "s": {"$code": "x", "$scope": {"t": {"$date": 0}, "b": {"$binary": {"base64": "AA=="}}, "l": [1, 0.5, true, null]}}}"#,
    )
    .unwrap();
    let encoded = Encoded::from_object(&object).unwrap();
    let json: serde_json::Value = encoded.deserialize().unwrap();
    assert_eq!(json, serde_json::Value::from(&Value::from(object.clone())));
    let value = Value::try_from(json.clone()).unwrap();
    assert_eq!(serde_json::Value::from(&value), json);
}

/// JavaScript has a scope, which can have JavaScript: the depth counts through all of them.
#[test]
fn scopes_count_as_depth() {
    let mut foreign = Foreign::javascript("x");
    let mut levels = 0;
    let error = loop {
        match Foreign::javascript_with_scope("x", &object! { "x": (foreign.clone()) }) {
            Ok(next) => (foreign, levels) = (next, levels + 1),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::LimitExceeded { .. }), "{error}");
    assert!((20..100).contains(&levels), "{levels}");
    // What fits by itself may not fit into a document.
    let mut value = Value::from(foreign);
    for _ in 0..10 {
        value = value!([value]);
    }
    let error = Encoded::from_object(&object! { "x": value }).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded { .. }), "{error}");
}
