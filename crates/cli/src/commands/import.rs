//! `insert --many`: the documents of the input, in batches.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use velocitydb::{
    Action, CollectionName, Condition, Database, DocumentId, ErrorClass, Expiry, IntoFields,
    Operation, Origin, Outcome, Refusal, WriteBatch, Written, check_own_fields, object,
};

use super::write::written;
use crate::args::{self, Format};
use crate::failure::{Failure, Result};
use crate::input;
use crate::output::{Output, note};
use crate::progress::{Meter, Progress};
use crate::records::{Record, Records};

/// How many documents are written atomically: enough to make an fsync cheap, and few enough to
/// keep in memory.
const BATCH_DOCUMENTS: usize = 1_000;

/// The bytes of input at which a batch is written before it is full.
const BATCH_BYTES: usize = 8 << 20;

/// Writes all documents of the input.
pub fn import(args: &args::Insert, output: &mut Output) -> Result {
    let records = args.source.records()?;
    let refused = args.errors.as_deref();
    let refused = refused.map(|path| RefusedFile::create(path, args));
    let collection = CollectionName::new(args.target.collection.as_str());
    let collection = collection.map_err(velocitydb::Error::from)?;
    let mut import = Import {
        args,
        db: args.target.folder.open_or_create()?,
        collection,
        refused: refused.transpose()?,
        batch: Vec::new(),
        bytes: 0,
        done: Progress::default(),
        meter: Meter::new(),
    };
    let result = import.run(records, output);
    import.meter.finish();
    // What was refused before a failure is put aside too.
    let put_aside = import.refused.as_mut().map_or(Ok(()), RefusedFile::write);
    result.and(put_aside)?;
    note(import.meter.summary(&import.done))?;
    match import.refused {
        Some(RefusedFile { path, .. }) if import.done.refused > 0 => {
            Err(Failure::Refused { count: import.done.refused, path })
        }
        _ => Ok(()),
    }
}

/// A document that is to be written, and where it comes from.
struct Pending {
    record: Record,
    id: DocumentId,
    action: Action,
}

/// The import of many documents.
struct Import<'a> {
    args: &'a args::Insert,
    db: Database,
    collection: CollectionName,
    /// Where refused documents go; without it the first of them ends the import.
    refused: Option<RefusedFile>,
    batch: Vec<Pending>,
    /// Bytes of its records.
    bytes: usize,
    /// What has been done so far.
    done: Progress,
    meter: Meter,
}

