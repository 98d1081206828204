//! Arithmetic of decimals, by IBM's decNumber: results of IEEE 754-2008 with their preferred
//! exponents, rounded half to even, and the same on every machine. Rounding to a place is ours, since
//! it only moves digits.
//!
//! There is no trap: a division by zero is an infinity or NaN, and what is too large is an infinity.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use dec::{Context, Decimal128};

use super::{Decimal, Sign};

/// How a number is rounded to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, and to the even one if both are equally near.
    HalfEven,
    /// Towards zero.
    Truncate,
    /// Towards infinity.
    Ceiling,
    /// Towards negative infinity.
    Floor,
}

/// A number of the library with room for digits beyond ours.
type Wide = dec::Decimal<27>;

/// With how many digits functions are computed whose last digit the library may have wrong by one. So
/// many, because `1 + x` with 34 digits has an exponential or a power with a part of `x^2`, which is what
/// decides if `x` is halfway between two results.
const DIGITS_WIDE: usize = 80;

impl Decimal {
    fn to_library(self) -> Decimal128 {
        let mut context = Context::<Decimal128>::default();
        let size = if self.is_nan() {
            return Decimal128::NAN;
        } else if self.is_infinite() {
            context.div(Decimal128::ONE, Decimal128::ZERO)
        } else {
            let mut size = context.from_u128(self.coefficient());
            context.set_exponent(&mut size, self.exponent());
            size
        };
        let mut bytes = size.to_le_bytes();
        bytes[15] |= (self.sign() as u8) << 7;
        Decimal128::from_le_bytes(bytes)
    }

    fn from_library(number: Decimal128) -> Self {
        let sign = if number.to_le_bytes()[15] >= 0x80 { Sign::Minus } else { Sign::Plus };
        if number.is_nan() {
            return Self::NAN;
        }
        if number.is_infinite() {
            return Self::INFINITY.with_sign(sign);
        }
        Self::from_parts(sign, number.coefficient().unsigned_abs(), number.exponent())
            .expect("the library's numbers have the same ranges")
    }

    fn with_both(
        self,
        other: Self,
        operation: fn(&mut Context<Decimal128>, Decimal128, Decimal128) -> Decimal128,
    ) -> Self {
        let mut context = Context::<Decimal128>::default();
        Self::from_library(operation(&mut context, self.to_library(), other.to_library()))
    }

    fn with_wide(
        self,
        digits: usize,
        operation: impl FnOnce(&mut Context<Wide>, &mut Wide),
    ) -> Self {
        let mut context = Context::<Wide>::default();
        context.set_precision(digits).expect("it is at most that of the type");
        context.set_max_exponent(6144).expect("it is at most that of the library");
        context.set_min_exponent(-6143).expect("it is at least that of the library");
        let mut number = Wide::from(self.to_library());
        operation(&mut context, &mut number);
        Self::from_library(number.to_decimal128())
    }

    /// The square root; NaN below zero.
    #[must_use]
    pub fn sqrt(self) -> Self {
        self.with_wide(Self::DIGITS_MAX as usize, |context, number| context.sqrt(number))
    }

    /// e raised to this number.
    #[must_use]
    pub fn exp(self) -> Self {
        let power = self.with_wide(DIGITS_WIDE, |context, number| context.exp(number));
        // The library's zero has the exponent of fewer digits.
        match power.is_zero() && self.is_finite() {
            true => Self::finite(Sign::Plus, 0, Self::EXPONENT_MIN),
            false => power,
        }
    }

    /// The natural logarithm; NaN below zero.
    #[must_use]
    pub fn ln(self) -> Self {
        self.with_wide(DIGITS_WIDE, |context, number| context.ln(number))
    }

    /// The logarithm to base 10; NaN below zero.
    #[must_use]
    pub fn log10(self) -> Self {
        self.with_wide(DIGITS_WIDE, |context, number| context.log10(number))
    }

    /// This number raised to another one.
    #[must_use]
    pub fn pow(self, exponent: Self) -> Self {
        let exponent = Wide::from(exponent.to_library());
        self.with_wide(DIGITS_WIDE, |context, number| context.pow(number, &exponent))
    }

    /// Rounded to a number of places behind the point, or before it if that is negative, and with
    /// exactly that many places: `1.5` at 2 is `1.50`, and `1250` at -2 is `1.2E+3`. Where 34 digits
    /// do not reach so far it stays as it is.
    #[must_use]
    pub fn rounded(self, places: i32, rounding: Rounding) -> Self {
        if !self.is_finite() {
            return self;
        }
        let target = places.saturating_neg().clamp(Self::EXPONENT_MIN, Self::EXPONENT_MAX);
        let (coefficient, exponent) = (self.coefficient(), self.exponent());
        let result = if target <= exponent {
            let power = 10_u128.checked_pow((exponent - target).unsigned_abs());
            if coefficient == 0 {
                Some(0)
            } else {
                power.and_then(|power| coefficient.checked_mul(power))
            }
        } else {
            let power = 10_u128.checked_pow((target - exponent).unsigned_abs());
            let (whole, rest) =
                power.map_or((0, coefficient), |power| (coefficient / power, coefficient % power));
            let half = match power {
                Some(power) => (2 * rest).cmp(&power),
                None => std::cmp::Ordering::Less,
            };
            let is_up = match rounding {
                Rounding::HalfEven => half.is_gt() || (half.is_eq() && whole % 2 == 1),
                Rounding::Truncate => false,
                Rounding::Ceiling => rest > 0 && !self.is_negative(),
                Rounding::Floor => rest > 0 && self.is_negative(),
            };
            Some(whole + u128::from(is_up))
        };
        result.and_then(|result| Self::from_parts(self.sign(), result, target)).unwrap_or(self)
    }
}

macro_rules! operator {
    ($($operator:ident :: $method:ident => $library:ident;)*) => {$(
        impl $operator for Decimal {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                self.with_both(other, |context, a, b| context.$library(a, b))
            }
        }
    )*};
}

operator! {
    Add::add => add;
    Sub::sub => sub;
    Mul::mul => mul;
    Div::div => div;
}

impl Rem for Decimal {
    type Output = Self;

    /// The remainder of a division that is rounded towards zero, with the sign of the dividend. It is
    /// exact, also where the quotient has more than 34 digits, for which the standard has no remainder.
    fn rem(self, other: Self) -> Self {
        if self.is_nan() || self.is_infinite() || other.is_nan() || other.is_zero() {
            return Self::NAN;
        }
        if other.is_infinite() {
            return self;
        }
        let exponent = self.exponent().min(other.exponent());
        let (mut rest, mut divisor) = (self.coefficient(), other.coefficient());
        for _ in exponent..other.exponent() {
            if divisor > rest {
                return self;
            }
            // It is at most the dividend, of 34 digits.
            divisor *= 10;
        }
        rest %= divisor;
        for _ in exponent..self.exponent() {
            rest = rest * 10 % divisor;
        }
        Self::from_parts(self.sign(), rest, exponent).unwrap_or(Self::NAN)
    }
}

impl Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        self.with_sign(self.sign().reversed())
    }
}
