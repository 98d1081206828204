//! Documents of any shape: inserting, changing, finding and grouping them.
//!
//! `cargo run -p velocitydb --example quick_start`

use velocitydb::{ErrorClass, IndexSpec, Pipeline, Sort, Update, object};

/// Runs the example, and checks what comes of it.
pub fn main() -> velocitydb::Result<()> {
    // `velocitydb::open("data")` keeps them in a folder.
    let db = velocitydb::open_in_memory()?;
    let users = db.documents("users");
    users.create_index(IndexSpec::on("age"))?;
    users.insert("alice", object! { "name": "Alice", "age": 28, "city": "Bonn" })?;
    users.insert("bob", object! { "name": "Bob", "age": 32, "city": "Bonn" })?;
    users.insert("carol", object! { "name": "Carol", "age": 45, "city": "Kiel" })?;

    let written = users.update("alice", Update::new().inc("age", 1).push("tags", "admin"))?;
    println!("alice has version {}", written.version);
    assert_eq!(written.version, 2);

    println!("over thirty, oldest first:");
    let mut names = Vec::new();
    let over_thirty = users.find(object! { "age": { "$gt": 30 } });
    for user in over_thirty.sort(Sort::new().descending("age")).iter()? {
        let user = user?.fields()?;
        println!("  {}, {}", user["name"].to_json(), user["age"].to_json());
        names.push(user["name"].clone());
    }
    assert_eq!(names, ["Carol".into(), "Bob".into()]);

    let by_city = r#"[{"$group": {"_id": "$city", "users": {"$sum": 1}}}, {"$sort": {"_id": 1}}]"#;
    let cities = users.aggregate(Pipeline::from_json(by_city)?).objects()?;
    println!("by city: {cities:?}");
    assert_eq!(cities[0], object! { "_id": "Bonn", "users": 2 });

    // An error says what the caller can do about it.
    let error = users.insert("alice", object! {}).expect_err("there is one already");
    println!("{}: {error}", error.class());
    assert_eq!(error.class(), ErrorClass::Conflict);
    db.sync()
}
