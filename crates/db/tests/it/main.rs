//! The tests of the embedded library, from its outside.

#![allow(clippy::unwrap_used)]

mod backlog;
mod bounds;
mod bytes;
mod changes;
mod claims;
mod closing;
mod concurrency;
mod cursors;
mod determinism;
mod differential;
mod doctor;
mod doctor_indexes;
mod examples;
mod expired;
mod expiry;
mod fatal;
mod fault;
mod golden;
mod lease_guards;
mod leases;
mod moving_claims;
mod phantoms;
mod pipeline;
mod planner;
mod proposals;
mod queries;
mod refusals;
mod requests;
mod reserved_fields;
mod scale;
mod schema_defaults;
mod schema_memory;
mod schema_suite;
mod settling;
mod time_to_live;
mod transaction_views;
mod transactions;
mod typed;
mod typed_everywhere;
mod unfinished;
mod unique;
mod unique_values_move;
mod views;
mod world;
