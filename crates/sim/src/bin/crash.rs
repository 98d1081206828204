//! `crash`: the loop of `kill -9`, and the worker that it kills. Run it as `cargo xtask crash`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use velocitydb::Mode;
use velocitydb_sim::claims::{self, Claimants, uninterrupted};
use velocitydb_sim::content::OperationId;
use velocitydb_sim::crash::campaign::{self, Scenario};
use velocitydb_sim::crash::folder::Starter;
use velocitydb_sim::crash::worker::Journal;
use velocitydb_sim::crash::{Campaign, Worker};

const USAGE: &str = "usage: crash [--cycles N] [--mode MODE] [--seed S] [--jobs J] [--path FOLDER]
       crash claims MODE JOBS [SEED]   64 claimants take so many jobs and none twice, and are killed
                                       with kill -9 meanwhile, but for memory-only

  --cycles N     cycles in each mode; 100 if not given
  --mode MODE    memory-only, memory-first, hybrid, persistent, or power; all if not given
  --seed S       decides what is done; another one each time if not given
  --jobs J       how many data folders live at the same time; 1 if not given
  --path FOLDER  where data folders are made; the system's place if not given";

/// The most processes of claimants that are killed, so that the campaign ends.
const CLAIMS_KILLS_MAX: u32 = 500;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["worker", rest @ ..] => match worker(rest) {
            Some(worker) => worker.run(),
            None => return usage("a worker is started by the auditor only"),
        },
        ["claimants", rest @ ..] => match claimants(rest) {
            Some(claimants) => claimants.run(),
            None => return usage("claimants are started by the auditor only"),
        },
        ["claims", mode, jobs] => return claims(mode, jobs, "1"),
        ["claims", mode, jobs, seed] => return claims(mode, jobs, seed),
        ["--help" | "-h"] => println!("{USAGE}"),
        words => match campaign(words) {
            Ok(campaign) => return run(&campaign),
            Err(problem) => return usage(&problem),
        },
    }
    ExitCode::SUCCESS
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("{problem}\n\n{USAGE}");
    ExitCode::from(2)
}

fn claims(mode: &str, jobs: &str, seed: &str) -> ExitCode {
    let parsed = (campaign::mode_of(mode), jobs.parse(), seed.parse());
    let (Some(mode), Ok(jobs), Ok(seed)) = parsed else {
        return usage("claims takes a mode, a number of jobs, and a seed if one is wanted");
    };
    let found = if mode == Mode::MemoryOnly {
        claims_uninterrupted(jobs, seed)
    } else {
        claims_with_kills(mode, jobs, seed)
    };
    match found {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the outcome, and returns whether it is sound.
fn claims_uninterrupted(jobs: u64, seed: u64) -> Result<bool, Box<dyn Error>> {
    let claims = uninterrupted::run(Path::new(""), Mode::MemoryOnly, jobs, seed)?;
    println!("{claims:?}");
    println!("without a kill, of which memory-only keeps nothing");
    Ok(claims.is_sound())
}

fn claims_with_kills(mode: Mode, jobs: u64, seed: u64) -> Result<bool, Box<dyn Error>> {
    let home = tempfile::Builder::new().prefix("claims-").tempdir()?;
    let starter = Starter { program: std::env::current_exe()?.into() };
    let path = home.path().join("data");
    let campaign =
        claims::Campaign { starter, path, mode, jobs, seed, kills_max: CLAIMS_KILLS_MAX };
    let outcome = campaign.run()?;
    println!("{outcome}");
    if !outcome.findings.is_empty() {
        println!("the folder as it was left: {}", home.keep().display());
    }
    Ok(outcome.findings.is_empty())
}

fn claimants(words: &[&str]) -> Option<Claimants> {
    let [path, mode, seed, cycle, jobs, hours_ahead, unanswered @ ..] = words else {
        return None;
    };
    let claim = |word: &&str| word.parse().ok().map(OperationId);
    Some(Claimants {
        path: PathBuf::from(path),
        mode: campaign::mode_of(mode)?,
        seed: seed.parse().ok()?,
        cycle: cycle.parse().ok()?,
        jobs: jobs.parse().ok()?,
        hours_ahead: hours_ahead.parse().ok()?,
        unanswered: unanswered.iter().map(claim).collect::<Option<_>>()?,
    })
}

fn worker(words: &[&str]) -> Option<Worker> {
    let [path, mode, seed, cycle, journal] = words else { return None };
    Some(Worker {
        path: PathBuf::from(path),
        mode: campaign::mode_of(mode)?,
        seed: seed.parse().ok()?,
        cycle: cycle.parse().ok()?,
        journal: if *journal == "reported" { Journal::Reported } else { Journal::Ignored },
    })
}

fn campaign(words: &[&str]) -> Result<Campaign, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut campaign = Campaign {
        starter: Starter { program: program.into() },
        path: std::env::temp_dir(),
        scenarios: Scenario::ALL.to_vec(),
        cycles: 100,
        seed: u64::from(now.subsec_nanos()),
        jobs: 1,
    };
    for pair in words.chunks(2) {
        let &[name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let number = || value.parse::<u64>().map_err(|error| format!("{name} {value}: {error}"));
        let small = || value.parse::<u32>().map_err(|error| format!("{name} {value}: {error}"));
        match name {
            "--cycles" => campaign.cycles = small()?,
            "--seed" => campaign.seed = number()?,
            "--jobs" => campaign.jobs = small()? as usize,
            "--path" => campaign.path = PathBuf::from(value),
            "--mode" => {
                let scenario = Scenario::named(value);
                let scenario = scenario.ok_or_else(|| format!("there is no mode {value:?}"))?;
                campaign.scenarios = vec![scenario];
            }
            _ => return Err(format!("there is no option {name:?}")),
        }
    }
    Ok(campaign)
}

fn run(campaign: &Campaign) -> ExitCode {
    let started = Instant::now();
    println!("seed {}", campaign.seed);
    match campaign.run() {
        Ok(summaries) => {
            print!("{}", campaign::table(&campaign.scenarios, &summaries, started));
            let violations: u64 = summaries.iter().map(|summary| summary.violations).sum();
            if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
