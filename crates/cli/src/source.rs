//! Reads the text of arguments, files and standard input: as a whole, or as the [`Records`] of an import.
//!
//! All text is UTF-8, and may begin with a byte order mark, which is skipped. No text is larger than
//! the largest document in JSON, so reading takes bounded memory, however long the input is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use velocitydb::limits;

use crate::args::Source;
use crate::failure::{Failure, Result};
use crate::records::Records;

/// The name of standard input on the command line.
const STANDARD_INPUT: &str = "-";

/// What begins an argument that names the file in which its text is.
const FILE_MARK: char = '@';

/// The mark that some programs write at the beginning of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The most bytes of a text, or of one record if each is a text: those of the largest document in
/// JSON, in which a byte takes at most six (`\u0001`), with room for its id and times.
pub const TEXT_BYTES_MAX: usize = 6 * limits::DOCUMENT_BYTES_MAX + (64 << 10);

/// Where a text comes from.
enum Place {
    Argument(String),
    File(PathBuf),
    StandardInput,
}

impl Place {
    /// The place that an argument names: `-` and `@-` are standard input, `@FILE` is a file, and
    /// everything else is the text itself. No JSON begins like these.
    fn of(argument: &str) -> Self {
        match argument.strip_prefix(FILE_MARK).unwrap_or(argument) {
            STANDARD_INPUT => Place::StandardInput,
            file if file.len() < argument.len() => Place::File(file.into()),
            text => Place::Argument(text.to_owned()),
        }
    }

    /// The name of a file, or `-`.
    fn path(&self) -> PathBuf {
        match self {
            Place::File(path) => path.clone(),
            Place::Argument(_) | Place::StandardInput => STANDARD_INPUT.into(),
        }
    }

    /// Its bytes, behind the byte order mark.
    fn open(self) -> Result<Box<dyn BufRead>> {
        let path = self.path();
        let mut reader: Box<dyn BufRead> = match self {
            Place::Argument(text) => return Ok(Box::new(Cursor::new(text))),
            Place::File(path) => {
                let file = File::open(&path).map_err(|source| unreadable(&path, source))?;
                Box::new(BufReader::new(file))
            }
            Place::StandardInput => Box::new(io::stdin().lock()),
        };
        let mut begin = Vec::new();
        let read = (&mut reader).take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut begin);
        read.map_err(|source| unreadable(&path, source))?;
        match begin.as_slice() {
            BYTE_ORDER_MARK => Ok(reader),
            _ => Ok(Box::new(Cursor::new(begin).chain(reader))),
        }
    }

    fn read(self) -> Result<String> {
        let place = match self {
            Place::Argument(text) => return Ok(text),
            place => place,
        };
        let (path, mut bytes) = (place.path(), Vec::new());
        let read = place.open()?.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
        match read.map_err(|source| unreadable(&path, source))? {
            length if length > TEXT_BYTES_MAX => Err(Failure::TooLong { max: TEXT_BYTES_MAX }),
            _ => text(bytes, (1, 1)),
        }
    }
}

impl Source {
    /// Reads the whole text.
    pub fn read(&self) -> Result<String> {
        self.place().read()
    }

    /// The documents of the text, one by one.
    pub fn records(&self) -> Result<Records> {
        let place = self.place();
        let path = place.path();
        Ok(Records::new(place.open()?, path))
    }

    fn place(&self) -> Place {
        match (&self.text, &self.file) {
            (_, Some(file)) => Place::File(file.clone()),
            (Some(text), None) => Place::of(text),
            (None, None) => Place::StandardInput,
        }
    }

    /// The file that is read, if it is one.
    pub fn file(&self) -> Option<PathBuf> {
        match self.place() {
            Place::File(path) => Some(path),
            Place::Argument(_) | Place::StandardInput => None,
        }
    }
}

/// The text of an argument, which may name a file or standard input.
pub fn argument(argument: &str) -> Result<String> {
    Place::of(argument).read()
}

/// The failure to read a file or standard input.
pub fn unreadable(path: &Path, source: io::Error) -> Failure {
    Failure::Read { path: path.to_path_buf(), source }
}

/// Bytes that begin at this line and column, as text.
pub fn text(bytes: Vec<u8>, (line, column): (usize, usize)) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let end = error.utf8_error().valid_up_to();
        let (before, rest) = error.as_bytes().split_at(end);
        let breaks = before.iter().filter(|byte| **byte == b'\n').count();
        let in_line = before.iter().rev().take_while(|byte| **byte != b'\n').count();
        Failure::NotUtf8 {
            line: line + breaks,
            column: if breaks == 0 { column + in_line } else { 1 + in_line },
            byte: rest.first().copied().unwrap_or_default(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_is_not_text_has_a_place() {
        let place = |bytes: &[u8], begin| match text(bytes.to_vec(), begin) {
            Err(Failure::NotUtf8 { line, column, byte }) => (line, column, byte),
            other => panic!("{other:?}"),
        };
        assert_eq!(place(b"a\xff", (1, 1)), (1, 2, 0xff));
        assert_eq!(place(b"a\xe9", (7, 5)), (7, 6, 0xe9));
        assert_eq!(place(b"\xc3\xa9\n\xc3(", (7, 5)), (8, 1, 0xc3));
    }

    #[test]
    fn arguments_name_files_and_standard_input() {
        assert!(matches!(Place::of("-"), Place::StandardInput));
        assert!(matches!(Place::of("@-"), Place::StandardInput));
        assert!(matches!(Place::of("@a.json"), Place::File(path) if path == Path::new("a.json")));
        assert!(matches!(Place::of("{\"a\": \"@\"}"), Place::Argument(_)));
    }
}
