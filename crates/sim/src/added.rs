//! Documents with generated ids, inserted under a request id: only the request id distinguishes a
//! retry from a second document, and the answer to the retry has to name the document of the first
//! attempt. There is a collection for each kind of generated ids.

use std::collections::BTreeMap;

use velocitydb::{CollectionOptions, Database, Document, DocumentId, Error, NewIds, object};

use crate::content::OperationId;
use crate::operation::Operation;
use crate::perform::Done;
use crate::random::mixed;

/// The collections are called by this and the kind of ids.
const COLLECTIONS: &str = "added-";

/// The ids of the documents that each operation has inserted; in a correct database, one each.
pub type Added = BTreeMap<OperationId, Vec<DocumentId>>;

/// The collection whose new ids are of a kind.
pub fn collection(new_ids: NewIds) -> String {
    format!("{COLLECTIONS}{new_ids}")
}

/// The kind of new ids of the collection of this name.
pub(crate) fn new_ids(collection: &str) -> Option<NewIds> {
    collection.strip_prefix(COLLECTIONS)?.parse().ok()
}

/// Creates the collections, if they do not exist.
pub(crate) fn create_collections(db: &Database) -> velocitydb::Result<()> {
    for ids in NewIds::ALL {
        let options = CollectionOptions { ids, ..CollectionOptions::default() };
        match db.create_collection(collection(ids).as_str(), options) {
            Err(Error::CollectionExists { .. }) => {}
            result => result?,
        }
    }
    Ok(())
}

/// The kind of the id that an operation asks for.
fn new_ids_of(id: OperationId) -> NewIds {
    NewIds::ALL[(mixed(id.0) % NewIds::ALL.len() as u64) as usize]
}

/// Inserts a document. Every other one is inserted again at once, as by a client that did not get
/// the answer.
pub(crate) fn add(db: &Database, operation: &Operation) -> velocitydb::Result<Done> {
    let id = operation.id;
    let mut documents = db.documents(collection(new_ids_of(id)).as_str()).at(operation.level);
    if let Some(request) = operation.request() {
        documents = documents.request(request);
    }
    let insert = || {
        let fields = object! { "of": id.0.cast_signed(), "pad": id.pad() };
        let written = documents.insert_new(fields)?;
        Ok::<_, Error>((written.index, written.version, written.id, written.is_replayed))
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
pub(crate) fn operation_of(new_ids: NewIds, document: &Document) -> Option<OperationId> {
    let of = OperationId(document.field("of").ok()??.as_i64().ok()??.cast_unsigned());
    let fields = document.fields().ok()?;
    let id = document.id().to_value();
    let is_of_kind = match new_ids {
        NewIds::Text => id.as_str().is_some(),
        NewIds::ObjectId => id.as_object_id().is_some(),
        NewIds::Uuid => id.as_uuid().is_some(),
        NewIds::Integer => id.as_i64().is_some_and(|number| number > 0),
    };
    let is_whole = new_ids_of(of) == new_ids
        && is_of_kind
        && fields.get("pad")?.as_str()? == of.pad()
        && document.version() == 1;
    is_whole.then_some(of)
}
