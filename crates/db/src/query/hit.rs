//! [`Hit`]: a document that a query has found, and what is asked of it.

use std::ops::ControlFlow;

use velocitydb_core::{Header, Object};
use velocitydb_storage::Blob;

use super::walk::Verdict;
use crate::Result;

/// A document that was found.
pub(crate) struct Hit<'a> {
    pub(crate) id: &'a str,
    pub(crate) record: Record<'a>,
}

/// What is known of a document that was found.
pub(crate) enum Record<'a> {
    /// All, as it lies in the engine.
    Bytes(&'a [u8]),
    /// All, shared with the engine.
    Blob(Blob),
    /// The fields that an index has.
    Covered(Object),
    /// Nothing: it was only to be counted.
    NotFetched,
}

impl Record<'_> {
    /// The stored document.
    pub(crate) fn into_blob(self) -> Blob {
        match self {
            Record::Bytes(bytes) => Blob::copy_of(bytes),
            Record::Blob(blob) => blob,
            Record::Covered(_) | Record::NotFetched => {
                unreachable!("whoever needs documents asks for them")
            }
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Record::Bytes(bytes) => bytes,
            Record::Blob(blob) => blob,
            Record::Covered(_) | Record::NotFetched => &[],
        }
    }
}

/// What is needed of the documents that are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// All of it.
    Documents,
    /// The fields of the index that is used. The caller has seen to it that they suffice.
    IndexedFields,
    /// Only that they are there.
    Count,
}

/// Whether a document that satisfies the filter is shown.
#[derive(Debug)]
pub(crate) enum Accept {
    Yes,
    /// No, and what is made of it.
    No(Verdict),
}

/// What is asked of a document, by its id and header, beside the filter.
pub(crate) type Demand<'a> = dyn Fn(&str, &Header) -> Result<Accept> + 'a;

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Examined {
    /// Entries of indexes.
    pub(crate) keys: u64,
    /// Documents.
    pub(crate) documents: u64,
}

/// What a document is shown to.
pub(crate) type Visit<'a> = dyn FnMut(Hit<'_>) -> Result<ControlFlow<()>> + 'a;
