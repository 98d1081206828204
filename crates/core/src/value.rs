//! A JSON value, extended by the types that JSON lacks: the owned, editable form. Its encoded form is in
//! [`raw`](crate::raw), its order in [`order`](crate::order), its text in [`json`](crate::json).

use std::fmt;

use crate::{Binary, BinaryRef, Decimal, Error, Foreign, ForeignKind, Object, ObjectId};
use crate::{Result, Time, Uuid};

/// A value of a document.
///
/// Two values are equal (`==`) if neither sorts before the other in the total order of
/// [`order`](crate::order): `Value::from(1) == Value::from(1.0)`, and both differ from `"1"`.
/// [`Value::is_identical`] also distinguishes types and bits.
///
/// ```
/// use velocitydb_core::{Value, value};
///
/// let tags = value!(["urgent", 7, { "nested": null }]);
/// assert_eq!(tags.as_array().map(Vec::len), Some(3));
/// assert_eq!(Value::from(1), Value::from(1.0));
/// assert!(!Value::from(1).is_identical(&Value::from(1.0)));
/// ```
#[derive(Clone, Default)]
pub enum Value {
    /// An explicit absence of a value.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer above `i64::MAX`. Smaller ones are `Int`; the `From` implementations and the
    /// decoders ensure that, and the encoder writes both alike.
    UInt(u64),
    /// A double-precision float, NaN and the infinities included.
    Float(f64),
    /// Unicode text.
    String(String),
    /// Arbitrary bytes.
    Bytes(Vec<u8>),
    /// A point in time.
    Time(Time),
    /// An id as MongoDB gives its documents.
    ObjectId(ObjectId),
    /// A decimal number of 34 digits.
    Decimal(Decimal),
    /// Bytes with a subtype. Those of subtype 0 are `Bytes`; the `From` implementations and the
    /// decoders ensure that, and the encoder writes both alike.
    Binary(Binary),
    /// A value of a type that nothing here computes with.
    Foreign(Foreign),
    /// A list of values.
    Array(Vec<Value>),
    /// Named values.
    Object(Object),
}

/// The type of a [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// [`Value::Null`].
    Null,
    /// [`Value::Bool`].
    Bool,
    /// [`Value::Int`].
    Int,
    /// [`Value::UInt`].
    UInt,
    /// [`Value::Float`].
    Float,
    /// [`Value::String`].
    String,
    /// [`Value::Bytes`].
    Bytes,
    /// [`Value::Time`].
    Time,
    /// [`Value::Array`].
    Array,
    /// [`Value::Object`].
    Object,
    /// [`Value::ObjectId`].
    ObjectId,
    /// [`Value::Decimal`].
    Decimal,
    /// [`Value::Binary`].
    Binary,
    /// [`Value::Foreign`].
    Foreign(ForeignKind),
}

