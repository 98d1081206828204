//! Claims whose filter has the time in it.
//!
//! A broker of 20,000 jobs claimed with `{"state": "waiting", "not_before": {"$lte": now}}`. To the
//! database that was another search each time, so it remembered nothing from one claim to the next,
//! and walked over all that had been claimed and all that was not yet due: the fifth thousand of
//! claims took eight times as long as the first. What a claim examines is counted here, in every
//! mode; `apply/tests/hinted.rs` does so for every index and order.

use std::time::Duration;

use velocitydb::{Documents, Explanation, IndexSpec, Mode, Object, Sort, Value, object};

use crate::world::in_every_mode;

/// Jobs at the head that are not due.
const AHEAD: i64 = 300;

fn due(now: i64) -> Object {
    object! { "state": "waiting", "not_before": { "$lte": now } }
}

fn order() -> Sort {
    Sort::new().descending("priority").ascending("not_before")
}

fn fill(jobs: &Documents, count: i64) {
    let job = |n: i64| {
        let (priority, not_before) = if n < AHEAD { (9, 100_000 + n) } else { (n % 3, n) };
        let fields = object! { "state": "waiting", "priority": priority, "not_before": not_before };
        (format!("job{n:05}"), fields)
    };
    jobs.insert_many((0..AHEAD + count).map(job)).unwrap();
}

fn explain(jobs: &Documents, now: i64) -> Explanation {
    jobs.claim(due(now)).sort(order()).explain().unwrap()
}

#[test]
fn a_claim_costs_the_same_however_many_were_claimed_or_are_not_due() {
    in_every_mode(|home| {
        let count = match home.mode {
            Mode::MemoryOnly | Mode::MemoryFirst => 2_000,
            Mode::Hybrid => 600,
            Mode::Persistent => 200,
        };
        let db = home.db();
        let keys = Sort::new().ascending("state").descending("priority").ascending("not_before");
        db.documents("jobs").create_index(IndexSpec::new(keys)).unwrap();
        let jobs = db.documents("jobs");
        fill(&jobs, count);
        let cold = explain(&jobs, 50_000);
        assert!(cold.documents_examined > AHEAD as u64, "{cold:?}");
        assert_eq!(cold.hints[0]["begins"], "start".into());
        for n in 0..count {
            let now = 50_000 + n;
            if n % 20 == 0 {
                let explained = explain(&jobs, now);
                let examined = explained.keys_examined + explained.documents_examined;
                assert!(examined <= 4, "claim {n} examines {examined}: {explained:?}");
                let passed = explained.keys_passed;
                assert!(passed <= 20, "claim {n} passes {passed}: {explained:?}");
                assert_eq!(explained.returned, 1);
                assert_eq!(explained.hints[0]["waiting"], AHEAD.into());
                // Nothing is claimed by that.
                assert_eq!(explain(&jobs, now).returned, 1);
            }
            let claim = jobs.claim(due(now)).sort(order());
            let claimed = claim.update(object! { "state": "running" }).unwrap();
            let job = claimed.first().unwrap();
            let done = object! { "state": "done" };
            jobs.complete(job.id(), job.version(), done).unwrap();
        }
        // A query that remembers nothing walks over all that is not due, and over the entries of the
        // jobs that are done where the engine still has them.
        let query = jobs.find(due(99_999)).sort(order()).limit(1).explain().unwrap();
        let deleted = match home.mode {
            Mode::MemoryOnly | Mode::MemoryFirst => 0,
            Mode::Hybrid | Mode::Persistent => count,
        };
        assert!(query.keys_passed >= (AHEAD + deleted) as u64, "{query:?}");
        // They are found when they are due, without reading the others.
        assert_eq!(explain(&jobs, 99_999).returned, 0);
        for n in 0..AHEAD {
            let explained = explain(&jobs, 100_000 + n);
            assert_eq!(explained.returned, 1, "{n}");
            let examined = explained.keys_examined + explained.documents_examined;
            assert!(examined <= 4, "job {n} examines {examined}: {explained:?}");
            let claim = jobs.claim(due(100_000 + n)).sort(order());
            let claimed = claim.update(object! { "state": "running" }).unwrap();
            assert_eq!(claimed.documents[0].id().to_string(), format!("job{n:05}"));
        }
        assert_eq!(explain(&jobs, 200_000).returned, 0);
    });
}

/// What has been passed is found again when it changes: a job that is put forward, one that is given
/// back, one whose lease ends, and all of them when the clock goes back and forth.
#[test]
fn what_was_passed_is_found_when_it_changes() {
    in_every_mode(|home| {
        let db = home.db();
        let keys = Sort::new().ascending("state").descending("priority").ascending("not_before");
        db.documents("jobs").create_index(IndexSpec::new(keys)).unwrap();
        let jobs = db.documents("jobs");
        fill(&jobs, 3);
        let claim = |now: i64| {
            let claim = jobs.claim(due(now)).sort(order());
            let claim = claim.lease(Duration::from_secs(60), object! { "state": "waiting" });
            let claimed = claim.update(object! { "state": "running" }).unwrap();
            claimed.first().map(|job| (job.id().to_string(), job.version()))
        };
        assert_eq!(claim(50_000).unwrap().0, "job00302");
        jobs.update("job00007", object! { "not_before": 5 }).unwrap();
        let (id, version) = claim(50_001).unwrap();
        assert_eq!(id, "job00007");
        jobs.release(&id, version).unwrap();
        assert_eq!(claim(50_002).unwrap().0, "job00007");
        // By an earlier time nothing is due, by a later one it is.
        assert_eq!(claim(1), None);
        assert_eq!(claim(50_003).unwrap().0, "job00301");
        assert_eq!(claim(2), None);
        assert_eq!(claim(50_004).unwrap().0, "job00300");
        assert_eq!(claim(50_005), None);
        home.world.advance(Duration::from_secs(120));
        db.maintain().unwrap();
        let again: Vec<_> = (0..4).map(|n| claim(50_006 + n).unwrap().0).collect();
        assert_eq!(again, ["job00007", "job00302", "job00301", "job00300"]);
        assert_eq!(claim(50_010), None);
        assert_eq!(claim(100_000).unwrap().0, "job00000");
        assert_eq!(jobs.find(object! { "state": Value::from("running") }).count().unwrap(), 5);
    });
}
