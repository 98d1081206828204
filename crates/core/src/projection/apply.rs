//! Applying a projection: excluded parts of an encoded document are never decoded.

use super::projection_type::{Mode, Projection, Rule, Rules, Slice};
use crate::document::{ID, METADATA};
use crate::filter::matching_item;
use crate::node::{Node, Shape};
use crate::{DocumentView, Object, Result, Value};

impl Projection {
    /// The projected part of a stored document.
    ///
    /// It has `_id` unless that is excluded, and of `_meta` what is included.
    ///
    /// # Errors
    ///
    /// What [`Projection::check`] says, and [`Error::Corrupt`](crate::Error::Corrupt) when the
    /// document cannot be read.
    pub fn apply(&self, document: &DocumentView<'_>) -> Result<Object> {
        self.check()?;
        let mut object = self.fields(document.fields.as_value())?;
        object.remove(ID);
        object.remove(METADATA);
        let id = self.includes_id().then_some((ID, Value::from(document.id)));
        object.prepend(id);
        if let (Some(rule), Some(metadata)) = (&self.metadata, document.meta_node(METADATA)) {
            object.extend(included(metadata, rule, 0)?.map(|value| (METADATA, value)));
        }
        Ok(object)
    }

    /// The projected part of an object in which `_id` and `_meta` are ordinary fields; empty, if
    /// there was a mistake while building.
    pub fn apply_object(&self, object: Object) -> Object {
        if self.check().is_err() {
            return Object::new();
        }
        if self.is_all() {
            return object;
        }
        let object = Value::from(object);
        let mut projected = self.fields(&object).expect("owned values can always be read");
        let Value::Object(object) = &object else { return projected };
        match (self.mode, self.includes_id()) {
            (Mode::Exclude, false) if self.id_part().is_some() => drop(projected.remove(ID)),
            (Mode::Include, true) => {
                projected.prepend(object.get(ID).map(|value| (ID, value.clone())));
            }
            _ => {}
        }
        if let Some(rule) = &self.metadata {
            let metadata = object.get(METADATA).map(|value| included(value, rule, 0));
            let metadata = metadata.transpose().expect("owned values can always be read");
            projected.remove(METADATA);
            projected.extend(metadata.flatten().map(|value| (METADATA, value)));
        }
        projected
    }

    /// The projected part of the fields, without `_id` and what is included of `_meta`.
    fn fields<'a, N: Node<'a>>(&self, fields: N) -> Result<Object> {
        let projected = match self.mode {
            Mode::Include => include(fields, &self.rules, 0)?,
            Mode::Exclude => Some(exclude(fields, &self.rules, 0)?),
        };
        match projected {
            Some(Value::Object(object)) => Ok(object),
            _ => Ok(Object::new()),
        }
    }
}

/// The included part of a value; `None` if it has no fields.
fn include<'a, N: Node<'a>>(node: N, rules: &Rules, depth: usize) -> Result<Option<Value>> {
    match node.shape(depth)? {
        Shape::Object(_) => {
            let mut found = Vec::with_capacity(rules.len());
            for (name, rule) in rules {
                let Some((at, value)) = node.find(name)? else { continue };
                let value = included(value, rule, depth)?;
                found.extend(value.map(|value| (at, name, value)));
            }
            found.sort_unstable_by_key(|(at, ..)| *at);
            let fields = found.into_iter().map(|(_, name, value)| (name.as_str(), value));
            Ok(Some(fields.collect::<Object>().into()))
        }
        Shape::Array(items) => {
            let mut kept: Vec<Value> = Vec::new();
            for item in items {
                kept.extend(include(item?, rules, depth + 1)?);
            }
            Ok(Some(kept.into()))
        }
        _ => Ok(None),
    }
}

/// What a rule includes of the value of a field of an object at this depth.
fn included<'a, N: Node<'a>>(value: N, rule: &Rule, depth: usize) -> Result<Option<Value>> {
    match rule {
        Rule::Named => Ok(Some(value.to_value()?)),
        Rule::Inside(rules) => include(value, rules, depth + 1),
        Rule::Slice(slice) => Ok(Some(sliced(value, *slice)?)),
        Rule::ElemMatch(_) => first_match(value, rule),
    }
}

/// A value without the excluded parts.
fn exclude<'a, N: Node<'a>>(node: N, rules: &Rules, depth: usize) -> Result<Value> {
    match node.shape(depth)? {
        Shape::Object(fields) => {
            let mut object = Vec::with_capacity(fields.len());
            for field in fields {
                let (name, value) = field?;
                let value = match rules.get(name) {
                    None => Some(value.to_value()?),
                    Some(Rule::Named) => None,
                    Some(Rule::Inside(rules)) => Some(exclude(value, rules, depth + 1)?),
                    Some(Rule::Slice(slice)) => Some(sliced(value, *slice)?),
                    Some(rule @ Rule::ElemMatch(_)) => first_match(value, rule)?,
                };
                object.extend(value.map(|value| (name.to_owned(), value)));
            }
            Ok(Object::from_iter(object).into())
        }
        Shape::Array(items) => {
            let each = items.map(|item| exclude(item?, rules, depth + 1));
            Ok(Value::Array(each.collect::<Result<_>>()?))
        }
        _ => node.to_value(),
    }
}

/// Some of the elements of an array; another value as it is.
fn sliced<'a, N: Node<'a>>(node: N, slice: Slice) -> Result<Value> {
    let Some(items) = node.items()? else { return node.to_value() };
    let (start, end) = slice.bounds(items.len());
    let kept = items.skip(start).take(end - start).map(|item| item?.to_value());
    Ok(Value::Array(kept.collect::<Result<_>>()?))
}

impl Slice {
    fn bounds(self, len: usize) -> (usize, usize) {
        let distance = |number: i64| usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
        let from = |position: i64| match position {
            ..0 => len.saturating_sub(distance(position)),
            _ => distance(position).min(len),
        };
        match (self.skip, self.count) {
            (None, count @ ..0) => (from(count), len),
            (None, count) => (0, from(count)),
            (Some(skip), count) => {
                let start = from(skip);
                (start, start.saturating_add(distance(count)).min(len))
            }
        }
    }
}

/// The first element that passes, as an array of its own.
fn first_match<'a, N: Node<'a>>(node: N, rule: &Rule) -> Result<Option<Value>> {
    let Rule::ElemMatch(test) = rule else { return Ok(None) };
    let item = matching_item(test, node)?;
    item.map(|item| Ok(Value::Array(vec![item.to_value()?]))).transpose()
}
