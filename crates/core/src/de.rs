//! Deserialization: from encoded bytes to Rust types, and from any other format to values.
//!
//! Strings can be borrowed. A visitor of any type gets [`Time`] and [`Bytes`] as extended JSON,
//! so that types such as `serde_json::Value` can hold every document. The types of this crate get
//! them natively: they request a newtype with a private name.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer as _, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::node::{Node, Shape};
use crate::raw::{RawFields, RawItems};
use crate::ser::{ENCODED, NATIVE, TIME};
use crate::{
    Binary, BinaryRef, Bytes, Decimal, Error, Foreign, Kind, Object, ObjectId, RawValue, Result,
    Time, Uuid, Value, extended,
};

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NATIVE, ValueVisitor)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        converted(deserializer)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return converted(deserializer);
        }
        Self::from_micros(i64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return converted(deserializer);
        }
        deserializer.deserialize_byte_buf(ValueVisitor)?.try_into().map_err(de::Error::custom)
    }
}

/// Reads a type that is text in human-readable formats of others, or its value, also as extended JSON.
macro_rules! deserialize_encoded {
    ($($type:ty: $read:expr;)*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = match deserializer.is_human_readable() {
                    true => Value::deserialize(deserializer)?,
                    false => EncodedValue::deserialize(deserializer)?.0,
                };
                let read: fn(Value) -> Result<Self> = $read;
                read(value).map_err(de::Error::custom)
            }
        }
    )*};
}

deserialize_encoded! {
    ObjectId: |value| value.as_str().map_or_else(|| value.clone().try_into(), str::parse);
    Decimal: |value| match value {
        Value::String(text) => text.parse(),
        Value::Int(integer) => Ok(integer.into()),
        Value::UInt(integer) => Ok(integer.into()),
        value => value.try_into(),
    };
    Uuid: |value| value.as_str().map_or_else(|| value.clone().try_into(), str::parse);
    Binary: Value::try_into;
    Foreign: Value::try_into;
}

/// A value as its encoded bytes.
struct EncodedValue(Value);

impl<'de> Deserialize<'de> for EncodedValue {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(EncodedVisitor).map(Self)
    }
}

struct EncodedVisitor;

impl Visitor<'_> for EncodedVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of an encoded value")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
        RawValue::validate(bytes).and_then(RawValue::to_value).map_err(E::custom)
    }
}

fn converted<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<Value, Error = Error>,
    D: de::Deserializer<'de>,
{
    Value::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
}

/// Reads anything as a value, extended JSON included.
struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a document")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(value.to_owned()))
    }

    fn visit_byte_buf<E>(self, value: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bytes(value))
    }

    fn visit_newtype_struct<D: de::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        let Some(first) = fields.next_key::<String>()? else {
            return Ok(Value::Object(object));
        };
        if first == TIME {
            return Time::from_micros(fields.next_value()?)
                .map(Value::Time)
                .map_err(de::Error::custom);
        }
        if first == ENCODED {
            return fields.next_value::<EncodedValue>().map(|encoded| encoded.0);
        }
        object.insert(first, fields.next_value::<Value>()?);
        collect_fields(object, fields)
    }
}

/// Reads the rest of an object, which may be extended JSON.
pub(crate) fn collect_fields<'de, A: MapAccess<'de>>(
    first: Object,
    mut rest: A,
) -> Result<Value, A::Error> {
    let mut fields: Vec<(String, Value)> = first.into_iter().collect();
    while let Some(field) = rest.next_entry()? {
        fields.push(field);
    }
    let object = Object::from_fields(fields)
        .map_err(|twice| de::Error::custom(Error::DuplicateField { path: twice }))?;
    match extended::extended(&object).map_err(de::Error::custom)? {
        Some(value) => Ok(value),
        None => Ok(Value::Object(object)),
    }
}

impl<'a> RawValue<'a> {
    /// Reads the value as a Rust type, which may borrow strings and bytes from it.
    pub fn deserialize<T: Deserialize<'a>>(self) -> Result<T> {
        T::deserialize(Deserializer::new(self))
    }
}

/// Reads one encoded value.
#[derive(Clone, Copy)]
struct Deserializer<'de> {
    value: RawValue<'de>,
    /// The number of arrays and objects around it.
    depth: usize,
    /// Whether the visitor is one of this crate, and gets times and bytes natively.
    native: bool,
}

impl<'de> Deserializer<'de> {
    pub(crate) fn new(value: RawValue<'de>) -> Self {
        Self { value, depth: 0, native: false }
    }

    fn time<V: Visitor<'de>>(self, time: Time, visitor: V) -> Result<V::Value> {
        if self.native {
            visitor.visit_map(MapDeserializer::new([(TIME, time.as_micros())].into_iter()))
        } else {
            visitor
                .visit_map(MapDeserializer::new([(extended::DATE, time.to_string())].into_iter()))
        }
    }

    fn bytes<V: Visitor<'de>>(self, bytes: &'de [u8], visitor: V) -> Result<V::Value> {
        if self.native {
            return visitor.visit_borrowed_bytes(bytes);
        }
        let payload = BTreeMap::from(extended::binary_payload(BinaryRef { subtype: 0, bytes }));
        visitor.visit_map(MapDeserializer::new([(extended::BINARY, payload)].into_iter()))
    }
}

