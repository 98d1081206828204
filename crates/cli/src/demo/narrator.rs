//! [`Narrator`]: prints what was computed, and keeps count of what is not as it has to be.

use std::fmt::Display;

use crate::failure::{Failure, Result};
use crate::output::{Output, Paint};

/// Columns of what was done, before what came out.
const WHAT_COLUMNS: usize = 50;

/// Prints what was computed, and keeps count of what is not as it has to be.
pub struct Narrator<'a> {
    output: &'a mut Output,
    paint: Paint,
    checked: usize,
    failed: usize,
}

impl<'a> Narrator<'a> {
    /// A narrator who has said nothing yet.
    pub fn new(output: &'a mut Output) -> Self {
        Narrator { output, paint: Paint::of_stdout(), checked: 0, failed: 0 }
    }

    /// Begins a chapter.
    pub fn chapter(&mut self, title: &str) -> Result {
        let begin = if self.checked == 0 { "" } else { "\n" };
        self.output.line(format_args!("{begin}{}", self.paint.bold(title)))
    }

    /// Tells what came out, which has to be `expected`.
    pub fn check(&mut self, what: &str, found: impl Display, expected: &str) -> Result {
        let found = found.to_string();
        self.holds(what, &found, found == expected, expected)
    }

    /// Tells what came out, which has to be `expected` in a way that `is_right` knows.
    pub fn holds(&mut self, what: &str, found: &str, is_right: bool, expected: &str) -> Result {
        self.checked += 1;
        if is_right {
            let mark = self.paint.green("✓");
            return self.output.line(format_args!("  {mark} {what:<WHAT_COLUMNS$} {found}"));
        }
        self.failed += 1;
        let mark = self.paint.red("✗");
        self.output.line(format_args!("  {mark} {what:<WHAT_COLUMNS$} {found}"))?;
        self.output.line(format_args!("    {:<WHAT_COLUMNS$} {expected}", "but it has to be"))
    }

    /// Tells what was measured, for which there is nothing to expect.
    pub fn tell(&mut self, what: &str, found: impl Display) -> Result {
        self.output.line(format_args!("    {what:<WHAT_COLUMNS$} {found}"))
    }

    /// Ends the story.
    pub fn finish(self) -> Result {
        if self.failed > 0 {
            return Err(Failure::Demo { count: self.failed });
        }
        let done = format!("{} outcomes, each as it has to be.", self.checked);
        self.output.line(format_args!("\n{}", self.paint.green(&done)))
    }
}
