//! Standard output and standard error: the only place of this binary that writes to them, which
//! `cargo xtask tidy` checks.
//!
//! Documents, names and arguments come from anybody, and their control characters could move the
//! cursor of a terminal, rename its window or hide what is printed. So none reaches a stream as it is:
//! all text is escaped here, as in JSON: `\u001b`. Colours are given as [`Ink`], apart from the
//! text, and are for terminals, and never when `NO_COLOR` is set.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, IsTerminal, Write};

/// A stream that control characters do not reach.
pub struct Stream<W> {
    out: W,
    is_colored: bool,
}

/// Standard output, which is written when the buffer is full, and by [`Stream::finish`].
pub fn stdout() -> Stream<BufWriter<io::Stdout>> {
    Stream { is_colored: are_colored(stdout_is_terminal()), out: BufWriter::new(io::stdout()) }
}

/// Standard error, which is written at once.
pub fn stderr() -> Stream<io::Stderr> {
    Stream { is_colored: are_colored(stderr_is_terminal()), out: io::stderr() }
}

/// Whether people read standard output.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether people read standard error.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

fn are_colored(is_terminal: bool) -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    is_terminal && !is_refused
}

/// How a part of a line looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// As the terminal shows it.
    Plain,
    /// Heavy.
    Bold,
    /// In the background.
    Dim,
    /// For failures.
    Red,
    /// For success.
    Green,
}

impl Ink {
    /// The parameters of the escape sequence that begins it.
    fn code(self) -> Option<&'static str> {
        match self {
            Ink::Plain => None,
            Ink::Bold => Some("1"),
            Ink::Dim => Some("2"),
            Ink::Red => Some("1;31"),
            Ink::Green => Some("32"),
        }
    }
}

impl<W: Write> Stream<W> {
    /// Writes one line: line breaks inside of it are escaped.
    pub fn line(&mut self, line: impl fmt::Display) -> io::Result<()> {
        self.painted(&[(Ink::Plain, &line)])
    }

    /// Writes one line of parts, each in its ink.
    pub fn painted(&mut self, parts: &[(Ink, &dyn fmt::Display)]) -> io::Result<()> {
        for (ink, text) in parts {
            let code = ink.code().filter(|_| self.is_colored);
            code.map_or(Ok(()), |code| write!(self.out, "\x1b[{code}m"))?;
            self.escaped(text, is_control)?;
            code.map_or(Ok(()), |_| self.out.write_all(b"\x1b[0m"))?;
        }
        self.out.write_all(b"\n")
    }

    /// Writes text whose line breaks are its layout, such as a table.
    pub fn lines(&mut self, lines: impl fmt::Display) -> io::Result<()> {
        self.escaped(&lines, |c| c != '\n' && is_control(c))?;
        self.out.write_all(b"\n")
    }

    fn escaped(
        &mut self,
        text: &dyn fmt::Display,
        must_escape: fn(char) -> bool,
    ) -> io::Result<()> {
        let mut writer = Escaping { out: &mut self.out, must_escape, failure: None };
        match (write!(writer, "{text}"), writer.failure) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(failure)) => Err(failure),
            (Err(_), None) => Err(io::Error::other("a text cannot be formatted")),
        }
    }
}

impl<W: Write> Stream<BufWriter<W>> {
    /// Writes what is in the buffer. What cannot be written now is not tried again.
    pub fn finish(mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        drop(self.out.into_parts());
        flushed
    }
}

/// One line on a terminal's standard error that says what is going on, and is replaced by the next;
/// nothing where standard error is none.
pub struct Status;

impl Status {
    /// Replaces the line. If standard error is closed, it cannot be shown.
    pub fn show(&self, line: impl fmt::Display) {
        if stderr_is_terminal() {
            let line = escape(&line.to_string()).into_owned();
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }

    /// Removes the line.
    pub fn clear(&self) {
        self.show("");
    }
}

/// Escapes all that is formatted into it.
struct Escaping<'a, W> {
    out: &'a mut W,
    must_escape: fn(char) -> bool,
    /// Why formatting stopped.
    failure: Option<io::Error>,
}

impl<W: Write> fmt::Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let written = self.out.write_all(escape_those(text, self.must_escape).as_bytes());
        written.map_err(|error| {
            self.failure = Some(error);
            fmt::Error
        })
    }
}

/// Whether a character controls what a terminal shows: the controls of ASCII and Latin-1, line and
/// paragraph separators, and those that change the direction of writing.
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with its control characters, line breaks included, escaped as in JSON.
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_those(text, is_control)
}

fn escape_those(text: &str, must_escape: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(must_escape) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !must_escape(c) => escaped.push(c),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c => {
                // Every one of them takes four digits.
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            }
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use velocitydb::Value;

    use super::*;

    /// All that must not reach a terminal.
    fn controls() -> impl Iterator<Item = char> {
        let ascii = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
        ascii.chain('\u{2028}'..='\u{202e}').chain('\u{2066}'..='\u{2069}')
    }

    fn written(write: impl FnOnce(&mut Stream<&mut Vec<u8>>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&mut Stream { out: &mut bytes, is_colored: false }).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_control_character_reaches_a_stream() {
        for c in controls() {
            let text = format!("é{c}漢");
            let line = written(|stream| stream.line(&text));
            assert!(!line.trim_end_matches('\n').contains(is_control), "{line:?}");
            let lines = written(|stream| stream.lines(&text));
            assert!(!lines.contains(|c| c != '\n' && is_control(c)), "{lines:?}");
            let json = written(|stream| stream.line(Value::from(text.as_str()).to_json()));
            assert_eq!(Value::from_json(&json).unwrap(), Value::from(text.as_str()), "{json}");
            assert_eq!(json.lines().count(), 1, "{json}");
        }
        let harmless = "a \"b\" \\ é 漢 👩‍🔧 \u{a0}\u{200d}";
        assert_eq!(escape(harmless), harmless);
    }

    #[test]
    fn line_breaks_are_kept_only_where_they_are_layout() {
        assert_eq!(written(|stream| stream.line("a\nb\tc\r\u{1b}")), "a\\nb\\tc\\r\\u001b\n");
        assert_eq!(written(|stream| stream.lines("a\nb\r")), "a\nb\\r\n");
    }

    #[test]
    fn colours_come_from_the_ink_alone() {
        let mut bytes = Vec::new();
        let mut stream = Stream { out: &mut bytes, is_colored: true };
        stream.painted(&[(Ink::Red, &"a\u{1b}[0m"), (Ink::Plain, &" b")]).unwrap();
        assert_eq!(bytes, b"\x1b[1;31ma\\u001b[0m\x1b[0m b\n");
    }
}
