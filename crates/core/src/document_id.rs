//! Document ids: which values can be one, and the bytes by which they are stored and sorted.
//!
//! ```text
//! id                     bytes
//! number < 0, 0, > 0     01, 02, 03, and what follows 21, 22, 23 in a key
//! text                   the text itself, which begins with 20 to 7e, or c2 to f4
//! UUID                   f5 and its 16 bytes
//! ObjectId               f6 and its 12 bytes
//! false, true            f7, f8
//! time                   f9, and 8 bytes, big-endian: microseconds since 1970, with the sign bit
//!                        inverted
//! ```
//!
//! Comparing the bytes gives the one total order of values ([`order`](crate::order)); a number is
//! drawn in [`key`]. Of equal numbers there is one id: `1.0` is the id `1`. No id is the
//! beginning of another one, unless both are texts.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use smallvec::SmallVec;

use crate::error::shortened;
use crate::key::{self, Direction, decode_key, encode_key_value};
use crate::limits::DOCUMENT_ID_BYTES_MAX;
use crate::node::Shape;
use crate::{BinaryRef, Decimal, Error, Kind, ObjectId, Result, Time, Uuid, Value};

/// The distance from the first bytes of numbers in keys to those in ids.
const NUMBER_SHIFT: u8 = 0x20;
const CHECKED: &str = "the bytes of an id are checked when it is made";
const NUMBERS: std::ops::RangeInclusive<u8> = 0x01..=0x03;
const TEXTS: std::ops::RangeInclusive<u8> = 0x20..=0xf4;
const UUID: u8 = 0xf5;
const OBJECT_ID: u8 = 0xf6;
const FALSE: u8 = 0xf7;
const TRUE: u8 = 0xf8;
const TIME: u8 = 0xf9;

/// The id of a document within its collection.
///
/// Any scalar value: text, a number, an ObjectId, a UUID, a bool or a time, but neither null nor NaN.
/// Ids sort as values do, and numbers are one id if they are equal: `1.0` is read back as `1`. Text has 1 to 512 bytes
/// of UTF-8 without control characters (U+0000 to U+001F, and U+007F), since ids end up in URLs, logs
/// and terminals.
///
/// ```
/// use velocitydb_core::{DocumentId, Value};
///
/// let id = DocumentId::new("user/alice")?;
/// assert_eq!(id.as_str(), Some("user/alice"));
/// assert!(DocumentId::new(7)? < DocumentId::new("7")?);
/// assert_eq!(DocumentId::new(1)?, DocumentId::new(1.0)?);
/// assert!(DocumentId::new("").is_err() && DocumentId::new(Value::Null).is_err());
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Clone)]
pub struct DocumentId(Owned);

#[derive(Clone)]
enum Owned {
    Text(Box<str>),
    /// Boxed so that an id is no larger than a text.
    Other(Box<SmallVec<[u8; 24]>>),
}

/// A borrowed [`DocumentId`].
#[derive(Clone, Copy)]
pub struct IdRef<'a>(Borrowed<'a>);

