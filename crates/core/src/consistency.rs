//! The four consistency levels. What each one promises is defined in `docs/consistency.md`; this
//! module only names them, and orders them from weak to strong.

use std::fmt;
use std::str::FromStr;

use crate::error::shortened;
use crate::{Error, Result};

/// The consistency of an operation. Chosen per operation.
///
/// A level decides when a write is acknowledged and which writes a read may see. It never decides
/// the order of writes: there is one order per shard, its log. Each level includes the promises
/// of all weaker ones, and weaker levels compare as less.
///
/// ```
/// use velocitydb_core::Consistency;
///
/// assert_eq!("quorum".parse(), Ok(Consistency::Quorum));
/// assert!(Consistency::Local < Consistency::Strong);
/// assert_eq!(Consistency::default(), Consistency::Strong);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Consistency {
    /// A write is acknowledged once it is in this node's memory; a read returns this node's view
    /// at once. Works while cut off from the majority.
    Local,
    /// A write is acknowledged once it is as durable on this node as the storage mode makes it; a
    /// read is never older than the caller's session. Works while cut off from the majority.
    Eventual,
    /// A write is acknowledged once a majority has it durably; a read includes every write that
    /// was so acknowledged before the read began. Needs a majority.
    Quorum,
    /// A write is acknowledged once it is committed and applied, with its outcome; a read is
    /// linearizable. Needs a majority and its leader.
    #[default]
    Strong,
}

impl Consistency {
    /// All levels, from the weakest to the strongest.
    pub const ALL: [Self; 4] = [Self::Local, Self::Eventual, Self::Quorum, Self::Strong];

    /// The name used in every interface, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Eventual => "eventual",
            Self::Quorum => "quorum",
            Self::Strong => "strong",
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Consistency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| Error::UnknownConsistency { found: shortened(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_levels_are_ordered() {
        for level in Consistency::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert!(Consistency::ALL.is_sorted());
        let error = "Strong".parse::<Consistency>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "consistency \"Strong\" is unknown; use local, eventual, quorum or strong"
        );
    }
}
