//! [`Campaign`]: many cycles in every mode, and a table of their outcomes.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use velocitydb::Mode;

use super::folder::{Cycle, Error, Fault, Folder, Starter};

/// The parameters of a campaign.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// How workers are started.
    pub starter: Starter,
    /// Where data folders are created.
    pub path: PathBuf,
    /// The modes and faults.
    pub scenarios: Vec<Scenario>,
    /// How many cycles there are in each.
    pub cycles: u32,
    /// The seed of the first folder; each further one has the next.
    pub seed: u64,
    /// How many folders live at the same time.
    pub jobs: usize,
}

/// A mode, and the fault that is injected in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// The storage mode.
    pub mode: Mode,
    /// The fault.
    pub fault: Fault,
}

/// After this many cycles a new folder is used.
const CYCLES_PER_FOLDER: u32 = 50;

/// The modes by name.
const MODES: [(&str, Mode); 4] = [
    ("memory-only", Mode::MemoryOnly),
    ("memory-first", Mode::MemoryFirst),
    ("hybrid", Mode::Hybrid),
    ("persistent", Mode::Persistent),
];

/// The name of a mode.
pub fn mode_name(mode: Mode) -> &'static str {
    MODES.iter().find(|(_, one)| *one == mode).map_or("", |(name, _)| name)
}

/// The mode of a name.
pub fn mode_of(name: &str) -> Option<Mode> {
    MODES.iter().find(|(one, _)| *one == name).map(|(_, mode)| *mode)
}

impl Scenario {
    /// `kill -9` in every mode, and the loss of power in `persistent`.
    pub const ALL: [Scenario; 5] = [
        Scenario { mode: Mode::MemoryOnly, fault: Fault::Kill },
        Scenario { mode: Mode::MemoryFirst, fault: Fault::Kill },
        Scenario { mode: Mode::Hybrid, fault: Fault::Kill },
        Scenario { mode: Mode::Persistent, fault: Fault::Kill },
        Scenario { mode: Mode::Persistent, fault: Fault::Power },
    ];

    /// The scenario of a name: a mode, or `power`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.to_string() == name)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Kill => f.pad(mode_name(self.mode)),
            Fault::Power => f.pad("power"),
        }
    }
}

/// The outcome of one scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Cycles.
    pub cycles: u64,
    /// Workers that died before they had opened the database.
    pub early: u64,
    /// Journals that were damaged.
    pub damaged: u64,
    /// Operations that were acknowledged.
    pub acknowledged: u64,
    /// Operations that were in flight when a worker died.
    pub in_flight: u64,
    /// Acknowledged operations that were lost, as the mode and the level allow.
    pub lost: u64,
    /// The longest time between the acknowledgement of the first of those and the
    /// end.
    pub lost_age_max: Duration,
    /// Documents that were recovered.
    pub documents: u64,
    /// Promises that were not kept.
    pub violations: u64,
}

impl Summary {
    fn add(&mut self, cycle: &Cycle) {
        self.cycles += 1;
        self.early += u64::from(cycle.is_early);
        self.damaged += u64::from(cycle.damage.is_some());
        self.acknowledged += cycle.acknowledged;
        self.in_flight += cycle.in_flight;
        self.lost += cycle.audit.lost;
        self.lost_age_max = self.lost_age_max.max(cycle.audit.lost_age);
        self.documents += cycle.audit.documents;
        self.violations += cycle.violations().len() as u64;
    }
}

/// One folder's share of a campaign.
struct Share {
    scenario: usize,
    seed: u64,
    cycles: u32,
}

