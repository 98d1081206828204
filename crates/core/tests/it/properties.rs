//! What holds for all values: round trips, canonical bytes, one order in every form.

use proptest::prelude::*;
use velocitydb_core::codec::encode_value_into;
use velocitydb_core::key::{Direction, decode_key, encode_key, encode_key_value, skip_key};
use velocitydb_core::{
    Encoded, Foreign, ForeignContent, Object, RawObject, RawValue, Time, Update, Value,
};

use crate::random::{check, number, object, value};

#[test]
fn documents_survive_the_round_trip() {
    check(object(), |object| {
        let encoded = Encoded::from_object(&object).unwrap();
        let view = RawObject::validate(encoded.as_bytes()).unwrap();
        prop_assert!(view.to_object().unwrap().is_identical(&object));
        prop_assert_eq!(view.len(), object.len());
        for (name, value) in &object {
            let found = view.get(name).unwrap().unwrap();
            prop_assert!(found.to_value().unwrap().is_identical(value));
            prop_assert_eq!(found.kind(), value.kind());
        }
        prop_assert!(view.get("no such field").unwrap().is_none());
        Ok(())
    });
}

#[test]
fn identical_content_has_identical_bytes_however_it_was_made() {
    check(object(), |object| {
        let encoded = Encoded::from_object(&object).unwrap();
        let mut again = object.clone();
        again.insert("last", 1);
        again.remove("last");
        prop_assert!(again.is_identical(&object) || object.contains_key("last"));
        prop_assert_eq!(
            &Encoded::from_object(&object.iter().map(pair).collect()).unwrap(),
            &encoded
        );
        prop_assert_eq!(&Encoded::from_serialize(&object).unwrap(), &encoded);
        prop_assert_eq!(&Encoded::from_serialize(&encoded.view()).unwrap(), &encoded);
        prop_assert_eq!(&Encoded::from_json(&object.to_json()).unwrap(), &encoded);
        prop_assert_eq!(&Encoded::from_json(&object.to_json_pretty()).unwrap(), &encoded);
        Ok(())
    });
}

#[test]
fn the_order_of_fields_is_kept_and_does_not_count() {
    check(object(), |object| {
        let backwards = object.clone().into_iter().rev().collect::<Object>();
        prop_assert!(backwards.keys().eq(object.keys().collect::<Vec<_>>().into_iter().rev()));
        prop_assert_eq!(&backwards, &object);
        prop_assert_eq!(backwards.is_identical(&object), object.len() < 2);
        let (one, other) = (Value::from(object), Value::from(backwards));
        let (encoded, encoded_other) = (encoded(&one), encoded(&other));
        prop_assert!(raw(&encoded).compare(raw(&encoded_other)).unwrap().is_eq());
        prop_assert_eq!(key(&one, Direction::Ascending), key(&other, Direction::Ascending));
        prop_assert!(
            one.is_simpler_than(&other) || other.is_simpler_than(&one) || one.is_identical(&other)
        );
        prop_assert!(!(one.is_simpler_than(&other) && other.is_simpler_than(&one)));
        Ok(())
    });
}

#[test]
fn documents_survive_json_and_serde() {
    check(object(), |object| {
        let encoded = Encoded::from_object(&object).unwrap();
        let text = object.to_json();
        prop_assert_eq!(&encoded.to_json().unwrap(), &text);
        prop_assert!(Object::from_json(&text).unwrap().is_identical(&object));
        prop_assert!(serde_json::from_str::<Object>(&text).unwrap().is_identical(&object));
        prop_assert!(encoded.deserialize::<Object>().unwrap().is_identical(&object));
        let value = Value::from(object);
        let json = serde_json::Value::from(&value);
        // This type sorts the names.
        prop_assert!(Value::try_from(json.clone()).unwrap().is_identical(&sorted(value)));
        let has_non_finite = text.contains("$numberDouble");
        prop_assert!(has_non_finite || encoded.deserialize::<serde_json::Value>().unwrap() == json);
        Ok(())
    });
}

#[test]
fn all_forms_of_two_values_have_the_same_order() {
    let pair = prop_oneof![(value(), value()), (number(), number())];
    check(pair, |(a, b)| {
        let order = a.cmp(&b);
        prop_assert_eq!(b.cmp(&a), order.reverse());
        let (encoded_a, encoded_b) = (encoded(&a), encoded(&b));
        let (raw_a, raw_b) = (raw(&encoded_a), raw(&encoded_b));
        prop_assert_eq!(raw_a.compare(raw_b).unwrap(), order);
        prop_assert_eq!(raw_a.compare_value(&b).unwrap(), order);
        prop_assert_eq!(key(&a, Direction::Ascending).cmp(&key(&b, Direction::Ascending)), order);
        let descending = key(&a, Direction::Descending).cmp(&key(&b, Direction::Descending));
        prop_assert_eq!(descending, order.reverse());
        prop_assert!(!a.is_identical(&b) || order.is_eq());
        prop_assert_eq!(a.is_identical(&b), encoded_a == encoded_b);
        Ok(())
    });
}

