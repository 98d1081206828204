//! Two arbitrary values: their keys compare as they do, in both directions, and come back. The
//! same bytes as a key: reading it never panics, and what it decodes to has the same key length.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use velocitydb_core::Value;
use velocitydb_core::key::{Direction, decode_key, encode_key_value, skip_key};

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let (Ok(a), Ok(b)) = (velocitydb_fuzz::value(&mut input), velocitydb_fuzz::value(&mut input))
    else {
        return;
    };
    for direction in [Direction::Ascending, Direction::Descending] {
        let (key_a, key_b) = (round_trip(&a, direction), round_trip(&b, direction));
        let expected = match direction {
            Direction::Ascending => a.cmp(&b),
            Direction::Descending => b.cmp(&a),
        };
        assert_eq!(key_a.cmp(&key_b), expected);
        damaged(data, direction);
    }
});

fn round_trip(value: &Value, direction: Direction) -> Vec<u8> {
    let mut key = Vec::new();
    encode_key_value(value, direction, &mut key);
    assert_eq!(skip_key(&key, direction), Ok(key.len()));
    assert_eq!(decode_key(&key, direction).as_ref(), Ok(&(value.clone(), key.len())));
    key
}

fn damaged(data: &[u8], direction: Direction) {
    let skipped = skip_key(data, direction);
    if let Ok((value, length)) = decode_key(data, direction) {
        assert_eq!(skipped, Ok(length));
        round_trip(&value, direction);
    }
}
