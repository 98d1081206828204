//! The loss of power, as far as it can be had from outside: what the journal of a killed process
//! holds beyond its last durable write is cut off, or pages of it are zeroed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::Random;

/// What the system writes to a device at a time.
const PAGE: u64 = 4_096;

/// Where a data folder has its journals.
const JOURNALS: &str = "store";

/// The newest journal of a data folder and the length of what it holds; `None` while there is none.
pub fn journal_end(folder: &Path) -> Option<(u64, u64)> {
    let (number, path) = newest_journal(folder)?;
    let file = File::open(path).ok()?;
    Some((number, used_length(&file).ok()?))
}

/// Does to a journal what a loss of power can do behind `durable`, the journal and its length that
/// were durable. Returns what was done, or `None` when there was nothing to be lost.
///
/// # Errors
///
/// Those of the file system.
pub fn lose_power(
    folder: &Path,
    durable: (u64, u64),
    random: &mut Random,
) -> io::Result<Option<String>> {
    let Some((number, path)) = newest_journal(folder).filter(|(number, _)| *number == durable.0)
    else {
        return Ok(None);
    };
    let file = OpenOptions::new().read(true).write(true).open(&path)?;
    let (start, end) = (durable.1, used_length(&file)?);
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

/// The length up to the last byte that is not zero: journals are made longer than what they hold.
fn used_length(file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    // What is written never has a whole page of zeros, so the first one ends it.
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
            std::fs::create_dir(folder.path().join(JOURNALS)).unwrap();
            let path = folder.path().join(JOURNALS).join("3.jnl");
            let (used, durable) = (random.within(1..40_000), 10_000);
            let mut bytes = vec![7; used as usize];
            bytes.resize(100_000, 0);
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(journal_end(folder.path()), Some((3, used)), "seed {seed}");
            assert_eq!(lose_power(folder.path(), (2, 0), &mut random).unwrap(), None);
            let done = lose_power(folder.path(), (3, durable), &mut random).unwrap();
            assert_eq!(done.is_some(), used > durable, "seed {seed}");
            let after = std::fs::read(&path).unwrap();
            let kept = used.min(durable) as usize;
            assert_eq!((after.len(), &after[..kept]), (bytes.len(), &bytes[..kept]));
            assert_eq!(done.is_some(), after != bytes, "seed {seed}");
        }
    }
}
