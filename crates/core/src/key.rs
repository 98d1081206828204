//! The order-preserving encoding of values as keys: comparing the bytes gives the one total order
//! of [`order`](crate::order). Index entries consist of it.
//!
//! A key is a sequence of components, one for each value. Every component is self-delimiting, so
//! that components can follow each other, and anything can follow the last one. No component is a
//! prefix of another one. A descending component is the ascending one with all bits inverted.
//!
//! ```text
//! value          component
//! MinKey         0c
//! undefined      0e
//! null           10
//! NaN            20
//! number < 0     21 and the exponent and mantissa of its negation, all bits inverted
//! zero           22
//! number > 0     23 exponent mantissa
//! string         30 escaped 00
//! symbol         38 escaped 00
//! object         40 (01 name-escaped 00 value)… 00
//! array          50 value… 00
//! bytes          60 escaped 00
//! binary         61 subtype escaped 00; subtype 0 is bytes
//! ObjectId       68 and its 12 bytes
//! false, true    70, 71
//! time           80 and 8 bytes, big-endian: microseconds since 1970, with the sign bit inverted
//! timestamp      88 escaped 00
//! regular expression  90, DBPointer  98, JavaScript  a0, JavaScript with scope  a8: each escaped 00
//! MaxKey         f0
//! ```
//!
//! What is escaped of a type that nothing computes with is its payload, which
//! [`Foreign`] describes.
//!
//! *escaped* text or bytes have `01 01` for 00 and `01 02` for 01.
//!
//! Two components represent no value, and sort before all values. They occur on their own, never
//! inside of an array or object; other first bytes below 10 are unused.
//!
//! ```text
//! 04    an array without elements, in the key of a sort: there is no element to sort by
//! 08    nothing: the field is missing
//! ```
//!
//! A number is encoded exactly, whatever its type. Every integer and float here is `m · 2^e` with
//! `1 <= m < 2` and a fraction of at most 63 bits.
//!
//! ```text
//! exponent    2 bytes, big-endian: e + 1075; 2099 for infinity
//! mantissa    the bits of m after the point, 7 in a byte from the top, as few bytes as will do,
//!             at least one: ┌───────┬──────┐
//!                           │ 7 bits│ more │   more = 1 if something follows
//!                           └───────┴──────┘
//! ```
//!
//! A decimal can have more bits, and can be larger or smaller. Of a mantissa at most 126 bits are
//! written, which are 18 bytes, and if others follow, a byte 00 that says so. That is enough to keep
//! all numbers apart, and to find the decimal again: `magnitude.rs` says why.
//!
//! ```text
//! e          exponent and mantissa
//! -1075      0000 and e + 32768 in 2 bytes, mantissa       below every float but zero
//! and less
//! 1024       2098, 18 bytes ff, ff, e in 2 bytes, mantissa  above every float but infinity: no
//! and more                                                  other number has an ff there
//! ```

mod number;

use crate::container::ensure;
use crate::decimal::Sign;
use crate::limits::DEPTH_MAX;
use crate::magnitude::Magnitude;
use crate::node::{Node, Shape};
use crate::{BinaryRef, Decimal, Error, Foreign, ForeignKind, Object, ObjectId, RawForeign};
use crate::{RawValue, Result, Time, Value};

const EMPTY: u8 = 0x04;
const MISSING: u8 = 0x08;
const MIN_KEY: u8 = 0x0c;
const UNDEFINED: u8 = 0x0e;
const NULL: u8 = 0x10;
const NAN: u8 = 0x20;
pub(crate) const NEGATIVE: u8 = 0x21;
const ZERO: u8 = 0x22;
pub(crate) const POSITIVE: u8 = 0x23;
pub(crate) const STRING: u8 = 0x30;
const SYMBOL: u8 = 0x38;
const OBJECT: u8 = 0x40;
const ARRAY: u8 = 0x50;
const BYTES: u8 = 0x60;
pub(crate) const BINARY: u8 = 0x61;
pub(crate) const OBJECT_ID: u8 = 0x68;
pub(crate) const FALSE: u8 = 0x70;
pub(crate) const TRUE: u8 = 0x71;
pub(crate) const TIME: u8 = 0x80;
const TIMESTAMP: u8 = 0x88;
const REGEX: u8 = 0x90;
const DB_POINTER: u8 = 0x98;
const JAVASCRIPT: u8 = 0xa0;
const JAVASCRIPT_WITH_SCOPE: u8 = 0xa8;
const MAX_KEY: u8 = 0xf0;

