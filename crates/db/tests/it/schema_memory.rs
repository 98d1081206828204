//! How much memory it takes to say what a document violates.
//!
//! A document of 111 bytes, 18 levels deep, took 2.45 GB, one 90 levels deep 9.5 GB, and one with
//! long names more than there was: everything that each level violated was collected for each part
//! of an `anyOf`, twice as much with each level, and only then cut down to a hundred.
//!
//! The largest memory of a process is known for the whole of it, so each run is a process of its own:
//! this test, started again.

use std::process::Command;

use velocitydb::limits::{VIOLATIONS_BYTES_MAX, VIOLATIONS_MAX};
use velocitydb::schema::Schema;
use velocitydb::{Encoded, Object, Value};

const CHILD: &str = "VELOCITYDB_TEST_SCHEMA_MEMORY";
const NAME: &str = "schema_memory::violations_take_little_memory_whatever_the_schema_is";

/// What the largest memory may be: the test program alone takes some ten.
const PEAK_KIB_MAX: u64 = 160 * 1024;

/// Schemas that check each level twice, by every keyword that applies other schemas to the same value. `%`
/// stands for the name of the field that leads further in, `@` for the schema itself.
const SHAPES: [&str; 10] = [
    r#"{"anyOf": [{"properties": {"%": @}, "required": ["x"]}, {"properties": {"%": @}, "required": ["y"]}]}"#,
    r#"{"oneOf": [{"properties": {"%": @}, "required": ["x"]}, {"properties": {"%": @}, "required": ["y"]}]}"#,
    r#"{"allOf": [{"properties": {"%": @}, "required": ["x"]}, {"properties": {"%": @}, "required": ["y"]}]}"#,
    r#"{"not": {"anyOf": [{"properties": {"%": {"not": @}}}, {"properties": {"%": {"not": @}}, "required": ["x"]}]}}"#,
    r#"{"if": {"properties": {"%": @}, "required": ["x"]}, "else": {"properties": {"%": @}, "required": ["y"]}}"#,
    r#"{"dependentSchemas": {"%": {"properties": {"%": @}, "required": ["x"]}}, "anyOf": [{"properties": {"%": @}, "required": ["y"]}]}"#,
    r#"{"anyOf": [{"properties": {"%": @}, "required": ["x"]}, {"properties": {"%": @}}], "unevaluatedProperties": false, "required": ["y"]}"#,
    r#"{"anyOf": [{"additionalProperties": @, "required": ["x"]}, {"patternProperties": {".": @}, "required": ["y"]}]}"#,
    r#"{"anyOf": [{"propertyNames": {"maxLength": 0}}, {"properties": {"%": @}, "minProperties": 9}, {"unevaluatedProperties": @, "required": ["x"]}]}"#,
    r#"{"anyOf": [{"items": @, "minItems": 5}, {"contains": @, "minContains": 2}], "properties": {"%": @}, "type": ["array", "object"], "required": ["x"]}"#,
];

fn schema(shape: &str, name: &str) -> Schema {
    let n = shape.replace('@', r##"{"$ref": "#/$defs/n"}"##).replace('%', name);
    Schema::from_json(&format!(r##"{{"$defs": {{"n": {n}}}, "$ref": "#/$defs/n"}}"##)).unwrap()
}

fn document(depth: usize, name: &str, is_of_arrays: bool) -> Encoded {
    let mut value = Value::Object(Object::new());
    for _ in 0..depth {
        value = match is_of_arrays {
            true => Value::Array(vec![value.clone()]),
            false => Object::from([(name, value)]).into(),
        };
    }
    let object = match value {
        Value::Object(object) => object,
        array => Object::from([(name, array)]),
    };
    Encoded::from_object(&object).unwrap()
}

fn validate_all() {
    let long = "l".repeat(1_000);
    for shape in SHAPES {
        for (name, depth) in [("c", 18), ("c", 90), (long.as_str(), 18), (long.as_str(), 90)] {
            for is_of_arrays in [false, true] {
                let schema = schema(shape, name);
                let document = document(depth, name, is_of_arrays);
                let Some(found) = schema.validate(document.view()).unwrap() else { continue };
                let listed = found.as_slice();
                assert!((1..=VIOLATIONS_MAX).contains(&listed.len()), "{shape}");
                let bytes: usize =
                    listed.iter().map(|one| one.path.len() + one.message.len()).sum();
                assert!(listed.len() == 1 || bytes <= VIOLATIONS_BYTES_MAX, "{shape}: {bytes}");
                assert_ne!(listed[0].rule, "steps", "{shape} at depth {depth}");
            }
        }
    }
}

/// The largest memory that this process has had, in KiB, where the system says so.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn violations_take_little_memory_whatever_the_schema_is() {
    if std::env::var_os(CHILD).is_some() {
        validate_all();
        if let Some(peak) = peak_kib() {
            assert!(peak <= PEAK_KIB_MAX, "{peak} KiB");
        }
        return;
    }
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program);
    let run = child.args(["--exact", NAME, "--nocapture"]).env(CHILD, "1").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}\n{err}");
    assert!(out.contains("1 passed"), "{out}");
}
