//! `insert`: one document.

use velocitydb::{JsonMistake, Origin};

use super::import;
use super::write::written;
use crate::args;
use crate::failure::{Failure, Result};
use crate::input::{self, Given};
use crate::output::Output;

/// Creates a document, or many.
pub fn insert(args: &args::Insert, output: &mut Output) -> Result {
    if args.many { import::import(args, output) } else { insert_one(args, output) }
}

fn insert_one(args: &args::Insert, output: &mut Output) -> Result {
    let text = args.source.read()?;
    let mut given = document(&text)?;
    if let Some(id) = &args.id {
        given.check_id(id)?;
        given.id = Some(id.clone());
    }
    args.id_field.as_ref().map_or(Ok(()), |path| given.take_id_from(path))?;
    let origin = given.take_origin(args.keep_metadata)?;
    let db = args.target.folder.open_or_create()?;
    let documents = args.options.apply(args.target.documents(&db));
    let inserted = match (given.id, origin) {
        (Some(id), None) => documents.insert(&id, given.fields)?,
        (None, None) => documents.insert_new(given.fields)?,
        (Some(id), Some(origin)) => documents.import(&id, given.fields, origin)?,
        (None, Some(_)) => return Err(velocitydb::Error::from(Origin::without_id()).into()),
    };
    output.object(&written(&inserted))
}

/// Reads the document, and says what inserts several.
fn document(text: &str) -> Result<Given> {
    let many =
        "--many inserts several, each in a line of its own or all as the elements of an array";
    if text.trim_start().starts_with('[') {
        let what = format!("found an array where a document is needed; {many}");
        return Err(Failure::Input { what });
    }
    input::document(text).map_err(|failure| match failure.mistake() {
        Some(JsonMistake::SecondValue) => Failure::Input { what: format!("{failure}; {many}") },
        _ => failure,
    })
}
