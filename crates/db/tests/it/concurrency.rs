//! Many threads at the same documents. Nothing here depends on time; every promise is one that
//! holds in any interleaving.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use velocitydb::{
    Consistency, Database, Document, Error, RequestId, Sort, Update, WriteBatch, object,
};

use crate::world::in_every_mode;

const THREADS: u64 = 4;

fn int(document: &Document, field: &str) -> i64 {
    document.field(field).unwrap().unwrap().as_i64().unwrap().unwrap()
}

/// Runs `body` on every thread with its number, and returns what they return.
fn on_threads<T: Send>(body: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let body = &body;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || body(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn of_the_swaps_of_one_version_one_wins() {
    in_every_mode(|home| {
        const SWAPS: u64 = 200;
        let docs = home.db().documents("docs");
        docs.insert("one", object! { "by": -1 }).unwrap();
        let won = Mutex::new(Vec::new());
        on_threads(|me| {
            loop {
                let version = docs.get("one").unwrap().unwrap().version();
                if version > SWAPS {
                    return;
                }
                let swap = docs.compare_and_swap("one").version(version);
                let swap = swap.replace(object! { "by": me, "from": version }).unwrap();
                let current = swap.current.unwrap();
                assert_eq!(swap.version, current.version());
                if swap.is_applied {
                    assert_eq!(swap.version, version + 1);
                    assert_eq!(int(&current, "from"), version as i64);
                    won.lock().unwrap().push(version);
                } else {
                    assert!(swap.version > version, "another thread was first");
                }
            }
        });
        let mut won = won.into_inner().unwrap();
        won.sort_unstable();
        assert!(won.iter().copied().eq(1..=SWAPS), "each version is won once: {won:?}");
    });
}

#[test]
fn every_job_is_claimed_once() {
    in_every_mode(|home| {
        const JOBS: u64 = 150;
        let jobs = home.db().documents("jobs");
        let waiting = || object! { "state": "waiting", "executor": null };
        jobs.insert_many((0..JOBS).map(|n| (format!("{n:04}"), waiting()))).unwrap();
        let claims = on_threads(|me| {
            let mut mine = Vec::new();
            for job in jobs.iter().unwrap() {
                let id = job.unwrap().id().clone();
                let claim = jobs.compare_and_swap(&id).field("state", "waiting");
                let claim = claim.update(object! { "state": "running", "executor": me }).unwrap();
                if claim.is_applied {
                    assert_eq!(claim.version, 2);
                    mine.push(id);
                } else {
                    let current = claim.current.unwrap();
                    assert_eq!(
                        current.field("state").unwrap().unwrap().as_str().unwrap(),
                        Some("running")
                    );
                    assert_ne!(
                        int(&current, "executor"),
                        me as i64,
                        "a thread does not lose to itself"
                    );
                }
            }
            mine
        });
        let count: usize = claims.iter().map(Vec::len).sum();
        let distinct: BTreeSet<_> = claims.iter().flatten().collect();
        assert_eq!(
            (count, distinct.len()),
            (JOBS as usize, JOBS as usize),
            "none twice, none lost"
        );
        for (me, mine) in claims.iter().enumerate() {
            for id in mine {
                let job = jobs.get(id).unwrap().unwrap();
                assert_eq!((int(&job, "executor"), job.version()), (me as i64, 2));
            }
        }
    });
}

#[test]
fn no_increment_is_lost_at_any_level() {
    in_every_mode(|home| {
        const INCREMENTS: u64 = 200;
        let docs = home.db().documents("docs");
        docs.insert("counter", object! { "n": 0 }).unwrap();
        let versions = on_threads(|me| {
            let docs = docs.at(Consistency::ALL[me as usize % 4]);
            let increment = |_| docs.update("counter", Update::new().inc("n", 1)).unwrap().version;
            (0..INCREMENTS).map(increment).collect::<Vec<_>>()
        });
        assert!(versions.iter().all(|mine| mine.is_sorted_by(|a, b| a < b)));
        let mut versions: Vec<_> = versions.into_iter().flatten().collect();
        versions.sort_unstable();
        let count = THREADS * INCREMENTS;
        assert!(versions.into_iter().eq(2..=count + 1), "no version is acknowledged twice");
        let counter = docs.get("counter").unwrap().unwrap();
        assert_eq!((int(&counter, "n"), counter.version()), (count as i64, count + 1));
    });
}

#[test]
fn of_the_tries_of_one_request_one_is_applied() {
    in_every_mode(|home| {
        const REQUESTS: u64 = 50;
        let docs = home.db().documents("docs");
        docs.insert("counter", object! { "n": 0 }).unwrap();
        let answers = on_threads(|_| {
            let try_one = |n: u64| {
                let docs = docs.request(RequestId::new(&n.to_string()).unwrap());
                let written = docs.update("counter", Update::new().inc("n", 1)).unwrap();
                (written.version, written.is_replayed)
            };
            (0..REQUESTS).map(try_one).collect::<Vec<_>>()
        });
        for n in 0..REQUESTS as usize {
            let tries: Vec<_> = answers.iter().map(|mine| mine[n]).collect();
            assert!(tries.iter().all(|(version, _)| *version == tries[0].0), "{tries:?}");
            assert_eq!(tries.iter().filter(|(_, is_replayed)| !is_replayed).count(), 1);
        }
        assert_eq!(int(&docs.get("counter").unwrap().unwrap(), "n"), REQUESTS as i64);
    });
}

#[test]
fn of_the_inserts_of_one_id_one_wins() {
    in_every_mode(|home| {
        const IDS: u64 = 100;
        let wins = on_threads(|me| {
            let docs = home.db().documents("docs");
            let mut wins = Vec::new();
            for n in 0..IDS {
                match docs.insert(n.to_string(), object! { "by": me }) {
                    Ok(written) => {
                        assert_eq!(written.version, 1);
                        wins.push((n, me));
                    }
                    Err(Error::AlreadyExists { version, .. }) => assert_eq!(version, 1),
                    Err(error) => panic!("{error}"),
                }
            }
            wins
        });
        let wins: Vec<_> = wins.into_iter().flatten().collect();
        assert_eq!(wins.len() as u64, IDS);
        let docs = home.db().documents("docs");
        assert_eq!(docs.count().unwrap(), IDS);
        for (n, me) in wins {
            assert_eq!(int(&docs.get(n.to_string()).unwrap().unwrap(), "by"), me as i64);
        }
    });
}

#[test]
fn readers_see_whole_batches_and_never_go_back() {
    in_every_mode(|home| {
        const BATCHES: i64 = 200;
        let db = home.db();
        let write = |n: i64| {
            let mut batch = WriteBatch::new();
            batch.upsert("pair", "left", object! { "n": n }).unwrap();
            batch.upsert("pair", "right", object! { "n": n }).unwrap();
            batch.upsert("other", "third", object! { "n": n }).unwrap();
            // One document comes and goes.
            match n % 2 {
                0 => batch.insert("pair", "middle", object! {}).unwrap(),
                _ => batch.delete("pair", "middle").unwrap(),
            }
            db.write(batch).unwrap();
        };
        write(0);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = (0, 0);
                    while !is_over.load(Ordering::SeqCst) {
                        last = read_pair(db, last);
                    }
                });
            }
            (1..=BATCHES).for_each(write);
            is_over.store(true, Ordering::SeqCst);
        });
        assert_eq!(db.snapshot().unwrap().index().unwrap(), BATCHES as u64 + 1);
    });
}

