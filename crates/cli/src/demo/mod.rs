//! `velocitydb demo`: the story of the prototype's demo on the real engine, and then what the
//! prototype could not do, schemas, queries and claims among it. Everything printed is
//! computed, and every outcome is checked.

mod beyond;
mod durable;
mod narrator;
mod prototype;
mod queries;
mod speed;
mod tell;
mod work;

pub use tell::run;
