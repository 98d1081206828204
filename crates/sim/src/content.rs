//! The content of the workload's documents, which names the operations that wrote it.
//!
//! Every operation has a unique number, from which everything it writes is derived. A full write
//! begins a *trail* with its number, an update appends its own, and `n` and `pad` are derived from
//! the trail. So a document that is torn, invented, lacks an update in its middle, or has lost the order
//! of its fields, is detected from its content alone.

use std::fmt;

use velocitydb::{Document, Object, Origin, Time, Update, Value, object};

use crate::random::mixed;

/// The number of an operation, unique for a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

impl OperationId {
    /// Number `sequence` of one thread in one cycle.
    pub fn new(cycle: u32, thread: u8, sequence: u32) -> Self {
        OperationId(u64::from(cycle) << 40 | u64::from(thread) << 32 | u64::from(sequence))
    }

    /// The thread that does it.
    pub fn thread(self) -> u8 {
        (self.0 >> 32) as u8
    }

    fn as_i64(self) -> i64 {
        self.0.cast_signed()
    }

    /// What a full write sets `n` to.
    fn base(self) -> i64 {
        (mixed(self.0) % 1_000) as i64
    }

    /// What an update adds to `n`.
    fn amount(self) -> i64 {
        (mixed(self.0 ^ 1) % 100) as i64 + 1
    }

    /// The text that it writes: mostly short, sometimes a few kilobytes, and rarely large.
    pub fn pad(self) -> String {
        let hash = mixed(self.0 ^ 2);
        let words = match hash % 400 {
            0 => 16_384,
            1..=19 => 512,
            20..=99 => 64,
            _ => 1 + (hash >> 32) % 6,
        };
        (0..words).map(|word| format!("{:016x}", mixed(hash.wrapping_add(word)))).collect()
    }

    /// The version of a document that it imports: above most that were there before.
    pub fn imported_version(self) -> u64 {
        (self.0 >> 40) * 100_000 + u64::from(self.0 as u32) + mixed(self.0 ^ 3) % 100 + 1
    }

    /// Where a document that it imports comes from.
    pub fn origin(self) -> Origin {
        let created = Time::UNIX_EPOCH;
        Origin { version: self.imported_version(), created, modified: created, expires: None }
    }

    /// The fields of a full write.
    pub fn fields(self) -> Object {
        object! { "trail": [self.as_i64()], "n": self.base(), "pad": self.pad() }
    }

    /// The update that it makes.
    pub fn update(self) -> Update {
        Update::new().push("trail", self.as_i64()).inc("n", self.amount()).set("pad", self.pad())
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0 >> 40, self.thread(), self.0 as u32)
    }
}

/// The trail of a document: the operations that wrote it, beginning with a full write.
///
/// # Errors
///
/// What is wrong, when no sequence of operations can have left this content.
pub fn trail(document: &Document) -> Result<Vec<OperationId>, String> {
    let fields = document.fields().map_err(|error| error.to_string())?;
    trail_of(&fields)
}

fn trail_of(fields: &Object) -> Result<Vec<OperationId>, String> {
    let Some(Value::Array(items)) = fields.get("trail") else {
        return Err("it has no trail".to_owned());
    };
    let id = |item: &Value| item.as_i64().map(|number| OperationId(number.cast_unsigned()));
    let trail: Option<Vec<_>> = items.iter().map(id).collect();
    let trail = trail.ok_or("its trail has something that is no number")?;
    let Some((first, updates)) = trail.split_first() else {
        return Err("its trail is empty".to_owned());
    };
    let n = first.base() + updates.iter().map(|update| update.amount()).sum::<i64>();
    let last = updates.last().unwrap_or(first);
    let is_whole = fields.get("n").and_then(Value::as_i64) == Some(n)
        && fields.get("pad").and_then(Value::as_str) == Some(&last.pad())
        && fields.keys().eq(["trail", "n", "pad"]);
    match is_whole {
        true => Ok(trail),
        false => Err(format!("its fields are not what operation {last} left")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_recognised_and_torn_content_too() {
        let (first, second) = (OperationId::new(3, 1, 9), OperationId::new(3, 0, 4));
        let mut fields = first.fields();
        assert_eq!(trail_of(&fields), Ok(vec![first]));
        second.update().apply(&mut fields, Time::UNIX_EPOCH).unwrap();
        assert_eq!(trail_of(&fields), Ok(vec![first, second]));
        assert_eq!(first.to_string(), "3.1.9");

        let mut torn = fields.clone();
        torn.insert("pad", first.pad());
        assert!(trail_of(&torn).is_err());
        let sorted: Object =
            ["n", "pad", "trail"].into_iter().map(|name| (name, fields[name].clone())).collect();
        assert!(trail_of(&sorted).is_err());
        fields.insert("n", 0);
        assert!(trail_of(&fields).is_err());
    }
}
