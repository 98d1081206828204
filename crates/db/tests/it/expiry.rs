//! Documents that expire by themselves, and closing a database that is busy with it.

use std::time::Duration;

use velocitydb::{
    Action, Condition, Encoded, Environment, Error, Expiry, Mode, Operation, Options, Time,
    WriteBatch, object,
};
use velocitydb_storage::Error as StorageError;

use crate::fault::wait_until;
use crate::world::{MODES, START_MICROS, World, in_every_mode};

fn options(mode: Mode) -> Options {
    Options::new().mode(mode).memory_budget(64 << 20)
}

#[test]
fn documents_expire_without_anybody_asking() {
    for mode in MODES {
        let folder = tempfile::tempdir().unwrap();
        let db = match mode {
            Mode::MemoryOnly => options(mode).open_in_memory().unwrap(),
            _ => options(mode).open(folder.path()).unwrap(),
        };
        let docs = db.documents("docs");
        docs.insert("stays", object! {}).unwrap();
        docs.time_to_live(Duration::from_secs(3_600)).insert("later", object! {}).unwrap();
        for n in 0..2_500 {
            let soon = docs.time_to_live(Duration::from_millis(1 + n % 5));
            soon.at(velocitydb::Consistency::Local).insert(n.to_string(), object! {}).unwrap();
        }
        // They are gone for readers first.
        wait_until("all to expire", || db.collections().unwrap()[0].tombstones == 2_500);
        assert_eq!(docs.count().unwrap(), 2, "{mode:?}");
        // One that is brought forward does not wait for its old time.
        docs.time_to_live(Duration::from_millis(1)).update("later", object! {}).unwrap();
        wait_until("the last to expire", || docs.count().unwrap() == 1);
        assert!(docs.get("stays").unwrap().is_some());
    }
}

#[test]
fn what_has_expired_while_closed_goes_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new();
    let open = |mode| options(mode).environment(world.clone()).open(folder.path()).unwrap();
    let db = open(Mode::Persistent);
    let leases = db.documents("leases").time_to_live(Duration::from_secs(60));
    leases.insert("a", object! {}).unwrap();
    drop((leases, db));
    world.advance(Duration::from_secs(60));
    for mode in [Mode::Persistent, Mode::Hybrid, Mode::MemoryFirst] {
        let db = open(mode);
        assert_eq!(db.documents("leases").count().unwrap(), 0);
        wait_until("it to be removed", || db.collections().unwrap()[0].tombstones == 1);
    }
}

#[test]
fn a_closed_database_can_be_opened_at_once() {
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..10_u64 {
            let db = options(mode).open(folder.path()).unwrap();
            let docs = db.documents("docs");
            assert_eq!(docs.count().unwrap(), round, "{mode:?}");
            docs.insert(round.to_string(), object! {}).unwrap();
            let expiring = db.documents("expiring").time_to_live(Duration::ZERO);
            expiring.insert_new(object! {}).unwrap();
        }
    }
}

#[test]
fn every_handle_holds_the_folder() {
    for mode in [Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent] {
        let folder = tempfile::tempdir().unwrap();
        let db = options(mode).open(folder.path()).unwrap();
        let docs = db.documents("docs");
        let iter = docs.iter().unwrap();
        drop(db);
        let error = options(mode).open(folder.path()).err().unwrap();
        assert!(matches!(error, Error::Storage(StorageError::Locked { .. })), "{mode:?}: {error}");
        docs.insert("a", object! {}).unwrap();
        drop((docs, iter));
        assert_eq!(
            options(mode).open(folder.path()).unwrap().documents("docs").count().unwrap(),
            1
        );
    }
}

/// A step of maintenance does a bounded part, and the thread went back to sleep for a minute after
/// it, whatever it had left: a dropped collection of a million documents would have gone in half a
/// day, and an index whose building was interrupted would have been ready in a day.
#[test]
fn maintenance_goes_on_until_nothing_is_left() {
    let db = options(Mode::MemoryOnly).open_in_memory().unwrap();
    let documents = (0..5_000).map(|number| (format!("{number}"), object! { "n": number }));
    db.documents("dropped").insert_many(documents).unwrap();
    db.documents("dropped").time_to_live(Duration::ZERO).insert("due", object! {}).unwrap();
    db.drop_collection("dropped").unwrap();
    // What expires wakes the thread; from there on it goes by itself.
    db.documents("kept").time_to_live(Duration::from_millis(1)).insert("due", object! {}).unwrap();
    wait_until("all documents of the dropped collection to go", || {
        db.stats().unwrap().engine.keyspaces[0].keys == 0
    });
}

/// A document that was inserted with a time to live of zero could be read until maintenance came to
/// it: a fraction of a second, or for good where nothing maintains. It is written, which its version
/// shows, and expires with the same command.
#[test]
fn a_document_with_no_time_to_live_is_never_read() {
    in_every_mode(|home| {
        let db = home.db();
        let docs = db.documents("docs");
        docs.insert("stays", object! { "n": 1 }).unwrap();
        let brief = docs.time_to_live(Duration::ZERO);
        assert_eq!(brief.insert("a", object! { "n": 1 }).unwrap().version, 1);
        let assert_gone = |id: &str| {
            assert!(docs.get(id).unwrap().is_none());
            assert!(db.snapshot().unwrap().get("docs", id).unwrap().is_none());
            assert_eq!(docs.find(object! { "n": 1 }).count().unwrap(), docs.count().unwrap());
        };
        assert_gone("a");
        assert_eq!(docs.count().unwrap(), 1);
        // Writing was one write, and expiring another.
        assert_eq!(docs.insert("a", object! { "n": 2 }).unwrap().version, 3);
        assert_eq!(brief.update("a", object! { "n": 1 }).unwrap().version, 4);
        assert_gone("a");
        assert_eq!(brief.upsert("a", object! { "n": 1 }).unwrap().version, 6);
        assert_gone("a");
        let swapped =
            brief.compare_and_swap("stays").field("n", 1).update(object! { "m": 1 }).unwrap();
        assert!(swapped.is_applied && swapped.current.is_none() && swapped.version == 2);
        assert_gone("stays");
        // A time in the past has the same effect.
        let mut batch = WriteBatch::new();
        let past = Time::from_micros(START_MICROS - 1).unwrap();
        for (id, expiry) in [("b", Expiry::At(past)), ("c", Expiry::At(home.world.now()))] {
            let action = Action::Insert(Encoded::from_object(&object! { "n": 1 }).unwrap());
            let (collection, id) = ("docs".try_into().unwrap(), id.try_into().unwrap());
            let condition = Condition::Always;
            batch.push(Operation { collection, id, condition, action, expiry }).unwrap();
        }
        db.write(batch).unwrap();
        assert_gone("b");
        assert_gone("c");
        assert_eq!(docs.count().unwrap(), 0);
    });
}
