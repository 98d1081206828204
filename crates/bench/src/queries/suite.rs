//! Suite `queries`: the measurements.

use std::time::{Duration, Instant};

use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::{Index, Opening, Order, Orders, Parallelism, Question, Store};
use crate::arguments::Arguments;
use crate::cluster::Cluster;
use crate::measure::Clock;
use crate::random::Random;
use crate::results::{Results, Unit};
use crate::velocity::{self, BATCH};
use crate::{Result, queries_velocity};

/// Rows that targets are set for.
pub const FIND: &str = "find of 10 orders by an index";
pub const SCAN: &str = "scan of all, filtering one field";
pub const GROUP: &str = "group of all by one of 1,000 values, count and sum";
pub const INSERT: &str = "insert beside two indexes";
pub const INSERT_MANY: &str = "insert beside two indexes, 1,000 a call";

/// The contestants that are not VelocityDB.
pub const PEERS: [&str; 2] = [SQLITE, POSTGRES];
const SQLITE: &str = "SQLite";
const POSTGRES: &str = "PostgreSQL";
const CONTESTANTS: [&str; 3] = [velocity::NAME, SQLITE, POSTGRES];

/// About the longest time that one sample may take.
const SAMPLE: Duration = Duration::from_millis(1_000);

/// Questions of each row whose answers are compared before anything is measured.
const COMPARED: usize = 20;
const COMPARED_SEED: u64 = u64::MAX;

const INDEXES: [Index; 3] = [Index::Customer, Index::ProductPlaced, Index::Placed];

/// A row of questions.
struct Row {
    title: &'static str,
    question: fn(Orders, &mut Random) -> Question,
    /// How much work one answer counts as.
    work: Work,
    parallelism: Parallelism,
}

/// How much work one question counts as.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    /// One.
    Once,
    /// One for each stored order.
    EachOrder,
}

const ROWS: [Row; 9] = [
    row(FIND, Orders::of_customer, Work::Once),
    row("range by an index, the first 10", Orders::placed_between, Work::Once),
    row("equality and order by an index, the last 10", Orders::newest_of_product, Work::Once),
    row("count of about 1,000 orders by an index", Orders::count_of_product, Work::Once),
    row("two fields of 10 orders, both in an index", Orders::times_of_product, Work::Once),
    row(SCAN, Orders::dear, Work::EachOrder),
    row(GROUP, |_, _| Question::ByProduct, Work::EachOrder),
    Row {
        parallelism: Parallelism::OwnChoice,
        ..row("scan of all, by all processes that it likes", Orders::dear, Work::EachOrder)
    },
    Row {
        parallelism: Parallelism::OwnChoice,
        ..row(
            "group of all, by all processes that it likes",
            |_, _| Question::ByProduct,
            Work::EachOrder,
        )
    },
];

const fn row(
    title: &'static str,
    question: fn(Orders, &mut Random) -> Question,
    work: Work,
) -> Row {
    Row { title, question, work, parallelism: Parallelism::One }
}

/// A row of inserts: its title, the indexes beside them, orders of one call.
const INSERTS: [(&str, &[Index], usize); 4] = [
    (INSERT, &[Index::Customer, Index::ProductPlaced], 1),
    (INSERT_MANY, &[Index::Customer, Index::ProductPlaced], BATCH),
    ("insert beside a unique index", &[Index::UniqueNumber], 1),
    ("insert beside a unique index, 1,000 a call", &[Index::UniqueNumber], BATCH),
];

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let cluster = Cluster::of(arguments)?;
    let table = table(count(arguments));
    let rows: Vec<&Row> = ROWS.iter().filter(|row| arguments.wants(&table, row.title)).collect();
    if !rows.is_empty() {
        questions(arguments, &cluster, &table, &rows, results)?;
    }
    inserts(arguments, &cluster, results)
}

/// How many orders there are, if it is to be quick, and if not.
pub const COUNTS: [u64; 2] = [100_000, 1_000_000];

