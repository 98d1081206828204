//! [`Records`]: the documents of an import, one after the other, with their places.
//!
//! Input that begins with `[` is a JSON array, whose elements are the records. All other input has one
//! record in a line. This finds only where records begin and end; what is between is checked when
//! it is parsed.

use std::io::{BufRead, Read};
use std::path::PathBuf;

use velocitydb::{InputError, JsonMistake};

use crate::failure::{Failure, Result};
use crate::source::{TEXT_BYTES_MAX, text, unreadable};

/// One document of the input, as it was written.
pub struct Record {
    /// The line at which it begins, from 1.
    pub line: usize,
    /// The column in bytes at which it begins, from 1.
    pub column: usize,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Record {
    /// Its text.
    pub fn text(&self) -> Result<String> {
        text(self.bytes.clone(), (self.line, self.column))
    }

    /// A failure that names a place within the record, with that place within the input.
    pub fn placed(&self, failure: Failure) -> Failure {
        let Failure::Database(velocitydb::Error::Invalid(mut error)) = failure else {
            return failure;
        };
        if let InputError::InvalidJson { line, column, .. }
        | InputError::RefusedJson { line, column, .. } = &mut error
        {
            if *line == 1 {
                *column += self.column - 1;
            }
            *line += self.line - 1;
        }
        error.into()
    }
}

/// What the input is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Nothing was read so far.
    Unknown,
    Lines,
    /// An array, and how many of its elements were read.
    Array {
        read: usize,
    },
    /// There are no more records.
    End,
}

/// The documents of the input. The first failure is the last item.
pub struct Records {
    reader: Box<dyn BufRead>,
    path: PathBuf,
    shape: Shape,
    /// The place of the next byte, from 1.
    line: usize,
    column: usize,
    /// How many bytes have been read.
    bytes: u64,
}

impl Records {
    /// The records of a reader, which is called by this name.
    pub fn new(reader: Box<dyn BufRead>, path: PathBuf) -> Self {
        Records { reader, path, shape: Shape::Unknown, line: 1, column: 1, bytes: 0 }
    }

    /// How many bytes have been read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The line that is read, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    fn read(&mut self) -> Result<Option<Record>> {
        if self.shape == Shape::Unknown {
            self.shape = match self.skip_space()? {
                Some(b'[') => {
                    self.take_byte()?;
                    Shape::Array { read: 0 }
                }
                _ => Shape::Lines,
            };
        }
        match self.shape {
            Shape::Array { read } => self.element(read),
            _ => self.next_line(),
        }
    }

    /// The next line that is not empty.
    fn next_line(&mut self) -> Result<Option<Record>> {
        loop {
            let (line, column, mut bytes) = (self.line, self.column, Vec::new());
            let mut bounded = (&mut self.reader).take(TEXT_BYTES_MAX as u64 + 1);
            let read = bounded.read_until(b'\n', &mut bytes);
            match read.map_err(|source| unreadable(&self.path, source))? {
                0 => return Ok(None),
                length if length > TEXT_BYTES_MAX => {
                    return Err(Failure::TooLong { max: TEXT_BYTES_MAX });
                }
                length => self.bytes += length as u64,
            }
            (self.line, self.column) = (line + 1, 1);
            if bytes.ends_with(b"\n") {
                bytes.pop();
            }
            if !bytes.trim_ascii().is_empty() {
                return Ok(Some(Record { line, column, bytes }));
            }
        }
    }

    /// The next element of the array.
    fn element(&mut self, read: usize) -> Result<Option<Record>> {
        let first = self.skip_space()?;
        match first {
            Some(b']') if read == 0 => {
                self.take_byte()?;
                return self.nothing_follows();
            }
            Some(b']') => {
                let what = "found `]` after a comma; leave the comma out, or add another document";
                return Err(self.wrong(JsonMistake::TrailingComma, what));
            }
            Some(b',') => {
                let what = "found `,` where a document is needed";
                return Err(self.wrong(JsonMistake::MissingValue, what));
            }
            None => return Err(self.unclosed()),
            Some(_) => {}
        }
        let (line, column, mut bytes) = (self.line, self.column, Vec::new());
        let mut extent = Extent::default();
        loop {
            match self.peek()? {
                Some(byte) if extent.ends_before(byte) => break,
                Some(byte) => {
                    if bytes.len() == TEXT_BYTES_MAX {
                        return Err(Failure::TooLong { max: TEXT_BYTES_MAX });
                    }
                    bytes.push(byte);
                    self.take_byte()?;
                }
                None => break,
            }
        }
        self.shape = match self.take_byte()? {
            Some(b',') => Shape::Array { read: read + 1 },
            Some(_) => {
                self.nothing_follows()?;
                Shape::End
            }
            // The next call says that the array is not closed, unless the element says so.
            None => Shape::Array { read: read + 1 },
        };
        bytes.truncate(bytes.trim_ascii_end().len());
        Ok(Some(Record { line, column, bytes }))
    }

    /// Only space may follow the array.
    fn nothing_follows(&mut self) -> Result<Option<Record>> {
        match self.skip_space()? {
            None => Ok(None),
            Some(_) => {
                let what = "found more behind the end of the array; one array has all documents";
                Err(self.wrong(JsonMistake::SecondValue, what))
            }
        }
    }

    fn unclosed(&self) -> Failure {
        let what = "the text ends within the array of documents; its closing `]` is missing";
        self.wrong(JsonMistake::Unclosed, what)
    }

    fn wrong(&self, mistake: JsonMistake, problem: &str) -> Failure {
        let (line, column, problem) = (self.line, self.column, problem.to_owned());
        InputError::InvalidJson { line, column, problem, mistake }.into()
    }

    /// Skips space, and returns the byte behind it.
    fn skip_space(&mut self) -> Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(byte) if byte.is_ascii_whitespace() => self.take_byte()?,
                byte => return Ok(byte),
            };
        }
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            match self.reader.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(unreadable(&self.path, source)),
            }
        }
    }

    fn take_byte(&mut self) -> Result<Option<u8>> {
        let byte = self.peek()?;
        match byte {
            None => return Ok(None),
            Some(b'\n') => (self.line, self.column) = (self.line + 1, 1),
            Some(_) => self.column += 1,
        }
        self.reader.consume(1);
        self.bytes += 1;
        Ok(byte)
    }
}

