//! Schemas and documents that are made to hang the engine, exhaust its stack or its memory.
//!
//! Each is either refused when the schema is set, or validated within the steps that a document may
//! take; the test as a whole ends, which is what it checks.

use std::fmt::Write as _;

use velocitydb_core::{Encoded, Value, object};

use super::helpers::{document, refusal, schema, verdict, violations};
use velocitydb_core::More;

use crate::schema::{SCHEMA_BYTES_MAX, SUBSCHEMAS_MAX};

/// `open` so many times, then what is inside, then `close` as often.
fn nested(open: &str, close: &str, times: usize, inner: &str) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

/// The deepest document: objects in objects.
fn deep_objects(leaf: &str) -> Encoded {
    document(&nested(r#"{"a":"#, "}", 100, leaf))
}

/// What the explanation of one violation asked was asked again for each level of the document, and
/// all violations within the parts of an `anyOf` were kept: twice as many with each level.
#[test]
fn violations_that_multiply_are_explained_in_few_steps() {
    let branches = r##"{"properties": {"c": {"$ref": "#/$defs/n"}}, "required": ["x"]},
        {"properties": {"c": {"$ref": "#/$defs/n"}}, "required": ["y"]}"##;
    let of = |keywords: &str| {
        let n = keywords.replace("BRANCHES", branches);
        schema(&format!(r##"{{"$defs": {{"n": {n}}}, "$ref": "#/$defs/n"}}"##))
    };
    for depth in [18, 90] {
        let document = document(&nested(r#"{"c":"#, "}", depth, "{}"));
        let any = verdict(&of(r#"{"anyOf": [BRANCHES]}"#), &document);
        let either = r#"(must have the field "x", or must have the field "y")"#;
        let start = format!("the document must satisfy one of 2 schemas {either}, and is ");
        assert!(any.starts_with(&start) && !any.contains("; "), "{any}");
        let one = verdict(&of(r#"{"oneOf": [BRANCHES]}"#), &document);
        assert!(one.contains(&format!("exactly one of 2 schemas {either}")), "{one}");
        let all = violations(&of(r#"{"allOf": [BRANCHES]}"#), &document).unwrap();
        let found = 2 * (depth + 1);
        let listed = found.min(velocitydb_core::limits::VIOLATIONS_MAX);
        assert_eq!(all.as_slice().len(), listed);
        let more = if found > listed { More::Count(found - listed) } else { More::None };
        assert_eq!(all.more(), more);
        let denied = verdict(&of(r#"{"not": {"not": {"allOf": [BRANCHES]}}}"#), &document);
        assert!(denied.contains("must not satisfy the schema of `not`"), "{denied}");
        let conditional = r##"{"if": {"anyOf": [BRANCHES]}, "then": true,
            "else": {"required": ["z"], "properties": {"c": {"$ref": "#/$defs/n"}}}}"##;
        let conditional = violations(&of(conditional), &document).unwrap();
        assert_eq!(conditional.as_slice()[0].rule, "required");
        let unevaluated = r#"{"anyOf": [BRANCHES, true], "unevaluatedProperties": false}"#;
        let unevaluated = verdict(&of(unevaluated), &document);
        assert!(unevaluated.contains("a field that the schema does not know"), "{unevaluated}");
    }
}

#[test]
fn references_in_a_circle_are_refused() {
    for json in [
        r##"{"$ref": "#"}"##,
        r##"{"allOf": [{"$ref": "#"}]}"##,
        r##"{"properties": {"a": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"anyOf": [{"not": {"$ref": "#/$defs/b"}}]},
                      "b": {"if": {"$ref": "#/$defs/a"}}}}"##,
        r##"{"$defs": {"a": {"$dynamicAnchor": "a", "oneOf": [{"$dynamicRef": "#a"}]}}}"##,
        r##"{"dependentSchemas": {"x": {"then": {"$ref": "#"}}}}"##,
    ] {
        let error = refusal(json);
        assert!(error.contains("leads back to itself for the same value"), "{json}: {error}");
    }
    let tree = schema(
        r##"{"properties": {"kids": {"items": {"$ref": "#"}}, "next": {"anyOf": [{"$ref": "#"}]}}}"##,
    );
    assert_eq!(verdict(&tree, &document(r#"{"kids": [{"next": {"kids": []}}]}"#)), "valid");
}

#[test]
fn schemas_that_multiply_are_refused() {
    let mut doubling = r##"{"$ref": "#/$defs/d0", "$defs": {"d60": {"type": "object"}"##.to_owned();
    for at in 0..60 {
        let next = format!(r##"{{"$ref": "#/$defs/d{}"}}"##, at + 1);
        write!(doubling, r#", "d{at}": {{"allOf": [{next}, {next}]}}"#).unwrap();
    }
    doubling.push_str("}}");
    let inner = r#"{"properties": {"a": true}}"#;
    let unevaluated = nested(r#"{"unevaluatedProperties": false, "allOf": ["#, "]}", 45, inner);
    for json in [doubling, unevaluated] {
        let error = refusal(&json);
        assert!(error.contains("has to check one value"), "{error}");
    }
}

/// Each level of the document doubles the checks, which no bound on the schema itself detects.
#[test]
fn documents_that_multiply_end() {
    let twice = r##"{"properties": {"a": {"$ref": "#"}, "b": {"type": "null"}}}"##;
    let recursive = format!(r#"{{"allOf": [{twice}, {twice}]}}"#);
    assert_eq!(verdict(&schema(&recursive), &deep_objects("1")), "valid");
    let mut chain = r##"{"$ref": "#/$defs/d0", "$defs": {"d60": {"type": "object"}"##.to_owned();
    for at in 0..60 {
        let next = format!(r##"{{"properties": {{"a": {{"$ref": "#/$defs/d{}"}}}}}}"##, at + 1);
        write!(chain, r#", "d{at}": {{"allOf": [{next}, {next}]}}"#).unwrap();
    }
    chain.push_str("}}");
    let found = violations(&schema(&chain), &deep_objects("1"));
    if let Some(found) = found {
        assert_eq!((found.as_slice()[0].rule.as_str(), found.more()), ("steps", More::Unknown));
        assert!(found.to_string().contains("takes more than"), "{found}");
    }
}

#[test]
fn long_chains_of_references_do_not_exhaust_the_stack() {
    let chain = |length: usize, first: &str| {
        let mut json = format!(r##"{{{first} "$defs": {{"d{length}": {{"type": "object"}}"##);
        for at in 0..length {
            write!(json, r##", "d{at}": {{"$ref": "#/$defs/d{}"}}"##, at + 1).unwrap();
        }
        json + "}}"
    };
    let whole = r##""$ref": "#/$defs/d0","##;
    let error = refusal(&chain(9_000, whole));
    assert!(error.contains("nests 9002 schemas"), "{error}");
    assert_eq!(verdict(&schema(&chain(900, whole)), &document("{}")), "valid");
    assert_eq!(verdict(&schema(&chain(9_000, "")), &document("{}")), "valid");
}

/// Every way to go into a document, with every way to add schemas for the same value, up to the
/// bound of nested schemas, on half of the stack that threads have.
#[test]
fn the_deepest_recursion_fits_the_stack() {
    let arrays = nested(r#"{"a": "#, "}", 1, &nested("[", "]", 99, r#""x""#));
    let parts = [
        (r#"{"properties": {"a": X}}"#, false),
        (r#"{"required": ["a"], "properties": {"a": X, "b": true}}"#, false),
        (r#"{"patternProperties": {"^a|b+c": X}}"#, false),
        (r#"{"additionalProperties": X}"#, false),
        (r#"{"properties": {"b": true}, "additionalProperties": X}"#, false),
        (r#"{"unevaluatedProperties": X}"#, false),
        (r#"{"allOf": [{"properties": {"b": true}}], "unevaluatedProperties": X}"#, false),
        (r#"{"properties": {"a": X}, "items": X}"#, true),
        (r#"{"properties": {"a": X}, "prefixItems": [X]}"#, true),
        (r#"{"properties": {"a": X}, "contains": X}"#, true),
        (r#"{"properties": {"a": X}, "unevaluatedItems": X}"#, true),
    ];
    let same_value = [
        (r#"{"allOf": ["#, "]}", 6),
        (r#"{"allOf": [true, "#, "]}", 6),
        (r#"{"anyOf": [{"type": "boolean"}, "#, "]}", 6),
        (r#"{"oneOf": [{"type": "boolean"}, "#, "]}", 6),
        (r#"{"not": {"not": "#, "}}", 3),
        (r#"{"if": true, "then": "#, "}", 6),
        (r#"{"if": "#, r#", "else": false}"#, 6),
        (r#"{"dependentSchemas": {"a": "#, "}}", 6),
    ];
    let run = move || {
        let mut refused = 0;
        for (part, uses_arrays) in parts {
            for (open, close, times) in same_value {
                let inner = r##"{"$ref": "#"}"##;
                let around = nested(open, close, times, inner);
                let whole = part.replace('X', &around);
                let json = whole.replacen('{', r#"{"type": ["object", "array", "number"], "#, 1);
                let document = if uses_arrays { document(&arrays) } else { deep_objects(r#""x""#) };
                match crate::schema::Schema::from_json(&json) {
                    Ok(schema) => drop(violations(&schema, &document)),
                    Err(error) => {
                        refused += 1;
                        let error = error.to_string();
                        assert!(error.contains("has to"), "{json}: {error}");
                    }
                }
            }
        }
        assert!(refused < 20, "{refused} schemas were refused, and not tried");
    };
    let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(run).unwrap();
    thread.join().unwrap();
}

#[test]
fn embedded_schemas_that_refer_to_each_other_are_compiled_in_bounded_time() {
    let mutual = |count: usize| {
        let mut defs = Vec::new();
        for at in 0..count {
            let others = (0..count).filter(|other| *other != at);
            let others: Vec<_> = others.map(|other| format!(r#"{{"$ref": "r{other}"}}"#)).collect();
            let parts = format!(r#"{{"a": {{"anyOf": [{}]}}}}"#, others.join(", "));
            let dynamic = r##""$dynamicAnchor": "n", "items": {"$dynamicRef": "#n"}"##;
            defs.push(format!(r#""r{at}": {{"$id": "r{at}", {dynamic}, "properties": {parts}}}"#));
        }
        let defs = defs.join(", ");
        format!(r##"{{"$id": "https://a.test/", "$ref": "r0", "$defs": {{{defs}}}}}"##)
    };
    schema(&mutual(4));
    for count in [8, 20, 60] {
        let error = refusal(&mutual(count));
        assert!(error.contains("by too many paths"), "{error}");
    }
}

#[test]
fn patterns_are_matched_in_linear_time_or_refused() {
    let of_pattern =
        |pattern: &str| object! { "properties": { "a": { "pattern": pattern } } }.to_json();
    for (pattern, expected) in [
        ("^(?=.*x)", "look-around"),
        ("(?<!x)y", "look-around"),
        (r"(a)\1", "backreference"),
        ("(a", "is not a regular expression"),
        ("[z-a]", "is not a regular expression"),
        (r"^(\w{1,1000}x){1,30}$", "takes more than 262144 bytes"),
        ("((a{1,1000}){1,1000}){1,1000}", "is far too large"),
        (&"a".repeat(5000), "has 5000 bytes, and at most 4096"),
    ] {
        let error = refusal(&of_pattern(pattern));
        assert!(error.contains(expected), "{pattern}: {error}");
        assert!(error.contains("properties.a.pattern"), "{pattern}: {error}");
        if pattern.len() > 1024 {
            continue;
        }
        let names = object! { "patternProperties": { pattern: true } }.to_json();
        let error = refusal(&names);
        assert!(error.contains("patternProperties."), "{pattern}: {error}");
    }
    let backtracks = schema(&of_pattern("^(a+)+$"));
    let text = |text: String| Encoded::from_object(&object! { "a": text }).unwrap();
    assert!(verdict(&backtracks, &text("a".repeat(100_000) + "b")).contains("must match"));
    assert_eq!(verdict(&backtracks, &text("a".repeat(100_000))), "valid");
    let heavy = schema(&of_pattern("[ab]*a[ab]{400}c"));
    assert!(verdict(&heavy, &text("aab".repeat(200))).contains("must match"));
    assert!(verdict(&heavy, &text("aab".repeat(1_000_000))).contains("takes more than"));
}

#[test]
fn many_patterns_are_refused() {
    let mut properties = Vec::new();
    for at in 0..5_000 {
        let (from, to) = (at % 50 + 1, at % 50 + 60);
        properties.push(format!(r#""p{at}": {{"pattern": "^[a-z{at}]{{{from},{to}}}x?$"}}"#));
    }
    let error = refusal(&format!(r#"{{"properties": {{{}}}}}"#, properties.join(",")));
    assert!(error.contains("is one pattern too many"), "{error}");
}

#[test]
fn size_depth_and_number_of_schemas_are_bounded() {
    let large = format!(r#"{{"description": "{}"}}"#, "x".repeat(SCHEMA_BYTES_MAX));
    assert!(refusal(&large).contains("bytes, and at most 1048576 is allowed"));
    let many = vec!["true"; SUBSCHEMAS_MAX].join(",");
    let error = refusal(&format!(r#"{{"prefixItems": [{many}]}}"#));
    assert!(error.contains("has more than 10000 schemas"), "{error}");
    let mut deep = Value::from(true);
    for _ in 0..200 {
        deep = object! { "not": deep }.into();
    }
    let Value::Object(deep) = deep else { panic!("it is an object") };
    let error = crate::schema::Schema::from_object(&deep).unwrap_err().to_string();
    assert!(error.contains("more than 100 levels deep"), "{error}");
}

#[test]
fn defaults_that_multiply_are_refused() {
    let error = refusal(r##"{"properties": {"a": {"default": {}, "$ref": "#"}}}"##);
    assert!(error.contains(r#"at "properties.a.default" holds defaults"#), "{error}");
    let mut doubling = r##"{"$ref": "#/$defs/d0", "$defs": {"d60": {}"##.to_owned();
    for at in 0..60 {
        let next = format!(r##"{{"default": {{}}, "$ref": "#/$defs/d{}"}}"##, at + 1);
        write!(doubling, r#", "d{at}": {{"properties": {{"a": {next}, "b": {next}}}}}"#).unwrap();
    }
    let error = refusal(&(doubling + "}}"));
    assert!(error.contains("larger than 4194304 bytes"), "{error}");
    // Small in the schema and large in each of many elements.
    let text = "x".repeat(100_000);
    let large = format!(
        r#"{{"properties": {{"l": {{"items": {{"properties": {{"a": {{"default": "{text}"}}}}}}}}}}}}"#
    );
    let many = format!(r#"{{"l": [{}]}}"#, vec!["{}"; 10_000].join(","));
    let error = schema(&large).apply_defaults(document(&many).view()).unwrap_err().to_string();
    assert!(error.contains("size of the defaults to insert"), "{error}");
}

#[test]
fn large_documents_end_with_an_answer() {
    let numbers: Vec<_> = (0..300_000).map(Value::from).collect();
    let array = Encoded::from_object(&object! { "v": numbers }).unwrap();
    let of_value = |keywords: &str| schema(&format!(r#"{{"properties": {{"v": {keywords}}}}}"#));
    assert_eq!(verdict(&of_value(r#"{"uniqueItems": true}"#), &array), "valid");
    assert_eq!(
        verdict(&of_value(r#"{"items": {"minimum": 0, "type": "integer"}}"#), &array),
        "valid"
    );
    let halves: Vec<_> = (0..20_000).map(|half| format!("{half}.5")).collect();
    let wanted = format!(r#"{{"contains": {{"enum": [{}]}}}}"#, halves.join(","));
    assert!(verdict(&of_value(&wanted), &array).contains("takes more than"));
    let names: Vec<_> = (0..100_000).map(|at| format!(r#""field_{at}": 1"#)).collect();
    let names = document(&format!("{{{}}}", names.join(",")));
    assert_eq!(
        verdict(&schema(r#"{"propertyNames": {"pattern": "^[a-z_0-9]+$"}}"#), &names),
        "valid"
    );
    let patterns: Vec<_> = (0..500).map(|at| format!(r#""x[a-c]+{at}$": false"#)).collect();
    let patterns = schema(&format!(r#"{{"patternProperties": {{{}}}}}"#, patterns.join(",")));
    assert!(verdict(&patterns, &names).contains("takes more than"));
    let strict = verdict(&schema(r#"{"additionalProperties": false}"#), &names);
    assert!(strict.contains("a field that the schema does not know"), "{strict}");
}
