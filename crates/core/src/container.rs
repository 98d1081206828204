//! Reading an encoded array or object as a table of entries. [`codec`](crate::codec) draws its
//! bytes.

use std::cmp::Ordering;

use crate::field_order::FieldOrder;
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
    /// Whether it is an object whose fields are not in the order of their names.
    is_reordered: bool,
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
        let is_reordered = encoded.first().is_some_and(|tag| tag::is_reordered(*tag));
        let order = if is_reordered { FieldOrder::length(count) } else { 0 };
        let table = count.checked_shl(width.into());
        let split = table.and_then(|bytes| {
            let (ends, rest) = rest.split_at_checked(bytes)?;
            Some((ends, rest.get(order..)?))
        });
        let Some((ends, body)) = split else {
            return Err(Error::corrupt("an array or object has fewer bytes than entries"));
        };
        let container = Self { encoded, ends, body, width, is_reordered };
        let end = count.checked_sub(1).map_or(0, |last| container.end(last));
        ensure(end == body.len(), "an array or object does not end where it should")?;
        Ok(container)
    }

    pub(crate) const fn encoded(&self) -> &'a [u8] {
        self.encoded
    }

    /// The entries as they are written.
    pub(crate) const fn entries(self) -> Entries<'a> {
        Entries { container: self, next: 0, start: 0, order: None }
    }

    /// The entries of an object in the order of their names.
    pub(crate) fn entries_by_name(self) -> Entries<'a> {
        Entries { order: self.order(), ..self.entries() }
    }

    /// The order of the names of an object, if its fields are written in another one.
    #[inline]
    pub(crate) fn order(&self) -> Option<FieldOrder<'a>> {
        let start = 1 + (1 << self.width) + self.ends.len();
        let packed = || self.encoded.get(start..).unwrap_or_default();
        self.is_reordered.then(|| FieldOrder::new(packed(), self.len()))
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

    /// The position and the value of the field with that name, found by binary search.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Result<Option<(usize, &'a [u8])>> {
        match (self.order(), self.width) {
            (None, 0) => self.search::<0>(name, |rank| rank),
            (None, 1) => self.search::<1>(name, |rank| rank),
            (None, _) => self.search::<2>(name, |rank| rank),
            (Some(order), 0) => self.search::<0>(name, |rank| order.position(rank)),
            (Some(order), 1) => self.search::<1>(name, |rank| order.position(rank)),
            (Some(order), _) => self.search::<2>(name, |rank| order.position(rank)),
        }
    }

    /// Compiled for each width and order, since reading a document spends most of its time here.
    fn search<const WIDTH: u8>(
        &self,
        name: &[u8],
        position: impl Fn(usize) -> usize,
    ) -> Result<Option<(usize, &'a [u8])>> {
        let (mut low, mut high) = (0, self.ends.len() >> WIDTH);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = position(middle);
            let start = match at {
                0 => 0,
                _ => number(self.ends, at - 1, WIDTH),
            };
            let entry = self.slice(start, number(self.ends, at, WIDTH))?;
            let (found, value) = split_field(entry)?;
            match compare_names(found, name) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(Some((at, value))),
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

    /// Checks that the encoding is canonical. The entries are checked by reading them, those of an
    /// object by name.
    pub(crate) fn check(&self) -> Result<()> {
        let shortest = tag::width(self.body.len()) == self.width;
        ensure(shortest, "the offsets of an array or object are wider than they need to be")?;
        let canonical = self.order().is_none_or(|order| order.is_canonical(self.len()));
        ensure(canonical, "an object has an order of fields that it does not need")
    }
}

/// The entries of an array or object.
#[derive(Clone)]
pub(crate) struct Entries<'a> {
    container: Container<'a>,
    next: usize,
    /// Where the next entry starts in the body, if they are read as they are written.
    start: usize,
    /// The order in which they are read, if not as they are written.
    order: Option<FieldOrder<'a>>,
}

impl<'a> Entries<'a> {
    pub(crate) const fn container(&self) -> Container<'a> {
        self.container
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.container.len() {
            return None;
        }
        let next = self.next;
        self.next += 1;
        if let Some(order) = self.order {
            return Some(self.container.entry(order.position(next)));
        }
        let end = self.container.end(next);
        let entry = self.container.slice(self.start, end);
        self.start = end;
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
pub(crate) fn number(table: &[u8], index: usize, width: u8) -> usize {
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
