//! `$match`: a filter, and beside it a condition of an expression (`$expr`).

use super::expression::{Needs, Node, Parser};
use super::row::{Row, World};
use crate::{Filter, Object, Path, Result, Value};

/// A `$match`.
#[derive(Debug, Clone)]
pub(super) struct Match {
    pub(super) filter: Filter,
    pub(super) expression: Option<Node>,
    /// The top-level fields that the filter reads.
    fields: Vec<String>,
}

impl Match {
    pub(super) fn parse(parser: &mut Parser, operand: &Value) -> Result<Self> {
        let Some(object) = operand.as_object() else {
            return parser.refuse("takes a filter, such as {\"age\": {\"$gte\": 18}}");
        };
        let mut object = object.clone();
        let expression = object.remove("$expr");
        let expression = expression
            .map(|expression| parser.within("$expr", |parser| parser.expression(&expression)))
            .transpose()?;
        let mut fields = Vec::new();
        collect_fields(&object, &mut fields);
        let filter = Filter::from_object(&object).map_err(|error| parser.relocate(error))?;
        Ok(Self { filter, expression, fields })
    }

    pub(super) fn passes(&self, row: &Row<'_>, world: World<'_>) -> Result<bool> {
        let matches = match row {
            Row::Document(document) => self.filter.matches(document)?,
            Row::Object(object) => self.filter.matches_object(object),
        };
        match &self.expression {
            Some(expression) if matches => expression.eval(world.env(row))?.is_true(),
            _ => Ok(matches),
        }
    }

    pub(super) fn collect_needs(&self, needs: &mut Needs) {
        needs.fields.extend(self.fields.iter().cloned());
        self.expression.iter().for_each(|expression| expression.collect_needs(needs));
    }
}

/// The top-level fields that a filter's paths begin with. The filter has a bounded depth.
fn collect_fields(filter: &Object, fields: &mut Vec<String>) {
    for (name, operand) in filter {
        match operand {
            Value::Array(filters) if name.starts_with('$') => {
                let inner = filters.iter().filter_map(Value::as_object);
                inner.for_each(|filter| collect_fields(filter, fields));
            }
            Value::Object(filter) if name.starts_with('$') => collect_fields(filter, fields),
            _ => {
                let path = name.parse::<Path>().ok();
                let first = path.and_then(|path| Some(path.segments().first()?.name().to_owned()));
                fields.extend(first);
            }
        }
    }
}
