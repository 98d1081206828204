//! [`Projection`]: its parts, and building one in Rust. Owns the rules on which parts can be
//! combined.

use std::collections::BTreeMap;

use crate::document::{ID, META, METADATA};
use crate::filter::Test;
use crate::limits::QUERY_NODES_MAX;
use crate::{Error, Filter, Path, Result, filter};

/// Which parts of a document a query returns.
///
/// Read from JSON in MongoDB's language, or built in Rust. While building, a mistake is remembered,
/// and reported by [`Projection::check`] and wherever the projection is used. The default is
/// everything.
///
/// ```
/// use velocitydb_core::{Projection, object};
///
/// let user = || object! { "_id": "1", "name": "Alice", "address": { "zip": 12045, "city": "Berlin" } };
/// let projection = Projection::from_json(r#"{"address.city": 1}"#)?;
/// assert_eq!(projection, Projection::include(["address.city"]));
/// assert_eq!(
///     projection.apply_object(user()),
///     object! { "_id": "1", "address": { "city": "Berlin" } }
/// );
/// assert_eq!(
///     Projection::exclude(["_id", "address"]).apply_object(user()),
///     object! { "name": "Alice" }
/// );
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Projection {
    /// Sorted by their paths.
    pub(super) parts: Vec<(Path, Part)>,
    pub(super) mode: Mode,
    /// The parts as a tree, without `_id` and what is included of `_meta`.
    pub(super) rules: Rules,
    /// What is returned of `_meta`.
    pub(super) metadata: Option<Rule>,
    /// The first mistake that was made while building.
    problem: Option<Box<Error>>,
}

/// What is done with the value at a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Include,
    Exclude,
    Slice(Slice),
    /// A test with `$elemMatch`.
    ElemMatch(Test),
}

/// Which elements of an array are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    /// How many are skipped, or where to begin from the end if negative.
    pub(super) skip: Option<i64>,
    /// How many are kept at most; without `skip`, the last ones if negative.
    pub(super) count: i64,
}

/// Whether fields that are not named are left out or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    Include,
    #[default]
    Exclude,
}

/// What is done with the fields of an object.
pub(super) type Rules = BTreeMap<String, Rule>;

/// What is done with a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    /// It is included or excluded, by the mode.
    Named,
    Slice(Slice),
    ElemMatch(Test),
    /// The rules apply to parts of it.
    Inside(Rules),
}

impl Projection {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// These paths alone, and `_id`.
    pub fn include(paths: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self::all().with(paths, Part::Include)
    }

    /// Everything but these paths.
    pub fn exclude(paths: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self::all().with(paths, Part::Exclude)
    }

    /// The same without `_id`.
    pub fn without_id(self) -> Self {
        self.with([ID], Part::Exclude)
    }

    /// Returns only the first `count` elements of the array at this path, or the last if negative.
    pub fn slice(self, path: &str, count: i64) -> Self {
        self.with([path], Part::Slice(Slice { skip: None, count }))
    }

    /// Returns only the first element of the array at this path that is an object and matches the
    /// filter.
    pub fn elem_match(self, path: &str, filter: &Filter) -> Self {
        match filter.check() {
            Ok(()) => {
                let predicate = Box::new(filter.predicate().clone());
                self.with([path], Part::ElemMatch(Test::ElemMatch(predicate)))
            }
            Err(problem) => self.or_problem(problem),
        }
    }

    /// The first mistake that was made while building, if any.
    pub fn check(&self) -> Result<()> {
        self.problem.as_ref().map_or(Ok(()), |problem| Err((**problem).clone()))
    }

    /// Whether it keeps everything.
    pub fn is_all(&self) -> bool {
        self.parts.is_empty() && self.problem.is_none()
    }

    /// The included paths, sorted, with `_id` unless it is left out: an index that has all of them
    /// covers the query. `None` if fields that are not named are included.
    pub fn paths(&self) -> Option<Vec<Path>> {
        if self.mode == Mode::Exclude {
            return None;
        }
        let included = |(path, part): &(Path, Part)| (*part != Part::Exclude).then(|| path.clone());
        let mut paths: Vec<Path> = self.parts.iter().filter_map(included).collect();
        if self.includes_id() && !paths.iter().any(is_id) {
            paths.push(Path::field(ID).expect("it is a name"));
        }
        paths.sort_unstable();
        Some(paths)
    }

