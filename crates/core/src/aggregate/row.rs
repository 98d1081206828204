//! The rows of a pipeline: stored documents as long as no stage changes them, and objects. Owns
//! decoding no more of a document than the pipeline needs.

use std::collections::BTreeSet;

use super::context::Shared;
use super::expression::Env;
use super::expression::Frame;
use crate::document::META;
use crate::{DocumentId, DocumentView, Encoded, Header, Object, Result, Value};

/// A row that is pushed into a pipeline, and passed from stage to stage.
#[derive(Debug, Clone)]
pub enum Row<'a> {
    /// A stored document, of which only the needed fields are decoded.
    Document(DocumentView<'a>),
    /// An object, without an id or times.
    Object(Object),
}

impl<'a> From<DocumentView<'a>> for Row<'a> {
    fn from(document: DocumentView<'a>) -> Self {
        Self::Document(document)
    }
}

impl From<Object> for Row<'_> {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

/// The fields that a pipeline needs of its input rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Input {
    /// The top-level fields; `None` for all of them.
    pub(super) needed: Option<BTreeSet<String>>,
    /// The names of [`META`] that are part of a whole document here.
    pub(super) meta: Vec<&'static str>,
}

impl Input {
    /// Decodes the needed fields of a document.
    pub(super) fn materialise(&self, document: &DocumentView<'_>) -> Result<Object> {
        let Some(needed) = &self.needed else {
            let mut object = document.fields.to_object()?;
            META.iter().for_each(|name| drop(object.remove(name)));
            object.prepend(self.meta.iter().filter_map(|name| Some((*name, document.meta(name)?))));
            return Ok(object);
        };
        let mut found = Vec::with_capacity(needed.len());
        for name in needed {
            found.extend(find(document, name)?.map(|(at, value)| (at, name, value)));
        }
        found.sort_unstable_by_key(|(at, ..)| *at);
        Ok(found.into_iter().map(|(_, name, value)| (name.as_str(), value)).collect())
    }
}

/// A field of a document and its position in the order of output: that of [`META`], and behind it
/// that in which the document was written.
pub(super) fn find(document: &DocumentView<'_>, name: &str) -> Result<Option<(usize, Value)>> {
    if name.starts_with('_')
        && let Some(at) = META.iter().position(|meta| *meta == name)
    {
        return Ok(document.meta(name).map(|value| (at, value)));
    }
    let found = document.fields.find(name)?;
    found.map(|(at, value)| Ok((META.len() + at, value.to_value()?))).transpose()
}

/// The environment of a stage: the run, the variables around the pipeline, and the needed fields of
/// its input.
#[derive(Clone, Copy)]
pub(super) struct World<'w> {
    pub(super) shared: &'w Shared<'w>,
    pub(super) scope: Option<&'w Frame<'w>>,
    pub(super) input: &'w Input,
}

impl<'w> World<'w> {
    pub(super) fn env<'e>(self, row: &'e Row<'e>) -> Env<'e>
    where
        'w: 'e,
    {
        Env { world: self, row }
    }
}

impl Row<'_> {
    /// The row as an object.
    pub(super) fn into_object(self, input: &Input) -> Result<Object> {
        match self {
            Row::Document(document) => input.materialise(&document),
            Row::Object(object) => Ok(object),
        }
    }
}

/// A row that is held until all rows are known. A document stays encoded, since that is smaller and
/// needs no decoding.
pub(super) enum Kept {
    Document { id: DocumentId, header: Header, fields: Encoded },
    Object(Object),
}

impl Kept {
    pub(super) fn new(row: Row<'_>) -> Self {
        match row {
            Row::Document(DocumentView { id, header, fields }) => {
                Self::Document { id: id.to_owned(), header, fields: fields.to_encoded() }
            }
            Row::Object(object) => Self::Object(object),
        }
    }

    /// How many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Document { id, fields, .. } => {
                size_of::<Self>() + id.as_bytes().len() + fields.as_bytes().len()
            }
            Self::Object(object) => {
                size_of::<Self>() + super::measure::Measure::of_object(object).bytes
            }
        }
    }

    /// Passes the row to `next`.
    pub(super) fn give<T>(self, next: impl FnOnce(Row<'_>) -> Result<T>) -> Result<T> {
        match self {
            Self::Document { id, header, fields } => {
                next(Row::Document(DocumentView { id: id.by_ref(), header, fields: fields.view() }))
            }
            Self::Object(object) => next(Row::Object(object)),
        }
    }
}
