//! How each stored type appears to JSON Schema: exact numbers, and values that appear as strings.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonschema::json::JsonNumber;
use velocitydb_core::{BinaryRef, Decimal, Kind, RawValue, Rounding};

use super::meter::{BYTES_PER_STEP, Meter};

/// The text of a value that JSON Schema sees as a string.
pub(super) fn text_of(value: RawValue<'_>) -> velocitydb_core::Result<Option<Cow<'_, str>>> {
    Ok(match value.kind() {
        Kind::String => value.as_str()?.map(Cow::Borrowed),
        Kind::Time => value.as_time()?.map(|time| Cow::Owned(time.to_string())),
        Kind::Bytes | Kind::Binary => {
            value.as_binary()?.map(|binary| Cow::Owned(binary_text(binary)))
        }
        Kind::ObjectId => value.as_object_id()?.map(|id| Cow::Owned(id.to_string())),
        Kind::Decimal => value
            .as_decimal()?
            .filter(|decimal| !decimal.is_finite())
            .map(|decimal| Cow::Owned(decimal.to_string())),
        Kind::Foreign(_) => Some(Cow::Owned(value.to_json()?)),
        Kind::Float => value.as_f64()?.and_then(non_finite_name).map(Cow::Borrowed),
        _ => None,
    })
}

/// A UUID as its own text, and all other bytes in base64.
fn binary_text(binary: BinaryRef<'_>) -> String {
    binary.as_uuid().map_or_else(|| STANDARD.encode(binary.bytes), |id| id.to_string())
}

/// The string for a float that JSON cannot write as a number.
fn non_finite_name(float: f64) -> Option<&'static str> {
    match float {
        _ if float.is_finite() => None,
        _ if float.is_nan() => Some("NaN"),
        _ if float > 0.0 => Some("Infinity"),
        _ => Some("-Infinity"),
    }
}

/// The value as a number, if JSON can write it as one.
pub(super) fn number_of(value: RawValue<'_>) -> velocitydb_core::Result<Option<Number>> {
    Ok(match value.kind() {
        Kind::Int => value.as_i64()?.map(Number::Int),
        Kind::UInt => value.as_u64()?.map(Number::UInt),
        Kind::Float => value.as_f64()?.filter(|float| float.is_finite()).map(Number::Float),
        Kind::Decimal => value.as_decimal()?.filter(|one| one.is_finite()).map(Number::Decimal),
        _ => None,
    })
}

/// An exact, finite number.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Int(i64),
    UInt(u64),
    Float(f64),
    Decimal(Decimal),
}

impl JsonNumber for Number {
    #[inline]
    fn as_u64(&self) -> Option<u64> {
        match self {
            Number::Int(int) => u64::try_from(*int).ok(),
            Number::UInt(int) => Some(*int),
            Number::Float(_) => None,
            Number::Decimal(decimal) => whole(*decimal)?.try_into().ok(),
        }
    }

    #[inline]
    fn as_i64(&self) -> Option<i64> {
        match self {
            Number::Int(int) => Some(*int),
            Number::UInt(_) | Number::Float(_) => None,
            Number::Decimal(decimal) => whole(*decimal)?.try_into().ok(),
        }
    }

    #[inline]
    fn as_f64(&self) -> Option<f64> {
        Some(match self {
            Number::Int(int) => *int as f64,
            Number::UInt(int) => *int as f64,
            Number::Float(float) => *float,
            // A number beyond all floats is none of them.
            Number::Decimal(decimal) => Some(decimal.to_f64()).filter(|float| float.is_finite())?,
        })
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(match self {
            Number::Decimal(decimal) => decimal.to_string(),
            number => number.to_number().to_string(),
        })
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(match self {
            Number::Int(int) => (*int).into(),
            Number::UInt(int) => (*int).into(),
            Number::Float(float) => {
                serde_json::Number::from_f64(*float).expect("only finite floats are numbers here")
            }
            Number::Decimal(decimal) => decimal_number(*decimal),
        })
    }

    #[inline]
    fn is_integer(&self) -> bool {
        match self {
            Number::Int(_) | Number::UInt(_) => true,
            Number::Float(float) => float.fract() == 0.0,
            Number::Decimal(decimal) => decimal.is_whole(),
        }
    }

    fn is_written_as_integer(&self) -> bool {
        match self {
            Number::Int(_) | Number::UInt(_) => true,
            Number::Float(_) => false,
            Number::Decimal(decimal) => decimal.exponent() == 0,
        }
    }
}