impl Kind {
    /// The name used in messages; both integer kinds are an "integer".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int | Self::UInt => "integer",
            Self::Float => "float",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Time => "time",
            Self::Array => "array",
            Self::Object => "object",
            Self::ObjectId => "ObjectId",
            Self::Decimal => "decimal",
            Self::Binary => "binary",
            Self::Foreign(kind) => kind.as_str(),
        }
    }

    /// Whether it is one of the types of numbers.
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::UInt | Self::Float | Self::Decimal)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Value {
    /// An upper bound of what a container, or an entry of one, adds to the encoding of a value:
    /// tag, count, end, length of a name.
    pub(crate) const ENTRY_LENGTH_MAX: usize = 16;

    /// An upper bound of the payload of a number, time or ObjectId.
    const SCALAR_LENGTH_MAX: usize = 17;

    /// An upper bound of the encoding's bytes; `None` when the value, at this depth, is nested
    /// too deeply to be encoded.
    pub(crate) fn encoded_length_max(&self, depth: usize) -> Option<usize> {
        if depth > crate::limits::DEPTH_MAX {
            return None;
        }
        let nested = |value: &Value, name: usize| {
            Some(value.encoded_length_max(depth + 1)? + name + Self::ENTRY_LENGTH_MAX)
        };
        let length: Option<usize> = match self {
            Self::String(text) => Some(text.len()),
            Self::Bytes(bytes) => Some(bytes.len()),
            Self::Binary(binary) => Some(binary.as_bytes().len()),
            Self::Foreign(foreign) => Some(foreign.as_raw().payload().len()),
            Self::Array(items) => items.iter().map(|item| nested(item, 0)).sum(),
            Self::Object(object) => {
                object.iter().map(|(name, value)| nested(value, name.len())).sum()
            }
            // An integer, float or time has 8 bytes, and a decimal or ObjectId has at most 17.
            _ => Some(Self::SCALAR_LENGTH_MAX),
        };
        Some(length? + Self::ENTRY_LENGTH_MAX)
    }

    /// The type of this value.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::UInt(_) => Kind::UInt,
            Self::Float(_) => Kind::Float,
            Self::String(_) => Kind::String,
            Self::Bytes(_) => Kind::Bytes,
            Self::Time(_) => Kind::Time,
            Self::Array(_) => Kind::Array,
            Self::Object(_) => Kind::Object,
            Self::ObjectId(_) => Kind::ObjectId,
            Self::Decimal(_) => Kind::Decimal,
            Self::Binary(binary) if binary.subtype() == 0 => Kind::Bytes,
            Self::Binary(_) => Kind::Binary,
            Self::Foreign(foreign) => Kind::Foreign(foreign.kind()),
        }
    }

    /// Whether this is null.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The truth value, if this is one.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The integer, if this is one that fits.
    pub const fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The integer, if this is one that fits.
    pub const fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(value) if *value >= 0 => Some(value.unsigned_abs()),
            Self::UInt(value) => Some(*value),
            _ => None,
        }
    }

    /// The float, if this is one. Integers are not converted.
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes, if this is bytes of no subtype.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.as_binary().filter(|binary| binary.subtype == 0).map(|binary| binary.bytes)
    }

    /// The bytes and their subtype, which is 0 for [`Value::Bytes`].
    pub fn as_binary(&self) -> Option<BinaryRef<'_>> {
        match self {
            Self::Bytes(bytes) => Some(BinaryRef { subtype: 0, bytes }),
            Self::Binary(binary) => Some(binary.as_raw()),
            _ => None,
        }
    }

    /// The UUID, if this is binary of that subtype.
    pub fn as_uuid(&self) -> Option<Uuid> {
        self.as_binary().and_then(BinaryRef::as_uuid)
    }

    /// The ObjectId, if this is one.
    pub const fn as_object_id(&self) -> Option<ObjectId> {
        match self {
            Self::ObjectId(value) => Some(*value),
            _ => None,
        }
    }

    /// The decimal, if this is one. Other numbers are not converted.
    pub const fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Decimal(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of a foreign type, if this is one.
    pub const fn as_foreign(&self) -> Option<&Foreign> {
        match self {
            Self::Foreign(value) => Some(value),
            _ => None,
        }
    }

    /// The time, if this is one.
    pub const fn as_time(&self) -> Option<Time> {
        match self {
            Self::Time(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    pub const fn as_array(&self) -> Option<&Vec<Value>> {
        match self {
            Self::Array(value) => Some(value),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    pub const fn as_array_mut(&mut self) -> Option<&mut Vec<Value>> {
        match self {
            Self::Array(value) => Some(value),
            _ => None,
        }
    }

    /// The fields, if this is an object.
    pub const fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(value) => Some(value),
            _ => None,
        }
    }

    /// The fields, if this is an object.
    pub const fn as_object_mut(&mut self) -> Option<&mut Object> {
        match self {
            Self::Object(value) => Some(value),
            _ => None,
        }
    }

    /// Whether both have the same type and the same bits. All NaNs are identical, since the
    /// encoding has only one.
    pub fn is_identical(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => {
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
            }
            (Self::Int(_) | Self::UInt(_), Self::Int(_) | Self::UInt(_)) => self == other,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(_) | Self::Binary(_), Self::Bytes(_) | Self::Binary(_)) => self == other,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::ObjectId(a), Self::ObjectId(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) => a.is_identical(*b),
            (Self::Foreign(a), Self::Foreign(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_identical(b))
            }
            (Self::Object(a), Self::Object(b)) => a.is_identical(b),
            _ => false,
        }
    }

    /// The integer that a number of any type is, if it is one of 64 bits.
    pub(crate) fn to_whole(&self) -> Option<i64> {
        match self {
            Self::Float(float) => {
                const END: f64 = 9_223_372_036_854_775_808.0;
                (float.fract() == 0.0 && (-END..END).contains(float)).then_some(*float as i64)
            }
            Self::Decimal(decimal) if decimal.is_whole() => decimal.to_integer()?.try_into().ok(),
            other => other.as_i64(),
        }
    }

    /// The smallest of the types that holds the integer.
    pub(crate) fn integer(value: i128) -> Option<Self> {
        match i64::try_from(value) {
            Ok(value) => Some(Self::Int(value)),
            Err(_) => u64::try_from(value).ok().map(Self::UInt),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::UInt(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::String(value) => value.fmt(f),
            Self::Bytes(value) => f.debug_tuple("Bytes").field(value).finish(),
            Self::Time(value) => write!(f, "Time({value})"),
            Self::ObjectId(value) => value.fmt(f),
            Self::Decimal(value) => value.fmt(f),
            Self::Binary(value) => value.fmt(f),
            Self::Foreign(value) => value.fmt(f),
            Self::Array(value) => value.fmt(f),
            Self::Object(value) => value.fmt(f),
        }
    }
}

/// Bytes as a field of a Rust type: `Vec<u8>` alone would be an array of numbers to serde.
///
/// ```
/// use velocitydb_core::{Bytes, Value};
///
/// assert_eq!(Value::from(Bytes(vec![1, 2])).as_bytes(), Some(&[1, 2][..]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub Vec<u8>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        bytes.0
    }
}

