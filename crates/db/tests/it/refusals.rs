//! One cause, one error: whatever call a write is made by, what it is refused for is the same
//! variant.
//!
//! A violation of uniqueness had three shapes: `Duplicate` of a single write, `Refused { Duplicate }`
//! of an insert of many, and of a batch an `Ok` whose outcomes said so, which is easily ignored. A
//! stale version had two.

use velocitydb::schema::Schema;
use velocitydb::{
    Action, Condition, Database, Error, Existing, Filter, IndexSpec, IntoFields, Object, Result,
    Update, WriteBatch, object,
};

/// Why a write is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cause {
    Exists,
    Missing,
    Duplicate,
    Schema,
    Inapplicable,
    Version,
    Condition,
    NoLease,
}

/// A call that writes.
type Surface = (&'static str, fn(&Database) -> Result<()>);

fn start() -> Database {
    let db = velocitydb::open_in_memory().unwrap();
    db.documents("docs").create_index(IndexSpec::on("email").unique().sparse()).unwrap();
    let schema = Schema::from_json(r#"{"properties": {"age": {"type": "number"}}}"#).unwrap();
    db.documents("docs").set_schema(&schema, Existing::Check).unwrap();
    let docs = db.documents("docs");
    docs.insert("a", object! { "email": 1, "age": 1, "text": "x" }).unwrap();
    docs.insert("b", object! { "email": 2, "age": 2, "text": "x" }).unwrap();
    db
}

fn cause(error: &Error) -> Cause {
    match error.cause() {
        Error::AlreadyExists { .. } => Cause::Exists,
        Error::NotFound { .. } => Cause::Missing,
        Error::Duplicate { .. } => Cause::Duplicate,
        Error::SchemaViolation { .. } => Cause::Schema,
        Error::Inapplicable { .. } => Cause::Inapplicable,
        Error::VersionMismatch { .. } => Cause::Version,
        Error::ConditionFailed { .. } => Cause::Condition,
        Error::NotLeased { .. } => Cause::NoLease,
        error => panic!("{error}"),
    }
}

fn batch(add: impl FnOnce(&mut WriteBatch) -> Result<()>, db: &Database) -> Result<()> {
    let mut batch = WriteBatch::new();
    batch.upsert("others", "x", object! {})?;
    add(&mut batch)?;
    let result = db.write(batch);
    if let Err(error) = &result {
        let batch = error.batch().expect("it was a batch");
        assert_eq!((batch.position, batch.outcomes.len()), (1, 2));
        assert!(error.to_string().contains("operation 2 of 2"), "{error}");
    }
    result.map(drop)
}

fn compare(id: &str, condition: Condition, db: &Database) -> Result<()> {
    batch(|batch| batch.compare("docs", id, condition), db)
}

fn taken() -> Object {
    object! { "email": 1 }
}

fn unfit() -> Object {
    object! { "age": "old" }
}

fn added() -> Update {
    Update::new().inc("text", 1)
}

fn adult() -> Condition {
    Condition::Matches(Box::new(Filter::from(object! { "age": { "$gte": 18 } })))
}

fn typed(db: &Database) -> velocitydb::Collection<Object> {
    db.collection("docs")
}

const SURFACES: &[(Cause, &[Surface])] = &[
    (
        Cause::Exists,
        &[
            ("insert", |db| db.documents("docs").insert("a", object! {}).map(drop)),
            ("typed insert", |db| typed(db).insert("a", &object! {}).map(drop)),
            ("insert_many", |db| {
                let many = [("c", object! {}), ("a", object! {})];
                db.documents("docs").insert_many(many).map(drop)
            }),
            ("batch", |db| batch(|batch| batch.insert("docs", "a", object! {}), db)),
            ("batch, compare", |db| compare("a", Condition::Absent, db)),
            ("transaction", |db| db.transaction(|txn| txn.insert("docs", "a", object! {}))),
            ("transaction, compare", |db| {
                db.transaction(|txn| txn.compare("docs", "a", &Condition::Absent))
            }),
        ],
    ),
    (
        Cause::Missing,
        &[
            ("update", |db| db.documents("docs").update("no", object! {}).map(drop)),
            ("replace", |db| db.documents("docs").replace("no", object! {}).map(drop)),
            ("typed replace", |db| typed(db).replace("no", &object! {}).map(drop)),
            ("batch", |db| batch(|batch| batch.update("docs", "no", object! {}), db)),
            ("batch, compare", |db| compare("no", adult(), db)),
            ("transaction", |db| db.transaction(|txn| txn.update("docs", "no", object! {}))),
            ("transaction, compare", |db| {
                db.transaction(|txn| txn.compare("docs", "no", &adult()))
            }),
        ],
    ),
    (
        Cause::Duplicate,
        &[
            ("insert", |db| db.documents("docs").insert("c", taken()).map(drop)),
            ("update", |db| db.documents("docs").update("b", taken()).map(drop)),
            ("replace", |db| db.documents("docs").replace("b", taken()).map(drop)),
            ("upsert", |db| db.documents("docs").upsert("c", taken()).map(drop)),
            ("typed insert", |db| typed(db).insert("c", &taken()).map(drop)),
            ("insert_many", |db| {
                db.documents("docs").insert_many([("c", object! {}), ("d", taken())]).map(drop)
            }),
            ("insert_many of one", |db| {
                db.documents("docs").insert_many([("d", taken())]).map(drop)
            }),
            ("batch", |db| batch(|batch| batch.upsert("docs", "c", taken()), db)),
            ("transaction", |db| db.transaction(|txn| txn.insert("docs", "c", taken()))),
            ("transaction, typed", |db| {
                db.transaction(|txn| txn.collection("docs").insert("c", &taken()))
            }),
            ("find_and_modify", |db| {
                let find =
                    db.documents("docs").find_and_modify(object! { "_id": "b" }).update(taken());
                find.map(drop)
            }),
            ("update_many", |db| db.documents("docs").update_many(object! {}, taken()).map(drop)),
            ("update_many of one", |db| {
                db.documents("docs").update_many(object! { "_id": "b" }, taken()).map(drop)
            }),
            ("compare_and_swap", |db| {
                db.documents("docs").compare_and_swap("b").version(1).update(taken()).map(drop)
            }),
            ("complete", |db| db.documents("docs").complete("b", 1, taken()).map(drop)),
        ],
    ),
    (
        Cause::Schema,
        &[
            ("insert", |db| db.documents("docs").insert("c", unfit()).map(drop)),
            ("update", |db| db.documents("docs").update("a", unfit()).map(drop)),
            ("typed insert", |db| typed(db).insert("c", &unfit()).map(drop)),
            ("insert_many", |db| {
                db.documents("docs").insert_many([("c", object! {}), ("d", unfit())]).map(drop)
            }),
            ("batch", |db| batch(|batch| batch.insert("docs", "c", unfit()), db)),
            ("transaction", |db| db.transaction(|txn| txn.insert("docs", "c", unfit()))),
            ("find_and_modify", |db| {
                db.documents("docs").find_and_modify(object! {}).update(unfit()).map(drop)
            }),
            ("update_many", |db| db.documents("docs").update_many(object! {}, unfit()).map(drop)),
            ("compare_and_swap", |db| {
                db.documents("docs").compare_and_swap("a").update(unfit()).map(drop)
            }),
            ("complete", |db| db.documents("docs").complete("a", 1, unfit()).map(drop)),
        ],
    ),
    (
        Cause::Inapplicable,
        &[
            ("update", |db| db.documents("docs").update("a", added()).map(drop)),
            ("typed update", |db| typed(db).update("a", added()).map(drop)),
            ("batch", |db| batch(|batch| batch.update("docs", "a", added()), db)),
            ("transaction", |db| db.transaction(|txn| txn.update("docs", "a", added()))),
            ("find_and_modify", |db| {
                db.documents("docs").find_and_modify(object! {}).update(added()).map(drop)
            }),
            ("update_many", |db| db.documents("docs").update_many(object! {}, added()).map(drop)),
            ("compare_and_swap", |db| {
                db.documents("docs").compare_and_swap("a").update(added()).map(drop)
            }),
            ("complete", |db| db.documents("docs").complete("a", 1, added()).map(drop)),
        ],
    ),
    (
        Cause::Version,
        &[
            ("complete", |db| db.documents("docs").complete("a", 9, object! {}).map(drop)),
            ("renew", |db| {
                db.documents("docs").renew("a", 9, std::time::Duration::from_secs(1)).map(drop)
            }),
            ("release", |db| db.documents("docs").release("a", 9).map(drop)),
            ("batch", |db| {
                let replace = Action::Replace(object! {}.into_fields()?);
                batch(
                    |batch| batch.compare_and_swap("docs", "a", Condition::Version(9), replace),
                    db,
                )
            }),
            ("batch, compare", |db| compare("a", Condition::Version(9), db)),
            ("batch, compare none", |db| compare("no", Condition::Version(9), db)),
            ("batch, complete", |db| batch(|batch| batch.complete("docs", "a", 9, object! {}), db)),
            ("batch, release", |db| batch(|batch| batch.release("docs", "a", 9), db)),
            ("transaction, compare", |db| {
                db.transaction(|txn| txn.compare("docs", "a", &Condition::Version(9)))
            }),
            ("transaction, complete", |db| {
                db.transaction(|txn| txn.complete("docs", "a", 9, object! {})).map(drop)
            }),
            ("transaction, release", |db| {
                db.transaction(|txn| txn.release("docs", "a", 9)).map(drop)
            }),
        ],
    ),
    (
        Cause::Condition,
        &[
            ("batch, fields", |db| {
                let fields = Condition::Fields(vec![("age".parse()?, Some(9.into()))]);
                compare("a", fields, db)
            }),
            ("batch, document", |db| {
                compare("a", Condition::Document(object! {}.into_fields()?), db)
            }),
            ("batch, filter", |db| compare("a", adult(), db)),
            ("transaction, filter", |db| db.transaction(|txn| txn.compare("docs", "a", &adult()))),
        ],
    ),
    (
        Cause::NoLease,
        &[
            ("renew", |db| {
                db.documents("docs").renew("a", 1, std::time::Duration::from_secs(1)).map(drop)
            }),
            ("release", |db| db.documents("docs").release("a", 1).map(drop)),
            ("batch", |db| batch(|batch| batch.release("docs", "a", 1), db)),
            ("transaction", |db| db.transaction(|txn| txn.release("docs", "a", 1)).map(drop)),
        ],
    ),
];

#[test]
fn every_call_is_refused_with_the_same_error_for_the_same_cause() {
    for (expected, surfaces) in SURFACES {
        for (name, call) in *surfaces {
            let db = start();
            let before = db.snapshot().unwrap().state_hash().unwrap();
            let error = call(&db).expect_err(name);
            assert_eq!(cause(&error), *expected, "{name}: {error}");
            assert!(!error.is_retryable(), "{name}");
            let after = db.snapshot().unwrap().state_hash().unwrap();
            assert_eq!(after, before, "{name} changed something");
        }
    }
}

/// Comparing is a question, and its answer no error; that a write is impossible is one.
#[test]
fn who_asks_for_outcomes_is_told_them() {
    let db = start();
    let swapped = db.documents("docs").compare_and_swap("a").version(9).update(object! {}).unwrap();
    assert!(!swapped.is_applied && swapped.refusal.is_some());
    let old = Filter::from(object! { "age": { "$gte": 18 } });
    let swapped = db.documents("docs").compare_and_swap("a").matches(old).delete().unwrap();
    assert!(!swapped.is_applied && swapped.version == 1);
    let young = Filter::from(object! { "age": { "$lt": 18 } });
    let swapped = db.documents("docs").compare_and_swap("a").matches(young).delete().unwrap();
    assert!(swapped.is_applied && swapped.version == 2);
    let mut batch = WriteBatch::new();
    batch.insert("docs", "b", object! {}).unwrap();
    let result = db.write_for_outcomes(batch, Default::default(), None).unwrap();
    assert!(!result.is_applied, "{result:?}");
}
