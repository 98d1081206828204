//! The total order over all values. Sorting, comparing, unique sets and index keys all use it.
//!
//! Values of different classes sort by class, as in MongoDB:
//!
//! ```text
//! MinKey < undefined < null < numbers < strings < symbols < objects < arrays < binary < ObjectIds
//!   < bools < times < timestamps < regular expressions < DBPointers
//!   < JavaScript < JavaScript with scope < MaxKey
//! ```
//!
//! A missing field is not a value; if one has to be sorted, it comes before all values.
//!
//! - Numbers compare by their exact value, whatever their type: `1 == 1.0`, `0.0 == -0.0`, and
//!   `2^53 + 1` is above the float `2^53`, and the decimal `0.1` below the float `0.1`. NaN equals
//!   itself and is below all other numbers.
//! - Strings and symbols compare by their UTF-8 bytes (which is the order of their code points), binary
//!   by subtype and then by its bytes, ObjectIds and the types that nothing computes with by theirs; a
//!   prefix comes first.
//! - Arrays compare element by element; a prefix comes first.
//! - Objects compare as sequences of (name, value) in the order of their names, whatever the order
//!   in which they were written; a prefix comes first.
//! - False is below true, earlier times are below later ones.

use std::cmp::Ordering;

use crate::magnitude::Magnitude;
use crate::node::{Node, Shape};
use crate::{BinaryRef, Decimal, ForeignKind, Object, RawValue, Result, Value};

impl Value {
    /// Compares in the one total order; also what `==`, `<` and `Ord` do.
    pub fn compare(&self, other: &Self) -> Ordering {
        compare(self, other, 0).expect("owned values can always be read")
    }
}

impl RawValue<'_> {
    /// Compares two encoded values in the one total order, without decoding them.
    pub fn compare(self, other: RawValue<'_>) -> Result<Ordering> {
        compare(self, other, 0)
    }

    /// Compares with an owned value in the one total order, without decoding this one.
    pub fn compare_value(self, other: &Value) -> Result<Ordering> {
        compare(self, other, 0)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other).is_eq()
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.cmp(other).is_eq()
    }
}

impl Eq for Object {}

