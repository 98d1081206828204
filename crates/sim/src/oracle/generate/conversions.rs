//! Random calls on constants of all types, whose results
//! [`by_the_book`](crate::oracle::by_the_book) knows.

use velocitydb_core::{Value, value};

use super::Source;
use super::any::{any, decimal_or_integer};
use crate::oracle::by_the_book;

/// Texts of decimals, and what is none.
const DECIMALS: [&str; 14] = [
    "0",
    "-0.00",
    "1.50",
    "+7",
    "1E+3",
    "1.5e-10",
    "0.000001",
    "0.0000001",
    "9007199254740993",
    "1234567890123456789012345678901234",
    "12345678901234567890123456789012345",
    "",
    "1.2.3",
    "x",
];
const OBJECT_IDS: [&str; 5] = [
    "6922d394a1b2c3d4e5f60718",
    "6922D394A1B2C3D4E5F60718",
    "6922d394a1b2c3d4e5f6071",
    "6922d394a1b2c3d4e5f6071g",
    "",
];

/// A call with a result that is known.
pub fn conversion(source: &mut Source) -> Value {
    const ATTEMPTS: usize = 10;
    let is_known = |call: &Value| call.as_object().and_then(by_the_book::right).is_some();
    let known = (0..ATTEMPTS).map(|_| any_conversion(source)).find(is_known);
    known.unwrap_or_else(|| value!({ "$type": { "$literal": Value::Null } }))
}

fn any_conversion(source: &mut Source) -> Value {
    let constant = |value: Value| value!({ "$literal": value });
    match source.weighted(&[40, 10, 10, 25, 20, 5]) {
        0 => {
            let operator = *source.one_of(&["$cmp", "$eq", "$lt", "$gte"]);
            value!({ (operator): [constant(any(source)), constant(any(source))] })
        }
        1 => value!({ (*source.one_of(&["$type", "$isNumber"])): constant(any(source)) }),
        2 => {
            let operator = *source.one_of(&["$toLong", "$toDouble"]);
            value!({ (operator): constant(decimal_or_integer(source)) })
        }
        3 => {
            let operator = *source.one_of(&["$add", "$multiply"]);
            let (a, b) = (decimal_or_integer(source), decimal_or_integer(source));
            value!({ "$toString": { (operator): [constant(a), constant(b)] } })
        }
        4 => {
            let is_decimal = source.percent(60);
            let (to, text) = if is_decimal {
                ("decimal", *source.one_of(&DECIMALS))
            } else {
                ("objectId", *source.one_of(&OBJECT_IDS))
            };
            let call = value!({ "input": constant(text.into()), "to": to, "onError": "none" });
            value!({ "$toString": { "$convert": call } })
        }
        _ if source.percent(50) => {
            value!({ "$toString": { "$toDecimal": constant((*source.one_of(&DECIMALS)).into()) } })
        }
        _ => {
            let text = *source.one_of(&OBJECT_IDS);
            value!({ "$toString": { "$toObjectId": constant(text.into()) } })
        }
    }
}
