//! The data of the suite `claims`: jobs like the processes of ColonyOS, and their claimants.
//!
//! A job names its colony, its type of executor, and the amounts of six resources that it needs; some
//! name the executors that may claim it. Claims take the waiting job with the least priority time.

use std::ops::Range;

use serde::Serialize;
use velocitydb::{Encoded, Object};

use crate::Result;
use crate::random::Random;

/// Nanoseconds of the first job's priority time.
pub const FIRST_TIME: u64 = 1_700_000_000_000_000_000;

/// Names of executors. There are fewer than claimants, and a job that lists names lists all of them:
/// otherwise a single claimant would leave behind more and more jobs, which it then had to skip.
const NAMES: [&str; 4] = ["executor-0", "executor-1", "executor-2", "executor-3"];

/// The state of a job when it is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waiting to be claimed.
    Waiting,
    /// Finished.
    Finished,
}

impl State {
    /// The value of the field.
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Finished => "finished",
        }
    }
}

#[derive(Serialize)]
struct Fields {
    colony: &'static str,
    executortype: &'static str,
    state: &'static str,
    cpu: u64,
    memory: u64,
    storage: u64,
    gpucount: u64,
    gpumemory: u64,
    walltime: u64,
    executornames: Vec<&'static str>,
    prioritytime: u64,
    executor: &'static str,
    starttime: u64,
}

/// A job in each form that a contestant takes it in.
pub struct Job {
    /// The id, like `job-0000012345`.
    pub id: String,
    /// For VelocityDB.
    pub object: Object,
    /// For stores of text.
    pub json: String,
}

/// Jobs with the numbers from a range.
#[derive(Debug, Clone)]
pub struct Jobs {
    /// Their state.
    pub state: State,
    /// Their numbers, below ten billion.
    pub numbers: Range<u64>,
}

impl Jobs {
    /// Creates them, in batches.
    pub fn batches(self, size: u64) -> impl Iterator<Item = Result<Vec<Job>>> {
        let Range { start, end } = self.numbers;
        let starts = (start..end).step_by(size as usize);
        starts.map(move |start| {
            (start..(start + size).min(end)).map(|number| job(number, self.state)).collect()
        })
    }
}

fn job(number: u64, state: State) -> Result<Job> {
    let mut random = Random::new(number);
    let is_listed = random.below(8) == 0;
    let is_waiting = state == State::Waiting;
    let fields = Fields {
        colony: "dev",
        executortype: "simulator",
        state: state.name(),
        cpu: 500 * (1 + random.below(8)),
        memory: (1 + random.below(16)) << 30,
        storage: random.below(100) << 30,
        gpucount: random.below(3),
        gpumemory: random.below(24) << 30,
        walltime: 60 * (1 + random.below(60)),
        executornames: if is_listed { NAMES.to_vec() } else { Vec::new() },
        prioritytime: FIRST_TIME + number * 1_000_000 + random.below(50_000_000),
        executor: if is_waiting { "" } else { NAMES[random.below(NAMES.len() as u64) as usize] },
        starttime: if is_waiting { 0 } else { FIRST_TIME + number * 1_000_000 },
    };
    let encoded = Encoded::from_serialize(&fields)?;
    let json = serde_json::to_string(&fields)?;
    Ok(Job { id: format!("job-{number:010}"), object: encoded.to_object()?, json })
}

/// The number of a job's id.
pub fn number_of(id: &str) -> Result<u64> {
    let number = id.strip_prefix("job-").ok_or_else(|| format!("{id:?} is no job"))?;
    Ok(number.parse()?)
}

/// The resources of a claimant.
#[derive(Debug, Clone, Copy)]
pub struct Executor {
    /// Its name.
    pub name: &'static str,
    /// Its colony.
    pub colony: &'static str,
    /// Its type.
    pub kind: &'static str,
    /// Thousandths of a processor.
    pub cpu: i64,
    /// Bytes of memory.
    pub memory: i64,
    /// Bytes of storage.
    pub storage: i64,
    /// How many graphics processors.
    pub gpu_count: i64,
    /// Bytes of their memory.
    pub gpu_memory: i64,
    /// The seconds that a job may take.
    pub walltime: i64,
}

impl Executor {
    /// The executor of a claimant. Every job fits into it.
    pub fn of(claimant: usize) -> Self {
        Executor {
            name: NAMES[claimant % NAMES.len()],
            colony: "dev",
            kind: "simulator",
            cpu: 8_000,
            memory: 64 << 30,
            storage: 1 << 40,
            gpu_count: 4,
            gpu_memory: 80 << 30,
            walltime: 86_400,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_all_jobs_of_the_range() {
        let jobs = Jobs { state: State::Waiting, numbers: 5..28 };
        let jobs: Vec<Job> = jobs.batches(10).flat_map(|batch| batch.unwrap()).collect();
        let numbers: Vec<u64> = jobs.iter().map(|job| number_of(&job.id).unwrap()).collect();
        assert_eq!(numbers, (5..28).collect::<Vec<_>>());
        for Job { object, json, .. } in jobs {
            assert_eq!(object.len(), 13);
            assert!((230..330).contains(&json.len()), "{} bytes: {json}", json.len());
        }
    }
}
