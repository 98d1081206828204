//! Claims in transactions: what is taken, that it goes to one, and that its lease is the one that a claim
//! by itself begins.
//! There was no claim in a transaction: to write something together with a claim, a second command was
//! needed, and a crash between the two left claimed work without a claimant that knew of it.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use velocitydb::{
    Database, Error, Expiry, IndexSpec, Object, Sort, Transaction, Typed, Update, field, object,
};

use crate::world::{Home, in_every_mode};

const LEASE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Job {
    state: String,
    priority: i64,
}

fn waiting() -> Object {
    object! { "state": "waiting" }
}

fn running() -> Object {
    object! { "state": "running" }
}

fn jobs(db: &Database) {
    for (id, priority) in [("a", 1), ("b", 7), ("c", 3)] {
        let fields = object! { "state": "waiting", "priority": priority };
        db.documents("jobs").upsert(id, fields).unwrap();
    }
}

fn urgent() -> Sort {
    Sort::new().descending("priority")
}

/// Claims the most urgent job under a lease; its id and fencing token.
fn take(txn: &mut Transaction) -> velocitydb::Result<(String, u64)> {
    let claim = txn.claim("jobs", waiting()).sort(urgent()).lease(LEASE, waiting());
    let job = claim.update(running())?.pop().expect("one is free");
    Ok((job.id().to_string(), job.version()))
}

fn fields(db: &Database, id: &str) -> Object {
    db.documents("jobs").get(id).unwrap().unwrap().fields().unwrap()
}

fn state(db: &Database, id: &str) -> String {
    fields(db, id)["state"].as_str().unwrap().to_owned()
}

fn end_leases(home: &Home) {
    home.world.advance(LEASE * 2);
    home.db().maintain().unwrap();
}

#[test]
fn what_is_free_is_taken_in_order() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        db.documents("jobs").create_index(IndexSpec::on("priority")).unwrap();
        let taken = db.transaction(|txn| {
            txn.insert("jobs", "d", object! { "state": "waiting", "priority": 5 })?;
            txn.update("jobs", "c", object! { "state": "idle" })?;
            let mut jobs = txn.collection::<Job>("jobs");
            let claim = jobs.claim(waiting()).sort(urgent()).limit(2).claimant_in("who", "me");
            let taken = claim.lease(LEASE, waiting()).update(running())?;
            // They are under a lease, though the filter holds for them.
            assert!(jobs.claim(field("who").eq("me")).update(object! {})?.is_empty());
            let again = jobs.claim(field("who").eq("me")).even_if_leased().limit(0);
            assert!(again.update(object! {})?.is_empty());
            Ok(taken)
        });
        let taken: Vec<Typed<Job>> = taken.unwrap();
        let seen: Vec<_> = taken.iter().map(|one| (one.id.as_str(), one.version)).collect();
        // The version of a document that the transaction created is not known before the commit.
        assert_eq!(seen, [(Some("b"), 2), (Some("d"), 0)]);
        assert!(taken.iter().all(|one| one.value.state == "running"));
        let expected = object! { "state": "running", "priority": 7, "who": "me" };
        assert_eq!(fields(db, "b"), expected);
        assert_eq!(db.documents("jobs").get("d").unwrap().unwrap().version(), 1);
        let leased = db.documents("jobs").find(field("_meta.lease").exists()).documents().unwrap();
        assert_eq!(leased.len(), 2);
        end_leases(home);
        assert_eq!((state(db, "b"), state(db, "d")), ("waiting".into(), "waiting".into()));
        assert_eq!((state(db, "a"), state(db, "c")), ("waiting".into(), "idle".into()));
    });
}

/// The token that a claim returns is valid within the transaction, and for its holder once the transaction
/// is committed.
#[test]
fn the_version_is_the_fencing_token() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        let jobs = db.documents("jobs");
        let (id, token) = db.transaction(take).unwrap();
        assert_eq!(jobs.complete(&id, token, object! { "state": "done" }).unwrap(), token + 1);
        let version = db.transaction(|txn| {
            let (id, token) = take(txn)?;
            assert_eq!(txn.renew("jobs", &id, token, LEASE * 9)?, token);
            assert_eq!(txn.get("jobs", &id)?.unwrap().version() + 1, token);
            txn.complete("jobs", &id, token, object! { "state": "done" })
        });
        assert_eq!(jobs.get("c").unwrap().unwrap().version(), version.unwrap());
        assert_eq!(state(db, "c"), "done");
        let result = db.transaction(|txn| {
            let (id, token) = take(txn)?;
            txn.complete("jobs", &id, token + 1, object! {})
        });
        assert!(matches!(result, Err(Error::VersionMismatch { .. })), "{result:?}");
        end_leases(home);
        assert_eq!((state(db, "b"), state(db, "c")), ("done".into(), "done".into()));
        assert_eq!(jobs.find(field("_meta.lease").exists()).count().unwrap(), 0);
    });
}

