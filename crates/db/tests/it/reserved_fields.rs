//! Fields of the database cannot be written by users.
//!
//! `{"$rename": {"v": "_id"}}` made `v` disappear; `$set`, `$unset` and `$inc` of `_id` and of the
//! names of metadata reported success and raised the version without effect; and a document with such
//! a name of its own lost it without a word. Each is an error now that names the field and says what
//! to do, on every way in. There are two such names, `_id` and `_meta`, and no others are reserved.

use std::time::Duration;

use velocitydb::schema::Schema;
use velocitydb::{
    Action, Condition, Database, Encoded, Error, Existing, IndexSpec, Object, Projection, Sort,
    Update, WriteBatch, object,
};

const NAMES: [&str; 2] = ["_id", "_meta"];

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
    for path in [format!("{name}.x"), format!("{name}.0"), format!("{name}.version")] {
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
    documents.update("a", Update::new().set("v._meta", 7)).unwrap();
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

#[test]
fn the_advice_of_an_update_is_about_what_was_meant() {
    for (path, advice) in [
        ("_meta.version", "compare and swap"),
        ("_meta.created", "a time of your own under another name"),
        ("_meta.modified", "a time of your own under another name"),
        ("_meta.expires", "write with a time to live"),
        ("_meta.lease", "claim, renew, release or complete"),
        ("_meta", "give a field of your own another name"),
        ("_meta.other", "give a field of your own another name"),
    ] {
        let error = Update::new().set(path, 1).check().unwrap_err().to_string();
        assert!(error.contains(advice), "{path}: {error}");
    }
}

/// `_version` and the like were reserved once, and are a user's fields now, wherever fields can be.
#[test]
fn names_that_look_like_metadata_are_the_users() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Kept {
        _version: String,
        _created: u32,
        _modified: bool,
        _expires: Option<u8>,
        _lease: Vec<u8>,
    }
    let db = velocitydb::open_in_memory().unwrap();
    let (documents, typed) = (db.documents("c"), db.collection::<Kept>("c"));
    let schema = object! { "properties": { "_version": { "type": "string", "default": "none" } } };
    let schema = Schema::from_object(&schema).unwrap();
    db.documents("d").set_schema(&schema, Existing::Check).unwrap();
    db.documents("d").insert("a", object! { "_created": 1 }).unwrap();
    assert_eq!(
        db.documents("d").get("a").unwrap().unwrap().fields().unwrap(),
        object! { "_created": 1, "_version": "none" }
    );
    documents.create_index(IndexSpec::on("_version").unique()).unwrap();
    let kept = |version: &str, created| Kept {
        _version: version.to_owned(),
        _created: created,
        _modified: true,
        _expires: Some(3),
        _lease: vec![1],
    };
    typed.insert("a", &kept("x", 1)).unwrap();
    typed.insert("b", &kept("y", 2)).unwrap();
    assert!(documents.insert("z", object! { "_version": "x" }).is_err());
    let update = object! { "$inc": { "_created": 5 }, "$push": { "_lease": 2 } };
    documents.update("a", update).unwrap();
    let found = typed.find(object! { "_version": { "$gte": "x" }, "_created": 6 });
    let found = found.documents().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].version, 2);
    assert_eq!(found[0].value, Kept { _lease: vec![1, 2], ..kept("x", 6) });
    let by_index = documents.find(object! { "_version": "y" });
    let explained = by_index.clone().explain().unwrap().to_object().to_json();
    assert!(explained.contains("_version_1"), "{explained}");
    let projected = by_index.project(Projection::include(["_version", "_meta.version"]));
    assert_eq!(
        projected.objects().unwrap(),
        [object! { "_id": "b", "_version": "y", "_meta": { "version": 1 } }]
    );
    let sort = Sort::new().descending("_created").ascending("_meta.version");
    let sorted = documents.find(object! {}).sort(sort).documents().unwrap();
    let ids: Vec<_> = sorted.iter().map(|document| document.id().to_string()).collect();
    assert_eq!(ids, ["a", "b"]);
    let deleted = documents.find(object! { "_modified": true, "_expires": 3 }).count().unwrap();
    assert_eq!(deleted, 2);
    let swapped = documents.compare_and_swap("a").field("_version", "x").field("_meta.version", 2);
    assert!(swapped.update(Update::new().unset("_version")).unwrap().held);
}
