//! Request ids: a retry gets exactly the answer of the first attempt, and another command with the same id
//! is an error that changes nothing.
//! An insert with an id that another insert had used was answered with success, and wrote nothing. A
//! claim's id used again for an insert or a completion panicked. The retry of an insert without `_id` was
//! answered with a new id, of no document. The retry of a find-and-modify was answered with the document as
//! it had become meanwhile, or with none. A late copy of a command that was refused, or that had nothing to
//! do, was executed after its caller had been told that it had not been applied.

use std::time::Duration;

use velocitydb::schema::Schema;
use velocitydb::{
    CollectionOptions, Condition, Consistency, Database, Documents, Error, Existing, IndexSpec,
    Mode, RequestId, Result, Update, WriteBatch, object,
};

use crate::world::in_every_mode;

fn id(text: &str) -> RequestId {
    RequestId::new(text).unwrap()
}

/// Every way to ask for something once. Each is another command than all others, and each can be
/// applied to the documents that [`prepare`] makes, in this order.
type Surface = (&'static str, fn(&Database, &Documents) -> Result<String>);

const SURFACES: &[Surface] = &[
    ("insert", |_, docs| Ok(format!("{:?}", docs.insert("new", object! { "n": 1 })?.version))),
    ("insert without id", |_, docs| Ok(docs.insert_new(object! { "n": 2 })?.id.to_string())),
    ("insert many", |_, docs| {
        let written = docs.insert_many([("x", object! {}), ("y", object! {})])?;
        Ok(format!("{:?}", written.iter().map(|one| (&one.id, one.version)).collect::<Vec<_>>()))
    }),
    ("insert many without ids", |_, docs| {
        let written = docs.insert_many_new([object! { "n": 3 }, object! { "n": 4 }])?;
        Ok(format!("{:?}", written.iter().map(|one| &one.id).collect::<Vec<_>>()))
    }),
    ("update", |_, docs| Ok(docs.update("a", object! { "m": 1 })?.version.to_string())),
    ("replace", |_, docs| Ok(docs.replace("b", object! { "m": 2 })?.version.to_string())),
    ("upsert", |_, docs| Ok(docs.upsert("c", object! { "m": 3 })?.version.to_string())),
    ("compare-and-swap", |_, docs| {
        let swapped = docs.compare_and_swap("a").field("m", 1).update(object! { "m": 5 })?;
        Ok(format!("{} {}", swapped.is_applied, swapped.version))
    }),
    ("compare", |_, docs| Ok(docs.compare_and_swap("a").field("m", 5).compare()?.held.to_string())),
    ("refused", |_, docs| {
        let swapped = docs.compare_and_swap("a").field("m", 7).update(object! { "m": 8 })?;
        Ok(format!("{:?} {}", swapped.refusal, swapped.version))
    }),
    ("batch", |db, _| {
        let mut batch = WriteBatch::new();
        batch.insert_new("docs", db.new_id(), object! { "n": 5 })?;
        batch.update("docs", "b", object! { "m": 9 })?;
        let result = db.write(batch)?;
        Ok(format!("{:?} {:?}", result.new_ids, result.outcomes))
    }),
    ("claim", |_, docs| {
        let claim = docs.claim(object! { "job": true }).lease(HOUR, object! { "job": true });
        let claimed = claim.update(object! { "job": false })?;
        let ids = claimed.documents.iter().map(|one| (one.id().to_string(), one.version()));
        Ok(format!("{:?} {:?}", ids.collect::<Vec<_>>(), claimed.lost))
    }),
    ("claim of nothing", |_, docs| {
        let claimed = docs.claim(object! { "job": "none" }).update(object! { "job": false })?;
        Ok(format!("{:?}", claimed.documents.len()))
    }),
    ("renew", |_, docs| Ok(docs.renew("job1", 2, HOUR)?.to_string())),
    ("release", |_, docs| Ok(docs.release("job1", 3)?.to_string())),
    ("complete", |_, docs| Ok(docs.complete("job1", 4, object! { "done": true })?.to_string())),
    ("update many", |_, docs| {
        let modified = docs.update_many(object! { "m": { "$gte": 0 } }, object! { "k": 1 })?;
        Ok(modified.count.to_string())
    }),
    ("find and modify", |_, docs| {
        let found = docs.find_and_modify(object! { "k": 1 }).update(object! { "k": 2 })?;
        Ok(format!("{:?}", found.map(|one| one.to_object()).transpose()?))
    }),
    ("find and delete", |_, docs| {
        let found = docs.find_and_modify(object! { "k": 2 }).delete()?;
        Ok(format!("{:?}", found.map(|one| one.to_object()).transpose()?))
    }),
    ("delete", |_, docs| Ok(format!("{:?}", docs.delete("b")?.existed))),
    ("delete of nothing", |_, docs| Ok(format!("{:?}", docs.delete("nobody")?.existed))),
    ("delete many", |_, docs| Ok(docs.delete_many(object! { "m": 3 })?.count.to_string())),
    ("create a collection", |db, _| {
        Ok(format!("{:?}", db.create_collection("made", CollectionOptions::default())?))
    }),
    ("create an index", |db, _| Ok(format!("{:?}", db.documents("made").create_index(by("n"))?))),
    ("drop an index", |db, _| Ok(format!("{:?}", db.documents("made").drop_index("n_1")?))),
    ("set a schema", |db, _| {
        let schema = Schema::from_json(r#"{"required": ["n"]}"#).unwrap();
        Ok(db.documents("made").set_schema(&schema, Existing::Check)?.to_string())
    }),
    ("impose a schema", |db, _| {
        let schema = Schema::from_json(r#"{"required": ["m"]}"#).unwrap();
        Ok(db.documents("made").set_schema(&schema, Existing::Keep)?.to_string())
    }),
    ("remove a schema", |db, _| Ok(format!("{:?}", db.documents("made").remove_schema()?))),
    ("drop a collection", |db, _| Ok(format!("{:?}", db.drop_collection("made")?))),
];

const HOUR: Duration = Duration::from_secs(3_600);

fn by(path: &str) -> IndexSpec {
    IndexSpec::on(path)
}

fn prepare(db: &Database) {
    let docs = db.documents("docs");
    for id in ["a", "b", "c"] {
        docs.insert(id, object! { "m": 0 }).unwrap();
    }
    docs.insert("job1", object! { "job": true }).unwrap();
}

#[test]
fn a_retry_is_told_what_the_first_attempt_did_and_nothing_is_done_twice() {
    in_every_mode(|home| {
        prepare(home.db());
        for (name, run) in SURFACES {
            let attempt = |home: &crate::world::Home| {
                let db = home.db().request(id(name));
                run(&db, &db.documents("docs"))
            };
            let first = attempt(home).unwrap_or_else(|error| panic!("{name}: {error}"));
            let hash = home.db().snapshot().unwrap().state_hash().unwrap();
            assert_eq!(attempt(home).unwrap(), first, "{name}");
            home.reopen();
            home.world.advance(Duration::from_secs(1));
            assert_eq!(attempt(home).unwrap(), first, "{name}");
            // A reader's clock and a restart change nothing, and neither did the retries.
            assert_eq!(home.db().snapshot().unwrap().state_hash().unwrap(), hash, "{name}");
        }
    });
}

#[test]
fn an_id_that_was_used_for_something_else_is_an_error_and_nothing_is_done() {
    for (used, first) in SURFACES.iter().filter(|(name, _)| EARLY.contains(name)) {
        let db = velocitydb::open_in_memory().unwrap();
        prepare(&db);
        let once = db.request(id("r"));
        first(&once, &once.documents("docs")).unwrap();
        for (name, second) in SURFACES.iter().filter(|(name, _)| name != used) {
            let hash = db.snapshot().unwrap().state_hash().unwrap();
            let error = second(&once, &once.documents("docs")).unwrap_err();
            assert!(matches!(error, Error::RequestReused { .. }), "{used}, {name}: {error}");
            assert!(error.to_string().contains("\"r\"") && !error.is_retryable());
            assert_eq!(db.snapshot().unwrap().state_hash().unwrap(), hash, "{used}, {name}");
        }
    }
}

/// Those that can be the first command after [`prepare`].
const EARLY: [&str; 7] = [
    "insert",
    "insert without id",
    "batch",
    "claim",
    "refused",
    "delete of nothing",
    "create a collection",
];

/// The document of a claim's retry carried the version that it had by then: a claimant that had
/// lost the job to another could complete it with that as a token.
#[test]
fn the_retry_of_a_claim_gives_no_token_that_the_claim_did_not() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        jobs.insert("a", object! { "state": "waiting" }).unwrap();
        jobs.insert("b", object! { "state": "waiting" }).unwrap();
        let claim = |jobs: &Documents| {
            let claim = jobs.claim(object! { "state": "waiting" }).limit(2);
            claim.lease(HOUR, object! { "state": "waiting" }).update(object! { "state": "taken" })
        };
        let once = jobs.request(id("claim"));
        assert_eq!(claim(&once).unwrap().documents.len(), 2);
        jobs.release("a", 2).unwrap();
        assert_eq!(claim(&jobs).unwrap().documents[0].version(), 4);
        let again = claim(&once).unwrap();
        assert_eq!(again.documents.len(), 1);
        assert_eq!(
            (again.documents[0].id().as_str(), again.documents[0].version()),
            (Some("b"), 2)
        );
        assert_eq!((again.lost[0].id.as_str(), again.lost[0].version), (Some("a"), 2));
        // The lease has not ended in the state yet, but it has expired.
        home.world.advance(HOUR);
        let late = claim(&once).unwrap();
        assert_eq!((late.documents.len(), late.lost.len()), (0, 2));
    });
}

