//! The compact binary encoding of documents: draws its bytes, and writes them. Reading is in
//! [`raw`](crate::raw).
//!
//! A value is a tag byte and a payload. It does not know its own length: whoever holds it does.
//!
//! ```text
//! tag        value                payload
//! 0x00       null                 none
//! 0x01 0x02  false, true          none
//! 0x03       integer (i64)        0 to 8 bytes, little-endian two's complement, as few as will do
//! 0x04       integer > i64::MAX   8 bytes, little-endian
//! 0x05       float                8 bytes, little-endian IEEE 754; one NaN, 0x7ff8000000000000
//! 0x06       string               UTF-8
//! 0x07       bytes                the bytes
//! 0x08       time                 8 bytes, little-endian, signed: microseconds since 1970, UTC
//! 0x09+w     array                container of elements
//! 0x0c+w     object               container of fields, sorted by the bytes of their names
//! ```
//!
//! A container numbers in units of 1, 2 or 4 bytes (`w` = 0, 1, 2), little-endian: the smallest
//! that can number its body. So an entry is found by its position, and a field by binary search,
//! without reading the others.
//!
//! ```text
//! ┌─────┬───────┬────────────┬─────┬────────────┬─────────┬─────┬─────────┐
//! │ tag │ count │ end of 1st │  …  │ end of nth │ 1st     │  …  │ nth     │
//! │     │ (n)   │    entry   │     │    entry   │ entry   │     │ entry   │
//! └─────┴───────┴────────────┴─────┴────────────┴─────────┴─────┴─────────┘
//!                 ends count from the body's start ▲ body
//!
//! entry of an array:   value
//! entry of an object:  ┌────────────────┬──────┬───────┐
//!                      │ length of name │ name │ value │
//!                      └────────────────┴──────┴───────┘
//!                        0lllllll, or 1lllllll llllllll (high byte first) from 128 on
//! ```
//!
//! The encoding is canonical: of a value there is one encoding, and identical values
//! ([`Value::is_identical`]) have identical bytes. Bytes that differ can still be *equal* values
//! (`1` and `1.0`); compare with [`order`](crate::order).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoder::Encoder;
use crate::limits::{DEPTH_MAX, FIELD_NAME_BYTES_MAX, PATH_BYTES_MAX};
use crate::{
    Error, Kind, Object, RawObject, RawValue, Result, Value, json, serializer::Serializer,
};

/// The tags, and the choices that make the encoding canonical.
pub(crate) mod tag {
    pub(crate) const NULL: u8 = 0x00;
    pub(crate) const FALSE: u8 = 0x01;
    pub(crate) const TRUE: u8 = 0x02;
    pub(crate) const INT: u8 = 0x03;
    pub(crate) const UINT: u8 = 0x04;
    pub(crate) const FLOAT: u8 = 0x05;
    pub(crate) const STRING: u8 = 0x06;
    pub(crate) const BYTES: u8 = 0x07;
    pub(crate) const TIME: u8 = 0x08;
    pub(crate) const ARRAY: u8 = 0x09;
    pub(crate) const OBJECT: u8 = 0x0c;
    pub(crate) const MAX: u8 = 0x0e;

    /// How many bytes of two's complement hold the integer.
    pub(crate) const fn int_bytes(value: i64) -> usize {
        let magnitude_bits = 64 - (value ^ (value >> 63)).leading_zeros();
        if value == 0 { 0 } else { magnitude_bits as usize / 8 + 1 }
    }

    /// The `w` of a container with a body of that many bytes.
    pub(crate) const fn width(body_bytes: usize) -> u8 {
        match body_bytes {
            ..0x100 => 0,
            0x100..0x1_0000 => 1,
            _ => 2,
        }
    }
}

/// An encoded object: canonical bytes that keep all limits. What a document's fields are stored as.
///
/// ```
/// use velocitydb_core::{Encoded, object};
///
/// let encoded = Encoded::from_object(&object! { "name": "Alice", "age": 28 })?;
/// assert_eq!(encoded, Encoded::from_json(r#"{"age": 28, "name": "Alice"}"#)?);
/// assert_eq!(encoded.as_bytes().len(), 21);
/// assert_eq!(encoded.view().get("age")?.expect("it was just written").as_i64()?, Some(28));
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Encoded(Vec<u8>);

impl Encoded {
    /// Encodes an object, or says which limit it breaks, and where.
    pub fn from_object(object: &Object) -> Result<Self> {
        let mut bytes = Vec::with_capacity(256);
        encode_into(object, &mut bytes)?;
        Ok(Self(bytes))
    }

