//! A typed collection does what an untyped one does, outside and inside of transactions, snapshots and
//! batches.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use velocitydb::schema::{Field, Schema};
use velocitydb::{
    Collection, Condition, Database, DocumentId, Error, Existing, Expiry, IndexSpec, Pipeline,
    Sort, Typed, Update, WriteBatch, object,
};

use crate::world::in_every_mode;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Job {
    state: String,
    priority: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_by: Option<String>,
}

fn job(priority: i64) -> Job {
    Job { state: "waiting".to_owned(), priority, claimed_by: None }
}

fn jobs(db: &Database) -> Collection<Job> {
    let jobs = db.collection("jobs");
    jobs.insert_many([("a", &job(1)), ("b", &job(7)), ("c", &job(3))]).unwrap();
    jobs
}

fn ids<T>(found: &[Typed<T>]) -> Vec<&str> {
    found.iter().map(|one| one.id.as_str().unwrap()).collect()
}

#[test]
fn it_is_queried() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = jobs(db);
        jobs.create_index(IndexSpec::on("priority")).unwrap();
        assert_eq!(jobs.indexes().unwrap()[0].name.as_str(), "priority_1");
        let urgent = || jobs.find(object! { "priority": { "$gte": 2 } });
        let found = urgent().sort(Sort::new().descending("priority")).documents().unwrap();
        assert_eq!(ids(&found), ["b", "c"]);
        assert_eq!((found[0].value.priority, found[0].version), (7, 1));
        let page = jobs.find(object! {}).limit(2).page().unwrap();
        assert_eq!(ids(&page.documents), ["a", "b"]);
        let rest = jobs.find(object! {}).after(page.next.unwrap()).page().unwrap();
        assert_eq!((ids(&rest.documents), rest.next), (vec!["c"], None));
        let by_priority = || Sort::new().ascending("priority");
        let pulled = urgent().sort(by_priority()).iter().unwrap();
        let pulled: Vec<_> = pulled.map(Result::unwrap).collect();
        assert_eq!(ids(&pulled), ["c", "b"]);
        assert_eq!(jobs.iter().unwrap().map(|one| one.unwrap().value.priority).sum::<i64>(), 11);
        let one = jobs.find_one(object! { "priority": 3 }).unwrap().unwrap();
        assert_eq!(one.value, job(3));
        assert_eq!(urgent().count().unwrap(), 2);
        #[derive(Debug, PartialEq, Deserialize)]
        struct Sum {
            #[serde(rename = "_id")]
            state: String,
            sum: i64,
        }
        let by_state = r#"[{"$group": {"_id": "$state", "sum": {"$sum": "$priority"}}}]"#;
        let pipeline = || Pipeline::from_json(by_state).unwrap();
        let sums: Vec<Sum> = jobs.aggregate(pipeline()).rows().unwrap();
        assert_eq!(sums, [Sum { state: "waiting".to_owned(), sum: 11 }]);
        let wrong = jobs.aggregate(pipeline()).rows::<u64>().unwrap_err();
        assert!(matches!(wrong, Error::Invalid(_)), "{wrong}");
        let snapshot = db.snapshot().unwrap();
        jobs.delete("a").unwrap();
        let before = snapshot.collection::<Job>("jobs");
        assert_eq!((before.count().unwrap(), jobs.count().unwrap()), (3, 2));
        assert_eq!(before.get("a").unwrap().unwrap().value, job(1));
        assert!(before.get_many(["no", "a"]).unwrap()[1].is_some());
        assert_eq!(before.find(object! { "priority": 1 }).count().unwrap(), 1);
        assert!(before.find_one(object! { "priority": 9 }).unwrap().is_none());
        assert_eq!(before.iter().unwrap().count(), 3);
        let sums: Vec<Sum> = before.aggregate(pipeline(), snapshot.time()).rows().unwrap();
        assert_eq!(sums[0].sum, 11);
    });
}

