//! Cursors: results that are pulled come from one state and one plan, whatever is written meanwhile.

use std::time::Duration;

use velocitydb::{Cursor, Database, ErrorClass, IndexSpec, Mode, Sort, object};

use crate::world::{World, in_every_mode, options};

const COUNT: u64 = 700;

fn fill(db: &Database) {
    let docs = db.documents("docs");
    docs.create_index(IndexSpec::on("n").named("n")).unwrap();
    let all = (0..COUNT).map(|n| (format!("{n:03}"), object! { "n": n, "group": n % 7 }));
    docs.insert_many(all).unwrap();
}

fn ids(cursor: Cursor) -> Vec<String> {
    cursor.map(|one| one.unwrap().id().to_string()).collect()
}

#[test]
fn a_cursor_stays_in_its_state() {
    in_every_mode(|home| {
        let db = home.db();
        fill(db);
        let docs = db.documents("docs");
        let ways = [
            docs.find(object! {}),
            docs.find(object! { "n": { "$gte": 0 } }),
            docs.find(object! {}).sort(Sort::new().descending("_id")),
            docs.find(object! {}).sort(Sort::new().descending("n")),
            docs.find(object! {}).sort(Sort::new().ascending("group").descending("n")),
        ];
        let expected: Vec<_> = ways.iter().map(|find| find.clone().documents().unwrap()).collect();
        let mut cursors: Vec<_> = ways.into_iter().map(|find| find.iter().unwrap()).collect();
        for cursor in &mut cursors {
            assert_eq!(cursor.by_ref().take(3).count(), 3);
        }
        docs.update_many(object! { "n": { "$gte": 5 } }, object! { "n": -1 }).unwrap();
        docs.delete_many(object! { "group": 3 }).unwrap();
        docs.insert("new", object! { "n": 350, "group": 0 }).unwrap();
        docs.drop_index("n").unwrap();
        db.maintain().unwrap();
        for (cursor, expected) in cursors.into_iter().zip(expected) {
            let rest: Vec<_> = cursor.map(Result::unwrap).collect();
            let seen: Vec<_> = rest.iter().map(|one| (one.id(), one.version())).collect();
            let expected: Vec<_> = expected.iter().map(|one| (one.id(), one.version())).collect();
            assert_eq!(seen, expected[3..]);
        }
    });
}

#[test]
fn a_cursor_outlives_its_collection_and_its_handle() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    fill(&db);
    let snapshot = db.snapshot().unwrap();
    let cursor = db.documents("docs").iter().unwrap();
    let of_snapshot = snapshot.iter("docs").unwrap();
    db.drop_collection("docs").unwrap();
    db.maintain().unwrap();
    drop((snapshot, db));
    let expected: Vec<_> = (0..COUNT).map(|n| format!("{n:03}")).collect();
    assert_eq!(ids(cursor), expected);
    assert_eq!(ids(of_snapshot), expected);
}

#[test]
fn an_error_ends_a_cursor() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    fill(&db);
    let docs = db.documents("docs");
    let by_group = || docs.find(object! {}).sort(Sort::new().ascending("group"));
    let mut short = by_group().memory_limit(1_000).iter().unwrap();
    assert_eq!(short.next().unwrap().unwrap_err().class(), ErrorClass::ResourceLimit);
    assert!(short.next().is_none() && short.next().is_none());
    let mut late = docs.find(object! { "group": 9 }).deadline(Duration::ZERO).iter().unwrap();
    assert_eq!(late.next().unwrap().unwrap_err().class(), ErrorClass::Timeout);
    assert!(late.next().is_none());
    // One that does not fit its type ends it too, and is not left out.
    let typed = docs.find(object! {}).typed::<std::collections::BTreeMap<String, bool>>();
    let results: Vec<_> = typed.iter().unwrap().collect();
    assert!(results.len() == 1 && results[0].is_err());
    // An invalid query is an error at once.
    assert!(docs.find(object! { "n": { "$no": 1 } }).iter().is_err());
    assert!(db.documents("").iter().is_err());
    assert_eq!(db.documents("nothing").iter().unwrap().count(), 0);
}

fn is_send<T: Send>(_: &T) {}

#[test]
fn a_cursor_can_go_to_another_thread() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    fill(&db);
    let cursor = db.documents("docs").iter().unwrap();
    is_send(&cursor);
    let counted = std::thread::spawn(move || cursor.count()).join().unwrap();
    assert_eq!(counted as u64, COUNT);
}
