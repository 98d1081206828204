//! The rule that one file of the binary writes to standard output and standard error: it escapes the
//! control characters of documents and names, which must not reach a terminal.

use super::source::Source;
use crate::report::Violation;

/// The folder to which the rule applies.
const BINARY: &str = "crates/cli/src/";

/// The file that writes to them.
const OWNER: &str = "crates/cli/src/streams.rs";

/// What writes to them, or gives access to them.
const ACCESSES: [&str; 7] =
    ["io::stdout", "io::stderr", "print!", "println!", "eprint!", "eprintln!", "dbg!"];

/// No other file writes to a stream itself.
pub fn are_written_in_one_place(source: &Source) -> Vec<Violation> {
    if !source.path.starts_with(BINARY) || source.path == OWNER {
        return Vec::new();
    }
    let lines = source.code[..source.lines_before_tests].iter().enumerate();
    let found = lines.filter_map(|(index, line)| {
        let access = ACCESSES.iter().find(|access| line.contains(**access))?;
        Some((index, format!("`{access}` does not escape control characters")))
    });
    let remedy = "write through `Output`, `note` or `streams`";
    found.map(|(index, what)| source.violation(index, &what, remedy)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, line: &str) -> usize {
        are_written_in_one_place(&Source::new(path, &format!("//! Head.\n{line}\n"))).len()
    }

    #[test]
    fn another_place_that_writes_to_a_stream_is_caught() {
        let other = "crates/cli/src/commands/find.rs";
        for line in
            ["println!(\"a\");", "writeln!(std::io::stderr(), \"a\");", "let o = io::stdout();"]
        {
            assert_eq!(count(other, line), 1, "{line}");
            assert_eq!(count(OWNER, line), 0, "{line}");
            assert_eq!(count("crates/db/src/find.rs", line), 0, "{line}");
        }
        assert_eq!(count(other, "streams::stderr().line(1); // println!"), 0);
    }
}
