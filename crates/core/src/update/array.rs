//! Operators on arrays. `$push` inserts, sorts and slices, in this order.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::filter::{Predicate, Test, holds_for_element, holds_for_object};
use crate::{Path, Value};

/// The operand of `$pull`: which elements are removed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pull {
    /// Those that equal this, which is not an object.
    Equal(Value),
    /// Those that pass all of these, like the value of a field.
    Operators(Vec<Test>),
    /// Those that are objects and match this.
    Objects(Predicate),
}

impl Pull {
    pub(super) fn apply(&self, array: &mut Vec<Value>) {
        array.retain(|item| match self {
            Self::Equal(value) => item != value,
            Self::Operators(tests) => !holds_for_element(tests, item),
            Self::Objects(predicate) => {
                !item.as_object().is_some_and(|object| holds_for_object(predicate, object))
            }
        });
    }
}

/// The operand of `$push`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Push {
    /// The inserted elements.
    pub(super) values: Vec<Value>,
    /// The position: from the start, or from the end if negative; at the end if `None`.
    pub(super) position: Option<i64>,
    /// The sort of the array afterwards, the most significant key first; empty for none.
    pub(super) sort: Vec<SortKey>,
    /// How many elements are kept in the end: the first ones, or the last ones if negative.
    pub(super) slice: Option<i64>,
}

/// A key that an array is sorted by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SortKey {
    /// A path within each element; the element itself if `None`.
    pub(super) path: Option<Path>,
    pub(super) descending: bool,
}

impl Push {
    pub(super) fn apply(&self, array: &mut Vec<Value>) {
        let at = self.position.map_or(array.len(), |position| count_in(position, array.len()));
        array.splice(at..at, self.values.iter().cloned());
        if !self.sort.is_empty() {
            array.sort_by(|a, b| self.compare(a, b));
        }
        match self.slice {
            Some(slice @ ..0) => drop(array.drain(..count_in(slice, array.len()))),
            Some(slice) => array.truncate(count_in(slice, array.len())),
            None => {}
        }
    }

    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        let by_key = |key: &SortKey| {
            let order = key.of(a).cmp(&key.of(b));
            if key.descending { order.reverse() } else { order }
        };
        self.sort.iter().map(by_key).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl SortKey {
    /// The value that an element is sorted by. A missing value sorts before all others.
    fn of<'a>(&self, element: &'a Value) -> Option<&'a Value> {
        match &self.path {
            Some(path) => path.get(element.as_object()?),
            None => Some(element),
        }
    }
}

/// Up to this many values it is faster to scan the array for each than to sort.
const FEW_VALUES: usize = 8;

/// Appends those of the values that the array does not have yet.
pub(super) fn add_missing(array: &mut Vec<Value>, values: &[Value]) {
    if values.len() <= FEW_VALUES {
        for value in values {
            if !array.contains(value) {
                array.push(value.clone());
            }
        }
        return;
    }
    let mut known: BTreeSet<&Value> = array.iter().collect();
    let missing: Vec<Value> = values.iter().filter(|value| known.insert(value)).cloned().collect();
    array.extend(missing);
}

/// Removes all elements that equal one of the values.
pub(super) fn remove_equal(array: &mut Vec<Value>, values: &[Value]) {
    if values.len() <= FEW_VALUES {
        array.retain(|item| !values.contains(item));
        return;
    }
    let values: BTreeSet<&Value> = values.iter().collect();
    array.retain(|item| !values.contains(item));
}

/// A position counted from the start, or from the end if negative, within an array's bounds.
fn count_in(position: i64, len: usize) -> usize {
    let distance = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
    if position < 0 { len.saturating_sub(distance) } else { distance.min(len) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    fn pushed(push: Push) -> Vec<Value> {
        let mut array = vec![1.into(), 2.into(), 3.into()];
        push.apply(&mut array);
        array
    }

    #[test]
    fn positions_and_slices_count_from_both_ends() {
        let at = |position| Push { values: vec![9.into()], position, ..Push::default() };
        assert_eq!(Value::from(pushed(at(None))), value!([1, 2, 3, 9]));
        assert_eq!(Value::from(pushed(at(Some(0)))), value!([9, 1, 2, 3]));
        assert_eq!(Value::from(pushed(at(Some(-1)))), value!([1, 2, 9, 3]));
        assert_eq!(Value::from(pushed(at(Some(i64::MIN)))), value!([9, 1, 2, 3]));
        assert_eq!(Value::from(pushed(at(Some(i64::MAX)))), value!([1, 2, 3, 9]));
        let slice = |slice| Push { slice: Some(slice), ..Push::default() };
        assert_eq!(Value::from(pushed(slice(2))), value!([1, 2]));
        assert_eq!(Value::from(pushed(slice(-2))), value!([2, 3]));
        assert_eq!(Value::from(pushed(slice(0))), value!([]));
        assert_eq!(Value::from(pushed(slice(i64::MIN))), value!([1, 2, 3]));
    }

    /// A list of many values took time in proportion to their number times the array's length,
    /// while all other writers waited.
    #[test]
    fn many_values_do_the_same_as_few() {
        let values: Vec<Value> = (0..20_000).map(|n| Value::from(f64::from(n / 2))).collect();
        let mut array: Vec<Value> = (0..20_000).step_by(5).map(Value::from).collect();
        let before = array.len();
        add_missing(&mut array, &values);
        assert_eq!(array.len(), before + 8_000);
        assert_eq!(array[before..before + 4], [1, 2, 3, 4].map(Value::from));
        remove_equal(&mut array, &values);
        assert_eq!(array.first(), Some(&Value::Int(10_000)));
        assert_eq!(array.len(), 2_000);
    }
}
