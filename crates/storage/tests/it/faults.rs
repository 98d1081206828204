//! What fails from outside: locks, other people's folders, newer formats, full disks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use velocitydb_storage::lsm::{Lsm, LsmOptions};
use velocitydb_storage::mode::{self, Mode, Options};
use velocitydb_storage::{
    Batch, Bounds, Durability, Engine, Error, Part, PartitionId, Partitions, Purpose, Replacement,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::folder::{FIRST, SECOND, content, files, open, options, put};

/// Nothing is written into a folder that is not a data folder.
#[test]
fn a_folder_that_is_not_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "the only copy").unwrap();
    let error = open(folder.path()).err().unwrap();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    assert_eq!(files(folder.path()), [PathBuf::from("thesis.txt")]);
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let path = folder.path().join("VELOCITYDB");
    let mut marker = fs::read(&path).unwrap();
    marker.truncate(marker.len() - 8);
    marker[8] += 1;
    marker.extend(xxh3_64(&marker).to_le_bytes());
    fs::write(&path, marker).unwrap();
    let error = open(folder.path()).err().unwrap();
    assert!(matches!(error, Error::Format { found: 7, supported: 6, .. }), "{error}");
}

/// A crash while the folder is created leaves a marker that says so, and anything beside it, of which
/// nothing is used. The journal of the store that is made then is not read before it is opened.
#[test]
fn a_folder_that_was_not_created_to_the_end_is_created_again() {
    for lacks_version in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(folder.path()).unwrap();
        put(&engine, b"before", b"value", Durability::Disk).unwrap();
        drop(engine);
        let path = folder.path().join("VELOCITYDB");
        let mut marker = fs::read(&path).unwrap();
        marker.truncate(marker.len() - 8);
        marker[12] = 1;
        marker.extend(xxh3_64(&marker).to_le_bytes());
        fs::write(&path, marker).unwrap();
        if lacks_version {
            fs::remove_file(folder.path().join("store/version")).unwrap();
        }
        let engine = open(folder.path()).unwrap();
        assert!(engine.get(FIRST, b"before").unwrap().is_none());
        put(&engine, b"key", b"value", Durability::Disk).unwrap();
        drop(engine);
        let engine = open(folder.path()).unwrap();
        assert!(engine.get(FIRST, b"key").unwrap().is_some());
    }
}

#[test]
fn keyspaces_can_be_appended_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    put(&engine, b"key", b"value", Durability::Os).unwrap();
    drop(engine);
    let mut more = options(folder.path());
    more.keyspaces.push("third".to_owned());
    let engine = Lsm::open(more.clone()).unwrap();
    assert!(engine.get(FIRST, b"key").unwrap().is_some());
    drop(engine);
    for error in [open(folder.path()).err().unwrap(), {
        more.keyspaces.swap(0, 1);
        Lsm::open(more).err().unwrap()
    }] {
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
}

/// A batch that cannot be stored is refused as a whole.
#[test]
fn a_key_that_is_too_long_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    let mut batch = Batch::new();
    batch.put(FIRST, b"key", b"value");
    batch.put(FIRST, &[7; 65_536], b"value");
    let error = engine.commit(&batch, Durability::Os).unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    assert!(engine.get(FIRST, b"key").unwrap().is_none());
    put(&engine, b"key", b"value", Durability::Os).unwrap();
}

/// A small device, where this may be had.
struct SmallDisk {
    path: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let path = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "velocitydb-test"])
            .arg(path.path())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(SmallDisk { path });
        }
        println!("skipped: mounting a small tmpfs is not allowed here");
        None
    }

    fn data(&self) -> PathBuf {
        self.path.path().join("data")
    }

    /// Leaves `free` bytes.
    fn fill(&self, free: u64) -> PathBuf {
        let ballast = self.path.path().join("ballast");
        let stat = rustix::fs::statvfs(self.path.path()).unwrap();
        let available = stat.f_bavail * stat.f_frsize;
        fs::write(&ballast, vec![1; (available - free) as usize]).unwrap();
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

fn number(number: u32) -> ([u8; 4], Vec<u8>) {
    (number.to_be_bytes(), vec![number as u8; 1000])
}

/// The reserve refuses writes before the device is full; they work again when there is room.
#[test]
fn a_nearly_full_disk_refuses_writes_and_serves_reads() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let engine = open(&disk.data()).unwrap();
    put(&engine, b"before", b"value", Durability::Disk).unwrap();
    let ballast = disk.fill(512 << 10);
    let mut last = Ok(());
    for n in 0..1000 {
        let (key, value) = number(n);
        last = put(&engine, &key, &value, Durability::Os);
        if last.is_err() {
            break;
        }
    }
    let error = last.unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }) && error.is_retryable(), "{error}");
    assert!(engine.get(FIRST, b"before").unwrap().is_some());
    fs::remove_file(ballast).unwrap();
    put(&engine, b"after", b"value", Durability::Disk).unwrap();
}

