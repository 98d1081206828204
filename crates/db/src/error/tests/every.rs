//! One error of every variant, for the tests of what holds for all.

use velocitydb_core::{CollectionName, DocumentId, IndexName, RequestId, Violations};
use velocitydb_storage::Error as StorageError;

use crate::Error;

/// One error of every variant.
pub(crate) fn every_variant() -> Vec<Error> {
    let collection = || CollectionName::new("docs").unwrap();
    let (id, index) = (|| DocumentId::new("a").unwrap(), || IndexName::new("email_1").unwrap());
    let request = || RequestId::new("r").unwrap();
    let reason = || velocitydb_core::Error::TimeRange;
    let unfinished = |cause| Error::Unfinished {
        collection: collection(),
        changed: 1,
        last: id(),
        index: 1,
        cause: Box::new(cause),
    };
    let violations = || Violations::whole("required", "is missing".to_owned());
    vec![
        Error::Invalid(reason()),
        Error::NotFound { collection: collection(), id: id(), batch: None },
        Error::AlreadyExists { collection: collection(), id: id(), version: 1, batch: None },
        Error::Duplicate {
            collection: collection(),
            id: id(),
            index: index(),
            other: id(),
            batch: None,
        },
        Error::SchemaViolation {
            collection: collection(),
            id: id(),
            violations: violations(),
            batch: None,
        },
        Error::Inapplicable { collection: collection(), id: id(), reason: reason(), batch: None },
        Error::VersionMismatch {
            collection: collection(),
            id: id(),
            expected: 1,
            found: 2,
            batch: None,
        },
        Error::ConditionFailed {
            collection: collection(),
            id: id(),
            path: None,
            version: 1,
            batch: None,
        },
        Error::NotLeased { collection: collection(), id: id(), version: 1, batch: None },
        Error::LeaseLost { collection: collection(), id: id(), cause: None },
        unfinished(Error::Conflict),
        Error::Conflict,
        Error::Contention { attempts: 1 },
        Error::NoCollection { collection: collection() },
        Error::CollectionExists { collection: collection() },
        Error::NoIndex { collection: collection(), index: index() },
        Error::IndexExists { collection: collection(), index: index() },
        Error::IndexFailed { collection: collection(), index: index(), reason: String::new() },
        Error::SchemaSuperseded { collection: collection() },
        Error::SchemaViolated { collection: collection(), count: 1, offenders: Vec::new() },
        Error::ConsistencyTooWeak {
            collection: collection(),
            action: "reads".into(),
            floor: velocitydb_core::Consistency::Strong,
            level: velocitydb_core::Consistency::Local,
        },
        Error::Type { collection: collection(), id: id(), reason: String::new() },
        Error::DeadlineExceeded,
        Error::Cancelled,
        Error::MemoryExceeded { what: "memory".into(), place: String::new(), found: 2, max: 1 },
        Error::CommandTooLarge { what: "what it writes".into(), found: 2, max: 1 },
        Error::OutcomeUnknown { cause: Box::new(Error::Conflict) },
        Error::Overloaded { waiting: 1 },
        Error::TooManyLeases { held: 1_000, max: 1_000 },
        Error::InUse { handles: 1, snapshots: 0 },
        Error::RequestReused { request: request() },
        Error::AlreadyApplied { request: request(), index: 1 },
        Error::Corrupt { place: String::new(), what: String::new() },
        Error::StateVersion { found: 2, supported: 1 },
        Error::NotMigrated { collection: collection(), what: String::new(), remedy: String::new() },
        Error::Thread { name: "t", reason: String::new() },
        Error::Storage(StorageError::DiskFull { path: "/data".into(), room: None }),
    ]
}
