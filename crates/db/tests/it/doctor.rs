//! The doctor finds what does not agree, also when every byte can be read.

use std::path::Path;
use std::time::Duration;

use velocitydb::{Mode, RequestId, doctor, object};
use velocitydb_storage::{Batch, Durability, Engine, Keyspace, mode};

use crate::world::{World, options};

const DOCUMENTS: Keyspace = Keyspace(0);
const SYSTEM: Keyspace = Keyspace(1);

/// A folder with everything that there is in one.
fn fill(path: &Path) {
    let db = options(Mode::Persistent, World::new()).open(path).unwrap();
    let users = db.documents("users");
    users.insert("alice", object! { "age": 28 }).unwrap();
    users.insert("bob", object! {}).unwrap();
    users.delete("bob").unwrap();
    users.time_to_live(Duration::from_secs(60)).insert("carol", object! {}).unwrap();
    users.request(RequestId::new("request").unwrap()).update("alice", object! {}).unwrap();
    db.documents("dropped").time_to_live(Duration::from_secs(60)).insert("a", object! {}).unwrap();
    db.documents("dropped").delete("a").unwrap();
    db.documents("dropped").insert("b", object! {}).unwrap();
    db.drop_collection("dropped").unwrap();
}

/// The engine beneath the folder.
pub fn engine(path: &Path) -> std::sync::Arc<dyn Engine> {
    let options = mode::Options {
        path: Some(path.to_owned()),
        ..mode::Options::new(mode::Mode::Persistent, &["documents", "system", "indexes"])
    };
    mode::open(&options).unwrap()
}

/// The first key of the kind `kind`.
fn first_key(engine: &dyn Engine, kind: u8) -> Vec<u8> {
    let mut found = None;
    let bounds = velocitydb_storage::Bounds { start: &[kind], end: Some(&[kind + 1]) };
    let direction = velocitydb_storage::Direction::Forward;
    let snapshot = engine.snapshot().unwrap();
    snapshot
        .scan(SYSTEM, bounds, direction, &mut |key, _| {
            found = Some(key.to_vec());
            std::ops::ControlFlow::Break(())
        })
        .unwrap();
    found.expect("there is such a key")
}

/// What the doctor says after `damage` was done to the folder that [`fill`] makes.
fn diagnose(damage: impl FnOnce(&dyn Engine, &mut Batch)) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let engine = engine(folder.path());
    let mut batch = Batch::new();
    damage(&*engine, &mut batch);
    engine.commit(&batch, Durability::Disk).unwrap();
    drop(engine);
    doctor(folder.path()).unwrap().problems
}

#[test]
fn a_healthy_folder_is_healthy() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    for _ in 0..2 {
        let report = doctor(folder.path()).unwrap();
        assert!(report.is_healthy(), "{report:#?}");
        assert_eq!((report.collections, report.documents), (1, 3), "dropped ones are still there");
        assert!(report.files > 0);
        let db = options(Mode::Hybrid, World::new()).open(folder.path()).unwrap();
        db.drop_collection("users").unwrap();
        db.documents("users").insert("a", object! {}).unwrap();
        db.documents("users").insert("b", object! {}).unwrap();
        db.maintain().unwrap();
        db.documents("users").insert("c", object! {}).unwrap();
    }
}