/// Without a reserve the store itself meets the full device. What was acknowledged is there, what
/// was refused is not, at once and after a restart, and writes work again when there is room.
#[test]
fn a_full_disk_loses_nothing_acknowledged_and_keeps_nothing_refused() {
    for durability in [Durability::Os, Durability::Disk] {
        let Some(disk) = SmallDisk::mount(24) else { return };
        let mut options = options(&disk.data());
        options.disk_reserve_bytes = Some(0);
        let mut engine = Lsm::open(options.clone()).unwrap();
        let ballast = disk.fill(6 << 20);
        let mut acknowledged = 0;
        let error = loop {
            let (key, value) = number(acknowledged);
            match put(&engine, &key, &value, durability) {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        let check = |engine: &dyn Engine, count: u32| {
            let found = &content(engine).unwrap()[0];
            assert_eq!(found.len(), count as usize);
            for n in 0..count {
                let (key, value) = number(n);
                assert_eq!(found[&key[..]], value);
            }
        };
        check(&engine, acknowledged);
        let (key, value) = number(acknowledged);
        if durability == Durability::Disk {
            drop(engine);
            fs::remove_file(&ballast).unwrap();
            engine = Lsm::open(options.clone()).unwrap();
            check(&engine, acknowledged);
        } else {
            let snapshot = engine.snapshot().unwrap();
            fs::remove_file(&ballast).unwrap();
            let error = put(&engine, &key, &value, durability).unwrap_err();
            assert!(matches!(error, Error::Poisoned { .. }), "{error}");
            drop(snapshot);
        }
        put(&engine, &key, &value, durability).unwrap();
        check(&engine, acknowledged + 1);
        drop(engine);
        check(&Lsm::open(options).unwrap(), acknowledged + 1);
    }
}

fn on_disk(mode: Mode, path: &Path) -> Arc<dyn Engine> {
    let options = Options {
        path: Some(path.to_owned()),
        memory_bytes: 16 << 20,
        behind_bytes_max: 100_000,
        disk_reserve_bytes: Some(2 << 20),
        ..Options::new(mode, &["first", "second"])
    };
    mode::open(&options).unwrap()
}

/// In every mode commits end in a clear error, and go on when there is room.
#[test]
fn every_mode_survives_a_full_disk() {
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        let Some(disk) = SmallDisk::mount(16) else { return };
        let engine = on_disk(mode, &disk.data());
        let ballast = disk.fill(3 << 20);
        let mut acknowledged = 0;
        let error = loop {
            let (key, value) = number(acknowledged);
            match put(&*engine, &key, &value, Durability::Os) {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::DiskFull { .. }), "{mode:?}: {error}");
        for n in 0..acknowledged {
            assert!(engine.get(FIRST, &number(n).0).unwrap().is_some());
        }
        fs::remove_file(ballast).unwrap();
        let (key, value) = number(acknowledged);
        while let Err(error) = put(&*engine, &key, &value, Durability::Os) {
            assert!(error.is_retryable(), "{mode:?}: {error}");
        }
        drop(engine);
        let engine = on_disk(mode, &disk.data());
        assert_eq!(content(&*engine).unwrap()[0].len(), acknowledged as usize + 1, "{mode:?}");
    }
}

/// Of several batches that are committed as one, a full device refuses all or none, also after a
/// restart.
#[test]
fn several_batches_are_refused_as_one_by_a_full_disk() {
    for (mode, reserve) in [
        (Mode::MemoryFirst, 2 << 20),
        (Mode::Hybrid, 2 << 20),
        (Mode::Persistent, 2 << 20),
        (Mode::Persistent, 0),
    ] {
        let Some(disk) = SmallDisk::mount(16) else { return };
        let open = || {
            let options = Options {
                path: Some(disk.data()),
                memory_bytes: 16 << 20,
                behind_bytes_max: 100_000,
                disk_reserve_bytes: Some(reserve),
                ..Options::new(mode, &["first", "second"])
            };
            mode::open(&options).unwrap()
        };
        let engine = open();
        let ballast = disk.fill(3 << 20);
        let mut acknowledged = 0;
        let error = loop {
            let (key, value) = number(acknowledged);
            let mut batch = Batch::new();
            batch.put(FIRST, &key, &value);
            let parts = [&b"left"[..], b"right"].map(|prefix| Part { prefix, batch: &batch });
            match engine.commit_all(&parts, Durability::Os) {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::DiskFull { .. }), "{mode:?}: {error}");
        let check = |engine: &dyn Engine| {
            let found = &content(engine).unwrap()[0];
            assert_eq!(found.len(), 2 * acknowledged as usize, "{mode:?}");
            for n in 0..acknowledged {
                let (key, value) = number(n);
                assert_eq!(found[&[b"left", &key[..]].concat()], value, "{mode:?}");
                assert_eq!(found[&[b"right", &key[..]].concat()], value, "{mode:?}");
            }
        };
        check(&*engine);
        fs::remove_file(ballast).unwrap();
        engine.sync().unwrap();
        drop(engine);
        check(&*open());
    }
}

/// Writes that are refused on a full device can be followed by deletes: what frees space has a part of the
/// reserve for itself. The error says how much room there is, and how much is needed.
#[test]
fn what_frees_space_is_taken_when_the_rest_is_refused() {
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        let Some(disk) = SmallDisk::mount(16) else { return };
        let engine = on_disk(mode, &disk.data());
        put(&*engine, b"before", b"value", Durability::Os).unwrap();
        engine.sync().unwrap();
        let ballast = disk.fill(1536 << 10);
        let mut batch = Batch::new();
        batch.put(FIRST, b"more", &[7; 300_000]);
        let error = engine.commit(&batch, Durability::Os).unwrap_err();
        let Error::DiskFull { room: Some(room), .. } = &error else { panic!("{mode:?}: {error}") };
        assert!(room.needed_bytes >= 2 << 20 && room.free_bytes <= 1536 << 10, "{room:?}");
        assert!(error.to_string().contains(&room.needed_bytes.to_string()), "{error}");
        batch.clear();
        batch.delete(FIRST, b"before");
        batch.put(SECOND, b"deleted", &[7; 300_000]);
        batch.set_purpose(Purpose::Free);
        engine.commit(&batch, Durability::Disk).unwrap();
        engine.close().unwrap();
        assert!(engine.get(FIRST, b"before").unwrap().is_none());
        fs::remove_file(ballast).unwrap();
    }
}

