//! More is due than one step of maintenance does: between its steps, readers do not see what is left.
//! After each step readers and claims were told that nothing had been due before it, so they found expired
//! documents again, and missed jobs whose leases had expired.

use std::collections::BTreeSet;
use std::time::Duration;

use velocitydb::{Database, Existing, Filter, IndexSpec, Sort, Update, object};

use velocitydb::schema::Schema;

use crate::world::{Home, in_every_mode};

/// How much one step does.
const STEP: u32 = 20;

/// The ids in a collection, by every kind of read; all find the same.
fn ids(db: &Database) -> BTreeSet<String> {
    let documents = db.documents("documents");
    let listed: Vec<_> = documents.iter().unwrap().map(|one| one.unwrap()).collect();
    let filter = || Filter::from(object! { "number": { "$gte": 0 } });
    let found = documents.find(filter()).documents().unwrap();
    let listed = listed.iter().map(|one| one.id().to_string()).collect::<BTreeSet<_>>();
    let found = found.iter().map(|one| one.id().to_string()).collect::<BTreeSet<_>>();
    assert_eq!(listed, found);
    let count = listed.len() as u64;
    let by_expiry = Filter::from(object! { "_meta.expires": { "$exists": true } });
    assert_eq!(documents.count().unwrap(), count);
    assert_eq!(documents.find(filter()).count().unwrap(), count);
    assert_eq!(documents.find(by_expiry).count().unwrap(), 0);
    assert_eq!(db.collections().unwrap()[0].count, count);
    listed
}

#[test]
fn no_read_finds_what_has_expired_between_the_steps_of_maintenance() {
    in_every_mode(|home| {
        home.set_maintenance_step(STEP);
        let documents = home.db().documents("documents");
        for seconds in [1, 2, 3] {
            let short = documents.clone().time_to_live(Duration::from_secs(seconds));
            let all = (0..2 * i64::from(STEP))
                .map(|number| (format!("{seconds}-{number:03}"), object! { "number": number }));
            short.insert_many(all).unwrap();
        }
        documents.insert("stays", object! { "number": 1 }).unwrap();
        let keys = Sort::new().ascending("number");
        home.db().documents("documents").create_index(IndexSpec::new(keys)).unwrap();
        drop(documents);
        home.world.advance(Duration::from_secs(10));
        let mut steps = 0;
        loop {
            assert_eq!(ids(home.db()), BTreeSet::from(["stays".to_owned()]), "after {steps} steps");
            // Expired documents do not block writes either.
            let rule = object! { "properties": { "number": { "maximum": 1, "minimum": -steps } } };
            let schema = Schema::from_object(&rule).unwrap();
            home.db().documents("documents").set_schema(&schema, Existing::Check).unwrap();
            if steps == 4 {
                home.reopen();
            }
            if !home.db().maintain_step().unwrap() {
                break;
            }
            steps += 1;
        }
        assert!(steps >= 6, "{steps} steps");
    });
}

/// A queue whose jobs were all claimed, under expired leases.
fn fill(home: &Home, queue: &str, count: i64) {
    let jobs = home.db().documents(queue);
    let job = |n: i64| (format!("{n:04}"), object! { "state": "waiting", "priority": n });
    jobs.insert_many((0..count).map(job)).unwrap();
    for _ in 0..count.div_euclid(1_000) + 1 {
        let claim = jobs.claim(object! { "state": "waiting" }).limit(1_000);
        let claim = claim.lease(Duration::from_secs(1), object! { "state": "waiting" });
        claim.update(Update::new().set("state", "running")).unwrap();
    }
}

#[test]
fn claims_find_what_is_released_between_the_steps_of_maintenance() {
    in_every_mode(|home| {
        home.set_maintenance_step(STEP);
        let few = 2 * i64::from(STEP);
        // More leases than a claim ends by itself are over in the last.
        for queues in [&[("a", few), ("b", few), ("c", few)][..], &[("many", 1_200)]] {
            for (queue, count) in queues {
                fill(home, queue, *count);
            }
            home.world.advance(Duration::from_secs(10));
            for (queue, count) in queues {
                assert!(home.db().maintain_step().unwrap());
                let jobs = home.db().documents(queue);
                for at in 1..=3 {
                    let claim = jobs.claim(object! { "state": "waiting" });
                    let claim = claim.sort(Sort::new().descending("priority"));
                    let claimed = claim.update(object! { "state": "done" }).unwrap();
                    let priority = claimed.first().unwrap().fields().unwrap()["priority"].clone();
                    assert_eq!(priority, (count - at).into(), "{queue}");
                }
            }
        }
    });
}
