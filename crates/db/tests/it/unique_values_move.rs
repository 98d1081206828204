//! Unique values move among documents within one command: what counts is the state that the command
//! ends in, not the order of its operations.
//! Unique values were checked one operation after another. A transaction applies its writes in the order of
//! ids, so deleting `b` and inserting `a` with its address was a duplicate, while inserting `c` with it was
//! not; and values could be neither moved nor swapped.

use std::time::Duration;

use velocitydb::{
    Condition, Database, Error, IndexSpec, Object, Outcome, Refusal, WriteBatch, object,
};

use crate::world::in_every_mode;

/// Users with a unique address each, by id.
fn users(db: &Database, addresses: &[(&str, i64)]) {
    db.documents("users").create_index(IndexSpec::on("email").unique()).unwrap();
    for (id, email) in addresses {
        db.documents("users").insert(id, object! { "email": *email }).unwrap();
    }
}

fn email(db: &Database, id: &str) -> Option<i64> {
    let found = db.documents("users").get(id).unwrap()?;
    found.field("email").unwrap().and_then(|value| value.to_value().unwrap().as_i64())
}

/// Checks that every address finds its document and no other, and that the totals are correct.
fn assert_found(db: &Database, expected: &[(&str, i64)]) {
    let all = db.documents("users").count().unwrap();
    assert_eq!(all, expected.len() as u64);
    for (id, address) in expected {
        let found = db.documents("users").find(object! { "email": *address }).documents().unwrap();
        let ids: Vec<_> = found.iter().map(|one| one.id().as_str()).collect();
        assert_eq!(ids, [Some(*id)], "{address}");
    }
    let report = db.snapshot().unwrap().check().unwrap();
    assert!(report.is_healthy(), "{report:#?}");
}

#[test]
fn a_deleted_document_gives_its_value_to_any_other() {
    in_every_mode(|home| {
        let db = home.db();
        users(db, &[("b", 1)]);
        // Before `b` in the order of ids, and behind it.
        for (old, new) in [("b", "a"), ("a", "c")] {
            db.transaction(|txn| {
                txn.delete("users", old)?;
                txn.insert("users", new, object! { "email": 1 })
            })
            .unwrap();
            assert_found(db, &[(new, 1)]);
        }
        let mut batch = WriteBatch::new();
        batch.insert("users", "b", object! { "email": 1 }).unwrap();
        batch.delete("users", "c").unwrap();
        let outcomes = db.write(batch).unwrap().outcomes;
        assert!(matches!(outcomes[0], Outcome::Applied { existed: false, .. }), "{outcomes:?}");
        assert_found(db, &[("b", 1)]);
    });
}

#[test]
fn values_are_swapped_and_shifted() {
    in_every_mode(|home| {
        let db = home.db();
        users(db, &[("a", 1), ("b", 2), ("c", 3)]);
        db.transaction(|txn| {
            txn.update("users", "a", object! { "email": 2 })?;
            txn.update("users", "b", object! { "email": 1 })
        })
        .unwrap();
        assert_found(db, &[("a", 2), ("b", 1), ("c", 3)]);
        let mut batch = WriteBatch::new();
        for (id, email) in [("a", 1), ("b", 3), ("c", 2)] {
            batch.update("users", id, object! { "email": email }).unwrap();
        }
        db.write(batch).unwrap();
        assert_found(db, &[("a", 1), ("b", 3), ("c", 2)]);
        for by in [1, -1] {
            let shift = velocitydb::Update::new().inc("email", by);
            assert_eq!(db.documents("users").update_many(object! {}, shift).unwrap().count, 3);
        }
        assert_found(db, &[("a", 1), ("b", 3), ("c", 2)]);
    });
}

/// `c` took the value of `b`, which had taken that of `a`, and left it again, and so did `b`: the
/// entry went, though `a` had had the value all the time.
#[test]
fn a_value_that_comes_and_goes_stays_with_its_owner() {
    in_every_mode(|home| {
        let db = home.db();
        users(db, &[("a", 1), ("b", 2), ("c", 3)]);
        let mut batch = WriteBatch::new();
        for (id, email) in [("b", 1), ("c", 1), ("b", 2), ("c", 3)] {
            batch.update("users", id, object! { "email": email }).unwrap();
        }
        db.write(batch).unwrap();
        assert_found(db, &[("a", 1), ("b", 2), ("c", 3)]);
        let again = db.documents("users").insert("d", object! { "email": 1 });
        assert!(matches!(again, Err(Error::Duplicate { .. })));
    });
}

