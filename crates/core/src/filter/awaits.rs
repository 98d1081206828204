//! How the bounds of a filter would have to move before a document that does not match can match.
//!
//! A *bound* is the constant of a `$gt`, `$gte`, `$lt` or `$lte`. A search for due documents is
//! repeated with bounds that move, and a document that is due tomorrow need not be read before
//! then. Stores nothing.

use crate::fanout::{any_leaf, values};
use crate::key::{Direction, encode_key_value, encode_node};
use crate::node::Node;
use crate::order::compare_within_class;
use crate::path::Segment;
use crate::{Decimal, DocumentView, Filter, Kind, ObjectId, Path, Result, Time, Value};

use super::evaluate::{Element, Fields};
use super::predicate::{Predicate, Test};

/// The constant of a comparison that can move: it is a number, a string, bytes, an ObjectId, a bool
/// or a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The constant, as an ascending component of a [`key`](crate::key).
    pub component: Box<[u8]>,
    /// How it has to compare with a value of a document for the filter to match.
    pub side: Side,
}

/// How a bound has to compare with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// At least as large: `{"a": {"$lte": bound}}`.
    AtLeast,
    /// Larger: `{"a": {"$lt": bound}}`.
    Above,
    /// At most as large: `{"a": {"$gte": bound}}`.
    AtMost,
    /// Smaller: `{"a": {"$gt": bound}}`.
    Below,
}

/// What has to happen before a document can match a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaits {
    /// Nothing: it may match now.
    Nothing,
    /// A change of the document: it does not match wherever the bounds are.
    Change,
    /// At least one of these moves. Whatever the bounds are, the document does not match before.
    Moves(Vec<Move>),
}

/// A move of a bound to its side of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// The bound, as an index into [`Shape::bounds`](super::Shape::bounds).
    pub bound: usize,
    /// The value, as an ascending component of a [`key`](crate::key).
    pub value: Vec<u8>,
}

impl Filter {
    /// What has to happen before a document that does not match this filter can match.
    ///
    /// # Errors
    ///
    /// As [`Filter::matches`].
    pub fn awaits(&self, document: &DocumentView<'_>) -> Result<Awaits> {
        let wait = self.predicate().wait(document, true, &mut 0)?;
        Ok(match wait {
            Wait::Over => Awaits::Nothing,
            Wait::Never => Awaits::Change,
            Wait::For { moves, .. } => Awaits::Moves(moves),
        })
    }
}

impl Side {
    /// Whether a bound is on this side of a value, both as components of a key.
    pub fn is_reached(self, bound: &[u8], value: &[u8]) -> bool {
        match self {
            Side::AtLeast => bound >= value,
            Side::Above => bound > value,
            Side::AtMost => bound <= value,
            Side::Below => bound < value,
        }
    }
}

/// What one part of a filter awaits, to become true or false.
#[derive(Debug)]
enum Wait {
    /// It is so already, whatever the bounds are.
    Over,
    /// It can never become so.
    Never,
    /// It awaits one of these moves. `is_over` is whether one of them has been made.
    For { moves: Vec<Move>, is_over: bool },
}

impl Wait {
    fn of(is_so: bool) -> Self {
        if is_so { Wait::Over } else { Wait::Never }
    }

    /// A conjunction: awaits a part that is not so yet, the one with fewer moves.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Wait::Never, _) | (_, Wait::Never) => Wait::Never,
            (Wait::Over, wait) | (wait, Wait::Over) => wait,
            (Wait::For { moves, is_over }, Wait::For { moves: others, is_over: is_other_over }) => {
                let is_first = match is_over == is_other_over {
                    true => moves.len() <= others.len(),
                    false => is_other_over,
                };
                let moves = if is_first { moves } else { others };
                Wait::For { moves, is_over: is_over && is_other_over }
            }
        }
    }

    /// A disjunction: awaits either part.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Wait::Over, _) | (_, Wait::Over) => Wait::Over,
            (Wait::Never, wait) | (wait, Wait::Never) => wait,
            (
                Wait::For { mut moves, is_over },
                Wait::For { moves: others, is_over: is_other_over },
            ) => {
                moves.extend(others);
                Wait::For { moves, is_over: is_over || is_other_over }
            }
        }
    }
}

