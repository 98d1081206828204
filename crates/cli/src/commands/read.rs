//! `get`, `list` and `count`.

use velocitydb::{DocumentId, Filter, PageToken, Sort};

use super::ids::not_found;
use super::rows::Rows;
use crate::args;
use crate::failure::Result;
use crate::output::Output;

/// Prints the documents with these ids, from one snapshot. Existing ones are printed also when
/// others do not exist.
pub fn get(args: &args::Get, output: &mut Output) -> Result {
    let db = args.target.folder.open_to_read()?;
    // A snapshot has no level, so the floor of the collection is checked by reading no
    // documents.
    let documents = args.target.existing(&db)?;
    documents.get_many(std::iter::empty::<DocumentId>())?;
    let (snapshot, collection) = (db.snapshot()?, &args.target.collection);
    let (mut rows, mut missing) = (Rows::new(output), None);
    for id in &args.ids {
        match snapshot.get(collection, id)? {
            None => missing = missing.or(Some(id.clone())),
            Some(document) => {
                if rows.push(args.shown.of(&document)?).is_break() {
                    break;
                }
            }
        }
    }
    rows.finish(Ok(()))?;
    match missing {
        None => Ok(()),
        Some(id) => Err(not_found(&documents, &id)?),
    }
}

/// Prints a part of the collection in the order of ids, from one snapshot.
pub fn list(args: &args::List, output: &mut Output) -> Result {
    let db = args.target.folder.open_to_read()?;
    let sort = match args.reverse {
        true => Sort::new().descending("_id"),
        false => Sort::new().ascending("_id"),
    };
    let after = args.after.as_ref().map(|id| PageToken::after_id(&sort, id)).transpose()?;
    let mut find = args.target.existing(&db)?.find(Filter::all()).sort(sort).offset(args.offset);
    if let Some(after) = after {
        find = find.after(after);
    }
    if let Some(limit) = args.limit {
        find = find.limit(limit);
    }
    if let Some(timeout) = args.timeout.timeout {
        find = find.deadline(timeout);
    }
    let (csv, shown) = (args.csv.columns.as_ref(), args.shown.with(&args.csv));
    let mut rows = Rows::of(csv, output)?;
    let result = find.each(|document| Ok(rows.push(shown.of(&document)?)));
    rows.finish(result)
}

/// Prints how many documents there are.
pub fn count(args: &args::Count, output: &mut Output) -> Result {
    let db = args.target.folder.open_to_read()?;
    output.line(args.target.existing(&db)?.count()?)
}