impl<'de> Deserializer<'de> {
    /// A value of a type that serde does not know: natively its bytes, and extended JSON otherwise.
    fn encoded<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.native {
            let field = (ENCODED, self.value.as_encoded());
            return visitor.visit_map(MapDeserializer::new([field].into_iter()));
        }
        Owned(self.value.to_value()?).deserialize_any(visitor)
    }
}

/// An owned value, of which the types that serde does not know are extended JSON.
struct Owned(Value);

impl<'de> IntoDeserializer<'de, Error> for Owned {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for Owned {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if let Some(form) = extended::form(&self.0)? {
            return Owned(form.into()).deserialize_any(visitor);
        }
        match self.0 {
            Value::Object(object) => {
                let fields = object.into_iter().map(|(name, value)| (name, Owned(value)));
                visitor.visit_map(MapDeserializer::new(fields))
            }
            Value::Array(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Owned)))
            }
            Value::String(text) => visitor.visit_string(text),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Int(value) => visitor.visit_i64(value),
            Value::UInt(value) => visitor.visit_u64(value),
            Value::Float(value) => visitor.visit_f64(value),
            // All others have a form.
            _ => visitor.visit_unit(),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> de::Deserializer<'de> for Deserializer<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value.shape(self.depth)? {
            Shape::Null => visitor.visit_unit(),
            Shape::Bool(value) => visitor.visit_bool(value),
            Shape::Int(value) => visitor.visit_i64(value),
            Shape::UInt(value) => visitor.visit_u64(value),
            Shape::Float(value) => visitor.visit_f64(value),
            Shape::String(value) => visitor.visit_borrowed_str(value),
            Shape::Bytes(value) => self.bytes(value, visitor),
            Shape::Time(value) => self.time(value, visitor),
            Shape::ObjectId(_) | Shape::Decimal(_) | Shape::Binary(_) | Shape::Foreign(_) => {
                self.encoded(visitor)
            }
            Shape::Array(items) => {
                visitor.visit_seq(Items { items, position: 0, depth: self.depth + 1 })
            }
            Shape::Object(fields) => {
                visitor.visit_map(Fields { fields, value: None, depth: self.depth + 1 })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(Self { native: name == NATIVE, ..self })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.value.shape(self.depth)? {
            Shape::String(variant) => visitor.visit_enum(BorrowedStrDeserializer::new(variant)),
            Shape::Object(mut fields) if fields.len() == 1 => {
                let (variant, value) = fields.next().expect("there is one field")?;
                visitor.visit_enum(Variant { variant, value, depth: self.depth + 1 })
            }
            _ => {
                let expected = &"the name of a variant, or an object with it as its only field";
                Err(de::Error::invalid_type(unexpected(self.value), expected))
            }
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value.as_bytes()? {
            Some(bytes) => visitor.visit_borrowed_bytes(bytes),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value.as_bytes()? {
            Some(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct
        tuple tuple_struct map struct identifier
    }
}

/// An encoded value's type, as serde describes it.
fn unexpected(value: RawValue<'_>) -> Unexpected<'static> {
    match value.kind() {
        Kind::Null => Unexpected::Unit,
        Kind::Array => Unexpected::Seq,
        Kind::Object => Unexpected::Map,
        kind => Unexpected::Other(kind.as_str()),
    }
}

/// The elements of an array, for a visitor.
struct Items<'de> {
    items: RawItems<'de>,
    /// The position of the next element.
    position: usize,
    depth: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let position = self.position;
        let Some(item) = self.items.next() else { return Ok(None) };
        self.position += 1;
        let item = Deserializer { value: item?, depth: self.depth, native: false };
        seed.deserialize(item).map(Some).map_err(|error| error.within(&position.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The fields of an object, for a visitor.
struct Fields<'de> {
    fields: RawFields<'de>,
    /// The next field, if its name has been read and its value has not.
    value: Option<(&'de str, RawValue<'de>)>,
    depth: usize,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        let (name, value) = field?;
        self.value = Some((name, value));
        seed.deserialize(Name(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let found = self.value.take();
        let (name, value) =
            found.ok_or_else(|| <Error as de::Error>::custom("a value comes after its name"))?;
        let value = Deserializer { value, depth: self.depth, native: false };
        seed.deserialize(value).map_err(|error| error.within(name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

/// The name of a field, which is parsed as a number if a map's keys are numbers.
struct Name<'de>(&'de str);

macro_rules! deserialize_parsed {
    ($($name:ident => $visit:ident;)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Name<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.0)
    }

    deserialize_parsed! {
        deserialize_bool => visit_bool;
        deserialize_i8 => visit_i8;
        deserialize_i16 => visit_i16;
        deserialize_i32 => visit_i32;
        deserialize_i64 => visit_i64;
        deserialize_i128 => visit_i128;
        deserialize_u8 => visit_u8;
        deserialize_u16 => visit_u16;
        deserialize_u32 => visit_u32;
        deserialize_u64 => visit_u64;
        deserialize_u128 => visit_u128;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// An enum's variant with content: an object of one field.
struct Variant<'de> {
    variant: &'de str,
    value: RawValue<'de>,
    depth: usize,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Deserializer<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant)> {
        let content = Deserializer { value: self.value, depth: self.depth, native: false };
        Ok((seed.deserialize(Name(self.variant))?, content))
    }
}

impl<'de> VariantAccess<'de> for Deserializer<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value> {
        de::Deserializer::deserialize_seq(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        de::Deserializer::deserialize_any(self, visitor)
    }
}
