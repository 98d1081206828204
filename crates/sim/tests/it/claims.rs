//! 64 claimants whose process is killed again and again: no job is had twice, none is lost, and
//! tokens rise. `cargo xtask crash claims MODE 1000000` is the large form.

use velocitydb::Mode;
use velocitydb_sim::claims::Campaign;
use velocitydb_sim::crash::folder::Starter;

use crate::crash::announced_seed;

fn survives(test: &str, mode: Mode) {
    let home = tempfile::tempdir().unwrap();
    let campaign = Campaign {
        starter: Starter { program: env!("CARGO_BIN_EXE_crash").into() },
        path: home.path().join("data"),
        mode,
        jobs: 300,
        seed: announced_seed(test),
        kills_max: 5,
    };
    let outcome = campaign.run().unwrap();
    println!("{outcome}");
    // That every job is finished is a finding if it is not; the answer may have gone with a process.
    assert_eq!(outcome.findings, []);
    assert!(outcome.counts.claimed >= outcome.jobs, "{outcome}");
}

#[test]
fn memory_first_gives_each_job_once() {
    survives("memory_first_gives_each_job_once", Mode::MemoryFirst);
}

#[test]
fn hybrid_gives_each_job_once() {
    survives("hybrid_gives_each_job_once", Mode::Hybrid);
}

#[test]
fn persistent_gives_each_job_once() {
    survives("persistent_gives_each_job_once", Mode::Persistent);
}
