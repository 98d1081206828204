//! The compact binary encoding of documents: draws its bytes, and writes them. Reading is in
//! [`raw`](crate::raw).
//!
//! A value is a tag byte and a payload. It does not contain its own length: its container or record
//! does.
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
//! 0x0c+w     object               container of fields, in the order of the bytes of their names
//! 0x0f+w     object               container of fields, in any other order
//! 0x12       ObjectId             12 bytes
//! 0x13       decimal              2 bytes, little-endian: exponent + 6176, or 0x7800 for infinity, 0x7c00
//!                                 for NaN; the highest bit is the sign (of NaN 0). Then the coefficient,
//!                                 little-endian, 0 to 15 bytes, as few as will do
//! 0x14       binary               subtype, which is not 0, and the bytes
//! 0x15       foreign              number of its type, and its payload: see [`Foreign`](crate::Foreign)
//! ```
//!
//! A container numbers in units of 1, 2 or 4 bytes (`w` = 0, 1, 2), little-endian: the smallest
//! that can number its body. So an entry is found by its position, and a field by binary search,
//! without reading the others.
//!
//! ```text
//! ┌─────┬───────┬────────────┬─────┬────────────┬───────┬─────────┬─────┬─────────┐
//! │ tag │ count │ end of 1st │  …  │ end of nth │ order │ 1st     │  …  │ nth     │
//! │     │ (n)   │    entry   │     │    entry   │       │ entry   │     │ entry   │
//! └─────┴───────┴────────────┴─────┴────────────┴───────┴─────────┴─────┴─────────┘
//!                         ends count from the body's start ▲ body
//!
//! entry of an array:   value
//! entry of an object:  ┌────────────────┬──────┬───────┐
//!                      │ length of name │ name │ value │
//!                      └────────────────┴──────┴───────┘
//!                        0lllllll, or 1lllllll llllllll (high byte first) from 128 on
//! ```
//!
//! The fields of an object are written in the order in which they were set. If that is not the order
//! of their names, there is an *order*: for each name in the order of names, the position of its
//! field, in half a byte for up to 16 fields (the lower half first), and in 1, 2 or 4 bytes for up to
//! 256, 65,536 or more. A search by name goes through it; sorted fields need none.
//!
//! The encoding is canonical: of a value there is one encoding, and identical values
//! ([`Value::is_identical`]) have identical bytes. Bytes that differ can still be *equal* values
//! (`1` and `1.0`, objects with fields in another order); compare with [`order`](crate::order).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoder::append;
use crate::format::{Names, tag};
use crate::{
    Error, Kind, Object, RawObject, RawValue, Result, Value, json, serializer::Serializer,
};

/// An encoded object: canonical bytes within all limits. A document's fields are stored like this.
///
/// ```
/// use velocitydb_core::{Encoded, object};
///
/// let encoded = Encoded::from_object(&object! { "name": "Alice", "age": 28 })?;
/// assert_eq!(encoded, Encoded::from_json(r#"{"name": "Alice", "age": 28}"#)?);
/// assert_eq!(encoded.as_bytes().len(), 22);
/// assert_eq!(encoded.to_json()?, r#"{"name":"Alice","age":28}"#);
/// assert_eq!(encoded.view().get("age")?.expect("it was just written").as_i64()?, Some(28));
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Encoded(Vec<u8>);

impl Encoded {
    /// Encodes an object, or returns which limit it exceeds, and where.
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

    /// Takes untrusted bytes, after a full check.
    pub fn from_untrusted(bytes: Vec<u8>) -> Result<Self> {
        RawObject::validate(&bytes)?;
        Ok(Self(bytes))
    }

    /// Takes bytes that were validated before, and protected by a checksum since. Only the header
    /// is checked here.
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
}

impl RawObject<'_> {
    /// Copies the bytes into a buffer of their own, without checking them: a view that was not
    /// validated gives an `Encoded` that may be invalid.
    pub fn to_encoded(self) -> Encoded {
        Encoded(self.as_encoded().to_vec())
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

fn ensure_object(encoded: &[u8]) -> Result<()> {
    match RawValue::new(encoded)?.kind() {
        Kind::Object => Ok(()),
        found => {
            Err(Error::Conversion { expected: "an object, as a document has to be".into(), found })
        }
    }
}
