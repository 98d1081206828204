//! The fields of a document or of a nested object. Owns the rule that each name is there once, and
//! the order in which fields were written.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Index;

use crate::Value;

/// Named values, in the order in which they were written.
///
/// A new field comes last, and one that is set again keeps its place. Comparing (`==`, `<`) ignores
/// the order: objects are equal if they have the same fields with equal values.
/// [`is_identical`](Self::is_identical) distinguishes it.
///
/// A vector, and a list of its positions by name where that is another order: look-ups are binary
/// searches, and building from an iterator sorts once. Removing moves what follows.
///
/// ```
/// use velocitydb_core::{Object, Value, object};
///
/// let mut user = object! { "name": "Alice", "age": 28 };
/// user.insert("age", 29);
/// user.insert("city", "Bonn");
/// assert_eq!(user.keys().collect::<Vec<_>>(), ["name", "age", "city"]);
/// assert_eq!(user, object! { "age": 29, "city": "Bonn", "name": "Alice" });
/// assert_eq!(user["age"], Value::from(29));
/// assert_eq!(user.remove("name"), Some(Value::from("Alice")));
/// ```
#[derive(Clone, Default)]
pub struct Object {
    /// As they were written.
    fields: Vec<(String, Value)>,
    /// `None` if the fields are in the order of their names.
    ranks: Option<Box<Ranks>>,
}

/// For each rank in the order of names, the position of the field. Behind one pointer, since it
/// would make every value larger.
#[derive(Clone)]
struct Ranks(Vec<u32>);

/// Up to this many fields are inserted one by one rather than sorted together.
const FEW_FIELDS: usize = 4;

impl Object {
    /// An object without fields.
    pub const fn new() -> Self {
        Self { fields: Vec::new(), ranks: None }
    }

