//! What a closure of a transaction sees, and how it can end.
//!
//! The typed read and the whole document showed the state from before the transaction, without what
//! it had written itself. A closure could not end with an error of its own: `Ok(Err(…))` committed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use velocitydb::{Condition, Error, Filter, object};

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
            assert_eq!((rich.len(), rich[0].id.as_str()), (1, "bob"));
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
        // What a condition looked at has to stay so until the commit.
        let mut first = db.begin().unwrap();
        first.compare("accounts", "bob", &Condition::Absent).unwrap();
        first.insert("log", "no bob", object! {}).unwrap();
        db.collection("accounts").insert("bob", &Account { balance: 0 }).unwrap();
        assert!(matches!(first.commit(), Err(Error::Conflict)));
    });
}
