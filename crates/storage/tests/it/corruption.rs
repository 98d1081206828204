//! Damaged folders: recovered, or reported with the place; never silently wrong.

use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use velocitydb_storage::contract::Random;
use velocitydb_storage::lsm::verify;
use velocitydb_storage::{Batch, Durability, Engine, Error, Part};

use crate::folder::{Content, FIRST, Image, SECOND, content, files, open};

/// How many bits are flipped in a run; more with `FLIPS=100000`.
const FLIPS: usize = 400;

/// A few commits in the journal alone, every second one of several batches, and what there was after
/// each of them.
fn batches() -> (Image, Vec<Content>) {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    let mut contents = vec![content(&engine).unwrap()];
    for number in 0..6_u8 {
        let mut batch = Batch::new();
        batch.put(FIRST, &[b'k', number % 4], &[number; 20]);
        batch.put(SECOND, &[number], &vec![0; usize::from(number)]);
        batch.delete(SECOND, &[number.wrapping_sub(2)]);
        let parts = [Part::from(&batch), Part { prefix: b"behind", batch: &batch }];
        let count = 1 + usize::from(number % 2 == 1);
        engine.commit_all(&parts[..count], Durability::Os).unwrap();
        contents.push(content(&engine).unwrap());
    }
    (Image::take(folder.path()), contents)
}

/// Where batches end in the journal: after each end magic.
fn ends(journal: &[u8]) -> Vec<usize> {
    let windows = journal.windows(4).enumerate();
    windows.filter(|(_, bytes)| bytes == b"FJL\x03").map(|(start, _)| start + 4).collect()
}

/// A crash in the middle of a write leaves the beginning of a batch. Whatever byte it ends at,
/// with nothing or zeros after it, exactly the complete batches are there.
#[test]
fn a_journal_cut_at_every_byte_has_its_complete_batches() {
    let (image, contents) = batches();
    let journal = image.journal();
    let bytes = image.files[&journal].0.clone();
    let ends = ends(&bytes);
    assert_eq!(ends.len() + 1, contents.len());
    for length in ends[3]..=bytes.len() {
        let complete = ends.iter().filter(|end| **end <= length).count();
        for zeros in [0, 4096] {
            let mut cut = Image { files: image.files.clone() };
            let length_with_zeros = (length + zeros) as u64;
            cut.files.insert(journal.clone(), (bytes[..length].to_vec(), length_with_zeros));
            let folder = cut.restore();
            let engine = open(folder.path()).unwrap();
            assert!(content(&engine).unwrap() == contents[complete], "cut at {length}");
        }
    }
}

/// A loss of power can leave sectors of the last batch unwritten, which then are zero.
#[test]
fn a_last_batch_with_unwritten_sectors_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    let mut batch = Batch::new();
    batch.put(FIRST, b"key", b"value");
    engine.commit(&batch, Durability::Disk).unwrap();
    let expected = content(&engine).unwrap();
    batch.put(FIRST, b"large", &[7; 5000]);
    engine.commit(&batch, Durability::Os).unwrap();
    let image = Image::take(folder.path());
    let journal = image.journal();
    for sector in 1..image.files[&journal].0.len() / 512 {
        let mut torn = Image { files: image.files.clone() };
        let bytes = &mut torn.files.get_mut(&journal).unwrap().0;
        bytes[sector * 512..][..512].fill(0);
        let folder = torn.restore();
        let engine = open(folder.path()).unwrap();
        assert!(content(&engine).unwrap() == expected, "sector {sector}");
    }
}

/// Opening noted that all batches in the journal are durable, which after a killed process they need
/// not be: a loss of power right then left a folder that was called damaged.
#[test]
fn power_is_lost_right_after_a_killed_process_is_started_again() {
    let (image, contents) = batches();
    let killed = image.restore();
    let engine = open(killed.path()).unwrap();
    let mut opened = Image::take(killed.path());
    drop(engine);
    let journal = opened.journal();
    let bytes = &mut opened.files.get_mut(&journal).unwrap().0;
    let ends = ends(bytes);
    let complete = ends.len() - 1;
    bytes.truncate(ends[complete - 1]);
    let folder = opened.restore();
    let engine = open(folder.path()).unwrap();
    assert!(content(&engine).unwrap() == contents[complete]);
}

/// Any bit of an acknowledged batch that is not the last that was torn: reported with the place,
/// and nothing in the folder is changed.
#[test]
fn a_flipped_bit_in_a_journal_is_reported_and_nothing_is_cut() {
    let (image, contents) = batches();
    let journal = image.journal();
    let expected = contents.last().unwrap();
    for byte in 0..image.files[&journal].0.len() {
        let mut flipped = Image { files: image.files.clone() };
        flipped.files.get_mut(&journal).unwrap().0[byte] ^= 1 << (byte % 8);
        let folder = flipped.restore();
        match open(folder.path()) {
            // The head of a batch holds a sequence number with room between neighbours.
            Ok(engine) => assert!(content(&engine).unwrap() == *expected, "byte {byte}"),
            Err(Error::Corrupt { place, .. }) => {
                assert!(place.contains(journal.to_str().unwrap()), "byte {byte}: {place}");
                let after = fs::read(folder.path().join(&journal)).unwrap();
                let before = &flipped.files[&journal];
                assert!(after.len() as u64 == before.1 && after.starts_with(&before.0));
            }
            Err(error) => panic!("byte {byte}: {error}"),
        }
    }
}