/// The answer to a retry shows documents as they are, whatever level reads are to have: it was
/// refused as too weak, where the first attempt had been answered.
#[test]
fn a_retry_is_answered_below_the_floor_of_reads() {
    in_every_mode(|home| {
        let db = home.db();
        let options = CollectionOptions {
            min_read: Some(Consistency::Strong),
            ..CollectionOptions::default()
        };
        db.create_collection("jobs", options).unwrap();
        let jobs = db.documents("jobs").at(Consistency::Local);
        jobs.insert("a", object! { "state": "waiting", "n": 1 }).unwrap();
        let swap = || {
            let once = jobs.request(id("swap"));
            once.compare_and_swap("a").field("n", 1).update(object! { "n": 2 }).unwrap()
        };
        let claim = || {
            let once = jobs.request(id("claim"));
            let claim = once.claim(object! { "state": "waiting" });
            claim.update(object! { "state": "taken" }).unwrap().documents[0].version()
        };
        assert_eq!([swap().version, swap().version], [2, 2]);
        assert_eq!([claim(), claim()], [3, 3]);
        assert!(matches!(jobs.get("a"), Err(Error::ConsistencyTooWeak { .. })));
    });
}

/// An answer is final. A late copy of a claim that had found nothing took a job without a claimant that
/// knew of it; a late copy of a refused swap was applied.
#[test]
fn what_was_not_done_is_not_done_by_a_late_copy() {
    in_every_mode(|home| {
        let jobs = home.db().documents("jobs");
        let claim = || {
            let claim = jobs.request(id("claim"));
            claim
                .claim(object! { "state": "waiting" })
                .update(object! { "state": "taken" })
                .unwrap()
        };
        let swap = || {
            let once = jobs.request(id("swap"));
            once.compare_and_swap("a").field("n", 1).update(object! { "n": 2 }).unwrap()
        };
        let insert = || jobs.request(id("insert")).insert("b", object! {});
        jobs.insert("b", object! {}).unwrap();
        assert!(claim().documents.is_empty() && !swap().is_applied);
        assert!(matches!(insert(), Err(Error::AlreadyExists { version: 1, .. })));
        jobs.insert("a", object! { "state": "waiting", "n": 1 }).unwrap();
        jobs.delete("b").unwrap();
        assert!(claim().documents.is_empty() && !swap().is_applied);
        assert!(matches!(insert(), Err(Error::AlreadyExists { version: 1, .. })));
        assert_eq!(jobs.get("a").unwrap().unwrap().version(), 1);
    });
}

