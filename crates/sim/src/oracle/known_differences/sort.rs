//! Known differences of sorts. The query of an example is a list of sort keys.

use super::difference::{Example, Key, KnownDifference, Recognise};
use crate::oracle::reach::{Reach, is_array, is_nan, is_object, is_object_id};

pub(super) const KNOWN: &[KnownDifference] = &[
    KnownDifference {
        name: "sorting by arrays",
        why: "MongoDB sorts an array by its smallest element when ascending and by its largest \
              when descending; mingo by the smallest in both, and compares arrays with each other \
              as a whole",
        example: Example {
            documents: r#"[{ "a": [1, 9] }, { "a": 5 }]"#,
            query: r#"[{ "a": -1 }]"#,
            mingo: r#"[{ "a": 5 }, { "a": [1, 9] }]"#,
            right: r#"[{ "a": [1, 9] }, { "a": 5 }]"#,
        },
        recognise: Recognise::Key(|it| {
            let reach = it.reach();
            reach.arrays > 0 || reach.found.iter().any(|found| is_array(found))
        }),
    },
    KnownDifference {
        name: "sorting by objects",
        why: "VelocityDB compares objects as sequences of names and values; mingo compares all \
              names first",
        example: Example {
            documents: r#"[{ "a": { "x": 2 } }, { "a": { "x": 1, "y": 1 } }]"#,
            query: r#"[{ "a": 1 }]"#,
            mingo: r#"[{ "a": { "x": 2 } }, { "a": { "x": 1, "y": 1 } }]"#,
            right: r#"[{ "a": { "x": 1, "y": 1 } }, { "a": { "x": 2 } }]"#,
        },
        recognise: Recognise::Key(|it| it.reach().found.iter().any(|found| is_object(found))),
    },
    KnownDifference {
        name: "sorting by NaN",
        why: "in MongoDB NaN is below all other numbers; mingo takes it for equal to each of them",
        example: Example {
            documents: r#"[{ "a": 1 }, { "a": { "$numberDouble": "NaN" } }]"#,
            query: r#"[{ "a": 1 }]"#,
            mingo: r#"[{ "a": 1 }, { "a": { "$numberDouble": "NaN" } }]"#,
            right: r#"[{ "a": { "$numberDouble": "NaN" } }, { "a": 1 }]"#,
        },
        recognise: Recognise::Upset(|it| it.reach().found.iter().any(|found| is_nan(found))),
    },
    KnownDifference {
        name: "sorting by ObjectIds",
        why: "in MongoDB ObjectIds are above bytes and below bools; mingo takes the class for one that \
              it does not know, above all values",
        example: Example {
            documents: r#"[{ "a": true }, { "a": { "$oid": "6922d394a1b2c3d4e5f60718" } }]"#,
            query: r#"[{ "a": 1 }]"#,
            mingo: r#"[{ "a": true }, { "a": { "$oid": "6922d394a1b2c3d4e5f60718" } }]"#,
            right: r#"[{ "a": { "$oid": "6922d394a1b2c3d4e5f60718" } }, { "a": true }]"#,
        },
        recognise: Recognise::Key(|it| it.reach().found.iter().any(|found| is_object_id(found))),
    },
    KnownDifference {
        name: "missing sorts before null",
        why: "VelocityDB's one order of values has missing fields before null; in MongoDB, and in \
              mingo, they sort as equal",
        example: Example {
            documents: r#"[{ "a": null }, {}]"#,
            query: r#"[{ "a": 1 }]"#,
            mingo: r#"[{ "a": null }, {}]"#,
            right: r#"[{}, { "a": null }]"#,
        },
        recognise: Recognise::Key(|it| it.reach().missing > 0),
    },
];

impl Key<'_> {
    fn reach(&self) -> Reach<'_> {
        Reach::of(self.document, self.path)
    }
}
