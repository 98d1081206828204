//! Two arbitrary values: their keys compare as they do, in both directions, and come back, and so do
//! the ids that they can be. The same bytes as a key: reading it never panics, and what it decodes to
//! has the same key length; and as an id.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use velocitydb_core::key::{Direction, decode_key, encode_key_value, skip_key};
use velocitydb_core::{DocumentId, IdRef, Value};

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
    ids(&a, &b);
    if let Ok(id) = DocumentId::from_bytes(data) {
        assert_eq!(DocumentId::new(id.to_value()), Ok(id));
    }
    let _ = IdRef::from_bytes(data).map(|id| id.to_value());
});

/// Ids compare as values do, and with a bound as keys do: a component, the beginning of one, and the
/// end of those that begin with it.
fn ids(a: &Value, b: &Value) {
    let Ok(id) = DocumentId::new(a) else { return };
    assert_eq!(DocumentId::from_bytes(id.as_bytes()).as_ref(), Ok(&id));
    assert_eq!(id.to_value(), *a);
    if let Ok(other) = DocumentId::new(b) {
        assert_eq!(id.cmp(&other), a.cmp(b));
    }
    let (key, bound) = (key_of(a), key_of(b));
    for length in 0..=bound.len() {
        let mut bound = bound[..length].to_vec();
        assert_eq!(id.as_bytes() < &DocumentId::bound(&bound)[..], key < bound);
        let Some(last) = bound.last_mut().filter(|last| **last < u8::MAX) else { continue };
        *last += 1;
        assert_eq!(id.as_bytes() < &DocumentId::bound(&bound)[..], key < bound, "{b} {length}");
    }
}

fn key_of(value: &Value) -> Vec<u8> {
    let mut key = Vec::new();
    encode_key_value(value, Direction::Ascending, &mut key);
    key
}

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
