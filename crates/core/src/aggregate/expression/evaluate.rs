//! Evaluating an expression on a row.

use super::builtin::Call;
use super::item::Item;
use super::node::Node;
use super::path::{Direct, FieldPath, follow_item};
use crate::aggregate::measure::Measure;
use crate::aggregate::row::{Row, World};
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::{Error, Kind, Object, Result, Value};

/// The environment in which an expression is evaluated.
#[derive(Clone, Copy)]
pub(in crate::aggregate) struct Env<'e> {
    pub(in crate::aggregate) world: World<'e>,
    pub(in crate::aggregate) row: &'e Row<'e>,
}

/// The values of the variables that one `$let`, `$map`, `$filter`, `$reduce` or `$lookup` defines.
pub(in crate::aggregate) struct Frame<'f> {
    pub(in crate::aggregate) items: &'f [Item<'f>],
    pub(in crate::aggregate) parent: Option<&'f Frame<'f>>,
}

impl<'e> Env<'e> {
    #[inline]
    pub(super) fn field(self, path: &'e FieldPath) -> Result<Item<'e>> {
        match self.row {
            Row::Document(document) => path.of_document(document),
            Row::Object(object) => Ok(path.of_object(object)),
        }
    }

    fn root(self) -> Result<Item<'e>> {
        match self.row {
            Row::Document(document) => {
                Ok(Value::Object(self.world.input.materialise(document)?).into())
            }
            Row::Object(object) => Ok(Value::Object(object.clone()).into()),
        }
    }

    fn variable(self, out: usize, at: usize, path: &[Box<str>]) -> Result<Item<'e>> {
        let mut frame = self.world.scope;
        for _ in 0..out {
            frame = frame.and_then(|frame| frame.parent);
        }
        let item = frame.and_then(|frame| frame.items.get(at));
        item.map_or(Ok(Item::Missing), |item| follow_item(item, path))
    }

    fn with<'f>(self, frame: &'f Frame<'f>) -> Env<'f>
    where
        'e: 'f,
    {
        Env { world: World { scope: Some(frame), ..self.world }, row: self.row }
    }

    /// Checks a value that is being built.
    pub(super) fn admit(self, operator: &'static str, measure: Measure) -> Result<()> {
        self.world.shared.admit(operator, measure)
    }

    pub(super) fn step(self) -> Result<()> {
        self.world.shared.step()
    }
}

impl Node {
    /// The encoded value, if the expression is a field of a document: a fast path, which most
    /// groups use.
    #[inline]
    pub(in crate::aggregate) fn direct<'e>(&self, env: Env<'e>) -> Result<Direct<'e>> {
        match (self, env.row) {
            (Self::Field(path), Row::Document(document)) => path.direct(document),
            _ => Ok(Direct::Other),
        }
    }

    #[inline]
    pub(in crate::aggregate) fn eval<'e>(&'e self, env: Env<'e>) -> Result<Item<'e>> {
        match self {
            Self::Literal(value) => Ok(Item::Ref(value)),
            Self::Field(path) => env.field(path),
            _ => self.eval_rest(env),
        }
    }

    #[inline(never)]
    fn eval_rest<'e>(&'e self, env: Env<'e>) -> Result<Item<'e>> {
        match self {
            Self::Literal(_) | Self::Field(_) => self.eval(env),
            Self::Root => env.root(),
            Self::Now => Ok(Item::Ref(&env.world.shared.now)),
            Self::Remove => Ok(Item::Missing),
            Self::Variable { out, at, path } => env.variable(*out, *at, path),
            Self::Array(items) => array(items, env),
            Self::Object(fields) => object(fields, env),
            Self::Call { builtin, args } => (builtin.run)(&Call { builtin, args, env }),
            Self::Let { values, body } => bind(values, body, env),
            Self::Map { input, body } => map(input, body, env),
            Self::Filter { input, condition, limit } => {
                filter(input, condition, limit.as_deref(), env)
            }
            Self::Reduce { input, initial, body } => reduce(input, initial, body, env),
            Self::Switch { branches, default } => switch(branches, default.as_deref(), env),
            Self::Zone(_) | Self::Pattern(_) => {
                unreachable!("only their operators use prepared arguments")
            }
        }
    }
}

fn array<'e>(items: &'e [Node], env: Env<'e>) -> Result<Item<'e>> {
    let mut values = Vec::with_capacity(items.len());
    let mut measure = Measure::default();
    for item in items {
        let value = item.eval(env)?.into_value()?;
        measure = measure.with(Measure::of(&value));
        env.admit("an array", measure.wrapped())?;
        values.push(value);
    }
    Ok(Value::Array(values).into())
}

