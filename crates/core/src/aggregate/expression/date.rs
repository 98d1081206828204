//! Times: their parts in a time zone, and arithmetic with units.

use std::borrow::Cow;

use super::builtin::{Builtin, Call, Run};
use super::calendar::{Local, MICROS_PER_SECOND, UNITS, Unit, WEEK, parse_weekday};
use super::format;
use super::item::Item;
use super::node::Node;
use super::zone::Zone;
use crate::error::shortened;
use crate::{Kind, Result, Time, Value};

const ADD: &[&str] = &["startDate", "unit", "amount", "timezone"];
const DIFF: &[&str] = &["startDate", "endDate", "unit", "timezone", "startOfWeek"];
const FORMAT: &[&str] = &["date", "format", "timezone", "onNull"];
const TRUNC: &[&str] = &["date", "unit", "binSize", "timezone", "startOfWeek"];

pub(super) static BUILTINS: [Builtin; 18] = [
    Builtin::named("$dateAdd", ADD, 3, |call| add(call, 1)),
    Builtin::named("$dateDiff", DIFF, 3, difference),
    Builtin::named("$dateSubtract", ADD, 3, |call| add(call, -1)),
    Builtin::named("$dateToParts", &["date", "timezone", "iso8601"], 1, parts),
    Builtin::named("$dateToString", FORMAT, 1, to_string),
    Builtin::named("$dateTrunc", TRUNC, 2, truncate),
    part("$dayOfMonth", |call| number(call, |local| local.date().2)),
    part("$dayOfWeek", |call| number(call, |local| (local.weekday() + 1) % 7 + 1)),
    part("$dayOfYear", |call| number(call, Local::day_of_year)),
    part("$hour", |call| number(call, |local| clock(local).0)),
    part("$isoDayOfWeek", |call| number(call, |local| local.weekday() + 1)),
    part("$isoWeek", |call| number(call, |local| local.iso_week().1)),
    part("$isoWeekYear", |call| number(call, |local| local.iso_week().0)),
    part("$millisecond", |call| number(call, |local| clock(local).3)),
    part("$minute", |call| number(call, |local| clock(local).1)),
    part("$month", |call| number(call, |local| local.date().1)),
    part("$second", |call| number(call, |local| clock(local).2)),
    part("$year", |call| number(call, |local| local.date().0)),
];

/// An operator that takes a time, or an object of a time and a zone.
const fn part(name: &'static str, run: Run) -> Builtin {
    Builtin::either(name, (1, 1), &["date", "timezone"], 1, run)
}

/// Hour, minute, second and millisecond.
pub(super) fn clock(local: Local) -> (i64, i64, i64, i64) {
    let millis = local.time_of_day() / 1_000;
    (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60, millis % 1_000)
}

/// A time zone; UTC if it is not given, `None` if it is null.
fn zone<'e>(call: &Call<'e>, at: usize) -> Result<Option<Cow<'e, Zone>>> {
    match call.node(at) {
        None => Ok(Some(Cow::Owned(Zone::UTC))),
        Some(Node::Zone(zone)) => Ok(Some(Cow::Borrowed(zone))),
        Some(_) => match call.text(at, "the time zone")? {
            None => Ok(None),
            Some(text) => {
                let zone = Zone::parse(&text).map_err(|problem| call.fail(problem))?;
                Ok(Some(Cow::Owned(zone)))
            }
        },
    }
}

/// A unit; `None` if it is null.
fn unit(call: &Call<'_>, at: usize) -> Result<Option<Unit>> {
    let item = call.item(at)?;
    match item.text()? {
        Some(text) => match Unit::parse(text) {
            Some(unit) => Ok(Some(unit)),
            None => Err(call.fail(format!(
                "knows the units {}, not {:?}",
                UNITS.join(", "),
                shortened(text)
            ))),
        },
        None if item.is_nullish() => Ok(None),
        None => Err(call.mismatch("a string as the unit", &item)),
    }
}

/// The first day of the week, Monday being 0; Sunday if it is not given, `None` if it is null. For
/// other units than the week it is ignored.
fn week_start(call: &Call<'_>, at: usize, unit: Option<Unit>) -> Result<Option<i64>> {
    const SUNDAY: i64 = 6;
    if call.node(at).is_none() || unit.is_some_and(|unit| unit != WEEK) {
        return Ok(Some(SUNDAY));
    }
    let Some(text) = call.text(at, "the first day of the week")? else { return Ok(None) };
    let day = parse_weekday(&text);
    day.map(Some).ok_or_else(|| {
        call.fail(format!("knows no day of the week {:?}; write \"monday\"", shortened(&text)))
    })
}

