//! A queue of jobs: each is claimed by one worker, whose lease is renewed while it works. A job that
//! fails is tried again later, and given up after some attempts.
//!
//! `cargo run -p velocitydb --example job_queue`

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use velocitydb::{Collection, IndexSpec, Release, Result, Sort, Update, object};

const JOBS: u32 = 20;
const WORKERS: usize = 4;
const ATTEMPTS_MAX: u32 = 3;
const LEASE: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize, Deserialize)]
struct Job {
    state: String,
    priority: u32,
    attempts: u32,
}

/// Runs the example, and checks what comes of it.
pub fn main() -> Result<()> {
    let db = velocitydb::open_in_memory()?;
    let jobs = db.collection::<Job>("jobs");
    jobs.create_index(IndexSpec::new(Sort::new().ascending("state").descending("priority")))?;
    for priority in 0..JOBS {
        jobs.insert_new(&Job { state: "waiting".to_owned(), priority, attempts: 0 })?;
    }

    let done = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                scope.spawn({
                    let jobs = jobs.clone();
                    move || work(&jobs, &format!("worker {number}"))
                })
            })
            .collect();
        let results = workers.into_iter().map(|one| one.join().expect("a worker does not panic"));
        results.sum::<Result<u32>>()
    })?;

    // The job whose number nobody likes was tried three times, and given up.
    let dead = jobs.find(object! { "state": "dead" }).documents()?;
    println!("{done} jobs are done, and {} was given up", dead.len());
    assert_eq!((done, dead.len(), dead[0].value.attempts), (JOBS - 1, 1, ATTEMPTS_MAX));
    assert_eq!(jobs.find(object! { "state": "done" }).count()?, u64::from(JOBS) - 1);
    Ok(())
}

/// Works until there is nothing to do. Returns how many jobs are done.
fn work(jobs: &Collection<Job>, name: &str) -> Result<u32> {
    let mut done = 0;
    loop {
        // What becomes of a job whose worker does not live to complete it, or gives it back.
        let again = Release::when(
            object! { "attempts": { "$lt": ATTEMPTS_MAX } },
            object! { "state": "waiting" },
        );
        let claim = jobs.claim(object! { "state": "waiting" }).due();
        let claim = claim.sort(Sort::new().descending("priority")).claimant(name);
        let claim = claim.lease(LEASE, again.or(object! { "state": "dead" }));
        let claimed = claim.hold(Update::new().set("state", "running").inc("attempts", 1))?;
        let Some(job) = claimed.documents.into_iter().next() else { return Ok(done) };
        match job.document().value.priority {
            // An effect outside of the database comes after a look: the lease may have been lost.
            13 => drop(job.retry(velocitydb::now(), "13 is unlucky")?),
            priority if job.is_held() => {
                job.complete(object! { "state": "done", "result": priority * priority })?;
                done += 1;
            }
            _ => println!("{name} has lost {}", job.id()),
        }
    }
}
