//! Serialization: from values to any format, this crate's and others.
//!
//! In this crate's format, [`Time`], [`Bytes`] and the other types that JSON lacks are native. In other
//! human-readable formats, fields of the types [`ObjectId`], [`Decimal`] and [`Uuid`] are text, and all
//! else is extended JSON. They detect the format by a newtype with a private name, inside of which this
//! crate's own serializer is not human-readable. Formats that are not human-readable get the encoding.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{self, SerializeMap, SerializeSeq};

use crate::codec::encode_value_into;
use crate::node::{Node, Shape};
use crate::{
    Binary, BinaryRef, Bytes, Decimal, Foreign, Object, ObjectId, RawArray, RawObject, RawValue,
    Result, Time, Uuid, Value, extended, node,
};

/// The name of the newtype around a time.
pub(crate) const TIME: &str = "$velocitydb::Time";
/// The name of the newtype around other types that this format has and JSON lacks.
pub(crate) const NATIVE: &str = "$velocitydb::Native";

impl Serialize for Time {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(TIME, &TimeBody(*self))
    }
}

struct TimeBody(Time);

impl Serialize for TimeBody {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_i64(self.0.as_micros());
        }
        single_field(serializer, extended::DATE, &self.0.to_string())
    }
}

impl Serialize for Bytes {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NATIVE, &BytesBody(&self.0))
    }
}

struct BytesBody<'a>(&'a [u8]);

impl Serialize for BytesBody<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(self.0);
        }
        single_field(
            serializer,
            extended::BINARY,
            &BTreeMap::from(extended::binary_payload(BinaryRef { subtype: 0, bytes: self.0 })),
        )
    }
}

/// The name of the newtype around the bytes of an encoded value.
pub(crate) const ENCODED: &str = "$velocitydb::Encoded";

/// A value of a type that serde does not know.
struct EncodedBody<'a> {
    value: &'a Value,
    /// Its text, where it is not extended JSON in human-readable formats.
    text: Option<String>,
}

impl Serialize for EncodedBody<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            let mut bytes = Vec::new();
            encode_value_into(self.value, &mut bytes).map_err(ser::Error::custom)?;
            return serializer.serialize_bytes(&bytes);
        }
        match &self.text {
            Some(text) => serializer.serialize_str(text),
            None => extended::form(self.value).map_err(ser::Error::custom)?.serialize(serializer),
        }
    }
}

macro_rules! serialize_encoded {
    ($($type:ty: $text:expr;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text: fn(&Self) -> Option<String> = $text;
                let body = EncodedBody { value: &Value::from(self.clone()), text: text(self) };
                serializer.serialize_newtype_struct(ENCODED, &body)
            }
        }
    )*};
}

serialize_encoded! {
    ObjectId: |id| Some(id.to_string());
    Decimal: |decimal| Some(decimal.to_string());
    Uuid: |id| Some(id.to_string());
    Binary: |_| None;
    Foreign: |_| None;
}

/// A float that plain JSON cannot write.
struct NonFiniteBody(f64);

impl Serialize for NonFiniteBody {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_f64(self.0);
        }
        single_field(serializer, extended::NUMBER_DOUBLE, extended::non_finite_name(self.0))
    }
}

fn single_field<S: ser::Serializer, T: Serialize + ?Sized>(
    serializer: S,
    name: &'static str,
    value: &T,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, value)?;
    map.end()
}

impl Serialize for Value {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Serializable(self, 0).serialize(serializer)
    }
}

impl Serialize for Object {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_fields(node::fields(self), 0, serializer)
    }
}

impl Serialize for RawValue<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Serializable(*self, 0).serialize(serializer)
    }
}

impl Serialize for RawArray<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_items(self.iter(), 0, serializer)
    }
}

impl Serialize for RawObject<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_fields(self.iter(), 0, serializer)
    }
}

/// A node, and the number of arrays and objects around it.
struct Serializable<N>(N, usize);

impl<'a, N: Node<'a>> Serialize for Serializable<N> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.shape(self.1).map_err(ser::Error::custom)? {
            Shape::Null => serializer.serialize_unit(),
            Shape::Bool(value) => serializer.serialize_bool(value),
            Shape::Int(value) => serializer.serialize_i64(value),
            Shape::UInt(value) => serializer.serialize_u64(value),
            Shape::Float(value) if value.is_finite() => serializer.serialize_f64(value),
            Shape::Float(value) => {
                serializer.serialize_newtype_struct(NATIVE, &NonFiniteBody(value))
            }
            Shape::String(value) => serializer.serialize_str(value),
            Shape::Bytes(value) => serializer.serialize_newtype_struct(NATIVE, &BytesBody(value)),
            Shape::Time(value) => value.serialize(serializer),
            Shape::ObjectId(_) | Shape::Decimal(_) | Shape::Binary(_) | Shape::Foreign(_) => {
                let value = &self.0.to_value().map_err(ser::Error::custom)?;
                serializer.serialize_newtype_struct(ENCODED, &EncodedBody { value, text: None })
            }
            Shape::Array(items) => serialize_items(items, self.1, serializer),
            Shape::Object(fields) => serialize_fields(fields, self.1, serializer),
        }
    }
}

fn serialize_items<'a, N: Node<'a>, S: ser::Serializer>(
    items: impl ExactSizeIterator<Item = Result<N>>,
    depth: usize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(Some(items.len()))?;
    for item in items {
        let item = item.map_err(ser::Error::custom)?;
        seq.serialize_element(&Serializable(item, depth + 1))?;
    }
    seq.end()
}

fn serialize_fields<'a, N: Node<'a>, S: ser::Serializer>(
    fields: impl ExactSizeIterator<Item = Result<(&'a str, N)>>,
    depth: usize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    for field in fields {
        let (name, value) = field.map_err(ser::Error::custom)?;
        map.serialize_entry(name, &Serializable(value, depth + 1))?;
    }
    map.end()
}
