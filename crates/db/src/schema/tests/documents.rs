//! Validating documents: what stored types are to JSON Schema, exact numbers, and violations.

use velocitydb_core::{
    Binary, Decimal, Encoded, Foreign, Object, ObjectId, Time, Uuid, Value, object,
};

use super::helpers::{document, schema, verdict, violations};
use velocitydb_core::More;
use velocitydb_core::limits::VIOLATIONS_MAX;

fn of_value(keywords: &str) -> crate::schema::Schema {
    schema(&format!(r#"{{"properties": {{"v": {keywords}}}}}"#))
}

fn is_valid(keywords: &str, value: impl Into<Value>) -> bool {
    let mut object = Object::new();
    object.insert("v", value);
    violations(&of_value(keywords), &Encoded::from_object(&object).unwrap()).is_none()
}

#[test]
fn integers_are_compared_with_all_their_bits() {
    let big = 9_007_199_254_740_993_u64;
    for (keywords, at_limit, above) in [
        (r#"{"maximum": 9007199254740993}"#, true, false),
        (r#"{"exclusiveMaximum": 9007199254740994}"#, true, false),
        (r#"{"const": 9007199254740993}"#, true, false),
        (r#"{"enum": ["x", 9007199254740993]}"#, true, false),
        (r#"{"enum": [1, 9007199254740993]}"#, true, false),
        (r#"{"minimum": 9007199254740994}"#, false, true),
        (r#"{"exclusiveMinimum": 9007199254740993}"#, false, true),
    ] {
        assert_eq!(is_valid(keywords, big), at_limit, "{keywords}");
        assert_eq!(is_valid(keywords, big + 1), above, "{keywords}");
        // The float between them is the even one.
        assert_eq!(is_valid(keywords, (big - 1) as f64), keywords.contains("aximum"), "{keywords}");
    }
    assert!(is_valid(r#"{"maximum": 18446744073709551615}"#, u64::MAX));
    assert!(!is_valid(r#"{"maximum": 18446744073709551614}"#, u64::MAX));
    assert!(is_valid(r#"{"minimum": -9223372036854775808}"#, i64::MIN));
    assert!(!is_valid(r#"{"minimum": -9223372036854775807}"#, i64::MIN));
    assert!(!is_valid(r#"{"const": 18446744073709551615}"#, 18_446_744_073_709_551_615_f64));
    assert!(is_valid(r#"{"multipleOf": 9007199254740992}"#, 9_007_199_254_740_992_u64 * 3));
    assert!(!is_valid(r#"{"multipleOf": 9007199254740992}"#, 9_007_199_254_740_992_u64 * 3 + 1));
    assert!(is_valid(r#"{"type": "integer"}"#, u64::MAX));
    assert!(is_valid(r#"{"type": "integer", "const": 1}"#, 1.0));
    assert!(!is_valid(r#"{"type": "integer"}"#, 1.5));
    assert!(is_valid(r#"{"multipleOf": 0.01}"#, 19.99));
}

#[test]
fn decimals_are_compared_with_all_their_digits() {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    for (keywords, valid, invalid) in [
        (r#"{"minimum": 0.1}"#, "0.1", "0.09999999999999999999999999999999999"),
        (r#"{"maximum": 0.1}"#, "0.10", "0.1000000000000000000000000000000001"),
        (r#"{"exclusiveMinimum": 0.1}"#, "0.1000000000000000000000000000000001", "0.1"),
        (r#"{"exclusiveMaximum": 5}"#, "4.999999999999999999999999999999999", "5.000"),
        (r#"{"minimum": 18446744073709551615}"#, "18446744073709551615", "18446744073709551614.9"),
        (r#"{"maximum": 1e300}"#, "-1E+6144", "1E+6144"),
        (r#"{"multipleOf": 0.01}"#, "1234567890123456789012345678.90", "1.001"),
        (r#"{"multipleOf": 3}"#, "9E+40", "1E+40"),
        (r#"{"type": "integer"}"#, "1E+6144", "1.5"),
        (r#"{"type": "integer"}"#, "5.00", "1E-6176"),
        (r#"{"type": "number"}"#, "1.5", "NaN"),
        (r#"{"const": 1.5}"#, "1.50", "1.500000000000000000000000000000001"),
        (r#"{"enum": [1, 0.1]}"#, "0.1", "0.2"),
        (r#"{"storedType": "decimal"}"#, "1", "1"),
        (r#"{"storedType": "float"}"#, "1", "1"),
    ] {
        let is_stored_as = keywords.contains("storedType");
        assert_eq!(is_valid(keywords, decimal(valid)), !keywords.contains("float"), "{keywords}");
        assert!(is_stored_as || !is_valid(keywords, decimal(invalid)), "{keywords} {invalid}");
    }
    assert!(is_valid(r#"{"storedType": "decimal"}"#, 1));
    assert!(!is_valid(r#"{"storedType": "decimal"}"#, 1.5));
    let list = Value::from(vec![Value::from(decimal("1.0")), Value::from(1)]);
    assert!(!is_valid(r#"{"uniqueItems": true}"#, list));
}

#[test]
fn types_of_other_databases_are_seen_as_text() {
    let id = Value::from(ObjectId::from([7; 12]));
    let uuid = Value::from(Uuid::from([1; 16]));
    let hash = Value::from(Binary::new(5, [1, 2]));
    let symbol = Value::from(Foreign::symbol("a"));
    for (keywords, of_id, of_uuid, of_hash, of_symbol) in [
        (r#"{"type": "string"}"#, true, true, true, true),
        (r#"{"type": "object"}"#, false, false, false, false),
        (r#"{"const": "070707070707070707070707"}"#, true, false, false, false),
        (r#"{"const": "01010101-0101-0101-0101-010101010101"}"#, false, true, false, false),
        (r#"{"const": "AQI="}"#, false, false, true, false),
        (r#"{"pattern": "symbol"}"#, false, false, false, true),
        (r#"{"storedType": "objectId"}"#, true, false, false, false),
        (r#"{"storedType": "binary"}"#, false, true, true, false),
    ] {
        let found = [&id, &uuid, &hash, &symbol].map(|value| is_valid(keywords, value.clone()));
        assert_eq!(found, [of_id, of_uuid, of_hash, of_symbol], "{keywords}");
    }
}

#[test]
fn what_json_does_not_know_is_seen_as_text() {
    let time: Time = "2026-11-23T09:15:00.25Z".parse().unwrap();
    let bytes = Value::Bytes(vec![1, 2]);
    for (keywords, of_time, of_bytes, of_nan, of_infinity) in [
        (r#"{"type": "string"}"#, true, true, true, true),
        (r#"{"type": "number"}"#, false, false, false, false),
        (r#"{"type": "object"}"#, false, false, false, false),
        (r#"{"minimum": 5}"#, true, true, true, true),
        (r#"{"const": "2026-11-23T09:15:00.250000Z"}"#, true, false, false, false),
        (r#"{"enum": ["AQI=", 1]}"#, false, true, false, false),
        (r#"{"enum": ["NaN", "-Infinity"]}"#, false, false, true, true),
        (r#"{"pattern": "^2026-"}"#, true, false, false, false),
        (r#"{"maxLength": 4}"#, false, true, true, false),
        (r#"{"storedType": "string"}"#, false, false, false, false),
        (r#"{"storedType": "float"}"#, false, false, true, true),
        (r#"{"storedType": ["time", "bytes"]}"#, true, true, false, false),
    ] {
        assert_eq!(is_valid(keywords, time), of_time, "{keywords}");
        assert_eq!(is_valid(keywords, bytes.clone()), of_bytes, "{keywords}");
        assert_eq!(is_valid(keywords, f64::NAN), of_nan, "{keywords}");
        assert_eq!(is_valid(keywords, f64::NEG_INFINITY), of_infinity, "{keywords}");
    }
}

#[test]
fn stored_types_are_exact() {
    let time: Time = "2026-11-23T09:15:00Z".parse().unwrap();
    let values: [(Value, &str); 10] = [
        (Value::Null, "null"),
        (true.into(), "bool"),
        (1.into(), "int float"),
        (u64::MAX.into(), "int float"),
        (1.0.into(), "float"),
        ("x".into(), "string"),
        (time.into(), "time"),
        (Value::Bytes(vec![1]), "bytes"),
        (Value::Array(vec![]), "array"),
        (Value::Object(Object::new()), "object"),
    ];
    let names = ["null", "bool", "int", "float", "string", "time", "bytes", "array", "object"];
    for (value, takes) in values {
        for name in names {
            let expected = takes.split(' ').any(|taken| taken == name);
            let keywords = format!(r#"{{"storedType": "{name}"}}"#);
            assert_eq!(is_valid(&keywords, value.clone()), expected, "{name} {value}");
        }
    }
}

#[test]
fn unique_items_are_told_apart_by_value_and_type() {
    let time: Time = "2026-11-23T09:15:00Z".parse().unwrap();
    for (items, unique) in [
        (vec![1.into(), 1.0.into()], false),
        (vec![1.into(), "1".into(), true.into(), Value::Null], true),
        (vec![0.into(), false.into()], true),
        (vec![0.0.into(), Value::Float(-0.0)], false),
        (vec![f64::NAN.into(), f64::NAN.into()], false),
        (vec![time.into(), time.to_string().into()], true),
        (vec![9_007_199_254_740_993_u64.into(), 9_007_199_254_740_992_f64.into()], true),
        (vec![object! { "a": [1] }.into(), object! { "a": [1.0] }.into()], false),
        (vec![object! { "a": 1 }.into(), object! { "a": 1, "b": 1 }.into()], true),
    ] {
        let value = Value::Array(items);
        assert_eq!(is_valid(r#"{"uniqueItems": true}"#, value.clone()), unique, "{value}");
    }
}

#[test]
fn constants_are_compared_part_by_part() {
    let keywords = r#"{"const": {"a": [1, {"b": null}], "c": "x"}}"#;
    let same = Value::from_json(r#"{"c": "x", "a": [1.0, {"b": null}]}"#).unwrap();
    assert!(is_valid(keywords, same));
    for other in [
        r#"{"a": [1, {"b": null}]}"#,
        r#"{"a": [1, {"b": null}], "c": "x", "d": 1}"#,
        r#"{"a": [1, {"b": 0}], "c": "x"}"#,
        r#"{"a": [1], "c": "x"}"#,
        r#"{"a": [1, {"b": null}], "d": "x"}"#,
        "null",
    ] {
        assert!(!is_valid(keywords, Value::from_json(other).unwrap()), "{other}");
    }
}

#[test]
fn formats_are_annotations() {
    for format in ["date-time", "email", "uuid", "regex", "ipv4", "uri", "unheard-of"] {
        assert!(is_valid(&format!(r#"{{"format": "{format}"}}"#), "("), "{format}");
    }
    assert!(is_valid(
        r#"{"contentEncoding": "base64", "contentMediaType": "application/json"}"#,
        "("
    ));
}

#[test]
fn every_violation_has_path_rule_and_value() {
    let schema = schema(
        r#"{
            "required": ["id"],
            "properties": {
                "n": {"type": "integer", "minimum": 10, "multipleOf": 7},
                "s": {"minLength": 3, "maxLength": 5, "pattern": "^a"},
                "l": {"items": {"type": "string"}, "minItems": 4, "uniqueItems": true},
                "o": {"additionalProperties": false, "dependentRequired": {"x": ["y"]}},
                "never": false,
                "a.b": {"const": 1},
                "p": {"propertyNames": {"maxLength": 1}, "maxProperties": 1},
                "u": {"unevaluatedProperties": false},
                "any": {"anyOf": [{"type": "string"}, {"minimum": 5}]},
                "one": {"oneOf": [{"maximum": 5}, {"minimum": 5}]},
                "not": {"not": {"type": "null"}},
                "has": {"contains": {"const": 1}, "maxContains": 1}
            }
        }"#,
    );
    let document = document(
        r#"{"n": 5, "s": "b", "l": [1, 1], "o": {"x": 1}, "never": null, "a.b": 2,
            "p": {"xx": 1, "y": 2}, "u": {"z": 1}, "any": 1, "one": 5, "not": null,
            "has": [1, 1]}"#,
    );
    let found = violations(&schema, &document).unwrap();
    assert_eq!(found.more(), More::None);
    let found: Vec<_> = found
        .as_slice()
        .iter()
        .map(|violation| {
            let value = violation.value.as_ref().map_or("-".to_owned(), Value::to_json);
            format!("{} {} {value}", violation.path, violation.rule)
        })
        .collect();
    let expected = [
        r"a\.b const 2",
        "any anyOf 1",
        "has maxContains [1,1]",
        "id required -",
        "l minItems [1,1]",
        "l uniqueItems [1,1]",
        "l.0 type 1",
        "l.1 type 1",
        "n minimum 5",
        "n multipleOf 5",
        "never false null",
        "not not null",
        "o.x additionalProperties 1",
        "o.y dependentRequired -",
        "one oneOf 5",
        r#"p maxProperties {"xx":1,"y":2}"#,
        r#"p propertyNames {"xx":1,"y":2}"#,
        r#"s minLength "b""#,
        r#"s pattern "b""#,
        "u.z unevaluatedProperties 1",
    ];
    assert_eq!(found, expected);
}

#[test]
fn violations_are_bounded_and_say_how_many_more_there_are() {
    let strings = of_value(r#"{"items": {"type": "string"}}"#);
    let numbers = |count: usize| {
        let numbers: Vec<_> = (0..count).map(Value::from).collect();
        Encoded::from_object(&object! { "v": numbers }).unwrap()
    };
    for (count, listed, more) in [
        (1, 1, More::None),
        (VIOLATIONS_MAX, VIOLATIONS_MAX, More::None),
        (VIOLATIONS_MAX + 7, VIOLATIONS_MAX, More::Count(7)),
        (10_000, VIOLATIONS_MAX, More::Count(10_000 - VIOLATIONS_MAX)),
        (10_100, VIOLATIONS_MAX, More::AtLeast(10_000 - VIOLATIONS_MAX)),
        (100_000, VIOLATIONS_MAX, More::AtLeast(10_000 - VIOLATIONS_MAX)),
    ] {
        let found = violations(&strings, &numbers(count)).unwrap();
        assert_eq!((found.as_slice().len(), found.more()), (listed, more), "{count}");
    }
    let large = of_value(r#"{"type": "null"}"#);
    for (value, expected) in [
        (Value::from("ä".repeat(1000)), format!("{}…", "ä".repeat(80))),
        (Value::Array(vec![Value::Null; 1000]), "an array of 1000 elements".to_owned()),
        (Value::Bytes(vec![0; 1000]), "bytes of 1000 bytes".to_owned()),
    ] {
        let document = Encoded::from_object(&object! { "v": value }).unwrap();
        let found = violations(&large, &document).unwrap();
        assert_eq!(found.as_slice()[0].value, Some(Value::from(expected)));
    }
}

/// The same answer again, from another compilation, in another thread, whatever the hash seeds are.
#[test]
fn answers_are_the_same_everywhere() {
    let json = r##"{
        "properties": {"a": {"enum": ["q", "w", "e", "r", "t", "y", "u", "i", "o", "p", "l"]}},
        "patternProperties": {"^x": {"type": "integer"}, "y$": {"type": "string"}},
        "unevaluatedProperties": {"oneOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]},
        "allOf": [{"required": ["b", "c"]}, {"dependentSchemas": {"a": {"required": ["d"]}}}],
        "$defs": {"n": {"properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]}}
    }"##;
    let document = document(r#"{"a": "z", "xy": 1, "x": "1", "k": {"n": {}}, "l": 3, "m": []}"#);
    let first = verdict(&schema(json), &document);
    assert!(first.matches("; ").count() >= 6, "{first}");
    for _ in 0..20 {
        let (document, json) = (document.clone(), json.to_owned());
        let again = std::thread::spawn(move || verdict(&schema(&json), &document));
        assert_eq!(again.join().unwrap(), first);
    }
}

#[test]
fn damage_is_an_error() {
    let schema = of_value(r#"{"type": "integer", "minimum": 0, "items": {"maxLength": 3}}"#);
    let document = document(r#"{"v": ["abc", 1, {"x": [true]}]}"#);
    let bytes = document.as_bytes();
    let mut errors = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1 << bit;
            let Ok(fields) = velocitydb_core::RawObject::new(&damaged) else { continue };
            errors += usize::from(schema.validate(fields).is_err());
            let _ = schema.apply_defaults(fields);
        }
    }
    assert!(errors > 10, "{errors}");
}
