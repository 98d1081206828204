//! [`Known`]: the state before a cycle, and the check of the state after it.

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

/// Compares a state with the `known` one and with what clients saw since.
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
    /// What is known after a cycle: `recovered` is the state that was found, and `now` the one
    /// after unanswered requests were retried.
    pub fn next(&self, history: &History, recovered: &State, now: State) -> Self {
        let floors = registers::next_floors(self, history, recovered, &now);
        Known { state: now, floors }
    }
}
