//! Serialization: from Rust types to encoded bytes, without a value in between.

use serde::Serialize;
use serde::ser::{self, Impossible, SerializeMap};

use crate::encoder::{Container, Encoder};
use crate::ser::{ENCODED, NATIVE, TIME};
use crate::{Error, RawValue, Result, Value};

/// Writes one Rust value into an encoder.
pub(crate) struct Serializer<'e, 'b> {
    encoder: &'e mut Encoder<'b>,
    /// Whether it is inside of a newtype with a private name.
    native: bool,
}

impl<'e, 'b> Serializer<'e, 'b> {
    pub(crate) fn new(encoder: &'e mut Encoder<'b>) -> Self {
        Self { encoder, native: false }
    }

    fn begin(self, container: Container, closes: u8) -> Result<Compound<'e, 'b>> {
        self.encoder.begin(container)?;
        Ok(Compound { encoder: self.encoder, closes })
    }

    /// Opens the object of one field that represents an enum's variant with content.
    fn begin_variant(&mut self, variant: &'static str) -> Result<()> {
        self.encoder.begin(Container::Object)?;
        self.encoder.key(variant)
    }

    fn integer<T: Copy + std::fmt::Display + TryInto<i128>>(self, value: T) -> Result<()> {
        let fitting = value.try_into().ok().and_then(Value::integer);
        match fitting {
            Some(value) => self.encoder.value(&value),
            None => Err(Error::IntegerRange { literal: value.to_string() }),
        }
    }
}

macro_rules! serialize_as {
    ($($name:ident: $type:ty => $write:ident as $wide:ty;)*) => {$(
        fn $name(self, value: $type) -> Result<()> {
            self.encoder.$write(<$wide>::from(value))
        }
    )*};
}

impl<'e, 'b> ser::Serializer for Serializer<'e, 'b> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'e, 'b>;
    type SerializeTuple = Compound<'e, 'b>;
    type SerializeTupleStruct = Compound<'e, 'b>;
    type SerializeTupleVariant = Compound<'e, 'b>;
    type SerializeMap = Compound<'e, 'b>;
    type SerializeStruct = Compound<'e, 'b>;
    type SerializeStructVariant = Compound<'e, 'b>;

    serialize_as! {
        serialize_bool: bool => bool as bool;
        serialize_i8: i8 => int as i64;
        serialize_i16: i16 => int as i64;
        serialize_i32: i32 => int as i64;
        serialize_i64: i64 => int as i64;
        serialize_u8: u8 => int as i64;
        serialize_u16: u16 => int as i64;
        serialize_u32: u32 => int as i64;
        serialize_u64: u64 => uint as u64;
        serialize_f32: f32 => float as f64;
        serialize_f64: f64 => float as f64;
        serialize_str: &str => string as &str;
        serialize_bytes: &[u8] => bytes as &[u8];
    }

    fn serialize_i128(self, value: i128) -> Result<()> {
        self.integer(value)
    }

    fn serialize_u128(self, value: u128) -> Result<()> {
        self.integer(value)
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.encoder.string(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_none(self) -> Result<()> {
        self.encoder.null()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.encoder.null()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<()> {
        self.encoder.null()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.encoder.string(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        match name {
            TIME => self
                .encoder
                .time_from_int(|encoder| value.serialize(Serializer { encoder, native: true })),
            ENCODED => {
                let bytes = self
                    .encoder
                    .bytes_of(|encoder| value.serialize(Serializer { encoder, native: true }))?;
                self.encoder.value(&RawValue::validate(&bytes)?.to_value()?)
            }
            NATIVE => value.serialize(Serializer { encoder: self.encoder, native: true }),
            _ => value.serialize(self),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.begin_variant(variant)?;
        value.serialize(Serializer::new(self.encoder))?;
        self.encoder.end()
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Compound<'e, 'b>> {
        self.begin(Container::Array, 1)
    }

    fn serialize_tuple(self, _len: usize) -> Result<Compound<'e, 'b>> {
        self.begin(Container::Array, 1)
    }

    fn serialize_tuple_struct(self, _: &'static str, _len: usize) -> Result<Compound<'e, 'b>> {
        self.begin(Container::Array, 1)
    }

    fn serialize_tuple_variant(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'e, 'b>> {
        self.begin_variant(variant)?;
        self.begin(Container::Array, 2)
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Compound<'e, 'b>> {
        self.begin(Container::Object, 1)
    }

    fn serialize_struct(self, _: &'static str, _len: usize) -> Result<Compound<'e, 'b>> {
        self.begin(Container::Object, 1)
    }

    fn serialize_struct_variant(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'e, 'b>> {
        self.begin_variant(variant)?;
        self.begin(Container::Object, 2)
    }

    fn is_human_readable(&self) -> bool {
        !self.native
    }
}

/// An open array or object.
pub(crate) struct Compound<'e, 'b> {
    encoder: &'e mut Encoder<'b>,
    /// How many containers end with it: itself, and the object around an enum's variant,
    /// if any.
    closes: u8,
}

impl Compound<'_, '_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.encoder.element()?;
        value.serialize(Serializer::new(self.encoder))
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        self.encoder.key(name)?;
        value.serialize(Serializer::new(self.encoder))
    }

    fn close(self) -> Result<()> {
        (0..self.closes).try_for_each(|_| self.encoder.end())
    }
}

impl SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        key.serialize(KeySerializer(self.encoder))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(Serializer::new(self.encoder))
    }

    fn end(self) -> Result<()> {
        self.close()
    }
}

macro_rules! compound {
    ($($trait:ident { $method:ident($($name:ident)?) => $write:ident })*) => {$(
        impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: &'static str,)?
                value: &T,
            ) -> Result<()> {
                self.$write($($name,)? value)
            }

            fn end(self) -> Result<()> {
                self.close()
            }
        }
    )*};
}

compound! {
    SerializeSeq { serialize_element() => element }
    SerializeTuple { serialize_element() => element }
    SerializeTupleStruct { serialize_field() => element }
    SerializeTupleVariant { serialize_field() => element }
    SerializeStruct { serialize_field(name) => field }
    SerializeStructVariant { serialize_field(name) => field }
}

/// Writes the name of a field, from any type with an obvious text.
struct KeySerializer<'e, 'b>(&'e mut Encoder<'b>);

impl KeySerializer<'_, '_> {
    fn refuse<T>() -> Result<T> {
        Err(ser::Error::custom(
            "the key of a map has no text; use strings, numbers or unit variants",
        ))
    }
}

macro_rules! key_as_text {
    ($($name:ident: $type:ty;)*) => {$(
        fn $name(self, value: $type) -> Result<()> {
            self.0.key(&value.to_string())
        }
    )*};
}

impl ser::Serializer for KeySerializer<'_, '_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Impossible<(), Error>;
    type SerializeStructVariant = Impossible<(), Error>;

    key_as_text! {
        serialize_bool: bool;
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_i128: i128;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_u128: u128;
        serialize_char: char;
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.0.key(value)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.0.key(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_f32(self, _: f32) -> Result<()> {
        Self::refuse()
    }

    fn serialize_f64(self, _: f64) -> Result<()> {
        Self::refuse()
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<()> {
        Self::refuse()
    }

    fn serialize_none(self) -> Result<()> {
        Self::refuse()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        Self::refuse()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        Self::refuse()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<()> {
        Self::refuse()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq> {
        Self::refuse()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple> {
        Self::refuse()
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleStruct> {
        Self::refuse()
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        Self::refuse()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap> {
        Self::refuse()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct> {
        Self::refuse()
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant> {
        Self::refuse()
    }
}
