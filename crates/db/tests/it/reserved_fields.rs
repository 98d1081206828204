//! Fields of the database cannot be written by users.
//!
//! `{"$rename": {"v": "_id"}}` made `v` disappear; `$set`, `$unset` and `$inc` of `_id`, `_version`,
//! `_created` and `_expires` reported success and raised the version without effect; and a document
//! with a `_version` of its own lost it without a word. Each is an error now that names the field and
//! says what to do, on every way in.

use std::time::Duration;

use velocitydb::schema::Schema;
use velocitydb::{Action, Condition, Database, Encoded, Error, Object, Update, WriteBatch, object};

const NAMES: [&str; 6] = ["_id", "_version", "_created", "_modified", "_expires", "_lease"];

fn database() -> Database {
    let db = velocitydb::open_in_memory().unwrap();
    db.documents("c").insert("a", object! { "v": 1, "l": [1] }).unwrap();
    db
}

fn refused<T: std::fmt::Debug>(name: &str, result: Result<T, Error>) {
    let error = result.expect_err(name).to_string();
    let expected = format!("field \"{name}\" belongs to the database and cannot be written; ");
    assert!(error.contains(&expected), "{name}: {error}");
}

/// Every operator with every name, in front of and behind a dot.
fn updates(name: &str) -> Vec<Object> {
    let with = |operator: &str, operand: velocitydb::Value| {
        object! { operator: Object::from([(name, operand)]) }
    };
    let mut updates = vec![
        with("$set", 1.into()),
        with("$unset", true.into()),
        with("$inc", 1.into()),
        with("$mul", 2.into()),
        with("$min", 1.into()),
        with("$max", 1.into()),
        with("$rename", "w".into()),
        with("$push", 1.into()),
        with("$pull", 1.into()),
        with("$pullAll", velocitydb::value!([1])),
        with("$pop", 1.into()),
        with("$addToSet", 1.into()),
        with("$currentDate", true.into()),
        object! { "$rename": { "v": name } },
        Object::from([(name, 1)]),
        object! { "v": 2, name: 1 },
    ];
    for path in [format!("{name}.x"), format!("{name}.0")] {
        updates.push(object! { "$set": Object::from([(path.as_str(), 1)]) });
    }
    updates
}

#[test]
fn no_update_writes_them() {
    let db = database();
    let documents = db.documents("c");
    for name in NAMES {
        for update in updates(name) {
            let error = documents.update("a", update.clone()).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("belongs to"), "{update}: {error}");
            let error = Update::from_object(update.clone()).unwrap_err().to_string();
            assert!(error.contains("belongs to the database"), "{update}: {error}");
        }
        refused(name, documents.update("a", Update::new().set(name, 1)));
        refused(name, documents.update("a", Update::new().rename("v", name)));
        refused(name, documents.update_many(object! {}, Update::new().inc(name, 1)));
        refused(name, documents.find_and_modify(object! {}).update(Object::from([(name, 1)])));
        refused(name, documents.compare_and_swap("a").version(1).update(Update::new().unset(name)));
        refused(name, documents.claim(object! {}).claimant_in(name, "me").update(Update::new()));
        let claim = documents.claim(object! {}).claimant("me");
        let release = Update::new().set(name, 1);
        refused(name, claim.lease(Duration::from_secs(9), release).update(Update::new()));
        refused(name, documents.complete("a", 1, Update::new().set(name, 1)));
        let mut batch = WriteBatch::new();
        let action = Action::Update(Update::new().set(name, 1));
        refused(name, batch.compare_and_swap("c", "a", Condition::Always, action));
        refused(
            name,
            db.transaction(|txn| txn.update("c", "a", Update::new().set(name, 1)).map(drop)),
        );
    }
    let document = documents.get("a").unwrap().unwrap();
    assert_eq!(document.version(), 1);
    assert_eq!(document.fields().unwrap(), object! { "v": 1, "l": [1] });
    // Deeper in, the names are anybody's.
    documents.update("a", Update::new().set("v", object! { "_id": 1 })).unwrap();
    documents.update("a", Update::new().set("v._version", 7)).unwrap();
}

#[test]
fn no_document_has_them() {
    let db = database();
    let documents = db.documents("c");
    for name in NAMES {
        let fields = object! { "A": 1, name: 1, "z": 1 };
        let encoded = Encoded::from_object(&fields).unwrap();
        refused(name, documents.insert("b", &fields));
        refused(name, documents.insert("b", encoded.clone()));
        refused(name, documents.insert_new(&fields));
        refused(name, documents.insert_many([("b", &fields)]));
        refused(name, documents.replace("a", &fields));
        refused(name, documents.upsert("b", &fields));
        refused(name, documents.find_and_modify(object! {}).replace(&fields));
        refused(name, documents.compare_and_swap("b").absent().replace(&fields));
        let mut batch = WriteBatch::new();
        refused(name, batch.insert("c", "b", &fields));
        refused(name, batch.upsert("c", "b", &fields));
        refused(name, batch.replace("c", "a", &fields));
        let action = Action::Insert(encoded);
        refused(name, batch.compare_and_swap("c", "b", Condition::Always, action));
        refused(name, db.transaction(|txn| txn.insert("c", "b", &fields).map(drop)));
        let typed = db.collection::<std::collections::BTreeMap<String, i32>>("c");
        let value = std::collections::BTreeMap::from([(name.to_owned(), 1)]);
        refused(name, typed.insert("b", &value));
        refused(name, typed.replace("a", &value));
        let schema = object! { "properties": { name: { "default": 1 } } };
        let error = Schema::from_object(&schema).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("belongs to the database"), "{error}");
    }
    assert_eq!(documents.count().unwrap(), 1);
    documents.insert("b", object! { "_ID": 1, "__version": 2, "_versions": 3 }).unwrap();
}
