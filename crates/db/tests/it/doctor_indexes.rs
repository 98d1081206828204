//! The doctor finds where indexes, leases and schemas do not agree with documents.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use velocitydb::schema::{Field, Schema};
use velocitydb::{Existing, IndexSpec, Mode, Sort, doctor, object};
use velocitydb_storage::{Batch, Bounds, Direction, Durability, Engine, Keyspace};

use crate::doctor::engine;
use crate::world::{World, in_every_mode, options};

const DOCUMENTS: Keyspace = Keyspace(0);
const SYSTEM: Keyspace = Keyspace(1);
const INDEXES: Keyspace = Keyspace(2);

/// Index 0 is on `state` and, descending, `n`; 1 on the elements of `tags`; 2 unique on `email`; 3
/// was dropped. Collection 0 is that of the jobs, which have a schema and one lease.
fn fill(path: &Path) {
    let db = options(Mode::Persistent, World::new()).open(path).unwrap();
    let jobs = db.documents("jobs");
    let schema = Schema::builder().field("n", Field::int()).build().unwrap();
    db.documents("jobs").set_schema(&schema, Existing::Check).unwrap();
    let state = IndexSpec::new(Sort::new().ascending("state").descending("n")).named("state");
    db.documents("jobs").create_index(state).unwrap();
    db.documents("jobs").create_index(IndexSpec::on("tags").named("tags").sparse()).unwrap();
    db.documents("jobs")
        .create_index(IndexSpec::on("email").named("email").unique().sparse())
        .unwrap();
    db.documents("jobs").create_index(IndexSpec::on("n").named("gone")).unwrap();
    for n in 0..4 {
        let tags = vec![n, n + 1];
        let email = format!("{n}@example.com");
        let fields = object! { "state": "waiting", "n": n, "tags": tags, "email": email };
        jobs.insert(format!("job{n}"), fields).unwrap();
    }
    jobs.insert("plain", object! { "state": 1.0 }).unwrap();
    db.documents("jobs").drop_index("gone").unwrap();
    jobs.claim(object! { "state": "waiting" })
        .sort(Sort::new().ascending("n"))
        .lease(Duration::from_secs(60), object! { "state": "waiting" })
        .update(object! { "state": "running" })
        .unwrap();
}

