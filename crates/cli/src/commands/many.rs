//! `update-many` and `delete-many`.

use velocitydb::{Documents, Modified, Object, RequestId, object};

use crate::args;
use crate::failure::Result;
use crate::input;
use crate::output::Output;

/// Changes all documents that match a filter.
pub fn update(args: &args::UpdateMany, output: &mut Output) -> Result {
    let filter = input::filter(&args.filter)?;
    let update = input::update(&args.source.read()?)?;
    let db = args.target.folder.open_existing()?;
    let documents = with_request(args.target.existing(&db)?, args.request_id.as_ref());
    output.object(&modified("updated", documents.update_many(filter, update)?))
}

/// Deletes all documents that match a filter.
pub fn delete(args: &args::DeleteMany, output: &mut Output) -> Result {
    let filter = input::filter(&args.filter)?;
    let db = args.target.folder.open_existing()?;
    let documents = with_request(args.target.existing(&db)?, args.request_id.as_ref());
    output.object(&modified("deleted", documents.delete_many(filter)?))
}

/// The collection, for a write with this request id if there is one.
pub fn with_request(documents: Documents, request: Option<&RequestId>) -> Documents {
    match request {
        Some(request) => documents.request(request.clone()),
        None => documents,
    }
}

fn modified(what: &str, modified: Modified) -> Object {
    object! { (what): modified.count, "index": modified.index, "replayed": modified.is_replayed }
}
