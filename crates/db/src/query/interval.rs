//! [`Interval`]: a range of the components of index keys, and the intervals that can satisfy a
//! test.
//!
//! Components are in ascending form here; [`Interval::in_direction`] gives the range of a
//! descending key. An interval is a range of bytes: a component is in it if it is not below `low`
//! and below `high`.

use velocitydb_core::filter::{Choices, Presence, Test};
use velocitydb_core::key::{Direction, encode_key_value, encode_missing};
use velocitydb_core::{Decimal, Kind, Value};

use crate::keys::{Key, end_of};

/// A range of components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) low: Key,
    /// `None` is the end of all components.
    pub(super) high: Option<Key>,
    /// Whether it has only one component, which is `low`.
    pub(super) is_point: bool,
}

/// The components by which a test can be satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intervals {
    /// In order, without overlap.
    pub(super) list: Vec<Interval>,
    /// Whether every value in them satisfies the test, where there are no arrays.
    pub(super) is_exact: bool,
}

/// The first bytes of components by class: see the key encoding.
mod class {
    pub(super) const NUMBERS: (u8, u8) = (0x21, 0x24);
    pub(super) const STRINGS: (u8, u8) = (0x30, 0x31);
    pub(super) const OBJECTS: (u8, u8) = (0x40, 0x41);
    /// Of any subtype.
    pub(super) const BINARY: (u8, u8) = (0x60, 0x62);
    pub(super) const OBJECT_IDS: (u8, u8) = (0x68, 0x69);
    pub(super) const BOOLS: (u8, u8) = (0x70, 0x72);
    pub(super) const TIMES: (u8, u8) = (0x80, 0x81);
}

impl Interval {
    fn point(low: Key) -> Self {
        let high = end_of(&low);
        Interval { low, high, is_point: true }
    }

    fn between(low: Key, high: Option<Key>) -> Self {
        Interval { low, high, is_point: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.high.as_ref().is_some_and(|high| *high <= self.low)
    }

    /// The same range for keys in a direction.
    pub(super) fn in_direction(&self, direction: Direction) -> Interval {
        match direction {
            Direction::Ascending => self.clone(),
            Direction::Descending => Interval {
                low: self
                    .high
                    .as_ref()
                    .and_then(|high| end_of(&inverted(high)))
                    .unwrap_or_default(),
                high: end_of(&inverted(&self.low)),
                is_point: self.is_point,
            }
            .with_point(&self.low),
        }
    }

    /// The lower end of a point is the component itself.
    fn with_point(mut self, ascending: &[u8]) -> Self {
        if self.is_point {
            self.low = inverted(ascending);
        }
        self
    }
}

fn inverted(bytes: &[u8]) -> Key {
    bytes.iter().map(|byte| !byte).collect()
}

impl Intervals {
    /// The components that can satisfy a test; `None` if they are not bounded. In an index with
    /// arrays on the path (`is_multikey`), the components are those of their elements.
    pub(super) fn of(test: &Test, is_multikey: bool) -> Option<Intervals> {
        let exact = |list| Some(Intervals { list, is_exact: true });
        match test {
            Test::Eq(value) => exact(points_of(value, is_multikey)?),
            Test::In(choices) => Self::of_choices(choices, is_multikey),
            Test::Gt(value) => exact(vec![above(value, After::Component)?]),
            Test::Gte(value) => exact(vec![above(value, After::Nothing)?]),
            Test::Lt(value) => exact(vec![below(value, After::Nothing)?]),
            Test::Lte(value) => exact(vec![below(value, After::Component)?]),
            Test::Exists(Presence::Missing) => exact(vec![Interval::point(missing())]),
            Test::Exists(Presence::Present) => {
                let present = end_of(&missing()).expect("there are components above it");
                exact(vec![Interval::between(present, None)])
            }
            Test::Regex(pattern) => {
                let list = vec![beginning_with(pattern.prefix()?)];
                Some(Intervals { list, is_exact: false })
            }
            Test::All(tests) => {
                let inner = tests.iter().find_map(|test| Self::of(test, is_multikey))?;
                Some(Intervals { is_exact: false, ..inner })
            }
            Test::ElemMatchValue(tests) => {
                let inner = tests.iter().filter_map(|test| Self::of(test, is_multikey));
                let inner = inner.reduce(|one, other| one.intersect(&other))?;
                // Without arrays, nothing matches.
                Some(Intervals { is_exact: false, ..inner })
            }
            Test::Ne(_) | Test::Nin(_) | Test::Type(_) | Test::Size(_) => None,
            Test::ElemMatch(_) | Test::Not(_) => None,
        }
        .map(Intervals::in_order)
    }

