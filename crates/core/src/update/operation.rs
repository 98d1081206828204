//! [`Update`]: its operations, and building one in Rust. Owns the rule that no two operations
//! change the same path.

use std::cmp::Ordering;

use super::array::{Pull, Push};
use crate::limits::UPDATE_OPERATIONS_MAX;
use crate::{Error, Filter, Object, Path, Result, Value, document};

/// A change to a document: any number of operators, each on a path.
///
/// Built in Rust, or read from JSON. While building, a wrong path or operand is remembered, and
/// reported by [`Update::check`] and wherever the update is used.
///
/// ```
/// use velocitydb_core::{Time, Update, object};
///
/// let mut user = object! { "name": "Alice", "age": 28, "tags": ["a"] };
/// Update::new().set("age", 29).add_to_set("tags", "b").apply(&mut user, Time::UNIX_EPOCH)?;
/// assert_eq!(user, object! { "name": "Alice", "age": 29, "tags": ["a", "b"] });
///
/// let update = Update::from_json(r#"{"$inc": {"age": 1}, "$unset": {"tags": true}}"#)?;
/// update.apply(&mut user, Time::UNIX_EPOCH)?;
/// assert_eq!(user, object! { "name": "Alice", "age": 30 });
///
/// assert!(Update::new().set("a", 1).inc("a.b", 1).check().is_err());
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Update {
    pub(super) operations: Vec<Operation>,
    /// The first mistake that was made while building.
    problem: Option<Box<Error>>,
}

/// One operator on one path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operation {
    pub(super) path: Path,
    pub(super) action: Action,
}

/// An operator and its operand.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    Set(Value),
    Unset,
    Increment(Value),
    Multiply(Value),
    Min(Value),
    Max(Value),
    Rename(Path),
    Push(Push),
    Pull(Pull),
    PullAll(Vec<Value>),
    Pop(End),
    AddToSet(Vec<Value>),
    CurrentDate,
}

/// An end of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    First,
    Last,
}

impl Action {
    /// The operator's name.
    pub(super) const fn operator(&self) -> &'static str {
        match self {
            Self::Set(_) => "$set",
            Self::Unset => "$unset",
            Self::Increment(_) => "$inc",
            Self::Multiply(_) => "$mul",
            Self::Min(_) => "$min",
            Self::Max(_) => "$max",
            Self::Rename(_) => "$rename",
            Self::Push(_) => "$push",
            Self::Pull(_) => "$pull",
            Self::PullAll(_) => "$pullAll",
            Self::Pop(_) => "$pop",
            Self::AddToSet(_) => "$addToSet",
            Self::CurrentDate => "$currentDate",
        }
    }
}

impl Operation {
    pub(super) fn new(path: Path, action: Action) -> Result<Self> {
        let operator = action.operator();
        let operation = Self { path, action };
        for place in operation.places() {
            if let Some(advice) = document::advice_for_update(place) {
                return Err(Error::EngineField {
                    operator: operator.into(),
                    path: place.to_string(),
                    advice: advice.into(),
                });
            }
        }
        let Self { path, action } = operation;
        match &action {
            Action::Increment(by) | Action::Multiply(by) if !super::number::is_number(by) => {
                Err(Error::InvalidOperand {
                    operator: operator.into(),
                    path: path.to_string(),
                    expected: "a number".into(),
                })
            }
            _ => Ok(Self { path, action }),
        }
    }

    /// An upper bound of its bytes in an encoded update, if that is known without encoding it.
    fn encoded_length_max(&self) -> Option<usize> {
        let all = |values: &[Value]| {
            let lengths = values.iter().map(|one| one.encoded_length_max(0));
            Some(lengths.sum::<Option<usize>>()? + (values.len() + 2) * Value::ENTRY_LENGTH_MAX)
        };
        let operand = match &self.action {
            Action::Set(value)
            | Action::Increment(value)
            | Action::Multiply(value)
            | Action::Min(value)
            | Action::Max(value) => value.encoded_length_max(0)?,
            Action::Unset | Action::Pop(_) | Action::CurrentDate => Value::ENTRY_LENGTH_MAX,
            Action::Rename(to) => to.text_length() + Value::ENTRY_LENGTH_MAX,
            Action::PullAll(values) | Action::AddToSet(values) => all(values)?,
            Action::Push(_) | Action::Pull(_) => return None,
        };
        let names = self.path.text_length() + self.action.operator().len();
        Some(names + operand + 2 * Value::ENTRY_LENGTH_MAX)
    }

