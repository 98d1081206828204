//! [`Node`]: a common view of owned and encoded values, so that comparing, printing and key
//! encoding are each written once.

use smallvec::SmallVec;

use crate::document::META_FIELDS;
use crate::{
    BinaryRef, Decimal, Header, IdRef, Kind, Object, ObjectId, RawForeign, Result, Time, Value,
    object,
};

/// A value that can be read. Owned values never fail; encoded ones can be corrupt.
pub(crate) trait Node<'a>: Copy {
    /// The elements of an array.
    type Items: ExactSizeIterator<Item = Result<Self>>;
    /// The fields of an object, as they were written.
    type Fields: ExactSizeIterator<Item = Result<(&'a str, Self)>>;

    /// The type and content of the value. `depth` is the number of arrays and objects
    /// around it.
    fn shape(self, depth: usize) -> Result<Shape<'a, Self::Items, Self::Fields>>;

    /// The type.
    fn kind(self) -> Kind;

    /// The field of that name, if this is an object that has it.
    fn field(self, name: &str) -> Result<Option<Self>>;

    /// As [`field`](Self::field), with the position at which it was written.
    fn find(self, name: &str) -> Result<Option<(usize, Self)>>;

    /// The same fields from the start, in the order of their names.
    fn by_name(fields: Self::Fields) -> Self::Fields;

    /// The element at that position, if this is an array that has it.
    fn item(self, index: usize) -> Result<Option<Self>>;

    /// The elements, if this is an array.
    fn items(self) -> Result<Option<Self::Items>>;

    /// A copy.
    fn to_value(self) -> Result<Value>;
}

/// The type and content of a value, one level deep.
pub(crate) enum Shape<'a, Items, Fields> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    String(&'a str),
    Bytes(&'a [u8]),
    Time(Time),
    ObjectId(ObjectId),
    Decimal(Decimal),
    /// With a subtype, which may be 0 in a value that was not encoded.
    Binary(BinaryRef<'a>),
    Foreign(RawForeign<'a>),
    Array(Items),
    Object(Fields),
}

impl<'a> Node<'a> for &'a Value {
    type Items = Found<std::slice::Iter<'a, Value>>;
    type Fields = Found<object::Iter<'a>>;

    fn shape(self, _depth: usize) -> Result<Shape<'a, Self::Items, Self::Fields>> {
        Ok(match self {
            Value::Null => Shape::Null,
            Value::Bool(value) => Shape::Bool(*value),
            Value::Int(value) => Shape::Int(*value),
            Value::UInt(value) => Shape::UInt(*value),
            Value::Float(value) => Shape::Float(*value),
            Value::String(value) => Shape::String(value),
            Value::Bytes(value) => Shape::Bytes(value),
            Value::Time(value) => Shape::Time(*value),
            Value::ObjectId(value) => Shape::ObjectId(*value),
            Value::Decimal(value) => Shape::Decimal(*value),
            Value::Binary(value) => Shape::Binary(value.as_raw()),
            Value::Foreign(value) => Shape::Foreign(value.as_raw()),
            Value::Array(values) => Shape::Array(Found(values.iter())),
            Value::Object(fields) => Shape::Object(Found(fields.iter())),
        })
    }

    fn kind(self) -> Kind {
        self.kind()
    }

    fn field(self, name: &str) -> Result<Option<Self>> {
        Ok(self.as_object().and_then(|object| object.get(name)))
    }

    fn find(self, name: &str) -> Result<Option<(usize, Self)>> {
        Ok(self.as_object().and_then(|object| object.find(name)))
    }

    fn by_name(fields: Self::Fields) -> Self::Fields {
        Found(fields.0.by_name())
    }

    fn item(self, index: usize) -> Result<Option<Self>> {
        Ok(self.as_array().and_then(|items| items.get(index)))
    }

    fn items(self) -> Result<Option<Self::Items>> {
        Ok(self.as_array().map(|items| Found(items.iter())))
    }

    fn to_value(self) -> Result<Value> {
        Ok(self.clone())
    }
}

/// A document's id or metadata as a value, created without an allocation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Meta<'a> {
    Id(IdRef<'a>),
    /// All of the metadata, an object.
    Whole(&'a Header),
    Version(u64),
    Time(Time),
}

impl<'a> Meta<'a> {
    /// The value at the end of these names, if there is one.
    #[inline]
    pub(crate) fn follow<'n>(self, names: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        names.into_iter().try_fold(self, Self::part)
    }

    /// The field of that name, if this is an object that has it.
    #[inline]
    pub(crate) fn part(self, name: &str) -> Option<Self> {
        let Self::Whole(header) = self else { return None };
        match name {
            "version" => Some(Self::Version(header.version)),
            "created" => Some(Self::Time(header.created)),
            "modified" => Some(Self::Time(header.modified)),
            "expires" => header.expires.map(Self::Time),
            "lease" => header.lease.map(Self::Time),
            _ => None,
        }
    }

    /// A copy.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Id(id) => id.to_value(),
            Self::Whole(header) => header.to_object().into(),
            Self::Version(version) => version.into(),
            Self::Time(time) => time.into(),
        }
    }
}

impl<'a> Node<'a> for Meta<'a> {
    type Items = std::iter::Empty<Result<Self>>;
    type Fields = Found<smallvec::IntoIter<[(&'a str, Meta<'a>); META_FIELDS.len()]>>;

    fn shape(self, _depth: usize) -> Result<Shape<'a, Self::Items, Self::Fields>> {
        Ok(match self {
            Self::Whole(_) => {
                let parts = META_FIELDS.into_iter();
                let parts = parts.filter_map(|name| Some((name, self.part(name)?)));
                Shape::Object(Found(parts.collect::<SmallVec<_>>().into_iter()))
            }
            Self::Id(id) => id.shape(),
            Self::Version(version) => match i64::try_from(version) {
                Ok(version) => Shape::Int(version),
                Err(_) => Shape::UInt(version),
            },
            Self::Time(time) => Shape::Time(time),
        })
    }

    fn kind(self) -> Kind {
        match self {
            Self::Id(id) => id.kind(),
            Self::Whole(_) => Kind::Object,
            Self::Version(version) if i64::try_from(version).is_ok() => Kind::Int,
            Self::Version(_) => Kind::UInt,
            Self::Time(_) => Kind::Time,
        }
    }

    fn field(self, name: &str) -> Result<Option<Self>> {
        Ok(self.part(name))
    }

    fn find(self, name: &str) -> Result<Option<(usize, Self)>> {
        let position = META_FIELDS.iter().position(|field| *field == name);
        Ok(position.and_then(|position| Some((position, self.part(name)?))))
    }

    fn by_name(fields: Self::Fields) -> Self::Fields {
        let mut parts: SmallVec<[(&str, Self); META_FIELDS.len()]> = fields.0.collect();
        parts.sort_unstable_by_key(|(name, _)| *name);
        Found(parts.into_iter())
    }

    fn item(self, _index: usize) -> Result<Option<Self>> {
        Ok(None)
    }

    fn items(self) -> Result<Option<Self::Items>> {
        Ok(None)
    }

    fn to_value(self) -> Result<Value> {
        Ok(self.into_value())
    }
}

/// The fields of an owned object.
pub(crate) fn fields(object: &Object) -> Found<object::Iter<'_>> {
    Found(object.iter())
}

/// An iterator whose items never fail.
pub(crate) struct Found<I>(I);

impl<I: Iterator> Iterator for Found<I> {
    type Item = Result<I::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Ok)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<I: ExactSizeIterator> ExactSizeIterator for Found<I> {}
