//! Counting and taking turns without transactions: updates are atomic, and a compare-and-swap changes a
//! document only if it is as it was seen.
//!
//! `cargo run -p velocitydb --example counters`

use std::thread;

use serde::Deserialize;
use velocitydb::{Documents, RequestId, Result, Update, object};

const THREADS: u64 = 4;
const ROUNDS: u64 = 50;

#[derive(Deserialize)]
struct Counter {
    n: u64,
}

/// Runs the example, and checks what comes of it.
pub fn main() -> Result<()> {
    let db = velocitydb::open_in_memory()?;
    let counters = db.documents("counters");
    for id in ["visits", "best"] {
        counters.insert(id, object! { "n": 0 })?;
    }
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let counters = &counters;
                scope.spawn(move || count(counters, number))
            })
            .collect();
        threads.into_iter().try_for_each(|one| one.join().expect("a thread does not panic"))
    })?;
    let (visits, best) = (value(&counters, "visits")?, value(&counters, "best")?);
    println!("{visits} visits, and the best is {best}");
    assert_eq!((visits, best), (THREADS * ROUNDS, THREADS * ROUNDS - 1));

    // A retry with the same request id is applied once.
    let once = counters.request(RequestId::new("visit-4711")?);
    let first = once.update("visits", Update::new().inc("n", 1))?;
    let again = once.update("visits", Update::new().inc("n", 1))?;
    println!("version {}, and again {}", first.version, again.version);
    assert!(again.is_replayed && again.version == first.version);

    // A lock is a document that only one can create.
    let locks = db.documents("locks");
    let lock =
        |owner: &str| locks.compare_and_swap("door").absent().replace(object! { "owner": owner });
    assert!(lock("alice")?.is_applied);
    let refused = lock("bob")?;
    let owner = refused.current.expect("it is locked").fields()?["owner"].to_json();
    println!("bob does not get the lock, which {owner} has");
    assert!(!refused.is_applied && owner == "\"alice\"");
    Ok(())
}

fn value(counters: &Documents, id: &str) -> Result<u64> {
    Ok(counters.get(id)?.expect("it was inserted").to::<Counter>()?.n)
}

fn count(counters: &Documents, number: u64) -> Result<()> {
    for round in 0..ROUNDS {
        counters.update("visits", Update::new().inc("n", 1))?;
        // The largest number wins: what was seen is compared, and looked at again where it changed.
        let mine = round * THREADS + number;
        loop {
            let best = counters.get("best")?.expect("it was inserted");
            if best.to::<Counter>()?.n >= mine {
                break;
            }
            let swap = counters.compare_and_swap("best").version(best.version());
            if swap.update(object! { "n": mine })?.is_applied {
                break;
            }
        }
    }
    Ok(())
}