/// On a full device the removal of a range may be refused, as other deletions are: it leaves the rest of
/// the range, and nothing else undone. With some room it is done, and gives back the space of the range.
#[test]
fn a_range_is_removed_from_a_full_disk() {
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        let Some(disk) = SmallDisk::mount(64) else { return };
        let open = || {
            let (path, memory_bytes) = (Some(disk.data()), 16 << 20);
            let options =
                Options { path, memory_bytes, ..Options::new(mode, &["first", "second"]) };
            mode::open(&options).unwrap()
        };
        let engine = open();
        let ballast = disk.fill(32 << 20);
        let mut acknowledged = 0;
        let key =
            |n: u32| [if n.is_multiple_of(4) { &b"a"[..] } else { b"b" }, &number(n).0].concat();
        let error = loop {
            match put(&*engine, &key(acknowledged), &number(acknowledged).1, Durability::Os) {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::DiskFull { .. }), "{mode:?}: {error}");
        let removed = engine.remove_range(FIRST, Bounds::range(b"b", b"c"));
        let may_try_again = removed.as_ref().map_or_else(Error::is_retryable, |()| true);
        assert!(may_try_again, "{mode:?}: {removed:?}");
        fs::remove_file(ballast).unwrap();
        engine.remove_range(FIRST, Bounds::range(b"b", b"c")).unwrap();
        let check = |engine: &dyn Engine, count: u32| {
            let found = &content(engine).unwrap()[0];
            assert_eq!(found.len() as u32, acknowledged.div_ceil(4) + count, "{mode:?}");
            for n in (0..acknowledged).step_by(4) {
                assert_eq!(found[&key(n)], number(n).1, "{mode:?}");
            }
        };
        check(&*engine, 0);
        engine.reclaim(&|work| work()).unwrap();
        let key = |n: u32| [b"c", &number(n).0[..]].concat();
        let write = |n: &u32| put(&*engine, &key(*n), &[7; 1000], Durability::Os).is_ok();
        let more = (0..acknowledged / 4).take_while(write).count() as u32;
        assert!(more > acknowledged / 10, "{mode:?}: {more} after {acknowledged}");
        engine.close().unwrap();
        drop(engine);
        check(&*open(), more);
    }
}

