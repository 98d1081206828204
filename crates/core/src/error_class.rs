//! [`ErrorClass`]: what the caller can do about a failure. Owns the classes and their names; which
//! error has which class is defined with the error.

use std::fmt;

/// What the caller can do about a failure. Every error has one class, whichever call returns it,
/// and the codes of protocols and programs are derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The call is not valid: change it. It would fail in the same way again.
    Invalid,
    /// The document, collection or index does not exist: create it, or use another one.
    NotFound,
    /// The stored data is not in the state that the call expects: read again, and decide anew.
    Conflict,
    /// It cannot be done now, and nothing was done: retry later, or remove the cause that the
    /// error names.
    Unavailable,
    /// It was stopped before its end, at its deadline or because it was cancelled, and nothing was
    /// changed: allow more time, or ask for less.
    Timeout,
    /// It needs more memory than it was given, or does more than one command may, and nothing was
    /// changed: allow more memory, or do it in parts.
    ResourceLimit,
    /// Whether it was done is not known: retry with the same request id, or read the data.
    UnknownOutcome,
    /// Stored bytes are damaged: check the data folder, and restore it from a backup.
    Corrupt,
}

impl ErrorClass {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Invalid,
        Self::NotFound,
        Self::Conflict,
        Self::Unavailable,
        Self::Timeout,
        Self::ResourceLimit,
        Self::UnknownOutcome,
        Self::Corrupt,
    ];

    /// The name, as in metrics and answers: `not_found`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::ResourceLimit => "resource_limit",
            Self::UnknownOutcome => "unknown_outcome",
            Self::Corrupt => "corrupt",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
