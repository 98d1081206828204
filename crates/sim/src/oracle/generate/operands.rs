//! Random calls whose operands are not valid, or only just valid: null beside a wrong type, texts to be
//! converted to times, pairs of two forms, unknown options, fields of values without fields, and days
//! that do not begin at midnight. [`operands`](crate::oracle::operands) knows their results.

use velocitydb_core::{Time, Value, value};

use super::Source;
use super::edges::number_text;
use super::values::small_number;
use crate::oracle::operands::{OF_TWO, ONE_AFTER_ANOTHER, TIMES};

/// Zones in which clocks were changed at midnight, or skipped it, with a time close to the change.
const LEAPS: [(&str, i64); 7] = [
    // 1919-03-30 from 23:30 to 00:30.
    ("America/Toronto", -1_601_753_400),
    // 2018-11-04 and 2017-10-15 from 00:00 to 01:00.
    ("America/Sao_Paulo", 1_541_300_400),
    ("America/Sao_Paulo", 1_508_036_400),
    // 2011-12-30 was left out.
    ("Pacific/Apia", 1_325_239_200),
    // 2023-03-12 from 00:00 to 01:00, and 2022-11-06 from 01:00 back to midnight.
    ("America/Havana", 1_678_597_200),
    ("America/Havana", 1_667_710_800),
    // 2024-03-31 from 02:00 to 03:00.
    ("Europe/Stockholm", 1_711_846_800),
];

/// A call. Some are refused when they are evaluated.
pub fn operands(source: &mut Source) -> Value {
    match source.weighted(&[30, 20, 15, 10, 10, 3, 3, 3, 15]) {
        0 => null_beside(source),
        1 => {
            let (text, _) = *source.one_of(&TIMES);
            value!({ "$convert": { "input": { "$literal": text }, "to": "date", "onError": "none" } })
        }
        2 => {
            let path = *source.one_of(&["$$NOW.x", "$$REMOVE.x", "$$NOW.x.y", "$$REMOVE"]);
            value!({ "$ifNull": [path, "none"] })
        }
        3 => (*source.one_of(&["$$NOW.x", "$$REMOVE.x"])).into(),
        4 => pairs(source),
        5 => {
            let options = *source.one_of(&["q", "ig", " "]);
            let regex = if source.percent(70) { Value::Null } else { "a".into() };
            value!({ "$regexMatch": { "input": "$s", "regex": regex, "options": options } })
        }
        6 => {
            let operator = *source.one_of(&["$add", "$subtract"]);
            value!({ (operator): ["$t", { "$literal": f64::NAN }] })
        }
        7 if source.percent(50) => {
            let (text, _) = *source.one_of(&TIMES);
            value!({ "$toDate": { "$literal": text } })
        }
        7 => value!({ "$toDouble": { "$literal": number_text(source) } }),
        _ => day(source),
    }
}

/// Null among numbers and texts. Mostly the operands before it are valid.
fn null_beside(source: &mut Source) -> Value {
    let is_of_two = source.percent(50);
    let operator = *source.one_of(if is_of_two { &OF_TWO[..] } else { &ONE_AFTER_ANOTHER[..] });
    let wrong = |source: &mut Source| match operator {
        "$concat" => small_number(source),
        _ => value!({ "$literal": *source.one_of(&["s", "", "5"]) }),
    };
    let mut operands = vec![Value::Null, wrong(source)];
    if !is_of_two {
        let fitting = if operator == "$concat" { value!({ "$literal": "s" }) } else { 2.into() };
        operands.insert(source.below(3), fitting);
    }
    if source.percent(if is_of_two { 50 } else { 10 }) {
        operands.reverse();
    }
    if source.percent(5) {
        operands.retain(|operand| !operand.is_null());
        operands.resize(2, wrong(source));
    }
    value!({ (operator): operands })
}

/// Pairs, mostly of one form.
fn pairs(source: &mut Source) -> Value {
    let (count, form) = (source.below(4), source.percent(50));
    let pair = |source: &mut Source| {
        let (name, value) = (*source.one_of(&["u", "v", "w"]), small_number(source));
        match form != source.percent(5) {
            true => value!([name, value]),
            false => value!({ "k": name, "v": value }),
        }
    };
    let pairs: Value = (0..count).map(|_| pair(source)).collect();
    value!({ "$arrayToObject": { "$literal": pairs } })
}

/// Whether what a time is truncated to is the first moment of its day.
fn day(source: &mut Source) -> Value {
    let (zone, leap) = *source.one_of(&LEAPS);
    let millis = leap * 1_000 + source.between(-100, 100) * 900_000 + source.between(-1, 1);
    let time = Time::from_millis(millis).expect("it is within two centuries of 1970");
    let time = value!({ "$literal": time });
    let begin = value!({ "$dateTrunc": { "date": time.clone(), "unit": "day", "timezone": zone } });
    let day_of = |date: Value| value!({ "$dateToString": { "date": date, "format": "%Y-%m-%d", "timezone": zone } });
    let before = value!({ "$add": [begin.clone(), -1] });
    value!({ "$and": [
        { "$lte": [begin.clone(), time.clone()] },
        { "$eq": [day_of(begin), day_of(time.clone())] },
        { "$ne": [day_of(before), day_of(time)] },
    ] })
}
