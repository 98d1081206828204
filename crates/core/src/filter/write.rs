//! Writing filters as objects, which parse as the same filters.

use super::pattern::Pattern;
use super::predicate::{Choices, Predicate, Presence, Test};
use super::value_type::ValueType;
use crate::{Object, Value};

impl Predicate {
    /// The predicate as an object that parses as this predicate. Paths and operators are in the
    /// order of their names, since the order in which they were written does not matter.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new();
        let mut rest = Vec::new();
        match self {
            Self::And(parts) => parts.iter().for_each(|part| part.add(&mut object, &mut rest)),
            other => other.add(&mut object, &mut rest),
        }
        object.iter_mut().for_each(|(_, operators)| shorten(operators));
        if !rest.is_empty() {
            object.insert("$and", rest);
        }
        object.sort_by_name();
        object
    }

    /// Adds this to the object, or to `rest` if its name is taken.
    fn add(&self, object: &mut Object, rest: &mut Vec<Value>) {
        let (name, parts) = match self {
            Self::True => return,
            Self::Field { path, test } => {
                let operators = test.to_operators();
                let place = path.to_string();
                let taken = object.get_or_insert_with(&place, || Object::new().into());
                let taken = taken.as_object_mut().expect("a path's operators are in an object");
                if operators.keys().any(|operator| taken.contains_key(operator)) {
                    let mut operators = Value::from(operators);
                    shorten(&mut operators);
                    rest.push(Object::from([(place, operators)]).into());
                } else {
                    taken.extend(operators);
                    taken.sort_by_name();
                }
                return;
            }
            Self::And(_) => return rest.push(self.to_object().into()),
            Self::Or(parts) => ("$or", parts),
            Self::Nor(parts) => ("$nor", parts),
        };
        let list: Value = parts.iter().map(Self::to_object).collect();
        if object.contains_key(name) {
            rest.push(Object::from([(name, list)]).into());
        } else {
            object.insert(name, list);
        }
    }
}

impl Test {
    /// The operator and its operand. `$regex` can have `$options` beside it.
    pub(crate) fn to_operators(&self) -> Object {
        let (operator, operand) = match self {
            Self::Eq(value) => ("$eq", value.clone()),
            Self::Ne(value) => ("$ne", value.clone()),
            Self::Gt(value) => ("$gt", value.clone()),
            Self::Gte(value) => ("$gte", value.clone()),
            Self::Lt(value) => ("$lt", value.clone()),
            Self::Lte(value) => ("$lte", value.clone()),
            Self::In(choices) => ("$in", choices.to_value()),
            Self::Nin(choices) => ("$nin", choices.to_value()),
            Self::Exists(presence) => ("$exists", (*presence == Presence::Present).into()),
            Self::Type(types) => match types[..] {
                [one] => ("$type", one.name().into()),
                _ => ("$type", types.iter().copied().map(ValueType::name).collect()),
            },
            Self::Regex(pattern) => return pattern.to_object(),
            Self::All(tests) => ("$all", tests.iter().map(Self::to_choice).collect()),
            Self::Size(size) => ("$size", (*size).into()),
            Self::ElemMatch(predicate) => ("$elemMatch", predicate.to_object().into()),
            Self::ElemMatchValue(tests) => ("$elemMatch", operators_to_object(tests).into()),
            Self::Not(tests) => ("$not", operators_to_object(tests).into()),
        };
        Object::from([(operator, operand)])
    }

    /// The test as an element of `$all`.
    fn to_choice(&self) -> Value {
        match self {
            Self::Eq(value) => value.clone(),
            other => other.to_operators().into(),
        }
    }
}

/// Several tests of one field, which have different operators.
pub(crate) fn operators_to_object(tests: &[Test]) -> Object {
    let mut object = Object::new();
    tests.iter().for_each(|test| object.extend(test.to_operators()));
    object.sort_by_name();
    object
}

impl Choices {
    fn to_value(&self) -> Value {
        let patterns = self.patterns().iter().map(|pattern| pattern.to_object().into());
        self.values().iter().cloned().chain(patterns).collect()
    }
}

impl Pattern {
    fn to_object(&self) -> Object {
        let mut object = Object::from([("$regex", self.source())]);
        if !self.options().is_empty() {
            object.prepend([("$options", self.options())]);
        }
        object
    }
}

/// Writes `{"$eq": value}` as the value itself.
fn shorten(operators: &mut Value) {
    if let Value::Object(object) = operators
        && object.len() == 1
        && let Some(value) = object.get_mut("$eq")
    {
        *operators = std::mem::take(value);
    }
}
