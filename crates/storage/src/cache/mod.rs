//! The document cache: hot documents of a disk engine, without its blocks and trees.

mod cached;
mod coherent;
mod counter;

pub(crate) use cached::{Cached, Fill};
