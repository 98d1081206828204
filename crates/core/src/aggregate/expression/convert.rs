//! Types: their names, and conversions between them.

use super::builtin::{Builtin, Call};
use super::item::{Item, Number};
use crate::error::shortened;
use crate::{Decimal, Kind, ObjectId, Result, Time, Uuid, Value};

pub(super) static BUILTINS: [Builtin; 12] = [
    Builtin::named("$convert", &["input", "to", "onError", "onNull"], 2, convert),
    Builtin::list("$isNumber", 1, 1, |call| Ok(Item::bool(call.item(0)?.number()?.is_some()))),
    Builtin::list("$toBool", 1, 1, |call| single(call, Target::Bool)),
    Builtin::list("$toDate", 1, 1, |call| single(call, Target::Time)),
    Builtin::list("$toDecimal", 1, 1, |call| single(call, Target::Decimal)),
    Builtin::list("$toDouble", 1, 1, |call| single(call, Target::Double)),
    Builtin::list("$toInt", 1, 1, |call| single(call, Target::Int)),
    Builtin::list("$toLong", 1, 1, |call| single(call, Target::Long)),
    Builtin::list("$toObjectId", 1, 1, |call| single(call, Target::ObjectId)),
    Builtin::list("$toString", 1, 1, |call| single(call, Target::Text)),
    Builtin::list("$toUUID", 1, 1, |call| single(call, Target::Uuid)),
    Builtin::list("$type", 1, 1, |call| Ok(Value::from(type_name(&call.item(0)?)?).into())),
];

/// What a value can be converted to.
#[derive(Debug, Clone, Copy)]
enum Target {
    Bool,
    Int,
    Long,
    Double,
    Decimal,
    Text,
    Time,
    ObjectId,
    /// Only of `$toUUID`: `$convert` has no name for it.
    Uuid,
}

/// With the names and numbers of the types.
const TARGETS: [(&str, f64, Target); 8] = [
    ("bool", 8.0, Target::Bool),
    ("int", 16.0, Target::Int),
    ("long", 18.0, Target::Long),
    ("double", 1.0, Target::Double),
    ("decimal", 19.0, Target::Decimal),
    ("string", 2.0, Target::Text),
    ("date", 9.0, Target::Time),
    ("objectId", 7.0, Target::ObjectId),
];

/// MongoDB's name of the type. Integers are `int` if they fit 32 bits, and `long` otherwise.
fn type_name(item: &Item<'_>) -> Result<&'static str> {
    Ok(match item.kind() {
        None => "missing",
        Some(Kind::Null) => "null",
        Some(Kind::Bool) => "bool",
        Some(Kind::Int | Kind::UInt) => match item.number()?.and_then(Number::as_whole) {
            Some(value) if i32::try_from(value).is_ok() => "int",
            _ => "long",
        },
        Some(Kind::Float) => "double",
        Some(Kind::Decimal) => "decimal",
        Some(Kind::ObjectId) => "objectId",
        Some(Kind::String) => "string",
        Some(Kind::Bytes | Kind::Binary) => "binData",
        Some(Kind::Foreign(kind)) => kind.as_str(),
        Some(Kind::Time) => "date",
        Some(Kind::Array) => "array",
        Some(Kind::Object) => "object",
    })
}

/// The text of a number, bool, time, ObjectId or UUID.
pub(super) fn to_text(item: &Item<'_>) -> Result<Option<String>> {
    if let Some(time) = item.time()? {
        return Ok(Some(time_text(time)));
    }
    Ok(match item.as_value()?.as_deref() {
        Some(Value::Int(value)) => Some(value.to_string()),
        Some(Value::UInt(value)) => Some(value.to_string()),
        Some(Value::Float(value)) => Some(float_text(*value)),
        Some(Value::Decimal(value)) => Some(value.to_string()),
        Some(Value::ObjectId(value)) => Some(value.to_string()),
        Some(value @ Value::Binary(_)) => value.as_uuid().map(|id| id.to_string()),
        Some(Value::Bool(value)) => Some(value.to_string()),
        Some(Value::String(value)) => Some(value.clone()),
        _ => None,
    })
}

/// The shortest text that parses as the same float. From 1e16 on, and below 1e-4, it has an exponent,
/// of at least two digits: `1e+16`, `9e-05`.
fn float_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = value.abs();
    if !size.is_finite() || size == 0.0 || (1e-4..1e16).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |it| ('-', it));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// With milliseconds as MongoDB writes them, and with microseconds if they are not zero.
fn time_text(time: Time) -> String {
    let text = time.to_string();
    let micros = time.as_micros();
    match micros.rem_euclid(1_000) {
        0 => format!("{}.{:03}Z", &text[..19], micros.rem_euclid(1_000_000) / 1_000),
        _ => text,
    }
}

