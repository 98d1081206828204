//! Transactions: money goes from one account to another, and none is made or lost, however many do so
//! at the same time.
//!
//! `cargo run -p velocitydb --example transfer`

use std::thread;

use serde::{Deserialize, Serialize};
use velocitydb::{Database, object};

const ACCOUNTS: u64 = 5;
const BALANCE: i64 = 100;
const TELLERS: u64 = 4;
const TRANSFERS: u64 = 50;

#[derive(Debug, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[derive(Debug)]
enum Failure {
    TooLittle { balance: i64 },
    Database(velocitydb::Error),
}

impl From<velocitydb::Error> for Failure {
    fn from(error: velocitydb::Error) -> Self {
        Failure::Database(error)
    }
}

/// Runs the example, and checks what comes of it.
pub fn main() -> velocitydb::Result<()> {
    let db = velocitydb::open_in_memory()?;
    let accounts = db.collection::<Account>("accounts");
    for number in 0..ACCOUNTS {
        accounts.insert(number.to_string(), &Account { balance: BALANCE })?;
    }

    // An error of the closure's own ends a transaction, which then writes nothing.
    match transfer(&db, "0", "1", 1_000) {
        Err(Failure::TooLittle { balance }) => println!("1000 cannot be paid from {balance}"),
        other => panic!("{other:?}"),
    }

    let refused: u64 = thread::scope(|scope| {
        let teller = |teller: u64| {
            let db = &db;
            move || {
                let pay = |step: u64| {
                    let (from, to) =
                        ((teller + step) % ACCOUNTS, (teller + step * 2 + 1) % ACCOUNTS);
                    match transfer(db, &from.to_string(), &to.to_string(), 7) {
                        Ok(()) => Ok(0),
                        Err(Failure::TooLittle { .. }) => Ok(1),
                        Err(Failure::Database(error)) => Err(error),
                    }
                };
                (0..TRANSFERS).map(pay).sum::<velocitydb::Result<u64>>()
            }
        };
        let tellers: Vec<_> = (0..TELLERS).map(|number| scope.spawn(teller(number))).collect();
        tellers
            .into_iter()
            .map(|one| one.join().expect("a teller does not panic"))
            .sum::<Result<_, _>>()
    })?;

    let balances: Vec<_> =
        accounts.iter()?.map(|one| Ok(one?.value.balance)).collect::<velocitydb::Result<_>>()?;
    let sum: i64 = balances.iter().sum();
    println!("{} transfers, {refused} refused: {balances:?}, {sum} in all", TELLERS * TRANSFERS);
    assert_eq!(sum, BALANCE * ACCOUNTS as i64);
    assert!(balances.iter().all(|balance| *balance >= 0));
    let paid = db.documents("transfers").count()?;
    assert_eq!(paid + refused, TELLERS * TRANSFERS);
    Ok(())
}

fn transfer(db: &Database, from: &str, to: &str, amount: i64) -> Result<(), Failure> {
    db.try_transaction(|txn| {
        txn.insert_new("transfers", object! { "from": from, "to": to, "amount": amount })?;
        let mut accounts = txn.collection::<Account>("accounts");
        let balance = accounts.get(from)?.map_or(0, |account| account.value.balance);
        if balance < amount {
            return Err(Failure::TooLittle { balance });
        }
        accounts.update(from, object! { "$inc": { "balance": -amount } })?;
        accounts.update(to, object! { "$inc": { "balance": amount } })?;
        Ok(())
    })
}