pub(crate) const END: u8 = 0x00;
pub(crate) const ESCAPE: u8 = 0x01;
const FIELD: u8 = 0x01;

/// In which direction a component of a key sorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Smaller values first.
    #[default]
    Ascending,
    /// Larger values first.
    Descending,
}

impl Direction {
    /// `1` or `-1`, as MongoDB writes it.
    pub const fn sign(self) -> i64 {
        match self {
            Self::Ascending => 1,
            Self::Descending => -1,
        }
    }

    /// The mask that each byte of an ascending component is XORed with.
    const fn mask(self) -> u8 {
        match self {
            Self::Ascending => 0x00,
            Self::Descending => 0xff,
        }
    }
}

/// Appends the component for an encoded value. On an error, the key is left as it was.
pub fn encode_key(value: RawValue<'_>, direction: Direction, key: &mut Vec<u8>) -> Result<()> {
    encode_node(value, direction, key)
}

/// Appends the component for any value. On an error, the key is left as it was.
pub(crate) fn encode_node<'a>(
    value: impl Node<'a>,
    direction: Direction,
    key: &mut Vec<u8>,
) -> Result<()> {
    let start = key.len();
    if let Err(error) = append(value, 0, key) {
        key.truncate(start);
        return Err(error);
    }
    invert(&mut key[start..], direction);
    Ok(())
}

/// Appends the component for a value.
///
/// ```
/// use velocitydb_core::key::{Direction, encode_key_value};
/// use velocitydb_core::{Value, value};
///
/// let key = |value: Value| {
///     let mut key = Vec::new();
///     encode_key_value(&value, Direction::Ascending, &mut key);
///     key
/// };
/// assert!(key(value!(-1)) < key(value!(0.5)));
/// assert!(key(value!(u64::MAX)) < key(value!("a")));
/// assert_eq!(key(value!([1, 2.0])), key(value!([1.0, 2])));
/// ```
pub fn encode_key_value(value: &Value, direction: Direction, key: &mut Vec<u8>) {
    let start = key.len();
    append(value, 0, key).expect("owned values can always be read");
    invert(&mut key[start..], direction);
}

/// Appends the component for a field that is missing, which sorts before null.
pub fn encode_missing(direction: Direction, key: &mut Vec<u8>) {
    key.push(MISSING ^ direction.mask());
}

/// Appends the component for an array without elements in the key of a sort, which sorts before a
/// missing field.
pub fn encode_empty(direction: Direction, key: &mut Vec<u8>) {
    key.push(EMPTY ^ direction.mask());
}

/// The content of a component of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Component {
    /// An array without elements, in the key of a sort.
    Empty,
    /// Nothing: the field is missing.
    Missing,
    /// A value.
    Value(Value),
}

/// The content of the first component of a key, with a value as from [`decode_key`], and the
/// length of that component.
///
/// ```
/// use velocitydb_core::key::{Component, Direction, decode_component, encode_missing};
///
/// let mut key = Vec::new();
/// encode_missing(Direction::Descending, &mut key);
/// assert_eq!(decode_component(&key, Direction::Descending), Ok((Component::Missing, 1)));
/// ```
pub fn decode_component(key: &[u8], direction: Direction) -> Result<(Component, usize)> {
    match key.first().map(|first| first ^ direction.mask()) {
        Some(EMPTY) => Ok((Component::Empty, 1)),
        Some(MISSING) => Ok((Component::Missing, 1)),
        _ => decode_key(key, direction).map(|(value, length)| (Component::Value(value), length)),
    }
}

/// The length of the first component of a key.
pub fn skip_key(key: &[u8], direction: Direction) -> Result<usize> {
    let mut reader = Reader { rest: key, mask: direction.mask() };
    reader.skip()?;
    Ok(key.len() - reader.rest.len())
}

/// A value that equals the encoded one of the first component of a key, and the length of that
/// component. Whole numbers are returned as integers. Components that represent no value are an
/// error; [`decode_component`] reads them too.
pub fn decode_key(key: &[u8], direction: Direction) -> Result<(Value, usize)> {
    let mut reader = Reader { rest: key, mask: direction.mask() };
    let value = reader.value(0)?;
    Ok((value, key.len() - reader.rest.len()))
}

fn invert(component: &mut [u8], direction: Direction) {
    if direction == Direction::Descending {
        component.iter_mut().for_each(|byte| *byte = !*byte);
    }
}

