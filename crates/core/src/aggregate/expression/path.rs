//! Field paths of expressions, such as `$a.b`: unlike those of filters and updates, they go through
//! arrays by collecting from all elements, and a number is a name, except in the local field of
//! `$lookup`, where it is a position.

use super::item::Item;
use crate::document::META;
use crate::node::{Meta, Node};
use crate::{DocumentView, Kind, Object, Path, RawValue, Result, Value};

/// A path of names.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::aggregate) struct FieldPath {
    first: Box<str>,
    rest: Box<[Box<str>]>,
    /// Whether the first name is one of [`META`].
    is_meta: bool,
}

/// The result of an expression that needs no evaluation.
pub(in crate::aggregate) enum Direct<'e> {
    Raw(RawValue<'e>),
    Missing,
    /// The expression has to be evaluated.
    Other,
}

impl FieldPath {
    pub(in crate::aggregate) fn parse(text: &str) -> Result<Self> {
        let path: Path = text.parse()?;
        let mut names = path.segments().iter().map(|segment| segment.name().into());
        let first: Box<str> = names.next().expect("a path has a segment");
        let is_meta = META.contains(&&*first);
        Ok(Self { first, rest: names.collect(), is_meta })
    }

    /// The name of the top-level field.
    pub(in crate::aggregate) fn first(&self) -> &str {
        &self.first
    }

    /// Whether there are names after the first.
    pub(in crate::aggregate) fn is_nested(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The names after the first.
    pub(super) fn rest(&self) -> &[Box<str>] {
        &self.rest
    }

    /// The value at this path of a document, if the path is the name of a stored top-level field.
    #[inline]
    pub(in crate::aggregate) fn direct<'e>(
        &self,
        document: &DocumentView<'e>,
    ) -> Result<Direct<'e>> {
        if self.is_meta || !self.rest.is_empty() {
            return Ok(Direct::Other);
        }
        Ok(document.fields.get(&self.first)?.map_or(Direct::Missing, Direct::Raw))
    }

    /// The value at this path of a document.
    #[inline]
    pub(in crate::aggregate) fn of_document<'e>(
        &'e self,
        document: &'e DocumentView<'e>,
    ) -> Result<Item<'e>> {
        if let Some(meta) = self.meta_of(document) {
            let meta = meta.follow(self.rest.iter().map(|name| &**name));
            return Ok(Item::from_option(meta.map(Meta::into_value)));
        }
        match document.fields.get(&self.first)? {
            Some(value) => follow_raw(value, &self.rest),
            None => Ok(Item::Missing),
        }
    }

    /// The value at this path of an object.
    pub(in crate::aggregate) fn of_object<'e>(&self, object: &'e Object) -> Item<'e> {
        object.get(&self.first).map_or(Item::Missing, |value| follow(value, &self.rest))
    }

    /// The values at this path of a document that `$lookup` looks up: see [`gather`].
    pub(in crate::aggregate) fn values_of_document(
        &self,
        document: &DocumentView<'_>,
    ) -> Result<Vec<Value>> {
        let mut found = Vec::new();
        match self.meta_of(document) {
            Some(meta) => gather(Some(meta), &self.rest, &mut found)?,
            None => gather(document.fields.get(&self.first)?, &self.rest, &mut found)?,
        }
        Ok(found)
    }

    /// The field of [`META`] at which this path begins, if it does.
    #[inline]
    fn meta_of<'e>(&self, document: &'e DocumentView<'_>) -> Option<Meta<'e>> {
        if self.is_meta { document.meta_node(&self.first) } else { None }
    }

    /// The values at this path of an object that `$lookup` looks up: see [`gather`].
    pub(in crate::aggregate) fn values_of_object(&self, object: &Object) -> Result<Vec<Value>> {
        let mut found = Vec::new();
        gather(object.get(&self.first), &self.rest, &mut found)?;
        Ok(found)
    }

    /// The value at this path, not going through arrays.
    pub(in crate::aggregate) fn get_mut<'o>(
        &self,
        object: &'o mut Object,
    ) -> Option<&'o mut Value> {
        let mut value = object.get_mut(&self.first)?;
        for name in &self.rest {
            value = value.as_object_mut()?.get_mut(name)?;
        }
        Some(value)
    }

    /// Removes the value at this path, not going through arrays.
    pub(in crate::aggregate) fn remove(&self, object: &mut Object) {
        let Some((last, way)) = self.rest.split_last() else {
            object.remove(&self.first);
            return;
        };
        let Some(mut value) = object.get_mut(&self.first) else { return };
        for name in way {
            match value.as_object_mut().and_then(|object| object.get_mut(name)) {
                Some(inner) => value = inner,
                None => return,
            }
        }
        value.as_object_mut().map(|object| object.remove(last));
    }

    /// Sets the value at this path. Values inside the path that are not objects are replaced by
    /// objects.
    pub(in crate::aggregate) fn set(&self, object: &mut Object, value: Value) {
        let Some((last, way)) = self.rest.split_last() else {
            object.insert(&*self.first, value);
            return;
        };
        let mut inner = object_at(object, &self.first);
        for name in way {
            inner = object_at(inner, name);
        }
        inner.insert(&**last, value);
    }
}

