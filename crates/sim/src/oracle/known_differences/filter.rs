//! Known differences of filters. The query of an example is a filter.

use velocitydb_core::Value;

use super::difference::{Condition, Example, KnownDifference, Recognise};
use crate::oracle::reach::{Reach, is_array, is_binary, is_nan, is_object, is_object_id};

pub(super) const KNOWN: &[KnownDifference] = &[
    KnownDifference {
        name: "null in the midst of an array",
        why: "MongoDB finds a document for null if one of the objects in the array lacks the \
              field; mingo leaves missing values out before it compares",
        example: Example {
            documents: r#"[{ "a": [{ "x": 1 }, {}] }]"#,
            query: r#"{ "a.x": null }"#,
            mingo: "[]",
            right: r#"[{ "a": [{ "x": 1 }, {}] }]"#,
        },
        recognise: Recognise::Condition(|it| {
            let reach = it.reach();
            it.is_one_of(&["$eq", "$ne", "$in", "$nin", "$gte", "$lte", "$all"])
                && it.asks_for_null()
                && reach.arrays > 0
                && reach.missing > 0
        }),
    },
    KnownDifference {
        name: "missing is not above null",
        why: "in MongoDB {$gte: null} and {$lte: null} find what equals null, missing fields \
              included; mingo does not compare missing values",
        example: Example {
            documents: "[{}]",
            query: r#"{ "a": { "$gte": null } }"#,
            mingo: "[]",
            right: "[{}]",
        },
        recognise: Recognise::Condition(|it| {
            it.is_one_of(&["$gte", "$lte"]) && it.operand.is_null() && it.reach().missing > 0
        }),
    },
    KnownDifference {
        name: "an array in the list of $in",
        why: "MongoDB also compares the field's whole array with each of the list; mingo only its \
              elements",
        example: Example {
            documents: r#"[{ "a": [1, 2] }]"#,
            query: r#"{ "a": { "$in": [[1, 2]] } }"#,
            mingo: "[]",
            right: r#"[{ "a": [1, 2] }]"#,
        },
        recognise: Recognise::Condition(|it| {
            it.is_one_of(&["$in", "$nin"])
                && it.operands().any(is_array)
                && it.reach().found.iter().any(|found| is_array(found))
        }),
    },
    KnownDifference {
        name: "a range of arrays",
        why: "MongoDB compares the field's array with an array element by element in their order; \
              mingo compares its elements, and sorts both first",
        example: Example {
            documents: r#"[{ "a": [1, 2] }]"#,
            query: r#"{ "a": { "$gt": [1, 1] } }"#,
            mingo: "[]",
            right: r#"[{ "a": [1, 2] }]"#,
        },
        recognise: Recognise::Condition(|it| {
            it.is_range() && is_array(it.operand) && it.reach().found.iter().any(|it| is_array(it))
        }),
    },
    KnownDifference {
        name: "a range of objects",
        why: "VelocityDB compares objects as sequences of names and values; mingo compares all \
              names first (and MongoDB compares types first, in the order in which fields were \
              written, which VelocityDB ignores)",
        example: Example {
            documents: r#"[{ "a": { "x": 1, "y": 1 } }]"#,
            query: r#"{ "a": { "$lt": { "x": 2 } } }"#,
            mingo: "[]",
            right: r#"[{ "a": { "x": 1, "y": 1 } }]"#,
        },
        recognise: Recognise::Condition(|it| {
            it.is_range() && is_object(it.operand) && it.reach().with_elements().any(is_object)
        }),
    },
    KnownDifference {
        name: "a range around NaN",
        why: "in MongoDB NaN equals itself and is neither below nor above another number; mingo \
              takes every number for equal to it",
        example: Example {
            documents: r#"[{ "a": { "$numberDouble": "NaN" } }]"#,
            query: r#"{ "a": { "$lte": 1 } }"#,
            mingo: r#"[{ "a": { "$numberDouble": "NaN" } }]"#,
            right: "[]",
        },
        recognise: Recognise::Condition(|it| {
            it.is_range() && (is_nan(it.operand) || it.reach().with_elements().any(is_nan))
        }),
    },
    KnownDifference {
        name: "the type of NaN",
        why: "NaN is a double in MongoDB; mingo says that it is no number",
        example: Example {
            documents: r#"[{ "a": { "$numberDouble": "NaN" } }]"#,
            query: r#"{ "a": { "$type": "number" } }"#,
            mingo: "[]",
            right: r#"[{ "a": { "$numberDouble": "NaN" } }]"#,
        },
        recognise: Recognise::Condition(|it| {
            it.operator == "$type" && it.reach().with_elements().any(is_nan)
        }),
    },
    KnownDifference {
        name: "the type of bytes and ObjectIds",
        why: "mingo knows no types of bytes and of ObjectIds",
        example: Example {
            documents: r#"[{ "a": { "$binary": { "base64": "AQI=", "subType": "00" } } }]"#,
            query: r#"{ "a": { "$type": "binData" } }"#,
            mingo: "[]",
            right: r#"[{ "a": { "$binary": { "base64": "AQI=", "subType": "00" } } }]"#,
        },
        recognise: Recognise::Condition(|it| {
            let is_unknown = |it: &Value| is_binary(it) || is_object_id(it);
            it.operator == "$type" && it.reach().with_elements().any(is_unknown)
        }),
    },
    KnownDifference {
        name: "positions in bytes",
        why: "bytes have no positions that a path could name; in JavaScript they have",
        example: Example {
            documents: r#"[{ "a": { "$binary": { "base64": "AQI=", "subType": "00" } } }]"#,
            query: r#"{ "a.0": { "$exists": true } }"#,
            mingo: r#"[{ "a": { "$binary": { "base64": "AQI=", "subType": "00" } } }]"#,
            right: "[]",
        },
        recognise: Recognise::Condition(|it| {
            let mut parents = it.path.match_indices('.').map(|(at, _)| &it.path[..at]);
            parents.any(|parent| Reach::of(it.object, parent).found.iter().any(|it| is_binary(it)))
        }),
    },
    KnownDifference {
        name: "the types of elements",
        why: "MongoDB's $type also looks at the elements of an array; mingo does not",
        example: Example {
            documents: r#"[{ "a": ["text"] }]"#,
            query: r#"{ "a": { "$type": "string" } }"#,
            mingo: "[]",
            right: r#"[{ "a": ["text"] }]"#,
        },
        recognise: Recognise::Condition(|it| {
            let reach = it.reach();
            let is_about_arrays = reach.arrays > 0 || reach.found.iter().any(|it| is_array(it));
            it.operator == "$type" && is_about_arrays
        }),
    },
    KnownDifference {
        name: "$all of what is no array",
        why: "in MongoDB {$all: [1]} finds a field that is 1; mingo wants an array",
        example: Example {
            documents: r#"[{ "a": 1 }]"#,
            query: r#"{ "a": { "$all": [1] } }"#,
            mingo: "[]",
            right: r#"[{ "a": 1 }]"#,
        },
        recognise: Recognise::Condition(|it| {
            let reach = it.reach();
            it.operator == "$all"
                && (reach.found.iter().any(|found| !is_array(found))
                    || (it.asks_for_null() && reach.missing > 0))
        }),
    },
    KnownDifference {
        name: "$all of a whole array",
        why: "in MongoDB {$all: [[1, 2]]} finds a field that is [1, 2]; mingo looks at elements only",
        example: Example {
            documents: r#"[{ "a": [1, 2] }]"#,
            query: r#"{ "a": { "$all": [[1, 2]] } }"#,
            mingo: "[]",
            right: r#"[{ "a": [1, 2] }]"#,
        },
        recognise: Recognise::Condition(|it| {
            it.operator == "$all"
                && it.operands().any(is_array)
                && it.reach().found.iter().any(|found| is_array(found))
        }),
    },
    KnownDifference {
        name: "arrays in arrays",
        why: "MongoDB looks at the elements of an array, not at those of an array inside of it; \
              mingo flattens, or compares the inner array's elements",
        example: Example {
            documents: r#"[{ "a": { "x": [[1]] } }]"#,
            query: r#"{ "a.x": 1 }"#,
            mingo: r#"[{ "a": { "x": [[1]] } }]"#,
            right: "[]",
        },
        recognise: Recognise::Condition(|it| {
            let reach = it.reach();
            // An element that is an array was in one.
            let is_element = it.path.is_empty() && is_array(it.object);
            reach.finds_nested() || reach.nested > 0 || is_element
        }),
    },
    KnownDifference {
        name: "fields of an array in an array",
        why: "in $elemMatch MongoDB takes an array in an array for an object whose fields are \
              positions; mingo looks at the objects in it",
        example: Example {
            documents: r#"[{ "a": [[{ "x": 1 }]] }]"#,
            query: r#"{ "a": { "$elemMatch": { "x": 1 } } }"#,
            mingo: r#"[{ "a": [[{ "x": 1 }]] }]"#,
            right: "[]",
        },
        recognise: Recognise::Condition(|it| !it.path.is_empty() && is_array(it.object)),
    },
    KnownDifference {
        name: "fields of a scalar in $elemMatch",
        why: "only objects have fields; for a scalar in the array mingo compares the scalar itself",
        example: Example {
            documents: r#"[{ "a": [1] }]"#,
            query: r#"{ "a": { "$elemMatch": { "x": 1 } } }"#,
            mingo: r#"[{ "a": [1] }]"#,
            right: "[]",
        },
        recognise: Recognise::Condition(|it| {
            !it.path.is_empty() && !is_array(it.object) && !is_object(it.object)
        }),
    },
    KnownDifference {
        name: "several arrays at one path",
        why: "where a path leads through an array to arrays, MongoDB looks at each of these; mingo \
              makes one list of lists of them and looks at that",
        example: Example {
            documents: r#"[{ "a": [{ "x": [1] }, { "x": [2] }] }]"#,
            query: r#"{ "a.x": { "$in": [1] } }"#,
            mingo: "[]",
            right: r#"[{ "a": [{ "x": [1] }, { "x": [2] }] }]"#,
        },
        recognise: Recognise::Condition(|it| {
            let reach = it.reach();
            let is_about_arrays =
                it.is_one_of(&["$size", "$elemMatch", "$all"]) || it.operands().any(is_array);
            reach.arrays > 0 && (is_about_arrays || reach.found.iter().any(|it| is_array(it)))
        }),
    },
];

impl<'a> Condition<'a> {
    /// The values at the path. The path of an element itself leads to the element.
    fn reach(&self) -> Reach<'a> {
        if self.path.is_empty() {
            return Reach { found: vec![self.object], ..Reach::default() };
        }
        Reach::of(self.object, self.path)
    }

    fn is_one_of(&self, operators: &[&str]) -> bool {
        operators.contains(&self.operator)
    }

    fn is_range(&self) -> bool {
        self.is_one_of(&["$gt", "$gte", "$lt", "$lte"])
    }

    /// What the field is compared with: the elements of a list, or the operand itself.
    fn operands(&self) -> impl Iterator<Item = &'a Value> {
        let is_list = self.is_one_of(&["$in", "$nin", "$all"]);
        let list = self.operand.as_array().filter(|_| is_list);
        let itself = if is_list { None } else { Some(self.operand) };
        list.into_iter().flatten().chain(itself)
    }

    fn asks_for_null(&self) -> bool {
        self.operands().any(Value::is_null)
    }
}
