//! Expired documents are never read, and no claim misses work whose lease has expired: at any time, after
//! any pause, whether or not maintenance was executed.
//!
//! Reads did not look at the clock: after `insert --ttl 50ms; sleep 1` a `get` in the next process
//! found the document (28 times of 30), `count` counted it, and a claim found nothing of the work whose
//! lease had ended (20 of 30). With 50,000 expired documents it took 0.27 s after opening until the
//! last was gone.

use std::collections::BTreeSet;
use std::time::Duration;

use velocitydb::{
    Database, Error, IndexSpec, Mode, Pipeline, Projection, RequestId, Snapshot, Sort, Value,
    object,
};

use crate::world::{Home, in_every_mode};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Five that expire after a second, and one that stays.
fn fill(home: &Home) {
    let db = home.db();
    db.documents("docs").create_index(IndexSpec::on("n")).unwrap();
    db.documents("docs").create_index(IndexSpec::on("u").unique().sparse()).unwrap();
    let docs = db.documents("docs");
    docs.insert("e", object! { "n": 7 }).unwrap();
    let brief = docs.time_to_live(SECOND);
    for (n, id) in ["a", "b", "c", "f", "g"].into_iter().enumerate() {
        brief.insert(id, object! { "n": n, "u": n }).unwrap();
    }
}

/// Every way of reading a snapshot finds just these.
fn check_snapshot(state: &Snapshot, expected: &[&str]) {
    let ids: BTreeSet<String> = expected.iter().map(|id| (*id).to_owned()).collect();
    for id in ["a", "b", "c", "e", "f", "g"] {
        let is_there = ids.contains(id);
        assert_eq!(state.get("docs", id).unwrap().is_some(), is_there, "{id}");
        assert_eq!(state.get_many("docs", [id]).unwrap()[0].is_some(), is_there, "{id}");
    }
    let count = expected.len();
    assert_eq!(state.count("docs").unwrap(), count as u64);
    assert_eq!(state.collections().unwrap()[0].count, count as u64);
    assert_eq!(state.iter("docs").unwrap().count(), count);
    let page = state.find("docs", object! {}).offset(1).page().unwrap();
    assert_eq!(page.documents.len(), count - 1);
    let found = |filter| state.find("docs", filter);
    let all = found(object! {}).documents().unwrap();
    assert_eq!(all.iter().map(|one| one.id().to_string()).collect::<BTreeSet<_>>(), ids);
    assert_eq!(found(object! {}).count().unwrap(), count as u64);
    // By an index that would have to read no document.
    let range = || object! { "n": { "$gte": 0 } };
    assert_eq!(found(range()).count().unwrap(), count as u64);
    let covered = Projection::include(["n"]);
    assert_eq!(found(range()).project(covered).objects().unwrap().len(), count);
    assert_eq!(found(range()).distinct("n").unwrap().len(), count);
    let sorted = found(object! {}).sort(Sort::new().descending("n")).page().unwrap();
    assert_eq!(sorted.documents.len(), count);
    let explained = found(range()).explain().unwrap();
    assert_eq!(explained.returned, count as u64);
    let pipeline = Pipeline::from_json(
        r#"[{"$match": {"n": {"$gte": 0}}},
            {"$lookup": {"from": "docs", "localField": "n", "foreignField": "n", "as": "same"}},
            {"$group": {"_id": null, "n": {"$sum": {"$size": "$same"}}}}]"#,
    );
    let counted = state.aggregate("docs", pipeline.unwrap(), state.time()).objects().unwrap();
    assert_eq!(counted[0]["n"], Value::from(count));
}

fn check_newest(db: &Database, expected: &[&str]) {
    let docs = db.documents("docs");
    for id in ["a", "b", "c", "e", "f", "g"] {
        assert_eq!(docs.get(id).unwrap().is_some(), expected.contains(&id), "{id}");
    }
    assert_eq!(docs.count().unwrap(), expected.len() as u64);
    assert_eq!(docs.find(object! { "n": { "$gte": 0 } }).count().unwrap(), expected.len() as u64);
    assert_eq!(db.stats().unwrap().document_count(), expected.len() as u64);
    let mut txn = db.begin().unwrap();
    assert_eq!(txn.count("docs").unwrap(), expected.len() as u64);
    assert_eq!(txn.find("docs", object! {}).unwrap().len(), expected.len());
    txn.commit().unwrap();
    check_snapshot(&db.snapshot().unwrap(), expected);
}

#[test]
fn nobody_reads_what_has_expired() {
    const ALL: [&str; 6] = ["a", "b", "c", "e", "f", "g"];
    in_every_mode(|home| {
        fill(home);
        check_newest(home.db(), &ALL);
        let before = home.db().snapshot().unwrap();
        home.world.advance(SECOND);
        check_newest(home.db(), &["e"]);
        // A snapshot is of its time, and does not change.
        check_snapshot(&before, &ALL);
        drop(before);
        home.reopen();
        check_newest(home.db(), &["e"]);
        let between = home.db().snapshot().unwrap();
        home.db().maintain().unwrap();
        check_newest(home.db(), &["e"]);
        check_snapshot(&between, &["e"]);
    });
}

