//! `oracle`: compares VelocityDB and mingo on the same random queries. Run it as `cargo xtask
//! oracle`, which installs mingo first.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use velocitydb::Mode;
use velocitydb_sim::oracle::evaluate::{Core, Embedded, Evaluator, Indexes, Paged};
use velocitydb_sim::oracle::known_differences::listing;
use velocitydb_sim::oracle::planted::{BUGS, Bug, Planted};
use velocitydb_sim::oracle::report::report;
use velocitydb_sim::oracle::{Campaign, Kind};

const USAGE: &str = "usage: oracle --driver FOLDER [--comparisons N] [--seed S] [--kind KIND]
              [--batch N] [--mismatches N] [--evaluator WORDS] [--plant BUG|all] [--known]

  --driver FOLDER   where driver.mjs and mingo are
  --comparisons N   how many comparisons; 20000 if not given
  --seed S          decides documents and queries; another one each time if not given
  --kind KIND       filter, sort, projection, update, pipeline or value; all if not given
  --batch N         only the batch with this number, of the kind
  --mismatches N    ends after so many; 5 if not given
  --evaluator WORDS only those whose name has the words in it; all if not given
  --plant BUG       answers wrongly on purpose, and succeeds if that is noticed; `all` plants one
                    after the other
  --known           prints the known differences, and asks nothing";

/// The parsed arguments.
struct Arguments {
    campaign: Campaign,
    bugs: Vec<Bug>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if words.iter().any(|word| word == "--known") {
        print!("{}", listing());
        return ExitCode::SUCCESS;
    }
    match arguments(&words) {
        Ok(Arguments { campaign, bugs }) if bugs.is_empty() => run(campaign),
        Ok(Arguments { campaign, bugs }) => plant(campaign, &bugs),
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn arguments(words: &[String]) -> Result<Arguments, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut bugs = Vec::new();
    let mut campaign = Campaign {
        folder: PathBuf::new(),
        comparisons: 20_000,
        seed: u64::from(now.subsec_nanos()),
        kind: None,
        batch: None,
        mismatches_max: 5,
        evaluators: evaluators()?,
    };
    for pair in words.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let number = || value.parse::<u64>().map_err(|error| format!("{name} {value}: {error}"));
        match name.as_str() {
            "--driver" => campaign.folder = PathBuf::from(value),
            "--comparisons" => campaign.comparisons = number()?,
            "--seed" => campaign.seed = number()?,
            "--batch" => campaign.batch = Some(number()?),
            "--mismatches" => campaign.mismatches_max = number()?.max(1) as usize,
            "--kind" => {
                let kind =
                    Kind::named(value).ok_or_else(|| format!("there is no kind {value:?}"))?;
                campaign.kind = Some(kind);
            }
            "--evaluator" => campaign.evaluators.retain(|it| it.name().contains(value.as_str())),
            "--plant" if value == "all" => bugs = BUGS.to_vec(),
            "--plant" => {
                let bug = Bug::named(value).ok_or_else(|| format!("there is no bug {value:?}"))?;
                bugs.push(bug);
            }
            _ => return Err(format!("there is no option {name:?}")),
        }
    }
    if campaign.evaluators.is_empty() {
        return Err("no evaluator has such a name".to_owned());
    }
    match campaign.folder.join("driver.mjs").is_file() {
        true => Ok(Arguments { campaign, bugs }),
        false => Err("--driver has to name the folder of driver.mjs".to_owned()),
    }
}

/// All evaluators, the simplest first.
fn evaluators() -> Result<Vec<Box<dyn Evaluator>>, String> {
    let mut evaluators: Vec<Box<dyn Evaluator>> = vec![Box::new(Core::default())];
    for (mode, indexes) in [
        (Mode::MemoryOnly, Indexes::Without),
        (Mode::MemoryOnly, Indexes::Random),
        (Mode::MemoryOnly, Indexes::AmongMany),
        (Mode::MemoryFirst, Indexes::Random),
        (Mode::Hybrid, Indexes::Random),
        (Mode::Persistent, Indexes::Random),
    ] {
        let embedded = Embedded::open(mode, indexes);
        evaluators.push(Box::new(embedded.map_err(|error| format!("{mode:?}: {error}"))?));
    }
    let embedded = Embedded::open(Mode::MemoryOnly, Indexes::Random);
    let paged = Paged(embedded.map_err(|error| format!("in pages: {error}"))?);
    evaluators.push(Box::new(paged));
    Ok(evaluators)
}

fn run(mut campaign: Campaign) -> ExitCode {
    println!("seed {}\n", campaign.seed);
    match campaign.run() {
        Ok(findings) => {
            print!("{}", report(&campaign, &findings));
            let is_fine = findings.mismatches.is_empty() && findings.examples.is_empty();
            if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a short campaign with each bug; every one has to be detected.
fn plant(campaign: Campaign, bugs: &[Bug]) -> ExitCode {
    println!("seed {}\n", campaign.seed);
    let mut missed = 0;
    for bug in bugs {
        let evaluator = Planted { evaluator: Box::new(Core::default()), bug: *bug };
        let mut campaign = Campaign {
            folder: campaign.folder.clone(),
            comparisons: bug.comparisons,
            mismatches_max: 1,
            evaluators: vec![Box::new(evaluator)],
            ..campaign
        };
        match campaign.run() {
            Ok(findings) => {
                let count: u64 = findings.kinds.values().map(|tally| tally.comparisons).sum();
                let caught = !findings.mismatches.is_empty();
                missed += usize::from(!caught);
                let word = if caught { "caught" } else { "MISSED" };
                println!("{word} {:<24} after {count} comparisons", bug.name);
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
