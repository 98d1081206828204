//! Parsing updates from objects and JSON, and writing them as objects and as bytes.

use serde::{Deserialize, Serialize, de};

use super::array::{Pull, Push, SortKey};
use super::operation::{Action, End, Operation, Update};
use crate::encoder::append;
use crate::filter::{
    has_operators, operators_to_object, parse_filter, parse_operators, tests_a_value,
};
use crate::format::Names;
use crate::vocabulary::{self, Kind};
use crate::{Error, Object, Path, RawValue, Result, Value, value};

const OPERATORS: [&str; 13] = [
    "$set",
    "$unset",
    "$inc",
    "$mul",
    "$min",
    "$max",
    "$rename",
    "$push",
    "$pull",
    "$pullAll",
    "$pop",
    "$addToSet",
    "$currentDate",
];
const EACH: &str = "$each";
const POSITION: &str = "$position";
const SLICE: &str = "$slice";
const SORT: &str = "$sort";

impl Update {
    /// Reads an update: `{"$set": {"age": 29}, "$inc": {"visits": 1}}`, or fields without
    /// operators, which are merged.
    pub fn from_object(update: Object) -> Result<Self> {
        if !update.keys().any(|name| name.starts_with('$')) {
            let merge = Self::merge(update);
            return merge.check().map(|()| merge);
        }
        let mut operations = Vec::with_capacity(update.len());
        for (name, operands) in update {
            let operator = known(name)?;
            let Value::Object(operands) = operands else {
                let expected = "an object of paths and operands, as in {\"$set\": {\"age\": 29}}";
                return Err(Error::InvalidOperand {
                    operator: operator.into(),
                    path: String::new(),
                    expected: expected.into(),
                });
            };
            for (path, operand) in operands {
                let path: Path = path.parse()?;
                let action =
                    Action::parse(operator, &path, operand).map_err(|refusal| match refusal {
                        Refused::Operand(expected) => Error::InvalidOperand {
                            operator: operator.into(),
                            path: path.to_string(),
                            expected: expected.into(),
                        },
                        Refused::Path(error) => error,
                    })?;
                operations.push(Operation::new(path, action)?);
            }
        }
        Self::from_operations(operations)
    }

    /// Reads an update from JSON text, extended JSON included.
    pub fn from_json(text: &str) -> Result<Self> {
        match Value::from_json(text)? {
            Value::Object(update) => Self::from_object(update),
            Value::Array(_) => Err(Error::InvalidQuery {
                what: "update".into(),
                place: String::new(),
                problem: "is a pipeline, and pipelines as updates are not supported yet; write \
                          operators, as in {\"$set\": {\"age\": 29}}"
                    .to_owned(),
            }),
            other => Err(Error::Conversion { expected: "an object".into(), found: other.kind() }),
        }
    }

    /// The update as an object of operators, which [`Update::from_object`] reads. Operators and paths
    /// are in the order of their names, since the order in which they were written does not matter.
    pub fn to_object(&self) -> Object {
        let mut update = Object::new();
        for Operation { path, action } in &self.operations {
            let operands = update.get_or_insert_with(action.operator(), || Object::new().into());
            let operands = operands.as_object_mut().expect("operators have objects");
            operands.insert(path.to_string(), action.to_value());
        }
        for (_, operands) in update.iter_mut() {
            operands.as_object_mut().expect("operators have objects").sort_by_name();
        }
        update.sort_by_name();
        update
    }

    /// Appends the update as canonical bytes, for a log or a wire.
    pub fn encode_into(&self, buffer: &mut Vec<u8>) -> Result<()> {
        self.check()?;
        append(buffer, Names::Operators, |encoder| encoder.object(&self.to_object()))
    }

    /// Reads what [`Update::encode_into`] wrote, checking all of it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let update = RawValue::validate_names(bytes, Names::Operators)?.to_value()?;
        Self::from_object(update.try_into()?)
    }
}

