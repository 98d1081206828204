//! The ways of executing queries in VelocityDB: all have to give the same answers.

mod core;
mod embedded;
mod evaluator;
mod indexes;
mod paged;

pub use core::Core;
pub use embedded::{Embedded, Indexes};
pub use evaluator::Evaluator;
pub use paged::Paged;
