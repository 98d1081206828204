//! Comparisons and arithmetic of decimals against Python's `decimal`.
//!
//! `tests/decimals/vectors.py` wrote the table `tests/decimals/vectors.txt`. `cargo xtask decimals` lets
//! it write a much larger one, and runs this test on that.

use std::cmp::Ordering;
use std::fs;

use velocitydb_core::{Decimal, Rounding, Value};

/// The file of another table than the one that is checked in.
const OTHER_TABLE: &str = "VELOCITYDB_DECIMALS";

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn number(text: &str) -> Value {
    match text.split_at(2) {
        ("d:", text) => decimal(text).into(),
        ("i:", text) => Value::from_json(text).unwrap(),
        ("f:", bits) => f64::from_bits(u64::from_str_radix(bits, 16).unwrap()).into(),
        _ => panic!("{text} has no type"),
    }
}

/// What is wrong with a line of the table, if anything.
fn problem(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let (found, expected) = match words[..] {
        ["cmp", one, other, expected] => {
            let expected: i32 = expected.parse().unwrap();
            let (one, other) = (number(one), number(other));
            let orders = [one.cmp(&other), other.cmp(&one).reverse()];
            return orders
                .iter()
                .any(|order| *order != expected.cmp(&0))
                .then(|| format!("{orders:?}"));
        }
        ["add", one, other, result] => (decimal(one) + decimal(other), result),
        ["sub", one, other, result] => (decimal(one) - decimal(other), result),
        ["mul", one, other, result] => (decimal(one) * decimal(other), result),
        ["div", one, other, result] => (decimal(one) / decimal(other), result),
        ["rem", one, other, result] => (decimal(one) % decimal(other), result),
        ["sqrt", one, result] => (decimal(one).sqrt(), result),
        ["exp", one, result] => (decimal(one).exp(), result),
        ["ln", one, result] => (decimal(one).ln(), result),
        ["log10", one, result] => (decimal(one).log10(), result),
        ["round", how, places, one, result] => {
            let rounding = match how {
                "even" => Rounding::HalfEven,
                "trunc" => Rounding::Truncate,
                "ceil" => Rounding::Ceiling,
                _ => Rounding::Floor,
            };
            (decimal(one).rounded(places.parse().unwrap(), rounding), result)
        }
        _ => panic!("{line:?} is not understood"),
    };
    let is_right =
        found.to_string() == expected && decimal(expected).cmp(&found) == Ordering::Equal;
    (!is_right).then(|| found.to_string())
}

#[test]
fn results_are_those_of_python() {
    let table = match std::env::var_os(OTHER_TABLE) {
        Some(path) => fs::read_to_string(path).unwrap(),
        None => include_str!("../decimals/vectors.txt").to_owned(),
    };
    let mut wrong = Vec::new();
    for line in table.lines() {
        wrong.extend(problem(line).map(|found| format!("{line}\n    found {found}")));
    }
    assert!(table.lines().count() >= 4_000, "the table is cut off");
    println!("{} lines", table.lines().count());
    let first = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} are wrong:\n{first}", wrong.len());
}
