//! A data folder of format 5 is migrated when it is opened, whenever that is interrupted, and is left as
//! it is if something in it has a name that is reserved now.
//!
//! The rows are those that the last version of format 5 wrote for these commands. In the first folder:
//!
//! ```text
//! velocitydb schema set users '{"properties": {"name": {"type": "string"}, "email": {"unique": true}, "role": {"default": "user"}}, "required": ["name"]}'
//! velocitydb index create users city --name city
//! velocitydb insert users --id alice '{"name": "Alice", "email": "a@x", "city": "Bonn"}'
//! velocitydb insert users --id bob '{"name": "Bob", "email": "b@x", "city": "Ulm", "deep": {"_meta": 1, "_version": 2}}' --time-to-live 36500d --request-id r1
//! velocitydb update users alice '{"age": 28}'
//! velocitydb insert users --id gone '{"name": "Gone", "email": "g@x"}'
//! velocitydb delete users gone
//! velocitydb insert jobs --id j1 '{"state": "waiting"}'
//! velocitydb insert jobs --id j2 '{"state": "waiting"}'
//! velocitydb insert jobs --id j3 '{"state": "waiting"}'
//! velocitydb index create jobs state --partial '{"state": "waiting"}' --name next
//! velocitydb claim jobs '{"_id": "j1", "_lease": {"$exists": false}}' --claimant me --set 'state="running"' --lease 36500d --release-if '{"_version": {"$lt": 9}, "$or": [{"_created": {"$lt": {"$date": "2999-01-01T00:00:00Z"}}}, {"_expires": null}]}' '{"state": "waiting"}' --release '{"state": "dead"}'
//! velocitydb claim jobs '{"_id": "j2"}' --set 'state="running"' --lease 36500d --release '{"state": "waiting"}'
//! velocitydb insert dropped --id d '{"_meta": 1}'
//! velocitydb collections drop dropped
//! ```
//!
//! And in the second:
//!
//! ```text
//! velocitydb insert docs --id a '{"_meta": {"x": 1}}'
//! velocitydb insert docs --id b '{"n": 1}'
//! velocitydb insert docs --id c '{"_meta": null}'
//! velocitydb insert ruled --id a '{}'
//! velocitydb schema set ruled '{"properties": {"_meta": {"default": {"x": 1}}}}'
//! velocitydb index create indexed '_meta.x'
//! velocitydb insert leased --id a '{"n": 1}'
//! velocitydb claim leased '{}' --set 'n=2' --lease 36500d --release '{"$set": {"_meta.x": 1}}'
//! velocitydb insert other --id a '{"_meta_": 1, "deep": {"_meta": 1}}'
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use velocitydb::{Database, Error, MaintenanceMode, Mode, Options, Update, doctor, object};
use velocitydb_storage::lsm::{Lsm, LsmOptions};
use velocitydb_storage::{Batch, Bounds, Direction, Durability, Engine, Keyspace};
use xxhash_rust::xxh3::xxh3_64;

use crate::world::World;

/// The rows of the first folder: keyspace, key and value.
const ROWS: &str = include_str!("migration/format5.txt");
/// Those of the second folder.
const RESERVED: &str = include_str!("migration/format5_reserved.txt");

const KEYSPACES: [&str; 3] = ["documents", "system", "indexes"];
const MARKER: &str = "VELOCITYDB";

fn engine(folder: &Path) -> Lsm {
    Lsm::open(LsmOptions::new(folder, &KEYSPACES)).unwrap()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// A folder of format 5 with these rows.
fn folder_with(rows: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut batch = Batch::new();
    for row in rows.lines() {
        let [keyspace, key, value] = row.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a row has three parts: {row}")
        };
        let keyspace = KEYSPACES.iter().position(|name| *name == keyspace).unwrap();
        batch.put(Keyspace(keyspace as u8), &bytes_of(key), &bytes_of(value));
    }
    engine(folder.path()).commit(&batch, Durability::Disk).unwrap();
    set_format(folder.path(), 5);
    folder
}

fn format(folder: &Path) -> u8 {
    fs::read(folder.join(MARKER)).unwrap()[8]
}

fn set_format(folder: &Path, format: u8) {
    let path = folder.join(MARKER);
    let mut marker = fs::read(&path).unwrap();
    marker.truncate(marker.len() - 8);
    marker[8] = format;
    marker.extend(xxh3_64(&marker).to_le_bytes());
    fs::write(&path, marker).unwrap();
}

