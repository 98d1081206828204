//! `$project`, `$addFields`, `$set` and `$unset`: a tree of which fields are kept,
//! dropped or set.

use super::expression::{Needs, Node};
use super::measure::Measure;
use super::row::{Row, World, find};
use crate::limits::DEPTH_MAX;
use crate::{DocumentView, Object, Result, Value};

/// Which fields of a row are kept, dropped or set.
#[derive(Debug, Clone)]
pub(super) struct Projection {
    pub(super) mode: Mode,
    pub(super) operator: &'static str,
    pub(super) root: Branch,
    pub(super) computed: Vec<Computed>,
}

/// Whether fields that are not named are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Unnamed fields are dropped.
    Include,
    /// Unnamed fields are kept, and named ones are dropped.
    Exclude,
    /// Unnamed fields are kept, and named ones are set.
    Add,
}

/// An expression whose value becomes a field.
#[derive(Debug, Clone)]
pub(super) struct Computed {
    pub(super) node: Node,
    /// How many objects there are around the value.
    pub(super) depth: usize,
}

/// Which fields of an object are kept, dropped or set, in the order in which they are named.
#[derive(Debug, Clone, Default)]
pub(super) struct Branch(pub(super) Vec<(String, Part)>);

#[derive(Debug, Clone)]
pub(super) enum Part {
    Keep,
    Drop,
    /// It is set to the value of the expression with that number.
    Compute(usize),
    Branch(Branch),
}

impl Projection {
    pub(super) fn is_inclusion(&self) -> bool {
        self.mode == Mode::Include
    }

    pub(super) fn collect_needs(&self, needs: &mut Needs) {
        self.computed.iter().for_each(|computed| computed.node.collect_needs(needs));
        for (name, part) in &self.root.0 {
            if matches!(part, Part::Keep | Part::Branch(_)) {
                needs.fields.insert(name.clone());
            }
        }
    }

    pub(super) fn apply(&self, row: Row<'_>, world: World<'_>) -> Result<Object> {
        let mut values = self.compute(&row, world)?;
        match (self.mode, row) {
            (Mode::Include, Row::Document(document)) => {
                Ok(id_first(self.include_document(&document, &mut values)?))
            }
            (Mode::Include, Row::Object(object)) => {
                Ok(id_first(self.root.include(object, &values)))
            }
            (Mode::Exclude, row) => Ok(self.root.exclude(row.into_object(world.input)?)),
            (Mode::Add, row) => Ok(self.root.add(row.into_object(world.input)?, &values)),
        }
    }

    fn compute(&self, row: &Row<'_>, world: World<'_>) -> Result<Vec<Option<Value>>> {
        let env = world.env(row);
        let compute = |computed: &Computed| {
            let value = computed.node.eval(env)?.into_option()?;
            if let Some(value @ (Value::Array(_) | Value::Object(_))) = &value {
                let measure = Measure::of(value);
                let depth = measure.depth + computed.depth;
                if depth > DEPTH_MAX {
                    world.shared.admit(self.operator, Measure { depth, ..measure })?;
                }
            }
            Ok(value)
        };
        self.computed.iter().map(compute).collect()
    }

    /// Decodes only the kept fields of a document.
    fn include_document(
        &self,
        document: &DocumentView<'_>,
        values: &mut [Option<Value>],
    ) -> Result<Object> {
        let mut included = Included::with_capacity(self.root.0.len());
        for (name, part) in &self.root.0 {
            match part {
                Part::Drop => {}
                // No other part of the tree has this number.
                Part::Compute(at) => included.add(None, name, values[*at].take()),
                Part::Keep | Part::Branch(_) => {
                    let (at, value) = find(document, name)?.unzip();
                    included.add(at, name, part.include(value, values));
                }
            }
        }
        Ok(included.into_object())
    }
}

/// A computed `_id` comes first, as a kept one does.
fn id_first(mut object: Object) -> Object {
    if object.keys().next() != Some(ID)
        && let Some(id) = object.remove(ID)
    {
        object.prepend([(ID, id)]);
    }
    object
}

const ID: &str = "_id";

