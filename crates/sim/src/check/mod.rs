//! The checkers: a history of what clients saw, and the state that was found after it.
//!
//! They share one idea: every acknowledged write came with its place in the one order of all
//! commands, and the state says at which place it ends. So what is before that place must be there,
//! what is after it must not, and only operations that were never answered may be either.

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
