//! The interface of a contestant of the suite `queries`.

use super::{Order, Question};
use crate::Result;

/// An index to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// On the customer.
    Customer,
    /// On the product, then the time.
    ProductPlaced,
    /// On the time.
    Placed,
    /// On the number, which no two orders share.
    UniqueNumber,
}

/// How many processes or threads work on one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parallelism {
    /// One.
    One,
    /// As many as the store chooses.
    OwnChoice,
}

/// The receiver of the lines of an answer.
pub type Line<'a> = &'a mut dyn FnMut(&str, f64);

/// Orders with their indexes.
pub trait Store {
    /// Inserts an order in a transaction of its own.
    fn insert(&mut self, order: &Order) -> Result<()>;

    /// Inserts many in one transaction.
    fn insert_many(&mut self, orders: &[Order]) -> Result<()>;

    /// Builds indexes.
    fn build(&mut self, indexes: &[Index]) -> Result<()>;

    /// Does what the store's manual advises after a load.
    fn settle(&mut self) -> Result<()>;

    /// Sets how many processes or threads answer, initially one; returns whether the store
    /// supports that.
    fn work_by(&mut self, parallelism: Parallelism) -> Result<bool> {
        Ok(parallelism == Parallelism::One)
    }

    /// Answers a question, fetching whole orders if the question is about them. The lines are: for
    /// an order its id and 0; for a product its name and the number of orders, and again its name
    /// and the sum of prices; for a count the empty text and the count; for a time of a product
    /// its name and the time. They come in the requested order, if there is one.
    fn ask(&mut self, question: &Question, line: Line<'_>) -> Result<()>;
}

/// The result of opening a contestant's store.
pub enum Opening {
    /// It is open, and empty.
    Open(Box<dyn Store>),
    /// It cannot be measured here, for the reason.
    Absent(String),
}
