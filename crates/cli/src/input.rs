//! The JSON input of a command: its source, and its conversion to a document, an update, a filter
//! or a sort.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use velocitydb::{
    DocumentId, Filter, ID, InputError, METADATA, Object, Origin, Sort, Update, Value, limits,
};

use crate::args::Source;
use crate::failure::{Failure, Result};

/// The name of standard input on the command line.
const STANDARD_INPUT: &str = "-";

/// The most bytes of a text, or of one line if each is a text: those of the largest document in
/// JSON, in which a byte takes at most six (`\u0001`), with room for its id and times.
const TEXT_BYTES_MAX: usize = 6 * limits::DOCUMENT_BYTES_MAX + (64 << 10);

/// A document of the input.
pub struct Given {
    /// Its `_id`.
    pub id: Option<DocumentId>,
    /// Its own fields.
    pub fields: Object,
}

impl Given {
    /// Checks that its `_id` does not contradict an id.
    pub fn check_id(&self, id: &DocumentId) -> Result {
        match &self.id {
            Some(other) if other != id => {
                let what = format!(
                    "`_id` is {}, but the command line says {}; an id cannot be changed",
                    other.to_value(),
                    id.to_value()
                );
                Err(Failure::Input { what })
            }
            _ => Ok(()),
        }
    }

    /// Makes the value at a path its id.
    pub fn take_id_from(&mut self, path: &velocitydb::Path) -> Result {
        if self.id.is_some() && path.to_string() == ID {
            return Ok(());
        }
        let Some(value) = path.get(&self.fields) else {
            let what = format!("the document has no field {:?} to be its id", path.to_string());
            return Err(Failure::Input { what });
        };
        let id = DocumentId::new(value).map_err(velocitydb::Error::from)?;
        match &self.id {
            Some(other) if *other != id => {
                let what = format!(
                    "`_id` is {}, but {:?} is {}; leave one of them out",
                    other.to_value(),
                    path.to_string(),
                    id.to_value()
                );
                Err(Failure::Input { what })
            }
            _ => {
                self.id = Some(id);
                Ok(())
            }
        }
    }

    /// Takes the version and times of a printed document, if it has them and they are to be kept.
    pub fn take_origin(&mut self, keep_metadata: bool) -> Result<Option<Origin>> {
        match self.fields.remove(METADATA) {
            None => Ok(None),
            Some(Value::Object(metadata)) if keep_metadata => {
                Ok(Some(Origin::from_object(&metadata)?))
            }
            Some(_) => {
                let what = "`_meta` is what the database knows about a document; --keep-metadata \
                            keeps version and times of a document that was printed with --meta, \
                            and one that is printed without it begins anew";
                Err(Failure::Input { what: what.to_owned() })
            }
        }
    }
}

impl Source {
    /// Reads the whole text.
    pub fn read(&self) -> Result<String> {
        match (&self.text, &self.file) {
            (Some(text), _) if text != STANDARD_INPUT => Ok(text.clone()),
            (_, Some(path)) => {
                let file = File::open(path).map_err(|source| unreadable(path, source))?;
                text_of(&mut BufReader::new(file), path)
            }
            _ => text_of(&mut io::stdin().lock(), Path::new(STANDARD_INPUT)),
        }
    }

    /// The text line by line, with the number of each line; empty lines are left out.
    ///
    /// The first line that cannot be read is the last.
    pub fn lines(&self) -> Result<Lines> {
        let path = self.file.clone().unwrap_or_else(|| STANDARD_INPUT.into());
        let reader: Box<dyn BufRead> = match (&self.text, &self.file) {
            (Some(text), _) if text != STANDARD_INPUT => Box::new(io::Cursor::new(text.clone())),
            (_, Some(file)) => {
                let file = File::open(file).map_err(|source| unreadable(&path, source))?;
                Box::new(BufReader::new(file))
            }
            _ => Box::new(io::stdin().lock()),
        };
        Ok(Lines { reader, path, number: 0, is_at_end: false })
    }
}

/// Lines of input with their numbers; empty ones are left out.
pub struct Lines {
    reader: Box<dyn BufRead>,
    path: PathBuf,
    /// How many have been read.
    number: usize,
    is_at_end: bool,
}

impl Lines {
    /// The next line, empty or not; `None` at the end.
    fn read(&mut self) -> Result<Option<String>> {
        let mut bytes = Vec::new();
        let mut bounded = (&mut self.reader).take(TEXT_BYTES_MAX as u64 + 1);
        let read = bounded.read_until(b'\n', &mut bytes);
        match read.map_err(|source| unreadable(&self.path, source))? {
            0 => Ok(None),
            length if length > TEXT_BYTES_MAX => Err(Failure::TooLong { max: TEXT_BYTES_MAX }),
            _ => {
                if bytes.ends_with(b"\n") {
                    bytes.pop();
                }
                text(bytes, &self.path).map(Some)
            }
        }
    }
}

