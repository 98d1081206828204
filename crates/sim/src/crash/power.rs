//! Simulates the loss of power from outside of the process: the journal of a killed process is
//! truncated, or pages are zeroed, beyond its last durable write.
//!
//! The database fsyncs in the background too: before it writes to the folder's marker how much is
//! durable, and before it writes tables. So the journal is not damaged if one of those has
//! changed since.

use std::collections::hash_map::DefaultHasher;
use std::fs::{File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::Random;
use crate::record::JournalEnd;

/// The unit in which the system writes to a device.
const PAGE: u64 = 4_096;

/// The folder of the journals in a data folder.
const JOURNALS: &str = "store";

/// The folder of its tables.
const TABLES: &str = "store/keyspaces";

/// The file of a data folder that records how much is durable.
const MARKER: &str = "VELOCITYDB";

/// Where the journals of a data folder end.
///
/// # Errors
///
/// Those of the file system.
pub fn journal_end(folder: &Path) -> io::Result<JournalEnd> {
    let background = background(folder)?;
    let (journal, path) = newest_journal(folder).ok_or(io::ErrorKind::NotFound)?;
    Ok(JournalEnd { journal, length: used_length(&File::open(path)?)?, background })
}

/// A hash of what background fsyncs change: the marker, and the names of the tables.
fn background(folder: &Path) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    std::fs::read(folder.join(MARKER))?.hash(&mut hasher);
    let mut names = Vec::new();
    list(&folder.join(TABLES), &mut names)?;
    names.sort();
    names.hash(&mut hasher);
    Ok(hasher.finish())
}

fn list(folder: &Path, names: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        // It was removed after it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), names)?;
        }
        names.push(entry.path());
    }
    Ok(())
}

/// Damages the journal beyond `durable`, as a loss of power can. Returns the damage, or `None`
/// when there was nothing to lose.
///
/// # Errors
///
/// Those of the file system.
pub fn lose_power(
    folder: &Path,
    durable: JournalEnd,
    random: &mut Random,
) -> io::Result<Option<String>> {
    let journal = newest_journal(folder).filter(|(number, _)| *number == durable.journal);
    let Some((number, path)) = journal else { return Ok(None) };
    if background(folder)? != durable.background {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).write(true).open(&path)?;
    let (start, end) = (durable.length, used_length(&file)?);
    if start >= end {
        return Ok(None);
    }
    let place = random.within(start..end);
    if random.one_in(2) {
        let length = file.metadata()?.len();
        file.set_len(place)?;
        file.set_len(length)?;
        return Ok(Some(format!("journal {number} cut at {place} of {start}..{end}")));
    }
    let page_start = place.next_multiple_of(PAGE).saturating_sub(PAGE).max(start);
    let page_end = (page_start + 1).next_multiple_of(PAGE).min(end);
    file.write_all_at(&vec![0; (page_end - page_start) as usize], page_start)?;
    Ok(Some(format!("journal {number} zeroed at {page_start}..{page_end} of {start}..{end}")))
}

fn newest_journal(folder: &Path) -> Option<(u64, PathBuf)> {
    let journals = std::fs::read_dir(folder.join(JOURNALS)).ok()?.filter_map(|entry| {
        let path = entry.ok()?.path();
        let is_journal = path.extension().is_some_and(|extension| extension == "jnl");
        let number = path.file_stem()?.to_str()?.parse().ok()?;
        is_journal.then_some((number, path))
    });
    journals.max_by_key(|(number, _)| *number)
}

/// The length up to the last byte that is not zero: journals are preallocated.
fn used_length(file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    // Written data never has a whole page of zeros, so the first such page is the end.
    let (mut low, mut high) = (0, length.div_ceil(PAGE));
    while low < high {
        let middle = (low + high) / 2;
        match last_byte_of_page(file, middle)? {
            Some(_) => low = middle + 1,
            None => high = middle,
        }
    }
    let Some(last) = low.checked_sub(1) else { return Ok(0) };
    Ok(last_byte_of_page(file, last)?.map_or(0, |position| last * PAGE + position + 1))
}

fn last_byte_of_page(file: &File, page: u64) -> io::Result<Option<u64>> {
    let mut bytes = [0; PAGE as usize];
    let mut length = 0;
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], page * PAGE + length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    Ok(bytes[..length].iter().rposition(|byte| *byte != 0).map(|position| position as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_durable_is_damaged() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(folder.path().join(TABLES)).unwrap();
            let path = folder.path().join(JOURNALS).join("3.jnl");
            let (used, durable) = (random.within(1..40_000), 10_000);
            let mut bytes = vec![7; used as usize];
            bytes.resize(100_000, 0);
            std::fs::write(&path, &bytes).unwrap();
            std::fs::write(folder.path().join(MARKER), "marker").unwrap();
            let end = journal_end(folder.path()).unwrap();
            assert_eq!((end.journal, end.length), (3, used), "seed {seed}");
            let mut lose = |end| lose_power(folder.path(), end, &mut random).unwrap();
            assert_eq!(lose(JournalEnd { journal: 2, length: 0, ..end }), None);
            assert_eq!(lose(JournalEnd { background: 0, length: 0, ..end }), None);
            let done = lose(JournalEnd { length: durable, ..end });
            assert_eq!(done.is_some(), used > durable, "seed {seed}");
            let after = std::fs::read(&path).unwrap();
            let kept = used.min(durable) as usize;
            assert_eq!((after.len(), &after[..kept]), (bytes.len(), &bytes[..kept]));
            assert_eq!(done.is_some(), after != bytes, "seed {seed}");
        }
    }
}