/// All rows of a folder that is not open.
fn rows(folder: &Path) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let engine = engine(folder);
    let snapshot = engine.snapshot().unwrap();
    let mut rows = Vec::new();
    for keyspace in 0..KEYSPACES.len() as u8 {
        let visit = &mut |key: &[u8], value: &[u8]| {
            rows.push((keyspace, key.to_vec(), value.to_vec()));
            std::ops::ControlFlow::Continue(())
        };
        snapshot.scan(Keyspace(keyspace), Bounds::ALL, Direction::Forward, visit).unwrap();
    }
    rows
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Options with a clock a day after the folders were written, and no maintenance.
fn options(mode: Mode) -> Options {
    let world = World::new();
    world.set_micros(1_795_900_000_000_000);
    Options::new().mode(mode).environment(world).maintenance(MaintenanceMode::Manual)
}

/// Checks that everything is there, under the new names.
fn check(db: &Database) {
    let users = db.documents("users");
    let alice = users.get("alice").unwrap().unwrap();
    assert_eq!((alice.version(), alice.fields().unwrap().get("age")), (2, Some(&28.into())));
    for (filter, ids) in [
        (object! { "city": "Bonn" }, vec!["alice"]),
        (object! { "email": "b@x" }, vec!["bob"]),
        (object! { "_meta.version": 2 }, vec!["alice"]),
        (object! { "_meta.expires": { "$exists": true } }, vec!["bob"]),
        (object! { "_version": 2 }, vec![]),
        (object! { "deep._meta": 1, "deep._version": 2, "role": "user" }, vec!["bob"]),
    ] {
        let found = users.find(filter.clone()).documents().unwrap();
        let found: Vec<_> = found.iter().map(|one| one.id().to_string()).collect();
        assert_eq!(found, ids, "{filter}");
    }
    assert!(users.insert("x", object! { "name": "X", "email": "a@x" }).is_err());
    assert!(users.insert("x", object! { "email": "x@x" }).is_err());
    let jobs = db.documents("jobs");
    let waiting = || jobs.find(object! { "state": "waiting" }).documents().unwrap();
    assert_eq!(waiting().len(), 1);
    let leased = jobs.find(object! { "_meta.lease": { "$exists": true } }).count().unwrap();
    assert_eq!(leased, 2);
    assert!(db.snapshot().unwrap().check().unwrap().is_healthy());
}

/// Ends both leases; the filter of the first one is on metadata.
fn end_leases(db: &Database) {
    let jobs = db.documents("jobs");
    for id in ["j1", "j2"] {
        jobs.release(id, 2).unwrap();
        let job = jobs.get(id).unwrap().unwrap();
        assert_eq!(job.fields().unwrap().get("state"), Some(&"waiting".into()), "{id}");
    }
    db.documents("users").update("bob", Update::new().set("_version", "mine")).unwrap();
    assert!(db.snapshot().unwrap().check().unwrap().is_healthy());
}

#[test]
fn a_folder_of_the_format_before_is_migrated_when_it_is_opened() {
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        let folder = folder_with(ROWS);
        // What only reads does not change it, and says what does.
        let error = doctor(folder.path()).unwrap_err().to_string();
        assert!(error.contains("`velocitydb collections --path "), "{error}");
        assert_eq!(format(folder.path()), 5);
        let db = options(mode).open(folder.path()).unwrap();
        check(&db);
        end_leases(&db);
        drop(db);
        assert_eq!(format(folder.path()), 6);
        assert!(doctor(folder.path()).unwrap().problems.is_empty());
        drop(options(mode).open(folder.path()).unwrap());
    }
}

/// Only the rows that name metadata differ, and the version of the rules.
#[test]
fn nothing_else_is_changed() {
    let folder = folder_with(ROWS);
    set_format(folder.path(), 6);
    let before = rows(folder.path());
    set_format(folder.path(), 5);
    drop(options(Mode::Persistent).open(folder.path()).unwrap());
    let after = rows(folder.path());
    assert_eq!(before.len(), after.len());
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
    let changed: Vec<_> = changed.map(|(before, _)| (before.0, before.1[0] as char)).collect();
    assert_eq!(changed, [(1, 'l'), (1, 's')]);
}

