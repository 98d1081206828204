//! Dotted paths, such as `address.zip` or `tags.0`. Owns their syntax, and following them through
//! owned values; [`RawObject::get_path`](crate::RawObject::get_path) follows them through encoded
//! ones.

use std::fmt;
use std::str::FromStr;

use crate::limits::{ARRAY_PADDING_MAX, DEPTH_MAX, PATH_BYTES_MAX};
use crate::{Error, Object, Result, Value};

/// A place in a document: names of fields and positions in arrays, from the outside to the inside.
///
/// The text joins them with dots. A decimal number is a position in an array, counted from 0, and
/// a name in an object. A dot or a backslash that belongs to a name has a backslash before it.
/// Segments are not empty, and do not begin with `$`: a field whose name is empty can be stored
/// and read, but has no path.
///
/// ```
/// use velocitydb_core::{Path, Value, object};
///
/// let mut order = object! { "items": [{ "sku": "a1" }] };
/// let path: Path = "items.0.sku".parse()?;
/// assert_eq!(path.get(&order), Some(&Value::from("a1")));
/// "buyer.name".parse::<Path>()?.set(&mut order, "Alice".into())?;
/// assert_eq!(order, object! { "buyer": { "name": "Alice" }, "items": [{ "sku": "a1" }] });
/// assert_eq!(Path::field("v1.2")?.to_string(), r"v1\.2");
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// At least one.
    segments: Vec<Segment>,
}

/// One step of a [`Path`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    name: Box<str>,
    index: Option<u32>,
}

impl Segment {
    /// Its field name in an object.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its position in an array, if it is a number.
    pub fn index(&self) -> Option<usize> {
        self.index.map(|index| index as usize)
    }

    fn new(name: impl Into<Box<str>>) -> Self {
        let name = name.into();
        let canonical = name.bytes().all(|byte| byte.is_ascii_digit())
            && (name.len() == 1 || !name.starts_with('0'));
        let index = if canonical { name.parse().ok() } else { None };
        Self { name, index }
    }
}

impl Path {
    /// The path of a top-level field with this name, whatever characters it has.
    pub fn field(name: &str) -> Result<Self> {
        let mut segments = Vec::with_capacity(1);
        let invalid = |position, problem| Self::invalid(name, position, problem);
        // The text must be short enough to be parsed.
        let escaped = name.bytes().filter(|byte| is_escaped(*byte)).count();
        if name.len() + escaped > PATH_BYTES_MAX {
            return Err(Self::too_long(name.len() + escaped));
        }
        push_segment(&mut segments, name, 0)
            .map_err(|(position, problem)| invalid(position, problem))?;
        Ok(Self { segments })
    }

    /// The steps, from the outside to the inside. There is at least one.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// How many bytes its text has.
    pub(crate) fn text_length(&self) -> usize {
        let escaped = |name: &str| name.bytes().filter(|byte| is_escaped(*byte)).count();
        let length = |segment: &Segment| 1 + segment.name.len() + escaped(&segment.name);
        self.segments.iter().map(length).sum::<usize>() - 1
    }

    /// Whether the other path is this one, or leads to a place inside of it.
    pub fn is_prefix_of(&self, other: &Self) -> bool {
        other.segments.starts_with(&self.segments)
    }