    /// The path that it writes to.
    fn target(&self) -> &Path {
        match &self.action {
            Action::Rename(to) => to,
            _ => &self.path,
        }
    }

    /// The paths that it changes.
    pub(super) fn places(&self) -> impl Iterator<Item = &Path> {
        let second = match &self.action {
            Action::Rename(to) => Some(to),
            _ => None,
        };
        std::iter::once(&self.path).chain(second)
    }
}

impl From<Object> for Update {
    /// [`Update::from_object`]: operators, or fields that are merged. A mistake is reported when
    /// the update is used.
    fn from(update: Object) -> Self {
        Self::from_object(update).unwrap_or_else(Self::of_problem)
    }
}

impl Update {
    /// An update that changes nothing yet.
    pub const fn new() -> Self {
        Self { operations: Vec::new(), problem: None }
    }

    /// Sets each of these top-level fields, whatever characters their names have, and leaves the
    /// others as they are.
    pub fn merge(fields: Object) -> Self {
        let set =
            |(name, value): (String, _)| Operation::new(Path::field(&name)?, Action::Set(value));
        let operations: Result<Vec<_>> = fields.into_iter().map(set).collect();
        operations.and_then(Self::from_operations).unwrap_or_else(Self::of_problem)
    }

    fn of_problem(problem: Error) -> Self {
        Self { operations: Vec::new(), problem: Some(Box::new(problem)) }
    }

    /// Sets a value, and creates the objects on its path: `$set`.
    pub fn set(self, path: &str, value: impl Into<Value>) -> Self {
        self.with(path.parse(), || Ok(Action::Set(value.into())))
    }

    /// Removes a field: `$unset`.
    pub fn unset(self, path: &str) -> Self {
        self.with(path.parse(), || Ok(Action::Unset))
    }

    /// Adds to a number: `$inc`.
    pub fn inc(self, path: &str, by: impl Into<Value>) -> Self {
        self.with(path.parse(), || Ok(Action::Increment(by.into())))
    }

    /// Multiplies a number: `$mul`.
    pub fn mul(self, path: &str, by: impl Into<Value>) -> Self {
        self.with(path.parse(), || Ok(Action::Multiply(by.into())))
    }

    /// Sets a value if it is smaller than the existing one: `$min`.
    pub fn min(self, path: &str, value: impl Into<Value>) -> Self {
        self.with(path.parse(), || Ok(Action::Min(value.into())))
    }

    /// Sets a value if it is larger than the existing one: `$max`.
    pub fn max(self, path: &str, value: impl Into<Value>) -> Self {
        self.with(path.parse(), || Ok(Action::Max(value.into())))
    }

    /// Moves a field to another path: `$rename`.
    pub fn rename(self, from: &str, to: &str) -> Self {
        self.with(from.parse(), || Ok(Action::Rename(to.parse()?)))
    }

    /// Appends an element to an array: `$push`.
    pub fn push(self, path: &str, value: impl Into<Value>) -> Self {
        self.push_each(path, [value])
    }

