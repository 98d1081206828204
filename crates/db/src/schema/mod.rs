//! Schemas: which documents a collection takes. JSON Schema 2020-12, and a builder for the common
//! case. Reads no clock, network or file, and gives the same answer on every machine.

mod bounds;
mod builder;
mod collection_schema;
mod compile;
mod defaults;
mod explain;
mod indexes;
mod judge;
mod keywords;
mod meter;
mod pattern;
mod problem;
mod references;
mod rules;
mod scopes;
mod subschemas;
#[cfg(test)]
mod tests;
mod values;
mod view;
mod violation;

pub use bounds::{ENTERED_SCHEMAS_MAX, LOOKS_AT_A_VALUE_MAX, PATTERNS_BYTES_MAX};
pub use builder::{Field, SchemaBuilder};
pub use collection_schema::Schema;
pub use compile::SCHEMA_BYTES_MAX;
pub use defaults::DEFAULTS_BYTES_MAX;
pub use indexes::{INDEX_REQUESTS_MAX, IndexRequest};
pub use meter::{STEPS_A_BYTE, STEPS_MAX};
pub use scopes::WAYS_MAX;
pub use subschemas::SUBSCHEMAS_MAX;
