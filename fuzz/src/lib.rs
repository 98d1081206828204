//! Values, updates and commands out of the fuzzer's bytes, for all targets.
//!
//! ```text
//! cargo +nightly fuzz run -s none <codec|key|update|json|command> -- -runs=10000000 -seed=1 -max_len=256
//! ```
//!
//! Without a sanitizer (`-s none`) it is ten times faster, and misses nothing: the crate forbids
//! unsafe code.

mod command;
mod input;

pub use command::command;
pub use input::{object, update, value};
