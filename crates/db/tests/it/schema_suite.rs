//! The required cases of the JSON Schema Test Suite for 2020-12, through a collection's schema.
//!
//! A document is an object, so each case runs with its instance as a field, and cases whose
//! instance is an object run as the document itself as well. A case is not dropped but for a reason
//! that is listed here, and the numbers are asserted.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};
use velocitydb::schema::Schema;
use velocitydb::{Encoded, Error, Existing, MaintenanceMode, Object, Options, Value};

/// What the wrapped schema and its wrapper are called.
const CASE: &str = "https://velocitydb.test/case";
const WRAPPER: &str = "https://velocitydb.test/wrapper";

/// Files of the suite that hold no cases: the metaschema of an output format.
const NO_CASES: [&str; 1] = ["output-schema.json"];

/// Files all of whose schemas refer to others that would have to be fetched.
const REMOTE_FILES: [&str; 1] = ["refRemote.json"];

/// Groups of other files that refer to what would have to be fetched: file and description.
const REMOTE_GROUPS: [(&str, &str); 5] = [
    ("dynamicRef.json", "strict-tree schema, guards against misspelled properties"),
    ("dynamicRef.json", "tests for implementation dynamic anchor and reference link"),
    ("dynamicRef.json", "$ref and $dynamicAnchor are independent of order - $defs first"),
    ("dynamicRef.json", "$ref and $dynamicAnchor are independent of order - $ref first"),
    ("dynamicRef.json", "$ref to $dynamicRef finds detached $dynamicAnchor"),
];

/// Groups whose schema names another metaschema by `$schema`.
const OTHER_METASCHEMAS: [(&str, &str); 2] = [
    ("vocabulary.json", "schema that uses custom metaschema with with no validation vocabulary"),
    ("vocabulary.json", "ignore unrecognized optional vocabulary"),
];

/// Tests whose instance no document can hold: file, group and test. All of them have a field whose
/// name begins with `$`.
const REFUSED_INSTANCES: [(&str, &str, &str); 7] = [
    ("defs.json", "validate definition against metaschema", "valid definition schema"),
    ("defs.json", "validate definition against metaschema", "invalid definition schema"),
    ("ref.json", "property named $ref that is not a reference", "property named $ref valid"),
    ("ref.json", "property named $ref that is not a reference", "property named $ref invalid"),
    ("ref.json", "property named $ref, containing an actual $ref", "property named $ref valid"),
    ("ref.json", "property named $ref, containing an actual $ref", "property named $ref invalid"),
    (
        "ref.json",
        "naive replacement of $ref with its destination is not correct",
        "match the enum exactly",
    ),
];

/// Tests in which a default violates its own field. A collection fills defaults in, as JSON Schema
/// does not, and refuses what it then finds.
const FILLED_IN: [(&str, &str, &str); 3] = [
    ("default.json", "invalid type for default", "still valid when the invalid default is used"),
    (
        "default.json",
        "invalid string value for default",
        "still valid when the invalid default is used",
    ),
    (
        "default.json",
        "the default keyword does not do anything if the property is missing",
        "missing properties are not filled in with the default",
    ),
];

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    files: usize,
    ran: usize,
    ran_as_document: usize,
    remote: usize,
    other_metaschema: usize,
    refused_instances: usize,
    filled_in: usize,
}

#[test]
fn required_cases_of_the_json_schema_test_suite() {
    let Some(folder) = test_data() else {
        println!(
            "SKIPPED: the JSON Schema Test Suite was not run, since no folder \
             shared/testdata/json-schema-2020-12 lies beside the checkout; \
             VELOCITYDB_TESTDATA may name the folder testdata"
        );
        return;
    };
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    for (name, groups) in read(&folder) {
        if NO_CASES.contains(&name.as_str()) {
            continue;
        }
        counts.files += 1;
        for group in groups.as_array().unwrap() {
            run_group(&name, group, &mut counts, &mut failures);
        }
    }
    println!("{counts:?}");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    let expected = Counts {
        files: 46,
        ran: 1243,
        ran_as_document: 417,
        remote: 44,
        other_metaschema: 5,
        refused_instances: 7,
        filled_in: 3,
    };
    assert_eq!(counts, expected);
}

fn test_data() -> Option<PathBuf> {
    let named = std::env::var_os("VELOCITYDB_TESTDATA").map(PathBuf::from);
    let ancestors = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let beside = ancestors.map(|folder| folder.join("shared").join("testdata"));
    let mut folders = named.into_iter().chain(beside);
    folders.find_map(|folder| {
        let folder = folder.join("json-schema-2020-12");
        folder.is_dir().then_some(folder)
    })
}

