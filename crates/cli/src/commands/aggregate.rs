//! `aggregate`: pipelines.

use velocitydb::{Aggregate, Documents, Pipeline};

use super::rows::Rows;
use crate::args::{self, Bounds};
use crate::failure::Result;
use crate::input;
use crate::output::Output;

/// Prints the results of a pipeline.
pub fn aggregate(args: &args::Aggregate, output: &mut Output) -> Result {
    let pipeline = pipeline("PIPELINE", &args.source.read()?)?;
    let db = args.target.folder.open_to_read()?;
    let aggregate = of(&args.target.existing(&db)?, pipeline, &args.bounds);
    let mut rows = Rows::of(args.csv.columns.as_ref(), output)?;
    let result = aggregate.each(|row| Ok(rows.push(row)));
    rows.finish(result)
}

/// Reads a pipeline that is an argument of this name.
pub fn pipeline(name: &'static str, text: &str) -> Result<Pipeline> {
    input::named(name, Pipeline::from_json(text))
}

/// A pipeline on a collection, with limits.
pub fn of(documents: &Documents, pipeline: Pipeline, bounds: &Bounds) -> Aggregate {
    let mut aggregate = documents.aggregate(pipeline);
    if let Some(timeout) = bounds.timeout {
        aggregate = aggregate.deadline(timeout);
    }
    if let Some(bytes) = bounds.memory {
        aggregate = aggregate.memory_limit(bytes);
    }
    aggregate
}