/// A process that is killed while it creates a folder leaves one without acknowledged data: a lock, the
/// beginning of a marker, or a marker under its temporary name. Such a folder was refused as no data
/// folder.
#[test]
fn a_folder_whose_creation_was_interrupted_is_healthy_and_empty() {
    let whole = tempfile::tempdir().unwrap();
    fill(whole.path());
    let marker = std::fs::read(whole.path().join("VELOCITYDB")).unwrap();
    for marker in [None, Some(&marker[..0]), Some(&marker[..20]), Some(&marker[..])] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("LOCK"), []).unwrap();
        if let Some(marker) = marker {
            std::fs::write(folder.path().join("VELOCITYDB.new"), marker).unwrap();
        }
        let report = doctor(folder.path()).unwrap();
        assert!(report.is_healthy() && report.documents == 0, "{report:#?}");
        assert!(!folder.path().join("store").exists(), "nothing is made of it");
        let db = options(Mode::Persistent, World::new()).open(folder.path()).unwrap();
        db.documents("users").insert("a", object! {}).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let error = doctor(folder.path()).unwrap_err();
    assert!(error.to_string().contains("is not a data folder"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written there");
}

#[test]
fn damage_is_found() {
    let totals = |kind: &'static [u8]| {
        move |_: &dyn Engine, batch: &mut Batch| {
            batch.put(SYSTEM, &[b"n", &0_u32.to_be_bytes()[..]].concat(), kind);
        }
    };
    let move_key = |kind: u8| {
        move |engine: &dyn Engine, batch: &mut Batch| {
            let mut key = first_key(engine, kind);
            let value = engine.get(SYSTEM, &key).unwrap().unwrap().to_vec();
            batch.delete(SYSTEM, &key);
            key[8] ^= 1;
            batch.put(SYSTEM, &key, &value);
        }
    };
    let lose = |kind: u8| {
        move |engine: &dyn Engine, batch: &mut Batch| {
            batch.delete(SYSTEM, &first_key(engine, kind));
        }
    };
    let alice = [&0_u32.to_be_bytes()[..], b"alice"].concat();
    let ghost = [&9_u32.to_be_bytes()[..], b"ghost"].concat();
    let cases: Vec<(&str, Vec<String>, &str)> = vec![
        (
            "wrong totals",
            // count, bytes, writes, tombstones, version_max, version_floor, index, unfit
            diagnose(totals(&[5, 6, 1, 7, 1, 0, 5, 0])),
            "says count 5, but its documents add up to 2",
        ),
        ("totals that are not valid", diagnose(totals(&[1])), "a value that cannot be read"),
        ("a missing place in the order of expiry", diagnose(lose(b'x')), "but is not due"),
        ("a wrong place in the order of expiry", diagnose(move_key(b'x')), "but is not due"),
        ("a missing place in the order of age", diagnose(lose(b'u')), "in the order of their age"),
        (
            "a wrong place in the order of age",
            diagnose(move_key(b'u')),
            "no place in the order of age",
        ),
        ("a missing tombstone", diagnose(lose(b't')), "tombstones"),
        ("a missing request id", diagnose(lose(b'r')), "request ids"),
        ("a wrong number of a request id", diagnose(move_key(b'q')), "request id"),
        ("a missing collection", diagnose(lose(b'c')), "which does not exist"),
        ("missing totals", diagnose(lose(b'n')), "a value that cannot be read"),
        (
            "a document that is not valid",
            diagnose(|_, batch| batch.put(DOCUMENTS, &alice, b"\x00\x01torn")),
            "document \"alice\" of collection 0",
        ),
        (
            "a lost document",
            diagnose(|_, batch| batch.delete(DOCUMENTS, &alice)),
            "says count 2, but its documents add up to 1",
        ),
        (
            "a document of no collection",
            diagnose(|engine, batch| {
                let record = engine.get(DOCUMENTS, &alice).unwrap().unwrap();
                batch.put(DOCUMENTS, &ghost, &record);
            }),
            "collection number 9, which does not exist",
        ),
        (
            "a document that is deleted at the same time",
            diagnose(|engine, batch| {
                let record = engine.get(DOCUMENTS, &alice).unwrap().unwrap();
                let bob = [&0_u32.to_be_bytes()[..], b"bob"].concat();
                batch.put(DOCUMENTS, &bob, &record);
            }),
            "document \"bob\" of collection 0 exists, and has a tombstone",
        ),
    ];
    for (damage, problems, expected) in cases {
        let is_found = problems.iter().any(|problem| problem.contains(expected));
        assert!(is_found, "{damage}: {expected:?} is not in {problems:#?}");
    }
}
