//! Every engine in every mode keeps the contract, and so do the partitions of each.

use std::path::Path;
use std::sync::Arc;

use velocitydb_storage::Engine;
use velocitydb_storage::contract::{TestEngine, between_neighbours, checks, partition_checks, run};
use velocitydb_storage::lsm::{Lsm, LsmOptions};
use velocitydb_storage::mode::{self, Mode, Options};

type Open = fn(&Path) -> Arc<dyn Engine>;

/// An engine in a folder of its own.
fn make(open: Open) -> TestEngine {
    let folder = tempfile::tempdir().unwrap();
    TestEngine {
        engine: open(folder.path()),
        reopen: Some(Box::new(move |engine| {
            drop(engine);
            open(folder.path())
        })),
    }
}

fn in_mode(mode: Mode, path: &Path) -> Arc<dyn Engine> {
    let options = Options {
        path: Some(path.to_owned()),
        memory_bytes: 64 << 20,
        ..Options::new(mode, &["first", "second"])
    };
    mode::open(&options).unwrap()
}

const LSM: Open = |path| Arc::new(Lsm::open(LsmOptions::new(path, &["first", "second"])).unwrap());
const MEMORY_FIRST: Open = |path| in_mode(Mode::MemoryFirst, path);
const HYBRID: Open = |path| in_mode(Mode::Hybrid, path);
const PERSISTENT: Open = |path| in_mode(Mode::Persistent, path);

fn memory_only_engine() -> TestEngine {
    let options = Options::new(Mode::MemoryOnly, &["first", "second"]);
    TestEngine { engine: mode::open(&options).unwrap(), reopen: None }
}

#[test]
fn lsm() {
    run(checks(), &|| make(LSM));
}

#[test]
fn memory_only() {
    run(checks(), &memory_only_engine);
}

#[test]
fn memory_first() {
    run(checks(), &|| make(MEMORY_FIRST));
}

#[test]
fn hybrid() {
    run(checks(), &|| make(HYBRID));
}

#[test]
fn persistent() {
    run(checks(), &|| make(PERSISTENT));
}

#[test]
fn partition_of_lsm() {
    run(checks(), &|| between_neighbours(make(LSM)));
}

#[test]
fn partition_of_memory_only() {
    run(checks(), &|| between_neighbours(memory_only_engine()));
}

#[test]
fn partition_of_memory_first() {
    run(checks(), &|| between_neighbours(make(MEMORY_FIRST)));
}

#[test]
fn partition_of_hybrid() {
    run(checks(), &|| between_neighbours(make(HYBRID)));
}

#[test]
fn partition_of_persistent() {
    run(checks(), &|| between_neighbours(make(PERSISTENT)));
}

#[test]
fn partitions_of_every_engine() {
    run(partition_checks(), &memory_only_engine);
    for open in [LSM, MEMORY_FIRST, HYBRID, PERSISTENT] {
        run(partition_checks(), &|| make(open));
    }
}