impl Predicate {
    /// What the predicate awaits to become `wanted`. `bound` is the number of the next bound.
    fn wait(&self, fields: &impl Await, wanted: bool, bound: &mut usize) -> Result<Wait> {
        match self {
            Self::And(parts) => joined(parts, wanted, |part| part.wait(fields, wanted, bound)),
            Self::Or(parts) => joined(parts, !wanted, |part| part.wait(fields, wanted, bound)),
            Self::Nor(parts) => joined(parts, wanted, |part| part.wait(fields, !wanted, bound)),
            Self::Field { path, test } => {
                let count = count(test);
                let wait = match count {
                    0 => Wait::of(fields.pass(path, test)? == wanted),
                    _ => fields.wait(path, test, wanted, *bound)?,
                };
                *bound += count;
                Ok(wait)
            }
            Self::True => Ok(Wait::of(wanted)),
        }
    }
}

/// Combines what several parts await, as a conjunction or a disjunction.
fn joined<T>(
    parts: impl IntoIterator<Item = T>,
    all: bool,
    mut wait: impl FnMut(T) -> Result<Wait>,
) -> Result<Wait> {
    let mut joined = Wait::of(all);
    for part in parts {
        let part = wait(part)?;
        joined = if all { joined.and(part) } else { joined.or(part) };
    }
    Ok(joined)
}

/// An object whose fields a filter can await.
trait Await: Fields {
    fn wait(&self, path: &Path, test: &Test, wanted: bool, bound: usize) -> Result<Wait>;
}

impl Await for DocumentView<'_> {
    fn wait(&self, path: &Path, test: &Test, wanted: bool, bound: usize) -> Result<Wait> {
        let (first, rest) = path.split_first();
        match self.meta_node_at(path) {
            None => test.wait_at(self.fields.get(first.name())?, rest, wanted, bound),
            Some(meta) => test.wait_at(meta, &[], wanted, bound),
        }
    }
}

impl<'a, N: Node<'a>> Await for Element<N> {
    fn wait(&self, path: &Path, test: &Test, wanted: bool, bound: usize) -> Result<Wait> {
        let (first, rest) = path.split_first();
        let found = match (self.0.kind(), first.index()) {
            (Kind::Array, Some(index)) => self.0.item(index)?,
            _ => self.0.field(first.name())?,
        };
        test.wait_at(found, rest, wanted, bound)
    }
}

impl Test {
    /// What the test of the values at a path awaits to become `wanted`.
    fn wait_at<'a, N: Node<'a>>(
        &self,
        value: Option<N>,
        path: &[Segment],
        wanted: bool,
        bound: usize,
    ) -> Result<Wait> {
        match self {
            Self::Not(tests) => {
                each(tests, !wanted, bound, |test, at| test.wait_at(value, path, !wanted, at))
            }
            Self::All(tests) => {
                each(tests, wanted, bound, |test, at| test.wait_at(value, path, wanted, at))
            }
            Self::ElemMatch(_) | Self::ElemMatchValue(_) => {
                let mut wait = Wait::of(!wanted);
                values(value, path, &mut |value, _| {
                    let next = self.wait_by(value, wanted, bound)?;
                    let before = std::mem::replace(&mut wait, Wait::Never);
                    wait = if wanted { before.or(next) } else { before.and(next) };
                    Ok(false)
                })?;
                Ok(wait)
            }
            Self::Gt(operand) | Self::Gte(operand) | Self::Lt(operand) | Self::Lte(operand)
                if is_bound(operand) =>
            {
                let mut found = Vec::new();
                any_leaf(value, path, |leaf| {
                    found.extend(comparable(leaf, operand)?);
                    Ok(false)
                })?;
                Ok(self.wait_for(operand, found, wanted, bound))
            }
            _ => Ok(Wait::of(self.passed_at(value, path)? == wanted)),
        }
    }

