//! What a closure of a transaction sees, and how it can end.
//!
//! The typed read and the whole document showed the state from before the transaction, without what
//! it had written itself. A closure could not end with an error of its own: `Ok(Err(…))` committed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use velocitydb::{Condition, Document, Error, Filter, IndexSpec, Sort, Update, object};

use crate::world::in_every_mode;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[derive(Debug)]
enum Failure {
    TooLittle(i64),
    Database(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Database(error)
    }
}

#[test]
fn an_error_of_the_callers_own_ends_a_transaction_and_writes_nothing() {
    in_every_mode(|home| {
        let db = home.db();
        db.collection("accounts").insert("alice", &Account { balance: 3 }).unwrap();
        let pay = |amount: i64| {
            db.try_transaction(|txn| {
                txn.upsert("log", "last", object! { "amount": amount })?;
                let mut accounts = txn.collection::<Account>("accounts");
                let balance = accounts.get("alice")?.map_or(0, |found| found.value.balance);
                if balance < amount {
                    return Err(Failure::TooLittle(balance));
                }
                accounts.replace("alice", &Account { balance: balance - amount })?;
                Ok(balance - amount)
            })
        };
        assert!(matches!(pay(5), Err(Failure::TooLittle(3))));
        assert_eq!(db.documents("log").count().unwrap(), 0);
        assert_eq!(pay(2).unwrap(), 1);
        assert_eq!(db.documents("log").count().unwrap(), 1);
        // What the database says comes through `?`, and what commits last does too.
        let missing = db.try_transaction(|txn| {
            txn.replace("accounts", "nobody", object! {})?;
            Ok::<_, Failure>(())
        });
        assert!(matches!(missing, Err(Failure::Database(Error::NotFound { .. }))));
        let boxed: Result<(), Box<dyn std::error::Error>> = db.try_transaction(|txn| {
            txn.upsert("log", "last", object! {})?;
            Err("no".into())
        });
        assert_eq!(boxed.unwrap_err().to_string(), "no");
    });
}

#[test]
fn a_conflict_runs_a_closure_with_its_own_error_again() {
    in_every_mode(|home| {
        let db = home.db();
        db.documents("docs").insert("a", object! { "n": 0 }).unwrap();
        let mut runs = 0;
        let result = db.try_transaction(|txn| {
            txn.get("docs", "a")?;
            runs += 1;
            if runs < 3 {
                db.documents("docs").update("a", object! { "n": runs })?;
            }
            txn.upsert("docs", "b", object! {})?;
            Ok::<_, Failure>(runs)
        });
        assert_eq!(result.unwrap(), 3);
    });
}

#[test]
fn typed_and_whole_reads_see_the_transactions_own_writes() {
    in_every_mode(|home| {
        let db = home.db();
        db.collection("accounts").insert("alice", &Account { balance: 1 }).unwrap();
        home.world.advance(Duration::from_secs(1));
        db.transaction(|txn| {
            let mut accounts = txn.collection::<Account>("accounts");
            accounts.replace("alice", &Account { balance: 2 })?;
            accounts.insert("bob", &Account { balance: 7 })?;
            let alice = accounts.get("alice")?.unwrap();
            // The version is given when it is committed.
            assert_eq!((alice.value.balance, alice.version), (2, 1));
            assert!(alice.modified > alice.created);
            assert_eq!(accounts.get("bob")?.unwrap().version, 0);
            let all = accounts.find(object! {})?;
            let balances: Vec<_> = all.iter().map(|one| one.value.balance).collect();
            assert_eq!(balances, [2, 7]);
            let rich = accounts.find(object! { "balance": { "$gt": 5 } })?;
            assert_eq!((rich.len(), rich[0].id.as_str()), (1, Some("bob")));
            assert_eq!(accounts.count()?, 2);
            accounts.update("bob", object! { "balance": 1 })?;
            assert!(accounts.find(object! { "balance": { "$gt": 5 } })?.is_empty());
            assert!(accounts.delete("alice")?);
            assert!(accounts.get("alice")?.is_none());
            assert!(txn.get("accounts", "alice")?.is_none());
            let bob = txn.get("accounts", "bob")?.unwrap();
            assert_eq!(bob.to::<Account>()?, Account { balance: 1 });
            Ok(())
        })
        .unwrap();
        assert_eq!(db.collection::<Account>("accounts").get("bob").unwrap().unwrap().version, 1);
    });
}

#[test]
fn conditions_are_stated_of_what_the_transaction_sees() {
    in_every_mode(|home| {
        let db = home.db();
        db.collection("accounts").insert("alice", &Account { balance: 3 }).unwrap();
        let enough = |amount: i64| {
            let filter = Filter::from(object! { "balance": { "$gte": amount } });
            Condition::Matches(Box::new(filter))
        };
        let result = db.transaction(|txn| {
            txn.compare("accounts", "alice", &Condition::Version(1))?;
            txn.compare("accounts", "alice", &enough(3))?;
            txn.update("accounts", "alice", object! { "balance": 1 })?;
            txn.compare("accounts", "alice", &enough(3))
        });
        assert!(matches!(result, Err(Error::ConditionFailed { .. })), "{result:?}");
        // The document of a condition must not change until the commit.
        let mut first = db.begin().unwrap();
        first.compare("accounts", "bob", &Condition::Absent).unwrap();
        first.insert("log", "no bob", object! {}).unwrap();
        db.collection("accounts").insert("bob", &Account { balance: 0 }).unwrap();
        assert!(matches!(first.commit(), Err(Error::Conflict)));
    });
}

