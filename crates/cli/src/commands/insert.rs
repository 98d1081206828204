//! `insert`: one document, or one in each line.

use velocitydb::{
    Documents, Encoded, IntoFields, NewDocument, Origin, Path, check_own_fields, object,
};

use super::write::written;
use crate::args::{self, Format};
use crate::failure::{Failure, Progress, Result};
use crate::input;
use crate::output::Output;

/// How many documents are inserted atomically: enough to make an fsync cheap, and few enough to
/// keep in memory.
const BATCH_DOCUMENTS: usize = 1_000;

/// The bytes of ids and fields at which a batch is inserted before it is full.
const BATCH_BYTES: usize = 8 << 20;

/// Creates documents.
pub fn insert(args: &args::Insert, output: &mut Output) -> Result {
    if args.many { insert_many(args, output) } else { insert_one(args, output) }
}

fn insert_one(args: &args::Insert, output: &mut Output) -> Result {
    let text = args.source.read()?;
    let mut given = input::document(&text)?;
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

fn insert_many(args: &args::Insert, output: &mut Output) -> Result {
    let lines = args.source.lines()?;
    let db = args.target.folder.open_or_create()?;
    let mut insertion = Insertion {
        documents: args.options.apply(args.target.documents(&db)),
        id_field: args.id_field.as_ref(),
        keep_metadata: args.keep_metadata,
        batch: Vec::new(),
        bytes: 0,
        done: Progress::default(),
    };
    for (number, text) in lines {
        let taken = text.and_then(|text| insertion.take(number, &text));
        taken.map_err(|failure| insertion.at(number, failure))?;
        if insertion.batch.len() == BATCH_DOCUMENTS || insertion.bytes >= BATCH_BYTES {
            insertion.insert(output)?;
        }
    }
    insertion.insert(output)?;
    match output.format() {
        Format::Json => Ok(()),
        Format::Table => output.object(&object! { "inserted": insertion.done.inserted }),
    }
}

/// The insertion of many documents.
struct Insertion<'a> {
    documents: Documents,
    id_field: Option<&'a Path>,
    keep_metadata: bool,
    /// The line of each pending document, and the document.
    batch: Vec<(usize, NewDocument<Encoded>)>,
    /// Bytes of their fields.
    bytes: usize,
    /// What has been inserted so far.
    done: Progress,
}

impl Insertion<'_> {
    /// Reads the document of a line, and adds it to the batch.
    fn take(&mut self, line: usize, text: &str) -> Result {
        let mut given = input::document(text)?;
        self.id_field.map_or(Ok(()), |path| given.take_id_from(path))?;
        let origin = given.take_origin(self.keep_metadata)?;
        // An object takes several times as much memory as its encoding.
        let fields = given.fields.into_fields()?;
        // Otherwise the whole batch would be refused, without saying which line was the reason.
        check_own_fields(fields.view()).map_err(velocitydb::Error::from)?;
        let id_bytes = given.id.as_ref().map_or(0, |id| id.as_bytes().len());
        self.bytes += id_bytes + fields.as_bytes().len();
        self.batch.push((line, NewDocument { id: given.id, fields, origin }));
        Ok(())
    }

    fn insert(&mut self, output: &mut Output) -> Result {
        let batch = self.batch.iter().map(|(_, document)| document.clone());
        let done = self.documents.insert_all(batch).map_err(|error| self.refused(error))?;
        self.done.inserted += done.len();
        self.done.line = self.batch.last().map_or(self.done.line, |(line, ..)| *line);
        self.batch.clear();
        self.bytes = 0;
        if output.format() == Format::Json {
            output.objects(&done.iter().map(written).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// The failure of a batch, with the line that is the reason, if known.
    fn refused(&self, source: velocitydb::Error) -> Failure {
        let position = source.batch().map_or(0, |batch| batch.position);
        let line = self.batch.get(position).map_or(0, |(line, ..)| *line);
        self.at(line, source.into())
    }

    /// The failure of one line.
    fn at(&self, line: usize, failure: Failure) -> Failure {
        Failure::Line { line, progress: self.done, source: Box::new(failure) }
    }
}
