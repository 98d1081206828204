//! `$lookup`: joins a row with documents of another collection.

use std::ops::ControlFlow;

use super::chain::Chain;
use super::context::Held;
use super::expression::{FieldPath, Frame, Node, Parser};
use super::measure::Measure;
use super::row::{Input, Row, World};
use super::stage::Stages;
use crate::{CollectionName, Error, Filter, Object, Result, Value, object, value};

/// A `$lookup`.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    pub(super) from: String,
    pub(super) local: Option<FieldPath>,
    foreign: Option<String>,
    /// The values of the variables of the inner pipeline.
    pub(super) variables: Vec<Node>,
    pub(super) stages: Option<Stages>,
    pub(super) into: FieldPath,
}

impl Lookup {
    pub(super) fn parse(parser: &mut Parser, operand: &Value) -> Result<Self> {
        let Some(options) = operand.as_object() else {
            return parser
                .refuse("takes an object with `from`, `localField`, `foreignField` and `as`");
        };
        let known = ["from", "localField", "foreignField", "let", "pipeline", "as"];
        parser.only(options, &known)?;
        let text = |parser: &Parser, name: &str| match options.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.starts_with('$') => Ok(Some(text.clone())),
            Some(_) => parser.refuse(format!("takes a string without `$` as `{name}`")),
        };
        parser.required(options, "from")?;
        parser.required(options, "as")?;
        let from = text(parser, "from")?.unwrap_or_default();
        from.parse::<CollectionName>()
            .map_err(|error| parser.error(format!("has a wrong `from`: {error}")))?;
        let into = parser.path(&text(parser, "as")?.unwrap_or_default())?;
        let (local, foreign) = (text(parser, "localField")?, text(parser, "foreignField")?);
        if local.is_some() != foreign.is_some() {
            return parser.refuse("needs both or neither of `localField` and `foreignField`");
        }
        if local.is_none() && !options.contains_key("pipeline") {
            return parser.refuse("needs `localField` and `foreignField`, or `pipeline`");
        }
        let local = local.map(|path| parser.path(&path)).transpose()?;
        foreign.iter().try_for_each(|path| parser.path(path).map(drop))?;
        let (names, variables) = match options.get("let") {
            None => (Vec::new(), Vec::new()),
            Some(Value::Object(variables)) => {
                parser.within("let", |parser| parser.bindings(variables))?
            }
            Some(_) => return parser.refuse("takes an object of variables as `let`"),
        };
        let stages = options.get("pipeline").map(|stages| {
            parser.with_variables(names, |parser| {
                parser.within("pipeline", |parser| parser.stages(stages))
            })
        });
        Ok(Self { from, local, foreign, variables, stages: stages.transpose()?, into })
    }

    /// The row with its joined documents.
    pub(super) fn join(&self, row: Row<'_>, place: &str, world: World<'_>) -> Result<Object> {
        let mut held = Held::default();
        let found = self.find(&row, place, world, &mut held);
        held.clear(world.shared);
        let found = found?;
        let mut object = row.into_object(world.input)?;
        self.into.set(&mut object, Value::Array(found));
        Ok(object)
    }

    fn find(
        &self,
        row: &Row<'_>,
        place: &str,
        world: World<'_>,
        held: &mut Held,
    ) -> Result<Vec<Value>> {
        let env = world.env(row);
        let filter = self.filter(row)?;
        let mut found = Vec::new();
        let mut keep = |object: Object| {
            let value = Value::Object(object);
            held.add(world.shared, place, Measure::of(&value).bytes)?;
            found.push(value);
            Ok(ControlFlow::Continue(()))
        };
        let Some(stages) = &self.stages else {
            let input = Input { needed: None, meta: vec!["_id"] };
            world.shared.context.lookup(&self.from, &filter, &mut |row| {
                world.shared.step()?;
                keep(row.into_object(&input)?)
            })?;
            return Ok(found);
        };
        let items = self.variables.iter().map(|node| node.eval(env)).collect::<Result<Vec<_>>>()?;
        let frame = Frame { items: &items, parent: world.scope };
        let inner = World { shared: world.shared, scope: Some(&frame), input: &stages.input };
        let mut chain = Chain::new(&stages.stages);
        world.shared.context.lookup(&self.from, &filter, &mut |row| {
            world.shared.step()?;
            chain.push(row, inner, &mut keep)
        })?;
        chain.finish(inner, &mut keep)?;
        Ok(found)
    }

    /// The filter of the documents, applied before the inner pipeline.
    fn filter(&self, row: &Row<'_>) -> Result<Filter> {
        let (Some(local), Some(foreign)) = (&self.local, &self.foreign) else {
            return Ok(Filter::default());
        };
        let mut values = match row {
            Row::Document(document) => local.values_of_document(document)?,
            Row::Object(object) => local.values_of_object(object)?,
        };
        let condition = match values.len() {
            // If the row has no value, null is looked up.
            0 => value!({ "$eq": null }),
            1 => value!({ "$eq": values.remove(0) }),
            _ => value!({ "$in": values }),
        };
        Filter::from_object(&object! { (foreign.as_str()): condition }).map_err(|error| match error
        {
            Error::InvalidQuery { problem, .. } => Error::Expression {
                operator: "$lookup".into(),
                problem: format!("found a value that cannot be looked up: it {problem}"),
            },
            other => other,
        })
    }
}
