//! Decimal numbers of 34 digits, as IEEE 754-2008 defines them under the name decimal128. Owns their
//! parts and their bits; the text is in `text`, the arithmetic in `arithmetic`, and the order among
//! numbers of all types in [`order`](crate::order).

mod arithmetic;
mod text;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::magnitude::Magnitude;

pub use arithmetic::Rounding;

/// A decimal number of 34 digits: `±coefficient · 10^exponent`, an infinity, or NaN (decimal128 of
/// IEEE 754-2008).
///
/// It keeps the digits that it was given: `1.50` is written as `1.50`. Arithmetic is exact as long as
/// 34 digits suffice, and then rounds to the nearest, and to the even one if two are equally near.
///
/// `==` and the order are those of the numbers: `1.5` equals `1.50`, `-0` equals `0`, and NaN equals
/// itself and is below all others. [`Decimal::is_identical`] also distinguishes digits.
///
/// ```
/// use velocitydb_core::Decimal;
///
/// let price: Decimal = "1.50".parse()?;
/// let sum = price + Decimal::from(3);
/// assert_eq!(sum.to_string(), "4.50");
/// assert_eq!(sum, "4.5".parse()?);
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Decimal {
    /// The bits, see [`Decimal::to_bits`]. In two halves, since a `u128` would widen every value.
    high: u64,
    low: u64,
}

impl Decimal {
    /// How many digits a coefficient has at the most.
    pub const DIGITS_MAX: u32 = 34;
    /// The largest coefficient, of 34 nines.
    pub const COEFFICIENT_MAX: u128 = 10_u128.pow(Self::DIGITS_MAX) - 1;
    /// The smallest exponent.
    pub const EXPONENT_MIN: i32 = -6176;
    /// The largest exponent.
    pub const EXPONENT_MAX: i32 = 6111;

    /// Zero.
    pub const ZERO: Self = Self::finite(Sign::Plus, 0, 0);
    /// One.
    pub const ONE: Self = Self::finite(Sign::Plus, 1, 0);
    /// Not a number.
    pub const NAN: Self = Self { high: 0x7c << 56, low: 0 };
    /// Infinity.
    pub const INFINITY: Self = Self { high: 0x78 << 56, low: 0 };
    /// Negative infinity.
    pub const NEG_INFINITY: Self = Self { high: 0xf8 << 56, low: 0 };

    const COEFFICIENT_BITS: u32 = 113;

    /// `coefficient · 10^exponent`; `None` if the coefficient has more than 34 digits, or the exponent
    /// is outside of [`Decimal::EXPONENT_MIN`] to [`Decimal::EXPONENT_MAX`].
    ///
    /// ```
    /// use velocitydb_core::Decimal;
    ///
    /// assert_eq!(Decimal::new(-150, -2).map(|decimal| decimal.to_string()), Some("-1.50".into()));
    /// assert!(Decimal::new(1, 7000).is_none());
    /// ```
    pub fn new(coefficient: i128, exponent: i32) -> Option<Self> {
        let sign = if coefficient < 0 { Sign::Minus } else { Sign::Plus };
        Self::from_parts(sign, coefficient.unsigned_abs(), exponent)
    }

    /// As [`Decimal::new`], with a sign that zero has too.
    pub(crate) fn from_parts(sign: Sign, coefficient: u128, exponent: i32) -> Option<Self> {
        let fits = coefficient <= Self::COEFFICIENT_MAX
            && (Self::EXPONENT_MIN..=Self::EXPONENT_MAX).contains(&exponent);
        fits.then(|| Self::finite(sign, coefficient, exponent))
    }

    /// From parts that are within their ranges.
    const fn finite(sign: Sign, coefficient: u128, exponent: i32) -> Self {
        let biased = (exponent - Self::EXPONENT_MIN) as u128;
        Self::from_halves((sign as u128) << 127 | biased << Self::COEFFICIENT_BITS | coefficient)
    }

    const fn from_halves(bits: u128) -> Self {
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }

    /// From the bits of IEEE 754-2008 in its binary form, which BSON has too: sign, 14 bits of the
    /// exponent + 6176, 113 bits of the coefficient. As the standard demands, a coefficient above the
    /// largest one counts as zero; all NaNs become one.
    pub const fn from_bits(bits: u128) -> Self {
        let negative = bits >> 127 == 1;
        match (bits >> 122) as u8 & 0x1f {
            0x1f => Self::NAN,
            0x1e if negative => Self::NEG_INFINITY,
            0x1e => Self::INFINITY,
            combination => {
                // An exponent that begins with two ones stands two bits lower, and its coefficient
                // is always too large.
                let is_large = combination >> 3 == 3;
                let shift =
                    if is_large { Self::COEFFICIENT_BITS - 2 } else { Self::COEFFICIENT_BITS };
                let exponent = (bits >> shift) as i32 & 0x3fff;
                let coefficient = bits & ((1 << Self::COEFFICIENT_BITS) - 1);
                let is_zero = is_large || coefficient > Self::COEFFICIENT_MAX;
                let sign = if negative { Sign::Minus } else { Sign::Plus };
                let coefficient = if is_zero { 0 } else { coefficient };
                Self::finite(sign, coefficient, exponent + Self::EXPONENT_MIN)
            }
        }
    }

