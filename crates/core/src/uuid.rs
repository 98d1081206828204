//! UUIDs as values: 16 bytes, stored as binary of subtype 4.

use std::fmt;
use std::str::FromStr;

use crate::error::shortened;
use crate::object_id::{from_hex, hex};
use crate::{Error, Result};

/// A UUID of any version, stored as [binary](crate::Binary) of subtype 4, as MongoDB does.
///
/// The text has groups of 8, 4, 4, 4 and 12 hexadecimal digits; one without the `-` between them is
/// read too.
///
/// ```
/// use velocitydb_core::{Binary, Uuid, Value};
///
/// let id: Uuid = "01a207af-ef1a-7c1c-8707-070707070707".parse()?;
/// assert_eq!(Value::from(id), Value::from(Binary::new(4, *id.as_bytes())));
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
///
/// The type of the crate `uuid` has the same bytes: `velocitydb_core::Uuid::from(id.into_bytes())`
/// and `uuid::Uuid::from_bytes(id.into())` convert it, and [`uuid_binary`](crate::uuid_binary) stores
/// it from a field of a Rust type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// The subtype of the binary that a UUID is stored as.
    pub const SUBTYPE: u8 = 4;

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<[u8; 16]> for Uuid {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl From<Uuid> for [u8; 16] {
    fn from(id: Uuid) -> Self {
        id.0
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = [&self.0[..4], &self.0[4..6], &self.0[6..8], &self.0[8..10], &self.0[10..]];
        f.pad(&groups.map(hex).join("-"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

impl FromStr for Uuid {
    type Err = Error;

    /// Reads 32 hexadecimal digits, with a `-` between all groups or none; anything else is
    /// [`Error::InvalidText`].
    fn from_str(text: &str) -> Result<Self> {
        let is_grouped = [8, 13, 18, 23].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
        let digits = if is_grouped { text.replace('-', "") } else { text.to_owned() };
        let bytes = if is_grouped && text.len() != 36 { None } else { from_hex(&digits) };
        bytes.map(Self).ok_or_else(|| Error::InvalidText {
            what: "UUID".into(),
            text: shortened(text),
            problem: "it is not of the form 01a207af-ef1a-7c1c-8707-070707070707".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_all_groups_or_none() {
        let text = "01a207af-ef1a-7c1c-8707-0707070707ff";
        let id: Uuid = text.to_uppercase().parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(text.replace('-', "").parse(), Ok(id));
        for wrong in ["", "01a207af", "01a207afef1a-7c1c-8707-070707070707", &format!("{text}0")] {
            assert!(wrong.parse::<Uuid>().is_err(), "{wrong}");
        }
    }
}
