//! What claims set, and what the ends of their leases do, as the naive model has it.

use velocitydb::{Object, Time, Value};

use super::rules;
use super::state::Lease;
use super::step::{Begun, Change, Releases};

impl Begun {
    /// Whether these fields are still what the claim has left.
    pub fn is_left(&self, fields: &Object) -> bool {
        self.set.iter().all(|(name, value)| fields.get(name).map(rules::encoded) == *value)
    }
}

/// The lease that begins at this time.
pub fn begin(begun: &Begun, now: i64) -> Lease {
    let until = now + super::model::micros(begun.duration);
    Lease { until, releases: begun.releases.clone(), set: begun.set.clone() }
}

/// What the end of a lease does to a document: the first whose filter it satisfies.
pub fn release(releases: &Releases, object: &Object) -> Option<Vec<Change>> {
    let mut holding = releases.iter().filter(|(filter, _)| filter.matches_object(object));
    holding.next().map(|(_, changes)| changes.clone())
}

/// What a retry writes beside that.
pub fn retry_changes(not_before: i64, reason: &str) -> Vec<Change> {
    let not_before = Value::from(Time::from_micros(not_before).unwrap());
    vec![
        Change::Set("retry_at".to_owned(), not_before),
        Change::Set("retry_reason".to_owned(), Value::from(reason)),
    ]
}
