//! The end of leases: they end whatever their documents are like by then, none has to wait for another
//! one's end, and hints are correct afterwards.

use std::time::Duration;

use velocitydb::schema::Schema;
use velocitydb::{
    Claimed, Database, Document, Error, Existing, Filter, IndexSpec, Mode, Object, Release, Sort,
    Update, Value, field, object,
};
use velocitydb_storage::{Batch, Bounds, Direction, Durability, Engine, Keyspace};

use crate::fault::Faulty;
use crate::world::{World, in_every_mode, options};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A lease whose release was refused (here a unique value was taken by then) ended by a write of its
/// own, past what every other write does. It left the place from which the next search was to begin
/// behind the document: with an index a claim took `c`, and without it `a`.
#[test]
fn a_lease_that_just_ends_is_a_write_like_any_other() {
    for has_index in [true, false] {
        in_every_mode(|home| {
            let db = home.db();
            let jobs = db.documents("jobs");
            db.documents("jobs").create_index(IndexSpec::on("slot").unique().sparse()).unwrap();
            if has_index {
                let queue = Sort::new().ascending("kind").ascending("n");
                db.documents("jobs").create_index(IndexSpec::new(queue)).unwrap();
            }
            for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
                jobs.insert(id, object! { "kind": "x", "n": n }).unwrap();
            }
            let free = || object! { "kind": "x", "_meta.lease": { "$exists": false } };
            let claim = |duration, release: Object| {
                let claim = jobs.claim(free()).sort(Sort::new().ascending("n"));
                let claim = claim.lease(duration, release);
                claim.update(object! { "seen": true }).unwrap().documents[0].id().to_string()
            };
            assert_eq!(claim(SECOND, object! { "slot": 1 }), "a");
            jobs.insert("other", object! { "slot": 1 }).unwrap();
            assert_eq!(claim(HOUR, object! {}), "b");
            home.world.advance(SECOND * 2);
            db.maintain().unwrap();
            assert_eq!(claim(HOUR, object! {}), "a", "with an index: {has_index}");
        });
    }
}

/// An entry that a document had before a change and has after it was not taken for a change: the
/// document behind it was another one, and a search that had gone past it did not come back.
#[test]
fn a_document_that_changes_behind_its_entry_is_found() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        db.documents("jobs").create_index(IndexSpec::on("tags")).unwrap();
        jobs.insert("a", object! { "tags": ["x", "y"], "state": "done" }).unwrap();
        jobs.insert("b", object! { "tags": ["x"], "state": "waiting" }).unwrap();
        jobs.insert("c", object! { "tags": ["x"], "state": "waiting" }).unwrap();
        let claim = || {
            let claim = jobs.claim(field("tags").eq("x").and(field("state").eq("waiting")));
            let claimed = claim.sort(Sort::new().ascending("_id"));
            let claimed = claimed.update(object! { "state": "done" }).unwrap();
            claimed.documents[0].id().to_string()
        };
        assert_eq!(claim(), "b");
        jobs.update("a", object! { "tags": ["x", "z"], "state": "waiting" }).unwrap();
        assert_eq!(claim(), "a");
    });
}