#[derive(Clone, Copy)]
enum Borrowed<'a> {
    Text(&'a str),
    Other(&'a [u8]),
}

impl DocumentId {
    /// Takes a value as an id; [`Error::InvalidDocumentId`] says why it cannot be one.
    pub fn new(id: impl IntoDocumentId) -> Result<Self> {
        id.into_document_id()
    }

    /// Reads the bytes of an id, which need not be trusted.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let id = Self::of_value(&IdRef::from_bytes(bytes)?.to_value())?;
        if id.as_bytes() == bytes { Ok(id) } else { Err(malformed()) }
    }

    /// The id, borrowed.
    #[inline]
    pub fn by_ref(&self) -> IdRef<'_> {
        IdRef(match &self.0 {
            Owned::Text(text) => Borrowed::Text(text),
            Owned::Other(bytes) => Borrowed::Other(bytes),
        })
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Owned::Text(text) => Some(text),
            Owned::Other(_) => None,
        }
    }

    /// The bytes, which sort as ids do.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Owned::Text(text) => text.as_bytes(),
            Owned::Other(bytes) => bytes,
        }
    }

    /// The value.
    pub fn to_value(&self) -> Value {
        self.by_ref().to_value()
    }

    /// The lowest bytes of ids that are not below a bound of components of keys: a component, or
    /// bytes between two of them.
    pub fn bound(component: &[u8]) -> Vec<u8> {
        let Some((first, rest)) = component.split_first() else { return Vec::new() };
        let with = |first: u8, rest: &[u8]| [&[first], rest].concat();
        match *first {
            first @ key::NEGATIVE..=key::POSITIVE => with(first - NUMBER_SHIFT, rest),
            key::STRING => unescaped(vec![], rest).max(vec![NUMBERS.end() + 1]),
            key::BINARY => match rest.split_first() {
                Some((&Uuid::SUBTYPE, rest)) => unescaped(vec![UUID], rest),
                Some((Uuid::SUBTYPE.., _)) => vec![OBJECT_ID],
                _ => vec![UUID],
            },
            key::OBJECT_ID => with(OBJECT_ID, rest),
            key::FALSE => with(FALSE, rest),
            key::TRUE => with(TRUE, rest),
            key::TIME => with(TIME, rest),
            first if first < key::NEGATIVE => Vec::new(),
            first if first < key::STRING => vec![NUMBERS.end() + 1],
            first if first < key::BINARY => vec![UUID],
            first if first < key::OBJECT_ID => vec![OBJECT_ID],
            first if first < key::FALSE => vec![FALSE],
            first if first < key::TIME => vec![TIME],
            _ => vec![TIME + 1],
        }
    }

    fn of_text(text: impl Into<Box<str>> + AsRef<str>) -> Result<Self> {
        check_text(text.as_ref())?;
        Ok(Self(Owned::Text(text.into())))
    }

    fn of_value(value: &Value) -> Result<Self> {
        let component = || {
            let mut component = Vec::new();
            encode_key_value(value, Direction::Ascending, &mut component);
            component
        };
        let bytes = match value {
            Value::String(text) => return Self::of_text(text.as_str()),
            Value::Bool(value) => vec![if *value { TRUE } else { FALSE }],
            Value::Float(float) if float.is_nan() => {
                return Err(invalid(value, "it is not a number"));
            }
            Value::Decimal(decimal) if decimal.is_nan() => {
                return Err(invalid(value, "it is not a number"));
            }
            Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Decimal(_) => {
                let mut bytes = component();
                bytes[0] -= NUMBER_SHIFT;
                bytes
            }
            Value::Time(_) => {
                let mut bytes = component();
                bytes[0] = TIME;
                bytes
            }
            Value::ObjectId(id) => [&[OBJECT_ID], &id.as_bytes()[..]].concat(),
            Value::Binary(_) if let Some(id) = value.as_uuid() => {
                [&[UUID], &id.as_bytes()[..]].concat()
            }
            Value::Null
            | Value::Bytes(_)
            | Value::Binary(_)
            | Value::Foreign(_)
            | Value::Array(_)
            | Value::Object(_) => {
                let problem = format!("its type is {}, which ids cannot have", value.kind());
                return Err(invalid(value, &problem));
            }
        };
        Ok(Self(Owned::Other(Box::new(SmallVec::from_slice(&bytes)))))
    }
}

fn invalid(value: &Value, problem: &str) -> Error {
    Error::InvalidDocumentId {
        id: shortened(&value.to_string()),
        problem: problem.to_owned().into(),
    }
}

fn malformed() -> Error {
    Error::corrupt("the id of a document is malformed")
}

fn check_text(id: &str) -> Result<()> {
    let problem = if id.is_empty() {
        "it is empty"
    } else if id.len() > DOCUMENT_ID_BYTES_MAX {
        "it is longer than 512 bytes"
    } else if id.bytes().any(|byte| byte.is_ascii_control()) {
        "it contains a control character"
    } else {
        return Ok(());
    };
    Err(Error::InvalidDocumentId { id: shortened(id), problem: problem.into() })
}

impl<'a> IdRef<'a> {
    /// Takes a text that is a valid id, without a check.
    #[inline]
    pub const fn of_text(text: &'a str) -> Self {
        Self(Borrowed::Text(text))
    }

    /// Reads the bytes of an id. Their content is not checked: it was when the id was made.
    #[inline]
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self> {
        match bytes.first() {
            Some(first) if TEXTS.contains(first) => {
                let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
                Ok(Self(Borrowed::Text(text)))
            }
            _ => {
                value_of(bytes).ok_or_else(malformed)?;
                Ok(Self(Borrowed::Other(bytes)))
            }
        }
    }

