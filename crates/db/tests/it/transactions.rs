//! Transactions are serializable: what they do together could have been done one after another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use velocitydb::{Error, Object, Snapshot, Transaction, object};

use crate::world::{Home, in_every_mode};

fn int(object: &Object, field: &str) -> i64 {
    object[field].as_i64().unwrap()
}

fn balance(txn: &mut Transaction, id: &str) -> i64 {
    int(&txn.get("accounts", id).unwrap().unwrap().fields().unwrap(), "balance")
}

#[test]
fn write_skew_is_a_conflict() {
    in_every_mode(|home| {
        let db = home.db();
        for doctor in ["alice", "bob"] {
            db.documents("doctors").insert(doctor, object! { "on_call": true }).unwrap();
        }
        // Each goes off call if the other one is on; together they would leave no one on call.
        let go_off = |txn: &mut Transaction, me: &str, other: &str| {
            if txn.get("doctors", other).unwrap().unwrap().fields().unwrap()["on_call"]
                == true.into()
            {
                txn.update("doctors", me, object! { "on_call": false }).unwrap();
            }
        };
        let (mut first, mut second) = (db.begin().unwrap(), db.begin().unwrap());
        go_off(&mut first, "alice", "bob");
        go_off(&mut second, "bob", "alice");
        second.commit().unwrap();
        assert!(matches!(first.commit(), Err(Error::Conflict)));
        let bob = db.documents("doctors").get("alice").unwrap().unwrap().fields().unwrap();
        assert_eq!(bob["on_call"], true.into());
    });
}

#[test]
fn write_skew_over_a_count_is_a_conflict() {
    in_every_mode(|home| {
        let db = home.db();
        // Each adds a booking if there is none yet.
        let book = |txn: &mut Transaction, id: &str| {
            if txn.count("bookings").unwrap() == 0 {
                txn.insert("bookings", id, object! {}).unwrap();
            }
        };
        let (mut first, mut second) = (db.begin().unwrap(), db.begin().unwrap());
        book(&mut first, "a");
        book(&mut second, "b");
        first.commit().unwrap();
        assert!(matches!(second.commit(), Err(Error::Conflict)));
        assert_eq!(db.documents("bookings").count().unwrap(), 1);
        // The closure is run again, and finds the other one's.
        db.transaction(|txn| {
            book(txn, "c");
            Ok(())
        })
        .unwrap();
        assert_eq!(db.documents("bookings").count().unwrap(), 1);
    });
}

const ACCOUNTS: u64 = 5;
const SUM: i64 = ACCOUNTS as i64 * 100;

fn sum(snapshot: &Snapshot) -> i64 {
    let fields = |one: velocitydb::Result<velocitydb::Document>| one.unwrap().fields().unwrap();
    snapshot.iter("accounts").unwrap().map(|one| int(&fields(one), "balance")).sum()
}

#[test]
fn transfers_keep_the_sum() {
    in_every_mode(|home| {
        const TRANSFERS: u64 = 60;
        let db = home.db();
        for n in 0..ACCOUNTS {
            db.documents("accounts").insert(n.to_string(), object! { "balance": 100 }).unwrap();
        }
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    assert_eq!(sum(&db.snapshot().unwrap()), SUM);
                    let seen = db.transaction(|txn| {
                        Ok((0..ACCOUNTS).map(|n| balance(txn, &n.to_string())).sum::<i64>())
                    });
                    // Others are at the accounts all the time, so it may be given up.
                    match seen {
                        Ok(seen) => assert_eq!(seen, SUM),
                        Err(Error::Contention { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
            let writers: Vec<_> = (0..3_u64)
                .map(|me| {
                    scope.spawn(move || {
                        for n in 0..TRANSFERS {
                            let (from, to) = ((me + n) % ACCOUNTS, (me * 2 + n * 3 + 1) % ACCOUNTS);
                            let amount = (n % 7) as i64;
                            transfer(db, from, to, amount);
                        }
                    })
                })
                .collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            is_over.store(true, Ordering::SeqCst);
        });
        assert_eq!(sum(&db.snapshot().unwrap()), SUM);
    });
}

fn transfer(db: &velocitydb::Database, from: u64, to: u64, amount: i64) {
    let (from, to) = (from.to_string(), to.to_string());
    loop {
        let result = db.transaction(|txn| {
            let left = balance(txn, &from) - amount;
            txn.update("accounts", &from, object! { "balance": left })?;
            let right = balance(txn, &to) + amount;
            txn.update("accounts", &to, object! { "balance": right })?;
            assert_eq!(balance(txn, &to), right, "it reads its own writes");
            Ok(())
        });
        match result {
            Ok(()) => return,
            Err(error) => assert!(matches!(error, Error::Contention { .. }), "{error}"),
        }
    }
}

#[test]
fn a_closure_is_retried_until_it_commits() {
    in_every_mode(|home| {
        let db = home.db();
        db.documents("docs").insert("a", object! { "n": 0 }).unwrap();
        let runs = AtomicU64::new(0);
        let seen = db.transaction(|txn| {
            let seen = int(&txn.get("docs", "a")?.unwrap().fields()?, "n");
            if runs.fetch_add(1, Ordering::SeqCst) < 3 {
                // Another transaction commits first.
                db.documents("docs").update("a", object! { "n": seen + 10 })?;
            }
            txn.update("docs", "a", object! { "n": seen + 1 })?;
            Ok(seen)
        });
        assert_eq!((seen.unwrap(), runs.load(Ordering::SeqCst)), (30, 4));
        let found = db.documents("docs").get("a").unwrap().unwrap();
        assert_eq!((int(&found.fields().unwrap(), "n"), found.version()), (31, 5));
    });
}

#[test]
fn a_closure_that_always_conflicts_is_given_up() {
    let home = Home::new(velocitydb::Mode::MemoryOnly);
    let db = home.db();
    db.documents("docs").insert("a", object! { "n": 0 }).unwrap();
    let result = db.transaction(|txn| {
        txn.get("docs", "a")?;
        db.documents("docs").update("a", object! {})?;
        txn.upsert("docs", "b", object! {})
    });
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Contention { attempts: 100 }), "{error}");
    assert!(error.is_retryable());
    assert!(db.documents("docs").get("b").unwrap().is_none());
}

#[test]
fn an_error_of_the_closure_ends_it_and_writes_nothing() {
    in_every_mode(|home| {
        let db = home.db();
        let result: velocitydb::Result<()> = db.transaction(|txn| {
            txn.insert("docs", "a", object! {})?;
            txn.replace("docs", "nobody", object! {})
        });
        assert!(matches!(result, Err(Error::NotFound { .. })));
        assert!(db.collections().unwrap().is_empty());
    });
}

#[test]
fn an_expired_document_is_expired_by_the_retry() {
    in_every_mode(|home| {
        let db = home.db();
        let second = std::time::Duration::from_secs(1);
        db.documents("leases").time_to_live(second).insert("a", object! {}).unwrap();
        home.world.advance(second);
        let taken = db.transaction(|txn| {
            let is_free = txn.get("leases", "a")?.is_none();
            if is_free {
                txn.insert("leases", "a", object! { "by": "me" })?;
            } else {
                txn.upsert("leases", "log", object! { "busy": true })?;
            }
            Ok(is_free)
        });
        assert!(taken.unwrap());
        assert_eq!(db.documents("leases").count().unwrap(), 1);
    });
}
