//! [`Rows`]: results that come one by one, and are written as they come, or some at a time as tables.

use std::ops::ControlFlow;

use velocitydb::Object;

use crate::args::Format;
use crate::failure::{Failure, Result};
use crate::output::{Output, TABLE_BYTES};

/// How many share a table.
const TABLE_ROWS: usize = 1_000;

/// Results that come one by one, and are written as they come, or some at a time as tables.
pub struct Rows<'a> {
    output: &'a mut Output,
    /// Those that are to share a table.
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

    /// Takes one more. Breaks when nothing can be written any more.
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

    /// Writes the rest, also where the query that they come from was stopped by an error.
    pub fn finish(mut self, result: velocitydb::Result<()>) -> Result {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.write()?;
        Ok(result?)
    }

    /// Lets a row wait for its table.
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
