//! The tests of the document model from outside: golden scripts, properties on random values,
//! damaged bytes, and Rust types of users.

mod damage;
mod golden;
mod properties;
mod random;
mod types;
