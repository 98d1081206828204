//! [`Violation`]: a promise that was not kept, with the evidence.

use velocitydb::DocumentId;

use crate::content::OperationId;
use crate::operation::{Job, Register};

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A client got an answer that must never happen.
    #[error("a client saw: {message}")]
    Failed {
        /// What.
        message: String,
    },
    /// The state ends before a write that is promised to survive.
    #[error("the state ends at {recovered}, and {durable} was promised to survive")]
    LostDurable {
        /// The last index that is promised.
        durable: u64,
        /// The last index that is there.
        recovered: u64,
    },
    /// No sequence of operations can have left this state.
    #[error("{what}")]
    Malformed {
        /// What is wrong.
        what: String,
    },
    /// A collection's count differs from its list.
    #[error("collection {collection:?} counts {count} documents and lists {listed}")]
    Count {
        /// The collection.
        collection: String,
        /// What it says.
        count: u64,
        /// What it has.
        listed: u64,
    },
    /// A write that must be in the state is missing.
    #[error("{register}: write {operation} at version {version} is lost, found {found:?}")]
    LostWrite {
        /// Where.
        register: Register,
        /// The write.
        operation: OperationId,
        /// The version that it was acknowledged with.
        version: u64,
        /// The version that is there.
        found: Option<u64>,
    },
    /// A version from before the cycle is gone, and no operation removed it.
    #[error("{register}: version {version} is gone, found {found:?}")]
    WentBack {
        /// Where.
        register: Register,
        /// The version that was there.
        version: u64,
        /// The version that is there.
        found: Option<u64>,
    },
    /// A write is in the state, and an earlier one is not.
    #[error("{register}: write {operation} is there, though the state ends before it")]
    NotAPrefix {
        /// Where.
        register: Register,
        /// The write.
        operation: OperationId,
    },
    /// The state has content that no operation wrote.
    #[error("{register}: operation {operation} at version {version} never wrote this")]
    Invented {
        /// Where.
        register: Register,
        /// The operation that it names.
        operation: OperationId,
        /// The version of that.
        version: u64,
    },
    /// An operation was applied more than once.
    #[error("{register}: operation {operation} was applied more than once")]
    AppliedTwice {
        /// Where.
        register: Register,
        /// The operation.
        operation: OperationId,
    },
    /// An insert without an id has not left exactly the document of its answer.
    #[error("added/{operation}: {what}")]
    Added {
        /// The insert.
        operation: OperationId,
        /// What is there instead.
        what: String,
    },
    /// A version was acknowledged twice, or is not above the earlier ones.
    #[error("{register}: operation {operation} was given version {version} after {before}")]
    VersionReused {
        /// Where.
        register: Register,
        /// The operation.
        operation: OperationId,
        /// Its version.
        version: u64,
        /// The version before.
        before: u64,
    },
    /// Versions increased by more than the number of writes.
    #[error("{register}: {gaps} versions are missing, and {possible} writes were not answered")]
    VersionSkipped {
        /// Where.
        register: Register,
        /// How many versions no answered write has.
        gaps: u64,
        /// How many unanswered writes there were.
        possible: u64,
    },
    /// The ledger lacks an entry, or has one that it must not have.
    #[error("ledger entry {operation}: {what}")]
    Ledger {
        /// The transfer.
        operation: OperationId,
        /// What is wrong.
        what: &'static str,
    },
    /// An account does not agree with the ledger: a transaction was applied in
    /// part.
    #[error(
        "account {account} has {balance} at version {version}, by the ledger {expected} at {expected_version}"
    )]
    Balance {
        /// The account.
        account: DocumentId,
        /// What it has.
        balance: i64,
        /// What it should have.
        expected: i64,
        /// Its version.
        version: u64,
        /// The version that it should have.
        expected_version: u64,
    },
    /// Some accounts are missing.
    #[error("{found} accounts of {expected} are there")]
    Accounts {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A job was held by two claims, was lost, or is not as its claims left it.
    #[error("job {}: {what}", job.document())]
    Job {
        /// The job.
        job: Job,
        /// What is wrong.
        what: String,
    },
    /// More was lost than the mode allows.
    #[error("at least {bytes} bytes of acknowledged writes are lost, at most {max} may be")]
    TooFarBehind {
        /// How much was lost.
        bytes: u64,
        /// How much may be.
        max: u64,
    },
    /// The id of an acknowledged request was accepted for another command.
    #[error("the id of request {operation}, which was acknowledged, was taken for another command")]
    Reused {
        /// The operation.
        operation: OperationId,
    },
    /// An acknowledged request is not remembered.
    #[error("request {operation} was acknowledged with {expected}, and is answered {found}")]
    Forgotten {
        /// The operation.
        operation: OperationId,
        /// What it was answered.
        expected: String,
        /// What it is answered now.
        found: String,
    },
    /// An expired document still exists after maintenance.
    #[error("a document that expires at {expires} is there after maintenance at {now}")]
    NotExpired {
        /// When it expires, in microseconds.
        expires: i64,
        /// When maintenance was done.
        now: i64,
    },
}
