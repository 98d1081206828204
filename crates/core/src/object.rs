//! The fields of a document or of a nested object. Owns the rule that fields are a set, held in
//! one canonical order.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Index;

use crate::Value;

/// Named values, in canonical order: the order of the UTF-8 bytes of their names.
///
/// Fields are a set. The order of insertion is not kept, so that equal content always has equal
/// bytes, on every replica and in every index.
///
/// A sorted vector: lookups are binary searches, and building from an iterator sorts once.
/// Inserting into the middle moves what follows, so large objects are best collected.
///
/// ```
/// use velocitydb_core::{Object, Value, object};
///
/// let mut user = object! { "name": "Alice", "age": 28 };
/// user.insert("age", 29);
/// assert_eq!(user.keys().collect::<Vec<_>>(), ["age", "name"]);
/// assert_eq!(user["age"], Value::from(29));
/// assert_eq!(user.remove("name"), Some(Value::from("Alice")));
/// ```
#[derive(Clone, Default)]
pub struct Object {
    fields: Vec<(String, Value)>,
}

impl Object {
    /// An object without fields.
    pub const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// An object without fields, with room for that many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { fields: Vec::with_capacity(capacity) }
    }

    /// The number of fields.
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are no fields.
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.position(name).ok().map(|at| &self.fields[at].1)
    }

    /// The value of a field, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.position(name).ok().map(|at| &mut self.fields[at].1)
    }

    /// The value of a field, inserted first if it is missing.
    pub fn get_or_insert_with(
        &mut self,
        name: &str,
        default: impl FnOnce() -> Value,
    ) -> &mut Value {
        let at = self.position(name).unwrap_or_else(|at| {
            self.fields.insert(at, (name.to_owned(), default()));
            at
        });
        &mut self.fields[at].1
    }

    /// Whether the field exists, also if it is null.
    pub fn contains_key(&self, name: &str) -> bool {
        self.position(name).is_ok()
    }

    /// Sets a field, and returns the value that it had.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        match self.position(&name) {
            Ok(at) => Some(std::mem::replace(&mut self.fields[at].1, value)),
            Err(at) => {
                self.fields.insert(at, (name, value));
                None
            }
        }
    }

    /// Removes a field, and returns the value that it had.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.position(name).ok().map(|at| self.fields.remove(at).1)
    }

    /// Removes all fields.
    pub fn clear(&mut self) {
        self.fields.clear();
    }

    /// Keeps the fields for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        self.fields.retain_mut(|(name, value)| keep(name, value));
    }

    /// The fields, in canonical order.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.fields.iter())
    }

    /// The fields, in canonical order, their values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Value)> {
        self.fields.iter_mut().map(|(name, value)| (name.as_str(), value))
    }

    /// The names, in canonical order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// The values, in the canonical order of their names.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.fields.iter().map(|(_, value)| value)
    }

    /// Whether both have the same fields, with identical values.
    pub fn is_identical(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().zip(other.iter()).all(|((name, value), (other_name, other_value))| {
                name == other_name && value.is_identical(other_value)
            })
    }

    /// An object of fields that are in canonical order; `None` if they are not.
    pub(crate) fn from_sorted(fields: Vec<(String, Value)>) -> Option<Self> {
        fields.is_sorted_by(|(a, _), (b, _)| a < b).then_some(Self { fields })
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.fields.binary_search_by(|(other, _)| other.as_str().cmp(name))
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K: Borrow<str>> Index<K> for Object {
    type Output = Value;

    /// The value of a field, and null for a missing one.
    fn index(&self, name: K) -> &Value {
        const NULL: &Value = &Value::Null;
        self.get(name.borrow()).unwrap_or(NULL)
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(fields: I) -> Self {
        let mut object = Self::new();
        object.extend(fields);
        object
    }
}

impl<K: Into<String>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Object {
    fn from(fields: [(K, V); N]) -> Self {
        fields.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<Value>> Extend<(K, V)> for Object {
    /// Sets all of the fields. The last of several with one name stays.
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, fields: I) {
        self.fields.extend(fields.into_iter().map(|(name, value)| (name.into(), value.into())));
        self.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.fields.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
    }
}

/// The fields of an [`Object`], in canonical order.
#[derive(Debug, Clone)]
pub struct Iter<'a>(std::slice::Iter<'a, (String, Value)>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name.as_str(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a str, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_a_sorted_set() {
        let object: Object = [("b", 1), ("a", 2), ("b", 3), ("é", 4), ("", 5)].into();
        assert_eq!(object.keys().collect::<Vec<_>>(), ["", "a", "b", "é"]);
        assert_eq!(object["b"], Value::Int(3));
        assert_eq!(object["missing"], Value::Null);
    }

    #[test]
    fn extending_keeps_the_last() {
        let mut object = crate::object! { "a": 1, "z": 2 };
        object.extend([("a", 3), ("m", 4), ("a", 5)]);
        assert_eq!(format!("{object:?}"), r#"{"a": 5, "m": 4, "z": 2}"#);
    }

    #[test]
    fn insert_and_remove_return_what_was_there() {
        let mut object = Object::new();
        assert_eq!(object.insert("a", 1), None);
        assert_eq!(object.insert("a", "one"), Some(Value::Int(1)));
        *object.get_or_insert_with("a", || Value::Null) = Value::Int(2);
        assert_eq!(object.remove("a"), Some(Value::Int(2)));
        assert_eq!(object.remove("a"), None);
        object.get_or_insert_with("b", || Value::Int(3));
        object.retain(|name, _| name != "b");
        assert!(object.is_empty());
    }
}
