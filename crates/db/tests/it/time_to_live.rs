//! A handle's time to live holds for every write through it.
//!
//! Only those of one document by its id kept to it: a claim, a completion, a renewal, `update_many`
//! and a find-and-modify left documents that never expired.

use std::time::Duration;

use velocitydb::{Collection, Documents, Object, Result, Time, Update, object};

use crate::world::{START_MICROS, in_every_mode};

const TTL: Duration = Duration::from_secs(60);

type Typed = Collection<Object>;

/// Every write of a handle that leaves a document, and the id of that document. They are done in
/// this order.
type Write = (&'static str, fn(&Documents, &Typed) -> Result<String>);

const WRITES: &[Write] = &[
    ("insert", |docs, _| Ok(docs.insert("a", object! { "n": 1 })?.id.to_string())),
    ("insert_new", |docs, _| Ok(docs.insert_new(object! { "n": 2 })?.id.to_string())),
    ("insert_many", |docs, _| Ok(docs.insert_many([("b", object! {})])?[0].id.to_string())),
    ("insert_many_new", |docs, _| Ok(docs.insert_many_new([object! {}])?[0].id.to_string())),
    ("update", |docs, _| Ok(docs.update("old", object! { "n": 3 })?.id.to_string())),
    ("replace", |docs, _| Ok(docs.replace("old", object! { "n": 4 })?.id.to_string())),
    ("upsert", |docs, _| Ok(docs.upsert("old", object! { "n": 5 })?.id.to_string())),
    ("compare-and-swap, update", |docs, _| {
        assert!(docs.compare_and_swap("old").field("n", 5).update(object! { "n": 6 })?.is_applied);
        Ok("old".to_owned())
    }),
    ("compare-and-swap, replace", |docs, _| {
        assert!(docs.compare_and_swap("c").absent().replace(object! { "n": 7 })?.is_applied);
        Ok("c".to_owned())
    }),
    ("claim", |docs, _| {
        let claim = docs.claim(object! { "job": 1 }).lease(TTL * 10, object! { "job": 1 });
        Ok(claim.update(object! { "job": 2 })?.first().expect("there is one").id().to_string())
    }),
    ("renew", |docs, _| settle(docs, |docs, version| docs.renew("job", version, TTL * 20))),
    ("release", |docs, _| settle(docs, |docs, version| docs.release("job", version))),
    ("complete", |docs, _| {
        settle(docs, |docs, version| docs.complete("job", version, object! { "done": true }))
    }),
    ("update_many", |docs, _| {
        assert_eq!(docs.update_many(object! { "_id": "old" }, object! { "n": 8 })?.count, 1);
        Ok("old".to_owned())
    }),
    ("find_and_modify, update", |docs, _| found(docs, Update::from(object! { "n": 9 }))),
    ("find_and_modify, replace", |docs, _| {
        let one = docs.find_and_modify(object! { "_id": "old" }).replace(object! { "n": 10 })?;
        Ok(one.expect("there is one").id().to_string())
    }),
    ("typed insert", |_, typed| Ok(typed.insert("t", &object! { "n": 1 })?.id.to_string())),
    ("typed insert_new", |_, typed| Ok(typed.insert_new(&object! { "n": 1 })?.id.to_string())),
    ("typed insert_many", |_, typed| {
        Ok(typed.insert_many([("t2", &object! {})])?[0].id.to_string())
    }),
    ("typed update", |_, typed| Ok(typed.update("old", object! { "n": 2 })?.id.to_string())),
    ("typed replace", |_, typed| Ok(typed.replace("old", &object! { "n": 3 })?.id.to_string())),
    ("typed upsert", |_, typed| Ok(typed.upsert("old", &object! { "n": 4 })?.id.to_string())),
];

fn settle(docs: &Documents, how: fn(&Documents, u64) -> Result<u64>) -> Result<String> {
    let version = docs.get("job")?.expect("it was claimed").version();
    how(docs, version)?;
    Ok("job".to_owned())
}

fn found(docs: &Documents, update: Update) -> Result<String> {
    let one = docs.find_and_modify(object! { "_id": "old" }).update(update)?;
    Ok(one.expect("there is one").id().to_string())
}

#[test]
fn every_write_through_a_handle_keeps_to_its_time_to_live() {
    in_every_mode(|home| {
        let docs = home.db().documents("docs");
        docs.insert("old", object! { "n": 0 }).unwrap();
        docs.insert("job", object! { "job": 1 }).unwrap();
        let expiring = docs.time_to_live(TTL);
        let typed = home.db().collection::<Object>("docs").time_to_live(TTL);
        for (number, (name, write)) in WRITES.iter().enumerate() {
            home.world.advance(Duration::from_micros(1));
            let id = write(&expiring, &typed).unwrap_or_else(|error| panic!("{name}: {error}"));
            let now = START_MICROS + number as i64 + 1;
            let expected = Time::from_micros(now + TTL.as_micros() as i64).unwrap();
            let document = docs.get(&id).unwrap().expect("it has not expired");
            assert_eq!(document.expires(), Some(expected), "{name}");
        }
        home.world.advance(TTL * 2);
        home.db().maintain().unwrap();
        assert_eq!(docs.count().unwrap(), 0);
    });
}
