//! A whole batch: its documents as they are read, and the answers to its queries.

use velocitydb_core::{Object, Value};

use super::numbers::Number;
use super::queries::answer;
use crate::oracle::case::{Answer, Batch};

/// Documents as they are read: numbers as ids are in their simplest form.
pub fn as_read(documents: &[Object]) -> Vec<Value> {
    let read = |document: &Object| {
        let mut document = document.clone();
        let id = document.get("_id").and_then(Number::of);
        if let Some(id) = id.and_then(|number| number.to_simplest()) {
            document.insert("_id", id);
        }
        document.into()
    };
    documents.iter().map(read).collect()
}

/// The right answers to all queries of a batch, as far as they are known.
pub fn answers(batch: &Batch) -> Vec<Option<Answer>> {
    let documents = as_read(&batch.documents);
    batch.queries.iter().map(|query| answer(query, &documents)).collect()
}
