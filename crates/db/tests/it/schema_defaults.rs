//! What a schema's defaults mean for documents that are there already, and what an update is.
//!
//! A schema with a default took documents that lacked the field, since with the default they satisfied
//! it, and left them without: a filter on the default then missed them.

use velocitydb::schema::{Field, Schema};
use velocitydb::{DocumentId, Error, Existing, IndexSpec, ObjectId, Refusal, Uuid, object};

fn with_role() -> Schema {
    let role = Field::string().required().default("user");
    Schema::builder().field("role", role).field("name", Field::string()).build().unwrap()
}

#[test]
fn documents_that_are_there_get_the_defaults() {
    let db = velocitydb::open_in_memory().unwrap();
    let users = db.documents("users");
    let documents = (0..1_203).map(|n| (format!("u{n:05}"), object! { "n": n }));
    users.insert_many(documents).unwrap();
    users.insert("admin", object! { "role": "admin" }).unwrap();
    db.documents("users").set_schema(&with_role(), Existing::Check).unwrap();
    assert_eq!(users.find(object! { "role": "user" }).count().unwrap(), 1_203);
    assert_eq!(users.find(object! { "role": { "$exists": false } }).count().unwrap(), 0);
    assert_eq!(users.get("u00007").unwrap().unwrap().version(), 2);
    // What lacks nothing is not written.
    assert_eq!(users.get("admin").unwrap().unwrap().version(), 1);
}

/// A step began at the ids after the last one of the step before that were texts: documents with other ids, of
/// which there were more than one step fills, were left without.
#[test]
fn documents_with_ids_of_every_type_get_the_defaults() {
    let db = velocitydb::open_in_memory().unwrap();
    let users = db.documents("users");
    let ids = |n: i64| -> [DocumentId; 5] {
        let uuid = Uuid::from((n as u128).to_be_bytes());
        let mut object_id = [0; 12];
        object_id[4..].copy_from_slice(&n.to_be_bytes());
        [
            DocumentId::new(n).unwrap(),
            DocumentId::new(n as f64 + 0.5).unwrap(),
            DocumentId::new(format!("u{n}")).unwrap(),
            DocumentId::new(uuid).unwrap(),
            DocumentId::new(ObjectId::from(object_id)).unwrap(),
        ]
    };
    let all: Vec<DocumentId> = (0..700).flat_map(ids).collect();
    for few in all.chunks(500) {
        let new = |id: &DocumentId| (id.clone(), object! {});
        users.insert_many(few.iter().map(new)).unwrap();
    }
    users.set_schema(&with_role(), Existing::Check).unwrap();
    assert_eq!(users.find(object! { "role": "user" }).count().unwrap(), all.len() as u64);
    // So do other changes in steps.
    assert_eq!(users.update_many(object! {}, object! { "x": 1 }).unwrap().count, all.len() as u64);
    assert_eq!(users.find(object! { "x": 1 }).iter().unwrap().count(), all.len());
    assert_eq!(users.delete_many(object! { "x": 1 }).unwrap().count, all.len() as u64);
    assert_eq!(users.count().unwrap(), 0);
}

/// Messages showed how an id is kept: `Some("a")`.
#[test]
fn messages_show_ids_as_values() {
    let db = velocitydb::open_in_memory().unwrap();
    let users = db.documents("users");
    users.insert_many([(DocumentId::new("a").unwrap(), object! { "x": 1 })]).unwrap();
    users.insert(7, object! { "x": 1 }).unwrap();
    let error = users.create_index(IndexSpec::on("x").unique()).unwrap_err().to_string();
    assert!(error.contains(r#"documents 7 and "a" have the same values"#), "{error}");
    users.insert("b", object! { "x": 2 }).unwrap();
    users.create_index(IndexSpec::on("x").unique().partial(object! { "x": { "$gt": 1 } })).unwrap();
    let error = users.insert("c", object! { "x": 2 }).unwrap_err().to_string();
    assert!(error.contains(r#""b""#) && !error.contains("Some"), "{error}");
    let (index, id) = ("x_1".try_into().unwrap(), DocumentId::new("b").unwrap());
    let refusal = Refusal::Duplicate { index, id }.to_string();
    assert_eq!(refusal, r#"document "b" has the same values in unique index "x_1""#);
}

#[test]
fn an_imposed_schema_leaves_documents_until_it_is_set_again() {
    let db = velocitydb::open_in_memory().unwrap();
    let users = db.documents("users");
    users.insert("a", object! {}).unwrap();
    let version = db.documents("users").set_schema(&with_role(), Existing::Keep).unwrap();
    assert_eq!(users.find(object! { "role": "user" }).count().unwrap(), 0);
    assert_eq!(db.documents("users").set_schema(&with_role(), Existing::Check).unwrap(), version);
    assert_eq!(users.find(object! { "role": "user" }).count().unwrap(), 1);
}

/// Setting the schema that is set raised its version each time.
#[test]
fn the_same_schema_again_is_the_same_version() {
    let db = velocitydb::open_in_memory().unwrap();
    let first = db.documents("users").set_schema(&with_role(), Existing::Check).unwrap();
    for existing in [Existing::Check, Existing::Keep, Existing::Check] {
        assert_eq!(db.documents("users").set_schema(&with_role(), existing).unwrap(), first);
        assert_eq!(db.documents("users").schema().unwrap().unwrap().version, first);
    }
    let other = Schema::builder().field("name", Field::string()).build().unwrap();
    let second = db.documents("users").set_schema(&other, Existing::Check).unwrap();
    assert!(second > first);
    // A schema that documents violate changes nothing either.
    db.documents("users").insert("a", object! { "name": "x" }).unwrap();
    let wrong = Schema::builder().field("name", Field::int()).build().unwrap();
    assert!(matches!(
        db.documents("users").set_schema(&wrong, Existing::Check),
        Err(Error::SchemaViolated { count: 1, .. })
    ));
    assert_eq!(db.documents("users").schema().unwrap().unwrap().version, second);
}

#[test]
fn a_document_that_cannot_take_a_default_is_named() {
    let db = velocitydb::open_in_memory().unwrap();
    let users = db.documents("users");
    users.insert_many([("a", object! {}), ("b", object! {}), ("c", object! {})]).unwrap();
    db.documents("users").create_index(IndexSpec::on("role").unique().sparse()).unwrap();
    let error = db.documents("users").set_schema(&with_role(), Existing::Check).unwrap_err();
    let Error::SchemaViolated { count, offenders, .. } = &error else { panic!("{error}") };
    assert_eq!((*count, offenders[0].0.as_str()), (2, Some("b")));
    let text = error.to_string();
    assert!(text.contains("is in force") && text.contains("role"), "{text}");
}

/// `update(object!{"$set": …})` was refused as a document whose field begins with `$`.
#[test]
fn an_object_of_operators_is_an_update_of_operators() {
    let db = velocitydb::open_in_memory().unwrap();
    let users = db.documents("users");
    users.insert("a", object! { "age": 28, "name": "Alice" }).unwrap();
    users.update("a", object! { "$inc": { "age": 1 }, "$unset": { "name": true } }).unwrap();
    assert_eq!(users.get("a").unwrap().unwrap().fields().unwrap(), object! { "age": 29 });
    let error = users.update("a", object! { "$inc": { "age": 1 }, "name": "A" }).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("mixes operators and the field \"name\""), "{text}");
    let error = users.update("a", object! { "$inc": { "age": "x" } }).unwrap_err().to_string();
    assert!(error.contains("$inc at \"age\" takes a number"), "{error}");
    assert_eq!(users.get("a").unwrap().unwrap().version(), 2);
}
