//! `collections`: list, create, drop.

use velocitydb::{CollectionOptions, CollectionStats, Consistency, Database, Object, object};

use super::folder::existing;
use crate::args::{Collections, CollectionsCommand};
use crate::failure::Result;
use crate::output::Output;

/// The printed fields of a collection, in order.
pub const COLUMNS: [&str; 9] = [
    "name",
    "documents",
    "bytes",
    "writes",
    "tombstones",
    "indexes",
    "schema",
    "min_write",
    "min_read",
];

/// Lists, creates or drops collections.
pub fn run(args: &Collections, output: &mut Output) -> Result {
    match &args.command {
        None | Some(CollectionsCommand::List) => {
            let db = args.folder.open_to_read()?;
            let collections = db.collections()?;
            let rows = collections.iter().map(|stats| collection(&db, stats));
            output.rows(&COLUMNS, &rows.collect::<Result<Vec<_>>>()?)
        }
        Some(CollectionsCommand::Create(create)) => {
            let db = args.folder.open_or_create()?;
            let (min_write, min_read) = (create.min_write, create.min_read);
            db.create_collection(
                &create.name,
                CollectionOptions { min_write, min_read, ids: create.ids },
            )?;
            output.object(&object! { "created": create.name.as_str() })
        }
        Some(CollectionsCommand::Drop { name }) => {
            let db = args.folder.open_existing()?;
            existing(&db, name)?;
            db.drop_collection(name)?;
            output.object(&object! { "dropped": name.as_str() })
        }
    }
}

/// A collection as it is printed, with the number of its indexes and the version of its schema.
pub fn collection(db: &Database, stats: &CollectionStats) -> Result<Object> {
    let name = stats.name.as_str();
    Ok(object! {
        "name": name,
        "documents": stats.count,
        "bytes": stats.bytes,
        "writes": stats.writes,
        "tombstones": stats.tombstones,
        "indexes": db.documents(name).indexes()?.len(),
        "schema": db.documents(name).schema()?.map(|schema| schema.version),
        "min_write": stats.options.min_write.map(Consistency::as_str),
        "min_read": stats.options.min_read.map(Consistency::as_str)
    })
}