fn time_at(call: &Call<'_>, micros: Option<i64>) -> Result<Item<'static>> {
    match micros.and_then(|micros| Time::from_micros(micros).ok()) {
        Some(time) => Ok(Value::Time(time).into()),
        None => Err(call.fail("gives a time outside of the years 0001 to 9999")),
    }
}

fn local(call: &Call<'_>, zone_at: usize) -> Result<Option<Local>> {
    let Some(time) = call.time(0)? else { return Ok(None) };
    Ok(zone(call, zone_at)?.map(|zone| zone.local(time)))
}

fn number(call: &Call<'_>, part: fn(Local) -> i64) -> Result<Item<'static>> {
    let local = local(call, 1)?;
    Ok(local.map_or(Item::null(), |local| Value::Int(part(local)).into()))
}

fn parts<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let (local, iso) = (local(call, 1)?, iso(call)?);
    let Some((local, iso)) = local.zip(iso) else { return Ok(Item::null()) };
    let (hour, minute, second, millisecond) = clock(local);
    let days = if iso == Calendar::Iso {
        let (year, week) = local.iso_week();
        [("isoWeekYear", year), ("isoWeek", week), ("isoDayOfWeek", local.weekday() + 1)]
    } else {
        let (year, month, day) = local.date();
        [("year", year), ("month", month), ("day", day)]
    };
    let clock =
        [("hour", hour), ("minute", minute), ("second", second), ("millisecond", millisecond)];
    Ok(Value::Object(days.into_iter().chain(clock).collect()).into())
}

/// The calendar of the parts of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calendar {
    /// Year, month and day.
    Months,
    /// Year, week and day of the week.
    Iso,
}

/// The calendar that `iso8601` selects; `None` if it is null.
fn iso(call: &Call<'_>) -> Result<Option<Calendar>> {
    if call.node(2).is_none() {
        return Ok(Some(Calendar::Months));
    }
    let item = call.item(2)?;
    match item.kind() {
        None | Some(Kind::Null) => Ok(None),
        Some(Kind::Bool) if item.is_true()? => Ok(Some(Calendar::Iso)),
        Some(Kind::Bool) => Ok(Some(Calendar::Months)),
        Some(_) => Err(call.mismatch("a bool as `iso8601`", &item)),
    }
}

fn truncate<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let (time, unit) = (call.time(0)?, unit(call, 1)?);
    let bin = match call.node(2) {
        None => Some(1),
        Some(_) => call.whole(2, "the size of bins")?,
    };
    let (zone, week_start) = (zone(call, 3)?, week_start(call, 4, unit)?);
    let (Some(time), Some(unit), Some(bin), Some(zone), Some(week_start)) =
        (time, unit, bin, zone, week_start)
    else {
        return Ok(Item::null());
    };
    if bin < 1 {
        return Err(call.fail(format!("takes a positive size of bins, and found {bin}")));
    }
    let offset = zone.offset_at(time) * MICROS_PER_SECOND;
    let start = Local(time.as_micros() + offset).truncate(unit, bin, week_start);
    // Within a day the offset of the time itself is used: an hour that comes twice counts as two.
    let micros = start.and_then(|start| match unit {
        Unit::Exact(_) => start.0.checked_sub(offset),
        _ => Some(zone.start_of(start)),
    });
    time_at(call, micros)
}

fn difference<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let (start, end) = (call.item(0)?, call.item(1)?);
    if start.is_nullish() || end.is_nullish() {
        return Ok(Item::null());
    }
    let (start, end, unit) = (call.time_of(&start)?, call.time_of(&end)?, unit(call, 2)?);
    let (zone, week_start) = (zone(call, 3)?, week_start(call, 4, unit)?);
    let (Some(start), Some(end), Some(unit), Some(zone), Some(week_start)) =
        (start, end, unit, zone, week_start)
    else {
        return Ok(Item::null());
    };
    let units = match unit {
        // The offset of the start is used for both, so that the difference is elapsed time.
        Unit::Exact(_) => {
            let offset = zone.offset_at(start) * MICROS_PER_SECOND;
            let local = |time: Time| Local(time.as_micros() + offset);
            local(start).units_until(local(end), unit, week_start)
        }
        _ => zone.local(start).units_until(zone.local(end), unit, week_start),
    };
    Ok(Value::Int(units).into())
}

fn add(call: &Call<'_>, sign: i64) -> Result<Item<'static>> {
    let (time, amount) = (call.item(0)?, call.item(2)?);
    if time.is_nullish() || amount.is_nullish() {
        return Ok(Item::null());
    }
    let (time, unit) = (call.time_of(&time)?, unit(call, 1)?);
    let (amount, zone) = (call.whole_of(&amount, "the amount")?, zone(call, 3)?);
    let (Some(time), Some(unit), Some(amount), Some(zone)) = (time, unit, amount, zone) else {
        return Ok(Item::null());
    };
    let amount = amount.checked_mul(sign);
    let micros = amount.and_then(|amount| match unit {
        Unit::Exact(_) => Local(time.as_micros()).plus(unit, amount).map(|time| time.0),
        _ => zone.local(time).plus(unit, amount).map(|local| zone.time_of(local)),
    });
    time_at(call, micros)
}

fn to_string<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some(time) = call.time(0)? else {
        return if call.node(3).is_some() { call.item(3) } else { Ok(Item::null()) };
    };
    let Some(zone) = zone(call, 2)? else { return Ok(Item::null()) };
    let pattern = match call.node(1) {
        None if zone.is_utc() => Some("%Y-%m-%dT%H:%M:%S.%LZ".to_owned()),
        None => Some("%Y-%m-%dT%H:%M:%S.%L".to_owned()),
        Some(_) => call.text(1, "the format")?,
    };
    let Some(pattern) = pattern else { return Ok(Item::null()) };
    let local = zone.local(time);
    let text = format::format(&pattern, local, zone.offset_at(time));
    let text = text.map_err(|problem| call.fail(problem))?;
    super::evaluate::admit_text(call.name(), text.len())?;
    Ok(Value::String(text).into())
}
