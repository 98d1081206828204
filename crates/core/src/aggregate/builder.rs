//! Building a pipeline in Rust, stage by stage. Each stage is read as if it had been written in
//! JSON, so that both can do the same.

use super::accumulator::Accumulator;
use super::expression::Parser;
use super::pipeline::Pipeline;
use crate::{Filter, Object, Result, Value, object, value};

impl Pipeline {
    /// A pipeline that returns rows unchanged.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stage, written as in JSON.
    ///
    /// ```
    /// use velocitydb_core::aggregate::Pipeline;
    /// use velocitydb_core::value;
    ///
    /// let pipeline = Pipeline::new().stage(value!({ "$unset": ["secret", "internal"] })).limit(3);
    /// assert_eq!(pipeline.to_value(), value!([{ "$unset": ["secret", "internal"] }, { "$limit": 3 }]));
    /// pipeline.check()?;
    /// assert!(Pipeline::new().stage(value!({ "$unsett": "secret" })).check().is_err());
    /// # Ok::<(), velocitydb_core::Error>(())
    /// ```
    pub fn stage(mut self, stage: Value) -> Self {
        if let Err(error) = self.read(stage) {
            self.problem.get_or_insert(Box::new(error));
        }
        self
    }

    fn read(&mut self, stage: Value) -> Result<()> {
        self.source.push(stage);
        // The whole pipeline, since its total size is bounded.
        let whole = Value::Array(std::mem::take(&mut self.source));
        let admitted = Parser::default().admit(&whole);
        if let Value::Array(source) = whole {
            self.source = source;
        }
        admitted?;
        let at = self.source.len() - 1;
        self.stages.push(self.parser.stage(at, &self.source[at])?);
        Ok(())
    }

    /// Keeps the rows that satisfy a filter: `$match`.
    pub fn matching(self, filter: &Filter) -> Self {
        self.stage(value!({ "$match": (filter.to_object()) }))
    }

    /// Groups rows by the value of an expression: `$group`. With null all rows are one group.
    pub fn group<N: Into<String>>(
        self,
        key: impl Into<Value>,
        fields: impl IntoIterator<Item = (N, Accumulator)>,
    ) -> Self {
        let mut group: Object =
            fields.into_iter().map(|(name, accumulator)| (name, accumulator.0)).collect();
        group.insert("_id", key.into());
        self.stage(value!({ "$group": group }))
    }

    /// Sorts rows by one or more fields, 1 for ascending and -1 for descending: `$sort`.
    pub fn sort<'n>(self, keys: impl IntoIterator<Item = (&'n str, i32)>) -> Self {
        let keys: Value =
            keys.into_iter().map(|(path, direction)| object! { (path): direction }).collect();
        self.stage(value!({ "$sort": keys }))
    }

    /// Keeps the first rows: `$limit`.
    pub fn limit(self, count: u64) -> Self {
        self.stage(value!({ "$limit": count }))
    }

    /// Drops the first rows: `$skip`.
    pub fn skip(self, count: u64) -> Self {
        self.stage(value!({ "$skip": count }))
    }

    /// Keeps or drops fields, and computes others: `$project`.
    pub fn project(self, fields: impl Into<Object>) -> Self {
        self.stage(value!({ "$project": (fields.into()) }))
    }

    /// Sets fields to the values of expressions: `$set`.
    pub fn set(self, fields: impl Into<Object>) -> Self {
        self.stage(value!({ "$set": (fields.into()) }))
    }

    /// Makes a row of each element of an array, given as a path with a `$`: `$unwind`.
    pub fn unwind(self, path: &str) -> Self {
        self.stage(value!({ "$unwind": path }))
    }

    /// Replaces rows by the value of an expression, an object: `$replaceWith`.
    pub fn replace_with(self, root: impl Into<Value>) -> Self {
        self.stage(value!({ "$replaceWith": (root.into()) }))
    }

    /// Adds the documents of another collection whose field equals one of the row, as an array:
    /// `$lookup`.
    pub fn lookup(self, from: &str, local: &str, foreign: &str, into: &str) -> Self {
        self.stage(value!({
            "$lookup": { "from": from, "localField": local, "foreignField": foreign, "as": into },
        }))
    }

    /// Runs several pipelines over the same rows: `$facet`.
    pub fn facet<N: Into<String>>(self, facets: impl IntoIterator<Item = (N, Pipeline)>) -> Self {
        let mut problem = None;
        let mut all = Object::new();
        for (name, pipeline) in facets {
            all.insert(name, pipeline.to_value());
            problem = problem.or(pipeline.problem);
        }
        let mut whole = self.stage(value!({ "$facet": all }));
        whole.problem = whole.problem.or(problem);
        whole
    }

    /// Returns one row with the number of rows in the field `name`: `$count`.
    pub fn count(self, name: &str) -> Self {
        self.stage(value!({ "$count": name }))
    }
}
