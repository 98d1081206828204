//! What the library says of a document, as violations. Owns their text; decides nothing.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Broken};
use serde_json::Value as Json;
use velocitydb_core::{RawObject, RawValue, Value, Violation};

use super::problem::dotted;

/// The largest value that a violation holds as it is, in encoded bytes.
const VALUE_BYTES_MAX: usize = 256;

/// The longest text of a value or of a rule in a message, in characters.
const TEXT_CHARS_MAX: usize = 80;

/// Turns one error of the library into violations, and adds them to a list.
pub(super) fn add(
    error: &ValidationError<'_>,
    document: RawObject<'_>,
    list: &mut Vec<Violation>,
) -> velocitydb_core::Result<()> {
    let steps = pointer_steps(error.instance_path().as_str());
    let found = find(document, &steps)?;
    let path = |name: Option<&str>| dotted(steps.iter().map(String::as_str).chain(name));
    let rule = rule(error);
    match error.kind() {
        Broken::Required { property } => {
            let path = path(Some(property.as_str().unwrap_or_default()));
            let message = "is missing, and has to be there".to_owned();
            list.push(Violation { path, rule, message, value: None });
        }
        Broken::AdditionalProperties { unexpected }
        | Broken::UnevaluatedProperties { unexpected } => {
            let object = found.map(RawValue::as_object).transpose()?.flatten();
            for name in unexpected {
                let value = object.map(|object| object.get(name)).transpose()?.flatten();
                list.push(unknown_field(path(Some(name)), &rule, value)?);
            }
        }
        Broken::FalseSchema if rule == "additionalProperties" => {
            let object = found.map(RawValue::as_object).transpose()?.flatten();
            for field in object.iter().flat_map(|object| object.iter()) {
                let (name, value) = field?;
                list.push(unknown_field(path(Some(name)), &rule, Some(value))?);
            }
        }
        Broken::FalseSchema if rule == "propertyNames" => {
            let (message, value) = ("must have no fields".to_owned(), found.map(shortened));
            list.push(Violation { path: path(None), rule, message, value: value.transpose()? });
        }
        _ => {
            let value = found.map(shortened).transpose()?;
            let text = value.as_ref().map(|value| shorten(&value.to_json(), TEXT_CHARS_MAX));
            let message = message(error, &text.unwrap_or_default());
            list.push(Violation { path: path(None), rule, message, value });
        }
    }
    Ok(())
}

fn unknown_field(
    path: String,
    rule: &str,
    value: Option<RawValue<'_>>,
) -> velocitydb_core::Result<Violation> {
    let message = "is a field that the schema does not know, and it takes no others".to_owned();
    Ok(Violation { path, rule: rule.to_owned(), message, value: value.map(shortened).transpose()? })
}

/// The keyword, by the place in the schema where the library does not tell keywords apart.
fn rule(error: &ValidationError<'_>) -> String {
    let place = error.schema_path().as_str();
    let mut last = place.rsplit('/');
    let last = [last.next().unwrap_or_default(), last.next().unwrap_or_default()];
    match error.kind() {
        Broken::FalseSchema => match last[0] {
            "additionalProperties" | "propertyNames" => last[0].to_owned(),
            _ => "false".to_owned(),
        },
        Broken::Required { .. } if last.contains(&"dependentRequired") => {
            "dependentRequired".to_owned()
        }
        Broken::Contains if matches!(last[0], "minContains" | "maxContains") => last[0].to_owned(),
        kind => kind.keyword().to_owned(),
    }
}

/// What would be right and what is there, as the end of a sentence; `found` is the value's text.
pub(super) fn message(error: &ValidationError<'_>, found: &str) -> String {
    let is_about_value = matches!(
        error.kind(),
        Broken::Type { .. }
            | Broken::Minimum { .. }
            | Broken::Maximum { .. }
            | Broken::ExclusiveMinimum { .. }
            | Broken::ExclusiveMaximum { .. }
            | Broken::MultipleOf { .. }
            | Broken::MinLength { .. }
            | Broken::MaxLength { .. }
            | Broken::Pattern { .. }
            | Broken::Constant { .. }
            | Broken::Enum { .. }
            | Broken::AnyOf { .. }
            | Broken::OneOfNotValid { .. }
            | Broken::OneOfMultipleValid { .. }
    );
    let demand = demand(error);
    if is_about_value { format!("{demand}, and is {found}") } else { demand }
}

