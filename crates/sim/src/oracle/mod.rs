//! The oracle: an evaluator of MongoDB's query language that nobody here wrote, `mingo`, is asked
//! the same questions as VelocityDB, and the answers are compared.
//!
//! [`generate`] makes batches of random documents and queries ([`case`]), [`driver`] has mingo
//! answer them ([`differently`] in a few cases, and not at all what is known of [`constants`] and [`operands`]), [`evaluate`] has VelocityDB do so, in several ways, and [`compare`] says whether
//! the answers agree. Where mingo is wrong, or a difference is meant, [`known_differences`] recognises it. What
//! is left, or is not as it is [`by_the_book`], is a mismatch: [`shrink`] makes it small, and [`campaign`] reports it. [`planted`] makes
//! VelocityDB wrong on purpose, so that all this can show that it would notice.

pub mod case;
pub mod generate;

pub mod differently;
pub mod driver;
pub mod evaluate;
pub mod planted;

pub mod by_the_book;
pub mod combinations;
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
