//! Reading an encoded array or object as a table of entries. [`codec`](crate::codec) draws its
//! bytes.

use std::cmp::Ordering;

use crate::format::{Names, tag};
use crate::{Error, Result};

/// A decoded view of an array or object.
#[derive(Clone, Copy)]
pub(crate) struct Container<'a> {
    encoded: &'a [u8],
    /// Where in the body each entry ends, in numbers of `1 << width` bytes.
    ends: &'a [u8],
    body: &'a [u8],
    width: u8,
}

impl<'a> Container<'a> {
    /// Splits a value with the tag of an array or object into its parts. `depth` is the number of
    /// arrays and objects around it.
    #[inline]
    pub(crate) fn new(encoded: &'a [u8], depth: usize) -> Result<Self> {
        if depth >= Names::Operators.depth_max() {
            return Err(Error::corrupt("arrays and objects are nested too deeply"));
        }
        let Some((width, count, rest)) = split_count(encoded) else {
            return Err(Error::corrupt("an array or object is cut off"));
        };
        let table = count.checked_shl(width.into());
        let Some((ends, body)) = table.and_then(|bytes| rest.split_at_checked(bytes)) else {
            return Err(Error::corrupt("an array or object has fewer bytes than entries"));
        };
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
    #[inline]
    fn end(&self, index: usize) -> usize {
        number(self.ends, index, self.width)
    }

    #[inline]
    pub(crate) fn entry(&self, index: usize) -> Result<&'a [u8]> {
        let start = index.checked_sub(1).map_or(0, |before| self.end(before));
        self.slice(start, self.end(index))
    }

    /// The value of the field with that name, found by binary search.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Result<Option<&'a [u8]>> {
        match self.width {
            0 => self.find_at_width::<0>(name),
            1 => self.find_at_width::<1>(name),
            _ => self.find_at_width::<2>(name),
        }
    }

    /// Compiled for each width, since reading a document spends most of its time here.
    fn find_at_width<const WIDTH: u8>(&self, name: &[u8]) -> Result<Option<&'a [u8]>> {
        let (mut low, mut high) = (0, self.ends.len() >> WIDTH);
        while low < high {
            let middle = low + (high - low) / 2;
            let start = match middle {
                0 => 0,
                _ => number(self.ends, middle - 1, WIDTH),
            };
            let entry = self.slice(start, number(self.ends, middle, WIDTH))?;
            let (found, value) = split_field(entry)?;
            match compare_names(found, name) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(Some(value)),
            }
        }
        Ok(None)
    }

    #[inline]
    fn slice(&self, start: usize, end: usize) -> Result<&'a [u8]> {
        self.body
            .get(start..end)
            .ok_or_else(|| Error::corrupt("an entry is outside of its array or object"))
    }

    /// Checks that the encoding is canonical. The entries are checked by reading them.
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

    #[inline]
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

/// Compares names, which most often differ in their first byte.
#[inline]
fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    match a.first().cmp(&b.first()) {
        Ordering::Equal => a.cmp(b),
        unequal => unequal,
    }
}

/// Splits a container's width and count from the rest.
fn split_count(encoded: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (tag, rest) = encoded.split_first()?;
    let width = tag.wrapping_sub(tag::ARRAY) % 3;
    let (count, rest) = rest.split_at_checked(1 << width)?;
    Some((width, number(count, 0, width), rest))
}

/// The number at a position of a table, or 0 beyond its end.
#[inline]
fn number(table: &[u8], index: usize, width: u8) -> usize {
    let bytes = table.get(index << width..).unwrap_or_default();
    match width {
        0 => bytes.first().map_or(0, |byte| usize::from(*byte)),
        1 => bytes.first_chunk().map_or(0, |bytes| usize::from(u16::from_le_bytes(*bytes))),
        _ => bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize),
    }
}

/// Splits an entry of an object into name and value.
#[inline]
pub(crate) fn split_field(entry: &[u8]) -> Result<(&[u8], &[u8])> {
    let (length, rest) = match entry {
        [length @ ..0x80, rest @ ..] => (usize::from(*length), rest),
        [high @ 0x81..=0xff, low, rest @ ..] | [high @ 0x80, low @ 0x80..=0xff, rest @ ..] => {
            (usize::from(high & 0x7f) << 8 | usize::from(*low), rest)
        }
        _ => return Err(Error::corrupt("a field has no name")),
    };
    rest.split_at_checked(length).ok_or_else(|| Error::corrupt("a field name is cut off"))
}

pub(crate) fn ensure(condition: bool, problem: &'static str) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::corrupt(problem)) }
}
