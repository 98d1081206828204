//! Sorts: the order of a query's results. Owns parsing and writing them; `least` finds a document's
//! sort key, and [`key`] encodes it.
//!
//! - A missing field sorts before all values, and these as in [`order`](crate::order).
//! - An array sorts by its smallest element in ascending order, and by its largest in descending
//!   order; so do the elements of an array inside the path. An array without elements sorts before
//!   a missing field.
//! - Several paths into one array sort by one element of it: the one that comes first in the order.

use smallvec::SmallVec;

use crate::key::{self, Direction};
use crate::least::{Least, Way, least};
use crate::limits::SORT_KEYS_MAX;
use crate::node::{Meta, Node};
use crate::{DocumentView, Error, Object, Path, Result, Value};

/// An order by several fields, the most significant one first.
///
/// ```
/// use velocitydb_core::{Sort, object};
///
/// let sort = Sort::new().ascending("city").descending("age");
/// assert_eq!(sort, Sort::from_json(r#"{"city": 1, "age": -1}"#)?);
/// let key = |age: i64| sort.key_of(&object! { "city": "Bonn", "age": age });
/// assert!(key(30)? < key(20)?);
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sort {
    keys: Vec<SortKey>,
    /// The first mistake that was made while building.
    problem: Option<Box<Error>>,
}

/// One field of a sort.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// The path, through arrays.
    pub path: Path,
    /// Whether smaller or larger values come first.
    pub direction: Direction,
}

impl Sort {
    /// No order.
    pub const fn new() -> Self {
        Self { keys: Vec::new(), problem: None }
    }

    /// Sorts also by this path, smaller values first.
    pub fn ascending(self, path: &str) -> Self {
        self.with(path, Direction::Ascending)
    }

    /// Sorts also by this path, larger values first.
    pub fn descending(self, path: &str) -> Self {
        self.with(path, Direction::Descending)
    }

    /// A sort by these keys: at most [`SORT_KEYS_MAX`], with no path twice.
    pub fn from_keys(keys: impl IntoIterator<Item = SortKey>) -> Result<Self> {
        let mut sort = Self::new();
        keys.into_iter().try_for_each(|key| sort.add(key, String::new))?;
        Ok(sort)
    }

    /// Reads a sort: `{"a": 1, "b": -1}`, whose keys count in the order in which they are written, or
    /// a list such as `[{"a": 1}, {"b": -1}]`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidQuery`] says where and why it is not valid.
    pub fn from_value(sort: &Value) -> Result<Self> {
        let mut read = Self::new();
        match sort {
            Value::Object(keys) => {
                for (path, direction) in keys {
                    read.add_parsed(path, direction, None)?;
                }
            }
            Value::Array(keys) => {
                for (at, key) in keys.iter().enumerate() {
                    let Value::Object(key) = key else {
                        let expected = "takes an object of one path, such as {\"age\": 1}";
                        return Err(invalid(at.to_string(), expected));
                    };
                    match key.iter().next().filter(|_| key.len() == 1) {
                        Some((path, direction)) => read.add_parsed(path, direction, Some(at))?,
                        None => return Err(invalid(at.to_string(), "takes exactly one path")),
                    }
                }
            }
            other => {
                return Err(invalid(
                    String::new(),
                    &format!(
                        "is a value of type {}; write {{\"age\": 1}}, or \
                         {{\"age\": 1, \"name\": -1}} for several keys",
                        other.kind()
                    ),
                ));
            }
        }
        Ok(read)
    }