fn object_at<'o>(object: &'o mut Object, name: &str) -> &'o mut Object {
    let value = object.get_or_insert_with(name, || Object::new().into());
    if value.as_object().is_none() {
        *value = Object::new().into();
    }
    value.as_object_mut().expect("it was just made one")
}

/// Collects the values at the end of a path. In an array a number is a position, and any other name
/// applies to all elements that are objects; an array at the end gives its elements.
fn gather<'a, N: Node<'a>>(
    mut value: Option<N>,
    mut names: &[Box<str>],
    found: &mut Vec<Value>,
) -> Result<()> {
    while let (Some(node), Some((name, rest))) = (value, names.split_first()) {
        match (node.kind(), position(name)) {
            (Kind::Object, _) => value = node.field(name)?,
            (Kind::Array, Some(position)) => value = node.item(position)?,
            (Kind::Array, None) => {
                for item in node.items()?.into_iter().flatten() {
                    let item = Some(item?).filter(|item| item.kind() == Kind::Object);
                    if item.is_some() {
                        gather(item, names, found)?;
                    }
                }
                return Ok(());
            }
            _ => return Ok(()),
        }
        names = rest;
    }
    let Some(value) = value else { return Ok(()) };
    match value.items()? {
        Some(mut items) => items.try_for_each(|item| {
            found.push(item?.to_value()?);
            Ok(())
        }),
        None => {
            found.push(value.to_value()?);
            Ok(())
        }
    }
}

/// A name as a position in an array, if it is a decimal number.
fn position(name: &str) -> Option<usize> {
    let is_canonical = name == "0" || !name.starts_with(['0', '+']);
    name.parse().ok().filter(|_| is_canonical)
}

fn follow_raw<'e>(mut value: RawValue<'e>, mut names: &[Box<str>]) -> Result<Item<'e>> {
    while let Some((name, rest)) = names.split_first() {
        if let Some(object) = value.as_object()? {
            match object.get(name)? {
                Some(inner) => (value, names) = (inner, rest),
                None => return Ok(Item::Missing),
            }
            continue;
        }
        let Some(array) = value.as_array()? else { return Ok(Item::Missing) };
        let mut found = Vec::new();
        for item in array.iter() {
            let item = item?;
            if item.as_object()?.is_some() {
                found.extend(follow_raw(item, names)?.into_option()?);
            }
        }
        return Ok(Item::Owned(Value::Array(found)));
    }
    Ok(Item::Raw(value))
}

/// The value at a path inside of a value.
pub(super) fn follow<'e>(mut value: &'e Value, mut names: &[Box<str>]) -> Item<'e> {
    while let Some((name, rest)) = names.split_first() {
        match value {
            Value::Object(object) => match object.get(name) {
                Some(inner) => (value, names) = (inner, rest),
                None => return Item::Missing,
            },
            Value::Array(items) => {
                let objects = items.iter().filter(|item| item.as_object().is_some());
                let found = objects.filter_map(|item| match follow(item, names) {
                    Item::Ref(value) => Some(value.clone()),
                    Item::Owned(value) => Some(value),
                    Item::Missing | Item::Raw(_) => None,
                });
                return Item::Owned(Value::Array(found.collect()));
            }
            _ => return Item::Missing,
        }
    }
    Item::Ref(value)
}

/// The value at a path inside of the result of an expression.
pub(super) fn follow_item<'e>(item: &'e Item<'e>, names: &[Box<str>]) -> Result<Item<'e>> {
    match item {
        Item::Missing => Ok(Item::Missing),
        Item::Raw(value) => follow_raw(*value, names),
        Item::Ref(value) => Ok(follow(value, names)),
        Item::Owned(value) => Ok(follow(value, names)),
    }
}
