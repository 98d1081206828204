//! Random expressions over the records, with operands of the right types: mingo and MongoDB agree
//! on few of the errors.

use velocitydb_core::{Value, object, value};

use super::Source;
use super::edges::edge;
use crate::oracle::differently::CLOCK;

const UNITS: [&str; 8] = ["year", "quarter", "month", "week", "day", "hour", "minute", "second"];
/// Zones that both sides support, with and without summer time, east and west.
const ZONES: [&str; 6] =
    ["Europe/Stockholm", "America/New_York", "Asia/Kolkata", "Asia/Tokyo", "+05:30", "-03:00"];
const PARTS: [&str; 9] = [
    "$year",
    "$month",
    "$dayOfMonth",
    "$hour",
    "$minute",
    "$second",
    "$millisecond",
    "$dayOfWeek",
    "$dayOfYear",
];
const FORMATS: [&str; 5] =
    ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S.%LZ", "%d.%m.%Y %H:%M", "%j of %Y", "%H h"];

/// A number, or null.
pub fn number(depth: usize, source: &mut Source) -> Value {
    if depth == 0 {
        return match source.below(7) {
            6 => "$d".into(),
            0 if source.percent(20) => value!({ "$size": { "$ifNull": ["$l", []] } }),
            0 => "$n".into(),
            1 => "$f".into(),
            2 => "$p".into(),
            3 => "$o.x".into(),
            4 => "$g".into(),
            _ => source.between(-3, 7).into(),
        };
    }
    let a = number(depth - 1, source);
    match source.weighted(&[15, 12, 12, 8, 6, 6, 8, 8, 6, 6, 6, 7]) {
        0 => value!({ "$add": [a, number(depth - 1, source)] }),
        1 => value!({ "$subtract": [a, number(depth - 1, source)] }),
        2 => value!({ "$multiply": [a, number(depth - 1, source)] }),
        3 => value!({ "$divide": [a, *source.one_of(&[2, 4, -5])] }),
        4 => value!({ "$mod": [{ "$ifNull": [a, 0] }, *source.one_of(&[2, 3, -7])] }),
        5 => value!({ "$abs": a }),
        6 => value!({ (*source.one_of(&["$floor", "$ceil"])): { "$divide": [a, 4] } }),
        7 => value!({ "$ifNull": [a, source.between(-1, 1)] }),
        8 => value!({ "$cond": [condition(depth - 1, source), a, number(depth - 1, source)] }),
        9 => value!({ "$size": list(depth - 1, source) }),
        10 => part_of_time(source),
        _ => value!({ "$strLenCP": { "$ifNull": [text(depth - 1, source), ""] } }),
    }
}

/// A string, or null.
pub fn text(depth: usize, source: &mut Source) -> Value {
    if depth == 0 {
        return match source.below(5) {
            0 => "$s".into(),
            1 => "$h".into(),
            2 => "$o.y".into(),
            3 => "$name".into(),
            _ => "é!".into(),
        };
    }
    let a = text(depth - 1, source);
    match source.weighted(&[25, 15, 15, 15, 15, 15]) {
        0 => value!({ "$concat": [a, "-", text(depth - 1, source)] }),
        1 => value!({ "$toUpper": { "$ifNull": [a, "none"] } }),
        2 => value!({ "$toLower": { "$ifNull": [a, "None"] } }),
        3 => value!({ "$ifNull": [a, "none"] }),
        4 => value!({ "$cond": {
            "if": condition(depth - 1, source), "then": a, "else": text(depth - 1, source),
        } }),
        _ => time_as_text(source),
    }
}

/// A list.
fn list(depth: usize, source: &mut Source) -> Value {
    match source.below(if depth == 0 { 2 } else { 5 }) {
        0 => "$l".into(),
        1 => "$w".into(),
        2 => value!({ "$concatArrays": ["$l", "$w"] }),
        3 => value!({ "$filter": {
            "input": "$l", "as": "it", "cond": { "$gte": ["$$it", source.between(2, 6)] },
        } }),
        _ => value!({ "$map": {
            "input": "$l", "as": "it", "in": { "$add": ["$$it", source.between(1, 3)] },
        } }),
    }
}