/// The schema's default lies one level deeper than a document may be: that was an error instead of a
/// refusal, and it stopped the maintenance of every collection for ever, across restarts.
#[test]
fn a_document_that_its_schema_cannot_complete_keeps_nobody_waiting() {
    in_every_mode(|home| {
        let db = home.db();
        let deep = db.documents("deep");
        let mut value = Value::from(object! {});
        for _ in 0..98 {
            value = Value::from(object! { "d": value });
        }
        deep.insert("deepest", object! { "d": value, "state": "waiting" }).unwrap();
        let claim = deep.claim(object! { "state": "waiting" });
        let claim = claim.lease(SECOND, object! { "state": "waiting" });
        assert_eq!(claim.update(object! { "state": "running" }).unwrap().documents.len(), 1);
        let schema = r##"{
            "$defs": {"n": {"properties": {"d": {"$ref": "#/$defs/n"}, "e": {"default": {}}}}},
            "$ref": "#/$defs/n"
        }"##;
        let schema = Schema::from_json(schema).unwrap();
        db.documents("deep").set_schema(&schema, Existing::Keep).unwrap();

        let other = db.documents("other");
        other.time_to_live(SECOND).insert("expires", object! {}).unwrap();
        other.insert("job", object! { "state": "waiting" }).unwrap();
        let claim = other.claim(object! { "state": "waiting" });
        let claim = claim.lease(SECOND, object! { "state": "waiting" });
        claim.update(object! { "state": "running" }).unwrap();
        home.world.advance(SECOND * 2);
        db.maintain().unwrap();
        assert_eq!(other.get("job").unwrap().unwrap().fields().unwrap()["state"], "waiting".into());
        assert!(other.get("expires").unwrap().is_none());
        assert_eq!(db.collections().unwrap()[1].tombstones, 1);
        let deepest = deep.get("deepest").unwrap().unwrap();
        assert_eq!(deepest.version(), 3, "its lease has just ended");
        assert_eq!(deepest.fields().unwrap()["state"], "running".into());
        // A write that its schema cannot complete is refused as one that it does not take.
        assert!(deep.update("deepest", object! { "state": "waiting" }).is_err());
        assert!(db.health().problems.is_empty());
    });
}

const SYSTEM: Keyspace = Keyspace(1);

/// Damages what the leases on these documents hold for their end, and gives back what it was.
fn damage_leases(engine: &Faulty, is_damaged: impl Fn(&[u8]) -> bool) -> Batch {
    let (mut damage, mut mend) = (Batch::new(), Batch::new());
    let bounds = Bounds { start: b"l", end: Some(b"m") };
    let state = engine.snapshot().unwrap();
    let visit = &mut |key: &[u8], value: &[u8]| {
        if is_damaged(&key[5..]) {
            damage.put(SYSTEM, key, b"?");
            mend.put(SYSTEM, key, value);
        }
        std::ops::ControlFlow::Continue(())
    };
    state.scan(SYSTEM, bounds, Direction::Forward, visit).unwrap();
    engine.commit(&damage, Durability::Memory).unwrap();
    mend
}

/// What maintenance cannot do, it counts and tries again later; the rest is done, though a thousand
/// of those stand before it, and a restart comes in between.
#[test]
fn what_cannot_be_done_is_counted_and_tried_again() {
    let (engine, world) = (Faulty::new(), World::new());
    let db = engine.database(world.clone());
    let jobs = db.documents("jobs");
    let all = (0..1_100).map(|n| (format!("{n:04}"), object! { "state": "waiting" }));
    jobs.insert_many(all).unwrap();
    let waiting = || object! { "state": "waiting" };
    for (limit, seconds) in [(1_000, 1), (100, 2)] {
        let claim = jobs.claim(waiting()).limit(limit).lease(SECOND * seconds, waiting());
        assert_eq!(
            claim.update(object! { "state": "running" }).unwrap().documents.len(),
            limit as usize
        );
    }
    let mend = damage_leases(&engine, |id| id < &b"1000"[..]);
    jobs.time_to_live(SECOND).insert("expires", object! {}).unwrap();
    world.advance(SECOND * 3);
    db.maintain().unwrap();
    let count = |filter: Filter| jobs.find(filter).count().unwrap();
    assert_eq!(count(waiting().into()), 100);
    assert!(jobs.get("expires").unwrap().is_none());
    assert_eq!(db.stats().unwrap().postponed, 1_000);
    let problems = db.health().problems;
    assert!(problems.len() == 1 && problems[0].starts_with("1000 "), "{problems:?}");
    let report = db.snapshot().unwrap().check().unwrap();
    assert!(report.problems.iter().any(|one| one.contains("\"0000\"")), "{report:#?}");

    // They are left alone for a while, and then tried again, which changes nothing.
    let version = || jobs.get("0500").unwrap().unwrap().version();
    assert_eq!(version(), 2);
    drop(db);
    let db = engine.database(world.clone());
    world.advance(SECOND * 61);
    db.maintain().unwrap();
    assert_eq!((version(), db.stats().unwrap().postponed), (2, 1_000));
    engine.commit(&mend, Durability::Memory).unwrap();
    world.advance(SECOND * 61);
    db.maintain().unwrap();
    assert_eq!((version(), db.stats().unwrap().postponed), (3, 0));
    assert_eq!(count(waiting().into()), 1_100);
    assert!(db.health().problems.is_empty());
    let report = db.snapshot().unwrap().check().unwrap();
    assert!(report.is_healthy(), "{report:#?}");
}