    /// The value at this path, if there is one.
    pub fn get<'a>(&self, object: &'a Object) -> Option<&'a Value> {
        let (first, rest) = self.split_first();
        let mut value = object.get(first.name())?;
        for segment in rest {
            value = match value {
                Value::Object(object) => object.get(segment.name())?,
                Value::Array(items) => items.get(segment.index()?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// The value at this path, to be changed, if there is one.
    pub fn get_mut<'a>(&self, object: &'a mut Object) -> Option<&'a mut Value> {
        let (first, rest) = self.split_first();
        let mut value = object.get_mut(first.name())?;
        for segment in rest {
            value = match value {
                Value::Object(object) => object.get_mut(segment.name())?,
                Value::Array(items) => items.get_mut(segment.index()?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// The value at this path, to be changed, and created as null if it is missing.
    ///
    /// Missing objects inside the path are created, and arrays are filled up with null, up to a
    /// limit. [`Error::PathBlocked`] if the path leads through a value that is neither object nor
    /// array, or by a name through an array. Objects and elements created before the error remain.
    pub fn get_or_create<'a>(&self, object: &'a mut Object) -> Result<&'a mut Value> {
        let (first, rest) = self.split_first();
        let create = || if rest.is_empty() { Value::Null } else { Value::Object(Object::new()) };
        let mut value = object.get_or_insert_with(first.name(), create);
        for (at, segment) in rest.iter().enumerate() {
            let is_last = at + 1 == rest.len();
            let create = || if is_last { Value::Null } else { Value::Object(Object::new()) };
            value = match value {
                Value::Object(object) => object.get_or_insert_with(segment.name(), create),
                Value::Array(items) => {
                    let index = self.index_to_create(at + 1, items.len())?;
                    if index >= items.len() {
                        items.resize(index, Value::Null);
                        items.push(create());
                    }
                    &mut items[index]
                }
                other => {
                    let expected = "only objects and arrays have parts";
                    return Err(self.blocked(at + 1, other, expected));
                }
            };
        }
        Ok(value)
    }

    /// Sets the value at this path, and returns the one that was there. Creates what is missing,
    /// and fails, as [`Path::get_or_create`].
    pub fn set(&self, object: &mut Object, value: Value) -> Result<Option<Value>> {
        let existed = self.get(object).is_some();
        let before = std::mem::replace(self.get_or_create(object)?, value);
        Ok(existed.then_some(before))
    }

    /// Removes the value at this path, and returns it. An element of an array becomes null instead,
    /// so that the others keep their positions.
    pub fn remove(&self, object: &mut Object) -> Option<Value> {
        let (last, way) = self.segments.split_last().expect("a path has a segment");
        let parent = match way {
            [] => return object.remove(last.name()),
            _ => Self { segments: way.to_vec() }.get_mut(object)?,
        };
        match parent {
            Value::Object(object) => object.remove(last.name()),
            Value::Array(items) => items.get_mut(last.index()?).map(std::mem::take),
            _ => None,
        }
    }

    /// The first array that the path leads into, if it does.
    pub(crate) fn array_on_the_way<'a>(&self, object: &'a Object) -> Option<&'a Value> {
        let (_, way) = self.segments.split_last()?;
        let mut object = object;
        for segment in way {
            match object.get(segment.name())? {
                Value::Object(inner) => object = inner,
                array @ Value::Array(_) => return Some(array),
                _ => return None,
            }
        }
        None
    }

    /// The first step, and those after it.
    pub(crate) fn split_first(&self) -> (&Segment, &[Segment]) {
        self.segments.split_first().expect("a path has a segment")
    }

    /// The position of a segment in an array of `len` elements.
    fn index_to_create(&self, at: usize, len: usize) -> Result<usize> {
        let Some(index) = self.segments[at].index() else {
            let array = Value::Array(Vec::new());
            return Err(self.blocked(at, &array, "its parts are positions, such as 0"));
        };
        let padding = index.saturating_sub(len);
        if padding > ARRAY_PADDING_MAX {
            return Err(Error::LimitExceeded {
                what: "number of nulls to insert before the position".into(),
                path: self.text_up_to(at),
                found: padding,
                max: ARRAY_PADDING_MAX,
            });
        }
        Ok(index)
    }

    fn blocked(&self, at: usize, found: &Value, expected: &'static str) -> Error {
        Error::PathBlocked {
            path: self.text_up_to(at),
            found: found.kind(),
            expected: expected.into(),
        }
    }

    fn text_up_to(&self, at: usize) -> String {
        Self { segments: self.segments[..=at].to_vec() }.to_string()
    }

    fn invalid(text: &str, position: usize, problem: &'static str) -> Error {
        Error::InvalidPath { text: text.to_owned(), position, problem: problem.into() }
    }

    fn too_long(found: usize) -> Error {
        let what = "length of a path in bytes";
        Error::LimitExceeded { what: what.into(), path: String::new(), found, max: PATH_BYTES_MAX }
    }
}

/// Appends a segment that starts at a position of a path's text, or returns where and why it is
/// not valid.
fn push_segment(
    segments: &mut Vec<Segment>,
    name: &str,
    position: usize,
) -> Result<(), (usize, &'static str)> {
    if name.is_empty() {
        return Err((position, "a segment is empty; write `a.b`"));
    }
    if name == "$" || name.starts_with("$[") {
        return Err((
            position,
            "the positional operators $, $[] and $[name] are not supported yet; write the position, \
             as in `a.0`",
        ));
    }
    if name.starts_with('$') {
        return Err((position, "a segment begins with `$`, which no field does"));
    }
    if segments.len() >= DEPTH_MAX {
        return Err((position, "it has more than 100 segments, which is deeper than any document"));
    }
    segments.push(Segment::new(name));
    Ok(())
}

impl FromStr for Path {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.len() > PATH_BYTES_MAX {
            return Err(Self::too_long(text.len()));
        }
        let invalid = |(position, problem)| Self::invalid(text, position, problem);
        let mut segments = Vec::new();
        let mut name = String::new();
        let mut start = 0;
        let mut chars = text.char_indices();
        while let Some((position, char)) = chars.next() {
            match char {
                '.' => {
                    push_segment(&mut segments, &name, start).map_err(invalid)?;
                    name.clear();
                    start = position + 1;
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('.' | '\\'))) => name.push(escaped),
                    _ => return Err(invalid((position, "a backslash precedes only `.` and `\\`"))),
                },
                other => name.push(other),
            }
        }
        push_segment(&mut segments, &name, start).map_err(invalid)?;
        Ok(Self { segments })
    }
}

