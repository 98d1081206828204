//! PostgreSQL: an unlogged table with a JSONB column and indexes on expressions of it, with
//! `synchronous_commit` off, since the others are in memory.
//!
//! Rows are received in the binary format, in which a JSONB is one byte and its text; it is not
//! parsed here.

use std::hint::black_box;

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{ToSql, Type};
use postgres::{Client, Statement};

use super::{Index, Line, Order, Parallelism, Question, Store};
use crate::Result;
use crate::cluster::Schema;
use crate::jsonb::{JsonIn, JsonOut};

/// A table, and one connection to it.
pub struct Postgres {
    client: Client,
    insert: Statement,
    selects: Selects,
    // Dropped after the connection.
    _schema: Schema,
}

struct Selects {
    of_customer: Statement,
    dear: Statement,
    by_product: Statement,
    placed_between: Statement,
    newest_of_product: Statement,
    count_of_product: Statement,
    times_of_product: Statement,
}

impl Postgres {
    /// An empty table in a schema of its own.
    pub fn open(schema: Schema) -> Result<Self> {
        let mut client = schema.connect()?;
        client.batch_execute(
            "SET synchronous_commit = off;
             CREATE UNLOGGED TABLE orders (id text PRIMARY KEY, body jsonb NOT NULL)",
        )?;
        let insert = client.prepare("INSERT INTO orders (id, body) VALUES ($1, $2)")?;
        let selects = Selects {
            of_customer: client.prepare(OF_CUSTOMER)?,
            dear: client.prepare(DEAR)?,
            by_product: client.prepare(BY_PRODUCT)?,
            placed_between: client.prepare(PLACED_BETWEEN)?,
            newest_of_product: client.prepare(NEWEST_OF_PRODUCT)?,
            count_of_product: client.prepare(COUNT_OF_PRODUCT)?,
            times_of_product: client.prepare(TIMES_OF_PRODUCT)?,
        };
        let mut store = Postgres { client, insert, selects, _schema: schema };
        store.work_by(Parallelism::One)?;
        Ok(store)
    }

    fn orders(
        &mut self,
        select: impl Fn(&Selects) -> &Statement,
        parameters: &[&(dyn ToSql + std::marker::Sync)],
        line: Line<'_>,
    ) -> Result<()> {
        for row in self.client.query(select(&self.selects), parameters)? {
            line(row.try_get(0)?, 0.0);
            black_box(row.try_get::<_, JsonOut<'_>>(1)?.0);
        }
        Ok(())
    }
}

impl Store for Postgres {
    fn insert(&mut self, order: &Order) -> Result<()> {
        self.client.execute(&self.insert, &[&order.id, &JsonIn(&order.json)])?;
        Ok(())
    }

    fn insert_many(&mut self, orders: &[Order]) -> Result<()> {
        let copy = self.client.copy_in("COPY orders (id, body) FROM STDIN (FORMAT binary)")?;
        let mut rows = BinaryCopyInWriter::new(copy, &[Type::TEXT, Type::JSONB]);
        for order in orders {
            rows.write(&[&order.id, &JsonIn(&order.json)])?;
        }
        rows.finish()?;
        Ok(())
    }

