//! Compiles a schema to a validator: the checks before that, in order, and the options that make
//! validating deterministic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonschema::{Draft, Validator};
use serde_json::Value as Json;
use velocitydb_core::document::META;
use velocitydb_core::limits::DEPTH_MAX;
use velocitydb_core::{Object, Value};

use super::defaults::Defaults;
use super::index_requests::{self, IndexRequest};
use super::keywords::{STORED_TYPE, StoredType};
use super::meter::Weights;
use super::problem::{dotted, problem};
use super::references::References;
use super::rules::Rules;
use super::subschemas::Subschemas;
use super::values::to_json;
use super::view::Stored;
use super::{bounds, magnitudes, scopes, violation};
use crate::Result;

/// The largest schema, in bytes of JSON text: 1 MiB.
///
/// A schema is kept in memory by every replica, and working with it takes time in proportion to its
/// size.
pub const SCHEMA_BYTES_MAX: usize = 1024 * 1024;

/// A compiled schema.
pub(super) struct Compiled {
    pub(super) validator: Validator<Stored>,
    pub(super) rules: Rules,
    pub(super) weights: Weights,
    pub(super) defaults: Defaults,
    pub(super) indexes: Vec<IndexRequest>,
}

/// Checks a schema, and compiles it.
pub(super) fn compile(schema: &Object) -> Result<Compiled> {
    check_size(schema)?;
    let written = Value::Object(schema.clone());
    let json = to_json(&written);
    check_form(&json)?;
    let references = References::of(&json)?;
    let schemas = Subschemas::of(&json, &written, &references)?;
    if let Some(missing) = references.first_missing() {
        let text = format!("refers to {missing:?}, which is not in it, and nothing is fetched");
        return Err(problem(String::new(), text));
    }
    let (weights, patterns) = bounds::check(&schemas)?;
    scopes::check(&json, &references)?;
    let defaults = Defaults::of(&schemas)?;
    if let Some(name) = META.into_iter().find(|name| defaults.is_of_document(name)) {
        let place = format!("properties.{name}.default");
        let text = "is for a field that belongs to the database; leave it out".to_owned();
        return Err(problem(place, text));
    }
    let indexes = index_requests::requests(&schemas)?;
    // The library may panic in rare cases, and a schema is untrusted input.
    let translated = with_translated_patterns(&json, &schemas, &patterns);
    let built = catch_unwind(AssertUnwindSafe(|| {
        options().with_pattern_options(bounds::pattern_options()).build(&translated)
    }));
    let validator = match built {
        Ok(Ok(validator)) => validator,
        Ok(Err(error)) => return Err(from_validation(&error)),
        Err(_) => {
            let text = "cannot be compiled; simplify its references and names".to_owned();
            return Err(problem(String::new(), text));
        }
    };
    let rules = Rules::of(&schemas, &patterns.compiled);
    Ok(Compiled { validator, rules, weights, defaults, indexes })
}

/// The schema with its patterns translated for the validator's library, which reads ECMA-262's too,
/// but some of them differently.
fn with_translated_patterns(
    json: &Json,
    schemas: &Subschemas<'_>,
    patterns: &bounds::Patterns<'_>,
) -> Json {
    let recurse = |inner: &Json| with_translated_patterns(inner, schemas, patterns);
    match json {
        Json::Array(items) => items.iter().map(recurse).collect(),
        Json::Object(fields) => {
            let is_schema = schemas.number_of(json).is_some();
            let field = |(name, value): (&String, &Json)| {
                let value = match (name.as_str(), value) {
                    ("pattern", Json::String(pattern)) if is_schema => patterns
                        .translated
                        .get(pattern.as_str())
                        .map_or(recurse(value), |translated| translated.as_str().into()),
                    ("patternProperties", Json::Object(inner)) if is_schema => {
                        let mut renamed = serde_json::Map::new();
                        for (pattern, schema) in inner {
                            let translated = patterns.translated.get(pattern.as_str());
                            let mut name = translated.unwrap_or(pattern).clone();
                            // Two different patterns can have the same translation.
                            while renamed.contains_key(&name) {
                                name.push_str("(?:)");
                            }
                            renamed.insert(name, recurse(schema));
                        }
                        Json::Object(renamed)
                    }
                    _ => recurse(value),
                };
                (name.clone(), value)
            };
            Json::Object(fields.iter().map(field).collect())
        }
        other => other.clone(),
    }
}

/// The options of every validator, except those for patterns.
pub(super) fn options()
-> jsonschema::ValidationOptions<'static, std::sync::Arc<dyn referencing::Retrieve>, Stored> {
    jsonschema::options_for::<Stored>()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(false)
        .with_keyword(STORED_TYPE, StoredType::factory)
        .with_keyword("const", magnitudes::constant)
        .with_keyword("minimum", magnitudes::minimum)
        .with_keyword("maximum", magnitudes::maximum)
        .with_keyword("exclusiveMinimum", magnitudes::exclusive_minimum)
        .with_keyword("exclusiveMaximum", magnitudes::exclusive_maximum)
        .with_keyword("multipleOf", magnitudes::multiple_of)
        .offline()
}

/// Checks depth and size, before anything recurses.
fn check_size(schema: &Object) -> Result<()> {
    if schema.values().any(|value| is_deeper(value, DEPTH_MAX - 1)) {
        let text = format!("is nested more than {DEPTH_MAX} levels deep; use $defs and $ref");
        return Err(problem(String::new(), text));
    }
    let length = schema.to_json().len();
    if length > SCHEMA_BYTES_MAX {
        let text = format!("has {length} bytes, and at most {SCHEMA_BYTES_MAX} is allowed");
        return Err(problem(String::new(), text));
    }
    Ok(())
}

/// Whether a value has more levels than that.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(fields) => {
            levels == 0 || fields.values().any(|field| is_deeper(field, levels - 1))
        }
        _ => false,
    }
}

/// Checks a schema against the metaschema.
fn check_form(schema: &Json) -> Result<()> {
    // Checked first, since a schema of another draft violates rules of this one.
    if let Some(draft) = schema.get("$schema") {
        super::keywords::check("$schema", draft)
            .map_err(|text| problem("$schema".to_owned(), text))?;
    }
    jsonschema::draft202012::meta::validate(schema).map_err(|error| from_validation(&error))
}

/// An error of the library about a schema.
fn from_validation(error: &jsonschema::ValidationError<'_>) -> crate::Error {
    let steps = violation::pointer_steps(error.instance_path().as_str());
    let place = dotted(steps.iter().map(String::as_str));
    problem(place, violation::of_schema(error, &violation::start_of(error.instance(), 100)))
}
