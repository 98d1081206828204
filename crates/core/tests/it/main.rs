//! The tests of the document model from outside: golden scripts, properties on random values,
//! queries, commands, damaged bytes, and Rust types of users.

// Helpers of tests may unwrap, as tests do.
#![allow(clippy::unwrap_used)]

mod acceptance;
mod aggregate;
mod commands;
mod damage;
mod decimals;
mod field_order;
mod golden;
mod numbers;
mod properties;
mod queries;
mod random;
mod random_pipelines;
mod types;
