//! What the tests of schemas share: schemas and documents from JSON, and answers as text.

use velocitydb_core::{Encoded, Object};

use velocitydb_core::Violations;

use crate::schema::Schema;

pub(super) fn schema(json: &str) -> Schema {
    Schema::from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

pub(super) fn document(json: &str) -> Encoded {
    Encoded::from_object(&Object::from_json(json).unwrap()).unwrap()
}

pub(super) fn violations(schema: &Schema, document: &Encoded) -> Option<Violations> {
    schema.validate(document.view()).unwrap()
}

/// All violations as text, or "valid".
pub(super) fn verdict(schema: &Schema, document: &Encoded) -> String {
    violations(schema, document).map_or("valid".to_owned(), |violations| violations.to_string())
}

pub(super) fn refusal(json: &str) -> String {
    Schema::from_json(json).expect_err(json).to_string()
}