    /// The bits, as [`Decimal::from_bits`] reads them.
    pub const fn to_bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// Whether this is not a number.
    pub const fn is_nan(self) -> bool {
        self.high == Self::NAN.high
    }

    /// Whether this is one of the infinities.
    pub const fn is_infinite(self) -> bool {
        self.high == Self::INFINITY.high || self.high == Self::NEG_INFINITY.high
    }

    /// Whether this is neither an infinity nor NaN.
    pub const fn is_finite(self) -> bool {
        !self.is_nan() && !self.is_infinite()
    }

    /// Whether this is a zero, of either sign and any exponent.
    pub const fn is_zero(self) -> bool {
        self.is_finite() && self.coefficient() == 0
    }

    /// Whether it has a minus sign, as `-0` has.
    pub const fn is_negative(self) -> bool {
        self.high >> 63 == 1
    }

    /// The digits without the point and the sign; 0 for infinities and NaN.
    pub const fn coefficient(self) -> u128 {
        if self.is_finite() { self.to_bits() & ((1 << Self::COEFFICIENT_BITS) - 1) } else { 0 }
    }

    /// The power of ten of the last digit; 0 for infinities and NaN.
    pub const fn exponent(self) -> i32 {
        if !self.is_finite() {
            return 0;
        }
        (self.high >> (Self::COEFFICIENT_BITS - 64)) as i32 % (1 << 14) + Self::EXPONENT_MIN
    }

    /// How many digits the coefficient has; zero has one.
    pub const fn digits(self) -> u32 {
        match self.coefficient().checked_ilog10() {
            Some(log) => log + 1,
            None => 1,
        }
    }

    /// Sign and exponent in 16 bits, as encoded values have them: the sign, and the exponent + 6176, or
    /// `7800` for an infinity and `7c00` for NaN.
    pub(crate) const fn head(self) -> u16 {
        if !self.is_finite() {
            return (self.high >> 48) as u16;
        }
        (self.sign() as u16) << 15 | (self.exponent() - Self::EXPONENT_MIN) as u16
    }

    /// From the parts of an encoded value; `None` where no decimal has them.
    pub(crate) fn from_head(head: u16, coefficient: u128) -> Option<Self> {
        let sign = if head >> 15 == 1 { Sign::Minus } else { Sign::Plus };
        match (head & 0x7fff, coefficient) {
            (0x7800, 0) => Some(Self::INFINITY.with_sign(sign)),
            (0x7c00, 0) if sign == Sign::Plus => Some(Self::NAN),
            (biased, _) => {
                Self::from_parts(sign, coefficient, i32::from(biased) + Self::EXPONENT_MIN)
            }
        }
    }

    pub(crate) const fn sign(self) -> Sign {
        if self.is_negative() { Sign::Minus } else { Sign::Plus }
    }

    /// Whether both are the same number with the same digits. All NaNs are identical.
    pub const fn is_identical(self, other: Self) -> bool {
        self.high == other.high && self.low == other.low
    }

    /// The same number with as few digits as possible: `1.5` for `1.50`, `1E+2` for `100`, `0` for
    /// every zero.
    pub(crate) fn reduced(self) -> Self {
        if !self.is_finite() {
            return self;
        }
        let (mut coefficient, mut exponent) = (self.coefficient(), self.exponent());
        if coefficient == 0 {
            return Self::ZERO;
        }
        while coefficient % 10 == 0 && exponent < Self::EXPONENT_MAX {
            coefficient /= 10;
            exponent += 1;
        }
        Self::finite(self.sign(), coefficient, exponent)
    }

    /// The nearest decimal to an integer.
    pub(crate) fn nearest(integer: i128) -> Self {
        let sign = if integer < 0 { Sign::Minus } else { Sign::Plus };
        let (mut size, mut exponent) = (integer.unsigned_abs(), 0);
        if size > Self::COEFFICIENT_MAX {
            exponent = size.ilog10() as i32 + 1 - Self::DIGITS_MAX as i32;
            let unit = 10_u128.pow(exponent.unsigned_abs());
            let (whole, rest) = (size / unit, size % unit);
            let half = rest.cmp(&(unit / 2));
            size = whole + u128::from(half.is_gt() || (half.is_eq() && whole % 2 == 1));
        }
        match size > Self::COEFFICIENT_MAX {
            true => Self::finite(sign, size / 10, exponent + 1),
            false => Self::finite(sign, size, exponent),
        }
    }