fn single(call: &Call<'_>, target: Target) -> Result<Item<'static>> {
    let item = call.item(0)?;
    if item.is_nullish() {
        return Ok(Item::null());
    }
    convert_to(&item, target)?.map(Item::from).map_err(|problem| call.fail(problem))
}

fn convert<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let item = call.item(0)?;
    let target = target(call)?;
    if item.is_nullish() {
        return if call.node(3).is_some() { call.item(3) } else { Ok(Item::null()) };
    }
    let Some(target) = target else { return Ok(Item::null()) };
    match convert_to(&item, target)? {
        Ok(value) => Ok(value.into()),
        Err(_) if call.node(2).is_some() => call.item(2),
        Err(problem) => Err(call.fail(problem)),
    }
}

/// Further types that MongoDB's `$convert` converts to.
const ABSENT_TARGETS: [(&str, f64); 4] =
    [("array", 4.0), ("binData", 5.0), ("object", 3.0), ("timestamp", 17.0)];

/// The target type of `$convert`; `None` if that is null or missing.
fn target(call: &Call<'_>) -> Result<Option<Target>> {
    let to = call.item(1)?;
    if to.is_nullish() {
        return Ok(None);
    }
    let number = to.number()?.map(Number::to_f64);
    let text = to.text()?;
    let shown = match (text, number) {
        (Some(text), _) => format!("{:?}", shortened(text)),
        (None, Some(number)) => number.to_string(),
        (None, None) => return Err(call.mismatch("the name or the number of a type as `to`", &to)),
    };
    let is_meant = |name: &str, code: f64| number == Some(code) || text == Some(name);
    if let Some((_, _, target)) = TARGETS.iter().find(|(name, code, _)| is_meant(name, *code)) {
        return Ok(Some(*target));
    }
    if ABSENT_TARGETS.iter().any(|(name, code)| is_meant(name, *code)) {
        return Err(call.fail(format!("to the type {shown} is not supported yet")));
    }
    let names: Vec<&str> = TARGETS.iter().map(|(name, ..)| *name).collect();
    Err(call.fail(format!("converts to {}, not {shown}", names.join(", "))))
}

/// The converted value, or why there is none.
fn convert_to(item: &Item<'_>, target: Target) -> Result<Result<Value, String>> {
    Ok(match target {
        Target::Bool => Ok(Value::Bool(item.is_true()?)),
        Target::Int => to_integer(item, i32::MIN.into()..=i32::MAX.into())?,
        Target::Long => to_integer(item, i64::MIN.into()..=u64::MAX.into())?,
        Target::Double => to_double(item)?,
        Target::Decimal => to_decimal(item)?,
        Target::ObjectId => to_object_id(item)?,
        Target::Uuid => to_uuid(item)?,
        Target::Text => to_text(item)?.map(Value::String).ok_or_else(|| no_way(item, "a string")),
        Target::Time => to_time(item)?,
    })
}

fn no_way(item: &Item<'_>, to: &str) -> String {
    format!("cannot convert a value of type {} to {to}", item.kind_name())
}

fn to_integer(
    item: &Item<'_>,
    range: std::ops::RangeInclusive<i128>,
) -> Result<Result<Value, String>> {
    let integer = if let Some(number) = item.number()? {
        match number {
            Number::Int(value) => Some(value),
            Number::Float(value) if value.is_finite() => Some(value.trunc() as i128),
            Number::Float(_) => None,
            Number::Decimal(value) => value.to_integer(),
        }
    } else if let Some(time) = item.time()? {
        Some(time.as_millis().into())
    } else if let Some(text) = item.text()? {
        match text.parse() {
            Ok(value) => Some(value),
            Err(_) => return Ok(Err(format!("cannot read {:?} as an integer", shortened(text)))),
        }
    } else if item.kind() == Some(Kind::Bool) {
        Some(item.is_true()?.into())
    } else {
        return Ok(Err(no_way(item, "an integer")));
    };
    let value = integer.filter(|value| range.contains(value)).and_then(Value::integer);
    let bits = if *range.end() > i128::from(i32::MAX) { "64 bits" } else { "32 bits" };
    Ok(value.ok_or_else(|| format!("found a number that does not fit {bits}")))
}

