//! Applying an update to a document's fields. Reads nothing but its arguments.

use super::array::{add_missing, remove_equal};
use super::number::{Arithmetic, NoResult, zero};
use super::operation::{Action, End, Operation, Update};
use crate::{Error, Object, Path, Result, Time, Value};

impl Update {
    /// Changes a document's fields. `$currentDate` sets `now`.
    ///
    /// After an error the fields may be partly changed, and must be discarded. Whether the
    /// result is within the limits of a document is checked when it is encoded.
    pub fn apply(&self, fields: &mut Object, now: Time) -> Result<()> {
        self.check()?;
        self.operations.iter().try_for_each(|operation| operation.apply(fields, now))
    }
}

impl Operation {
    fn apply(&self, fields: &mut Object, now: Time) -> Result<()> {
        match &self.action {
            Action::Set(value) => self.set(fields, value.clone())?,
            Action::Unset => drop(self.path.remove(fields)),
            Action::Increment(by) => self.compute(fields, Arithmetic::Add, by, by.clone())?,
            Action::Multiply(by) => self.compute(fields, Arithmetic::Multiply, by, zero(by))?,
            Action::Min(value) => self.set_if(fields, value, |value, found| value < found)?,
            Action::Max(value) => self.set_if(fields, value, |value, found| value > found)?,
            Action::Rename(to) => self.rename(fields, to)?,
            Action::Push(push) => push.apply(self.create_array(fields)?),
            Action::Pull(pull) => {
                if let Some(array) = self.array(fields)? {
                    pull.apply(array);
                }
            }
            Action::PullAll(values) => {
                if let Some(array) = self.array(fields)? {
                    remove_equal(array, values);
                }
            }
            Action::Pop(end) => match (self.array(fields)?, end) {
                (Some(array), End::Last) => drop(array.pop()),
                (Some(array), End::First) if !array.is_empty() => drop(array.remove(0)),
                _ => {}
            },
            Action::AddToSet(values) => add_missing(self.create_array(fields)?, values),
            Action::CurrentDate => self.set(fields, Value::Time(now))?,
        }
        Ok(())
    }

    fn set(&self, fields: &mut Object, value: Value) -> Result<()> {
        *self.path.get_or_create(fields)? = value;
        Ok(())
    }

    /// Sets the value if there is none, or if it and the existing one satisfy a condition.
    fn set_if(
        &self,
        fields: &mut Object,
        value: &Value,
        condition: impl Fn(&Value, &Value) -> bool,
    ) -> Result<()> {
        match self.path.get(fields) {
            Some(found) if !condition(value, found) => Ok(()),
            _ => self.set(fields, value.clone()),
        }
    }

    /// Computes with the existing number, or sets `missing` if there is none.
    fn compute(
        &self,
        fields: &mut Object,
        arithmetic: Arithmetic,
        operand: &Value,
        missing: Value,
    ) -> Result<()> {
        let Some(found) = self.path.get_mut(fields) else {
            return self.set(fields, missing);
        };
        *found = arithmetic.apply(found, operand).map_err(|reason| match reason {
            NoResult::NotANumber => self.wrong_type("a number", found),
            NoResult::Overflow => {
                let (operator, path) = (self.action.operator(), self.path.to_string());
                Error::Overflow { operator: operator.into(), path }
            }
        })?;
        Ok(())
    }

    fn rename(&self, fields: &mut Object, to: &Path) -> Result<()> {
        for path in [&self.path, to] {
            if let Some(array) = path.array_on_the_way(fields) {
                let (operator, path) = (self.action.operator(), path.to_string());
                let (expected, found) = ("fields of objects", array.kind());
                return Err(Error::WrongType {
                    operator: operator.into(),
                    path,
                    expected: expected.into(),
                    found,
                });
            }
        }
        if let Some(value) = self.path.remove(fields) {
            *to.get_or_create(fields)? = value;
        }
        Ok(())
    }

    /// The array at the path, if the path has a value.
    fn array<'a>(&self, fields: &'a mut Object) -> Result<Option<&'a mut Vec<Value>>> {
        match self.path.get_mut(fields) {
            Some(Value::Array(array)) => Ok(Some(array)),
            Some(other) => Err(self.wrong_type("an array", other)),
            None => Ok(None),
        }
    }

    /// The array at the path, created if the path has no value.
    fn create_array<'a>(&self, fields: &'a mut Object) -> Result<&'a mut Vec<Value>> {
        if self.path.get(fields).is_none() {
            self.set(fields, Value::Array(Vec::new()))?;
        }
        Ok(self.array(fields)?.expect("it exists or was just created"))
    }

    fn wrong_type(&self, expected: &'static str, found: &Value) -> Error {
        let (operator, path) = (self.action.operator(), self.path.to_string());
        Error::WrongType {
            operator: operator.into(),
            path,
            expected: expected.into(),
            found: found.kind(),
        }
    }
}
