//! Leases at their end: that it comes, whatever the document is like by then, that nobody has to wait
//! for another one's, and that what searches remember is right afterwards.

use std::time::Duration;

use velocitydb::schema::Schema;
use velocitydb::{Existing, Filter, IndexSpec, Object, Sort, Value, field, object};
use velocitydb_storage::{Batch, Bounds, Direction, Durability, Engine, Keyspace};

use crate::fault::Faulty;
use crate::world::{World, in_every_mode};

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
            db.create_index("jobs", IndexSpec::on("slot").unique().sparse()).unwrap();
            if has_index {
                let queue = Sort::new().ascending("kind").ascending("n");
                db.create_index("jobs", IndexSpec::new(queue)).unwrap();
            }
            for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
                jobs.insert(id, object! { "kind": "x", "n": n }).unwrap();
            }
            let free = || object! { "kind": "x", "_lease": { "$exists": false } };
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
        db.create_index("jobs", IndexSpec::on("tags")).unwrap();
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
        db.set_schema("deep", &schema, Existing::Keep).unwrap();

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
