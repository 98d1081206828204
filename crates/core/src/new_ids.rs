//! [`NewIds`]: which ids a collection gives to new documents.

use std::fmt;
use std::str::FromStr;

use crate::{DocumentId, Error, ObjectId, Result, Uuid};

/// Which ids a collection gives to documents that are inserted without one.
///
/// ```
/// use velocitydb_core::{IdGenerator, NewIds};
///
/// let generated = IdGenerator::new().next(1_795_425_300_250, [7; 10]);
/// let id = NewIds::ObjectId.of(&generated).expect("an ObjectId is made of it");
/// assert_eq!(id.to_value().kind().as_str(), "ObjectId");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NewIds {
    /// UUIDs of version 7 as text: later ones sort after earlier ones.
    #[default]
    Text,
    /// ObjectIds: later ones sort after earlier ones.
    ObjectId,
    /// UUIDs of version 7: later ones sort after earlier ones.
    Uuid,
    /// Integers from 1 on: each is higher than all integers that were ids in the collection.
    Integer,
}

impl NewIds {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Text, Self::ObjectId, Self::Uuid, Self::Integer];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::ObjectId => "objectid",
            Self::Uuid => "uuid",
            Self::Integer => "integer",
        }
    }

    /// The id that is made of a generated one; `None` for integers, which only the collection knows, and
    /// if that is no generated id.
    pub fn of(self, generated: &DocumentId) -> Option<DocumentId> {
        let uuid: Uuid = generated.as_str()?.parse().ok()?;
        let id = match self {
            Self::Text => return Some(generated.clone()),
            Self::Integer => return None,
            Self::Uuid => DocumentId::new(uuid),
            Self::ObjectId => DocumentId::new(object_id(u128::from_be_bytes(*uuid.as_bytes()))),
        };
        id.ok()
    }
}

/// The ObjectId of a UUID of version 7: the seconds, then the milliseconds and the lowest of the random
/// bits, so that both rise together.
fn object_id(uuid: u128) -> ObjectId {
    const RANDOM_BITS: u32 = 54;
    let millis = (uuid >> 80) as u64;
    let low = (uuid & ((1 << RANDOM_BITS) - 1)) as u64 | (millis % 1_000) << RANDOM_BITS;
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&((millis / 1_000) as u32).to_be_bytes());
    bytes[4..].copy_from_slice(&low.to_be_bytes());
    ObjectId::from(bytes)
}

impl fmt::Display for NewIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for NewIds {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| Error::InvalidQuery {
            what: "kind of new ids".into(),
            place: String::new(),
            problem: format!("{text:?} is not one of text, objectid, uuid and integer"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IdGenerator;

    #[test]
    fn ids_made_of_generated_ones_rise_as_they_do() {
        for kind in [NewIds::Text, NewIds::ObjectId, NewIds::Uuid] {
            let mut ids = IdGenerator::new();
            let mut last: Option<DocumentId> = None;
            for millis in [1_000, 1_000, 1_000, 1_001, 1_999, 2_000, 1_795_425_300_250] {
                let next = kind.of(&ids.next(millis, [3; 10])).unwrap();
                assert!(last.is_none_or(|last| last < next), "{kind}");
                last = Some(next);
            }
        }
        assert_eq!(NewIds::ObjectId.of(&DocumentId::new("other").unwrap()), None);
        assert!(NewIds::ALL.iter().all(|kind| kind.as_str().parse() == Ok(*kind)));
        assert!("number".parse::<NewIds>().is_err());
    }
}