fn claim_one(db: &Database, filter: Object, update: impl Into<Update>) -> Option<Document> {
    let jobs = db.documents("jobs");
    let claim = jobs.claim(filter).sort(Sort::new().ascending("n"));
    claim.lease(HOUR, object! { "taken": false }).update(update).unwrap().documents.pop()
}

/// A claim whose update leaves its filter true took a document that was under a lease, again and again.
#[test]
fn a_document_under_a_lease_is_taken_by_nobody_else() {
    for has_index in [true, false] {
        in_every_mode(|home| {
            let db = home.db();
            if has_index {
                let keys = Sort::new().ascending("kind").ascending("n");
                db.documents("jobs").create_index(IndexSpec::new(keys)).unwrap();
            }
            let jobs = db.documents("jobs");
            for n in 0..3 {
                jobs.insert(n.to_string(), object! { "kind": "x", "n": n }).unwrap();
            }
            let kind = || object! { "kind": "x" };
            let claim = || {
                let claimed = claim_one(home.db(), kind(), object! { "taken": true });
                claimed.map(|job| job.id().to_string())
            };
            let ids = [claim(), claim(), claim(), claim()];
            let expected = ["0", "1", "2"].map(|id| Some(id.to_owned()));
            assert_eq!(ids[..3], expected);
            assert_eq!(ids[3], None);
            // One that was completed can be had again, and so can one whose lease has expired.
            jobs.complete("1", 2, object! { "taken": false }).unwrap();
            assert_eq!(claim().unwrap(), "1");
            home.world.advance(HOUR);
            assert_eq!(claim().unwrap(), "0");
            // A claim that asks for leased documents takes it, and the former claimant gets an error.
            let claim = jobs.claim(kind()).sort(Sort::new().ascending("n")).even_if_leased();
            let taken = claim.lease(HOUR, object! {}).update(object! { "taken": true }).unwrap();
            let (id, version) = (taken.documents[0].id().to_string(), taken.documents[0].version());
            assert_eq!((id.as_str(), version), ("0", 5));
            assert!(matches!(
                jobs.complete("0", 4, object! {}),
                Err(Error::VersionMismatch { .. })
            ));
            // Without a lease of its own it ends that of the other.
            let claim = jobs.claim(kind()).sort(Sort::new().ascending("n")).even_if_leased();
            claim.update(object! { "taken": "for good" }).unwrap();
            assert!(matches!(jobs.release("0", 6), Err(Error::NotLeased { .. })));
        });
    }
}

