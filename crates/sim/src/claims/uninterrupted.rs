//! All jobs claimed by one process: for `memory-only`, and for measuring.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use velocitydb::{Database, DocumentId, Mode, Options, object};

use super::queue::{self, CLAIMANTS, COLLECTION};

/// The outcome.
#[derive(Debug, Clone, Copy)]
pub struct Claims {
    /// Jobs that there were.
    pub jobs: u64,
    /// Jobs that were claimed.
    pub claimed: u64,
    /// Jobs that more than one claimant got.
    pub doubled: u64,
    /// How many problems the doctor found.
    pub problems: usize,
    /// How long the claiming took.
    pub elapsed: Duration,
}

impl Claims {
    /// Whether no job was claimed twice or lost.
    pub fn is_sound(&self) -> bool {
        self.doubled == 0 && self.problems == 0 && self.claimed == self.jobs
    }
}

/// Offers `jobs` jobs in a folder that does not exist yet, and lets 64 claimants take them all.
///
/// # Errors
///
/// Those of the database.
pub fn run(path: &Path, mode: Mode, jobs: u64, seed: u64) -> velocitydb::Result<Claims> {
    let options = Options::new().mode(mode);
    let db = match mode {
        Mode::MemoryOnly => options.open_in_memory()?,
        _ => options.open(path)?,
    };
    queue::offer(&db, jobs, seed)?;
    let started = Instant::now();
    let lists = std::thread::scope(|scope| {
        let claimants: Vec<_> = (0..CLAIMANTS)
            .map(|claimant| {
                let db = &db;
                scope.spawn(move || claim_all(db, claimant))
            })
            .collect();
        let lists = claimants.into_iter().map(|one| one.join().expect("a claimant panicked"));
        lists.collect::<velocitydb::Result<Vec<_>>>()
    })?;
    let elapsed = started.elapsed();
    let (mut seen, mut doubled) = (HashSet::new(), 0);
    for id in lists.into_iter().flatten() {
        doubled += u64::from(!seen.insert(id));
    }
    let problems = db.snapshot()?.check()?.problems.len();
    Ok(Claims { jobs, claimed: seen.len() as u64, doubled, problems, elapsed })
}

fn claim_all(db: &Database, claimant: u8) -> velocitydb::Result<Vec<DocumentId>> {
    let (jobs, wanted) = (db.documents(COLLECTION), queue::wanted(claimant));
    let mut mine = Vec::new();
    loop {
        let claim = jobs.claim(wanted.clone()).sort(queue::order());
        let claim = claim.claimant(&queue::name(claimant));
        match claim.update(object! { "state": "running" })?.first() {
            Some(job) => mine.push(job.id().clone()),
            None => return Ok(mine),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_claimed_once() {
        let home = tempfile::tempdir().unwrap();
        let claims = run(&home.path().join("data"), Mode::Persistent, 500, 7).unwrap();
        assert!(claims.is_sound(), "{claims:?}");
    }
}
