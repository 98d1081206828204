//! The progress of an import: how much has been done, and how fast.

use std::fmt;
use std::time::{Duration, Instant};

use crate::args::Format;
use crate::format;
use crate::output::Output;
use crate::streams::{Status, stderr_is_terminal, stdout_is_terminal};

/// How often the progress is shown.
const INTERVAL: Duration = Duration::from_millis(250);

/// What an import has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// How many documents were created.
    pub inserted: u64,
    /// How many existed and were replaced.
    pub replaced: u64,
    /// How many existed and were left as they were.
    pub skipped: u64,
    /// How many were refused and put aside.
    pub refused: u64,
    /// The line of the last one that was written, from 1.
    pub line: usize,
}

impl Progress {
    fn others(self) -> [(&'static str, u64); 3] {
        [("replaced", self.replaced), ("skipped", self.skipped), ("refused", self.refused)]
    }

    /// How many documents were read and dealt with.
    fn total(self) -> u64 {
        self.inserted + self.replaced + self.skipped + self.refused
    }
}

impl fmt::Display for Progress {
    /// As a part of a sentence about an import that ended early.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inserted {
            0 => f.write_str("no document was inserted")?,
            1 => f.write_str("1 document was inserted")?,
            count => write!(f, "{count} documents were inserted")?,
        }
        for (name, count) in self.others().into_iter().filter(|(_, count)| *count > 0) {
            write!(f, ", {count} {name}")?;
        }
        match self.inserted + self.replaced {
            0 => Ok(()),
            1 => write!(f, ", that of line {}", self.line),
            _ => write!(f, ", those up to line {}", self.line),
        }
    }
}

/// Shows the progress on a terminal, several times a second.
pub struct Meter {
    begin: Instant,
    shown: Instant,
    bytes: u64,
}

impl Meter {
    /// Begins now.
    pub fn new() -> Self {
        let now = Instant::now();
        Meter { begin: now, shown: now, bytes: 0 }
    }

    /// Shows how far it is, if it is time for that and results do not appear in the same place.
    pub fn show(&mut self, done: &Progress, bytes: u64, output: &Output) {
        self.bytes = bytes;
        if self.shown.elapsed() < INTERVAL {
            return;
        }
        self.shown = Instant::now();
        if !(stdout_is_terminal() && output.format() == Format::Json) {
            Status.show(format_args!("{} documents, {}", done.total(), self.rate(done)));
        }
    }

    /// Removes what is shown.
    pub fn finish(&self) {
        Status.clear();
    }

    /// What was done, in one line; on a terminal also how fast.
    pub fn summary(&self, done: &Progress) -> String {
        let documents = if done.inserted == 1 { "document" } else { "documents" };
        let mut line = format!("inserted {} {documents}", done.inserted);
        for (name, count) in done.others().into_iter().filter(|(_, count)| *count > 0) {
            line += &format!(", {name} {count}");
        }
        if stderr_is_terminal() {
            let seconds = self.begin.elapsed().as_secs_f64();
            line += &format!(": {} in {seconds:.1} s", self.rate(done));
        }
        line
    }

    fn rate(&self, done: &Progress) -> String {
        let seconds = self.begin.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
        let rate = format::rate(done.total() as f64 / seconds);
        format!("{rate}, {}", format::bytes(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_that_ended_early_says_how_far_it_came() {
        let said = |inserted, replaced, skipped, line| {
            Progress { inserted, replaced, skipped, refused: 0, line }.to_string()
        };
        assert_eq!(said(0, 0, 0, 0), "no document was inserted");
        assert_eq!(said(1, 0, 0, 7), "1 document was inserted, that of line 7");
        assert_eq!(said(2, 0, 0, 7), "2 documents were inserted, those up to line 7");
        let mixed = "no document was inserted, 3 replaced, 1 skipped, those up to line 9";
        assert_eq!(said(0, 3, 1, 9), mixed);
    }
}