fn to_double(item: &Item<'_>) -> Result<Result<Value, String>> {
    Ok(if let Some(number) = item.number()? {
        match (number, number.to_f64()) {
            (Number::Decimal(decimal), float) if decimal.is_finite() && float.is_infinite() => {
                Err(format!("found {decimal}, which is beyond what a float can hold"))
            }
            (_, float) => Ok(Value::Float(float)),
        }
    } else if let Some(time) = item.time()? {
        Ok(Value::Float(time.as_millis() as f64))
    } else if let Some(text) = item.text()? {
        read_float(text).map(Value::Float)
    } else if item.kind() == Some(Kind::Bool) {
        Ok(Value::Float(f64::from(u8::from(item.is_true()?))))
    } else {
        Err(no_way(item, "a float"))
    })
}

/// Floats are rounded to 15 digits.
fn to_decimal(item: &Item<'_>) -> Result<Result<Value, String>> {
    Ok(if let Some(number) = item.number()? {
        Ok(number.to_decimal().into())
    } else if let Some(time) = item.time()? {
        Ok(Decimal::from(time.as_millis()).into())
    } else if let Some(text) = item.text()? {
        text.parse::<Decimal>().map(Value::from).map_err(|error| format!("found: {error}"))
    } else if item.kind() == Some(Kind::Bool) {
        Ok(Decimal::from(u8::from(item.is_true()?)).into())
    } else {
        Err(no_way(item, "a decimal"))
    })
}

fn to_object_id(item: &Item<'_>) -> Result<Result<Value, String>> {
    Ok(match item.as_value()?.as_deref() {
        Some(id @ Value::ObjectId(_)) => Ok(id.clone()),
        Some(Value::String(text)) => {
            text.parse::<ObjectId>().map(Value::from).map_err(|error| format!("found: {error}"))
        }
        _ => Err(no_way(item, "an ObjectId")),
    })
}

fn to_uuid(item: &Item<'_>) -> Result<Result<Value, String>> {
    Ok(match item.as_value()?.as_deref() {
        Some(id @ Value::Binary(_)) if id.as_uuid().is_some() => Ok(id.clone()),
        Some(Value::String(text)) => {
            text.parse::<Uuid>().map(Value::from).map_err(|error| format!("found: {error}"))
        }
        _ => Err(no_way(item, "a UUID")),
    })
}

/// Parses a text as a float. A number beyond the range of floats is an error: it is neither infinity
/// nor zero.
fn read_float(text: &str) -> Result<f64, String> {
    let value: f64 =
        text.parse().map_err(|_| format!("cannot read {:?} as a number", shortened(text)))?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let has_digits = mantissa.bytes().any(|byte| byte.is_ascii_digit());
    let is_zero = !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    let is_beyond = value.is_infinite() || (value == 0.0 && !is_zero);
    if has_digits && is_beyond {
        return Err(format!("found {:?}, which is beyond what a float can hold", shortened(text)));
    }
    Ok(value)
}

/// Numbers are milliseconds since 1970, text is RFC 3339, and an ObjectId has its time of creation.
fn to_time(item: &Item<'_>) -> Result<Result<Value, String>> {
    Ok(if let Some(time) = item.time()? {
        Ok(Value::Time(time))
    } else if let Some(Value::ObjectId(id)) = item.as_value()?.as_deref() {
        Ok(Value::Time(id.time()))
    } else if let Some(number) = item.number()? {
        let millis = match number {
            Number::Int(value) => i64::try_from(value).ok(),
            Number::Float(value) => Some(value as i64).filter(|_| value.is_finite()),
            Number::Decimal(value) => value.to_integer().and_then(|value| value.try_into().ok()),
        };
        let time = millis.and_then(|millis| Time::from_millis(millis).ok());
        time.map(Value::Time)
            .ok_or_else(|| "found milliseconds outside of the years 0001 to 9999".to_owned())
    } else if let Some(text) = item.text()? {
        let time = in_full(text).parse::<Time>();
        time.map(Value::Time).map_err(|_| {
            format!("cannot read {:?} as a time; write 2026-11-23T09:15:00Z", shortened(text))
        })
    } else {
        Err(no_way(item, "a time"))
    })
}

/// Completes a time to RFC 3339. Parts may be missing: the time of day, its seconds, the zone (then
/// it is UTC), the colon in the zone; and a space may replace the `T`.
fn in_full(text: &str) -> String {
    let Some((date, rest)) = text.split_at_checked(10) else { return text.to_owned() };
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
        return if rest.is_empty() { format!("{date}T00:00:00Z") } else { text.to_owned() };
    };
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = (rest[..at].trim_end(), &rest[at..]);
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    let zone = match zone.len() {
        0 => "Z".to_owned(),
        3 => format!("{zone}:00"),
        5 if zone.is_ascii() && !zone.contains(':') => format!("{}:{}", &zone[..3], &zone[3..]),
        _ => zone.to_owned(),
    };
    format!("{date}T{clock}{seconds}{zone}")
}
