//! `$unwind`: a row for each element of an array.

use std::ops::ControlFlow;

use super::expression::{FieldPath, Parser};
use super::row::{Row, World};
use crate::{Object, Result, Value};

/// An `$unwind`.
#[derive(Debug, Clone)]
pub(super) struct Unwind {
    pub(super) path: FieldPath,
    /// The field for the position of the element.
    pub(super) index: Option<FieldPath>,
    missing: Missing,
}

/// Whether a row without elements is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Drop,
    Preserve,
}

impl Unwind {
    pub(super) fn parse(parser: &mut Parser, operand: &Value) -> Result<Self> {
        let text = |parser: &mut Parser, text: &str| match text.strip_prefix('$') {
            Some(path) => parser.path(path),
            None => parser.refuse(format!("takes a path with a `$` before it, as in \"${text}\"")),
        };
        let options = match operand {
            Value::String(path) => {
                let path = text(parser, path)?;
                return Ok(Self { path, index: None, missing: Missing::Drop });
            }
            Value::Object(options) => options,
            _ => return parser.refuse("takes a path such as \"$tags\", or an object with `path`"),
        };
        parser.only(options, &["path", "includeArrayIndex", "preserveNullAndEmptyArrays"])?;
        let path = match parser.required(options, "path")? {
            Value::String(path) => parser.within("path", |parser| text(parser, path))?,
            _ => return parser.refuse("takes a path such as \"$tags\" as `path`"),
        };
        let index = match options.get("includeArrayIndex") {
            None => None,
            Some(Value::String(name)) if !name.starts_with('$') => Some(parser.path(name)?),
            Some(_) => return parser.refuse("takes a name without `$` as `includeArrayIndex`"),
        };
        let missing = match options.get("preserveNullAndEmptyArrays") {
            None | Some(Value::Bool(false)) => Missing::Drop,
            Some(Value::Bool(true)) => Missing::Preserve,
            Some(_) => return parser.refuse("takes a bool as `preserveNullAndEmptyArrays`"),
        };
        Ok(Self { path, index, missing })
    }

    /// Passes a row for each element to `next`.
    pub(super) fn each(
        &self,
        row: Row<'_>,
        world: World<'_>,
        mut next: impl FnMut(Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let mut object = row.into_object(world.input)?;
        let value = self.path.get_mut(&mut object).map(std::mem::take);
        let items = match value {
            Some(Value::Array(items)) if !items.is_empty() => items,
            Some(Value::Array(_)) => {
                self.path.remove(&mut object);
                return self.without_elements(object, next);
            }
            None | Some(Value::Null) => return self.without_elements(object, next),
            Some(other) => {
                self.path.set(&mut object, other);
                self.set_index(&mut object, Value::Null);
                return next(object.into());
            }
        };
        let last = items.len() - 1;
        for (at, item) in items.into_iter().enumerate() {
            world.shared.step()?;
            let mut row = if at == last { std::mem::take(&mut object) } else { object.clone() };
            self.path.set(&mut row, item);
            self.set_index(&mut row, at.into());
            if next(row.into())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn without_elements(
        &self,
        mut object: Object,
        mut next: impl FnMut(Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        if self.missing == Missing::Drop {
            return Ok(ControlFlow::Continue(()));
        }
        self.set_index(&mut object, Value::Null);
        next(object.into())
    }

    fn set_index(&self, object: &mut Object, position: Value) {
        if let Some(index) = &self.index {
            index.set(object, position);
        }
    }
}
