//! Pipelines in a transaction, which see its own writes.

use std::cell::RefCell;
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;
use velocitydb_core::aggregate::{Context, Pipeline, Row};
use velocitydb_core::{Filter, Object, Time};

use crate::{Document, Error, Result, Transaction, TransactionCollection};

impl Transaction {
    /// Sends the documents of a collection, as this transaction sees them, through a pipeline. The
    /// documents that its first `$match` and its `$lookup`s find are checked as those of
    /// [`find`](Self::find): if they have changed when the transaction commits, it is a conflict. They are
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
    /// Sends the documents through a pipeline, and reads its results as values of type `R`. See
    /// [`Transaction::aggregate`].
    ///
    /// # Errors
    ///
    /// As for [`Transaction::aggregate`], and [`Error::Invalid`] when a result does not fit the type.
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

/// What a pipeline can read: the other collections as the transaction sees them, and the time.
struct TransactionContext<'a> {
    transaction: RefCell<&'a mut Transaction>,
    now: Time,
    /// The error of the database that made the pipeline stop.
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