#[test]
fn the_order_is_transitive() {
    check((number(), number(), number()), |(a, b, c)| {
        prop_assert!(!(a <= b && b <= c) || a <= c, "{:?} {:?} {:?}", a, b, c);
        Ok(())
    });
}

#[test]
fn compound_keys_sort_by_their_components() {
    check(((value(), value()), (value(), value())), |(a, b)| {
        let compound = |(first, second): &(Value, Value)| {
            let mut bytes = key(first, Direction::Descending);
            encode_key_value(second, Direction::Ascending, &mut bytes);
            bytes
        };
        let expected = b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1));
        prop_assert_eq!(compound(&a).cmp(&compound(&b)), expected);
        Ok(())
    });
}

#[test]
fn keys_come_back_as_equal_values() {
    check(value(), |value| {
        for direction in [Direction::Ascending, Direction::Descending] {
            let mut bytes = key(&value, direction);
            let length = bytes.len();
            let mut from_raw = Vec::new();
            encode_key(raw(&encoded(&value)), direction, &mut from_raw).unwrap();
            prop_assert_eq!(&from_raw, &bytes);
            bytes.push(7);
            prop_assert_eq!(skip_key(&bytes, direction), Ok(length));
            prop_assert_eq!(decode_key(&bytes, direction), Ok((value.clone(), length)));
        }
        Ok(())
    });
}

#[test]
fn times_survive_their_text() {
    check(Time::MIN.as_micros()..=Time::MAX.as_micros(), |micros| {
        let time = Time::from_micros(micros).unwrap();
        prop_assert_eq!(time.to_string().parse(), Ok(time));
        Ok(())
    });
}

#[test]
fn updates_survive_their_object_and_their_bytes() {
    check((object(), number(), value()), |(object, number, value)| {
        let fields = object.into_iter().filter(|(name, _)| !name.is_empty() && name.len() < 100);
        let merge = Update::merge(fields.collect());
        let operators = Update::new()
            .set("a.b", value.clone())
            .inc("n", number.clone())
            .mul("m", number)
            .min("low", value.clone())
            .max("high", value.clone())
            .rename("old", "new")
            .push_each("list", [value.clone(), value.clone()])
            .pull("other", value.clone())
            .add_to_set("set", value)
            .pop_first("first")
            .pop_last("last")
            .current_date("now")
            .unset("gone");
        for update in [merge, operators] {
            update.check().unwrap();
            let mut bytes = Vec::new();
            update.encode_into(&mut bytes).unwrap();
            let back = Update::decode(&bytes).unwrap();
            prop_assert_eq!(back.to_object(), update.to_object());
            let from_text = Update::from_json(&update.to_object().to_json()).unwrap();
            prop_assert!(from_text.to_object().is_identical(&update.to_object()));
        }
        Ok(())
    });
}

#[test]
fn updates_do_the_same_to_encoded_fields() {
    check((object(), object(), value()), |(object, other, value)| {
        let names: Vec<&str> = object.keys().chain(other.keys()).collect();
        let name = |at: usize| names.get(at % names.len().max(1)).copied().unwrap_or("a");
        let updates = [
            Update::merge(other.clone()),
            Update::new().set(name(0), value.clone()).unset(name(3)),
            Update::new().rename(name(1), name(2)).inc("n", 1),
            Update::new().push(name(0), value.clone()).add_to_set(name(5), value),
        ];
        let encoded = Encoded::from_object(&object).unwrap();
        for update in updates {
            let mut fields = object.clone();
            let applied = update.apply(&mut fields, Time::MAX);
            let applied = applied.and_then(|()| Encoded::from_object(&fields));
            prop_assert_eq!(update.apply_encoded(encoded.view(), Time::MAX), applied);
        }
        Ok(())
    });
}

fn pair((name, value): (&str, &Value)) -> (String, Value) {
    (name.to_owned(), value.clone())
}

/// The value with all fields in the order of their names.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(mut object) => {
            object.sort_by_name();
            object.into_iter().map(|(name, value)| (name, sorted(value))).collect::<Object>().into()
        }
        Value::Foreign(code) => match code.as_raw().content() {
            Ok(ForeignContent::JavaScriptWithScope { code, scope }) => {
                let mut scope = scope.to_object().unwrap();
                scope.sort_by_name();
                let scope = scope.into_iter().map(|(name, value)| (name, sorted(value)));
                Foreign::javascript_with_scope(code, &scope.collect()).unwrap().into()
            }
            _ => code.into(),
        },
        other => other,
    }
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_value_into(value, &mut bytes).unwrap();
    bytes
}

fn raw(encoded: &[u8]) -> RawValue<'_> {
    RawValue::validate(encoded).unwrap()
}

fn key(value: &Value, direction: Direction) -> Vec<u8> {
    let mut key = Vec::new();
    encode_key_value(value, direction, &mut key);
    key
}
