//! What a crash leaves of each mode, and what options each refuses.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use velocitydb_storage::lsm::FsyncHook;
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
    // The persister sleeps in between.
    for number in 1..=100 {
        commit(&*engine, number, Durability::Memory);
        while engine.stats().behind_batches > 0 {
            std::thread::yield_now();
        }
    }
    assert_eq!(after_crash(Mode::MemoryFirst, &folder), 100);
    commit(&*engine, 101, Durability::Memory);
    drop(engine);
    assert_eq!(after_crash(Mode::MemoryFirst, &folder), 101);
}

/// Long enough for whatever a test waits for.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The options of a disk mode, and what receives a message with each of its fsyncs.
fn with_fsyncs(
    mode: Mode,
    path: &std::path::Path,
    sync_interval: Duration,
) -> (Options, mpsc::Receiver<()>) {
    let (fsynced, fsyncs) = mpsc::channel();
    let fsync_hook = FsyncHook::new(move || {
        // The test has what it waited for.
        let _ = fsynced.send(());
        Ok(())
    });
    (Options { sync_interval, fsync_hook, ..options(mode, path) }, fsyncs)
}

/// The thread that fsyncs sleeps while there is nothing to do, and each commit that nobody fsyncs wakes
/// it again, as does opening a folder whose journal may only be in the system's cache.
#[test]
fn disk_modes_fsync_by_themselves_after_every_pause() {
    for mode in [Mode::Hybrid, Mode::Persistent] {
        let folder = tempfile::tempdir().unwrap();
        let (options, fsyncs) = with_fsyncs(mode, folder.path(), Duration::from_millis(1));
        let engine = mode::open(&options).unwrap();
        for number in 1..=100 {
            while fsyncs.try_recv().is_ok() {}
            commit(&*engine, number, Durability::Os);
            fsyncs.recv_timeout(WAIT_MAX).expect("the commit is fsynced");
        }
        let killed = Image::take(folder.path()).restore();
        let (options, fsyncs) = with_fsyncs(mode, killed.path(), Duration::from_millis(1));
        let opened = mode::open(&options).unwrap();
        fsyncs.recv_timeout(WAIT_MAX).expect("what was found is fsynced");
        assert_eq!(newest(&*opened), 100);
    }
}

/// The interval counts from the first commit that is not fsynced, not from the last.
#[test]
fn commits_without_a_pause_do_not_put_off_the_background_fsync() {
    let folder = tempfile::tempdir().unwrap();
    let interval = Duration::from_millis(50);
    let (options, fsyncs) = with_fsyncs(Mode::Persistent, folder.path(), interval);
    let engine = mode::open(&options).unwrap();
    let begin = Instant::now();
    let mut number = 0;
    while fsyncs.try_recv().is_err() {
        number += 1;
        commit(&*engine, number, Durability::Os);
        assert!(begin.elapsed() < WAIT_MAX, "no fsync beside {number} commits");
    }
    assert!(begin.elapsed() >= interval, "the fsync did not wait for more commits");
}

/// Closing wakes the threads in the background: they may have an hour to wait, or wait for a commit.
#[test]
fn closing_waits_for_no_interval() {
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        for commits in [0, 1] {
            let folder = tempfile::tempdir().unwrap();
            let hour = Duration::from_secs(3600);
            let options =
                Options { delay_max: hour, sync_interval: hour, ..options(mode, folder.path()) };
            let engine = mode::open(&options).unwrap();
            (1..=commits).for_each(|number| commit(&*engine, number, Durability::Memory));
            drop(engine);
            assert_eq!(after_crash(mode, &folder), commits);
        }
    }
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
