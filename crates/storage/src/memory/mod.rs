//! The memory engine: everything in memory, nothing on disk.

pub use crate::contract::Model as Memory;
