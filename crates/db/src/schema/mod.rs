//! Schemas: which documents a collection accepts. JSON Schema 2020-12, and a builder for the
//! common case. Reads no clock, network or file, and gives the same answer on every machine.

mod bounds;
mod builder;
mod compile;
mod defaults;
mod explain;
mod index_requests;
mod judge;
mod keywords;
mod magnitudes;
mod meter;
mod pattern;
mod problem;
mod references;
mod rules;
mod schema_type;
mod scopes;
mod subschemas;
#[cfg(test)]
mod tests;
mod values;
mod view;
mod violation;

pub use bounds::{CHECKS_PER_VALUE_MAX, NESTED_SCHEMAS_MAX, PATTERNS_BYTES_MAX};
pub use builder::{Field, SchemaBuilder};
pub use compile::SCHEMA_BYTES_MAX;
pub use defaults::DEFAULTS_BYTES_MAX;
pub use index_requests::{INDEX_REQUESTS_MAX, IndexRequest};
pub use meter::{STEPS_MAX, STEPS_PER_BYTE};
pub use schema_type::Schema;
pub use scopes::REFERENCE_PATHS_MAX;
pub use subschemas::SUBSCHEMAS_MAX;
