//! PostgreSQL: a table with a JSONB column, and a partial index of the waiting jobs. Each claimant
//! has a connection.

use std::sync::{Mutex, MutexGuard};

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::Type;
use postgres::{Client, Statement};

use super::{Claimant, Durability, Executor, Job, Store};
use crate::Result;
use crate::cluster::Schema;
use crate::jsonb::{JsonIn, JsonOut};

/// A table.
pub struct Postgres {
    // Closed before the schema is dropped.
    client: Mutex<Client>,
    durability: Durability,
    schema: Schema,
}

const INDEX: &str = "
CREATE INDEX waiting ON jobs (
    (body->>'colony'), (body->>'executortype'), ((body->'prioritytime')::bigint)
) WHERE body->>'state' = 'waiting'";

const CLAIM: &str = "
UPDATE jobs SET body = body || jsonb_build_object(
    'state', 'running', 'executor', $1::text, 'starttime', $2::bigint)
WHERE id = (
    SELECT id FROM jobs
    WHERE body->>'state' = 'waiting'
      AND body->>'colony' = $3
      AND body->>'executortype' = $4
      AND (body->'cpu')::bigint <= $5
      AND (body->'memory')::bigint <= $6
      AND (body->'storage')::bigint <= $7
      AND (body->'gpucount')::bigint <= $8
      AND (body->'gpumemory')::bigint <= $9
      AND (body->'walltime')::bigint <= $10
      AND (body->'executornames' = '[]' OR body->'executornames' ? $1)
    ORDER BY (body->'prioritytime')::bigint LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, body";

impl Postgres {
    /// An empty table in a schema of its own.
    pub fn open(schema: Schema, durability: Durability) -> Result<Self> {
        let mut client = connect(&schema, durability)?;
        let kind = match durability {
            Durability::Memory => "UNLOGGED",
            Durability::Fsync => "",
        };
        let table = format!("CREATE {kind} TABLE jobs (id text PRIMARY KEY, body jsonb NOT NULL)");
        client.batch_execute(&table)?;
        client.batch_execute(INDEX)?;
        Ok(Postgres { client: Mutex::new(client), durability, schema })
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().expect("no thread panics while it holds the connection")
    }
}

fn connect(schema: &Schema, durability: Durability) -> Result<Client> {
    let mut client = schema.connect()?;
    client.batch_execute(match durability {
        Durability::Memory => "SET synchronous_commit = off",
        Durability::Fsync => "SET synchronous_commit = on",
    })?;
    Ok(client)
}

impl Store for Postgres {
    fn insert(&self, jobs: &[Job]) -> Result<()> {
        let mut client = self.client();
        let copy = client.copy_in("COPY jobs (id, body) FROM STDIN (FORMAT binary)")?;
        let mut rows = BinaryCopyInWriter::new(copy, &[Type::TEXT, Type::JSONB]);
        for job in jobs {
            rows.write(&[&job.id, &JsonIn(&job.json)])?;
        }
        rows.finish()?;
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        Ok(self.client().batch_execute("VACUUM (ANALYZE) jobs")?)
    }

    fn claimant(&self, executor: Executor) -> Result<Box<dyn Claimant + '_>> {
        let mut client = connect(&self.schema, self.durability)?;
        let claim = client.prepare(CLAIM)?;
        Ok(Box::new(PostgresClaimant { client, claim, executor }))
    }

    fn waiting(&self) -> Result<u64> {
        let count = "SELECT count(*) FROM jobs WHERE body->>'state' = 'waiting'";
        Ok(u64::try_from(self.client().query_one(count, &[])?.try_get::<_, i64>(0)?)?)
    }
}

struct PostgresClaimant {
    client: Client,
    claim: Statement,
    executor: Executor,
}

impl Claimant for PostgresClaimant {
    fn claim(&mut self, now: i64) -> Result<Option<String>> {
        let executor = &self.executor;
        let job = self.client.query_opt(
            &self.claim,
            &[
                &executor.name,
                &now,
                &executor.colony,
                &executor.kind,
                &executor.cpu,
                &executor.memory,
                &executor.storage,
                &executor.gpu_count,
                &executor.gpu_memory,
                &executor.walltime,
            ],
        )?;
        let Some(job) = job else { return Ok(None) };
        std::hint::black_box(job.try_get::<_, JsonOut<'_>>(1)?.0);
        Ok(Some(job.try_get(0)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::jobs::{Jobs, State};
    use crate::cluster::{self, Cluster};

    #[test]
    fn claims_read_the_partial_index_in_its_order() {
        let Ok(programs) = cluster::find(None) else { return };
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::start(&programs, folder.path()).unwrap();
        let store = Postgres::open(cluster.schema().unwrap(), Durability::Memory).unwrap();
        for (state, numbers) in [(State::Finished, 0..20_000), (State::Waiting, 20_000..21_000)] {
            for batch in (Jobs { state, numbers }).batches(10_000) {
                store.insert(&batch.unwrap()).unwrap();
            }
        }
        store.settle().unwrap();
        let mut client = store.client();
        client.batch_execute("SET plan_cache_mode = force_generic_plan").unwrap();
        client.batch_execute(&format!("PREPARE claim AS {CLAIM}")).unwrap();
        let explain = "EXPLAIN EXECUTE claim
            ('executor-0', 1, 'dev', 'simulator', 1, 1, 1, 1, 1, 1)";
        let rows = client.query(explain, &[]).unwrap();
        let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = lines.join("\n");
        assert!(plan.contains("Index Scan using waiting"), "{plan}");
        assert!(!plan.contains("Sort") && !plan.contains("Seq Scan"), "{plan}");
    }
}
