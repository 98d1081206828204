//! Runs every script in every mode, and compares what comes out with what is written down.

use std::fmt::Write;
use std::path::PathBuf;

use super::run::Runner;
use super::script;
use crate::world::{Home, MODES};

#[test]
fn golden_scripts() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        println!("script: {}", path.display());
        let expected = std::fs::read_to_string(&path).unwrap();
        let outputs = MODES.map(|mode| {
            let mut home = Home::new(mode);
            let (output, hash) = run_script(&expected, &mut home);
            home.close();
            (output, hash)
        });
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &outputs[0].0).unwrap();
        } else {
            assert_same(&expected, &outputs[0].0, "what stands in the script");
        }
        for (mode, (output, hash)) in MODES.iter().zip(&outputs).skip(1) {
            assert_same(&outputs[0].0, output, &format!("memory-only, and here {mode:?}"));
            assert_eq!(outputs[0].1, *hash, "{}: state hash of {mode:?}", path.display());
        }
    }
}

/// The script with the output that it has now, and the hash of the state that it ends in.
fn run_script(text: &str, home: &mut Home) -> (String, u128) {
    let mut output = String::new();
    let mut runner = Runner::new(home);
    for block in script::parse(text) {
        if !output.is_empty() {
            output.push('\n');
        }
        writeln!(output, "{}---", block.input).unwrap();
        for command in &block.commands {
            runner.run(command, &mut output);
        }
    }
    drop(runner);
    (output, home.db().snapshot().unwrap().state_hash().unwrap())
}

fn assert_same(expected: &str, found: &str, what: &str) {
    let lines = expected.lines().zip(found.lines()).enumerate();
    for (number, (expected, found)) in lines {
        assert_eq!(expected, found, "line {} differs from {what}", number + 1);
    }
    assert_eq!(expected.len(), found.len(), "the length differs from {what}");
}
