//! Random calls with operands at the edges: numbers whose texts have exponents, texts whose numbers
//! no float can hold, positions at the end of a string, options that are null.

use velocitydb_core::{Value, value};

use super::Source;
use super::conversions::conversion;
use super::operands::operands;
use crate::oracle::constants::SPACED;

const TEXTS: [&str; 8] = ["", "a", "ab", "abab", "éab", "a b", "#", "aab"];

/// A call; for some only [`constants`](crate::oracle::constants) knows the result.
pub fn edge(source: &mut Source) -> Value {
    let text = |source: &mut Source| value!({ "$literal": *source.one_of(&TEXTS) });
    if source.percent(30) {
        return conversion(source);
    } else if source.percent(60) {
        return operands(source);
    }
    match source.weighted(&[20, 20, 20, 10, 10, 5, 5, 5, 5]) {
        0 => value!({ "$toString": { "$literal": float(source) } }),
        1 => value!({ "$convert": {
            "input": { "$literal": number_text(source) }, "to": "double", "onError": "none",
        } }),
        2 => {
            let (start, end) = (source.below(5), source.below(6));
            value!({ "$indexOfCP": [text(source), text(source), start, end] })
        }
        3 => {
            let (pattern, _) = *source.one_of(&SPACED);
            value!({ "$regexMatch": { "input": text(source), "regex": pattern, "options": "x" } })
        }
        4 => value!({ "$pow": [-1, exponent(source)] }),
        5 => value!({ "$dateToParts": { "date": "$t", "iso8601": Value::Null } }),
        6 => {
            let unit = *source.one_of(&["day", "month", "hour"]);
            value!({ "$dateTrunc": { "date": "$t", "unit": unit, "startOfWeek": Value::Null } })
        }
        7 => {
            let zone = *source.one_of(&["Europe/Stockholm", "Asia/Kolkata", "-03:00", "+05:30"]);
            value!({ "$dateToString": { "date": "$t", "format": "%z|%Z", "timezone": zone } })
        }
        _ => {
            let to = if source.percent(50) { Value::Null } else { "int".into() };
            value!({ "$convert": { "input": Value::Null, "to": to, "onNull": "none" } })
        }
    }
}

/// A float of any size, with few digits or with many.
fn float(source: &mut Source) -> f64 {
    let mantissa = match source.below(3) {
        0 => source.between(1, 9),
        1 => source.between(-999, 999),
        _ => source.between(1, 1 << 52),
    };
    let exponent = if source.percent(70) {
        source.between(-24, 24)
    } else {
        *source.one_of(&[-330, -324, -308, 300, 308])
    };
    format!("{mantissa}e{exponent}").parse().unwrap_or_default()
}

pub(super) fn number_text(source: &mut Source) -> String {
    let mantissa = source.between(-20, 200);
    let exponent = match source.below(4) {
        0 => source.between(-30, 30),
        1 => source.between(300, 320),
        2 => source.between(-340, -310),
        _ => *source.one_of(&[400, -400, 0, 10_000]),
    };
    format!("{mantissa}e{exponent}")
}

fn exponent(source: &mut Source) -> i64 {
    match source.below(3) {
        0 => source.between(-5, 5),
        1 => (1 << 53) + source.between(-3, 3),
        _ => i64::MAX - source.between(0, 3),
    }
}
