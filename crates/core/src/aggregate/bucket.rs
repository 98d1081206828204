//! `$bucket`: groups by ranges of a value.

use super::accumulator::Plan;
use super::expression::{Item, Node, Parser};
use super::group::{Group, GroupKey, Order, read_fields};
use crate::key::{Direction, encode_key_value};
use crate::{Error, Result, Value, value};

/// The ranges of a `$bucket`.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) by: Node,
    /// In ascending order; each but the last is the start and the name of a range.
    boundaries: Vec<Value>,
    /// The name of the group of all other values.
    default: Option<Value>,
}

impl Bucket {
    /// Reads a `$bucket` as an equivalent group.
    pub(super) fn parse(parser: &mut Parser, operand: &Value) -> Result<Group> {
        let Some(options) = operand.as_object() else {
            return parser.refuse("takes an object with `groupBy` and `boundaries`");
        };
        parser.only(options, &["groupBy", "boundaries", "default", "output"])?;
        let by = parser.required(options, "groupBy")?;
        let by = parser.within("groupBy", |parser| parser.expression(by))?;
        let boundaries = parser.required(options, "boundaries")?;
        let boundaries =
            parser.within("boundaries", |parser| read_boundaries(parser, boundaries))?;
        let default = options.get("default");
        let default = default
            .map(|value| parser.within("default", |parser| constant(parser, value)))
            .transpose()?;
        if let (Some(default), [first, .., last]) = (&default, boundaries.as_slice())
            && default >= first
            && default < last
        {
            return parser.refuse("takes a `default` outside of the `boundaries`");
        }
        let fields = match options.get("output") {
            None => {
                let count = Plan::parse(parser, &value!({ "$sum": 1 }))?;
                vec![("count".to_owned(), count)]
            }
            Some(Value::Object(output)) => {
                parser.within("output", |parser| read_fields(parser, output))?
            }
            Some(_) => return parser.refuse("takes an object of accumulators as `output`"),
        };
        let key = GroupKey::Bucket(Self { by, boundaries, default });
        Ok(Group { key, fields, order: Order::Key })
    }

    /// The name of the range that a value is in.
    pub(super) fn name(&self, item: &Item<'_>) -> Result<&Value> {
        let mut above = 0;
        for boundary in &self.boundaries {
            if item.compare_value(boundary)?.is_lt() {
                break;
            }
            above += 1;
        }
        let inside = (1..self.boundaries.len()).contains(&above);
        let name = if inside { self.boundaries.get(above - 1) } else { self.default.as_ref() };
        name.ok_or_else(|| Error::Expression {
            operator: "$bucket".into(),
            problem: format!(
                "found a value of type {} outside of its boundaries, and has no `default`",
                item.kind_name()
            ),
        })
    }

    /// Appends the key of the range that a value is in.
    pub(super) fn encode_key(&self, item: &Item<'_>, key: &mut Vec<u8>) -> Result<()> {
        encode_key_value(self.name(item)?, Direction::Ascending, key);
        Ok(())
    }
}

fn constant(parser: &mut Parser, value: &Value) -> Result<Value> {
    let node = parser.expression(value)?;
    node.into_literal().ok_or_else(|| parser.error("takes a constant"))
}

fn read_boundaries(parser: &mut Parser, value: &Value) -> Result<Vec<Value>> {
    let wrong = "takes a list of at least two constants in ascending order, all of one type";
    let Some(values) = value.as_array().filter(|values| values.len() >= 2) else {
        return parser.refuse(wrong);
    };
    let values: Vec<Value> =
        values.iter().map(|value| constant(parser, value)).collect::<Result<_>>()?;
    let class = |value: &Value| match value.kind() {
        kind if kind.is_number() => crate::Kind::Float,
        kind => kind,
    };
    let good =
        values.windows(2).all(|pair| pair[0] < pair[1] && class(&pair[0]) == class(&pair[1]));
    if good { Ok(values) } else { parser.refuse(wrong) }
}
