//! Transactions over predicates: what comes into what was found, leaves it or changes in it is a
//! conflict, and nothing else is.

use std::thread;

use velocitydb::schema::{Field, Schema};
use velocitydb::{Database, Error, Existing, Filter, IndexSpec, Sort, Transaction, Update, object};

use crate::world::in_every_mode;

/// Runs a test on a collection without an index, and on one with an index for the predicate.
fn with_and_without_index(test: impl Fn(&Database)) {
    for has_index in [false, true] {
        in_every_mode(|home| {
            let db = home.db();
            let jobs = db.documents("jobs");
            for n in 0..10 {
                let state = if n < 5 { "waiting" } else { "done" };
                jobs.insert(format!("job{n}"), object! { "state": state, "n": n }).unwrap();
            }
            if has_index {
                let keys = Sort::new().ascending("state").descending("n");
                db.documents("jobs").create_index(IndexSpec::new(keys)).unwrap();
            }
            test(db);
            let report = db.snapshot().unwrap().check().unwrap();
            assert!(report.is_healthy(), "{report:#?}");
        });
    }
}

fn waiting() -> Filter {
    object! { "state": "waiting", "n": { "$gte": 2, "$lt": 7 } }.into()
}

/// The result of a transaction that reads the predicate while another caller does something.
fn is_conflict(db: &Database, meanwhile: impl FnOnce(&Database)) -> bool {
    let mut txn = db.begin().unwrap();
    let found = txn.find("jobs", waiting()).unwrap();
    txn.upsert("log", "seen", object! { "count": found.len() as i64 }).unwrap();
    meanwhile(db);
    match txn.commit() {
        Ok(_) => false,
        Err(Error::Conflict) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_comes_into_a_predicate_is_a_conflict() {
    with_and_without_index(|db| {
        let jobs = db.documents("jobs");
        let waiting = || object! { "state": "waiting", "n": 6 };
        assert!(is_conflict(db, |_| drop(jobs.insert("new", waiting()).unwrap())), "inserted");
        assert!(is_conflict(db, |_| drop(jobs.update("job5", waiting()).unwrap())), "updated");
        let all = object! { "n": { "$gt": 8 } };
        assert!(is_conflict(db, |_| assert_eq!(
            jobs.update_many(all, waiting()).unwrap().count,
            1
        )));
        assert!(is_conflict(db, |db| {
            let other = db.transaction(|txn| txn.upsert("jobs", "job0", waiting()));
            other.unwrap();
        }));
    });
}

#[test]
fn what_leaves_a_predicate_is_a_conflict() {
    with_and_without_index(|db| {
        let jobs = db.documents("jobs");
        assert!(is_conflict(db, |_| drop(jobs.delete("job2").unwrap())), "deleted");
        let done = object! { "state": "done" };
        assert!(is_conflict(db, |_| drop(jobs.update("job3", done).unwrap())), "updated");
        assert!(is_conflict(db, |_| {
            let claimed = jobs.claim(waiting()).update(object! { "state": "running" }).unwrap();
            assert_eq!(claimed.documents.len(), 1);
        }));
        jobs.insert("job3b", object! { "state": "waiting", "n": 3 }).unwrap();
        assert!(is_conflict(db, |db| db.drop_collection("jobs").unwrap()), "dropped");
    });
}

#[test]
fn what_changes_within_a_predicate_is_a_conflict() {
    with_and_without_index(|db| {
        let jobs = db.documents("jobs");
        assert!(is_conflict(db, |_| drop(jobs.update("job2", object! { "x": 1 }).unwrap())));
        let moved = object! { "n": 5 };
        assert!(is_conflict(db, |_| drop(jobs.update("job4", moved).unwrap())));
        // Deleted and inserted again just so, it is another version.
        assert!(is_conflict(db, |_| {
            let fields = jobs.get("job2").unwrap().unwrap().fields().unwrap();
            jobs.delete("job2").unwrap();
            jobs.insert("job2", fields).unwrap();
        }));
    });
}

#[test]
fn what_is_outside_of_a_predicate_is_no_conflict() {
    with_and_without_index(|db| {
        let jobs = db.documents("jobs");
        assert!(!is_conflict(db, |_| drop(jobs.update("job0", object! { "n": 1 }).unwrap())));
        assert!(!is_conflict(db, |_| drop(jobs.update("job9", object! { "n": 3 }).unwrap())));
        assert!(!is_conflict(db, |_| drop(jobs.delete("job8").unwrap())));
        let other = object! { "state": "waiting", "n": 7 };
        assert!(!is_conflict(db, |_| drop(jobs.insert("new", other).unwrap())));
        // What comes and goes is as if it had never been.
        assert!(!is_conflict(db, |_| {
            jobs.insert("short", object! { "state": "waiting", "n": 4 }).unwrap();
            jobs.delete("short").unwrap();
        }));
        assert!(!is_conflict(db, |db| {
            db.documents("jobs").create_index(IndexSpec::on("n").named("later")).unwrap();
        }));
        assert!(!is_conflict(db, |db| drop(db.documents("other").insert("a", object! {}))));
    });
}

/// Building an index, setting a schema and marking documents as unfit counted as changes of documents: a
/// transaction that had listed a collection was refused as a conflict without a concurrent write.
#[test]
fn who_lists_a_collection_is_in_conflict_with_changes_of_documents_alone() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        jobs.insert("job1", object! { "state": "waiting", "n": 1 }).unwrap();
        let is_conflict = |change: &dyn Fn()| {
            ["count", "find"].map(|read| {
                let mut txn = db.begin().unwrap();
                let seen = match read {
                    "count" => txn.count("jobs").unwrap() as usize,
                    _ => txn.find("jobs", object! {}).unwrap().len(),
                };
                assert_eq!(seen, 1);
                txn.upsert("other", read, object! {}).unwrap();
                change();
                matches!(txn.commit(), Err(Error::Conflict))
            })
        };
        let index = IndexSpec::on("n").named("later");
        assert_eq!(is_conflict(&|| jobs.create_index(index.clone()).unwrap()), [false; 2]);
        assert_eq!(is_conflict(&|| drop(jobs.drop_index("later"))), [false; 2]);
        let schema = Schema::builder().field("n", Field::int()).build().unwrap();
        assert_eq!(
            is_conflict(&|| assert!(jobs.set_schema(&schema, Existing::Check).is_ok())),
            [false; 2]
        );
        let in_vain = || {
            let claim = jobs.claim(object! { "n": 1 });
            let claimed = claim.update(Update::new().set("n", "no number")).unwrap();
            assert!(claimed.documents.is_empty());
        };
        assert_eq!(is_conflict(&in_vain), [false; 2]);
        let revised = || drop(jobs.update("job1", Update::new().inc("n", 1)).unwrap());
        assert_eq!(is_conflict(&revised), [true; 2]);
    });
}