fn append<'a, N: Node<'a>>(value: N, depth: usize, key: &mut Vec<u8>) -> Result<()> {
    match value.shape(depth)? {
        Shape::Null => key.push(NULL),
        Shape::Bool(value) => key.push(if value { TRUE } else { FALSE }),
        Shape::Int(value) => append_integer(value < 0, value.unsigned_abs(), key),
        Shape::UInt(value) => append_integer(false, value, key),
        Shape::Float(value) => append_float(value, key),
        Shape::String(value) => {
            key.push(STRING);
            append_escaped(value.as_bytes(), key);
        }
        Shape::Decimal(value) => append_decimal(value, key),
        Shape::Bytes(bytes) => append_binary(BinaryRef { subtype: 0, bytes }, key),
        Shape::Binary(value) => append_binary(value, key),
        Shape::ObjectId(value) => {
            key.push(OBJECT_ID);
            key.extend_from_slice(value.as_bytes());
        }
        Shape::Foreign(value) => append_foreign(value, key),
        Shape::Time(value) => {
            key.push(TIME);
            let sortable = value.as_micros() ^ i64::MIN;
            key.extend_from_slice(&sortable.to_be_bytes());
        }
        Shape::Array(mut items) => {
            key.push(ARRAY);
            items.try_for_each(|item| append(item?, depth + 1, key))?;
            key.push(END);
        }
        Shape::Object(fields) => {
            key.push(OBJECT);
            N::by_name(fields).try_for_each(|field| {
                let (name, value) = field?;
                key.push(FIELD);
                append_escaped(name.as_bytes(), key);
                append(value, depth + 1, key)
            })?;
            key.push(END);
        }
    }
    Ok(())
}

fn append_escaped(bytes: &[u8], key: &mut Vec<u8>) {
    for piece in bytes.split_inclusive(|byte| *byte <= ESCAPE) {
        match piece.split_last() {
            Some((escaped @ ..=ESCAPE, plain)) => {
                key.extend_from_slice(plain);
                key.extend_from_slice(&[ESCAPE, escaped + 1]);
            }
            _ => key.extend_from_slice(piece),
        }
    }
    key.push(END);
}

fn append_binary(value: BinaryRef<'_>, key: &mut Vec<u8>) {
    match value.subtype {
        0 => key.push(BYTES),
        subtype => key.extend_from_slice(&[BINARY, subtype]),
    }
    append_escaped(value.bytes, key);
}

/// The first byte of the component of a foreign type.
const fn first_of(kind: ForeignKind) -> u8 {
    match kind {
        ForeignKind::MinKey => MIN_KEY,
        ForeignKind::Undefined => UNDEFINED,
        ForeignKind::Symbol => SYMBOL,
        ForeignKind::Timestamp => TIMESTAMP,
        ForeignKind::Regex => REGEX,
        ForeignKind::DbPointer => DB_POINTER,
        ForeignKind::JavaScript => JAVASCRIPT,
        ForeignKind::JavaScriptWithScope => JAVASCRIPT_WITH_SCOPE,
        ForeignKind::MaxKey => MAX_KEY,
    }
}

fn append_foreign(value: RawForeign<'_>, key: &mut Vec<u8>) {
    key.push(first_of(value.kind()));
    match value.kind() {
        ForeignKind::MinKey | ForeignKind::Undefined | ForeignKind::MaxKey => {}
        _ => append_escaped(value.payload(), key),
    }
}

fn append_integer(negative: bool, magnitude: u64, key: &mut Vec<u8>) {
    match Magnitude::of_integer(magnitude) {
        Some(magnitude) => number::append(magnitude, negative, key),
        None => key.push(ZERO),
    }
}

fn append_float(value: f64, key: &mut Vec<u8>) {
    match Magnitude::of_float(value.abs()) {
        Some(magnitude) => number::append(magnitude, value < 0.0, key),
        None => key.push(if value.is_nan() { NAN } else { ZERO }),
    }
}

fn append_decimal(value: Decimal, key: &mut Vec<u8>) {
    match Magnitude::of_decimal(value) {
        Some(magnitude) => number::append(magnitude, value.is_negative(), key),
        None => key.push(if value.is_nan() { NAN } else { ZERO }),
    }
}

/// The rest of a key that is being read.
struct Reader<'a> {
    rest: &'a [u8],
    mask: u8,
}