/// Repeated writes on a full device neither use up the reserve nor keep space from being freed:
/// `memory-first` took the room that the flush of its pending batches needed.
#[test]
fn a_full_disk_comes_back_however_often_it_is_asked() {
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        for length in [100_u32, 1_000, 60_000] {
            let Some(disk) = SmallDisk::mount(32) else { return };
            let (path, memory_bytes) = (Some(disk.data()), 16 << 20);
            let options =
                Options { path, memory_bytes, ..Options::new(mode, &["first", "second"]) };
            let engine = mode::open(&options).unwrap();
            let write = |n: u32| {
                let value: Vec<u8> = (0..length.div_ceil(1_000))
                    .flat_map(|at| number(n * 100 + at).1)
                    .take(length as usize)
                    .collect();
                put(&*engine, &number(n).0, &value, Durability::Os)
            };
            let fill = || {
                let (mut count, mut refusals) = (0, 0);
                while refusals < 500 {
                    match write(count) {
                        Ok(()) => (count, refusals) = (count + 1, 0),
                        Err(Error::DiskFull { .. }) => refusals += 1,
                        Err(error) => panic!("{mode:?}, {length}: {error}"),
                    }
                }
                count
            };
            let first = fill();
            for _ in 0..2 {
                let all: Vec<u32> = (0..content(&*engine).unwrap()[0].len() as u32).collect();
                for some in all.chunks(500) {
                    let mut batch = Batch::new();
                    some.iter().for_each(|n| batch.delete(FIRST, &number(*n).0));
                    batch.set_purpose(Purpose::Free);
                    // A merge that is under way has some of the room, for as long as it takes.
                    let is_deleted = (0..100).any(|_| {
                        let deleted = engine.commit(&batch, Durability::Os);
                        let is_refused = deleted.as_ref().is_err_and(Error::is_retryable);
                        assert!(is_refused || deleted.is_ok(), "{mode:?}, {length}: {deleted:?}");
                        is_refused.then(|| engine.reclaim(&|work| work())).is_none()
                    });
                    assert!(is_deleted, "{mode:?}, {length}");
                }
                engine.reclaim(&|work| work()).unwrap();
                let again = fill();
                assert!(again > first / 2, "{mode:?}, {length}: {first}, and again {again}");
            }
            engine.close().unwrap();
        }
    }
}

