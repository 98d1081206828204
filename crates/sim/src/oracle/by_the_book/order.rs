//! The one order of all values, as `docs/queries.md` describes it. Values are taken apart here, and none
//! is compared by VelocityDB.

use std::cmp::Ordering;

use velocitydb_core::{Foreign, ForeignContent, ForeignKind, Object, Value};

use super::numbers::Number;

/// Compares two values.
pub fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.as_micros().cmp(&b.as_micros()),
        (Value::String(a), Value::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::ObjectId(a), Value::ObjectId(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Array(a), Value::Array(b)) => compare_lists(a, b),
        (Value::Object(a), Value::Object(b)) => compare_objects(a, b),
        (Value::Foreign(a), Value::Foreign(b)) => compare_foreign(a, b),
        (a, b) => match (Number::of(a), Number::of(b)) {
            (Some(a), Some(b)) => a.compare(&b),
            _ => class(a).cmp(&class(b)).then_with(|| binary(a).cmp(&binary(b))),
        },
    }
}

/// Whether two values are equal.
pub fn is_equal(a: &Value, b: &Value) -> bool {
    compare(a, b).is_eq()
}

/// The class of a value, in which the order of values is that of a type.
pub fn class(value: &Value) -> u8 {
    match value {
        Value::Foreign(value) => class_of_foreign(value.kind()),
        Value::Null => 2,
        Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Decimal(_) => 3,
        Value::String(_) => 4,
        Value::Object(_) => 6,
        Value::Array(_) => 7,
        Value::Bytes(_) | Value::Binary(_) => 8,
        Value::ObjectId(_) => 9,
        Value::Bool(_) => 10,
        Value::Time(_) => 11,
    }
}

const fn class_of_foreign(kind: ForeignKind) -> u8 {
    match kind {
        ForeignKind::MinKey => 0,
        ForeignKind::Undefined => 1,
        ForeignKind::Symbol => 5,
        ForeignKind::Timestamp => 12,
        ForeignKind::Regex => 13,
        ForeignKind::DbPointer => 14,
        ForeignKind::JavaScript => 15,
        ForeignKind::JavaScriptWithScope => 16,
        ForeignKind::MaxKey => 17,
    }
}

/// The subtype and the bytes, if it is binary. Bytes are of the subtype 0.
fn binary(value: &Value) -> Option<(u8, &[u8])> {
    match value {
        Value::Bytes(bytes) => Some((0, bytes)),
        Value::Binary(binary) => Some((binary.subtype(), binary.as_bytes())),
        _ => None,
    }
}

fn compare_lists(a: &[Value], b: &[Value]) -> Ordering {
    let pairs = a.iter().zip(b).map(|(a, b)| compare(a, b));
    pairs.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
}

/// Names and values in the order of the names.
fn compare_objects(a: &Object, b: &Object) -> Ordering {
    let sorted = |object: &Object| {
        let mut fields: Vec<(String, Value)> =
            object.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        fields.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
        fields
    };
    let (a, b) = (sorted(a), sorted(b));
    let pairs = a.iter().zip(&b);
    let pairs = pairs.map(|((a_name, a), (b_name, b))| a_name.cmp(b_name).then(compare(a, b)));
    pairs.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
}

/// Values of one type by their parts; the scope of JavaScript only by its first difference.
fn compare_foreign(a: &Foreign, b: &Foreign) -> Ordering {
    let parts = |value: &Foreign| -> Vec<Vec<u8>> {
        match value.as_raw().content() {
            Ok(ForeignContent::Symbol(text) | ForeignContent::JavaScript(text)) => {
                vec![text.as_bytes().to_vec()]
            }
            Ok(ForeignContent::Timestamp { seconds, counter }) => {
                vec![seconds.to_be_bytes().to_vec(), counter.to_be_bytes().to_vec()]
            }
            Ok(ForeignContent::Regex { pattern, options }) => {
                vec![pattern.as_bytes().to_vec(), options.as_bytes().to_vec()]
            }
            Ok(ForeignContent::DbPointer { collection, id }) => {
                vec![collection.as_bytes().to_vec(), id.as_bytes().to_vec()]
            }
            // The length of the code comes first.
            Ok(ForeignContent::JavaScriptWithScope { code, .. }) => {
                vec![(code.len() as u32).to_be_bytes().to_vec(), code.as_bytes().to_vec()]
            }
            _ => Vec::new(),
        }
    };
    class_of_foreign(a.kind())
        .cmp(&class_of_foreign(b.kind()))
        .then_with(|| parts(a).cmp(&parts(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_all_types_have_one_order() {
        let text = r#"[
            {"$minKey": 1}, {"$undefined": true}, null, {"$numberDouble": "NaN"},
            {"$numberDecimal": "-0.1"}, 0, 5e-324, {"$numberDecimal": "1E+2"}, 101.0, "", "1",
            {"$symbol": ""}, {}, {"a": 1, "b": 1}, {"b": 0, "a": 2}, [], [1], [1, 1], [2],
            {"$binary": {"base64": "", "subType": "00"}},
            {"$binary": {"base64": "AQ==", "subType": "00"}},
            {"$binary": {"base64": "AA==", "subType": "05"}},
            {"$oid": "6922d394a1b2c3d4e5f60718"}, false, true, {"$date": 0}, {"$date": 1},
            {"$timestamp": {"t": 1, "i": 2}}, {"$timestamp": {"t": 2, "i": 1}},
            {"$regularExpression": {"pattern": "a", "options": "i"}},
            {"$dbPointer": {"$ref": "c", "$id": {"$oid": "6922d394a1b2c3d4e5f60718"}}},
            {"$code": "x"}, {"$code": "", "$scope": {}}, {"$maxKey": 1}
        ]"#;
        let values = Value::from_json(text).unwrap();
        let values = values.as_array().unwrap();
        for (at, a) in values.iter().enumerate() {
            for (other, b) in values.iter().enumerate() {
                assert_eq!(compare(a, b), at.cmp(&other), "{a} {b}");
            }
        }
    }
}
