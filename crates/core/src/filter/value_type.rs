//! The types that `$type` distinguishes, with MongoDB's names and numbers, and ours.

use crate::node::{Node, Shape};
use crate::{ForeignKind, Kind, Result};

/// A type of `$type`.
///
/// Integers are one type here. `int` and `long` distinguish them as MongoDB's drivers store
/// them: an integer that fits 32 bits is an `int`, and any other a `long`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueType {
    /// A float: `double` (1), `float`.
    Double,
    /// `string` (2).
    String,
    /// `object` (3).
    Object,
    /// `array` (4).
    Array,
    /// Bytes: `binData` (5), `bytes`.
    BinData,
    /// `bool` (8).
    Bool,
    /// A time: `date` (9), `time`.
    Date,
    /// `null` (10).
    Null,
    /// An integer of 32 bits: `int` (16), `integer` together with `long`.
    Int,
    /// An integer that needs more: `long` (18), `integer` together with `int`.
    Long,
    /// An ObjectId: `objectId` (7).
    ObjectId,
    /// A decimal: `decimal` (19).
    Decimal,
    /// A type that nothing here computes with: `minKey` (-1), `undefined` (6), `regex` (11),
    /// `dbPointer` (12), `javascript` (13), `symbol` (14), `javascriptWithScope` (15), `timestamp` (17),
    /// `maxKey` (127).
    Foreign(ForeignKind),
}

const NUMBERS: &[ValueType] =
    &[ValueType::Double, ValueType::Int, ValueType::Long, ValueType::Decimal];
const INTEGERS: &[ValueType] = &[ValueType::Int, ValueType::Long];

/// All names, those of MongoDB first, and what they stand for.
const NAMES: [(&str, &[ValueType]); 27] = [
    ("double", &[ValueType::Double]),
    ("string", &[ValueType::String]),
    ("object", &[ValueType::Object]),
    ("array", &[ValueType::Array]),
    ("binData", &[ValueType::BinData]),
    ("bool", &[ValueType::Bool]),
    ("date", &[ValueType::Date]),
    ("null", &[ValueType::Null]),
    ("int", &[ValueType::Int]),
    ("long", &[ValueType::Long]),
    ("objectId", &[ValueType::ObjectId]),
    ("decimal", &[ValueType::Decimal]),
    ("minKey", &[ValueType::Foreign(ForeignKind::MinKey)]),
    ("undefined", &[ValueType::Foreign(ForeignKind::Undefined)]),
    ("regex", &[ValueType::Foreign(ForeignKind::Regex)]),
    ("dbPointer", &[ValueType::Foreign(ForeignKind::DbPointer)]),
    ("javascript", &[ValueType::Foreign(ForeignKind::JavaScript)]),
    ("symbol", &[ValueType::Foreign(ForeignKind::Symbol)]),
    ("javascriptWithScope", &[ValueType::Foreign(ForeignKind::JavaScriptWithScope)]),
    ("timestamp", &[ValueType::Foreign(ForeignKind::Timestamp)]),
    ("maxKey", &[ValueType::Foreign(ForeignKind::MaxKey)]),
    ("number", NUMBERS),
    ("float", &[ValueType::Double]),
    ("integer", INTEGERS),
    ("time", &[ValueType::Date]),
    ("bytes", &[ValueType::BinData]),
    ("boolean", &[ValueType::Bool]),
];

impl ValueType {
    /// The name, which is MongoDB's.
    pub fn name(self) -> &'static str {
        let named = |(_, types): &&(&str, &[Self])| types == &[self];
        NAMES.iter().find(named).map(|(name, _)| *name).expect("every type has a name")
    }

    /// MongoDB's number.
    pub const fn number(self) -> i64 {
        match self {
            Self::Double => 1,
            Self::String => 2,
            Self::Object => 3,
            Self::Array => 4,
            Self::BinData => 5,
            Self::Bool => 8,
            Self::Date => 9,
            Self::Null => 10,
            Self::Int => 16,
            Self::Long => 18,
            Self::ObjectId => 7,
            Self::Decimal => 19,
            Self::Foreign(kind) => match kind {
                ForeignKind::MinKey => -1,
                ForeignKind::Undefined => 6,
                ForeignKind::Regex => 11,
                ForeignKind::DbPointer => 12,
                ForeignKind::JavaScript => 13,
                ForeignKind::Symbol => 14,
                ForeignKind::JavaScriptWithScope => 15,
                ForeignKind::Timestamp => 17,
                ForeignKind::MaxKey => 127,
            },
        }
    }

    /// A number of its own in hashes of filters.
    pub(super) const fn tag(self) -> u8 {
        match self {
            Self::Double => 0,
            Self::String => 1,
            Self::Object => 2,
            Self::Array => 3,
            Self::BinData => 4,
            Self::Bool => 5,
            Self::Date => 6,
            Self::Null => 7,
            Self::Int => 8,
            Self::Long => 9,
            Self::ObjectId => 10,
            Self::Decimal => 11,
            Self::Foreign(kind) => 12 + kind.code(),
        }
    }

    /// The types that a name stands for.
    pub(super) fn named(name: &str) -> Option<&'static [Self]> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, types)| *types)
    }

    /// All names.
    pub(super) fn names() -> [&'static str; NAMES.len()] {
        NAMES.map(|(name, _)| name)
    }

    /// The type with MongoDB's number.
    pub(super) fn numbered(number: i64) -> Option<Self> {
        let types = NAMES.iter().flat_map(|(_, types)| *types);
        types.copied().find(|one| one.number() == number)
    }

    /// The type of a value.
    pub(super) fn of<'a, N: Node<'a>>(node: N) -> Result<Self> {
        Ok(match node.kind() {
            Kind::Null => Self::Null,
            Kind::Bool => Self::Bool,
            Kind::Int => match node.shape(0)? {
                Shape::Int(value) if i32::try_from(value).is_ok() => Self::Int,
                _ => Self::Long,
            },
            Kind::UInt => Self::Long,
            Kind::Float => Self::Double,
            Kind::String => Self::String,
            Kind::Bytes | Kind::Binary => Self::BinData,
            Kind::ObjectId => Self::ObjectId,
            Kind::Decimal => Self::Decimal,
            Kind::Foreign(kind) => Self::Foreign(kind),
            Kind::Time => Self::Date,
            Kind::Array => Self::Array,
            Kind::Object => Self::Object,
        })
    }
}
