//! SQLite in memory: a table with a JSONB column, and indexes on expressions of it.
//!
//! JSONB, since scans and groups of it take a fraction of the time that text takes; orders are
//! returned as text, since only SQLite reads its JSONB.

use std::hint::black_box;

use rusqlite::{Connection, Params};

use super::{Index, Line, Order, Question, Store};
use crate::Result;

const INSERT: &str = "INSERT INTO orders (id, body) VALUES (?1, jsonb(?2))";

/// An in-memory database.
pub struct Sqlite(Connection);

impl Sqlite {
    /// An empty one.
    pub fn open() -> Result<Self> {
        let connection = Connection::open_in_memory()?;
        connection.execute("CREATE TABLE orders (id TEXT PRIMARY KEY, body BLOB NOT NULL)", ())?;
        Ok(Sqlite(connection))
    }

    /// Rows of an id or another text, and a text of JSON.
    fn orders(&self, select: &str, parameters: impl Params, line: Line<'_>) -> Result<()> {
        let mut statement = self.0.prepare_cached(select)?;
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            line(row.get_ref(0)?.as_str()?, 0.0);
            black_box(row.get_ref(1)?.as_str()?);
        }
        Ok(())
    }
}

impl Store for Sqlite {
    fn insert(&mut self, order: &Order) -> Result<()> {
        self.0.prepare_cached(INSERT)?.execute((&order.id, &order.json))?;
        Ok(())
    }

    fn insert_many(&mut self, orders: &[Order]) -> Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for order in orders {
                insert.execute((&order.id, &order.json))?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn build(&mut self, indexes: &[Index]) -> Result<()> {
        for index in indexes {
            self.0.execute_batch(match index {
                Index::Customer => {
                    "CREATE INDEX by_customer ON orders (json_extract(body, '$.customer'))"
                }
                Index::ProductPlaced => {
                    "CREATE INDEX by_product ON orders
                     (json_extract(body, '$.product'), json_extract(body, '$.placed'))"
                }
                Index::Placed => {
                    "CREATE INDEX by_placed ON orders (json_extract(body, '$.placed'))"
                }
                Index::UniqueNumber => {
                    "CREATE UNIQUE INDEX by_number ON orders (json_extract(body, '$.number'))"
                }
            })?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        Ok(self.0.execute_batch("ANALYZE")?)
    }

    fn ask(&mut self, question: &Question, line: Line<'_>) -> Result<()> {
        match question {
            Question::OfCustomer(customer) => self.orders(OF_CUSTOMER, (customer,), line),
            Question::Dear(price) => self.orders(DEAR, (price,), line),
            Question::ByProduct => {
                let mut statement = self.0.prepare_cached(BY_PRODUCT)?;
                let mut rows = statement.query(())?;
                while let Some(row) = rows.next()? {
                    let product = row.get_ref(0)?.as_str()?;
                    line(product, row.get::<_, i64>(1)? as f64);
                    line(product, row.get(2)?);
                }
                Ok(())
            }
            Question::PlacedBetween(start, end) => self.orders(PLACED_BETWEEN, (start, end), line),
            Question::NewestOfProduct(product) => self.orders(NEWEST_OF_PRODUCT, (product,), line),
            Question::CountOfProduct(product) => {
                let mut statement = self.0.prepare_cached(COUNT_OF_PRODUCT)?;
                line("", statement.query_row((product,), |row| row.get::<_, i64>(0))? as f64);
                Ok(())
            }
            Question::TimesOfProduct(product, start) => {
                let mut statement = self.0.prepare_cached(TIMES_OF_PRODUCT)?;
                let mut rows = statement.query((product, start))?;
                while let Some(row) = rows.next()? {
                    line(row.get_ref(0)?.as_str()?, row.get::<_, i64>(1)? as f64);
                }
                Ok(())
            }
        }
    }
}

const OF_CUSTOMER: &str =
    "SELECT id, json(body) FROM orders WHERE json_extract(body, '$.customer') = ?1";

const DEAR: &str = "SELECT id, json(body) FROM orders WHERE json_extract(body, '$.price') >= ?1";

/// A scan, since the index on the product would be slower: it fetches each order on its own.
const BY_PRODUCT: &str = "
SELECT json_extract(body, '$.product'), count(*), sum(json_extract(body, '$.price'))
FROM orders NOT INDEXED GROUP BY 1";

const PLACED_BETWEEN: &str = "
SELECT id, json(body) FROM orders
WHERE json_extract(body, '$.placed') >= ?1 AND json_extract(body, '$.placed') < ?2
ORDER BY json_extract(body, '$.placed') LIMIT 10";

const NEWEST_OF_PRODUCT: &str = "
SELECT id, json(body) FROM orders WHERE json_extract(body, '$.product') = ?1
ORDER BY json_extract(body, '$.placed') DESC LIMIT 10";

const COUNT_OF_PRODUCT: &str =
    "SELECT count(*) FROM orders WHERE json_extract(body, '$.product') = ?1";

const TIMES_OF_PRODUCT: &str = "
SELECT json_extract(body, '$.product'), json_extract(body, '$.placed') FROM orders
WHERE json_extract(body, '$.product') = ?1 AND json_extract(body, '$.placed') >= ?2
ORDER BY json_extract(body, '$.placed') LIMIT 10";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queries::Orders;

    #[test]
    fn every_question_is_answered_by_the_index_that_it_is_meant_for() {
        let mut store = Sqlite::open().unwrap();
        store.insert_many(&Orders::new(1_000).make(0..1_000).unwrap()).unwrap();
        store.build(&[Index::Customer, Index::ProductPlaced, Index::Placed]).unwrap();
        store.settle().unwrap();
        for (select, plan) in [
            (OF_CUSTOMER, "SEARCH orders USING INDEX by_customer (<expr>=?)"),
            (DEAR, "SCAN orders"),
            (BY_PRODUCT, "SCAN orders\nUSE TEMP B-TREE FOR GROUP BY"),
            (PLACED_BETWEEN, "SEARCH orders USING INDEX by_placed (<expr>>? AND <expr><?)"),
            (NEWEST_OF_PRODUCT, "SEARCH orders USING INDEX by_product (<expr>=?)"),
            (COUNT_OF_PRODUCT, "SEARCH orders USING COVERING INDEX by_product (<expr>=?)"),
            (
                TIMES_OF_PRODUCT,
                "SEARCH orders USING COVERING INDEX by_product (<expr>=? AND <expr>>?)",
            ),
        ] {
            let explain = format!("EXPLAIN QUERY PLAN {select}");
            let mut statement = store.0.prepare(&explain).unwrap();
            let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
            let parameters = rusqlite::params_from_iter(nulls);
            let lines = statement.query_map(parameters, |row| row.get::<_, String>(3)).unwrap();
            assert_eq!(lines.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("\n"), plan);
        }
    }
}
