//! `velocitydb demo`: the story of the prototype's demo on the real engine, and then what the
//! prototype could not do. Nothing is printed that was not computed, and every outcome is checked.

mod beyond;
mod durable;
mod narrator;
mod prototype;
mod speed;
mod tell;

pub use tell::run;