/// One document to which the claim's update could not be applied made every claim fail, so that later
/// documents were never claimed.
#[test]
fn what_cannot_be_claimed_keeps_nobody_from_the_rest() {
    for has_index in [true, false] {
        in_every_mode(|home| {
            let db = home.db();
            if has_index {
                let keys = Sort::new().ascending("state").ascending("n");
                db.documents("jobs").create_index(IndexSpec::new(keys)).unwrap();
            }
            db.documents("jobs").create_index(IndexSpec::on("slot").unique().sparse()).unwrap();
            let schema = r#"{"properties": {"by": {"maxLength": 4}, "limit": {"maximum": 3}}}"#;
            let schema = Schema::from_json(schema).unwrap();
            db.documents("jobs").set_schema(&schema, Existing::Check).unwrap();
            let jobs = db.documents("jobs");
            let job = |n: i64, tries: Value| object! { "state": "waiting", "n": n, "tries": tries };
            jobs.insert("type", job(0, "many".into())).unwrap();
            jobs.insert("schema", job(1, 0.into())).unwrap();
            jobs.update("schema", object! { "limit": 3 }).unwrap();
            jobs.insert("good", job(2, 0.into())).unwrap();
            jobs.insert("better", job(3, 0.into())).unwrap();
            let claim = |slot: i64| {
                let claim = jobs.claim(object! { "state": "waiting" });
                let update = Update::new().set("state", "running").inc("tries", 1);
                let update = update.inc("limit", 1).set("slot", slot);
                claim.sort(Sort::new().ascending("n")).limit(2).update(update).unwrap()
            };
            let ids = |claimed: &Claimed| {
                claimed.documents.iter().map(|one| one.id().to_string()).collect::<Vec<_>>()
            };
            let skipped = |claimed: &Claimed| {
                let ids = claimed.skipped.iter().map(|one| one.id.to_string());
                ids.collect::<Vec<_>>()
            };
            // The second of two has the slot of the first.
            let claimed = claim(1);
            assert_eq!(ids(&claimed), ["good"]);
            assert_eq!(skipped(&claimed), ["type", "schema", "better"]);
            assert!(matches!(claimed.skipped[0].reason, Error::Inapplicable { .. }));
            assert!(matches!(claimed.skipped[1].reason, Error::SchemaViolation { .. }));
            assert!(matches!(claimed.skipped[2].reason, Error::Duplicate { .. }));
            assert_eq!(db.collections().unwrap()[0].skipped, 3);
            // They are left alone for a while: others would fail just so.
            let claimed = claim(2);
            assert_eq!((ids(&claimed).len(), skipped(&claimed).len()), (0, 0));
            home.world.advance(SECOND);
            let claimed = claim(2);
            assert_eq!((ids(&claimed), skipped(&claimed).len()), (vec!["better".to_owned()], 0));
            // A claim that asks for less gets them, and who changes one makes it another one.
            jobs.update("type", object! { "tries": 0 }).unwrap();
            assert_eq!(ids(&claim(3)), ["type"]);
            home.world.advance(SECOND * 60);
            assert_eq!(skipped(&claim(4)), ["schema"]);
            let mild = jobs.claim(object! { "state": "waiting" });
            assert_eq!(ids(&mild.update(object! { "state": "running" }).unwrap()), ["schema"]);
            assert_eq!(db.stats().unwrap().collections[0].skipped, 0);
            let report = db.snapshot().unwrap().check().unwrap();
            assert!(report.is_healthy(), "{report:#?}");
        });
    }
}

/// More unfit documents than one claim tries, at the front of the queue.
#[test]
fn thousands_that_cannot_be_claimed_are_passed_once() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    let keys = Sort::new().ascending("state").ascending("n");
    db.documents("jobs").create_index(IndexSpec::new(keys)).unwrap();
    let jobs = db.documents("jobs");
    let bad = (0..2_500)
        .map(|n| (format!("bad{n}"), object! { "state": "waiting", "n": n, "tries": "?" }));
    jobs.insert_many(bad).unwrap();
    jobs.insert("good", object! { "state": "waiting", "n": 9_999 }).unwrap();
    let claim = || {
        let claim = jobs.claim(object! { "state": "waiting" }).sort(Sort::new().ascending("n"));
        claim.update(Update::new().set("state", "running").inc("tries", 1)).unwrap()
    };
    let claimed = claim();
    assert_eq!(claimed.first().unwrap().id().to_string(), "good");
    assert_eq!((claimed.skipped.len(), claimed.skipped_count), (16, 2_500));
    assert!(claim().documents.is_empty());
    assert_eq!(claim().skipped_count, 0);
    assert_eq!(db.collections().unwrap()[0].skipped, 2_500);
}

