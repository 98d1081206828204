//! The four storage modes: what serves reads, and what a crash loses.

mod disk;
mod memory_first;
mod open;
mod options;
mod syncer;

pub use open::{migrate, open};
pub use options::{Mode, Options};
