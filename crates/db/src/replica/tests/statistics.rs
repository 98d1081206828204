//! How statistics of indexes become part of the state, and stay with it.

use velocitydb_core::{DocumentId, Histogram, IndexSpec, object};
use velocitydb_storage::Engine;
use velocitydb_storage::memory::Memory;

use super::*;
use crate::keys::{self, IndexNumber, KEYSPACE_NAMES, SYSTEM};
use crate::options::MaintenanceMode;
use crate::{Database, NewDocument, Options};

fn open(engine: &Arc<Memory>, maintenance: MaintenanceMode) -> Database {
    Options::new().maintenance(maintenance).open_engine(engine.clone()).unwrap()
}

fn insert(db: &Database, numbers: std::ops::Range<i64>) {
    let document = |n: i64| {
        let id = Some(DocumentId::new(n).unwrap());
        NewDocument { id, fields: object! { "x": n }, origin: None }
    };
    for few in numbers.map(document).collect::<Vec<_>>().chunks(1_000) {
        db.documents("docs").insert_all(few.to_vec()).unwrap();
    }
}

/// The number of the first index.
const INDEX: IndexNumber = 0;

/// The entries that the index had when it was analysed.
fn known(db: &Database) -> Option<u64> {
    let state = db.core().engine.snapshot().unwrap();
    let index = db.core().names.index(&"docs".try_into().unwrap(), INDEX)?;
    let histogram = index.statistics.histogram(&*state, index.definition.number).unwrap();
    histogram.map(Histogram::entries)
}

#[test]
fn they_are_made_with_the_index_and_stored_with_it() {
    let engine = Arc::new(Memory::new(KEYSPACE_NAMES.len()));
    let db = open(&engine, MaintenanceMode::Manual);
    insert(&db, 0..3_000);
    db.documents("docs").create_index(IndexSpec::on("x")).unwrap();
    assert_eq!(known(&db), Some(3_000));
    drop(db);
    let db = open(&engine, MaintenanceMode::Manual);
    assert_eq!(known(&db), Some(3_000));
    // A change of less than a fifth, or a thousand, needs no new ones.
    insert(&db, 3_000..4_000);
    db.analyze().unwrap();
    assert_eq!(known(&db), Some(3_000));
    insert(&db, 4_000..4_001);
    db.analyze().unwrap();
    assert_eq!(known(&db), Some(4_001));
    let stored = |db: &Database| {
        let key = keys::numbered(keys::HISTOGRAM, INDEX);
        db.core().engine.snapshot().unwrap().get(SYSTEM, &key).unwrap()
    };
    assert!(stored(&db).is_some());
    // Of an index that was dropped meanwhile nothing is kept.
    db.documents("docs").drop_index("x_1").unwrap();
    assert!(stored(&db).is_none());
    let (collection, histogram) = ("docs".try_into().unwrap(), Box::default());
    let body = Body::SetStatistics { collection, index: INDEX, histogram };
    db.core().submit(body, None, Consistency::Strong).unwrap();
    assert!(stored(&db).is_none());
    assert!(db.snapshot().unwrap().check().unwrap().is_healthy());
}

/// They were made once a minute, and of a growing index not at all by a process that ended before.
#[test]
fn the_maintenance_thread_makes_them_soon() {
    let engine = Arc::new(Memory::new(KEYSPACE_NAMES.len()));
    let db = open(&engine, MaintenanceMode::Automatic);
    db.documents("docs").create_index(IndexSpec::on("x")).unwrap();
    insert(&db, 0..2_000);
    while known(&db) != Some(2_000) {
        std::thread::yield_now();
    }
    db.documents("docs").delete_many(object! { "x": { "$gte": 10 } }).unwrap();
    while known(&db) != Some(10) {
        std::thread::yield_now();
    }
}

/// A histogram that is not one is an error that names its place, for the doctor and for plans.
#[test]
fn a_damaged_histogram_is_reported() {
    let engine = Arc::new(Memory::new(KEYSPACE_NAMES.len()));
    let db = open(&engine, MaintenanceMode::Manual);
    insert(&db, 0..3_000);
    db.documents("docs").create_index(IndexSpec::on("x")).unwrap();
    drop(db);
    let mut batch = velocitydb_storage::Batch::new();
    batch.put(SYSTEM, &keys::numbered(keys::HISTOGRAM, INDEX), b"no");
    batch.put(SYSTEM, &keys::numbered(keys::HISTOGRAM, 7), b"of none");
    engine.commit(&batch, velocitydb_storage::Durability::Memory).unwrap();
    let db = open(&engine, MaintenanceMode::Manual);
    let find = db.documents("docs").find(object! { "x": { "$gte": 100 } });
    assert!(matches!(find.documents().unwrap_err(), Error::Corrupt { .. }));
    let report = db.snapshot().unwrap().check().unwrap();
    assert_eq!(report.problems.len(), 2, "{report:#?}");
}
