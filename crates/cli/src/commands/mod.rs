//! The commands on a data folder.

mod aggregate;
mod bench;
mod cas;
mod collections;
mod dispatch;
mod doctor;
mod explain;
mod find;
mod folder;
mod ids;
mod import;
mod index;
mod insert;
mod many;
mod read;
mod rows;
mod schema;
mod stats;
mod work;
mod write;

pub use dispatch::run;
