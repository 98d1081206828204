//! The stored form of a document: its version and times in front of its encoded fields.
//!
//! ```text
//! byte 0     bit 0: an expiry time follows; bit 1: the end of a lease follows; others are 0
//! then       version, LEB128
//! then 8     created, microseconds since the Unix epoch, little endian
//! then       modified minus created, zigzag LEB128
//! then 8     the time of expiry, little endian; only with bit 0
//! then 8     the end of the lease, little endian; only with bit 1
//! the rest   the fields, an encoded object
//! ```

use crate::node::{Meta, Node as _};
use crate::{Error, Object, RawObject, Time, Value};

/// A document's data beside its id and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// 1 for a new document, and 1 more with every applied write.
    pub version: u64,
    /// When it was inserted.
    pub created: Time,
    /// When it was last written.
    pub modified: Time,
    /// When it expires, if ever.
    pub expires: Option<Time>,
    /// When the lease on it ends, if there is one.
    pub lease: Option<Time>,
}

const HAS_EXPIRY: u8 = 1;
const HAS_LEASE: u8 = 2;

impl Header {
    /// The most bytes of an encoded header.
    pub const LENGTH_MAX: usize = 1 + 10 + 8 + 10 + 8 + 8;

    /// Appends the header's bytes.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        let expiry = if self.expires.is_some() { HAS_EXPIRY } else { 0 };
        let lease = if self.lease.is_some() { HAS_LEASE } else { 0 };
        out.push(expiry | lease);
        encode_varint(self.version, out);
        out.extend_from_slice(&self.created.as_micros().to_le_bytes());
        let age = self.modified.as_micros().wrapping_sub(self.created.as_micros());
        encode_varint(((age << 1) ^ (age >> 63)) as u64, out);
        for time in [self.expires, self.lease].into_iter().flatten() {
            out.extend_from_slice(&time.as_micros().to_le_bytes());
        }
    }

    /// Reads a header from the start of a stored document, and returns where its fields begin.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when these are not the bytes of a header.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), Error> {
        let mut rest = bytes;
        let malformed = || Error::corrupt("the header of a document is malformed");
        let header = Self::take(&mut rest).ok_or_else(malformed)?;
        Ok((header, bytes.len() - rest.len()))
    }

    #[inline]
    fn take(rest: &mut &[u8]) -> Option<Self> {
        let (&flags, tail) = rest.split_first()?;
        if flags & !(HAS_EXPIRY | HAS_LEASE) != 0 {
            return None;
        }
        *rest = tail;
        let version = decode_varint(rest)?;
        let created = i64::from_le_bytes(take_array(rest)?);
        let zigzag = decode_varint(rest)?;
        let age = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        let expires = take_time(rest, flags & HAS_EXPIRY)?;
        let lease = take_time(rest, flags & HAS_LEASE)?;
        Some(Header {
            version,
            created: Time::from_micros(created).ok()?,
            modified: Time::from_micros(created.wrapping_add(age)).ok()?,
            expires,
            lease,
        })
    }
}

/// The time that follows if the flag is set; the outer `None` when it is cut off or not a valid
/// time.
#[inline]
fn take_time(rest: &mut &[u8], flag: u8) -> Option<Option<Time>> {
    match flag {
        0 => Some(None),
        _ => Some(Some(Time::from_micros(i64::from_le_bytes(take_array(rest)?)).ok()?)),
    }
}

/// A document as queries see it: its fields and its metadata. The latter has the names of
/// [`META`], which hide a user's own fields of the same name.
#[derive(Debug, Clone, Copy)]
pub struct DocumentView<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its version and times.
    pub header: Header,
    /// Its fields, encoded.
    pub fields: RawObject<'a>,
}

/// The names of a document's metadata in queries.
pub const META: [&str; 6] = ["_id", "_version", "_created", "_modified", "_expires", "_lease"];

/// Refuses a document that has one of the [`META`] fields: it would be hidden by the metadata,
/// and so be lost silently.
///
/// # Errors
///
/// [`Error::EngineField`] with the field and what to do, and [`Error::Corrupt`] when the fields
/// cannot be read.
pub fn check_own_fields(fields: RawObject<'_>) -> Result<(), Error> {
    for field in fields.by_name() {
        let (name, _) = field?;
        // In this order all of these are found at the front, or none is.
        if name.as_bytes().first().is_some_and(|first| *first > b'_') {
            break;
        }
        if let Some(advice) = advice_for_document(name) {
            let path = name.to_owned();
            return Err(Error::EngineField { operator: "".into(), path, advice: advice.into() });
        }
    }
    Ok(())
}