    /// An object without fields, with room for that many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { fields: Vec::with_capacity(capacity), ranks: None }
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
        self.find(name).map(|(_, value)| value)
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
        let at = self.position(name).unwrap_or_else(|rank| {
            self.append(rank, name.to_owned(), default());
            self.fields.len() - 1
        });
        &mut self.fields[at].1
    }

    /// Whether the field exists, also if it is null.
    pub fn contains_key(&self, name: &str) -> bool {
        self.position(name).is_ok()
    }

    /// Sets a field, and returns the value that it had. A new one comes last.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        match self.position(&name) {
            Ok(at) => Some(std::mem::replace(&mut self.fields[at].1, value)),
            Err(rank) => {
                self.append(rank, name, value);
                None
            }
        }
    }

    /// Sets these fields, which have different names, and puts them in front of the others.
    pub fn prepend<K, V>(&mut self, fields: impl IntoIterator<Item = (K, V)>)
    where
        K: Into<String>,
        V: Into<Value>,
    {
        let mut all = Self::from_iter(fields);
        if all.is_empty() {
            return;
        }
        self.retain(|name, _| !all.contains_key(name));
        all.fields.append(&mut self.fields);
        all.rank();
        *self = all;
    }

    /// Removes a field, and returns the value that it had. The others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.position(name).ok()?;
        let (_, value) = self.fields.remove(at);
        if let Some(ranks) = &mut self.ranks
            && !ranks.remove(at as u32)
        {
            self.ranks = None;
        }
        Some(value)
    }

    /// Removes all fields.
    pub fn clear(&mut self) {
        self.fields.clear();
        self.ranks = None;
    }

    /// Keeps the fields for which `keep` is true, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        let before = self.fields.len();
        self.fields.retain_mut(|(name, value)| keep(name, value));
        if self.fields.len() < before && self.ranks.is_some() {
            self.rank();
        }
    }

    /// The fields, as they were written.
    pub fn iter(&self) -> Iter<'_> {
        Iter { object: self, ranks: None, next: 0 }
    }

    /// The fields, in the order of the UTF-8 bytes of their names.
    pub fn by_name(&self) -> Iter<'_> {
        let ranks = self.ranks.as_ref().map(|ranks| &*ranks.0);
        Iter { ranks, ..self.iter() }
    }

    /// The fields, as they were written, their values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Value)> {
        self.fields.iter_mut().map(|(name, value)| (name.as_str(), value))
    }

    /// The names, as they were written.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// The values, as they were written.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.fields.iter().map(|(_, value)| value)
    }

    /// Whether both have the same fields in the same order, with identical values.
    pub fn is_identical(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().zip(other.iter()).all(|((name, value), (other_name, other_value))| {
                name == other_name && value.is_identical(other_value)
            })
    }

    /// Puts the fields into the order of the UTF-8 bytes of their names. Those of objects inside of
    /// it keep their order.
    pub fn sort_by_name(&mut self) {
        if self.ranks.take().is_some() {
            self.fields.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        }
    }

    /// Whether the fields are in the order of the UTF-8 bytes of their names.
    pub const fn is_sorted_by_name(&self) -> bool {
        self.ranks.is_none()
    }

    /// An object of these fields, or the name of which there are several.
    pub(crate) fn from_fields(fields: Vec<(String, Value)>) -> Result<Self, String> {
        let mut object = Self { fields, ranks: None };
        object.rank();
        let name = |at: u32| &object.fields[at as usize].0;
        let ranks = object.ranks.as_ref().map_or(&[][..], |ranks| &ranks.0);
        match ranks.windows(2).find(|pair| name(pair[0]) == name(pair[1])) {
            Some(twice) => Err(name(twice[0]).clone()),
            None => Ok(object),
        }
    }

    /// An object of fields that are in the order of their names; `None` if they are not.
    pub(crate) fn from_sorted(fields: Vec<(String, Value)>) -> Option<Self> {
        is_sorted(&fields).then_some(Self { fields, ranks: None })
    }

    /// An object of fields that are in another order than their names, and for each rank in that of
    /// their names the position of the field; `None` if that is not so.
    pub(crate) fn from_ranked(fields: Vec<(String, Value)>, ranks: Vec<u32>) -> Option<Self> {
        let names = ranks.iter().map(|at| fields.get(*at as usize).map(|(name, _)| name));
        let is_ranked = ranks.len() == fields.len()
            && !is_sorted(&fields)
            && names.clone().all(|name| name.is_some())
            && names.is_sorted_by(|a, b| a < b);
        is_ranked.then(|| Self { fields, ranks: Some(Box::new(Ranks(ranks))) })
    }

    /// The value of a field, and its position.
    pub(crate) fn find(&self, name: &str) -> Option<(usize, &Value)> {
        self.position(name).ok().map(|at| (at, &self.fields[at].1))
    }

    /// The value of a field, which becomes null, and its position.
    pub(crate) fn take(&mut self, name: &str) -> Option<(usize, Value)> {
        self.position(name).ok().map(|at| (at, std::mem::take(&mut self.fields[at].1)))
    }

    /// The position of a field, or the rank that its name would have.
    fn position(&self, name: &str) -> Result<usize, usize> {
        let Some(ranks) = &self.ranks else {
            return self.fields.binary_search_by(|(other, _)| other.as_str().cmp(name));
        };
        let name_at = |at: &u32| self.fields[*at as usize].0.as_str();
        let rank = ranks.0.binary_search_by(|at| name_at(at).cmp(name))?;
        Ok(ranks.0[rank] as usize)
    }

    /// Adds a field whose name is new, and will have that rank.
    fn append(&mut self, rank: usize, name: String, value: Value) {
        let at = self.fields.len();
        self.fields.push((name, value));
        if rank < at || self.ranks.is_some() {
            let in_order = || Box::new(Ranks((0..at as u32).collect()));
            self.ranks.get_or_insert_with(in_order).0.insert(rank, at as u32);
        }
    }

    /// For each rank in the order of names, the position of the field; nothing if the fields are in that order.
    pub(crate) fn ranks(&self) -> &[u32] {
        self.ranks.as_ref().map_or(&[], |ranks| &ranks.0)
    }

    /// Ranks the fields anew. Those of one name are ranked as they were written.
    fn rank(&mut self) {
        let fields = &self.fields;
        self.ranks = (!is_sorted(fields)).then(|| {
            let name = |at: &u32| &fields[*at as usize].0;
            let mut ranks: Vec<u32> = (0..fields.len() as u32).collect();
            ranks.sort_by(|a, b| name(a).cmp(name(b)));
            Box::new(Ranks(ranks))
        });
    }

    /// Of several fields of one name, keeps the place of the first and the value of the last.
    fn unite(&mut self) {
        let Some(ranks) = self.ranks.take() else { return };
        let name = |at: u32| &self.fields[at as usize].0;
        if !ranks.0.windows(2).any(|pair| name(pair[0]) == name(pair[1])) {
            self.ranks = Some(ranks);
            return;
        }
        let mut is_superseded = vec![false; self.fields.len()];
        let mut first = 0;
        for (rank, at) in ranks.0.iter().map(|at| *at as usize).enumerate() {
            match rank > 0 && self.fields[first].0 == self.fields[at].0 {
                true => {
                    is_superseded[at] = true;
                    self.fields[first].1 = std::mem::take(&mut self.fields[at].1);
                }
                false => first = at,
            }
        }
        let mut superseded = is_superseded.into_iter();
        self.fields.retain(|_| superseded.next() == Some(false));
        self.rank();
    }
}

