//! The schema of a collection: checked and compiled once, then cheap to evaluate. Knows neither
//! collections nor commands.

use std::fmt;
use std::sync::Arc;

use velocitydb_core::{Encoded, Object, RawObject, Violations};

use super::compile::{Compiled, compile};
use super::explain::explain;
use super::index_requests::IndexRequest;
use super::meter::{Meter, steps_max};
use super::view::View;
use crate::Result;

/// The schema of a collection's documents: JSON Schema 2020-12, checked and compiled. Cheap to
/// clone.
///
/// It is about a document's fields, without `_id`.
///
/// ```
/// use velocitydb::schema::{Field, Schema};
/// use velocitydb::{Encoded, object};
///
/// # fn main() -> velocitydb::Result<()> {
/// let schema = Schema::builder()
///     .field("name", Field::string().required().max_length(100))
///     .field("age", Field::int().range(0..=150))
///     .build()?;
/// let document = Encoded::from_object(&object! { "age": 151 })?;
/// let violations = schema.validate(document.view())?.expect("two rules are broken");
/// assert_eq!(
///     violations.to_string(),
///     r#""age" must be at most 150, and is 151; "name" is missing, and has to be there"#
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Schema(Arc<Inner>);

struct Inner {
    object: Object,
    compiled: Compiled,
}

impl Schema {
    /// Reads a schema: JSON Schema 2020-12, with the annotations `default`, `unique` and `indexed`
    /// and the keyword `storedType`.
    ///
    /// An error has the path of the mistake in the schema, and says what would be right.
    pub fn from_object(schema: &Object) -> Result<Self> {
        let compiled = compile(schema)?;
        Ok(Schema(Arc::new(Inner { object: schema.clone(), compiled })))
    }

    /// Reads a schema from JSON text, as [`Schema::from_object`].
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_object(&Object::from_json(text)?)
    }

    /// The schema as it was given.
    pub fn to_object(&self) -> &Object {
        &self.0.object
    }

    /// The indexes that the schema requests by `unique` and `indexed`, ordered by path.
    pub fn index_requests(&self) -> &[IndexRequest] {
        &self.0.compiled.indexes
    }

    /// The document with the defaults of missing fields; `None` if no field is missing.
    ///
    /// Fields inside of objects and of arrays' elements are filled in if the object around them
    /// exists or is itself a default. Fails if the result is larger or deeper than a document can
    /// be.
    pub fn apply_defaults(&self, fields: RawObject<'_>) -> Result<Option<Encoded>> {
        self.0.compiled.defaults.apply(fields)
    }

    /// The violations of a document, up to a number and a size; `None` if it satisfies the schema.
    ///
    /// An error means that the document is damaged. A document that takes too many steps violates
    /// the rule `steps`, also if it takes them only to explain a violation.
    pub fn validate(&self, fields: RawObject<'_>) -> Result<Option<Violations>> {
        let compiled = &self.0.compiled;
        let meter = self.meter(fields);
        let is_valid = compiled.validator.is_valid(View::Value(fields.as_value(), &meter));
        if let Some(damage) = meter.take_corruption() {
            return Err(damage.into());
        }
        if meter.is_exhausted() {
            return Ok(Some(too_many_steps(fields)));
        }
        if is_valid {
            return Ok(None);
        }
        Ok(Some(explain(&compiled.rules, fields, &self.meter(fields))?))
    }

    pub(super) fn example_of_defaults(&self) -> Object {
        self.0.compiled.defaults.example()
    }

    fn meter(&self, fields: RawObject<'_>) -> Meter {
        Meter::new(steps_max(fields), self.0.compiled.weights)
    }
}

fn too_many_steps(fields: RawObject<'_>) -> Violations {
    let text = format!(
        "takes more than {} steps to check; make it smaller, or the schema simpler",
        steps_max(fields)
    );
    Violations::whole("steps", text)
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.0.object).finish()
    }
}

impl PartialEq for Schema {
    /// Whether both have the same source.
    fn eq(&self, other: &Self) -> bool {
        self.0.object.is_identical(&other.0.object)
    }
}
