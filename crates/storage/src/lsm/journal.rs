//! Reads and checks the journals (write-ahead logs) of the store before the store reads them.
//!
//! The store silently truncates a journal at the first entry that it cannot read, since a crash in
//! the middle of a write leaves such an entry. So a flipped bit would lose every batch after it.
//! Here the two are distinguished, before anything is changed:
//!
//! - The *torn tail* of a crash is the beginning of one batch, and nothing or zeros after it; or,
//!   after a loss of power, a batch in which a whole sector is zero. The batch was not acknowledged
//!   as durable. It is truncated.
//! - Anything else is corruption: an entry that cannot be the beginning of a batch, or a damaged one
//!   whose end exists.
//!
//! Beyond the store's checksums, which do not cover the head of a batch, every batch carries a
//! [`Record`]: batches are numbered without a gap over all journals, and a sequence number lies
//! between the bound in its own record and that in the next.
//!
//! # Caveats
//!
//! A value that itself contains a zero sector, in the last batch that was ever written, with a
//! flipped bit in the same batch, looks like a loss of power. The marker's count of commits still
//! detects it, if the folder was closed after that batch or a megabyte was written since.
//!
//! A batch that begins less than [`ZERO_HEAD_BYTES_MIN`] before the end of a sector, of which a loss
//! of power has left just those bytes zero, looks like a flipped bit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3Default;

use super::error;
use super::store::{RECORD_KEY, RECORD_KEYSPACE_ID, Record};
use crate::{Error, Result};

const TAG_START: u8 = 1;
const TAG_ITEM: u8 = 2;
const TAG_END: u8 = 3;
/// The last bytes of every batch.
const END_MAGIC: &[u8; 4] = b"FJL\x03";

/// The unit in which the system counts the occupied bytes of a file.
pub(super) const BLOCK_BYTES: u64 = 512;

/// The unit of writes; after a loss of power each sector is either written or zero.
const SECTOR_BYTES: u64 = 512;
/// How many bytes at the head of a batch have to be zero to distinguish a loss of power from a
/// flipped bit: its tag and its count, neither of which is ever zero.
const ZERO_HEAD_BYTES_MIN: usize = 5;
/// How far sequence numbers of consecutive batches can be apart; the store uses some itself.
const SEQUENCE_GAP_MAX: u64 = 1 << 32;

/// The content of all journals of a store.
#[derive(Debug, Default)]
pub(super) struct Journals {
    /// The number of the first batch.
    pub(super) first: Option<u64>,
    /// The number of the last one.
    pub(super) last: Option<u64>,
    /// Where the newest journal is to be truncated.
    tail: Option<(PathBuf, u64)>,
    /// The files that were read, oldest first.
    pub(super) files: Vec<PathBuf>,
}

/// One batch of a journal.
struct Entry {
    record: Record,
    sequence: u64,
}

/// Why there is no further batch.
enum Flaw {
    /// The bytes end here.
    End,
    /// The bytes are not a batch.
    Invalid(&'static str),
    Io(io::Error),
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Flaw::End,
            _ => Flaw::Io(error),
        }
    }
}

/// Reads every journal in `store`, and changes nothing. Batches above `number_max`, which were
/// refused when they were written, count as part of the tail.
pub(super) fn verify(store: &Path, number_max: Option<u64>) -> Result<Journals> {
    let mut verifier = Verifier { number_max, previous: None, journals: Journals::default() };
    let mut files = list(store)?;
    let Some((_, newest)) = files.pop() else {
        return Err(corrupt(store, 0, "there is no journal"));
    };
    for (_, path) in files {
        verifier.read(&path, Position::Sealed)?;
    }
    verifier.read(&newest, Position::Newest)?;
    Ok(verifier.journals)
}

