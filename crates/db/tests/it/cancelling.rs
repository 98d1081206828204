//! Whatever takes long stops when it is cancelled, and leaves nothing behind.

use std::ops::ControlFlow;
use std::time::Duration;

use velocitydb::schema::{Field, Schema};
use velocitydb::{
    Cancellation, Database, Error, ErrorClass, Existing, IndexSpec, Mode, Pipeline, Result, Sort,
    object,
};

use crate::world::{World, options};

fn start() -> Database {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    let docs = db.documents("docs");
    docs.insert_many((0..5_000).map(|n| (n.to_string(), object! { "n": n }))).unwrap();
    db
}

type Call = (&'static str, fn(&Database, &Cancellation) -> Result<()>);

const CALLS: [Call; 8] = [
    ("find", |db, until| {
        db.documents("docs").find(object! { "n": -1 }).until(until).documents().map(drop)
    }),
    ("sort", |db, until| {
        let sort = Sort::new().descending("n");
        db.documents("docs").find(object! {}).sort(sort).until(until).first().map(drop)
    }),
    ("count", |db, until| {
        db.documents("docs").find(object! { "n": 1 }).until(until).count().map(drop)
    }),
    ("cursor", |db, until| {
        let mut cursor = db.documents("docs").find(object! { "n": -1 }).until(until).iter()?;
        cursor.next().transpose().map(drop)
    }),
    ("aggregate", |db, until| {
        let pipeline = Pipeline::from_json(r#"[{"$group": {"_id": "$n"}}]"#)?;
        db.documents("docs").aggregate(pipeline).until(until).objects().map(drop)
    }),
    ("create_index", |db, until| {
        db.documents("docs").create_index_until(IndexSpec::on("n"), until)
    }),
    ("set_schema", |db, until| {
        let schema = Schema::builder().field("n", Field::int()).build()?;
        db.documents("docs").set_schema_until(&schema, Existing::Check, until).map(drop)
    }),
    ("analyze", |db, until| db.analyze_until(until)),
];

#[test]
fn what_is_cancelled_or_late_stops() {
    for (name, call) in CALLS {
        let db = start();
        let before = db.snapshot().unwrap().state_hash().unwrap();
        let cancelled = Cancellation::new();
        cancelled.clone().cancel();
        let late = Cancellation::new().deadline(Duration::from_secs(60)).deadline(Duration::ZERO);
        for (cancellation, is_cancelled) in [(cancelled, true), (late, false)] {
            assert!(cancellation.is_over());
            let error = call(&db, &cancellation).expect_err(name);
            assert_eq!(matches!(error, Error::Cancelled), is_cancelled, "{name}: {error}");
            assert_eq!((error.class(), error.is_retryable()), (ErrorClass::Timeout, false));
        }
        assert_eq!(db.snapshot().unwrap().state_hash().unwrap(), before, "{name}");
        call(&db, &Cancellation::new().deadline(Duration::MAX)).expect(name);
    }
}

/// The visitor cancels what it is shown by: the query notices after a bounded number of documents.
#[test]
fn a_query_notices_that_it_is_cancelled() {
    let db = start();
    let cancellation = Cancellation::new();
    let mut seen = 0;
    let result = db.documents("docs").find(object! {}).until(&cancellation).each(|_| {
        seen += 1;
        cancellation.cancel();
        Ok(ControlFlow::Continue(()))
    });
    assert!(matches!(result, Err(Error::Cancelled)) && seen < 500, "{seen}: {result:?}");
    let cancellation = Cancellation::new();
    let mut cursor = db.documents("docs").iter().unwrap();
    assert_eq!(cursor.by_ref().take(10).count(), 10);
    let mut stopped = db.documents("docs").find(object! {}).until(&cancellation).iter().unwrap();
    assert!(stopped.next().unwrap().is_ok());
    cancellation.cancel();
    let rest: Vec<_> = stopped.collect();
    assert!(rest.len() < 500 && matches!(rest.last(), Some(Err(Error::Cancelled))));
    assert_eq!(cursor.count(), 4_990, "others go on");
}

#[test]
fn an_index_whose_building_is_cancelled_is_not_there() {
    let db = start();
    let docs = db.documents("docs");
    let late = Cancellation::new().deadline(Duration::from_micros(1));
    assert!(docs.create_index_until(IndexSpec::on("n"), &late).is_err());
    assert!(docs.indexes().unwrap().is_empty());
    docs.create_index(IndexSpec::on("n")).unwrap();
    assert_eq!(docs.indexes().unwrap()[0].entries, 5_000);
}