fn advice_for_document(name: &str) -> Option<&'static str> {
    match name {
        "_id" => Some("the id of a document is given beside its fields, not among them"),
        "_expires" => Some("leave it out, and write with a time to live"),
        "_version" | "_created" | "_modified" | "_lease" => Some(
            "leave it out, or give the field another name; to write only what has a certain \
             version, compare and swap",
        ),
        _ => None,
    }
}

/// What to do instead of writing a field in an update, if it is reserved.
pub(crate) fn advice_for_update(name: &str) -> Option<&'static str> {
    match name {
        "_id" => Some(
            "an id does not change: insert the document under the other id, and delete this one",
        ),
        "_version" => Some(
            "it rises by itself with every write; to write only at a certain version, compare and \
             swap",
        ),
        "_created" | "_modified" => {
            Some("it is kept with every write; keep a time of your own under another name")
        }
        "_expires" => Some("write with a time to live instead"),
        "_lease" => Some("claim, renew, release or complete instead"),
        _ => None,
    }
}

impl<'a> DocumentView<'a> {
    /// A view of a stored document.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when the bytes are not those of a document.
    #[inline]
    pub fn decode(id: &'a str, record: &'a [u8]) -> Result<Self, Error> {
        let (header, start) = Header::decode(record)?;
        Ok(DocumentView { id, header, fields: RawObject::new(&record[start..])? })
    }

    /// One of the [`META`] fields; `None` when the name is not one of them, or when the document
    /// has no such value: not every document expires or is leased.
    pub fn meta(&self, name: &str) -> Option<Value> {
        let value = self.meta_node(name)??;
        Some(value.to_value().expect("metadata can always be read"))
    }

    /// One of the [`META`] fields; `None` when the name is not one of them.
    #[inline]
    pub(crate) fn meta_node(&self, name: &str) -> Option<Option<Meta<'a>>> {
        if !name.starts_with('_') {
            return None;
        }
        match name {
            "_id" => Some(Some(Meta::Id(self.id))),
            "_version" => Some(Some(Meta::Version(self.header.version))),
            "_created" => Some(Some(Meta::Time(self.header.created))),
            "_modified" => Some(Some(Meta::Time(self.header.modified))),
            "_expires" => Some(self.header.expires.map(Meta::Time)),
            "_lease" => Some(self.header.lease.map(Meta::Time)),
            _ => None,
        }
    }

    /// The fields, decoded, behind all of [`META`].
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when the fields cannot be read.
    pub fn to_object(&self) -> Result<Object, Error> {
        let mut object = self.fields.to_object()?;
        META.iter().for_each(|name| drop(object.remove(name)));
        object.prepend(META.into_iter().filter_map(|name| Some((name, self.meta(name)?))));
        Ok(object)
    }
}

/// Checks a whole stored document, its fields included.
///
/// # Errors
///
/// [`Error::Corrupt`] when the bytes are not those of a document.
pub fn validate_document(bytes: &[u8]) -> Result<Header, Error> {
    let (header, start) = Header::decode(bytes)?;
    RawObject::validate(&bytes[start..])?;
    Ok(header)
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (array, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*array)
}

/// Appends `number` in LEB128: seven bits a byte, the lowest first.
pub fn encode_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number in LEB128 and moves `rest` past it; `None` when it is cut off or exceeds 64
/// bits.
#[inline]
pub fn decode_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        if shift == 63 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_round_trip() {
        for version in [1, 127, 128, u64::MAX] {
            let (first, last) = (Time::MIN, Time::MAX);
            let zero = Time::UNIX_EPOCH;
            for (created, modified) in [(zero, zero), (first, last), (last, first)] {
                for expires in [None, Some(zero), Some(first)] {
                    for lease in [None, Some(last)] {
                        let header = Header { version, created, modified, expires, lease };
                        let mut bytes = Vec::new();
                        header.encode_into(&mut bytes);
                        assert!(bytes.len() <= Header::LENGTH_MAX);
                        assert_eq!(Header::decode(&bytes), Ok((header, bytes.len())));
                        for length in 0..bytes.len() {
                            assert!(Header::decode(&bytes[..length]).is_err());
                        }
                    }
                }
            }
        }
    }
}
