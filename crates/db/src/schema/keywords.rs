//! Restrictions of single keywords beyond JSON Schema; and our own keyword `storedType`.

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value as Json};
use velocitydb_core::Kind;
use velocitydb_core::limits::FIELD_NAME_BYTES_MAX;

use super::view::{Stored, View};

/// The keyword that checks the stored type.
pub(super) const STORED_TYPE: &str = "storedType";

/// The only supported draft, as `$schema` names it.
pub(super) const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The largest divisor that is not rounded.
const MULTIPLE_OF_MAX: u64 = 1 << 53;

/// Checks the value of a keyword that holds no schema; an error is the end of a sentence.
pub(super) fn check(keyword: &str, value: &Json) -> Result<(), String> {
    match keyword {
        "$schema" => match value.as_str() {
            Some(draft) if draft.trim_end_matches('#') == DRAFT => Ok(()),
            _ => Err(format!("is {}; leave it out, or say {DRAFT:?}", short(value))),
        },
        "dependencies" => {
            Err("is of an older draft; use dependentRequired or dependentSchemas".to_owned())
        }
        "multipleOf" if is_above(value, MULTIPLE_OF_MAX) => {
            Err(format!("is above {MULTIPLE_OF_MAX}, and would be rounded; use a smaller one"))
        }
        "required" => check_names(value),
        "dependentRequired" => {
            value.as_object().map_or(Ok(()), |names| names.values().try_for_each(check_names))
        }
        STORED_TYPE => StoredType::of(value).map(drop),
        _ => Ok(()),
    }
}

fn is_above(value: &Json, max: u64) -> bool {
    match value.as_u64() {
        Some(value) => value > max,
        None => value.as_f64().is_some_and(|value| value > max as f64),
    }
}

/// A name that no field can have because of its length would be copied into every violation.
fn check_names(names: &Json) -> Result<(), String> {
    let names = names.as_array().into_iter().flatten().filter_map(Json::as_str);
    match names.map(str::len).max() {
        Some(length) if length > FIELD_NAME_BYTES_MAX => Err(format!(
            "names a field of {length} bytes, and names have at most {FIELD_NAME_BYTES_MAX}"
        )),
        _ => Ok(()),
    }
}

fn short(value: &Json) -> String {
    super::violation::start_of(value, 100)
}

/// The keyword `storedType`: which types a value may be stored as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredType(Vec<Allowed>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Null,
    Bool,
    Int,
    Float,
    String,
    Time,
    Bytes,
    Array,
    Object,
    Decimal,
    ObjectId,
    Binary,
}

impl Allowed {
    const ALL: [Allowed; 12] = [
        Allowed::Null,
        Allowed::Bool,
        Allowed::Int,
        Allowed::Float,
        Allowed::String,
        Allowed::Time,
        Allowed::Bytes,
        Allowed::Array,
        Allowed::Object,
        Allowed::Decimal,
        Allowed::ObjectId,
        Allowed::Binary,
    ];

    fn name(self) -> &'static str {
        match self {
            Allowed::Null => "null",
            Allowed::Bool => "bool",
            Allowed::Int => "int",
            Allowed::Float => "float",
            Allowed::String => "string",
            Allowed::Time => "time",
            Allowed::Bytes => "bytes",
            Allowed::Array => "array",
            Allowed::Object => "object",
            Allowed::Decimal => "decimal",
            Allowed::ObjectId => "objectId",
            Allowed::Binary => "binary",
        }
    }

    /// In JSON an integer cannot be distinguished from a float that is whole, and it is a decimal
    /// exactly.
    fn takes(self, kind: Kind) -> bool {
        match kind {
            Kind::Null => self == Allowed::Null,
            Kind::Bool => self == Allowed::Bool,
            Kind::Int | Kind::UInt => {
                matches!(self, Allowed::Int | Allowed::Float | Allowed::Decimal)
            }
            Kind::Float => self == Allowed::Float,
            Kind::String => self == Allowed::String,
            Kind::Bytes => self == Allowed::Bytes,
            Kind::Time => self == Allowed::Time,
            Kind::Array => self == Allowed::Array,
            Kind::Object => self == Allowed::Object,
            Kind::Decimal => self == Allowed::Decimal,
            Kind::ObjectId => self == Allowed::ObjectId,
            Kind::Binary => self == Allowed::Binary,
            Kind::Foreign(_) => false,
        }
    }
}

impl StoredType {
    /// Reads the value of the keyword; an error is the end of a sentence.
    pub(super) fn of(value: &Json) -> Result<Self, String> {
        let names = match value {
            Json::Array(names) if !names.is_empty() => names.as_slice(),
            Json::Array(_) => return Err("is empty, so that no value is valid".to_owned()),
            name => std::slice::from_ref(name),
        };
        let allowed = names.iter().map(|name| {
            let known = Allowed::ALL.into_iter().find(|known| name.as_str() == Some(known.name()));
            known.ok_or_else(|| {
                let known = Allowed::ALL.map(Allowed::name).join(", ");
                format!("names the type {}; the types are {known}", short(name))
            })
        });
        Ok(StoredType(allowed.collect::<Result<_, _>>()?))
    }

    /// The required types, and the actual one.
    pub(super) fn demand(&self, kind: Kind) -> String {
        let names: Vec<_> = self.0.iter().map(|allowed| allowed.name()).collect();
        format!("must be stored as {}, and is of type {kind}", names.join(" or "))
    }

    /// Whether a value may be stored as this type.
    pub(super) fn takes(&self, kind: Kind) -> bool {
        self.0.iter().any(|allowed| allowed.takes(kind))
    }

    /// Creates the keyword for the validator.
    pub(super) fn factory<'a>(
        _schema: &'a Map<String, Json>,
        value: &'a Json,
        _place: Location,
    ) -> Result<Box<dyn for<'i> Keyword<'i, Stored>>, ValidationError<'a>> {
        Ok(Box::new(StoredType::of(value).map_err(ValidationError::custom)?))
    }
}

impl<'i> Keyword<'i, Stored> for StoredType {
    fn validate(&self, value: View<'i>) -> Result<(), ValidationError<'i>> {
        let kind = value.stored_kind();
        if self.takes(kind) {
            return Ok(());
        }
        Err(ValidationError::custom(self.demand(kind)))
    }

    fn is_valid(&self, value: View<'i>) -> bool {
        self.takes(value.stored_kind())
    }
}