    /// What the test of one value awaits to become `wanted`.
    fn wait_by<'a, N: Node<'a>>(
        &self,
        value: Option<N>,
        wanted: bool,
        bound: usize,
    ) -> Result<Wait> {
        match self {
            Self::Not(tests) => {
                each(tests, !wanted, bound, |test, at| test.wait_by(value, !wanted, at))
            }
            Self::All(tests) => {
                each(tests, wanted, bound, |test, at| test.wait_by(value, wanted, at))
            }
            Self::ElemMatch(predicate) => items(value, wanted, |item| match item.kind() {
                Kind::Object | Kind::Array => {
                    predicate.wait(&Element(item), wanted, &mut { bound })
                }
                _ => Ok(Wait::of(!wanted)),
            }),
            Self::ElemMatchValue(tests) => items(value, wanted, |item| {
                each(tests, wanted, bound, |test, at| test.wait_by(Some(item), wanted, at))
            }),
            Self::Gt(operand) | Self::Gte(operand) | Self::Lt(operand) | Self::Lte(operand)
                if is_bound(operand) =>
            {
                let found = comparable(value, operand)?.into_iter().collect();
                Ok(self.wait_for(operand, found, wanted, bound))
            }
            _ => Ok(Wait::of(self.passed_by(value)? == wanted)),
        }
    }

    /// What a comparison with these values awaits.
    fn wait_for(&self, operand: &Value, found: Vec<Vec<u8>>, wanted: bool, bound: usize) -> Wait {
        // The smallest value is the first below an upper bound, and the last to be above one.
        let value = match self {
            Self::Lt(_) | Self::Lte(_) => found.into_iter().min(),
            _ => found.into_iter().max(),
        };
        let Some(value) = value else { return Wait::of(!wanted) };
        let side = self.side(wanted).expect("a comparison has a side");
        let is_over = side.is_reached(&component(operand), &value);
        Wait::For { moves: vec![Move { bound, value }], is_over }
    }

    /// The side on which the bound of a comparison has to be for its result to be `wanted`.
    fn side(&self, wanted: bool) -> Option<Side> {
        Some(match (self, wanted) {
            (Self::Lte(_), true) | (Self::Gt(_), false) => Side::AtLeast,
            (Self::Lt(_), true) | (Self::Gte(_), false) => Side::Above,
            (Self::Gte(_), true) | (Self::Lt(_), false) => Side::AtMost,
            (Self::Gt(_), true) | (Self::Lte(_), false) => Side::Below,
            _ => return None,
        })
    }
}

/// Combines what several tests await, each of which has its own bounds.
fn each(
    tests: &[Test],
    all: bool,
    mut bound: usize,
    mut wait: impl FnMut(&Test, usize) -> Result<Wait>,
) -> Result<Wait> {
    joined(tests, all, |test| {
        let at = bound;
        bound += count(test);
        wait(test, at)
    })
}

/// Combines what the elements of an array await, all of which have the same bounds.
fn items<'a, N: Node<'a>>(
    value: Option<N>,
    wanted: bool,
    mut wait: impl FnMut(N) -> Result<Wait>,
) -> Result<Wait> {
    let items = value.map_or(Ok(None), N::items)?;
    joined(items.into_iter().flatten(), !wanted, |item| wait(item?))
}

/// The component of a value that can be compared with an operand.
fn comparable<'a, N: Node<'a>>(value: Option<N>, operand: &Value) -> Result<Option<Vec<u8>>> {
    let Some(value) = value else { return Ok(None) };
    if compare_within_class(value, operand)?.is_none() {
        return Ok(None);
    }
    let mut component = Vec::new();
    encode_node(value, Direction::Ascending, &mut component)?;
    Ok(Some(component))
}

fn component(value: &Value) -> Vec<u8> {
    let mut component = Vec::new();
    encode_key_value(value, Direction::Ascending, &mut component);
    component
}

