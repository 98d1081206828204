//! Many claimants at one queue, as large as is wanted: every job goes to exactly one of them.
//!
//! The small form of this is a test of `velocitydb`; here there are a million jobs.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use velocitydb::{Database, Filter, IndexSpec, Mode, Options, Sort, field, object};

use crate::Random;

/// How many claim at the same time.
pub const CLAIMANTS: u64 = 64;

const INSERTED: u64 = 5_000;
const RESOURCES: [&str; 6] = ["nodes", "cpu", "processes", "memory", "storage", "gpu"];

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Claims {
    /// Jobs that there were.
    pub jobs: u64,
    /// Jobs that were claimed.
    pub claimed: u64,
    /// Jobs that more than one claimant got.
    pub doubled: u64,
    /// What the doctor complains of.
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
    offer(&db, jobs, &mut Random::new(seed))?;
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

fn offer(db: &Database, jobs: u64, random: &mut Random) -> velocitydb::Result<()> {
    let keys = Sort::new().ascending("colony").ascending("type").ascending("state");
    db.create_index("jobs", IndexSpec::new(keys.ascending("prioritytime")).named("queue"))?;
    let mut job = |n: u64| {
        let mut fields = object! {
            "colony": "colony", "type": random.within(0..4), "state": "waiting",
            "prioritytime": random.within(0..1_000_000), "names": []
        };
        RESOURCES.iter().for_each(|name| drop(fields.insert(*name, random.within(0..9))));
        (format!("{n:08}"), fields)
    };
    for start in (0..jobs).step_by(INSERTED as usize) {
        let part: Vec<_> = (start..jobs.min(start + INSERTED)).map(&mut job).collect();
        db.documents("jobs").insert_many(part)?;
    }
    Ok(())
}

fn claim_all(db: &Database, claimant: u64) -> velocitydb::Result<Vec<String>> {
    let base = field("colony").eq("colony").and(field("type").eq(claimant % 4));
    let base = base.and(field("state").eq("waiting"));
    let bounded = RESOURCES.iter().fold(base, |filter, name| filter.and(field(name).lte(8)));
    let name = format!("executor{claimant}");
    let named = field("names").eq(name.as_str()).or(field("names").has_size(0));
    let filter: Filter = bounded.and(named);
    let jobs = db.documents("jobs");
    let mut mine = Vec::new();
    loop {
        let claim = jobs.claim(filter.clone()).sort(Sort::new().ascending("prioritytime"));
        let claimed = claim.claimant(&name).update(object! { "state": "running" })?;
        match claimed.first() {
            Some(job) => mine.push(job.id().to_string()),
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
