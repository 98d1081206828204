//! Arithmetic. Integers are exact as long as they fit 64 bits, and become floats otherwise.

use super::builtin::{Builtin, Call};
use super::item::{Item, Number};
use crate::{Result, Time, Value};

pub(super) static BUILTINS: [Builtin; 15] = [
    Builtin::list("$abs", 1, 1, abs),
    Builtin::list("$add", 0, usize::MAX, add),
    Builtin::list("$ceil", 1, 1, |call| whole(call, f64::ceil)),
    Builtin::list("$divide", 2, 2, divide),
    Builtin::list("$exp", 1, 1, |call| float(call, |value| Ok(value.exp()))),
    Builtin::list("$floor", 1, 1, |call| whole(call, f64::floor)),
    Builtin::list("$ln", 1, 1, |call| float(call, |value| positive(call, value).map(f64::ln))),
    Builtin::list("$log10", 1, 1, |call| {
        float(call, |value| positive(call, value).map(f64::log10))
    }),
    Builtin::list("$mod", 2, 2, modulo),
    Builtin::list("$multiply", 0, usize::MAX, multiply),
    Builtin::list("$pow", 2, 2, pow),
    Builtin::list("$round", 1, 2, |call| place(call, Rounding::Nearest)),
    Builtin::list("$sqrt", 1, 1, |call| float(call, |value| root(call, value))),
    Builtin::list("$subtract", 2, 2, subtract),
    Builtin::list("$trunc", 1, 2, |call| place(call, Rounding::Truncate)),
];

impl Number {
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            // Each is at most a sum of 64-bit integers, so 128 bits are enough for any list.
            (Self::Int(a), Self::Int(b)) => Self::Int(a.saturating_add(b)),
            (a, b) => Self::Float(a.to_f64() + b.to_f64()),
        }
    }

    fn times(self, other: Self) -> Self {
        if let (Self::Int(a), Self::Int(b)) = (self, other)
            && let Some(product) = a.checked_mul(b)
        {
            return Self::Int(product);
        }
        Self::Float(self.to_f64() * other.to_f64())
    }
}

fn give(number: Number) -> Result<Item<'static>> {
    Ok(number.into_value().into())
}

/// The microseconds of a number of milliseconds; `None` if it is not a number.
fn micros(number: Number) -> Option<i128> {
    match number {
        Number::Int(millis) => Some(millis.saturating_mul(1_000)),
        Number::Float(millis) if millis.is_nan() => None,
        Number::Float(millis) => Some((millis * 1_000.0).round_ties_even() as i128),
    }
}

/// The time a number of milliseconds after another.
fn time_after(call: &Call<'_>, base: Time, millis: Number) -> Result<Item<'static>> {
    let Some(micros) = micros(millis) else {
        return Err(call.fail("cannot move a time by a number of milliseconds that is NaN"));
    };
    let moved = i64::try_from(i128::from(base.as_micros()).saturating_add(micros));
    match moved.ok().and_then(|micros| Time::from_micros(micros).ok()) {
        Some(time) => Ok(Value::Time(time).into()),
        None => Err(call.fail("gives a time outside of the years 0001 to 9999")),
    }
}

fn add<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let mut sum = Number::Int(0);
    let mut base = None;
    for at in 0..call.len() {
        let item = call.item(at)?;
        match (item.number()?, item.time()?) {
            (Some(number), _) => sum = sum.plus(number),
            (None, Some(time)) if base.is_none() => base = Some(time),
            (None, Some(_)) => return Err(call.fail("takes only one time; $subtract takes two")),
            (None, None) if item.is_nullish() => return Ok(Item::null()),
            (None, None) => return Err(call.mismatch("numbers, and at most one time", &item)),
        }
    }
    match base {
        None => give(sum),
        Some(base) => time_after(call, base, sum),
    }
}

