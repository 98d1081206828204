//! Random values: few enough that queries match them, unusual enough that comparing them is not
//! trivial. JavaScript can represent all of them exactly.

use velocitydb_core::{Bytes, Time, Value, value};

use super::Source;

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
    /// Anything.
    Mixed,
}

const THEMES: [Theme; 5] = [Theme::Number, Theme::Text, Theme::Time, Theme::Bool, Theme::Mixed];
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
        THEMES[source.weighted(&[4, 3, 2, 1, 3])]
    }

    /// A scalar of this kind.
    pub fn scalar(self, source: &mut Source) -> Value {
        match self {
            Self::Number => small_number(source),
            Self::Text => (*source.one_of(&STRINGS)).into(),
            Self::Time => time(source).into(),
            Self::Bool => source.percent(50).into(),
            Self::Mixed => scalar(source),
        }
    }
}

/// Any scalar.
pub fn scalar(source: &mut Source) -> Value {
    match source.weighted(&[30, 25, 6, 10, 10, 10, 2]) {
        0 => small_number(source),
        1 => (*source.one_of(&STRINGS)).into(),
        2 => extreme(source),
        3 => source.percent(50).into(),
        4 => Value::Null,
        5 => time(source).into(),
        _ => Bytes(vec![source.between(0, 2) as u8; source.below(3)]).into(),
    }
}

/// A number with which arithmetic is exact.
pub fn small_number(source: &mut Source) -> Value {
    match source.weighted(&[65, 20, 10, 5]) {
        0 => source.between(-1, 5).into(),
        1 => (source.between(-2, 10) as f64 / 2.0).into(),
        2 => source.between(-100, 100).into(),
        _ => alike(source),
    }
}

/// One of a few equal numbers with different representations.
pub fn alike(source: &mut Source) -> Value {
    match source.below(5) {
        0 => 0.into(),
        1 => 0.0.into(),
        2 => (-0.0).into(),
        3 => 1.into(),
        _ => 1.0.into(),
    }
}

/// A number at one end of the range. NaN is rare.
fn extreme(source: &mut Source) -> Value {
    match source.weighted(&[60, 38, 2]) {
        0 => (*source.one_of(&EXTREMES)).into(),
        1 if source.percent(20) => (1_u64 << 63).into(),
        1 => (*source.one_of(&INTEGERS)).into(),
        _ => f64::NAN.into(),
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

/// An operand that is not the value of any document.
pub fn stranger(source: &mut Source) -> Value {
    match source.weighted(&[85, 8, 7]) {
        0 => scalar(source),
        1 => list(Theme::Mixed, source),
        _ => value!({ "x": scalar(source) }),
    }
}
