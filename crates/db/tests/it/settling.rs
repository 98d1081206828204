//! Claimed work is completed, renewed and released in transactions and batches, with the same
//! fencing as by itself.
//!
//! There was no `complete` in a transaction: a job that was set to done there, with its result beside
//! it, kept its lease, at whose end it was waiting again.

use std::time::Duration;

use velocitydb::{Database, Error, Expiry, RequestId, WriteBatch, object};

use crate::world::{Home, in_every_mode};

const LEASE: Duration = Duration::from_secs(60);

/// A job that is claimed under a lease; its fencing token.
fn claimed(db: &Database) -> u64 {
    let jobs = db.documents("jobs");
    jobs.upsert("job", object! { "state": "waiting" }).unwrap();
    let claim = jobs.claim(object! { "state": "waiting" });
    let claim = claim.lease(LEASE, object! { "state": "waiting" });
    claim.update(object! { "state": "running" }).unwrap().documents[0].version()
}

fn state(db: &Database) -> String {
    let job = db.documents("jobs").get("job").unwrap().unwrap();
    job.fields().unwrap()["state"].as_str().unwrap().to_owned()
}

fn end_leases(home: &Home) {
    home.world.advance(LEASE * 2);
    home.db().maintain().unwrap();
}

#[test]
fn work_is_completed_with_its_result() {
    in_every_mode(|home| {
        let db = home.db();
        let token = claimed(db);
        let version = db.transaction(|txn| {
            txn.insert("results", "job", object! { "answer": 42 })?;
            txn.complete("jobs", "job", token, object! { "state": "done" })
        });
        assert_eq!(version.unwrap(), token + 1);
        assert_eq!(db.documents("jobs").get("job").unwrap().unwrap().version(), token + 1);
        end_leases(home);
        assert_eq!(state(db), "done");
        let token = claimed(db);
        let mut batch = WriteBatch::new();
        batch.upsert("results", "job", object! { "answer": 43 }).unwrap();
        batch.complete("jobs", "job", token, object! { "state": "done" }).unwrap();
        db.write(batch).unwrap();
        end_leases(home);
        assert_eq!(state(db), "done");
    });
}

#[test]
fn a_stale_token_writes_nothing() {
    in_every_mode(|home| {
        let db = home.db();
        let stale = claimed(db);
        db.documents("jobs").release("job", stale).unwrap();
        let token = claimed(db);
        let late = db.transaction(|txn| {
            txn.insert("results", "job", object! {})?;
            txn.complete("jobs", "job", stale, object! { "state": "done" })
        });
        assert!(matches!(late, Err(Error::VersionMismatch { .. })), "{late:?}");
        let mut batch = WriteBatch::new();
        batch.insert("results", "job", object! {}).unwrap();
        batch.complete("jobs", "job", stale, object! { "state": "done" }).unwrap();
        assert!(matches!(db.write(batch), Err(Error::VersionMismatch { .. })));
        for how in 0..2 {
            let late = db.transaction(|txn| match how {
                0 => txn.renew("jobs", "job", stale, LEASE),
                _ => txn.release("jobs", "job", stale),
            });
            assert!(matches!(late, Err(Error::VersionMismatch { .. })), "{late:?}");
        }
        assert_eq!(db.documents("results").count().unwrap(), 0);
        // It loses its job between reading and committing: a conflict, and then the same.
        let mut runs = 0;
        let lost = db.transaction(|txn| {
            runs += 1;
            txn.complete("jobs", "job", token, object! { "state": "done" })?;
            if runs == 1 {
                db.documents("jobs").release("job", token)?;
            }
            txn.upsert("results", "job", object! {})
        });
        assert!(matches!(lost, Err(Error::VersionMismatch { .. })), "{lost:?}");
        assert_eq!((runs, db.documents("results").count().unwrap()), (2, 0));
    });
}

#[test]
fn work_is_renewed_and_given_back() {
    in_every_mode(|home| {
        let db = home.db();
        let token = claimed(db);
        let renewed = db.transaction(|txn| {
            // What was written before, and what is written after, is written with it.
            txn.update("jobs", "job", object! { "progress": 1 })?;
            let renewed = txn.renew("jobs", "job", token, LEASE * 4)?;
            txn.update("jobs", "job", object! { "step": 2 })?;
            Ok(renewed)
        });
        let renewed = renewed.unwrap();
        assert_eq!(renewed, token + 1);
        end_leases(home);
        let job = db.documents("jobs").get("job").unwrap().unwrap();
        let fields = job.fields().unwrap();
        assert_eq!(
            (job.version(), &fields["progress"], &fields["step"]),
            (renewed, &1.into(), &2.into())
        );
        assert_eq!(state(db), "running");
        let mut batch = WriteBatch::new();
        batch.renew("jobs", "job", renewed, LEASE * 4).unwrap();
        db.write(batch).unwrap();
        let seen = db.transaction(|txn| {
            txn.release("jobs", "job", renewed + 1)?;
            Ok(txn.get("jobs", "job")?.unwrap().fields()?["state"].clone())
        });
        assert_eq!(seen.unwrap(), "waiting".into());
        assert_eq!(state(db), "waiting");
        let none = db.transaction(|txn| txn.release("jobs", "job", renewed + 2));
        assert!(matches!(none, Err(Error::NotLeased { .. })), "{none:?}");
        let token = claimed(db);
        let mut batch = WriteBatch::new();
        batch.release("jobs", "job", token).unwrap();
        db.write(batch).unwrap();
        assert_eq!(state(db), "waiting");
    });
}