#[test]
fn its_work_is_claimed() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = jobs(db);
        let claim = |id: &str| {
            let claim = jobs.claim(object! { "_id": id, "state": "waiting" }).claimant("me");
            let release = object! { "state": "waiting" };
            claim.lease(Duration::from_secs(9), release).update(object! { "state": "running" })
        };
        let claimed = claim("b").unwrap();
        let one = claimed.first().unwrap();
        assert_eq!((one.value.claimed_by.as_deref(), one.version), (Some("me"), 2));
        let version = jobs.renew("b", 2, Duration::from_secs(20)).unwrap();
        let version = jobs.release("b", version).unwrap();
        assert!(jobs.complete("b", version - 1, object! {}).is_err());
        let version = claim("b").unwrap().documents[0].version;
        jobs.complete("b", version, object! { "state": "done" }).unwrap();
        assert_eq!(jobs.get("b").unwrap().unwrap().value.state, "done");
        // One that does not fit the type is taken, and shown as it is.
        jobs.untyped().insert("odd", object! { "state": "waiting", "priority": "high" }).unwrap();
        let claimed = claim("odd").unwrap();
        assert!(claimed.documents.is_empty());
        let misfit = &claimed.misfits[0];
        assert_eq!(misfit.document.id().to_string(), "odd");
        assert!(matches!(misfit.reason, Error::Type { .. }));
        jobs.complete("odd", misfit.document.version(), object! { "state": "bad" }).unwrap();
    });
}

#[test]
fn it_is_changed() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = jobs(db);
        let swap = jobs.compare_and_swap("a").version(1).replace_with(&job(2)).unwrap();
        assert!(swap.is_applied && swap.current.unwrap().value == job(2));
        let swap = jobs.compare_and_swap("a").field("priority", 9).delete().unwrap();
        assert!(!swap.is_applied && swap.current.unwrap().version == 2);
        let swap = jobs.compare_and_swap("d").absent().replace_with(&job(0)).unwrap();
        assert!(swap.is_applied && swap.version == 1);
        let next = jobs.find_and_modify(object! {}).sort(Sort::new().descending("priority"));
        let next = next.update(object! { "priority": 8 }).unwrap().unwrap();
        assert_eq!((next.id.as_str(), next.value.priority), (Some("b"), 8));
        let both = jobs.find_and_modify(object! { "_id": "b" });
        let both = both.update_returning_both(Update::new().inc("priority", 1)).unwrap().unwrap();
        assert_eq!(
            (both.before.unwrap().value.priority, both.after.unwrap().value.priority),
            (8, 9)
        );
        let changed = jobs.update_many(object! {}, object! { "state": "lost" }).unwrap();
        assert_eq!(changed.count, 4);
        assert_eq!(jobs.delete_many(object! { "priority": { "$lt": 3 } }).unwrap().count, 2);
        let new = jobs.insert_many_new([&job(4), &job(5)]).unwrap();
        assert_eq!(jobs.get(&new[1].id).unwrap().unwrap().value, job(5));
        // What does not fit is an error, and is done all the same.
        let odd = jobs.find_and_modify(object! { "_id": "b" }).update(object! { "priority": "x" });
        assert!(matches!(odd, Err(Error::Type { .. })));
        assert_eq!(jobs.untyped().get("b").unwrap().unwrap().version(), 5);
    });
}

#[test]
fn transactions_and_batches_have_it_too() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        let mut batch = WriteBatch::new();
        let mut typed = batch.collection::<Job>("jobs");
        typed.compare("a", Condition::Version(1)).unwrap();
        typed.compare_and_swap("b", Condition::Version(1), &job(8)).unwrap();
        typed.update("c", object! { "priority": 4 }).unwrap();
        typed.upsert("d", &job(0)).unwrap();
        typed.insert("e", &job(0)).unwrap();
        typed.replace("a", &job(2)).unwrap();
        typed.delete("e").unwrap();
        typed.insert_new(DocumentId::new("new").unwrap(), &job(0)).unwrap();
        db.write(batch).unwrap();
        let untyped = db.documents("jobs");
        let claim = untyped.claim(object! { "_id": "a" });
        let claim = claim.lease(Duration::from_secs(9), object! { "state": "waiting" });
        let token = claim.update(object! { "state": "running" }).unwrap().documents[0].version();
        let new = db.transaction(|txn| {
            let mut jobs = txn.collection::<Job>("jobs");
            assert_eq!(ids(&jobs.find(object! {})?), ["a", "b", "c", "d", "new"]);
            assert_eq!(jobs.get_many(["no", "b"])?[1].as_ref().unwrap().value, job(8));
            jobs.compare("b", &Condition::Version(2))?;
            jobs.renew("a", token, Duration::from_secs(20))?;
            assert_eq!(jobs.update_many(object! { "priority": 0 }, object! { "priority": 1 })?, 2);
            assert_eq!(jobs.find(object! { "priority": 1 })?.len(), 2);
            assert_eq!(jobs.delete_many(object! { "priority": 4 })?, 1);
            jobs.expire("d", Expiry::After(Duration::from_secs(60)))?;
            jobs.insert_new(&job(6))
        });
        let jobs = db.collection::<Job>("jobs");
        assert_eq!(jobs.get(new.unwrap()).unwrap().unwrap().value, job(6));
        assert!(jobs.get("c").unwrap().is_none());
        assert!(jobs.get("d").unwrap().unwrap().expires.is_some());
        let mut batch = WriteBatch::new();
        let mut typed = batch.collection::<Job>("jobs");
        typed.renew("a", token + 1, Duration::from_secs(30)).unwrap();
        db.write(batch).unwrap();
        db.transaction(|txn| txn.collection::<Job>("jobs").release("a", token + 2)).unwrap();
        assert_eq!(jobs.get("a").unwrap().unwrap().value.state, "waiting");
    });
}

