//! `update`, `replace`, `upsert` and `delete`.

use velocitydb::{Object, Written, object};

use super::ids::{found, not_found};
use crate::args;
use crate::failure::Result;
use crate::input;
use crate::output::Output;

/// Changes some fields.
pub fn update(args: &args::Change, output: &mut Output) -> Result {
    let update = input::update_of(&args.source.read()?, &args.id)?;
    let db = args.target.folder.open_existing()?;
    let documents = args.options.apply(args.target.documents(&db));
    output.object(&written(&found(&documents, &args.id, documents.update(&args.id, update))?))
}

/// Replaces all fields.
pub fn replace(args: &args::Change, output: &mut Output) -> Result {
    let fields = input::document_of(&args.source.read()?, &args.id)?;
    let db = args.target.folder.open_existing()?;
    let documents = args.options.apply(args.target.documents(&db));
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
    let mut documents = args.target.documents(&db);
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
