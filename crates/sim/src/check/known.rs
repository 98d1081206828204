//! [`Known`]: what a cycle begins with, and the check of what it ends with.

use super::{Floors, Violation, added, jobs, ledger, registers, shapes, whole};
use crate::history::History;
use crate::state::State;

/// What is known of a data folder before a cycle.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What it holds.
    pub state: State,
    /// What is known of the versions of registers that do not exist.
    pub floors: Floors,
}

/// Compares a state with what clients saw since it was `known`.
pub fn check(known: &Known, history: &History, after: &State) -> Vec<Violation> {
    let mut violations = whole::check(history, after);
    violations.extend(registers::check(known, history, after));
    violations.extend(ledger::check(&known.state, history, after));
    violations.extend(jobs::check(&known.state, history, after));
    violations.extend(added::check(&known.state, history, after));
    violations.extend(shapes::check(&known.state, history, after));
    violations
}

impl Known {
    /// What is known after a cycle: `recovered` was found, and `now` is what the folder holds after
    /// requests that had not been answered were made again.
    pub fn next(&self, history: &History, recovered: &State, now: State) -> Self {
        let floors = registers::next_floors(self, history, recovered, &now);
        Known { state: now, floors }
    }
}
