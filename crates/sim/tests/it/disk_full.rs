//! A disk that is full, for real: a small file system in memory. Mounting one needs root; where
//! that is not allowed the test says so and passes.

use std::fs;
use std::path::Path;
use std::process::Command;

use velocitydb::{Database, Error, MaintenanceMode, Mode, object};
use velocitydb_sim::crash::Worker;
use velocitydb_storage::Error as StorageError;

/// What the engine keeps free is about 70 MiB at the least memory.
const DISK: &str = "size=180m";
const BALLAST_BYTES: usize = 40 << 20;
const PAD_BYTES: usize = 32 << 10;

/// A small file system in memory, unmounted at the end.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(folder.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Disk(folder)),
            Ok(output) => {
                let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                println!("skipped, a file system cannot be mounted: {reason}");
                None
            }
            Err(error) => {
                println!("skipped, `mount` cannot be run: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{:?}", self.path());
    }
}

fn id(number: u32) -> String {
    format!("{number:06}")
}

/// Text that does not compress, or else the disk would hold any number of it.
fn pad(seed: u32) -> String {
    let mut state = u64::from(seed) | 1 << 40;
    let letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state % 26) as u8)
    };
    std::iter::repeat_with(letter).take(PAD_BYTES).collect()
}

/// Inserts documents from `start` until the disk is full; the number of the first that was refused.
fn fill(db: &Database, start: u32) -> u32 {
    let documents = db.documents("documents");
    for number in start.. {
        let pad = pad(number);
        match documents.insert(id(number), object! { "number": number, "pad": pad }) {
            Ok(_) => {}
            Err(Error::Storage(StorageError::DiskFull { .. })) => return number,
            Err(error) => panic!("document {number}: {error}"),
        }
    }
    unreachable!("no disk is that large")
}

fn check_all(db: &Database, end: u32) {
    let documents = db.documents("documents");
    for number in 0..end {
        let document = documents.get(id(number)).unwrap().unwrap();
        assert_eq!(document.field("number").unwrap().unwrap().as_i64(), Ok(Some(number.into())));
    }
    assert_eq!(documents.count().unwrap(), u64::from(end));
    assert_eq!(documents.get(id(end)).unwrap().map(|document| document.version()), None);
}

/// What is written in the background is tried again only after a moment, and full until then.
fn sync_at_last(db: &Database) {
    while let Err(error) = db.sync() {
        assert!(error.is_retryable(), "{error}");
        std::thread::yield_now();
    }
}

fn survives_a_full_disk(mode: Mode) {
    let Some(disk) = Disk::mount(DISK) else { return };
    let (ballast, data) = (disk.path().join("ballast"), disk.path().join("data"));
    fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    let db = Worker::options(mode).open(&data).unwrap();

    let mut full_at = fill(&db, 0);
    assert!(full_at > 100, "full after {full_at} documents");
    check_all(&db, full_at);
    // Nothing that was acknowledged is missing on a disk that is full, either.
    sync_at_last(&db);
    // More room was reserved for pending batches than they took: a few more may fit, and then none.
    loop {
        let more_at = fill(&db, full_at);
        sync_at_last(&db);
        if more_at == full_at {
            break;
        }
        full_at = more_at;
    }
    check_all(&db, full_at);

    fs::remove_file(&ballast).unwrap();
    sync_at_last(&db);
    let full_again_at = fill(&db, full_at);
    assert!(full_again_at > full_at + 100, "full again after {full_again_at} documents");
    check_all(&db, full_again_at);

    // Enlarged, so that closing has room for what is behind, and opening for recovery.
    let mut remount = Command::new("mount");
    remount.args(["-o", "remount,size=400m"]).arg(disk.path());
    assert!(remount.status().unwrap().success());
    sync_at_last(&db);
    drop(db);
    let report = velocitydb::doctor(&data).unwrap();
    assert_eq!((report.problems, report.documents), (vec![], u64::from(full_again_at)));
    check_all(&Worker::options(mode).open(&data).unwrap(), full_again_at);
}