#[test]
fn what_was_claimed_is_given_back_in_the_transaction() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        db.transaction(|txn| {
            let (id, token) = take(txn)?;
            txn.release("jobs", &id, token)?;
            let none = txn.release("jobs", &id, token).unwrap_err();
            assert!(matches!(none, Error::NotLeased { .. }), "{none}");
            assert_eq!(take(txn)?.0, "b");
            Ok(())
        })
        .unwrap();
        assert_eq!(state(db, "b"), "running");
        let later = db.now().saturating_add(LEASE);
        db.transaction(|txn| {
            let (id, token) = take(txn)?;
            txn.retry("jobs", &id, token, later, "no answer")?;
            let due = txn.claim("jobs", waiting()).sort(urgent()).due().update(running())?;
            assert_eq!(due[0].id().to_string(), "a");
            Ok(())
        })
        .unwrap();
        assert_eq!(fields(db, "c")["retry_reason"], "no answer".into());
        // One that it has made and claimed, and deleted or completed.
        db.transaction(|txn| {
            for (id, priority) in [("x", 10), ("y", 9)] {
                txn.insert("jobs", id, object! { "state": "waiting", "priority": priority })?;
            }
            assert_eq!(take(txn)?, ("x".to_owned(), 0));
            assert_eq!(txn.complete("jobs", "x", 0, object! { "state": "done" })?, 0);
            assert_eq!(take(txn)?.0, "y");
            txn.delete("jobs", "y")?;
            txn.insert("jobs", "y", object! { "state": "new", "priority": 0 })
        })
        .unwrap();
        end_leases(home);
        let states = ["a", "b", "c", "x", "y"].map(|id| state(db, id));
        assert_eq!(states, ["running", "waiting", "waiting", "done", "new"]);
    });
}

/// As after a claim by itself, and a write after it: a job that was set to done did not run twice.
#[test]
fn a_release_happens_only_while_what_the_claim_set_is_still_so() {
    in_every_mode(|home| {
        let db = home.db();
        type Act = fn(&mut Transaction) -> velocitydb::Result<()>;
        let after: [(Act, &str); 6] = [
            (|_| Ok(()), "waiting"),
            (|txn| txn.update("jobs", "b", object! { "progress": 1 }), "waiting"),
            (|txn| txn.update("jobs", "b", object! { "state": "done" }), "done"),
            (|txn| txn.replace("jobs", "b", object! { "state": "done", "priority": 7 }), "done"),
            (
                |txn| {
                    txn.update("jobs", "b", object! { "state": "other" })?;
                    txn.update("jobs", "b", running())
                },
                "waiting",
            ),
            (|txn| txn.expire("jobs", "b", Expiry::Never), "waiting"),
        ];
        for (number, (write, expected)) in after.into_iter().enumerate() {
            for is_one in [true, false] {
                jobs(db);
                match is_one {
                    true => db.transaction(|txn| take(txn).and_then(|_| write(txn))).unwrap(),
                    false => {
                        db.transaction(take).unwrap();
                        db.transaction(write).unwrap();
                    }
                }
                end_leases(home);
                assert_eq!(state(db, "b"), expected, "{number}, as one: {is_one}");
            }
        }
        // What it had set is known though it was changed, and comes back.
        jobs(db);
        db.transaction(|txn| {
            take(txn)?;
            txn.update("jobs", "b", object! { "state": "paused" })
        })
        .unwrap();
        db.documents("jobs").update("b", running()).unwrap();
        end_leases(home);
        assert_eq!(state(db, "b"), "waiting");
    });
}

/// However long a transaction takes, its lease is as long as it says.
#[test]
fn a_lease_is_counted_from_the_commit() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        let mut txn = db.begin().unwrap();
        let (id, token) = take(&mut txn).unwrap();
        home.world.advance(LEASE * 3);
        txn.commit().unwrap();
        home.world.advance(LEASE / 2);
        db.documents("jobs").renew(&id, token, LEASE).unwrap();
    });
}

