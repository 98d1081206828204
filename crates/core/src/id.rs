//! Names of collections and indexes, and their rules; and new ids of documents, generated from a time
//! and random bits that the caller passes.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::shortened;
use crate::limits::{COLLECTION_NAME_BYTES_MAX, INDEX_NAME_BYTES_MAX};
use crate::{DocumentId, Error, Result};

/// The name of a collection.
///
/// 1 to 128 ASCII letters, digits, `_`, `-` and `.`; the first one is a letter, a digit or `_`,
/// so that no name is an option of a command line or a hidden file. Names that begin with
/// `_system` belong to the database. Clones share the text, since every command has the name of
/// its collection.
///
/// ```
/// use velocitydb_core::CollectionName;
///
/// assert_eq!(CollectionName::new("orders.2026")?.as_str(), "orders.2026");
/// assert!(CollectionName::new("_system.users").is_err());
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionName(Arc<str>);

impl CollectionName {
    /// Takes a text as a name; [`Error::InvalidCollectionName`] says why it is not valid.
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self> {
        let name = name.into();
        Self::check(&name)?;
        Ok(Self(name))
    }

    /// Checks a text without creating anything.
    pub fn check(name: &str) -> Result<()> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let problem = if name.is_empty() {
            "it is empty"
        } else if name.len() > COLLECTION_NAME_BYTES_MAX {
            "it is longer than 128 bytes"
        } else if !name.bytes().all(allowed) {
            "it has characters other than ASCII letters, digits, `_`, `-` and `.`"
        } else if name.starts_with(['-', '.']) {
            "it begins with `-` or `.`"
        } else if name.starts_with("_system") {
            "names that begin with `_system` belong to the database"
        } else {
            return Ok(());
        };
        Err(Error::InvalidCollectionName { name: shortened(name), problem: problem.into() })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of an index, unique within its collection.
///
/// 1 to 128 bytes of UTF-8 without control characters.
///
/// ```
/// use velocitydb_core::IndexName;
///
/// assert_eq!(IndexName::new("state_1_time_-1")?.as_str(), "state_1_time_-1");
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexName(Arc<str>);

impl IndexName {
    /// Takes a text as a name; [`Error::InvalidQuery`] says why it is not valid.
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self> {
        let name = name.into();
        Self::check(&name)?;
        Ok(Self(name))
    }

    /// Checks a text without creating anything.
    pub fn check(name: &str) -> Result<()> {
        let problem = if name.is_empty() {
            "it is empty"
        } else if name.len() > INDEX_NAME_BYTES_MAX {
            "it is longer than 128 bytes"
        } else if name.bytes().any(|byte| byte.is_ascii_control()) {
            "it contains a control character"
        } else {
            return Ok(());
        };
        let problem = format!("name {:?} is invalid: {problem}", shortened(name));
        Err(Error::InvalidQuery { what: "index".into(), place: String::new(), problem })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text {
    ($($name:ident)*) => {$(
        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                (*name.0).into()
            }
        }
    )*};
}

text! { CollectionName IndexName }

/// Generates ids that sort by their time of generation: UUIDs of version 7 (RFC 9562).
///
/// The caller passes the time and the random bits, and the generator remembers its last id: ids
/// of one generator increase strictly, even if the clock stands still or goes back.
///
/// ```
/// use velocitydb_core::IdGenerator;
///
/// let mut ids = IdGenerator::new();
/// let first = ids.next(1_795_425_300_250, [7; 10]);
/// assert_eq!(first, "01a207af-ef1a-7c1c-8707-070707070707");
/// assert!(first < ids.next(1_795_425_300_250, [0; 10]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct IdGenerator {
    /// Milliseconds (48 bits) and random bits (74 bits) of the last id, as one number.
    last: u128,
}

impl IdGenerator {
    /// The bits of a UUIDv7 that are neither time, version nor variant.
    const RANDOM_BITS: u32 = 74;
    /// The maximum increment of the next id in the same millisecond, in bits: enough that it
    /// cannot be guessed, little enough that a millisecond never runs out of ids.
    const STEP_BITS: u32 = 32;

    /// A new generator.
    pub const fn new() -> Self {
        Self { last: 0 }
    }

    /// A new id, from milliseconds since the Unix epoch and 80 random bits.
    pub fn next(&mut self, unix_millis: u64, random: [u8; 10]) -> DocumentId {
        let random = random.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        let fresh =
            u128::from(unix_millis) << Self::RANDOM_BITS | random & ((1 << Self::RANDOM_BITS) - 1);
        let step = 1 + (random & ((1 << Self::STEP_BITS) - 1));
        let in_this_millisecond = fresh >> Self::RANDOM_BITS > self.last >> Self::RANDOM_BITS;
        self.last = if in_this_millisecond { fresh } else { self.last + step };
        DocumentId::new(uuid_text(self.last)).expect("it is a valid text")
    }
}

/// The text of a UUIDv7 with these 48 bits of time and 74 random bits.
fn uuid_text(bits: u128) -> String {
    let low = bits & ((1 << 62) - 1);
    let middle = bits >> 62 & 0xfff;
    let time = bits >> 74 & ((1 << 48) - 1);
    let uuid = time << 80 | 0x7 << 76 | middle << 64 | 0b10 << 62 | low;
    let digits = format!("{uuid:032x}");
    let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collection_names_are_checked() {
        for name in ["users", "_private", "a-b.c_D", "2026", &"x".repeat(128)] {
            assert!(CollectionName::new(name).is_ok(), "{name}");
        }
        for name in ["", "a b", "ü", "-a", ".a", "_system", "_systems", "a/b", &"x".repeat(129)] {
            assert!(CollectionName::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn ids_rise_while_the_clock_stands_or_goes_back() {
        let mut ids = IdGenerator::new();
        let mut last = ids.next(1_000, [0xff; 10]);
        for millis in [1_000, 1_000, 999, 0, 1_000, 1_001, 1_001, 5_000] {
            let next = ids.next(millis, [0xff; 10]);
            assert!(last < next, "{last} {next}");
            last = next;
        }
        assert!(last.to_string().starts_with("00000000-1388-7"));
    }

    #[test]
    fn ids_are_uuids_of_version_7() {
        let id = IdGenerator::new().next(0x0192_3456_789a, [0xff; 10]);
        assert_eq!(id, "01923456-789a-7fff-bfff-ffffffffffff");
        let id = IdGenerator::new().next(0x0192_3456_789a, [0; 10]);
        assert_eq!(id, "01923456-789a-7000-8000-000000000000");
    }
}
