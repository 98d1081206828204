//! Borrowed views of encoded values: one field is read without decoding the rest. Owns reading
//! and checking of the encoding; [`codec`](crate::codec) draws its bytes and writes them.
//!
//! No view ever panics, reads out of bounds, or runs out of stack, whatever the bytes are:
//! unreadable bytes are [`Error::Corrupt`]. Only the `validate` functions guarantee that bytes are
//! what the encoder writes; call them once for untrusted bytes, and keep a checksum afterwards.

mod payload;

use std::fmt;

use serde::Deserialize;

use crate::container::{Container, Entries, ensure, split_field};
use crate::field_order::{FieldOrder, Ranks};
use crate::format::{Names, tag};
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::node::{Node, Shape};
use crate::path::Segment;
use crate::{BinaryRef, Decimal, Error, ForeignKind, Kind, Object, ObjectId, Path, RawForeign};
use crate::{Result, Time, Value};

/// An encoded value of any type.
///
/// The `as_` functions return `None` for a value of another type.
#[derive(Clone, Copy)]
pub struct RawValue<'a> {
    /// The tag, which is a known one, and the payload.
    encoded: &'a [u8],
}

impl<'a> RawValue<'a> {
    /// A view of bytes that were validated before. Only the tag is checked here.
    pub fn new(encoded: &'a [u8]) -> Result<Self> {
        match encoded.first() {
            Some(&tag) if tag::is_known(tag) => Ok(Self { encoded }),
            Some(_) => Err(Error::corrupt("a value has an unknown type")),
            None => Err(Error::corrupt("a value has no bytes")),
        }
    }

    /// A view of untrusted bytes, after a full check.
    pub fn validate(encoded: &'a [u8]) -> Result<Self> {
        Self::validate_names(encoded, Names::Document)
    }

    pub(crate) fn validate_names(encoded: &'a [u8], names: Names) -> Result<Self> {
        if encoded.len() > DOCUMENT_BYTES_MAX {
            return Err(Error::corrupt("it is larger than a document can be"));
        }
        let value = Self::new(encoded)?;
        value.check(names, 0)?;
        Ok(value)
    }

