//! Project tasks, run as `cargo xtask COMMAND`.
//!
//! This file owns only the table of commands. A new command is a module with a `SUMMARY` and a
//! `run`, and one row in `COMMANDS`.

mod crash;
mod decimals;
mod error;
mod fix;
mod miri;
mod oracle;
mod project;
mod report;
mod test;
mod tidy;
mod verify;
mod walls;

use std::process::ExitCode;

use error::Error;
use project::Project;

/// The function that runs a command, with the arguments after its name.
type Run = fn(&Project, &[String]) -> Result<(), Error>;

/// The name of each command, a one-line summary, and its function.
const COMMANDS: &[(&str, &str, Run)] = &[
    ("test", test::SUMMARY, test::run),
    ("verify", verify::SUMMARY, verify::run),
    ("fix", fix::SUMMARY, fix::run),
    ("crash", crash::SUMMARY, crash::run),
    ("oracle", oracle::SUMMARY, oracle::run),
    ("decimals", decimals::SUMMARY, decimals::run),
    ("miri", miri::SUMMARY, miri::run),
    ("walls", walls::SUMMARY, walls::run),
    ("tidy", tidy::SUMMARY, tidy::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ Error::Usage { .. }) => {
            eprintln!("{}\n\n{}", report::failure(&error.to_string()), usage());
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{}", report::failure(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<(), Error> {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(Error::Usage { problem: "no command given".to_string() });
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        println!("{}", usage());
        return Ok(());
    }
    let Some((_, _, run)) = COMMANDS.iter().find(|(known, ..)| known == name) else {
        return Err(Error::Usage { problem: format!("there is no command `{name}`") });
    };
    run(&Project::find()?, rest)
}

fn usage() -> String {
    let mut text = "usage: cargo xtask COMMAND [ARGUMENT...]\n".to_string();
    for (name, summary, _) in COMMANDS {
        text.push_str(&format!("\n  {name:<8} {summary}"));
    }
    text.push_str("\n\nexample: cargo xtask test -p velocitydb-core -- codec");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn usage_names_every_command() {
        for (name, summary, _) in COMMANDS {
            assert!(usage().contains(&format!("  {name:<8} {summary}")));
        }
    }

    #[test]
    fn a_wrong_command_line_is_a_usage_error() {
        for line in ["", "tset", "tidy now", "verify --quick", "walls 3", "fix it"] {
            let outcome = dispatch(&words(line));
            assert!(matches!(outcome, Err(Error::Usage { .. })), "`{line}` gave {outcome:?}");
        }
    }
}
