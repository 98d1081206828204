//! Arithmetic. Integers are exact as long as they fit 64 bits, and become floats otherwise. With a
//! decimal among the numbers the result is a decimal.

use super::builtin::{Builtin, Call};
use super::item::{Item, Number};
use crate::{Decimal, Result, Rounding, Time, Value};

pub(super) static BUILTINS: [Builtin; 15] = [
    Builtin::list("$abs", 1, 1, abs),
    Builtin::list("$add", 0, usize::MAX, add),
    Builtin::list("$ceil", 1, 1, |call| whole(call, f64::ceil, Rounding::Ceiling)),
    Builtin::list("$divide", 2, 2, divide),
    Builtin::list("$exp", 1, 1, |call| real(call, f64::exp, Decimal::exp)),
    Builtin::list("$floor", 1, 1, |call| whole(call, f64::floor, Rounding::Floor)),
    Builtin::list("$ln", 1, 1, |call| logarithm(call, f64::ln, Decimal::ln)),
    Builtin::list("$log10", 1, 1, |call| logarithm(call, f64::log10, Decimal::log10)),
    Builtin::list("$mod", 2, 2, modulo),
    Builtin::list("$multiply", 0, usize::MAX, multiply),
    Builtin::list("$pow", 2, 2, pow),
    Builtin::list("$round", 1, 2, |call| place(call, Rounding::HalfEven)),
    Builtin::list("$sqrt", 1, 1, root),
    Builtin::list("$subtract", 2, 2, subtract),
    Builtin::list("$trunc", 1, 2, |call| place(call, Rounding::Truncate)),
];

impl Number {
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            // Each is at most a sum of 64-bit integers, so 128 bits are enough for any list.
            (Self::Int(a), Self::Int(b)) => Self::Int(a.saturating_add(b)),
            (Self::Decimal(_), _) | (_, Self::Decimal(_)) => {
                Self::Decimal(self.to_decimal() + other.to_decimal())
            }
            (a, b) => Self::Float(a.to_f64() + b.to_f64()),
        }
    }

    fn negated(self) -> Self {
        match self {
            Self::Int(value) => Self::Int(-value),
            Self::Float(value) => Self::Float(-value),
            Self::Decimal(value) => Self::Decimal(-value),
        }
    }

    fn times(self, other: Self) -> Self {
        if let (Self::Int(a), Self::Int(b)) = (self, other)
            && let Some(product) = a.checked_mul(b)
        {
            return Self::Int(product);
        }
        match (self, other) {
            (Self::Decimal(_), _) | (_, Self::Decimal(_)) => {
                Self::Decimal(self.to_decimal() * other.to_decimal())
            }
            (a, b) => Self::Float(a.to_f64() * b.to_f64()),
        }
    }

    /// Both as decimals, if one of them is one.
    fn as_decimals(self, other: Self) -> Option<(Decimal, Decimal)> {
        let is_decimal = matches!((self, other), (Self::Decimal(_), _) | (_, Self::Decimal(_)));
        is_decimal.then(|| (self.to_decimal(), other.to_decimal()))
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
        Number::Decimal(millis) if millis.is_nan() => None,
        Number::Decimal(millis) => {
            let micros = (millis * Decimal::from(1_000)).rounded(0, Rounding::HalfEven);
            // What does not fit is far from any time.
            let far = if millis.is_negative() { i128::MIN } else { i128::MAX };
            Some(micros.to_integer().unwrap_or(far))
        }
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
        (Some(a), Some(b), ..) => give(a.plus(b.negated())),
        (_, _, Some(a), Some(b)) => Ok(Value::Int(a.as_millis() - b.as_millis()).into()),
        (_, Some(b), Some(a), _) => time_after(call, a, b.negated()),
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
    if b.is_zero() {
        return Err(call.fail("cannot divide by zero"));
    }
    if let Some((a, b)) = a.as_decimals(b) {
        return give(Number::Decimal(a / b));
    }
    Ok(Value::Float(a.to_f64() / b.to_f64()).into())
}

fn modulo<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some((a, b)) = pair(call)? else { return Ok(Item::null()) };
    if b.is_zero() {
        return Err(call.fail("cannot divide by zero"));
    }
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => give(Number::Int(a % b)),
        (Number::Decimal(_), _) | (_, Number::Decimal(_)) => {
            give(Number::Decimal(a.to_decimal() % b.to_decimal()))
        }
        (a, b) => Ok(Value::Float(a.to_f64() % b.to_f64()).into()),
    }
}