impl Reader<'_> {
    fn skip(&mut self) -> Result<()> {
        let mut open = 0_usize;
        loop {
            match self.byte()? {
                END if open > 0 => open -= 1,
                MIN_KEY | UNDEFINED | NULL | NAN | ZERO | FALSE | TRUE | MAX_KEY => {}
                EMPTY | MISSING if open == 0 => {}
                NEGATIVE => drop(self.magnitude(0xff)?),
                POSITIVE => drop(self.magnitude(0x00)?),
                STRING
                | SYMBOL
                | BYTES
                | TIMESTAMP
                | REGEX
                | DB_POINTER
                | JAVASCRIPT
                | JAVASCRIPT_WITH_SCOPE => self.skip_escaped()?,
                BINARY => {
                    self.byte()?;
                    self.skip_escaped()?;
                }
                OBJECT_ID => drop(self.bytes::<12>()?),
                TIME => drop(self.bytes::<8>()?),
                ARRAY | OBJECT => open += 1,
                // An object's entry is its name and a value, and the value is read next.
                FIELD if open > 0 => {
                    self.skip_escaped()?;
                    continue;
                }
                _ => return Err(Error::corrupt("a key has an unknown type")),
            }
            if open == 0 {
                return Ok(());
            }
        }
    }

    fn skip_escaped(&mut self) -> Result<()> {
        while self.byte()? != END {}
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        ensure(depth <= DEPTH_MAX, "a key is nested too deeply")?;
        Ok(match self.byte()? {
            NULL => Value::Null,
            NAN => Value::Float(f64::NAN),
            NEGATIVE => self.number(Sign::Minus)?,
            ZERO => Value::Int(0),
            POSITIVE => self.number(Sign::Plus)?,
            STRING => Value::String(self.text()?),
            BYTES => Value::Bytes(self.escaped()?),
            BINARY => self.binary()?,
            OBJECT_ID => Value::ObjectId(ObjectId::from(self.bytes()?)),
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            TIME => self.time()?,
            ARRAY => {
                let mut items = Vec::new();
                while self.peek()? != END {
                    items.push(self.value(depth + 1)?);
                }
                self.byte()?;
                Value::Array(items)
            }
            OBJECT => Value::Object(self.object(depth)?),
            first => Value::Foreign(self.foreign(first, depth)?),
        })
    }

    fn binary(&mut self) -> Result<Value> {
        let subtype = self.byte()?;
        ensure(subtype != 0, "a key has bytes of no subtype with one")?;
        let bytes = self.escaped()?;
        Ok(Value::Binary(BinaryRef { subtype, bytes: &bytes }.to_binary()))
    }

    fn foreign(&mut self, first: u8, depth: usize) -> Result<Foreign> {
        let kind = ForeignKind::ALL.into_iter().find(|kind| first_of(*kind) == first);
        let kind = kind.ok_or(Error::corrupt("a key has an unknown type"))?;
        let payload = match kind {
            ForeignKind::MinKey | ForeignKind::Undefined | ForeignKind::MaxKey => Vec::new(),
            _ => self.escaped()?,
        };
        let foreign = RawForeign::new(kind, &payload);
        foreign.check(depth)?;
        Ok(foreign.to_foreign())
    }

    fn object(&mut self, depth: usize) -> Result<Object> {
        let mut fields = Vec::new();
        loop {
            match self.byte()? {
                FIELD => fields.push((self.text()?, self.value(depth + 1)?)),
                END => break,
                _ => return Err(Error::corrupt("a key has an object that is cut off")),
            }
        }
        Object::from_sorted(fields).ok_or(Error::corrupt("a key has an object out of order"))
    }

    fn time(&mut self) -> Result<Value> {
        let micros = i64::from_be_bytes(self.bytes()?) ^ i64::MIN;
        let time =
            Time::from_micros(micros).map_err(|_| Error::corrupt("a key has a wrong time"))?;
        Ok(Value::Time(time))
    }

    fn text(&mut self) -> Result<String> {
        String::from_utf8(self.escaped()?).map_err(|_| Error::corrupt("a key has a wrong text"))
    }

    fn escaped(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                END => return Ok(bytes),
                ESCAPE => match self.byte()? {
                    escaped @ 1..=2 => bytes.push(escaped - 1),
                    _ => return Err(Error::corrupt("a key has a wrong escape")),
                },
                byte => bytes.push(byte),
            }
        }
    }

    fn peek(&self) -> Result<u8> {
        let first = self.rest.first().ok_or_else(|| Error::corrupt("a key is cut off"))?;
        Ok(first ^ self.mask)
    }

    fn byte(&mut self) -> Result<u8> {
        let [byte] = self.bytes()?;
        Ok(byte)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) =
            self.rest.split_first_chunk().ok_or_else(|| Error::corrupt("a key is cut off"))?;
        self.rest = rest;
        Ok(bytes.map(|byte| byte ^ self.mask))
    }
}

