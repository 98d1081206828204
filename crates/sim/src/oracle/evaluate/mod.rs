//! The ways in which VelocityDB can be asked: every one has to give the same answers.

mod core;
mod embedded;
mod evaluator;
mod indexes;
mod paged;

pub use core::Core;
pub use embedded::{Embedded, Indexes};
pub use evaluator::Evaluator;
pub use paged::Paged;