/// The files of the suite, by name.
fn read(folder: &Path) -> Vec<(String, Json)> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut files: Vec<PathBuf> = entries.filter(is_json).collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str(&text).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn run_group(file: &str, group: &Json, counts: &mut Counts, failures: &mut Vec<String>) {
    let description = group["description"].as_str().unwrap();
    let tests = group["tests"].as_array().unwrap();
    let is_in = |list: &[(&str, &str)]| list.contains(&(file, description));
    let (wrapped, plain) = (wrap(&group["schema"]), plain(&group["schema"]));
    if REMOTE_FILES.contains(&file) || is_in(&REMOTE_GROUPS) {
        counts.remote += tests.len();
        let Err(error) = schema(&wrapped) else {
            return failures.push(format!("{file}, {description}: not refused"));
        };
        if !error.contains("nothing is fetched")
            && !error.contains("only supported draft is 2020-12")
        {
            failures.push(format!("{file}, {description}: refused otherwise: {error}"));
        }
        return;
    }
    if is_in(&OTHER_METASCHEMAS) {
        counts.other_metaschema += tests.len();
        let error = schema(&wrapped).map(drop).unwrap_err();
        if !error.contains("$schema") {
            failures.push(format!("{file}, {description}: refused otherwise: {error}"));
        }
        return;
    }
    let schemas = schema(&wrapped)
        .and_then(|wrapped| Ok((wrapped, plain.map(|plain| schema(&plain)).transpose()?)));
    let (wrapped, plain) = match schemas {
        Ok(schemas) => schemas,
        Err(error) => return failures.push(format!("{file}, {description}: {error}")),
    };
    for test in tests {
        let name = test["description"].as_str().unwrap();
        let is_filled_in = FILLED_IN.contains(&(file, description, name));
        counts.filled_in += usize::from(is_filled_in);
        let expected = test["valid"].as_bool().unwrap() != is_filled_in;
        let instance = &test["data"];
        let mut check = |schema: &Schema, document: &Json| match is_valid(schema, document) {
            Ok(valid) if valid == expected => {}
            Ok(_) => failures.push(format!("{file}, {description}, {name}: not {expected}")),
            Err(error) => failures.push(format!("{file}, {description}, {name}: {error}")),
        };
        let document = json!({ "value": instance });
        if REFUSED_INSTANCES.contains(&(file, description, name)) {
            counts.refused_instances += 1;
            let error = encode(&document).unwrap_err();
            assert!(error.contains("begins with `$`"), "{error}");
            continue;
        }
        counts.ran += 1;
        check(&wrapped, &document);
        if let (Some(plain), true) = (&plain, instance.is_object()) {
            counts.ran_as_document += 1;
            check(plain, instance);
        }
    }
}

/// A schema of documents whose field `value` is what the case is about. The case's schema keeps a
/// name of its own, so that its references mean what they meant.
fn wrap(case: &Json) -> Json {
    let (name, case) = match case {
        Json::Object(case) => {
            let mut case: Map<String, Json> = case.clone();
            let name = case.entry("$id").or_insert(CASE.into()).clone();
            (name, Json::Object(case))
        }
        case => ("#/$defs/case".into(), case.clone()),
    };
    json!({
        "$id": WRAPPER,
        "properties": { "value": { "$ref": name } },
        "$defs": { "case": case },
    })
}

/// The schema itself, where a collection's schema can be it.
fn plain(case: &Json) -> Option<Json> {
    case.is_object().then(|| case.clone())
}

fn schema(json: &Json) -> Result<Schema, String> {
    let object = object(json)?;
    Schema::from_object(&object).map_err(|error| error.to_string())
}

/// Whether a collection with the schema takes the document.
fn is_valid(schema: &Schema, document: &Json) -> Result<bool, String> {
    let encoded = encode(document)?;
    let options = Options::new().maintenance(MaintenanceMode::Manual);
    let db = options.open_in_memory().map_err(|error| error.to_string())?;
    db.documents("case").set_schema(schema, Existing::Check).map_err(|error| error.to_string())?;
    match db.documents("case").insert("document", encoded) {
        Ok(_) => Ok(true),
        Err(Error::SchemaViolation { .. }) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

fn encode(document: &Json) -> Result<Encoded, String> {
    Encoded::from_object(&object(document)?).map_err(|error| error.to_string())
}

fn object(json: &Json) -> Result<Object, String> {
    let value = Value::from_json(&json.to_string()).map_err(|error| error.to_string())?;
    value.try_into().map_err(|error: velocitydb::InputError| error.to_string())
}
