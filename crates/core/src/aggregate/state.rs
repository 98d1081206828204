//! The state of an accumulator in one group.

use std::collections::BTreeSet;

use super::accumulator::{Kind, Plan};
use super::expression::{Direct, Env, Item, Node, Number, Sum, nearest_rank};
use super::measure::Measure;
use crate::{Error, Object, Result, Value};

/// The state of one accumulator in one group.
pub(super) enum State {
    Sum(Sum),
    Avg(Sum, u64),
    /// The least or greatest value.
    Extreme(Option<Value>),
    First(Option<Value>),
    Last(Value),
    Push(Vec<Value>),
    Set(BTreeSet<Value>),
    Count(u64),
    Deviation(Box<Deviation>),
    Merged(Object),
    Numbers(Vec<f64>),
}

/// Welford's running variance.
#[derive(Debug, Default)]
pub(super) struct Deviation {
    count: u64,
    mean: f64,
    squares: f64,
}

impl State {
    pub(super) fn new(kind: &Kind) -> Self {
        match kind {
            Kind::Sum => Self::Sum(Sum::default()),
            Kind::Avg => Self::Avg(Sum::default(), 0),
            Kind::Min | Kind::Max => Self::Extreme(None),
            Kind::First => Self::First(None),
            Kind::Last => Self::Last(Value::Null),
            Kind::Push => Self::Push(Vec::new()),
            Kind::AddToSet => Self::Set(BTreeSet::new()),
            Kind::Count => Self::Count(0),
            Kind::StdDevPop | Kind::StdDevSamp => Self::Deviation(Box::default()),
            Kind::MergeObjects => Self::Merged(Object::new()),
            Kind::Percentile(_) | Kind::Median => Self::Numbers(Vec::new()),
        }
    }

    /// Adds a row, and returns by how many bytes the state has grown.
    #[inline]
    pub(super) fn add(&mut self, plan: &Plan, env: Env<'_>) -> Result<usize> {
        if let Self::Count(count) = self {
            *count += 1;
            return Ok(0);
        }
        match (&mut *self, plan.input.direct(env)?) {
            (Self::Sum(sum), Direct::Raw(value)) => {
                sum.add_raw(value)?;
                Ok(0)
            }
            (Self::Avg(sum, count), Direct::Raw(value)) => {
                *count += u64::from(sum.add_raw(value)?);
                Ok(0)
            }
            (Self::Sum(sum), Direct::Other)
                if let Node::Literal(Value::Int(value)) = plan.input =>
            {
                sum.add(Number::Int(value.into()));
                Ok(0)
            }
            (_, Direct::Raw(value)) => self.add_item(&plan.kind, Item::Raw(value)),
            (_, Direct::Missing) => self.add_item(&plan.kind, Item::Missing),
            (_, Direct::Other) => self.add_item(&plan.kind, plan.input.eval(env)?),
        }
    }

    fn add_item(&mut self, kind: &Kind, item: Item<'_>) -> Result<usize> {
        match self {
            Self::Avg(sum, count) => {
                if let Some(number) = item.number()? {
                    sum.add(number);
                    *count += 1;
                }
                Ok(0)
            }
            Self::Extreme(best) => extreme(best, kind, item),
            Self::First(None) => {
                let value = item.into_value()?;
                let bytes = Measure::of(&value).bytes;
                *self = Self::First(Some(value));
                Ok(bytes)
            }
            Self::Sum(sum) => {
                item.number()?.into_iter().for_each(|number| sum.add(number));
                Ok(0)
            }
            Self::First(Some(_)) | Self::Count(_) => Ok(0),
            Self::Last(last) => replace(last, item.into_value()?),
            Self::Push(values) => {
                let Some(value) = item.into_option()? else { return Ok(0) };
                let bytes = Measure::of(&value).bytes;
                values.push(value);
                Ok(bytes)
            }
            Self::Set(values) => {
                let Some(value) = item.into_option()? else { return Ok(0) };
                let bytes = Measure::of(&value).bytes;
                // Of equal values the simplest is kept, in whatever order they come.
                let known = values.get(&value);
                let is_new = known.is_none();
                if known.is_none_or(|known| value.is_simpler_than(known)) {
                    values.replace(value);
                }
                Ok(if is_new { bytes } else { 0 })
            }
            Self::Deviation(deviation) => {
                item.number()?.into_iter().for_each(|number| deviation.add(number.to_f64()));
                Ok(0)
            }
            Self::Merged(merged) => merge(merged, item),
            Self::Numbers(numbers) => {
                let number = item.number()?.map(Number::to_f64);
                numbers.extend(number);
                Ok(number.map_or(0, |_| size_of::<f64>()))
            }
        }
    }