impl Campaign {
    /// Runs all cycles; violations are printed as they are found, with how to replay them. Returns
    /// a summary for each scenario.
    ///
    /// # Errors
    ///
    /// When a worker cannot be started or a folder cannot be created.
    pub fn run(&self) -> io::Result<Vec<Summary>> {
        let shares = self.shares();
        let next = AtomicUsize::new(0);
        let summaries = Mutex::new(vec![Summary::default(); self.scenarios.len()]);
        let results: Vec<io::Result<()>> = std::thread::scope(|scope| {
            let job = || {
                while let Some(share) = shares.get(next.fetch_add(1, Ordering::Relaxed)) {
                    self.run_share(share, &summaries)?;
                }
                Ok(())
            };
            let jobs: Vec<_> = (0..self.jobs.max(1)).map(|_| scope.spawn(job)).collect();
            jobs.into_iter()
                .map(|job| job.join().unwrap_or_else(|_| Err(io::Error::other("a job panicked"))))
                .collect()
        });
        results.into_iter().collect::<io::Result<()>>()?;
        Ok(summaries.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    fn shares(&self) -> Vec<Share> {
        let mut shares = Vec::new();
        for scenario in 0..self.scenarios.len() {
            for (number, start) in (0..self.cycles).step_by(CYCLES_PER_FOLDER as usize).enumerate()
            {
                let cycles = CYCLES_PER_FOLDER.min(self.cycles - start);
                shares.push(Share { scenario, seed: self.seed + number as u64, cycles });
            }
        }
        shares
    }

    fn run_share(&self, share: &Share, summaries: &Mutex<Vec<Summary>>) -> io::Result<()> {
        let scenario = self.scenarios[share.scenario];
        let Scenario { mode, fault } = scenario;
        let home = tempfile::Builder::new().prefix("crash-").tempdir_in(&self.path)?;
        let mut folder = Folder::new(home.path().join("data"), mode, fault, share.seed);
        let add = |change: &dyn Fn(&mut Summary)| {
            let mut summaries = summaries.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            change(&mut summaries[share.scenario]);
        };
        while folder.cycles() < share.cycles {
            let problems = match folder.cycle(&self.starter) {
                Ok(cycle) => {
                    add(&|summary| summary.add(&cycle));
                    let damage = cycle.damage.iter().map(|damage| format!("damage: {damage}"));
                    let problems = cycle.violations().iter().map(ToString::to_string);
                    match cycle.violations() {
                        [] => continue,
                        _ => problems.chain(damage).collect(),
                    }
                }
                Err(Error::Worker(error)) => return Err(error),
                Err(error) => {
                    add(&|summary| {
                        summary.cycles += 1;
                        summary.violations += 1;
                    });
                    vec![error.to_string()]
                }
            };
            self.complain(share, &folder, &problems);
            let _ = home.keep();
            return Ok(());
        }
        println!("{scenario}: {} cycles from seed {}, clean", share.cycles, share.seed);
        Ok(())
    }

    fn complain(&self, share: &Share, folder: &Folder, problems: &[String]) {
        let (scenario, seed) = (self.scenarios[share.scenario], share.seed);
        let cycles = folder.cycles();
        println!("{scenario}, folder with seed {seed}, cycle {cycles}: {}", problems.join("\n  "));
        println!("  replay: cargo xtask crash --mode {scenario} --seed {seed} --cycles {cycles}");
        println!("  the folder as the audit left it: {}", folder.path().display());
    }
}

/// A table of summaries, with the time that they took.
pub fn table(scenarios: &[Scenario], summaries: &[Summary], started: Instant) -> String {
    let mut table = format!(
        "{:<13}{:>8}{:>7}{:>9}{:>14}{:>11}{:>10}{:>11}{:>14}{:>12}\n",
        "scenario",
        "cycles",
        "early",
        "damaged",
        "acknowledged",
        "in flight",
        "lost",
        "lost since",
        "recovered",
        "violations"
    );
    for (scenario, summary) in scenarios.iter().zip(summaries) {
        table.push_str(&format!(
            "{scenario:<13}{:>8}{:>7}{:>9}{:>14}{:>11}{:>10}{:>8} ms{:>14}{:>12}\n",
            summary.cycles,
            summary.early,
            summary.damaged,
            summary.acknowledged,
            summary.in_flight,
            summary.lost,
            summary.lost_age_max.as_millis(),
            summary.documents,
            summary.violations
        ));
    }
    table.push_str(&format!("in {} s\n", started.elapsed().as_secs()));
    table
}
