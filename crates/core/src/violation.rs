//! Violations: which rules of its schema a document violates, where, and what would be right. Decides
//! nothing.

use std::fmt;

use crate::limits::VIOLATIONS_MAX;
use crate::{Object, Value};

/// One rule that a document violates at one path.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The dotted path; empty for the whole document. For a missing field, the path where the field
    /// should be.
    pub path: String,
    /// The keyword of the schema: `minimum`, `required`, and so on; `false` if a schema accepts no
    /// value at all.
    pub rule: String,
    /// What would be right, as the end of a sentence that begins with the path.
    pub message: String,
    /// The value that violates the rule, shortened if it is large; `None` if it is missing.
    pub value: Option<Value>,
}

impl Violation {
    /// As an object, for answers and logs.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new();
        object.insert("path", self.path.as_str());
        object.insert("rule", self.rule.as_str());
        object.insert("message", self.message.as_str());
        if let Some(value) = &self.value {
            object.insert("value", value.clone());
        }
        object
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "the document {}", self.message),
            path => write!(f, "{path:?} {}", self.message),
        }
    }
}

/// How many violations there are beside the listed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// No further ones.
    None,
    /// That many.
    Count(usize),
    /// That many, and some that were not counted.
    AtLeast(usize),
    /// There may be some: the document is too large to find them all.
    Unknown,
}

/// The violations of one document: at least one, ordered by path and rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Violations {
    listed: Vec<Violation>,
    more: More,
}

impl Violations {
    /// Sorts violations and lists the first of them. `more` is how many there are in addition.
    pub fn new(mut all: Vec<Violation>, more: More) -> Self {
        all.sort_by(|a, b| (&a.path, &a.rule, &a.message).cmp(&(&b.path, &b.rule, &b.message)));
        all.dedup();
        let further = all.len().saturating_sub(VIOLATIONS_MAX);
        all.truncate(VIOLATIONS_MAX);
        let more = match more {
            More::None if further > 0 => More::Count(further),
            More::Count(count) => More::Count(count + further),
            More::AtLeast(count) => More::AtLeast(count + further),
            more => more,
        };
        Violations { listed: all, more }
    }

    /// The one violation of a document that cannot be checked any further.
    pub fn whole(rule: &str, message: String) -> Self {
        let (path, rule) = (String::new(), rule.to_owned());
        let listed = vec![Violation { path, rule, message, value: None }];
        Violations { listed, more: More::Unknown }
    }

    /// The listed ones: at least one, and at most [`VIOLATIONS_MAX`].
    pub fn as_slice(&self) -> &[Violation] {
        &self.listed
    }

    /// How many there are in addition.
    pub fn more(&self) -> More {
        self.more
    }

    /// The listed ones, as a vector.
    pub fn into_vec(self) -> Vec<Violation> {
        self.listed
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, violation) in self.listed.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{violation}")?;
        }
        match self.more {
            More::None => Ok(()),
            More::Count(count) => write!(f, "; and {count} more"),
            More::AtLeast(count) => write!(f, "; and more, at least {count}"),
            More::Unknown => f.write_str("; there may be more, which were not looked for"),
        }
    }
}
