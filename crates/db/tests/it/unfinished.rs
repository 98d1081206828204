//! What has been changed when changing many documents stops in between.
//!
//! `update_many` that failed at document 2,500 of 3,000 had changed 2,000, and said neither which
//! nor how many.

use velocitydb::{Error, Modified, Object, Result, Update, object};

use crate::world::in_every_mode;

fn id(n: i64) -> String {
    format!("{n:05}")
}

fn documents(bad: i64) -> impl Iterator<Item = (String, Object)> {
    (0..3_000_i64).map(move |n| match n == bad {
        true => (id(n), object! { "n": "no number" }),
        false => (id(n), object! { "n": n }),
    })
}

#[test]
fn an_update_of_many_that_stops_says_what_it_has_changed() {
    in_every_mode(|home| {
        let docs = home.db().documents("docs");
        docs.insert_many(documents(2_500)).unwrap();
        let error = docs.update_many(object! {}, Update::new().inc("n", 1)).unwrap_err();
        let Error::Unfinished { changed, last, index, cause, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((*changed, last.as_str(), *index), (2_000, Some("01999"), 3));
        let Error::Inapplicable { id: failed, .. } = &**cause else { panic!("{cause}") };
        assert_eq!(failed.to_string(), id(2_500));
        assert!(matches!(error.cause(), Error::Inapplicable { .. }));
        let text = error.to_string();
        for part in ["2000 documents", "\"01999\"", "\"02500\"", "$inc", "\"n\""] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
        // It is so: those up to there and no others.
        let versions = docs.find(object! { "_meta.version": 2 }).documents().unwrap();
        let ids: Vec<_> = versions.iter().map(|one| one.id().to_string()).collect();
        assert!(ids.iter().cloned().eq((0..2_000).map(id)), "{}", ids.len());
    });
}

/// Where nothing was changed there is nothing to say of it: the error is that of one document.
#[test]
fn one_that_stops_in_its_first_step_has_changed_nothing() {
    in_every_mode(|home| {
        let docs = home.db().documents("docs");
        docs.insert_many(documents(999)).unwrap();
        let error = docs.update_many(object! {}, Update::new().inc("n", 1)).unwrap_err();
        assert!(matches!(error, Error::Inapplicable { .. }), "{error}");
        assert_eq!(docs.find(object! { "_meta.version": 1 }).count().unwrap(), 3_000);
    });
}

/// A delete of many cannot be refused by a document, but storage can fail beneath it.
#[test]
fn a_delete_of_many_that_stops_says_what_it_has_deleted() {
    let engine = crate::fault::Faulty::new();
    let db = engine.database(crate::world::World::new());
    let docs = db.documents("docs");
    docs.insert_many(documents(-1)).unwrap();
    engine.set_after(crate::fault::Fault::DiskFull, 2);
    let deleted: Result<Modified> = docs.delete_many(object! {});
    let error = deleted.unwrap_err();
    let Error::Unfinished { changed, last, cause, .. } = &error else { panic!("{error}") };
    assert_eq!((*changed, last.as_str()), (2_000, Some("01999")));
    assert!(matches!(**cause, Error::Storage(_)), "{cause}");
    assert_eq!(docs.count().unwrap(), 1_000);
}
