//! Unique indexes under contention, and the building of indexes while others write.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use velocitydb::{Database, Error, IndexBuild, IndexSpec, Sort, object};

use crate::world::in_every_mode;

const THREADS: u64 = 16;

fn on_threads<T: Send>(count: u64, body: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let body = &body;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|n| scope.spawn(move || body(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn assert_healthy(db: &Database) {
    let report = db.snapshot().unwrap().check().unwrap();
    assert!(report.is_healthy(), "{report:#?}");
}

/// The values of all documents, each with its owner; that none has two is asserted.
fn owners(db: &Database) -> BTreeMap<i64, String> {
    let mut owners = BTreeMap::new();
    for document in db.documents("users").find(object! {}).documents().unwrap() {
        let fields = document.fields().unwrap();
        let Some(value) = fields.get("value").and_then(|value| value.as_i64()) else { continue };
        let other = owners.insert(value, document.id().to_string());
        assert!(other.is_none(), "{value} is that of {other:?} and {}", document.id());
    }
    owners
}

#[test]
fn of_the_inserts_of_one_value_one_wins() {
    in_every_mode(|home| {
        const VALUES: i64 = 40;
        let db = home.db();
        db.documents("users").create_index(IndexSpec::on("value").unique()).unwrap();
        let users = db.documents("users");
        let wins = on_threads(THREADS, |me| {
            let mut wins = Vec::new();
            for value in 0..VALUES {
                let id = format!("{me}.{value}");
                match users.insert(&id, object! { "value": value }) {
                    Ok(_) => wins.push(value),
                    Err(Error::Duplicate { id: refused, other, .. }) => {
                        assert_eq!(refused.to_string(), id);
                        assert!(other.to_string().ends_with(&format!(".{value}")));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            wins
        });
        let mut wins: Vec<_> = wins.into_iter().flatten().collect();
        wins.sort_unstable();
        assert!(wins.iter().copied().eq(0..VALUES), "{wins:?}");
        assert_eq!(owners(db).len(), VALUES as usize);
        assert_healthy(db);
    });
}

#[test]
fn of_the_updates_towards_one_value_one_wins() {
    in_every_mode(|home| {
        const ROUNDS: i64 = 15;
        let db = home.db();
        let keys = Sort::new().ascending("group").descending("value");
        db.documents("users").create_index(IndexSpec::new(keys).unique()).unwrap();
        let users = db.documents("users");
        for me in 0..THREADS {
            let own = -1 - me as i64;
            users.insert(me.to_string(), object! { "group": "a", "value": own }).unwrap();
        }
        let barrier = Barrier::new(THREADS as usize);
        let wins: Vec<AtomicU64> = (0..ROUNDS).map(|_| AtomicU64::new(0)).collect();
        on_threads(THREADS, |me| {
            for round in 0..ROUNDS {
                barrier.wait();
                // All ways to write lead to the same value.
                let id = me.to_string();
                let fields = object! { "group": "a", "value": round };
                let result = match me % 4 {
                    0 => users.update(&id, fields).map(drop),
                    1 => users.replace(&id, fields).map(drop),
                    2 => users
                        .find_and_modify(object! { "_id": id.clone() })
                        .update(fields)
                        .map(drop),
                    _ => db.transaction(|txn| txn.upsert("users", &id, fields.clone())),
                };
                match result {
                    Ok(()) => drop(wins[round as usize].fetch_add(1, Ordering::SeqCst)),
                    Err(Error::Duplicate { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let wins: Vec<_> = wins.iter().map(|wins| wins.load(Ordering::SeqCst)).collect();
        // A winner releases its value when it goes on to the next, so another thread may win it later. Only
        // the last value is not released.
        assert!(wins.iter().all(|wins| *wins >= 1), "{wins:?}");
        let owners = owners(db);
        assert_eq!(owners.len(), THREADS as usize);
        assert!(owners.contains_key(&(ROUNDS - 1)));
        assert_healthy(db);
    });
}

#[test]
fn unique_holds_while_the_index_is_built() {
    in_every_mode(|home| {
        const OLD: i64 = 1_500;
        let db = home.db();
        let users = db.documents("users");
        let old = (0..OLD).map(|n| (format!("old{n:05}"), object! { "value": n }));
        users.insert_many(old).unwrap();
        let is_ready = AtomicBool::new(false);
        thread::scope(|scope| {
            for me in 0..THREADS {
                let (users, is_ready) = (&users, &is_ready);
                scope.spawn(move || {
                    for round in 0_i64.. {
                        if is_ready.load(Ordering::SeqCst) {
                            break;
                        }
                        // Values that are new, each tried for by every thread; a document from before
                        // moves to a value beyond all, and back.
                        let value = OLD + round;
                        let insert =
                            users.insert(format!("new{me}.{round}"), object! { "value": value });
                        let id = format!("old{:05}", (me as i64 * 97 + round) % OLD);
                        let there = users.update(&id, object! { "value": -1 - me as i64 });
                        let home = id[3..].parse::<i64>().unwrap();
                        let back = users.update(&id, object! { "value": home });
                        for result in [insert, there, back] {
                            match result {
                                Ok(_) | Err(Error::Duplicate { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                });
            }
            let built = db.documents("users").create_index(IndexSpec::on("value").unique());
            is_ready.store(true, Ordering::SeqCst);
            // Before the index came, two may have written the same.
            if let Err(error) = built {
                assert!(matches!(error, Error::IndexFailed { .. }), "{error}");
                return;
            }
            let indexes = db.documents("users").indexes().unwrap();
            assert_eq!(indexes[0].state, IndexBuild::Ready);
        });
        if !db.documents("users").indexes().unwrap().is_empty() {
            owners(db);
        }
        assert_healthy(db);
        db.maintain().unwrap();
        assert_healthy(db);
    });
}

#[test]
fn a_unique_index_that_cannot_be_built_leaves_nothing_behind() {
    in_every_mode(|home| {
        let db = home.db();
        let users = db.documents("users");
        let many = (0..1_200_i64).map(|n| (format!("{n:05}"), object! { "value": n }));
        users.insert_many(many).unwrap();
        users.update("01100", object! { "value": 7 }).unwrap();
        let before = db.snapshot().unwrap();
        let error =
            db.documents("users").create_index(IndexSpec::on("value").unique()).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::IndexFailed { .. }), "{error}");
        assert!(text.contains("\"00007\"") && text.contains("\"01100\""), "{text}");
        assert!(db.documents("users").indexes().unwrap().is_empty());
        assert_healthy(db);
        db.maintain().unwrap();
        assert_healthy(db);
        // Writes that the index would have refused go on.
        users.insert("again", object! { "value": 7 }).unwrap();
        users.delete("again").unwrap();
        users.update("01100", object! { "value": 1_100 }).unwrap();
        db.documents("users").create_index(IndexSpec::on("value").unique()).unwrap();
        assert!(matches!(
            users.insert("again", object! { "value": 7 }),
            Err(Error::Duplicate { .. })
        ));
        assert_eq!(before.find("users", object! { "value": 7 }).count().unwrap(), 2);
        assert_healthy(db);
    });
}

#[test]
fn an_index_is_built_while_others_write_and_delete() {
    in_every_mode(|home| {
        let db = home.db();
        let docs = db.documents("docs");
        let many = (0..2_000_i64).map(|n| (format!("{n:05}"), object! { "n": n, "tags": [n % 7] }));
        docs.insert_many(many).unwrap();
        let is_ready = AtomicBool::new(false);
        thread::scope(|scope| {
            for me in 0..8_i64 {
                let (docs, is_ready) = (&docs, &is_ready);
                scope.spawn(move || {
                    for round in 0_i64.. {
                        if is_ready.load(Ordering::SeqCst) {
                            break;
                        }
                        let id = format!("{:05}", (me * 251 + round * 17) % 2_200);
                        let tags = vec![round % 5, me, round % 3];
                        let fields = object! { "n": round, "tags": tags };
                        match round % 5 {
                            0 => drop(docs.delete(&id).unwrap()),
                            1 => drop(docs.upsert(&id, object! { "n": me })),
                            _ => drop(docs.upsert(&id, fields).unwrap()),
                        }
                    }
                });
            }
            db.documents("docs").create_index(IndexSpec::on("tags")).unwrap();
            let keys = Sort::new().descending("n").ascending("tags");
            db.documents("docs").create_index(IndexSpec::new(keys).sparse()).unwrap();
            let partial = IndexSpec::on("n").named("few").partial(object! { "n": { "$lt": 20 } });
            db.documents("docs").create_index(partial).unwrap();
            is_ready.store(true, Ordering::SeqCst);
        });
        assert_healthy(db);
        for tag in 0..7 {
            let filter = object! { "tags": tag };
            let found = docs.find(filter.clone()).count().unwrap();
            let scanned = docs.iter().unwrap().filter(|document| {
                let fields = document.as_ref().unwrap().fields().unwrap();
                velocitydb::Filter::from(filter.clone()).matches_object(&fields)
            });
            assert_eq!(found, scanned.count() as u64, "{tag}");
        }
    });
}

/// A document that was refused by its second index left its entry in the first one for the rest of
/// the batch, where another one of the same values met an entry without its document, and said that
/// the data were corrupt.
#[test]
fn a_refused_document_leaves_no_entries_for_the_rest_of_its_batch() {
    let db = velocitydb::open_in_memory().unwrap();
    db.documents("users").create_index(IndexSpec::on("a").unique()).unwrap();
    db.documents("users").create_index(IndexSpec::on("b").unique()).unwrap();
    let users = db.documents("users");
    users.insert("first", object! { "a": 1, "b": 1 }).unwrap();
    let mut batch = velocitydb::WriteBatch::new();
    batch.insert("users", "second", object! { "a": 2, "b": 1 }).unwrap();
    batch.insert("users", "third", object! { "a": 2, "b": 3 }).unwrap();
    let result = db.write_for_outcomes(batch, velocitydb::Consistency::Strong, None).unwrap();
    assert!(!result.is_applied);
    assert!(matches!(result.outcomes[0], velocitydb::Outcome::Refused(_)));
    assert!(matches!(result.outcomes[1], velocitydb::Outcome::Abandoned));
}
