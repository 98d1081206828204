//! Bytes with a subtype that says what they are.

use std::fmt;

use crate::{Bytes, Uuid};

/// Bytes with a subtype of BSON, which says what they are: 4 is a UUID, 5 an MD5 hash, from 128 on
/// what a user defines.
///
/// Subtype 0 are bytes of no particular kind: as a [`Value`](crate::Value) they are
/// [`Bytes`](crate::Value::Bytes), whichever type they came from.
///
/// ```
/// use velocitydb_core::{Binary, Value};
///
/// let hash = Value::from(Binary::new(5, [7; 16]));
/// assert_eq!(hash.as_binary().map(|hash| hash.subtype), Some(5));
/// assert_eq!(hash.to_json(), r#"{"$binary":{"base64":"BwcHBwcHBwcHBwcHBwcHBw==","subType":"05"}}"#);
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary {
    subtype: u8,
    bytes: Box<[u8]>,
}

impl Binary {
    /// Bytes of a subtype.
    pub fn new(subtype: u8, bytes: impl Into<Box<[u8]>>) -> Self {
        Self { subtype, bytes: bytes.into() }
    }

    /// The subtype.
    pub const fn subtype(&self) -> u8 {
        self.subtype
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_vec()
    }

    /// The UUID, if these are 16 bytes of that subtype.
    pub fn as_uuid(&self) -> Option<Uuid> {
        self.as_raw().as_uuid()
    }

    /// A borrowed view.
    pub const fn as_raw(&self) -> BinaryRef<'_> {
        BinaryRef { subtype: self.subtype, bytes: &self.bytes }
    }
}

impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_uuid() {
            Some(id) => id.fmt(f),
            None => f.debug_tuple("Binary").field(&self.subtype).field(&self.bytes).finish(),
        }
    }
}

impl From<Uuid> for Binary {
    fn from(id: Uuid) -> Self {
        Self::new(Uuid::SUBTYPE, *id.as_bytes())
    }
}

impl From<Bytes> for Binary {
    fn from(bytes: Bytes) -> Self {
        Self::new(0, bytes.0)
    }
}

/// Borrowed [`Binary`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BinaryRef<'a> {
    /// The subtype.
    pub subtype: u8,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl BinaryRef<'_> {
    /// The UUID, if these are 16 bytes of that subtype.
    pub fn as_uuid(self) -> Option<Uuid> {
        let bytes: [u8; 16] = self.bytes.try_into().ok()?;
        (self.subtype == Uuid::SUBTYPE).then(|| Uuid::from(bytes))
    }

    /// A copy.
    pub fn to_binary(self) -> Binary {
        Binary::new(self.subtype, self.bytes)
    }
}
