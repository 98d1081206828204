//! The checkers: a history of what clients saw, and the state that was found after it.
//!
//! They share one idea: every acknowledged write has a position in the order of all commands, and
//! the state records its last position. So writes up to that position must be in the state, later
//! ones must not, and only unanswered operations may be either.

mod added;
mod jobs;
mod known;
mod ledger;
mod registers;
mod shapes;
mod violation;
mod whole;

#[cfg(test)]
mod planted;

pub use added::check_once;
pub use known::{Known, check};
pub use registers::{Floor, Floors};
pub use violation::Violation;
