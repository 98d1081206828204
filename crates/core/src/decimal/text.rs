//! The text of decimals: that of IEEE 754-2008, as MongoDB reads and writes it.

use std::fmt;
use std::str::FromStr;

use super::{Decimal, Sign};
use crate::error::shortened;
use crate::{Error, Result};

impl fmt::Display for Decimal {
    /// All digits, with an exponent where a plain text would be long or would need digits that are not
    /// there: `1.50`, `0.000001`, `1E-7`, `1E+3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { "-" } else { "" };
        if self.is_nan() {
            return f.pad("NaN");
        }
        if self.is_infinite() {
            return f.pad(if self.is_negative() { "-Infinity" } else { "Infinity" });
        }
        let (digits, exponent) = (self.coefficient().to_string(), self.exponent());
        // The exponent if there is one digit before the point.
        let scientific = exponent + digits.len() as i32 - 1;
        let text = if exponent > 0 || scientific < -6 {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            format!("{sign}{first}{point}{rest}E{scientific:+}")
        } else if exponent == 0 {
            format!("{sign}{digits}")
        } else {
            let places = exponent.unsigned_abs() as usize;
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            format!("{sign}{whole}.{fraction}")
        };
        f.pad(&text)
    }
}

impl FromStr for Decimal {
    type Err = Error;

    /// Reads a text such as `1.50`, `-1E+3`, `Infinity` or `NaN`. A number that is not a decimal of 34
    /// digits exactly is [`Error::InvalidText`], never rounded.
    fn from_str(text: &str) -> Result<Self> {
        read(text).map_err(|problem| Error::InvalidText {
            what: "decimal".into(),
            text: shortened(text),
            problem: problem.into(),
        })
    }
}

fn read(text: &str) -> Result<Decimal, &'static str> {
    let (sign, size) = match text.as_bytes().first() {
        Some(b'-') => (Sign::Minus, &text[1..]),
        Some(b'+') => (Sign::Plus, &text[1..]),
        _ => (Sign::Plus, text),
    };
    let is = |name: &str| size.eq_ignore_ascii_case(name);
    if is("inf") || is("infinity") {
        return Ok(Decimal::INFINITY.with_sign(sign));
    }
    if is("nan") {
        return Ok(Decimal::NAN);
    }
    let (mantissa, exponent) = match size.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (size, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return Err("it is not of the form 1.50, 1E+3, Infinity or NaN");
    }
    let exponent = exponent.map_or(Ok(0), read_exponent)?;
    let digits = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0');
    fitted(sign, digits, exponent - fraction.len() as i64)
}

/// An exponent; one that is beyond all decimals may be wrong by less than it is beyond them.
fn read_exponent(text: &str) -> Result<i64, &'static str> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("its exponent is not an integer");
    }
    const FAR: i64 = 1 << 40;
    let size = digits.parse::<i64>().unwrap_or(FAR).min(FAR);
    Ok(if text.starts_with('-') { -size } else { size })
}

/// The decimal with these digits, whose last one stands at `exponent`. Zeros are appended or removed
/// where that makes the exponent or the digits fit.
fn fitted(
    sign: Sign,
    digits: impl Iterator<Item = u8>,
    mut exponent: i64,
) -> Result<Decimal, &'static str> {
    let (mut coefficient, mut zeros) = (0_u128, 0_i64);
    for digit in digits {
        if coefficient > Decimal::COEFFICIENT_MAX / 10 || zeros > 0 {
            // The 35th digit and those behind it.
            if digit != 0 {
                return Err("it has more than 34 digits");
            }
            zeros += 1;
        } else {
            coefficient = coefficient * 10 + u128::from(digit);
        }
    }
    exponent += zeros;
    let (min, max) = (i64::from(Decimal::EXPONENT_MIN), i64::from(Decimal::EXPONENT_MAX));
    if coefficient == 0 {
        exponent = exponent.clamp(min, max);
    }
    while exponent > max && coefficient <= Decimal::COEFFICIENT_MAX / 10 {
        coefficient *= 10;
        exponent -= 1;
    }
    while exponent < min && coefficient % 10 == 0 {
        coefficient /= 10;
        exponent += 1;
    }
    if exponent > max {
        return Err("it is beyond the largest decimal, 9.999999999999999999999999999999999E+6144");
    }
    i32::try_from(exponent)
        .ok()
        .and_then(|exponent| Decimal::from_parts(sign, coefficient, exponent))
        .ok_or("it has digits below the smallest decimal, 1E-6176")
}
