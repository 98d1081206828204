//! JSON text, with MongoDB's extended JSON for what JSON lacks.

use crate::{Object, RawValue, Result, Value};

/// Reads a value; operators such as `$set` may be field names.
#[allow(unused_variables)]
pub fn value_from_json(text: &str) -> Result<Value> { todo!() }

/// Reads an object; operators such as `$set` may be field names.
#[allow(unused_variables)]
pub fn object_from_json(text: &str) -> Result<Object> { todo!() }

/// Appends the text of an encoded value.
#[allow(unused_variables)]
pub fn write_json(value: RawValue<'_>, text: &mut Vec<u8>) -> Result<()> { todo!() }

impl std::fmt::Display for Value {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { todo!() }
}