    /// The final value of a group.
    pub(super) fn into_value(self, kind: &Kind) -> Value {
        match self {
            Self::Sum(sum) => sum.into_value(),
            Self::Avg(_, 0) => Value::Null,
            Self::Avg(sum, count) => sum.average(count),
            Self::Extreme(value) | Self::First(value) => value.unwrap_or_default(),
            Self::Last(value) => value,
            Self::Push(values) => Value::Array(values),
            Self::Set(values) => values.into_iter().collect(),
            Self::Count(count) => count.into(),
            Self::Deviation(deviation) => deviation.into_value(kind),
            Self::Merged(object) => object.into(),
            Self::Numbers(numbers) => percentiles(numbers, kind),
        }
    }
}

fn extreme(best: &mut Option<Value>, kind: &Kind, item: Item<'_>) -> Result<usize> {
    if item.is_nullish() {
        return Ok(0);
    }
    let Some(found) = best else {
        let value = item.into_value()?;
        let bytes = Measure::of(&value).bytes;
        *best = Some(value);
        return Ok(bytes);
    };
    let order = item.compare_value(found)?;
    let is_better = if *kind == Kind::Min { order.is_lt() } else { order.is_gt() };
    if is_better {
        return replace(found, item.into_value()?);
    }
    if order.is_eq() && !found.is_simplest() {
        let value = item.into_value()?;
        if value.is_simpler_than(found) {
            return replace(found, value);
        }
    }
    Ok(0)
}

/// Replaces a value, and returns by how many bytes the new one is larger.
fn replace(old: &mut Value, new: Value) -> Result<usize> {
    let grown = Measure::of(&new).bytes.saturating_sub(Measure::of(old).bytes);
    *old = new;
    Ok(grown)
}

fn merge(merged: &mut Object, item: Item<'_>) -> Result<usize> {
    if item.is_nullish() {
        return Ok(0);
    }
    let kind = item.kind_name();
    let Value::Object(object) = item.into_value()? else {
        return Err(Error::Expression {
            operator: "$mergeObjects".into(),
            problem: format!("takes objects, and found a value of type {kind}"),
        });
    };
    let bytes = Measure::of_object(&object).bytes;
    merged.extend(object);
    Ok(bytes)
}

impl Deviation {
    fn add(&mut self, value: f64) {
        self.count += 1;
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
    }

    fn into_value(self, kind: &Kind) -> Value {
        let divisor =
            if *kind == Kind::StdDevPop { self.count } else { self.count.saturating_sub(1) };
        match divisor {
            0 => Value::Null,
            _ => Value::Float((self.squares / divisor as f64).sqrt()),
        }
    }
}

fn percentiles(mut numbers: Vec<f64>, kind: &Kind) -> Value {
    // As in the total order, a NaN is below all other numbers.
    numbers
        .sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())));
    let at = |p| numbers.get(nearest_rank(numbers.len(), p)).copied();
    match kind {
        Kind::Percentile(percentiles) => percentiles.iter().map(|p| at(*p)).collect(),
        _ => at(0.5).into(),
    }
}
