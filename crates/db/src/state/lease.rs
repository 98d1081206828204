//! [`LeaseRecord`]: what is stored of a lease on a document beside the time at which it expires.

use velocitydb_core::key::{Direction, encode_key};
use velocitydb_core::{Path, RawObject, Release, decode_varint, encode_varint};
use xxhash_rust::xxh3::xxh3_128;

use crate::Result;

/// The release of a lease, and what the claim had set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LeaseRecord {
    pub(crate) release: Release,
    /// The paths that the claim set or unset.
    set: Vec<Path>,
    /// A hash of the values at these paths after the claim.
    values: u128,
}

impl LeaseRecord {
    /// Of a claim that set these paths, to values of this [hash](hash_of_values).
    pub(crate) fn new(release: Release, set: Vec<Path>, values: u128) -> Self {
        LeaseRecord { release, set, values }
    }

    /// Whether the fields still have the values that the claim set. If one was changed, the release
    /// is not applied.
    pub(crate) fn is_as_claimed(&self, fields: RawObject<'_>) -> Result<bool> {
        Ok(hash_of_values(&self.set, fields)? == self.values)
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(64);
        self.release.encode_into(&mut bytes)?;
        encode_varint(self.set.len() as u64, &mut bytes);
        for path in &self.set {
            let text = path.to_string();
            encode_varint(text.len() as u64, &mut bytes);
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&self.values.to_le_bytes());
        Ok(bytes)
    }

    /// Decodes what [`encode`](Self::encode) wrote; `None` when the bytes are not valid.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let release = Release::decode(&mut bytes).ok()?;
        let count = decode_varint(&mut bytes)?;
        let mut set = Vec::new();
        for _ in 0..count {
            let length = usize::try_from(decode_varint(&mut bytes)?).ok()?;
            let (text, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            set.push(std::str::from_utf8(text).ok()?.parse().ok()?);
        }
        let values = u128::from_le_bytes(bytes.try_into().ok()?);
        Some(LeaseRecord { release, set, values })
    }
}

/// A hash of the values at these paths: the same for values that are equal.
pub(crate) fn hash_of_values(paths: &[Path], fields: RawObject<'_>) -> Result<u128> {
    let mut bytes = Vec::with_capacity(64);
    for path in paths {
        match fields.get_path(path)? {
            Some(value) => {
                bytes.push(1);
                encode_key(value, Direction::Ascending, &mut bytes)?;
            }
            None => bytes.push(0),
        }
    }
    Ok(xxh3_128(&bytes))
}

#[cfg(test)]
mod tests {
    use velocitydb_core::{Encoded, object};

    use super::*;

    #[test]
    fn it_survives_the_round_trip_and_notices_what_changes() {
        let paths: Vec<Path> = ["state", "a.b", "gone"].map(|path| path.parse().unwrap()).into();
        let fields = |object| Encoded::from_object(&object).unwrap();
        let claimed = fields(object! { "state": 1, "a": { "b": [1, "x"] }, "n": 1 });
        let release = Release::new(object! { "state": 0 });
        let values = hash_of_values(&paths, claimed.view()).unwrap();
        let record = LeaseRecord::new(release, paths, values);
        let bytes = record.encode().unwrap();
        assert_eq!(LeaseRecord::decode(&bytes), Some(record.clone()));
        for length in 0..bytes.len() {
            assert_eq!(LeaseRecord::decode(&bytes[..length]), None);
        }
        for (object, expected) in [
            (object! { "state": 1.0, "a": { "b": [1, "x"], "c": 2 }, "n": 2 }, true),
            (object! { "state": 2, "a": { "b": [1, "x"] } }, false),
            (object! { "state": 1, "a": { "b": [1, "y"] } }, false),
            (object! { "state": 1, "a": { "b": [1, "x"] }, "gone": null }, false),
            (object! { "state": 1, "a": 1 }, false),
        ] {
            assert_eq!(record.is_as_claimed(fields(object).view()).unwrap(), expected);
        }
    }
}
