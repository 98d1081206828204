//! A collection whose documents have a type of the program's, with a schema and a unique index.
//!
//! `cargo run -p velocitydb --example typed_collection`

use serde::{Deserialize, Serialize};
use velocitydb::schema::{Field, Schema};
use velocitydb::{Error, Existing, Pipeline, Sort, Time, object};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    email: Option<String>,
    age: u32,
    joined: Time,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Ages {
    users: u64,
    mean: f64,
}

/// Runs the example, and checks what comes of it.
pub fn main() -> velocitydb::Result<()> {
    let db = velocitydb::open_in_memory()?;
    let users = db.collection::<User>("users");
    let schema = Schema::builder()
        .field("name", Field::string().required().max_length(100))
        .field("email", Field::string().nullable().unique())
        .field("age", Field::int().range(0..=150))
        .field("joined", Field::time())
        .build()?;
    users.set_schema(&schema, Existing::Check)?;

    let user = |name: &str, email: &str, age| User {
        name: name.to_owned(),
        email: Some(email.to_owned()),
        age,
        joined: db.now(),
    };
    let alice = user("Alice", "alice@example.com", 28);
    let bob = user("Bob", "bob@example.com", 32);
    users.insert_many([("alice", &alice), ("bob", &bob)])?;
    let found = users.get("alice")?.expect("alice was inserted");
    println!("{}, version {}: {:?}", found.id, found.version, found.value);
    assert_eq!(found.value, alice);

    // Two with the same address, and an age that no one has.
    let twin = users.insert("mallory", &user("Mallory", "bob@example.com", 30));
    let old = users.insert("old", &user("Old", "old@example.com", 1_000));
    assert!(matches!(twin, Err(Error::Duplicate { .. })));
    assert!(matches!(old, Err(Error::SchemaViolation { .. })));
    println!("{}", old.expect_err("nobody is so old"));

    let page = users.find(object! {}).sort(Sort::new().ascending("age")).limit(1).page()?;
    let next = page.next.expect("there is more");
    let rest = users.find(object! {}).sort(Sort::new().ascending("age")).after(next).page()?;
    println!("first {}, then {}", page.documents[0].id, rest.documents[0].id);
    let names = [&page.documents, &rest.documents].map(|documents| documents[0].id.to_string());
    assert_eq!(names, ["alice", "bob"]);

    let mean = r#"[{"$group": {"_id": null, "users": {"$sum": 1}, "mean": {"$avg": "$age"}}}]"#;
    let ages: Vec<Ages> = users.aggregate(Pipeline::from_json(mean)?).rows()?;
    println!("{ages:?}");
    assert_eq!(ages, [Ages { users: 2, mean: 30.0 }]);
    Ok(())
}
