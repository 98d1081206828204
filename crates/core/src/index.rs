//! [`IndexSpec`]: the specification of an index. The database maintains and uses it.

use crate::document::META;
use crate::encoder::append;
use crate::format::Names;
use crate::{Error, Filter, IndexName, Object, RawValue, Result, Sort, Value, object};

/// The specification of an index: its paths, their directions, and which documents it has.
///
/// Built in Rust, or read from an object. While building, a wrong path is remembered, and reported
/// by [`IndexSpec::check`] and wherever the specification is used.
///
/// ```
/// use velocitydb_core::{IndexSpec, Sort, object};
///
/// let index = IndexSpec::new(Sort::new().ascending("state").descending("priority"))
///     .named("next")
///     .partial(object! { "state": "waiting" });
/// assert_eq!(index.name(), "next");
/// index.check()?;
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct IndexSpec {
    name: Option<String>,
    keys: Sort,
    is_unique: bool,
    is_sparse: bool,
    partial: Option<Filter>,
}

impl IndexSpec {
    /// An index over these paths. A path that leads to an array makes an entry for each element.
    pub fn new(keys: Sort) -> Self {
        IndexSpec { name: None, keys, is_unique: false, is_sparse: false, partial: None }
    }

    /// An index over one path, ascending.
    pub fn on(path: &str) -> Self {
        Self::new(Sort::new().ascending(path))
    }

    /// Sets its name. The default consists of its paths and directions, `state_1_time_-1`.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// No two documents may have the same values. Missing counts as a value: with
    /// [`sparse`](Self::sparse) any number of documents may lack it.
    pub fn unique(mut self) -> Self {
        self.is_unique = true;
        self
    }

    /// Leaves out documents that have none of the paths.
    pub fn sparse(mut self) -> Self {
        self.is_sparse = true;
        self
    }

    /// Only documents that match `filter` have entries, and `unique` applies only to them.
    pub fn partial(mut self, filter: impl Into<Filter>) -> Self {
        self.partial = Some(filter.into());
        self
    }

    /// Its name.
    pub fn name(&self) -> String {
        let key = |key: &crate::sort::SortKey| format!("{}_{}", key.path, key.direction.sign());
        let of_keys = || self.keys.keys().iter().map(key).collect::<Vec<_>>().join("_");
        self.name.clone().unwrap_or_else(of_keys)
    }

    /// Its paths, with their directions.
    pub fn keys(&self) -> &Sort {
        &self.keys
    }

    /// Whether no two documents may have the same values.
    pub fn is_unique(&self) -> bool {
        self.is_unique
    }

    /// Whether documents without any of the paths are left out.
    pub fn is_sparse(&self) -> bool {
        self.is_sparse
    }

    /// Which documents it has, if not all.
    pub fn partial_filter(&self) -> Option<&Filter> {
        self.partial.as_ref()
    }

    /// The first mistake in it, if any.
    pub fn check(&self) -> Result<()> {
        self.keys.check()?;
        IndexName::check(&self.name())?;
        if self.keys.keys().is_empty() {
            return Err(invalid("keys", "has no path; name one, as in {\"state\": 1}"));
        }
        let is_meta = |path: &crate::Path| META.contains(&path.segments()[0].name());
        if let Some(key) = self.keys.keys().iter().find(|key| is_meta(&key.path)) {
            let problem = "is not a field of the document, and only those are indexed";
            return Err(invalid(&format!("keys.{}", key.path), problem));
        }
        let Some(partial) = &self.partial else { return Ok(()) };
        partial.check()?;
        if let Some(path) = partial.paths().iter().find(|path| is_meta(path)) {
            let problem = "is not a field of the document, and only those select what is indexed";
            return Err(invalid(&format!("partial.{path}"), problem));
        }
        Ok(())
    }

    /// The specification as an object, which [`IndexSpec::from_object`] reads.
    pub fn to_object(&self) -> Object {
        let mut spec = object! { "keys": self.keys.to_value(), "name": self.name() };
        spec.extend(self.partial.as_ref().map(|filter| ("partial", filter.to_object())));
        if self.is_sparse {
            spec.insert("sparse", true);
        }
        if self.is_unique {
            spec.insert("unique", true);
        }
        spec
    }

    /// Reads a specification: `{"keys": [{"state": 1}, {"time": -1}], "name": "…", "unique": true,
    /// "sparse": true, "partial": {filter}}`, of which only `keys` is needed.
    pub fn from_object(spec: Object) -> Result<Self> {
        let mut index = None;
        let (mut name, mut partial, mut unique, mut sparse) = (None, None, false, false);
        for (field, value) in spec {
            match (field.as_str(), value) {
                ("keys", keys) => index = Some(Sort::from_value(&keys)?),
                ("name", Value::String(value)) => name = Some(value),
                ("partial", Value::Object(filter)) => partial = Some(Filter::from_object(filter)?),
                ("unique", Value::Bool(value)) => unique = value,
                ("sparse", Value::Bool(value)) => sparse = value,
                ("name" | "partial" | "unique" | "sparse", other) => {
                    let problem = format!("has a value of type {}", other.kind());
                    return Err(invalid(&field, &problem));
                }
                _ => {
                    let problem = "is unknown; there are keys, name, unique, sparse and partial";
                    return Err(invalid(&field, problem));
                }
            }
        }
        let keys =
            index.ok_or_else(|| invalid("", "has no keys; add {\"keys\": {\"state\": 1}}"))?;
        let index = Self { name, keys, is_unique: unique, is_sparse: sparse, partial };
        index.check().map(|()| index)
    }

    /// Appends the specification as canonical bytes, for a log or a state.
    pub fn encode_into(&self, buffer: &mut Vec<u8>) -> Result<()> {
        self.check()?;
        append(buffer, Names::Operators, |encoder| encoder.object(&self.to_object()))
    }

    /// Reads what [`IndexSpec::encode_into`] wrote, checking all of it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let spec = RawValue::validate_names(bytes, Names::Operators)?.to_value()?;
        Self::from_object(spec.try_into()?)
    }
}

/// An explicit name that equals the default name makes no difference.
impl PartialEq for IndexSpec {
    fn eq(&self, other: &Self) -> bool {
        let IndexSpec { name: _, keys, is_unique, is_sparse, partial } = self;
        self.name() == other.name()
            && *keys == other.keys
            && *is_unique == other.is_unique
            && *is_sparse == other.is_sparse
            && *partial == other.partial
    }
}

fn invalid(place: &str, problem: &str) -> Error {
    Error::InvalidQuery {
        what: "index".into(),
        place: place.to_owned(),
        problem: problem.to_owned(),
    }
}