    /// The encoded bytes.
    pub const fn as_encoded(self) -> &'a [u8] {
        self.encoded
    }

    /// The type.
    #[inline]
    pub fn kind(self) -> Kind {
        match self.tag() {
            tag::NULL => Kind::Null,
            tag::FALSE | tag::TRUE => Kind::Bool,
            tag::INT => Kind::Int,
            tag::UINT => Kind::UInt,
            tag::FLOAT => Kind::Float,
            tag::STRING => Kind::String,
            tag::BYTES => Kind::Bytes,
            tag::TIME => Kind::Time,
            tag if tag::is_array(tag) => Kind::Array,
            tag if tag::is_object(tag) => Kind::Object,
            tag::OBJECT_ID => Kind::ObjectId,
            tag::DECIMAL => Kind::Decimal,
            tag::BINARY => Kind::Binary,
            // Of bytes that were not validated the type may be unknown.
            _ => Kind::Foreign(self.foreign_kind().unwrap_or(ForeignKind::Undefined)),
        }
    }

    /// Whether this is null.
    pub fn is_null(self) -> bool {
        self.tag() == tag::NULL
    }

    /// The truth value, if this is one.
    pub fn as_bool(self) -> Result<Option<bool>> {
        Ok(match self.tag() {
            tag::FALSE => Some(false),
            tag::TRUE => Some(true),
            _ => None,
        })
    }

    /// The integer, if this is one that fits.
    pub fn as_i64(self) -> Result<Option<i64>> {
        if self.tag() == tag::INT { self.int().map(Some) } else { Ok(None) }
    }

    /// The integer, if this is one that fits.
    pub fn as_u64(self) -> Result<Option<u64>> {
        match self.tag() {
            tag::INT => Ok(u64::try_from(self.int()?).ok()),
            tag::UINT => Ok(Some(u64::from_le_bytes(self.eight()?))),
            _ => Ok(None),
        }
    }

    /// The float, if this is one. Integers are not converted.
    pub fn as_f64(self) -> Result<Option<f64>> {
        let float = self.tag() == tag::FLOAT;
        float.then(|| self.eight().map(f64::from_le_bytes)).transpose()
    }

    /// The text, if this is a string.
    pub fn as_str(self) -> Result<Option<&'a str>> {
        let string = self.tag() == tag::STRING;
        string.then(|| text(self.payload())).transpose()
    }

    /// The bytes, if this is bytes of no subtype.
    pub fn as_bytes(self) -> Result<Option<&'a [u8]>> {
        Ok((self.tag() == tag::BYTES).then(|| self.payload()))
    }

    /// The bytes and their subtype, which is 0 for bytes of none.
    pub fn as_binary(self) -> Result<Option<BinaryRef<'a>>> {
        Ok(match self.tag() {
            tag::BYTES => Some(BinaryRef { subtype: 0, bytes: self.payload() }),
            tag::BINARY => Some(self.binary()?),
            _ => None,
        })
    }

    /// The ObjectId, if this is one.
    pub fn as_object_id(self) -> Result<Option<ObjectId>> {
        let object_id = self.tag() == tag::OBJECT_ID;
        object_id.then(|| self.object_id()).transpose()
    }

    /// The decimal, if this is one. Other numbers are not converted.
    pub fn as_decimal(self) -> Result<Option<Decimal>> {
        let decimal = self.tag() == tag::DECIMAL;
        decimal.then(|| self.decimal()).transpose()
    }

    /// The value of a foreign type, if this is one.
    pub fn as_foreign(self) -> Result<Option<RawForeign<'a>>> {
        let foreign = self.tag() == tag::FOREIGN;
        foreign.then(|| self.foreign()).transpose()
    }

    /// The time, if this is one.
    pub fn as_time(self) -> Result<Option<Time>> {
        let time = self.tag() == tag::TIME;
        time.then(|| self.time()).transpose()
    }

    /// The elements, if this is an array.
    pub fn as_array(self) -> Result<Option<RawArray<'a>>> {
        tag::is_array(self.tag()).then(|| RawArray::new(self.encoded)).transpose()
    }

    /// The fields, if this is an object.
    pub fn as_object(self) -> Result<Option<RawObject<'a>>> {
        tag::is_object(self.tag()).then(|| RawObject::new(self.encoded)).transpose()
    }

    /// Decodes the value.
    pub fn to_value(self) -> Result<Value> {
        self.decode(0)
    }

    fn decode(self, depth: usize) -> Result<Value> {
        Ok(match self.shape(depth)? {
            Shape::Null => Value::Null,
            Shape::Bool(value) => Value::Bool(value),
            Shape::Int(value) => Value::Int(value),
            Shape::UInt(value) => Value::from(value),
            Shape::Float(value) => Value::Float(value),
            Shape::String(value) => Value::String(value.to_owned()),
            Shape::Bytes(value) => Value::Bytes(value.to_owned()),
            Shape::Time(value) => Value::Time(value),
            Shape::ObjectId(value) => Value::ObjectId(value),
            Shape::Decimal(value) => Value::Decimal(value),
            Shape::Binary(value) => Value::from(value.to_binary()),
            Shape::Foreign(value) => {
                // An owned value can always be read, so the content is checked here.
                value.check(depth)?;
                Value::Foreign(value.to_foreign())
            }
            Shape::Array(items) => {
                Value::Array(items.map(|item| item?.decode(depth + 1)).collect::<Result<_>>()?)
            }
            Shape::Object(fields) => Value::Object(decode_fields(fields, depth)?),
        })
    }

    /// Checks the value and everything in it.
    pub(crate) fn check(self, names: Names, depth: usize) -> Result<()> {
        let payload = self.payload();
        match self.tag() {
            tag::NULL | tag::FALSE | tag::TRUE => {
                ensure(payload.is_empty(), "a value without payload has one")
            }
            tag::INT => {
                let shortest = tag::int_bytes(self.int()?) == payload.len();
                ensure(shortest, "an integer is longer than it needs to be")
            }
            tag::UINT => {
                let large = i64::try_from(u64::from_le_bytes(self.eight()?)).is_err();
                ensure(large, "an unsigned integer would fit a signed one")
            }
            tag::FLOAT => {
                let float = f64::from_le_bytes(self.eight()?);
                let canonical = !float.is_nan() || float.to_bits() == f64::NAN.to_bits();
                ensure(canonical, "a NaN is not the canonical one")
            }
            tag::STRING => text(payload).map(drop),
            tag::BYTES => Ok(()),
            tag::TIME => self.time().map(drop),
            tag if tag::is_array(tag) => {
                let array = self.check_container(names, depth)?;
                RawItems::new(array).try_for_each(|item| item?.check(names, depth + 1))
            }
            tag if tag::is_object(tag) => self.check_object(names, depth),
            tag::OBJECT_ID => self.object_id().map(drop),
            tag::DECIMAL => self.decimal().map(drop),
            tag::BINARY => self.binary().map(drop),
            _ => self.foreign()?.check(depth),
        }
    }

    fn check_container(self, names: Names, depth: usize) -> Result<Container<'a>> {
        ensure(depth < names.depth_max(), "arrays and objects are nested too deeply")?;
        let container = Container::new(self.encoded, depth)?;
        container.check()?;
        Ok(container)
    }

    fn check_object(self, names: Names, depth: usize) -> Result<()> {
        let object = self.check_container(names, depth)?;
        let mut last = None;
        RawFields(object.entries_by_name()).try_for_each(|field| {
            let (name, value) = field?;
            ensure(last < Some(name), "the fields of an object are not in order")?;
            last = Some(name);
            ensure(name.len() <= names.bytes_max(), "a field name is too long")?;
            ensure(names.allow(name), "a field name begins with `$`")?;
            value.check(names, depth + 1)
        })
    }

    #[inline]
    fn tag(self) -> u8 {
        self.encoded.first().copied().unwrap_or(tag::NULL)
    }
}

