//! Opening a folder that others have open, or that others have looked at.

use std::fs;
use std::process::Command;
use std::time::Duration;

use velocitydb_storage::lsm::{Lsm, LsmOptions};
use velocitydb_storage::{Durability, Engine, Error};

use crate::folder::{FIRST, content, open, options, put};

/// Copying a folder may leave out empty files, and looking at it may add some.
#[test]
fn what_file_managers_do_to_a_folder_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    for name in [".DS_Store", "._folder"] {
        fs::write(folder.path().join(name), "of the system").unwrap();
    }
    put(&open(folder.path()).unwrap(), b"key", b"value", Durability::Disk).unwrap();
    for place in ["", "store", "store/keyspaces", "store/keyspaces/3", "store/keyspaces/3/tables"] {
        for name in [".DS_Store", "._folder"] {
            fs::write(folder.path().join(place).join(name), "of the system").unwrap();
        }
    }
    for name in ["store/lock", "LOCK"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let options = LsmOptions { is_read_only: true, ..options(folder.path()) };
    for is_read_only in [true, false, true] {
        let report = velocitydb_storage::lsm::verify(folder.path(), Duration::ZERO).unwrap();
        assert_eq!(report.findings, []);
        let engine = Lsm::open(LsmOptions { is_read_only, ..options.clone() }).unwrap();
        assert!(engine.get(FIRST, b"key").unwrap().is_some());
    }
    // Without the store there is nothing to be opened, and it is not made anew.
    fs::remove_dir_all(folder.path().join("store")).unwrap();
    let report = velocitydb_storage::lsm::verify(folder.path(), Duration::ZERO).unwrap();
    assert_eq!(report.findings.len(), 1);
    for is_read_only in [true, false] {
        let error = Lsm::open(LsmOptions { is_read_only, ..options.clone() }).err().unwrap();
        let said = "store: it is missing, and with it all data";
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// What the engine says is what `du` says.
#[test]
#[cfg(target_os = "linux")]
fn what_a_folder_occupies_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    put(&engine, b"key", &[7; 100_000], Durability::Disk).unwrap();
    let said = || {
        let output = Command::new("du").arg("-s").arg("--block-size=1").arg(folder.path()).output();
        let output = String::from_utf8(output.unwrap().stdout).unwrap();
        output.split('\t').next().unwrap().parse::<u64>().unwrap()
    };
    // The store may be at work in between.
    assert!((0..100).any(|_| engine.stats().disk_bytes == said()));
}

#[test]
fn opening_waits_for_others_to_close_the_folder_as_long_as_it_was_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let patient = LsmOptions { wait: Duration::from_secs(600), ..options(folder.path()) };
    let engine = Lsm::open(patient.clone()).unwrap();
    let impatient = LsmOptions { wait: Duration::from_millis(20), ..options(folder.path()) };
    let error = Lsm::open(impatient).err().unwrap();
    assert!(error.to_string().contains("also after waiting 20ms"), "{error}");
    // Each of them writes something, and none sees the folder before the one before has closed it.
    std::thread::scope(|scope| {
        for key in 0..20_u8 {
            let patient = patient.clone();
            scope.spawn(move || {
                let engine = Lsm::open(patient).unwrap();
                put(&engine, &[key], b"value", Durability::Disk).unwrap();
            });
        }
        drop(engine);
    });
    assert_eq!(content(&Lsm::open(patient).unwrap()).unwrap()[0].len(), 20);
}

#[test]
fn a_second_handle_is_refused_until_the_first_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    let error = open(folder.path()).err().unwrap();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    put(&engine, b"key", b"value", Durability::Os).unwrap();
    // A snapshot outlives its engine, and the folder stays its own.
    let snapshot = engine.snapshot().unwrap();
    drop(engine);
    let error = open(folder.path()).err().unwrap();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    assert!(snapshot.get(FIRST, b"key").unwrap().is_some());
    drop(snapshot);
    let engine = open(folder.path()).unwrap();
    assert!(engine.get(FIRST, b"key").unwrap().is_some());
}
