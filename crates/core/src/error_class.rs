//! [`ErrorClass`]: what the caller of something that failed can do about it. Owns the classes and
//! their names; which error has which class is said where the error is.

use std::fmt;

/// What the caller can do about a failure. Every error has one class, whichever call it comes from,
/// and the codes of protocols and programs are made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The call is not one that can be answered: change it. It fails in the same way again.
    Invalid,
    /// What was asked for does not exist: create it, or ask for something else.
    NotFound,
    /// What is stored is not as the call takes it to be: read again, and decide anew.
    Conflict,
    /// It cannot be done now, and nothing was done: retry later, or see to what the error names.
    Unavailable,
    /// It was stopped before its end, at its deadline or because it was cancelled, and nothing was
    /// changed: give it more time, or less to do.
    Timeout,
    /// It takes more memory than it was given, or is more than one command may do, and nothing was
    /// changed: give it more, or do it in parts.
    ResourceLimit,
    /// Whether it was done is not known: ask again with the same request id, or look.
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
