//! Documents that are looked for under an id of the wrong type.

use velocitydb::{DocumentId, Documents, Error, Result as Found, Value};

use crate::failure::{Failure, Result};

/// The result of a call on a document, with a hint if it exists under an id of another type alone.
pub fn found<T>(documents: &Documents, id: &DocumentId, result: Found<T>) -> Result<T> {
    match result {
        Err(error @ Error::NotFound { .. }) => Err(match not_found(documents, id)? {
            failure @ Failure::NotFound { other: Some(_), .. } => failure,
            _ => error.into(),
        }),
        result => Ok(result?),
    }
}

/// The failure of a call on a document that does not exist.
pub fn not_found(documents: &Documents, id: &DocumentId) -> Result<Failure> {
    let mut other = None;
    for one in others(id) {
        if documents.get(&one)?.is_some() {
            other = Some(one);
            break;
        }
    }
    let collection = documents.name()?.to_string();
    Ok(Failure::NotFound { collection, id: id.clone(), other })
}

/// The ids of other types that are printed as this one is.
fn others(id: &DocumentId) -> Vec<DocumentId> {
    let text = id.to_string();
    if id.as_str().is_none() {
        return DocumentId::new(text).into_iter().collect();
    }
    let values = [
        Value::from_json(&text).ok(),
        text.parse().ok().map(Value::Decimal),
        text.parse().ok().map(Value::ObjectId),
        text.parse::<velocitydb::Uuid>().ok().map(Value::from),
        text.parse().ok().map(Value::Time),
    ];
    let ids = values.into_iter().flatten().filter_map(|value| DocumentId::new(value).ok());
    ids.filter(|other| other.as_str().is_none()).collect()
}
