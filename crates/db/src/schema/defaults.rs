//! Defaults: the values that missing fields get. Each is completed with the defaults inside of it
//! when the schema is set, so that inserting it needs no further step, and everything is bounded.

use velocitydb_core::limits::{DEPTH_MAX, DOCUMENT_BYTES_MAX};
use velocitydb_core::{Encoded, Object, RawObject, RawValue, Value};

use super::bounds;
use super::meter::{STEPS_MAX, steps_max};
use super::problem::{Number, problem};
use super::subschemas::{Subschemas, place_text};
use crate::Result;

/// The largest size of all defaults of a schema, each with the defaults inside of it: 4 MiB.
///
/// They are kept in memory, and defaults can hold defaults.
pub const DEFAULTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// All defaults of a schema, by path.
#[derive(Default)]
pub(super) struct Defaults {
    /// The paths that have a default, or lead to one; the first is the whole document.
    places: Vec<DefaultPlace>,
}

/// The defaults inside of one value.
#[derive(Default)]
struct DefaultPlace {
    fields: Vec<Field>,
    /// The place of the elements, if the value is an array.
    items: Option<usize>,
    /// Further places for the same value.
    also: Vec<usize>,
}

struct Field {
    name: Box<str>,
    default: Option<Value>,
    /// The place of its value.
    place: Option<usize>,
}

impl Defaults {
    /// Collects the defaults.
    pub(super) fn of(schemas: &Subschemas<'_>) -> Result<Self> {
        let own = own_defaults(schemas)?;
        let leads = leading(schemas, &own);
        if !leads[0] {
            return Ok(Defaults::default());
        }
        let mut places = vec![None; schemas.all.len()];
        for (at, number) in (0..leads.len()).filter(|number| leads[*number]).enumerate() {
            places[number] = Some(at);
        }
        let mut defaults = Defaults::default();
        for number in (0..leads.len()).filter(|number| leads[*number]) {
            let schema = &schemas.all[number];
            let field = |(name, schema): &(&str, Number)| {
                let (default, place) = (own[*schema].cloned(), places[*schema]);
                let is_used = default.is_some() || place.is_some();
                is_used.then(|| Field { name: (*name).into(), default, place })
            };
            defaults.places.push(DefaultPlace {
                fields: schema.properties.iter().filter_map(field).collect(),
                items: schema.items.and_then(|items| places[items]),
                also: schema.always.iter().filter_map(|also| places[*also]).collect(),
            });
        }
        let numbers = (0..leads.len()).filter(|number| leads[*number]);
        defaults.complete(|at, name| {
            let number = numbers.clone().nth(at).unwrap_or_default();
            place_text(&schemas.all, number, &["properties", name, "default"])
        })?;
        Ok(defaults)
    }

    /// Fills each default with the defaults inside of it.
    fn complete(&mut self, place_of: impl Fn(usize, &str) -> String) -> Result<()> {
        let mut room = Room::new(DEFAULTS_BYTES_MAX, STEPS_MAX);
        let mut completed = Vec::new();
        for (at, place) in self.places.iter().enumerate() {
            for (position, field) in place.fields.iter().enumerate() {
                let (Some(default), Some(inner)) = (&field.default, field.place) else { continue };
                let mut default = default.clone();
                room.take(size(&default))
                    .and_then(|()| self.fill_value(&mut default, inner, 1, &mut room))
                    .map_err(|full| problem(place_of(at, &field.name), full.in_schema()))?;
                completed.push((at, position, default));
            }
        }
        for (at, position, default) in completed {
            self.places[at].fields[position].default = Some(default);
        }
        Ok(())
    }

    /// The document with its defaults filled in, if any was missing.
    pub(super) fn apply(&self, fields: RawObject<'_>) -> Result<Option<Encoded>> {
        if self.places.is_empty() {
            return Ok(None);
        }
        let mut room = Room::new(DOCUMENT_BYTES_MAX, steps_max(fields));
        if !self.lacks(fields.as_value(), 0, &mut room)? {
            return Ok(None);
        }
        let mut value = Value::Object(fields.to_object()?);
        let mut room = Room::new(DOCUMENT_BYTES_MAX, steps_max(fields));
        self.fill_value(&mut value, 0, 0, &mut room).map_err(Full::in_document)?;
        match value {
            Value::Object(object) => Ok(Some(Encoded::from_object(&object)?)),
            _ => Ok(None),
        }
    }