impl Iterator for Lines {
    type Item = (usize, Result<String>);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_at_end {
            self.number += 1;
            match self.read().transpose() {
                Some(Ok(text)) if text.trim().is_empty() => {}
                Some(line) => {
                    self.is_at_end = line.is_err();
                    return Some((self.number, line));
                }
                None => self.is_at_end = true,
            }
        }
        None
    }
}

/// The whole text of a reader, up to the size of the largest document.
fn text_of(reader: &mut dyn BufRead, path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    let read = reader.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    match read.map_err(|source| unreadable(path, source))? {
        length if length > TEXT_BYTES_MAX => Err(Failure::TooLong { max: TEXT_BYTES_MAX }),
        _ => text(bytes, path),
    }
}

fn text(bytes: Vec<u8>, path: &Path) -> Result<String> {
    let invalid = |error| unreadable(path, io::Error::new(io::ErrorKind::InvalidData, error));
    String::from_utf8(bytes).map_err(|error| invalid(error.utf8_error()))
}

fn unreadable(path: &Path, source: io::Error) -> Failure {
    Failure::Read { path: path.to_path_buf(), source }
}

/// Reads a JSON object.
fn object(text: &str) -> Result<Object> {
    if text.trim().is_empty() {
        let what = "the input is empty; a JSON object is needed, such as {\"age\": 29}";
        return Err(Failure::Input { what: what.to_owned() });
    }
    Ok(Object::from_json(text)?)
}

/// Reads a document, whose `_id` is its id.
pub fn document(text: &str) -> Result<Given> {
    let mut fields = object(text)?;
    let id = fields.remove(ID).map(DocumentId::new).transpose();
    let id = id.map_err(velocitydb::Error::from)?;
    Ok(Given { id, fields })
}

/// Reads a document for a given id, which its `_id` must not contradict.
pub fn document_of(text: &str, id: &DocumentId) -> Result<Object> {
    let given = document(text)?;
    given.check_id(id)?;
    Ok(given.fields)
}

/// Reads an update: operators, or the fields of a document, which are merged.
pub fn update_of(text: &str, id: &DocumentId) -> Result<Update> {
    match Object::from_json(text) {
        Ok(fields)
            if fields.contains_key(ID) && !fields.keys().any(|name| name.starts_with('$')) =>
        {
            Ok(Update::merge(document_of(text, id)?))
        }
        _ => update(text),
    }
}

/// Reads an update for any document: operators, or fields that are merged.
pub fn update(text: &str) -> Result<Update> {
    if text.trim().is_empty() {
        object(text)?;
    }
    Ok(Update::from_json(text)?)
}

/// The update that sets these fields.
pub fn update_of_fields(fields: impl IntoIterator<Item = (velocitydb::Path, Value)>) -> Update {
    let set =
        |update: Update, (path, value): (velocitydb::Path, _)| update.set(&path.to_string(), value);
    fields.into_iter().fold(Update::new(), set)
}

/// Reads a filter.
pub fn filter(text: &str) -> Result<Filter> {
    named("FILTER", Filter::from_json(text))
}

/// Reads a sort: JSON, or paths separated by commas, with a `-` before descending ones.
pub fn sort(text: &str) -> velocitydb::Result<Sort> {
    if text.trim_start().starts_with(['{', '[']) {
        return Ok(Sort::from_json(text)?);
    }
    let keys = text.split(',').map(str::trim);
    let sort = keys.fold(Sort::new(), |sort, key| match key.strip_prefix('-') {
        Some(path) => sort.descending(path),
        None => sort.ascending(key),
    });
    sort.check()?;
    Ok(sort)
}

/// Adds the name of the argument, unless the error names it: errors of a query name its part, and
/// the command has one query.
pub fn named<T, E: Into<Failure>>(name: &'static str, result: Result<T, E>) -> Result<T> {
    match result.map_err(Into::into) {
        Err(
            failure @ Failure::Database(velocitydb::Error::Invalid(InputError::InvalidQuery {
                ..
            })),
        ) => Err(failure),
        result => named_among(name, result),
    }
}

/// Adds the name of the argument, of several of the same kind.
pub fn named_among<T, E: Into<Failure>>(name: &'static str, result: Result<T, E>) -> Result<T> {
    result.map_err(|error| match error.into() {
        Failure::Database(source) => Failure::Argument { name, source: Box::new(source) },
        Failure::Input { what } => Failure::Input { what: format!("{name}: {what}") },
        failure => failure,
    })
}