macro_rules! from {
    ($($from:ty, $value:ident => $into:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $into
            }
        }
    )*};
}

from! {
    (), _value => Self::Null;
    bool, value => Self::Bool(value);
    i8, value => Self::Int(value.into());
    i16, value => Self::Int(value.into());
    i32, value => Self::Int(value.into());
    i64, value => Self::Int(value);
    u8, value => Self::Int(value.into());
    u16, value => Self::Int(value.into());
    u32, value => Self::Int(value.into());
    u64, value => i64::try_from(value).map_or(Self::UInt(value), Self::Int);
    usize, value => Self::from(value as u64);
    f32, value => Self::Float(value.into());
    f64, value => Self::Float(value);
    char, value => Self::String(value.into());
    &str, value => Self::String(value.into());
    String, value => Self::String(value);
    Bytes, value => Self::Bytes(value.0);
    Time, value => Self::Time(value);
    ObjectId, value => Self::ObjectId(value);
    Decimal, value => Self::Decimal(value);
    Uuid, value => Self::Binary(value.into());
    Binary, value => match value.subtype() {
        0 => Self::Bytes(value.into_bytes()),
        _ => Self::Binary(value),
    };
    Foreign, value => Self::Foreign(value);
    Object, value => Self::Object(value);
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        values.into_iter().collect()
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(values: [T; N]) -> Self {
        values.into_iter().collect()
    }
}

impl<T: Clone + Into<Value>> From<&[T]> for Value {
    fn from(values: &[T]) -> Self {
        values.iter().cloned().collect()
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

macro_rules! try_from {
    ($($into:ty, $expected:literal, $value:ident => $option:expr;)*) => {$(
        impl TryFrom<Value> for $into {
            type Error = Error;

            fn try_from($value: Value) -> Result<Self> {
                let found = $value.kind();
                $option.ok_or(Error::Conversion { expected: $expected.into(), found })
            }
        }
    )*};
}

try_from! {
    bool, "a bool", value => value.as_bool();
    i32, "an integer of 32 bits", value => value.as_i64().and_then(|value| value.try_into().ok());
    i64, "an integer of 64 bits with sign", value => value.as_i64();
    u32, "an unsigned integer of 32 bits", value => value.as_u64().and_then(|value| value.try_into().ok());
    u64, "an unsigned integer of 64 bits", value => value.as_u64();
    f64, "a float", value => value.as_f64();
    Time, "a time", value => value.as_time();
    String, "a string", value => match value { Value::String(value) => Some(value), _ => None };
    Bytes, "bytes", value => match value {
        Value::Bytes(value) => Some(Bytes(value)),
        Value::Binary(value) if value.subtype() == 0 => Some(Bytes(value.into_bytes())),
        _ => None,
    };
    Binary, "bytes", value => value.as_binary().map(BinaryRef::to_binary);
    Uuid, "a UUID", value => value.as_uuid();
    ObjectId, "an ObjectId", value => value.as_object_id();
    Decimal, "a decimal", value => value.as_decimal();
    Foreign, "of a type that nothing computes with", value => match value { Value::Foreign(value) => Some(value), _ => None };
    Vec<Value>, "an array", value => match value { Value::Array(value) => Some(value), _ => None };
    Object, "an object", value => match value { Value::Object(value) => Some(value), _ => None };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_unsigned_integers_become_signed_ones() {
        assert!(matches!(Value::from(7_u64), Value::Int(7)));
        assert!(matches!(Value::from(u64::MAX), Value::UInt(_)));
        assert!(Value::UInt(7).is_identical(&Value::Int(7)));
        assert_eq!(u64::try_from(Value::Int(7)), Ok(7));
        let error = i64::try_from(Value::from("7")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a value of type string is not an integer of 64 bits with sign"
        );
    }

    #[test]
    fn a_value_is_small() {
        assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
    }

    #[test]
    fn bytes_have_one_form() {
        let bytes = Value::from(Bytes(vec![1]));
        assert!(matches!(Value::from(Binary::new(0, [1])), Value::Bytes(_)));
        assert!(Value::Binary(Binary::new(0, [1])).is_identical(&bytes));
        assert_eq!(Value::Binary(Binary::new(0, [1])).kind(), Kind::Bytes);
        assert_ne!(Value::from(Binary::new(1, [1])), bytes);
    }

    #[test]
    fn identity_is_finer_than_equality() {
        for (a, b) in [
            (Value::from(1), Value::from(1.0)),
            (Value::from(0.0), Value::from(-0.0)),
            (crate::value!([1, { "a": 1 }]), crate::value!([1.0, { "a": 1.0 }])),
        ] {
            assert_eq!(a, b);
            assert!(!a.is_identical(&b) && a.is_identical(&a));
        }
        assert!(Value::from(f64::NAN).is_identical(&Value::from(-f64::NAN)));
    }
}