/// Journals and tables, as after kill -9 and as after closing.
fn images() -> [(Image, Content); 2] {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    let mut random = Random::from_seed(7);
    let mut batch = Batch::new();
    let mut is_flushed = false;
    for number in 0_u32.. {
        let value: Vec<u8> = (0..300).map(|_| random.within(0..256) as u8).collect();
        batch.put(FIRST, &(number % 3000).to_be_bytes(), &value);
        batch.put(SECOND, &value[..8], &value[..random.within(0..40) as usize]);
        batch.delete(SECOND, &value[..4]);
        if number % 20 == 0 {
            engine.commit(&batch, Durability::Os).unwrap();
            batch.clear();
            let stats = engine.stats();
            let flushed = stats.keyspaces.iter().filter(|keyspace| keyspace.disk_bytes > 0);
            if is_flushed && number % 700 == 0 {
                break;
            }
            is_flushed = flushed.count() == 2;
        }
    }
    let expected = content(&engine).unwrap();
    let crashed = Image::take(folder.path());
    drop(engine);
    let closed = Image::take(folder.path());
    [(crashed, expected.clone()), (closed, expected)]
}

fn flip_and_check(image: &Image, expected: &Content, file: &Path, bit: usize) {
    let mut flipped = Image { files: image.files.clone() };
    flipped.files.get_mut(file).unwrap().0[bit / 8] ^= 1 << (bit % 8);
    let folder = flipped.restore();
    let report = verify(folder.path(), Duration::ZERO);
    let folder = flipped.restore();
    let found = open(folder.path()).and_then(|engine| content(&engine));
    match found {
        Ok(found) => assert!(found == *expected, "bit {bit} of {} is silent", file.display()),
        Err(Error::Corrupt { .. } | Error::Format { .. }) => {
            let is_found = report.map_or(true, |report| !report.findings.is_empty());
            assert!(is_found, "verify does not find bit {bit} of {}", file.display());
        }
        Err(error) => panic!("bit {bit} of {}: {error}", file.display()),
    }
}

/// Any bit of any file: either it is reported, or everything is as it was.
#[test]
fn a_flipped_bit_anywhere_is_never_silently_wrong() {
    let flips = env::var("FLIPS").map_or(FLIPS, |flips| flips.parse().unwrap());
    let mut random = Random::announced("a_flipped_bit_anywhere_is_never_silently_wrong");
    for (image, expected) in images() {
        let files: Vec<_> =
            image.files.iter().filter(|(_, (bytes, _))| !bytes.is_empty()).collect();
        for flip in 0..flips / 2 {
            let (file, (bytes, _)) = files[flip % files.len()];
            // Every second one near the end of the file, where tables have what describes them.
            let near = bytes.len().min(if flip % 2 == 0 { 2000 } else { usize::MAX });
            let bit = (bytes.len() - near) * 8 + random.within(0..near as u64 * 8) as usize;
            flip_and_check(&image, &expected, file, bit);
        }
    }
}

/// A file that is gone is noticed, whichever it is.
#[test]
fn a_missing_file_is_never_silently_wrong() {
    for (image, expected) in images() {
        for file in image.files.keys() {
            let folder = image.restore();
            fs::remove_file(folder.path().join(file)).unwrap();
            match open(folder.path()).and_then(|engine| content(&engine)) {
                Ok(found) => assert!(found == expected, "{} is not missed", file.display()),
                Err(Error::Corrupt { .. } | Error::Invalid { .. }) => {}
                Err(error) => panic!("without {}: {error}", file.display()),
            }
        }
    }
}

/// A sound folder has no findings, and every file of the store's content is read.
#[test]
fn a_sound_folder_is_reported_as_sound() {
    for (image, expected) in images() {
        let folder = image.restore();
        let report = verify(folder.path(), Duration::ZERO).unwrap();
        assert_eq!(report.findings, []);
        assert_eq!(report.format, 6);
        let keys = [expected[0].len() as u64, expected[1].len() as u64];
        assert_eq!(report.keys, [("first".to_owned(), keys[0]), ("second".to_owned(), keys[1])]);
        let tables = |file: &&std::path::PathBuf| file.to_string_lossy().contains("tables");
        let expected = files(folder.path()).iter().filter(tables).count();
        assert!(expected > 2 && report.files_sound.iter().filter(tables).count() > 2);
    }
}
