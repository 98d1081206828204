//! Changes to a document: a merge of fields, and operators with MongoDB's semantics.

use crate::{Object, Result, Time, Value};

/// A change to a document.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Update(Vec<(String, Value)>);

#[allow(missing_docs, unused_variables)]
impl Update {
    /// An update that changes nothing, to be built on. A wrong path or operand is reported by
    /// `check`, `apply` and `encode_into`.
    pub fn new() -> Self { Self::default() }
    /// Sets each of the top-level fields.
    pub fn merge(fields: Object) -> Self { todo!() }
    /// From `{"$set": {…}, "$inc": {…}}`, or from fields without operators (a merge).
    pub fn from_object(update: Object) -> Result<Self> { todo!() }
    pub fn from_json(text: &str) -> Result<Self> { todo!() }
    pub fn to_object(&self) -> Object { todo!() }
    pub fn set(self, path: &str, value: impl Into<Value>) -> Self { todo!() }
    pub fn unset(self, path: &str) -> Self { todo!() }
    pub fn inc(self, path: &str, by: impl Into<Value>) -> Self { todo!() }
    pub fn mul(self, path: &str, by: impl Into<Value>) -> Self { todo!() }
    pub fn min(self, path: &str, value: impl Into<Value>) -> Self { todo!() }
    pub fn max(self, path: &str, value: impl Into<Value>) -> Self { todo!() }
    pub fn rename(self, from: &str, to: &str) -> Self { todo!() }
    pub fn push(self, path: &str, value: impl Into<Value>) -> Self { todo!() }
    pub fn pull(self, path: &str, value: impl Into<Value>) -> Self { todo!() }
    pub fn pop_first(self, path: &str) -> Self { todo!() }
    pub fn pop_last(self, path: &str) -> Self { todo!() }
    pub fn add_to_set(self, path: &str, value: impl Into<Value>) -> Self { todo!() }
    pub fn current_date(self, path: &str) -> Self { todo!() }
    pub fn is_empty(&self) -> bool { todo!() }
    /// The error that building left, if any.
    pub fn check(&self) -> Result<()> { todo!() }
    /// Changes the fields. After an error they may be half changed, and are to be thrown away.
    pub fn apply(&self, object: &mut Object, now: Time) -> Result<()> { todo!() }
    /// Appends canonical bytes, for logs and the wire.
    pub fn encode_into(&self, buffer: &mut Vec<u8>) -> Result<()> { todo!() }
    /// Reads what `encode_into` wrote, checking all of it.
    pub fn decode(bytes: &[u8]) -> Result<Self> { todo!() }
}
