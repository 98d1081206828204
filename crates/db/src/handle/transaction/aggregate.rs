//! Pipelines in a transaction: on the documents as it sees them, its own writes included.

use std::cell::RefCell;
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;
use velocitydb_core::aggregate::{Context, Pipeline, Row};
use velocitydb_core::{Filter, Object, Time};

use crate::{Document, Error, Result, Transaction, TransactionCollection};

impl Transaction {
    /// Sends the documents of a collection, as this transaction sees them, through a pipeline. What its
    /// first `$match` finds, and what its `$lookup`s do, is found in the same way as by
    /// [`find`](Self::find): if that has changed when the transaction commits, it is a conflict. It is
    /// held in memory.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{Pipeline, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// db.documents("orders").insert("1", object! { "city": "Bonn", "total": 10 })?;
    /// let by_city = r#"[{"$group": {"_id": "$city", "total": {"$sum": "$total"}}}]"#;
    /// let by_city = Pipeline::from_json(by_city)?;
    /// let totals = db.transaction(|txn| {
    ///     txn.insert("orders", "2", object! { "city": "Bonn", "total": 5 })?;
    ///     txn.aggregate("orders", &by_city)
    /// })?;
    /// assert_eq!(totals, [object! { "_id": "Bonn", "total": 15 }]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find), when the pipeline is invalid, and when an expression cannot be
    /// computed.
    pub fn aggregate(&mut self, collection: &str, pipeline: &Pipeline) -> Result<Vec<Object>> {
        pipeline.check()?;
        let leading = pipeline.leading().filter.cloned();
        let found = self.find(collection, leading.unwrap_or_else(Filter::all))?;
        let now = self.now();
        let world =
            TransactionContext { transaction: RefCell::new(self), now, error: RefCell::new(None) };
        let result = run(pipeline, &world, &found);
        match world.error.into_inner() {
            Some(error) if result.is_err() => Err(error),
            _ => result,
        }
    }
}

impl<T> TransactionCollection<'_, T> {
    /// Sends the documents through a pipeline, whose results are rows of any type. See
    /// [`Transaction::aggregate`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::aggregate`], and [`Error::Invalid`] when a row does not fit its type.
    pub fn aggregate<R: DeserializeOwned>(&mut self, pipeline: &Pipeline) -> Result<Vec<R>> {
        let (transaction, name) = self.parts();
        let objects = transaction.aggregate(name, pipeline)?;
        objects.iter().map(|object| Ok(object.to()?)).collect()
    }
}

fn run(
    pipeline: &Pipeline,
    world: &TransactionContext<'_>,
    found: &[Document],
) -> Result<Vec<Object>> {
    let rows = found.iter().map(Document::view).collect::<Result<Vec<_>>>()?;
    Ok(pipeline.run(world, rows.into_iter().map(Row::Document))?)
}

/// What a pipeline can ask for: the other collections as the transaction sees them, and the time.
struct TransactionContext<'a> {
    transaction: RefCell<&'a mut Transaction>,
    now: Time,
    /// An error that is not one of pipelines, behind the one that stopped the run.
    error: RefCell<Option<Error>>,
}

impl Context for TransactionContext<'_> {
    fn lookup(
        &self,
        collection: &str,
        filter: &Filter,
        found: &mut dyn FnMut(Row<'_>) -> velocitydb_core::Result<ControlFlow<()>>,
    ) -> velocitydb_core::Result<()> {
        let keep = |error: Error| match error {
            Error::Invalid(error) => error,
            error => {
                *self.error.borrow_mut() = Some(error);
                velocitydb_core::Error::DeadlineExceeded
            }
        };
        let documents = self.transaction.borrow_mut().find(collection, filter.clone());
        for document in documents.map_err(keep)? {
            if found(Row::Document(document.view().map_err(keep)?))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn now(&self) -> Time {
        self.now
    }
}
