//! [`Pipeline`], for its users and for a planner.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use super::chain::Chain;
use super::context::{Context, Held, Shared};
use super::expression::Parser;
use super::measure::Measure;
use super::row::Row;
use super::run::Run;
use super::stage::{Kind, Stages};
use crate::{DocumentView, Error, Filter, Object, Result, Sort, Value};

/// A pipeline of stages through which rows pass, in MongoDB's language.
///
/// Read from JSON, or built in Rust. While building, a wrong stage is remembered, and reported by
/// [`Pipeline::check`] and wherever the pipeline is used.
///
/// ```
/// use velocitydb_core::aggregate::{Pipeline, SingleCollection};
/// use velocitydb_core::{Time, object};
///
/// let pipeline = Pipeline::from_json(
///     r#"[
///         {"$unwind": "$tags"},
///         {"$group": {"_id": "$tags", "n": {"$count": {}}, "years": {"$sum": "$age"}}}
///     ]"#,
/// )?;
/// let people = [
///     object! { "age": 28, "tags": ["a", "b"] },
///     object! { "age": 35, "tags": ["b"] },
/// ];
/// let expected = [object! { "_id": "a", "n": 1, "years": 28 }, object! { "_id": "b", "n": 2, "years": 63 }];
/// assert_eq!(pipeline.run(&SingleCollection(Time::UNIX_EPOCH), people)?, expected);
///
/// let wrong = Pipeline::from_json(r#"[{"$group": {"_id": null, "n": {"$summ": 1}}}]"#);
/// assert_eq!(
///     wrong.unwrap_err().to_string(),
///     r#"pipeline at "0.$group.n.$summ" uses the unknown accumulator "$summ"; did you mean $sum?"#,
/// );
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Pipeline {
    pub(super) stages: Stages,
    /// The stages as they were given.
    pub(super) source: Vec<Value>,
    /// The state for parsing further stages.
    pub(super) parser: Parser,
    /// The first mistake that was made while building.
    pub(super) problem: Option<Box<Error>>,
}

/// The first stages of a pipeline, as far as a planner can execute them.
///
/// They are in this order: filter, sort, skip, limit. A planner that has executed some of them
/// continues with [`Pipeline::start_after`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Leading<'p> {
    /// A filter that all rows have to satisfy. If no stage is counted for it, it is only a part of
    /// its stage's condition.
    pub filter: Option<&'p Filter>,
    /// How many stages the filter replaces: 0 or 1.
    pub filter_stages: usize,
    /// The order in which rows are needed.
    pub sort: Option<&'p Sort>,
    /// How many stages filter and sort replace.
    pub sort_stages: usize,
    /// How many of the first rows, in that order, are skipped.
    pub skip: u64,
    /// How many of the rows after them are needed.
    pub limit: Option<u64>,
    /// How many stages filter, sort, skip and limit replace.
    pub limit_stages: usize,
}

impl Pipeline {
    /// Reads a pipeline: a list of stages.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidQuery`], with the path of the mistake and what would be right.
    pub fn from_value(pipeline: &Value) -> Result<Self> {
        let mut parser = Parser::default();
        parser.admit(pipeline)?;
        let stages = parser.stages(pipeline)?;
        let source = pipeline.as_array().cloned().unwrap_or_default();
        Ok(Self { stages, source, parser, problem: None })
    }

    /// Reads a pipeline from JSON text, extended JSON included.
    ///
    /// # Errors
    ///
    /// Those of [`Pipeline::from_value`], and of text that is not JSON.
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_value(&Value::from_json(text)?)
    }

    /// The pipeline as [`Pipeline::from_value`] reads it.
    pub fn to_value(&self) -> Value {
        Value::Array(self.source.clone())
    }

    /// The first mistake that was made while building.
    ///
    /// # Errors
    ///
    /// That.
    pub fn check(&self) -> Result<()> {
        self.problem.as_ref().map_or(Ok(()), |problem| Err((**problem).clone()))
    }

    /// Starts a run, whose results go to `sink`.
    ///
    /// # Errors
    ///
    /// What [`Pipeline::check`] says.
    pub fn start<'p, S>(&'p self, context: &'p dyn Context, sink: S) -> Result<Run<'p, S>>
    where
        S: FnMut(Object) -> Result<ControlFlow<()>>,
    {
        self.start_after(0, context, sink)
    }

    /// Starts a run on rows for which the first stages were already executed, as [`Leading`] counts
    /// them.
    ///
    /// # Errors
    ///
    /// What [`Pipeline::check`] says.
    pub fn start_after<'p, S>(
        &'p self,
        stages: usize,
        context: &'p dyn Context,
        sink: S,
    ) -> Result<Run<'p, S>>
    where
        S: FnMut(Object) -> Result<ControlFlow<()>>,
    {
        self.check()?;
        let rest = self.stages.stages.get(stages..).unwrap_or_default();
        Ok(Run::new(Shared::new(context), &self.stages.input, Chain::new(rest), sink))
    }

    /// Runs over rows, and collects the results, whose memory is bounded like that of the stages.
    ///
    /// # Errors
    ///
    /// Those of [`Run::push`].
    pub fn run<'r, R: Into<Row<'r>>>(
        &self,
        context: &dyn Context,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Vec<Object>> {
        let mut results = Vec::new();
        let counted = Shared::new(context);
        let mut held = Held::default();
        let mut run = self.start(context, |object| {
            held.add(&counted, "results", Measure::of_object(&object).bytes)?;
            results.push(object);
            Ok(ControlFlow::Continue(()))
        })?;
        for row in rows {
            if run.push(row)?.is_break() {
                break;
            }
        }
        run.finish()?;
        Ok(results)
    }

    /// The first stages, as far as a planner can execute them.
    pub fn leading(&self) -> Leading<'_> {
        let mut leading = Leading::default();
        let stages = &self.stages.stages;
        let mut at = 0;
        if let Some(Kind::Match(filter)) = stages.first().map(|stage| &stage.kind) {
            leading.filter = Some(&filter.filter);
            if filter.expression.is_some() {
                return leading;
            }
            at = 1;
        }
        leading.filter_stages = at;
        if let Some(Kind::Sort { sort, .. }) = stages.get(at).map(|stage| &stage.kind) {
            leading.sort = Some(sort);
            at += 1;
        }
        leading.sort_stages = at;
        if let Some(Kind::Skip(skip)) = stages.get(at).map(|stage| &stage.kind) {
            leading.skip = *skip;
            at += 1;
        }
        if let Some(Kind::Limit(limit)) = stages.get(at).map(|stage| &stage.kind) {
            leading.limit = Some(*limit);
            at += 1;
        }
        leading.limit_stages = at;
        leading
    }

    /// The top-level fields of the input that can matter; `None` for all of them.
    pub fn fields(&self) -> Option<&BTreeSet<String>> {
        self.stages.input.needed.as_ref()
    }

    /// The collections that its `$lookup` stages read.
    pub fn collections(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.stages.collect_collections(&mut names);
        names
    }

    /// A whole document as this pipeline's stages see it: its fields and `_id`, and of the other
    /// names of [`META`](crate::document::META) those that the pipeline mentions. If
    /// [`Pipeline::fields`] is known, only those.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when the fields cannot be read.
    pub fn materialise(&self, document: &DocumentView<'_>) -> Result<Object> {
        self.stages.input.materialise(document)
    }
}

impl PartialEq for Pipeline {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.problem == other.problem
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.source).finish()
    }
}
