//! The expression tree.

use std::collections::BTreeSet;

use regex::Regex;

use super::builtin::Builtin;
use super::path::FieldPath;
use super::zone::Zone;
use crate::Value;

/// An expression. Everything that can be checked before evaluation has been
/// checked.
#[derive(Debug, Clone)]
pub(in crate::aggregate) enum Node {
    Literal(Value),
    /// `$a.b`
    Field(FieldPath),
    /// `$$ROOT`
    Root,
    /// `$$NOW`
    Now,
    /// `$$REMOVE`
    Remove,
    /// `$$name.path`: how many frames outwards, which of the frame's values, and
    /// the path in it.
    Variable {
        out: usize,
        at: usize,
        path: Box<[Box<str>]>,
    },
    Array(Vec<Node>),
    /// In the order in which they are written.
    Object(Vec<(String, Node)>),
    Call {
        builtin: &'static Builtin,
        args: Vec<Option<Node>>,
    },
    Let {
        values: Vec<Node>,
        body: Box<Node>,
    },
    Map {
        input: Box<Node>,
        body: Box<Node>,
    },
    Filter {
        input: Box<Node>,
        condition: Box<Node>,
        limit: Option<Box<Node>>,
    },
    /// The body sees `$$this` and `$$value`.
    Reduce {
        input: Box<Node>,
        initial: Box<Node>,
        body: Box<Node>,
    },
    Switch {
        branches: Vec<(Node, Node)>,
        default: Option<Box<Node>>,
    },
    /// A prepared time zone.
    Zone(Zone),
    /// A compiled pattern.
    Pattern(Regex),
}

/// The top-level fields that an expression reads.
#[derive(Debug, Default)]
pub(in crate::aggregate) struct Needs {
    pub(in crate::aggregate) fields: BTreeSet<String>,
    /// Whether it reads all of them.
    pub(in crate::aggregate) whole: bool,
}

impl Node {
    /// Adds the top-level fields that it reads.
    pub(in crate::aggregate) fn collect_needs(&self, needs: &mut Needs) {
        match self {
            Self::Field(path) => drop(needs.fields.insert(path.first().to_owned())),
            Self::Root => needs.whole = true,
            _ => self.each_child(&mut |child| child.collect_needs(needs)),
        }
    }

    fn each_child(&self, visit: &mut dyn FnMut(&Node)) {
        match self {
            Self::Array(items) => items.iter().for_each(visit),
            Self::Object(fields) => fields.iter().for_each(|(_, node)| visit(node)),
            Self::Call { args, .. } => args.iter().flatten().for_each(visit),
            Self::Let { values, body } => {
                values.iter().for_each(&mut *visit);
                visit(body);
            }
            Self::Map { input, body } => [input, body].into_iter().for_each(|node| visit(node)),
            Self::Filter { input, condition, limit } => {
                visit(input);
                visit(condition);
                limit.iter().for_each(|node| visit(node));
            }
            Self::Reduce { input, initial, body } => {
                [input, initial, body].into_iter().for_each(|node| visit(node));
            }
            Self::Switch { branches, default } => {
                branches.iter().for_each(|(case, then)| {
                    visit(case);
                    visit(then);
                });
                default.iter().for_each(|node| visit(node));
            }
            _ => {}
        }
    }
}
