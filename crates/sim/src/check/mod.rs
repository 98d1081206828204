//! The checkers: a history of what clients saw, and the state that was found after it.
//!
//! They share one idea: every acknowledged write came with its place in the one order of all
//! commands, and the state says at which place it ends. So what is before that place must be there,
//! what is after it must not, and only operations that were never answered may be either.

mod ledger;
mod registers;
mod violation;
mod whole;

#[cfg(test)]
mod planted;

pub use registers::{Floor, Floors};
pub use violation::Violation;

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
