//! The stored form of a document: its version and times in front of its encoded fields.
//!
//! ```text
//! byte 0     bit 0: an expiry time follows; the other bits are 0
//! then       version, LEB128
//! then 8     created, microseconds since the Unix epoch, little endian
//! then       modified minus created, zigzag LEB128
//! then 8     the time of expiry, little endian; only with bit 0
//! the rest   the fields, an encoded object
//! ```

use crate::{Error, RawObject, Time};

/// All of a document but its id and fields.
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
}

const HAS_EXPIRY: u8 = 1;

impl Header {
    /// The most bytes of an encoded header.
    pub const LENGTH_MAX: usize = 1 + 10 + 8 + 10 + 8;

    /// Appends the header's bytes.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        out.push(if self.expires.is_some() { HAS_EXPIRY } else { 0 });
        encode_varint(self.version, out);
        out.extend_from_slice(&self.created.as_micros().to_le_bytes());
        let age = self.modified.as_micros().wrapping_sub(self.created.as_micros());
        encode_varint(((age << 1) ^ (age >> 63)) as u64, out);
        if let Some(expires) = self.expires {
            out.extend_from_slice(&expires.as_micros().to_le_bytes());
        }
    }

    /// Reads a header from the start of a stored document, and says where its fields begin.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when these are not the bytes of a header.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), Error> {
        let mut rest = bytes;
        let header =
            Self::take(&mut rest).ok_or(Error::corrupt("the header of a document is malformed"))?;
        Ok((header, bytes.len() - rest.len()))
    }

    #[inline]
    fn take(rest: &mut &[u8]) -> Option<Self> {
        let (&flags, tail) = rest.split_first()?;
        if flags & !HAS_EXPIRY != 0 {
            return None;
        }
        *rest = tail;
        let version = decode_varint(rest)?;
        let created = i64::from_le_bytes(take_array(rest)?);
        let zigzag = decode_varint(rest)?;
        let age = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        let expires = match flags & HAS_EXPIRY {
            0 => None,
            _ => Some(Time::from_micros(i64::from_le_bytes(take_array(rest)?)).ok()?),
        };
        Some(Header {
            version,
            created: Time::from_micros(created).ok()?,
            modified: Time::from_micros(created.wrapping_add(age)).ok()?,
            expires,
        })
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

/// Reads a number in LEB128 and moves `rest` past it; `None` when it is cut off or over 64 bits.
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
                    let header = Header { version, created, modified, expires };
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
