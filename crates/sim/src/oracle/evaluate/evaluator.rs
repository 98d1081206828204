//! [`Evaluator`]: answers the queries of a batch.

use velocitydb_core::Object;

use crate::oracle::case::{Answer, Query};

/// One way of executing queries in VelocityDB.
///
/// To ensure correctness, an evaluator answers only from the documents that were loaded last: an
/// update is answered with the updated document, and has no effect on later queries.
pub trait Evaluator: Send {
    /// The name in reports.
    fn name(&self) -> String;

    /// Loads the collection of the next queries. `number` decides other random choices, such as
    /// indexes. Returns the reason if it cannot.
    fn load(&mut self, documents: &[Object], number: u64) -> Result<(), String>;

    /// Notes about its plans, each with a count.
    fn notes(&self) -> Vec<(String, u64)> {
        Vec::new()
    }

    /// Answers a query; `None` if this evaluator does not support it.
    fn answer(&mut self, query: &Query) -> Option<Answer>;
}