    /// The number without its fraction, if it is finite and that fits.
    pub(crate) fn to_integer(self) -> Option<i128> {
        if !self.is_finite() {
            return None;
        }
        let power = 10_u128.checked_pow(self.exponent().unsigned_abs());
        let size = match power {
            Some(power) if self.exponent() >= 0 => self.coefficient().checked_mul(power)?,
            Some(power) => self.coefficient() / power,
            None if self.exponent() < 0 || self.coefficient() == 0 => 0,
            None => return None,
        };
        let size = i128::try_from(size).ok()?;
        Some(if self.is_negative() { -size } else { size })
    }

    /// Whether it is finite and has no fraction: `1.00` has none.
    pub fn is_whole(self) -> bool {
        let reduced = self.reduced();
        reduced.is_finite() && reduced.exponent() >= 0
    }

    /// The nearest float; an infinity if it is beyond the largest one.
    pub fn to_f64(self) -> f64 {
        self.to_string().parse().expect("the text of a decimal is that of a float too")
    }

    /// A float as a decimal, as MongoDB converts it: rounded to 15 digits, and with that many of them,
    /// so that `0.1` becomes `0.100000000000000`. Zeros, infinities and NaN are kept.
    pub fn from_f64(float: f64) -> Self {
        let sign = if float.is_sign_negative() { Sign::Minus } else { Sign::Plus };
        match float {
            _ if float.is_nan() => Self::NAN,
            _ if float.is_infinite() => Self::INFINITY.with_sign(sign),
            0.0 => Self::ZERO.with_sign(sign),
            _ => {
                format!("{float:.14e}").parse().expect("15 digits and the exponent of a float fit")
            }
        }
    }

    pub(crate) fn with_sign(self, sign: Sign) -> Self {
        if self.is_nan() {
            return self;
        }
        Self { high: self.high & !(1 << 63) | (sign as u64) << 63, ..self }
    }

    /// The absolute value.
    #[must_use]
    pub fn abs(self) -> Self {
        self.with_sign(Sign::Plus)
    }

    /// Compares two finite numbers without their signs.
    fn compare_sizes(self, other: Self) -> Ordering {
        let (a, b) = (self.coefficient(), other.coefficient());
        if a == 0 || b == 0 {
            return a.cmp(&b);
        }
        // The power of ten of the first digit decides, and otherwise the digits, of which at most 33
        // zeros are missing behind one of them.
        let first = |number: Self| number.exponent() + number.digits() as i32;
        first(self).cmp(&first(other)).then_with(|| {
            let common = self.exponent().min(other.exponent());
            let aligned = |number: Self| {
                number.coefficient() * 10_u128.pow((number.exponent() - common).unsigned_abs())
            };
            aligned(self).cmp(&aligned(other))
        })
    }
}

/// The sign of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus = 0,
    Minus = 1,
}

impl Sign {
    pub(crate) const fn reversed(self) -> Self {
        match self {
            Self::Plus => Self::Minus,
            Self::Minus => Self::Plus,
        }
    }
}

macro_rules! from_integer {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Decimal {
            fn from(integer: $integer) -> Self {
                let integer = i128::from(integer);
                let sign = if integer < 0 { Sign::Minus } else { Sign::Plus };
                Self::finite(sign, integer.unsigned_abs(), 0)
            }
        }
    )*};
}

from_integer! { i8 i16 i32 i64 u8 u16 u32 u64 }

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.is_nan() || other.is_nan() {
            return other.is_nan().cmp(&self.is_nan());
        }
        let is_below = |number: &Self| number.is_negative() && !number.is_zero();
        let order = is_below(other).cmp(&is_below(self));
        order.then_with(|| {
            let sizes = match (self.is_infinite(), other.is_infinite()) {
                (false, false) => self.compare_sizes(*other),
                (a, b) => a.cmp(&b),
            };
            if is_below(self) { sizes.reverse() } else { sizes }
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.reduced().to_bits().hash(state);
    }
}

impl Default for Decimal {
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({self})")
    }
}

impl Decimal {
    /// The decimal that a magnitude was made of, with as few digits as possible; `None` if it was not
    /// made of one.
    pub(crate) fn from_magnitude(sign: Sign, magnitude: Magnitude) -> Option<Self> {
        if magnitude == Magnitude::INFINITY {
            return Some(Self::INFINITY.with_sign(sign));
        }
        let (mut coefficient, mut exponent) = magnitude.to_digits()?;
        // Digits that no decimal has are zeros, if it was made of one.
        while coefficient % 10 == 0 || exponent < Self::EXPONENT_MIN {
            coefficient /= 10;
            exponent += 1;
            if coefficient == 0 {
                return None;
            }
        }
        while exponent > Self::EXPONENT_MAX {
            coefficient = coefficient.checked_mul(10)?;
            exponent -= 1;
        }
        let decimal = Self::from_parts(sign, coefficient, exponent)?;
        (Magnitude::of_decimal(decimal) == Some(magnitude)).then_some(decimal)
    }
}

#[cfg(test)]
mod tests;
