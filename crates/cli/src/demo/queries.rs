//! Schemas, indexes and queries: a document with three mistakes, a duplicate email, ten
//! documents out of twenty thousand, totals by city.

use velocitydb::schema::Schema;
use velocitydb::{
    Database, Error, Existing, IndexSpec, Object, Pipeline, Result as DbResult, Sort, object,
};

use super::narrator::Narrator;
use crate::failure::Result;

const CUSTOMERS: usize = 20_000;
const BATCH: usize = 1_000;
const CITIES: [&str; 4] = ["Bonn", "Kiel", "Lund", "Ulm"];

/// How many customers the query returns.
const FOUND: u64 = 10;

/// Runs the chapter.
pub fn tell(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    narrator.chapter("Schemas, indexes and queries")?;
    schema(db, narrator)?;
    unique(db, narrator)?;
    fill(db)?;
    find(db, narrator)?;
    group(db, narrator)
}

/// A document with three mistakes is refused, and all of them are named.
fn schema(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    let schema = Schema::from_json(
        r#"{"properties": {
              "name": {"type": "string"},
              "age": {"type": "integer", "minimum": 0, "maximum": 150},
              "rank": {"type": "string", "default": "new"},
              "email": {"type": "string"}},
            "required": ["name"]}"#,
    )?;
    db.documents("customers").set_schema(&schema, Existing::Check)?;
    let customers = db.documents("customers");
    let wrong = object! { "age": 200, "email": 7 };
    let found = match customers.insert("carol", wrong) {
        Ok(_) => "inserted".to_owned(),
        Err(Error::SchemaViolation { violations, .. }) => {
            let rules = violations.as_slice().iter();
            let rules = rules.map(|one| format!("{}: {}", one.path, one.rule));
            rules.collect::<Vec<_>>().join(", ")
        }
        Err(error) => error.to_string(),
    };
    let what = "a document with three mistakes is refused";
    narrator.check(what, found, "age: maximum, email: type, name: required")?;
    customers.insert("carol", object! { "name": "Carol", "email": "carol@example.com" })?;
    let rank = match customers.get("carol")? {
        Some(carol) => carol.fields()?["rank"].to_json(),
        None => "no document".to_owned(),
    };
    narrator.check("without them it is taken; its rank, by default", rank, "\"new\"")
}

/// An email that another document has already.
fn unique(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    db.documents("customers").create_index(IndexSpec::on("email").unique().sparse())?;
    let second = object! { "name": "Karol", "email": "carol@example.com" };
    let found = match db.documents("customers").insert("karol", second) {
        Ok(_) => "inserted".to_owned(),
        Err(Error::Duplicate { other, .. }) => format!("refused: {} has it", other),
        Err(error) => error.to_string(),
    };
    narrator.check("a unique index, and an email twice", found, "refused: carol has it")
}

/// Customers in all cities, of all ages up to a hundred.
fn fill(db: &Database) -> Result {
    let customers = db.documents("customers");
    let customer = |number: usize| {
        let city = CITIES[number % CITIES.len()];
        let fields = object! {
            "name": format!("Customer {number}"), "city": city, "age": number / 4 % 100
        };
        (format!("customer{number:05}"), fields)
    };
    for begin in (1..CUSTOMERS).step_by(BATCH) {
        customers.insert_many((begin..CUSTOMERS.min(begin + BATCH)).map(customer))?;
    }
    Ok(())
}

/// The same query without an index and with one.
fn find(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    let customers = db.documents("customers");
    let oldest = || {
        let in_bonn = customers.find(object! { "city": "Bonn", "age": { "$lt": 60 } });
        in_bonn.sort(Sort::new().descending("age")).limit(FOUND)
    };
    let without = oldest().explain()?;
    let scanned = format!("{} of {CUSTOMERS} documents read", without.documents_examined);
    let what = format!("{FOUND} below 60 in Bonn, the oldest first: no index");
    narrator.check(&what, scanned, &format!("{CUSTOMERS} of {CUSTOMERS} documents read"))?;
    let found = ids(oldest().documents()?);

    let index = IndexSpec::new(Sort::new().ascending("city").descending("age"));
    db.documents("customers").create_index(index)?;
    let with = oldest().explain()?;
    let read = format!("{} of {CUSTOMERS} documents read", with.documents_examined);
    narrator.check(
        "the same, with an index",
        read,
        &format!("{FOUND} of {CUSTOMERS} documents read"),
    )?;
    let same = if ids(oldest().documents()?) == found { "the same" } else { "others" };
    narrator.check("what is found", same, "the same")?;
    let faster = without.execution.as_secs_f64() / with.execution.as_secs_f64();
    narrator.tell("how much faster that was, this once", format_args!("{faster:.0} times"))
}

fn ids(documents: Vec<velocitydb::Document>) -> Vec<String> {
    documents.iter().map(|document| document.id().to_string()).collect()
}

/// Totals by city, and a check of their sum.
fn group(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    let pipeline = Pipeline::from_json(
        r#"[{"$match": {"city": {"$exists": true}}},
            {"$group": {"_id": "$city", "count": {"$sum": 1}, "age": {"$avg": "$age"}}},
            {"$sort": {"_id": 1}}]"#,
    )
    .map_err(Error::from)?;
    let groups = db.documents("customers").aggregate(pipeline).objects()?;
    let line = |group: &Object| format!("{} {}", group["_id"], group["count"]);
    let found = groups.iter().map(line).collect::<Vec<_>>().join(", ");
    let expected = r#""Bonn" 4999, "Kiel" 5000, "Lund" 5000, "Ulm" 5000"#;
    narrator.check("customers by city, in one pipeline", found, expected)?;
    let counted: DbResult<u64> = CITIES
        .iter()
        .map(|city| db.documents("customers").find(object! { "city": *city }).count())
        .sum();
    narrator.check("the same, counted city by city", counted?, "19999")
}
