//! [`Violation`]: a promise that was not kept, with what shows it.

use crate::content::OperationId;
use crate::operation::{Job, Register};

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A client was answered something that it must never be.
    #[error("a client saw: {message}")]
    Failed {
        /// What.
        message: String,
    },
    /// The state ends before something that is promised to survive.
    #[error("the state ends at {recovered}, and {durable} was promised to survive")]
    LostDurable {
        /// The last index that is promised.
        durable: u64,
        /// The last index that is there.
        recovered: u64,
    },
    /// The state can be what no operations have left.
    #[error("{what}")]
    Malformed {
        /// What is wrong.
        what: String,
    },
    /// A collection counts other than it lists.
    #[error("collection {collection:?} counts {count} documents and lists {listed}")]
    Count {
        /// The collection.
        collection: String,
        /// What it says.
        count: u64,
        /// What it has.
        listed: u64,
    },
    /// A write that must be in the state is not.
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
    /// What was there before the cycle is gone, and nobody removed it.
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
    /// Something is in the state that nobody wrote.
    #[error("{register}: operation {operation} at version {version} never wrote this")]
    Invented {
        /// Where.
        register: Register,
        /// The operation that it claims to be of.
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
    /// An insert without an id has not left just the document that it was answered with.
    #[error("added/{operation}: {what}")]
    Added {
        /// The insert.
        operation: OperationId,
        /// What is there instead.
        what: String,
    },
    /// A version was acknowledged that had been acknowledged before, or is not above those before.
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
    /// Versions went up by more than the writes that can have done it.
    #[error("{register}: {gaps} versions are missing, and {possible} writes were not answered")]
    VersionSkipped {
        /// Where.
        register: Register,
        /// How many versions were given to nobody.
        gaps: u64,
        /// How many writes can have taken one.
        possible: u64,
    },
    /// The ledger has not what it must have, or has what it must not.
    #[error("ledger entry {operation}: {what}")]
    Ledger {
        /// The transfer.
        operation: OperationId,
        /// What is wrong.
        what: &'static str,
    },
    /// An account does not agree with the ledger: half of a transaction.
    #[error(
        "account {account} has {balance} at version {version}, by the ledger {expected} at {expected_version}"
    )]
    Balance {
        /// The account.
        account: String,
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
    /// A job went to two, was lost, or is not as its claims left it.
    #[error("job {}: {what}", job.document())]
    Job {
        /// The job.
        job: Job,
        /// What is wrong.
        what: String,
    },
    /// More was lost than may be behind.
    #[error("at least {bytes} bytes of acknowledged writes are lost, at most {max} may be")]
    TooFarBehind {
        /// How much was lost.
        bytes: u64,
        /// How much may be.
        max: u64,
    },
    /// The id of a request that was acknowledged was taken for another command.
    #[error("the id of request {operation}, which was acknowledged, was taken for another command")]
    Reused {
        /// The operation.
        operation: OperationId,
    },
    /// A request that was acknowledged is not remembered.
    #[error("request {operation} was acknowledged with {expected}, and is answered {found}")]
    Forgotten {
        /// The operation.
        operation: OperationId,
        /// What it was answered.
        expected: String,
        /// What it is answered now.
        found: String,
    },
    /// A document outlived its time.
    #[error("a document that expires at {expires} is there after maintenance at {now}")]
    NotExpired {
        /// When it expires, in microseconds.
        expires: i64,
        /// When maintenance was done.
        now: i64,
    },
}
