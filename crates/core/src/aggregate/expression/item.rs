//! The result of an expression: a borrowed, encoded or owned value, or none. Owns reading it
//! without decoding or copying it.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::{Decimal, Kind, RawValue, Result, Time, Value};

/// The result of an expression.
#[derive(Debug, Clone)]
pub(in crate::aggregate) enum Item<'e> {
    /// No value, which is less than null.
    Missing,
    Raw(RawValue<'e>),
    Ref(&'e Value),
    Owned(Value),
}

/// A number of any type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::aggregate) enum Number {
    Int(i128),
    Float(f64),
    Decimal(Decimal),
}

impl Number {
    pub(in crate::aggregate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(value) => Some(Self::Int((*value).into())),
            Value::UInt(value) => Some(Self::Int((*value).into())),
            Value::Float(value) => Some(Self::Float(*value)),
            Value::Decimal(value) => Some(Self::Decimal(*value)),
            _ => None,
        }
    }

    pub(in crate::aggregate) fn to_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
            Self::Decimal(value) => value.to_f64(),
        }
    }

    /// As a decimal, to which arithmetic with one converts the other number: integers exactly if they
    /// fit, floats to 15 digits.
    pub(in crate::aggregate) fn to_decimal(self) -> Decimal {
        match self {
            Self::Int(value) => Decimal::nearest(value),
            Self::Float(value) => Decimal::from_f64(value),
            Self::Decimal(value) => value,
        }
    }

    pub(in crate::aggregate) fn is_zero(self) -> bool {
        match self {
            Self::Int(value) => value == 0,
            Self::Float(value) => value == 0.0,
            Self::Decimal(value) => value.is_zero(),
        }
    }

    pub(in crate::aggregate) fn is_negative(self) -> bool {
        match self {
            Self::Int(value) => value < 0,
            Self::Float(value) => value < 0.0,
            Self::Decimal(value) => value < Decimal::ZERO && !value.is_nan(),
        }
    }

    /// As an integer if it fits 64 bits, and as a float otherwise.
    pub(in crate::aggregate) fn into_value(self) -> Value {
        match self {
            Self::Int(value) => Value::integer(value).unwrap_or(Value::Float(value as f64)),
            Self::Float(value) => Value::Float(value),
            Self::Decimal(value) => Value::Decimal(value),
        }
    }

    /// Its value as an integer if it is whole, whatever its type.
    pub(in crate::aggregate) fn as_whole(self) -> Option<i64> {
        match self {
            Self::Int(value) => i64::try_from(value).ok(),
            Self::Float(value) => {
                let whole = value as i64;
                (whole as f64 == value && value.abs() < 9e18).then_some(whole)
            }
            Self::Decimal(value) => {
                let whole = value.to_integer().filter(|_| value.is_whole())?;
                i64::try_from(whole).ok()
            }
        }
    }
}

impl<'e> Item<'e> {
    pub(in crate::aggregate) fn bool(value: bool) -> Self {
        Self::Owned(Value::Bool(value))
    }

    pub(in crate::aggregate) fn null() -> Self {
        Self::Owned(Value::Null)
    }

    pub(in crate::aggregate) fn from_option(value: Option<Value>) -> Self {
        value.map_or(Self::Missing, Self::Owned)
    }

