//! Serialization: from values to any format, this crate's and others.
//!
//! In this crate's format, [`Time`] and [`Bytes`] are native; in other human-readable formats,
//! they are extended JSON. They detect the format by a newtype with a private name, inside of
//! which this crate's own serializer is not human-readable.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{self, SerializeMap, SerializeSeq};

use crate::node::{Node, Shape};
use crate::{Bytes, Object, RawArray, RawObject, RawValue, Result, Time, Value, extended, node};

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
            &BTreeMap::from(extended::binary_payload(self.0)),
        )
    }
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
