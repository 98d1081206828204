//! `get`, `list` and `count`.

use velocitydb::{Cursor, Direction, List};

use crate::args;
use crate::exit::{Failure, Result};
use crate::output::Output;

/// How many documents are held, and share a table, at a time.
const PAGE_DOCUMENTS: usize = 1_000;

/// Prints the documents with these ids, as of one moment. Those that exist are printed also when
/// others do not.
pub fn get(args: &args::Get, output: &mut Output) -> Result {
    let db = args.target.folder.open_existing()?;
    let ids = args.ids.iter().map(String::as_str);
    let found = args.target.documents(&db).get_many(ids)?;
    let missing = found.iter().zip(&args.ids).find(|(document, _)| document.is_none());
    let missing = missing.map(|(_, id)| id.clone());
    output.documents(&found.into_iter().flatten().collect::<Vec<_>>())?;
    match missing {
        None => Ok(()),
        Some(id) => Err(Failure::NotFound { collection: args.target.collection.clone(), id }),
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
        let page =
            snapshot.list(&args.target.collection, &List { offset, limit, after, direction })?;
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
