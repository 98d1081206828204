//! The space of what was deleted comes back, and a folder that holds little is opened in a moment.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use velocitydb_storage::lsm::{Lsm, LsmOptions};
use velocitydb_storage::mode::{self, Mode, Options};
use velocitydb_storage::{Batch, Bounds, Direction, Durability, Engine};

use crate::folder::{FIRST, SECOND, content, noise, occupied};

const MIB: u64 = 1 << 20;

fn each(engine: &dyn Engine, numbers: std::ops::Range<u32>, act: impl Fn(&mut Batch, u32)) {
    let mut batch = Batch::new();
    for number in numbers {
        act(&mut batch, number);
        if number % 200 == 199 {
            engine.commit(&batch, Durability::Os).unwrap();
            batch.clear();
        }
    }
    engine.commit(&batch, Durability::Os).unwrap();
}

fn fill(engine: &dyn Engine, count: u32) {
    each(engine, 0..count, |batch, number| {
        batch.put(FIRST, &number.to_be_bytes(), &noise(number, 1_000));
        batch.put(SECOND, &number.to_be_bytes(), &[1]);
    });
}

fn delete(engine: &dyn Engine, numbers: std::ops::Range<u32>) {
    each(engine, numbers, |batch, number| {
        batch.delete(FIRST, &number.to_be_bytes());
        batch.delete(SECOND, &number.to_be_bytes());
    });
}

fn on_disk(mode: Mode, path: &Path) -> Arc<dyn Engine> {
    let path = Some(path.to_owned());
    let options =
        Options { path, memory_bytes: 16 << 20, ..Options::new(mode, &["first", "second"]) };
    mode::open(&options).unwrap()
}

/// After 300,000 documents were dropped the empty folder held 82 MB: journals that were never started anew,
/// and tables of tombstones that were never compacted.
#[test]
fn what_is_deleted_gives_its_space_back_while_the_engine_is_open() {
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        let folder = tempfile::tempdir().unwrap();
        let engine = on_disk(mode, folder.path());
        fill(&*engine, 20_000);
        engine.sync().unwrap();
        assert!(occupied(folder.path()) > 20 * MIB, "{mode:?}");
        delete(&*engine, 0..19_990);
        engine.sync().unwrap();
        engine.reclaim(&|work| work()).unwrap();
        let bytes = occupied(folder.path());
        assert!(bytes < MIB, "{mode:?}: {bytes} bytes for ten keys");
        assert_eq!(content(&*engine).unwrap().map(|keys| keys.len()), [10, 10], "{mode:?}");
        fill(&*engine, 5);
        drop(engine);
        let engine = on_disk(mode, folder.path());
        assert_eq!(content(&*engine).unwrap().map(|keys| keys.len()), [15, 15], "{mode:?}");
    }
}

/// Nothing is reclaimed beneath a snapshot, and it stays as it is.
#[test]
fn a_snapshot_that_is_held_keeps_what_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let engine = on_disk(Mode::Persistent, folder.path());
    fill(&*engine, 5_000);
    let snapshot = engine.snapshot().unwrap();
    delete(&*engine, 0..5_000);
    engine.reclaim(&|work| work()).unwrap();
    assert!(snapshot.get(FIRST, &7_u32.to_be_bytes()).unwrap().is_some());
    drop(snapshot);
    engine.reclaim(&|work| work()).unwrap();
    assert!(occupied(folder.path()) < MIB);
    assert!(engine.get(FIRST, &7_u32.to_be_bytes()).unwrap().is_none());
}

/// Every opening read 60 MB of journal, most of which was in the tables: 0.5 s for each command.
#[test]
fn a_long_journal_ends_with_the_engine_that_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = LsmOptions::new(folder.path(), &["first", "second"]);
    let engine = Lsm::open(options.clone()).unwrap();
    fill(&engine, 10_000);
    assert!(engine.stats().journal_bytes > 8 * MIB);
    drop(engine);
    let engine = Lsm::open(options.clone()).unwrap();
    assert!(engine.stats().journal_bytes < MIB, "{} bytes", engine.stats().journal_bytes);
    assert_eq!(content(&engine).unwrap().map(|keys| keys.len()), [10_000, 10_000]);
    drop(engine);
    assert!(
        velocitydb_storage::lsm::verify(folder.path(), Duration::ZERO).unwrap().findings.is_empty()
    );
}

