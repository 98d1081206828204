//! Errors of schemas, and their paths in a schema. Owns the text of these paths.

use crate::Error;

/// The number of a schema within a schema.
pub(super) type Number = usize;

/// An error of a schema: its dotted path, and the end of a sentence.
pub(super) fn problem(place: String, problem: String) -> Error {
    Error::Invalid(velocitydb_core::Error::InvalidQuery { what: "schema".into(), place, problem })
}

/// The path of a schema: its parent, and the steps from there. Kept as a link, since paths can be
/// long and many schemas share them.
pub(super) struct SchemaPath<'a> {
    within: Option<Number>,
    keyword: Option<&'a str>,
    way: Vec<String>,
}

impl<'a> SchemaPath<'a> {
    /// The whole schema.
    pub(super) fn root() -> Self {
        SchemaPath { within: None, keyword: None, way: Vec::new() }
    }

    /// A path from the whole schema.
    pub(super) fn at(way: Vec<String>) -> Self {
        SchemaPath { within: None, keyword: None, way }
    }

    /// The value of a keyword of another schema, or something in that value.
    pub(super) fn within(number: Number, keyword: &'a str, step: Option<String>) -> Self {
        let way = step.into_iter().collect();
        SchemaPath { within: Some(number), keyword: Some(keyword), way }
    }

    /// The dotted path of a schema, and of something in it.
    pub(super) fn text<'p>(
        number: Number,
        steps: &[&str],
        place_of: impl Fn(Number) -> &'p SchemaPath<'a>,
    ) -> String
    where
        'a: 'p,
    {
        let mut backwards: Vec<&str> = steps.iter().rev().copied().collect();
        let mut next = Some(number);
        while let Some(number) = next {
            let place = place_of(number);
            backwards.extend(place.way.iter().rev().map(String::as_str));
            backwards.extend(place.keyword);
            next = place.within;
        }
        dotted(backwards.into_iter().rev())
    }
}

/// Steps as a dotted path, written as by [`velocitydb_core::Path`]. An empty name, which no path
/// can have, is written as two quotes.
pub(super) fn dotted<'a>(steps: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (at, step) in steps.enumerate() {
        if at > 0 {
            text.push('.');
        }
        if step.is_empty() {
            text.push_str("\"\"");
        }
        for char in step.chars() {
            if matches!(char, '.' | '\\') {
                text.push('\\');
            }
            text.push(char);
        }
    }
    text
}
