//! The values at a path of a document, when arrays inside the path fan out to their elements.
//! Filters, sorts and indexes all use this traversal, so that they agree. Owns the traversal, not
//! the use of the values.
//!
//! - In an object, a segment is the name of a field.
//! - In an array, a segment applies to every element that is an object. Elements of other types, and
//!   arrays in arrays, have no such field and are skipped.
//! - In an array, a number is a position, and also a name in those elements that have it. If there
//!   is neither, the value is missing.
//! - At the end of the path is a *value*. Its *leaves* are the value itself or, if it is an array,
//!   its elements.

use std::cmp::Ordering;

use crate::key::{self, Direction};
use crate::node::{Meta, Node};
use crate::path::Segment;
use crate::{DocumentView, Kind, Path, RawValue, Result, Value};

impl DocumentView<'_> {
    /// Visits the leaves at a path, as an index does: a value that is not an array, each element of
    /// an array, an empty array as itself, and a [missing](Leaf::is_missing) leaf if a field of the
    /// path is missing. The names of [`META`](crate::document::META) work too.
    ///
    /// The relation to filters is exact: a document satisfies `{path: {"$eq": v}}`, for a `v` that
    /// is not an array, if and only if a visited leaf equals `v`, or `v` is null and a visited leaf
    /// is missing. Arrays that are leaves themselves, being empty or inside of an array, are visited
    /// as they are; whole arrays that have elements are not visited.
    ///
    /// There can be nothing to visit: `a.b` leads nowhere in `{"a": []}` and in `{"a": [1]}`, and no
    /// value, null included, is equal to that.
    ///
    /// ```
    /// use velocitydb_core::{DocumentView, Encoded, Header, Time, object, value};
    ///
    /// let order = Encoded::from_object(&object! { "items": [{ "sku": "a" }, { "sku": "b" }, {}] })?;
    /// let (created, modified) = (Time::UNIX_EPOCH, Time::UNIX_EPOCH);
    /// let header = Header { version: 1, created, modified, expires: None, lease: None };
    /// let document = DocumentView { id: velocitydb_core::IdRef::of_text("1"), header, fields: order.view() };
    /// let mut leaves = Vec::new();
    /// let fanout = document.for_each_leaf(&"items.sku".parse()?, |leaf| {
    ///     leaves.push(leaf.to_value()?);
    ///     Ok(())
    /// })?;
    /// assert_eq!(leaves, [Some(value!("a")), Some(value!("b")), None]);
    /// assert!(fanout.multikey);
    /// # Ok::<(), velocitydb_core::Error>(())
    /// ```
    pub fn for_each_leaf<'v>(
        &'v self,
        path: &Path,
        mut visit: impl FnMut(Leaf<'v>) -> Result<()>,
    ) -> Result<Fanout> {
        let (first, rest) = path.split_first();
        match self.meta_node_at(path) {
            Some(meta) => for_each(meta, &[], |meta, _| visit(Leaf::from_meta(meta))),
            None => for_each(self.fields.get(first.name())?, rest, |value, part| {
                visit(Leaf(match value {
                    Some(value) if part == Part::EmptyArray => Inner::EmptyArray(value),
                    value => value.map_or(Inner::Missing, Inner::Encoded),
                }))
            }),
        }
    }
}

/// What [`DocumentView::for_each_leaf`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fanout {
    /// How many leaves were visited; it can be zero.
    pub leaves: usize,
    /// Whether there was an array, inside the path or at its end. If not, there was exactly one
    /// leaf.
    pub multikey: bool,
}

/// One of the values that a filter on a path compares.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a>(Inner<'a>);

#[derive(Debug, Clone, Copy)]
enum Inner<'a> {
    Missing,
    /// An empty array at the end of the path, rather than one inside of an array there.
    EmptyArray(RawValue<'a>),
    Encoded(RawValue<'a>),
    Meta(Meta<'a>),
}

impl<'a> Leaf<'a> {
    /// Whether the value is missing.
    pub const fn is_missing(self) -> bool {
        matches!(self.0, Inner::Missing)
    }

    /// Whether the value at the end of the path is an array without elements. An empty array that is an
    /// element is a leaf like any other.
    pub const fn is_empty_array(self) -> bool {
        matches!(self.0, Inner::EmptyArray(_))
    }

    /// The value as it is stored; `None` if it is missing, or is metadata and not one of the fields.
    pub const fn as_raw(self) -> Option<RawValue<'a>> {
        match self.0 {
            Inner::Encoded(value) | Inner::EmptyArray(value) => Some(value),
            _ => None,
        }
    }

    /// The value, decoded, if there is one.
    pub fn to_value(self) -> Result<Option<Value>> {
        match self.0 {
            Inner::Missing => Ok(None),
            Inner::Encoded(value) | Inner::EmptyArray(value) => value.to_value().map(Some),
            Inner::Meta(value) => value.to_value().map(Some),
        }
    }

    /// Compares with a value, in the total order. A missing value is below all values.
    pub fn compare_value(self, other: &Value) -> Result<Ordering> {
        match self.0 {
            Inner::Missing => Ok(Ordering::Less),
            Inner::Encoded(value) | Inner::EmptyArray(value) => value.compare_value(other),
            Inner::Meta(value) => crate::order::compare(value, other, 0),
        }
    }

    /// Appends the component of a key for it: that of [`key::encode_missing`] if it is missing.
    pub fn encode_key(self, direction: Direction, key: &mut Vec<u8>) -> Result<()> {
        match self.0 {
            Inner::Missing => key::encode_missing(direction, key),
            Inner::Encoded(value) | Inner::EmptyArray(value) => {
                key::encode_key(value, direction, key)?;
            }
            Inner::Meta(value) => key::encode_node(value, direction, key)?,
        }
        Ok(())
    }

    fn from_meta(meta: Option<Meta<'a>>) -> Self {
        Self(meta.map_or(Inner::Missing, Inner::Meta))
    }
}

/// What a leaf is of the value at the end of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The value, which is not an array.
    Itself,
    /// The value, which is an array without elements.
    EmptyArray,
    /// An element of the value.
    Element,
}

