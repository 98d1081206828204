//! What the prototype could not do: a race with one winner, batches and transactions, snapshots,
//! idempotent retries, time to live, values that are stored exactly.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use velocitydb::{
    Condition, Database, Object, RequestId, Result as DbResult, Update, Value, WriteBatch, object,
};

use super::narrator::Narrator;
use super::prototype::text;
use crate::failure::Result;

const RACERS: usize = 16;
const ACCOUNTS: usize = 4;
const BALANCE: i64 = 100;
const TELLERS: usize = 4;
const TRANSFERS: usize = 250;
const TIME_TO_LIVE: Duration = Duration::from_millis(50);

/// How long after its expiry a document may still exist, on a busy machine.
const EXPIRY_DELAY_MAX: Duration = Duration::from_secs(60);

/// Runs these chapters.
pub fn tell(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    narrator.chapter("All or nothing, and one at a time")?;
    race(db, narrator)?;
    batch(db, narrator)?;
    transactions(db, narrator)?;
    snapshot(db, narrator)?;
    retry(db, narrator)?;
    time_to_live(db, narrator)?;
    values(db, narrator)
}

/// Many threads claim the same process at the same time.
fn race(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    let processes = db.documents("processes");
    processes.insert("process2", object! { "state": "waiting" })?;
    let start = &Barrier::new(RACERS);
    let processes = &processes;
    let wins = thread::scope(|scope| {
        let race = |racer: usize| {
            scope.spawn(move || {
                start.wait();
                let executor = format!("executor{racer}");
                let running = object! { "state": "running", "executor": executor.as_str() };
                let swap = processes.compare_and_swap("process2").field("state", "waiting");
                swap.update(running).map(|swapped| swapped.is_applied.then_some(executor))
            })
        };
        let racers: Vec<_> = (0..RACERS).map(race).collect();
        let join = |racer: thread::ScopedJoinHandle<'_, DbResult<_>>| {
            racer.join().expect("a racer only returns errors")
        };
        racers.into_iter().map(join).collect::<DbResult<Vec<_>>>()
    })?;
    let winners: Vec<_> = wins.into_iter().flatten().collect();
    let what = format!("{RACERS} threads race for process2");
    narrator.check(&what, format_args!("{} winner", winners.len()), "1 winner")?;
    let stored = fields(db, "processes", "process2")?;
    let agrees = winners.first().is_some_and(|winner| *winner == text(&stored, "executor"));
    let found = if agrees { "the winner" } else { "somebody else" };
    narrator.check("the document names", found, "the winner")
}

/// A batch of three writes, of which one is refused.
fn batch(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    let mut batch = WriteBatch::new();
    batch.insert("orders", "order1", object! { "total": 10 })?;
    batch.update("users", "bob", object! { "orders": 1 })?;
    batch.compare("users", "alice", Condition::Version(1))?;
    let applied = match db.write(batch) {
        Ok(_) => "applied".to_owned(),
        Err(velocitydb::Error::VersionMismatch { .. }) => "refused".to_owned(),
        Err(error) => error.to_string(),
    };
    narrator.check("batch of 3, one comparison does not hold", applied, "refused")?;
    let orders = db.documents("orders").count()?;
    let bob = fields(db, "users", "bob")?.contains_key("orders");
    let left = format!("{orders} orders, bob {}", if bob { "changed" } else { "unchanged" });
    narrator.check("what it left behind", left, "0 orders, bob unchanged")
}

/// Threads move money between accounts, without a lock.
fn transactions(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    for account in 0..ACCOUNTS {
        db.documents("accounts").insert(account.to_string(), object! { "balance": BALANCE })?;
    }
    thread::scope(|scope| {
        let tellers: Vec<_> = (0..TELLERS)
            .map(|teller| {
                scope.spawn(move || {
                    (0..TRANSFERS).try_for_each(|number| transfer(db, teller + number, number))
                })
            })
            .collect();
        tellers.into_iter().try_for_each(|one| one.join().expect("a teller only returns errors"))
    })?;
    let mut sum = 0;
    for document in db.documents("accounts").iter()? {
        sum += balance(&document?.fields()?);
    }
    let what = format!("{TELLERS} threads, {} transfers: the sum", TELLERS * TRANSFERS);
    narrator.check(&what, sum, &(ACCOUNTS as i64 * BALANCE).to_string())
}