    fn build(&mut self, indexes: &[Index]) -> Result<()> {
        for index in indexes {
            self.client.batch_execute(match index {
                Index::Customer => "CREATE INDEX by_customer ON orders ((body->>'customer'))",
                Index::ProductPlaced => {
                    "CREATE INDEX by_product ON orders
                     ((body->>'product'), ((body->'placed')::bigint))"
                }
                Index::Placed => "CREATE INDEX by_placed ON orders (((body->'placed')::bigint))",
                Index::UniqueNumber => {
                    "CREATE UNIQUE INDEX by_number ON orders (((body->'number')::bigint))"
                }
            })?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        Ok(self.client.batch_execute("VACUUM (FREEZE, ANALYZE) orders")?)
    }

    fn work_by(&mut self, parallelism: Parallelism) -> Result<bool> {
        self.client.batch_execute(match parallelism {
            Parallelism::One => "SET max_parallel_workers_per_gather = 0",
            Parallelism::OwnChoice => "RESET max_parallel_workers_per_gather",
        })?;
        Ok(true)
    }

    fn ask(&mut self, question: &Question, line: Line<'_>) -> Result<()> {
        match question {
            Question::OfCustomer(customer) => {
                self.orders(|selects| &selects.of_customer, &[customer], line)
            }
            Question::Dear(price) => self.orders(|selects| &selects.dear, &[price], line),
            Question::ByProduct => {
                for row in self.client.query(&self.selects.by_product, &[])? {
                    let product = row.try_get(0)?;
                    line(product, row.try_get::<_, i64>(1)? as f64);
                    line(product, row.try_get(2)?);
                }
                Ok(())
            }
            Question::PlacedBetween(start, end) => {
                self.orders(|selects| &selects.placed_between, &[start, end], line)
            }
            Question::NewestOfProduct(product) => {
                self.orders(|selects| &selects.newest_of_product, &[product], line)
            }
            Question::CountOfProduct(product) => {
                let row = self.client.query_one(&self.selects.count_of_product, &[product])?;
                line("", row.try_get::<_, i64>(0)? as f64);
                Ok(())
            }
            Question::TimesOfProduct(product, start) => {
                for row in self.client.query(&self.selects.times_of_product, &[product, start])? {
                    line(row.try_get(0)?, row.try_get::<_, i64>(1)? as f64);
                }
                Ok(())
            }
        }
    }
}

const OF_CUSTOMER: &str = "SELECT id, body FROM orders WHERE body->>'customer' = $1";

const DEAR: &str = "SELECT id, body FROM orders WHERE (body->'price')::float8 >= $1";

const BY_PRODUCT: &str =
    "SELECT body->>'product', count(*), sum((body->'price')::float8) FROM orders GROUP BY 1";

const PLACED_BETWEEN: &str = "
SELECT id, body FROM orders
WHERE (body->'placed')::bigint >= $1 AND (body->'placed')::bigint < $2
ORDER BY (body->'placed')::bigint LIMIT 10";

const NEWEST_OF_PRODUCT: &str = "
SELECT id, body FROM orders WHERE body->>'product' = $1
ORDER BY (body->'placed')::bigint DESC LIMIT 10";

const COUNT_OF_PRODUCT: &str = "SELECT count(*) FROM orders WHERE body->>'product' = $1";

/// PostgreSQL cannot answer from an index on expressions alone: it fetches the rows.
const TIMES_OF_PRODUCT: &str = "
SELECT body->>'product', (body->'placed')::bigint FROM orders
WHERE body->>'product' = $1 AND (body->'placed')::bigint >= $2
ORDER BY (body->'placed')::bigint LIMIT 10";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{self, Cluster};
    use crate::queries::Orders;

    #[test]
    fn every_question_is_answered_by_the_index_that_it_is_meant_for() {
        let Ok(programs) = cluster::find(None) else { return };
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::start(&programs, folder.path()).unwrap();
        let mut store = Postgres::open(cluster.schema().unwrap()).unwrap();
        for batch in Orders::new(50_000).batches(10_000) {
            store.insert_many(&batch.unwrap()).unwrap();
        }
        store.build(&[Index::Customer, Index::ProductPlaced, Index::Placed]).unwrap();
        store.settle().unwrap();
        for (select, parameters, plan) in [
            (OF_CUSTOMER, "('customer-0000007')", "Index Scan using by_customer"),
            (DEAR, "(999.9)", "Seq Scan on orders"),
            (BY_PRODUCT, "", "HashAggregate"),
            (PLACED_BETWEEN, "(1700001000, 1700002000)", "Index Scan using by_placed"),
            (NEWEST_OF_PRODUCT, "('product-007')", "Index Scan Backward using by_product"),
            (COUNT_OF_PRODUCT, "('product-007')", "by_product"),
            (TIMES_OF_PRODUCT, "('product-007', 1700001000)", "Index Scan using by_product"),
        ] {
            let prepare = format!("PREPARE question AS {select}");
            store.client.batch_execute("SET plan_cache_mode = force_generic_plan").unwrap();
            store.client.batch_execute(&prepare).unwrap();
            let explain = format!("EXPLAIN EXECUTE question {parameters}");
            let rows = store.client.query(&explain, &[]).unwrap();
            let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            assert!(lines.join("\n").contains(plan), "{select}:\n{}", lines.join("\n"));
            store.client.batch_execute("DEALLOCATE question").unwrap();
        }
    }
}
