//! Creating, dropping and listing secondary indexes.

use velocitydb_core::{Body, CollectionName, Consistency, IndexName, IndexSpec};

use crate::index::IndexState;
use crate::replica::Maintained;
use crate::state::catalog;
use crate::{Cancellation, Database, Documents, Error, Result, Snapshot};

/// An index, and how far its build has come.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexStats {
    /// Its name.
    pub name: IndexName,
    /// Its specification.
    pub spec: IndexSpec,
    /// How far its build has come.
    pub state: IndexBuild,
    /// The number of its entries.
    pub entries: u64,
}

/// How far the build of an index has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexBuild {
    /// The build is complete, and queries use the index.
    Ready,
    /// The build is in progress.
    Building {
        /// Documents that have been indexed.
        done: u64,
        /// Documents that the collection has now.
        of: u64,
    },
    /// The build failed, and the index is not used.
    Failed {
        /// Which documents, and why.
        reason: String,
    },
}

impl Documents {
    /// Creates an index, and returns when it is ready. The collection is created if it does not exist.
    ///
    /// Reads and writes continue meanwhile; [`indexes`](Self::indexes) shows the progress. Queries use the
    /// index only once it is complete. If the process ends before that, the build continues when the
    /// database is opened again. It is no error if the same index exists already.
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
    /// [`Error::IndexFailed`] when the documents do not allow the index, for instance since two have the
    /// same values in a unique one; then it is not created. [`Error::IndexExists`] when a different index
    /// has its name. And when it is invalid or storage fails. If storage fails during the build, the index
    /// stays, and [`maintain`](Database::maintain) continues the build.
    pub fn create_index(&self, spec: IndexSpec) -> Result<()> {
        self.create_index_until(spec, &Cancellation::never())
    }

    /// As [`create_index`](Self::create_index), until it is cancelled, in which case the index is not
    /// created.
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
                // Another caller may have dropped it already.
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
        // Plans do without statistics that cannot be made; the failure is reported to the next reader or
        // writer. The index is there.
        let is_stopped = || cancellation.is_over();
        let _ = db.core().analyze_named(&collection, &name, &is_stopped);
        let snapshot = db.snapshot()?;
        let found = snapshot.indexes(&collection)?.into_iter().find(|index| index.name == name);
        match found.map(|index| index.state) {
            Some(IndexBuild::Failed { reason }) => {
                drop_again()?;
                Err(Error::IndexFailed { collection, index: name, reason })
            }
            // The index exists already; only the request is recorded.
            Some(_) if request.is_some() => db.submit_last(body, request).map(|_| ()),
            Some(_) => Ok(()),
            None => Err(Error::NoIndex { collection, index: name }),
        }
    }

    /// Drops an index. Its entries are removed in the background.
    ///
    /// # Errors
    ///
    /// [`Error::NoIndex`] when there is no index of this name.
    pub fn drop_index(&self, name: &str) -> Result<()> {
        let (collection, name) = (self.name()?.clone(), IndexName::new(name)?);
        let body = Body::DropIndex { collection, name };
        self.db.submit(body, self.request_id().cloned(), Consistency::Strong)?;
        Ok(())
    }

    /// The indexes of the collection, in the order of their names.
    ///
    /// # Errors
    ///
    /// When the name is invalid or storage fails.
    pub fn indexes(&self) -> Result<Vec<IndexStats>> {
        self.db.snapshot()?.indexes(self.name()?)
    }
}

impl Database {
    /// Updates the statistics on the distribution of values in indexes that have changed much since the
    /// last time, so that plans are better. With
    /// [`MaintenanceMode::Automatic`](crate::MaintenanceMode::Automatic) a thread does this automatically.
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn analyze(&self) -> Result<()> {
        self.core().analyze(&|| false)
    }

    /// As [`analyze`](Self::analyze), until it is cancelled; the remaining indexes are left for the next
    /// time.
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
