//! Known differences of updates. The query of an example is an update of the one document.

use velocitydb_core::{Path, Value};

use super::difference::{Change, Example, KnownDifference, Recognise};
use crate::oracle::reach::{is_array, is_nan, is_object, is_object_id};

pub(super) const KNOWN: &[KnownDifference] = &[
    KnownDifference {
        name: "an operator that does not fit",
        why: "MongoDB refuses an operator on a value of another type, and a path through a scalar, \
              null included; mingo leaves the document as it is, or puts an object in the place of \
              the null",
        example: Example {
            documents: r#"[{ "a": "text" }]"#,
            query: r#"{ "$inc": { "a": 1 } }"#,
            mingo: r#"[{ "a": "text" }]"#,
            right: r#""refused""#,
        },
        recognise: Recognise::Change(|it| it.ours.is_refused() && !it.fits()),
    },
    KnownDifference {
        name: "integers of 64 bits",
        why: "MongoDB refuses to compute an integer that does not fit 64 bits; JavaScript has only \
              floats",
        example: Example {
            documents: r#"[{ "a": 9223372036854775808 }]"#,
            query: r#"{ "$mul": { "a": 3 } }"#,
            mingo: r#"[{ "a": 27670116110564327424.0 }]"#,
            right: r#""refused""#,
        },
        recognise: Recognise::Change(|it| {
            let is_large = |found: Value| {
                matches!(found, Value::Int(_) | Value::UInt(_))
                    && (found >= Value::Int(1 << 60) || found <= Value::Int(-(1 << 60)))
            };
            it.ours.is_refused()
                && it.is_one_of(&["$inc", "$mul"])
                && it.found().is_some_and(is_large)
        }),
    },
    KnownDifference {
        name: "$push creates an array",
        why: "MongoDB sorts and cuts an array that $push creates like any other; mingo does not",
        example: Example {
            documents: "[{}]",
            query: r#"{ "$push": { "a": { "$each": [2, 1], "$sort": 1 } } }"#,
            mingo: r#"[{ "a": [2, 1] }]"#,
            right: r#"[{ "a": [1, 2] }]"#,
        },
        recognise: Recognise::Change(|it| {
            it.operator == "$push"
                && it.found().is_none()
                && (it.has_modifier("$sort") || it.has_modifier("$slice"))
        }),
    },
    KnownDifference {
        name: "$push sorts arrays, objects, ObjectIds or NaN",
        why: "VelocityDB sorts elements in its one order of values; mingo compares an array in the \
              array by its smallest element, objects by their names first, ObjectIds above all, and \
              takes NaN for equal to every number",
        example: Example {
            documents: r#"[{ "a": [2, [1, 9]] }]"#,
            query: r#"{ "$push": { "a": { "$each": [], "$sort": 1 } } }"#,
            mingo: r#"[{ "a": [[1, 9], 2] }]"#,
            right: r#"[{ "a": [2, [1, 9]] }]"#,
        },
        recognise: Recognise::Change(|it| {
            let names = it.sorted_by();
            let is_oddly_sorted = |item: &Value| match names.as_slice() {
                [] => is_odd(item),
                // Missing sorts before null, and mingo treats them as equal.
                names => names.iter().any(|name| {
                    let field = item.as_object().and_then(|object| object.get(name));
                    field.is_none_or(is_odd)
                }),
            };
            it.has_modifier("$sort")
                && (it.items().any(is_oddly_sorted) || it.each().any(is_oddly_sorted))
        }),
    },
    KnownDifference {
        name: "$addToSet keeps what was there",
        why: "MongoDB adds what is missing and leaves the rest alone; mingo removes duplicates that \
              the array has already, or adds nothing if that leaves its length",
        example: Example {
            documents: r#"[{ "a": [1, 1] }]"#,
            query: r#"{ "$addToSet": { "a": 2 } }"#,
            mingo: r#"[{ "a": [1, 1] }]"#,
            right: r#"[{ "a": [1, 1, 2] }]"#,
        },
        recognise: Recognise::Change(|it| {
            let items: Vec<&Value> = it.items().collect();
            let is_double = |at: usize| items[..at].contains(&items[at]);
            it.operator == "$addToSet" && (0..items.len()).any(is_double)
        }),
    },
    KnownDifference {
        name: "$addToSet of several to nothing",
        why: "MongoDB adds each value once, also to an array that it creates; mingo takes the list \
              as it is",
        example: Example {
            documents: "[{}]",
            query: r#"{ "$addToSet": { "a": { "$each": [1, 1] } } }"#,
            mingo: r#"[{ "a": [1, 1] }]"#,
            right: r#"[{ "a": [1] }]"#,
        },
        recognise: Recognise::Change(|it| {
            let each: Vec<&Value> = it.each().collect();
            let is_double = |at: usize| each[..at].contains(&each[at]);
            it.operator == "$addToSet" && it.found().is_none() && (0..each.len()).any(is_double)
        }),
    },
    KnownDifference {
        name: "$pull and arrays in the array",
        why: "in MongoDB $pull with a value and $pullAll remove the elements that are that value; \
              mingo also removes arrays that have it as an element, and finds no arrays in a list",
        example: Example {
            documents: r#"[{ "a": [1, [1]] }]"#,
            query: r#"{ "$pull": { "a": 1 } }"#,
            mingo: r#"[{ "a": [] }]"#,
            right: r#"[{ "a": [[1]] }]"#,
        },
        recognise: Recognise::Change(|it| {
            it.is_one_of(&["$pull", "$pullAll"]) && it.items().any(is_array)
        }),
    },
    KnownDifference {
        name: "$pull of a field from scalars",
        why: "only objects have fields; for a scalar in the array mingo compares the scalar itself",
        example: Example {
            documents: r#"[{ "a": [1, { "x": 1 }] }]"#,
            query: r#"{ "$pull": { "a": { "x": 1 } } }"#,
            mingo: r#"[{ "a": [] }]"#,
            right: r#"[{ "a": [1] }]"#,
        },
        recognise: Recognise::Change(|it| {
            let is_about_fields = |it: &Value| {
                it.as_object().is_some_and(|it| !it.keys().any(|name| name.starts_with('$')))
            };
            it.operator == "$pull"
                && is_about_fields(it.operand)
                && it.items().any(|item| !is_object(item) && !is_array(item))
        }),
    },
    KnownDifference {
        name: "$pull around NaN",
        why: "NaN is neither below nor above another number; mingo takes every number for equal to it",
        example: Example {
            documents: r#"[{ "a": [{ "$numberDouble": "NaN" }] }]"#,
            query: r#"{ "$pull": { "a": { "$lte": 1 } } }"#,
            mingo: r#"[{ "a": [] }]"#,
            right: r#"[{ "a": [{ "$numberDouble": "NaN" }] }]"#,
        },
        recognise: Recognise::Change(|it| {
            let operand = it.operand.as_object();
            let operands = operand.into_iter().flat_map(|it| it.values());
            it.operator == "$pull" && operands.chain(it.items()).any(is_nan)
        }),
    },
    KnownDifference {
        name: "$min and $max with arrays, objects, ObjectIds or NaN",
        why: "MongoDB compares in the order of all values; mingo compares an array by its smallest \
              element, objects by their names first, ObjectIds above all, and takes NaN for equal to \
              every number",
        example: Example {
            documents: r#"[{ "a": [1] }]"#,
            query: r#"{ "$min": { "a": 2 } }"#,
            mingo: r#"[{ "a": [1] }]"#,
            right: r#"[{ "a": 2 }]"#,
        },
        recognise: Recognise::Change(|it| {
            it.is_one_of(&["$min", "$max"])
                && (is_odd(it.operand) || it.found().is_some_and(|found| is_odd(&found)))
        }),
    },
];