/// A batch could not say when work is to be tried again, and the only call that could was a transaction
/// of its own: the record of a failure and the retry of its job were two commands.
#[test]
fn work_is_to_be_tried_again() {
    in_every_mode(|home| {
        let db = home.db();
        let later = db.now().saturating_add(LEASE);
        let again = |how: usize, token: u64| match how {
            0 => db.documents("jobs").retry("job", token, later, "no answer").map(drop),
            1 => {
                db.transaction(|txn| txn.retry("jobs", "job", token, later, "no answer")).map(drop)
            }
            2 => {
                let mut batch = WriteBatch::new();
                batch.retry("jobs", "job", token, later, "no answer")?;
                batch.upsert("failures", "job", object! {})?;
                db.write(batch).map(drop)
            }
            _ => {
                let mut batch = WriteBatch::new();
                let mut jobs = batch.collection::<()>("jobs");
                jobs.retry("job", token, later, "no answer")?;
                db.write(batch).map(drop)
            }
        };
        let expected = object! {
            "state": "waiting", "retry_at": later, "retry_reason": "no answer"
        };
        for how in 0..4 {
            let token = claimed(db);
            let before = db.snapshot().unwrap().index().unwrap();
            again(how, token).unwrap();
            assert_eq!(db.snapshot().unwrap().index().unwrap(), before + 1, "it is one command");
            let job = db.documents("jobs").get("job").unwrap().unwrap();
            assert_eq!((job.version(), job.fields().unwrap()), (token + 1, expected.clone()));
            let stale = again(how, token).unwrap_err();
            assert!(matches!(stale, Error::VersionMismatch { .. }), "{stale}");
            let none = again(how, token + 1).unwrap_err();
            assert!(matches!(none, Error::NotLeased { .. }), "{none}");
        }
        assert_eq!(db.documents("failures").count().unwrap(), 1);
    });
}

/// The retry of the request of a retry was an error that said it had been done, and not at which
/// version.
#[test]
fn the_request_of_a_retry_is_answered_again() {
    in_every_mode(|home| {
        let db = home.db();
        let token = claimed(db);
        let jobs = db.documents("jobs").request(RequestId::new("r").unwrap());
        for _ in 0..2 {
            assert_eq!(jobs.retry("job", token, db.now(), "no answer").unwrap(), token + 1);
        }
    });
}

/// A document that a transaction deletes and inserts again is a new one without the lease, even if it has
/// the fields that the claim left.
#[test]
fn a_document_that_comes_again_has_no_lease() {
    in_every_mode(|home| {
        let db = home.db();
        for new in ["new", "running"] {
            claimed(db);
            db.transaction(|txn| {
                txn.delete("jobs", "job")?;
                txn.insert("jobs", "job", object! { "state": new })
            })
            .unwrap();
            let leased = db.documents("jobs").find(object! { "_meta.lease": { "$exists": true } });
            assert_eq!(leased.count().unwrap(), 0);
            end_leases(home);
            assert_eq!(state(db), new);
        }
    });
}

#[test]
fn documents_of_transactions_and_batches_expire_when_they_are_told_to() {
    in_every_mode(|home| {
        let db = home.db();
        db.transaction(|txn| {
            txn.insert("docs", "a", object! {})?;
            txn.expire("docs", "a", Expiry::After(LEASE))?;
            assert!(txn.get("docs", "a")?.unwrap().expires().is_some());
            txn.insert("docs", "b", object! {})
        })
        .unwrap();
        let mut batch = WriteBatch::new();
        batch.insert("docs", "c", object! {}).unwrap();
        batch.expiry(Expiry::After(LEASE));
        batch.insert("docs", "d", object! {}).unwrap();
        db.write(batch).unwrap();
        end_leases(home);
        let left = db.documents("docs").find(object! {}).documents().unwrap();
        let left: Vec<_> = left.iter().map(|one| one.id().as_str()).collect();
        assert_eq!(left, ["b", "c"].map(Some));
        let missing = db.transaction(|txn| txn.expire("docs", "a", Expiry::Never));
        assert!(matches!(missing, Err(Error::NotFound { .. })));
    });
}
