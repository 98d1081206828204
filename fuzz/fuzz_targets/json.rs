//! Arbitrary text as JSON: reading never panics, and what is read comes back from its own text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use velocitydb_core::{Encoded, RawObject, Value};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(value) = Value::from_json(text) {
        let again = Value::from_json(&value.to_json()).expect("it was just written");
        assert!(again.is_identical(&value));
    }
    if let Ok(encoded) = Encoded::from_json(text) {
        RawObject::validate(encoded.as_bytes()).expect("it was just encoded");
        let text = encoded.to_json().expect("it is valid");
        assert_eq!(Encoded::from_json(&text).as_ref(), Ok(&encoded));
    }
});