    #[inline]
    pub(in crate::aggregate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Missing => None,
            Self::Raw(value) => Some(value.kind()),
            Self::Ref(value) => Some(value.kind()),
            Self::Owned(value) => Some(value.kind()),
        }
    }

    /// The name of its type in messages.
    pub(in crate::aggregate) fn kind_name(&self) -> &'static str {
        self.kind().map_or("missing", Kind::as_str)
    }

    /// Whether it is null or missing.
    #[inline]
    pub(in crate::aggregate) fn is_nullish(&self) -> bool {
        matches!(self.kind(), None | Some(Kind::Null))
    }

    /// The value; null if there is none.
    pub(in crate::aggregate) fn into_value(self) -> Result<Value> {
        Ok(self.into_option()?.unwrap_or_default())
    }

    pub(in crate::aggregate) fn into_option(self) -> Result<Option<Value>> {
        Ok(match self {
            Self::Missing => None,
            Self::Raw(value) => Some(value.to_value()?),
            Self::Ref(value) => Some(value.clone()),
            Self::Owned(value) => Some(value),
        })
    }

    /// The value, copied if it was borrowed.
    pub(in crate::aggregate) fn detach(self) -> Result<Item<'static>> {
        Ok(Item::from_option(self.into_option()?))
    }

    #[inline]
    pub(in crate::aggregate) fn number(&self) -> Result<Option<Number>> {
        match self {
            Self::Missing => Ok(None),
            Self::Raw(raw) => Ok(match raw.kind() {
                Kind::Int => raw.as_i64()?.map(|value| Number::Int(value.into())),
                Kind::UInt => raw.as_u64()?.map(|value| Number::Int(value.into())),
                Kind::Float => raw.as_f64()?.map(Number::Float),
                Kind::Decimal => raw.as_decimal()?.map(Number::Decimal),
                _ => None,
            }),
            Self::Ref(value) => Ok(Number::of(value)),
            Self::Owned(value) => Ok(Number::of(value)),
        }
    }

    pub(in crate::aggregate) fn text(&self) -> Result<Option<&str>> {
        match self {
            Self::Missing => Ok(None),
            Self::Raw(raw) => raw.as_str(),
            Self::Ref(value) => Ok(value.as_str()),
            Self::Owned(value) => Ok(value.as_str()),
        }
    }

    pub(in crate::aggregate) fn time(&self) -> Result<Option<Time>> {
        match self {
            Self::Missing => Ok(None),
            Self::Raw(raw) => raw.as_time(),
            Self::Ref(value) => Ok(value.as_time()),
            Self::Owned(value) => Ok(value.as_time()),
        }
    }

    /// The value, decoded if need be; `None` if there is none.
    pub(in crate::aggregate) fn as_value(&self) -> Result<Option<Cow<'_, Value>>> {
        Ok(match self {
            Self::Missing => None,
            Self::Raw(raw) => Some(Cow::Owned(raw.to_value()?)),
            Self::Ref(value) => Some(Cow::Borrowed(value)),
            Self::Owned(value) => Some(Cow::Borrowed(value)),
        })
    }

    /// Its truth value as a condition: false, null, missing and zero are false, and all else
    /// is true.
    pub(in crate::aggregate) fn is_true(&self) -> Result<bool> {
        Ok(match self.kind() {
            None | Some(Kind::Null) => false,
            Some(Kind::Bool) => match self {
                Self::Raw(raw) => raw.as_bool()? == Some(true),
                Self::Ref(value) => value.as_bool() == Some(true),
                Self::Owned(value) => value.as_bool() == Some(true),
                Self::Missing => false,
            },
            Some(kind) if kind.is_number() => {
                self.number()?.is_some_and(|number| !number.is_zero())
            }
            Some(_) => true,
        })
    }

    /// Compares in the total order, in which a missing value is the least.
    pub(in crate::aggregate) fn compare(&self, other: &Item<'_>) -> Result<Ordering> {
        match (self, other) {
            (Item::Missing, Item::Missing) => Ok(Ordering::Equal),
            (Item::Missing, _) => Ok(Ordering::Less),
            (_, Item::Missing) => Ok(Ordering::Greater),
            (Item::Raw(a), Item::Raw(b)) => a.compare(*b),
            (Item::Raw(a), Item::Ref(b)) => a.compare_value(b),
            (Item::Raw(a), Item::Owned(b)) => a.compare_value(b),
            (Item::Ref(a), Item::Raw(b)) => Ok(b.compare_value(a)?.reverse()),
            (Item::Owned(a), Item::Raw(b)) => Ok(b.compare_value(a)?.reverse()),
            (Item::Ref(a), Item::Ref(b)) => Ok(a.compare(b)),
            (Item::Ref(a), Item::Owned(b)) => Ok(a.compare(b)),
            (Item::Owned(a), Item::Ref(b)) => Ok(a.compare(b)),
            (Item::Owned(a), Item::Owned(b)) => Ok(a.compare(b)),
        }
    }

    /// Compares with a value that is not missing.
    pub(in crate::aggregate) fn compare_value(&self, other: &Value) -> Result<Ordering> {
        match self {
            Item::Missing => Ok(Ordering::Less),
            Item::Raw(value) => value.compare_value(other),
            Item::Ref(value) => Ok(value.compare(other)),
            Item::Owned(value) => Ok(value.compare(other)),
        }
    }
}

impl From<Value> for Item<'_> {
    fn from(value: Value) -> Self {
        Self::Owned(value)
    }
}