/// A replacement that a full device has no room for leaves the old content, and its space comes back;
/// one that is refused for a while goes on where it was.
#[test]
fn a_replacement_on_a_full_disk_leaves_the_old_content() {
    for mode in [Mode::MemoryFirst, Mode::Persistent] {
        let Some(disk) = SmallDisk::mount(32) else { return };
        let options = Options {
            path: Some(disk.data()),
            memory_bytes: 16 << 20,
            ..Options::new(mode, &["first", "second"])
        };
        let engine = mode::open(&options).unwrap();
        let partitions = Partitions::open(Arc::clone(&engine)).unwrap();
        let partition = partitions.create(PartitionId(1)).unwrap();
        for n in 0..1_000 {
            let (key, value) = number(n);
            put(&*partition, &key, &value, Durability::Os).unwrap();
        }
        let old = content(&*partition).unwrap();
        let mut replacement = partitions.replace(PartitionId(1)).unwrap();
        let put = |replacement: &mut Replacement, n: u32| {
            replacement.put(FIRST, &number(n).0, &number(n).1)
        };
        let error = (0..40_000).find_map(|n| put(&mut replacement, n).err()).unwrap();
        assert!(matches!(error, Error::DiskFull { .. }) && error.is_retryable(), "{error}");
        assert!(content(&*partition).unwrap() == old, "{mode:?}");
        drop(replacement);
        // As maintenance does: what is refused for want of room is tried again once space is reclaimed.
        let is_removed = (0..100).any(|_| {
            let removed = partitions.remove_leftovers();
            let _ = engine.reclaim(&|work| work());
            removed.is_ok()
        });
        assert!(is_removed, "{mode:?}");
        assert!(content(&*partition).unwrap() == old, "{mode:?}");
        let mut replacement = partitions.replace(PartitionId(1)).unwrap();
        let ballast = disk.fill(256 << 10);
        let refused = (0..4_000).find(|n| put(&mut replacement, *n).is_err()).unwrap();
        assert!(replacement.finish().is_err_and(|error| error.is_retryable()), "{mode:?}");
        assert!(content(&*partition).unwrap() == old, "{mode:?}");
        fs::remove_file(ballast).unwrap();
        for n in refused..refused + 100 {
            assert!((0..100).any(|_| put(&mut replacement, n).is_ok()), "{mode:?}");
        }
        // Until the persister has tried again it goes by what it met before.
        assert!((0..100).any(|_| engine.sync().and_then(|()| replacement.finish()).is_ok()));
        let [found, second] = content(&*partition).unwrap();
        assert_eq!((found.len() as u32, second.len()), (refused + 100, 0), "{mode:?}");
        assert!((0..refused + 100).all(|n| found[&number(n).0[..]] == number(n).1), "{mode:?}");
    }
}

/// 112 MB had to be free before anything was written at all.
#[test]
fn a_small_device_is_written_to() {
    let Some(disk) = SmallDisk::mount(24) else { return };
    let options = LsmOptions::new(disk.data(), &["first", "second"]);
    let engine = Lsm::open(options.clone()).unwrap();
    for n in 0..2_000 {
        let (key, value) = number(n);
        put(&engine, &key, &value, Durability::Os).unwrap();
    }
    engine.sync().unwrap();
    drop(engine);
    assert_eq!(content(&Lsm::open(options).unwrap()).unwrap()[0].len(), 2_000);
}

/// `memory-first` said that documents were inserted, and closed without an error and without a third of
/// them. Closing reports what is not on the disk and why, and so do syncing, statistics, and writes beyond
/// the bound.
#[test]
fn memory_first_says_what_it_could_not_write() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let options = Options {
        path: Some(disk.data()),
        memory_bytes: 16 << 20,
        behind_bytes_max: 20_000,
        delay_max: Duration::from_secs(3600),
        disk_reserve_bytes: Some(2 << 20),
        ..Options::new(Mode::MemoryFirst, &["first", "second"])
    };
    let engine = mode::open(&options).unwrap();
    put(&*engine, b"before", b"value", Durability::Os).unwrap();
    engine.sync().unwrap();
    for n in 0..5 {
        let (key, value) = number(n);
        put(&*engine, &key, &value, Durability::Os).unwrap();
    }
    let ballast = disk.fill(4 << 10);
    // Free space is read at most every few milliseconds: what was read before counts until then.
    while engine.check_writable().is_ok() {
        std::thread::yield_now();
    }
    for error in [engine.sync().unwrap_err(), engine.close().unwrap_err()] {
        let Error::Unwritten { batches, bytes, cause } = &error else { panic!("{error}") };
        assert!(*batches == 5 && *bytes >= 5_000, "{error}");
        assert!(matches!(**cause, Error::DiskFull { .. }) && error.is_retryable(), "{error}");
    }
    let stats = engine.stats();
    assert!(stats.behind_reason.is_some_and(|reason| reason.contains("full")));
    let (key, value) = number(5);
    assert!(put(&*engine, &key, &value, Durability::Os).is_err(), "there is no room for more");
    fs::remove_file(ballast).unwrap();
    engine.close().unwrap();
    assert_eq!(engine.stats().behind_reason, None);
    drop(engine);
    assert_eq!(content(&*mode::open(&options).unwrap()).unwrap()[0].len(), 6);
}
