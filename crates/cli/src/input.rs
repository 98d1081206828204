//! JSON that is given to a command: where it is read from, and how it becomes a document.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use velocitydb::{Object, Update, Value};

use crate::args::Source;
use crate::exit::{Failure, Result};

/// The name of standard input on the command line.
const STANDARD_INPUT: &str = "-";

/// The fields that a printed document has beside its own.
const ID: &str = "_id";
const EXPIRES: &str = "_expires";
const SET_BY_THE_DATABASE: [&str; 3] = ["_version", "_created", "_modified"];

/// A document as it was given.
pub struct Given {
    /// Its `_id`.
    pub id: Option<String>,
    /// Its own fields.
    pub fields: Object,
}

impl Source {
    /// All of the text.
    pub fn read(&self) -> Result<String> {
        match (&self.text, &self.file) {
            (Some(text), _) if text != STANDARD_INPUT => Ok(text.clone()),
            (_, Some(path)) => fs::read_to_string(path).map_err(|source| unreadable(path, source)),
            _ => {
                let mut text = String::new();
                let read = io::stdin().read_to_string(&mut text);
                read.map_err(|source| unreadable(Path::new(STANDARD_INPUT), source))?;
                Ok(text)
            }
        }
    }

    /// The text line by line, with the number of each line; empty lines are left out.
    pub fn lines(&self) -> Result<impl Iterator<Item = Result<(usize, String)>>> {
        let path = self.file.clone().unwrap_or_else(|| STANDARD_INPUT.into());
        let reader: Box<dyn BufRead> = match (&self.text, &self.file) {
            (Some(text), _) if text != STANDARD_INPUT => Box::new(io::Cursor::new(text.clone())),
            (_, Some(file)) => {
                let file = File::open(file).map_err(|source| unreadable(&path, source))?;
                Box::new(BufReader::new(file))
            }
            _ => Box::new(io::stdin().lock()),
        };
        let lines = reader.lines().enumerate().map(move |(index, line)| match line {
            Ok(line) => Ok((index + 1, line)),
            Err(source) => Err(unreadable(&path, source)),
        });
        Ok(lines.filter(|line| !matches!(line, Ok((_, text)) if text.trim().is_empty())))
    }
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
    Ok(Object::from_json(text).map_err(velocitydb::Error::from)?)
}

/// Reads a document, in the form in which documents are printed: what the database sets is left
/// out, and `_id` is the id.
pub fn document(text: &str) -> Result<Given> {
    let mut fields = object(text)?;
    for name in SET_BY_THE_DATABASE {
        fields.remove(name);
    }
    if fields.contains_key(EXPIRES) {
        let what = "`_expires` cannot be set as a field; leave it out, and give --time-to-live";
        return Err(Failure::Input { what: what.to_owned() });
    }
    let id = match fields.remove(ID) {
        None => None,
        Some(Value::String(id)) => Some(id),
        Some(other) => {
            let what = format!("`_id` is a string, not {other}; put it in double quotes");
            return Err(Failure::Input { what });
        }
    };
    Ok(Given { id, fields })
}

/// Reads a document for a given id, which its `_id` must not contradict.
pub fn document_of(text: &str, id: &str) -> Result<Object> {
    let given = document(text)?;
    match given.id {
        Some(other) if other != id => {
            let what = format!(
                "`_id` is {other:?}, but the command line says {id:?}; an id cannot be changed"
            );
            Err(Failure::Input { what })
        }
        _ => Ok(given.fields),
    }
}

/// Reads an update: operators, or the fields of a document, which are merged.
pub fn update_of(text: &str, id: &str) -> Result<Update> {
    let given = object(text)?;
    if given.keys().any(|name| name.starts_with('$')) {
        return Ok(Update::from_object(given).map_err(velocitydb::Error::from)?);
    }
    Ok(Update::merge(document_of(text, id)?))
}
