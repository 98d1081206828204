//! Extended JSON: the objects that represent types that JSON lacks. [`json`](crate::json) lists
//! them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{
    Binary, BinaryRef, Decimal, Error, Foreign, ForeignContent, Object, ObjectId, RawForeign,
    Result, Time, Uuid, Value, object,
};

pub(crate) const DATE: &str = "$date";
pub(crate) const BINARY: &str = "$binary";
pub(crate) const NUMBER_DOUBLE: &str = "$numberDouble";
const NUMBER_INT: &str = "$numberInt";
const NUMBER_LONG: &str = "$numberLong";
const NUMBER_DECIMAL: &str = "$numberDecimal";
const OID: &str = "$oid";
const UUID: &str = "$uuid";
const TIMESTAMP: &str = "$timestamp";
const REGULAR_EXPRESSION: &str = "$regularExpression";
const CODE: &str = "$code";
const SCOPE: &str = "$scope";
const MIN_KEY: &str = "$minKey";
const MAX_KEY: &str = "$maxKey";
const SYMBOL: &str = "$symbol";
const UNDEFINED: &str = "$undefined";
const DB_POINTER: &str = "$dbPointer";
/// The type of binary in the older form, which stands beside it.
const TYPE: &str = "$type";

/// The names that can be the first of such an object, and what each takes, as the end of a sentence.
const FORMS: [(&str, &str); 17] = [
    (DATE, "an RFC 3339 time or an integer of milliseconds"),
    (
        BINARY,
        "{\"base64\": …, \"subType\": \"00\"}, or a text in base64 with a \"$type\" beside it",
    ),
    (NUMBER_DOUBLE, "a number as a string"),
    (NUMBER_INT, "a number as a string"),
    (NUMBER_LONG, "a number as a string"),
    (NUMBER_DECIMAL, "a number of at most 34 digits as a string"),
    (OID, "24 hexadecimal digits"),
    (UUID, "a UUID of the form 01a207af-ef1a-7c1c-8707-070707070707"),
    (TIMESTAMP, "{\"t\": seconds, \"i\": counter}, both integers of 32 bits without a sign"),
    (REGULAR_EXPRESSION, "{\"pattern\": …, \"options\": …}, both without a NUL"),
    (CODE, "a text, alone or with an object as \"$scope\" beside it"),
    (SCOPE, "an object, beside a \"$code\""),
    (MIN_KEY, "1"),
    (MAX_KEY, "1"),
    (SYMBOL, "a text"),
    (UNDEFINED, "true"),
    (DB_POINTER, "{\"$ref\": the name of a collection, \"$id\": an ObjectId}"),
];

/// The name as a constant, if an object that begins with it is extended JSON.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    let is_special = name.starts_with('$');
    FORMS.iter().map(|(key, _)| *key).find(|key| is_special && *key == name)
}

/// The payload of `$binary`.
pub(crate) fn binary_payload(binary: BinaryRef<'_>) -> [(&'static str, String); 2] {
    let subtype = format!("{:02x}", binary.subtype);
    [("base64", STANDARD.encode(binary.bytes)), ("subType", subtype)]
}

/// The payload of `$numberDouble` for a float that JSON cannot write.
pub(crate) fn non_finite_name(float: f64) -> &'static str {
    if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// The object that represents a value of a type that JSON lacks, other than a float; `None` for all
/// others.
pub(crate) fn form(value: &Value) -> Result<Option<Object>> {
    Ok(Some(match value {
        Value::ObjectId(id) => object! { OID: id.to_string() },
        Value::Decimal(decimal) => object! { NUMBER_DECIMAL: decimal.to_string() },
        Value::Time(time) => object! { DATE: time.to_string() },
        Value::Bytes(_) | Value::Binary(_) => match value.as_binary() {
            Some(binary) => object! { BINARY: Object::from_iter(binary_payload(binary)) },
            None => return Ok(None),
        },
        Value::Foreign(foreign) => foreign_form(foreign.as_raw())?,
        _ => return Ok(None),
    }))
}

fn foreign_form(foreign: RawForeign<'_>) -> Result<Object> {
    Ok(match foreign.content()? {
        ForeignContent::MinKey => object! { MIN_KEY: 1 },
        ForeignContent::MaxKey => object! { MAX_KEY: 1 },
        ForeignContent::Undefined => object! { UNDEFINED: true },
        ForeignContent::Symbol(text) => object! { SYMBOL: text },
        ForeignContent::Timestamp { seconds, counter } => {
            object! { TIMESTAMP: { "t": seconds, "i": counter } }
        }
        ForeignContent::Regex { pattern, options } => {
            object! { REGULAR_EXPRESSION: { "pattern": pattern, "options": options } }
        }
        ForeignContent::DbPointer { collection, id } => {
            object! { DB_POINTER: { "$ref": collection, "$id": id } }
        }
        ForeignContent::JavaScript(code) => object! { CODE: code },
        ForeignContent::JavaScriptWithScope { code, scope } => {
            object! { CODE: code, SCOPE: scope.to_object()? }
        }
    })
}

