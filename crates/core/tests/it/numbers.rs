//! The order of numbers of all types, and of their keys, against exact arithmetic with integers of any
//! size.

use std::cmp::Ordering;

use num_bigint::BigInt;
use proptest::prelude::*;
use velocitydb_core::key::{Direction, decode_key, encode_key_value, skip_key};
use velocitydb_core::{Decimal, Value};

use crate::random::{check, number};

/// A number as `integer · 2^twos · 10^tens`, or beyond all of these.
#[derive(Debug, Clone)]
enum Exact {
    Nan,
    Infinite(i32),
    Finite(BigInt, i32, i32),
}

fn exact(value: &Value) -> Exact {
    match value {
        Value::Int(integer) => Exact::Finite((*integer).into(), 0, 0),
        Value::UInt(integer) => Exact::Finite((*integer).into(), 0, 0),
        Value::Float(float) if float.is_nan() => Exact::Nan,
        Value::Float(float) if float.is_infinite() => Exact::Infinite(float.signum() as i32),
        Value::Float(float) => {
            let bits = float.to_bits();
            let (biased, fraction) = (bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
            let size = if biased == 0 { fraction } else { fraction | 1 << 52 };
            let size = BigInt::from(size) * if float.is_sign_negative() { -1 } else { 1 };
            Exact::Finite(size, biased.max(1) as i32 - 1075, 0)
        }
        Value::Decimal(decimal) if decimal.is_nan() => Exact::Nan,
        Value::Decimal(decimal) if decimal.is_infinite() => {
            Exact::Infinite(if decimal.is_negative() { -1 } else { 1 })
        }
        Value::Decimal(decimal) => {
            let sign = if decimal.is_negative() { -1 } else { 1 };
            Exact::Finite(BigInt::from(decimal.coefficient()) * sign, 0, decimal.exponent())
        }
        other => panic!("{other} is no number"),
    }
}

fn compare(a: &Exact, b: &Exact) -> Ordering {
    let rank = |one: &Exact| match one {
        Exact::Nan => -2,
        Exact::Infinite(sign) => *sign,
        Exact::Finite(..) => 0,
    };
    let (Exact::Finite(a, a_twos, a_tens), Exact::Finite(b, b_twos, b_tens)) = (a, b) else {
        return rank(a).cmp(&rank(b));
    };
    let (twos, tens) = (a_twos.min(b_twos), a_tens.min(b_tens));
    let scaled = |size: &BigInt, own_twos: &i32, own_tens: &i32| {
        let ten = BigInt::from(10).pow((own_tens - tens).unsigned_abs());
        (size * ten) << (own_twos - twos).unsigned_abs()
    };
    scaled(a, a_twos, a_tens).cmp(&scaled(b, b_twos, b_tens))
}

fn key(value: &Value, direction: Direction) -> Vec<u8> {
    let mut key = Vec::new();
    encode_key_value(value, direction, &mut key);
    key
}

#[test]
fn numbers_and_their_keys_are_in_the_exact_order() {
    check((number(), number()), |(a, b)| {
        let order = compare(&exact(&a), &exact(&b));
        prop_assert_eq!(a.cmp(&b), order, "{:?} {:?}", a, b);
        let keys = [&a, &b].map(|value| key(value, Direction::Ascending));
        prop_assert_eq!(keys[0].cmp(&keys[1]), order, "{:?} {:?}", a, b);
        let keys = [&a, &b].map(|value| key(value, Direction::Descending));
        prop_assert_eq!(keys[0].cmp(&keys[1]), order.reverse(), "{:?} {:?}", a, b);
        Ok(())
    });
}

/// Neighbours of 34 digits are the nearest to each other that decimals come.
#[test]
fn neighbours_of_all_sizes_are_kept_apart_and_found_again() {
    let max = Decimal::COEFFICIENT_MAX as i128;
    for exponent in (Decimal::EXPONENT_MIN..=Decimal::EXPONENT_MAX).step_by(7) {
        let decimal = |coefficient: i128| Decimal::new(coefficient, exponent).unwrap();
        let numbers = [max / 10, max / 10 + 1, max / 2, max / 2 + 1, max - 1, max].map(decimal);
        let keys = numbers.map(|number| key(&number.into(), Direction::Ascending));
        assert!(keys.is_sorted_by(|a, b| a < b), "{exponent}");
        for (number, key) in numbers.iter().zip(&keys) {
            let (found, length) = decode_key(key, Direction::Ascending).unwrap();
            assert_eq!((found, length), (Value::from(*number), key.len()));
            assert_eq!(skip_key(key, Direction::Ascending), Ok(key.len()));
        }
    }
}
