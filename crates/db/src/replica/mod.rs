//! One replica of the state: what brings commands to the machine, and what it tells of them.

pub(crate) mod group;
pub(crate) mod maintenance;
pub(crate) mod pipeline;
mod queue;
pub(crate) mod views;

pub(crate) use maintenance::{Alarm, Maintenance};
pub(crate) use pipeline::Pipeline;
pub(crate) use views::Views;
