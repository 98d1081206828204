//! Closing a database releases its folder, or says what still uses it.
//!
//! `close` wrote what was to be written and said `Ok` while other handles held the folder: opening it
//! again failed, and nothing said why.

use velocitydb::{Database, Error, Mode, object};

use crate::world::{World, options};

fn held(db: Database) -> (usize, u64) {
    match db.close() {
        Err(error @ Error::InUse { handles, snapshots }) => {
            assert!(!error.is_retryable() && error.to_string().contains("hold"), "{error}");
            (handles, snapshots)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_folder_can_be_opened_again_once_its_database_is_closed() {
    for mode in [Mode::Persistent, Mode::Hybrid, Mode::MemoryFirst] {
        let folder = tempfile::tempdir().unwrap();
        let open = || options(mode, World::new()).open(folder.path());
        for n in 0..3 {
            let db = open().unwrap();
            db.documents("docs").upsert("a", object! { "n": n }).unwrap();
            db.close().unwrap();
        }
        let db = open().unwrap();
        assert_eq!(db.documents("docs").get("a").unwrap().unwrap().version(), 3);
        let documents = db.documents("docs");
        let clone = db.clone();
        assert_eq!(held(db), (2, 0), "{mode:?}");
        documents.insert("b", object! {}).unwrap();
        drop(documents);
        clone.close().unwrap();
        let db = open().unwrap();
        assert_eq!(db.documents("docs").count().unwrap(), 2);
        // Snapshots and cursors hold the folder as well.
        let (snapshot, cursor) = (db.snapshot().unwrap(), db.documents("docs").iter().unwrap());
        assert_eq!(held(db), (0, 2), "{mode:?}");
        assert_eq!(cursor.count(), 2);
        drop(snapshot);
        open().unwrap().close().unwrap();
    }
}

#[test]
fn a_thread_of_maintenance_is_no_holder() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        velocitydb::open(folder.path()).unwrap().close().unwrap();
    }
}
