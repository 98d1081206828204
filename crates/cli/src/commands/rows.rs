//! [`Rows`]: writes results one by one as they are found, or in tables of some rows.

use std::ops::ControlFlow;

use velocitydb::Object;

use crate::args::Format;
use crate::failure::{Failure, Result};
use crate::output::{Output, TABLE_BYTES};

/// How many rows a table has.
const TABLE_ROWS: usize = 1_000;

/// Writes results one by one as they are found, or in tables of some rows.
pub struct Rows<'a> {
    output: &'a mut Output,
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
        Rows { output, waiting: Vec::new(), bytes: 0, failure: None }
    }

    /// Adds a row. Breaks when nothing can be written any more.
    pub fn push(&mut self, row: Object) -> ControlFlow<()> {
        let written = match self.output.format() {
            Format::Json => self.output.object(&row),
            Format::Table => self.wait(row),
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
