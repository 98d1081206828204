//! Ids of every type, made of numbers and read back: neighbours have different types, and numbers a
//! few apart the same type and nearly the same value.

use velocitydb::{Decimal, DocumentId, ObjectId, Time, Uuid, Value};

use crate::random::mixed;

/// Numbers that have ids are below this.
const NUMBERS_END: u64 = 1 << 58;

/// How many types of ids there are, besides `false` and `true`.
const TYPES: u64 = 8;

/// Long texts end with so many of these.
const TAIL: &str = "é";
const TAIL_LENGTH: usize = 200;

/// One text in this many is long.
const LONG_ONE_IN: u64 = 16;

/// The id of a number below 2⁵⁸, which no other number has.
pub fn of_number(number: u64) -> DocumentId {
    assert!(number < NUMBERS_END, "{number} has no id");
    DocumentId::new(value(number)).expect("these values are ids")
}

/// The number of an id, if it is the id of one.
pub fn number_of(id: &DocumentId) -> Option<u64> {
    let part = part(&id.to_value()).filter(|part| *part < NUMBERS_END / TYPES)?;
    let mut numbers = part * TYPES..(part + 1) * TYPES;
    numbers.find(|number| of_number(*number) == *id)
}

/// The remainder decides the type, and the rest, the part, the value among those of its type.
fn value(number: u64) -> Value {
    let part = number / TYPES;
    match number % TYPES {
        _ if number < 2 => (number == 1).into(),
        0 => text(part).into(),
        1 => signed(part).into(),
        2 => (u64::MAX - part).into(),
        3 => float(part).into(),
        4 => decimal(part).into(),
        5 => {
            let mut bytes = [0; 12];
            bytes[..4].copy_from_slice(&spread(part)[..4]);
            bytes[4..].copy_from_slice(&part.to_be_bytes());
            ObjectId::from(bytes).into()
        }
        6 => {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&spread(part));
            bytes[8..].copy_from_slice(&part.to_be_bytes());
            Uuid::from(bytes).into()
        }
        _ => Time::from_micros(signed(part)).expect("it is within 10,000 years").into(),
    }
}

/// The part of a number from its value; of another value, anything.
fn part(value: &Value) -> Option<u64> {
    let last_8 = |bytes: &[u8]| bytes.last_chunk().map(|last| u64::from_be_bytes(*last));
    Some(match value {
        Value::Bool(_) => 0,
        Value::String(text) => text.trim_end_matches(TAIL).parse().ok()?,
        Value::Int(number) => number.unsigned_abs(),
        Value::UInt(number) => u64::MAX - number,
        Value::Float(number) => number.abs().to_bits().checked_sub(FLOAT_FIRST)? / 2,
        Value::Decimal(number) => u64::try_from(number.coefficient() / 10).ok()?,
        Value::Time(time) => time.as_micros().unsigned_abs(),
        _ => match (value.as_object_id(), value.as_uuid()) {
            (Some(id), _) => last_8(id.as_bytes())?,
            (_, Some(id)) => last_8(id.as_bytes())?,
            _ => return None,
        },
    })
}

fn spread(part: u64) -> [u8; 8] {
    mixed(part).to_be_bytes()
}

fn text(part: u64) -> String {
    let tail = if part % LONG_ONE_IN == LONG_ONE_IN - 1 { TAIL_LENGTH } else { 0 };
    format!("{part}{}", TAIL.repeat(tail))
}

fn is_negative(part: u64) -> bool {
    mixed(part) % 2 == 1
}

fn signed(part: u64) -> i64 {
    let number = part.cast_signed();
    if is_negative(part) { -number } else { number }
}

/// The bits of the float 1.
const FLOAT_FIRST: u64 = 0x3FF0_0000_0000_0000;

/// Floats that follow upon each other from 1 on, or from -1 down. Their last bit is set, and so they
/// are not whole.
fn float(part: u64) -> f64 {
    let number = f64::from_bits(FLOAT_FIRST + 2 * part + 1);
    if is_negative(part) { -number } else { number }
}

/// A number whose last decimal place has a 1, so that no float and no integer equals it.
fn decimal(part: u64) -> Decimal {
    let coefficient = i128::from(part) * 10 + 1;
    let coefficient = if is_negative(part) { -coefficient } else { coefficient };
    let places = 1 + (part % 24) as i32;
    Decimal::new(coefficient, -places).expect("it has at most 20 digits")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn numbers_have_different_ids_that_lead_back() {
        let mut numbers = BTreeMap::new();
        let starts = [0, 1 << 32, 1 << 40, (1 << 56) - 500, NUMBERS_END - 1_000];
        for number in starts.into_iter().flat_map(|start| start..start + 1_000) {
            let id = of_number(number);
            assert_eq!(number_of(&id), Some(number), "{id}");
            assert_eq!(numbers.insert(id.clone(), number), None, "{id}");
        }
        let kinds: BTreeSet<_> = numbers.keys().map(|id| id.to_value().kind().as_str()).collect();
        assert!(kinds.len() >= 7, "{kinds:?}");
    }

    #[test]
    fn other_ids_lead_nowhere() {
        for value in ["", "x", "01", "é"].map(Value::from).into_iter().chain([
            Value::from(0),
            Value::from(i64::MIN),
            Value::from(1.0),
            Value::from(0.5),
            Value::from(f64::INFINITY),
            Value::from(Decimal::new(12, -1).unwrap()),
            Value::from(Uuid::from([1; 16])),
            Value::from(ObjectId::from([1; 12])),
            Value::from(Time::MIN),
        ]) {
            let Ok(id) = DocumentId::new(&value) else { continue };
            assert_eq!(number_of(&id), None, "{value}");
        }
    }
}
