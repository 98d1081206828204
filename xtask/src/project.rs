//! Finds the repository, and runs commands in it.
//!
//! All programs of all tasks are started here, at the top of the repository.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::error::Error;
use crate::report;

/// The repository that the tasks work on.
#[derive(Debug)]
pub struct Project {
    /// The folder that holds the workspace's `Cargo.toml`.
    pub root: PathBuf,
}

impl Project {
    /// Finds the repository through the variables that cargo sets for a program it runs.
    pub fn find() -> Result<Self, Error> {
        let outside = || Error::Usage { problem: "run this as `cargo xtask`".to_string() };
        let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).ok_or_else(outside)?;
        let root = manifest.parent().ok_or_else(outside)?.to_path_buf();
        Ok(Self { root })
    }

    /// Runs an invocation with its output going straight to the terminal.
    pub fn stream(&self, invocation: &Invocation) -> Result<(), Error> {
        let status = self
            .command(invocation)
            .status()
            .map_err(|source| Error::Start { command: invocation.to_string(), source })?;
        if status.success() { Ok(()) } else { Err(invocation.failed()) }
    }

    /// Runs an invocation and keeps its output, whether it succeeds or not.
    pub fn capture(&self, invocation: &Invocation) -> Result<Output, Error> {
        // The program cannot see whether its output is shown on a terminal later. Cargo reads one
        // variable, rustfmt the other.
        let (cargo, rustfmt) =
            if report::is_coloured() { ("always", None) } else { ("never", Some("dumb")) };
        self.command(invocation)
            .env("CARGO_TERM_COLOR", cargo)
            .envs(rustfmt.map(|term| ("TERM", term)))
            .output()
            .map_err(|source| Error::Start { command: invocation.to_string(), source })
    }

    fn command(&self, invocation: &Invocation) -> Command {
        // `CARGO` is set to the cargo that runs this, so that the same toolchain is used
        // throughout.
        let program = env::var_os(invocation.program.to_uppercase())
            .unwrap_or_else(|| OsString::from(invocation.program));
        let mut command = Command::new(program);
        command.current_dir(&self.root).args(&invocation.arguments);
        command.envs(invocation.variables.iter().copied());
        command
    }
}

/// A program with its arguments and variables; displayed as a line for a shell.
#[derive(Debug)]
pub struct Invocation {
    program: &'static str,
    arguments: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
}

impl Invocation {
    /// Cargo with these arguments, separated by spaces.
    pub fn cargo(arguments: &str) -> Self {
        Self::new("cargo", arguments)
    }

    /// The compiler with these arguments, separated by spaces.
    pub fn rustc(arguments: &str) -> Self {
        Self::new("rustc", arguments)
    }

    /// Any program with these arguments, separated by spaces.
    pub fn new(program: &'static str, arguments: &str) -> Self {
        let arguments = arguments.split_whitespace().map(str::to_string).collect();
        Self { program, arguments, variables: Vec::new() }
    }

    /// Adds arguments unchanged, including spaces.
    pub fn with_arguments(mut self, arguments: &[String]) -> Self {
        self.arguments.extend_from_slice(arguments);
        self
    }

    /// Sets an environment variable.
    pub fn with_variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// The error that says that this invocation failed.
    pub fn failed(&self) -> Error {
        Error::Failed { command: self.to_string() }
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", self.program)?;
        for argument in &self.arguments {
            write!(f, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

/// The word, quoted for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=:/.,+@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Refuses arguments, for the commands that take none.
pub fn expect_no_arguments(arguments: &[String]) -> Result<(), Error> {
    match arguments.first() {
        None => Ok(()),
        Some(first) => Err(Error::Usage { problem: format!("unexpected argument `{first}`") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_shows_itself_for_a_shell() {
        let invocation = Invocation::cargo("doc --no-deps")
            .with_arguments(&["it's".to_string(), "-p".to_string(), String::new()])
            .with_variable("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            invocation.to_string(),
            r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s' -p ''"
        );
    }

    #[test]
    fn a_program_that_is_missing_is_an_error_with_its_command() {
        let project = Project::find().unwrap();
        let error = project.stream(&Invocation::new("no-such-program", "a b")).unwrap_err();
        assert!(error.to_string().starts_with("could not start `no-such-program a b`"), "{error}");
    }
}