/// `Transaction::insert` over a document that had expired was refused, though an insert was not.
#[test]
fn what_has_expired_is_in_nobodys_way() {
    in_every_mode(|home| {
        fill(home);
        home.world.advance(SECOND);
        let db = home.db();
        db.transaction(|txn| txn.insert("docs", "a", object! { "n": 1 })).unwrap();
        let docs = db.documents("docs");
        assert_eq!(docs.get("a").unwrap().unwrap().version(), 3);
        docs.insert("h", object! { "u": 2 }).unwrap();
        db.transaction(|txn| txn.insert("docs", "i", object! { "u": 3 })).unwrap();
        // A schema is not refused because of documents that cannot be read any more.
        let schema =
            velocitydb::schema::Schema::from_json(r#"{"properties": {"u": {"enum": [2, 3]}}}"#);
        db.documents("docs").set_schema(&schema.unwrap(), velocitydb::Existing::Check).unwrap();
        assert_eq!(docs.count().unwrap(), 4);
    });
}

/// Work is claimed with a lease, the folder is closed, and opened after the lease has expired.
#[test]
fn a_lease_that_is_over_has_ended_for_whoever_acts() {
    in_every_mode(|home| {
        let waiting = || object! { "state": "waiting" };
        let claim = |db: &Database| {
            let jobs = db.documents("jobs");
            let claim = jobs.claim(waiting()).limit(10).lease(SECOND, waiting());
            claim.update(object! { "state": "running" }).unwrap().documents
        };
        let db = home.db();
        db.documents("jobs").create_index(IndexSpec::on("state")).unwrap();
        db.documents("other").create_index(IndexSpec::on("state")).unwrap();
        for id in ["a", "b", "c", "d"] {
            db.documents("jobs").insert(id, waiting()).unwrap();
            db.documents("other").insert(id, waiting()).unwrap();
        }
        let taken = claim(db);
        assert_eq!(taken.len(), 4);
        home.reopen();
        home.world.advance(SECOND);
        let jobs = home.db().documents("jobs");
        for how in 0..3 {
            let settled = match how {
                0 => jobs.complete("a", 2, object! { "state": "done" }),
                1 => jobs.renew("b", 2, HOUR),
                _ => jobs.release("c", 2),
            };
            let fenced = matches!(settled, Err(Error::VersionMismatch { found: 3, .. }));
            assert!(fenced, "{settled:?}");
        }
        // An update comes after the end of the lease too.
        assert_eq!(jobs.update("d", object! { "seen": true }).unwrap().version, 4);
        let d = jobs.get("d").unwrap().unwrap().fields().unwrap();
        assert_eq!(d["state"], "waiting".into());
        let again = claim(home.db());
        let versions: Vec<_> = again.iter().map(|job| job.version()).collect();
        assert_eq!(versions, [4, 4, 4, 5]);
        let report = home.db().snapshot().unwrap().check().unwrap();
        assert!(report.is_healthy(), "{report:#?}");
    });
}

/// A transaction that read a job under an expired lease overwrote the release of the lease.
#[test]
fn a_transaction_does_not_write_over_the_end_of_a_lease() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        jobs.insert("a", object! { "state": "waiting" }).unwrap();
        let claim = jobs.claim(object! { "state": "waiting" });
        let claim = claim.lease(SECOND, object! { "state": "waiting", "ended": true });
        claim.update(object! { "state": "running" }).unwrap();
        home.world.advance(SECOND);
        let mut txn = db.begin().unwrap();
        txn.update("jobs", "a", object! { "n": 1 }).unwrap();
        assert!(matches!(txn.commit(), Err(Error::Conflict)));
        db.transaction(|txn| txn.update("jobs", "a", object! { "n": 2 })).unwrap();
        let fields = jobs.get("a").unwrap().unwrap().fields().unwrap();
        assert_eq!(fields, object! { "state": "waiting", "ended": true, "n": 2 });
    });
}

/// At opening, before maintenance has come to them: 50,000 documents that have expired, and 50,000
/// jobs whose leases are over.
#[test]
fn a_long_pause_leaves_nothing_to_be_read_and_nothing_unclaimed() {
    const COUNT: usize = 50_000;
    let mut home = Home::new(Mode::MemoryFirst);
    let db = home.db();
    let jobs = db.documents("jobs");
    db.documents("jobs").create_index(IndexSpec::on("state")).unwrap();
    let fields = || object! { "state": "waiting" };
    for part in 0..COUNT / 1_000 {
        let ids = (0..1_000).map(|n| (format!("{:05}", part * 1_000 + n), fields()));
        db.documents("docs").time_to_live(HOUR).insert_many(ids.clone()).unwrap();
        jobs.insert_many(ids).unwrap();
        let claim = jobs.claim(fields()).limit(1_000).lease(HOUR, fields());
        assert_eq!(claim.update(object! { "state": "running" }).unwrap().documents.len(), 1_000);
    }
    drop(jobs);
    home.world.advance(HOUR);
    home.reopen();
    let db = home.db();
    let docs = db.documents("docs");
    assert_eq!(docs.count().unwrap(), 0);
    assert!(docs.find_one(object! {}).unwrap().is_none());
    assert!(docs.get("00000").unwrap().is_none());
    assert!(docs.iter().unwrap().next().is_none());
    let request = RequestId::new("claim").unwrap();
    let jobs = db.documents("jobs").request(request);
    let claim = || {
        let claim = jobs.claim(fields()).limit(10).lease(HOUR, fields());
        claim.update(object! { "state": "running" }).unwrap()
    };
    let claimed = claim();
    let ids = claimed.documents.iter().map(|one| one.id().to_string());
    assert!(ids.eq((0..10).map(|n| format!("{n:05}"))));
    assert!(claimed.documents.iter().all(|one| one.version() == 4));
    assert!(claim().is_replayed);
    let stats = db.stats().unwrap();
    assert_eq!((stats.collections[0].count, stats.collections[1].count), (0, COUNT as u64));
}
