//! The names and numbers of types, as `docs/queries.md` lists them.

use velocitydb_core::Value;

use super::order::is_equal;

/// MongoDB's name of a type, its number, and our own name if there is one.
const TYPES: [(&str, i64, &str); 21] = [
    ("double", 1, "float"),
    ("string", 2, ""),
    ("object", 3, ""),
    ("array", 4, ""),
    ("binData", 5, "bytes"),
    ("undefined", 6, ""),
    ("objectId", 7, ""),
    ("bool", 8, ""),
    ("date", 9, "time"),
    ("null", 10, ""),
    ("regex", 11, ""),
    ("dbPointer", 12, ""),
    ("javascript", 13, ""),
    ("symbol", 14, ""),
    ("javascriptWithScope", 15, ""),
    ("int", 16, "integer"),
    ("timestamp", 17, ""),
    ("long", 18, "integer"),
    ("decimal", 19, ""),
    ("minKey", -1, ""),
    ("maxKey", 127, ""),
];

/// MongoDB's name of the type of a value.
pub fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(value) if i32::try_from(*value).is_ok() => "int",
        Value::Int(_) | Value::UInt(_) => "long",
        Value::Float(_) => "double",
        Value::Decimal(_) => "decimal",
        Value::String(_) => "string",
        Value::Bytes(_) | Value::Binary(_) => "binData",
        Value::ObjectId(_) => "objectId",
        Value::Foreign(value) => value.kind().as_str(),
        Value::Time(_) => "date",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether a value is of the type that a name or a number stands for.
pub fn has_type(value: &Value, wanted: &Value) -> bool {
    let found = type_of(value);
    if wanted.as_str() == Some("number") {
        return ["int", "long", "double", "decimal"].contains(&found);
    }
    TYPES.iter().filter(|(name, ..)| *name == found).any(|(name, number, ours)| {
        match wanted.as_str() {
            Some(wanted) => wanted == *name || (wanted == *ours && !ours.is_empty()),
            None => is_equal(wanted, &(*number).into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_names_and_a_number() {
        let holds = |value: Value, wanted: Value| has_type(&value, &wanted);
        for name in [Value::from("long"), "integer".into(), "number".into(), 18.into(), 18.0.into()]
        {
            assert!(holds((1_i64 << 31).into(), name.clone()), "{name}");
        }
        assert!(!holds((1_i64 << 31).into(), "int".into()));
        assert!(!holds("".into(), "".into()) && !holds(Value::Null, "number".into()));
    }
}
