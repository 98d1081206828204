//! Arbitrary bytes as an encoded document: no accessor panics, and what validation accepts is
//! exactly what the encoder writes. The same bytes as a recipe for a document: it comes back.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use velocitydb_core::{Encoded, Object, Path, RawObject, RawValue, Value};

fuzz_target!(|data: &[u8]| {
    damaged(data);
    if let Ok(object) = velocitydb_fuzz::object(&mut Unstructured::new(data)) {
        round_trip(&object);
    }
});

fn damaged(data: &[u8]) {
    if let Ok(value) = RawValue::new(data) {
        walk(value, 0);
    }
    if let Ok(valid) = RawObject::validate(data) {
        let object = valid.to_object().expect("valid bytes can be decoded");
        let again = Encoded::from_object(&object).expect("what was decoded can be encoded");
        assert_eq!(again.as_bytes(), data);
        round_trip(&object);
    }
}

fn round_trip(object: &Object) {
    let encoded = Encoded::from_object(object).expect("it keeps the limits");
    let valid = RawObject::validate(encoded.as_bytes()).expect("it was just encoded");
    assert!(valid.to_object().expect("it is valid").is_identical(object));
    assert_eq!(Encoded::from_serialize(&valid).as_ref(), Ok(&encoded));
    for (name, value) in object {
        let found = valid.get(name).expect("it is valid").expect("the field exists");
        assert!(found.compare_value(value).expect("it is valid").is_eq());
    }
}

/// Reads everything, every way there is. Errors are welcome, panics are not.
fn walk(value: RawValue<'_>, depth: usize) {
    if depth > 110 {
        return;
    }
    let _ = (value.kind(), value.as_bool(), value.as_i64(), value.as_u64(), value.as_f64());
    let _ = (value.as_str(), value.as_bytes(), value.as_time());
    let _ = (value.as_object_id(), value.as_decimal(), value.as_binary());
    let _ = value.as_foreign().map(|foreign| foreign.map(|foreign| foreign.content().map(drop)));
    if depth == 0 {
        let _ = (value.to_value(), value.compare(value), value.to_json());
        let _ = value.deserialize::<Value>();
    }
    if let Ok(Some(array)) = value.as_array() {
        let _ = array.get(array.len() / 2);
        array.iter().flatten().for_each(|item| walk(item, depth + 1));
    }
    if let Ok(Some(object)) = value.as_object() {
        let _ = object.get("a");
        let _ = "a.0.b".parse::<Path>().map(|path| object.get_path(&path).map(|_| ()));
        object.iter().flatten().for_each(|(_, value)| walk(value, depth + 1));
    }
}
