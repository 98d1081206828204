//! `cargo xtask oracle`: compares VelocityDB and mingo, MongoDB's language in JavaScript, on random
//! queries.
//!
//! This installs mingo below `target`, and starts a program of the crate `velocitydb-sim`.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::Error;
use crate::project::{Invocation, Project};

/// The line of this command in the usage.
pub const SUMMARY: &str =
    "compare queries with mingo's; --comparisons N --seed S --kind K --batch N --plant BUG";

/// The folder of the driver's files in the repository.
const SOURCE: &str = "crates/sim/oracle";
const FILES: &[&str] = &["driver.mjs", "package.json", "package-lock.json"];

/// The folder in which it runs.
const FOLDER: &str = "target/oracle";

/// Installs mingo if needed, and compares; `arguments` are passed on unchanged.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    expect_node(project)?;
    install(project)?;
    project.stream(&invocation(arguments))
}

/// How many comparisons every change has to pass: enough to use each operator many times.
const COMPARISONS_VERIFY: &str = "20000";

/// Makes the comparisons that every change has to pass, with the program that the tests have built.
/// Without Node, which only this needs, it prints a note and passes, unless the variable `CI` is
/// set.
pub fn verify(project: &Project) -> Result<(), Error> {
    if let Err(error) = expect_node(project) {
        if std::env::var_os("CI").is_some() {
            return Err(error);
        }
        println!("not compared with the oracle: {error}");
        return Ok(());
    }
    install(project)?;
    let command = "run --quiet --package velocitydb-sim --bin oracle -- --driver";
    let arguments = ["--comparisons".to_owned(), COMPARISONS_VERIFY.to_owned()];
    project.stream(&Invocation::cargo(&format!("{command} {FOLDER}")).with_arguments(&arguments))
}

/// Built for release, so that a million comparisons take minutes.
fn invocation(arguments: &[String]) -> Invocation {
    let command = "run --quiet --release --package velocitydb-sim --bin oracle -- --driver";
    Invocation::cargo(&format!("{command} {FOLDER}")).with_arguments(arguments)
}

/// Reports what is missing before anything is copied.
fn expect_node(project: &Project) -> Result<(), Error> {
    for program in ["node", "npm"] {
        project.capture(&Invocation::new(program, "--version")).map_err(|error| match error {
            Error::Start { command, source } => {
                let needed = "the oracle runs on Node 20 and is installed by its npm";
                let text = format!("{source}; {needed}");
                Error::Start { command, source: io::Error::new(source.kind(), text) }
            }
            error => error,
        })?;
    }
    Ok(())
}

fn install(project: &Project) -> Result<(), Error> {
    let (source, target) = (project.root.join(SOURCE), project.root.join(FOLDER));
    let installed = is_same(&source, &target, "package-lock.json")
        && target.join("node_modules/mingo/package.json").is_file();
    fs::create_dir_all(&target).map_err(|source| Error::Read { path: target.clone(), source })?;
    if !installed {
        copy(&source, &target, "package.json")?;
        copy(&source, &target, "package-lock.json")?;
        let install = format!("ci --prefix {FOLDER} --no-audit --no-fund --ignore-scripts");
        project.stream(&Invocation::new("npm", &install))?;
    }
    FILES.iter().try_for_each(|file| copy(&source, &target, file))
}

/// Whether a file of the repository is the same as the installed one.
fn is_same(source: &Path, target: &Path, file: &str) -> bool {
    match (fs::read(source.join(file)), fs::read(target.join(file))) {
        (Ok(ours), Ok(installed)) => ours == installed,
        _ => false,
    }
}

fn copy(source: &Path, target: &Path, file: &str) -> Result<(), Error> {
    let path = source.join(file);
    let copied = fs::copy(&path, target.join(file));
    copied.map(drop).map_err(|source| Error::Read { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_go_to_the_comparison() {
        assert_eq!(
            invocation(&["--seed".to_string(), "3".to_string()]).to_string(),
            "cargo run --quiet --release --package velocitydb-sim --bin oracle -- \
             --driver target/oracle --seed 3"
        );
    }

    #[test]
    fn the_lockfile_names_no_host() {
        let project = Project::find().unwrap();
        let lock = fs::read_to_string(project.root.join(SOURCE).join("package-lock.json")).unwrap();
        assert!(!lock.contains("://") && !lock.contains("\"resolved\""), "{lock}");
    }

    #[test]
    fn every_file_of_the_driver_is_there() {
        let project = Project::find().unwrap();
        for file in FILES {
            assert!(project.root.join(SOURCE).join(file).is_file(), "{file}");
        }
    }
}
