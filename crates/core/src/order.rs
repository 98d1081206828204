//! The total order over all values. Sorting, comparing, unique sets and index keys all use it.
//!
//! Values of different classes sort by class, as in MongoDB:
//!
//! ```text
//! null < numbers < strings < objects < arrays < bytes < bools < times
//! ```
//!
//! A missing field is not a value; if one has to be sorted, it comes before null.
//!
//! - Numbers compare by their exact value, whatever their type: `1 == 1.0`, `0.0 == -0.0`, and
//!   `2^53 + 1` is above the float `2^53`. NaN equals itself and is below all other numbers.
//! - Strings compare by their UTF-8 bytes (which is the order of their code points), bytes by
//!   their bytes; a prefix comes first.
//! - Arrays compare element by element; a prefix comes first.
//! - Objects compare as sequences of (name, value) in the order of their names, whatever the order
//!   in which they were written; a prefix comes first.
//! - False is below true, earlier times are below later ones.

use std::cmp::Ordering;

use crate::node::{Node, Shape};
use crate::{Object, RawValue, Result, Value};

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
            _ => Ordering::Equal,
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
        Shape::Null => 0,
        Shape::Int(_) | Shape::UInt(_) | Shape::Float(_) => 1,
        Shape::String(_) => 2,
        Shape::Object(_) => 3,
        Shape::Array(_) => 4,
        Shape::Bytes(_) => 5,
        Shape::Bool(_) => 6,
        Shape::Time(_) => 7,
    }
}

fn is_nan<I, F>(shape: &Shape<'_, I, F>) -> bool {
    matches!(shape, Shape::Float(float) if float.is_nan())
}

fn number<I, F>(shape: &Shape<'_, I, F>) -> Option<Number> {
    match shape {
        Shape::Int(value) => Some(Number::Integer((*value).into())),
        Shape::UInt(value) => Some(Number::Integer((*value).into())),
        Shape::Float(value) => Some(Number::Float(*value)),
        _ => None,
    }
}

/// A number of any type.
#[derive(Clone, Copy)]
enum Number {
    Integer(i128),
    Float(f64),
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
        }
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
    use crate::{Bytes, Encoded, Time, Value, object, value};

    /// All different, in ascending order.
    fn ascending() -> Vec<Value> {
        vec![
            value!(null),
            value!(f64::NAN),
            value!(f64::NEG_INFINITY),
            value!(f64::MIN),
            value!(i64::MIN as f64 * 1.5),
            value!(i64::MIN),
            value!(i64::MIN + 1),
            value!(-1.5),
            value!(-1),
            value!(-0.5),
            value!(-f64::from_bits(1)),
            value!(0),
            value!(f64::from_bits(1)),
            value!(0.5),
            value!(1),
            value!(1.5),
            value!((1_i64 << 53) as f64),
            value!((1_i64 << 53) + 1),
            value!(i64::MAX - 1),
            value!(i64::MAX),
            value!(9_223_372_036_854_775_808.0),
            value!((1_u64 << 63) + 1),
            value!(u64::MAX),
            value!(18_446_744_073_709_551_616.0),
            value!(f64::MAX),
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
            value!(false),
            value!(true),
            value!(Time::MIN),
            value!(Time::UNIX_EPOCH),
            value!(Time::MAX),
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
    }
}