    /// Appends elements to an array: `$push` with `$each`.
    pub fn push_each(self, path: &str, values: impl IntoIterator<Item = impl Into<Value>>) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.with(path.parse(), || Ok(Action::Push(Push { values, ..Push::default() })))
    }

    /// Removes the elements of an array that equal the value: `$pull`, or `$pullAll` for an object,
    /// which `$pull` would read as a filter.
    pub fn pull(self, path: &str, value: impl Into<Value>) -> Self {
        self.with(path.parse(), || {
            Ok(match value.into() {
                object @ Value::Object(_) => Action::PullAll(vec![object]),
                value => Action::Pull(Pull::Equal(value)),
            })
        })
    }

    /// Removes the elements of an array that equal one of the values: `$pullAll`.
    pub fn pull_all(self, path: &str, values: impl IntoIterator<Item = impl Into<Value>>) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.with(path.parse(), || Ok(Action::PullAll(values)))
    }

    /// Removes the elements of an array that are objects and match the filter: `$pull`.
    ///
    /// ```
    /// use velocitydb_core::{Time, Update, field, object};
    ///
    /// let mut order = object! { "items": [{ "sku": "a", "n": 2 }, { "sku": "b", "n": 0 }] };
    /// Update::new().pull_where("items", field("n").lt(1)).apply(&mut order, Time::UNIX_EPOCH)?;
    /// assert_eq!(order, object! { "items": [{ "sku": "a", "n": 2 }] });
    /// # Ok::<(), velocitydb_core::Error>(())
    /// ```
    pub fn pull_where(self, path: &str, filter: impl Into<Filter>) -> Self {
        let filter = filter.into();
        self.with(path.parse(), || {
            filter.check()?;
            Ok(Action::Pull(Pull::Objects(filter.predicate().clone())))
        })
    }

    /// Removes the first element of an array: `$pop` with `-1`.
    pub fn pop_first(self, path: &str) -> Self {
        self.with(path.parse(), || Ok(Action::Pop(End::First)))
    }

    /// Removes the last element of an array: `$pop` with `1`.
    pub fn pop_last(self, path: &str) -> Self {
        self.with(path.parse(), || Ok(Action::Pop(End::Last)))
    }

    /// Appends an element to an array unless the array has it: `$addToSet`.
    pub fn add_to_set(self, path: &str, value: impl Into<Value>) -> Self {
        self.with(path.parse(), || Ok(Action::AddToSet(vec![value.into()])))
    }

    /// Sets the time at which the update is applied: `$currentDate`.
    pub fn current_date(self, path: &str) -> Self {
        self.with(path.parse(), || Ok(Action::CurrentDate))
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.problem.is_none()
    }

    /// The paths that it sets or unsets: those of `$set` and `$unset`.
    pub fn set_paths(&self) -> impl Iterator<Item = &Path> {
        let sets = |one: &&Operation| matches!(one.action, Action::Set(_) | Action::Unset);
        self.operations.iter().filter(sets).map(|one| &one.path)
    }

    /// The first mistake that was made while building, if any.
    pub fn check(&self) -> Result<()> {
        self.problem.as_ref().map_or(Ok(()), |problem| Err((**problem).clone()))
    }

    /// An upper bound of the bytes that [`encode_into`](Self::encode_into) appends, without encoding
    /// them if it is known.
    pub(crate) fn encoded_length_max(&self) -> Result<usize> {
        self.check()?;
        let known = self.operations.iter().map(Operation::encoded_length_max);
        if let Some(length) = known.sum::<Option<usize>>() {
            return Ok(length + Value::ENTRY_LENGTH_MAX);
        }
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes)?;
        Ok(bytes.len())
    }

    /// An update of all of these operations.
    pub(super) fn from_operations(mut operations: Vec<Operation>) -> Result<Self> {
        if operations.len() > UPDATE_OPERATIONS_MAX {
            return Err(too_many(operations.len()));
        }
        let mut places: Vec<&Path> = operations.iter().flat_map(Operation::places).collect();
        // In sorted order, paths inside of another path follow it directly.
        places.sort_unstable();
        match places.windows(2).find(|pair| pair[0].is_prefix_of(pair[1])) {
            Some(pair) => Err(conflict(pair[0], pair[1])),
            None => {
                operations.sort_by(|one, other| in_turn(one.target(), other.target()));
                Ok(Self { operations, problem: None })
            }
        }
    }

    fn with(mut self, path: Result<Path>, action: impl FnOnce() -> Result<Action>) -> Self {
        if self.problem.is_none() {
            let added = self.try_add(path, action);
            self.problem = added.err().map(Box::new);
        }
        self
    }

    fn try_add(
        &mut self,
        path: Result<Path>,
        action: impl FnOnce() -> Result<Action>,
    ) -> Result<()> {
        let operation = Operation::new(path?, action()?)?;
        if self.operations.len() >= UPDATE_OPERATIONS_MAX {
            return Err(too_many(self.operations.len() + 1));
        }
        let mut taken: Vec<&Path> = self.operations.iter().flat_map(Operation::places).collect();
        for place in operation.places() {
            if let Some(other) =
                taken.iter().find(|other| other.is_prefix_of(place) || place.is_prefix_of(other))
            {
                return Err(conflict(other, place));
            }
            taken.push(place);
        }
        let is_before = |other: &Operation| in_turn(other.target(), operation.target()).is_lt();
        let at = self.operations.partition_point(is_before);
        self.operations.insert(at, operation);
        Ok(())
    }
}