impl PartialOrd for Object {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Object {
    fn cmp(&self, other: &Self) -> Ordering {
        self.by_name().cmp(other.by_name())
    }
}

/// Compares any two nodes. `depth` is the number of arrays and objects around them.
pub(crate) fn compare<'a, 'b, A: Node<'a>, B: Node<'b>>(
    a: A,
    b: B,
    depth: usize,
) -> Result<Ordering> {
    let (a, b) = (a.shape(depth)?, b.shape(depth)?);
    match class(&a).cmp(&class(&b)) {
        Ordering::Equal => compare_shapes::<A, B>(a, b, depth),
        unequal => Ok(unequal),
    }
}

/// Compares two nodes of the same class, as filters do: `None` for different classes, and for
/// NaN beside another number.
#[inline]
pub(crate) fn compare_within_class<'a, 'b, A: Node<'a>, B: Node<'b>>(
    a: A,
    b: B,
) -> Result<Option<Ordering>> {
    let (a, b) = (a.shape(0)?, b.shape(0)?);
    if let (Shape::Int(a), Shape::Int(b)) = (&a, &b) {
        return Ok(Some(a.cmp(b)));
    }
    if class(&a) != class(&b) || is_nan(&a) != is_nan(&b) {
        return Ok(None);
    }
    compare_shapes::<A, B>(a, b, 0).map(Some)
}

/// Compares two values of the same class.
fn compare_shapes<'a, 'b, A: Node<'a>, B: Node<'b>>(
    a: Shape<'a, A::Items, A::Fields>,
    b: Shape<'b, B::Items, B::Fields>,
    depth: usize,
) -> Result<Ordering> {
    Ok(match (a, b) {
        (Shape::String(a), Shape::String(b)) => a.cmp(b),
        (Shape::Bytes(a), Shape::Bytes(b)) => a.cmp(b),
        (Shape::ObjectId(a), Shape::ObjectId(b)) => a.cmp(&b),
        (Shape::Foreign(a), Shape::Foreign(b)) => a.payload().cmp(b.payload()),
        (Shape::Bool(a), Shape::Bool(b)) => a.cmp(&b),
        (Shape::Time(a), Shape::Time(b)) => a.cmp(&b),
        (Shape::Array(a), Shape::Array(b)) => {
            sequences(a, b, |a: A, b: B| compare(a, b, depth + 1))?
        }
        (Shape::Object(a), Shape::Object(b)) => {
            let (a, b) = (A::by_name(a), B::by_name(b));
            sequences(a, b, |(a_name, a): (&str, A), (b_name, b): (&str, B)| {
                match a_name.cmp(b_name) {
                    Ordering::Equal => compare(a, b, depth + 1),
                    unequal => Ok(unequal),
                }
            })?
        }
        (a, b) => match (number(&a), number(&b)) {
            (Some(a), Some(b)) => a.compare(b),
            _ => binary(&a).cmp(&binary(&b)),
        },
    })
}

/// Compares item by item; a prefix comes first.
fn sequences<A, B>(
    mut a: impl Iterator<Item = Result<A>>,
    mut b: impl Iterator<Item = Result<B>>,
    mut compare: impl FnMut(A, B) -> Result<Ordering>,
) -> Result<Ordering> {
    loop {
        match (a.next().transpose()?, b.next().transpose()?) {
            (None, None) => return Ok(Ordering::Equal),
            (None, Some(_)) => return Ok(Ordering::Less),
            (Some(_), None) => return Ok(Ordering::Greater),
            (Some(a), Some(b)) => match compare(a, b)? {
                Ordering::Equal => {}
                unequal => return Ok(unequal),
            },
        }
    }
}

/// The place of a value's class among the classes.
fn class<I, F>(shape: &Shape<'_, I, F>) -> u8 {
    match shape {
        Shape::Foreign(foreign) => foreign_class(foreign.kind()),
        Shape::Null => 2,
        Shape::Int(_) | Shape::UInt(_) | Shape::Float(_) | Shape::Decimal(_) => 3,
        Shape::String(_) => 4,
        Shape::Object(_) => 6,
        Shape::Array(_) => 7,
        Shape::Bytes(_) | Shape::Binary(_) => 8,
        Shape::ObjectId(_) => 9,
        Shape::Bool(_) => 10,
        Shape::Time(_) => 11,
    }
}

/// The place of a foreign type among the classes.
fn foreign_class(kind: ForeignKind) -> u8 {
    match kind {
        ForeignKind::MinKey => 0,
        ForeignKind::Undefined => 1,
        ForeignKind::Symbol => 5,
        ForeignKind::Timestamp => 12,
        ForeignKind::Regex => 13,
        ForeignKind::DbPointer => 14,
        ForeignKind::JavaScript => 15,
        ForeignKind::JavaScriptWithScope => 16,
        ForeignKind::MaxKey => 17,
    }
}

fn is_nan<I, F>(shape: &Shape<'_, I, F>) -> bool {
    match shape {
        Shape::Float(float) => float.is_nan(),
        Shape::Decimal(decimal) => decimal.is_nan(),
        _ => false,
    }
}

/// Bytes with their subtype, which is what they compare by first.
fn binary<'a, I, F>(shape: &Shape<'a, I, F>) -> Option<BinaryRef<'a>> {
    match shape {
        Shape::Bytes(bytes) => Some(BinaryRef { subtype: 0, bytes }),
        Shape::Binary(binary) => Some(*binary),
        _ => None,
    }
}

fn number<I, F>(shape: &Shape<'_, I, F>) -> Option<Number> {
    match shape {
        Shape::Int(value) => Some(Number::Integer((*value).into())),
        Shape::UInt(value) => Some(Number::Integer((*value).into())),
        Shape::Float(value) => Some(Number::Float(*value)),
        Shape::Decimal(value) => Some(Number::Decimal(*value)),
        _ => None,
    }
}

