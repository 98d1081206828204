//! What readers and writers at each level see, and for what they wait, while a write is on its way to
//! the disk.
//!
//! An fsync was done with the machine locked: a write at `local`, which promises not to wait for the
//! disk, stood still for every fsync of a strong one and for those in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use velocitydb::{
    Consistency, Database, IndexSpec, MaintenanceMode, Mode, Options, WriteBatch, object,
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
            // Nobody was told of the update, so strong reads need not wait for it.
            assert_eq!(docs.get("first").unwrap().unwrap().version(), 1);
            assert_eq!(docs.find(object! { "n": 0 }).count().unwrap(), 1);
            for n in 0..100_u64 {
                local.insert(&format!("local-{n}"), object! { "n": n }).unwrap();
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

/// A write at `local` was acknowledged on top of one that is on its way to the disk. A strong read
/// has to see the first and must not see the second: it waits until it may.
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
            found.iter().find(|document| document.id().as_str() == "first").unwrap().version()
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

/// In one group a collection is dropped and made anew under its name. Until that is on the disk,
/// strong readers see the old one, and its documents.
#[test]
fn a_collection_that_is_replaced_is_seen_until_that_is_durable() {
    let (engine, db) = start();
    let docs = db.documents("docs");
    db.create_index("docs", IndexSpec::on("n")).unwrap();
    thread::scope(|scope| {
        let gate = engine.close_gate(Place::Fsync);
        let other = db.documents("other");
        scope.spawn(move || other.insert("x", object! {}).unwrap());
        engine.await_arrival();
        scope.spawn(|| db.drop_collection("docs").unwrap());
        wait_until("the drop to queue up", || db.stats().unwrap().waiting == 1);
        scope.spawn(|| docs.insert("second", object! { "n": 7 }).unwrap());
        wait_until("the insert to queue up", || db.stats().unwrap().waiting == 2);
        gate.let_one_pass();
        let local = docs.at(Consistency::Local);
        wait_until("the group to be visible", || local.get("second").unwrap().is_some());
        engine.await_arrival();
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

/// The fsync fails: what it was to make durable is no more seen than before, but by those who asked
/// for what a crash may take back; and who waits for it is told.
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
            // An error says that nobody is to wait any more.
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
                local.insert(&format!("local-{n}"), object! { "n": n }).unwrap();
                if mode != Mode::Persistent {
                    docs.insert(&format!("strong-{n}"), object! { "n": n }).unwrap();
                }
            }
            let mut batch = WriteBatch::new();
            batch.delete("docs", "first").unwrap();
            db.write_at(batch, Consistency::Local, None).unwrap();
            drop(release);
            strong.join().unwrap();
        });
        assert!(docs.get("first").unwrap().is_none(), "{mode:?}");
        db.close().unwrap();
    }
}

/// A strong writer holds a state for the time of each fsync, and so nearly always: giving space back,
/// which needs that nobody holds one, goes in between.
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
