//! Builds a schema without JSON: the common case, field by field. The generated schema has
//! everything; the builder adds no rule of its own.

use std::ops::{Bound, RangeBounds};

use velocitydb_core::{Encoded, Object, Value, object};

use super::Schema;
use super::keywords::DRAFT;
use super::problem::{dotted, problem};
use crate::Result;

/// Builds a [`Schema`], field by field. Unknown fields are allowed unless it is
/// [`strict`](SchemaBuilder::strict).
///
/// ```
/// use velocitydb::schema::{Field, Schema};
///
/// # fn main() -> velocitydb::Result<()> {
/// let schema = Schema::builder()
///     .field("name", Field::string().required().max_length(100))
///     .field("email", Field::string().pattern("^[^@]+@[^@]+$").unique())
///     .field("age", Field::int().range(0..=150).default(18))
///     .field("state", Field::string().one_of(["waiting", "running"]))
///     .field("tags", Field::array(Field::string()))
///     .field("address", Field::object().field("zip", Field::string().required()))
///     .strict()
///     .build()?;
/// assert_eq!(schema.index_requests().len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct SchemaBuilder {
    whole: Field,
}

impl Schema {
    /// Builds a schema without JSON.
    pub fn builder() -> SchemaBuilder {
        SchemaBuilder::new()
    }
}

impl SchemaBuilder {
    pub(super) fn new() -> Self {
        SchemaBuilder { whole: Field::object() }
    }

    /// Adds a field. A field that is added again replaces the first one.
    pub fn field(mut self, name: impl Into<String>, field: Field) -> Self {
        self.whole = self.whole.field(name, field);
        self
    }

    /// Allows no other fields than the added ones.
    pub fn strict(mut self) -> Self {
        self.whole = self.whole.strict();
        self
    }

    /// Describes the documents.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.whole = self.whole.description(text);
        self
    }

    /// Generates and compiles the schema. An error says which field is wrong.
    pub fn build(self) -> Result<Schema> {
        let mut object = self.whole.into_schema(&mut Vec::new())?;
        // Documents are always objects.
        object.remove("type");
        object.remove("storedType");
        object.prepend([("$schema", DRAFT)]);
        let schema = Schema::from_object(&object)?;
        check_defaults(&schema)?;
        Ok(schema)
    }
}

/// Checks that every default satisfies the schema of its own field.
fn check_defaults(schema: &Schema) -> Result<()> {
    let example = schema.example_of_defaults();
    let violations = schema.validate(Encoded::from_object(&example)?.view())?;
    let violations = violations.map(velocitydb_core::Violations::into_vec).unwrap_or_default();
    match violations.into_iter().find(|violation| violation.rule != "required") {
        Some(violation) => {
            let text = format!("has a default that is not valid for its field: {violation}");
            Err(problem(violation.path, text))
        }
        None => Ok(()),
    }
}

/// One field of a schema: its type and further rules.
///
/// A field that is not [`required`](Field::required) may be missing; it can be null only if it
/// is [`nullable`](Field::nullable).
#[derive(Debug, Clone)]
#[must_use = "a field does nothing until it is added to a schema"]
pub struct Field {
    kind: FieldKind,
    schema: Object,
    fields: Vec<(String, Field)>,
    items: Option<Box<Field>>,
    is_required: bool,
    is_nullable: bool,
    mistake: Option<(&'static str, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldKind {
    String,
    Int,
    Float,
    Bool,
    Time,
    Bytes,
    Decimal,
    ObjectId,
    Uuid,
    Array,
    Object,
    Any,
}

impl FieldKind {
    /// The types in JSON Schema and as stored; empty if every type is allowed.
    fn types(self) -> (&'static str, &'static str) {
        match self {
            FieldKind::Any => ("", ""),
            FieldKind::Bytes => ("string", "bytes"),
            FieldKind::String => ("string", "string"),
            FieldKind::Int => ("integer", "int"),
            FieldKind::Float => ("number", "float"),
            FieldKind::Bool => ("boolean", "bool"),
            FieldKind::Time => ("string", "time"),
            FieldKind::Decimal => ("number", "decimal"),
            FieldKind::ObjectId => ("string", "objectId"),
            FieldKind::Uuid => ("string", "binary"),
            FieldKind::Array => ("array", "array"),
            FieldKind::Object => ("object", "object"),
        }
    }
}

impl Field {
    /// Text.
    pub fn string() -> Self {
        Self::new(FieldKind::String)
    }