fn subtract<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let (a, b) = (call.item(0)?, call.item(1)?);
    if a.is_nullish() || b.is_nullish() {
        return Ok(Item::null());
    }
    match (a.number()?, b.number()?, a.time()?, b.time()?) {
        (Some(a), Some(Number::Int(b)), ..) => give(a.plus(Number::Int(-b))),
        (Some(a), Some(Number::Float(b)), ..) => give(Number::Float(a.to_f64() - b)),
        (_, _, Some(a), Some(b)) => Ok(Value::Int(a.as_millis() - b.as_millis()).into()),
        (_, Some(Number::Int(b)), Some(a), _) => time_after(call, a, Number::Int(-b)),
        (_, Some(Number::Float(b)), Some(a), _) => time_after(call, a, Number::Float(-b)),
        _ => Err(call.fail(format!(
            "takes two numbers, two times, or a time and a number, and found values of the types \
             {} and {}",
            a.kind_name(),
            b.kind_name()
        ))),
    }
}

fn multiply<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let mut product = Number::Int(1);
    for at in 0..call.len() {
        // Arguments after a null do not matter, whatever their types are.
        let Some(factor) = call.number(at)? else { return Ok(Item::null()) };
        product = product.times(factor);
    }
    give(product)
}

/// Both arguments; `None` if one of them is null or missing, whatever the other one is.
fn pair(call: &Call<'_>) -> Result<Option<(Number, Number)>> {
    let (a, b) = (call.item(0)?, call.item(1)?);
    if a.is_nullish() || b.is_nullish() {
        return Ok(None);
    }
    Ok(call.number_of(&a)?.zip(call.number_of(&b)?))
}

fn divide<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some((a, b)) = pair(call)? else { return Ok(Item::null()) };
    if b.to_f64() == 0.0 {
        return Err(call.fail("cannot divide by zero"));
    }
    Ok(Value::Float(a.to_f64() / b.to_f64()).into())
}

fn modulo<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some((a, b)) = pair(call)? else { return Ok(Item::null()) };
    if b.to_f64() == 0.0 {
        return Err(call.fail("cannot divide by zero"));
    }
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => give(Number::Int(a % b)),
        (a, b) => Ok(Value::Float(a.to_f64() % b.to_f64()).into()),
    }
}

fn pow<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some((base, exponent)) = pair(call)? else { return Ok(Item::null()) };
    if base.to_f64() == 0.0 && exponent.to_f64() < 0.0 {
        return Err(call.fail("cannot raise zero to a negative power"));
    }
    if let (Number::Int(base), Number::Int(exponent)) = (base, exponent) {
        return Ok(integer_pow(base, exponent).into());
    }
    Ok(Value::Float(base.to_f64().powf(exponent.to_f64())).into())
}

/// An integer raised to another; exact where it fits 64 bits.
fn integer_pow(base: i128, exponent: i128) -> Value {
    let is_odd = exponent % 2 != 0;
    let exact = match base {
        0 | 1 if exponent != 0 => Some(base),
        -1 => Some(if is_odd { -1 } else { 1 }),
        _ => u32::try_from(exponent).ok().and_then(|exponent| base.checked_pow(exponent)),
    };
    exact.and_then(Value::integer).unwrap_or_else(|| {
        // Above 2^53 every exponent as a float is even.
        let size = (base.unsigned_abs() as f64).powf(exponent as f64);
        Value::Float(if base < 0 && is_odd { -size } else { size })
    })
}

fn abs<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    match call.number(0)? {
        None => Ok(Item::null()),
        Some(Number::Int(value)) => give(Number::Int(value.abs())),
        Some(Number::Float(value)) => give(Number::Float(value.abs())),
    }
}

