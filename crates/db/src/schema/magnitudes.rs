//! The keywords that compare numbers, `const` among them. The validator rounds numbers that are not of 64 bits to floats;
//! here a decimal is compared exactly with the text of the limit, so that the decimal `0.1` is
//! `{"minimum": 0.1}`, and one that is smaller by 10^-30 is not.

use jsonschema::json::Node as _;
use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError};
use jsonschema_value::numeric;
use serde_json::{Map, Value as Json};
use velocitydb_core::Decimal;

use super::values::{Number, decimal_of};
use super::view::{Stored, View};

/// Whether a number keeps a limit, by the keyword that sets it.
pub(super) fn is_within(name: &str, number: Number, limit: &serde_json::Number) -> bool {
    if let (Number::Decimal(number), Some(limit)) = (number, decimal_of(limit)) {
        return match name {
            "minimum" => number >= limit,
            "maximum" => number <= limit,
            "exclusiveMinimum" => number > limit,
            _ => number < limit,
        };
    }
    macro_rules! compare {
        ($limit:expr) => {
            match name {
                "minimum" => numeric::ge(&number, $limit),
                "maximum" => numeric::le(&number, $limit),
                "exclusiveMinimum" => numeric::gt(&number, $limit),
                _ => numeric::lt(&number, $limit),
            }
        };
    }
    match (limit.as_u64(), limit.as_i64(), limit.as_f64()) {
        (Some(limit), ..) => compare!(limit),
        (_, Some(limit), _) => compare!(limit),
        (_, _, Some(limit)) => compare!(limit),
        _ => true,
    }
}

/// Whether a number is a multiple of another one.
pub(super) fn is_multiple(number: Number, divisor: f64) -> bool {
    let decimal = serde_json::Number::from_f64(divisor).and_then(|divisor| decimal_of(&divisor));
    match (number, decimal) {
        (Number::Decimal(number), Some(divisor)) => (number % divisor) == Decimal::ZERO,
        _ if divisor.fract() == 0.0 => numeric::is_multiple_of_integer(&number, divisor),
        _ => numeric::is_multiple_of_float(&number, divisor),
    }
}

/// One of the keywords, for the validator.
struct Comparison {
    name: &'static str,
    limit: serde_json::Number,
}

impl<'i> Keyword<'i, Stored> for Comparison {
    fn validate(&self, value: View<'i>) -> Result<(), ValidationError<'i>> {
        match self.is_valid(value) {
            true => Ok(()),
            false => Err(ValidationError::custom(format!("{} is {}", self.name, self.limit))),
        }
    }

    fn is_valid(&self, value: View<'i>) -> bool {
        let Some(number) = value.as_number() else { return true };
        match (self.name, self.limit.as_f64()) {
            ("multipleOf", Some(divisor)) => is_multiple(number, divisor),
            (name, _) => is_within(name, number, &self.limit),
        }
    }
}

/// The keyword `const`, for the validator.
struct Constant(Json);

impl<'i> Keyword<'i, Stored> for Constant {
    fn validate(&self, value: View<'i>) -> Result<(), ValidationError<'i>> {
        match self.is_valid(value) {
            true => Ok(()),
            false => Err(ValidationError::custom("const is another value")),
        }
    }

    fn is_valid(&self, value: View<'i>) -> bool {
        value.equals_value(&self.0)
    }
}

/// Creates the keyword for the validator.
pub(super) fn constant<'a>(
    _schema: &'a Map<String, Json>,
    value: &'a Json,
    _place: Location,
) -> Result<Box<dyn for<'i> Keyword<'i, Stored>>, ValidationError<'a>> {
    Ok(Box::new(Constant(value.clone())))
}

macro_rules! factories {
    ($($function:ident => $name:literal;)*) => {$(
        /// Creates the keyword for the validator.
        pub(super) fn $function<'a>(
            _schema: &'a Map<String, Json>,
            value: &'a Json,
            _place: Location,
        ) -> Result<Box<dyn for<'i> Keyword<'i, Stored>>, ValidationError<'a>> {
            match value.as_number() {
                Some(limit) => Ok(Box::new(Comparison { name: $name, limit: limit.clone() })),
                None => Err(ValidationError::custom(concat!($name, " takes a number"))),
            }
        }
    )*};
}

factories! {
    minimum => "minimum";
    maximum => "maximum";
    exclusive_minimum => "exclusiveMinimum";
    exclusive_maximum => "exclusiveMaximum";
    multiple_of => "multipleOf";
}