/// A finished job came back: it was claimed with a lease, and set to done by a plain update or in a
/// transaction. At the lease's end it was waiting again, and ran twice.
#[test]
fn a_release_happens_only_while_what_the_claim_set_is_still_so() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        for id in ["plain", "txn", "taken", "progress", "lost", "back"] {
            jobs.insert(id, object! { "state": "waiting", "old": 1 }).unwrap();
            let claim = jobs.claim(object! { "_id": id }).claimant("me");
            let claim = claim.lease(SECOND, object! { "state": "waiting" });
            let update = Update::new().set("state", "running").unset("old").inc("tries", 1);
            assert_eq!(claim.update(update).unwrap().documents.len(), 1);
        }
        jobs.update("plain", object! { "state": "done" }).unwrap();
        db.transaction(|txn| txn.update("jobs", "txn", object! { "state": "done" })).unwrap();
        jobs.update("taken", object! { "claimed_by": "somebody else" }).unwrap();
        jobs.update("progress", Update::new().set("percent", 50).inc("tries", 1)).unwrap();
        // Who gives it back has said what is to become of it.
        let version = jobs.update("back", object! { "state": "failed" }).unwrap().version;
        jobs.release("back", version).unwrap();
        home.world.advance(SECOND);
        db.maintain().unwrap();
        let state = |id: &str| {
            let job = jobs.get(id).unwrap().unwrap();
            (job.version(), job.fields().unwrap()["state"].as_str().unwrap().to_owned())
        };
        let expected = |version, state: &str| (version, state.to_owned());
        assert_eq!(state("plain"), expected(4, "done"));
        assert_eq!(state("txn"), expected(4, "done"));
        assert_eq!(state("taken"), expected(4, "running"));
        assert_eq!(state("progress"), expected(4, "waiting"));
        assert_eq!(state("lost"), expected(3, "waiting"));
        assert_eq!(state("back"), expected(4, "waiting"));
        assert_eq!(jobs.find(object! { "_meta.lease": { "$exists": true } }).count().unwrap(), 0);
    });
}

/// Requeued while it has been tried less than three times, a dead letter then, and left alone where it
/// says so itself.
#[test]
fn a_release_is_the_first_whose_condition_holds() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        jobs.insert("a", object! { "state": "waiting" }).unwrap();
        jobs.insert("b", object! { "state": "waiting", "keep": true }).unwrap();
        let attempt = || {
            let release = Release::when(
                object! { "tries": { "$lt": 3 }, "keep": null },
                object! { "state": "waiting" },
            );
            let release = release.or_when(object! { "keep": null }, object! { "state": "dead" });
            let claim = jobs.claim(object! { "state": "waiting" }).limit(2);
            let update = Update::new().set("state", "running").inc("tries", 1);
            let claimed = claim.lease(SECOND, release).update(update).unwrap().documents.len();
            home.world.advance(SECOND);
            claimed
        };
        let attempts = [attempt(), attempt(), attempt(), attempt()];
        assert_eq!(attempts, [2, 1, 1, 0]);
        let state = |id: &str| jobs.get(id).unwrap().unwrap().fields().unwrap()["state"].clone();
        assert_eq!((state("a"), state("b")), ("dead".into(), "running".into()));
        let b = jobs.get("b").unwrap().unwrap();
        assert_eq!((b.version(), b.metadata().get("lease")), (3, None));
        // Released explicitly: the same choice, and if no filter matches, the lease ends without a release.
        jobs.insert("c", object! { "state": "waiting", "keep": true }).unwrap();
        let release = Release::when(object! { "keep": null }, object! { "state": "waiting" });
        let claim = jobs.claim(object! { "_id": "c" }).lease(HOUR, release);
        let version = claim.update(object! { "state": "running" }).unwrap().documents[0].version();
        jobs.release("c", version).unwrap();
        assert!(matches!(jobs.release("c", version + 1), Err(Error::NotLeased { .. })));
        assert_eq!(state("c"), "running".into());
    });
}
