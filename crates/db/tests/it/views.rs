//! What readers and writers at each level see, and what they wait for, while a write is being made durable.
//!
//! An fsync was done with the machine locked: a write at `local`, which promises not to wait for the
//! disk, stood still for every fsync of a strong one and for those in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use velocitydb::{
    Consistency, Database, Documents, Error, IndexSpec, MaintenanceMode, Mode, Options, WriteBatch,
    object,
};

use crate::fault::{Fault, Faulty, Place, wait_until};
use crate::world::World;

fn start() -> (Arc<Faulty>, Database) {
    let engine = Faulty::new();
    let db = engine.database(World::new());
    db.documents("docs").insert("first", object! { "n": 0 }).unwrap();
    (engine, db)
}

/// Holds a write before its fsync, meanwhile does `look`, and lets the fsync be done.
fn hold(engine: &Faulty, write: impl FnOnce() + Send, look: impl FnOnce()) {
    thread::scope(|scope| {
        let gate = engine.close_gate(Place::Fsync);
        scope.spawn(write);
        engine.await_arrival();
        look();
        drop(gate);
    });
}

#[test]
fn nobody_at_local_waits_for_the_fsync_of_another() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    let local = docs.at(Consistency::Local);
    hold(
        &engine,
        || drop(docs.update("first", object! { "n": 1 }).unwrap()),
        || {
            assert_eq!(local.get("first").unwrap().unwrap().version(), 2);
            // The update was not acknowledged, so strong reads need not wait for it.
            assert_eq!(docs.get("first").unwrap().unwrap().version(), 1);
            assert_eq!(docs.find(object! { "n": 0 }).count().unwrap(), 1);
            for n in 0..100_u64 {
                local.insert(format!("local-{n}"), object! { "n": n }).unwrap();
            }
            assert_eq!(local.update("first", object! { "m": 1 }).unwrap().version, 3);
            assert_eq!(local.count().unwrap(), 101);
            let claim = local.claim(object! { "n": 99 }).update(object! { "n": -1 }).unwrap();
            assert_eq!(claim.documents.len(), 1);
        },
    );
    assert_eq!(docs.get("first").unwrap().unwrap().version(), 3);
}

/// The version of a document, read in one way.
type Read = fn(&Database) -> u64;

/// A write at `local` was acknowledged after one that is still being made durable. A strong read has to see
/// the first and must not see the second: it waits until that is possible.
#[test]
fn a_strong_read_waits_for_what_an_acknowledged_write_rests_on() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    let local = docs.at(Consistency::Local);
    let (told, tells) = mpsc::channel();
    let readers: [(&str, Read); 3] = [
        ("get", |db| db.documents("docs").get("first").unwrap().unwrap().version()),
        ("find", |db| {
            let found = db.documents("docs").find(object! {}).documents().unwrap();
            found.iter().find(|document| *document.id() == "first").unwrap().version()
        }),
        ("snapshot", |db| db.snapshot().unwrap().get("docs", "first").unwrap().unwrap().version()),
    ];
    thread::scope(|scope| {
        hold(
            &engine,
            || drop(docs.update("first", object! { "n": 1 }).unwrap()),
            || {
                local.update("first", object! { "m": 1 }).unwrap();
                for (name, read) in readers {
                    let (told, db) = (told.clone(), db.clone());
                    scope.spawn(move || told.send((name, read(&db))).unwrap());
                }
                // What has nothing to do with the update is there at once.
                local.insert("other", object! {}).unwrap();
                assert_eq!(docs.get("other").unwrap().unwrap().version(), 1);
                let early = tells.recv_timeout(Duration::from_millis(20));
                assert_eq!(early, Err(RecvTimeoutError::Timeout));
            },
        );
        for _ in readers {
            let (name, version) = tells.recv().unwrap();
            assert_eq!(version, 3, "{name}");
        }
    });
}

