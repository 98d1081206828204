//! Extended JSON: the objects that represent types that JSON lacks. [`json`](crate::json) lists
//! them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Error, Object, Result, Value};

pub(crate) const DATE: &str = "$date";
pub(crate) const BINARY: &str = "$binary";
pub(crate) const NUMBER_DOUBLE: &str = "$numberDouble";
const NUMBER_INT: &str = "$numberInt";
const NUMBER_LONG: &str = "$numberLong";
/// The names of all.
pub(crate) const NAMES: [&str; 5] = [DATE, BINARY, NUMBER_DOUBLE, NUMBER_INT, NUMBER_LONG];

/// The payload of `$binary`.
pub(crate) fn binary_payload(bytes: &[u8]) -> [(&'static str, String); 2] {
    [("base64", STANDARD.encode(bytes)), ("subType", "00".to_owned())]
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

/// The value that an object represents, if it is extended JSON.
pub(crate) fn extended(object: &Object) -> Result<Option<Value>> {
    let Some((key, payload)) =
        NAMES.into_iter().find_map(|key| object.get(key).map(|payload| (key, payload)))
    else {
        return Ok(None);
    };
    let value = if object.len() == 1 { extended_payload(key, payload) } else { None };
    let expected = match key {
        DATE => "an RFC 3339 time or an integer of milliseconds, and no other fields beside it",
        BINARY => "{\"base64\": …, \"subType\": \"00\"}, and no other fields beside it",
        _ => "a number as a string, and no other fields beside it",
    };
    value.map(Some).ok_or(Error::ExtendedJson { key: key.into(), expected: expected.into() })
}

fn extended_payload(key: &str, payload: &Value) -> Option<Value> {
    match (key, payload) {
        (DATE, Value::String(text)) => text.parse().ok().map(Value::Time),
        (DATE, Value::Int(millis)) => crate::Time::from_millis(*millis).ok().map(Value::Time),
        (BINARY, Value::Object(object)) => {
            let other = object.keys().any(|name| name != "base64" && name != "subType");
            let generic = object.get("subType").is_none_or(|kind| *kind == Value::from("00"));
            let text = object.get("base64")?.as_str().filter(|_| generic && !other)?;
            STANDARD.decode(text).ok().map(Value::Bytes)
        }
        (NUMBER_INT, Value::String(text)) => text.parse::<i32>().ok().map(Value::from),
        (NUMBER_LONG, Value::String(text)) => text.parse::<i64>().ok().map(Value::from),
        (NUMBER_DOUBLE, Value::String(text)) => match text.as_str() {
            "NaN" => Some(Value::Float(f64::NAN)),
            "Infinity" => Some(Value::Float(f64::INFINITY)),
            "-Infinity" => Some(Value::Float(f64::NEG_INFINITY)),
            _ => text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float),
        },
        _ => None,
    }
}