impl Import<'_> {
    fn run(&mut self, mut records: Records, output: &mut Output) -> Result {
        while let Some(record) = records.next() {
            let record = record.map_err(|failure| self.at(records.line(), failure))?;
            match self.read(&record) {
                Ok((id, action)) => {
                    self.bytes += record.bytes.len();
                    self.batch.push(Pending { record, id, action });
                }
                Err(failure) => self.refuse(&record, record.placed(failure))?,
            }
            if self.batch.len() == BATCH_DOCUMENTS || self.bytes >= BATCH_BYTES {
                self.write(output)?;
            }
            self.meter.show(&self.done, records.bytes(), output);
        }
        self.write(output)
    }

    /// Reads a document, and checks what can be checked without the database: otherwise its whole batch
    /// would be refused.
    fn read(&self, record: &Record) -> Result<(DocumentId, Action)> {
        let mut given = input::document(&record.text()?)?;
        self.args.id_field.as_ref().map_or(Ok(()), |path| given.take_id_from(path))?;
        let origin = given.take_origin(self.args.keep_metadata)?;
        // An object takes several times as much memory as its encoding.
        let fields = given.fields.into_fields()?;
        check_own_fields(fields.view()).map_err(velocitydb::Error::from)?;
        Ok(match (given.id, origin) {
            (Some(id), None) if self.args.upsert => (id, Action::Upsert(fields)),
            (Some(id), None) => (id, Action::Insert(fields)),
            (Some(id), Some(origin)) => (id, Action::Import(fields, origin)),
            (None, None) => (self.db.new_id(), Action::InsertNew(fields)),
            (None, Some(_)) => return Err(velocitydb::Error::from(Origin::without_id()).into()),
        })
    }

    /// Writes the batch. Documents that are refused, and are allowed to be, are left out; then the others
    /// are written together.
    fn write(&mut self, output: &mut Output) -> Result {
        while !self.batch.is_empty() {
            let level = self.args.target.consistency;
            let error = match self.db.write_at(self.operations()?, level, None) {
                Ok(result) => {
                    self.tell(&result, output)?;
                    break;
                }
                Err(error) => error,
            };
            let outcomes = match error.batch() {
                Some(batch) if self.may_go_on(&error) => batch.outcomes.clone(),
                batch => {
                    let position = batch.map_or(0, |batch| batch.position);
                    let line = self.batch.get(position).map_or(0, |pending| pending.record.line);
                    return Err(self.at(line, error.into()));
                }
            };
            self.leave_out(&outcomes)?;
        }
        self.done.line = self.batch.last().map_or(self.done.line, |last| last.record.line);
        self.batch.clear();
        self.bytes = 0;
        self.refused.as_mut().map_or(Ok(()), RefusedFile::write)
    }

    fn operations(&self) -> Result<WriteBatch> {
        let expiry = self.args.options.time_to_live.unwrap_or(Expiry::Keep);
        let mut batch = WriteBatch::new();
        for Pending { id, action, .. } in &self.batch {
            batch.push(Operation {
                collection: self.collection.clone(),
                id: id.clone(),
                condition: Condition::Always,
                action: action.clone(),
                expiry,
            })?;
        }
        Ok(batch)
    }

    /// Counts and prints what was written.
    fn tell(&mut self, result: &velocitydb::BatchWritten, output: &mut Output) -> Result {
        let mut new_ids = result.new_ids.iter();
        let mut rows = Vec::new();
        for (pending, outcome) in self.batch.iter().zip(&result.outcomes) {
            let Outcome::Applied { version, existed } = *outcome else { continue };
            let is_new = matches!(pending.action, Action::InsertNew(_));
            let id = if is_new { new_ids.next() } else { None }.unwrap_or(&pending.id);
            match existed {
                true => self.done.replaced += 1,
                false => self.done.inserted += 1,
            }
            rows.push(written(&Written {
                id: id.clone(),
                version,
                existed,
                index: result.index,
                consistency: self.args.target.consistency,
                is_replayed: result.is_replayed,
            }));
        }
        if output.format() == Format::Json { output.objects(&rows) } else { Ok(()) }
    }

    /// Whether the documents for which a batch was refused can be left out.
    fn may_go_on(&self, error: &velocitydb::Error) -> bool {
        let is_about_a_document =
            matches!(error.class(), ErrorClass::Invalid | ErrorClass::Conflict);
        is_about_a_document && (self.refused.is_some() || self.args.skip_existing)
    }

    /// Takes the documents out of the batch that were refused.
    fn leave_out(&mut self, outcomes: &[Outcome]) -> Result {
        let batch = std::mem::take(&mut self.batch);
        for (pending, outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Refused(Refusal::Exists { .. }) if self.args.skip_existing => {
                    self.done.skipped += 1;
                }
                Outcome::Refused(refusal) => {
                    let failure = Failure::Document {
                        id: pending.id.clone(),
                        refusal: Box::new(refusal.clone()),
                    };
                    self.refuse(&pending.record, failure)?;
                }
                _ => self.batch.push(pending),
            }
        }
        Ok(())
    }

    /// Puts a refused document aside; without a file for it the import ends here.
    fn refuse(&mut self, record: &Record, failure: Failure) -> Result {
        match &mut self.refused {
            Some(file) => {
                file.add(record, &failure)?;
                self.done.refused += 1;
                Ok(())
            }
            None => Err(self.at(record.line, failure)),
        }
    }

    /// The failure of the record that begins at a line.
    fn at(&self, line: usize, failure: Failure) -> Failure {
        Failure::Line { line, progress: self.done, source: Box::new(failure) }
    }
}

/// The file of refused documents: a JSON object in a line for each, with its `line` in the input, the
/// `error`, and its `text` as it was, in the order of the input.
struct RefusedFile {
    path: PathBuf,
    out: BufWriter<File>,
    /// The lines that are still to be written, each with its line in the input: some documents are refused
    /// when they are read, others with their batch.
    waiting: Vec<(usize, String)>,
}

impl RefusedFile {
    fn create(path: &Path, args: &args::Insert) -> Result<Self> {
        let is_input = args.source.file().is_some_and(|input| {
            let (input, errors) = (fs::canonicalize(input), fs::canonicalize(path));
            matches!((input, errors), (Ok(input), Ok(errors)) if input == errors)
        });
        if is_input {
            let what = "--errors names the file that is read; name another one";
            return Err(Failure::Input { what: what.to_owned() });
        }
        let failed = |source| Failure::Errors { path: path.to_path_buf(), source };
        let file = File::create(path).map_err(failed)?;
        Ok(RefusedFile { path: path.to_path_buf(), out: BufWriter::new(file), waiting: Vec::new() })
    }

    fn add(&mut self, record: &Record, failure: &Failure) -> Result {
        let line = object! {
            "line": record.line as u64,
            "error": failure.to_string(),
            "text": String::from_utf8_lossy(&record.bytes).trim().to_owned()
        };
        self.waiting.push((record.line, line.to_json()));
        if self.waiting.len() < 2 * BATCH_DOCUMENTS { Ok(()) } else { self.write() }
    }

    /// Writes what is waiting, in the order of the input.
    fn write(&mut self) -> Result {
        self.waiting.sort_by_key(|(line, _)| *line);
        let mut lines = self.waiting.drain(..);
        let written = lines.try_for_each(|(_, line)| writeln!(self.out, "{line}"));
        let written = written.and_then(|()| self.out.flush());
        written.map_err(|source| Failure::Errors { path: self.path.clone(), source })
    }
}
