//! Results on standard output, as JSON lines or as tables, and errors on standard error.
//!
//! What a command changes does not depend on whether its output is read: see [`Unwritten`].

use std::fmt;
use std::io::{self, BufWriter, Stdout};

use velocitydb::{Document, ID, META_FIELDS, METADATA, Object, Value};

use crate::args::{Csv, Format, Shown};
use crate::csv::Columns;
use crate::failure::{Failure, Result};
use crate::streams::{self, Ink, Stream};
use crate::table::{Table, cell};

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

/// How JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonStyle {
    /// A value in one line.
    Line,
    /// With line breaks and indentation.
    Pretty,
}

/// Standard output, and how results are written to it.
pub struct Output {
    out: Stream<BufWriter<Stdout>>,
    format: Format,
    json: JsonStyle,
    unwritten: Unwritten,
    /// Whether a table with a row for each field was written.
    has_table: bool,
    /// Why writing failed; nothing is written after that.
    failure: Option<io::Error>,
}

impl Output {
    /// Standard output in this format; by default tables on a terminal and JSON elsewhere, and where
    /// pretty JSON is asked for.
    pub fn new(format: Option<Format>, json: JsonStyle, unwritten: Unwritten) -> Self {
        let is_table = streams::stdout_is_terminal() && json == JsonStyle::Line;
        let default = if is_table { Format::Table } else { Format::Json };
        let (out, format) = (streams::stdout(), format.unwrap_or(default));
        Output { out, format, json, unwritten, has_table: false, failure: None }
    }

    /// How results are written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Writes one line.
    pub fn line(&mut self, line: impl fmt::Display) -> Result {
        self.write(|out| out.line(line))
    }

    /// Writes one line of parts, each in its ink.
    pub fn painted(&mut self, parts: &[(Ink, &dyn fmt::Display)]) -> Result {
        self.write(|out| out.painted(parts))
    }

    /// Writes a value or an object as JSON.
    pub fn json(&mut self, value: &impl fmt::Display) -> Result {
        match self.json {
            JsonStyle::Line => self.line(value),
            JsonStyle::Pretty => self.lines(format_args!("{value:#}")),
        }
    }

    /// Writes text whose line breaks are its layout.
    pub fn lines(&mut self, lines: impl fmt::Display) -> Result {
        self.write(|out| out.lines(lines))
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut Stream<BufWriter<Stdout>>) -> io::Result<()>,
    ) -> Result {
        if self.failure.is_some() {
            return Ok(());
        }
        match (write(&mut self.out), self.unwritten) {
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
    /// of `_meta`; and if that does not fit the terminal, in a table for each with a row for each field.
    pub fn objects(&mut self, objects: &[Object]) -> Result {
        match self.format {
            Format::Json => self.rows(&[], objects),
            Format::Table => {
                let objects: Vec<Object> = objects.iter().map(flattened).collect();
                let columns = columns(&objects);
                match Table::fits(&columns, &objects) {
                    true => self.rows(&columns, &objects),
                    false => self.one_field_a_line(&objects),
                }
            }
        }
    }

    /// Writes objects: one in a line, or in one table with these columns.
    pub fn rows(&mut self, columns: &[&str], objects: &[Object]) -> Result {
        match self.format {
            Format::Json => {
                for object in objects {
                    self.json(object)?;
                }
            }
            Format::Table if objects.is_empty() => {}
            Format::Table => self.lines(table(columns, objects))?,
        }
        Ok(())
    }

    /// Writes a table for each object, with a row for each field, and empty lines between them.
    fn one_field_a_line(&mut self, objects: &[Object]) -> Result {
        for object in objects {
            if self.has_table {
                self.line("")?;
            }
            self.has_table = true;
            self.object(object)?;
        }
        Ok(())
    }

    /// Writes one object: in a line, or as a table with a row for each field.
    pub fn object(&mut self, object: &Object) -> Result {
        match self.format {
            Format::Json => self.json(object),
            Format::Table => {
                let mut table = Table::new();
                for (name, value) in object {
                    table.row([name, &cell(value)]);
                }
                self.lines(table)
            }
        }
    }

    /// Writes a table with a row for each name and its value, whatever the format.
    pub fn entries(&mut self, entries: Vec<(&str, String)>) -> Result {
        let mut table = Table::new();
        for (name, text) in entries {
            table.row([name, &text]);
        }
        self.lines(table)
    }

    /// Flushes everything, and returns whether it was written.
    pub fn finish(self) -> Result {
        let flushed = self.out.finish();
        let failure = self.failure.or(flushed.err());
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
    streams::stderr().line(line)
}

/// Writes a failure to standard error: one sentence, its details, and what to do about it.
///
/// If standard error is closed, it cannot be written.
pub fn error(sentence: &str, details: &[String], remedy: Option<&str>) {
    let mut err = streams::stderr();
    let _ = err.painted(&[(Ink::Red, &"error:"), (Ink::Plain, &" "), (Ink::Plain, &sentence)]);
    for detail in details {
        let _ = err.line(format_args!("  {detail}"));
    }
    if let Some(remedy) = remedy {
        let _ = err.painted(&[
            (Ink::Plain, &" "),
            (Ink::Dim, &"help:"),
            (Ink::Plain, &" "),
            (Ink::Plain, &remedy),
        ]);
    }
}

/// A row for each object.
fn table(columns: &[&str], objects: &[Object]) -> Table {
    let mut table = Table::new();
    table.header(columns);
    for object in objects {
        let cells = columns.iter().map(|name| object.get(name).map_or_else(String::new, cell));
        let cells: Vec<_> = cells.collect();
        table.row(cells.iter().map(String::as_str));
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

#[cfg(test)]
mod tests {
    use velocitydb::object;

    use super::*;

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
