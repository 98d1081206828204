//! What updates do to fields, as the naive model has it.

use velocitydb::{Decimal, Object, Value};

use super::leases::retry_changes;
use super::step::Change;

impl Change {
    /// The field that it changes.
    pub fn name(&self) -> &str {
        match self {
            Change::Set(name, _)
            | Change::Unset(name)
            | Change::Inc(name, _)
            | Change::Push(name, _) => name,
        }
    }

    /// The field that it sets to a value of its own, or `None`.
    pub fn set(&self) -> Option<String> {
        match self {
            Change::Set(name, _) | Change::Unset(name) => Some(name.clone()),
            Change::Inc(..) | Change::Push(..) => None,
        }
    }
}

/// The fields after the end of a lease, and after what a retry writes then; `None` when that cannot be.
pub fn retried(
    fields: &Object,
    release: &[Change],
    not_before: i64,
    reason: &str,
) -> Option<Object> {
    change(&change(fields, release)?, &retry_changes(not_before, reason))
}

/// The fields with the changes; `None` when they cannot be made. New fields come last, by their names.
pub fn change(fields: &Object, changes: &[Change]) -> Option<Object> {
    let mut fields = fields.clone();
    let mut changes: Vec<_> = changes.iter().collect();
    changes.sort_by_key(|change| change.name());
    for change in changes {
        match change {
            Change::Set(name, value) => {
                fields.insert(name.clone(), value.clone());
            }
            Change::Unset(name) => {
                fields.remove(name);
            }
            Change::Inc(name, by) => {
                let sum = match fields.get(name) {
                    None => Value::from(*by),
                    Some(Value::Int(number)) => Value::from(number + by),
                    Some(Value::Float(number)) => Value::from(number + *by as f64),
                    Some(Value::Decimal(number)) => Value::from(*number + Decimal::from(*by)),
                    Some(_) => return None,
                };
                fields.insert(name.clone(), sum);
            }
            Change::Push(name, value) => match fields.get_mut(name) {
                None => {
                    fields.insert(name.clone(), Value::from(vec![*value]));
                }
                Some(Value::Array(items)) => items.push(Value::from(*value)),
                Some(_) => return None,
            },
        }
    }
    Some(fields)
}
