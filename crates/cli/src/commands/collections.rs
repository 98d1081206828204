//! `collections`: list, create, drop.

use velocitydb::{CollectionOptions, CollectionStats, Consistency, Object, object};

use crate::args::{Collections, CollectionsCommand};
use crate::exit::Result;
use crate::output::Output;

/// What is printed of a collection, in this order.
pub const COLUMNS: [&str; 7] =
    ["name", "documents", "bytes", "writes", "tombstones", "min_write", "min_read"];

/// Lists, creates or drops collections.
pub fn run(args: &Collections, output: &mut Output) -> Result {
    match &args.command {
        None | Some(CollectionsCommand::List) => {
            let collections = args.folder.open_existing()?.collections()?;
            output.rows(&COLUMNS, &collections.iter().map(collection).collect::<Vec<_>>())
        }
        Some(CollectionsCommand::Create(create)) => {
            let db = args.folder.open_or_create()?;
            let (min_write, min_read) = (create.min_write, create.min_read);
            db.create_collection(&create.name, CollectionOptions { min_write, min_read })?;
            output.object(&object! { "created": create.name.as_str() })
        }
        Some(CollectionsCommand::Drop { name }) => {
            args.folder.open_existing()?.drop_collection(name)?;
            output.object(&object! { "dropped": name.as_str() })
        }
    }
}

/// A collection as it is printed.
pub fn collection(stats: &CollectionStats) -> Object {
    object! {
        "name": stats.name.as_str(),
        "documents": stats.count,
        "bytes": stats.bytes,
        "writes": stats.writes,
        "tombstones": stats.tombstones,
        "min_write": stats.options.min_write.map(Consistency::as_str),
        "min_read": stats.options.min_read.map(Consistency::as_str)
    }
}
