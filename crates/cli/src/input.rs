//! JSON that is given to a command: where it is read from, and how it becomes a document, an
//! update, a filter or a sort.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use velocitydb::{Filter, InputError, Object, Sort, Update, Value};

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
    Ok(Object::from_json(text)?)
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
        return Ok(Update::from_object(given)?);
    }
    Ok(Update::merge(document_of(text, id)?))
}

/// Reads an update for any document, as [`update_of`].
pub fn update(text: &str) -> Result<Update> {
    let fields = object(text)?;
    match fields.get(ID) {
        Some(_) => {
            let what = "`_id` cannot be changed; leave it out".to_owned();
            Err(Failure::Input { what })
        }
        None => update_of(text, ""),
    }
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

/// Reads a sort: JSON, or paths with a comma between them and a `-` before those that descend.
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

/// Says which argument is wrong, unless the error does.
pub fn named<T, E: Into<Failure>>(name: &'static str, result: Result<T, E>) -> Result<T> {
    result.map_err(|error| match error.into() {
        failure @ Failure::Database(velocitydb::Error::Invalid(InputError::InvalidQuery {
            ..
        })) => failure,
        Failure::Database(source) => Failure::Argument { name, source: Box::new(source) },
        Failure::Input { what } => Failure::Input { what: format!("{name}: {what}") },
        failure => failure,
    })
}