/// The keys of a keyspace that begin with `prefix`.
fn keys(engine: &dyn Engine, keyspace: Keyspace, prefix: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let snapshot = engine.snapshot().unwrap();
    let bounds = Bounds { start: prefix, end: None };
    snapshot
        .scan(keyspace, bounds, Direction::Forward, &mut |key, _| {
            if !key.starts_with(prefix) {
                return ControlFlow::Break(());
            }
            found.push(key.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn value(engine: &dyn Engine, keyspace: Keyspace, key: &[u8]) -> Vec<u8> {
    engine.get(keyspace, key).unwrap().unwrap().to_vec()
}

fn of_index(number: u32) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn document(id: &str) -> Vec<u8> {
    [&0_u32.to_be_bytes()[..], id.as_bytes()].concat()
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

fn assert_found(cases: Vec<(&str, Vec<String>, &str)>) {
    for (damage, problems, expected) in cases {
        let is_found = problems.iter().any(|problem| problem.contains(expected));
        assert!(is_found, "{damage}: {expected:?} is not in {problems:#?}");
    }
}

#[test]
fn indexes_leases_and_schemas_are_healthy() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    for round in 0..3 {
        let report = doctor(folder.path()).unwrap();
        assert!(report.is_healthy(), "{report:#?}");
        assert_eq!((report.indexes, report.documents), (3, 5), "round {round}");
        let db = options(Mode::Hybrid, World::new()).open(folder.path()).unwrap();
        db.maintain().unwrap();
    }
}

/// Documents that the building of an index has not come to need no entries yet, and say nothing of
/// where there are arrays.
#[test]
fn an_index_that_is_being_built_is_healthy() {
    let problems = diagnose(|engine, batch| {
        let key = [b"i", &of_index(0)[..], b"tags"].concat();
        let value = value(engine, SYSTEM, &key);
        // The tag, an empty place, and that nothing was done.
        batch.put(SYSTEM, &key, &[&value[..4], &[0, 0, 0], &value[5..]].concat());
        batch.put(SYSTEM, &[b"k", &of_index(1)[..]].concat(), &[0, 0, 0]);
        keys(engine, INDEXES, &of_index(1)).iter().for_each(|key| batch.delete(INDEXES, key));
    });
    assert_eq!(problems, [""; 0]);
}

#[test]
fn damage_of_entries_is_found() {
    let lose = |number: u32| {
        move |engine: &dyn Engine, batch: &mut Batch| {
            batch.delete(INDEXES, &keys(engine, INDEXES, &of_index(number))[0]);
        }
    };
    assert_found(vec![
        ("a lost entry", diagnose(lose(0)), "is missing"),
        ("a lost entry, counted", diagnose(lose(0)), "says entries 5, but it has 4"),
        (
            "a lost entry of an array",
            diagnose(lose(1)),
            "in index \"tags\" of collection \"jobs\": entry",
        ),
        ("a lost entry of a unique index", diagnose(lose(2)), "is missing"),
        (
            "an entry of no document",
            diagnose(|engine, batch| {
                let key = &keys(engine, INDEXES, &of_index(1))[0];
                batch.put(INDEXES, &[key, &b"ghost"[..]].concat(), &[0]);
            }),
            "document \"job0ghost\" does not exist",
        ),
        (
            "an entry of another value",
            diagnose(|engine, batch| {
                let mut key = keys(engine, INDEXES, &of_index(1))[0].clone();
                // The number's last byte but those of the id.
                let at = key.len() - b"job0".len() - 1;
                key[at] ^= 1;
                batch.put(INDEXES, &key, &[0]);
            }),
            "index entry",
        ),
        ("an invalid key", diagnose(|_, batch| batch.put(INDEXES, b"abc", &[])), "an invalid key"),
        (
            "a wrong note on exactness",
            diagnose(|engine, batch| {
                for key in keys(engine, INDEXES, &of_index(0)) {
                    let value = value(engine, INDEXES, &key);
                    batch.put(INDEXES, &key, if value.is_empty() { &[0] } else { &[] });
                }
            }),
            "says wrongly whether its key has the exact values",
        ),
        (
            "a unique entry of another document",
            diagnose(|engine, batch| {
                batch.put(INDEXES, &keys(engine, INDEXES, &of_index(2))[0], b"job1");
            }),
            "is that of document \"job1\"",
        ),
        (
            "two owners of the same value",
            diagnose(|engine, batch| {
                let record = value(engine, DOCUMENTS, &document("job1"));
                batch.put(DOCUMENTS, &document("job2"), &record);
            }),
            "document \"job2\" in index \"email\" of collection \"jobs\": unique entry",
        ),
        (
            "a document without entries",
            diagnose(|engine, batch| {
                let record = value(engine, DOCUMENTS, &document("job1"));
                batch.put(DOCUMENTS, &document("new"), &record);
            }),
            "document \"new\" in index \"state\"",
        ),
        (
            "a document that is gone",
            diagnose(|_, batch| batch.delete(DOCUMENTS, &document("job2"))),
            "document \"job2\" does not exist",
        ),
        (
            "entries of no index",
            diagnose(|_, batch| batch.put(INDEXES, &[0, 0, 0, 77, 1], &[])),
            "1 entries of index number 77",
        ),
        (
            "entries of a dropped index that are not to be removed",
            diagnose(|_, batch| batch.delete(SYSTEM, &[b"w", &of_index(3)[..]].concat())),
            "entries of index number 3",
        ),
    ]);
}

#[test]
fn damage_of_indexes_is_found() {
    let totals = |number: u32, ready: u8, entries: u8, multikey: u8| {
        move |_: &dyn Engine, batch: &mut Batch| {
            batch.put(SYSTEM, &[b"k", &of_index(number)[..]].concat(), &[ready, entries, multikey]);
        }
    };
    let definition = |engine: &dyn Engine, name: &str| {
        let key = [b"i", &of_index(0)[..], name.as_bytes()].concat();
        (key.clone(), value(engine, SYSTEM, &key))
    };
    assert_found(vec![
        ("a wrong number", diagnose(totals(0, 1, 9, 0)), "says entries 9, but it has 5"),
        ("arrays that are denied", diagnose(totals(1, 1, 8, 0)), "is not marked as multikey"),
        ("ready, and not used", diagnose(totals(0, 0, 5, 0)), "is ready, but may not be used"),
        ("totals that are not valid", diagnose(totals(0, 7, 5, 0)), "a value that cannot be read"),
        (
            "used, and not ready",
            diagnose(|engine, batch| {
                let (key, value) = definition(engine, "state");
                // The tag, an empty place, and that nothing was done.
                batch.put(SYSTEM, &key, &[&value[..4], &[0, 0, 0], &value[5..]].concat());
            }),
            "may be used, but is not ready",
        ),
        (
            "failed, with entries",
            diagnose(|engine, batch| {
                let (key, value) = definition(engine, "state");
                batch.put(SYSTEM, &key, &[&value[..4], &[2, 0], &value[5..]].concat());
                batch.put(SYSTEM, &[b"k", &of_index(0)[..]].concat(), &[0, 5, 0]);
            }),
            "has failed, but counts entries",
        ),
        (
            "a definition that is not valid",
            diagnose(|engine, batch| batch.put(SYSTEM, &definition(engine, "tags").0, b"torn")),
            "a value that cannot be read",
        ),
        (
            "a number from the future",
            diagnose(|engine, batch| {
                let (key, value) = definition(engine, "tags");
                batch.put(SYSTEM, &key, &[&of_index(9), &value[4..]].concat());
                batch.put(SYSTEM, &[b"k", &of_index(9)[..]].concat(), &[1, 0, 0]);
            }),
            "has number 9, and the next is 4",
        ),
        (
            "a number twice",
            diagnose(|engine, batch| {
                let (key, value) = definition(engine, "tags");
                batch.put(SYSTEM, &key, &[&of_index(0), &value[4..]].concat());
            }),
            "has number 0, as another one has",
        ),
        (
            "an index of no collection",
            diagnose(|engine, batch| {
                let (_, value) = definition(engine, "tags");
                batch.put(SYSTEM, &[b"i", &of_index(8)[..], b"tags"].concat(), &value);
            }),
            "of a collection that does not exist",
        ),
        (
            "totals of no index",
            diagnose(|_, batch| {
                batch.put(SYSTEM, &[b"k", &of_index(8)[..]].concat(), &[1, 0, 0]);
            }),
            "of an index that does not exist",
        ),
        (
            "a schema that is not valid",
            diagnose(|engine, batch| {
                let key = &keys(engine, SYSTEM, b"h")[0];
                let value = value(engine, SYSTEM, key);
                batch.put(SYSTEM, key, &value[..value.len() - 1]);
            }),
            "a value that cannot be read",
        ),
    ]);
}

#[test]
fn damage_of_leases_is_found() {
    let lose = |kind: &'static [u8]| {
        move |engine: &dyn Engine, batch: &mut Batch| {
            batch.delete(SYSTEM, &keys(engine, SYSTEM, kind)[0]);
        }
    };
    assert_found(vec![
        ("no update", diagnose(lose(b"l")), "its lease has no update for its end"),
        ("no end", diagnose(lose(b"m")), "its lease is not in the order of ends"),
        (
            "an update that is not valid",
            diagnose(|engine, batch| {
                batch.put(SYSTEM, &keys(engine, SYSTEM, b"l")[0], b"torn");
            }),
            "what is to be done at the lease's end",
        ),
        (
            "an update without a lease",
            diagnose(|engine, batch| {
                let update = value(engine, SYSTEM, &keys(engine, SYSTEM, b"l")[0]);
                batch.put(SYSTEM, &[b"l", &document("job3")[..]].concat(), &update);
            }),
            "document \"job3\" of collection 0 has no lease, but an update",
        ),
        (
            "an end without a lease",
            diagnose(|engine, batch| {
                let key = &keys(engine, SYSTEM, b"m")[0];
                batch.put(SYSTEM, &[&key[..9], &document("job3")].concat(), &[]);
            }),
            "document \"job3\" of collection 0 has no lease that ends then",
        ),
        (
            "another end",
            diagnose(|engine, batch| {
                let mut key = keys(engine, SYSTEM, b"m")[0].clone();
                batch.delete(SYSTEM, &key);
                key[8] ^= 1;
                batch.put(SYSTEM, &key, &[]);
            }),
            "has no lease that ends then",
        ),
    ]);
}

/// Building an index skipped expired documents. They stayed until the next maintenance, without entries;
/// and when they were removed, entries were subtracted from the index's count that had never been added.
#[test]
fn documents_whose_time_is_over_when_an_index_is_built() {
    in_every_mode(|home| {
        let db = home.db();
        let docs = db.documents("docs");
        for n in 0..10 {
            docs.insert(format!("kept{n}"), object! { "n": n }).unwrap();
            let short = docs.time_to_live(Duration::from_secs(1));
            short.insert(format!("short{n}"), object! { "n": n + 100 }).unwrap();
        }
        home.world.advance(Duration::from_secs(2));
        db.documents("docs").create_index(IndexSpec::on("n")).unwrap();
        for _ in 0..2 {
            let report = db.snapshot().unwrap().check().unwrap();
            assert!(report.is_healthy(), "{report:#?}");
            assert_eq!(db.documents("docs").indexes().unwrap()[0].entries, 10);
            db.maintain().unwrap();
        }
    });
}

/// The end of a lease whose update would break a unique index was rolled back, but not the count of
/// the entries that had been moved in another index before.
#[test]
fn the_end_of_a_lease_that_is_refused() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        db.documents("jobs").create_index(IndexSpec::on("state").named("a").sparse()).unwrap();
        db.documents("jobs")
            .create_index(IndexSpec::on("slot").named("b").unique().sparse())
            .unwrap();
        jobs.insert("one", object! { "slot": 1 }).unwrap();
        let second = Duration::from_secs(1);
        let release = object! { "slot": 1, "state": "waiting" };
        let taken = jobs.claim(object! { "slot": 1 }).lease(second, release);
        assert_eq!(taken.update(object! { "slot": 2 }).unwrap().documents.len(), 1);
        jobs.insert("other", object! { "slot": 1 }).unwrap();
        home.world.advance(second * 2);
        db.maintain().unwrap();
        let report = db.snapshot().unwrap().check().unwrap();
        assert!(report.is_healthy(), "{report:#?}");
        let one = jobs.get("one").unwrap().unwrap();
        assert_eq!(one.field("slot").unwrap().unwrap().to_value().unwrap(), 2.into());
        assert!(matches!(
            jobs.release("one", one.version()),
            Err(velocitydb::Error::NotLeased { .. })
        ));
    });
}

/// A document with a lease that expired in a dropped collection left the lease's update behind for
/// ever.
#[test]
fn a_leased_document_that_expires_in_a_dropped_collection() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        let second = Duration::from_secs(1);
        jobs.time_to_live(second).insert("one", object! { "n": 1 }).unwrap();
        jobs.claim(object! {})
            .lease(Duration::from_secs(60), object! { "n": 1 })
            .update(object! { "n": 2 })
            .unwrap();
        db.drop_collection("jobs").unwrap();
        home.world.advance(second * 2);
        for _ in 0..2 {
            db.maintain().unwrap();
            let report = db.snapshot().unwrap().check().unwrap();
            assert!(report.is_healthy(), "{report:#?}");
        }
    });
}