/// Reads the pair in all ways; `last` is what single reads and snapshots have shown before.
fn read_pair(db: &Database, last: (i64, i64)) -> (i64, i64) {
    let pair = db.documents("pair");
    let single = int(&pair.get("left").unwrap().unwrap(), "n");
    assert!(single >= last.0, "{single} after {}", last.0);
    let after = int(&pair.get("right").unwrap().unwrap(), "n");
    assert!(after >= single, "a later read shows an older batch: {after} after {single}");

    let many = pair.get_many(["left", "middle", "right"]).unwrap();
    let (left, right) = (many[0].as_ref().unwrap(), many[2].as_ref().unwrap());
    assert_eq!(int(left, "n"), int(right, "n"));
    assert_eq!(many[1].is_some(), int(left, "n") % 2 == 0);
    assert!(int(left, "n") >= after);

    let snapshot = db.snapshot().unwrap();
    let left = int(&snapshot.get("pair", "left").unwrap().unwrap(), "n");
    assert!(left >= last.1 && left >= after);
    assert_eq!(snapshot.index().unwrap(), left as u64 + 1);
    let count = snapshot.count("pair").unwrap();
    assert_eq!(count, 2 + u64::from(left % 2 == 0));
    for sort in [Sort::new().ascending("_id"), Sort::new().descending("_id")] {
        let listed = snapshot.find("pair", object! {}).sort(sort).iter().unwrap();
        assert_eq!(listed.map(Result::unwrap).collect::<Vec<_>>().len() as u64, count);
    }
    for (collection, id) in [("pair", "right"), ("other", "third")] {
        let document = snapshot.get(collection, id).unwrap().unwrap();
        assert_eq!((int(&document, "n"), document.version()), (left, left as u64 + 1));
    }
    (after, left)
}

#[test]
fn reads_and_writes_go_on_while_collections_come_and_go() {
    in_every_mode(|home| {
        const ROUNDS: u64 = 40;
        let db = home.db();
        on_threads(|me| {
            for round in 0..ROUNDS {
                let docs = db.documents("docs");
                match (round + me) % 4 {
                    0 => match db.drop_collection("docs") {
                        Ok(()) | Err(Error::NoCollection { .. }) => {}
                        Err(error) => panic!("{error}"),
                    },
                    1 => db.maintain().unwrap(),
                    _ => {
                        let id = format!("{me}.{round}");
                        docs.insert(&id, object! { "me": me }).unwrap();
                        let snapshot = db.snapshot().unwrap();
                        let count = snapshot.count("docs").unwrap();
                        assert_eq!(snapshot.iter("docs").unwrap().count() as u64, count);
                        if let Some(found) = docs.get(&id).unwrap() {
                            assert_eq!(int(&found, "me"), me as i64);
                        }
                    }
                }
            }
        });
        db.maintain().unwrap();
        let count = db.documents("docs").count().unwrap();
        assert_eq!(db.documents("docs").iter().unwrap().count() as u64, count);
    });
}
