//! Bytes that the encoder did not write: found by validation, and never more than an error to the
//! accessors.

use proptest::prelude::*;
use velocitydb_core::{
    Decimal, Encoded, Error, Foreign, ObjectId, Path, RawObject, RawValue, Result, Uuid, Value,
    object,
};

use crate::random::{check, object};

/// Reads everything that can be read, every way there is.
fn walk(value: RawValue<'_>, depth: usize) -> Result<()> {
    if depth > 110 {
        return Ok(());
    }
    let _ = (value.kind(), value.as_bool(), value.as_i64(), value.as_u64(), value.as_f64());
    let _ = (value.as_str(), value.as_bytes(), value.as_time(), value.to_value());
    let _ = (value.as_object_id(), value.as_decimal(), value.as_binary(), value.as_foreign());
    let _ = (value.compare(value), value.to_json(), value.deserialize::<Value>());
    if let Ok(Some(array)) = value.as_array() {
        let _ = array.get(array.len());
        for (index, item) in array.iter().enumerate() {
            let _ = array.get(index).map(drop);
            let _ = item.and_then(|item| walk(item, depth + 1));
        }
    }
    if let Ok(Some(object)) = value.as_object() {
        let _ = object.get("a")?.map(RawValue::kind);
        let _ = object.get_path(&"a.0.b".parse::<Path>()?);
        for field in object.iter() {
            let _ = field.and_then(|(name, value)| {
                let _ = object.get(name);
                walk(value, depth + 1)
            });
        }
    }
    Ok(())
}

fn sample() -> Encoded {
    let time = velocitydb_core::Time::UNIX_EPOCH;
    Encoded::from_object(&object! {
        "name": "Alice", "age": 28, "big": u64::MAX, "ratio": 0.5, "seen": time,
        "raw": velocitydb_core::Bytes(vec![1, 2, 3]), "none": null, "yes": true,
        "o": (ObjectId::from([7; 12])), "d": ("1.50".parse::<Decimal>().unwrap()),
        "u": (Uuid::default()), "c": (Foreign::regex("a", "i").unwrap()),
        "j": (Foreign::javascript_with_scope("x", &object! { "x": 1 }).unwrap()),
        "p": (Foreign::db_pointer("c", ObjectId::default()).unwrap()),
        "a": [{ "b": [1, -300, 70_000] }, "x"], "long": "y".repeat(300),
    })
    .unwrap()
}

#[test]
fn every_truncation_is_corrupt() {
    let encoded = sample();
    let bytes = encoded.as_bytes();
    for length in 0..bytes.len() {
        let error = RawObject::validate(&bytes[..length]).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{length}: {error}");
        if let Ok(view) = RawValue::new(&bytes[..length]) {
            let _ = walk(view, 0);
        }
    }
}

#[test]
fn every_changed_byte_is_corrupt_or_another_canonical_document() {
    let encoded = sample();
    let mut bytes = encoded.as_bytes().to_vec();
    for at in 0..bytes.len() {
        let before = bytes[at];
        for changed in 0..=255 {
            bytes[at] = changed;
            check_damaged(&bytes);
        }
        bytes[at] = before;
    }
}

#[test]
fn random_damage_is_corrupt_or_another_canonical_document() {
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    check((object(), damage), |(object, damage)| {
        let mut bytes = Encoded::from_object(&object).unwrap().into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check_damaged(&bytes);
        Ok(())
    });
}

#[test]
fn random_bytes_are_never_more_than_an_error() {
    let bytes = proptest::collection::vec(prop_oneof![0_u8..24, any::<u8>()], 0..80);
    check(bytes, |bytes| {
        check_damaged(&bytes);
        Ok(())
    });
}

/// Nesting without end must not exhaust the stack, even of accessors that skip validation.
#[test]
fn deep_nesting_is_corrupt() {
    let mut bytes = vec![0];
    for _ in 0..10_000 {
        let length = u32::try_from(bytes.len()).unwrap();
        let header = [&[0x0b][..], &1_u32.to_le_bytes(), &length.to_le_bytes()].concat();
        bytes.splice(0..0, header);
    }
    assert!(RawValue::validate(&bytes).is_err());
    let value = RawValue::new(&bytes).unwrap();
    assert!(value.to_value().is_err() && value.compare(value).is_err());
    assert!(value.to_json().is_err() && value.deserialize::<serde_json::Value>().is_err());
}

fn check_damaged(bytes: &[u8]) {
    if let Ok(value) = RawValue::new(bytes) {
        let _ = walk(value, 0);
    }
    if let Ok(view) = RawObject::validate(bytes) {
        let again = Encoded::from_object(&view.to_object().unwrap()).unwrap();
        assert_eq!(again.as_bytes(), bytes, "valid, but not what the encoder writes");
    }
}