/// The order in which operations are applied: that of the paths that they write to, positions as numbers, and before
/// names. So an element is created before a later one, which would otherwise create it as null.
fn in_turn(one: &Path, other: &Path) -> Ordering {
    let pairs = one.segments().iter().zip(other.segments());
    let unequal = pairs.map(|(one, other)| match (one.index(), other.index()) {
        (Some(one), Some(other)) => one.cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.name().cmp(other.name()),
    });
    let by_length = || one.segments().len().cmp(&other.segments().len());
    unequal.into_iter().find(|order| order.is_ne()).unwrap_or_else(by_length)
}

fn too_many(found: usize) -> Error {
    let what = "number of changed paths in one update";
    Error::LimitExceeded {
        what: what.into(),
        path: String::new(),
        found,
        max: UPDATE_OPERATIONS_MAX,
    }
}

fn conflict(one: &Path, other: &Path) -> Error {
    let (first, second) = if one.is_prefix_of(other) { (one, other) } else { (other, one) };
    Error::ConflictingPaths { first: first.to_string(), second: second.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Time, object, value};

    /// Renamed fields were appended in the order of their old names.
    #[test]
    fn new_fields_are_in_the_order_of_their_paths() {
        let text = r#"{"$rename": {"a": "w", "b": "v"}, "$set": {"u": 0, "x": 3}}"#;
        let built = Update::new().set("x", 3).rename("b", "v").rename("a", "w").set("u", 0);
        assert_eq!(built, Update::from_json(text).unwrap());
        let mut fields = object! { "b": 1, "a": 2 };
        built.apply(&mut fields, Time::UNIX_EPOCH).unwrap();
        assert_eq!(fields.to_json(), r#"{"u":0,"v":1,"w":2,"x":3}"#);
    }

    /// `$max` padded the array with a null where `$push` was to create an array, so that which of
    /// two operators came first decided whether the update was refused.
    #[test]
    fn operators_on_one_array_are_applied_in_the_order_of_positions() {
        let text = r#"{"$max": {"a.10": 5}, "$push": {"a.2": 4}}"#;
        let built = Update::new().max("a.10", 5).push("a.2", 4);
        assert_eq!(built, Update::from_json(text).unwrap());
        let mut fields = object! { "a": [] };
        built.apply(&mut fields, Time::UNIX_EPOCH).unwrap();
        assert_eq!(fields["a"].as_array().unwrap()[2], value!([4]));
    }

    /// Positions were compared with names as texts, so that 9 < 10 < 1a < 9: an order that sorting
    /// may panic at, in an update that was decoded from bytes.
    #[test]
    fn positions_and_names_are_in_one_order() {
        let path = |name: &&str| format!("a.{name}").parse::<Path>().unwrap();
        let paths: Vec<Path> = ["9", "10", "1a", "01", "1", "a", "100"].iter().map(path).collect();
        for one in &paths {
            for two in &paths {
                assert_eq!(in_turn(one, two), in_turn(two, one).reverse());
                for three in paths.iter().filter(|_| in_turn(one, two).is_le()) {
                    let is_in_turn = in_turn(two, three).is_gt() || in_turn(one, three).is_le();
                    assert!(is_in_turn, "{one} {two} {three}");
                }
            }
        }
    }
}