#[cfg(test)]
mod tests {
    use super::number::BIAS;
    use super::*;
    use crate::{Binary, Uuid, value};

    const DIRECTIONS: [Direction; 2] = [Direction::Ascending, Direction::Descending];

    fn key(value: &Value, direction: Direction) -> Vec<u8> {
        let mut key = Vec::new();
        encode_key_value(value, direction, &mut key);
        key
    }

    /// A value of each foreign type.
    fn foreign(kind: ForeignKind) -> Value {
        let foreign = match kind {
            ForeignKind::MinKey => Foreign::min_key(),
            ForeignKind::Undefined => Foreign::undefined(),
            ForeignKind::Symbol => Foreign::symbol("a\0"),
            ForeignKind::Timestamp => Foreign::timestamp(1, 256),
            ForeignKind::Regex => Foreign::regex("^a", "i").unwrap(),
            ForeignKind::DbPointer => Foreign::db_pointer("a", ObjectId::default()).unwrap(),
            ForeignKind::JavaScript => Foreign::javascript("x"),
            ForeignKind::JavaScriptWithScope => {
                Foreign::javascript_with_scope("x", &crate::object! { "x": [1] }).unwrap()
            }
            ForeignKind::MaxKey => Foreign::max_key(),
        };
        foreign.into()
    }

    /// Numbers around every edge of every type.
    fn edge_numbers() -> Vec<Value> {
        let mut values = vec![value!(f64::NAN), value!(f64::INFINITY), value!(f64::NEG_INFINITY)];
        let mut floats = vec![0.0, -0.0, 0.1, 1.5, f64::MIN_POSITIVE, f64::from_bits(1), f64::MAX];
        for power in -1074..1024 {
            floats.push(2_f64.powi(power / 2) * 2_f64.powi(power - power / 2));
        }
        for float in floats {
            let around = [float.next_down(), float, float.next_up()];
            values.extend(around.into_iter().flat_map(|float| [value!(float), value!(-float)]));
        }
        for text in [
            "0.1",
            "-0.1",
            "1.10",
            "1E-6176",
            "9E-6176",
            "1E-324",
            "1E+308",
            "1.8E+308",
            "-1E+309",
            "1E+6144",
            "9.999999999999999999999999999999999E+6144",
            "1E+22",
            "1E+23",
            "0.5",
            "1.797693134862315708145274237317043E+308",
            "1.797693134862315708145274237317044E+308",
            "0.1000000000000000055511151231257827",
            "0.1000000000000000055511151231257828",
            "1.000000000000000000000000000000001",
            "0.9999999999999999999999999999999999",
            "4.940656458412465441765687928682214E-324",
            "1E-400",
        ] {
            values.push(text.parse::<Decimal>().unwrap().into());
        }
        for shift in 0..64 {
            let power = 1_u64 << shift;
            for integer in [power - 1, power, power + 1, !power, u64::MAX - power] {
                values.extend([
                    value!(integer),
                    value!(integer as i64),
                    value!(-(integer as i128 as i64 >> 1)),
                ]);
            }
        }
        values
    }

    #[test]
    fn numbers_of_all_types_keep_their_order() {
        let mut values = edge_numbers();
        values.sort();
        for direction in DIRECTIONS {
            let keys: Vec<_> = values.iter().map(|value| key(value, direction)).collect();
            for (values, keys) in values.windows(2).zip(keys.windows(2)) {
                let expected = match direction {
                    Direction::Ascending => values[0].cmp(&values[1]),
                    Direction::Descending => values[1].cmp(&values[0]),
                };
                assert_eq!(keys[0].cmp(&keys[1]), expected, "{values:?}");
            }
        }
    }