impl Change<'_> {
    fn is_one_of(&self, operators: &[&str]) -> bool {
        operators.contains(&self.operator)
    }

    fn get(&self, path: &str) -> Option<Value> {
        let path: Path = path.parse().ok()?;
        path.get(self.document.as_object()?).cloned()
    }

    /// The value at the path.
    fn found(&self) -> Option<Value> {
        self.get(self.path)
    }

    /// The elements of the array at the path.
    fn items(&self) -> impl Iterator<Item = &Value> {
        let found =
            self.path.parse().ok().and_then(|path: Path| path.get(self.document.as_object()?));
        found.and_then(Value::as_array).into_iter().flatten()
    }

    /// The elements that are added to an array.
    fn each(&self) -> impl Iterator<Item = &Value> {
        let each = self.operand.as_object().and_then(|it| it.get("$each"));
        each.and_then(Value::as_array).into_iter().flatten()
    }

    /// The fields by which `$push` sorts, if it sorts by fields.
    fn sorted_by(&self) -> Vec<String> {
        let sort = self.operand.as_object().and_then(|it| it.get("$sort"));
        let keys: Vec<&Value> = match sort {
            Some(Value::Array(keys)) => keys.iter().collect(),
            sort => sort.into_iter().collect(),
        };
        let names = keys.into_iter().filter_map(Value::as_object).flat_map(|key| key.keys());
        names.map(str::to_owned).collect()
    }

    fn has_modifier(&self, name: &str) -> bool {
        self.operand.as_object().is_some_and(|it| it.contains_key(name))
    }

    /// Whether the path is valid and the operator can be applied to its value.
    fn fits(&self) -> bool {
        let of_its_type = self.found().is_none_or(|found| match self.operator {
            "$inc" | "$mul" => found.kind().is_number(),
            "$push" | "$pull" | "$pullAll" | "$pop" | "$addToSet" => is_array(&found),
            _ => true,
        });
        of_its_type && self.leads_through_objects(self.path)
    }

    /// Whether every value inside the path has fields, or positions that the path names.
    fn leads_through_objects(&self, path: &str) -> bool {
        let is_refused = |at: usize| {
            let (before, after) = path.split_at(at);
            match self.get(before) {
                None | Some(Value::Object(_)) => false,
                Some(Value::Array(_)) => {
                    let name = after[1..].split('.').next().unwrap_or_default();
                    name.parse::<u32>().is_err() || self.operator == "$rename"
                }
                Some(_) => true,
            }
        };
        !path.match_indices('.').any(|(at, _)| is_refused(at))
    }
}

/// Whether mingo compares it otherwise than in the order of all values.
fn is_odd(value: &Value) -> bool {
    is_array(value) || is_object(value) || is_object_id(value) || is_nan(value)
}
