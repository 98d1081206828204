//! Results on standard output, as JSON lines or as tables, and errors on standard error.
//!
//! What a command changes does not depend on whether its output is read: see [`Unwritten`].
//!
//! Colours are for terminals, and never when `NO_COLOR` is set.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use comfy_table::{ContentArrangement, Table, TableComponent, presets};
use velocitydb::{Document, ID, META_FIELDS, METADATA, Object, Value};

use crate::args::{Csv, Format, Shown};
use crate::csv::Columns;
use crate::failure::{Failure, Result};

/// The width of a table if the terminal's is unknown.
const WIDTH_DEFAULT: u16 = 120;

/// The bytes of text at which a table is written before it has all of its rows.
pub const TABLE_BYTES: usize = 1 << 20;

/// How a command reacts if its result cannot be written: the output was closed, or the disk is
/// full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritten {
    /// It ends, since printing its result is its only purpose.
    EndsTheCommand,
    /// It changes something, so it runs to its end, and reports the failure then.
    IsSaidAtTheEnd,
}

impl Shown {
    /// The object that is printed of a document.
    pub fn of(self, document: &Document) -> velocitydb::Result<Object> {
        if self.meta { document.to_object_with_meta() } else { document.to_object() }
    }

    /// Also what the columns need.
    pub fn with(self, csv: &Csv) -> Self {
        Shown { meta: self.meta || csv.columns.as_ref().is_some_and(Columns::have_metadata) }
    }
}

/// Standard output, and how results are written to it.
pub struct Output {
    out: BufWriter<Stdout>,
    format: Format,
    unwritten: Unwritten,
    /// Why writing failed; nothing is written after that.
    failure: Option<io::Error>,
}

impl Output {
    /// Standard output in this format; by default tables on a terminal and JSON elsewhere.
    pub fn new(format: Option<Format>, unwritten: Unwritten) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let default = if is_terminal { Format::Table } else { Format::Json };
        let (out, format) = (BufWriter::new(io::stdout()), format.unwrap_or(default));
        Output { out, format, unwritten, failure: None }
    }

    /// How results are written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Writes one line.
    pub fn line(&mut self, line: impl fmt::Display) -> Result {
        if self.failure.is_some() {
            return Ok(());
        }
        match (writeln!(self.out, "{line}"), self.unwritten) {
            (Ok(()), _) => Ok(()),
            (Err(error), Unwritten::EndsTheCommand) => Err(Failure::Write(error)),
            (Err(error), Unwritten::IsSaidAtTheEnd) => {
                self.failure = Some(error);
                Ok(())
            }
        }
    }

    /// Writes documents: one in a line, or in one table.
    pub fn documents(&mut self, documents: &[Document], shown: Shown) -> Result {
        match self.format {
            Format::Json => documents.iter().try_for_each(|one| self.object(&shown.of(one)?)),
            Format::Table => {
                let objects = documents.iter().map(|one| shown.of(one));
                self.objects(&objects.collect::<Result<Vec<_>, _>>()?)
            }
        }
    }

    /// Writes objects: one in a line, or in one table with a column for each field, also for those
    /// of `_meta`.
    pub fn objects(&mut self, objects: &[Object]) -> Result {
        match self.format {
            Format::Json => self.rows(&[], objects),
            Format::Table => {
                let objects: Vec<Object> = objects.iter().map(flattened).collect();
                self.rows(&columns(&objects), &objects)
            }
        }
    }

    /// Writes objects: one in a line, or in one table with these columns.
    pub fn rows(&mut self, columns: &[&str], objects: &[Object]) -> Result {
        match self.format {
            Format::Json => {
                for object in objects {
                    self.line(object.to_json())?;
                }
            }
            Format::Table if objects.is_empty() => {}
            Format::Table => self.line(table(columns, objects))?,
        }
        Ok(())
    }

    /// Writes one object: in a line, or as a table with a row for each field.
    pub fn object(&mut self, object: &Object) -> Result {
        match self.format {
            Format::Json => self.line(object.to_json()),
            Format::Table => {
                let mut table = new_table();
                for (name, value) in object {
                    table.add_row([name.to_owned(), cell(value)]);
                }
                self.line(table)
            }
        }
    }

    /// Writes a table with a row for each name and its value, whatever the format.
    pub fn entries(&mut self, entries: Vec<(&str, String)>) -> Result {
        let mut table = new_table();
        for (name, text) in entries {
            table.add_row([name, &text]);
        }
        self.line(table)
    }

    /// Flushes everything, and returns whether it was written.
    pub fn finish(mut self) -> Result {
        let failure = self.failure.take().or_else(|| self.out.flush().err());
        // A failed write is not tried again when this is dropped.
        let _ = self.out.into_parts();
        match (failure, self.unwritten) {
            (None, _) => Ok(()),
            (Some(error), Unwritten::EndsTheCommand) => Err(Failure::Write(error)),
            // The output was closed, and the work is done.
            (Some(error), _) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            (Some(error), Unwritten::IsSaidAtTheEnd) => Err(Failure::Unwritten(error)),
        }
    }
}

/// Writes a note to standard error.
pub fn note(line: impl fmt::Display) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{line}")
}

