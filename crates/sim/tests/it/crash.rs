//! A few cycles of `kill -9` in every mode, and proof that the audit would notice a loss.

use std::fs;
use std::path::Path;

use velocitydb::Mode;
use velocitydb_sim::crash::campaign::Scenario;
use velocitydb_sim::crash::folder::{Error, Fault, Folder, Starter};
use velocitydb_sim::crash::{Campaign, Summary};

fn starter() -> Starter {
    Starter { program: env!("CARGO_BIN_EXE_crash").into() }
}

/// A seed that is new each time, or that of `VELOCITYDB_SEED`.
pub fn announced_seed(test: &str) -> u64 {
    use std::hash::BuildHasher;
    let given = std::env::var("VELOCITYDB_SEED").ok().and_then(|seed| seed.parse().ok());
    let random = || std::hash::RandomState::new().hash_one(test) >> 32;
    let seed = given.unwrap_or_else(random);
    println!("{test}: replay with VELOCITYDB_SEED={seed} cargo test -p velocitydb-sim {test}");
    seed
}

fn survives(test: &str, name: &str) -> Summary {
    let home = tempfile::tempdir().unwrap();
    let campaign = Campaign {
        starter: starter(),
        path: home.path().to_owned(),
        scenarios: vec![Scenario::named(name).unwrap()],
        cycles: 5,
        seed: announced_seed(test),
        jobs: 1,
    };
    let summary = campaign.run().unwrap().remove(0);
    assert_eq!((summary.cycles, summary.violations), (5, 0), "{summary:?}");
    summary
}

#[test]
fn memory_only_survives_kill_empty() {
    let summary = survives("memory_only_survives_kill_empty", "memory-only");
    assert_eq!(summary.documents, 0);
}

#[test]
fn memory_first_survives_kill() {
    survives("memory_first_survives_kill", "memory-first");
}

#[test]
fn hybrid_survives_kill() {
    survives("hybrid_survives_kill", "hybrid");
}

#[test]
fn persistent_survives_kill() {
    survives("persistent_survives_kill", "persistent");
}

#[test]
fn persistent_survives_the_loss_of_power() {
    survives("persistent_survives_the_loss_of_power", "power");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A planted bug from end to end: the folder goes back to what it was some cycles ago, as if nothing
/// had been written since. The next audit must say so.
#[test]
fn a_folder_that_goes_back_in_time_is_noticed() {
    let seed = announced_seed("a_folder_that_goes_back_in_time_is_noticed");
    let home = tempfile::tempdir().unwrap();
    let (data, old) = (home.path().join("data"), home.path().join("old"));
    let mut folder = Folder::new(data.clone(), Mode::Hybrid, Fault::Kill, seed);
    let mut acknowledged = 0;
    while acknowledged < 100 || !data.exists() {
        acknowledged += folder.cycle(&starter()).unwrap().acknowledged;
    }
    copy(&data, &old);
    acknowledged = 0;
    while acknowledged < 100 {
        let cycle = folder.cycle(&starter()).unwrap();
        assert_eq!(cycle.violations(), []);
        acknowledged += cycle.acknowledged;
    }
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&old, &data).unwrap();
    match folder.cycle(&starter()) {
        Ok(cycle) => assert_ne!(cycle.violations(), []),
        Err(Error::Folder { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}