fn object<'e>(fields: &'e [(String, Node)], env: Env<'e>) -> Result<Item<'e>> {
    let mut values = Vec::with_capacity(fields.len());
    let mut measure = Measure::default();
    for (name, node) in fields {
        let Some(value) = node.eval(env)?.into_option()? else { continue };
        measure = measure.with(Measure::of(&value));
        env.admit("an object", measure.wrapped())?;
        values.push((name.clone(), value));
    }
    let object = Object::from_fields(values).expect("an object has each name once");
    Ok(Value::Object(object).into())
}

fn bind<'e>(values: &'e [Node], body: &'e Node, env: Env<'e>) -> Result<Item<'e>> {
    let items = values.iter().map(|value| value.eval(env)).collect::<Result<Vec<_>>>()?;
    let frame = Frame { items: &items, parent: env.world.scope };
    body.eval(env.with(&frame))?.detach()
}

/// The elements of an array; `None` for null and missing.
fn elements(operator: &'static str, input: Item<'_>) -> Result<Option<Vec<Value>>> {
    match input.kind() {
        None | Some(Kind::Null) => Ok(None),
        Some(Kind::Array) => match input.into_value()? {
            Value::Array(items) => Ok(Some(items)),
            _ => Ok(None),
        },
        Some(kind) => Err(Error::Expression {
            operator: operator.into(),
            problem: format!("takes an array as `input`, and found a value of type {kind}"),
        }),
    }
}

fn map<'e>(input: &'e Node, body: &'e Node, env: Env<'e>) -> Result<Item<'e>> {
    let Some(items) = elements("$map", input.eval(env)?)? else { return Ok(Item::null()) };
    let mut mapped = Vec::with_capacity(items.len());
    let mut measure = Measure::default();
    for item in items {
        env.step()?;
        let frame = Frame { items: &[Item::Owned(item)], parent: env.world.scope };
        let value = body.eval(env.with(&frame))?.into_value()?;
        measure = measure.with(Measure::of(&value));
        env.admit("$map", measure.wrapped())?;
        mapped.push(value);
    }
    Ok(Value::Array(mapped).into())
}

fn filter<'e>(
    input: &'e Node,
    condition: &'e Node,
    limit: Option<&'e Node>,
    env: Env<'e>,
) -> Result<Item<'e>> {
    let Some(items) = elements("$filter", input.eval(env)?)? else { return Ok(Item::null()) };
    let limit = match limit.map(|limit| limit.eval(env)).transpose()? {
        Some(limit) if !limit.is_nullish() => {
            let whole = limit.number()?.and_then(|number| number.as_whole());
            let limit = whole.filter(|limit| *limit > 0).and_then(|limit| limit.try_into().ok());
            limit.ok_or_else(|| Error::Expression {
                operator: "$filter".into(),
                problem: "takes a positive integer as `limit`".to_owned(),
            })?
        }
        _ => usize::MAX,
    };
    let mut kept = Vec::new();
    for item in items {
        env.step()?;
        let items = [Item::Owned(item)];
        let frame = Frame { items: &items, parent: env.world.scope };
        if condition.eval(env.with(&frame))?.is_true()? {
            let [item] = items;
            kept.push(item.into_value()?);
            if kept.len() >= limit {
                break;
            }
        }
    }
    Ok(Value::Array(kept).into())
}

fn reduce<'e>(
    input: &'e Node,
    initial: &'e Node,
    body: &'e Node,
    env: Env<'e>,
) -> Result<Item<'e>> {
    let Some(items) = elements("$reduce", input.eval(env)?)? else { return Ok(Item::null()) };
    let mut value = initial.eval(env)?.detach()?;
    for item in items {
        env.step()?;
        let frame = Frame { items: &[Item::Owned(item), value], parent: env.world.scope };
        value = body.eval(env.with(&frame))?.detach()?;
        if let Item::Owned(value) = &value {
            env.admit("$reduce", Measure::of(value))?;
        }
    }
    Ok(value)
}

fn switch<'e>(
    branches: &'e [(Node, Node)],
    default: Option<&'e Node>,
    env: Env<'e>,
) -> Result<Item<'e>> {
    for (case, then) in branches {
        if case.eval(env)?.is_true()? {
            return then.eval(env);
        }
    }
    default.map(|default| default.eval(env)).unwrap_or_else(|| {
        Err(Error::Expression {
            operator: "$switch".into(),
            problem: "found no case that is true, and has no `default`".to_owned(),
        })
    })
}

/// Refuses a string that would be longer than any document.
pub(super) fn admit_text(operator: &'static str, found: usize) -> Result<()> {
    if found <= DOCUMENT_BYTES_MAX {
        return Ok(());
    }
    Err(Error::LimitExceeded {
        what: "length of a text in bytes".into(),
        path: operator.to_owned(),
        found,
        max: DOCUMENT_BYTES_MAX,
    })
}
