//! What MongoDB's documentation and VelocityDB's say, implemented from these alone and as simply as
//! possible: an independent check where mingo is known to be wrong, so that a bug of VelocityDB cannot
//! hide there.

mod calls;
mod combinations;
mod field_order;
mod groups;
mod numbers;
mod order;
mod queries;
mod simplest;
mod types;
mod updates;

use velocitydb_core::{Object, Value};

use crate::oracle::case::{Answer, Batch};

pub use calls::right;
pub use field_order::is_in_order;
pub use numbers::Number;
pub use order::compare;
pub use queries::answer;

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