    /// Whether a value lacks a default.
    fn lacks(&self, value: RawValue<'_>, place: usize, room: &mut Room) -> Result<bool> {
        let place = &self.places[place];
        room.step().map_err(Full::in_document)?;
        if let Some(object) = value.as_object()? {
            for field in &place.fields {
                room.step().map_err(Full::in_document)?;
                let lacks = match (object.get(&field.name)?, field.place) {
                    (None, _) => field.default.is_some(),
                    (Some(value), Some(inner)) => self.lacks(value, inner, room)?,
                    (Some(_), None) => false,
                };
                if lacks {
                    return Ok(true);
                }
            }
        } else if let (Some(items), Some(inner)) = (value.as_array()?, place.items) {
            for item in items.iter() {
                if self.lacks(item?, inner, room)? {
                    return Ok(true);
                }
            }
        }
        for also in &place.also {
            if self.lacks(value, *also, room)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Fills in the defaults that a value lacks. `depth` counts the levels around it.
    fn fill_value(
        &self,
        value: &mut Value,
        place: usize,
        depth: usize,
        room: &mut Room,
    ) -> std::result::Result<(), Full> {
        room.step()?;
        if depth >= DEPTH_MAX && matches!(value, Value::Object(_) | Value::Array(_)) {
            return Err(Full::Depth);
        }
        let place = &self.places[place];
        match value {
            Value::Object(object) => {
                for field in &place.fields {
                    self.fill_field(object, field, depth, room)?;
                }
            }
            Value::Array(items) => {
                if let Some(inner) = place.items {
                    for item in items {
                        self.fill_value(item, inner, depth + 1, room)?;
                    }
                }
            }
            _ => return Ok(()),
        }
        for also in &place.also {
            self.fill_value(value, *also, depth, room)?;
        }
        Ok(())
    }

    fn fill_field(
        &self,
        object: &mut Object,
        field: &Field,
        depth: usize,
        room: &mut Room,
    ) -> std::result::Result<(), Full> {
        room.step()?;
        if !object.contains_key(&field.name) {
            let Some(default) = &field.default else { return Ok(()) };
            room.take(field.name.len() + size(default))?;
            object.insert(&*field.name, default.clone());
        }
        match (object.get_mut(&field.name), field.place) {
            (Some(value), Some(inner)) => self.fill_value(value, inner, depth + 1, room),
            _ => Ok(()),
        }
    }

    /// Whether a document that lacks the field with this name gets it.
    pub(super) fn is_of_document(&self, name: &str) -> bool {
        let mut seen = vec![false; self.places.len()];
        let mut next: Vec<usize> = (0..self.places.len().min(1)).collect();
        while let Some(at) = next.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let place = &self.places[at];
            if place.fields.iter().any(|field| &*field.name == name && field.default.is_some()) {
                return true;
            }
            next.extend(&place.also);
        }
        false
    }

    /// A document of all defaults, with the objects around them, to check the defaults.
    pub(super) fn example(&self) -> Object {
        let mut example = Value::Object(Object::new());
        let mut on_the_way = vec![false; self.places.len()];
        if !self.places.is_empty() {
            self.exemplify(&mut example, 0, &mut on_the_way);
        }
        match example {
            Value::Object(example) => example,
            _ => Object::new(),
        }
    }

    fn exemplify(&self, value: &mut Value, place: usize, on_the_way: &mut [bool]) {
        if on_the_way[place] {
            return;
        }
        on_the_way[place] = true;
        if let Value::Object(object) = value {
            for field in &self.places[place].fields {
                let default = || field.default.clone().unwrap_or(Value::Object(Object::new()));
                let inner = object.get_or_insert_with(&field.name, default);
                if let Some(place) = field.place {
                    self.exemplify(inner, place, on_the_way);
                }
            }
        }
        for also in &self.places[place].also {
            self.exemplify(value, *also, on_the_way);
        }
        on_the_way[place] = false;
    }
}

/// The default of each schema: its own, or that of a schema that always applies with it.
fn own_defaults<'a>(schemas: &Subschemas<'a>) -> Result<Vec<Option<&'a Value>>> {
    let mut own: Vec<Option<&Value>> = vec![None; schemas.all.len()];
    for number in bounds::order(schemas)? {
        let schema = &schemas.all[number];
        own[number] =
            schema.default.or_else(|| schema.always.iter().find_map(|always| own[*always]));
    }
    Ok(own)
}

/// Which schemas have a default inside of their value.
fn leading(schemas: &Subschemas<'_>, own: &[Option<&Value>]) -> Vec<bool> {
    let mut users = vec![Vec::new(); schemas.all.len()];
    let mut leads = vec![false; schemas.all.len()];
    let mut found = Vec::new();
    for (number, schema) in schemas.all.iter().enumerate() {
        let fields = schema.properties.iter().map(|(_, field)| *field);
        for inner in fields.clone().chain(schema.items).chain(schema.always.iter().copied()) {
            users[inner].push(number);
        }
        if fields.into_iter().any(|field| own[field].is_some()) {
            leads[number] = true;
            found.push(number);
        }
    }
    while let Some(number) = found.pop() {
        for user in &users[number] {
            if !std::mem::replace(&mut leads[*user], true) {
                found.push(*user);
            }
        }
    }
    leads
}

/// The bytes and steps that are left.
struct Room {
    bytes: usize,
    steps: u64,
    steps_max: u64,
}

/// What was exhausted.
enum Full {
    Bytes,
    Steps { max: u64 },
    Depth,
}

impl Room {
    fn new(bytes: usize, steps: u64) -> Self {
        Room { bytes, steps, steps_max: steps }
    }

    fn take(&mut self, bytes: usize) -> std::result::Result<(), Full> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Full::Bytes)?;
        Ok(())
    }

    fn step(&mut self) -> std::result::Result<(), Full> {
        self.steps = self.steps.checked_sub(1).ok_or(Full::Steps { max: self.steps_max })?;
        Ok(())
    }
}

impl Full {
    fn in_schema(self) -> String {
        match self {
            Full::Bytes | Full::Steps { .. } => format!(
                "makes all defaults, with those inside of them, larger than {DEFAULTS_BYTES_MAX} \
                 bytes"
            ),
            Full::Depth => format!(
                "holds defaults that hold defaults, for more than {DEPTH_MAX} levels; a schema \
                 that contains itself must not have such a default"
            ),
        }
    }

    fn in_document(self) -> crate::Error {
        let (what, max) = match self {
            Full::Bytes => ("size of the defaults to insert in bytes", DOCUMENT_BYTES_MAX),
            Full::Steps { max } => ("number of steps to insert defaults", max as usize),
            Full::Depth => ("nesting with defaults", DEPTH_MAX),
        };
        let (path, found) = (String::new(), max + 1);
        velocitydb_core::Error::LimitExceeded { what: what.into(), path, found, max }.into()
    }
}

/// About how large a value is in memory.
fn size(value: &Value) -> usize {
    16 + match value {
        Value::String(string) => string.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 0,
    }
}