fn transfer(db: &Database, from: usize, step: usize) -> DbResult<()> {
    let (from, to) = (from % ACCOUNTS, (from + 1 + step % (ACCOUNTS - 1)) % ACCOUNTS);
    let (from, to) = (from.to_string(), to.to_string());
    db.transaction(|txn| {
        let payer = balance(&txn.get("accounts", &from)?.expect("it exists").fields()?);
        let payee = balance(&txn.get("accounts", &to)?.expect("it exists").fields()?);
        txn.update("accounts", &from, object! { "balance": payer - 1 })?;
        txn.update("accounts", &to, object! { "balance": payee + 1 })
    })
}

fn balance(account: &Object) -> i64 {
    account["balance"].as_i64().unwrap_or_default()
}

/// A snapshot that does not change while other threads write.
fn snapshot(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    let events = db.documents("events");
    events.insert_new(object! { "number": 0 })?;
    let snapshot = db.snapshot()?;
    let (mut reads, mut steady) = (0u32, 0u32);
    thread::scope(|scope| {
        let insert = |number| events.insert_new(object! { "number": number }).map(|_| ());
        let writer = scope.spawn(move || (1..1_000).try_for_each(insert));
        while !writer.is_finished() || reads == 0 {
            reads += 1;
            steady += u32::from(snapshot.count("events")? == 1);
        }
        writer.join().expect("a writer only returns errors")
    })?;
    let steadily = if reads == steady { "1 at every read" } else { "not always 1" };
    narrator.check("snapshot, while 999 documents are inserted", steadily, "1 at every read")?;
    narrator.check("the database meanwhile", events.count()?, "1000")
}

/// The same request, sent twice.
fn retry(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    let counters = db.documents("counters");
    counters.insert("visits", object! { "count": 0 })?;
    let request = RequestId::new("visit-1").map_err(velocitydb::Error::from)?;
    let once = counters.request(request);
    once.update("visits", Update::new().inc("count", 1))?;
    let second = once.update("visits", Update::new().inc("count", 1))?;
    let counted = fields(db, "counters", "visits")?["count"].to_json();
    let answer = if second.is_replayed { "the first answer again" } else { "a new answer" };
    narrator.check(
        "an increment sent twice with one request id",
        format_args!("{counted}, {answer}"),
        "1, the first answer again",
    )
}

/// A document with a time to live.
fn time_to_live(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    let sessions = db.documents("sessions");
    let start = Instant::now();
    sessions.time_to_live(TIME_TO_LIVE).insert("session1", object! { "user": "alice" })?;
    while sessions.get("session1")?.is_some() && start.elapsed() < EXPIRY_DELAY_MAX {
        thread::sleep(Duration::from_millis(1));
    }
    let lived = start.elapsed();
    narrator.holds(
        &format!("a session that may live {} ms", TIME_TO_LIVE.as_millis()),
        &format!("gone after {} ms", lived.as_millis()),
        lived >= TIME_TO_LIVE && lived < EXPIRY_DELAY_MAX,
        "gone when it has expired",
    )
}

/// Values that JSON, or the prototype, would have changed.
fn values(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    narrator.chapter("Values come back as they were")?;
    let rows = [
        ("64-bit integers", "[-9223372036854775808,9223372036854775807,18446744073709551615]"),
        ("integer, float and text", r#"[1,1.0,"1",-0.0,0.1]"#),
        ("time, to the microsecond", r#"{"$date":"2026-11-23T09:15:00.250001Z"}"#),
        ("bytes", r#"{"$binary":{"base64":"AP+A","subType":"00"}}"#),
        ("empty and nested", r#"{"array":[],"null":null,"object":{},"text":""}"#),
        ("Unicode", r#""Åse 漢字 🚀""#),
    ];
    let parsed = rows.iter().map(|(name, json)| Ok((*name, Value::from_json(json)?)));
    let written: Object = parsed.collect::<DbResult<Vec<_>>>()?.into_iter().collect();
    let values = db.documents("values");
    values.insert("all", &written)?;
    let read = fields(db, "values", "all")?;
    for (name, json) in rows {
        narrator.check(name, read[name].to_json(), json)?;
    }
    let same = if read.is_identical(&written) { "identical" } else { "changed" };
    narrator.check("all of them, type by type and bit by bit", same, "identical")?;
    values.insert("one", object! { "number": 1 })?;
    let equals = |value: Value| -> DbResult<String> {
        let compared = values.compare_and_swap("one").field("number", value).compare()?;
        Ok(if compared.held { "equal" } else { "different" }.to_owned())
    };
    narrator.check("comparing 1 with 1.0", equals(1.0.into())?, "equal")?;
    narrator.check("comparing 1 with \"1\"", equals("1".into())?, "different")
}

fn fields(db: &Database, collection: &str, id: &str) -> DbResult<Object> {
    db.documents(collection).get(id)?.map_or_else(|| Ok(Object::new()), |found| found.fields())
}
