//! Comparisons, truth, and choosing between values.

use std::cmp::Ordering;

use super::builtin::{Builtin, Call};
use super::item::Item;
use crate::{Result, Value};

pub(super) static BUILTINS: [Builtin; 12] = [
    Builtin::list("$and", 0, usize::MAX, and),
    Builtin::list("$cmp", 2, 2, |call| Ok(Value::Int(compare(call)? as i64).into())),
    Builtin::either("$cond", (3, 3), &["if", "then", "else"], 3, cond),
    Builtin::list("$eq", 2, 2, |call| Ok(Item::bool(compare(call)?.is_eq()))),
    Builtin::list("$gt", 2, 2, |call| Ok(Item::bool(compare(call)?.is_gt()))),
    Builtin::list("$gte", 2, 2, |call| Ok(Item::bool(compare(call)?.is_ge()))),
    Builtin::list("$ifNull", 2, usize::MAX, if_null),
    Builtin::list("$lt", 2, 2, |call| Ok(Item::bool(compare(call)?.is_lt()))),
    Builtin::list("$lte", 2, 2, |call| Ok(Item::bool(compare(call)?.is_le()))),
    Builtin::list("$ne", 2, 2, |call| Ok(Item::bool(compare(call)?.is_ne()))),
    Builtin::list("$not", 1, 1, |call| Ok(Item::bool(!call.item(0)?.is_true()?))),
    Builtin::list("$or", 0, usize::MAX, or),
];

fn compare(call: &Call<'_>) -> Result<Ordering> {
    call.item(0)?.compare(&call.item(1)?)
}

fn and<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    for at in 0..call.len() {
        if !call.item(at)?.is_true()? {
            return Ok(Item::bool(false));
        }
    }
    Ok(Item::bool(true))
}

fn or<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    for at in 0..call.len() {
        if call.item(at)?.is_true()? {
            return Ok(Item::bool(true));
        }
    }
    Ok(Item::bool(false))
}

fn cond<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    if call.item(0)?.is_true()? { call.item(1) } else { call.item(2) }
}

/// The first argument that is neither null nor missing, or the last.
fn if_null<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let last = call.len() - 1;
    for at in 0..last {
        let item = call.item(at)?;
        if !item.is_nullish() {
            return Ok(item);
        }
    }
    call.item(last)
}
