//! Parts of the encoding: its tags, the choices that make it canonical, and the names that fields may
//! have. [`codec`](crate::codec) draws its bytes.

use crate::limits::{DEPTH_MAX, FIELD_NAME_BYTES_MAX, PATH_BYTES_MAX};

/// The tags, and the choices that make the encoding canonical.
pub(crate) mod tag {
    pub(crate) const NULL: u8 = 0x00;
    pub(crate) const FALSE: u8 = 0x01;
    pub(crate) const TRUE: u8 = 0x02;
    pub(crate) const INT: u8 = 0x03;
    pub(crate) const UINT: u8 = 0x04;
    pub(crate) const FLOAT: u8 = 0x05;
    pub(crate) const STRING: u8 = 0x06;
    pub(crate) const BYTES: u8 = 0x07;
    pub(crate) const TIME: u8 = 0x08;
    pub(crate) const ARRAY: u8 = 0x09;
    pub(crate) const OBJECT: u8 = 0x0c;
    /// An object whose fields are not in the order of their names.
    pub(crate) const REORDERED: u8 = 0x0f;
    /// The first tag behind those of containers.
    const CONTAINERS_END: u8 = 0x12;
    pub(crate) const OBJECT_ID: u8 = 0x12;
    pub(crate) const DECIMAL: u8 = 0x13;
    pub(crate) const BINARY: u8 = 0x14;
    pub(crate) const FOREIGN: u8 = 0x15;

    /// Whether there is a value with this tag.
    pub(crate) const fn is_known(tag: u8) -> bool {
        tag <= FOREIGN
    }

    /// Whether it is the tag of an array.
    pub(crate) const fn is_array(tag: u8) -> bool {
        matches!(tag, ARRAY..OBJECT)
    }

    /// Whether it is the tag of an object.
    pub(crate) const fn is_object(tag: u8) -> bool {
        matches!(tag, OBJECT..CONTAINERS_END)
    }

    /// Whether it is the tag of an object whose fields are not in the order of their names.
    pub(crate) const fn is_reordered(tag: u8) -> bool {
        matches!(tag, REORDERED..CONTAINERS_END)
    }

    /// How many bytes of two's complement hold the integer.
    pub(crate) const fn int_bytes(value: i64) -> usize {
        let magnitude_bits = 64 - (value ^ (value >> 63)).leading_zeros();
        if value == 0 { 0 } else { magnitude_bits as usize / 8 + 1 }
    }

    /// The `w` of a container with a body of that many bytes.
    pub(crate) const fn width(body_bytes: usize) -> u8 {
        match body_bytes {
            ..0x100 => 0,
            0x100..0x1_0000 => 1,
            _ => 2,
        }
    }
}

/// Which names fields may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// No name may begin with `$`: operators and extended JSON could not be distinguished from data.
    Document,
    /// Any name: the encoded object is an update or a filter.
    Operators,
}

impl Names {
    /// How many levels of operators there can be around a value: `{"$push": {"path": {"$each": []}}}`.
    pub(crate) const OPERATOR_LEVELS: usize = 4;

    pub(crate) const fn depth_max(self) -> usize {
        match self {
            Self::Document => DEPTH_MAX,
            Self::Operators => DEPTH_MAX + Self::OPERATOR_LEVELS,
        }
    }

    /// How many bytes a name may have. Among operators, names are paths too.
    pub(crate) const fn bytes_max(self) -> usize {
        match self {
            Self::Document => FIELD_NAME_BYTES_MAX,
            Self::Operators => PATH_BYTES_MAX,
        }
    }

    pub(crate) fn allow(self, name: &str) -> bool {
        self == Self::Operators || !name.starts_with('$')
    }
}