impl Journals {
    /// Truncates the torn tail, if there is one.
    pub(super) fn repair(&self) -> Result<()> {
        let Some((path, length)) = &self.tail else { return Ok(()) };
        OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|file| {
                file.set_len(*length)?;
                file.sync_all()
            })
            .map_err(|error| error::io("truncating the tail of", path, &error))
    }
}

/// The bytes that journals occupy on the device; while they are new, that is less than their length.
pub(super) fn occupied_bytes(store: &Path) -> Result<u64> {
    let mut bytes = 0;
    for (_, path) in files(store)? {
        match fs::metadata(&path) {
            Ok(metadata) => bytes += metadata.blocks() * BLOCK_BYTES,
            // The store has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error::io("looking at", &path, &error)),
        }
    }
    Ok(bytes)
}

/// The journal that the store writes to.
pub(super) fn newest(store: &Path) -> Result<PathBuf> {
    let newest = files(store)?.into_iter().max();
    newest.map(|(_, path)| path).ok_or_else(|| corrupt(store, 0, "it has no journal"))
}

/// The journal that the store starts after this one.
pub(super) fn after(path: &Path) -> Option<PathBuf> {
    let number = path.file_stem()?.to_str()?.parse::<u64>().ok()?;
    Some(path.with_file_name(format!("{}.jnl", number + 1)))
}

/// Starts a new journal and removes all others. The store must be closed, and everything in its
/// tables. A crash at any point leaves journals without a gap.
pub(super) fn restart(store: &Path) -> Result<()> {
    let files = list(store)?;
    let Some((newest, _)) = files.last() else { return Ok(()) };
    let path = store.join(format!("{}.jnl", newest + 1));
    let sync = || File::open(store)?.sync_all();
    File::create_new(&path)
        .and_then(|file| file.sync_all())
        .and_then(|()| sync())
        .map_err(|error| error::io("creating", &path, &error))?;
    for (_, path) in files {
        fs::remove_file(&path).map_err(|error| error::io("removing", &path, &error))?;
    }
    sync().map_err(|error| error::io("syncing", store, &error))
}

/// The journals of a closed store by number, oldest first.
fn list(store: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut files = files(store)?;
    files.sort();
    for pair in files.windows(2) {
        if pair[0].0 + 1 != pair[1].0 {
            return Err(corrupt(&pair[1].1, 0, "the journal before it is missing"));
        }
    }
    Ok(files)
}

/// The journals with their numbers, in any order.
fn files(store: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let failed = |error| error::io("listing", store, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(store).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            let number = number.ok_or_else(|| corrupt(&path, 0, "its name is not a number"))?;
            files.push((number, path));
        }
    }
    Ok(files)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Sealed,
    Newest,
}

struct Verifier {
    number_max: Option<u64>,
    previous: Option<Entry>,
    journals: Journals,
}

impl Verifier {
    fn read(&mut self, path: &Path, position: Position) -> Result<()> {
        let failed = |error| error::io("reading", path, &error);
        let file = File::open(path).map_err(failed)?;
        let mut reader = BufReader::with_capacity(64 << 10, file);
        let mut offset = 0;
        self.journals.files.push(path.to_owned());
        loop {
            match Batch::new(&mut reader).read() {
                Ok((entry, length)) => {
                    if self.number_max.is_some_and(|max| entry.record.number > max) {
                        self.journals.tail = Some((path.to_owned(), offset));
                        return Ok(());
                    }
                    self.follow(&entry).map_err(|what| corrupt(path, offset, what))?;
                    self.previous = Some(entry);
                    offset += length;
                }
                Err(Flaw::Io(error)) => return Err(failed(error)),
                Err(_) => break,
            }
        }
        let rest = rest(path, offset).map_err(failed)?;
        if rest.is_empty() {
            return Ok(());
        }
        if position == Position::Sealed {
            return Err(corrupt(path, offset, "a journal that was complete ends early"));
        }
        let sequence = self.previous.as_ref().map(|entry| entry.sequence);
        classify(&rest, offset, sequence).map_err(|what| corrupt(path, offset, what))?;
        self.journals.tail = Some((path.to_owned(), offset));
        Ok(())
    }