    /// An integer, signed or unsigned, of 64 bits.
    pub fn int() -> Self {
        Self::new(FieldKind::Int)
    }

    /// A number: a float, but neither NaN nor infinite, or an integer.
    pub fn float() -> Self {
        Self::new(FieldKind::Float)
    }

    /// True or false.
    pub fn bool() -> Self {
        Self::new(FieldKind::Bool)
    }

    /// A point in time, stored as one and not as text.
    pub fn time() -> Self {
        let mut field = Self::new(FieldKind::Time);
        field.schema.insert("format", "date-time");
        field
    }

    /// Arbitrary bytes, stored as such and not as text.
    pub fn bytes() -> Self {
        Self::new(FieldKind::Bytes)
    }

    /// A number: a decimal, but neither NaN nor infinite, or an integer.
    pub fn decimal() -> Self {
        Self::new(FieldKind::Decimal)
    }

    /// An ObjectId, stored as one and not as text.
    pub fn object_id() -> Self {
        Self::new(FieldKind::ObjectId)
    }

    /// A UUID, stored as binary and not as text.
    pub fn uuid() -> Self {
        let mut field = Self::new(FieldKind::Uuid);
        // Other binary is seen as its base64.
        field.schema.insert("pattern", "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$");
        field
    }

    /// A value of any type, null included.
    pub fn any() -> Self {
        Self::new(FieldKind::Any)
    }

    /// A list of values, each valid for the given field.
    pub fn array(items: Field) -> Self {
        let mut field = Self::new(FieldKind::Array);
        field.items = Some(Box::new(items));
        field
    }

    /// An object; its fields are added by [`Field::field`].
    pub fn object() -> Self {
        Self::new(FieldKind::Object)
    }

    fn new(kind: FieldKind) -> Self {
        let schema = match kind.types() {
            ("", _) => Object::new(),
            (json, stored) => object! { "type": json, "storedType": stored },
        };
        Field {
            kind,
            schema,
            fields: Vec::new(),
            items: None,
            is_required: false,
            is_nullable: false,
            mistake: None,
        }
    }

    /// Adds a field of an object. A field that is added again replaces the first one.
    pub fn field(mut self, name: impl Into<String>, field: Field) -> Self {
        let name = name.into();
        self.fields.retain(|(other, _)| *other != name);
        self.fields.push((name, field));
        self.only("properties", &[FieldKind::Object])
    }

    /// Allows no other fields of an object than the added ones.
    pub fn strict(self) -> Self {
        self.set("additionalProperties", false, &[FieldKind::Object])
    }

    /// The field has to be there.
    pub fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// The field may be null as well, like an `Option` that is `None`. A missing field stays
    /// missing, and is not null. In a unique index null is a value like any other.
    pub fn nullable(mut self) -> Self {
        self.is_nullable = true;
        self
    }

    /// The value that a missing field gets.
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.schema.insert("default", value);
        self
    }

    /// No two documents have the same value; requests a unique index.
    pub fn unique(mut self) -> Self {
        self.schema.insert("unique", true);
        self
    }

    /// Requests an index.
    pub fn indexed(mut self) -> Self {
        self.schema.insert("indexed", true);
        self
    }