/// A number of any type.
#[derive(Clone, Copy)]
enum Number {
    Integer(i128),
    Float(f64),
    Decimal(Decimal),
}

impl Number {
    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(&b),
            (Self::Integer(a), Self::Float(b)) => integer_and_float(a, b),
            (Self::Float(a), Self::Integer(b)) => integer_and_float(b, a).reverse(),
            (Self::Float(a), Self::Float(b)) => {
                a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
            }
            (Self::Decimal(a), Self::Decimal(b)) => a.cmp(&b),
            (Self::Decimal(a), Self::Float(b)) => decimal_and_float(a, b),
            (Self::Float(a), Self::Decimal(b)) => decimal_and_float(b, a).reverse(),
            (Self::Decimal(a), Self::Integer(b)) => decimal_and_integer(a, b),
            (Self::Integer(a), Self::Decimal(b)) => decimal_and_integer(b, a).reverse(),
        }
    }
}

/// Compares exactly: integers of 64 bits are decimals.
fn decimal_and_integer(decimal: Decimal, integer: i128) -> Ordering {
    decimal.cmp(&Decimal::new(integer, 0).expect("an integer of 64 bits has at most 20 digits"))
}

/// Compares exactly, by the binary digits of both.
fn decimal_and_float(decimal: Decimal, float: f64) -> Ordering {
    if decimal.is_nan() || float.is_nan() {
        return float.is_nan().cmp(&decimal.is_nan());
    }
    let (a, b) = (Magnitude::of_decimal(decimal), Magnitude::of_float(float.abs()));
    // A zero has no magnitude, and no sign that counts.
    let is_below = [a.is_some() && decimal.is_negative(), b.is_some() && float < 0.0];
    match is_below {
        [false, false] => a.cmp(&b),
        [true, true] => b.cmp(&a),
        [a_below, b_below] => b_below.cmp(&a_below),
    }
}

/// Compares exactly: the float is truncated to an integer, never the integer rounded to a
/// float.
fn integer_and_float(integer: i128, float: f64) -> Ordering {
    if float.is_nan() {
        return Ordering::Greater;
    }
    // Integers up to here are exact as floats, and their comparison is one instruction.
    const EXACT_MAX: u64 = 1 << f64::MANTISSA_DIGITS;
    if let Ok(small) = i64::try_from(integer)
        && small.unsigned_abs() <= EXACT_MAX
    {
        return (small as f64).partial_cmp(&float).expect("neither is NaN");
    }
    // The cast saturates far beyond 64 bits, so it keeps the order for floats of any size.
    integer.cmp(&(float as i128)).then_with(|| 0.0_f64.total_cmp(&(float.fract() + 0.0)))
}

#[cfg(test)]
mod tests {
    use crate::{
        Binary, Bytes, Decimal, Encoded, Foreign, ObjectId, Time, Uuid, Value, object, value,
    };

    fn decimal(text: &str) -> Value {
        text.parse::<Decimal>().unwrap().into()
    }

