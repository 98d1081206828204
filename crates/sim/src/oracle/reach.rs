//! The values at a path of a document, for recognising known differences. It follows paths
//! as MongoDB's documentation says, and decides nothing.

use velocitydb_core::{Decimal, Value};

/// The values at a path.
#[derive(Debug, Default)]
pub struct Reach<'a> {
    /// The values: arrays as they are, not their elements.
    pub found: Vec<&'a Value>,
    /// Through how many arrays it leads, other than by a position.
    pub arrays: usize,
    /// How many arrays in arrays there are, through which no path leads.
    pub nested: usize,
    /// How many values are missing: a field is missing, or its parent is not an object.
    pub missing: usize,
}

impl<'a> Reach<'a> {
    /// Follows a path.
    pub fn of(value: &'a Value, path: &str) -> Self {
        let mut reach = Self::default();
        let names: Vec<&str> = path.split('.').collect();
        reach.follow(value, &names);
        reach
    }

    /// The values, and the elements of those that are arrays.
    pub fn with_elements(&self) -> impl Iterator<Item = &'a Value> {
        let elements = |value: &'a Value| value.as_array().into_iter().flatten();
        self.found
            .iter()
            .copied()
            .flat_map(move |value| std::iter::once(value).chain(elements(value)))
    }

    /// Whether a value is an array that has an array in it.
    pub fn finds_nested(&self) -> bool {
        self.found
            .iter()
            .any(|value| value.as_array().is_some_and(|items| items.iter().any(is_array)))
    }

    fn follow(&mut self, value: &'a Value, names: &[&str]) {
        let Some((name, rest)) = names.split_first() else {
            self.found.push(value);
            return;
        };
        match value {
            Value::Object(object) => match object.get(name) {
                Some(value) => self.follow(value, rest),
                None => self.missing += 1,
            },
            Value::Array(items) => self.follow_array(items, name, names, rest),
            _ => self.missing += 1,
        }
    }

    fn follow_array(&mut self, items: &'a [Value], name: &str, names: &[&str], rest: &[&str]) {
        if let Ok(position) = name.parse::<usize>() {
            match items.get(position) {
                Some(item) => self.follow(item, rest),
                None => self.missing += 1,
            }
            return;
        }
        self.arrays += 1;
        for item in items {
            match item {
                Value::Object(_) => self.follow(item, names),
                Value::Array(_) => self.nested += 1,
                _ => {}
            }
        }
    }
}

/// Whether it is an array.
pub fn is_array(value: &Value) -> bool {
    matches!(value, Value::Array(_))
}

/// Whether it is an object.
pub fn is_object(value: &Value) -> bool {
    matches!(value, Value::Object(_))
}

/// Whether it is binary, of any subtype.
pub fn is_binary(value: &Value) -> bool {
    value.as_binary().is_some()
}

/// Whether it is an ObjectId.
pub fn is_object_id(value: &Value) -> bool {
    value.as_object_id().is_some()
}

/// Whether it is NaN.
pub fn is_nan(value: &Value) -> bool {
    value.as_f64().is_some_and(f64::is_nan) || value.as_decimal().is_some_and(Decimal::is_nan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb_core::value;

    #[test]
    fn paths_lead_through_arrays_of_objects() {
        let document =
            value!({ "a": [{ "x": [1] }, { "y": 2 }, 3, [{ "x": 4 }]], "b": { "x": 5 } });
        let reach = Reach::of(&document, "a.x");
        assert_eq!((reach.found.len(), reach.arrays, reach.nested, reach.missing), (1, 1, 1, 1));
        assert_eq!(reach.with_elements().count(), 2);
        let reach = Reach::of(&document, "a.1.y");
        assert_eq!((reach.found.len(), reach.arrays, reach.missing), (1, 0, 0));
        assert_eq!(Reach::of(&document, "b.x.y").missing, 1);
        assert!(Reach::of(&document, "a").finds_nested());
    }
}
