//! [`Narrator`]: prints outcomes, and counts those that are not as expected.

use std::fmt::Display;

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::streams::Ink;

/// The width of the column with the action, before the outcome.
const WHAT_COLUMNS: usize = 50;

/// Prints outcomes, and counts those that are not as expected.
pub struct Narrator<'a> {
    output: &'a mut Output,
    checked: usize,
    failed: usize,
}

impl<'a> Narrator<'a> {
    /// A narrator that has printed nothing yet.
    pub fn new(output: &'a mut Output) -> Self {
        Narrator { output, checked: 0, failed: 0 }
    }

    /// Begins a chapter.
    pub fn chapter(&mut self, title: &str) -> Result {
        if self.checked > 0 {
            self.output.line("")?;
        }
        self.output.painted(&[(Ink::Bold, &title)])
    }

    /// Prints an outcome, which has to be `expected`.
    pub fn check(&mut self, what: &str, found: impl Display, expected: &str) -> Result {
        let found = found.to_string();
        self.holds(what, &found, found == expected, expected)
    }

    /// Prints an outcome; `is_right` is whether it is as `expected`.
    pub fn holds(&mut self, what: &str, found: &str, is_right: bool, expected: &str) -> Result {
        self.checked += 1;
        let (ink, mark) = if is_right { (Ink::Green, "✓") } else { (Ink::Red, "✗") };
        let outcome = format_args!(" {what:<WHAT_COLUMNS$} {found}");
        self.output.painted(&[(Ink::Plain, &"  "), (ink, &mark), (Ink::Plain, &outcome)])?;
        if is_right {
            return Ok(());
        }
        self.failed += 1;
        self.output.line(format_args!("    {:<WHAT_COLUMNS$} {expected}", "but expected"))
    }

    /// Prints a measurement, which has no expected value.
    pub fn tell(&mut self, what: &str, found: impl Display) -> Result {
        self.output.line(format_args!("    {what:<WHAT_COLUMNS$} {found}"))
    }

    /// Ends the story.
    pub fn finish(self) -> Result {
        if self.failed > 0 {
            return Err(Failure::Demo { count: self.failed });
        }
        self.output.line("")?;
        let done = format_args!("{} outcomes, all as expected.", self.checked);
        self.output.painted(&[(Ink::Green, &done)])
    }
}