impl Iterator for Records {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.shape == Shape::End {
            return None;
        }
        let record = self.read().transpose();
        if !matches!(record, Some(Ok(_))) {
            self.shape = Shape::End;
        }
        record
    }
}

/// Finds the end of an array's element, of which the bytes are given one after the other.
#[derive(Default)]
struct Extent {
    /// How many objects and arrays are open.
    depth: usize,
    is_string: bool,
    is_escaped: bool,
}

impl Extent {
    /// Whether the element has ended before this byte; otherwise the byte belongs to it.
    fn ends_before(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_string => self.is_escaped = true,
            b'"' => self.is_string = !self.is_string,
            _ if self.is_string => {}
            b',' | b']' if self.depth == 0 => return true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Line, column and text of each record, and the failure at the end.
    fn records(text: &str) -> (Vec<(usize, usize, String)>, Option<String>) {
        let mut found = Vec::new();
        for record in Records::new(Box::new(Cursor::new(text.to_owned())), "-".into()) {
            match record {
                Ok(record) => found.push((record.line, record.column, record.text().unwrap())),
                Err(failure) => return (found, Some(failure.to_string())),
            }
        }
        (found, None)
    }

    fn of(parts: &[(usize, usize, &str)]) -> Vec<(usize, usize, String)> {
        parts.iter().map(|(line, column, text)| (*line, *column, (*text).to_owned())).collect()
    }

    #[test]
    fn lines_are_records() {
        let (found, failure) = records("\n{\"a\": 1}\n  \n{\"a\":\r\n[]");
        assert_eq!(found, of(&[(2, 1, "{\"a\": 1}"), (4, 1, "{\"a\":\r"), (5, 1, "[]")]));
        assert_eq!(failure, None);
        assert_eq!(records(""), (Vec::new(), None));
        assert_eq!(records("  \n "), (Vec::new(), None));
    }

    #[test]
    fn elements_of_an_array_are_records() {
        let (found, failure) = records(" [ {\"a\": [1, 2]},\n {\"b\": \"]\\\",}\"} ,7\n]\n");
        let expected = [(1, 4, "{\"a\": [1, 2]}"), (2, 2, "{\"b\": \"]\\\",}\"}"), (2, 18, "7")];
        assert_eq!(found, of(&expected));
        assert_eq!(failure, None);
        assert_eq!(records("[]"), (Vec::new(), None));
        assert_eq!(records("\n[\n]\n"), (Vec::new(), None));
    }

    #[test]
    fn an_array_that_is_not_well_formed_is_refused() {
        for (text, count, expected) in [
            ("[{},]", 1, "line 1, column 5: found `]` after a comma"),
            ("[{},,{}]", 1, "line 1, column 5: found `,` where a document is needed"),
            ("[{}", 1, "line 1, column 4: the text ends within the array"),
            ("[", 0, "line 1, column 2: the text ends within the array"),
            ("[{},\n", 1, "line 2, column 1: the text ends within the array"),
            ("[{}] {}", 0, "line 1, column 6: found more behind the end of the array"),
            ("[] {}", 0, "line 1, column 4: found more behind the end of the array"),
        ] {
            let (found, failure) = records(text);
            assert_eq!(found.len(), count, "{text}");
            let failure = failure.unwrap_or_default();
            assert!(failure.contains(expected), "{text}: {failure}");
        }
    }

    #[test]
    fn places_are_those_of_the_input() {
        let record = Record { line: 3, column: 5, bytes: b"{\n}}".to_vec() };
        let place = |text: &str| {
            let failure = Failure::from(velocitydb::Value::from_json(text).unwrap_err());
            record.placed(failure).to_string()
        };
        assert!(place("{]").contains("line 3, column 6"), "{}", place("{]"));
        assert!(place("{\n]").contains("line 4, column 1"), "{}", place("{\n]"));
    }
}
