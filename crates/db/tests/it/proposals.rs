//! Writes that no thread waits for.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use velocitydb::{
    BatchWritten, Consistency, Database, Error, MaintenanceMode, Mode, Options, Proposed,
    RequestId, Sort, WriteBatch, object,
};
use velocitydb_storage::Error as StorageError;

use crate::fault::{Fault, Faulty, Place};
use crate::world::World;

/// Wakes the thread that waits for a future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

fn is_ready<T>(future: &mut Proposed<T>) -> bool {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn insert(db: &Database, id: &str, level: Consistency) -> Proposed<BatchWritten> {
    let mut batch = WriteBatch::new();
    batch.insert("docs", id, object! { "n": 1 }).unwrap();
    db.write_async(batch, level, None)
}

#[test]
fn many_writes_of_one_thread_share_commits_and_come_in_order() {
    for mode in [Mode::MemoryOnly, Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        let folder = tempfile::tempdir().unwrap();
        let db = match mode {
            Mode::MemoryOnly => velocitydb::open_in_memory().unwrap(),
            _ => Options::new().mode(mode).open(folder.path()).unwrap(),
        };
        let levels = [Consistency::Local, Consistency::Strong];
        let at = |n: usize| levels[n % 2];
        let writes: Vec<_> = (0..2_000).map(|n| insert(&db, &n.to_string(), at(n))).collect();
        // Threads that wait come in between.
        thread::scope(|scope| {
            scope.spawn(|| db.documents("others").insert("a", object! {}).unwrap());
        });
        let indexes: Vec<_> = writes.into_iter().map(|one| wait(one).unwrap().index).collect();
        assert!(indexes.is_sorted(), "{mode:?}");
        assert_eq!(db.documents("docs").count().unwrap(), 2_000);
        let stats = db.stats().unwrap().engine;
        assert!(stats.fsyncs < 1_000, "{} fsyncs in {mode:?}", stats.fsyncs);
        // A refusal and a retry come the same way.
        assert!(matches!(
            wait(insert(&db, "1", Consistency::Strong)).unwrap_err().cause(),
            Error::AlreadyExists { .. }
        ));
        let once = || {
            let mut batch = WriteBatch::new();
            batch.insert("docs", "once", object! {}).unwrap();
            wait(db.write_async(batch, Consistency::Strong, Some(RequestId::new("r").unwrap())))
        };
        assert!(!once().unwrap().is_replayed && once().unwrap().is_replayed);
    }
}

/// Nor if there are so many who wait for the disk that they leave what they write to the next fsync.
#[test]
fn a_write_at_local_does_not_wait_for_the_fsync_of_another() {
    for strong_writers in [1, 16] {
        let engine = Faulty::new();
        let db = engine.database(World::new());
        for round in 0..3 {
            let gate = engine.close_gate(Place::Fsync);
            let strong = |n| insert(&db, &format!("strong {round} {n}"), Consistency::Strong);
            let mut waiting: Vec<_> = (0..strong_writers).map(strong).collect();
            engine.await_arrival();
            for n in 0..100 {
                let id = format!("{round} {n}");
                wait(insert(&db, &id, Consistency::Local)).unwrap();
            }
            // Another strong write is applied meanwhile, and waits as well.
            let later = format!("later {round}");
            waiting.push(insert(&db, &later, Consistency::Strong));
            wait(insert(&db, &format!("last {round}"), Consistency::Local)).unwrap();
            let local = db.documents("docs").at(Consistency::Local);
            assert!(local.get(&later).unwrap().is_some());
            assert!(waiting.iter_mut().all(|one| !is_ready(one)));
            drop(gate);
            waiting.into_iter().for_each(|one| drop(wait(one).unwrap()));
        }
    }
}

/// Among many writers, commands that come during an fsync are applied by the thread that fsyncs next:
/// together, and all of them are answered when that panics.
#[test]
fn what_is_left_to_the_next_fsync_is_answered() {
    for fault in [Fault::None, Fault::Panic] {
        let engine = Faulty::new();
        let db = engine.database(World::new());
        let strong = |round: &str| -> Vec<_> {
            let one = |n| insert(&db, &format!("{round} {n}"), Consistency::Strong);
            (0..16).map(one).collect()
        };
        // There are not many writers until these have waited for one fsync.
        let gate = engine.close_gate(Place::Fsync);
        let many = strong("many");
        wait(insert(&db, "local", Consistency::Local)).unwrap();
        drop(gate);
        many.into_iter().for_each(|one| drop(wait(one).unwrap()));
        let gate = engine.close_gate(Place::Fsync);
        let first = insert(&db, "first", Consistency::Strong);
        engine.await_arrival();
        let before = engine.commits();
        let left = strong("left");
        engine.set(fault);
        drop(gate);
        wait(first).unwrap();
        let answers: Vec<_> = left.into_iter().map(wait).collect();
        if fault == Fault::None {
            assert!(answers.iter().all(Result::is_ok));
            // The thread that led before may still take the first of them.
            assert!(engine.commits() - before < 16);
        } else {
            assert!(answers.last().unwrap().is_err());
            for error in answers.into_iter().filter_map(Result::err) {
                let cause = error.cause();
                assert!(matches!(cause, Error::Storage(StorageError::Poisoned { .. })), "{error}");
            }
        }
    }
}

/// A write is applied even if its future, or the database, is dropped.
#[test]
fn what_was_proposed_is_done_though_nobody_waits() {
    let engine = Faulty::new();
    let db = engine.database(World::new());
    drop(insert(&db, "a", Consistency::Strong));
    let writes: Vec<_> =
        (0..100).map(|n| insert(&db, &n.to_string(), Consistency::Strong)).collect();
    drop(db);
    for write in writes {
        wait(write).unwrap();
    }
    let db = engine.database(World::new());
    assert_eq!(db.documents("docs").count().unwrap(), 101);
}

#[test]
fn whoever_is_called_is_told_of_failures() {
    let is_poisoned = |error: Error| {
        assert!(matches!(error.cause(), Error::Storage(StorageError::Poisoned { .. })), "{error}");
    };
    for fault in [Fault::Fsync, Fault::Panic, Fault::DiskFull] {
        let engine = Faulty::new();
        let db = engine.database(World::new());
        wait(insert(&db, "first", Consistency::Strong)).unwrap();
        engine.set(fault);
        let error = wait(insert(&db, "second", Consistency::Strong)).unwrap_err();
        match fault {
            Fault::DiskFull => {
                assert!(matches!(error, Error::Storage(StorageError::DiskFull { .. })), "{error}");
                engine.set(Fault::None);
                wait(insert(&db, "third", Consistency::Strong)).unwrap();
            }
            _ => {
                is_poisoned(error);
                for level in [Consistency::Local, Consistency::Strong] {
                    is_poisoned(wait(insert(&db, "third", level)).unwrap_err());
                }
                is_poisoned(db.documents("docs").insert("third", object! {}).unwrap_err());
            }
        }
        assert!(db.documents("docs").get("first").unwrap().is_some());
    }
    // Invalid input is reported too.
    let db = velocitydb::open_in_memory().unwrap();
    let mut batch = WriteBatch::new();
    batch.insert("docs", "a", object! {}).unwrap();
    batch.insert("docs", "a", object! {}).unwrap();
    assert!(wait(db.write_async(batch, Consistency::Strong, None)).is_err());
}

#[test]
fn every_write_can_be_proposed() {
    let db = velocitydb::open_in_memory().unwrap();
    let docs = db.documents("docs");
    assert_eq!(wait(docs.insert_async("a", object! { "n": 1 })).unwrap().version, 1);
    assert!(wait(docs.insert_async("a", object! {})).is_err());
    assert!(wait(docs.insert_async("", object! {})).is_err());
    assert_eq!(wait(docs.update_async("a", object! { "$inc": { "n": 1 } })).unwrap().version, 2);
    assert_eq!(wait(docs.replace_async("a", object! { "n": 5 })).unwrap().version, 3);
    assert_eq!(wait(docs.upsert_async("b", object! { "n": 7 })).unwrap().version, 1);
    let new = wait(docs.insert_new_async(object! { "n": 9 })).unwrap();
    assert!(docs.get(&new.id).unwrap().is_some());
    assert!(wait(docs.delete_async("b")).unwrap().existed);
    let highest = docs.find_and_modify(object! {}).sort(Sort::new().descending("n"));
    let changed = wait(highest.update_async(object! { "n": 0 })).unwrap().unwrap();
    assert_eq!(changed.before.unwrap().id(), &new.id);
    // A retry gets the same answer.
    let once = docs.request(RequestId::new("once").unwrap());
    let attempt = || wait(once.update_async("a", object! { "n": 6 })).unwrap();
    let (first, second) = (attempt(), attempt());
    assert_eq!((first.version, second.version), (4, 4));
    assert!(!first.is_replayed && second.is_replayed);
}

#[test]
fn claims_can_be_proposed_and_settled() {
    let world = World::new();
    let db = Options::new()
        .environment(world.clone())
        .maintenance(MaintenanceMode::Manual)
        .maintenance_step(1)
        .open_in_memory()
        .unwrap();
    let jobs = db.documents("jobs");
    for id in ["a", "b", "c"] {
        jobs.insert(id, object! { "state": "waiting" }).unwrap();
    }
    let claim = || {
        let lease = Duration::from_secs(10);
        let claim =
            jobs.claim(object! { "state": "waiting" }).lease(lease, object! { "state": "waiting" });
        claim.limit(3).update_async(object! { "state": "running" })
    };
    assert_eq!(wait(claim()).unwrap().documents.len(), 3);
    assert!(wait(claim()).unwrap().documents.is_empty());
    // All leases have expired, more than one command may end: that is proposed as well.
    world.advance(Duration::from_secs(11));
    let again = wait(claim()).unwrap();
    assert_eq!(again.documents.len(), 3);
    let token = |n: usize| again.documents[n].version();
    assert_eq!(
        wait(jobs.renew_async("a", token(0), Duration::from_secs(60))).unwrap(),
        token(0) + 1
    );
    assert!(wait(jobs.complete_async("a", token(0), object! { "state": "done" })).is_err());
    wait(jobs.complete_async("a", token(0) + 1, object! { "state": "done" })).unwrap();
    wait(jobs.release_async("b", token(1))).unwrap();
    wait(jobs.retry_async("c", token(2), db.now(), "busy")).unwrap();
    assert_eq!(jobs.find(object! { "state": "waiting" }).count().unwrap(), 2);
}
