//! [`Output`]: what one traversal of a command is for: bytes, a hash, a comparison or a length.

use xxhash_rust::xxh3::Xxh3;

use crate::codec::encode_sort_into;
use crate::{Filter, Release, Result, Sort, Update};

/// The destination of an encoding.
pub(super) trait Output {
    fn put(&mut self, bytes: &[u8]);

    /// Adds an update, preceded by its length.
    fn put_update(&mut self, update: &Update) -> Result<()> {
        self.put_with_length(|bytes| update.encode_into(bytes))
    }

    /// Adds a filter, preceded by its length.
    fn put_filter(&mut self, filter: &Filter) -> Result<()> {
        self.put_with_length(|bytes| filter.encode_into(bytes))
    }

    /// Adds a sort, preceded by its length.
    fn put_sort(&mut self, sort: &Sort) -> Result<()> {
        sort.check()?;
        self.put_with_length(|bytes| encode_sort_into(&sort.to_value(), bytes))
    }

    /// Adds what is done at the end of a lease, preceded by its length.
    fn put_release(&mut self, release: &Release) -> Result<()> {
        self.put_with_length(|bytes| release.encode_into(bytes))
    }

    /// Adds what a function writes, preceded by its length.
    fn put_with_length(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        put_number(self, bytes.len() as u64);
        self.put(&bytes);
        Ok(())
    }
}

pub(super) fn put_number<O: Output + ?Sized>(out: &mut O, mut number: u64) {
    let mut bytes = [0; 10];
    let mut length = 0;
    while number >= 0x80 {
        bytes[length] = number as u8 | 0x80;
        number >>= 7;
        length += 1;
    }
    bytes[length] = number as u8;
    out.put(&bytes[..=length]);
}

impl Output for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Output for Xxh3 {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

/// Compares an encoding with expected bytes.
pub(super) struct Comparison<'a> {
    /// The expected rest; `None` after a difference.
    pub(super) expected: Option<&'a [u8]>,
}

impl Output for Comparison<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.expected = self.expected.and_then(|expected| expected.strip_prefix(bytes));
    }
}

/// Counts bytes. Updates, filters, sorts and releases are estimated and not encoded, since every command
/// with one would pay for that.
pub(super) struct Length(pub(super) usize);

impl Length {
    fn add(&mut self, length: usize) {
        self.0 += length + size_of::<u64>();
    }
}

impl Output for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn put_update(&mut self, update: &Update) -> Result<()> {
        self.add(update.encoded_length_max()?);
        Ok(())
    }

    fn put_filter(&mut self, filter: &Filter) -> Result<()> {
        self.add(filter.encoded_length_max()?);
        Ok(())
    }

    fn put_sort(&mut self, sort: &Sort) -> Result<()> {
        self.add(sort.encoded_length_max()?);
        Ok(())
    }

    fn put_release(&mut self, release: &Release) -> Result<()> {
        self.add(release.encoded_length_max()?);
        Ok(())
    }
}