/// Queries in an order and in part find what they would find once the transaction is committed, whatever
/// it has written, and only what happens in that part is a conflict.
#[test]
fn a_part_in_an_order_is_that_of_what_will_be_committed() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        for n in 0..20 {
            jobs.insert(format!("job{n:02}"), object! { "n": n % 5, "open": n % 2 == 0 }).unwrap();
        }
        jobs.create_index(IndexSpec::on("n")).unwrap();
        let sort = || Sort::new().descending("n").ascending("_id");
        for offset in 0..4 {
            for limit in [1, 3, 7, 100] {
                let mut txn = db.begin().unwrap();
                txn.delete("jobs", "job04").unwrap();
                txn.insert("jobs", "new1", object! { "n": 9, "open": true }).unwrap();
                txn.insert("jobs", "new2", object! { "n": 3, "open": true }).unwrap();
                txn.update("jobs", "job14", object! { "open": false }).unwrap();
                txn.update("jobs", "job16", object! { "n": 8 }).unwrap();
                let open = txn.query("jobs", object! { "open": true }).sort(sort());
                let found = open.offset(offset).limit(limit).documents().unwrap();
                let ids = |found: &[Document]| -> Vec<_> {
                    found.iter().map(|one| one.id().clone()).collect()
                };
                let found = ids(&found);
                // In another database, so that each round begins with the same.
                let there = velocitydb::open_in_memory().unwrap();
                let all = txn.find("jobs", object! {}).unwrap();
                for one in &all {
                    there.documents("jobs").insert(one.id(), one.fields().unwrap()).unwrap();
                }
                let jobs = there.documents("jobs");
                let expected = jobs.find(object! { "open": true }).sort(sort()).offset(offset);
                assert_eq!(found, ids(&expected.limit(limit).documents().unwrap()));
            }
        }
    });
}

#[test]
fn what_happens_behind_a_part_is_no_conflict() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        for n in 0..10 {
            jobs.insert(format!("job{n}"), object! { "n": n }).unwrap();
        }
        let is_conflict = |change: &dyn Fn()| {
            let mut txn = db.begin().unwrap();
            let first = txn.query("jobs", object! { "n": { "$gte": 0 } }).limit(3);
            assert_eq!(first.documents().unwrap().len(), 3);
            txn.upsert("other", "a", object! {}).unwrap();
            change();
            matches!(txn.commit(), Err(Error::Conflict))
        };
        assert!(!is_conflict(&|| drop(jobs.update("job3", object! { "x": 1 }).unwrap())));
        assert!(!is_conflict(&|| drop(jobs.delete("job9").unwrap())));
        assert!(is_conflict(&|| drop(jobs.update("job2", object! { "x": 1 }).unwrap())));
        assert!(is_conflict(&|| drop(jobs.insert("job00", object! { "n": 1 }).unwrap())));
        assert!(is_conflict(&|| drop(jobs.delete("job0").unwrap())));
    });
}

#[test]
fn a_swap_in_a_transaction_answers_and_is_checked_at_its_end() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        jobs.insert("job1", object! { "state": "waiting" }).unwrap();
        let mut txn = db.begin().unwrap();
        let other = txn.compare_and_swap("jobs", "job1").field("state", "done");
        let other = other.update(object! { "state": "waiting" }).unwrap();
        assert!(!other.held && !other.is_applied && other.refusal.is_some());
        assert_eq!(other.current.unwrap().fields().unwrap()["state"], "waiting".into());
        let swapped = txn.compare_and_swap("jobs", "job1").field("state", "waiting");
        let swapped = swapped.update(object! { "state": "running" }).unwrap();
        assert!(swapped.held && swapped.is_applied);
        let again = txn.compare_and_swap("jobs", "job1").field("state", "running");
        assert!(again.compare().unwrap().held);
        let created = txn.compare_and_swap("jobs", "job2").absent();
        assert!(created.replace(object! { "state": "new" }).unwrap().is_applied);
        let gone = txn.compare_and_swap("jobs", "job3").delete().unwrap();
        assert!(!gone.held && gone.current.is_none());
        txn.commit().unwrap();
        assert_eq!(jobs.get("job1").unwrap().unwrap().version(), 2);
        assert_eq!(jobs.count().unwrap(), 2);
        let mut txn = db.begin().unwrap();
        let swap = txn.compare_and_swap("jobs", "job1").field("state", "running");
        assert!(swap.delete().unwrap().is_applied);
        jobs.update("job1", object! { "progress": 1 }).unwrap();
        assert!(matches!(txn.commit(), Err(Error::Conflict)));
        let wrong = db
            .begin()
            .unwrap()
            .compare_and_swap("jobs", "job2")
            .update(Update::new().inc("state", 1));
        assert!(matches!(wrong, Err(Error::Inapplicable { .. })), "{wrong:?}");
    });
}
