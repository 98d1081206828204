//! `cargo xtask verify`: all checks that a change has to pass, cheapest first, stopping at
//! the first failure.
//!
//! A step prints one line. Its output is shown when it fails; that of the tests always is.

use std::io::{self, Write};
use std::time::Instant;

use crate::error::Error;
use crate::project::{Invocation, Project, expect_no_arguments};
use crate::report::{self, Violation};
use crate::{miri, oracle, test, tidy, walls};

/// The line of this command in the usage.
pub const SUMMARY: &str =
    "all that a change has to pass: format, tidy, walls, lints, docs, tests, oracle, miri";

enum Action {
    /// A command whose output matters only when it fails.
    Quiet(Invocation),
    /// A command whose output is always shown.
    Shown(Invocation),
    /// A check of this program, by the name of its command.
    Check(&'static str, Check),
    /// A task of this program, which prints its own output.
    Task(Task),
}

type Check = fn(&Project) -> Result<Vec<Violation>, Error>;
type Task = fn(&Project) -> Result<(), Error>;

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
        ("format", Action::Quiet(Invocation::cargo("fmt --all --check"))),
        ("tidy", Action::Check("tidy", tidy::check)),
        ("walls", Action::Check("walls", walls::check)),
        ("clippy", Action::Quiet(clippy)),
        ("docs", Action::Quiet(docs.with_variable("RUSTDOCFLAGS", "-D warnings"))),
        ("test", Action::Shown(test::invocation(&[]))),
        ("oracle", Action::Task(oracle::verify)),
        ("miri", Action::Task(miri::verify)),
    ]
}

fn step(project: &Project, name: &str, action: &Action) -> Result<(), Error> {
    let started = Instant::now();
    begin(name);
    let mut details = String::new();
    let outcome = match action {
        Action::Quiet(invocation) => quiet(project, invocation, &mut details),
        Action::Shown(invocation) => shown(project, invocation, name),
        Action::Task(task) => task_shown(project, *task, name),
        Action::Check(check, find) => find(project).and_then(|found| {
            details = found.iter().map(|violation| format!("{violation}\n")).collect();
            report::outcome(check, &found)
        }),
    };
    let word = match outcome {
        Ok(()) => report::success("ok    "),
        Err(_) => report::failure("FAILED"),
    };
    println!("{word} {}", report::seconds(started.elapsed()));
    if outcome.is_err() {
        print!("{details}");
    }
    outcome
}

/// Prints the name of a step before it runs, so that a long one can be distinguished from a
/// hung one.
fn begin(name: &str) {
    print!("{name:<13} ");
    // If the progress cannot be printed, the outcome still counts.
    let _ = io::stdout().flush();
}

fn quiet(project: &Project, invocation: &Invocation, details: &mut String) -> Result<(), Error> {
    let output = project.capture(invocation)?;
    for stream in [&output.stdout, &output.stderr] {
        details.push_str(&String::from_utf8_lossy(stream));
    }
    if output.status.success() { Ok(()) } else { Err(invocation.failed()) }
}

/// Prints the output of a task between two lines of the step.
fn task_shown(project: &Project, task: Task, name: &str) -> Result<(), Error> {
    println!();
    let outcome = task(project);
    begin(name);
    outcome
}

/// Prints the output between two lines of the step.
fn shown(project: &Project, invocation: &Invocation, name: &str) -> Result<(), Error> {
    println!("{invocation}");
    let outcome = project.stream(invocation);
    begin(name);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(_: &Project) -> Result<Vec<Violation>, Error> {
        let (place, what) = ("a.rs:1".to_string(), "planted".to_string());
        Ok(vec![Violation { place, what, remedy: "leave it" }])
    }

    #[test]
    fn a_failing_step_ends_in_its_error() {
        let project = Project::find().unwrap();
        let action = Action::Quiet(Invocation::rustc("--print no-such-thing"));
        let error = step(&project, "planted", &action).unwrap_err();
        let expected = "failed, reproduce with: rustc --print no-such-thing";
        assert_eq!(error.to_string(), expected);
        let action = Action::Check("walls", planted);
        let error = step(&project, "planted", &action).unwrap_err();
        let expected = "1 violation, reproduce with: cargo xtask walls";
        assert_eq!(error.to_string(), expected);
    }
}