#[test]
fn a_lease_is_taken_over() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        let (id, stale) = db.transaction(take).unwrap();
        let claim = |release: Option<Object>| {
            db.transaction(|txn| {
                let claim = txn.claim("jobs", object! { "_id": "b" }).even_if_leased();
                let claim = match &release {
                    Some(release) => claim.lease(LEASE, release.clone()),
                    None => claim,
                };
                Ok(claim.update(object! { "state": "taken" })?[0].version())
            })
        };
        let token = claim(Some(object! { "state": "again" })).unwrap();
        let error = db.documents("jobs").complete(&id, stale, object! {}).unwrap_err();
        assert!(matches!(error, Error::VersionMismatch { .. }), "{error}");
        db.documents("jobs").renew(&id, token, LEASE).unwrap();
        end_leases(home);
        assert_eq!(state(db, "b"), "again");
        // Without a lease of its own the one from before has ended.
        jobs(db);
        db.transaction(take).unwrap();
        claim(None).unwrap();
        end_leases(home);
        assert_eq!(state(db, "b"), "taken");
    });
}

#[test]
fn who_claims_the_same_is_in_conflict() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        let documents = db.documents("jobs");
        let by_itself = || {
            let claim = documents.claim(waiting()).sort(urgent()).lease(LEASE, waiting());
            claim.update(running()).unwrap().documents[0].id().to_string()
        };
        let mut one = db.begin().unwrap();
        let mut other = db.begin().unwrap();
        assert_eq!(
            (take(&mut one).unwrap().0, take(&mut other).unwrap().0),
            ("b".into(), "b".into())
        );
        one.commit().unwrap();
        assert!(matches!(other.commit(), Err(Error::Conflict)));
        let mut txn = db.begin().unwrap();
        assert_eq!(take(&mut txn).unwrap().0, "c");
        assert_eq!(by_itself(), "c");
        assert!(matches!(txn.commit(), Err(Error::Conflict)));
        // Finding nothing is a result too, which the commit checks.
        let none = |txn: &mut Transaction| {
            let claim = txn.claim("jobs", object! { "state": "late" });
            assert!(claim.update(running()).unwrap().is_empty());
            txn.insert("log", "none", object! {}).unwrap();
        };
        let mut txn = db.begin().unwrap();
        none(&mut txn);
        documents.insert("late", object! { "state": "late" }).unwrap();
        assert!(matches!(txn.commit(), Err(Error::Conflict)));
    });
}

#[test]
fn what_comes_before_is_a_conflict_and_what_comes_behind_is_none() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        let documents = db.documents("jobs");
        let with = |priority: i64| object! { "state": "waiting", "priority": priority };
        let mut txn = db.begin().unwrap();
        assert_eq!(take(&mut txn).unwrap().0, "b");
        documents.insert("more", with(9)).unwrap();
        assert!(matches!(txn.commit(), Err(Error::Conflict)));
        let mut txn = db.begin().unwrap();
        assert_eq!(take(&mut txn).unwrap().0, "more");
        documents.insert("less", with(0)).unwrap();
        documents.insert("other", object! { "state": "idle", "priority": 10 }).unwrap();
        documents.update("a", object! { "note": 1 }).unwrap();
        txn.commit().unwrap();
        // Work that is under a lease is skipped, and what its holder does with it is no conflict.
        let leased = documents.get("more").unwrap().unwrap();
        let mut txn = db.begin().unwrap();
        let claim = txn.claim("jobs", object! { "priority": { "$gte": 1 } }).sort(urgent());
        let claim = claim.limit(2).lease(LEASE, object! {});
        let taken: Vec<_> = claim.update(object! {}).unwrap();
        let taken: Vec<_> = taken.iter().map(|one| one.id().as_str()).collect();
        assert_eq!(taken, ["other", "b"].map(Some));
        documents.renew("more", leased.version(), LEASE).unwrap();
        txn.commit().unwrap();
    });
}

/// A snapshot shows a lease that has expired and has not yet ended as one that is there.
#[test]
fn a_lease_that_has_expired_is_in_nobodys_way() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        let (id, stale) = db.transaction(take).unwrap();
        home.world.advance(LEASE * 2);
        let (again, token) = db.transaction(take).unwrap();
        assert_eq!((again, token), (id, stale + 2));
    });
}

