//! The text of violations: what a rule requires, and the actual value. Decides nothing.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Broken};
use jsonschema::json::{Node as _, Object as _};
use serde_json::Value as Json;
use velocitydb_core::{RawValue, Value};

use super::rules::Rule;
use super::view::View;

/// The largest value that a violation holds as it is, in encoded bytes.
const VALUE_BYTES_MAX: usize = 256;

/// The longest text of a value or of a rule in a message, in characters.
pub(super) const TEXT_CHARS_MAX: usize = 80;

/// What a rule requires, as the end of a sentence; for a name the value is [`View::Name`].
pub(super) fn demand(keyword: &str, rule: &Rule, value: View<'_>) -> String {
    let json = |value: &Json| start_of(value, TEXT_CHARS_MAX);
    let limit = match rule {
        Rule::Type(types) => {
            let types: Vec<_> = types.iter().map(|kind| kind.as_str()).collect();
            types.join(" or ")
        }
        Rule::Stored(stored) => return stored.demand(value.stored_kind()),
        Rule::Enum(options) => json(options),
        Rule::Const(expected) => json(expected),
        Rule::Limit(limit) => limit.to_string(),
        Rule::MultipleOf(divisor) => divisor.to_string(),
        Rule::SizeMin(size) | Rule::SizeMax(size) => size.to_string(),
        Rule::Pattern(pattern) => shorten(&pattern.written, TEXT_CHARS_MAX),
        Rule::Required(names) => {
            let object = value.as_object();
            let missing = names
                .iter()
                .find(|name| object.as_ref().is_some_and(|object| object.get(name).is_none()));
            format!("{:?}", missing.map_or("", |name| name))
        }
        _ => String::new(),
    };
    sentence(keyword, &limit)
}

/// Whether the message has the actual value beside the requirement.
pub(super) fn is_about_value(keyword: &str) -> bool {
    let keywords = [
        "type",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "const",
        "enum",
        "anyOf",
        "oneOf",
    ];
    keywords.contains(&keyword)
}

/// What a keyword requires, given the text of its value.
fn sentence(keyword: &str, limit: &str) -> String {
    match keyword {
        "type" => format!("must be of type {limit}"),
        "minimum" => format!("must be at least {limit}"),
        "maximum" => format!("must be at most {limit}"),
        "exclusiveMinimum" => format!("must be above {limit}"),
        "exclusiveMaximum" => format!("must be below {limit}"),
        "multipleOf" => format!("must be a multiple of {limit}"),
        "minLength" => format!("must have at least {limit} characters"),
        "maxLength" => format!("must have at most {limit} characters"),
        "minItems" => format!("must have at least {limit} elements"),
        "maxItems" => format!("must have at most {limit} elements"),
        "minProperties" => format!("must have at least {limit} fields"),
        "maxProperties" => format!("must have at most {limit} fields"),
        "uniqueItems" => "must not have the same element twice".to_owned(),
        "pattern" => format!("must match the pattern {limit}"),
        "const" => format!("must be {limit}"),
        "enum" => format!("must be one of {limit}"),
        "required" => format!("must have the field {limit}"),
        "not" => "must not satisfy the schema of `not`".to_owned(),
        "false" => "must not be there".to_owned(),
        other => format!("must keep the rule {other}"),
    }
}

/// The library's error for a schema that violates a rule of the metaschema, as the end of a
/// sentence; `found` is the value's text.
pub(super) fn of_schema(error: &ValidationError<'_>, found: &str) -> String {
    let json = |value: &Json| start_of(value, TEXT_CHARS_MAX);
    let keyword = error.kind().keyword();
    let limit = match error.kind() {
        Broken::Type { kind: TypeKind::Single(kind) } => kind.to_string(),
        Broken::Type { kind: TypeKind::Multiple(kinds) } => {
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.to_string()).collect();
            kinds.join(" or ")
        }
        Broken::Minimum { limit }
        | Broken::Maximum { limit }
        | Broken::ExclusiveMinimum { limit }
        | Broken::ExclusiveMaximum { limit } => limit.to_string(),
        Broken::MinItems { limit } => limit.to_string(),
        Broken::Pattern { pattern } => shorten(pattern, TEXT_CHARS_MAX),
        Broken::Enum { options } => json(options),
        Broken::AnyOf { context } => {
            let firsts = context.iter().filter_map(|errors| errors.first());
            let mut texts: Vec<_> = firsts.take(3).map(|error| of_schema(error, "")).collect();
            texts.dedup();
            let (count, either) = (context.len(), texts.join(", or "));
            return format!("must satisfy one of {count} schemas ({either}), and is {found}");
        }
        Broken::Custom { message, .. } => return message.clone(),
        _ => String::new(),
    };
    let demand = sentence(keyword, &limit);
    let says_value = is_about_value(keyword) && !found.is_empty();
    if says_value { format!("{demand}, and is {found}") } else { demand }
}

/// The steps of a JSON pointer.
pub(super) fn pointer_steps(pointer: &str) -> Vec<String> {
    let steps = pointer.split('/').skip(1);
    steps.map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// The value, or what can be shown of it.
pub(super) fn shortened(value: RawValue<'_>) -> velocitydb_core::Result<Value> {
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

/// At most that many characters of a value's JSON text. A value can be as large as a schema, so no
/// more of it is written.
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
