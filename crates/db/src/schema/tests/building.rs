//! Setting schemas: what the builder writes, what is refused and where, defaults, index requests.

use velocitydb_core::{Binary, Decimal, Encoded, Object, ObjectId, Time, Uuid, Value, object};

use super::helpers::{document, refusal, schema, verdict};
use crate::schema::{Field, IndexRequest, Schema, SchemaBuilder};

fn users() -> SchemaBuilder {
    Schema::builder()
        .field("name", Field::string().required().max_length(100))
        .field("age", Field::int().range(0..=150).default(18))
        .field("email", Field::string().pattern("^[^@]+@[^@]+$").unique())
        .field("created", Field::time().indexed())
        .field("state", Field::string().one_of(["waiting", "running"]))
        .field("tags", Field::array(Field::string().indexed()).max_items(3))
        .field("score", Field::float().range(0.5..1.5))
        .field("address", Field::object().field("zip", Field::string().required().unique()))
}

/// There was no way to say bytes, null or anything at all without writing JSON.
#[test]
fn fields_can_be_null_bytes_or_anything() {
    let schema = Schema::builder()
        .field("key", Field::bytes().required())
        .field("note", Field::any())
        .field("email", Field::string().max_length(5).nullable())
        .field("state", Field::string().one_of(["on", "off"]).nullable().default(Value::Null))
        .field("seen", Field::array(Field::time().nullable()))
        .build()
        .unwrap();
    let expected = object! {
        "key": { "type": "string", "storedType": "bytes" },
        "note": {},
        "email": { "type": ["string", "null"], "storedType": ["string", "null"], "maxLength": 5 },
        "state": {
            "type": ["string", "null"], "storedType": ["string", "null"],
            "enum": ["on", "off", null], "default": null,
        },
        "seen": {
            "type": "array", "storedType": "array",
            "items": { "type": ["string", "null"], "storedType": ["time", "null"], "format": "date-time" },
        },
    };
    assert_eq!(schema.to_object()["properties"], Value::from(expected));
    let bytes = || Value::Bytes(vec![0, 255]);
    for (fields, is_taken) in [
        (object! { "key": (bytes()) }, true),
        (object! { "key": "AP8=" }, false),
        (object! { "key": (bytes()), "email": null, "state": null, "note": null }, true),
        (
            object! { "key": (bytes()), "email": "a@b.c", "state": "on", "note": [1, { "a": 1 }] },
            true,
        ),
        (object! { "key": (bytes()), "email": "a@b.cd" }, false),
        (object! { "key": (bytes()), "email": 1 }, false),
        (object! { "key": (bytes()), "state": "no" }, false),
        (object! { "key": (bytes()), "seen": [null, (Time::UNIX_EPOCH)] }, true),
        (object! { "key": (bytes()), "seen": ["now"] }, false),
        (object! { "key": null }, false),
    ] {
        let encoded = Encoded::from_object(&fields).unwrap();
        let violations = schema.validate(encoded.view()).unwrap();
        assert_eq!(violations.is_none(), is_taken, "{fields:?}: {violations:?}");
    }
    let mistake = Schema::builder().field("a", Field::any().max_length(1)).build().unwrap_err();
    assert!(mistake.to_string().contains("is for fields of type string"), "{mistake}");
}

#[test]
fn the_builder_writes_a_schema_that_says_everything() {
    let schema = users().strict().description("people").build().unwrap();
    let expected = object! {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "additionalProperties": false,
        "description": "people",
        "required": ["name"],
        "properties": {
            "name": { "type": "string", "storedType": "string", "maxLength": 100 },
            "age": {
                "type": "integer", "storedType": "int", "minimum": 0, "maximum": 150, "default": 18,
            },
            "email": {
                "type": "string", "storedType": "string", "pattern": "^[^@]+@[^@]+$",
                "unique": true,
            },
            "created": {
                "type": "string", "storedType": "time", "format": "date-time", "indexed": true,
            },
            "state": { "type": "string", "storedType": "string", "enum": ["waiting", "running"] },
            "tags": {
                "type": "array", "storedType": "array", "maxItems": 3,
                "items": { "type": "string", "storedType": "string", "indexed": true },
            },
            "score": {
                "type": "number", "storedType": "float", "minimum": 0.5, "exclusiveMaximum": 1.5,
            },
            "address": {
                "type": "object", "storedType": "object", "required": ["zip"],
                "properties": {
                    "zip": { "type": "string", "storedType": "string", "unique": true },
                },
            },
        },
    };
    assert!(schema.to_object().is_identical(&expected), "{:#}", schema.to_object());
    let again = Schema::from_json(&schema.to_object().to_json()).unwrap();
    assert_eq!(again, schema);
    assert_eq!(again.index_requests(), schema.index_requests());
}

