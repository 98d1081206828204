//! SQLite: a table with a JSONB column, and a partial index of the waiting jobs.
//!
//! A claim is one statement, and so a transaction that takes the write lock at once. All claimants
//! share one connection: separate ones would wait for each other by polling.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use rusqlite::{Connection, OptionalExtension, named_params};

use super::{Claimant, Executor, Job, Store};
use crate::Result;

/// The connection.
pub struct Sqlite(Mutex<Connection>);

const SCHEMA: &str = "
CREATE TABLE jobs (id TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE INDEX waiting ON jobs (
    json_extract(body, '$.colony'), json_extract(body, '$.executortype'),
    json_extract(body, '$.prioritytime')
) WHERE json_extract(body, '$.state') = 'waiting'";

const INSERT: &str = "INSERT INTO jobs (id, body) VALUES (?1, jsonb(?2))";

/// The index is named, since the planner considers a scan and a sort cheaper when most jobs wait.
const CLAIM: &str = "
UPDATE jobs SET body = jsonb_set(
    body, '$.state', 'running', '$.executor', :name, '$.starttime', :now)
WHERE rowid = (
    SELECT rowid FROM jobs INDEXED BY waiting
    WHERE json_extract(body, '$.state') = 'waiting'
      AND json_extract(body, '$.colony') = :colony
      AND json_extract(body, '$.executortype') = :kind
      AND json_extract(body, '$.cpu') <= :cpu
      AND json_extract(body, '$.memory') <= :memory
      AND json_extract(body, '$.storage') <= :storage
      AND json_extract(body, '$.gpucount') <= :gpu_count
      AND json_extract(body, '$.gpumemory') <= :gpu_memory
      AND json_extract(body, '$.walltime') <= :walltime
      AND (json_array_length(body, '$.executornames') = 0
           OR EXISTS (SELECT 1 FROM json_each(body, '$.executornames') WHERE value = :name))
    ORDER BY json_extract(body, '$.prioritytime') LIMIT 1)
RETURNING id, json(body)";

const WAITING: &str = "SELECT count(*) FROM jobs WHERE json_extract(body, '$.state') = 'waiting'";

impl Sqlite {
    /// An empty table in memory.
    pub fn in_memory() -> Result<Self> {
        Self::new(Connection::open_in_memory()?)
    }

    /// An empty table in a folder; a write is acknowledged when it is on the device.
    pub fn on_disk(folder: &Path) -> Result<Self> {
        let connection = Connection::open(folder.join("sqlite"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -(1 << 20))?;
        Self::new(connection)
    }

    fn new(connection: Connection) -> Result<Self> {
        connection.execute_batch(SCHEMA)?;
        Ok(Sqlite(Mutex::new(connection)))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().expect("no thread panics while it holds the connection")
    }
}

impl Store for Sqlite {
    fn insert(&self, jobs: &[Job]) -> Result<()> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for job in jobs {
                insert.execute((&job.id, &job.json))?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Samples a thousandth of ten million jobs, as the manual advises for large tables.
    fn settle(&self) -> Result<()> {
        Ok(self.connection().execute_batch("PRAGMA analysis_limit = 1000; ANALYZE")?)
    }

    fn claimant(&self, executor: Executor) -> Result<Box<dyn Claimant + '_>> {
        Ok(Box::new(SqliteClaimant { store: self, executor }))
    }

    fn waiting(&self) -> Result<u64> {
        let count: i64 = self.connection().query_row(WAITING, (), |row| row.get(0))?;
        Ok(u64::try_from(count)?)
    }
}

struct SqliteClaimant<'a> {
    store: &'a Sqlite,
    executor: Executor,
}

impl Claimant for SqliteClaimant<'_> {
    fn claim(&mut self, now: i64) -> Result<Option<String>> {
        let executor = &self.executor;
        let connection = self.store.connection();
        let mut claim = connection.prepare_cached(CLAIM)?;
        let parameters = named_params! {
            ":name": executor.name, ":now": now,
            ":colony": executor.colony, ":kind": executor.kind,
            ":cpu": executor.cpu, ":memory": executor.memory, ":storage": executor.storage,
            ":gpu_count": executor.gpu_count, ":gpu_memory": executor.gpu_memory,
            ":walltime": executor.walltime,
        };
        let job = claim.query_row(parameters, |row| {
            std::hint::black_box(row.get_ref(1)?.as_str()?);
            row.get(0)
        });
        Ok(job.optional()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_read_the_partial_index_in_its_order() {
        let store = Sqlite::in_memory().unwrap();
        let connection = store.connection();
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {CLAIM}")).unwrap();
        let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
        let parameters = rusqlite::params_from_iter(nulls);
        let lines = explain.query_map(parameters, |row| row.get::<_, String>(3)).unwrap();
        let lines: Vec<String> = lines.collect::<rusqlite::Result<_>>().unwrap();
        let search = "SEARCH jobs USING INDEX waiting (<expr>=? AND <expr>=?)";
        assert!(lines.iter().any(|line| line == search), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("TEMP B-TREE")), "{lines:?}");
    }
}
