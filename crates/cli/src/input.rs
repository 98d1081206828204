//! The JSON input of a command, converted to a document, an update, a filter or a sort. Where the text
//! comes from is known by [`source`](crate::source).

use velocitydb::{
    DocumentId, Filter, ID, InputError, METADATA, Object, Origin, Sort, Update, Value,
};

use crate::failure::{Failure, Result};
use crate::source;

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

/// Reads a filter: JSON, or the name of a file that has it, as [`source::argument`] reads it.
pub fn filter(argument: &str) -> Result<Filter> {
    named("FILTER", Filter::from_json(&source::argument(argument)?))
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
