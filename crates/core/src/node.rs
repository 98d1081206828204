//! One way of looking at a value, be it owned or encoded, so that comparing, printing and key
//! encoding are each written once.

use crate::{Object, Result, Time, Value, object};

/// A value that can be looked into. Owned values never fail; encoded ones can be corrupt.
pub(crate) trait Node<'a>: Copy {
    /// The elements of an array.
    type Items: ExactSizeIterator<Item = Result<Self>>;
    /// The fields of an object, in canonical order.
    type Fields: ExactSizeIterator<Item = Result<(&'a str, Self)>>;

    /// What the value is. `depth` is the number of arrays and objects around it.
    fn shape(self, depth: usize) -> Result<Shape<'a, Self::Items, Self::Fields>>;
}

/// What a value is, one level deep.
pub(crate) enum Shape<'a, Items, Fields> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    String(&'a str),
    Bytes(&'a [u8]),
    Time(Time),
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
            Value::Array(values) => Shape::Array(Found(values.iter())),
            Value::Object(fields) => Shape::Object(Found(fields.iter())),
        })
    }
}

/// The fields of an owned object.
pub(crate) fn fields(object: &Object) -> Found<object::Iter<'_>> {
    Found(object.iter())
}

/// An iterator whose items are always there.
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
