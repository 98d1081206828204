//! Printing results: violations, colours on a terminal only, durations.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal};
use std::time::Duration;

use crate::error::Error;

/// A violation that a check has found.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its place: `path:line`, or the path alone if it is not about a line.
    pub place: String,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.what, self.remedy)
    }
}

/// Prints the violations of a check, and returns the check's outcome.
pub fn settle(check: &'static str, violations: &[Violation]) -> Result<(), Error> {
    for violation in violations {
        println!("{violation}");
    }
    outcome(check, violations)
}

/// The outcome of a check with these violations.
pub fn outcome(check: &'static str, violations: &[Violation]) -> Result<(), Error> {
    match violations.len() {
        0 => Ok(()),
        count => Err(Error::Violations { check, count }),
    }
}

/// The text in the colour of success.
pub fn success(text: &str) -> String {
    painted("32", text)
}

/// The text in the colour of failure.
pub fn failure(text: &str) -> String {
    painted("1;31", text)
}

/// Whether the output is a terminal and colours are not disabled.
pub fn is_coloured() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none()
}

/// A duration in seconds, aligned in a column.
pub fn seconds(duration: Duration) -> String {
    format!("{:>6.1} s", duration.as_secs_f64())
}

fn painted(colour: &str, text: &str) -> String {
    if is_coloured() { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_says_where_what_and_what_to_do() {
        let violation =
            Violation { place: "a.rs:3".to_string(), what: "a tab".to_string(), remedy: "fix it" };
        assert_eq!(violation.to_string(), "a.rs:3: a tab; fix it");
        assert!(outcome("tidy", &[]).is_ok());
        let error = outcome("tidy", &[violation]).unwrap_err();
        assert_eq!(error.to_string(), "1 violation, reproduce with: cargo xtask tidy");
    }
}
