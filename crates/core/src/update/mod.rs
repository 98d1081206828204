//! Changes to a document: a merge of fields, and operators with MongoDB's names and semantics.
//!
//! | operator | what it does to the value at a path | when there is none |
//! |---|---|---|
//! | `$set` | replaces it | creates it, and the objects on its path |
//! | `$unset` | removes it; an array's element becomes null | nothing |
//! | `$inc`, `$mul` | adds to a number, multiplies it | the operand, zero |
//! | `$min`, `$max` | replaces it by the operand if that is smaller, larger | the operand |
//! | `$rename` | moves it to another path; not in arrays | nothing |
//! | `$push` | appends an element; with `$each`, `$position`, `$sort`, `$slice` several | an array |
//! | `$pull` | removes the elements that equal the operand; with operators or a filter as operand, those that satisfy it | nothing |
//! | `$pullAll` | removes the elements that equal one of a list | nothing |
//! | `$pop` | removes the last (`1`) or the first (`-1`) element | nothing |
//! | `$addToSet` | appends an element unless the array has it; with `$each` several | an array |
//! | `$currentDate` | replaces it by the time of the update | creates it |
//!
//! All operators see the document as it was: no two of them may change the same path, so their order
//! does not matter. Comparing and equality are those of [`order`](crate::order). Arithmetic on
//! integers gives an integer, or an error if that does not fit 64 bits; with a float, a float.
//!
//! Applying reads no clock: the time is an argument. The same update of the same document gives the
//! same document on every replica.

mod apply;
mod array;
mod encoded;
mod number;
mod operation;
mod parse;

pub use operation::Update;
