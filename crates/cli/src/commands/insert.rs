//! `insert`: one document, or one in each line.

use velocitydb::{Documents, Object, object};

use super::write::written;
use crate::args::{self, Format};
use crate::exit::{Failure, Result};
use crate::input;
use crate::output::Output;

/// How many documents are inserted together or not at all: enough to make an fsync cheap, and few
/// enough to hold.
const BATCH_DOCUMENTS: usize = 1_000;

/// The bytes of JSON text at which a batch is inserted before it is full.
const BATCH_BYTES: usize = 8 << 20;

/// Creates documents.
pub fn insert(args: &args::Insert, output: &mut Output) -> Result {
    if args.many { insert_many(args, output) } else { insert_one(args, output) }
}

fn insert_one(args: &args::Insert, output: &mut Output) -> Result {
    let text = args.source.read()?;
    let (id, fields) = match &args.id {
        Some(id) => (Some(id.clone()), input::document_of(&text, id)?),
        None => {
            let given = input::document(&text)?;
            (given.id, given.fields)
        }
    };
    let db = args.target.folder.open_or_create()?;
    let documents = args.options.apply(args.target.documents(&db));
    let inserted = match id {
        Some(id) => documents.insert(&id, fields)?,
        None => documents.insert_new(fields)?,
    };
    output.object(&written(&inserted))
}

fn insert_many(args: &args::Insert, output: &mut Output) -> Result {
    let lines = args.source.lines()?;
    let db = args.target.folder.open_or_create()?;
    let mut insertion = Insertion {
        documents: args.options.apply(args.target.documents(&db)),
        batch: Vec::new(),
        bytes: 0,
        inserted: 0,
    };
    for line in lines {
        let (number, text) = line?;
        let given = input::document(&text).map_err(|failure| insertion.at(number, failure))?;
        let id = given.id.unwrap_or_else(|| db.new_id().as_str().to_owned());
        insertion.bytes += text.len();
        insertion.batch.push((number, id, given.fields));
        if insertion.batch.len() == BATCH_DOCUMENTS || insertion.bytes >= BATCH_BYTES {
            insertion.insert(output)?;
        }
    }
    insertion.insert(output)?;
    match output.format() {
        Format::Json => Ok(()),
        Format::Table => output.object(&object! { "inserted": insertion.inserted }),
    }
}

/// Many documents on their way in.
struct Insertion {
    documents: Documents,
    /// The line, id and fields of each document that waits.
    batch: Vec<(usize, String, Object)>,
    /// Bytes of their text.
    bytes: usize,
    /// How many have been inserted before.
    inserted: usize,
}

impl Insertion {
    fn insert(&mut self, output: &mut Output) -> Result {
        let batch = self.batch.iter().map(|(_, id, fields)| (id.as_str(), fields));
        let done = self.documents.insert_many(batch).map_err(|error| self.refused(error))?;
        self.inserted += done.len();
        self.batch.clear();
        self.bytes = 0;
        if output.format() == Format::Json {
            output.objects(&done.iter().map(written).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// The failure of a batch, with the line that is the reason as far as that is known.
    fn refused(&self, source: velocitydb::Error) -> Failure {
        let position = match &source {
            velocitydb::Error::Refused { position, .. } => *position,
            _ => 0,
        };
        let line = self.batch.get(position).map_or(0, |(line, ..)| *line);
        Failure::Line { line, inserted: self.inserted, source: Box::new(source) }
    }

    /// The failure of one line.
    fn at(&self, line: usize, failure: Failure) -> Failure {
        match failure {
            Failure::Database(source) => {
                Failure::Line { line, inserted: self.inserted, source: Box::new(source) }
            }
            Failure::Input { what } => Failure::Input {
                what: format!(
                    "input line {line}: {what}; {} documents were inserted",
                    self.inserted
                ),
            },
            failure => failure,
        }
    }
}
