//! The reading of an encoded array or object as a table of entries, whatever the entries are.
//! [`codec`](crate::codec) draws it.

use crate::codec::{Names, tag};
use crate::{Error, Result};

/// An array or object, taken apart.
#[derive(Clone, Copy)]
pub(crate) struct Container<'a> {
    encoded: &'a [u8],
    /// Where in the body each entry ends, in numbers of `1 << width` bytes.
    ends: &'a [u8],
    body: &'a [u8],
    width: u8,
}

impl<'a> Container<'a> {
    /// Takes a value with the tag of an array or object apart. `depth` is the number of arrays and
    /// objects around it.
    pub(crate) fn new(encoded: &'a [u8], depth: usize) -> Result<Self> {
        const TRUNCATED: Error = Error::corrupt("an array or object is cut off");
        if depth >= Names::Operators.depth_max() {
            return Err(Error::corrupt("arrays and objects are nested too deeply"));
        }
        let (tag, rest) = encoded.split_first().ok_or(TRUNCATED)?;
        let width = (tag.wrapping_sub(tag::ARRAY)) % 3;
        let (count, rest) = rest.split_at_checked(1 << width).ok_or(TRUNCATED)?;
        let count = offset(count, 0, width);
        let (ends, body) = count
            .checked_shl(width.into())
            .and_then(|bytes| rest.split_at_checked(bytes))
            .ok_or(TRUNCATED)?;
        let container = Self { encoded, ends, body, width };
        let end = count.checked_sub(1).map_or(0, |last| container.end(last));
        ensure(end == body.len(), "an array or object does not end where it should")?;
        Ok(container)
    }

    pub(crate) const fn encoded(&self) -> &'a [u8] {
        self.encoded
    }

    pub(crate) const fn entries(self) -> Entries<'a> {
        Entries { container: self, next: 0, start: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len() >> self.width
    }

    /// Where the entry ends in the body. The index is below `len`.
    fn end(&self, index: usize) -> usize {
        offset(self.ends, index, self.width)
    }

    pub(crate) fn entry(&self, index: usize) -> Result<&'a [u8]> {
        let start = index.checked_sub(1).map_or(0, |before| self.end(before));
        self.slice(start, self.end(index))
    }

    fn slice(&self, start: usize, end: usize) -> Result<&'a [u8]> {
        self.body
            .get(start..end)
            .ok_or(Error::corrupt("an entry is outside of its array or object"))
    }

    /// Checks what the encoder would have chosen. The entries are checked by reading them.
    pub(crate) fn check(&self) -> Result<()> {
        let shortest = tag::width(self.body.len()) == self.width;
        ensure(shortest, "the offsets of an array or object are wider than they need to be")
    }
}

/// The entries of an array or object.
#[derive(Clone)]
pub(crate) struct Entries<'a> {
    container: Container<'a>,
    next: usize,
    /// Where the next entry starts in the body.
    start: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.container.len() {
            return None;
        }
        let end = self.container.end(self.next);
        let entry = self.container.slice(self.start, end);
        (self.next, self.start) = (self.next + 1, end);
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.container.len() - self.next;
        (left, Some(left))
    }
}

/// The number at a position of a table, or 0 beyond its end.
fn offset(table: &[u8], index: usize, width: u8) -> usize {
    let bytes = table.get(index << width..(index + 1) << width);
    match bytes {
        Some(&[a]) => a.into(),
        Some(&[a, b]) => u16::from_le_bytes([a, b]).into(),
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]) as usize,
        _ => 0,
    }
}

/// Splits an entry of an object into name and value.
pub(crate) fn split_field(entry: &[u8]) -> Result<(&[u8], &[u8])> {
    let (length, rest) = match entry {
        [length @ ..0x80, rest @ ..] => (usize::from(*length), rest),
        [high @ 0x81..=0xff, low, rest @ ..] | [high @ 0x80, low @ 0x80..=0xff, rest @ ..] => {
            (usize::from(high & 0x7f) << 8 | usize::from(*low), rest)
        }
        _ => return Err(Error::corrupt("a field has no name")),
    };
    rest.split_at_checked(length).ok_or(Error::corrupt("a field name is cut off"))
}

pub(crate) fn ensure(condition: bool, problem: &'static str) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::corrupt(problem)) }
}
