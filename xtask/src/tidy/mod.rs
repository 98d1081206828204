//! `cargo xtask tidy`: rules of style that neither the compiler nor clippy checks.
//!
//! Rules are small functions from a file to violations; each has a test that plants one.

mod files;
mod layout;
mod links;
mod records;
mod source;
mod storeys;
mod streams;
mod text;
mod wording;

pub use files::{SUMMARY, check, run};
