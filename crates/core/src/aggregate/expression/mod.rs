//! Expressions: values computed from a row. MongoDB's operators and semantics.

mod arithmetic;
mod array;
mod builtin;
mod calendar;
mod condition;
mod convert;
mod date;
mod evaluate;
mod format;
mod item;
mod node;
mod object;
mod parse;
mod parse_call;
mod path;
mod summary;
mod text;
mod zone;

pub(super) use evaluate::{Env, Frame};
pub(super) use item::{Item, Number};
pub(super) use node::{Needs, Node};
pub(super) use parse::{Parser, has_operators};
pub(super) use path::{Direct, FieldPath};
pub(super) use summary::{Sum, nearest_rank};