/// A decimal as an integer, if it is whole and has at most 64 bits.
fn whole(decimal: Decimal) -> Option<i128> {
    let float = decimal.to_f64();
    let fits = decimal.is_whole() && float.abs() <= 2_f64.powi(64);
    // The integer is that of a text without an exponent.
    let shifted = fits.then(|| decimal.rounded(0, Rounding::Truncate).to_string());
    shifted.and_then(|text| text.parse().ok())
}

/// The JSON number that is nearest to a decimal.
fn decimal_number(decimal: Decimal) -> serde_json::Number {
    let integer = whole(decimal).and_then(serde_json::Number::from_i128);
    let float = decimal.to_f64().clamp(f64::MIN, f64::MAX);
    integer.or_else(|| serde_json::Number::from_f64(float)).unwrap_or_else(|| 0.into())
}

/// The decimal of a JSON number's text; `None` where it has more than 34 digits.
pub(super) fn decimal_of(number: &serde_json::Number) -> Option<Decimal> {
    number.to_string().parse().ok()
}

impl Number {
    /// Whether both are the same number, whatever their types.
    fn equals(self, other: &serde_json::Number) -> bool {
        if let Number::Decimal(decimal) = self {
            return decimal_of(other) == Some(decimal);
        }
        let whole = |float: f64| {
            // Beyond this every comparison with 64 bits is false, and below it the cast is exact.
            let fits = float.fract() == 0.0 && float.abs() < 2f64.powi(65);
            fits.then_some(float as i128)
        };
        let integer = match self {
            Number::Int(int) => Some(i128::from(int)),
            Number::UInt(int) => Some(i128::from(int)),
            Number::Float(_) | Number::Decimal(_) => None,
        };
        let other_integer = other.as_i64().map(i128::from).or(other.as_u64().map(i128::from));
        match (integer, other_integer, self, other.as_f64()) {
            (Some(a), Some(b), ..) => a == b,
            (Some(a), None, _, Some(b)) => whole(b) == Some(a),
            (None, Some(b), Number::Float(a), _) => whole(a) == Some(b),
            (None, None, Number::Float(a), Some(b)) => a == b,
            _ => false,
        }
    }
}

/// Whether a value equals one of `const` or `enum`.
pub(super) fn equals(
    value: RawValue<'_>,
    expected: &serde_json::Value,
    meter: &Meter,
) -> velocitydb_core::Result<bool> {
    use serde_json::Value as Expected;
    if !meter.spend(1) {
        return Ok(false);
    }
    match expected {
        Expected::Null => Ok(value.is_null()),
        Expected::Bool(bool) => Ok(value.as_bool()? == Some(*bool)),
        Expected::Number(number) => Ok(number_of(value)?.is_some_and(|found| found.equals(number))),
        Expected::String(string) => Ok(meter.spend(string.len() as u64 / BYTES_PER_STEP)
            && text_of(value)?.is_some_and(|text| text == string.as_str())),
        Expected::Array(items) => {
            let Some(array) = value.as_array()?.filter(|array| array.len() == items.len()) else {
                return Ok(false);
            };
            for (item, expected) in array.iter().zip(items) {
                if !equals(item?, expected, meter)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Expected::Object(fields) => {
            let Some(object) = value.as_object()?.filter(|object| object.len() == fields.len())
            else {
                return Ok(false);
            };
            for (name, expected) in fields {
                match object.get(name)? {
                    Some(value) if equals(value, expected, meter)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
    }
}

/// A value as JSON Schema sees it.
pub(super) fn to_json(value: &velocitydb_core::Value) -> serde_json::Value {
    use velocitydb_core::Value;
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(bool) => (*bool).into(),
        Value::Int(int) => (*int).into(),
        Value::UInt(int) => (*int).into(),
        Value::Float(float) => match serde_json::Number::from_f64(*float) {
            Some(number) => number.into(),
            None => non_finite_name(*float).into(),
        },
        Value::String(string) => string.as_str().into(),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
        Value::Binary(binary) => binary_text(binary.as_raw()).into(),
        Value::ObjectId(id) => id.to_string().into(),
        Value::Decimal(decimal) if decimal.is_finite() => decimal_number(*decimal).into(),
        Value::Decimal(decimal) => decimal.to_string().into(),
        Value::Foreign(_) => value.to_json().into(),
        Value::Time(time) => time.to_string().into(),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.to_owned(), to_json(value)));
            serde_json::Value::Object(fields.collect())
        }
    }
}