    /// Reads a sort from JSON text: `{"b": 1, "a": -1}` sorts by `b`, and then by `a`.
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_value(&Value::from_json(text)?)
    }

    /// The sort as a list that [`Sort::from_value`] reads.
    pub fn to_value(&self) -> Value {
        let key = |key: &SortKey| {
            let direction = match key.direction {
                Direction::Ascending => 1,
                Direction::Descending => -1,
            };
            Object::from([(key.path.to_string(), direction)])
        };
        self.keys.iter().map(key).collect()
    }

    /// An upper bound of the bytes of its encoding.
    pub(crate) fn encoded_length_max(&self) -> Result<usize> {
        self.check()?;
        let keys = self.keys.iter();
        let keys = keys.map(|key| key.path.text_length() + 3 * Value::ENTRY_LENGTH_MAX);
        Ok(keys.sum::<usize>() + Value::ENTRY_LENGTH_MAX)
    }

    /// The fields of the sort, the most significant one first.
    pub fn keys(&self) -> &[SortKey] {
        &self.keys
    }

    /// Whether there is no order.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.problem.is_none()
    }

    /// The first mistake that was made while building, if any.
    pub fn check(&self) -> Result<()> {
        self.problem.as_ref().map_or(Ok(()), |problem| Err((**problem).clone()))
    }

    /// Appends bytes whose order is this order: a component for each key.
    ///
    /// # Errors
    ///
    /// What [`Sort::check`] says, and [`Error::Corrupt`] when the document cannot be read; the key
    /// is then incomplete.
    pub fn encode_key(&self, document: &DocumentView<'_>, key: &mut Vec<u8>) -> Result<()> {
        self.check()?;
        let mut ways: SmallVec<[_; 4]> = SmallVec::new();
        for SortKey { path, direction } in &self.keys {
            let first = path.split_first().0.name();
            if document.meta_node(first).is_none() {
                ways.push(Way::new(document.fields.get(first)?, path.segments(), *direction));
            }
        }
        let mut found = least(&mut ways)?.into_iter();
        for SortKey { path, direction } in &self.keys {
            match document.meta_node_at(path) {
                Some(meta) => append_meta(meta, *direction, key)?,
                None => append(found.next().unwrap_or(Least::Missing), *direction, key)?,
            }
        }
        Ok(())
    }

    /// Appends bytes whose order is this order, for an object between the stages of a pipeline.
    /// Appends nothing, if there was a mistake while building.
    pub fn encode_key_object(&self, object: &Object, key: &mut Vec<u8>) {
        let mut ways: SmallVec<[_; 4]> = SmallVec::new();
        for SortKey { path, direction } in &self.keys {
            let value = object.get(path.split_first().0.name());
            ways.push(Way::new(value, path.segments(), *direction));
        }
        let found = least(&mut ways).expect("owned values can always be read");
        for (SortKey { direction, .. }, found) in self.keys.iter().zip(found) {
            append(found, *direction, key).expect("owned values can always be read");
        }
    }

    /// The bytes of [`Sort::encode_key_object`] in a new buffer.
    pub fn key_of(&self, object: &Object) -> Result<Vec<u8>> {
        self.check()?;
        let mut key = Vec::new();
        self.encode_key_object(object, &mut key);
        Ok(key)
    }

    fn with(mut self, path: &str, direction: Direction) -> Self {
        if self.problem.is_none() {
            let added = path
                .parse()
                .and_then(|path: Path| self.add(SortKey { path, direction }, String::new));
            if let Err(problem) = added {
                self = Self { keys: Vec::new(), problem: Some(Box::new(problem)) };
            }
        }
        self
    }

    fn add_parsed(&mut self, path: &str, direction: &Value, at: Option<usize>) -> Result<()> {
        let place = || at.map_or_else(|| path.to_owned(), |at| format!("{at}.{path}"));
        let parsed =
            path.parse().map_err(|error| invalid(place(), &format!("is not a field: {error}")))?;
        let direction = match direction {
            one if *one == Value::Int(1) => Direction::Ascending,
            one if *one == Value::Int(-1) => Direction::Descending,
            _ => return Err(invalid(place(), "takes 1 for ascending or -1 for descending")),
        };
        self.add(SortKey { path: parsed, direction }, place)
    }

    fn add(&mut self, key: SortKey, place: impl FnOnce() -> String) -> Result<()> {
        if self.keys.len() >= SORT_KEYS_MAX {
            let (what, path) = ("number of keys of one sort", String::new());
            let found = self.keys.len() + 1;
            return Err(Error::LimitExceeded {
                what: what.into(),
                path,
                found,
                max: SORT_KEYS_MAX,
            });
        }
        if self.keys.iter().any(|other| other.path == key.path) {
            let problem = format!("has the path {:?} twice; keep one of them", key.path);
            return Err(invalid(place(), &problem));
        }
        self.keys.push(key);
        Ok(())
    }
}

fn invalid(place: String, problem: &str) -> Error {
    Error::InvalidQuery { what: "sort".into(), place, problem: problem.to_owned() }
}

fn append<'a, N: Node<'a>>(found: Least<N>, direction: Direction, key: &mut Vec<u8>) -> Result<()> {
    match found {
        Least::Empty => key::encode_empty(direction, key),
        Least::Missing => key::encode_missing(direction, key),
        Least::Value(value) => key::encode_node(value, direction, key)?,
    }
    Ok(())
}

fn append_meta(meta: Option<Meta<'_>>, direction: Direction, key: &mut Vec<u8>) -> Result<()> {
    append(meta.map_or(Least::Missing, Least::Value), direction, key)
}
