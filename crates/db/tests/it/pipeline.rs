//! Group commit, and what happens to those who wait when storage fails.

use std::sync::Arc;
use std::thread;

use velocitydb::{
    Consistency, Database, Documents, Error, ErrorClass, RequestId, Result, WriteBatch, Written,
    object,
};
use velocitydb_storage::{Durability, Error as StorageError};

use crate::fault::{Fault, Faulty, Place, wait_until};
use crate::world::World;

/// A database on a faulty engine, with one document in it.
fn start() -> (Arc<Faulty>, Database) {
    let engine = Faulty::new();
    let db = engine.database(World::new());
    db.documents("docs").insert("first", object! { "n": 0 }).unwrap();
    (engine, db)
}

type Call<T> = Box<dyn FnOnce(&Database) -> T + Send>;

/// What became of the call that was held at the gate, and of those behind it.
struct Answers<T> {
    leader: thread::Result<Result<Written>>,
    line: Vec<thread::Result<T>>,
}

/// Holds one write at the gate, and lines up `calls` behind it, in their order. Then does
/// `at_gate`, and opens the gate.
fn line_up<T: Send>(
    engine: &Faulty,
    db: &Database,
    calls: Vec<Call<T>>,
    at_gate: impl FnOnce(),
) -> Answers<T> {
    thread::scope(|scope| {
        let gate = engine.close_gate(Place::Before);
        let leader = scope.spawn(|| db.documents("docs").update("first", object! { "n": 1 }));
        engine.await_arrival();
        let mut threads = Vec::new();
        for (number, call) in calls.into_iter().enumerate() {
            threads.push(scope.spawn(move || call(db)));
            wait_until("the call to queue up", || db.stats().unwrap().waiting == number + 1);
        }
        at_gate();
        drop(gate);
        let line = threads.into_iter().map(|thread| thread.join()).collect();
        Answers { leader: leader.join(), line }
    })
}

/// Inserts of the documents 0 to 4.
fn inserts() -> Vec<Call<Result<Written>>> {
    let insert = |n: usize| -> Call<_> {
        Box::new(move |db| db.documents("docs").insert(n.to_string(), object! { "n": n as u64 }))
    };
    (0..5).map(insert).collect()
}

fn is_poisoned(error: &Error) -> bool {
    matches!(error.cause(), Error::Storage(StorageError::Poisoned { .. }))
}

fn is_disk_full(error: &Error) -> bool {
    matches!(error, Error::Storage(StorageError::DiskFull { .. }))
}

fn state_hash(db: &Database) -> u128 {
    db.snapshot().unwrap().state_hash().unwrap()
}

#[test]
fn those_who_wait_for_a_commit_share_the_next_one() {
    let (engine, db) = start();
    let before = engine.commits();
    let answers = line_up(&engine, &db, inserts(), || {
        // Readers do not wait for the writer at the gate, and do not see what it writes.
        assert_eq!(db.documents("docs").get("first").unwrap().unwrap().version(), 1);
        assert_eq!(db.documents("docs").count().unwrap(), 1);
    });
    assert_eq!(engine.commits() - before, 2);
    let line = answers.line.into_iter();
    let indexes: Vec<_> = line.map(|answer| answer.unwrap().unwrap().index).collect();
    assert_eq!(indexes, [3, 4, 5, 6, 7], "in the order in which they came");
    assert_eq!(db.stats().unwrap().waiting, 0);
    assert_eq!(db.documents("docs").count().unwrap(), 6);
}