    /// The only valid values.
    pub fn one_of<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Self {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            return self.mistaken("enum", "is empty, so that no value is valid");
        }
        let kind = self.kind;
        self.set("enum", values, &[kind])
    }

    /// The smallest and the largest number; an end that is left open has no bound.
    pub fn range<N: Into<Value> + Clone>(self, range: impl RangeBounds<N>) -> Self {
        let numbers = [FieldKind::Int, FieldKind::Float, FieldKind::Decimal];
        let (lower, upper) = (range.start_bound().cloned(), range.end_bound().cloned());
        let (lower, upper) = (lower.map(Into::<Value>::into), upper.map(Into::<Value>::into));
        let is_empty = match (&lower, &upper) {
            (Bound::Included(lower), Bound::Included(upper)) => lower > upper,
            (
                Bound::Included(lower) | Bound::Excluded(lower),
                Bound::Included(upper) | Bound::Excluded(upper),
            ) => lower >= upper,
            _ => false,
        };
        if is_empty {
            return self.mistaken("minimum", "is above the maximum, so that no number fits");
        }
        let with_lower = match lower {
            Bound::Included(lower) => self.set("minimum", lower, &numbers),
            Bound::Excluded(lower) => self.set("exclusiveMinimum", lower, &numbers),
            Bound::Unbounded => self,
        };
        match upper {
            Bound::Included(upper) => with_lower.set("maximum", upper, &numbers),
            Bound::Excluded(upper) => with_lower.set("exclusiveMaximum", upper, &numbers),
            Bound::Unbounded => with_lower,
        }
    }

    /// The shortest text, in characters.
    pub fn min_length(self, chars: u32) -> Self {
        self.set("minLength", chars, &[FieldKind::String])
    }

    /// The longest text, in characters.
    pub fn max_length(self, chars: u32) -> Self {
        self.set("maxLength", chars, &[FieldKind::String])
    }

    /// A regular expression that is found in the text; anchor it by `^` and `$`.
    pub fn pattern(self, pattern: impl Into<String>) -> Self {
        self.set("pattern", pattern.into(), &[FieldKind::String])
    }

    /// The smallest number of elements of an array.
    pub fn min_items(self, count: u32) -> Self {
        self.set("minItems", count, &[FieldKind::Array])
    }

    /// The largest number of elements of an array.
    pub fn max_items(self, count: u32) -> Self {
        self.set("maxItems", count, &[FieldKind::Array])
    }

    /// Describes the field.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.schema.insert("description", text.into());
        self
    }

    fn set(mut self, keyword: &'static str, value: impl Into<Value>, kinds: &[FieldKind]) -> Self {
        self.schema.insert(keyword, value);
        self.only(keyword, kinds)
    }

    /// Records a mistake unless the field is of one of these kinds.
    fn only(self, keyword: &'static str, kinds: &[FieldKind]) -> Self {
        if kinds.contains(&self.kind) {
            return self;
        }
        let names: Vec<_> = kinds.iter().map(|kind| kind.types().1).collect();
        let text = format!("is for fields of type {}", names.join(" or "));
        self.mistaken(keyword, &text)
    }

    /// Records the first mistake, for [`SchemaBuilder::build`] to report.
    fn mistaken(mut self, keyword: &'static str, text: &str) -> Self {
        self.mistake.get_or_insert((keyword, text.to_owned()));
        self
    }

    /// The field as a schema; `way` is its path.
    fn into_schema(mut self, way: &mut Vec<String>) -> Result<Object> {
        if let Some((keyword, text)) = self.mistake {
            let steps = way.iter().map(String::as_str).chain([keyword]);
            return Err(problem(dotted(steps), text));
        }
        if self.is_nullable && self.kind != FieldKind::Any {
            let (json, stored) = self.kind.types();
            self.schema.insert("type", [json, "null"]);
            self.schema.insert("storedType", [stored, "null"]);
        }
        if let (true, Some(Value::Array(values))) = (self.is_nullable, self.schema.get_mut("enum"))
        {
            values.push(Value::Null);
        }
        // Deeper fields are refused with the whole schema later, and must not exhaust the
        // stack before.
        if way.len() > 2 * velocitydb_core::limits::DEPTH_MAX {
            return Err(problem(String::new(), "is nested too deeply".to_owned()));
        }
        if let Some(items) = self.items {
            way.push("items".to_owned());
            self.schema.insert("items", items.into_schema(way)?);
            way.pop();
        }
        let names = self.fields.iter().filter(|(_, field)| field.is_required);
        let required: Vec<Value> = names.map(|(name, _)| name.as_str().into()).collect();
        if !required.is_empty() {
            self.schema.insert("required", required);
        }
        if !self.fields.is_empty() {
            let mut properties = Object::new();
            way.push("properties".to_owned());
            for (name, field) in self.fields {
                way.push(name.clone());
                properties.insert(name, field.into_schema(way)?);
                way.pop();
            }
            way.pop();
            self.schema.insert("properties", properties);
        }
        Ok(self.schema)
    }
}