/// What would be right, as the end of a sentence.
fn demand(error: &ValidationError<'_>) -> String {
    let json = |value: &Json| start_of(value, TEXT_CHARS_MAX);
    match error.kind() {
        Broken::Type { kind: TypeKind::Single(kind) } => format!("must be of type {kind}"),
        Broken::Type { kind: TypeKind::Multiple(kinds) } => {
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.to_string()).collect();
            format!("must be of type {}", kinds.join(" or "))
        }
        Broken::Minimum { limit } => format!("must be at least {limit}"),
        Broken::Maximum { limit } => format!("must be at most {limit}"),
        Broken::ExclusiveMinimum { limit } => format!("must be above {limit}"),
        Broken::ExclusiveMaximum { limit } => format!("must be below {limit}"),
        Broken::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Broken::MinLength { limit } => format!("must have at least {limit} characters"),
        Broken::MaxLength { limit } => format!("must have at most {limit} characters"),
        Broken::MinItems { limit } => format!("must have at least {limit} elements"),
        Broken::MaxItems { limit } => format!("must have at most {limit} elements"),
        Broken::MinProperties { limit } => format!("must have at least {limit} fields"),
        Broken::MaxProperties { limit } => format!("must have at most {limit} fields"),
        Broken::UniqueItems => "must not have the same element twice".to_owned(),
        Broken::Pattern { pattern } => {
            format!("must match the pattern {}", shorten(pattern, TEXT_CHARS_MAX))
        }
        Broken::Constant { expected_value } => format!("must be {}", json(expected_value)),
        Broken::Enum { options } => format!("must be one of {}", json(options)),
        Broken::Required { property } => match property.as_str() {
            Some(name) => format!("must have the field {name:?}"),
            None => "must have a further field".to_owned(),
        },
        Broken::AdditionalProperties { .. } | Broken::UnevaluatedProperties { .. } => {
            "must have no fields that the schema does not know".to_owned()
        }
        Broken::UnevaluatedItems { unexpected } => {
            let elements = shorten(&unexpected.join(", "), TEXT_CHARS_MAX);
            format!("must have no elements that the schema does not know, such as {elements}")
        }
        Broken::AnyOf { context } => {
            format!("must satisfy one of {} schemas ({})", context.len(), either(error, context))
        }
        Broken::OneOfNotValid { context } => {
            let (count, either) = (context.len(), either(error, context));
            format!("must satisfy exactly one of {count} schemas ({either})")
        }
        Broken::OneOfMultipleValid { context } => {
            format!("must satisfy exactly one of {} schemas, not several", context.len())
        }
        Broken::Not { .. } => "must not satisfy the schema of `not`".to_owned(),
        Broken::FalseSchema => "must not be there".to_owned(),
        Broken::Contains => {
            format!("must have as many elements that fit as {} says", rule(error))
        }
        Broken::PropertyNames { error } => format!("must have field names that fit: {}", {
            let name = start_of(error.instance(), TEXT_CHARS_MAX);
            format!("one {}", message(error, &name))
        }),
        Broken::Custom { message, .. } => message.clone(),
        other => {
            let place = shorten(error.schema_path().as_str(), TEXT_CHARS_MAX);
            format!("must keep the rule {} at {place} of the schema", other.keyword())
        }
    }
}

/// What would be right, by some of the schemas of which one has to be satisfied.
fn either(outer: &ValidationError<'_>, context: &[Vec<ValidationError<'static>>]) -> String {
    let first = context.iter().filter_map(|errors| errors.first());
    let mut texts = first.map(|error| {
        // Only what is about the same value, since the others would need a place and more words.
        let is_outer = error.instance_path() == outer.instance_path();
        let is_deep = matches!(error.kind(), Broken::AnyOf { .. } | Broken::OneOfNotValid { .. });
        if is_outer && !is_deep { demand(error) } else { "something within it".to_owned() }
    });
    let mut listed: Vec<_> = texts.by_ref().take(3).collect();
    if texts.next().is_some() {
        listed.push("…".to_owned());
    }
    listed.dedup();
    listed.join(", or ")
}

/// The steps of a JSON pointer.
pub(super) fn pointer_steps(pointer: &str) -> Vec<String> {
    let steps = pointer.split('/').skip(1);
    steps.map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// The value at a place.
fn find<'a>(
    document: RawObject<'a>,
    steps: &[String],
) -> velocitydb_core::Result<Option<RawValue<'a>>> {
    let mut value = document.as_value();
    for step in steps {
        let next = match (value.as_object()?, value.as_array()?) {
            (Some(object), _) => object.get(step)?,
            (_, Some(array)) => match step.parse() {
                Ok(position) => array.get(position)?,
                Err(_) => None,
            },
            _ => None,
        };
        let Some(next) = next else { return Ok(None) };
        value = next;
    }
    Ok(Some(value))
}

/// The value, or what can be shown of it.
fn shortened(value: RawValue<'_>) -> velocitydb_core::Result<Value> {
    if value.as_encoded().len() <= VALUE_BYTES_MAX {
        return value.to_value();
    }
    Ok(Value::from(if let Some(text) = value.as_str()? {
        shorten(text, TEXT_CHARS_MAX)
    } else if let Some(array) = value.as_array()? {
        format!("an array of {} elements", array.len())
    } else if let Some(object) = value.as_object()? {
        format!("an object of {} fields", object.len())
    } else {
        format!("{} of {} bytes", value.kind(), value.as_encoded().len() - 1)
    }))
}

/// At most that many characters of a value's JSON text. A value can be as large as a schema, so it
/// is not written any further.
pub(super) fn start_of(value: &Json, chars: usize) -> String {
    struct Start {
        text: Vec<u8>,
        bytes_max: usize,
    }
    impl std::io::Write for Start {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.text.len() > self.bytes_max {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            let taken = bytes.len().min(self.bytes_max + 1);
            self.text.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    // A character has at most four bytes.
    let mut start = Start { text: Vec::new(), bytes_max: 4 * chars };
    let is_whole = serde_json::to_writer(&mut start, value).is_ok();
    let text = String::from_utf8_lossy(&start.text);
    let text = if is_whole { text } else { format!("{text}…").into() };
    shorten(&text, chars)
}

/// At most that many characters of a text.
pub(super) fn shorten(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
