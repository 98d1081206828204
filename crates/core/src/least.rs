//! The sort key of a document: the least combination of the values at a sort's paths, in the sort's
//! own order. Owns choosing it if paths lead through arrays, not the encoding of keys.
//!
//! ```text
//! {"a": [{"x": 0, "y": 5}, {"x": 1, "y": 3}]}   by a.x, a.y      (0, 5)   not (0, 3)
//!                                               by a.x, -a.y     (0, 5)
//!                                               by -a.x, a.y     (1, 3)
//! ```
//!
//! - Paths into one array lead to the same element of it: each element is one combination, and the
//!   first in the order counts. Paths into different arrays are independent.
//! - If a path ends at an array, its values are the elements; an array without elements is
//!   [`Least::Empty`].
//! - An element that is not an object has no fields: a path into it is missing. So is a path into an
//!   array without elements.
//! - A number is a position in an array, and also a name in those elements that have it. Paths with
//!   the same number use the same of these.

use std::cmp::Ordering;

use smallvec::{SmallVec, smallvec};

use crate::key::Direction;
use crate::node::Node;
use crate::order::compare;
use crate::path::Segment;
use crate::{Kind, Result};

/// What one path of a sort counts as.
#[derive(Clone, Copy)]
pub(crate) enum Least<N> {
    /// An array without elements.
    Empty,
    Missing,
    Value(N),
}

impl<'a, N: Node<'a>> Least<N> {
    fn compare(self, other: Self) -> Result<Ordering> {
        let rank = |least: &Self| match least {
            Self::Empty => 0,
            Self::Missing => 1,
            Self::Value(_) => 2,
        };
        match (self, other) {
            (Self::Value(a), Self::Value(b)) => compare(a, b, 0),
            (a, b) => Ok(rank(&a).cmp(&rank(&b))),
        }
    }
}

/// A partly followed path: the value that it has reached, and its remaining segments.
#[derive(Clone, Copy)]
pub(crate) struct Way<'p, N> {
    at: At<N>,
    left: &'p [Segment],
    /// How many segments it has followed since all paths were at one value.
    gone: usize,
    whole: &'p [Segment],
    direction: Direction,
}

#[derive(Clone, Copy)]
enum At<N> {
    /// A value, or nothing, from which the path continues.
    Value(Option<N>),
    /// An element at the end of the path, which counts as it is, also if it is an array.
    Element(N),
}

/// One combination: the value of each path.
pub(crate) type Combination<N> = SmallVec<[Least<N>; 4]>;
type Ways<'p, N> = SmallVec<[Way<'p, N>; 4]>;

impl<'p, 'a, N: Node<'a>> Way<'p, N> {
    /// A path whose first segment has led to `value`.
    pub(crate) fn new(value: Option<N>, path: &'p [Segment], direction: Direction) -> Self {
        let (_, left) = path.split_first().expect("a path has a segment");
        Self { at: At::Value(value), left, gone: 1, whole: path, direction }
    }

    /// A path continued from a value that all paths have reached.
    fn from(value: At<N>, left: &'p [Segment], direction: Direction) -> Self {
        Self { at: value, left, gone: 0, whole: left, direction }
    }

    /// Follows the path through objects, up to an array, the end, or a missing value. Returns the
    /// value of the path, or the array.
    fn go(&mut self) -> Result<Stop<N>> {
        let mut value = match self.at {
            At::Element(element) => return Ok(Stop::End(Least::Value(element))),
            At::Value(value) => value,
        };
        loop {
            let Some(node) = value else { return Ok(Stop::End(Least::Missing)) };
            match (node.kind(), self.left.split_first()) {
                (Kind::Array, _) => return Ok(Stop::Array(node)),
                (_, None) => return Ok(Stop::End(Least::Value(node))),
                (Kind::Object, Some((segment, left))) => {
                    value = node.field(segment.name())?;
                    self.left = left;
                    self.gone += 1;
                }
                _ => return Ok(Stop::End(Least::Missing)),
            }
        }
    }

    /// The position in the current array that the path continues to, if its next segment is a
    /// number.
    fn position(&self) -> Option<usize> {
        self.left.first().and_then(Segment::index)
    }

    /// Whether this path and another, both at an array, continue into the same elements of the same
    /// array.
    fn is_with(&self, other: &Self) -> bool {
        self.whole[..self.gone] == other.whole[..other.gone] && self.position() == other.position()
    }
}

enum Stop<N> {
    End(Least<N>),
    Array(N),
}

