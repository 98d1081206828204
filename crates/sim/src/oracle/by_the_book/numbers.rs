//! Numbers of any type as the digits that they are exactly, and sums and products of these as they are
//! done on paper. It takes floats and decimals apart and shares no arithmetic with VelocityDB.

use std::cmp::Ordering;

use velocitydb_core::{Decimal, Value};

/// How many digits a decimal has at the most.
const DIGITS_MAX: usize = 34;

/// A number: ±0.d₁d₂d₃… · 10^point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number {
    /// Not a number.
    NaN,
    /// An infinity.
    Infinite {
        /// Whether it is below zero.
        negative: bool,
    },
    /// Any other number. Zero has no digits and is not negative.
    Finite {
        /// Whether it is below zero.
        negative: bool,
        /// Its digits; neither the first nor the last one is 0.
        digits: Vec<u8>,
        /// The position of the decimal point, counted from before the first digit.
        point: i32,
    },
}

impl Number {
    /// The number that a value is.
    pub fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Int(value) => Self::of_text(&value.to_string()),
            Value::UInt(value) => Self::of_text(&value.to_string()),
            Value::Float(value) => Self::of_float(*value),
            Value::Decimal(value) => Self::of_decimal(*value),
            _ => return None,
        })
    }

    fn of_decimal(decimal: Decimal) -> Self {
        let negative = decimal.is_negative();
        if decimal.is_nan() {
            return Self::NaN;
        } else if decimal.is_infinite() {
            return Self::Infinite { negative };
        }
        let digits = decimal.coefficient().to_string();
        Self::normal(negative, digits.as_bytes(), digits.len() as i32 + decimal.exponent())
    }

    /// All digits of a float, of which there are at most as many behind the point as it has bits there.
    fn of_float(float: f64) -> Self {
        if float.is_nan() {
            return Self::NaN;
        } else if float.is_infinite() {
            return Self::Infinite { negative: float < 0.0 };
        }
        let exponent = (float.to_bits() >> 52) as i32 & 0x7ff;
        let places = (1_075 - exponent).clamp(0, 1_074) as usize;
        Self::of_text(&format!("{float:.places$}"))
    }

    /// Reads digits with a point and a sign.
    fn of_text(text: &str) -> Self {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |it| (true, it));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        Self::normal(negative, format!("{whole}{part}").as_bytes(), whole.len() as i32)
    }

    fn normal(negative: bool, digits: &[u8], point: i32) -> Self {
        let start = digits.iter().take_while(|digit| **digit == b'0').count();
        let end = digits.iter().rposition(|digit| *digit != b'0').map_or(start, |at| at + 1);
        if start >= end {
            return Self::Finite { negative: false, digits: Vec::new(), point: 0 };
        }
        let digits = digits[start..end].to_vec();
        Self::Finite { negative, digits, point: point - start as i32 }
    }

    /// Compares the values. NaN equals itself and is below all others.
    pub fn compare(&self, other: &Self) -> Ordering {
        let (rank, other_rank) = (self.rank(), other.rank());
        match (self, other) {
            (
                Self::Finite { negative, digits, point },
                Self::Finite { digits: other_digits, point: other_point, .. },
            ) if rank == other_rank => {
                // Digits without zeros at the end compare like texts.
                let size = point.cmp(other_point).then_with(|| digits.cmp(other_digits));
                if *negative { size.reverse() } else { size }
            }
            _ => rank.cmp(&other_rank),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::NaN => 0,
            Self::Infinite { negative: true } => 1,
            Self::Finite { negative: true, .. } => 2,
            Self::Finite { digits, .. } if digits.is_empty() => 3,
            Self::Finite { .. } => 4,
            Self::Infinite { negative: false } => 5,
        }
    }

    /// The simplest value that is this number: an integer rather than a float, a float rather than a
    /// decimal, and of decimals the one with the fewest digits.
    pub fn to_simplest(&self) -> Option<Value> {
        let text = self.to_text();
        let float: f64 = text.parse().ok()?;
        let Self::Finite { negative, digits, point } = self else { return Some(float.into()) };
        let digits: String = digits.iter().map(|digit| char::from(*digit)).collect();
        let places = usize::try_from(*point).ok().filter(|it| (digits.len()..20).contains(it));
        let whole = places.map(|places| format!("{}{digits:0<places$}", sign(*negative)));
        if digits.is_empty() {
            return Some(0.into());
        } else if let Some(whole) = whole.and_then(|it| it.parse::<i64>().ok()) {
            return Some(whole.into());
        } else if Self::of_float(float) == *self {
            return Some(float.into());
        }
        let coefficient = format!("{}{digits}", sign(*negative)).parse().ok()?;
        Decimal::new(coefficient, point - digits.len() as i32).map(Value::from)
    }

    /// A text that equal numbers have in common.
    pub fn to_text(&self) -> String {
        match self {
            Self::NaN => "NaN".to_owned(),
            Self::Infinite { negative } => format!("{}inf", sign(*negative)),
            Self::Finite { negative, digits, point } => {
                let digits: String = digits.iter().map(|digit| char::from(*digit)).collect();
                format!("{}0.{digits}e{point}", sign(*negative))
            }
        }
    }
}