    /// The text, if this is one.
    #[inline]
    pub const fn as_str(self) -> Option<&'a str> {
        match self.0 {
            Borrowed::Text(text) => Some(text),
            Borrowed::Other(_) => None,
        }
    }

    /// The bytes, which sort as ids do.
    #[inline]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self.0 {
            Borrowed::Text(text) => text.as_bytes(),
            Borrowed::Other(bytes) => bytes,
        }
    }

    /// The value.
    pub fn to_value(self) -> Value {
        match self.0 {
            Borrowed::Text(text) => text.into(),
            Borrowed::Other(bytes) => value_of(bytes).expect(CHECKED),
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0 {
            Borrowed::Text(_) => Kind::String,
            Borrowed::Other(_) => self.to_value().kind(),
        }
    }

    /// The type and content of the value.
    pub(crate) fn shape<Items, Fields>(self) -> Shape<'a, Items, Fields> {
        let bytes = match self.0 {
            Borrowed::Text(text) => return Shape::String(text),
            Borrowed::Other(bytes) => bytes,
        };
        match value_of(bytes).expect(CHECKED) {
            Value::Bool(value) => Shape::Bool(value),
            Value::Int(value) => Shape::Int(value),
            Value::UInt(value) => Shape::UInt(value),
            Value::Float(value) => Shape::Float(value),
            Value::Time(value) => Shape::Time(value),
            Value::Decimal(value) => Shape::Decimal(value),
            Value::ObjectId(value) => Shape::ObjectId(value),
            Value::Binary(value) => {
                Shape::Binary(BinaryRef { subtype: value.subtype(), bytes: &bytes[1..] })
            }
            value => unreachable!("no id is {value}"),
        }
    }

    /// The id, copied.
    pub fn to_owned(self) -> DocumentId {
        DocumentId(match self.0 {
            Borrowed::Text(text) => Owned::Text(text.into()),
            Borrowed::Other(bytes) => Owned::Other(Box::new(SmallVec::from_slice(bytes))),
        })
    }
}

/// Appends escaped bytes of a component, which may be cut off, or end right above it.
fn unescaped(mut bytes: Vec<u8>, component: &[u8]) -> Vec<u8> {
    let mut rest = component.iter();
    while let Some(&byte) = rest.next() {
        match byte {
            key::END => break,
            key::ESCAPE => match rest.next() {
                Some(escaped) => bytes.push(escaped - 1),
                None => bytes.push(0),
            },
            byte => bytes.push(byte),
        }
    }
    bytes
}

/// The value of the bytes of an id that is not text.
fn value_of(bytes: &[u8]) -> Option<Value> {
    let (first, rest) = bytes.split_first()?;
    match *first {
        UUID => <[u8; 16]>::try_from(rest).ok().map(|bytes| Uuid::from(bytes).into()),
        OBJECT_ID => <[u8; 12]>::try_from(rest).ok().map(|bytes| ObjectId::from(bytes).into()),
        FALSE | TRUE if rest.is_empty() => Some(Value::Bool(*first == TRUE)),
        TIME => {
            let sortable = i64::from_be_bytes(rest.try_into().ok()?);
            Time::from_micros(sortable ^ i64::MIN).ok().map(Value::Time)
        }
        number if NUMBERS.contains(&number) => {
            let mut component = bytes.to_vec();
            component[0] += NUMBER_SHIFT;
            let (value, length) = decode_key(&component, Direction::Ascending).ok()?;
            (length == bytes.len()).then_some(value)
        }
        _ => None,
    }
}

impl PartialEq for IdRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for IdRef<'_> {}

impl PartialOrd for IdRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for IdRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for IdRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for IdRef<'_> {
    /// A text as it is, and any other id as its value is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_value() {
            Value::String(text) => f.pad(&text),
            Value::Time(time) => f.pad(&time.to_string()),
            Value::ObjectId(id) => f.pad(&id.to_string()),
            Value::Decimal(number) => f.pad(&number.to_string()),
            value => match value.as_uuid() {
                Some(id) => f.pad(&id.to_string()),
                None => f.pad(&value.to_string()),
            },
        }
    }
}

impl fmt::Debug for IdRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(f)
    }
}

impl PartialEq for DocumentId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for DocumentId {}

impl PartialOrd for DocumentId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DocumentId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for DocumentId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialEq<str> for DocumentId {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for DocumentId {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(other)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.by_ref().fmt(f)
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DocumentId").field(&self.by_ref()).finish()
    }
}

impl FromStr for DocumentId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::of_text(text)
    }
}

impl TryFrom<&str> for DocumentId {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        Self::of_text(text)
    }
}

impl TryFrom<String> for DocumentId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::of_text(text)
    }
}

impl<'a> From<&'a DocumentId> for IdRef<'a> {
    fn from(id: &'a DocumentId) -> Self {
        id.by_ref()
    }
}

impl From<IdRef<'_>> for Value {
    fn from(id: IdRef<'_>) -> Self {
        id.to_value()
    }
}

impl From<DocumentId> for Value {
    fn from(id: DocumentId) -> Self {
        id.to_value()
    }
}

impl From<&DocumentId> for Value {
    fn from(id: &DocumentId) -> Self {
        id.to_value()
    }
}

/// What can be the id of a document: text, numbers, bools and times, values of these types, and ids.
pub trait IntoDocumentId {
    /// The id; [`Error::InvalidDocumentId`] says why this cannot be one.
    fn into_document_id(self) -> Result<DocumentId>;
}

