//! Sums and extremes of arrays, and arithmetic that they share with accumulators.

use super::array::numbers;
use super::builtin::{Builtin, Call};
use super::item::{Item, Number};
use crate::{Decimal, Kind, RawValue, Result, Value};

pub(super) static BUILTINS: [Builtin; 4] = [
    Builtin::list("$avg", 0, usize::MAX, average),
    Builtin::list("$max", 0, usize::MAX, |call| extreme(call, |a, b| a > b)),
    Builtin::list("$min", 0, usize::MAX, |call| extreme(call, |a, b| a < b)),
    Builtin::list("$sum", 0, usize::MAX, sum),
];

/// A sum of numbers of all types, exact for integers, and compensated for the rounding errors of
/// floats. Decimals are added in their order, each sum rounded to 34 digits; with one among the numbers
/// the sum is a decimal.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::aggregate) struct Sum {
    integers: i128,
    has_integers: bool,
    high: f64,
    low: f64,
    has_floats: bool,
    decimals: Option<Decimal>,
}

impl Sum {
    #[inline]
    pub(in crate::aggregate) fn add(&mut self, number: Number) {
        match number {
            Number::Int(value) => self.add_integer(value),
            Number::Float(value) => {
                self.has_floats = true;
                self.add_float(value);
            }
            Number::Decimal(value) => {
                self.decimals = Some(self.decimals.map_or(value, |sum| sum + value));
            }
        }
    }

    /// Adds a value, and returns whether it is a number.
    #[inline]
    pub(in crate::aggregate) fn add_raw(&mut self, value: RawValue<'_>) -> Result<bool> {
        match value.kind() {
            Kind::Int => self.add_integer(value.as_i64()?.unwrap_or_default().into()),
            Kind::UInt => self.add_integer(value.as_u64()?.unwrap_or_default().into()),
            Kind::Float => self.add(Number::Float(value.as_f64()?.unwrap_or_default())),
            Kind::Decimal => self.add(Number::Decimal(value.as_decimal()?.unwrap_or_default())),
            _ => return Ok(false),
        }
        Ok(true)
    }

    #[inline]
    fn add_integer(&mut self, value: i128) {
        self.integers += value;
        self.has_integers = true;
    }

    /// Knuth's two-sum: `low` collects what `high` loses by rounding.
    fn add_float(&mut self, value: f64) {
        let sum = self.high + value;
        let part = sum - self.high;
        self.low += (self.high - (sum - part)) + (value - part);
        self.high = sum;
    }

    /// The sum without its decimals.
    fn to_f64(mut self) -> f64 {
        if !self.has_floats {
            return self.integers as f64;
        }
        // The float is at most half a unit off, and the remainder is exact as a float.
        let rounded = self.integers as f64;
        self.add_float(rounded);
        self.add_float((self.integers - rounded as i128) as f64);
        // With an infinity the error term is NaN, and is not added.
        if self.high.is_finite() { self.high + self.low } else { self.high }
    }

    /// The sum as a decimal, if there was one among the numbers.
    fn to_decimal(self) -> Option<Decimal> {
        let others = match self.has_floats {
            true => Number::Float(self.to_f64()),
            false => Number::Int(self.integers),
        };
        // A sum of decimals alone keeps its digits: adding a zero could append some.
        let is_alone = !self.has_floats && !self.has_integers;
        self.decimals.map(|sum| if is_alone { sum } else { sum + others.to_decimal() })
    }

    /// The sum divided by the number of its parts, which is not zero.
    pub(in crate::aggregate) fn average(self, count: u64) -> Value {
        match self.to_decimal() {
            Some(sum) => Value::Decimal(sum / Decimal::from(count)),
            None => Value::Float(self.to_f64() / count as f64),
        }
    }

    /// A decimal if there was one among the numbers. Otherwise an integer if all numbers were, and the
    /// result fits 64 bits.
    pub(in crate::aggregate) fn into_value(self) -> Value {
        match (self.to_decimal(), self.has_floats) {
            (Some(sum), _) => Value::Decimal(sum),
            (None, true) => Value::Float(self.to_f64()),
            (None, false) => Number::Int(self.integers).into_value(),
        }
    }
}

/// The position of a percentile among `count` sorted values, by discrete nearest rank.
pub(in crate::aggregate) fn nearest_rank(count: usize, p: f64) -> usize {
    let rank = (count as f64 * p).ceil() as usize;
    rank.saturating_sub(1).min(count.saturating_sub(1))
}

/// The arguments, or the elements of a single argument that is an array.
fn operands(call: &Call<'_>) -> Result<Vec<Value>> {
    let mut values = Vec::with_capacity(call.len());
    for at in 0..call.len() {
        let item = call.item(at)?;
        if call.len() == 1 && item.kind() == Some(Kind::Array) {
            return item.into_value()?.try_into();
        }
        values.extend(item.into_option()?);
    }
    Ok(values)
}

fn sum<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let mut sum = Sum::default();
    numbers(&operands(call)?).for_each(|number| sum.add(number));
    Ok(sum.into_value().into())
}

fn average<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let (mut sum, mut count) = (Sum::default(), 0_u64);
    numbers(&operands(call)?).for_each(|number| {
        sum.add(number);
        count += 1;
    });
    Ok(match count {
        0 => Item::null(),
        _ => sum.average(count).into(),
    })
}

fn extreme(call: &Call<'_>, better: fn(&Value, &Value) -> bool) -> Result<Item<'static>> {
    let mut best: Option<Value> = None;
    for value in operands(call)? {
        if !value.is_null() && best.as_ref().is_none_or(|best| better(&value, best)) {
            best = Some(value);
        }
    }
    Ok(best.unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: impl IntoIterator<Item = Number>) -> Value {
        let mut sum = Sum::default();
        values.into_iter().for_each(|value| sum.add(value));
        sum.into_value()
    }

    #[test]
    fn sums_are_exact_where_they_can_be() {
        let is = |value: Value, expected: Value| {
            assert!(value.is_identical(&expected), "{value:?}, not {expected:?}");
        };
        is(sum([Number::Int(i64::MAX.into()); 2]), Value::UInt(u64::MAX - 1));
        is(sum([Number::Int(u64::MAX.into()); 2]), Value::Float(2.0 * u64::MAX as f64));
        is(sum([0.1, 0.2, 0.3].map(Number::Float)), Value::Float(0.6));
        is(sum([1e100, 1.0, -1e100].map(Number::Float)), Value::Float(1.0));
        is(sum([Number::Float(0.5), Number::Int(1)]), Value::Float(1.5));
        is(sum([f64::INFINITY, 1.0].map(Number::Float)), Value::Float(f64::INFINITY));
        is(sum([f64::INFINITY, f64::NEG_INFINITY].map(Number::Float)), Value::Float(f64::NAN));
    }

    #[test]
    fn ranks_are_those_of_the_nearest_value() {
        let ranks = [0.0, 0.2, 0.21, 0.5, 0.99, 1.0].map(|p| nearest_rank(5, p));
        assert_eq!(ranks, [0, 0, 1, 2, 4, 4]);
        assert_eq!(nearest_rank(0, 0.5), 0);
    }
}
