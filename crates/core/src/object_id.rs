//! The ids that MongoDB gives its documents. Generates new ones from a time and random bits that the
//! caller passes.

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

/// Generates [`ObjectId`]s.
///
/// The caller passes the time and the random bits, and the generator remembers its last id: ids of one
/// generator increase strictly, even if the clock stands still or goes back.
///
/// ```
/// use velocitydb_core::ObjectIdGenerator;
///
/// let mut ids = ObjectIdGenerator::new();
/// let first = ids.next(1_763_890_068, [7; 8]);
/// assert_eq!(first.to_string(), "6922d3940707070707070707");
/// assert!(first < ids.next(1_763_890_068, [0; 8]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct ObjectIdGenerator {
    /// The last id, as one number.
    last: u128,
}

impl ObjectIdGenerator {
    /// The bits of an id behind its time.
    const RANDOM_BITS: u32 = 64;
    /// The maximum increment of the next id in the same second, in bits: enough that it cannot be
    /// guessed, little enough that a second does not run out of ids.
    const STEP_BITS: u32 = 32;

    /// A new generator.
    pub const fn new() -> Self {
        Self { last: 0 }
    }

    /// A new id, from seconds since the Unix epoch and 64 random bits. After the year 2106 the seconds
    /// begin anew, as they do in MongoDB.
    pub fn next(&mut self, unix_seconds: u64, random: [u8; 8]) -> ObjectId {
        let random = u64::from_be_bytes(random);
        let seconds = u128::from(unix_seconds as u32);
        let fresh = seconds << Self::RANDOM_BITS | u128::from(random);
        let is_later = seconds > self.last >> Self::RANDOM_BITS;
        let step = 1 + u128::from(random & ((1 << Self::STEP_BITS) - 1));
        self.last = if is_later { fresh } else { self.last + step };
        let mut id = [0; 12];
        id.copy_from_slice(&self.last.to_be_bytes()[4..]);
        ObjectId(id)
    }
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
    fn ids_rise_while_the_clock_stands_or_goes_back() {
        let mut ids = ObjectIdGenerator::new();
        let mut last = ids.next(1_000, [0xff; 8]);
        for seconds in [1_000, 1_000, 999, 0, 1_001, 1_001, 5_000] {
            let next = ids.next(seconds, [0xff; 8]);
            assert!(last < next, "{last} {next}");
            last = next;
        }
        assert_eq!(last.time(), Time::from_millis(5_000_000).unwrap());
    }
}
