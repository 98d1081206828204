//! What MongoDB's documentation and VelocityDB's say, implemented from these alone and as simply as
//! possible: an independent check where mingo is known to be wrong, so that a bug of VelocityDB cannot
//! hide there.

mod combinations;
mod queries;

pub use queries::answer;
