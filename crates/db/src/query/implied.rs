//! Whether a partial or sparse index has all documents that a query can match.

use velocitydb_core::Path;
use velocitydb_core::filter::{Predicate, Presence, Test};

use super::interval::Intervals;

/// Whether every document that matches the conjuncts matches `wanted`. Conservative: `false` if
/// that is hard to decide.
pub(super) fn is_implied(wanted: &Predicate, conjuncts: &[&Predicate]) -> bool {
    if conjuncts.contains(&wanted) {
        return true;
    }
    match wanted {
        Predicate::True => true,
        Predicate::And(parts) => parts.iter().all(|part| is_implied(part, conjuncts)),
        Predicate::Or(parts) => parts.iter().any(|part| is_implied(part, conjuncts)),
        Predicate::Nor(_) => false,
        Predicate::Field { path, test } => conjuncts.iter().any(|conjunct| match conjunct {
            Predicate::Field { path: other, test: given } if other == path => {
                is_within(given, test)
            }
            _ => false,
        }),
    }
}

/// Whether the conjuncts require a value at a path.
pub(super) fn is_present(path: &Path, conjuncts: &[&Predicate]) -> bool {
    let present = Test::Exists(Presence::Present);
    conjuncts.iter().any(|conjunct| match conjunct {
        Predicate::Field { path: other, test } if other == path => is_within(test, &present),
        _ => false,
    })
}

/// Whether every value that passes `given` passes `wanted`.
fn is_within(given: &Test, wanted: &Test) -> bool {
    // A test for absence is about all elements of an array, the others are about one.
    let is_about_one = |test: &Test| !matches!(test, Test::Exists(Presence::Missing));
    if !is_about_one(wanted) || !is_about_one(given) {
        return given == wanted;
    }
    let (Some(given), Some(wanted)) = (Intervals::of(given, false), Intervals::of(wanted, false))
    else {
        return false;
    };
    wanted.is_exact && wanted.intersect(&given).list == given.list
}

#[cfg(test)]
mod tests {
    use velocitydb_core::Filter;

    use super::*;
    use crate::query::candidates::conjuncts;

    fn implies(given: &str, wanted: &str) -> bool {
        let given = Filter::from_json(given).unwrap();
        let wanted = Filter::from_json(wanted).unwrap();
        is_implied(wanted.predicate(), &conjuncts(given.predicate()))
    }

    #[test]
    fn narrower_filters_imply_wider_ones() {
        for (given, wanted) in [
            (r#"{"a": 1}"#, r#"{}"#),
            (r#"{"a": 1, "b": 2}"#, r#"{"a": 1}"#),
            (r#"{"a": 7}"#, r#"{"a": {"$gt": 5}}"#),
            (r#"{"a": {"$gt": 6, "$lt": 9}}"#, r#"{"a": {"$gte": 6}}"#),
            (r#"{"a": {"$in": [1, 2]}}"#, r#"{"a": {"$in": [1, 2, 3]}}"#),
            (r#"{"a": 1}"#, r#"{"a": {"$exists": true}}"#),
            (r#"{"a": {"$regex": "^ab"}}"#, r#"{"a": {"$exists": true}}"#),
            (r#"{"a": 1}"#, r#"{"$or": [{"a": {"$lt": 3}}, {"b": 1}]}"#),
        ] {
            assert!(implies(given, wanted), "{given} {wanted}");
        }
        for (given, wanted) in [
            (r#"{}"#, r#"{"a": 1}"#),
            (r#"{"a": 1}"#, r#"{"a": 2}"#),
            (r#"{"a": {"$gt": 5}}"#, r#"{"a": {"$gt": 6}}"#),
            (r#"{"a": null}"#, r#"{"a": {"$exists": true}}"#),
            (r#"{"a": {"$ne": 1}}"#, r#"{"a": {"$exists": true}}"#),
            (r#"{"$or": [{"a": 1}, {"b": 1}]}"#, r#"{"a": 1}"#),
            (r#"{"a": null}"#, r#"{"a": {"$exists": false}}"#),
            // In `{"a": []}` there is no `a.b`, and nothing that is equal to null either. A partial
            // index on null was used for what is missing, and did not have that document.
            (r#"{"a.b": {"$exists": false}}"#, r#"{"a.b": null}"#),
        ] {
            assert!(!implies(given, wanted), "{given} {wanted}");
        }
    }
}
