//! Ids as the naive model has them: values of any type, with the order and the forms that are documented,
//! spelled out once more. Nothing here is taken from the bytes by which the database sorts ids.

use std::cmp::{Ordering, Reverse};
use std::fmt;

use velocitydb::{
    Bytes, Decimal, DocumentId, Foreign, IntoDocumentId, ObjectId, Time, Uuid, Value,
};
use velocitydb_storage::contract::Random;

/// An id of a document, in one of the forms in which it can be written.
#[derive(Clone)]
pub struct Id {
    written: Value,
    simplest: Value,
    place: Place,
}

/// Where an id is in the order of all. The order of the classes is that of the variants.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Number(Number),
    Text(String),
    Uuid([u8; 16]),
    ObjectId([u8; 12]),
    Bool(bool),
    Time(i64),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Number {
    NegativeInfinity,
    Negative(Reverse<Digits>),
    /// Zero is one of them.
    Positive(Digits),
    Infinity,
}

/// All decimal digits of a number, without the zeros at either end that say nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Digits {
    /// How many are before the point.
    places: usize,
    before: String,
    after: String,
}

impl Id {
    /// Takes a value that can be an id.
    pub fn new(written: impl Into<Value>) -> Self {
        let written = written.into();
        Id::of(&written).unwrap_or_else(|| panic!("no id is {written}"))
    }

    /// The id that a value is, or would be if it were not too long or empty; `None` if it can be none.
    pub fn of(written: &Value) -> Option<Self> {
        let place = match written {
            Value::Float(number) if number.is_nan() => return None,
            Value::Decimal(number) if number.is_nan() => return None,
            Value::Int(number) => Place::Number(Number::of_text(&number.to_string())),
            Value::UInt(number) => Place::Number(Number::of_text(&number.to_string())),
            // As many digits as a float can have.
            Value::Float(number) => Place::Number(Number::of_text(&format!("{number:.1074}"))),
            Value::Decimal(number) => Place::Number(Number::of_text(&number.to_string())),
            Value::String(text) => Place::Text(text.to_string()),
            Value::Bool(value) => Place::Bool(*value),
            Value::Time(time) => Place::Time(time.as_micros()),
            Value::ObjectId(id) => Place::ObjectId(*id.as_bytes()),
            value => Place::Uuid(*value.as_uuid()?.as_bytes()),
        };
        let simplest = match &place {
            Place::Number(number) => number.simplest(),
            _ => written.clone(),
        };
        Some(Id { written: written.clone(), simplest, place })
    }

    /// The id of a document that the database returned, which is in its simplest form.
    pub fn read(id: &DocumentId) -> Self {
        let id = Id::new(id);
        assert!(id.written.is_identical(&id.simplest), "{} is read as {}", id, id.written);
        id
    }

    /// As it was written.
    pub fn written(&self) -> Value {
        self.written.clone()
    }

    /// The number, if it is an integer of 64 bits with a sign.
    pub fn as_integer(&self) -> Option<i64> {
        match self.simplest {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }
}

impl Number {
    fn of_text(text: &str) -> Self {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let is_infinite = text.starts_with(['i', 'I']);
        let digits = || Digits::of_text(text);
        match (is_infinite, is_negative) {
            (true, true) => Number::NegativeInfinity,
            (true, false) => Number::Infinity,
            (false, true) if digits() != Digits::of_text("0") => {
                Number::Negative(Reverse(digits()))
            }
            (false, _) => Number::Positive(digits()),
        }
    }

    /// The form in which an id is read: an integer rather than a float, a float rather than a decimal.
    fn simplest(&self) -> Value {
        let (sign, digits) = match self {
            Number::NegativeInfinity => return f64::NEG_INFINITY.into(),
            Number::Infinity => return f64::INFINITY.into(),
            Number::Negative(Reverse(digits)) => ("-", digits),
            Number::Positive(digits) => ("", digits),
        };
        let Digits { before, after, .. } = digits;
        if after.is_empty() {
            let whole = format!("{sign}0{before}");
            let integer = whole.parse::<i64>().map(Value::from);
            if let Ok(integer) = integer.or_else(|_| whole.parse::<u64>().map(Value::from)) {
                return integer;
            }
        }
        let float: f64 = format!("{sign}0{before}.{after}0").parse().unwrap();
        if Number::of_text(&format!("{float:.1074}")) == *self {
            return float.into();
        }
        let all = format!("{before}{after}");
        let few = all.trim_end_matches('0');
        let exponent = (all.len() - few.len()) as i64 - after.len() as i64;
        let decimal: Decimal = format!("{sign}{few}E{exponent}").parse().unwrap();
        decimal.into()
    }
}

impl Digits {
    /// Reads a number without a sign, such as `1.50` or `1E+3`.
    fn of_text(text: &str) -> Self {
        let (digits, exponent) = text.split_once('E').unwrap_or((text, "0"));
        let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
        let exponent: i64 = exponent.parse().unwrap();
        let (right, left) = (exponent.max(0) as usize, (-exponent).max(0) as usize);
        let all = format!("{}{before}{after}{}", "0".repeat(left), "0".repeat(right));
        let (before, after) = all.split_at(before.len() + right);
        let before = before.trim_start_matches('0').to_owned();
        let after = after.trim_end_matches('0').to_owned();
        Digits { places: before.len(), before, after }
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Id {}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place)
    }
}