impl<'a> Node<'a> for RawValue<'a> {
    type Items = RawItems<'a>;
    type Fields = RawFields<'a>;

    #[inline]
    fn shape(self, depth: usize) -> Result<Shape<'a, RawItems<'a>, RawFields<'a>>> {
        Ok(match self.tag() {
            tag::NULL => Shape::Null,
            tag::FALSE => Shape::Bool(false),
            tag::TRUE => Shape::Bool(true),
            tag::INT => Shape::Int(self.int()?),
            tag::UINT => Shape::UInt(u64::from_le_bytes(self.eight()?)),
            tag::FLOAT => Shape::Float(f64::from_le_bytes(self.eight()?)),
            tag::STRING => Shape::String(text(self.payload())?),
            tag::BYTES => Shape::Bytes(self.payload()),
            tag::TIME => Shape::Time(self.time()?),
            tag if tag::is_array(tag) => {
                Shape::Array(RawItems::new(Container::new(self.encoded, depth)?))
            }
            tag if tag::is_object(tag) => {
                Shape::Object(RawFields(Container::new(self.encoded, depth)?.entries()))
            }
            tag::OBJECT_ID => Shape::ObjectId(self.object_id()?),
            tag::DECIMAL => Shape::Decimal(self.decimal()?),
            tag::BINARY => Shape::Binary(self.binary()?),
            _ => Shape::Foreign(self.foreign()?),
        })
    }

    #[inline]
    fn kind(self) -> Kind {
        self.kind()
    }

    #[inline]
    fn field(self, name: &str) -> Result<Option<Self>> {
        self.as_object()?.map_or(Ok(None), |object| object.get(name))
    }

    fn find(self, name: &str) -> Result<Option<(usize, Self)>> {
        self.as_object()?.map_or(Ok(None), |object| object.find(name))
    }

    fn by_name(fields: RawFields<'a>) -> RawFields<'a> {
        RawFields(fields.0.container().entries_by_name())
    }

    #[inline]
    fn item(self, index: usize) -> Result<Option<Self>> {
        self.as_array()?.map_or(Ok(None), |array| array.get(index))
    }

    #[inline]
    fn items(self) -> Result<Option<RawItems<'a>>> {
        Ok(self.as_array()?.map(RawArray::iter))
    }

    fn to_value(self) -> Result<Value> {
        self.decode(0)
    }
}

impl fmt::Debug for RawValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_value() {
            Ok(value) => value.fmt(f),
            Err(error) => write!(f, "<{error}>"),
        }
    }
}

/// An encoded array.
#[derive(Clone, Copy)]
pub struct RawArray<'a>(Container<'a>);

impl<'a> RawArray<'a> {
    /// Views a value with an array's tag.
    fn new(encoded: &'a [u8]) -> Result<Self> {
        Ok(Self(Container::new(encoded, 0)?))
    }

    /// The encoded bytes.
    pub const fn as_encoded(self) -> &'a [u8] {
        self.0.encoded()
    }

    /// The number of elements.
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there are no elements.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The element at a position from 0, if there is one.
    pub fn get(self, index: usize) -> Result<Option<RawValue<'a>>> {
        (index < self.len()).then(|| RawValue::new(self.0.entry(index)?)).transpose()
    }

    /// The elements, in order.
    pub fn iter(self) -> RawItems<'a> {
        RawItems::new(self.0)
    }
}

impl fmt::Debug for RawArray<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RawValue { encoded: self.as_encoded() }.fmt(f)
    }
}

/// An encoded object: a document's fields, or a nested object.
///
/// ```
/// use velocitydb_core::{Encoded, object};
///
/// let encoded = Encoded::from_object(&object! { "name": "Alice", "address": { "zip": 12045 } })?;
/// let fields = encoded.view();
/// let name = fields.get("name")?.expect("it was just written");
/// assert_eq!(name.as_str()?, Some("Alice"));
/// let zip = fields.get_path(&"address.zip".parse()?)?.expect("it was just written");
/// assert_eq!(zip.as_i64()?, Some(12045));
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct RawObject<'a>(Container<'a>);