fn count(arguments: &Arguments) -> u64 {
    COUNTS[usize::from(!arguments.is_quick)]
}

/// The title of the table of questions.
pub fn table(count: u64) -> String {
    format!("Queries in memory: {} k 200-byte documents", count / 1_000)
}

/// The title of the table of inserts.
pub const INSERT_TABLE: &str = "Inserts beside secondary indexes, in memory";

/// The title of the table of the work before questions.
const SETUP_TABLE: &str = "Queries: before the first";

fn open(name: &str, cluster: &std::result::Result<Cluster, String>) -> Result<Opening> {
    Ok(match (name, cluster) {
        (SQLITE, _) => Opening::Open(Box::new(Sqlite::open()?)),
        (POSTGRES, Ok(cluster)) => Opening::Open(Box::new(Postgres::open(cluster.schema()?)?)),
        (POSTGRES, Err(why)) => Opening::Absent(why.clone()),
        _ => queries_velocity::open()?,
    })
}

type Stores = Vec<(&'static str, Box<dyn Store>)>;

fn questions(
    arguments: &Arguments,
    cluster: &std::result::Result<Cluster, String>,
    table: &str,
    rows: &[&Row],
    results: &mut Results,
) -> Result<()> {
    let orders = Orders::new(count(arguments));
    let mut stores = Stores::new();
    for name in CONTESTANTS {
        match open(name, cluster)? {
            Opening::Open(mut store) => {
                set_up(name, &mut *store, orders, results)?;
                stores.push((name, store));
            }
            Opening::Absent(why) => rows
                .iter()
                .filter(|row| row.parallelism == Parallelism::One)
                .for_each(|row| results.absent(table, row.title, name, Unit::PerSecond, &why)),
        }
    }
    for row in rows {
        compare(&mut stores, &orders.ask(row.question, COMPARED, COMPARED_SEED))?;
    }
    for round in 0..arguments.rounds {
        for row in rows {
            let count = if row.work == Work::EachOrder { 2 } else { 50_000 };
            let questions = orders.ask(row.question, count, round as u64);
            for (name, store) in &mut stores {
                if store.work_by(row.parallelism)? {
                    let per_question = match row.work {
                        Work::Once => 1,
                        Work::EachOrder => orders.count(),
                    };
                    let found = rate(clock(arguments, name), &mut **store, &questions)?;
                    let found = found * per_question as f64;
                    results.record(table, row.title, name, Unit::PerSecond, found);
                    store.work_by(Parallelism::One)?;
                }
            }
        }
    }
    Ok(())
}

/// PostgreSQL works in another process, whose time on the processor is not this thread's.
fn clock(arguments: &Arguments, name: &str) -> Clock {
    if name == POSTGRES { Clock::Wall } else { arguments.clock }
}

fn set_up(name: &str, store: &mut dyn Store, orders: Orders, results: &mut Results) -> Result<()> {
    let mut record = |row: &str, passed: Duration| {
        results.record(SETUP_TABLE, row, name, Unit::Seconds, passed.as_secs_f64());
    };
    let mut passed = Duration::ZERO;
    for batch in orders.batches(BATCH as u64) {
        let batch = batch?;
        let start = Instant::now();
        store.insert_many(&batch)?;
        passed += start.elapsed();
    }
    record("load without indexes, 1,000 a call", passed);
    let start = Instant::now();
    store.build(&INDEXES)?;
    record("three indexes over them", start.elapsed());
    let start = Instant::now();
    store.settle()?;
    record("statistics, and what else the manual advises", start.elapsed());
    Ok(())
}

/// Questions per second, for about as long as a sample may take.
fn rate(clock: Clock, store: &mut dyn Store, questions: &[Question]) -> Result<f64> {
    let end = Instant::now() + SAMPLE;
    let in_time = questions.iter().enumerate().take_while(|(number, _)| {
        // The clock is read rarely, since reading it takes a part of the time of a short
        // answer.
        number % 16 != 15 || Instant::now() < end
    });
    let mut lines = 0u64;
    let found = clock.rate(in_time, |(_, question)| store.ask(question, &mut |_, _| lines += 1))?;
    if lines == 0 { Err("questions without an answer measure nothing".into()) } else { Ok(found) }
}

/// Checks that all stores give the same answers.
fn compare(stores: &mut [(&'static str, Box<dyn Store>)], questions: &[Question]) -> Result<()> {
    for question in questions {
        let mut expected: Option<(&str, Vec<(String, f64)>)> = None;
        for (name, store) in stores.iter_mut() {
            let mut lines = Vec::new();
            store.ask(question, &mut |text, number| lines.push((text.to_owned(), number)))?;
            if !question.is_ordered() {
                lines.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
            }
            match &expected {
                None => expected = Some((name, lines)),
                Some((first, expected)) if !are_same(expected, &lines) => {
                    let count = (expected.len(), lines.len());
                    return Err(format!(
                        "{first} and {name} answer {question:?} differently, with {} and {} lines",
                        count.0, count.1
                    )
                    .into());
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// Whether answers are the same, except for rounding errors of float sums.
fn are_same(one: &[(String, f64)], other: &[(String, f64)]) -> bool {
    let are_close = |one: f64, other: f64| (one - other).abs() <= one.abs() * 1e-9;
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| one.0 == other.0 && are_close(one.1, other.1))
}

/// Each into an empty store.
fn inserts(
    arguments: &Arguments,
    cluster: &std::result::Result<Cluster, String>,
    results: &mut Results,
) -> Result<()> {
    let rows: Vec<_> = INSERTS.iter().filter(|row| arguments.wants(INSERT_TABLE, row.0)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let count = if arguments.is_quick { 50_000 } else { 200_000 };
    let mut orders = Orders::new(count).make(0..count)?;
    Random::new(count).shuffle(&mut orders);
    for round in 0..arguments.rounds {
        for &&(row, indexes, batch) in &rows {
            for name in CONTESTANTS {
                match open(name, cluster)? {
                    Opening::Open(mut store) => {
                        store.build(indexes)?;
                        let clock = clock(arguments, name);
                        let found = insert_rate(clock, &mut *store, &orders, batch)?;
                        results.record(INSERT_TABLE, row, name, Unit::PerSecond, found);
                    }
                    Opening::Absent(why) if round == 0 => {
                        results.absent(INSERT_TABLE, row, name, Unit::PerSecond, &why);
                    }
                    Opening::Absent(_) => {}
                }
            }
        }
    }
    Ok(())
}

/// Orders per second, for about as long as a sample may take.
fn insert_rate(clock: Clock, store: &mut dyn Store, orders: &[Order], batch: usize) -> Result<f64> {
    let end = Instant::now() + SAMPLE;
    let calls = orders.chunks(batch).take_while(|_| Instant::now() < end);
    let calls = clock.rate(calls, |orders| match orders {
        [order] => store.insert(order),
        orders => store.insert_many(orders),
    })?;
    Ok(calls * batch as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_contestants_give_the_same_answers() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = crate::cluster::find(None)
            .map(|programs| Cluster::start(&programs, folder.path()).unwrap());
        let orders = Orders::new(10_000);
        let mut stores = Stores::new();
        for name in CONTESTANTS {
            if let Opening::Open(mut store) = open(name, &cluster).unwrap() {
                set_up(name, &mut *store, orders, &mut Results::default()).unwrap();
                stores.push((name, store));
            }
        }
        assert!(!stores.is_empty());
        for row in &ROWS {
            compare(&mut stores, &orders.ask(row.question, COMPARED, COMPARED_SEED)).unwrap();
        }
        stores[0].1.insert(&orders.make(10_000..10_001).unwrap()[0]).unwrap();
        if stores.len() > 1 {
            let error = compare(&mut stores, &[Question::Dear(0.0)]).unwrap_err().to_string();
            assert!(error.contains("answer Dear(0.0) differently"), "{error}");
        }
    }
}