fn pow<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some((base, exponent)) = pair(call)? else { return Ok(Item::null()) };
    if base.is_zero() && exponent.is_negative() {
        return Err(call.fail("cannot raise zero to a negative power"));
    }
    if let (Number::Int(base), Number::Int(exponent)) = (base, exponent) {
        return Ok(integer_pow(base, exponent).into());
    }
    if let Some((base, exponent)) = base.as_decimals(exponent) {
        return give(Number::Decimal(base.pow(exponent)));
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
        Some(Number::Decimal(value)) => give(Number::Decimal(value.abs())),
    }
}

/// Rounds floats and decimals to whole ones, and leaves integers as they are.
fn whole(call: &Call<'_>, round: fn(f64) -> f64, rounding: Rounding) -> Result<Item<'static>> {
    match call.number(0)? {
        None => Ok(Item::null()),
        Some(Number::Int(value)) => give(Number::Int(value)),
        Some(Number::Float(value)) => give(Number::Float(round(value))),
        Some(Number::Decimal(value)) => give(Number::Decimal(value.rounded(0, rounding))),
    }
}

/// A function of real numbers, by floats or by decimals.
fn real(
    call: &Call<'_>,
    by_floats: fn(f64) -> f64,
    by_decimals: fn(Decimal) -> Decimal,
) -> Result<Item<'static>> {
    compute(call, |_| None, by_floats, by_decimals)
}

fn logarithm(
    call: &Call<'_>,
    by_floats: fn(f64) -> f64,
    by_decimals: fn(Decimal) -> Decimal,
) -> Result<Item<'static>> {
    let refused = |number: Number| {
        let is_refused = number.is_negative() || number.is_zero();
        is_refused.then_some("a positive number")
    };
    compute(call, refused, by_floats, by_decimals)
}

fn root<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let refused = |number: Number| number.is_negative().then_some("a number that is not negative");
    compute(call, refused, f64::sqrt, Decimal::sqrt)
}

/// Computes with one number, unless it is `refused` with what is taken instead.
fn compute(
    call: &Call<'_>,
    refused: impl FnOnce(Number) -> Option<&'static str>,
    by_floats: fn(f64) -> f64,
    by_decimals: fn(Decimal) -> Decimal,
) -> Result<Item<'static>> {
    let Some(number) = call.number(0)? else { return Ok(Item::null()) };
    if let Some(taken) = refused(number) {
        let shown = match number {
            Number::Decimal(value) => value.to_string(),
            number => number.to_f64().to_string(),
        };
        return Err(call.fail(format!("takes {taken}, and found {shown}")));
    }
    give(match number {
        Number::Decimal(value) => Number::Decimal(by_decimals(value)),
        number => Number::Float(by_floats(number.to_f64())),
    })
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
            give(Number::Int(round_integer(value, unit, rounding)))
        }
        Number::Float(value) => give(Number::Float(round_float(value, place as i32, rounding))),
        Number::Decimal(value) => give(Number::Decimal(value.rounded(place as i32, rounding))),
    }
}

/// Rounds to a multiple of a unit, to the nearest or towards zero.
fn round_integer(value: i128, unit: i128, rounding: Rounding) -> i128 {
    if rounding == Rounding::Truncate {
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

/// Rounds the float's exact value to the nearest or towards zero: the float 1.115 is slightly less than
/// its text, and becomes 1.11.
fn round_float(value: f64, place: i32, rounding: Rounding) -> f64 {
    let whole = |value: f64| match rounding {
        Rounding::Truncate => value.trunc(),
        _ => value.round_ties_even(),
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
    match rounding {
        Rounding::Truncate if is_beyond => nearest(rounded - 10_f64.powi(-place).copysign(value)),
        _ => rounded,
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
            let rounded = |rounding| round_float(value, place, rounding);
            assert_eq!(rounded(Rounding::HalfEven), nearest, "{value} {place}");
            assert_eq!(rounded(Rounding::Truncate), truncated, "{value} {place}");
        }
        assert!(round_float(f64::NAN, 2, Rounding::HalfEven).is_nan());
    }
}
