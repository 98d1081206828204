//! Applying a projection: excluded parts of an encoded document are never decoded.

use super::projection_type::{Mode, Projection, Rule, Rules, Slice};
use crate::document::META;
use crate::filter::matching_item;
use crate::node::{Node, Shape};
use crate::{DocumentView, Object, Result, Value};

impl Projection {
    /// The projected part of a stored document.
    ///
    /// Of the [`META`] fields it has `_id` unless that is excluded, and the others if they are
    /// included.
    ///
    /// # Errors
    ///
    /// What [`Projection::check`] says, and [`Error::Corrupt`](crate::Error::Corrupt) when the
    /// document cannot be read.
    pub fn apply(&self, document: &DocumentView<'_>) -> Result<Object> {
        self.check()?;
        let mut object = self.fields(document.fields.as_value())?;
        META.iter().for_each(|name| drop(object.remove(name)));
        let included = META.into_iter().filter(|name| self.includes_meta(name));
        object.prepend(included.filter_map(|name| Some((name, document.meta(name)?))));
        Ok(object)
    }

    /// The projected part of an object between the stages of a pipeline, in which [`META`] names
    /// are ordinary fields; empty, if there was a mistake while building.
    pub fn apply_object(&self, object: Object) -> Object {
        if self.check().is_err() {
            return Object::new();
        }
        if self.is_all() {
            return object;
        }
        let object = Value::from(object);
        let mut projected = self.fields(&object).expect("owned values can always be read");
        match (self.mode, &object) {
            (Mode::Include, Value::Object(object)) => {
                let included = META.into_iter().filter(|name| self.includes_meta(name));
                projected
                    .prepend(included.filter_map(|name| Some((name, object.get(name)?.clone()))));
            }
            _ => {
                let is_excluded =
                    |name: &str| self.meta_part(name).is_some() && !self.includes_meta(name);
                projected.retain(|name, _| !(META.contains(&name) && is_excluded(name)));
            }
        }
        projected
    }

    /// The projected part of the fields, without [`META`] fields.
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
                let value = match rule {
                    Rule::Named => Some(value.to_value()?),
                    Rule::Inside(rules) => include(value, rules, depth + 1)?,
                    Rule::Slice(slice) => Some(sliced(value, *slice)?),
                    Rule::ElemMatch(_) => first_match(value, rule)?,
                };
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