#[test]
fn the_built_schema_checks_documents() {
    let schema = users().build().unwrap();
    let time: Time = "2026-11-23T09:15:00Z".parse().unwrap();
    let good = object! {
        "name": "Alice", "age": 30, "email": "a@b", "created": time, "state": "waiting",
        "tags": ["a"], "score": 1, "address": { "zip": "1" }, "unknown": [null],
    };
    assert_eq!(verdict(&schema, &Encoded::from_object(&good).unwrap()), "valid");
    let bad = document(
        r#"{"age": 1.0, "created": "2026-11-23T09:15:00Z", "state": "lost", "score": 1.5,
            "tags": ["a", 1, "c", "d"], "address": {}, "name": null}"#,
    );
    let expected = [
        r#""address.zip" is missing, and has to be there"#,
        r#""age" must be stored as int, and is of type float"#,
        r#""created" must be stored as time, and is of type string"#,
        r#""name" must be stored as string, and is of type null"#,
        r#""name" must be of type string, and is null"#,
        r#""score" must be below 1.5, and is 1.5"#,
        r#""state" must be one of ["waiting","running"], and is "lost""#,
        r#""tags" must have at most 3 elements"#,
        r#""tags.1" must be stored as string, and is of type integer"#,
        r#""tags.1" must be of type string, and is 1"#,
    ];
    assert_eq!(verdict(&schema, &bad), expected.join("; "));
    let strict = users().strict().build().unwrap();
    let unknown = document(r#"{"name": "Alice", "nmae": 1}"#);
    let text = r#""nmae" is a field that the schema does not know, and it takes no others"#;
    assert_eq!(verdict(&strict, &unknown), text);
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "they are the mistakes")]
fn mistakes_are_errors_with_the_field() {
    let inner = |field| Schema::builder().field("a", Field::object().field("b.c", field));
    for (field, expected) in [
        (Field::string().pattern("(a"), r"properties.a.properties.b\\.c.pattern"),
        (Field::string().pattern("(a)\\1"), "backreference"),
        (Field::string().range(0..5), r"properties.a.properties.b\\.c.minimum"),
        (Field::int().max_length(3), "maxLength\" is for fields of type string"),
        (Field::time().pattern("x"), "is for fields of type string"),
        (Field::int().range(5..=4), "is above the maximum"),
        (Field::int().range(5..5), "is above the maximum"),
        (Field::string().one_of(Vec::<&str>::new()), "is empty"),
        (Field::string().field("x", Field::int()), "is for fields of type object"),
        (Field::int().default("x"), "must be stored as int, and is of type string"),
        (Field::int().range(0..=3).default(4), "\"a.b\\\\.c\" must be at most 3, and is 4"),
        (Field::time().default("2026-11-23T09:15:00Z"), "must be stored as time"),
        (Field::string().one_of(["x"]).default("y"), "must be one of [\"x\"]"),
        (Field::array(Field::int()).default(vec![Value::from("x")]), "must be stored as int"),
        (Field::array(Field::string().pattern("[")), "items.pattern"),
        (Field::float().default(f64::NAN), "must be of type number, and is"),
    ] {
        let text = format!("{field:?}");
        let error = inner(field).build().expect_err(&text).to_string();
        assert!(error.starts_with("schema at ") && error.contains(expected), "{text}: {error}");
    }
    for name in ["", "$a"] {
        let error = Schema::builder().field(name, Field::int().unique()).build().unwrap_err();
        assert!(error.to_string().contains("a field without a path"), "{error}");
    }
    let fine = Field::int().required().default(1).range(..=2).range(1..);
    inner(fine).build().unwrap();
}

