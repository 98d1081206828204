//! Arrays. `$map`, `$filter` and `$reduce`, which define variables, are evaluated elsewhere.

use std::collections::BTreeSet;

use super::builtin::{Builtin, Call};
use super::item::{Item, Number};
use crate::aggregate::measure::Measure;
use crate::{Kind, Result, Value};

pub(super) static BUILTINS: [Builtin; 13] = [
    Builtin::list("$arrayElemAt", 2, 2, element),
    Builtin::list("$concatArrays", 0, usize::MAX, concat),
    Builtin::list("$first", 1, 1, |call| end(call, 0)),
    Builtin::list("$in", 2, 2, contains),
    Builtin::list("$isArray", 1, 1, |call| {
        Ok(Item::bool(call.item(0)?.kind() == Some(Kind::Array)))
    }),
    Builtin::list("$last", 1, 1, |call| end(call, -1)),
    Builtin::list("$range", 2, 3, range),
    Builtin::list("$reverseArray", 1, 1, reverse),
    Builtin::list("$setDifference", 2, 2, difference),
    Builtin::list("$setIntersection", 0, usize::MAX, intersection),
    Builtin::list("$setUnion", 0, usize::MAX, union),
    Builtin::list("$size", 1, 1, size),
    Builtin::list("$slice", 2, 3, slice),
];

fn size<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let item = call.item(0)?;
    let size = match &item {
        Item::Raw(raw) => raw.as_array()?.map(|array| array.len()),
        Item::Ref(value) => value.as_array().map(Vec::len),
        Item::Owned(value) => value.as_array().map(Vec::len),
        Item::Missing => None,
    };
    size.map(|size| Value::from(size).into()).ok_or_else(|| call.mismatch("an array", &item))
}

/// The element at a position, from the end if that is negative; missing beyond either end.
fn at(item: Item<'_>, position: i64) -> Result<Item<'_>> {
    let index = |length: usize| {
        let from_end = if position < 0 { length as i64 } else { 0 };
        position.checked_add(from_end).and_then(|index| usize::try_from(index).ok())
    };
    Ok(match item {
        Item::Raw(raw) => {
            let Some(array) = raw.as_array()? else { return Ok(Item::Missing) };
            let found = index(array.len()).map(|index| array.get(index)).transpose()?.flatten();
            found.map_or(Item::Missing, Item::Raw)
        }
        Item::Ref(Value::Array(items)) => {
            index(items.len()).and_then(|index| items.get(index)).map_or(Item::Missing, Item::Ref)
        }
        Item::Owned(Value::Array(mut items)) => match index(items.len()) {
            Some(index) if index < items.len() => items.swap_remove(index).into(),
            _ => Item::Missing,
        },
        _ => Item::Missing,
    })
}

fn element<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let item = call.item(0)?;
    if item.is_nullish() {
        return Ok(Item::null());
    }
    if item.kind() != Some(Kind::Array) {
        return Err(call.mismatch("an array", &item));
    }
    match call.whole(1, "the position")? {
        None => Ok(Item::null()),
        Some(position) => at(item, position),
    }
}

fn end<'e>(call: &Call<'e>, position: i64) -> Result<Item<'e>> {
    let item = call.item(0)?;
    match item.kind() {
        None | Some(Kind::Null) => Ok(Item::null()),
        Some(Kind::Array) => at(item, position),
        Some(_) => Err(call.mismatch("an array", &item)),
    }
}

fn contains<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let wanted = call.item(0)?;
    let item = call.item(1)?;
    let value = item.as_value()?;
    let Some(items) = value.as_deref().and_then(Value::as_array) else {
        return Err(call.mismatch("an array as its second argument", &item));
    };
    for item in items {
        if wanted.compare_value(item)?.is_eq() {
            return Ok(Item::bool(true));
        }
    }
    Ok(Item::bool(false))
}

fn concat<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let mut all = Vec::new();
    let mut measure = Measure::default();
    for at in 0..call.len() {
        // Arguments after a null do not matter, whatever their types are.
        let Some(items) = call.array(at)? else { return Ok(Item::null()) };
        measure = items.iter().fold(measure, |sum, item| sum.with(Measure::of(item)));
        call.env.admit(call.name(), measure.wrapped())?;
        all.extend(items);
    }
    Ok(Value::Array(all).into())
}