fn for_each<'a, N: Node<'a>>(
    value: Option<N>,
    path: &[Segment],
    mut visit: impl FnMut(Option<N>, Part) -> Result<()>,
) -> Result<Fanout> {
    let mut fanout = Fanout::default();
    values(value, path, &mut |value, way| {
        fanout.multikey |= way == Way::Array;
        let items = value.map_or(Ok(None), N::items)?;
        fanout.multikey |= items.is_some();
        match items {
            Some(items) if items.len() > 0 => {
                fanout.leaves += items.len();
                for item in items {
                    visit(Some(item?), Part::Element)?;
                }
            }
            items => {
                fanout.leaves += 1;
                visit(value, items.map_or(Part::Itself, |_| Part::EmptyArray))?;
            }
        }
        Ok(false)
    })?;
    // Only an array can lead nowhere.
    fanout.multikey |= fanout.leaves == 0;
    Ok(fanout)
}

/// How a value was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through objects alone.
    Objects,
    /// Through at least one array.
    Array,
}

/// Visits the values at the end of a path until a visit returns true, and returns whether one did.
/// `value` is the value of its first segment, `path` are the other segments.
#[inline]
pub(crate) fn values<'a, N: Node<'a>>(
    value: Option<N>,
    path: &[Segment],
    visit: &mut impl FnMut(Option<N>, Way) -> Result<bool>,
) -> Result<bool> {
    if path.is_empty() {
        visit(value, Way::Objects)
    } else {
        walk(value, path, Way::Objects, visit)
    }
}

/// Tests the leaves at the end of a path, and every array there as a whole, until one passes.
#[inline]
pub(crate) fn any_leaf<'a, N: Node<'a>>(
    value: Option<N>,
    path: &[Segment],
    mut test: impl FnMut(Option<N>) -> Result<bool>,
) -> Result<bool> {
    values(value, path, &mut |value, _| {
        if let Some(items) = value.map_or(Ok(None), N::items)? {
            for item in items {
                if test(Some(item?))? {
                    return Ok(true);
                }
            }
        }
        test(value)
    })
}

fn walk<'a, N: Node<'a>>(
    mut value: Option<N>,
    mut path: &[Segment],
    way: Way,
    visit: &mut impl FnMut(Option<N>, Way) -> Result<bool>,
) -> Result<bool> {
    loop {
        let (Some(node), Some((segment, rest))) = (value, path.split_first()) else {
            return visit(value, way);
        };
        match node.kind() {
            Kind::Object => (value, path) = (node.field(segment.name())?, rest),
            Kind::Array => match segment.index() {
                Some(index) => return at_position(node, index, path, visit),
                None => return in_elements(node, path, visit),
            },
            _ => return visit(None, way),
        }
    }
}

fn in_elements<'a, N: Node<'a>>(
    array: N,
    path: &[Segment],
    visit: &mut impl FnMut(Option<N>, Way) -> Result<bool>,
) -> Result<bool> {
    for item in array.items()?.into_iter().flatten() {
        let item = item?;
        if item.kind() == Kind::Object && walk(Some(item), path, Way::Array, visit)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn at_position<'a, N: Node<'a>>(
    array: N,
    index: usize,
    path: &[Segment],
    visit: &mut impl FnMut(Option<N>, Way) -> Result<bool>,
) -> Result<bool> {
    let (segment, rest) = path.split_first().expect("the position is one of its segments");
    let item = array.item(index)?;
    if item.is_some() && walk(item, rest, Way::Array, visit)? {
        return Ok(true);
    }
    let mut found = item.is_some();
    for item in array.items()?.into_iter().flatten() {
        let named = item?.field(segment.name())?;
        if named.is_some() && walk(named, rest, Way::Array, visit)? {
            return Ok(true);
        }
        found |= named.is_some();
    }
    if found { Ok(false) } else { visit(None, Way::Array) }
}