#[test]
fn what_cannot_be_claimed_is_skipped() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        for n in 0..9 {
            let odd = object! { "state": "waiting", "priority": (20 + n), "attempts": "many" };
            db.documents("jobs").insert(format!("odd{n}"), odd).unwrap();
        }
        let count = Update::new().inc("attempts", 1).set("state", "running");
        let taken = db.transaction(|txn| {
            let claim = txn.claim("jobs", waiting()).sort(urgent()).limit(2);
            claim.update(count.clone())
        });
        let taken = taken.unwrap();
        let taken: Vec<_> = taken.iter().map(|one| one.id().as_str()).collect();
        assert_eq!(taken, ["b", "c"].map(Some));
        // What does not fit its type is an error, and nothing is claimed.
        db.transaction(|txn| {
            let claim = txn.claim("jobs", object! { "_id": "b" });
            claim.update(object! { "priority": "high" }).map(drop)
        })
        .unwrap();
        db.transaction(|txn| {
            let mut jobs = txn.collection::<Job>("jobs");
            let claim = jobs.claim(object! {}).sort(urgent()).limit(1_000).lease(LEASE, waiting());
            let error = claim.update(running()).unwrap_err();
            assert!(matches!(error, Error::Type { .. }), "{error}");
            Ok(())
        })
        .unwrap();
        assert_eq!(db.documents("jobs").find(field("_meta.lease").exists()).count().unwrap(), 0);
    });
}

#[test]
fn what_is_invalid_is_refused() {
    in_every_mode(|home| {
        let db = home.db();
        jobs(db);
        let mut txn = db.begin().unwrap();
        let many = txn.claim("jobs", object! {}).limit(velocitydb::CLAIM_COUNT_MAX + 1);
        assert!(matches!(many.update(running()), Err(Error::Invalid(_))));
        let twice = Update::new().set("a", 1).inc("a", 1);
        assert!(txn.claim("jobs", object! {}).update(twice.clone()).is_err());
        assert!(txn.claim("jobs", object! {}).lease(LEASE, twice).update(running()).is_err());
        assert!(txn.claim("", object! {}).update(running()).is_err());
        assert!(txn.claim("none", object! {}).update(running()).unwrap().is_empty());
        txn.commit().unwrap();
        assert_eq!(state(db, "b"), "waiting");
    });
}

/// Claims in transactions and by themselves, at the same time: each job goes to one, which has its result
/// written with the claim.
#[test]
fn among_many_each_job_goes_to_one() {
    const JOBS: usize = 60;
    in_every_mode(|home| {
        let db = home.db();
        for number in 0..JOBS {
            let fields = object! { "state": "waiting", "priority": number };
            db.documents("jobs").insert(format!("job{number:02}"), fields).unwrap();
        }
        let in_transaction = || {
            db.transaction(|txn| {
                let claim = txn.claim("jobs", waiting()).sort(urgent()).lease(LEASE, waiting());
                let Some(job) = claim.update(running())?.pop() else { return Ok(None) };
                txn.insert("results", job.id(), object! {})?;
                Ok(Some((job.id().to_string(), job.version())))
            })
        };
        let by_itself = || {
            let jobs = db.documents("jobs");
            let claim = jobs.claim(waiting()).lease(LEASE, waiting());
            let claimed = claim.update(running())?;
            Ok(claimed.first().map(|job| (job.id().to_string(), job.version())))
        };
        let work = |is_in_transaction: bool| {
            let mut done = Vec::new();
            loop {
                let next = if is_in_transaction { in_transaction() } else { by_itself() };
                match next {
                    Ok(Some((id, token))) => {
                        let done_now = object! { "state": "done" };
                        db.documents("jobs").complete(&id, token, done_now).unwrap();
                        done.push(id);
                    }
                    Ok(None) => return done,
                    Err(Error::Contention { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let done: Vec<String> = thread::scope(|scope| {
            let workers = [true, true, false].map(|how| scope.spawn(move || work(how)));
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        let each: BTreeSet<_> = done.iter().collect();
        assert_eq!((done.len(), each.len()), (JOBS, JOBS));
        let left = db.documents("jobs").find(object! { "state": { "$ne": "done" } });
        assert_eq!(left.count().unwrap(), 0);
        let report = db.snapshot().unwrap().check().unwrap();
        assert!(report.is_healthy(), "{report:#?}");
    });
}