    #[test]
    fn components_come_back_and_know_their_end() {
        let mut values = edge_numbers();
        values.extend(ForeignKind::ALL.map(foreign));
        values.extend([
            value!(null),
            value!(ObjectId::from([0; 12])),
            value!(Uuid::from([1; 16])),
            value!([Binary::new(0x80, [0, 1, 2]), Binary::new(1, [])]),
            value!([{ "a": (foreign(ForeignKind::MaxKey)) }]),
            value!(["", "a\0\u{1}\u{2}b", [], {}, { "": { "\0": true } }, false]),
            value!(crate::Bytes((0..=255).collect())),
            value!([Time::MIN, Time::UNIX_EPOCH, Time::MAX]),
        ]);
        for value in values {
            for direction in DIRECTIONS {
                let mut key = key(&value, direction);
                let length = key.len();
                key.extend_from_slice(&[0x00, 0xff, 0x01]);
                assert_eq!(skip_key(&key, direction), Ok(length), "{value:?}");
                assert_eq!(decode_key(&key, direction), Ok((value.clone(), length)));
                for cut in 0..length {
                    assert!(skip_key(&key[..cut], direction).is_err(), "{value:?} {cut}");
                    assert!(decode_key(&key[..cut], direction).is_err(), "{value:?} {cut}");
                }
            }
        }
    }

    #[test]
    fn components_without_a_value_sort_first_and_stand_alone() {
        for direction in DIRECTIONS {
            let (mut empty, mut missing) = (Vec::new(), Vec::new());
            encode_empty(direction, &mut empty);
            encode_missing(direction, &mut missing);
            let null = key(&Value::Null, direction);
            let mut sorted = vec![null.clone(), empty.clone(), missing.clone()];
            sorted.sort();
            if direction == Direction::Descending {
                sorted.reverse();
            }
            assert_eq!(sorted, [empty.clone(), missing.clone(), null]);
            for (key, component) in [(empty, Component::Empty), (missing, Component::Missing)] {
                assert_eq!(skip_key(&key, direction), Ok(1));
                assert_eq!(decode_component(&key, direction), Ok((component, 1)));
                assert!(decode_key(&key, direction).is_err());
                let inside = [&[ARRAY ^ direction.mask()], &key[..], &[direction.mask()]].concat();
                assert!(skip_key(&inside, direction).is_err());
            }
        }
    }

    #[test]
    fn bytes_are_as_documented() {
        for (value, bytes) in [
            (value!(null), &[0x10][..]),
            (value!(1), &[0x23, 0x04, 0x33, 0x00]),
            (value!(-1), &[0x21, 0xfb, 0xcc, 0xff]),
            (value!(3), &[0x23, 0x04, 0x34, 0x80]),
            (value!("a\0"), &[0x30, b'a', 0x01, 0x01, 0x00]),
            (value!([true]), &[0x50, 0x71, 0x00]),
            (value!({ "a": null }), &[0x40, 0x01, b'a', 0x00, 0x10, 0x00]),
            (value!(Time::UNIX_EPOCH), &[0x80, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            (value!(Decimal::ONE), &[0x23, 0x04, 0x33, 0x00]),
            (value!(Binary::new(5, [0])), &[0x61, 0x05, 0x01, 0x01, 0x00]),
            (foreign(ForeignKind::MinKey), &[0x0c]),
            (value!(Foreign::symbol("a")), &[0x38, b'a', 0x00]),
            (
                value!(Foreign::timestamp(0, 2)),
                &[0x88, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0],
            ),
        ] {
            assert_eq!(key(&value, Direction::Ascending), bytes, "{value:?}");
        }
    }

    #[test]
    fn numbers_that_no_type_holds_are_corrupt() {
        let exponent = |exponent: i32| ((exponent + BIAS) as u16).to_be_bytes();
        for (exponent, mantissa) in [
            (exponent(126), &[[0x01; 17].as_slice(), &[0x02]].concat()[..]),
            (exponent(-1074), &[0x80]),
            (exponent(1024), &[0x80]),
            (exponent(1025), &[0x00]),
            (exponent(2000), &[0x00]),
            (exponent(-1075), &[0x04, 0x33, 0x00]),
            (exponent(1023), &[[0xff; 19].as_slice(), &[0x03, 0xff, 0x00]].concat()),
            (exponent(0), &[[0x01; 18].as_slice(), &[0xff, 0x04, 0x00, 0x00]].concat()),
            (exponent(0), &[[0x01; 18].as_slice(), &[0x00]].concat()),
            (exponent(-1075), &[0x00]),
            (exponent(0), &[0x01; 10]),
        ] {
            let key = [&[POSITIVE], &exponent[..], mantissa].concat();
            assert!(decode_key(&key, Direction::Ascending).is_err(), "{key:?}");
        }
    }
}
