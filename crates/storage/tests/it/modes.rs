//! What a crash leaves of each mode, and what options each refuses.

use std::sync::Arc;
use std::time::Duration;

use velocitydb_storage::mode::{self, Mode, Options};
use velocitydb_storage::{Batch, Durability, Engine, Error, Keyspace};

use crate::folder::{FIRST, Image, SECOND};

fn options(mode: Mode, path: &std::path::Path) -> Options {
    Options {
        path: Some(path.to_owned()),
        memory_bytes: 16 << 20,
        ..Options::new(mode, &["first", "second"])
    }
}

/// The number of the newest batch, of which every keyspace has a half.
fn newest(engine: &dyn Engine) -> u64 {
    let [first, second] = [FIRST, SECOND].map(|keyspace| {
        let value = engine.get(keyspace, b"newest").unwrap();
        value.map_or(0, |value| u64::from_be_bytes(value[..].try_into().unwrap()))
    });
    assert_eq!(first, second, "half of a batch");
    first
}

fn commit(engine: &dyn Engine, number: u64, durability: Durability) {
    let mut batch = Batch::new();
    batch.put(FIRST, b"newest", &number.to_be_bytes());
    batch.put(SECOND, b"newest", &number.to_be_bytes());
    batch.put(FIRST, &number.to_be_bytes(), b"value");
    engine.commit(&batch, durability).unwrap();
}

/// What is there after a kill -9 now.
fn after_crash(mode: Mode, folder: &tempfile::TempDir) -> u64 {
    let image = Image::take(folder.path()).restore();
    let engine: Arc<dyn Engine> = mode::open(&options(mode, image.path())).unwrap();
    newest(&*engine)
}

/// The disk modes lose nothing that was acknowledged.
#[test]
fn a_crash_of_a_disk_mode_loses_nothing() {
    for mode in [Mode::Hybrid, Mode::Persistent] {
        let folder = tempfile::tempdir().unwrap();
        let engine = mode::open(&options(mode, folder.path())).unwrap();
        for number in 1..=20 {
            let durability = if number % 2 == 0 { Durability::Disk } else { Durability::Os };
            commit(&*engine, number, durability);
            assert_eq!(after_crash(mode, &folder), number, "{mode:?}");
        }
    }
}

/// `memory-first` loses a suffix of what was not synced, and never a half.
#[test]
fn a_crash_of_memory_first_loses_a_suffix() {
    let folder = tempfile::tempdir().unwrap();
    let engine = mode::open(&options(Mode::MemoryFirst, folder.path())).unwrap();
    let mut synced = 0;
    for number in 1..=20 {
        commit(&*engine, number, Durability::Memory);
        let left = after_crash(Mode::MemoryFirst, &folder);
        assert!((synced..=number).contains(&left), "{left}");
        if number % 5 == 0 {
            engine.sync().unwrap();
            synced = number;
            assert_eq!(after_crash(Mode::MemoryFirst, &folder), synced);
        }
    }
}

/// Without a sync, commits of `memory-first` get to disk in time, and all of them on closing.
#[test]
fn memory_first_persists_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        delay_max: Duration::from_millis(1),
        ..options(Mode::MemoryFirst, folder.path())
    };
    let engine = mode::open(&options).unwrap();
    commit(&*engine, 1, Durability::Memory);
    while engine.stats().behind_batches > 0 {
        std::thread::yield_now();
    }
    assert_eq!(after_crash(Mode::MemoryFirst, &folder), 1);
    commit(&*engine, 2, Durability::Memory);
    drop(engine);
    assert_eq!(after_crash(Mode::MemoryFirst, &folder), 2);
}

/// Commits wait when too much is behind, and the bound holds.
#[test]
fn memory_first_is_never_further_behind_than_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { behind_bytes_max: 10_000, ..options(Mode::MemoryFirst, folder.path()) };
    let engine = mode::open(&options).unwrap();
    let mut batch = Batch::new();
    for number in 0..2_000_u64 {
        batch.clear();
        batch.put(FIRST, &number.to_be_bytes(), &[7; 500]);
        engine.commit(&batch, Durability::Memory).unwrap();
        let behind = engine.stats().behind_bytes;
        assert!(behind < 10_000 + 508, "{behind} bytes");
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = options(Mode::Hybrid, folder.path());
    let bad = [
        Options { path: None, ..good.clone() },
        Options { keyspaces: vec![], ..good.clone() },
        Options { keyspaces: vec!["same".to_owned(); 2], ..good.clone() },
        Options { keyspaces: (0..9).map(|name| name.to_string()).collect(), ..good.clone() },
        Options { document_keyspace: Keyspace(2), ..good.clone() },
        Options { memory_bytes: 1000, ..good.clone() },
        Options { sync_interval: Duration::ZERO, ..good.clone() },
        Options { delay_max: Duration::MAX, ..good.clone() },
        Options { behind_bytes_max: 0, ..good.clone() },
    ];
    for options in bad {
        let error = mode::open(&options).err().unwrap();
        assert!(matches!(error, Error::Invalid { .. }), "{options:?}: {error}");
    }
    assert_eq!(crate::folder::files(folder.path()), Vec::<std::path::PathBuf>::new());
}
