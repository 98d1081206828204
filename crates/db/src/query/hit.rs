//! [`Hit`]: a document that a query has found, and how much of it is needed.

use std::ops::ControlFlow;

use velocitydb_core::{Header, IdRef, Object};
use velocitydb_storage::Blob;

use super::progress::Verdict;
use crate::Result;

/// A document that was found.
pub(crate) struct Hit<'a> {
    pub(crate) id: IdRef<'a>,
    pub(crate) record: Record<'a>,
}

/// What is known of a document that was found.
pub(crate) enum Record<'a> {
    /// All of it, borrowed from the engine.
    Bytes(&'a [u8]),
    /// All of it, shared with the engine.
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
                unreachable!("a caller that reads records asks for documents")
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
    /// The fields of the index that is used. The caller guarantees that they suffice.
    IndexedFields,
    /// Only that they exist.
    Count,
}

/// Whether a document that satisfies the filter is shown.
#[derive(Debug)]
pub(crate) enum Accept {
    Yes,
    /// No, with the verdict on it.
    No(Verdict),
}

/// A condition on a document's id and header, beside the filter.
pub(crate) type Demand<'a> = dyn Fn(IdRef<'_>, &Header) -> Result<Accept> + 'a;

/// How much was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Examined {
    /// Entries of indexes.
    pub(crate) keys: u64,
    /// Documents.
    pub(crate) documents: u64,
}

/// The visitor of found documents.
pub(crate) type Visit<'a> = dyn FnMut(Hit<'_>) -> Result<ControlFlow<()>> + 'a;