fn reverse<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some(mut items) = call.array(0)? else { return Ok(Item::null()) };
    items.reverse();
    Ok(Value::Array(items).into())
}

/// Integers from the first up to, and without, the second, by steps of the third.
fn range<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let integer = |at, what: &str| {
        call.whole(at, what)?.ok_or_else(|| call.fail(format!("takes an integer as {what}")))
    };
    let (start, end) = (integer(0, "its start")?, integer(1, "its end")?);
    let step = if call.len() > 2 { integer(2, "its step")? } else { 1 };
    if step == 0 {
        return Err(call.fail("takes a step other than 0"));
    }
    let distance = (i128::from(end) - i128::from(start)) * i128::from(step.signum());
    let by = i128::from(step.unsigned_abs());
    let count = usize::try_from((distance.max(0) + by - 1) / by).unwrap_or(usize::MAX);
    let bytes = count.saturating_mul(size_of::<Value>());
    call.env.admit(call.name(), Measure { bytes, depth: 1 })?;
    let values = (0..count as i64).map(|at| start.wrapping_add(at.wrapping_mul(step)));
    Ok(values.collect::<Value>().into())
}

/// `[array, n]`: the first n, or the last -n. `[array, position, n]`: n from a position.
fn slice<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let (items, first) = (call.item(0)?, call.item(1)?);
    if items.is_nullish() || first.is_nullish() {
        return Ok(Item::null());
    }
    let items = call.array_of(items)?.unwrap_or_default();
    let first = call.whole_of(&first, "the number or position")?.unwrap_or_default();
    let length = items.len() as i64;
    let from_end = |position: i64| length.saturating_add(position).max(0);
    let (start, count) = if call.len() > 2 {
        let Some(count) = call.whole(2, "the number")? else { return Ok(Item::null()) };
        if count <= 0 {
            return Err(
                call.fail(format!("takes a positive number of elements, and found {count}"))
            );
        }
        (if first < 0 { from_end(first) } else { first }, count)
    } else if first < 0 {
        (from_end(first), length)
    } else {
        (0, first)
    };
    let (start, count) = (start.max(0) as usize, count as usize);
    Ok(items.into_iter().skip(start).take(count).collect::<Value>().into())
}

fn set(items: Vec<Value>) -> BTreeSet<Value> {
    items.into_iter().collect()
}

fn sorted(set: BTreeSet<Value>) -> Item<'static> {
    set.into_iter().collect::<Value>().into()
}

fn union<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let mut all = BTreeSet::new();
    let mut measure = Measure::default();
    for at in 0..call.len() {
        let Some(items) = call.array(at)? else { return Ok(Item::null()) };
        measure = items.iter().fold(measure, |sum, item| sum.with(Measure::of(item)));
        call.env.admit(call.name(), measure.wrapped())?;
        for item in items {
            call.env.step()?;
            if !all.contains(&item) {
                all.insert(item);
            }
        }
    }
    Ok(sorted(all))
}

fn intersection<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let mut common: Option<BTreeSet<Value>> = None;
    for at in 0..call.len() {
        let Some(items) = call.array(at)? else { return Ok(Item::null()) };
        let items = set(items);
        common = Some(match common {
            None => items,
            Some(mut common) => {
                common.retain(|item| items.contains(item));
                common
            }
        });
    }
    Ok(sorted(common.unwrap_or_default()))
}

/// The distinct elements of the first array that the second does not have, in their order.
fn difference<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let (items, without) = (call.item(0)?, call.item(1)?);
    if items.is_nullish() || without.is_nullish() {
        return Ok(Item::null());
    }
    let (items, without) = (call.array_of(items)?, call.array_of(without)?);
    let (items, without) = (items.unwrap_or_default(), without.unwrap_or_default());
    let mut seen = set(without);
    let mut left = Vec::new();
    for item in items {
        if seen.insert(item.clone()) {
            left.push(item);
        }
    }
    Ok(Value::Array(left).into())
}

/// The numbers among the elements of an array, for the summaries of it.
pub(super) fn numbers(items: &[Value]) -> impl Iterator<Item = Number> {
    items.iter().filter_map(Number::of)
}