    /// A projection of all of these parts.
    pub(super) fn from_parts(mut parts: Vec<(Path, Part)>) -> Result<Self> {
        parts.sort_by(|(a, _), (b, _)| a.cmp(b));
        // In sorted order, paths inside of another path follow it directly.
        if let Some([one, other]) =
            parts.windows(2).map(|pair| [&pair[0].0, &pair[1].0]).find(|[a, b]| a.is_prefix_of(b))
        {
            return Err(invalid(other, format!("overlaps with {one:?}; keep one of them")));
        }
        if parts.len() > QUERY_NODES_MAX {
            let (what, path) = ("number of paths in one projection", String::new());
            return Err(Error::LimitExceeded {
                what: what.into(),
                path,
                found: parts.len(),
                max: QUERY_NODES_MAX,
            });
        }
        let mode = mode(&parts)?;
        let (mut rules, mut metadata) = (Rules::new(), Rules::new());
        for (path, part) in &parts {
            let rule = match part {
                Part::Include | Part::Exclude if is_id(path) => continue,
                Part::Include | Part::Exclude => Rule::Named,
                Part::Slice(slice) => Rule::Slice(*slice),
                Part::ElemMatch(test) => Rule::ElemMatch(test.clone()),
            };
            match (is_metadata(path), part, mode) {
                (false, ..) | (true, Part::Exclude, Mode::Exclude) => {
                    insert(&mut rules, path, rule);
                }
                // It is not returned anyway.
                (true, Part::Exclude, Mode::Include) => {}
                (true, ..) => insert(&mut metadata, path, rule),
            }
        }
        let metadata = metadata.remove(METADATA);
        Ok(Self { parts, mode, rules, metadata, problem: None })
    }

    /// Whether the id is returned with a document.
    pub(super) fn includes_id(&self) -> bool {
        match self.id_part() {
            Some(part) => *part != Part::Exclude,
            None => !self.rules.contains_key(ID),
        }
    }

    /// The part for the whole id.
    pub(super) fn id_part(&self) -> Option<&Part> {
        self.parts.iter().find(|(path, _)| is_id(path)).map(|(_, part)| part)
    }

    fn with(self, paths: impl IntoIterator<Item = impl AsRef<str>>, part: Part) -> Self {
        if self.problem.is_some() {
            return self;
        }
        let mut parts = self.parts.clone();
        for path in paths {
            match path.as_ref().parse() {
                Ok(path) => parts.push((path, part.clone())),
                Err(problem) => return self.or_problem(problem),
            }
        }
        match Self::from_parts(parts) {
            Ok(projection) => projection,
            Err(problem) => self.or_problem(problem),
        }
    }

    fn or_problem(self, problem: Error) -> Self {
        Self { problem: self.problem.or(Some(Box::new(problem))), ..self }
    }
}

/// Whether a path is the whole id.
fn is_id(path: &Path) -> bool {
    matches!(path.segments(), [segment] if segment.name() == ID)
}

/// Whether a path leads to the metadata or into it.
fn is_metadata(path: &Path) -> bool {
    path.split_first().0.name() == METADATA
}

/// Whether the parts include or exclude.
fn mode(parts: &[(Path, Part)]) -> Result<Mode> {
    let mut first: Option<(&Path, Mode)> = None;
    let own = || parts.iter().filter(|(path, _)| !is_id(path) && !is_metadata(path));
    let is_excluding = own().any(|(_, part)| *part == Part::Exclude);
    for (path, part) in own() {
        let mode = match part {
            Part::Include => Mode::Include,
            Part::Exclude => Mode::Exclude,
            // Beside excluded fields it only selects elements.
            Part::ElemMatch(_) if !is_excluding => Mode::Include,
            Part::ElemMatch(_) | Part::Slice(_) => continue,
        };
        match first {
            Some((other, decided)) if decided != mode => {
                let (this, that) = match mode {
                    Mode::Include => ("is included", "excluded"),
                    Mode::Exclude => ("is excluded", "included"),
                };
                return Err(invalid(
                    path,
                    format!(
                        "{this}, while {other:?} is {that}; a projection does one of both, and only \
                         {} may differ",
                        META.join(" and ")
                    ),
                ));
            }
            Some(_) => {}
            None => first = Some((path, mode)),
        }
    }
    let meta = || parts.iter().any(|(_, part)| *part == Part::Include);
    Ok(first.map_or_else(|| if meta() { Mode::Include } else { Mode::Exclude }, |(_, mode)| mode))
}

fn insert(rules: &mut Rules, path: &Path, rule: Rule) {
    let (last, way) = path.segments().split_last().expect("a path has a segment");
    let mut rules = rules;
    for segment in way {
        let inside =
            rules.entry(segment.name().to_owned()).or_insert_with(|| Rule::Inside(Rules::new()));
        let Rule::Inside(inner) = inside else { unreachable!("no path is inside of another") };
        rules = inner;
    }
    rules.insert(last.name().to_owned(), rule);
}

fn invalid(path: &Path, problem: String) -> Error {
    Error::InvalidQuery { what: "projection".into(), place: path.to_string(), problem }
}

/// The test with `$elemMatch` and this operand.
pub(super) fn parse_elem_match(operand: &crate::Value) -> Result<Test> {
    let operators = crate::Object::from([("$elemMatch", operand.clone())]);
    Ok(filter::parse_operators(&operators)?.remove(0))
}
