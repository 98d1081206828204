//! Random values for tests, and running a test on them so that a failure can be replayed.

use std::hash::{BuildHasher, RandomState};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use velocitydb_core::{Binary, Bytes, Decimal, Foreign, Object, ObjectId, Time, Uuid, Value};

/// Runs a test on random input. The seed is printed with the line that replays it.
pub fn check<S: Strategy>(strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let given =
        std::env::var("VELOCITYDB_SEED").ok().map(|seed| seed.parse().expect("it is a number"));
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("seed {seed}; replay with VELOCITYDB_SEED={seed} cargo test -p velocitydb-core");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: 2_000, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(config, rng).run(&strategy, test).unwrap();
}

/// Any text, with a preference for what escapes and sorts in unusual ways.
fn text() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &["\0", "\u{1}", "\u{2}", "a", "\"", "\\", "é", "\u{ffff}", "🚀", " "];
    prop_oneof![
        vec(proptest::sample::select(PIECES), 0..4).prop_map(|pieces| pieces.concat()),
        any::<String>(),
        (0..600_usize).prop_map(|length| "x".repeat(length)),
    ]
}

/// A name of a field in a document.
fn name() -> impl Strategy<Value = String> {
    text().prop_map(|name| name.trim_start_matches('$').to_owned())
}

/// Any decimal, with a preference for those that are near floats, and for few digits.
pub fn decimal() -> impl Strategy<Value = Decimal> {
    let of = |(coefficient, exponent): (i128, i32)| Decimal::new(coefficient, exponent).unwrap();
    let digits = 10_i128.pow(Decimal::DIGITS_MAX);
    prop_oneof![
        (-1_000..1_000_i128, -5..5).prop_map(of),
        (-1_000..1_000_i128, Decimal::EXPONENT_MIN..=Decimal::EXPONENT_MAX).prop_map(of),
        (1 - digits..digits, Decimal::EXPONENT_MIN..=Decimal::EXPONENT_MAX).prop_map(of),
        (1 - digits..digits, -40..10).prop_map(of),
        (any::<u64>(), -1..=1_i64).prop_map(|(bits, away)| near(f64::from_bits(bits), away)),
        (-3_i64..3, -1..=1_i64).prop_map(|(half, away)| near(half as f64 / 2.0, away)),
        (any::<i64>(), 0..3_i32).prop_map(|(integer, places)| {
            let unit = Decimal::new(10_i128.pow(places.unsigned_abs()), -places).unwrap();
            Decimal::from(integer) * unit
        }),
        Just(Decimal::NAN),
        Just(Decimal::INFINITY),
        Just(Decimal::NEG_INFINITY),
        Just(-Decimal::ZERO),
    ]
}

/// The decimal that is nearest to a float, and as many away from it.
fn near(float: f64, away: i64) -> Decimal {
    let text = format!("{float:.33e}");
    let nearest: Decimal = text.parse().unwrap_or(Decimal::NAN);
    let ulp = Decimal::new(away.into(), nearest.exponent()).unwrap();
    nearest + ulp
}

/// A value of a type that nothing computes with.
fn foreign() -> impl Strategy<Value = Foreign> {
    let plain = || text().prop_map(|text| text.replace('\0', ""));
    let id = any::<[u8; 12]>().prop_map(ObjectId::from);
    prop_oneof![
        Just(Foreign::min_key()),
        Just(Foreign::max_key()),
        Just(Foreign::undefined()),
        text().prop_map(|text| Foreign::symbol(&text)),
        any::<(u32, u32)>().prop_map(|(seconds, counter)| Foreign::timestamp(seconds, counter)),
        (plain(), plain()).prop_map(|(one, two)| Foreign::regex(&one, &two).unwrap()),
        (plain(), id).prop_map(|(name, id)| Foreign::db_pointer(&name, id).unwrap()),
        text().prop_map(|code| Foreign::javascript(&code)),
        (text(), vec((name(), number()), 0..3)).prop_map(|(code, scope)| {
            Foreign::javascript_with_scope(&code, &Object::from_iter(scope)).unwrap()
        }),
    ]
}

/// Any number, with a preference for the edges.
pub fn number() -> impl Strategy<Value = Value> {
    let near = |edge: i128| move |offset: i128| Value::from_json(&(edge + offset).to_string());
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| f64::from_bits(bits).into()),
        (-3_i64..3).prop_map(Value::from),
        (-3_i64..3).prop_map(|integer| (integer as f64 / 2.0).into()),
        (0..3_i128).prop_map(near(i64::MIN.into())).prop_map(Result::unwrap),
        (-3..3_i128).prop_map(near(i64::MAX.into())).prop_map(Result::unwrap),
        (-3..0_i128).prop_map(near(1 << 64)).prop_map(Result::unwrap),
        (-3..3_i128).prop_map(near(1 << 53)).prop_map(Result::unwrap),
        (0_i32..64).prop_map(|power| 2_f64.powi(power).into()),
        Just(Value::Float(-0.0)),
        Just(Value::Float(f64::INFINITY)),
        decimal().prop_map(Value::from),
        decimal().prop_map(Value::from),
    ]
}

/// Any value, nested a few levels deep.
pub fn value() -> impl Strategy<Value = Value> {
    let time = Time::MIN.as_micros()..=Time::MAX.as_micros();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        text().prop_map(Value::from),
        vec(any::<u8>(), 0..20).prop_map(|bytes| Bytes(bytes).into()),
        (any::<u8>(), vec(any::<u8>(), 0..20))
            .prop_map(|(subtype, bytes)| Binary::new(subtype, bytes).into()),
        any::<[u8; 16]>().prop_map(|bytes| Uuid::from(bytes).into()),
        any::<[u8; 12]>().prop_map(|bytes| ObjectId::from(bytes).into()),
        foreign().prop_map(Value::from),
        time.prop_map(|micros| Time::from_micros(micros).unwrap().into()),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            vec((name(), inner), 0..8).prop_map(|fields| Object::from_iter(fields).into()),
        ]
    })
}

/// Any document.
pub fn object() -> impl Strategy<Value = Object> {
    vec((name(), value()), 0..12).prop_map(Object::from_iter)
}