const fn sign(negative: bool) -> &'static str {
    if negative { "-" } else { "" }
}

/// An integer or decimal as it is computed with on paper: digits, of which some are behind the point.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OnPaper {
    negative: bool,
    /// From the first to the last one, not as characters.
    digits: Vec<u8>,
    /// The power of ten of the last digit.
    exponent: i32,
}

impl OnPaper {
    fn of(value: &Value) -> Option<Self> {
        let (negative, digits, exponent) = match value {
            Value::Int(value) => (*value < 0, value.unsigned_abs().to_string(), 0),
            Value::UInt(value) => (false, value.to_string(), 0),
            Value::Decimal(value) if value.is_finite() => {
                (value.is_negative(), value.coefficient().to_string(), value.exponent())
            }
            _ => return None,
        };
        let digits = digits.bytes().map(|digit| digit - b'0').collect();
        Some(Self { negative, digits, exponent })
    }

    /// Appends zeros, so that the last digit has this power of ten.
    fn down_to(&mut self, exponent: i32) {
        let zeros = (self.exponent - exponent).max(0) as usize;
        self.digits.extend(std::iter::repeat_n(0, zeros));
        self.exponent = self.exponent.min(exponent);
    }

    /// The digit at a place, counted from the last one.
    fn at(&self, place: usize) -> u8 {
        self.digits.len().checked_sub(place + 1).map_or(0, |at| self.digits[at])
    }

    /// The decimal, if its digits are as many as one has.
    fn to_decimal(&self) -> Option<Value> {
        let first = self.digits.iter().position(|digit| *digit != 0);
        let digits = &self.digits[first.unwrap_or(self.digits.len())..];
        if digits.len() > DIGITS_MAX {
            return None;
        }
        let text: String = digits.iter().map(|digit| char::from(digit + b'0')).collect();
        let coefficient: i128 = if text.is_empty() { 0 } else { text.parse().ok()? };
        if coefficient == 0 && self.negative {
            // Which sign a zero has is a question of its own.
            return None;
        }
        let coefficient = if self.negative { -coefficient } else { coefficient };
        Decimal::new(coefficient, self.exponent).map(Value::from)
    }
}

/// The sum of two integers or decimals, one of which is a decimal, if 34 digits hold it. It has as many
/// digits behind the point as the summand that has more of them.
pub fn sum(a: &Value, b: &Value) -> Option<Value> {
    let (mut a, mut b) = (OnPaper::of(a)?, OnPaper::of(b)?);
    let exponent = a.exponent.min(b.exponent);
    if a.exponent.max(b.exponent) - exponent > DIGITS_MAX as i32 {
        return None;
    }
    a.down_to(exponent);
    b.down_to(exponent);
    let length = a.digits.len().max(b.digits.len()) + 1;
    let signed = |it: &OnPaper, place| i16::from(it.at(place)) * if it.negative { -1 } else { 1 };
    let columns: Vec<i16> =
        (0..length).map(|place| signed(&a, place) + signed(&b, place)).collect();
    // The first column that is not zero has the sign of the whole, and two zeros have theirs.
    let both = a.negative && b.negative;
    let negative = columns.iter().rev().find(|it| **it != 0).map_or(both, |it| *it < 0);
    let mut carry = 0;
    let mut digits: Vec<u8> = columns
        .iter()
        .map(|column| {
            let column = if negative { -column } else { *column } + carry;
            carry = column.div_euclid(10);
            column.rem_euclid(10) as u8
        })
        .collect();
    digits.reverse();
    OnPaper { negative, digits, exponent }.to_decimal()
}

