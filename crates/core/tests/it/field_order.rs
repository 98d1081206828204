//! The order of fields in their encoding: kept by objects of any size, and never taken from bytes that
//! the encoder did not write.

use velocitydb_core::{Encoded, Error, Object, RawObject, Value, object};

/// Where the packed order changes its size, and around it.
const COUNTS: [usize; 12] = [0, 1, 2, 3, 15, 16, 17, 256, 257, 300, 65_536, 65_537];

/// That many names in an order that is not theirs: short and long ones, and others than ASCII.
fn names(count: usize) -> Vec<String> {
    let name = |at: usize| {
        // All are different, since the factor has no divisor in common with the modulus.
        let number = at * 7_919 % 131_071;
        match at % 5 {
            0 if count < 1_000 => format!("{number:x>1024}"),
            1 if count < 1_000 => format!("é{number}{}", "y".repeat(130)),
            2 => format!("🚀{number}"),
            _ => number.to_string(),
        }
    };
    (0..count).rev().map(name).collect()
}

#[test]
fn objects_of_any_size_keep_their_order() {
    for count in COUNTS {
        let fields = names(count).into_iter().zip((0..).map(Value::Int));
        let object: Object = fields.collect();
        assert_eq!(object.len(), count);
        let encoded = Encoded::from_object(&object).unwrap();
        let view = RawObject::validate(encoded.as_bytes()).unwrap();
        assert!(view.to_object().unwrap().is_identical(&object));
        assert!(view.iter().map(|field| field.unwrap().0).eq(object.keys()));
        let by_name = || view.by_name().map(|field| field.unwrap());
        assert!(by_name().is_sorted_by(|(a, _), (b, _)| a < b) && by_name().count() == count);
        for (at, (name, value)) in object.iter().enumerate().step_by(1 + count / 500) {
            let (found_at, found) = view.find(name).unwrap().unwrap();
            assert_eq!((found_at, found.to_value().unwrap()), (at, value.clone()));
        }
        assert!(view.get("no such field").unwrap().is_none());
        let text = encoded.to_json().unwrap();
        assert_eq!(text, object.to_json());
        assert_eq!(Encoded::from_json(&text).unwrap(), encoded);
        assert!(encoded.deserialize::<Object>().unwrap().is_identical(&object));
        assert!(serde_json::from_str::<Object>(&text).unwrap().is_identical(&object));
    }
}

/// Sorted fields take no byte more than before there was an order.
#[test]
fn an_order_costs_only_those_that_need_it() {
    for count in COUNTS.into_iter().filter(|count| *count > 2) {
        let mut object: Object = names(count).into_iter().map(|name| (name, 1)).collect();
        let unsorted = Encoded::from_object(&object).unwrap();
        object.sort_by_name();
        let sorted = Encoded::from_object(&object).unwrap();
        let order = match count {
            ..=16 => count.div_ceil(2),
            17..=256 => count,
            257..=65_536 => 2 * count,
            _ => 4 * count,
        };
        assert_eq!(unsorted.as_bytes().len(), sorted.as_bytes().len() + order, "{count}");
        assert_eq!(unsorted.as_bytes()[0], sorted.as_bytes()[0] + 3);
        assert!(unsorted.view().as_value().compare(sorted.view().as_value()).unwrap().is_eq());
    }
}

/// Of all that could be written in the place of the order, only the right one is valid.
#[test]
fn every_other_order_is_corrupt() {
    for object in [object! { "b": 1, "a": 2 }, object! { "b": 1, "c": 2, "a": 3 }] {
        let encoded = Encoded::from_object(&object).unwrap();
        let mut bytes = encoded.as_bytes().to_vec();
        let (start, length) = (2 + object.len(), object.len().div_ceil(2));
        let mut valid = 0;
        for number in 0..=u16::MAX >> (16 - 8 * length) {
            bytes[start..start + length].copy_from_slice(&number.to_le_bytes()[..length]);
            valid += usize::from(is_valid(&bytes));
        }
        assert_eq!(valid, 1, "{object}");
    }
    let object: Object = names(40).into_iter().map(|name| (name, 1)).collect();
    let encoded = Encoded::from_object(&object).unwrap();
    let mut bytes = encoded.as_bytes().to_vec();
    let table = 1 + ((1 + object.len()) << (bytes[0] - 0x0f));
    for at in table..table + object.len() {
        let right = bytes[at];
        for wrong in (0..=u8::MAX).filter(|wrong| *wrong != right) {
            bytes[at] = wrong;
            assert!(!is_valid(&bytes), "{wrong} at {at}");
        }
        bytes[at] = right;
        let other = table + (at - table + 1) % object.len();
        bytes.swap(at, other);
        assert!(!is_valid(&bytes), "two ranks are exchanged");
        bytes.swap(at, other);
    }
    assert!(is_valid(&bytes));
}

/// Bytes that say the same in another form: a sorted object with an order, an unsorted one without.
#[test]
fn an_order_is_there_exactly_when_it_is_needed() {
    let sorted = [0x0c, 2, 3, 6, 1, b'a', 1, 1, b'b', 1];
    assert!(is_valid(&sorted));
    for order in [0x10, 0x01, 0x00, 0x11] {
        assert!(!is_valid(&[0x0f, 2, 3, 6, order, 1, b'a', 1, 1, b'b', 1]), "{order:x}");
    }
    assert!(!is_valid(&[0x0c, 2, 3, 6, 1, b'b', 1, 1, b'a', 1]));
    assert!(is_valid(&[0x0f, 2, 3, 6, 0x01, 1, b'b', 1, 1, b'a', 1]));
    assert!(!is_valid(&[0x0f, 0]) && !is_valid(&[0x0f, 1, 3, 0, 1, b'a', 1]));
    let twice = object! { "a": 1 }.to_json().replace('}', ",\"b\":1,\"a\":2}");
    assert!(matches!(Encoded::from_json(&twice), Err(Error::RefusedJson { .. })));
}

/// Whether the bytes are valid. If they are not, that is an error of every way to read them, or they
/// are read as something.
fn is_valid(bytes: &[u8]) -> bool {
    if let Ok(view) = RawObject::new(bytes) {
        let _ = (view.to_object(), view.get("a"), view.to_json(), view.get("b"));
        let _ = (view.iter().count(), view.by_name().count());
        let _ = view.as_value().compare(view.as_value());
    }
    match RawObject::validate(bytes) {
        Ok(_) => true,
        Err(error) => {
            assert!(matches!(error, Error::Corrupt { .. }), "{error}");
            false
        }
    }
}