impl Ranks {
    /// Removes the position of a field that was removed. `false` if the fields are now in the order
    /// of their names.
    fn remove(&mut self, removed: u32) -> bool {
        self.0.retain(|at| *at != removed);
        self.0.iter_mut().filter(|at| **at > removed).for_each(|at| *at -= 1);
        !self.0.is_sorted()
    }
}

/// Whether fields are in the order of their names, each name once.
fn is_sorted(fields: &[(String, Value)]) -> bool {
    fields.is_sorted_by(|(a, _), (b, _)| a < b)
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
    /// Sets all of the fields. The last of several with one name stays, in the place of the first.
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, fields: I) {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value.into()));
        if fields.size_hint().1.is_some_and(|most| most <= FEW_FIELDS) {
            fields.for_each(|(name, value): (String, Value)| drop(self.insert(name, value)));
            return;
        }
        self.fields.extend(fields);
        self.rank();
        self.unite();
    }
}

/// The fields of an [`Object`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    object: &'a Object,
    /// The positions in the order of iteration; `None` for the order of the fields.
    ranks: Option<&'a [u32]>,
    next: usize,
}

impl Iter<'_> {
    /// The same fields from the start, in the order of their names.
    pub(crate) fn by_name(self) -> Self {
        self.object.by_name()
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        let at = match self.ranks {
            Some(ranks) => *ranks.get(self.next)? as usize,
            None => self.next,
        };
        let (name, value) = self.object.fields.get(at)?;
        self.next += 1;
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.object.len() - self.next;
        (left, Some(left))
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
    fn fields_are_a_set_in_the_order_of_writing() {
        let object: Object = [("b", 1), ("a", 2), ("b", 3), ("é", 4), ("", 5)].into();
        assert_eq!(object.keys().collect::<Vec<_>>(), ["b", "a", "é", ""]);
        let by_name: Vec<&str> = object.by_name().map(|(name, _)| name).collect();
        assert_eq!(by_name, ["", "a", "b", "é"]);
        assert_eq!(object["b"], Value::Int(3));
        assert_eq!(object["missing"], Value::Null);
    }

    #[test]
    fn extending_keeps_the_last_in_the_place_of_the_first() {
        for more in [2, 20] {
            let mut object = crate::object! { "z": 2, "a": 1 };
            let rest = (0..more).map(|n| (format!("m{n}"), n));
            object.extend([("a".to_owned(), 3)].into_iter().chain(rest).chain([("a".into(), 5)]));
            let names: Vec<&str> = object.keys().take(4).collect();
            assert_eq!(names, ["z", "a", "m0", "m1"]);
            assert_eq!((object.len(), &object["a"]), (more as usize + 2, &Value::Int(5)));
        }
    }

    /// Does random changes to an object and to a list, and compares the two.
    #[test]
    fn any_changes_keep_the_order_and_the_look_ups() {
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let (mut object, mut list) = (Object::new(), Vec::<(String, Value)>::new());
        for _ in 0..20_000 {
            let (name, value) = (random(12).to_string(), Value::from(random(100)));
            let at = list.iter().position(|(other, _)| *other == name);
            match random(8) {
                0..3 => {
                    let before = at.map(|at| std::mem::replace(&mut list[at].1, value.clone()));
                    if before.is_none() {
                        list.push((name.clone(), value.clone()));
                    }
                    assert_eq!(object.insert(name, value), before);
                }
                3..6 => assert_eq!(object.remove(&name), at.map(|at| list.remove(at).1)),
                6 => {
                    list.retain(|(_, value)| value < &50.into());
                    object.retain(|_, value| *value < 50.into());
                }
                _ => {
                    let fields = list.iter().cloned().chain([(name, value)]).rev();
                    let fields: Vec<_> = fields.take(random(14) as usize).collect();
                    for (name, value) in &fields {
                        match list.iter_mut().find(|(other, _)| other == name) {
                            Some((_, old)) => *old = value.clone(),
                            None => list.push((name.clone(), value.clone())),
                        }
                    }
                    object.extend(fields);
                }
            }
            assert!(object.iter().eq(list.iter().map(|(name, value)| (name.as_str(), value))));
            assert!(list.iter().all(|(name, value)| object.get(name) == Some(value)));
            assert!(object.by_name().is_sorted_by(|(a, _), (b, _)| a < b));
            assert_eq!(object.is_sorted_by_name(), list.is_sorted_by(|(a, _), (b, _)| a < b));
        }
        object.sort_by_name();
        list.sort_by(|(a, _), (b, _)| a.cmp(b));
        assert!(object.keys().eq(list.iter().map(|(name, _)| name)));
    }

    #[test]
    fn values_are_small() {
        assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
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
