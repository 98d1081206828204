//! The L1 cache: hot documents of a disk engine, decoded blocks and trees out of the way.

mod cached;
mod coherent;
mod counter;

pub(crate) use cached::{Cached, Fill};
