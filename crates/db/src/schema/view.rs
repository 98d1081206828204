//! The validator's view of a stored document: field by field, without decoding it. Counts every
//! access, so that validating ends. Knows no keyword and no rule.

use std::borrow::Cow;
use std::cmp::Ordering;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object};
use jsonschema_value::LazyInstance;
use velocitydb_core::raw::{RawFields, RawItems};
use velocitydb_core::{Kind, RawArray, RawObject, RawValue};

use super::meter::{BYTES_PER_STEP, Meter};
use super::values::{Number, equals, number_of, text_of, to_json};

/// The representation: documents as they are stored.
pub(super) struct Stored;

impl Json for Stored {
    type Node<'a> = View<'a>;
    type PreparedKey = Box<str>;
    type StringBuffer = ();

    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>(_buffer: &mut (), string: &str, f: impl FnOnce(View<'_>) -> T) -> T {
        f(View::Name(string))
    }
}

/// One value of a document, or the name of one of its fields.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    /// A value.
    Value(RawValue<'a>, &'a Meter),
    /// A field's name, for `propertyNames`. It was counted with its field.
    Name(&'a str),
}

impl<'a> View<'a> {
    /// The stored type, for the keyword `storedType`; a name is a string.
    pub(super) fn stored_kind(&self) -> Kind {
        match self {
            View::Value(value, _) => value.kind(),
            View::Name(_) => Kind::String,
        }
    }

    /// The stored value; `None` for a name.
    pub(super) fn raw(&self) -> Option<RawValue<'a>> {
        match self {
            View::Value(value, _) => Some(*value),
            View::Name(_) => None,
        }
    }

    /// An address that is unique among the values of one document; `None` for a name.
    pub(super) fn address(&self) -> Option<usize> {
        self.raw().map(|value| value.as_encoded().as_ptr() as usize)
    }

    /// Takes one step and returns the value, unless the steps are used up.
    #[inline]
    fn value_for_a_step(&self) -> Option<(RawValue<'a>, &'a Meter)> {
        match self {
            View::Value(value, meter) => meter.take_step().then_some((*value, *meter)),
            View::Name(_) => None,
        }
    }

    /// The text of a value that is a string in JSON Schema, and the meter of its steps.
    fn text(&self) -> Option<(Cow<'a, str>, Option<&'a Meter>)> {
        if let View::Name(name) = self {
            return Some((Cow::Borrowed(name), None));
        }
        let (value, meter) = self.value_for_a_step()?;
        let text = meter.read(text_of(value))??;
        Some((text, Some(meter)))
    }
}

impl<'a> Node<'a, Stored> for View<'a> {
    type Object = Fields<'a>;
    type Array = Items<'a>;
    type Number = Number;

    #[inline]
    fn as_object(&self) -> Option<Fields<'a>> {
        let (value, meter) = self.value_for_a_step()?;
        Some(Fields { object: meter.read(value.as_object())??, meter })
    }

    #[inline]
    fn as_array(&self) -> Option<Items<'a>> {
        let (value, meter) = self.value_for_a_step()?;
        Some(Items { array: meter.read(value.as_array())??, meter })
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let (text, meter) = self.text()?;
        if let Some(meter) = meter {
            let bytes = text.len() as u64;
            let steps = bytes.saturating_mul(meter.weights.string_byte);
            if !meter.spend(steps.saturating_add(bytes / BYTES_PER_STEP)) {
                return None;
            }
        }
        Some(text)
    }

    #[inline]
    fn as_number(&self) -> Option<Number> {
        let (value, meter) = self.value_for_a_step()?;
        meter.read(number_of(value))?
    }

    fn as_boolean(&self) -> Option<bool> {
        let (value, meter) = self.value_for_a_step()?;
        meter.read(value.as_bool())?
    }

    fn is_null(&self) -> bool {
        self.json_type() == JsonType::Null
    }

    #[inline]
    fn json_type(&self) -> JsonType {
        if let View::Name(_) = self {
            return JsonType::String;
        }
        let Some((value, _)) = self.value_for_a_step() else { return JsonType::Null };
        match value.kind() {
            Kind::Null => JsonType::Null,
            Kind::Bool => JsonType::Boolean,
            Kind::Int | Kind::UInt => JsonType::Number,
            Kind::Float => match value.as_f64() {
                Ok(Some(float)) if !float.is_finite() => JsonType::String,
                _ => JsonType::Number,
            },
            Kind::Decimal => match value.as_decimal() {
                Ok(Some(decimal)) if !decimal.is_finite() => JsonType::String,
                _ => JsonType::Number,
            },
            Kind::String | Kind::Bytes | Kind::Binary | Kind::Time | Kind::ObjectId => {
                JsonType::String
            }
            Kind::Foreign(_) => JsonType::String,
            Kind::Array => JsonType::Array,
            Kind::Object => JsonType::Object,
        }
    }

    fn string_length(&self) -> Option<u64> {
        let (text, meter) = self.text()?;
        meter.is_none_or(|meter| meter.spend(text.len() as u64 / BYTES_PER_STEP)).then_some(())?;
        Some(text.chars().count() as u64)
    }

    fn equals_value(&self, expected: &serde_json::Value) -> bool {
        match self {
            View::Name(name) => expected.as_str() == Some(name),
            View::Value(value, meter) => {
                meter.read(equals(*value, expected, meter)).unwrap_or_default()
            }
        }
    }

    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        Cow::Owned(match self {
            View::Name(name) => serde_json::Value::from(*name),
            View::Value(value, meter) => {
                if !meter.spend(value.as_encoded().len() as u64) {
                    return Cow::Owned(serde_json::Value::Null);
                }
                meter.read(value.to_value()).map(|value| to_json(&value)).unwrap_or_default()
            }
        })
    }

    /// The library's errors are not used, so they hold no values.
    fn lazy_value(&self) -> LazyInstance<'a> {
        LazyInstance::Ready(Cow::Owned(serde_json::Value::Null))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(match self {
            View::Value(value, _) => NodeIdentity::new(value.as_encoded().as_ptr() as usize),
            View::Name(name) => NodeIdentity::tagged(name.as_ptr() as usize, 1),
        })
    }
}

