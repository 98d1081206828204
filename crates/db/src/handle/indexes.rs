//! Making, dropping and listing secondary indexes.

use velocitydb_core::{Body, CollectionName, Consistency, IndexName, IndexSpec};

use crate::index::IndexState;
use crate::replica::Maintained;
use crate::state::catalog;
use crate::{Cancellation, Database, Documents, Error, Result, Snapshot};

/// What is known of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexStats {
    /// Its name.
    pub name: IndexName,
    /// What it is.
    pub spec: IndexSpec,
    /// How far its building has come.
    pub state: IndexBuild,
    /// Entries that it has.
    pub entries: u64,
}

/// How far the building of an index has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexBuild {
    /// Queries use it.
    Ready,
    /// So many documents have been entered, of so many that there are now.
    Building {
        /// Documents that have been entered.
        done: u64,
        /// Documents that the collection has.
        of: u64,
    },
    /// It could not be built, for this reason, and is not used.
    Failed {
        /// Which documents, and why.
        reason: String,
    },
}

impl Documents {
    /// Creates an index, and returns when it is ready. The collection is created if need be.
    ///
    /// Reads and writes go on meanwhile; [`indexes`](Self::indexes) shows the progress. Queries use
    /// the index only when it has everything. If the process ends before that, the building goes on
    /// when the database is opened again. An index that exists already, just so, is no error.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{IndexSpec, Sort, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let users = db.documents("users");
    /// users.create_index(IndexSpec::on("email").unique())?;
    /// users.create_index(IndexSpec::new(Sort::new().ascending("city").descending("age")))?;
    /// users.insert("alice", object! { "email": "a@example.com", "city": "Bonn", "age": 28 })?;
    /// assert!(users.insert("bob", object! { "email": "a@example.com" }).is_err());
    /// assert_eq!(users.find(object! { "city": "Bonn" }).count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::IndexFailed`] when documents are such that it cannot be: two with the same values
    /// in a unique one, for instance; then there is no such index.
    /// [`Error::IndexExists`] when there is another one of its name.
    /// And when it is invalid or storage fails: if that is in the course of
    /// the building, the index stays, and [`maintain`](Database::maintain) goes on with it.
    pub fn create_index(&self, spec: IndexSpec) -> Result<()> {
        self.create_index_until(spec, &Cancellation::never())
    }

    /// As [`create_index`](Self::create_index), until it is cancelled: then there is no such index.
    ///
    /// # Errors
    ///
    /// As for [`create_index`](Self::create_index), and [`Error::Cancelled`] or
    /// [`Error::DeadlineExceeded`] when it was stopped.
    pub fn create_index_until(&self, spec: IndexSpec, cancellation: &Cancellation) -> Result<()> {
        let (db, collection) = (self.database(), self.name()?.clone());
        spec.check()?;
        let name = IndexName::new(spec.name())?;
        let body = Body::CreateIndex { collection: collection.clone(), spec: Box::new(spec) };
        let (request, answer) = db.request_for(&body)?;
        if answer.is_some() {
            return Ok(());
        }
        cancellation.check()?;
        db.submit(body.clone(), None, Consistency::Strong)?;
        let drop_again = || {
            let drop = Body::DropIndex { collection: collection.clone(), name: name.clone() };
            match db.submit(drop, None, Consistency::Strong) {
                // Somebody else may have dropped it, which is as good.
                Ok(_) | Err(Error::NoIndex { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        };
        while db.core().build_step(&collection, &name, Consistency::Strong)? {
            if let Err(stopped) = cancellation.check() {
                drop_again()?;
                return Err(stopped);
            }
        }
        let snapshot = db.snapshot()?;
        let found = snapshot.indexes(&collection)?.into_iter().find(|index| index.name == name);
        match found.map(|index| index.state) {
            Some(IndexBuild::Failed { reason }) => {
                drop_again()?;
                Err(Error::IndexFailed { collection, index: name, reason })
            }
            // What exists already, just so, is only remembered to have been made.
            Some(_) if request.is_some() => db.submit_last(body, request).map(|_| ()),
            Some(_) => Ok(()),
            None => Err(Error::NoIndex { collection, index: name }),
        }
    }

    /// Drops an index. Its entries are removed in the background.
    ///
    /// # Errors
    ///
    /// [`Error::NoIndex`] when there is none of this name.
    pub fn drop_index(&self, name: &str) -> Result<()> {
        let (collection, name) = (self.name()?.clone(), IndexName::new(name)?);
        let body = Body::DropIndex { collection, name };
        self.db.submit(body, self.request_id().cloned(), Consistency::Strong)?;
        Ok(())
    }

    /// The indexes of the collection, by name.
    ///
    /// # Errors
    ///
    /// When the name is invalid or storage fails.
    pub fn indexes(&self) -> Result<Vec<IndexStats>> {
        self.db.snapshot()?.indexes(self.name()?)
    }
}

impl Database {
    /// Looks at how the values of indexes are distributed, where much has changed since that was
    /// done, so that plans are better. With
    /// [`MaintenanceMode::Automatic`](crate::MaintenanceMode::Automatic) a thread does it by itself.
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn analyze(&self) -> Result<()> {
        self.core().analyze(&|| false)
    }

    /// As [`analyze`](Self::analyze), until it is cancelled; what it has not come to is left for the
    /// next time.
    ///
    /// # Errors
    ///
    /// As for [`analyze`](Self::analyze), and [`Error::Cancelled`] or [`Error::DeadlineExceeded`] when
    /// it was stopped.
    pub fn analyze_until(&self, cancellation: &Cancellation) -> Result<()> {
        cancellation.check()?;
        self.core().analyze(&|| cancellation.is_over())?;
        cancellation.check()
    }
}

impl Snapshot {
    /// The indexes of a collection in this state.
    pub(crate) fn indexes(&self, collection: &CollectionName) -> Result<Vec<IndexStats>> {
        let Some(number) = self.number(collection)? else { return Ok(Vec::new()) };
        let count = self.totals_of(number)?.map_or(0, |totals| totals.count);
        let indexes = catalog::load_indexes(self.state(), number)?.into_iter();
        let stats = indexes.map(|index| IndexStats {
            name: index.definition.name.clone(),
            spec: index.definition.spec.clone(),
            state: match &index.definition.state {
                IndexState::Ready => IndexBuild::Ready,
                IndexState::Building { done, .. } => {
                    IndexBuild::Building { done: *done, of: count }
                }
                IndexState::Failed { reason } => IndexBuild::Failed { reason: reason.clone() },
            },
            entries: index.totals.entries,
        });
        Ok(stats.collect())
    }
}
