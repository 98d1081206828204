//! Random values: few enough that queries match them, unusual enough that comparing them is not
//! trivial. JavaScript can represent all of them exactly.

use velocitydb_core::{Binary, Decimal, ObjectId, Time, Value, value};

use super::Source;
use super::any::any;

/// The kinds of scalars that a field mostly holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Small integers and halves.
    Number,
    /// Short strings.
    Text,
    /// Times.
    Time,
    /// True and false.
    Bool,
    /// ObjectIds.
    ObjectId,
    /// UUIDs, and other binary.
    Binary,
    /// Anything.
    Mixed,
}

const THEMES: [Theme; 7] = [
    Theme::Number,
    Theme::Text,
    Theme::Time,
    Theme::Bool,
    Theme::ObjectId,
    Theme::Binary,
    Theme::Mixed,
];
const STRINGS: [&str; 14] =
    ["", "a", "b", "ab", "abc", "A", "B", "1", "10", "2", "é", "É", "😀", "a b"];
const EXTREMES: [f64; 14] = [
    -0.0,
    0.0,
    9_007_199_254_740_992.0,
    -9_007_199_254_740_992.0,
    9_007_199_254_740_991.0,
    4_611_686_018_427_387_904.0,
    -9_223_372_036_854_775_808.0,
    9_223_372_036_854_775_808.0,
    1e300,
    -1e300,
    1e-300,
    5e-324,
    f64::INFINITY,
    f64::NEG_INFINITY,
];
const INTEGERS: [i64; 4] = [1 << 53, -(1 << 53), (1 << 53) - 1, i64::MIN];

impl Theme {
    /// A random one.
    pub fn random(source: &mut Source) -> Self {
        THEMES[source.weighted(&[8, 6, 4, 2, 1, 1, 6])]
    }

    /// A scalar of this kind.
    pub fn scalar(self, source: &mut Source) -> Value {
        match self {
            Self::Number => small_number(source),
            Self::Text => (*source.one_of(&STRINGS)).into(),
            Self::Time => time(source).into(),
            Self::Bool => source.percent(50).into(),
            Self::ObjectId => object_id(source).into(),
            Self::Binary => binary(source),
            Self::Mixed => scalar(source),
        }
    }
}

/// Any scalar.
pub fn scalar(source: &mut Source) -> Value {
    match source.weighted(&[30, 25, 6, 10, 10, 10, 2, 2]) {
        0 => small_number(source),
        1 => (*source.one_of(&STRINGS)).into(),
        2 => extreme(source),
        3 => source.percent(50).into(),
        4 => Value::Null,
        5 => time(source).into(),
        6 => object_id(source).into(),
        _ => binary(source),
    }
}

/// One of a few ObjectIds.
pub fn object_id(source: &mut Source) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[source.below(2) * 11] = source.between(0, 2) as u8;
    ObjectId::from(bytes)
}

/// A few bytes, mostly of no subtype or UUIDs.
pub fn binary(source: &mut Source) -> Value {
    let byte = source.between(0, 2) as u8;
    match source.weighted(&[45, 35, 20]) {
        0 => Binary::new(0, vec![byte; source.below(3)]).into(),
        1 => Binary::new(4, vec![byte; 16]).into(),
        _ => Binary::new(*source.one_of(&[5, 128]), vec![byte; source.below(3)]).into(),
    }
}

/// A decimal that is exactly a float, with more or fewer digits than it needs: `1.5`, `1.500`, `15E-1`.
pub fn decimal(source: &mut Source) -> Decimal {
    let halves = source.between(-6, 20);
    let zeros = source.below(4) as u32;
    let (coefficient, exponent) = match (halves % 2, source.percent(10)) {
        (0, true) => (halves / 2, zeros as i32),
        (0, false) => (halves / 2 * 10_i64.pow(zeros), -(zeros as i32)),
        _ => (halves * 5 * 10_i64.pow(zeros), -1 - zeros as i32),
    };
    Decimal::new(coefficient.into(), exponent).expect("it has few digits")
}

/// A decimal at one end of the range, or beyond the integers that floats hold, and still one of them.
fn extreme_decimal(source: &mut Source) -> Decimal {
    let texts = [
        "-0",
        "0E+3",
        "-0.00",
        "Infinity",
        "-Infinity",
        "9007199254740992",
        "-9.223372036854775808E+18",
    ];
    source.one_of(&texts).parse().expect("these are decimals")
}

/// A number with which arithmetic is exact.
pub fn small_number(source: &mut Source) -> Value {
    match source.weighted(&[58, 18, 9, 5, 10]) {
        4 => decimal(source).into(),
        0 => source.between(-1, 5).into(),
        1 => (source.between(-2, 10) as f64 / 2.0).into(),
        2 => source.between(-100, 100).into(),
        _ => alike(source),
    }
}

