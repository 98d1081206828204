//! What MongoDB's documentation and VelocityDB's say, implemented from these alone and as simply as
//! possible: an independent check where mingo is known to be wrong, so that a bug of VelocityDB cannot
//! hide there.

mod batch;
mod calls;
mod combinations;
mod field_order;
mod groups;
mod numbers;
mod order;
mod queries;
mod simplest;
mod types;
mod updates;

pub use batch::{answers, as_read};
pub use calls::right;
pub use field_order::is_in_order;
pub use numbers::Number;
pub use order::compare;
pub use queries::answer;