/// The value that an object represents, if it is extended JSON.
pub(crate) fn extended(object: &Object) -> Result<Option<Value>> {
    let Some((key, takes, payload)) = FORMS
        .iter()
        .find_map(|(key, takes)| object.get(key).map(|payload| (*key, *takes, payload)))
    else {
        return Ok(None);
    };
    let value = match object.len() {
        1 => alone(key, payload)?,
        2 => beside(key, payload, object)?,
        _ => None,
    };
    value.map(Some).ok_or_else(|| Error::ExtendedJson {
        key: key.into(),
        expected: format!("{takes}, and no other fields beside it").into(),
    })
}

/// The value of an object with this one field.
fn alone(key: &str, payload: &Value) -> Result<Option<Value>> {
    Ok(match (key, payload) {
        (DATE, Value::Int(millis)) => Time::from_millis(*millis).ok().map(Value::Time),
        (TIMESTAMP, Value::Object(parts)) => timestamp(parts),
        (MIN_KEY, Value::Int(1)) => Some(Foreign::min_key().into()),
        (MAX_KEY, Value::Int(1)) => Some(Foreign::max_key().into()),
        (UNDEFINED, Value::Bool(true)) => Some(Foreign::undefined().into()),
        (BINARY, Value::Object(parts)) => binary(parts),
        (REGULAR_EXPRESSION, Value::Object(parts)) => {
            pair(parts, "pattern", "options").and_then(|(pattern, options)| {
                Foreign::regex(pattern.as_str()?, options.as_str()?).ok().map(Value::from)
            })
        }
        (DB_POINTER, Value::Object(parts)) => {
            pair(parts, "$ref", "$id").and_then(|(collection, id)| {
                let pointer = Foreign::db_pointer(collection.as_str()?, id.as_object_id()?);
                pointer.ok().map(Value::from)
            })
        }
        // What is wrong with the digits is worth its own sentence.
        (NUMBER_DECIMAL, Value::String(text)) => Some(text.parse::<Decimal>()?.into()),
        (_, Value::String(text)) => of_text(key, text),
        _ => None,
    })
}

fn of_text(key: &str, text: &str) -> Option<Value> {
    Some(match key {
        DATE => text.parse::<Time>().ok()?.into(),
        NUMBER_INT => text.parse::<i32>().ok()?.into(),
        NUMBER_LONG => text.parse::<i64>().ok()?.into(),
        NUMBER_DOUBLE => match text {
            "NaN" => f64::NAN.into(),
            "Infinity" => f64::INFINITY.into(),
            "-Infinity" => f64::NEG_INFINITY.into(),
            _ => text.parse().ok().filter(|float: &f64| float.is_finite())?.into(),
        },
        OID => text.parse::<ObjectId>().ok()?.into(),
        UUID => text.parse::<Uuid>().ok()?.into(),
        CODE => Foreign::javascript(text).into(),
        SYMBOL => Foreign::symbol(text).into(),
        _ => return None,
    })
}

/// The value of an object with two fields.
fn beside(key: &str, payload: &Value, object: &Object) -> Result<Option<Value>> {
    Ok(match (key, payload, object.get(TYPE), object.get(SCOPE)) {
        (BINARY, Value::String(text), Some(Value::String(subtype)), _) => decode(text, subtype),
        (CODE, Value::String(code), _, Some(Value::Object(scope))) => {
            Some(Foreign::javascript_with_scope(code, scope)?.into())
        }
        _ => None,
    })
}

/// The two fields of an object that has no others.
fn pair<'o>(object: &'o Object, one: &str, other: &str) -> Option<(&'o Value, &'o Value)> {
    let both = object.get(one).zip(object.get(other));
    both.filter(|_| object.len() == 2)
}

fn timestamp(parts: &Object) -> Option<Value> {
    let (seconds, counter) = pair(parts, "t", "i")?;
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
    Some(Foreign::timestamp(number(seconds)?, number(counter)?).into())
}

fn binary(parts: &Object) -> Option<Value> {
    match parts.len() {
        1 => decode(parts.get("base64")?.as_str()?, "00"),
        _ => {
            let (text, subtype) = pair(parts, "base64", "subType")?;
            decode(text.as_str()?, subtype.as_str()?)
        }
    }
}

/// Bytes of a subtype that is given as one or two hexadecimal digits.
fn decode(base64: &str, subtype: &str) -> Option<Value> {
    let is_hex = subtype.len() <= 2 && subtype.bytes().all(|byte| byte.is_ascii_hexdigit());
    let subtype = u8::from_str_radix(subtype, 16).ok().filter(|_| is_hex)?;
    STANDARD.decode(base64).ok().map(|bytes| Binary::new(subtype, bytes).into())
}
