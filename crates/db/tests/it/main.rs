//! The tests of the embedded library, from its outside.

#![allow(clippy::unwrap_used)]

mod concurrency;
mod determinism;
mod differential;
mod doctor;
mod expiry;
mod fault;
mod golden;
mod pipeline;
mod transactions;
mod typed;
mod world;
