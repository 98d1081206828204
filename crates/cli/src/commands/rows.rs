//! [`Rows`]: results that come one by one, and are written some at a time.

use std::ops::ControlFlow;

use velocitydb::Object;

use crate::exit::{Failure, Result};
use crate::output::Output;

/// How many are held, and share a table, at a time.
const PAGE_ROWS: usize = 1_000;

/// Results that come one by one, and are written some at a time.
pub struct Rows<'a> {
    output: &'a mut Output,
    waiting: Vec<Object>,
    /// Why they could not be written.
    failure: Option<Failure>,
}

impl<'a> Rows<'a> {
    /// None so far.
    pub fn new(output: &'a mut Output) -> Self {
        Rows { output, waiting: Vec::new(), failure: None }
    }

    /// Takes one more. Breaks when nothing can be written any more.
    pub fn push(&mut self, row: Object) -> ControlFlow<()> {
        self.waiting.push(row);
        if self.waiting.len() < PAGE_ROWS {
            return ControlFlow::Continue(());
        }
        match self.write() {
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

    fn write(&mut self) -> Result {
        let result = self.output.objects(&self.waiting);
        self.waiting.clear();
        result
    }
}