/// The product of two integers or decimals, one of which is a decimal, if 34 digits hold it. It has as
/// many digits behind the point as both have together.
pub fn product(a: &Value, b: &Value) -> Option<Value> {
    let (a, b) = (OnPaper::of(a)?, OnPaper::of(b)?);
    let mut columns = vec![0_u32; a.digits.len() + b.digits.len()];
    for i in 0..a.digits.len() {
        for j in 0..b.digits.len() {
            columns[i + j] += u32::from(a.at(i)) * u32::from(b.at(j));
        }
    }
    let mut carry = 0;
    let mut digits: Vec<u8> = columns
        .iter()
        .map(|column| {
            let column = column + carry;
            carry = column / 10;
            (column % 10) as u8
        })
        .collect();
    digits.reverse();
    let negative = a.negative != b.negative;
    OnPaper { negative, digits, exponent: a.exponent + b.exponent }.to_decimal()
}

/// The decimal that a text stands for, if 34 digits are enough for it.
pub fn read_decimal(text: &str) -> Option<Value> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let rest = rest.strip_prefix('+').filter(|_| !negative).unwrap_or(rest);
    let (digits, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let exponent = exponent.parse::<i32>().ok()? - part.len() as i32;
    if negative && digits.bytes().all(|digit| digit == b'0') {
        let zero = Decimal::new(0, exponent)?;
        return Some((-zero).into());
    }
    let digits = digits.bytes().map(|digit| digit - b'0').collect();
    OnPaper { negative, digits, exponent }.to_decimal()
}

/// The text of a finite decimal, as the standard says: with an exponent if that is above 0, or if there
/// would be more than five zeros behind the point.
pub fn decimal_text(decimal: Decimal) -> String {
    let (digits, exponent) = (decimal.coefficient().to_string(), decimal.exponent());
    let sign = sign(decimal.is_negative());
    let above = digits.len() as i32 - 1 + exponent;
    if exponent > 0 || above < -6 {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { String::new() } else { format!(".{rest}") };
        return format!("{sign}{first}{rest}E{above:+}");
    }
    let places = exponent.unsigned_abs() as usize;
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Value {
        text.parse::<Decimal>().unwrap().into()
    }

    #[test]
    fn numbers_are_exactly_what_they_are() {
        let number = |value: Value| Number::of(&value).unwrap();
        let tenth = Number::of_float(0.1);
        assert!(tenth.to_text().starts_with("0.1000000000000000055511151231257827"));
        assert_eq!(number(decimal("1.50")), number(1.5.into()));
        assert_eq!(number(decimal("-0.0")), number(0.into()));
        let ascending = [
            Value::from(f64::NAN),
            f64::NEG_INFINITY.into(),
            (-1e300).into(),
            decimal("-1E+299"),
            i64::MIN.into(),
            decimal("-0.1"),
            0.into(),
            5e-324.into(),
            decimal("0.1"),
            0.1.into(),
            1.into(),
            (1_i64 << 53).into(),
            ((1_i64 << 53) + 1).into(),
            decimal("9007199254740993.5"),
            decimal("Infinity"),
        ];
        for pair in ascending.windows(2) {
            assert!(number(pair[0].clone()).compare(&number(pair[1].clone())).is_lt(), "{pair:?}");
        }
    }

    #[test]
    fn the_simplest_value_is_an_integer_a_float_or_a_decimal() {
        for (number, expected) in [
            (decimal("-8.00"), Value::from(-8)),
            (1e3.into(), 1_000.into()),
            (decimal("0E+9"), 0.into()),
            (decimal("-8.50"), (-8.5).into()),
            (decimal("1E+300"), decimal("1E+300")),
            (decimal("0.10"), decimal("0.1")),
            (decimal("9007199254740993.0"), 9_007_199_254_740_993_i64.into()),
        ] {
            let simplest = Number::of(&number).unwrap().to_simplest().unwrap();
            assert!(simplest.is_identical(&expected), "{number} {simplest}");
        }
    }

    #[test]
    fn sums_and_products_are_those_on_paper() {
        for (a, b, expected_sum, expected_product) in [
            ("1.50", "1", "2.50", "1.50"),
            ("-0.3", "0.3", "0.0", "-0.09"),
            ("99.9", "0.1", "100.0", "9.99"),
            ("-1E+2", "1", "-99", "-1E+2"),
        ] {
            let (a, b) = (decimal(a), decimal(b));
            for (found, expected) in
                [(sum(&a, &b), expected_sum), (product(&a, &b), expected_product)]
            {
                assert!(found.unwrap().is_identical(&decimal(expected)), "{a} {b} {expected}");
            }
        }
        assert_eq!(sum(&decimal("1E+40"), &decimal("1")), None);
        assert_eq!(sum(&decimal("1"), &0.5.into()), None);
        assert_eq!(
            product(&decimal("12345678901234567890"), &decimal("1234567890123456789")),
            None
        );
    }
}
