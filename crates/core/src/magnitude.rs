//! The size of a number of any type as a binary number, exactly enough to be compared and to be found
//! again: what the order of numbers and their keys are made of.
//!
//! An integer or float is `m · 2^e` with `1 <= m < 2` and at most 63 bits behind the point of m. A
//! decimal often is not dyadic (0.1 is not), and often has more bits. Of it 126 bits are kept, rounded
//! down, and whether there is *more* behind them. That loses nothing:
//!
//! - Two different decimals of 34 digits differ by at least 10^-34 of the larger one, which is more
//!   than 2^-113. So their first 126 bits differ, and one decimal alone lies between two neighbours of
//!   126 bits: the nearest one of 34 digits.
//! - A number that is no decimal has no more than 126 bits. So a decimal with the same bits is equal if
//!   nothing is behind them, and larger otherwise.

use crate::Value;
use crate::decimal::{Decimal, Sign};
use crate::natural::Natural;

/// A number above zero: `mantissa / 2^127 · 2^exponent`, and a little more if `more` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Magnitude {
    pub(crate) exponent: i32,
    /// The highest bit is set, and the lowest one is not.
    pub(crate) mantissa: u128,
    /// Whether the number is not exactly that, but between it and the next mantissa.
    pub(crate) more: bool,
}

impl Magnitude {
    /// How many bits behind the point are kept.
    pub(crate) const FRACTION_BITS: u32 = 126;
    /// The highest bit of a mantissa, which is always set.
    pub(crate) const ONE: u128 = 1 << 127;
    /// Above all numbers.
    pub(crate) const INFINITY: Self = Self { exponent: i32::MAX, mantissa: Self::ONE, more: false };

    /// The bits of a float's fraction.
    const FLOAT_BITS: u32 = f64::MANTISSA_DIGITS - 1;

    /// `None` for zero.
    #[inline]
    pub(crate) fn of_integer(value: u64) -> Option<Self> {
        let zeros = value.leading_zeros();
        (value != 0).then(|| Self {
            exponent: 63 - zeros as i32,
            mantissa: u128::from(value << zeros) << 64,
            more: false,
        })
    }

    /// From a float without its sign. `None` for zero and NaN.
    #[inline]
    pub(crate) fn of_float(value: f64) -> Option<Self> {
        if value.is_nan() || value == 0.0 {
            return None;
        }
        if value.is_infinite() {
            return Some(Self::INFINITY);
        }
        let fraction = value.to_bits() & ((1 << Self::FLOAT_BITS) - 1);
        let biased = (value.to_bits() >> Self::FLOAT_BITS) as i32 & 0x7ff;
        let (integer, scale) = match biased {
            0 => (fraction, 1),
            _ => (fraction | 1 << Self::FLOAT_BITS, biased),
        };
        // The value is `integer · 2^(scale - 1075)`.
        let integer = Self::of_integer(integer)?;
        Some(Self { exponent: integer.exponent + scale - 1075, ..integer })
    }

    /// From a decimal without its sign. `None` for zero and NaN.
    pub(crate) fn of_decimal(value: Decimal) -> Option<Self> {
        if value.is_nan() || value.is_zero() {
            return None;
        }
        if value.is_infinite() {
            return Some(Self::INFINITY);
        }
        let (coefficient, exponent) = (Natural::from(value.coefficient()), value.exponent());
        let power = exponent.unsigned_abs();
        if exponent >= 0 {
            let number = coefficient.times_power(5, power);
            let (top, more) = number.top();
            return Some(Self::of_top(number.bits() as i32 - 1 + exponent, top, more));
        }
        // The quotient of the coefficient and 5^power, to 127 or 128 bits.
        let divisor = Natural::power(5, power);
        let shift = 127 + divisor.bits() - coefficient.bits();
        let (quotient, rest) = coefficient.shifted(shift).divided_by(&divisor);
        let zeros = quotient.leading_zeros();
        let exponent = 127 - zeros as i32 - shift as i32 + exponent;
        Some(Self::of_top(exponent, quotient << zeros, !rest.is_zero()))
    }

    /// From 128 bits, of which the last one is not kept.
    fn of_top(exponent: i32, top: u128, more: bool) -> Self {
        Self { exponent, mantissa: top & !1, more: more || top & 1 == 1 }
    }

    /// The nearest number of 34 digits, as a coefficient and an exponent of ten; `None` where no decimal
    /// could be.
    pub(crate) fn to_digits(self) -> Option<(u128, i32)> {
        const BINARY_MIN: i32 = -20_600;
        const BINARY_MAX: i32 = 20_600;
        if !(BINARY_MIN..=BINARY_MAX).contains(&self.exponent) {
            return None;
        }
        // The value is `mantissa · 2^binary`, about `10^(exponent · log10(2))`.
        let binary = self.exponent - 127;
        let mut decimal = (i64::from(self.exponent) * 30_103 / 100_000) as i32 - 33;
        loop {
            let number = Natural::from(self.mantissa)
                .shifted(binary.max(0).unsigned_abs())
                .times_power(10, decimal.min(0).unsigned_abs());
            let unit = Natural::power(10, decimal.max(0).unsigned_abs())
                .shifted(binary.min(0).unsigned_abs());
            let (quotient, rest) = number.divided_by(&unit);
            if quotient > Decimal::COEFFICIENT_MAX {
                decimal += 1;
            } else if quotient <= Decimal::COEFFICIENT_MAX / 10 {
                decimal -= 1;
            } else {
                // Rounding up may give 10^34, which has one digit without its zeros.
                let is_up = rest.shifted(1).compare(&unit).is_ge();
                return Some((quotient + u128::from(is_up), decimal));
            }
        }
    }

    /// The number as an integer if it is whole and fits 64 bits, or else as a float if it is one, or
    /// else as a decimal; `None` if it is of no type.
    pub(crate) fn to_value(self, sign: Sign) -> Option<Value> {
        if !self.more {
            let whole = (0..=63).contains(&self.exponent)
                && self.exponent + self.mantissa.trailing_zeros() as i32 >= 127;
            if whole {
                let size = (self.mantissa >> (127 - self.exponent)) as i128;
                let integer = Value::integer(if sign == Sign::Minus { -size } else { size });
                if integer.is_some() {
                    return integer;
                }
            }
            if let Some(float) = self.to_float() {
                return Some(Value::Float(if sign == Sign::Minus { -float } else { float }));
            }
        }
        Decimal::from_magnitude(sign, self).map(Value::Decimal)
    }

    /// The float that is this number exactly, if there is one.
    fn to_float(self) -> Option<f64> {
        if self == Self::INFINITY {
            return Some(f64::INFINITY);
        }
        if !(-1074..=1023).contains(&self.exponent) {
            return None;
        }
        // Both factors are exact, and so is their product if this is a float at all. The power is
        // split, since one half alone can be too small for a float.
        let (first, second) = (self.exponent / 2, self.exponent - self.exponent / 2);
        let fraction = (self.mantissa >> 64) as u64 as f64 / (1_u64 << 63) as f64;
        let float = fraction * power_of_two(first) * power_of_two(second);
        (Self::of_float(float) == Some(self)).then_some(float)
    }
}

/// `2^exponent`, for exponents of normal floats.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << Magnitude::FLOAT_BITS)
}