    fn of_choices(choices: &Choices, is_multikey: bool) -> Option<Intervals> {
        let mut list = Vec::new();
        for value in choices.values() {
            list.extend(points_of(value, is_multikey)?);
        }
        for pattern in choices.patterns() {
            list.push(beginning_with(pattern.prefix()?));
        }
        Some(Intervals { list, is_exact: choices.patterns().is_empty() })
    }

    /// The intersection.
    pub(super) fn intersect(&self, other: &Intervals) -> Intervals {
        let mut list = Vec::new();
        for one in &self.list {
            for two in &other.list {
                let low = one.low.clone().max(two.low.clone());
                let high = match (&one.high, &two.high) {
                    (Some(one), Some(two)) => Some(one.min(two).clone()),
                    (high, None) | (None, high) => high.clone(),
                };
                let is_point = one.is_point || two.is_point;
                let both = Interval { low, high, is_point };
                if !both.is_empty() {
                    list.push(both);
                }
            }
        }
        Intervals { list, is_exact: self.is_exact && other.is_exact }.in_order()
    }

    pub(super) fn are_points(&self) -> bool {
        self.list.iter().all(|interval| interval.is_point)
    }

    /// Sorts, and joins overlapping intervals.
    fn in_order(mut self) -> Self {
        self.list.retain(|interval| !interval.is_empty());
        self.list.sort_by(|one, other| one.low.cmp(&other.low));
        let mut joined: Vec<Interval> = Vec::with_capacity(self.list.len());
        for next in self.list {
            match joined.last_mut() {
                Some(last) if last.high.as_ref().is_none_or(|high| *high > next.low) => {
                    last.is_point &= next.is_point && last.low == next.low;
                    last.high = match (last.high.take(), next.high) {
                        (Some(one), Some(other)) => Some(one.max(other)),
                        _ => None,
                    };
                }
                _ => joined.push(next),
            }
        }
        self.list = joined;
        self
    }
}

/// Where a bound lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    Component,
}

/// The components that equal a value.
fn points_of(value: &Value, is_multikey: bool) -> Option<Vec<Interval>> {
    match value {
        Value::Null => Some(vec![Interval::point(missing()), Interval::point(component(value))]),
        // The elements are in the index, not the array.
        Value::Array(items) if is_multikey && !items.is_empty() => None,
        _ => Some(vec![Interval::point(component(value))]),
    }
}

fn above(value: &Value, after: After) -> Option<Interval> {
    let (_, end) = class_of(value)?;
    let low = bound(value, after)?;
    Some(Interval::between(low, Some(Key::from_slice(&[end]))))
}

fn below(value: &Value, after: After) -> Option<Interval> {
    let (start, _) = class_of(value)?;
    Some(Interval::between(Key::from_slice(&[start]), bound(value, after)))
}

fn bound(value: &Value, after: After) -> Option<Key> {
    let component = component(value);
    match after {
        After::Nothing => Some(component),
        After::Component => end_of(&component),
    }
}

/// The components of strings with this prefix.
fn beginning_with(prefix: &str) -> Interval {
    let mut low = component(&Value::from(prefix));
    low.pop();
    let high = end_of(&low);
    Interval::between(low, high)
}

/// The first bytes of the components that a value can be compared with; `None` if components do
/// not compare like the value.
fn class_of(value: &Value) -> Option<(u8, u8)> {
    match value.kind() {
        Kind::Null => None,
        Kind::Float if value.as_f64().is_some_and(f64::is_nan) => None,
        Kind::Decimal if value.as_decimal().is_some_and(Decimal::is_nan) => None,
        Kind::Int | Kind::UInt | Kind::Float | Kind::Decimal => Some(class::NUMBERS),
        Kind::String => Some(class::STRINGS),
        Kind::Object => Some(class::OBJECTS),
        Kind::Array => None,
        Kind::Bytes | Kind::Binary => Some(class::BINARY),
        Kind::ObjectId => Some(class::OBJECT_IDS),
        // Each of these types is a class, and no component is empty.
        Kind::Foreign(_) => component(value).first().map(|first| (*first, first + 1)),
        Kind::Bool => Some(class::BOOLS),
        Kind::Time => Some(class::TIMES),
    }
}

fn component(value: &Value) -> Key {
    let mut bytes = Vec::new();
    encode_key_value(value, Direction::Ascending, &mut bytes);
    Key::from_vec(bytes)
}

fn missing() -> Key {
    let mut bytes = Vec::new();
    encode_missing(Direction::Ascending, &mut bytes);
    Key::from_vec(bytes)
}
