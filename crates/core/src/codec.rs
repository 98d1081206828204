//! The compact binary encoding of documents.

use serde::Serialize;

use crate::{Object, RawObject, Result};

/// An encoded object: canonical bytes, known to be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded(Vec<u8>);

#[allow(missing_docs, unused_variables)]
impl Encoded {
    pub fn from_object(object: &Object) -> Result<Self> { todo!() }
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self> { todo!() }
    pub fn from_json(text: &str) -> Result<Self> { todo!() }
    /// Takes untrusted bytes, after a full check.
    pub fn from_untrusted(bytes: Vec<u8>) -> Result<Self> { todo!() }
    /// Takes bytes that were validated before (and are protected by a checksum since).
    pub fn from_trusted(bytes: Vec<u8>) -> Result<Self> { todo!() }
    pub fn as_bytes(&self) -> &[u8] { &self.0 }
    pub fn into_bytes(self) -> Vec<u8> { self.0 }
    pub fn view(&self) -> RawObject<'_> { todo!() }
    pub fn to_object(&self) -> Result<Object> { todo!() }
    pub fn to_json(&self) -> Result<String> { todo!() }
}

/// Appends the encoding of an object to a buffer, which is left as it was on an error.
#[allow(unused_variables)]
pub fn encode_into(object: &Object, buffer: &mut Vec<u8>) -> Result<()> { todo!() }

/// Appends the encoding of whatever serializes as an object.
#[allow(unused_variables)]
pub fn encode_serialize_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<()> { todo!() }

/// Appends the encoding of a single value of any type.
#[allow(unused_variables)]
pub fn encode_value_into(value: &crate::Value, buffer: &mut Vec<u8>) -> Result<()> { todo!() }
