//! The ids that MongoDB gives its documents.

use std::fmt;
use std::str::FromStr;

use crate::error::shortened;
use crate::{Error, Result, Time};

/// An id of 12 bytes, as MongoDB generates them: 4 bytes of the second in which it was created, and 8
/// bytes that distinguish it from others of that second.
///
/// Ids sort by their bytes, and so by second. The text is 24 hexadecimal digits.
///
/// ```
/// use velocitydb_core::ObjectId;
///
/// let id: ObjectId = "6922d394a1b2c3d4e5f60718".parse()?;
/// assert_eq!(id.to_string(), "6922d394a1b2c3d4e5f60718");
/// assert_eq!(id.time().to_string(), "2025-11-23T09:27:48Z");
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ObjectId([u8; 12]);

impl ObjectId {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// When it was created, to the second, from 1970 to 2106.
    pub fn time(self) -> Time {
        let seconds =
            self.0.iter().take(4).fold(0, |seconds, byte| seconds << 8 | i64::from(*byte));
        Time::from_millis(seconds * 1_000).expect("all of these seconds are before the year 2107")
    }
}

impl From<[u8; 12]> for ObjectId {
    fn from(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }
}

impl From<ObjectId> for [u8; 12] {
    fn from(id: ObjectId) -> Self {
        id.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex(&self.0))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

impl FromStr for ObjectId {
    type Err = Error;

    /// Reads 24 hexadecimal digits; anything else is [`Error::InvalidText`].
    fn from_str(text: &str) -> Result<Self> {
        from_hex(text).map(Self).ok_or_else(|| Error::InvalidText {
            what: "ObjectId".into(),
            text: shortened(text),
            problem: "it is not 24 hexadecimal digits".into(),
        })
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `N` bytes of two hexadecimal digits each.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_24_hexadecimal_digits() {
        let id: ObjectId = "6922D394A1b2c3d4e5f60718".parse().unwrap();
        assert_eq!(id.to_string(), "6922d394a1b2c3d4e5f60718");
        for wrong in
            ["", "6922d394a1b2c3d4e5f6071", "6922d394a1b2c3d4e5f6071g", "é22d394a1b2c3d4e5f60718"]
        {
            let error = wrong.parse::<ObjectId>().unwrap_err().to_string();
            assert!(error.contains("24 hexadecimal digits"), "{error}");
        }
    }

    #[test]
    fn the_first_four_bytes_are_the_time() {
        let id: ObjectId = "000013880000000000000000".parse().unwrap();
        assert_eq!(id.time(), Time::from_millis(5_000_000).unwrap());
    }
}
