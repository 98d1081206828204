//! `get`, `list` and `count`.

use velocitydb::{Cursor, Direction, List};

use super::rows::Rows;
use crate::args;
use crate::exit::{Failure, Result};
use crate::output::{Output, TABLE_BYTES};

/// How many documents are held, and share a table, at a time, if they have fewer bytes than a table.
const PAGE_DOCUMENTS: usize = 1_000;

/// Prints the documents with these ids, as of one moment. Those that exist are printed also when
/// others do not.
pub fn get(args: &args::Get, output: &mut Output) -> Result {
    let db = args.target.folder.open_existing()?;
    // The snapshot knows no levels. Asking for no document is refused where reading is.
    args.target.documents(&db).get_many([])?;
    let (snapshot, collection) = (db.snapshot()?, &args.target.collection);
    let (mut rows, mut missing) = (Rows::new(output), None);
    for id in &args.ids {
        match snapshot.get(collection, id)? {
            None => missing = missing.or(Some(id.clone())),
            Some(document) => {
                if rows.push(document.to_object()?).is_break() {
                    break;
                }
            }
        }
    }
    rows.finish(Ok(()))?;
    match missing {
        None => Ok(()),
        Some(id) => Err(Failure::NotFound { collection: collection.clone(), id }),
    }
}

/// Prints a part of the collection, as of one moment, and holds one page of it at a time.
pub fn list(args: &args::List, output: &mut Output) -> Result {
    let db = args.target.folder.open_existing()?;
    // The snapshot knows no levels. Asking for no document is refused where reading is.
    args.target.documents(&db).get_many([])?;
    let snapshot = db.snapshot()?;
    let direction = if args.reverse { Direction::Backward } else { Direction::Forward };
    let mut left = args.limit.unwrap_or(usize::MAX);
    let (mut offset, mut after): (usize, Option<Cursor>) = (args.offset, args.after.clone());
    while left > 0 {
        let limit = Some(left.min(PAGE_DOCUMENTS));
        let part = List { offset, limit, bytes_max: Some(TABLE_BYTES), after, direction };
        let page = snapshot.list(&args.target.collection, &part)?;
        output.documents(&page.documents)?;
        left -= page.documents.len();
        let Some(next) = page.next else { break };
        (offset, after) = (0, Some(next));
    }
    Ok(())
}

/// Prints how many documents there are.
pub fn count(args: &args::Count, output: &mut Output) -> Result {
    let db = args.target.folder.open_existing()?;
    output.line(args.target.documents(&db).count()?)
}