    /// Whether `entry` can come after the one before it.
    fn follow(&mut self, entry: &Entry) -> std::result::Result<(), &'static str> {
        let Entry { record, sequence } = *entry;
        if sequence < record.sequence_min || sequence - record.sequence_min > SEQUENCE_GAP_MAX {
            return Err("the sequence number of a batch is not the one it was written with");
        }
        match &self.previous {
            None => self.journals.first = Some(record.number),
            Some(previous) if previous.record.number + 1 != record.number => {
                return Err("batches are missing before this one");
            }
            Some(previous) if previous.sequence >= record.sequence_min => {
                return Err("the sequence number of the batch before is too large");
            }
            Some(_) => {}
        }
        self.journals.last = Some(record.number);
        Ok(())
    }
}

/// What follows `offset`, without the zeros at its end.
fn rest(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut rest = Vec::new();
    let mut zeros = 0;
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(rest);
        }
        let chunk = &chunk[..read];
        match chunk.iter().rposition(|byte| *byte != 0) {
            None => zeros += read,
            Some(last) => {
                rest.resize(rest.len() + zeros, 0);
                rest.extend_from_slice(&chunk[..=last]);
                zeros = read - last - 1;
            }
        }
    }
}

/// Whether `rest`, which is not a batch, is the torn tail of one after a crash.
fn classify(
    rest: &[u8],
    offset: u64,
    sequence: Option<u64>,
) -> std::result::Result<(), &'static str> {
    let end = find_end(rest, sequence);
    let torn = &rest[..end.unwrap_or(rest.len())];
    if has_zero_sector(torn, offset) {
        return Ok(());
    }
    match Batch::new(&mut &*rest).read() {
        Err(Flaw::Invalid(what)) => Err(what),
        Err(Flaw::End) if end.is_none() => Ok(()),
        _ => Err("a batch is damaged, and its end exists"),
    }
}

/// The first place where a batch ends: at the end of `bytes`, or with another one after it, which
/// has a number after `sequence`.
fn find_end(bytes: &[u8], sequence: Option<u64>) -> Option<usize> {
    let ends = bytes.windows(END_MAGIC.len()).enumerate();
    let mut ends =
        ends.filter(|(_, window)| window == END_MAGIC).map(|(start, _)| start + END_MAGIC.len());
    ends.find(|end| match (&bytes[*end..], sequence) {
        ([], _) => true,
        ([TAG_START, _, _, _, _, next @ ..], Some(sequence)) => {
            next.first_chunk().is_none_or(|next| {
                let next = u64::from_le_bytes(*next);
                next > sequence && next - sequence < SEQUENCE_GAP_MAX
            })
        }
        ([tag, ..], _) => *tag == TAG_START,
    })
}

/// Whether a sector of the file is zero; `bytes` begin at `offset` of the file. Of the first sector
/// only the part after `offset` counts: the bytes before it were written earlier.
fn has_zero_sector(bytes: &[u8], offset: u64) -> bool {
    let is_zero = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    let begun = (offset.next_multiple_of(SECTOR_BYTES) - offset) as usize;
    let Some((begun, sectors)) = bytes.split_at_checked(begun) else { return false };
    (begun.len() >= ZERO_HEAD_BYTES_MIN && is_zero(begun))
        || sectors.chunks_exact(SECTOR_BYTES as usize).any(is_zero)
}

/// Reads one batch.
struct Batch<'a, R> {
    reader: &'a mut R,
    length: u64,
    hasher: Xxh3Default,
}

impl<'a, R: Read> Batch<'a, R> {
    fn new(reader: &'a mut R) -> Self {
        Batch { reader, length: 0, hasher: Xxh3Default::new() }
    }

