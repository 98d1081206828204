//! The order-preserving key encoding.

use crate::{RawValue, Result, Value};

/// In which direction a component of a key sorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Smaller values first.
    #[default]
    Ascending,
    /// Larger values first.
    Descending,
}

/// Appends a component for an encoded value.
#[allow(unused_variables)]
pub fn encode_key(value: RawValue<'_>, direction: Direction, key: &mut Vec<u8>) -> Result<()> { todo!() }

/// Appends a component for a value.
#[allow(unused_variables)]
pub fn encode_key_value(value: &Value, direction: Direction, key: &mut Vec<u8>) -> Result<()> { todo!() }

/// The length of the first component of a key.
#[allow(unused_variables)]
pub fn skip_key(key: &[u8], direction: Direction) -> Result<usize> { todo!() }

/// A value that compares equal to the one that was encoded, and the length of its component.
#[allow(unused_variables)]
pub fn decode_key(key: &[u8], direction: Direction) -> Result<(Value, usize)> { todo!() }
