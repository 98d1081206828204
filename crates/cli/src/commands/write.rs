//! `update`, `replace`, `upsert` and `delete`.

use velocitydb::{Database, DocumentId, Documents, Error, Object, Update, Written, object};

use super::ids::{found, not_found};
use crate::args;
use crate::failure::Result;
use crate::input;
use crate::output::Output;

/// Changes some fields.
pub fn update(args: &args::Update, output: &mut Output) -> Result {
    let args::Update { change: args, upsert } = args;
    let update = input::update_of(&args.source.read()?, &args.id)?;
    if *upsert {
        let db = args.target.folder.open_or_create()?;
        let documents = args.options.apply(args.target.documents(&db));
        return output.object(&written(&update_or_insert(&db, &documents, &args.id, &update)?));
    }
    let db = args.target.folder.open_existing()?;
    let documents = args.options.apply(args.target.existing(&db)?);
    output.object(&written(&found(&documents, &args.id, documents.update(&args.id, update))?))
}

/// Updates a document, or creates the one that the update makes of no fields. Each attempt is atomic,
/// and another one is needed only if the document was created or deleted meanwhile.
fn update_or_insert(
    db: &Database,
    documents: &Documents,
    id: &DocumentId,
    update: &Update,
) -> Result<Written> {
    loop {
        match documents.update(id, update.clone()) {
            Err(Error::NotFound { .. }) => {}
            updated => return Ok(updated?),
        }
        let mut fields = Object::new();
        update.apply(&mut fields, db.now())?;
        match documents.insert(id, fields) {
            Err(Error::AlreadyExists { .. }) => {}
            inserted => return Ok(inserted?),
        }
    }
}

/// Replaces all fields.
pub fn replace(args: &args::Change, output: &mut Output) -> Result {
    let fields = input::document_of(&args.source.read()?, &args.id)?;
    let db = args.target.folder.open_existing()?;
    let documents = args.options.apply(args.target.existing(&db)?);
    output.object(&written(&found(&documents, &args.id, documents.replace(&args.id, fields))?))
}

/// Creates a document, or replaces all fields of it.
pub fn upsert(args: &args::Change, output: &mut Output) -> Result {
    let fields = input::document_of(&args.source.read()?, &args.id)?;
    let db = args.target.folder.open_or_create()?;
    let documents = args.options.apply(args.target.documents(&db));
    output.object(&written(&documents.upsert(&args.id, fields)?))
}

/// Deletes a document, which has to exist.
pub fn delete(args: &args::Delete, output: &mut Output) -> Result {
    let db = args.target.folder.open_existing()?;
    let mut documents = args.target.existing(&db)?;
    if let Some(request) = &args.request_id {
        documents = documents.request(request.clone());
    }
    let deleted = documents.delete(&args.id)?;
    if !deleted.existed {
        return Err(not_found(&documents, &args.id)?);
    }
    output.object(&written(&deleted))
}

/// The result of a write, as it is printed.
pub fn written(written: &Written) -> Object {
    object! {
        "_id": &written.id,
        "version": written.version,
        "consistency": written.consistency.as_str(),
        "existed": written.existed,
        "index": written.index,
        "replayed": written.is_replayed
    }
}