#[test]
fn a_predicate_that_found_nothing_is_remembered_too() {
    in_every_mode(|home| {
        let db = home.db();
        assert!(is_conflict(db, |db| {
            db.documents("jobs").insert("a", object! { "state": "waiting", "n": 3 }).unwrap();
        }));
        db.drop_collection("jobs").unwrap();
        assert!(!is_conflict(db, |db| {
            db.documents("jobs").insert("a", object! { "state": "waiting", "n": 9 }).unwrap();
        }));
    });
}

#[test]
fn a_transaction_finds_its_own_writes() {
    with_and_without_index(|db| {
        let mut txn = db.begin().unwrap();
        txn.update("jobs", "job2", object! { "state": "done" }).unwrap();
        txn.insert("jobs", "new", object! { "state": "waiting", "n": 6 }).unwrap();
        txn.delete("jobs", "job3").unwrap();
        txn.update("jobs", "job4", object! { "x": 1 }).unwrap();
        let found = txn.find("jobs", waiting()).unwrap();
        let ids: Vec<_> = found.iter().map(|one| one.id().as_str()).collect();
        assert_eq!(ids, ["job4", "new"].map(Some));
        assert_eq!(found[0].fields().unwrap()["x"], 1.into());
        txn.commit().unwrap();
        assert_eq!(db.documents("jobs").find(waiting()).count().unwrap(), 2);
    });
}

/// Each thread takes a seat on a plane with five seats, if it finds a free one: there are never more than
/// five passengers. No transaction writes a document that another one reads, except by the predicate.
#[test]
fn write_skew_over_a_predicate_keeps_the_invariant() {
    with_and_without_index(|db| {
        const SEATS: usize = 5;
        const TRIES: usize = 12;
        let taken = || object! { "state": "taken" };
        let take = |txn: &mut Transaction, id: &str| {
            let found = txn.find("jobs", taken())?;
            if found.len() >= SEATS {
                // One passenger has to leave.
                let leaver = &found[id.len() % found.len()];
                txn.delete("jobs", leaver.id())?;
            }
            txn.insert("jobs", id, taken())
        };
        thread::scope(|scope| {
            for me in 0..4 {
                scope.spawn(move || {
                    for n in 0..TRIES {
                        let id = format!("{}{me}.{n}", "x".repeat((me + n) % 4));
                        loop {
                            match db.transaction(|txn| take(txn, &id)) {
                                Ok(()) => break,
                                Err(error) => assert!(error.is_retryable(), "{error}"),
                            }
                        }
                        let count = db.documents("jobs").find(taken()).count().unwrap();
                        assert!(count <= SEATS as u64, "{count} seats of {SEATS} are taken");
                    }
                });
            }
        });
        assert_eq!(db.documents("jobs").find(taken()).count().unwrap(), SEATS as u64);
    });
}

/// Two read the same sum over a predicate, and each adds to it what only keeps it below the bound
/// if the other does not.
#[test]
fn write_skew_over_a_sum_is_a_conflict() {
    with_and_without_index(|db| {
        let add = |txn: &mut Transaction, id: &str| {
            let sum: i64 = txn
                .find("jobs", waiting())
                .unwrap()
                .iter()
                .map(|one| one.fields().unwrap()["n"].as_i64().unwrap())
                .sum();
            assert_eq!(sum, 2 + 3 + 4);
            txn.update("jobs", id, Update::new().set("state", "waiting")).unwrap();
        };
        let (mut first, mut second) = (db.begin().unwrap(), db.begin().unwrap());
        add(&mut first, "job5");
        add(&mut second, "job6");
        first.commit().unwrap();
        assert!(matches!(second.commit(), Err(Error::Conflict)));
    });
}
