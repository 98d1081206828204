//! `cargo xtask verify`: all that a change has to pass, cheapest first, stopping at the first
//! failure.
//!
//! A step takes one line. Its output is shown when it fails; that of the tests always is.

use std::io::{self, Write};
use std::time::Instant;

use crate::error::Error;
use crate::project::{Invocation, Project, expect_no_arguments};
use crate::report;
use crate::{test, tidy, walls};

/// What the usage says about this command.
pub const SUMMARY: &str = "all that a change has to pass: format, tidy, walls, lints, docs, tests";

enum Action {
    /// A command whose output matters only when it fails.
    Quiet(Invocation),
    /// A command whose output is always shown.
    Shown(Invocation),
    /// A check of this program.
    Check(fn(&Project) -> Result<(), Error>),
}

/// Runs every step.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    expect_no_arguments(arguments)?;
    let started = Instant::now();
    let steps = steps();
    for (name, action) in &steps {
        step(project, name, action)?;
    }
    let summary = format!("verified: {} steps", steps.len());
    println!(
        "{} {}",
        report::success(&format!("{summary:<20}")),
        report::seconds(started.elapsed())
    );
    Ok(())
}

fn steps() -> Vec<(&'static str, Action)> {
    let clippy = Invocation::cargo("clippy --workspace --all-targets -- -D warnings");
    // The binary shares its name with the library, and would overwrite the library's pages.
    let docs = Invocation::cargo("doc --workspace --no-deps --lib");
    vec![
        (
            "format",
            Action::Quiet(Invocation::cargo("fmt --all --check")),
        ),
        ("tidy", Action::Check(tidy::check)),
        ("walls", Action::Check(walls::check)),
        ("clippy", Action::Quiet(clippy)),
        (
            "docs",
            Action::Quiet(docs.with_variable("RUSTDOCFLAGS", "-D warnings")),
        ),
        ("test", Action::Shown(test::invocation(&[]))),
    ]
}

fn step(project: &Project, name: &str, action: &Action) -> Result<(), Error> {
    let started = Instant::now();
    begin(name);
    let outcome = match action {
        Action::Quiet(invocation) => quiet(project, invocation),
        Action::Check(check) => check(project),
        Action::Shown(invocation) => {
            println!("{invocation}");
            let outcome = project.stream(invocation);
            begin(name);
            outcome
        }
    };
    if outcome.is_ok() {
        println!(
            "{} {}",
            report::success("ok    "),
            report::seconds(started.elapsed())
        );
    } else {
        begin(name);
        println!(
            "{} {}",
            report::failure("FAILED"),
            report::seconds(started.elapsed())
        );
    }
    outcome
}

/// Opens the line of a step before it runs, so that a long one can be told from a hung one.
fn begin(name: &str) {
    print!("{name:<13} ");
    // Progress is a courtesy: when nobody can be shown it, the outcome still counts.
    let _ = io::stdout().flush();
}

fn quiet(project: &Project, invocation: &Invocation) -> Result<(), Error> {
    let output = project.capture(invocation)?;
    if output.status.success() {
        return Ok(());
    }
    println!();
    print!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Err(invocation.failed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_ends_in_its_error() {
        let project = Project::find().unwrap();
        let action = Action::Quiet(Invocation::rustc("--print no-such-thing"));
        let error = step(&project, "planted", &action).unwrap_err();
        assert!(matches!(error, Error::Failed { .. }), "{error:?}");
        let action = Action::Check(|_| {
            Err(Error::Violations {
                check: "planted",
                count: 2,
            })
        });
        let error = step(&project, "planted", &action).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 violations, reproduce with: cargo xtask planted"
        );
    }
}
