//! The oracle: compares the answers of VelocityDB with those of `mingo`, an independent implementation of
//! MongoDB's query language.
//!
//! [`generate`] generates batches of random documents and queries ([`case`]), [`driver`] gets mingo's answers
//! ([`differently`] rewrites some queries, and the results in [`constants`], [`operands`] and
//! [`by_the_book`] replace others),
//! [`evaluate`] gets VelocityDB's, in several ways, and [`compare`] compares the answers. If mingo is wrong, or
//! a difference is intended, [`known_differences`] recognises it. All other differences, and answers that
//! differ from [`by_the_book`], are mismatches (for values that JavaScript lacks there is only the book): [`shrink`] reduces them, and [`campaign`] reports them.
//! [`planted`] makes VelocityDB wrong on purpose, to test that all this detects it.

pub mod case;
pub mod generate;

pub mod differently;
pub mod driver;
pub mod evaluate;
pub mod planted;

pub mod by_the_book;
pub mod compare;
pub mod constants;
pub mod known_differences;
pub mod operands;
pub mod reach;
pub mod shrink;

pub mod campaign;
pub mod report;

pub use campaign::Campaign;
pub use case::{Answer, Batch, Find, Kind, Order, Query};