impl TryFrom<&str> for Path {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.segments.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            let mut rest = segment.name();
            while let Some(at) = rest.bytes().position(is_escaped) {
                write!(f, r"{}\{}", &rest[..at], &rest[at..=at])?;
                rest = &rest[at + 1..];
            }
            f.write_str(rest)?;
        }
        Ok(())
    }
}

/// Whether a byte of a name has a backslash before it in the text of a path.
fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'.' | b'\\')
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoded, object};

    fn path(text: &str) -> Path {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn text_round_trips() {
        for text in ["a", "a.b.0.c", "0", "00", "ü.é", r"v1\.2.x\\y", " "] {
            assert_eq!(path(text).to_string(), text);
        }
        assert_eq!(path("tags.10").segments()[1].index(), Some(10));
        assert_eq!(path("tags.01").segments()[1].index(), None);
        assert_eq!(path("tags.4294967296").segments()[1].index(), None);
        assert_eq!(Path::field("a.b").unwrap().segments().len(), 1);
    }

    #[test]
    fn wrong_text_is_refused_with_its_place() {
        for (text, place) in [
            ("", "at byte 0: a segment is empty"),
            ("a..b", "at byte 2: a segment is empty"),
            ("a.", "at byte 2: a segment is empty"),
            ("ü.$b", "at byte 3: a segment begins with `$`"),
            (r"a.b\c", "at byte 3: a backslash"),
            (r"a\", "at byte 1: a backslash"),
            (&"a.".repeat(101), "at byte 200: it has more than 100 segments"),
            (&"a".repeat(4097), "is 4097, and at most 4096 is allowed"),
        ] {
            let error = text.parse::<Path>().unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
        }
    }

    /// A name of dots had a path whose text was too long to be parsed, in a command for instance.
    #[test]
    fn the_path_of_a_name_can_be_read_from_its_text() {
        let longest = Path::field(&".".repeat(PATH_BYTES_MAX / 2)).unwrap();
        assert_eq!(path(&longest.to_string()), longest);
        Path::field(&".".repeat(PATH_BYTES_MAX / 2 + 1)).unwrap_err();
        Path::field(&"a".repeat(PATH_BYTES_MAX)).unwrap();
    }

    #[test]
    fn numbers_are_positions_in_arrays_and_names_in_objects() {
        let object = object! { "a": [{ "0": "name" }, 7], "0": { "1": true } };
        let encoded = Encoded::from_object(&object).unwrap();
        for (text, found) in [
            ("a.0.0", Some("name".into())),
            ("a.1", Some(Value::Int(7))),
            ("0.1", Some(Value::Bool(true))),
            ("a.2", None),
            ("a.x", None),
            ("a.1.x", None),
            ("b", None),
        ] {
            assert_eq!(path(text).get(&object), found.as_ref(), "{text}");
            assert_eq!(path(text).get_mut(&mut object.clone()), found.clone().as_mut(), "{text}");
            let raw = encoded.view().get_path(&path(text)).unwrap();
            assert_eq!(raw.map(|raw| raw.to_value().unwrap()), found, "{text}");
        }
    }

    #[test]
    fn setting_creates_what_is_missing() {
        let mut object = object! { "a": [1] };
        assert_eq!(path("a.3").set(&mut object, 4.into()), Ok(None));
        assert_eq!(path("a.0").set(&mut object, 2.into()), Ok(Some(1.into())));
        assert_eq!(path("a.4.x").set(&mut object, 5.into()), Ok(None));
        assert_eq!(path("b.0.c").set(&mut object, 6.into()), Ok(None));
        let expected = object! {
            "a": [2, null, null, 4, { "x": 5 }],
            "b": { "0": { "c": 6 } },
        };
        assert_eq!(object, expected);
    }

    #[test]
    fn setting_through_a_scalar_is_refused() {
        let mut object = object! { "a": [1], "s": "text" };
        let error = path("s.x.y").set(&mut object, Value::Null).unwrap_err().to_string();
        let expected = r#"path "s.x" leads through a value of type string; only objects"#;
        assert!(error.starts_with(expected), "{error}");
        let error = path("a.x").set(&mut object, Value::Null).unwrap_err().to_string();
        assert!(error.contains("type array; its parts are positions"), "{error}");
        let error = path("a.4000000000").set(&mut object, Value::Null).unwrap_err().to_string();
        assert!(error.contains("number of nulls to insert"), "{error}");
    }

    #[test]
    fn removing_keeps_positions() {
        let mut object = object! { "a": [1, 2, { "x": 3 }], "b": 4 };
        assert_eq!(path("a.0").remove(&mut object), Some(1.into()));
        assert_eq!(path("a.2.x").remove(&mut object), Some(3.into()));
        assert_eq!(path("b").remove(&mut object), Some(4.into()));
        assert_eq!(path("b").remove(&mut object), None);
        assert_eq!(path("a.7").remove(&mut object), None);
        assert_eq!(object, object! { "a": [null, 2, {}] });
    }
}
