//! Dotted paths, such as `address.zip` or `tags.0`.

use std::str::FromStr;

use crate::{Error, Object, Result, Value};

/// A place in a document: field names and array positions from the outside to the inside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<String>);

#[allow(missing_docs, unused_variables)]
impl Path {
    pub fn parse(text: &str) -> Result<Self> { todo!() }
    pub fn get<'a>(&self, object: &'a Object) -> Option<&'a Value> { todo!() }
    pub fn get_mut<'a>(&self, object: &'a mut Object) -> Option<&'a mut Value> { todo!() }
    /// Sets the value, creating objects on the way; returns what was there.
    pub fn set(&self, object: &mut Object, value: Value) -> Result<Option<Value>> { todo!() }
    pub fn remove(&self, object: &mut Object) -> Option<Value> { todo!() }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0.join("."))
    }
}

impl FromStr for Path {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}