/// A collection is dropped, and created again while the drop is being made durable. Until then, strong
/// readers see the old collection and its documents.
#[test]
fn a_collection_that_is_replaced_is_seen_until_that_is_durable() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    db.documents("docs").create_index(IndexSpec::on("n")).unwrap();
    thread::scope(|scope| {
        let gate = engine.close_gate(Place::Fsync);
        scope.spawn(|| db.drop_collection("docs").unwrap());
        engine.await_arrival();
        scope.spawn(|| docs.insert("second", object! { "n": 7 }).unwrap());
        let local = docs.at(Consistency::Local);
        wait_until("the insert to be visible", || local.get("second").unwrap().is_some());
        assert!(local.get("first").unwrap().is_none());
        assert_eq!(docs.get("first").unwrap().unwrap().version(), 1);
        assert!(docs.get("second").unwrap().is_none());
        assert_eq!(docs.find(object! { "n": 0 }).count().unwrap(), 1);
        assert_eq!(docs.find(object! { "n": 7 }).count().unwrap(), 0);
        assert_eq!(local.find(object! { "n": 7 }).count().unwrap(), 1);
        assert_eq!(docs.count().unwrap(), 1);
        drop(gate);
    });
    assert!(docs.get("first").unwrap().is_none());
    // The versions of the old collection are not given again.
    assert_eq!(docs.get("second").unwrap().unwrap().version(), 2);
    assert_eq!(docs.find(object! { "n": 7 }).count().unwrap(), 1);
}

/// The next groups are applied while one is being fsynced, and each is settled by an fsync that began
/// after it was committed.
#[test]
fn groups_are_applied_while_one_is_being_fsynced() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    let local = docs.at(Consistency::Local);
    let version = |docs: &Documents| docs.get("first").unwrap().unwrap().version();
    thread::scope(|scope| {
        let gate = engine.close_gate(Place::Fsync);
        let first = scope.spawn(|| docs.update("first", object! { "n": 1 }).unwrap());
        engine.await_arrival();
        let second = scope.spawn(|| docs.update("first", object! { "n": 2 }).unwrap());
        let third = scope.spawn(|| docs.update("first", object! { "n": 2 }).unwrap());
        wait_until("the others to be visible", || version(&local) == 4);
        assert_eq!(version(&docs), 1);
        let before = db.snapshot().unwrap();
        gate.let_one_pass();
        assert_eq!(first.join().unwrap().version, 2);
        engine.await_arrival();
        assert_eq!(version(&docs), 2);
        assert_eq!(docs.find(object! { "n": 1 }).count().unwrap(), 1);
        assert_eq!(before.get("docs", "first").unwrap().unwrap().version(), 1);
        drop(gate);
        let mut versions = [second.join().unwrap().version, third.join().unwrap().version];
        versions.sort_unstable();
        assert_eq!(versions, [3, 4]);
    });
    assert_eq!(version(&docs), 4);
    assert!(engine.syncs() <= 4, "those who wait share an fsync");
}

/// A strong read waits for what had been acknowledged when it began, and not for what others go on to
/// write.
#[test]
fn a_strong_read_does_not_wait_for_writes_after_it() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    let local = docs.at(Consistency::Local);
    let (told, tells) = mpsc::channel();
    thread::scope(|scope| {
        let gate = engine.close_gate(Place::Fsync);
        scope.spawn(|| docs.update("first", object! { "n": 1 }).unwrap());
        engine.await_arrival();
        local.update("first", object! { "m": 1 }).unwrap();
        scope.spawn(move || told.send(db.documents("docs").get("first").unwrap().unwrap()));
        assert!(tells.recv_timeout(Duration::from_millis(20)).is_err());
        scope.spawn(|| docs.update("first", object! { "n": 2 }).unwrap());
        let version = || local.get("first").unwrap().unwrap().version();
        wait_until("the next group to be visible", || version() == 4);
        local.update("first", object! { "m": 2 }).unwrap();
        gate.let_one_pass();
        assert_eq!(tells.recv().unwrap().version(), 3);
        drop(gate);
    });
}

/// A refusal waits until the state that it depends on is durable, as a read at its level does.
#[test]
fn a_refusal_waits_for_what_it_rests_on() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    let (told, tells) = mpsc::channel();
    thread::scope(|scope| {
        hold(
            &engine,
            || drop(docs.insert("second", object! {}).unwrap()),
            || {
                let insert = || told.send(docs.insert("second", object! {}).unwrap_err()).unwrap();
                scope.spawn(insert);
                let early = tells.recv_timeout(Duration::from_millis(20));
                assert!(early.is_err(), "a document that a crash may lose was reported");
                let local = docs.at(Consistency::Local);
                assert!(local.insert("second", object! {}).is_err());
            },
        );
    });
    assert!(matches!(tells.recv().unwrap(), Error::AlreadyExists { version: 1, .. }));
}