/// Commands of a command line each open an engine, write a little and close it. The journal stays short, and
/// closing writes no table for much less than what it may leave in the journal.
#[test]
fn many_engines_that_each_write_a_little_leave_little_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let options = LsmOptions::new(folder.path(), &["first", "second"]);
    for number in 0..100_u32 {
        // Two of them write more than the journal may keep.
        let engine = Lsm::open(options.clone()).unwrap();
        assert!(engine.stats().journal_bytes <= MIB / 2, "{} bytes", engine.stats().journal_bytes);
        let mut batch = Batch::new();
        for key in number * 10..number * 10 + 10 {
            batch.put(FIRST, &key.to_be_bytes(), &[number as u8; 30_000]);
        }
        engine.commit(&batch, Durability::Disk).unwrap();
    }
    let engine = Lsm::open(options).unwrap();
    assert_eq!(content(&engine).unwrap()[0].len(), 1_000);
    let tables = crate::folder::Image::take(folder.path()).files.into_keys();
    let tables = tables.filter(|path| path.to_string_lossy().contains("tables")).count();
    // The store has its own tree too, whose tables it may not have come to merge.
    assert!(tables <= 110, "{tables} tables");
}

/// Journals are started anew under new numbers, and the old ones removed oldest first: a crash at any
/// moment of that leaves a folder with all data.
#[test]
fn a_crash_while_journals_begin_anew_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = LsmOptions::new(folder.path(), &["first", "second"]);
    let engine = Lsm::open(options.clone()).unwrap();
    fill(&engine, 6_000);
    let before = crate::folder::Image::take(folder.path());
    drop(engine);
    let mut after = crate::folder::Image::take(folder.path());
    let (old, new) = (before.journal(), after.journal());
    assert_ne!(old, new, "it was begun anew");
    after.files.insert(old.clone(), before.files[&old].clone());
    for is_begun in [true, false] {
        if !is_begun {
            after.files.remove(&new);
        }
        let image = after.restore();
        let options = LsmOptions { path: image.path().to_owned(), ..options.clone() };
        let engine = Lsm::open(options).unwrap();
        assert_eq!(content(&engine).unwrap().map(|keys| keys.len()), [6_000, 6_000]);
    }
}

/// A scan passes deleted keys, in the memtable and in the tables on disk, and each range has its share.
#[test]
fn what_is_deleted_is_counted_as_stored() {
    let folder = tempfile::tempdir().unwrap();
    let options = LsmOptions::new(folder.path(), &["first", "second"]);
    let engine = Lsm::open(options.clone()).unwrap();
    fill(&engine, 1_000);
    drop(engine);
    let engine = Lsm::open(options).unwrap();
    delete(&engine, 100..900);
    let snapshot = engine.snapshot().unwrap();
    let keys: Vec<[u8; 4]> = [0_u32, 100, 200, 300, 900, 1_000].map(u32::to_be_bytes).into();
    let range = |start: usize, end: usize| Bounds::range(&keys[start], &keys[end]);
    let stored = |ranges: &[Bounds<'_>]| snapshot.count_stored(SECOND, ranges).unwrap();
    for (ranges, visited, expected) in [
        (vec![Bounds::ALL], 200, 1_800),
        (vec![range(1, 2)], 0, 200),
        (vec![range(1, 3), range(2, 4), range(4, 5)], 100, 400 + 1_400 + 100),
        (vec![range(3, 2), range(0, 1)], 100, 100),
    ] {
        let mut found = 0;
        for bounds in &ranges {
            let mut visit = |_: &[u8], _: &[u8]| {
                found += 1;
                ControlFlow::Continue(())
            };
            snapshot.scan(SECOND, *bounds, Direction::Forward, &mut visit).unwrap();
        }
        assert_eq!((found, stored(&ranges)), (visited, expected), "{ranges:?}");
    }
}