#[test]
fn whoever_took_a_value_that_another_one_keeps_is_refused() {
    in_every_mode(|home| {
        let db = home.db();
        users(db, &[("a", 1), ("b", 2), ("c", 3)]);
        let before = db.snapshot().unwrap().state_hash().unwrap();
        let mut batch = WriteBatch::new();
        batch.update("users", "a", object! { "email": 4 }).unwrap();
        batch.update("users", "b", object! { "email": 3 }).unwrap();
        batch.insert("users", "d", object! { "email": 4 }).unwrap();
        let error = db.write(batch).unwrap_err();
        let Error::Duplicate { id, other, .. } = &error else { panic!("{error}") };
        assert_eq!((id.as_str(), other.as_str()), (Some("b"), Some("c")));
        let batch = error.batch().unwrap();
        assert_eq!(batch.position, 1);
        assert_eq!(batch.outcomes[0], Outcome::Abandoned);
        let refused = |outcome: &Outcome, expected: &str| {
            let Outcome::Refused(Refusal::Duplicate { id, .. }) = outcome else { return false };
            id == expected
        };
        assert!(refused(&batch.outcomes[1], "c") && refused(&batch.outcomes[2], "a"), "{batch:?}");
        assert_eq!(db.snapshot().unwrap().state_hash().unwrap(), before);
        // What was refused for another reason says that, and not what it would have led to.
        let mut batch = WriteBatch::new();
        batch.insert("users", "d", object! { "email": 1 }).unwrap();
        let delete = velocitydb::Action::Delete;
        batch.compare_and_swap("users", "a", Condition::Version(9), delete).unwrap();
        let error = db.write(batch).unwrap_err();
        assert!(matches!(error, Error::VersionMismatch { found: 1, .. }), "{error}");
        assert_found(db, &[("a", 1), ("b", 2), ("c", 3)]);
    });
}

#[test]
fn an_expired_owner_goes_and_a_building_index_keeps_up() {
    in_every_mode(|home| {
        let db = home.db();
        users(db, &[("a", 1)]);
        let second = Duration::from_secs(1);
        db.documents("users").time_to_live(second).insert("b", object! { "email": 2 }).unwrap();
        home.world.advance(second);
        let mut batch = WriteBatch::new();
        batch.update("users", "a", object! { "email": 2 }).unwrap();
        batch.insert("users", "c", object! { "email": 1 }).unwrap();
        db.write(batch).unwrap();
        assert_found(db, &[("a", 2), ("c", 1)]);
        // Documents from before the index swap their values while they are not entered yet.
        let many = (0..1_500_i64).map(|n| (format!("{n:05}"), object! { "n": n }));
        db.documents("old").insert_many(many).unwrap();
        std::thread::scope(|scope| {
            let build =
                scope.spawn(|| db.documents("old").create_index(IndexSpec::on("n").unique()));
            for n in 0..200_i64 {
                let (one, other) = (n, 1_499 - n);
                let mut batch = WriteBatch::new();
                let set = |n: i64| -> Object {
                    object! { "n": n }
                };
                batch.update("old", format!("{one:05}"), set(other)).unwrap();
                batch.update("old", format!("{other:05}"), set(one)).unwrap();
                db.write(batch).unwrap();
            }
            build.join().unwrap().unwrap();
        });
        let report = db.snapshot().unwrap().check().unwrap();
        assert!(report.is_healthy(), "{report:#?}");
        assert_eq!(email(db, "a"), Some(2));
    });
}

/// The operation that takes values which another document has is refused, and not a later one that writes
/// equal ones again: 2.0 for 2 was another taking.
#[test]
fn the_operation_that_takes_the_values_is_refused() {
    in_every_mode(|home| {
        let db = home.db();
        users(db, &[("a", 2), ("b", 3)]);
        let mut batch = WriteBatch::new();
        batch.update("users", "b", object! { "email": 2 }).unwrap();
        batch.update("users", "b", object! { "email": 2.0 }).unwrap();
        let outcomes = db.write_for_outcomes(batch, Default::default(), None).unwrap().outcomes;
        let is_duplicate =
            |outcome: &Outcome| matches!(outcome, Outcome::Refused(Refusal::Duplicate { .. }));
        let refused: Vec<bool> = outcomes.iter().map(is_duplicate).collect();
        assert_eq!(refused, [true, false], "{outcomes:?}");
        assert_found(db, &[("a", 2), ("b", 3)]);
    });
}
