//! [`Rows`]: writes results one by one as they are found, or in tables of some rows.

use std::ops::ControlFlow;

use velocitydb::Object;

use crate::args::Format;
use crate::csv::Columns;
use crate::failure::{Failure, Result};
use crate::output::{Output, TABLE_BYTES};

/// How many rows a table has.
const TABLE_ROWS: usize = 1_000;

/// Writes results one by one as they are found, or in tables of some rows.
pub struct Rows<'a> {
    output: &'a mut Output,
    csv: Option<&'a Columns>,
    /// The rows of the next table.
    waiting: Vec<Object>,
    /// Bytes of their text.
    bytes: usize,
    /// Why they could not be written.
    failure: Option<Failure>,
}

impl<'a> Rows<'a> {
    /// None so far.
    pub fn new(output: &'a mut Output) -> Self {
        Rows { output, csv: None, waiting: Vec::new(), bytes: 0, failure: None }
    }

    /// None so far, as comma-separated values if there are columns, which begin with a header.
    pub fn of(csv: Option<&'a Columns>, output: &'a mut Output) -> Result<Self> {
        csv.map_or(Ok(()), |columns| output.line(columns.header()))?;
        Ok(Rows { csv, ..Self::new(output) })
    }

    /// Adds a row. Breaks when nothing can be written any more.
    pub fn push(&mut self, row: Object) -> ControlFlow<()> {
        let written = match (self.csv, self.output.format()) {
            // A line break inside of a quoted value is a part of the format.
            (Some(columns), _) => self.output.lines(columns.row(&row)),
            (None, Format::Json) => self.output.object(&row),
            (None, Format::Table) => self.wait(row),
        };
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }

    /// Writes the rest, also after an error of the query.
    pub fn finish(mut self, result: velocitydb::Result<()>) -> Result {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.write()?;
        Ok(result?)
    }

    /// Adds a row to the next table.
    fn wait(&mut self, row: Object) -> Result {
        self.bytes += row.to_json().len();
        self.waiting.push(row);
        let is_full = self.waiting.len() == TABLE_ROWS || self.bytes >= TABLE_BYTES;
        if is_full { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result {
        let result = self.output.objects(&self.waiting);
        self.waiting.clear();
        self.bytes = 0;
        result
    }
}
