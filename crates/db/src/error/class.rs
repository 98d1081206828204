//! What the caller can do about an [`Error`]: its class, and whether the same call can be made again.

use velocitydb_core::ErrorClass;
use velocitydb_storage::Error as StorageError;

use crate::Error;

impl Error {
    /// What the caller can do about it. Every variant has one class; a variant that wraps another
    /// error has that error's class.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{ErrorClass, object};
    ///
    /// let users = velocitydb::open_in_memory()?.documents("users");
    /// let error = users.update("alice", object! { "age": 29 }).unwrap_err();
    /// assert_eq!(error.class(), ErrorClass::NotFound);
    /// # Ok(())
    /// # }
    /// ```
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Invalid(error) => error.class(),
            Error::SchemaViolation { .. }
            | Error::SchemaViolated { .. }
            | Error::Inapplicable { .. }
            | Error::ConsistencyTooWeak { .. }
            | Error::Type { .. } => ErrorClass::Invalid,
            Error::NotFound { .. } | Error::NoCollection { .. } | Error::NoIndex { .. } => {
                ErrorClass::NotFound
            }
            Error::AlreadyExists { .. }
            | Error::Duplicate { .. }
            | Error::VersionMismatch { .. }
            | Error::ConditionFailed { .. }
            | Error::NotLeased { .. }
            | Error::LeaseLost { .. }
            | Error::Conflict
            | Error::Contention { .. }
            | Error::CollectionExists { .. }
            | Error::IndexExists { .. }
            | Error::IndexFailed { .. }
            | Error::SchemaSuperseded { .. }
            | Error::RequestReused { .. }
            | Error::AlreadyApplied { .. } => ErrorClass::Conflict,
            Error::Overloaded { .. }
            | Error::TooManyLeases { .. }
            | Error::InUse { .. }
            | Error::Thread { .. }
            | Error::StateVersion { .. }
            | Error::NotMigrated { .. } => ErrorClass::Unavailable,
            Error::DeadlineExceeded | Error::Cancelled => ErrorClass::Timeout,
            Error::MemoryExceeded { .. } | Error::CommandTooLarge { .. } => {
                ErrorClass::ResourceLimit
            }
            Error::OutcomeUnknown { .. } => ErrorClass::UnknownOutcome,
            Error::Corrupt { .. } => ErrorClass::Corrupt,
            Error::Unfinished { cause, .. } => cause.class(),
            Error::Storage(error) => class_of_storage(error),
        }
    }

    /// Whether the same call can succeed later. Only errors of the classes
    /// [conflict](ErrorClass::Conflict) and [unavailable](ErrorClass::Unavailable) can be retryable.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Conflict
            | Error::Contention { .. }
            | Error::Overloaded { .. }
            | Error::TooManyLeases { .. }
            | Error::SchemaSuperseded { .. } => true,
            Error::Storage(error) => error.is_retryable(),
            Error::Unfinished { cause, .. } => cause.is_retryable(),
            _ => false,
        }
    }

    /// Whether storage has failed for good.
    pub(crate) fn is_poisoned(&self) -> bool {
        matches!(self, Error::Storage(StorageError::Poisoned { .. }))
    }

    /// Whether a command was rejected because it is too large, so that two smaller ones may succeed.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self, Error::CommandTooLarge { .. })
    }
}

/// A folder in use, one of another format, and failed storage have the same class: the folder or the
/// device has to be fixed first.
fn class_of_storage(error: &StorageError) -> ErrorClass {
    match error {
        StorageError::Invalid { .. } | StorageError::ReadOnly { .. } => ErrorClass::Invalid,
        StorageError::Corrupt { .. } => ErrorClass::Corrupt,
        _ => ErrorClass::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::every::every_variant;

    /// The name of a variant, from its derived `Debug` text.
    fn name(error: &Error) -> String {
        let shown = format!("{error:?}");
        shown.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn the_documentation_has_every_variant_under_its_class() {
        let documented = include_str!("../../../../docs/errors.md");
        let row = |class: ErrorClass| {
            let start = format!("| `{class}` |");
            let row = documented.lines().find(|line| line.starts_with(&start));
            row.unwrap_or_else(|| panic!("no row for {class}")).to_owned()
        };
        for error in every_variant() {
            let name = format!("`{}`", name(&error));
            if name == "`Unfinished`" {
                continue;
            }
            for class in ErrorClass::ALL {
                let is_listed = row(class).contains(&name);
                assert_eq!(is_listed, class == error.class(), "{name} under {class}");
            }
        }
        let listed: usize = ErrorClass::ALL
            .map(|class| row(class).rsplit('|').nth(1).unwrap_or_default().matches('`').count())
            .iter()
            .sum();
        assert_eq!(listed / 2, every_variant().len() - 1, "a variant is in this test or in no row");
    }

    #[test]
    fn what_is_retryable_is_a_conflict_or_unavailable() {
        let of_storage = [
            StorageError::Poisoned { reason: String::new() },
            StorageError::Locked { path: "/data".into(), waited: Duration::ZERO },
            StorageError::Corrupt { place: String::new(), what: String::new() },
            StorageError::Invalid { what: String::new() },
        ];
        let errors = every_variant().into_iter().chain(of_storage.map(Error::Storage));
        let mut retryable = 0;
        for error in errors {
            let may_be = matches!(error.class(), ErrorClass::Conflict | ErrorClass::Unavailable);
            assert!(may_be || !error.is_retryable(), "{error}");
            retryable += usize::from(error.is_retryable());
        }
        assert_eq!(retryable, 7);
    }

    /// A missed deadline was reported as invalid input, and exceeded memory as a limit of the
    /// document model.
    #[test]
    fn what_a_pipeline_is_stopped_for_is_no_invalid_input() {
        use velocitydb_core::Error as Core;
        let memory =
            Core::MemoryExceeded { what: "m".into(), place: "$sort".to_owned(), found: 2, max: 1 };
        let words = memory.to_string();
        for core in [Core::DeadlineExceeded, memory, Core::Corrupt { problem: "p".into() }] {
            let (class, error) = (core.class(), Error::from(core));
            assert_eq!(error.class(), class);
            assert!(!matches!(error, Error::Invalid(_)), "{error}");
        }
        let memory =
            Core::MemoryExceeded { what: "m".into(), place: "$sort".to_owned(), found: 2, max: 1 };
        assert_eq!(Error::from(memory).to_string(), words);
    }
}