/// The folder as a killed process leaves it at every fsync, and on both sides of the last step.
#[test]
fn a_migration_that_was_interrupted_is_done_again() {
    let folder = folder_with(ROWS);
    let copies = tempfile::tempdir().unwrap();
    let taken: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let hook = {
        let (from, to, taken) =
            (folder.path().to_owned(), copies.path().to_owned(), Arc::clone(&taken));
        move || {
            let mut taken = taken.lock().unwrap();
            let to = to.join(taken.len().to_string());
            copy(&from, &to);
            taken.push(to);
            Ok(())
        }
    };
    drop(options(Mode::Persistent).before_fsync(hook).open(folder.path()).unwrap());
    let mut interrupted = taken.lock().unwrap().clone();
    assert!(!interrupted.is_empty());
    // The batch is written, the marker is not; and a marker that was not renamed lies beside it.
    for name in ["converted", "beside"] {
        let to = copies.path().join(name);
        copy(folder.path(), &to);
        set_format(&to, 5);
        interrupted.push(to);
    }
    fs::write(copies.path().join("beside").join("VELOCITYDB.new"), "VELO").unwrap();
    for folder in interrupted {
        let db = options(Mode::Persistent).open(&folder).unwrap();
        check(&db);
        end_leases(&db);
        drop(db);
        assert_eq!(format(&folder), 6);
        assert!(doctor(&folder).unwrap().problems.is_empty());
    }
}

/// Every fsync fails once; the next opening does what is left.
#[test]
fn a_migration_that_fails_is_done_by_the_next_opening() {
    for good in 0.. {
        let folder = folder_with(ROWS);
        let left = Arc::new(Mutex::new(good));
        let hook = move || {
            let mut left = left.lock().unwrap();
            if *left == 0 {
                return Err(io::Error::other("the fsync of the test fails"));
            }
            *left -= 1;
            Ok(())
        };
        let opened = options(Mode::Persistent).before_fsync(hook).open(folder.path());
        let has_failed = opened.is_err();
        drop(opened);
        let db = options(Mode::Persistent).open(folder.path()).unwrap();
        check(&db);
        end_leases(&db);
        if !has_failed {
            assert!(good > 0);
            return;
        }
    }
}

/// Each is named with the command that helps, and nothing is changed.
#[test]
fn what_has_the_reserved_name_is_not_hidden() {
    let folder = folder_with(RESERVED);
    let refused = |expected: [&str; 2]| {
        let error = options(Mode::Persistent).open(folder.path()).err().unwrap();
        assert!(matches!(error, Error::NotMigrated { .. }), "{error}");
        for part in expected {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert_eq!(format(folder.path()), 5);
    };
    let remove = |keyspace: u8, prefix: &[u8]| {
        set_format(folder.path(), 6);
        let mut batch = Batch::new();
        for (found, key, _) in rows(folder.path()) {
            if found == keyspace && key.starts_with(prefix) {
                batch.delete(Keyspace(keyspace), &key);
            }
        }
        assert!(!batch.is_empty());
        engine(folder.path()).commit(&batch, Durability::Disk).unwrap();
        set_format(folder.path(), 5);
    };
    let rename =
        r#"update-many docs '{"_meta": {"$exists": true}}' '{"$rename": {"_meta": "meta"}}'"#;
    refused(["2 documents have a field \"_meta\" of their own, first \"a\"", rename]);
    remove(0, &[0, 0, 0, 0, b'a']);
    refused(["document \"c\" has a field \"_meta\" of its own", rename]);
    remove(0, &[0, 0, 0, 0, b'c']);
    // The default of the schema was filled in.
    refused(["collection \"ruled\" document \"a\" has a field", "update-many ruled"]);
    remove(0, &[0, 0, 0, 1, b'a']);
    refused(["collection \"ruled\" the schema gives", "velocitydb schema set ruled"]);
    remove(1, b"h");
    refused(["index \"_meta.x_1\" is over", "velocitydb index drop indexed '_meta.x_1'"]);
    remove(1, b"i");
    refused(["the lease on document \"a\" sets", "velocitydb release leased 'a' VERSION"]);
    remove(1, b"l");
    drop(options(Mode::Persistent).open(folder.path()).unwrap());
    assert_eq!(format(folder.path()), 6);
}
