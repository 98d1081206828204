//! The encoding of a [`Refusal`], by which the retry of a request is told of it in the same words.
//!
//! A tag (1 byte) and the parts of the variant: numbers in LEB128, texts with their length in front.
//! What made an update impossible is kept as its text.

use super::Refusal;
use crate::codec::encode_value_into;
use crate::{
    DocumentId, Error, IndexName, More, RawValue, Result, Value, Violation, Violations,
    decode_varint, encode_varint,
};

impl Refusal {
    /// Appends the refusal as bytes.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Refusal::Exists { version } => numbered(0, *version, out),
            Refusal::Missing => out.push(1),
            Refusal::Version { expected, found } => {
                numbered(2, *expected, out);
                encode_varint(*found, out);
            }
            Refusal::Content { path, version } => {
                numbered(3, *version, out);
                put(&path.as_ref().map(ToString::to_string).unwrap_or_default(), out);
            }
            Refusal::Update(error) => {
                out.push(4);
                put(&error.to_string(), out);
            }
            Refusal::Duplicate { index, id } => {
                out.push(5);
                put(index.as_str(), out);
                put(id.as_str(), out);
            }
            Refusal::Schema(violations) => {
                out.push(6);
                put_violations(violations, out);
            }
            Refusal::NoLease { version } => numbered(7, *version, out),
            Refusal::Unmatched { version } => numbered(8, *version, out),
        }
    }

    /// Reads what [`encode_into`](Self::encode_into) wrote from the start of `bytes`, and moves
    /// `bytes` past it.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when these are not the bytes of a refusal.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self> {
        take_refusal(bytes).ok_or(Error::corrupt("the refusal of a request is malformed"))
    }
}

fn take_refusal(bytes: &mut &[u8]) -> Option<Refusal> {
    let (&tag, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(match tag {
        0 => Refusal::Exists { version: decode_varint(bytes)? },
        1 => Refusal::Missing,
        2 => {
            let expected = decode_varint(bytes)?;
            Refusal::Version { expected, found: decode_varint(bytes)? }
        }
        3 => {
            let version = decode_varint(bytes)?;
            let path = match take(bytes)? {
                "" => None,
                path => Some(path.parse().ok()?),
            };
            Refusal::Content { path, version }
        }
        4 => Refusal::Update(Error::Remembered { message: take(bytes)?.to_owned() }),
        5 => {
            let index = IndexName::new(take(bytes)?).ok()?;
            Refusal::Duplicate { index, id: DocumentId::new(take(bytes)?).ok()? }
        }
        6 => Refusal::Schema(take_violations(bytes)?),
        7 => Refusal::NoLease { version: decode_varint(bytes)? },
        8 => Refusal::Unmatched { version: decode_varint(bytes)? },
        _ => return None,
    })
}

fn put_violations(violations: &Violations, out: &mut Vec<u8>) {
    match violations.more() {
        More::None => out.push(0),
        More::Count(count) => numbered(1, count as u64, out),
        More::Unknown => out.push(2),
        More::AtLeast(count) => numbered(3, count as u64, out),
    }
    encode_varint(violations.as_slice().len() as u64, out);
    for Violation { path, rule, message, value } in violations.as_slice() {
        put(path, out);
        put(rule, out);
        put(message, out);
        let mut bytes = Vec::new();
        // One that cannot be encoded was too deep for a document, and is left out.
        if let Some(value) = value
            && encode_value_into(value, &mut bytes).is_err()
        {
            bytes.clear();
        }
        put_bytes(&bytes, out);
    }
}

fn take_violations(bytes: &mut &[u8]) -> Option<Violations> {
    let (&tag, rest) = bytes.split_first()?;
    *bytes = rest;
    let more = match tag {
        0 => More::None,
        1 => More::Count(usize::try_from(decode_varint(bytes)?).ok()?),
        2 => More::Unknown,
        3 => More::AtLeast(usize::try_from(decode_varint(bytes)?).ok()?),
        _ => return None,
    };
    let mut all = Vec::new();
    for _ in 0..decode_varint(bytes)? {
        let (path, rule, message) =
            (take(bytes)?.to_owned(), take(bytes)?.to_owned(), take(bytes)?.to_owned());
        let value = match take_bytes(bytes)? {
            [] => None,
            value => Some(value_of(value)?),
        };
        all.push(Violation { path, rule, message, value });
    }
    Some(Violations::new(all, more))
}

fn value_of(bytes: &[u8]) -> Option<Value> {
    RawValue::validate(bytes).ok()?.to_value().ok()
}

fn numbered(tag: u8, number: u64, out: &mut Vec<u8>) {
    out.push(tag);
    encode_varint(number, out);
}

fn put(text: &str, out: &mut Vec<u8>) {
    put_bytes(text.as_bytes(), out);
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(bytes)?).ok()
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(decode_varint(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    #[test]
    fn a_refusal_is_told_in_the_same_words() {
        let violation = Violation {
            path: "a.b".to_owned(),
            rule: "minimum".to_owned(),
            message: "is 1, and has to be at least 2".to_owned(),
            value: Some(value!({ "n": [1, 2.5, "x"] })),
        };
        let none = Violation { value: None, path: "c".to_owned(), ..violation.clone() };
        let update = Error::corrupt("any error will do");
        for refusal in [
            Refusal::Exists { version: 300 },
            Refusal::Missing,
            Refusal::Version { expected: 3, found: 0 },
            Refusal::Unmatched { version: 5 },
            Refusal::Content { path: Some("a.b".parse().unwrap()), version: 2 },
            Refusal::Content { path: None, version: u64::MAX },
            Refusal::Update(update),
            Refusal::Duplicate {
                index: IndexName::new("email_1").unwrap(),
                id: DocumentId::new("alice").unwrap(),
            },
            Refusal::Schema(Violations::new(vec![violation.clone(), none], More::Count(7))),
            Refusal::Schema(Violations::new(vec![violation], More::AtLeast(300))),
            Refusal::NoLease { version: 1 },
        ] {
            let mut bytes = Vec::new();
            refusal.encode_into(&mut bytes);
            for length in 0..bytes.len() {
                Refusal::decode(&mut &bytes[..length]).unwrap_err();
            }
            bytes.push(77);
            let mut rest = &bytes[..];
            let decoded = Refusal::decode(&mut rest).unwrap();
            assert_eq!(rest, [77]);
            assert_eq!(decoded.to_string(), refusal.to_string());
            if !matches!(refusal, Refusal::Update(_)) {
                assert_eq!(decoded, refusal);
            }
        }
    }
}