/// A dropped collection is removed by maintenance while the drop is being made durable. Readers that must
/// not see the drop yet still find its documents.
#[test]
fn what_is_being_dropped_is_not_missed_though_it_is_removed() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    let (told, tells) = mpsc::channel();
    thread::scope(|scope| {
        hold(
            &engine,
            || db.drop_collection("docs").unwrap(),
            || {
                assert_eq!(docs.get("first").unwrap().unwrap().version(), 1);
                while db.maintain_step().unwrap() {}
                assert!(docs.at(Consistency::Local).get("first").unwrap().is_none());
                // Maintenance builds on the drop, and what is seen from here on rests on that.
                scope.spawn(|| told.send(docs.get("first").unwrap()).unwrap());
                assert!(tells.recv_timeout(Duration::from_millis(20)).is_err());
            },
        );
    });
    assert!(tells.recv().unwrap().is_none());
}

/// The fsync fails: its writes are seen only by readers at the level that allows losing them, and the
/// writers that wait for it get an error.
#[test]
fn what_an_fsync_failed_for_is_never_settled() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    let local = docs.at(Consistency::Local);
    thread::scope(|scope| {
        let gate = engine.close_gate(Place::Fsync);
        let update = scope.spawn(|| docs.update("first", object! { "n": 1 }));
        engine.await_arrival();
        local.insert("local", object! {}).unwrap();
        let reader = scope.spawn(|| docs.count());
        engine.set(Fault::Fsync);
        drop(gate);
        assert!(update.join().unwrap().is_err());
        assert!(reader.join().unwrap().is_err(), "no state has the one without the other");
    });
    assert_eq!(local.get("first").unwrap().unwrap().version(), 2);
    assert!(docs.get("first").is_err());
    assert!(local.insert("more", object! {}).is_err());
}

/// On a device whose fsync does not end, no write at `local` waits for it, and in `hybrid` none at
/// all: neither for that of a strong write, nor for one in the background.
#[test]
fn writes_that_promise_no_fsync_wait_for_none_in_any_mode() {
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        let folder = tempfile::tempdir().unwrap();
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = std::sync::Mutex::new(released);
        let options = Options::new().mode(mode).before_fsync(move || {
            let _ = begun.send(());
            // An error ends the wait.
            let _ = released.lock().unwrap().recv();
            Ok(())
        });
        let db = options.open(folder.path()).unwrap();
        let docs = db.documents("docs");
        let local = docs.at(Consistency::Local);
        thread::scope(|scope| {
            local.insert("first", object! {}).unwrap();
            let strong = scope.spawn(|| docs.insert("strong", object! {}).unwrap());
            begins.recv().unwrap();
            for n in 0..1_000_u64 {
                local.insert(format!("local-{n}"), object! { "n": n }).unwrap();
                if mode != Mode::Persistent {
                    docs.insert(format!("strong-{n}"), object! { "n": n }).unwrap();
                }
            }
            let mut batch = WriteBatch::new();
            batch.delete("docs", "first").unwrap();
            db.write_at(batch, Consistency::Local, None).unwrap();
            drop(release);
            strong.join().unwrap();
        });
        assert!(docs.get("first").unwrap().is_none(), "{mode:?}");
        drop((docs, local));
        db.close().unwrap();
    }
}

/// A strong writer holds a snapshot during each fsync, and so nearly always: reclaiming space, which needs
/// a moment without snapshots, still gets its turn.
#[test]
fn space_is_given_back_beside_a_writer_that_never_rests() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new().mode(Mode::Persistent).maintenance(MaintenanceMode::Manual);
    let db = options.open(folder.path()).unwrap();
    let dropped = db.documents("dropped").at(Consistency::Local);
    let text = "x".repeat(2_000);
    dropped.insert_many((0..5_000).map(|n| (format!("{n}"), object! { "text": &*text }))).unwrap();
    assert!(db.stats().unwrap().engine.journal_bytes > 8 << 20);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let counters = db.documents("counters");
            counters.insert("one", object! { "n": 0 }).unwrap();
            while !is_done.load(Ordering::Relaxed) {
                counters.update("one", object! { "n": 1 }).unwrap();
            }
        });
        db.drop_collection("dropped").unwrap();
        db.maintain().unwrap();
        is_done.store(true, Ordering::Relaxed);
    });
    let bytes = db.stats().unwrap().engine.journal_bytes;
    assert!(bytes < 4 << 20, "the journals have {bytes} bytes");
}