#[test]
fn a_command_that_fails_does_not_disturb_its_group() {
    let (engine, db) = start();
    let calls: Vec<Call<Result<u64>>> = vec![
        Box::new(|db| Ok(db.documents("docs").insert("a", object! {})?.version)),
        Box::new(|db| Ok(db.documents("docs").insert("a", object! {})?.version)),
        Box::new(|db| Ok(db.documents("docs").update("nobody", object! {})?.version)),
        Box::new(|db| {
            let mut batch = WriteBatch::new();
            batch.upsert("docs", "a", object! { "torn": true })?;
            batch.insert("fresh", "a", object! {})?;
            batch.insert("docs", "first", object! {})?;
            let level = velocitydb::Consistency::Strong;
            Ok(u64::from(db.write_for_outcomes(batch, level, None)?.is_applied))
        }),
        Box::new(|db| db.drop_collection("nothing").map(|()| 0)),
        Box::new(|db| Ok(db.documents("docs").update("a", object! { "n": 1 })?.version)),
    ];
    let before = engine.commits();
    let answers = line_up(&engine, &db, calls, || {});
    assert_eq!(engine.commits() - before, 2);
    let line: Vec<_> = answers.line.into_iter().map(|answer| answer.unwrap()).collect();
    assert_eq!(*line[0].as_ref().unwrap(), 1);
    assert!(matches!(line[1], Err(Error::AlreadyExists { version: 1, .. })), "{line:?}");
    assert!(matches!(line[2], Err(Error::NotFound { .. })), "{line:?}");
    assert_eq!(*line[3].as_ref().unwrap(), 0, "the batch was not applied");
    assert!(matches!(line[4], Err(Error::NoCollection { .. })), "{line:?}");
    assert_eq!(*line[5].as_ref().unwrap(), 2);
    let found = db.documents("docs").get("a").unwrap().unwrap();
    assert_eq!(found.fields().unwrap(), object! { "n": 1 });
    assert_eq!(db.collections().unwrap().len(), 1, "nothing of the batch was applied");
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    engine.set(Fault::DiskFull);
    for _ in 0..3 {
        for error in [
            docs.insert("second", object! {}).unwrap_err(),
            db.documents("fresh").insert("a", object! {}).unwrap_err(),
            db.create_collection("fresh", Default::default()).unwrap_err(),
            db.drop_collection("docs").unwrap_err(),
        ] {
            assert!(is_disk_full(&error) && error.is_retryable(), "{error}");
        }
        assert_eq!(docs.get("first").unwrap().unwrap().version(), 1);
        assert_eq!(docs.count().unwrap(), 1);
        assert_eq!(db.collections().unwrap().len(), 1);
    }
    assert!(db.health().is_readable && !db.health().is_writable);
    engine.set(Fault::None);
    assert!(db.health().is_writable);
    // What was refused has used up nothing: no version, no index, no number of a collection.
    let (_, twin) = start();
    for db in [&db, &twin] {
        assert_eq!(db.documents("docs").insert("second", object! {}).unwrap().version, 1);
        assert_eq!(db.documents("fresh").insert("a", object! {}).unwrap().index, 3);
    }
    assert_eq!(state_hash(&db), state_hash(&twin));
}

#[test]
fn a_group_that_cannot_be_committed_is_refused_as_a_whole() {
    let (engine, db) = start();
    let request = || RequestId::new("request").unwrap();
    let calls: Vec<Call<Result<Written>>> = vec![
        Box::new(|db| db.documents("docs").insert("a", object! {})),
        Box::new(|db| db.documents("docs").update("a", object! {})),
        Box::new(move |db| db.documents("docs").request(request()).insert("b", object! {})),
    ];
    let answers = line_up(&engine, &db, calls, || engine.set(Fault::DiskFull));
    for answer in answers.line.into_iter().chain([answers.leader]) {
        let error = answer.unwrap().unwrap_err();
        assert!(is_disk_full(&error), "{error}");
    }
    engine.set(Fault::None);
    let docs = db.documents("docs");
    assert_eq!(docs.count().unwrap(), 1);
    let written = docs.request(request()).insert("b", object! {}).unwrap();
    assert!(!written.is_replayed && written.version == 1, "its first attempt was not applied");
    assert_eq!(written.index, 2);
}

#[test]
fn a_failed_fsync_stops_writes_for_good() {
    let (engine, db) = start();
    engine.set(Fault::Fsync);
    let docs = db.documents("docs");
    for class in [ErrorClass::UnknownOutcome, ErrorClass::Unavailable] {
        let error = docs.update("first", object! { "n": 2 }).unwrap_err();
        assert!(is_poisoned(&error) && !error.is_retryable(), "{error}");
        assert_eq!(error.class(), class, "what came after the failure was not done: {error}");
        assert_eq!(docs.get("first").unwrap().unwrap().version(), 1);
        assert_eq!(db.snapshot().unwrap().count("docs").unwrap(), 1);
        // A crash may take back what this level shows.
        assert_eq!(docs.at(Consistency::Local).get("first").unwrap().unwrap().version(), 2);
    }
    let health = db.health();
    assert!(health.is_readable && !health.is_writable && health.problems.len() == 1, "{health:?}");
}

