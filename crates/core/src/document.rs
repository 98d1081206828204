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

use crate::limits::IMPORTED_VERSION_MAX;
use crate::node::Meta;
use crate::path::Segment;
use crate::{Error, IdRef, Object, Path, RawObject, Time, Value};

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

/// The version and times that an imported document had where it comes from.
///
/// ```
/// use velocitydb_core::{Origin, Time, object};
///
/// let (created, modified) = (Time::UNIX_EPOCH, Time::UNIX_EPOCH);
/// let metadata = object! { "version": 7, "created": created, "modified": modified };
/// let origin = Origin::from_object(&metadata)?;
/// assert_eq!(origin, Origin { version: 7, created, modified, expires: None });
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Its version, 1 to [`IMPORTED_VERSION_MAX`].
    pub version: u64,
    /// When it was inserted.
    pub created: Time,
    /// When it was last written.
    pub modified: Time,
    /// When it expires, if ever.
    pub expires: Option<Time>,
}

impl Origin {
    /// Reads the metadata of a document as queries see it. A lease cannot be imported, since its end would
    /// have no effect.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidQuery`] says what is missing or wrong.
    pub fn from_object(metadata: &Object) -> Result<Self, Error> {
        let invalid = |name: &str, problem: &str| Error::InvalidQuery {
            what: "metadata".into(),
            place: format!("{METADATA}.{name}"),
            problem: problem.to_owned(),
        };
        for name in metadata.keys() {
            if name == "lease" {
                let problem = "cannot be imported; release the document first, or leave it out";
                return Err(invalid(name, problem));
            }
            if !META_FIELDS.contains(&name) {
                let known = "is unknown; there are version, created, modified and expires";
                return Err(invalid(name, known));
            }
        }
        let time = |name: &str| match metadata.get(name) {
            None => Ok(None),
            Some(Value::Time(time)) => Ok(Some(*time)),
            Some(_) => {
                Err(invalid(name, "is not a time, such as {\"$date\": \"2026-01-01T00:00:00Z\"}"))
            }
        };
        let needed = |name: &str| time(name)?.ok_or_else(|| invalid(name, "is missing"));
        let version = match metadata.get("version") {
            Some(Value::Int(version @ 1..)) => version.unsigned_abs(),
            Some(_) => return Err(invalid("version", "is not an integer of 1 or more")),
            None => return Err(invalid("version", "is missing")),
        };
        let (created, modified) = (needed("created")?, needed("modified")?);
        Ok(Origin { version, created, modified, expires: time("expires")? })
    }

    /// Why a document that has an origin is refused without an id: it had one there.
    pub fn without_id() -> Error {
        Error::InvalidQuery {
            what: "metadata".into(),
            place: METADATA.to_owned(),
            problem: "needs the document's `_id`".to_owned(),
        }
    }

    /// Checks the version.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidQuery`] when it is out of bounds.
    pub fn check(&self) -> Result<(), Error> {
        if (1..=IMPORTED_VERSION_MAX).contains(&self.version) {
            return Ok(());
        }
        Err(Error::InvalidQuery {
            what: "metadata".into(),
            place: format!("{METADATA}.version"),
            problem: format!("is not 1 to {IMPORTED_VERSION_MAX}"),
        })
    }
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

    /// The metadata as queries see it: the object of [`META_FIELDS`].
    pub fn to_object(&self) -> Object {
        let fields = META_FIELDS.into_iter();
        fields.filter_map(|name| Some((name, Meta::Whole(self).part(name)?.into_value()))).collect()
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

/// A document as queries see it: its fields and, under the names of [`META`], its id and its
/// metadata.
#[derive(Debug, Clone, Copy)]
pub struct DocumentView<'a> {
    /// Its id.
    pub id: IdRef<'a>,
    /// Its version and times.
    pub header: Header,
    /// Its fields, encoded.
    pub fields: RawObject<'a>,
}

/// The names of what a document has in queries beside its own fields: its id, and an object of
/// [`META_FIELDS`]. They are reserved, and no others are.
pub const META: [&str; 2] = [ID, METADATA];

/// The name of a document's id in queries.
pub const ID: &str = "_id";

/// The name of what the database knows about a document, in queries.
pub const METADATA: &str = "_meta";

/// What the database knows about a document: the fields of `_meta`, in their order. A document that
/// does not expire lacks `expires`, and one that is not leased `lease`.
pub const META_FIELDS: [&str; 5] = ["version", "created", "modified", "expires", "lease"];

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
        ID => Some("the id of a document is given beside its fields, not among them"),
        METADATA => Some(
            "leave it out, or give the field another name; a document expires if it is written \
             with a time to live, and to write only what has a certain version, compare and swap",
        ),
        _ => None,
    }
}

/// What to do instead of writing at a path in an update, if it is reserved.
pub(crate) fn advice_for_update(path: &Path) -> Option<&'static str> {
    let (first, rest) = path.split_first();
    match (first.name(), rest.first().map(Segment::name)) {
        (ID, _) => Some(
            "an id does not change: insert the document under the other id, and delete this one",
        ),
        (METADATA, Some("version")) => Some(
            "it rises by itself with every write; to write only at a certain version, compare and \
             swap",
        ),
        (METADATA, Some("created" | "modified")) => {
            Some("it is kept with every write; keep a time of your own under another name")
        }
        (METADATA, Some("expires")) => Some("write with a time to live instead"),
        (METADATA, Some("lease")) => Some("claim, renew, release or complete instead"),
        (METADATA, _) => Some(
            "it is what the database knows about the document; give a field of your own another \
             name",
        ),
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
    pub fn decode(id: IdRef<'a>, record: &'a [u8]) -> Result<Self, Error> {
        let (header, start) = Header::decode(record)?;
        Ok(DocumentView { id, header, fields: RawObject::new(&record[start..])? })
    }

    /// One of the [`META`] fields; `None` when the name is not one of them.
    pub fn meta(&self, name: &str) -> Option<Value> {
        Some(self.meta_node(name)?.into_value())
    }

    /// The id or the metadata at a path, such as `_meta.version`; the outer `None` when the path
    /// leads to the document's own fields, the inner one when there is no such value: not every
    /// document expires or is leased.
    pub fn meta_at(&self, path: &Path) -> Option<Option<Value>> {
        Some(self.meta_node_at(path)?.map(Meta::into_value))
    }

    /// As [`meta_at`](Self::meta_at), without an allocation.
    #[inline]
    pub(crate) fn meta_node_at(&self, path: &Path) -> Option<Option<Meta<'_>>> {
        let (first, rest) = path.split_first();
        let meta = self.meta_node(first.name())?;
        Some(meta.follow(rest.iter().map(Segment::name)))
    }

    /// One of the [`META`] fields, without an allocation; `None` when the name is not one of them.
    #[inline]
    pub(crate) fn meta_node(&self, name: &str) -> Option<Meta<'_>> {
        if !name.starts_with('_') {
            return None;
        }
        match name {
            ID => Some(Meta::Id(self.id)),
            METADATA => Some(Meta::Whole(&self.header)),
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