macro_rules! into_document_id {
    ($($type:ty, |$id:ident| $convert:expr;)*) => {$(
        impl IntoDocumentId for $type {
            fn into_document_id(self) -> Result<DocumentId> {
                let $id = self;
                $convert
            }
        }
    )*};
}

into_document_id! {
    &str, |id| DocumentId::of_text(id);
    &&str, |id| DocumentId::of_text(*id);
    String, |id| DocumentId::of_text(id);
    &String, |id| DocumentId::of_text(id.as_str());
    Cow<'_, str>, |id| DocumentId::of_text(id);
    DocumentId, |id| Ok(id);
    &DocumentId, |id| Ok(id.clone());
    IdRef<'_>, |id| Ok(id.to_owned());
    Value, |id| DocumentId::of_value(&id);
    &Value, |id| DocumentId::of_value(id);
}

macro_rules! scalars {
    ($($type:ty)*) => {$(
        impl IntoDocumentId for $type {
            fn into_document_id(self) -> Result<DocumentId> {
                DocumentId::of_value(&Value::from(self))
            }
        }
    )*};
}

scalars! { i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 bool Decimal ObjectId Uuid Time }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    fn id(value: impl IntoDocumentId) -> DocumentId {
        DocumentId::new(value).unwrap()
    }

    #[test]
    fn texts_are_checked() {
        for text in ["a", "0", "Ünïcödé 🚀", " ", "$id", "a.b/c", &"x".repeat(512)] {
            assert_eq!(id(text).as_str(), Some(text));
        }
        for (text, problem) in [
            ("", "it is empty"),
            ("a\0b", "control character"),
            ("a\n", "control character"),
            (&*"é".repeat(257), "longer than 512 bytes"),
        ] {
            let error = DocumentId::new(text).unwrap_err().to_string();
            assert!(error.contains(problem) && error.len() < 200, "{error}");
        }
        for value in [value!(null), value!([1]), value!({ "a": 1 }), value!(f64::NAN)] {
            assert!(DocumentId::new(&value).is_err(), "{value}");
        }
    }

    /// In their order.
    fn ids() -> Vec<Value> {
        vec![
            value!(f64::NEG_INFINITY),
            value!(i64::MIN),
            value!(-1.5),
            value!(-1),
            value!(0),
            value!(Decimal::new(1, -1).unwrap()),
            value!(0.5),
            value!(1),
            value!(300),
            value!(u64::MAX),
            value!(1e300),
            value!(f64::INFINITY),
            value!(" "),
            value!("1"),
            value!("a"),
            value!("a\u{10ffff}"),
            value!("aa"),
            value!("é"),
            value!("\u{10ffff}"),
            value!(Uuid::from([0; 16])),
            value!(Uuid::from([1; 16])),
            value!(Uuid::from([255; 16])),
            value!(ObjectId::from([0; 12])),
            value!(ObjectId::from([255; 12])),
            value!(false),
            value!(true),
            value!(Time::MIN),
            value!(Time::UNIX_EPOCH),
            value!(Time::MAX),
        ]
    }

    #[test]
    fn ids_sort_as_values_and_come_back() {
        for one in &ids() {
            let here = id(one);
            assert!(here.to_value().is_identical(one), "{one}");
            let read = DocumentId::from_bytes(here.as_bytes()).unwrap();
            assert!(read == here && read.to_value().is_identical(one));
            for other in &ids() {
                let there = id(other);
                assert_eq!(here.cmp(&there), one.cmp(other), "{one} {other}");
                let is_prefix = there.as_bytes().starts_with(here.as_bytes()) && here != there;
                assert!(!is_prefix || here.as_str().and(there.as_str()).is_some());
            }
        }
        assert_eq!(id(1), id(1.0));
        assert_eq!(size_of::<DocumentId>(), size_of::<Box<str>>());
        assert_eq!(id(0), id(-0.0));
        assert_ne!(id(1), id("1"));
    }

    #[test]
    fn bytes_that_are_no_id_are_corrupt() {
        for bytes in [
            &b""[..],
            b"\0",
            b"\x01",
            b"\x02\0",
            b"\x03\0\0",
            b"\xf5",
            b"\xf7a",
            b"\xf9\0",
            b"\xff",
            b"a\xff",
        ] {
            assert!(IdRef::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn ids_are_printed_as_users_know_them() {
        let shown = |value: Value| id(value).to_string();
        assert_eq!(shown(value!("a b")), "a b");
        assert_eq!(shown(value!(42)), "42");
        assert_eq!(shown(value!(true)), "true");
        assert_eq!(shown(value!(Time::UNIX_EPOCH)), "1970-01-01T00:00:00Z");
        assert_eq!(format!("{:?}", id("a")), r#"DocumentId("a")"#);
    }
}
