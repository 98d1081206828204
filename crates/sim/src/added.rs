//! Documents with generated ids, inserted under a request id: only the request id distinguishes a
//! retry from a second document, and the answer to the retry has to name the document of the first
//! attempt.

use std::collections::BTreeMap;

use velocitydb::{Document, Error, object};

use crate::content::OperationId;
use crate::operation::Operation;
use crate::perform::Done;

/// The collection of these documents.
pub const COLLECTION: &str = "added";

/// The ids of the documents that each operation has inserted; in a correct database, one each.
pub type Added = BTreeMap<OperationId, Vec<String>>;

/// Inserts a document. Every other one is inserted again at once, as by a client that did not get
/// the answer.
pub(crate) fn add(db: &velocitydb::Database, operation: &Operation) -> velocitydb::Result<Done> {
    let id = operation.id;
    let mut documents = db.documents(COLLECTION).at(operation.level);
    if let Some(request) = operation.request() {
        documents = documents.request(request);
    }
    let insert = || {
        let fields = object! { "of": id.0.cast_signed(), "pad": id.pad() };
        let written = documents.insert_new(fields)?;
        let document = written.id.to_string();
        Ok::<_, Error>((written.index, written.version, document, written.is_replayed))
    };
    let (index, version, document, is_replayed) = insert()?;
    if id.0.is_multiple_of(2) {
        let again = insert()?;
        let expected = (index, version, document.clone(), true);
        if again != expected {
            let what = format!("it was answered {again:?} instead of {expected:?}");
            return Err(Error::Corrupt { place: format!("the retry of {operation}"), what });
        }
    }
    Ok(Done::Added { index, version, document, is_replayed })
}

/// The operation that has inserted a document; `None` when no operation can have.
pub(crate) fn operation_of(document: &Document) -> Option<OperationId> {
    let of = OperationId(document.field("of").ok()??.as_i64().ok()??.cast_unsigned());
    let fields = document.fields().ok()?;
    let is_whole = fields.get("pad")?.as_str()? == of.pad() && document.version() == 1;
    is_whole.then_some(of)
}