/// The fields of an object.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    object: RawObject<'a>,
    meter: &'a Meter,
}

impl<'a> Object<'a, Stored> for Fields<'a> {
    type Node = View<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        if self.meter.is_exhausted() { 0 } else { self.object.len() }
    }

    #[inline]
    fn get(&self, key: &Box<str>) -> Option<View<'a>> {
        self.meter.take_step().then_some(())?;
        let value = self.meter.read(self.object.get(key))??;
        Some(View::Value(value, self.meter))
    }

    fn members(&self) -> Members<'a> {
        Members { fields: self.object.iter(), meter: self.meter }
    }
}

/// The fields of an object, one after another.
pub(super) struct Members<'a> {
    fields: RawFields<'a>,
    meter: &'a Meter,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, View<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.meter.is_exhausted() {
            return None;
        }
        let (name, value) = self.meter.read(self.fields.next()?)?;
        let weights = &self.meter.weights;
        let steps = name.len() as u64 * weights.name_byte + weights.name;
        (self.meter.take_step() && self.meter.spend(steps)).then_some(())?;
        Some((name, View::Value(value, self.meter)))
    }
}

/// The elements of an array.
#[derive(Clone, Copy)]
pub(super) struct Items<'a> {
    array: RawArray<'a>,
    meter: &'a Meter,
}

impl<'a> Array<'a, Stored> for Items<'a> {
    type Node = View<'a>;
    type ElementsIter = Elements<'a>;

    fn len(&self) -> usize {
        if self.meter.is_exhausted() { 0 } else { self.array.len() }
    }

    fn elements(&self) -> Elements<'a> {
        Elements { items: self.array.iter(), meter: self.meter }
    }

    /// Sorts the elements, since equal values have different bytes if one number is a float.
    fn is_unique(&self) -> bool {
        let (count, bytes) = (self.array.len() as u64, self.array.as_encoded().len() as u64);
        let rounds = u64::from(count.max(2).ilog2()) + 1;
        if !self.meter.spend(rounds.saturating_mul(count + bytes / BYTES_PER_STEP)) {
            return true;
        }
        let items = self.array.iter().collect::<velocitydb_core::Result<Vec<_>>>();
        let Some(mut items) = self.meter.read(items) else { return true };
        let mut damage = None;
        let mut compare = |a: &RawValue<'_>, b: &RawValue<'_>| {
            a.compare(*b).unwrap_or_else(|error| {
                damage = Some(error);
                Ordering::Equal
            })
        };
        items.sort_unstable_by(&mut compare);
        let unique = items.windows(2).all(|pair| compare(&pair[0], &pair[1]).is_ne());
        match damage {
            Some(error) => self.meter.read(Err(error)).unwrap_or_default(),
            None => unique,
        }
    }
}

/// The elements of an array, one after another.
pub(super) struct Elements<'a> {
    items: RawItems<'a>,
    meter: &'a Meter,
}

impl<'a> Iterator for Elements<'a> {
    type Item = View<'a>;

    #[inline]
    fn next(&mut self) -> Option<View<'a>> {
        self.meter.take_step().then_some(())?;
        let value = self.meter.read(self.items.next()?)?;
        Some(View::Value(value, self.meter))
    }
}