/// A leader that panicked released the machine without waking the first in the queue, and all that waited
/// there slept until another command came.
#[test]
fn a_leader_that_panics_leaves_nobody_asleep() {
    let (engine, db) = start();
    let answers = line_up(&engine, &db, inserts(), || engine.set(Fault::Panic));
    assert!(answers.leader.is_err(), "the leader panics");
    for answer in answers.line {
        let error = answer.unwrap().unwrap_err();
        assert!(is_poisoned(&error), "{error}");
    }
    // The state is not known any more, so nothing is built on it; what is known can be read.
    assert!(is_poisoned(&db.documents("docs").delete("first").unwrap_err()));
    assert_eq!(db.documents("docs").get("first").unwrap().unwrap().version(), 1);
}

#[test]
fn the_followers_of_a_leader_that_panics_are_answered() {
    let (engine, db) = start();
    // The write at the gate succeeds; one of those behind it leads the others, and panics.
    let answers = line_up(&engine, &db, inserts(), || engine.set_after_next(Fault::Panic));
    assert_eq!(answers.leader.unwrap().unwrap().version, 2);
    let (followers, leaders): (Vec<_>, Vec<_>) =
        answers.line.into_iter().partition(|answer| answer.is_ok());
    assert_eq!(leaders.len(), 1);
    for answer in followers {
        let error = answer.unwrap().unwrap_err();
        assert!(is_poisoned(&error), "{error}");
    }
    assert_eq!(db.documents("docs").count().unwrap(), 1);
}

/// The names of collections were published after what they name: in between, a snapshot showed a
/// new collection's document and a get after it did not, and a get showed a document of a
/// collection that a snapshot had shown to be dropped.
#[test]
fn no_read_goes_back_while_collections_come_and_go() {
    let (engine, db) = start();
    let docs = db.documents("new");
    let newest = docs.at(Consistency::Local);
    let hold = |call: &(dyn Fn() + Sync), look: &dyn Fn()| {
        thread::scope(|scope| {
            let _gate = engine.close_gate(Place::After);
            scope.spawn(call);
            engine.await_arrival();
            look();
        });
    };
    let shows = |docs: &Documents, count: u64| {
        assert_eq!(docs.count().unwrap(), count);
        assert_eq!(
            docs.get("a").unwrap().map(|document| document.version()),
            (count == 1).then_some(1)
        );
        assert_eq!(docs.find(object! {}).documents().unwrap().len() as u64, count);
    };
    hold(&|| drop(docs.insert("a", object! {}).unwrap()), &|| {
        shows(&newest, 1);
        shows(&docs, 0);
    });
    shows(&docs, 1);
    hold(&|| db.drop_collection("new").unwrap(), &|| {
        shows(&newest, 0);
        shows(&docs, 1);
    });
    shows(&docs, 0);
    // A drop that fails takes nothing from readers.
    docs.insert("b", object! {}).unwrap();
    engine.set(Fault::DiskFull);
    assert!(is_disk_full(&db.drop_collection("new").unwrap_err()));
    assert_eq!(docs.get("b").unwrap().unwrap().version(), 2);
}

#[test]
fn levels_wait_for_what_they_promise() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    for level in Consistency::ALL {
        let before = engine.syncs();
        let written = docs.at(level).update("first", object! { "n": 1 }).unwrap();
        assert_eq!(written.consistency, level);
        let (expected, fsyncs) = match level {
            Consistency::Local => (Durability::Memory, 0),
            _ => (Durability::Os, 1),
        };
        assert_eq!(engine.last_durability(), Some(expected), "{level}");
        assert_eq!(engine.syncs() - before, fsyncs, "{level}");
    }
    // A retry at a stronger level than the first attempt makes that one durable.
    let request = docs.request(RequestId::new("request").unwrap());
    request.at(Consistency::Local).insert("b", object! {}).unwrap();
    let syncs = engine.syncs();
    assert!(request.insert("b", object! {}).unwrap().is_replayed);
    assert_eq!(engine.syncs(), syncs + 1);
}
