//! Claims: many executors claim at the same time, each job goes to one, and a late completion is
//! refused.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use velocitydb::{Database, Error, IndexSpec, Result as DbResult, Sort, object};

use super::narrator::Narrator;
use crate::failure::Result;

const EXECUTORS: usize = 8;
const JOBS: usize = 1_000;
const PRIORITIES: usize = 10;

/// The duration of a lease that does not end during the demo.
const LEASE: Duration = Duration::from_secs(600);

/// Runs the chapter.
pub fn tell(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    narrator.chapter("Work, claimed exactly once")?;
    let waiting = IndexSpec::new(Sort::new().ascending("state").descending("priority"));
    db.documents("jobs").create_index(waiting)?;
    let jobs = db.documents("jobs");
    let job = |number: usize| {
        (format!("job{number:04}"), object! { "state": "waiting", "priority": number % PRIORITIES })
    };
    jobs.insert_many((0..JOBS).map(job))?;

    let start = &Barrier::new(EXECUTORS);
    let claimed = thread::scope(|scope| {
        let executors: Vec<_> = (0..EXECUTORS)
            .map(|number| {
                scope.spawn(move || {
                    start.wait();
                    work(db, &format!("executor{number}"))
                })
            })
            .collect();
        let join = |executor: thread::ScopedJoinHandle<'_, DbResult<Vec<String>>>| {
            executor.join().expect("an executor only returns errors")
        };
        executors.into_iter().map(join).collect::<DbResult<Vec<_>>>()
    })?;
    let all: Vec<&String> = claimed.iter().flatten().collect();
    let distinct: BTreeSet<&String> = all.iter().copied().collect();
    let what = format!("{EXECUTORS} threads claim and complete {JOBS} jobs");
    let found = format!("{} claimed, {} different ones", all.len(), distinct.len());
    narrator.check(&what, found, "1000 claimed, 1000 different ones")?;
    let done = jobs.find(object! { "state": "done", "_meta.version": 3 }).count()?;
    narrator.check("jobs that were claimed once and completed once", done, "1000")?;
    late(db, narrator)
}

/// Claims and completes jobs until there are none; returns which.
fn work(db: &Database, executor: &str) -> DbResult<Vec<String>> {
    let jobs = db.documents("jobs");
    let mut done = Vec::new();
    loop {
        let claim = jobs.claim(object! { "state": "waiting" });
        let claim = claim.sort(Sort::new().descending("priority")).claimant(executor);
        let claimed = claim.update(object! { "state": "running" })?;
        let Some(job) = claimed.first() else { return Ok(done) };
        let id = job.id().to_string();
        jobs.complete(&id, job.version(), object! { "state": "done" })?;
        done.push(id);
    }
}

/// A claimant whose job was given to another one meanwhile.
fn late(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    let jobs = db.documents("jobs");
    jobs.insert("urgent", object! { "state": "waiting" })?;
    let claim = |executor: &str| -> DbResult<u64> {
        let claim = jobs.claim(object! { "state": "waiting" }).claimant(executor);
        let claim = claim.lease(LEASE, object! { "state": "waiting" });
        let claimed = claim.update(object! { "state": "running" })?;
        Ok(claimed.first().map_or(0, velocitydb::Document::version))
    };
    let first = claim("executor1")?;
    jobs.release("urgent", first)?;
    let second = claim("executor2")?;
    let late = match jobs.complete("urgent", first, object! { "state": "done" }) {
        Ok(_) => "completed".to_owned(),
        Err(Error::VersionMismatch { expected, found, .. }) => {
            format!("refused: version {expected} is now {found}")
        }
        Err(error) => error.to_string(),
    };
    let what = "executor1 comes too late to complete a job";
    narrator.check(what, late, "refused: version 2 is now 4")?;
    let version = jobs.complete("urgent", second, object! { "state": "done" })?;
    narrator.check(
        "executor2, whose it is, completes it",
        format!("version {version}"),
        "version 5",
    )
}