/// One of a few equal numbers with different representations.
pub fn alike(source: &mut Source) -> Value {
    match source.below(8) {
        5 => Decimal::new(0, -1).into(),
        6 => Decimal::new(10, -1).into(),
        7 => Decimal::new(1, 0).into(),
        0 => 0.into(),
        1 => 0.0.into(),
        2 => (-0.0).into(),
        3 => 1.into(),
        _ => 1.0.into(),
    }
}

/// A number at one end of the range. NaN is rare.
fn extreme(source: &mut Source) -> Value {
    match source.weighted(&[54, 34, 2, 10]) {
        0 => (*source.one_of(&EXTREMES)).into(),
        1 if source.percent(20) => (1_u64 << 63).into(),
        1 => (*source.one_of(&INTEGERS)).into(),
        2 if source.percent(30) => Decimal::NAN.into(),
        2 => f64::NAN.into(),
        _ => extreme_decimal(source).into(),
    }
}

/// A time, to the millisecond, of a few years.
pub fn time(source: &mut Source) -> Time {
    const DAY: i64 = 86_400_000;
    let millis = match source.weighted(&[50, 30, 20]) {
        0 => 1_700_000_000_000 + source.between(0, 4) * DAY,
        1 => 1_600_000_000_000 + source.between(0, 100_000_000) * 1_001,
        _ => source.between(-1, 1) * 3_600_000,
    };
    Time::from_millis(millis).expect("it is within a few decades of 1970")
}

/// A time, to the millisecond, from 2001 to 2033; many are around the days on which clocks change.
pub fn recent_time(source: &mut Source) -> Time {
    const HOUR: i64 = 3_600_000;
    let millis = match source.weighted(&[40, 30, 30]) {
        0 => 1_000_000_000_000 + source.between(0, 1_000_000_000) * 1_001,
        // The nights to 2024-03-31, 2024-10-27, 2024-03-10 and 2024-11-03.
        1 => {
            let nights =
                [1_711_843_200_000, 1_729_987_200_000, 1_710_054_000_000, 1_730_610_000_000];
            *source.one_of(&nights) + source.between(-10, 10) * HOUR / 2
        }
        _ => 1_700_000_000_000 + source.between(0, 60) * HOUR,
    };
    Time::from_millis(millis).expect("it is within a few decades of 1970")
}

/// A list of scalars.
pub fn list(theme: Theme, source: &mut Source) -> Value {
    (0..source.below(4)).map(|_| theme.scalar(source)).collect()
}

/// An integer in one of the types of numbers.
pub fn whole(number: i64, source: &mut Source) -> Value {
    match source.weighted(&[70, 20, 10]) {
        0 => number.into(),
        1 => (number as f64).into(),
        _ => Decimal::from(number).into(),
    }
}

/// Which values a query may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Those that JavaScript can represent.
    OfJavaScript,
    /// Those of all types.
    All,
}

/// Types that mingo distinguishes, or of which it is known that it does not.
const TYPES: [&str; 9] =
    ["number", "string", "object", "array", "bool", "date", "null", "binData", "objectId"];
const OTHER_TYPES: [&str; 17] = [
    "double",
    "decimal",
    "int",
    "long",
    "undefined",
    "regex",
    "dbPointer",
    "javascript",
    "symbol",
    "javascriptWithScope",
    "timestamp",
    "minKey",
    "maxKey",
    "float",
    "integer",
    "time",
    "bytes",
];
const TYPE_NUMBERS: [i64; 10] = [1, 2, 5, 7, 9, 16, 18, 19, -1, 127];

impl Values {
    /// An operand that is not the value of any document.
    pub fn stranger(self, source: &mut Source) -> Value {
        match source.weighted(&[85, 8, 7]) {
            0 => self.scalar(source),
            1 => (0..source.below(4)).map(|_| self.scalar(source)).collect(),
            _ => value!({ "x": self.scalar(source) }),
        }
    }

    fn scalar(self, source: &mut Source) -> Value {
        match self {
            Self::OfJavaScript => scalar(source),
            Self::All => any(source),
        }
    }

    /// The operand of a `$type`.
    pub fn some_type(self, source: &mut Source) -> Value {
        if source.percent(80) {
            return self.one_type(source);
        }
        (0..=source.below(2)).map(|_| self.one_type(source)).collect()
    }

    fn one_type(self, source: &mut Source) -> Value {
        match (self, source.below(3)) {
            (Self::All, 0) => (*source.one_of(&OTHER_TYPES)).into(),
            (Self::All, 1) => whole(*source.one_of(&TYPE_NUMBERS), source),
            _ => (*source.one_of(&TYPES)).into(),
        }
    }
}
