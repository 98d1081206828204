//! What each command does on a data folder.

mod bench;
mod cas;
mod collections;
mod dispatch;
mod doctor;
mod folder;
mod insert;
mod read;
mod stats;
mod write;

pub use dispatch::run;
