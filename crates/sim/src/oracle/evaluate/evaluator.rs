//! [`Evaluator`]: what can answer the queries of a batch.

use velocitydb_core::Object;

use crate::oracle::case::{Answer, Query};

/// One way of asking VelocityDB.
///
/// To ensure correctness, an evaluator answers from the documents loaded last and from nothing
/// else: an update is answered with the document as it would be, and changes none that a later
/// query sees.
pub trait Evaluator: Send {
    /// The name in reports.
    fn name(&self) -> String;

    /// Takes the collection that the next queries are about. `number` decides what else is chosen at
    /// random, such as indexes. The reason, if it cannot.
    fn load(&mut self, documents: &[Object], number: u64) -> Result<(), String>;

    /// What is worth knowing of how it answered, with how often it was so.
    fn notes(&self) -> Vec<(String, u64)> {
        Vec::new()
    }

    /// Answers a query; `None` if this way of asking knows no such queries.
    fn answer(&mut self, query: &Query) -> Option<Answer>;
}
