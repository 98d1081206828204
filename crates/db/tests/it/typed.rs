//! Typed collections: what goes in as a type of the caller's comes out as one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use velocitydb::{Bytes, Error, RequestId, Time, Value, object};

use crate::world::in_every_mode;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    age: u8,
    balance: i64,
    big: u64,
    ratio: f64,
    email: Option<String>,
    tags: Vec<String>,
    limits: BTreeMap<String, u32>,
    role: Role,
    seen: Time,
    key: Bytes,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Role {
    Admin,
    Member { since: u16 },
}

fn user(name: &str) -> User {
    User {
        name: name.to_owned(),
        age: 28,
        balance: i64::MIN,
        big: u64::MAX,
        ratio: 1.0,
        email: None,
        tags: vec!["a".to_owned(), String::new()],
        limits: [("day".to_owned(), 7)].into(),
        role: Role::Member { since: 2026 },
        seen: Time::from_micros(1_795_425_300_123_456).unwrap(),
        key: Bytes(vec![0, 255]),
    }
}

#[test]
fn values_come_back_as_they_went_in() {
    in_every_mode(|home| {
        let users = home.db().collection::<User>("users");
        let (alice, bob) = (user("Alice"), User { role: Role::Admin, ..user("Bob") });
        users.insert("alice", &alice).unwrap();
        users.insert_many([("bob", &bob), ("carol", &alice)]).unwrap();
        let new = users.insert_new(&bob).unwrap();
        drop(users);
        home.reopen();
        let users = home.db().collection::<User>("users");
        let found = users.get("alice").unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.version, &found.value), (Some("alice"), 1, &alice));
        assert_eq!(users.get(&new.id).unwrap().unwrap().value, bob);
        assert!(users.get("nobody").unwrap().is_none());
        let many = users.get_many(["bob", "nobody"]).unwrap();
        assert!(many[0].as_ref().unwrap().value == bob && many[1].is_none());
        assert_eq!(users.iter().unwrap().map(|one| one.unwrap().version).sum::<u64>(), 4);
        users.update("alice", object! { "age": 29 }).unwrap();
        users.replace("bob", &alice).unwrap();
        users.upsert("dave", &bob).unwrap();
        assert_eq!(users.get("alice").unwrap().unwrap().value, User { age: 29, ..alice.clone() });
        assert_eq!(users.find(object! {}).limit(2).page().unwrap().documents.len(), 2);
        assert_eq!(users.count().unwrap(), 5);
        users.delete("dave").unwrap();
        let request = users.request(RequestId::new("r").unwrap());
        let request = request.time_to_live(Duration::from_secs(1));
        request.insert("eve", &alice).unwrap();
        assert!(request.insert("eve", &alice).unwrap().is_replayed);
        assert!(users.get("eve").unwrap().unwrap().expires.is_some());
    });
}

#[test]
fn what_does_not_fit_is_an_error_that_says_where() {
    let db = velocitydb::open_in_memory().unwrap();
    let users = db.collection::<User>("users");
    users.insert("alice", &user("Alice")).unwrap();
    users.update("alice", object! { "age": 256 }).unwrap();
    let error = users.get("alice").unwrap_err();
    assert!(matches!(&error, Error::Type { id, .. } if *id == "alice"), "{error}");
    let text = error.to_string();
    assert!(text.contains("alice") && text.contains("users"), "{text}");
    assert!(users.find(object! {}).documents().is_err(), "never left out in silence");
    assert!(users.iter().unwrap().next().unwrap().is_err());
    // Nothing but an object is a document.
    assert!(db.collection::<Vec<u8>>("lists").insert("a", &vec![1]).is_err());
    assert!(db.collection::<u64>("numbers").insert("a", &1).is_err());
    assert!(db.collection::<Option<User>>("options").insert("a", &None).is_err());
    assert_eq!(db.collections().unwrap().len(), 1);
}

#[test]
fn floats_stay_floats() {
    let db = velocitydb::open_in_memory().unwrap();
    db.documents("docs").insert("a", object! { "float": 1.0, "int": 1 }).unwrap();
    let fields = db.documents("docs").get("a").unwrap().unwrap().fields().unwrap();
    assert!(fields["float"].is_identical(&Value::Float(1.0)), "{fields:?}");
    assert!(fields["int"].is_identical(&Value::Int(1)), "{fields:?}");
}