/// The first of all combinations, in the order of the paths' directions.
pub(crate) fn least<'p, 'a, N: Node<'a>>(ways: &mut [Way<'p, N>]) -> Result<Combination<N>> {
    let mut found: Combination<N> = SmallVec::from_elem(Least::Missing, ways.len());
    let mut at_arrays: SmallVec<[(usize, N); 4]> = SmallVec::new();
    for (number, way) in ways.iter_mut().enumerate() {
        match way.go()? {
            Stop::End(end) => found[number] = end,
            Stop::Array(array) => at_arrays.push((number, array)),
        }
    }
    while let Some((first, array)) = at_arrays.first().copied() {
        let (together, others) =
            at_arrays.into_iter().partition(|(number, _)| ways[*number].is_with(&ways[first]));
        let members: SmallVec<[(usize, N); 4]> = together;
        let group: Ways<'p, N> = members.iter().map(|(number, _)| ways[*number]).collect();
        let best = least_in_array(array, &group)?;
        for ((number, _), end) in members.iter().zip(best) {
            found[*number] = end;
        }
        at_arrays = others;
    }
    Ok(found)
}

/// The first combination of paths into one array, all to the same elements.
fn least_in_array<'p, 'a, N: Node<'a>>(array: N, ways: &[Way<'p, N>]) -> Result<Combination<N>> {
    if let [way] = ways
        && way.left.is_empty()
    {
        return least_element(array, way.direction).map(|least| smallvec![least]);
    }
    let mut best: Option<Combination<N>> = None;
    let mut consider = |mut next: Ways<'p, N>| {
        let combination = least(&mut next)?;
        let is_before = match &best {
            None => true,
            Some(best) => is_before(&combination, best, ways)?,
        };
        if is_before {
            best = Some(combination);
        }
        Ok(())
    };
    match ways.first().and_then(Way::position) {
        Some(index) => each_at_position(array, index, ways, &mut consider)?,
        None => {
            for item in array.items()?.into_iter().flatten() {
                let item = item?;
                consider(ways.iter().map(|way| into_element(item, way)).collect())?;
            }
        }
    }
    Ok(best.unwrap_or_else(|| {
        let nothing = |way: &Way<'p, N>| match way.left {
            [] => Least::Empty,
            _ => Least::Missing,
        };
        ways.iter().map(nothing).collect()
    }))
}

/// The first element of an array: a fast path for the most common case.
fn least_element<'a, N: Node<'a>>(array: N, direction: Direction) -> Result<Least<N>> {
    let mut best = Least::Empty;
    for item in array.items()?.into_iter().flatten() {
        let item = Least::Value(item?);
        if matches!(best, Least::Empty) || order(item, best, direction)?.is_lt() {
            best = item;
        }
    }
    Ok(best)
}

fn into_element<'p, 'a, N: Node<'a>>(item: N, way: &Way<'p, N>) -> Way<'p, N> {
    let at = match (way.left, item.kind()) {
        ([], _) => At::Element(item),
        (_, Kind::Object) => At::Value(Some(item)),
        _ => At::Value(None),
    };
    Way::from(at, way.left, way.direction)
}

/// Considers the element at a position, and the fields of that name in the elements.
fn each_at_position<'p, 'a, N: Node<'a>>(
    array: N,
    index: usize,
    ways: &[Way<'p, N>],
    consider: &mut impl FnMut(Ways<'p, N>) -> Result<()>,
) -> Result<()> {
    let Some(name) = ways.first().and_then(|way| way.left.first()) else { return Ok(()) };
    let onwards = |value: N| {
        ways.iter().map(move |way| Way::from(At::Value(Some(value)), &way.left[1..], way.direction))
    };
    if let Some(item) = array.item(index)? {
        consider(onwards(item).collect())?;
    }
    for item in array.items()?.into_iter().flatten() {
        if let Some(named) = item?.field(name.name())? {
            consider(onwards(named).collect())?;
        }
    }
    Ok(())
}

fn is_before<'p, 'a, N: Node<'a>>(
    one: &[Least<N>],
    other: &[Least<N>],
    ways: &[Way<'p, N>],
) -> Result<bool> {
    for ((one, other), way) in one.iter().zip(other).zip(ways) {
        let order = order(*one, *other, way.direction)?;
        if order.is_ne() {
            return Ok(order.is_lt());
        }
    }
    Ok(false)
}

fn order<'a, N: Node<'a>>(
    one: Least<N>,
    other: Least<N>,
    direction: Direction,
) -> Result<Ordering> {
    match direction {
        Direction::Ascending => one.compare(other),
        Direction::Descending => other.compare(one),
    }
}
