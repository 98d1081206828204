//! A document is imported with the version and times that it had where it comes from, and no version is
//! used twice.

use std::time::Duration;

use velocitydb::{
    CollectionOptions, Database, Decimal, DocumentId, Error, InputError, IntoDocumentId, Mode,
    NewDocument, NewIds, Object, Origin, RequestId, Time, Update, Uuid, limits, object,
};

use crate::world::{Home, MODES};

fn time(seconds: i64) -> Time {
    Time::from_micros(seconds * 1_000_000).unwrap()
}

fn origin(version: u64) -> Origin {
    Origin { version, created: time(1), modified: time(2), expires: None }
}

fn metadata(db: &Database, id: &str) -> Object {
    db.documents("c").get(id).unwrap().unwrap().metadata()
}

/// The last version that the document had, as an import at `version` is refused for it.
fn refused(db: &Database, id: &str, version: u64) -> u64 {
    match db.documents("c").import(id, object! {}, origin(version)) {
        Err(Error::Inapplicable { reason: InputError::VersionUsed { given, last }, .. }) => {
            assert_eq!(given, version);
            last
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_imported_document_goes_on_where_it_was() {
    for mode in MODES {
        let mut home = Home::new(mode);
        let documents = home.db().documents("c");
        let written = documents.import("a", object! { "n": 1 }, origin(7)).unwrap();
        assert_eq!((written.version, written.existed), (7, false));
        let expected = object! { "version": 7, "created": time(1), "modified": time(2) };
        assert_eq!(metadata(home.db(), "a"), expected);
        let found = documents.find(object! { "_meta.version": 7, "_meta.created": time(1) });
        assert_eq!(found.count().unwrap(), 1);
        drop(documents);
        if mode != Mode::MemoryOnly {
            home.reopen();
        }
        let documents = home.db().documents("c");
        assert_eq!(documents.update("a", Update::new().inc("n", 1)).unwrap().version, 8);
        let document = documents.get("a").unwrap().unwrap();
        assert_eq!((document.created(), document.version()), (time(1), 8));
        assert!(document.modified() > time(2));
        assert!(home.db().snapshot().unwrap().check().unwrap().is_healthy());
    }
}

#[test]
fn no_version_is_used_twice() {
    let home = Home::new(Mode::MemoryOnly);
    let db = home.db();
    let documents = db.documents("c");
    documents.import("a", object! {}, origin(7)).unwrap();
    let error = documents.import("a", object! {}, origin(9)).unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { version: 7, .. }), "{error}");
    documents.delete("a").unwrap();
    for version in [1, 7, 8] {
        assert_eq!(refused(db, "a", version), 8);
    }
    let error = documents.import("a", object! {}, origin(8)).unwrap_err().to_string();
    assert!(error.contains("it was at version 8 here"), "{error}");
    // A refused one leaves the tombstone, so that the next one is refused too.
    assert_eq!(refused(db, "a", 8), 8);
    documents.import("a", object! {}, origin(9)).unwrap();
    // What a dropped collection leaves counts for all ids.
    db.drop_collection("c").unwrap();
    assert_eq!(refused(db, "other", 9), 9);
    documents.import("other", object! {}, origin(10)).unwrap();
    assert!(db.snapshot().unwrap().check().unwrap().is_healthy());
}

fn new(id: Option<DocumentId>, origin: Option<Origin>) -> NewDocument<Object> {
    NewDocument { id, fields: object! { "n": 1 }, origin }
}

fn id(id: impl IntoDocumentId) -> Option<DocumentId> {
    Some(DocumentId::new(id).unwrap())
}

#[test]
fn all_are_imported_or_none() {
    let home = Home::new(Mode::MemoryOnly);
    let documents = home.db().documents("c");
    documents.insert("x", object! {}).unwrap();
    documents.delete("x").unwrap();
    let many = |version| {
        let x = new(id("x"), Some(origin(version)));
        [new(id("a"), Some(origin(3))), new(id("b"), None), new(None, None), x]
    };
    let error = documents.insert_all(many(2)).unwrap_err();
    assert_eq!(error.batch().unwrap().position, 3);
    assert_eq!(documents.count().unwrap(), 0);
    let written = documents.insert_all(many(3)).unwrap();
    let versions: Vec<_> = written.iter().map(|one| one.version).collect();
    assert_eq!(versions, [3, 1, 1, 3]);
    let error = documents.insert_all([new(None, Some(origin(3)))]).unwrap_err().to_string();
    assert!(error.contains("needs the document's `_id`"), "{error}");
}

#[test]
fn ids_of_every_type_are_imported() {
    let home = Home::new(Mode::MemoryOnly);
    let documents = home.db().documents("c");
    let ids =
        [id("7"), id(7), id(true), id(Decimal::from(9)), id(Uuid::from([7; 16])), id(time(7))];
    documents.insert_all(ids.clone().map(|id| new(id, Some(origin(7))))).unwrap();
    for id in ids.into_iter().flatten() {
        assert_eq!(documents.get(&id).unwrap().unwrap().version(), 7, "{id}");
    }
    // An integer that is imported is one that the collection does not choose any more.
    let options = CollectionOptions { ids: NewIds::Integer, ..CollectionOptions::default() };
    home.db().create_collection("numbered", options).unwrap();
    let numbered = home.db().documents("numbered");
    numbered.import(41, object! {}, origin(7)).unwrap();
    assert_eq!(numbered.insert_new(object! {}).unwrap().id, DocumentId::new(42).unwrap());
}

#[test]
fn a_retry_gets_the_answer_of_the_first_attempt() {
    let home = Home::new(Mode::MemoryOnly);
    let once = home.db().request(RequestId::new("r").unwrap());
    let import = |origin| once.documents("c").import("a", object! {}, origin);
    assert!(!import(origin(5)).unwrap().is_replayed);
    home.db().documents("c").delete("a").unwrap();
    let again = import(origin(5)).unwrap();
    assert_eq!((again.version, again.is_replayed), (5, true));
    assert!(matches!(import(origin(6)), Err(Error::RequestReused { .. })));
}

#[test]
fn it_expires_when_it_would_have() {
    let home = Home::new(Mode::MemoryOnly);
    let documents = home.db().documents("c");
    let now = home.db().now();
    let soon = now.saturating_add(Duration::from_secs(10));
    documents.import("a", object! {}, Origin { expires: Some(soon), ..origin(3) }).unwrap();
    documents.import("b", object! {}, Origin { expires: Some(now), ..origin(3) }).unwrap();
    assert_eq!(documents.get("a").unwrap().unwrap().expires(), Some(soon));
    assert!(documents.get("b").unwrap().is_none());
    assert_eq!(refused(home.db(), "b", 4), 4);
    home.world.advance(Duration::from_secs(10));
    assert!(documents.get("a").unwrap().is_none());
}

#[test]
fn versions_are_bounded_and_metadata_is_checked() {
    let home = Home::new(Mode::MemoryOnly);
    let documents = home.db().documents("c");
    for version in [0, limits::IMPORTED_VERSION_MAX + 1, u64::MAX] {
        let error = documents.import("a", object! {}, origin(version)).unwrap_err().to_string();
        assert!(error.contains("metadata at \"_meta.version\""), "{error}");
    }
    documents.import("a", object! {}, origin(limits::IMPORTED_VERSION_MAX)).unwrap();
    assert_eq!(documents.delete("a").unwrap().version, limits::IMPORTED_VERSION_MAX + 1);
    assert!(documents.import("b", object! { "_meta": 1 }, origin(1)).is_err());
    let whole = || object! { "version": 1, "created": time(1), "modified": time(2) };
    assert_eq!(Origin::from_object(&whole()).unwrap(), origin(1));
    for (name, value, problem) in [
        ("version", 0.into(), "is not an integer of 1 or more"),
        ("version", 1.5.into(), "is not an integer of 1 or more"),
        ("created", 1.into(), "is not a time"),
        ("expires", "x".into(), "is not a time"),
        ("lease", time(1).into(), "cannot be imported"),
        ("versoin", velocitydb::Value::Null, "is unknown"),
    ] {
        let mut metadata = whole();
        metadata.insert(name, value);
        let error = Origin::from_object(&metadata).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains(name), "{error}");
    }
    for name in ["version", "created", "modified"] {
        let mut metadata = whole();
        metadata.remove(name);
        let error = Origin::from_object(&metadata).unwrap_err().to_string();
        assert!(error.contains("is missing") && error.contains(name), "{error}");
    }
}