/// The reasons why an update could not be applied, and how a schema was violated, are reported in the same
/// words.
#[test]
fn a_refusal_is_told_in_the_same_words() {
    in_every_mode(|home| {
        let db = home.db();
        let docs = db.documents("docs");
        docs.insert("a", object! { "n": "text" }).unwrap();
        let schema = Schema::from_json(r#"{"required": ["n"]}"#).unwrap();
        db.documents("docs").set_schema(&schema, Existing::Keep).unwrap();
        db.documents("docs").create_index(by("n").unique()).unwrap();
        let increment = velocitydb::Update::new().inc("n", 1);
        let once = |request: &str| docs.request(id(request));
        let attempts: [&dyn Fn() -> Error; 3] = [
            &|| once("u").update("a", increment.clone()).unwrap_err(),
            &|| once("s").insert("b", object! { "m": [1, 2] }).unwrap_err(),
            &|| once("d").insert("c", object! { "n": "text" }).unwrap_err(),
        ];
        for attempt in attempts {
            let first = attempt();
            let index = db.snapshot().unwrap().index().unwrap();
            assert_eq!(attempt().to_string(), first.to_string());
            assert_eq!(std::mem::discriminant(&attempt()), std::mem::discriminant(&first));
            assert_eq!(db.snapshot().unwrap().index().unwrap(), index);
        }
    });
}

/// A document that is too large to be remembered is not replaced by another one: the error says that the
/// call was applied.
#[test]
fn a_large_document_is_not_remembered_which_the_error_says() {
    let db = velocitydb::open_in_memory().unwrap();
    let docs = db.documents("docs");
    let large = "x".repeat(velocitydb::REQUEST_DOCUMENT_BYTES_MAX);
    docs.insert("a", object! { "large": large }).unwrap();
    let once = docs.request(id("pop"));
    let pop = || once.find_and_modify(object! {}).delete();
    assert_eq!(pop().unwrap().unwrap().id().to_string(), "a");
    let error = pop().unwrap_err();
    assert!(matches!(error, Error::AlreadyApplied { index: 2, .. }), "{error}");
}

/// A batch's condition and everything else that the caller chose is part of a command; its time and
/// its level are not.
#[test]
fn a_retry_may_come_later_and_at_another_level() {
    in_every_mode(|home| {
        let db = home.db();
        let docs = db.documents("docs").time_to_live(HOUR);
        let once = docs.request(id("r"));
        assert_eq!(once.insert("a", object! { "n": 1 }).unwrap().version, 1);
        home.world.advance(Duration::from_secs(10));
        let retry = once.at(velocitydb::Consistency::Local);
        assert!(retry.insert("a", object! { "n": 1 }).unwrap().is_replayed);
        let other_time = once.time_to_live(HOUR * 2);
        for error in [
            other_time.insert("a", object! { "n": 1 }).unwrap_err(),
            once.insert("a", object! { "n": 1.0 }).unwrap_err(),
            once.insert("b", object! { "n": 1 }).unwrap_err(),
            once.upsert("a", object! { "n": 1 }).unwrap_err(),
            db.documents("other").request(id("r")).insert("a", object! { "n": 1 }).unwrap_err(),
        ] {
            assert!(matches!(error, Error::RequestReused { .. }), "{error}");
        }
        let mut batch = WriteBatch::new();
        batch.compare("docs", "a", Condition::Absent).unwrap();
        let error = db.request(id("r")).write(batch).unwrap_err();
        assert!(matches!(error, Error::RequestReused { .. }), "{error}");
    });
}

/// A transaction ignored the request id of its handle: done twice, `$inc` counted two.
#[test]
fn a_transaction_is_committed_once_under_a_request_id() {
    in_every_mode(|home| {
        let db = home.db();
        db.documents("docs").insert("a", object! { "n": 0 }).unwrap();
        let increment = |db: &Database| {
            let mut runs = 0;
            let result = db.transaction(|txn| {
                runs += 1;
                txn.update("docs", "a", Update::new().inc("n", 1))
            });
            (runs, result)
        };
        let once = db.request(id("r"));
        let (_, result) = increment(&once);
        result.unwrap();
        // One that has begun before is not committed, and one that begins later is not run.
        let mut begun = db.request(id("s")).begin().unwrap();
        begun.upsert("docs", "b", object! {}).unwrap();
        increment(&db.request(id("s"))).1.unwrap();
        let error = begun.commit().unwrap_err();
        assert!(matches!(error, Error::AlreadyApplied { .. }), "{error}");
        drop(once);
        home.reopen();
        let once = home.db().request(id("r"));
        if home.mode != Mode::MemoryOnly {
            let (runs, result) = increment(&once);
            let error = result.unwrap_err();
            assert!(matches!(error, Error::AlreadyApplied { .. }) && runs == 0, "{error} {runs}");
            let n = home.db().documents("docs").get("a").unwrap().unwrap().fields().unwrap();
            assert_eq!(n["n"], 2.into());
        }
        let error = once.documents("docs").insert("c", object! {}).unwrap_err();
        assert!(matches!(error, Error::RequestReused { .. }), "{error}");

        // That it is refused is final as well.
        let db = home.db();
        db.documents("docs").create_index(by("u").unique()).unwrap();
        db.documents("docs").insert("holder", object! { "u": 1 }).unwrap();
        let take = || {
            let once = db.request(id("t"));
            once.transaction(|txn| txn.upsert("docs", "taker", object! { "u": 1 })).unwrap_err()
        };
        let first = take();
        assert!(matches!(first, Error::Duplicate { .. }), "{first}");
        db.documents("docs").delete("holder").unwrap();
        assert_eq!(take().to_string(), first.to_string());
    });
}