/// A pipeline in a transaction sees what that has written, in every collection, and what it has seen
/// has to be so still when it commits.
#[test]
fn a_transaction_groups_what_it_sees() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        let waiting = Pipeline::from_json(
            r#"[{"$match": {"state": "waiting", "priority": {"$gte": 2}}},
                {"$lookup": {"from": "owners", "localField": "_id", "foreignField": "_id", "as": "owner"}},
                {"$group": {"_id": null, "sum": {"$sum": "$priority"}, "owned": {"$sum": {"$size": "$owner"}}}}]"#,
        );
        let waiting = waiting.unwrap();
        #[derive(Debug, PartialEq, Deserialize)]
        struct Seen {
            sum: i64,
            owned: i64,
        }
        let mut txn = db.begin().unwrap();
        txn.update("jobs", "a", object! { "priority": 5 }).unwrap();
        txn.delete("jobs", "c").unwrap();
        txn.insert("owners", "b", object! {}).unwrap();
        let seen: Vec<Seen> = txn.collection::<Job>("jobs").aggregate(&waiting).unwrap();
        assert_eq!(seen, [Seen { sum: 12, owned: 1 }]);
        // Documents that no stage has read may change.
        db.documents("jobs").insert("idle", object! { "state": "idle" }).unwrap();
        txn.commit().unwrap();
        for (collection, id) in [("jobs", "new"), ("owners", "a")] {
            let mut txn = db.begin().unwrap();
            txn.aggregate("jobs", &waiting).unwrap();
            txn.insert("log", id, object! {}).unwrap();
            db.documents(collection)
                .insert(id, object! { "state": "waiting", "priority": 2 })
                .unwrap();
            assert!(matches!(txn.commit(), Err(Error::Conflict)), "{collection}");
        }
        let mut txn = db.begin().unwrap();
        let wrong = Pipeline::from_json(r#"[{"$project": {"n": {"$divide": [1, 0]}}}]"#).unwrap();
        assert!(matches!(txn.aggregate("jobs", &wrong), Err(Error::Invalid(_))));
    });
}

/// After listing all of a collection, a write of another caller to it is a conflict.
#[test]
fn finding_all_conflicts_with_every_write() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        let mut txn = db.begin().unwrap();
        assert_eq!(txn.find("jobs", object! {}).unwrap().len(), 3);
        txn.insert("log", "x", object! {}).unwrap();
        db.documents("jobs").insert("z", object! {}).unwrap();
        assert!(matches!(txn.commit(), Err(Error::Conflict)));
    });
}

#[test]
fn it_has_its_schema_and_its_indexes() {
    let db = velocitydb::open_in_memory().unwrap();
    let jobs = jobs(&db);
    let schema = Schema::builder().field("priority", Field::int().range(0..10)).build().unwrap();
    let version = jobs.set_schema(&schema, Existing::Check).unwrap();
    assert_eq!(jobs.schema().unwrap().unwrap().version, version);
    assert!(matches!(jobs.insert("x", &job(99)), Err(Error::SchemaViolation { .. })));
    jobs.remove_schema().unwrap();
    assert!(jobs.schema().unwrap().is_none());
    jobs.create_index(IndexSpec::on("priority").unique()).unwrap();
    assert!(matches!(jobs.insert("x", &job(7)), Err(Error::Duplicate { .. })));
    jobs.drop_index("priority_1").unwrap();
    assert!(jobs.indexes().unwrap().is_empty());
    assert_eq!(jobs.name().unwrap().as_str(), "jobs");
}