    /// Encodes a Rust value that serializes as an object: a struct, or a map with text keys.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let mut bytes = Vec::with_capacity(256);
        encode_serialize_into(value, &mut bytes)?;
        Ok(Self(bytes))
    }

    /// Encodes a JSON object, extended JSON included.
    pub fn from_json(text: &str) -> Result<Self> {
        let mut bytes = Vec::with_capacity(256);
        json::encode_json_into(text, Names::Document, &mut bytes)?;
        ensure_object(&bytes)?;
        Ok(Self(bytes))
    }

    /// Takes bytes that anybody may have made, after a full check.
    pub fn from_untrusted(bytes: Vec<u8>) -> Result<Self> {
        RawObject::validate(&bytes)?;
        Ok(Self(bytes))
    }

    /// Takes bytes that were validated before, and that a checksum has protected since. Only the
    /// header is checked here.
    pub fn from_trusted(bytes: Vec<u8>) -> Result<Self> {
        RawObject::new(&bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The fields, to be read without decoding all of them.
    pub fn view(&self) -> RawObject<'_> {
        RawObject::new(&self.0).expect("every constructor has checked the header")
    }

    /// Decodes the object.
    pub fn to_object(&self) -> Result<Object> {
        self.view().to_object()
    }

    /// The object as JSON text.
    pub fn to_json(&self) -> Result<String> {
        self.view().to_json()
    }

    /// Reads the object as a Rust type, which may borrow strings and bytes from it.
    pub fn deserialize<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        self.view().deserialize()
    }

    /// Copies a view, whose header has been checked.
    pub(crate) fn from_view(view: RawObject<'_>) -> Self {
        Self(view.as_encoded().to_vec())
    }
}

impl Default for Encoded {
    /// The object without fields.
    fn default() -> Self {
        Self(vec![tag::OBJECT, 0])
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

/// Appends the encoding of an object to a buffer, which is left as it was on an error.
pub fn encode_into(object: &Object, buffer: &mut Vec<u8>) -> Result<()> {
    append(buffer, Names::Document, |encoder| encoder.object(object))
}

/// Appends the encoding of a value of any type to a buffer, which is left as it was on an error.
/// Read it with [`RawValue`].
pub fn encode_value_into(value: &Value, buffer: &mut Vec<u8>) -> Result<()> {
    append(buffer, Names::Document, |encoder| encoder.value(value))
}

/// Appends the encoding of a sort to a buffer, which is left as it was on an error: an object whose
/// names are paths, or a list of such.
pub(crate) fn encode_sort_into(sort: &Value, buffer: &mut Vec<u8>) -> Result<()> {
    append(buffer, Names::Operators, |encoder| encoder.value(sort))
}

/// Appends the encoding of an object whose names may begin with `$` to a buffer, which is left as it
/// was on an error: a schema, for instance, which is no document.
pub fn encode_operators_into(object: &Object, buffer: &mut Vec<u8>) -> Result<()> {
    append(buffer, Names::Operators, |encoder| encoder.object(object))
}

/// Appends the encoding of a Rust value that serializes as an object to a buffer, which is left as
/// it was on an error.
pub fn encode_serialize_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<()> {
    let start = buffer.len();
    append(buffer, Names::Document, |encoder| value.serialize(Serializer::new(encoder)))?;
    ensure_object(&buffer[start..]).inspect_err(|_| buffer.truncate(start))
}

/// Runs an encoder on the end of a buffer, and undoes what it wrote if it fails.
pub(crate) fn append(
    buffer: &mut Vec<u8>,
    names: Names,
    encode: impl FnOnce(&mut Encoder<'_>) -> Result<()>,
) -> Result<()> {
    let base = buffer.len();
    let result = encode(&mut Encoder::new(buffer, names));
    if result.is_err() {
        buffer.truncate(base);
    }
    result
}

fn ensure_object(encoded: &[u8]) -> Result<()> {
    match RawValue::new(encoded)?.kind() {
        Kind::Object => Ok(()),
        found => Err(Error::Conversion { expected: "an object, as a document has to be", found }),
    }
}

/// Which names fields may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// No name may begin with `$`: operators and extended JSON could not be told from data.
    Document,
    /// Any name: what is encoded is itself an update or a filter.
    Operators,
}

impl Names {
    /// How many levels of operators there can be around a value: `{"$push": {"path": {"$each": []}}}`.
    pub(crate) const OPERATOR_LEVELS: usize = 4;

    pub(crate) const fn depth_max(self) -> usize {
        match self {
            Self::Document => DEPTH_MAX,
            Self::Operators => DEPTH_MAX + Self::OPERATOR_LEVELS,
        }
    }

    /// How many bytes a name may have. Among operators, names are paths too.
    pub(crate) const fn bytes_max(self) -> usize {
        match self {
            Self::Document => FIELD_NAME_BYTES_MAX,
            Self::Operators => PATH_BYTES_MAX,
        }
    }

    pub(crate) fn allow(self, name: &str) -> bool {
        self == Self::Operators || !name.starts_with('$')
    }
}
