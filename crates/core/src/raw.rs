//! Borrowed views of encoded values: one field is read without decoding the rest.

use std::cmp::Ordering;

use crate::{Kind, Object, Path, Result, Time, Value};

/// An encoded value.
#[derive(Debug, Clone, Copy)]
pub struct RawValue<'a>(&'a [u8]);

/// An encoded array.
#[derive(Debug, Clone, Copy)]
pub struct RawArray<'a>(&'a [u8]);

/// An encoded object.
#[derive(Debug, Clone, Copy)]
pub struct RawObject<'a>(&'a [u8]);

#[allow(missing_docs, unused_variables)]
impl<'a> RawValue<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self> { todo!() }
    pub fn validate(bytes: &'a [u8]) -> Result<Self> { todo!() }
    pub fn as_encoded(self) -> &'a [u8] { self.0 }
    pub fn kind(self) -> Kind { todo!() }
    pub fn as_bool(self) -> Result<Option<bool>> { todo!() }
    pub fn as_i64(self) -> Result<Option<i64>> { todo!() }
    pub fn as_u64(self) -> Result<Option<u64>> { todo!() }
    pub fn as_f64(self) -> Result<Option<f64>> { todo!() }
    pub fn as_str(self) -> Result<Option<&'a str>> { todo!() }
    pub fn as_bytes(self) -> Result<Option<&'a [u8]>> { todo!() }
    pub fn as_time(self) -> Result<Option<Time>> { todo!() }
    pub fn as_array(self) -> Result<Option<RawArray<'a>>> { todo!() }
    pub fn as_object(self) -> Result<Option<RawObject<'a>>> { todo!() }
    pub fn to_value(self) -> Result<Value> { todo!() }
    pub fn compare(self, other: RawValue<'_>) -> Result<Ordering> { todo!() }
    pub fn compare_value(self, other: &Value) -> Result<Ordering> { todo!() }
}

#[allow(missing_docs, unused_variables)]
impl<'a> RawArray<'a> {
    pub fn len(self) -> usize { todo!() }
    pub fn is_empty(self) -> bool { self.len() == 0 }
    pub fn get(self, index: usize) -> Result<Option<RawValue<'a>>> { todo!() }
    pub fn iter(self) -> impl ExactSizeIterator<Item = Result<RawValue<'a>>> { std::iter::empty() }
}

#[allow(missing_docs, unused_variables)]
impl<'a> RawObject<'a> {
    /// A view of bytes that were validated before; checks only the header.
    pub fn new(bytes: &'a [u8]) -> Result<Self> { todo!() }
    /// A view of untrusted bytes, after a full check.
    pub fn validate(bytes: &'a [u8]) -> Result<Self> { todo!() }
    pub fn as_encoded(self) -> &'a [u8] { self.0 }
    pub fn len(self) -> usize { todo!() }
    pub fn is_empty(self) -> bool { self.len() == 0 }
    pub fn get(self, name: &str) -> Result<Option<RawValue<'a>>> { todo!() }
    pub fn get_path(self, path: &Path) -> Result<Option<RawValue<'a>>> { todo!() }
    pub fn iter(self) -> impl ExactSizeIterator<Item = Result<(&'a str, RawValue<'a>)>> { std::iter::empty() }
    pub fn to_object(self) -> Result<Object> { todo!() }
    pub fn to_encoded(self) -> crate::Encoded { todo!() }
    pub fn deserialize<T: serde::Deserialize<'a>>(self) -> Result<T> { todo!() }
}