#[test]
fn persistent_survives_a_full_disk() {
    survives_a_full_disk(Mode::Persistent);
}

#[test]
fn hybrid_survives_a_full_disk() {
    survives_a_full_disk(Mode::Hybrid);
}

#[test]
fn memory_first_survives_a_full_disk() {
    survives_a_full_disk(Mode::MemoryFirst);
}

/// On a disk that refuses documents, deletes and drops go through, and give back what others need.
fn gives_space_back(mode: Mode) {
    let Some(disk) = Disk::mount("size=64m") else { return };
    let data = disk.path().join("data");
    let options = || Worker::options(mode).maintenance(MaintenanceMode::Manual);
    let db = options().open(&data).unwrap();
    let first_full_at = fill(&db, 0);
    assert!(first_full_at > 300, "full after {first_full_at} documents");
    let documents = db.documents("documents");
    for number in 0..50 {
        documents.delete(id(number)).unwrap();
    }
    for _ in 0..3 {
        db.drop_collection("documents").unwrap();
        db.maintain().unwrap();
        sync_at_last(&db);
        let full_again_at = fill(&db, 0);
        assert!(full_again_at > first_full_at / 2, "full again after {full_again_at} documents");
    }
    let count = documents.count().unwrap();
    drop(documents);
    db.close().unwrap();
    let report = velocitydb::doctor(&data).unwrap();
    assert_eq!((report.problems, report.documents), (vec![], count));
}

/// On a small disk full of small documents, dropping them gives room for as many again. What had to
/// stay free for the memtables was more than there was, so nothing could be removed, for ever.
fn a_small_device_comes_back(mode: Mode) {
    let Some(disk) = Disk::mount("size=24m") else { return };
    let data = disk.path().join("data");
    let options = || Worker::options(mode).maintenance(MaintenanceMode::Manual);
    let db = options().open(&data).unwrap();
    let documents = db.documents("documents");
    let fill = || {
        let (mut batch, mut is_settled) = (0_u32, false);
        loop {
            let number = |at: u32| batch * 500 + at;
            let all = (0..500).map(|at| (id(number(at)), object! { "number": number(at) }));
            match documents.insert_many(all) {
                Ok(_) => (batch, is_settled) = (batch + 1, false),
                // More room is reserved for pending batches than they take.
                Err(Error::Storage(StorageError::DiskFull { .. })) if !is_settled => {
                    sync_at_last(&db);
                    is_settled = true;
                }
                Err(Error::Storage(StorageError::DiskFull { .. })) => return number(0),
                Err(error) => panic!("document {}: {error}", number(0)),
            }
        }
    };
    let first_full_at = fill();
    assert!(first_full_at > 10_000, "full after {first_full_at} documents");
    for _ in 0..2 {
        db.drop_collection("documents").unwrap();
        db.maintain().unwrap();
        sync_at_last(&db);
        let full_again_at = fill();
        println!("{mode:?}: full after {first_full_at} documents, and again after {full_again_at}");
        assert!(full_again_at > first_full_at / 2);
    }
    drop(documents);
    db.close().unwrap();
    let report = velocitydb::doctor(&data).unwrap();
    assert!(report.is_healthy(), "{report:#?}");
}

#[test]
fn small_devices_come_back_in_every_mode() {
    for mode in [Mode::Persistent, Mode::Hybrid, Mode::MemoryFirst] {
        a_small_device_comes_back(mode);
    }
}

#[test]
fn persistent_gives_space_back() {
    gives_space_back(Mode::Persistent);
}

#[test]
fn hybrid_gives_space_back() {
    gives_space_back(Mode::Hybrid);
}

#[test]
fn memory_first_gives_space_back() {
    gives_space_back(Mode::MemoryFirst);
}
