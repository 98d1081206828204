//! One replica of the state: brings commands to the machine, and reports their effects.

mod changes;
mod core;
pub(crate) mod group;
mod known_outcome;
mod lead;
mod line;
pub(crate) mod maintenance;
mod pause;
mod pending;
pub(crate) mod pipeline;
mod proposer;
mod queue;
mod sync;

pub(crate) use self::core::Core;
pub(crate) use known_outcome::KnownOutcome;
pub(crate) use maintenance::{Alarm, Maintained, Maintenance};
pub(crate) use pipeline::Pipeline;
pub(crate) use proposer::{Done, Local, Proposer};