    fn read(mut self) -> std::result::Result<(Entry, u64), Flaw> {
        if self.take::<1>()? != [TAG_START] {
            return Err(Flaw::Invalid("a batch does not begin where it should"));
        }
        let count = u32::from_le_bytes(self.take()?);
        let sequence = u64::from_le_bytes(self.take()?);
        // The checksum covers the items alone.
        self.hasher = Xxh3Default::new();
        let mut record = None;
        for _ in 0..count {
            record = record.or(self.item()?);
        }
        let checksum = self.hasher.digest();
        if self.take::<1>()? != [TAG_END] {
            return Err(Flaw::Invalid("a batch has more items than its head says"));
        }
        if u64::from_le_bytes(self.take()?) != checksum {
            return Err(Flaw::Invalid("the checksum of a batch is wrong"));
        }
        if self.take()? != *END_MAGIC {
            return Err(Flaw::Invalid("a batch does not end as it should"));
        }
        let record = record.ok_or(Flaw::Invalid("a batch has no number"))?;
        Ok((Entry { record, sequence }, self.length))
    }

    /// Reads one item; returns the record, if it is one.
    fn item(&mut self) -> std::result::Result<Option<Record>, Flaw> {
        let head: [u8; 21] = self.take()?;
        let [tag, kind, compression, lengths @ ..] = head;
        // Value or tombstone, and no compression: we write nothing else.
        if tag != TAG_ITEM || kind > 1 || compression != 0 {
            return Err(Flaw::Invalid("an item does not begin as it should"));
        }
        let number = |bytes: Range<usize>| {
            let bytes = lengths[bytes].iter().rev();
            bytes.fold(0, |number, byte| (number << 8) | u64::from(*byte))
        };
        let keyspace = number(0..8);
        let key_length = number(8..10);
        let value_length = number(10..14);
        if key_length == 0 || value_length != number(14..18) {
            return Err(Flaw::Invalid("the lengths of an item contradict one another"));
        }
        let is_record = keyspace == RECORD_KEYSPACE_ID
            && key_length == RECORD_KEY.len() as u64
            && value_length == Record::LENGTH as u64;
        if is_record {
            let key: [u8; RECORD_KEY.len()] = self.take()?;
            let value: [u8; Record::LENGTH] = self.take()?;
            let record = Record::decode(&value);
            return Ok(record.filter(|_| key == *RECORD_KEY));
        }
        self.skip(key_length + value_length)?;
        Ok(None)
    }

    fn take<const N: usize>(&mut self) -> std::result::Result<[u8; N], Flaw> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.hasher.update(&bytes);
        self.length += N as u64;
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> std::result::Result<(), Flaw> {
        let mut left = length as usize;
        let mut chunk = [0; 1024];
        while left > 0 {
            let part = left.min(chunk.len());
            self.reader.read_exact(&mut chunk[..part])?;
            self.hasher.update(&chunk[..part]);
            left -= part;
        }
        self.length += length;
        Ok(())
    }
}

fn corrupt(path: &Path, offset: u64, what: &str) -> Error {
    Error::Corrupt { place: format!("{} at byte {offset}", path.display()), what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo xtask crash --mode power --seed 20261124 --cycles 24` found folders that could not be
    /// opened after a loss of power: the sector in which the durable batches end held zeros after
    /// them, and the sector after it was written. Only sectors that are zero as a whole had been
    /// recognised as a loss of power.
    #[test]
    fn a_sector_that_was_begun_before_and_not_written_again_is_a_torn_tail() {
        let mut rest = vec![0; 414];
        rest.resize(646, 7);
        assert_eq!(classify(&rest, 2_965_090, Some(9)), Ok(()));
        let flipped_tag = [&[0, 5, 0, 0, 0][..], &[7; 600]].concat();
        assert!(classify(&flipped_tag, 2_965_090, Some(9)).is_err());
        assert!(classify(&[0, 0, 7, 7, 7], 510, Some(9)).is_err());
    }
}
