//! Objects: merging them, and taking them apart.

use super::builtin::{Builtin, Call};
use super::item::Item;
use crate::aggregate::measure::Measure;
use crate::limits::FIELD_NAME_BYTES_MAX;
use crate::{Kind, Object, Result, Value, value};

pub(super) static BUILTINS: [Builtin; 3] = [
    Builtin::list("$arrayToObject", 1, 1, array_to_object),
    Builtin::list("$mergeObjects", 0, usize::MAX, merge),
    Builtin::list("$objectToArray", 1, 1, object_to_array),
];

fn object(call: &Call<'_>, item: Item<'_>) -> Result<Option<Object>> {
    if item.is_nullish() {
        return Ok(None);
    }
    if item.kind() != Some(Kind::Object) {
        return Err(call.mismatch("objects", &item));
    }
    item.into_value()?.try_into().map(Some)
}

/// An array of objects as the only argument stands for its elements.
fn merge<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let mut merged = Object::new();
    let mut bytes = 0;
    for at in 0..call.len() {
        let item = call.item(at)?;
        let parts = match item.kind() {
            Some(Kind::Array) if call.len() == 1 => match item.into_value()? {
                Value::Array(items) => items,
                other => vec![other],
            },
            _ => vec![item.into_value()?],
        };
        for part in parts {
            let Some(part) = object(call, part.into())? else { continue };
            let measure = Measure::of_object(&part);
            bytes += measure.bytes;
            call.env.admit(call.name(), Measure { bytes, ..measure })?;
            merged.extend(part);
        }
    }
    Ok(Value::Object(merged).into())
}

fn object_to_array<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some(object) = object(call, call.item(0)?)? else { return Ok(Item::null()) };
    let pairs: Value = object.into_iter().map(|(k, v)| value!({ "k": k, "v": v })).collect();
    call.env.admit(call.name(), Measure::of(&pairs))?;
    Ok(pairs.into())
}

fn array_to_object<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some(items) = call.array(0)? else { return Ok(Item::null()) };
    let wrong = || call.fail("takes an array of {\"k\": name, \"v\": value} or of [name, value]");
    let mut fields = Vec::with_capacity(items.len());
    let is_pairs = items.first().is_some_and(|item| matches!(item, Value::Array(_)));
    for item in items {
        if is_pairs != matches!(item, Value::Array(_)) {
            return Err(call.fail(
                "takes an array of {\"k\": name, \"v\": value} or of [name, value], not of both",
            ));
        }
        let (name, value) = match item {
            Value::Array(mut pair) if pair.len() == 2 => (pair.remove(0), pair.remove(0)),
            Value::Object(mut pair) if pair.len() == 2 => {
                pair.remove("k").zip(pair.remove("v")).ok_or_else(wrong)?
            }
            _ => return Err(wrong()),
        };
        let Value::String(name) = name else { return Err(wrong()) };
        if name.starts_with('$') || name.len() > FIELD_NAME_BYTES_MAX {
            return Err(call.fail(
                "takes names of at most 1024 bytes that do not begin with `$`, and found another",
            ));
        }
        fields.push((name, value));
    }
    Ok(Value::Object(fields.into_iter().collect()).into())
}
