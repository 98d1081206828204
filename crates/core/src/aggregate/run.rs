//! A running pipeline.

use std::ops::ControlFlow;

use super::chain::Chain;
use super::context::Shared;
use super::measure::check_result;
use super::row::{Input, Row, World};
use crate::{Object, Result};

/// A running pipeline: rows are pushed in, and results are passed to a sink as soon as they are
/// known.
///
/// The sink may break, and then gets no more results; if it fails, the push or finish that called it
/// fails with its error. Drop the run after an error.
pub struct Run<'p, S> {
    shared: Shared<'p>,
    input: &'p Input,
    chain: Chain<'p>,
    output: Output<S>,
}

/// The sink, and whether it has broken.
struct Output<S> {
    sink: S,
    flow: ControlFlow<()>,
}

impl<S: FnMut(Object) -> Result<ControlFlow<()>>> Output<S> {
    fn give(&mut self, object: Object) -> Result<ControlFlow<()>> {
        if self.flow.is_continue() {
            check_result(&object)?;
            self.flow = (self.sink)(object)?;
        }
        Ok(self.flow)
    }
}

impl<'p, S: FnMut(Object) -> Result<ControlFlow<()>>> Run<'p, S> {
    pub(super) fn new(shared: Shared<'p>, input: &'p Input, chain: Chain<'p>, sink: S) -> Self {
        let output = Output { sink, flow: ControlFlow::Continue(()) };
        Self { shared, input, chain, output }
    }

    /// Processes a row. Breaks once no further row can change the results; call `finish`
    /// nevertheless.
    ///
    /// # Errors
    ///
    /// [`Error::Expression`](crate::Error::Expression) when an expression cannot be computed,
    /// [`Error::LimitExceeded`](crate::Error::LimitExceeded) when a bound is reached, and the errors
    /// of the context and of the sink.
    #[inline]
    pub fn push<'r>(&mut self, row: impl Into<Row<'r>>) -> Result<ControlFlow<()>> {
        self.shared.step()?;
        let world = World { shared: &self.shared, scope: None, input: self.input };
        let output = &mut self.output;
        self.chain.push(row.into(), world, &mut |object| output.give(object))
    }

    /// Passes on the results that are known only after all rows.
    ///
    /// # Errors
    ///
    /// Those of [`Run::push`].
    pub fn finish(mut self) -> Result<()> {
        let world = World { shared: &self.shared, scope: None, input: self.input };
        let output = &mut self.output;
        self.chain.finish(world, &mut |object| output.give(object))
    }
}

impl<S> std::fmt::Debug for Run<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("output", &self.output.flow).finish_non_exhaustive()
    }
}