/// Writes a failure to standard error: one sentence, its details, and what to do about it.
pub fn error(sentence: &str, details: &[String], remedy: Option<&str>) {
    let paint = Paint::new(io::stderr().is_terminal());
    let mut err = io::stderr().lock();
    // If standard error is closed, the note cannot be written.
    let _ = writeln!(err, "{} {sentence}", paint.red("error:"));
    for detail in details {
        let _ = writeln!(err, "  {detail}");
    }
    if let Some(remedy) = remedy {
        let _ = writeln!(err, " {} {remedy}", paint.dim("help:"));
    }
}

/// How many characters of a value a table shows. More of them are not read in a column, and breaking a
/// text into lines takes a time that grows with the square of its length.
const CELL_CHARS_MAX: usize = 1_000;

/// A table as wide as the terminal at the most, with a line below its header and no other.
fn new_table() -> Table {
    let mut table = Table::new();
    let width = terminal_size::terminal_size().map_or(WIDTH_DEFAULT, |(width, _)| width.0);
    table
        .load_preset(presets::NOTHING)
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─')
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table
}

/// A row for each object.
fn table(columns: &[&str], objects: &[Object]) -> Table {
    let mut table = new_table();
    table.set_header(columns);
    for object in objects {
        table.add_row(columns.iter().map(|name| object.get(name).map_or_else(String::new, cell)));
    }
    table
}

/// An object in whose place of an object `_meta` there are the fields of that.
fn flattened(object: &Object) -> Object {
    let mut flattened = object.clone();
    if let Some(Value::Object(metadata)) = object.get(METADATA) {
        flattened.remove(METADATA);
        let fields = metadata.iter();
        flattened.extend(fields.map(|(name, value)| (format!("{METADATA}.{name}"), value.clone())));
    }
    flattened
}

/// Every field of any of the objects: the id first, then a document's own fields, then its
/// metadata.
fn columns(objects: &[Object]) -> Vec<&str> {
    let mut columns: Vec<&str> = Vec::new();
    for name in objects.iter().flat_map(Object::keys) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    columns.sort_by_key(|name| match name.strip_prefix(METADATA) {
        _ if *name == ID => (0, 0),
        Some(rest) if rest.starts_with('.') => {
            let place = META_FIELDS.iter().position(|field| *field == &rest[1..]);
            (2, place.unwrap_or(META_FIELDS.len()))
        }
        _ => (1, 0),
    });
    columns
}

/// A value for people: strings without quotes, unless they are ambiguous without them,
/// truncated to [`CELL_CHARS_MAX`].
fn cell(value: &Value) -> String {
    let mut text = match value {
        Value::String(text) if !text.is_empty() && Value::from_json(text).is_err() => text.clone(),
        value => plain(value),
    };
    if let Some((end, _)) = text.char_indices().nth(CELL_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Times, decimals, ObjectIds and UUIDs without their types; other values as JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Time(time) => time.to_string(),
        Value::Decimal(decimal) => decimal.to_string(),
        Value::ObjectId(id) => id.to_string(),
        value => value.as_uuid().map_or_else(|| value.to_json(), |id| id.to_string()),
    }
}

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    /// Colours for standard output.
    pub fn of_stdout() -> Self {
        Self::new(io::stdout().is_terminal())
    }

    fn new(is_terminal: bool) -> Self {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Paint { is_on: is_terminal && !is_refused }
    }

    /// Heavy.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// In the background.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// For failures.
    pub fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// For success.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use velocitydb::object;

    use super::*;

    #[test]
    fn cells_keep_texts_and_numbers_apart() {
        let fields = object! { "a": "text", "b": "1", "c": 1, "d": 1.0, "e": "", "f": null };
        let cells: Vec<_> = fields.values().map(cell).collect();
        assert_eq!(cells, ["text", "\"1\"", "1", "1.0", "\"\"", "null"]);
    }

    #[test]
    fn cells_show_ids_and_decimals_without_their_types() {
        let fields = Object::from_json(
            r#"{"a": {"$numberDecimal": "1.50"}, "b": {"$oid": "6922d394a1b2c3d4e5f60718"},
            "c": {"$uuid": "01a207af-ef1a-7c1c-8707-070707070707"}, "d": {"$minKey": 1}}"#,
        )
        .unwrap();
        let cells: Vec<_> = fields.values().map(cell).collect();
        let uuid = "01a207af-ef1a-7c1c-8707-070707070707";
        assert_eq!(cells, ["1.50", "6922d394a1b2c3d4e5f60718", uuid, r#"{"$minKey":1}"#]);
    }

    #[test]
    fn a_table_has_a_column_for_every_field() {
        let time = velocitydb::Time::UNIX_EPOCH;
        let objects = [
            object! { "_id": "a", "_meta": { "created": time, "version": 1 }, "x": 1 },
            object! { "_id": "b", "_meta": { "created": time, "version": 3 }, "y": 2, "_created": 7 },
        ]
        .map(|object| flattened(&object));
        let names = ["_id", "x", "y", "_created", "_meta.version", "_meta.created"];
        assert_eq!(columns(&objects), names);
        let text = table(&columns(&objects), &objects).to_string();
        let rows: Vec<Vec<_>> = text.lines().map(|row| row.split_whitespace().collect()).collect();
        assert_eq!(rows[0], names);
        assert_eq!(rows[3], ["b", "2", "7", "3", "1970-01-01T00:00:00Z"]);
    }
}