impl fmt::Display for Id {
    /// As JSON, which distinguishes all types.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.simplest.to_json())
    }
}

impl fmt::Debug for Id {
    /// The same for all forms of one id, which are the same in a request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The value that a document has at `_id`.
impl From<Id> for Value {
    fn from(id: Id) -> Self {
        id.simplest
    }
}

impl IntoDocumentId for &Id {
    fn into_document_id(self) -> velocitydb_core::Result<DocumentId> {
        DocumentId::new(&self.written)
    }
}

/// Ids of every type; equal ones in several forms, neighbours, texts that are the beginning of others, and
/// texts that look like other ids.
pub fn all() -> Vec<Id> {
    let decimal = |text: &str| Value::from(text.parse::<Decimal>().unwrap());
    let micros = |micros| Value::from(Time::from_micros(micros).unwrap());
    let texts = ["a", "aa", "ab", "b", "é", " ", "~", "0", "1", "true", "\u{10ffff}"];
    let integers = [-300, -1, 0, 1, 2, 10, 256, 9_007_199_254_740_993_i64];
    let floats = [-0.0, 1.0, -1.5, 0.1, 0.5, 1e300, 9_007_199_254_740_992.0];
    let decimals = ["1.00", "0.1", "0.50", "10.0", "-0", "1E+1", "1E-300", "-1.50", "1E+400"];
    let mut all: Vec<Value> = texts.map(Value::from).into();
    all.extend(integers.map(Value::from));
    all.extend(floats.map(Value::from));
    all.extend(decimals.map(decimal));
    all.extend([i64::MIN.into(), u64::MAX.into(), Value::from(f64::INFINITY)]);
    all.extend([Value::from(f64::NEG_INFINITY), Value::from(false), Value::from(true)]);
    all.extend([0, 1, 255].map(|byte| Value::from(Uuid::from([byte; 16]))));
    all.extend([0, 1, 255].map(|byte| Value::from(ObjectId::from([byte; 12]))));
    all.extend([-1, 0, 1, 1_767_225_600_000_000].map(micros));
    all.into_iter().map(Id::new).collect()
}

/// Some of them, all different.
pub fn some(random: &mut Random, count: usize) -> Vec<Id> {
    let (mut left, mut some) = (all(), Vec::new());
    while some.len() < count {
        let id = left.swap_remove(random.within(0..left.len() as u64) as usize);
        if !some.contains(&id) {
            some.push(id);
        }
    }
    some
}

/// One of a list.
pub fn one_of(random: &mut Random, ids: &[Id]) -> Id {
    ids[random.within(0..ids.len() as u64) as usize].clone()
}

/// A value that a filter compares ids with: one, or a value between them that none can have.
pub fn bound(random: &mut Random, ids: &[Id]) -> Value {
    match random.within(0..10) {
        0 => Value::Null,
        1 => Value::from(f64::NAN),
        2 => Bytes(vec![1]).into(),
        3 => Foreign::max_key().into(),
        4 => Value::from(vec![1]),
        5 => Foreign::symbol("a").into(),
        6 => Value::from(""),
        _ => one_of(random, ids).written(),
    }
}

#[test]
fn the_model_orders_ids_as_documented() {
    let decimal = |text: &str| Value::from(text.parse::<Decimal>().unwrap());
    let in_order = [
        Value::from(f64::NEG_INFINITY),
        decimal("-1E+400"),
        (-1e300).into(),
        i64::MIN.into(),
        (-10).into(),
        (-9.5).into(),
        (-0.1).into(),
        decimal("-0.1"),
        0.into(),
        decimal("1E-300"),
        decimal("0.1"),
        0.1.into(),
        1.into(),
        2.into(),
        10.into(),
        9_007_199_254_740_992_f64.into(),
        9_007_199_254_740_993_i64.into(),
        u64::MAX.into(),
        1e300.into(),
        decimal("1E+400"),
        f64::INFINITY.into(),
        "1".into(),
        "aa".into(),
        "é".into(),
        Uuid::from([255; 16]).into(),
        ObjectId::from([0; 12]).into(),
        false.into(),
        true.into(),
        Time::UNIX_EPOCH.into(),
    ];
    let ids: Vec<_> = in_order.into_iter().map(Id::new).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    let simplest = |value: Value| Id::new(value).to_string();
    assert_eq!(simplest(decimal("1.50")), "1.5");
    assert_eq!(simplest(decimal("1E+1")), "10");
    assert_eq!(simplest((-0.0).into()), "0");
    assert_eq!(simplest(decimal("0.10")), r#"{"$numberDecimal":"0.1"}"#);
}
