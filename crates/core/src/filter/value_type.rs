//! The types that `$type` distinguishes, with MongoDB's names and numbers, and ours.

use crate::Kind;
use crate::Result;
use crate::node::{Node, Shape};

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
}

const NUMBERS: &[ValueType] = &[ValueType::Double, ValueType::Int, ValueType::Long];
const INTEGERS: &[ValueType] = &[ValueType::Int, ValueType::Long];

/// All names, those of MongoDB first, and what they stand for.
const NAMES: [(&str, &[ValueType]); 16] = [
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
        let types = NAMES.iter().take(10).flat_map(|(_, types)| *types);
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
            Kind::Bytes => Self::BinData,
            Kind::Time => Self::Date,
            Kind::Array => Self::Array,
            Kind::Object => Self::Object,
        })
    }
}
