//! The size of values: in memory, for the bounds of a query, and encoded, for the bounds of a
//! document.

use crate::field_order::FieldOrder;
use crate::format::tag;
use crate::limits::{DEPTH_MAX, DOCUMENT_BYTES_MAX, FIELD_NAME_BYTES_MAX};
use crate::{Error, Object, Result, Value};

/// The size of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Measure {
    /// About how many bytes of memory it takes.
    pub(super) bytes: usize,
    /// How many arrays and objects there are around its deepest part; 0 for a scalar.
    pub(super) depth: usize,
}

impl Measure {
    pub(super) fn of(value: &Value) -> Self {
        let own = size_of::<Value>();
        match value {
            Value::String(text) => Self { bytes: own + text.len(), depth: 0 },
            Value::Bytes(bytes) => Self { bytes: own + bytes.len(), depth: 0 },
            Value::Array(items) => {
                let inner =
                    items.iter().fold(Self::default(), |sum, item| sum.with(Self::of(item)));
                Self { bytes: own + inner.bytes, depth: inner.depth + 1 }
            }
            Value::Object(object) => Self::of_object(object),
            _ => Self { bytes: own, depth: 0 },
        }
    }

    pub(super) fn of_object(object: &Object) -> Self {
        let inner = object.iter().fold(Self::default(), |sum, (name, value)| {
            let name = Self { bytes: size_of::<String>() + name.len(), depth: 0 };
            sum.with(name).with(Self::of(value))
        });
        Self { bytes: size_of::<Value>() + inner.bytes, depth: inner.depth + 1 }
    }

    /// The measure of both as siblings.
    pub(super) fn with(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), depth: self.depth.max(other.depth) }
    }

    /// The measure of an array or object around the measured value.
    pub(super) fn wrapped(self) -> Self {
        Self { bytes: self.bytes + size_of::<Value>(), depth: self.depth + 1 }
    }
}

/// Checks that an object is within the limits of a document, as results have to be.
pub(super) fn check_result(object: &Object) -> Result<()> {
    let found = encoded_object(object, 1)?;
    if found > DOCUMENT_BYTES_MAX {
        return Err(Error::LimitExceeded {
            what: "size of a result in bytes".into(),
            path: String::new(),
            found,
            max: DOCUMENT_BYTES_MAX,
        });
    }
    Ok(())
}

fn encoded_object(object: &Object, depth: usize) -> Result<usize> {
    let mut body = 0;
    for (name, value) in object {
        check_name(name)?;
        body += if name.len() < 0x80 { 1 } else { 2 } + name.len() + encoded(value, depth)?;
    }
    let order = if object.is_sorted_by_name() { 0 } else { FieldOrder::length(object.len()) };
    Ok(container(object.len(), body, depth)? + order)
}

fn check_name(name: &str) -> Result<()> {
    if name.starts_with('$') {
        return Err(Error::ReservedFieldName { path: name.to_owned() });
    }
    if name.len() > FIELD_NAME_BYTES_MAX {
        return Err(Error::LimitExceeded {
            what: "length of a field name in bytes".into(),
            path: String::new(),
            found: name.len(),
            max: FIELD_NAME_BYTES_MAX,
        });
    }
    Ok(())
}

fn encoded(value: &Value, depth: usize) -> Result<usize> {
    Ok(match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Int(value) => 1 + tag::int_bytes(*value),
        Value::UInt(_) | Value::Float(_) | Value::Time(_) => 9,
        Value::String(text) => 1 + text.len(),
        Value::Bytes(bytes) => 1 + bytes.len(),
        Value::ObjectId(_) => 13,
        Value::Decimal(value) => 3 + (16 - value.coefficient().leading_zeros() as usize / 8),
        Value::Binary(binary) => 1 + usize::from(binary.subtype() != 0) + binary.as_bytes().len(),
        Value::Foreign(foreign) => 2 + foreign.as_raw().payload().len(),
        Value::Array(items) => {
            let mut body = 0;
            for item in items {
                body += encoded(item, depth + 1)?;
            }
            container(items.len(), body, depth + 1)?
        }
        Value::Object(object) => encoded_object(object, depth + 1)?,
    })
}

fn container(entries: usize, body: usize, depth: usize) -> Result<usize> {
    if depth > DEPTH_MAX {
        return Err(Error::LimitExceeded {
            what: "nesting depth of a result".into(),
            path: String::new(),
            found: depth,
            max: DEPTH_MAX,
        });
    }
    Ok(1 + ((1 + entries) << tag::width(body)) + body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Binary, Decimal, Encoded, Foreign, ObjectId, Uuid, object, value};

    #[test]
    fn the_encoded_size_is_the_encoders() {
        let long = "x".repeat(300);
        for object in [
            object! {},
            object! { "a": 1, "b": [1, -200, 1.5, null, true], "c": { "d": (long.clone()) } },
            object! { (long.as_str()): 1, "x": [(u64::MAX), (crate::Time::MAX)] },
            object! { "a": (vec![1; 70_000]) },
            object! { "a": (Decimal::ONE), "b": (Decimal::NAN), "c": (ObjectId::default()) },
            object! { "a": (Uuid::default()), "b": (Binary::new(0, [1])), "c": (Foreign::min_key()) },
            object! { "a": (Value::Binary(Binary::new(0, [1]))), "b": (Foreign::symbol("a")) },
            object! { "c": 1, "a": { "y": 1, "x": [{ "b": 1, "a": 2 }] }, "b": 3 },
            (0..300).rev().map(|n| (n.to_string(), n)).collect(),
        ] {
            let encoded = Encoded::from_object(&object).unwrap();
            assert_eq!(encoded_object(&object, 1), Ok(encoded.as_bytes().len()));
        }
    }

    #[test]
    fn results_keep_the_limits_of_documents() {
        let error = |object: Object| check_result(&object).unwrap_err().to_string();
        assert!(error(object! { "$a": 1 }).contains("begins with `$`"));
        assert!(error(object! { "a": ("x".repeat(17 << 20)) }).contains("size of a result"));
        let mut deep = value!(1);
        for _ in 0..100 {
            deep = value!([deep]);
        }
        assert_eq!(Measure::of(&deep).depth, 100);
        assert!(error(object! { "a": deep }).contains("nesting depth of a result is 101"));
    }
}