    /// All different, in ascending order.
    fn ascending() -> Vec<Value> {
        vec![
            value!(Foreign::min_key()),
            value!(Foreign::undefined()),
            value!(null),
            value!(f64::NAN),
            value!(f64::NEG_INFINITY),
            decimal("-1E+6144"),
            value!(f64::MIN),
            value!(i64::MIN as f64 * 1.5),
            value!(i64::MIN),
            value!(i64::MIN + 1),
            value!(-1.5),
            value!(-1),
            value!(-0.5),
            value!(-f64::from_bits(1)),
            decimal("-1E-6176"),
            value!(0),
            decimal("1E-6176"),
            value!(f64::from_bits(1)),
            decimal("0.1"),
            value!(0.1),
            decimal("0.1000000000000000055511151231257828"),
            value!(0.5),
            value!(1),
            value!(1.5),
            value!((1_i64 << 53) as f64),
            decimal("9007199254740992.5"),
            value!((1_i64 << 53) + 1),
            value!(i64::MAX - 1),
            value!(i64::MAX),
            value!(9_223_372_036_854_775_808.0),
            value!((1_u64 << 63) + 1),
            value!(u64::MAX),
            value!(18_446_744_073_709_551_616.0),
            value!(f64::MAX),
            decimal("1.797693134862315708145274237317044E+308"),
            decimal("1E+309"),
            decimal("9.999999999999999999999999999999999E+6144"),
            value!(f64::INFINITY),
            value!(""),
            value!("\0"),
            value!("a"),
            value!("a\0"),
            value!("ab"),
            value!("b"),
            value!("ÿ"),
            value!("\u{ffff}"),
            value!("\u{10000}"),
            value!(Foreign::symbol("")),
            value!(Foreign::symbol("a")),
            value!({}),
            value!({ "": 1 }),
            value!({ "a": null }),
            value!({ "a": 1 }),
            value!({ "a": 1, "b": 0 }),
            value!({ "a": 2 }),
            value!({ "ab": 0 }),
            value!({ "b": 0 }),
            value!([]),
            value!([null]),
            value!([[]]),
            value!([[], 1]),
            value!([true]),
            value!(Bytes(vec![])),
            value!(Bytes(vec![0])),
            value!(Bytes(vec![0, 0])),
            value!(Bytes(vec![1])),
            value!(Bytes(vec![255])),
            value!(Binary::new(1, [9])),
            value!(Uuid::default()),
            value!(ObjectId::default()),
            value!(ObjectId::from([9; 12])),
            value!(false),
            value!(true),
            value!(Time::MIN),
            value!(Time::UNIX_EPOCH),
            value!(Time::MAX),
            value!(Foreign::timestamp(1, 2)),
            value!(Foreign::timestamp(2, 1)),
            value!(Foreign::regex("a", "i").unwrap()),
            value!(Foreign::regex("ab", "").unwrap()),
            value!(Foreign::db_pointer("a", ObjectId::default()).unwrap()),
            value!(Foreign::javascript("x")),
            value!(Foreign::javascript_with_scope("x", &object! { "x": 1 }).unwrap()),
            value!(Foreign::max_key()),
        ]
    }

    #[test]
    fn the_order_is_as_documented_owned_and_encoded() {
        let values = ascending();
        let encoded: Vec<_> = values
            .iter()
            .map(|value| Encoded::from_object(&object! { "v": value.clone() }).unwrap())
            .collect();
        for (i, a) in values.iter().enumerate() {
            for (j, b) in values.iter().enumerate() {
                assert_eq!(a.compare(b), i.cmp(&j), "{a:?} {b:?}");
                let raw_a = encoded[i].view().get("v").unwrap().unwrap();
                let raw_b = encoded[j].view().get("v").unwrap().unwrap();
                assert_eq!(raw_a.compare(raw_b), Ok(i.cmp(&j)), "{a:?} {b:?}");
                assert_eq!(raw_a.compare_value(b), Ok(i.cmp(&j)), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn numbers_of_different_types_can_be_equal() {
        assert_eq!(value!(0), value!(-0.0));
        assert_eq!(value!(0.0), value!(-0.0));
        assert_eq!(value!(u64::MAX - 2047), value!(18_446_744_073_709_549_568.0));
        assert_eq!(value!(i64::MIN), value!(-9_223_372_036_854_775_808.0));
        assert_eq!(value!([1, { "a": 2.0 }]), value!([1.0, { "a": 2 }]));
        assert_ne!(value!(1), value!("1"));
        assert_eq!(value!(f64::NAN), value!(-f64::NAN));
        for (text, other) in [
            ("1.00", value!(1)),
            ("-0", value!(0)),
            ("0E+9", value!(-0.0)),
            ("0.5", value!(0.5)),
            ("18446744073709551615", value!(u64::MAX)),
            ("1.8446744073709551616E+19", value!(18_446_744_073_709_551_616.0)),
            ("-Infinity", value!(f64::NEG_INFINITY)),
            ("NaN", value!(f64::NAN)),
        ] {
            assert_eq!(decimal(text), other);
            assert_eq!(other, decimal(text));
        }
    }
}