/// The representative of the bounds of a class; `None` for a value that is not a bound.
pub(super) fn class_of(value: &Value) -> Option<Value> {
    match value.kind() {
        Kind::Float if value.as_f64().is_some_and(f64::is_nan) => None,
        Kind::Decimal if value.as_decimal().is_some_and(Decimal::is_nan) => None,
        Kind::Int | Kind::UInt | Kind::Float | Kind::Decimal => Some(Value::from(0)),
        Kind::String => Some(Value::from("")),
        Kind::Bytes | Kind::Binary => Some(Value::Bytes(Vec::new())),
        Kind::ObjectId => Some(Value::from(ObjectId::default())),
        Kind::Bool => Some(Value::from(false)),
        Kind::Time => Some(Value::from(Time::UNIX_EPOCH)),
        Kind::Null | Kind::Object | Kind::Array | Kind::Foreign(_) => None,
    }
}

fn is_bound(value: &Value) -> bool {
    class_of(value).is_some()
}

/// How many bounds there are in a test.
fn count(test: &Test) -> usize {
    let mut count = 0;
    each_bound_of_test(test, true, &mut |_, _| count += 1);
    count
}

/// The bounds of a predicate.
pub(super) fn bounds_of(predicate: &Predicate) -> Box<[Bound]> {
    let mut bounds = Vec::new();
    each_bound(predicate, true, &mut |value, side| {
        bounds.push(Bound { component: component(value).into(), side });
    });
    bounds.into()
}

fn each_bound(predicate: &Predicate, wanted: bool, visit: &mut impl FnMut(&Value, Side)) {
    match predicate {
        Predicate::True => {}
        Predicate::And(parts) | Predicate::Or(parts) => {
            parts.iter().for_each(|part| each_bound(part, wanted, visit));
        }
        Predicate::Nor(parts) => parts.iter().for_each(|part| each_bound(part, !wanted, visit)),
        Predicate::Field { test, .. } => each_bound_of_test(test, wanted, visit),
    }
}