impl Serialize for Update {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.check().map_err(serde::ser::Error::custom)?;
        self.to_object().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Update {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_object(Object::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Why an operand is not valid.
enum Refused {
    /// What was expected instead.
    Operand(&'static str),
    /// A path in it is wrong.
    Path(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Path(error)
    }
}

impl Action {
    fn parse(operator: &str, path: &Path, operand: Value) -> Result<Self, Refused> {
        Ok(match operator {
            "$set" => Self::Set(operand),
            "$unset" => Self::Unset,
            "$inc" => Self::Increment(operand),
            "$mul" => Self::Multiply(operand),
            "$min" => Self::Min(operand),
            "$max" => Self::Max(operand),
            "$rename" => {
                let to = operand.as_str().ok_or(Refused::Operand("the new path, a string"))?;
                Self::Rename(to.parse()?)
            }
            "$push" => Self::Push(parse_push(operand)?),
            "$pull" => Self::Pull(parse_pull(operand, path)?),
            "$pullAll" => match operand {
                Value::Array(values) => Self::PullAll(values),
                _ => return Err(Refused::Operand("a list of values")),
            },
            "$pop" => match operand.to_whole() {
                Some(1) => Self::Pop(End::Last),
                Some(-1) => Self::Pop(End::First),
                _ => return Err(Refused::Operand("1 for the last element, or -1 for the first")),
            },
            "$addToSet" => {
                let expected = "a value, or {\"$each\": [values]}";
                Self::AddToSet(parse_list(operand, EACH, expected)?)
            }
            _ => {
                if operand != Value::Bool(true) && operand != value!({ "$type": "date" }) {
                    return Err(Refused::Operand("true, or {\"$type\": \"date\"}"));
                }
                Self::CurrentDate
            }
        })
    }

    /// The operand, in its unambiguous form.
    fn to_value(&self) -> Value {
        match self {
            Self::Set(value)
            | Self::Increment(value)
            | Self::Multiply(value)
            | Self::Min(value)
            | Self::Max(value) => value.clone(),
            Self::Unset | Self::CurrentDate => true.into(),
            Self::Rename(to) => to.to_string().into(),
            Self::Push(push) => push.to_value(),
            Self::Pull(Pull::Equal(value)) => value.clone(),
            Self::Pull(Pull::Operators(tests)) => operators_to_object(tests).into(),
            Self::Pull(Pull::Objects(predicate)) => predicate.to_object().into(),
            Self::PullAll(values) => values.clone().into(),
            Self::Pop(End::Last) => 1.into(),
            Self::Pop(End::First) => (-1).into(),
            Self::AddToSet(values) => value!({ (EACH): values.clone() }),
        }
    }
}

impl Push {
    fn to_value(&self) -> Value {
        let mut push = Object::from([(EACH, self.values.clone())]);
        push.extend(self.position.map(|position| (POSITION, position)));
        push.extend(self.slice.map(|slice| (SLICE, slice)));
        if !self.sort.is_empty() {
            push.insert(SORT, self.sort.iter().map(SortKey::to_value).collect::<Value>());
        }
        push.into()
    }
}

impl SortKey {
    /// `1` or `-1` for the element itself, `{"path": 1}` for something in it.
    fn parse(key: &Value) -> Result<Self, Refused> {
        let (path, direction) = match key {
            Value::Object(key) if key.len() == 1 => {
                let (path, direction) = key.iter().next().expect("there is one field");
                (Some(path), direction)
            }
            direction => (None, direction),
        };
        Self::new(path, direction)
    }

    fn new(path: Option<&str>, direction: &Value) -> Result<Self, Refused> {
        let path = path.map(str::parse).transpose()?;
        match direction.to_whole() {
            Some(1) => Ok(Self { path, descending: false }),
            Some(-1) => Ok(Self { path, descending: true }),
            _ => Err(Refused::Operand(
                "a $sort of 1 or -1, of {\"path\": 1}, or of a list of such objects",
            )),
        }
    }

    fn to_value(&self) -> Value {
        let direction = Value::from(if self.descending { -1 } else { 1 });
        match &self.path {
            Some(path) => Object::from([(path.to_string(), direction)]).into(),
            None => direction,
        }
    }
}

/// One value, or the list of them in an object with that name.
fn parse_list(operand: Value, name: &str, expected: &'static str) -> Result<Vec<Value>, Refused> {
    match operand {
        Value::Object(mut object) if has_operators(&object) => match object.remove(name) {
            Some(Value::Array(values)) if object.is_empty() => Ok(values),
            _ => Err(Refused::Operand(expected)),
        },
        value => Ok(vec![value]),
    }
}

/// A value, operators for each element, or a filter for those that are objects.
fn parse_pull(operand: Value, path: &Path) -> Result<Pull> {
    let Value::Object(object) = operand else { return Ok(Pull::Equal(operand)) };
    let pull = if tests_a_value(&object) {
        parse_operators(&object).map(Pull::Operators)
    } else {
        parse_filter(&object).map(Pull::Objects)
    };
    pull.map_err(|error| match error {
        Error::InvalidQuery { what, place, problem } => {
            let place = format!("$pull.{path}.{place}");
            Error::InvalidQuery { what, place, problem }
        }
        other => other,
    })
}

fn parse_push(operand: Value) -> Result<Push, Refused> {
    let mut modifiers = match operand {
        Value::Object(object) if has_operators(&object) => object,
        value => return Ok(Push { values: vec![value], ..Push::default() }),
    };
    let Some(Value::Array(values)) = modifiers.remove(EACH) else {
        return Err(Refused::Operand("a value, or {\"$each\": [values]} with modifiers"));
    };
    let mut integer = |name| {
        let given = modifiers.remove(name);
        let refused = Refused::Operand("integers as $position and $slice");
        given.map(|value| value.to_whole().ok_or(refused)).transpose()
    };
    let (position, slice) = (integer(POSITION)?, integer(SLICE)?);
    let sort = match modifiers.remove(SORT) {
        None => Vec::new(),
        Some(Value::Array(keys)) => keys.iter().map(SortKey::parse).collect::<Result<_, _>>()?,
        Some(Value::Object(keys)) if !keys.is_empty() => keys
            .iter()
            .map(|(path, direction)| SortKey::new(Some(path), direction))
            .collect::<Result<_, _>>()?,
        Some(key) => vec![SortKey::parse(&key)?],
    };
    if !modifiers.is_empty() {
        return Err(Refused::Operand("beside $each only $position, $sort and $slice"));
    }
    Ok(Push { values, position, sort, slice })
}

/// The operator of that name, or an error with the most similar one.
fn known(name: String) -> Result<&'static str> {
    if let Some(operator) = OPERATORS.into_iter().find(|operator| *operator == name) {
        return Ok(operator);
    }
    if !name.starts_with('$') {
        return Err(Error::MixedUpdate { field: name });
    }
    let problem = vocabulary::unknown(Kind::Update, &name, &OPERATORS);
    Err(Error::UnknownOperator { operator: name, problem })
}
