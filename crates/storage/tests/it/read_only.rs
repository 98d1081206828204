//! A folder that is only read: nothing in it changes, whatever state it is in, and readers share it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use velocitydb_storage::lsm::{Lsm, LsmOptions};
use velocitydb_storage::mode::{self, Mode, Options};
use velocitydb_storage::{Batch, Durability, Engine, Error, Result};

use crate::folder::{FIRST, Image, content, open, options, put};

fn read(path: &Path) -> Result<Lsm> {
    Lsm::open(LsmOptions { is_read_only: true, ..options(path) })
}

fn fill(path: &Path, count: u32, bytes: usize) {
    let engine = open(path).unwrap();
    let mut batch = Batch::new();
    for number in 0..count {
        batch.put(FIRST, &number.to_be_bytes(), &vec![7; bytes]);
    }
    engine.commit(&batch, Durability::Disk).unwrap();
}

/// Takes or gives the permission to write to everything in a folder.
fn set_writable(path: &Path, is_writable: bool) {
    let mode = match (path.is_dir(), is_writable) {
        (true, true) => 0o755,
        (true, false) => 0o555,
        (false, true) => 0o644,
        (false, false) => 0o444,
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    if path.is_dir() {
        fs::read_dir(path)
            .unwrap()
            .for_each(|entry| set_writable(&entry.unwrap().path(), is_writable));
    }
}

/// A folder that was closed, with everything in tables, with some in a journal, with a torn journal, and one
/// in which nothing was ever written.
#[test]
fn reading_changes_nothing() {
    for (count, bytes, is_torn) in [(2_000, 1_000, false), (100, 10, false), (100, 10, true)] {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), count, bytes);
        let mut image = Image::take(folder.path());
        if is_torn {
            let engine = open(folder.path()).unwrap();
            put(&engine, b"whole", b"value", Durability::Disk).unwrap();
            put(&engine, b"torn", &[9; 1_000], Durability::Disk).unwrap();
            image = Image::take(folder.path());
            let journal = image.journal();
            let (content, length) = image.files.get_mut(&journal).unwrap();
            content.truncate(content.len() - 100);
            *length = content.len() as u64;
        }
        let folder = image.restore();
        // What restoring makes is compared, not what it was made of.
        let before = Image::take(folder.path());
        set_writable(folder.path(), false);
        for _ in 0..2 {
            let engine = read(folder.path()).unwrap();
            let expected = count as usize + usize::from(is_torn);
            assert_eq!(content(&engine).unwrap()[0].len(), expected);
            engine.sync().unwrap();
            engine.close().unwrap();
        }
        assert!(
            velocitydb_storage::lsm::verify(folder.path(), Duration::ZERO)
                .unwrap()
                .findings
                .is_empty()
        );
        set_writable(folder.path(), true);
        assert!(Image::take(folder.path()).files == before.files);
        // It is a folder like any other afterwards.
        put(&open(folder.path()).unwrap(), b"after", b"value", Durability::Disk).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(content(&read(folder.path()).unwrap()).unwrap()[0].len(), 0);
    assert!(Image::take(folder.path()).files.is_empty());
    assert!(matches!(read(&folder.path().join("missing")), Err(Error::Io { .. })));
}

/// A store may be linked to from another device, and what else is beside it is nobody's business.
#[test]
fn only_what_is_of_the_store_is_read() {
    let (folder, device) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(folder.path(), 2_000, 1_000);
    let (store, moved) = (folder.path().join("store"), device.path().join("moved"));
    fs::rename(&store, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &store).unwrap();
    // Reading a pipe would wait for its writer.
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let engine = read(folder.path()).unwrap();
    assert_eq!(content(&engine).unwrap()[0].len(), 2_000);
}

#[test]
fn readers_share_a_folder_and_writers_do_not() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 10, 10);
    let writer = open(folder.path()).unwrap();
    assert!(matches!(read(folder.path()), Err(Error::Locked { .. })));
    drop(writer);
    let (one, other) = (read(folder.path()).unwrap(), read(folder.path()).unwrap());
    assert_eq!(content(&one).unwrap(), content(&other).unwrap());
    assert!(matches!(open(folder.path()), Err(Error::Locked { .. })));
    // A snapshot outlives its engine, and keeps writers out.
    let snapshot = one.snapshot().unwrap();
    drop((one, other));
    assert!(matches!(open(folder.path()), Err(Error::Locked { .. })));
    assert!(snapshot.get(FIRST, &3_u32.to_be_bytes()).unwrap().is_some());
    drop(snapshot);
    open(folder.path()).unwrap();
}

#[test]
fn writes_are_refused_in_every_mode() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 10, 10);
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        let path = Some(folder.path().to_owned());
        let options = Options::new(mode, &["first", "second"]);
        let engine = mode::open(&Options { path, is_read_only: true, ..options }).unwrap();
        for durability in [Durability::Memory, Durability::Os, Durability::Disk] {
            let error = put(&*engine, b"key", b"value", durability).unwrap_err();
            assert!(matches!(error, Error::ReadOnly { .. }), "{mode:?}: {error}");
        }
        assert!(matches!(engine.check_writable(), Err(Error::ReadOnly { .. })), "{mode:?}");
        engine.reclaim(&|work| work()).unwrap();
        engine.sync().unwrap();
        assert_eq!(content(&*engine).unwrap()[0].len(), 10);
    }
}

/// Errors name the folder that was opened, and not the temporary one.
#[test]
fn damage_is_reported_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 100, 10);
    let image = Image::take(folder.path());
    let journal = folder.path().join(image.journal());
    let mut bytes = fs::read(&journal).unwrap();
    bytes[60] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let Err(Error::Corrupt { place, .. }) = read(folder.path()) else { panic!("it is damaged") };
    assert!(place.contains(&*journal.to_string_lossy()), "{place}");
}