fn each_bound_of_test(test: &Test, wanted: bool, visit: &mut impl FnMut(&Value, Side)) {
    match test {
        Test::Gt(value) | Test::Gte(value) | Test::Lt(value) | Test::Lte(value)
            if is_bound(value) =>
        {
            let side = test.side(wanted).expect("a comparison has a side");
            visit(value, side);
        }
        Test::All(tests) | Test::ElemMatchValue(tests) => {
            tests.iter().for_each(|test| each_bound_of_test(test, wanted, visit));
        }
        Test::Not(tests) => {
            tests.iter().for_each(|test| each_bound_of_test(test, !wanted, visit));
        }
        Test::ElemMatch(predicate) => each_bound(predicate, wanted, visit),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoded, Header, IdRef, Object, object, value};

    /// Whether a document matches a filter, and what it awaits if not.
    fn look(filter: &Filter, fields: &Object) -> (bool, Awaits) {
        let encoded = Encoded::from_object(fields).unwrap();
        let (created, modified) = (Time::UNIX_EPOCH, Time::UNIX_EPOCH);
        let header = Header { version: 3, created, modified, expires: None, lease: None };
        let document = DocumentView { id: IdRef::of_text("a"), header, fields: encoded.view() };
        (filter.matches(&document).unwrap(), filter.awaits(&document).unwrap())
    }

    fn filter(filter: Object) -> Filter {
        Filter::from_object(filter).unwrap()
    }

    fn moves(list: &[(usize, Value)]) -> Awaits {
        let one = |(bound, value): &(usize, Value)| Move { bound: *bound, value: component(value) };
        Awaits::Moves(list.iter().map(one).collect())
    }

    #[test]
    fn a_document_awaits_what_keeps_it_from_satisfying_the_filter() {
        let due = filter(object! { "state": "waiting", "at": { "$lte": 5 } });
        let awaits = |filter: &Filter, fields| look(filter, &fields).1;
        assert_eq!(awaits(&due, object! { "state": "waiting", "at": 7 }), moves(&[(0, value!(7))]));
        assert_eq!(awaits(&due, object! { "state": "done", "at": 7 }), Awaits::Change);
        assert_eq!(awaits(&due, object! { "state": "waiting" }), Awaits::Change);
        assert_eq!(awaits(&due, object! { "state": "waiting", "at": "7" }), Awaits::Change);
        assert_eq!(
            awaits(&due, object! { "state": "waiting", "at": [9, 8] }),
            moves(&[(0, value!(8))])
        );
        let either = filter(
            object! { "$or": [{ "at": null }, { "at": { "$lte": 5 } }, { "b": { "$gt": 9 } }] },
        );
        assert_eq!(
            awaits(&either, object! { "at": 7, "b": 4 }),
            moves(&[(0, value!(7)), (1, value!(4))])
        );
        let nested =
            filter(object! { "a": { "$not": { "$gt": 5 } }, "$nor": [{ "b": { "$lt": 5 } }] });
        let sides: Vec<Side> = nested.shape().bounds.iter().map(|bound| bound.side).collect();
        assert_eq!(sides.len(), 2);
        assert!(sides.contains(&Side::AtLeast) && sides.contains(&Side::AtMost), "{sides:?}");
        assert_eq!(
            awaits(&filter(object! { "_meta.version": { "$lt": 3 } }), object! {}),
            moves(&[(0, value!(3))])
        );
    }

    /// Every filter of these parts, on every document of these values, with various bounds: a document
    /// that does not match awaits moves that were not made, and does not match for any bounds at which
    /// none of them is made.
    #[test]
    fn nothing_satisfies_a_filter_before_what_it_awaits() {
        let values = [
            value!(null),
            value!(1),
            value!(2.5),
            value!(4),
            value!("x"),
            value!([1, 4]),
            value!([]),
            value!([{ "x": 1, "y": 3 }, { "x": 4, "y": 2 }]),
            value!({ "x": 3 }),
            value!(f64::NAN),
        ];
        let tests = |bound: i64| {
            [
                value!({ "$lte": bound }),
                value!({ "$lt": bound }),
                value!({ "$gt": bound }),
                value!({ "$gte": bound }),
                value!({ "$not": { "$gte": bound } }),
                value!(4),
                value!({ "$elemMatch": { "$gt": 0, "$lt": bound } }),
                value!({ "$ne": 1 }),
                value!({ "$elemMatch": { "x": { "$lte": bound }, "y": { "$gte": 3 } } }),
                value!({ "$not": { "$elemMatch": { "$gte": bound } } }),
            ]
        };
        let build = |one: usize, other: usize, form: usize, bounds: (i64, i64)| {
            let (first, second) = (tests(bounds.0)[one].clone(), tests(bounds.1)[other].clone());
            filter(match form {
                0 => object! { "a": first, "b": second },
                1 => object! { "$or": [{ "a": first }, { "b": second }] },
                2 => object! { "$nor": [{ "a": first }, { "b": second }] },
                _ => {
                    object! { "$or": [{ "a": first, "b": second }, { "a.x": { "$lt": bounds.1 } }] }
                }
            })
        };
        let reached = |filter: &Filter, awaits: &Awaits| match awaits {
            Awaits::Nothing => true,
            Awaits::Change => false,
            Awaits::Moves(moves) => moves.iter().any(|one| {
                let bound = &filter.shape().bounds[one.bound];
                bound.side.is_reached(&bound.component, &one.value)
            }),
        };
        for (one, other, form) in (0..10).flat_map(|one| {
            (0..10).flat_map(move |other| (0..4).map(move |form| (one, other, form)))
        }) {
            let here = build(one, other, form, (2, 3));
            for a in &values {
                for b in &values[..7] {
                    let fields = object! { "a": a.clone(), "b": b.clone() };
                    let (is_satisfied, awaits) = look(&here, &fields);
                    if is_satisfied {
                        continue;
                    }
                    assert!(!reached(&here, &awaits), "{} {fields} {awaits:?}", here.to_json());
                    for bounds in [(0, 0), (1, 4), (4, 1), (5, 5), (3, 2)] {
                        let there = build(one, other, form, bounds);
                        if there.shape().hash != here.shape().hash {
                            continue;
                        }
                        let is_satisfied = look(&there, &fields).0;
                        assert!(
                            !is_satisfied || reached(&there, &awaits),
                            "{} {} {fields} {awaits:?}",
                            here.to_json(),
                            there.to_json()
                        );
                    }
                }
            }
        }
    }
}