/// The fields of an object that is being made: those that it had, in their order, and then the new
/// ones in the order in which they are named.
struct Included<'p> {
    kept: Vec<(usize, &'p str, Value)>,
    new: Vec<(&'p str, Value)>,
}

impl<'p> Included<'p> {
    fn with_capacity(capacity: usize) -> Self {
        Self { kept: Vec::with_capacity(capacity), new: Vec::new() }
    }

    /// Adds a field, if it has a value, with the position at which it was.
    fn add(&mut self, position: Option<usize>, name: &'p str, value: Option<Value>) {
        match (position, value) {
            (_, None) => {}
            (Some(at), Some(value)) => self.kept.push((at, name, value)),
            (None, Some(value)) => self.new.push((name, value)),
        }
    }

    fn into_object(mut self) -> Object {
        self.kept.sort_unstable_by_key(|(at, ..)| *at);
        self.kept.into_iter().map(|(_, name, value)| (name, value)).chain(self.new).collect()
    }
}

impl Part {
    /// What is kept of the value of a field, or made in its place.
    fn include(&self, value: Option<Value>, values: &[Option<Value>]) -> Option<Value> {
        match self {
            Self::Keep => value,
            Self::Drop => None,
            Self::Compute(at) => values[*at].clone(),
            Self::Branch(branch) => branch.include_part(value, values),
        }
    }
}

impl Branch {
    /// Whether there is a computed value in it.
    fn computes(&self) -> bool {
        self.0.iter().any(|(_, part)| match part {
            Part::Compute(_) => true,
            Part::Branch(branch) => branch.computes(),
            Part::Keep | Part::Drop => false,
        })
    }

    fn include(&self, mut object: Object, values: &[Option<Value>]) -> Object {
        let mut included = Included::with_capacity(self.0.len());
        for (name, part) in &self.0 {
            let found = match part {
                Part::Keep | Part::Branch(_) => object.take(name),
                Part::Drop | Part::Compute(_) => None,
            };
            let (at, value) = found.unzip();
            included.add(at, name, part.include(value, values));
        }
        included.into_object()
    }

    /// A value with only the kept parts.
    fn include_part(&self, value: Option<Value>, values: &[Option<Value>]) -> Option<Value> {
        match value {
            Some(Value::Object(object)) => Some(self.include(object, values).into()),
            Some(Value::Array(items)) => {
                let items = items.into_iter();
                Some(items.filter_map(|item| self.include_part(Some(item), values)).collect())
            }
            // Computed fields are put into a new object in its place.
            _ if self.computes() => Some(self.include(Object::new(), values).into()),
            _ => None,
        }
    }

    fn exclude(&self, mut object: Object) -> Object {
        for (name, part) in &self.0 {
            match part {
                Part::Drop => drop(object.remove(name)),
                Part::Branch(branch) => {
                    if let Some(value) = object.get_mut(name) {
                        *value = branch.exclude_part(std::mem::take(value));
                    }
                }
                Part::Keep | Part::Compute(_) => {}
            }
        }
        object
    }

    fn exclude_part(&self, value: Value) -> Value {
        match value {
            Value::Object(object) => self.exclude(object).into(),
            Value::Array(items) => items.into_iter().map(|item| self.exclude_part(item)).collect(),
            other => other,
        }
    }

    fn add(&self, mut object: Object, values: &[Option<Value>]) -> Object {
        for (name, part) in &self.0 {
            let value = match part {
                Part::Compute(at) => values[*at].clone(),
                Part::Branch(branch) => {
                    let value = object.get_mut(name).map(std::mem::take);
                    Some(branch.add_part(value.unwrap_or_default(), values))
                }
                Part::Keep | Part::Drop => continue,
            };
            match value {
                Some(value) => drop(object.insert(name.as_str(), value)),
                None => drop(object.remove(name)),
            }
        }
        object
    }

    /// Sets fields in every object of an array, and replaces other elements by objects.
    fn add_part(&self, value: Value, values: &[Option<Value>]) -> Value {
        match value {
            Value::Object(object) => self.add(object, values).into(),
            Value::Array(items) => {
                items.into_iter().map(|item| self.add_part(item, values)).collect()
            }
            _ => self.add(Object::new(), values).into(),
        }
    }
}