/// True or false.
pub fn condition(depth: usize, source: &mut Source) -> Value {
    let comparison = *source.one_of(&["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]);
    match source.weighted(&[45, 20, 8, if depth == 0 { 0 } else { 20 }, 7]) {
        0 => {
            let a = value!({ "$ifNull": [number(depth.min(1), source), 0] });
            value!({ (comparison): [a, source.between(-3, 12)] })
        }
        1 => {
            let a = value!({ "$ifNull": [text(depth.min(1), source), ""] });
            value!({ (comparison): [a, *source.one_of(&["", "a", "u", "v", "é"])] })
        }
        2 => value!({ "$in": [source.between(0, 9), "$l"] }),
        3 => {
            let (a, b) = (condition(depth - 1, source), condition(depth - 1, source));
            match source.below(3) {
                0 => value!({ "$and": [a, b] }),
                1 => value!({ "$or": [a, b] }),
                _ => value!({ "$not": [a] }),
            }
        }
        _ => value!({ "$isArray": *source.one_of(&["$l", "$n", "$w", "$o"]) }),
    }
}

/// A time.
pub fn moment(source: &mut Source) -> Value {
    match source.weighted(&[25, 45, 15, 15]) {
        0 => "$t".into(),
        1 => truncated(source),
        2 => value!({ "$add": ["$t", source.between(-5, 5) * 3_600_000] }),
        _ => value!({ "$dateAdd": {
            "startDate": "$t",
            "unit": *source.one_of(&["week", "day", "hour", "minute", "second"]),
            "amount": source.between(-5, 40),
        } }),
    }
}

/// A time that is truncated in UTC; see [`truncated_in_zone`].
fn truncated(source: &mut Source) -> Value {
    let mut truncated = object! { "date": "$t", "unit": *source.one_of(&UNITS) };
    if source.percent(15) {
        truncated.insert("binSize", source.between(2, 6));
    }
    if truncated["unit"] == "week".into() && source.percent(60) {
        truncated.insert("startOfWeek", *source.one_of(&["monday", "sunday", "wed"]));
    }
    value!({ "$dateTrunc": truncated })
}

/// A time that is truncated in a zone, as the text of the local time. Mingo truncates in UTC, so
/// the call is rewritten for it; see [`differently`](crate::oracle::differently).
fn truncated_in_zone(source: &mut Source) -> Value {
    let zone = *source.one_of(&ZONES);
    let unit = *source.one_of(&["year", "month", "day", "hour", "minute"]);
    value!({ "$dateToString": {
        "date": { "$dateTrunc": { "date": "$t", "unit": unit, "timezone": zone } },
        "format": CLOCK,
        "timezone": zone,
    } })
}

/// A part of a time, in half of the cases in a zone.
fn part_of_time(source: &mut Source) -> Value {
    let part = *source.one_of(&PARTS);
    if source.percent(50) {
        value!({ (part): "$t" })
    } else {
        value!({ (part): { "date": "$t", "timezone": *source.one_of(&ZONES) } })
    }
}

fn time_as_text(source: &mut Source) -> Value {
    if source.percent(40) {
        return truncated_in_zone(source);
    }
    let mut operand = object! { "date": "$t", "format": *source.one_of(&FORMATS) };
    if source.percent(60) {
        operand.insert("timezone", *source.one_of(&ZONES));
    }
    value!({ "$dateToString": operand })
}

/// Any expression.
pub fn any(depth: usize, source: &mut Source) -> Value {
    match source.weighted(&[40, 20, 15, 15, 25, 10]) {
        0 => number(depth, source),
        1 => text(depth, source),
        2 => condition(depth, source),
        3 => moment(source),
        4 => edge(source),
        _ => list(depth, source),
    }
}
