//! The differential test: the same random steps on a naive model and on the database in every
//! mode, with restarts. Every answer is the same, and so is the hash of the state that they end in.
//!
//! `VELOCITYDB_SEED` replays a run, `VELOCITYDB_STEPS` says how long it is.

mod changes;
mod claiming;
pub mod generator;
pub mod id;
mod leases;
mod model;
mod model_queries;
mod model_transactions;
mod new_ids;
mod numbering;
mod queue;
pub mod real;
mod real_queries;
mod rules;
mod run;
mod shuffle;
mod state;
pub mod step;
mod values;