/// Rounds floats to whole ones, and leaves integers as they are.
fn whole(call: &Call<'_>, round: fn(f64) -> f64) -> Result<Item<'static>> {
    match call.number(0)? {
        None => Ok(Item::null()),
        Some(Number::Int(value)) => give(Number::Int(value)),
        Some(Number::Float(value)) => give(Number::Float(round(value))),
    }
}

fn float(call: &Call<'_>, compute: impl FnOnce(f64) -> Result<f64>) -> Result<Item<'static>> {
    match call.number(0)? {
        None => Ok(Item::null()),
        Some(number) => give(Number::Float(compute(number.to_f64())?)),
    }
}

fn positive(call: &Call<'_>, value: f64) -> Result<f64> {
    if value <= 0.0 {
        return Err(call.fail(format!("takes a positive number, and found {value}")));
    }
    Ok(value)
}

fn root(call: &Call<'_>, value: f64) -> Result<f64> {
    if value < 0.0 {
        return Err(call.fail(format!("takes a number that is not negative, and found {value}")));
    }
    Ok(value.sqrt())
}

const PLACES: std::ops::RangeInclusive<i64> = -20..=100;

/// Rounds to a number of decimal places, or of digits before the point if that is negative.
fn place(call: &Call<'_>, rounding: Rounding) -> Result<Item<'static>> {
    // Beside a null the type of the other argument does not matter.
    let Some(number) = call.number(0)? else { return Ok(Item::null()) };
    let place = match call.node(1) {
        None => Some(0),
        Some(_) => call.whole(1, "the place")?,
    };
    let Some(place) = place else { return Ok(Item::null()) };
    if !PLACES.contains(&place) {
        return Err(call.fail(format!("takes a place of -20 to 100, and found {place}")));
    }
    match number {
        Number::Int(value) if place >= 0 => give(Number::Int(value)),
        Number::Int(value) => {
            let unit = 10_i128.pow(place.unsigned_abs() as u32);
            give(Number::Int(rounding.of_integer(value, unit)))
        }
        Number::Float(value) => give(Number::Float(rounding.of_float(value, place as i32))),
    }
}

/// How a number is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rounding {
    /// To the nearest, and to the even one if both are equally near.
    Nearest,
    /// Towards zero.
    Truncate,
}

impl Rounding {
    fn of_integer(self, value: i128, unit: i128) -> i128 {
        if self == Self::Truncate {
            return value / unit * unit;
        }
        let (below, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
        let up = match (rest * 2).cmp(&unit) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => below % 2 != 0,
            std::cmp::Ordering::Greater => true,
        };
        (below + i128::from(up)) * unit
    }

    /// Rounds the float's exact value: the float 1.115 is slightly less than its text, and
    /// becomes 1.11.
    fn of_float(self, value: f64, place: i32) -> f64 {
        let whole = |value: f64| match self {
            Self::Nearest => value.round_ties_even(),
            Self::Truncate => value.trunc(),
        };
        if place <= 0 {
            let unit = 10_f64.powi(-place);
            return whole(value / unit) * unit;
        }
        // A float that large has no places after the point; neither have infinities and NaN.
        let has_places = value.abs() < (1_u64 << f64::MANTISSA_DIGITS) as f64;
        if !has_places {
            return value;
        }
        // The text is exact, unlike a multiplication by a power of ten.
        let digits = place as usize;
        let nearest = |value: f64| format!("{value:.digits$}").parse().unwrap_or(value);
        let rounded: f64 = nearest(value);
        let is_beyond = rounded.abs() > value.abs();
        match self {
            Self::Truncate if is_beyond => nearest(rounded - 10_f64.powi(-place).copysign(value)),
            _ => rounded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_rounded_by_what_they_are_exactly() {
        for (value, place, nearest, truncated) in [
            (1.115, 2, 1.11, 1.11),
            (2.345, 2, 2.35, 2.34),
            (0.125, 2, 0.12, 0.12),
            (-2.349, 2, -2.35, -2.34),
            (0.999, 1, 1.0, 0.9),
            (1e300, 5, 1e300, 1e300),
            (5e-324, 100, 0.0, 0.0),
            (1250.0, -2, 1200.0, 1200.0),
            (f64::INFINITY, 3, f64::INFINITY, f64::INFINITY),
        ] {
            assert_eq!(Rounding::Nearest.of_float(value, place), nearest, "{value} {place}");
            assert_eq!(Rounding::Truncate.of_float(value, place), truncated, "{value} {place}");
        }
        assert!(Rounding::Nearest.of_float(f64::NAN, 2).is_nan());
    }
}