#[test]
fn bad_schemas_are_refused_with_the_place() {
    for (json, expected) in [
        (r#"{"properties": {"a": {"minimum": "x"}}}"#, r#"at "properties.a.minimum" must be of"#),
        (r#"{"properties": {"a": {"type": "strin"}}}"#, r#"at "properties.a.type" must satisfy"#),
        (r#"{"required": "a"}"#, r#"at "required" must be of type array, and is "a""#),
        (r#"{"$schema": "http://json-schema.org/draft-07/schema#"}"#, r#"at "$schema" is "http"#),
        (
            r#"{"$defs": {"a": {"$id": "a", "$schema": "http://json-schema.org/draft-07/schema"}}}"#,
            r#"at "$defs.a.$schema" is "http"#,
        ),
        (r#"{"dependencies": {"a": ["b"]}}"#, "use dependentRequired or dependentSchemas"),
        (r#"{"multipleOf": 9007199254740993}"#, "would be rounded"),
        (r#"{"properties": {"a": {"storedType": "date"}}}"#, r#"the types are null, bool, int"#),
        (r#"{"properties": {"a": {"storedType": []}}}"#, "no value is valid"),
        (r#"{"properties": {"a": {"unique": "yes"}}}"#, "takes true or false"),
        (r#"{"properties": {"a": {"not": {"unique": true}}}}"#, "does not always apply"),
        (r#"{"indexed": true}"#, "an index on the whole document"),
        (r##"{"items": {"$ref": "#/$defs/x"}}"##, r#"at "items.$ref" leads to"#),
        (r##"{"items": {"$ref": "#x"}}"##, r#"at "items.$ref" leads to"#),
        (r#"{"items": {"$ref": "https://a.test/b"}}"#, "nothing is fetched"),
        (r#"{"items": {"$dynamicRef": "https://a.test/b#c"}}"#, "nothing is fetched"),
        (r#"{"items": {"$ref": "file:///etc/passwd"}}"#, "nothing is fetched"),
        (r#"{"items": {"$ref": "other.json"}}"#, "nothing is fetched"),
        (
            r#"{"items": {"$ref": "http://json-schema.org/draft-07/schema"}}"#,
            "only supported draft is 2020-12",
        ),
        (r#"{"$id": "http://["}"#, "at \"$id\""),
        (r#"[]"#, "not an object"),
        (r#"{"type": "#, "invalid JSON"),
    ] {
        let error = refusal(json);
        assert!(error.contains(expected), "{json}: {error}");
    }
}

#[test]
fn references_within_the_schema_work() {
    for json in [
        r##"{"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"minimum": 3}}}"##,
        r##"{"properties": {"a": {"$ref": "#x"}}, "$defs": {"x": {"$anchor": "x", "minimum": 3}}}"##,
        r##"{"$id": "https://a.test/s", "properties": {"a": {"$ref": "s#/$defs/x"}},
            "$defs": {"x": {"minimum": 3}}}"##,
        r##"{"properties": {"a": {"$ref": "urn:x"}}, "$defs": {"x": {"$id": "urn:x", "minimum": 3}}}"##,
        r##"{"properties": {"a": {"$ref": "#/unknown/0"}}, "unknown": [{"minimum": 3}]}"##,
        r##"{"properties": {"a": {"$dynamicRef": "#x"}},
            "$defs": {"x": {"$dynamicAnchor": "x", "minimum": 3}}}"##,
    ] {
        let text = r#""a" must be at least 3, and is 2"#;
        assert_eq!(verdict(&schema(json), &document(r#"{"a": 2}"#)), text, "{json}");
        assert_eq!(verdict(&schema(json), &document(r#"{"a": 3}"#)), "valid", "{json}");
    }
    let meta = schema(
        r#"{"additionalProperties": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}"#,
    );
    assert_eq!(verdict(&meta, &document(r#"{"a": {"type": "string"}}"#)), "valid");
    let text = verdict(&meta, &document(r#"{"a": {"items": {"minLength": -1}}}"#));
    assert_eq!(text, r#""a.items.minLength" must be at least 0, and is -1"#);
}

#[test]
fn defaults_are_filled_in_where_the_object_is() {
    let schema = schema(
        r##"{
            "properties": {
                "a": {"default": 1},
                "b": {"properties": {"c": {"default": [1]}, "d": {"default": null}}},
                "e": {"default": {"x": 1}, "properties": {"y": {"default": "z"}}},
                "list": {"items": {"properties": {"n": {"default": 0}}}},
                "r": {"$ref": "#/$defs/r"},
                "date": {"default": {"$date": "2026-11-23T09:15:00Z"}}
            },
            "allOf": [{"properties": {"also": {"default": true}, "a": {"default": 2}}}],
            "anyOf": [{"properties": {"never": {"default": 1}}}],
            "$defs": {"r": {"default": 7}}
        }"##,
    );
    let applied = |json| {
        let document = document(json);
        let applied = schema.apply_defaults(document.view()).unwrap();
        applied.map(|applied| applied.to_json().unwrap())
    };
    let date = r#""date":{"$date":"2026-11-23T09:15:00Z"}"#;
    let tail = r#""e":{"x":1,"y":"z"}"#;
    assert_eq!(applied("{}").unwrap(), format!(r#"{{"a":1,{date},{tail},"r":7,"also":true}}"#));
    assert_eq!(
        applied(r#"{"a":null,"b":{"d":1},"e":5,"list":[{},{"n":1},3],"r":8}"#).unwrap(),
        format!(
            r#"{{"a":null,"b":{{"d":1,"c":[1]}},"e":5,"list":[{{"n":0}},{{"n":1}},3],"r":8,{date},"also":true}}"#
        )
    );
    let whole = applied(r#"{"b":{},"list":[{}]}"#).unwrap();
    assert_eq!(applied(&whole), None);
    let without = super::helpers::schema(r#"{"properties": {"a": {"type": "string"}}}"#);
    assert_eq!(without.apply_defaults(document("{}").view()).unwrap(), None);
}

#[test]
fn recursive_schemas_fill_in_as_deep_as_the_document_goes() {
    let tree =
        schema(r##"{"properties": {"n": {"default": 0}, "kids": {"items": {"$ref": "#"}}}}"##);
    let document = document(r#"{"kids":[{"kids":[{}]},{"n":1}]}"#);
    let applied = tree.apply_defaults(document.view()).unwrap().unwrap();
    assert_eq!(applied.to_json().unwrap(), r#"{"kids":[{"kids":[{"n":0}],"n":0},{"n":1}],"n":0}"#);
}

#[test]
fn index_requests_name_paths() {
    let schema = schema(
        r##"{
            "properties": {
                "b": {"unique": true, "indexed": false},
                "a": {"properties": {"x.y": {"indexed": true}}},
                "tags": {"items": {"properties": {"name": {"indexed": true}}}},
                "ref": {"$ref": "#/$defs/ref"},
                "no": {"unique": false}
            },
            "allOf": [{"properties": {"b": {"indexed": true}}}],
            "$defs": {"ref": {"indexed": true, "properties": {"again": {"$ref": "#/$defs/ref"}}}}
        }"##,
    );
    let request = |path: &str, is_unique| IndexRequest { path: path.parse().unwrap(), is_unique };
    let expected = [
        request(r"a.x\.y", false),
        request("b", true),
        request("ref", false),
        request("tags.name", false),
    ];
    assert_eq!(schema.index_requests(), expected);
}

#[test]
fn fields_demand_types_of_other_databases() {
    let schema = Schema::builder()
        .field("id", Field::object_id())
        .field("customer", Field::uuid())
        .field("total", Field::decimal().range(Decimal::ZERO..))
        .build()
        .unwrap();
    let is_valid = |object: Object| {
        schema.validate(Encoded::from_object(&object).unwrap().view()).unwrap().is_none()
    };
    assert!(is_valid(object! { "id": (ObjectId::default()), "customer": (Uuid::default()) }));
    assert!(is_valid(object! { "total": (Decimal::ONE) }) && is_valid(object! { "total": 1 }));
    assert!(!is_valid(object! { "total": 0.5 }) && !is_valid(object! { "total": (-Decimal::ONE) }));
    assert!(!is_valid(object! { "id": "000000000000000000000000" }));
    assert!(!is_valid(object! { "customer": "00000000-0000-0000-0000-000000000000" }));
    assert!(!is_valid(object! { "customer": (Binary::new(5, [0; 16])) }));
}