impl<'a> RawObject<'a> {
    /// A view of bytes that were validated before. Only the header is checked here.
    pub fn new(encoded: &'a [u8]) -> Result<Self> {
        match encoded.first() {
            Some(tag) if tag::is_object(*tag) => Ok(Self(Container::new(encoded, 0)?)),
            _ => Err(Error::corrupt("it is not an object")),
        }
    }

    /// A view of untrusted bytes, after a full check.
    pub fn validate(encoded: &'a [u8]) -> Result<Self> {
        RawValue::validate(encoded)?;
        Self::new(encoded)
    }

    /// The encoded bytes.
    pub const fn as_encoded(self) -> &'a [u8] {
        self.0.encoded()
    }

    /// The object as a value.
    pub const fn as_value(self) -> RawValue<'a> {
        RawValue { encoded: self.0.encoded() }
    }

    /// The number of fields.
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there are no fields.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value of a field, found by binary search.
    #[inline]
    pub fn get(self, name: &str) -> Result<Option<RawValue<'a>>> {
        Ok(self.find(name)?.map(|(_, value)| value))
    }

    /// The value of a field, and its position among the fields as they were written.
    #[inline]
    pub fn find(self, name: &str) -> Result<Option<(usize, RawValue<'a>)>> {
        let found = self.0.find(name.as_bytes())?;
        found.map(|(at, value)| Ok((at, RawValue::new(value)?))).transpose()
    }

    /// The value at a path. A number is a position in an array, and a name in an object.
    pub fn get_path(self, path: &Path) -> Result<Option<RawValue<'a>>> {
        let mut value = self.as_value();
        for segment in path.segments() {
            match value.child(segment)? {
                Some(child) => value = child,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }

    /// The fields, as they were written.
    pub fn iter(self) -> RawFields<'a> {
        RawFields(self.0.entries())
    }

    /// The fields, in the order of their names.
    pub fn by_name(self) -> RawFields<'a> {
        RawFields(self.0.entries_by_name())
    }

    /// For each rank in the order of names, the position of the field; nothing if the fields are in that order.
    /// If the bytes are corrupt, the numbers can be anything.
    pub(crate) fn ranks(self) -> Ranks {
        ranks(self.0)
    }

    /// Decodes the object.
    pub fn to_object(self) -> Result<Object> {
        decode_fields(self.iter(), 0)
    }

    /// Reads the object as a Rust type, which may borrow strings and bytes from it.
    pub fn deserialize<T: Deserialize<'a>>(self) -> Result<T> {
        self.as_value().deserialize()
    }
}

impl fmt::Debug for RawObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_value().fmt(f)
    }
}

impl<'a> RawValue<'a> {
    fn child(self, segment: &Segment) -> Result<Option<RawValue<'a>>> {
        if let Some(object) = self.as_object()? {
            return object.get(segment.name());
        }
        match (self.as_array()?, segment.index()) {
            (Some(array), Some(index)) => array.get(index),
            _ => Ok(None),
        }
    }
}

/// The elements of a [`RawArray`].
#[derive(Clone)]
pub struct RawItems<'a>(Entries<'a>);

impl<'a> RawItems<'a> {
    fn new(container: Container<'a>) -> Self {
        Self(container.entries())
    }
}

impl<'a> Iterator for RawItems<'a> {
    type Item = Result<RawValue<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.and_then(RawValue::new))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for RawItems<'_> {}

/// The fields of a [`RawObject`].
#[derive(Clone)]
pub struct RawFields<'a>(Entries<'a>);

impl<'a> Iterator for RawFields<'a> {
    type Item = Result<(&'a str, RawValue<'a>)>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.and_then(|entry| {
            let (name, value) = split_field(entry)?;
            Ok((text(name)?, RawValue::new(value)?))
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for RawFields<'_> {}

fn ranks(container: Container<'_>) -> Ranks {
    let positions = |order: FieldOrder<'_>| {
        (0..container.len()).map(move |rank| order.position(rank) as u32).collect()
    };
    container.order().map_or_else(Ranks::new, positions)
}

/// Decodes the fields of an object, which are given as they are written.
fn decode_fields(fields: RawFields<'_>, depth: usize) -> Result<Object> {
    let container = fields.0.container();
    let decode = |field: Result<(&str, RawValue<'_>)>| {
        let (name, value) = field?;
        Ok((name.to_owned(), value.decode(depth + 1)?))
    };
    let fields: Vec<(String, Value)> = fields.map(decode).collect::<Result<_>>()?;
    let object = match container.order() {
        None => Object::from_sorted(fields),
        Some(_) => Object::from_ranked(fields, ranks(container).into_vec()),
    };
    object.ok_or(Error::corrupt("the fields of an object are not in order"))
}

#[inline]
fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Error::corrupt("a text is not UTF-8"))
}
