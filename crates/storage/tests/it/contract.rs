//! Every engine in every mode keeps the contract.

use std::sync::Arc;

use velocitydb_storage::Engine;
use velocitydb_storage::contract::{TestEngine, run};
use velocitydb_storage::lsm::{Lsm, LsmOptions};
use velocitydb_storage::mode::{self, Mode, Options};

/// Runs the suite on engines that `open` opens, each in a folder of its own.
fn run_on(open: fn(&std::path::Path) -> Arc<dyn Engine>) {
    run(&|| {
        let folder = tempfile::tempdir().unwrap();
        TestEngine {
            engine: open(folder.path()),
            reopen: Some(Box::new(move |engine| {
                drop(engine);
                open(folder.path())
            })),
        }
    });
}

fn open(mode: Mode, path: &std::path::Path) -> Arc<dyn Engine> {
    let options = Options {
        path: Some(path.to_owned()),
        memory_bytes: 64 << 20,
        ..Options::new(mode, &["first", "second"])
    };
    mode::open(&options).unwrap()
}

#[test]
fn lsm() {
    run_on(|path| {
        let options = LsmOptions::new(path, &["first", "second"]);
        Arc::new(Lsm::open(options).unwrap())
    });
}

#[test]
fn memory_only() {
    run(&|| TestEngine {
        engine: mode::open(&Options::new(Mode::MemoryOnly, &["first", "second"])).unwrap(),
        reopen: None,
    });
}

#[test]
fn memory_first() {
    run_on(|path| open(Mode::MemoryFirst, path));
}

#[test]
fn hybrid() {
    run_on(|path| open(Mode::Hybrid, path));
}

#[test]
fn persistent() {
    run_on(|path| open(Mode::Persistent, path));
}
