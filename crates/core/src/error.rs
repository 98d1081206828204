//! The error type of the document model. Variants say what the caller can do, fields have the
//! details, and the text says what was wrong, where, and what would be right.

use std::borrow::Cow;

use crate::{ErrorClass, JsonMistake, Kind};

/// The result of all calls of this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong with a value, a document, a name or an update.
///
/// No error is retryable: the same input fails in the same way again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something is larger than its limit in [`limits`](crate::limits).
    #[error("{what}{} is {found}, and at most {max} is allowed", At(.path))]
    LimitExceeded {
        /// What is too large, as in "document size in bytes".
        what: Cow<'static, str>,
        /// The dotted path, empty for the whole document.
        path: String,
        /// Its size; if reading stopped at the limit, the size that was read.
        found: usize,
        /// The limit.
        max: usize,
    },

    /// A field of a document has a name that begins with `$`.
    #[error(
        "field {path:?} begins with `$`, which is reserved for operators; {}",
        name_advice(path)
    )]
    ReservedFieldName {
        /// The dotted path of the field.
        path: String,
    },

    /// An object has the same field twice.
    #[error("field {path:?} appears twice in one object; keep one of them")]
    DuplicateField {
        /// The dotted path of the field.
        path: String,
    },

    /// A text is not JSON.
    #[error("invalid JSON at line {line}, column {column}: {problem}")]
    InvalidJson {
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
        /// What was found there, and what would be right.
        problem: String,
        /// The likely mistake.
        mistake: JsonMistake,
    },

    /// A JSON text is well formed, but its content is not a valid value.
    #[error("{source} (line {line}, column {column})")]
    RefusedJson {
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
        /// Why it was refused.
        source: Box<Error>,
    },

    /// An extended JSON object such as `{"$date": …}` has a wrong payload.
    #[error("`{key}` has a wrong payload; it takes {expected}")]
    ExtendedJson {
        /// The key that was recognised.
        key: Cow<'static, str>,
        /// What is expected instead.
        expected: Cow<'static, str>,
    },

    /// An integer is outside of -2^63 to 2^64 - 1.
    #[error("integer {literal} does not fit 64 bits; write it as a float or a string")]
    IntegerRange {
        /// The integer as it was given.
        literal: String,
    },

    /// A time is outside of the years 0001 to 9999.
    #[error("time is outside of the years 0001 to 9999")]
    TimeRange,

    /// A text is not an RFC 3339 time.
    #[error("time {text:?} is not RFC 3339: {problem}")]
    InvalidTime {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: Cow<'static, str>,
    },

    /// A text is not that of a decimal, an ObjectId, a UUID or a part of a value.
    #[error("{what} {text:?} is invalid: {problem}")]
    InvalidText {
        /// What it should be: "decimal", "ObjectId", "UUID".
        what: Cow<'static, str>,
        /// The text, shortened if it is long.
        text: String,
        /// What is wrong with it.
        problem: Cow<'static, str>,
    },

    /// A text is not a path.
    #[error("path {text:?} is invalid at byte {position}: {problem}")]
    InvalidPath {
        /// The text.
        text: String,
        /// Where in it, in bytes from 0.
        position: usize,
        /// What is wrong there.
        problem: Cow<'static, str>,
    },

    /// A path cannot be followed in a document, because a value inside it has no such part.
    #[error("path {path:?} leads through a value of type {found}; {expected}")]
    PathBlocked {
        /// The path up to and including the part that does not exist.
        path: String,
        /// The type of the value that has no such part.
        found: Kind,
        /// What would have been right.
        expected: Cow<'static, str>,
    },

    /// A document id is invalid.
    #[error("document id {id:?} is invalid: {problem}")]
    InvalidDocumentId {
        /// The id, shortened if it is long.
        id: String,
        /// What is wrong with it.
        problem: Cow<'static, str>,
    },

    /// A request id is empty or too long.
    #[error("a request id has 1 to 128 bytes, not {length}; use a UUID, for instance")]
    InvalidRequestId {
        /// Its length in bytes.
        length: usize,
    },

    /// A collection name is invalid.
    #[error("collection name {name:?} is invalid: {problem}")]
    InvalidCollectionName {
        /// The name, shortened if it is long.
        name: String,
        /// What is wrong with it.
        problem: Cow<'static, str>,
    },

    /// A text is not the name of a consistency level.
    #[error("consistency {found:?} is unknown; use local, eventual, quorum or strong")]
    UnknownConsistency {
        /// The text.
        found: String,
    },

    /// An update uses an operator that does not exist.
    #[error("update {problem}")]
    UnknownOperator {
        /// What was given.
        operator: String,
        /// The problem, with the kind of name that it is or a suggestion, as the end of a sentence.
        problem: String,
    },

    /// A reserved field was to be written.
    #[error("{}field {path:?} belongs to the database and cannot be written; {advice}", By(.operator))]
    EngineField {
        /// The operator of an update; empty for a field of a whole document.
        operator: Cow<'static, str>,
        /// The dotted path of the field.
        path: String,
        /// What to do instead.
        advice: Cow<'static, str>,
    },

    /// A document was to be imported with a version that it had already.
    #[error(
        "it was at version {last} here, so it cannot be imported with version {given}; import it without its metadata"
    )]
    VersionUsed {
        /// The version of the import.
        given: u64,
        /// The last version of the document, which was deleted since.
        last: u64,
    },

    /// An update has operators and plain fields side by side.
    #[error("update mixes operators and the field {field:?}; put the field into $set")]
    MixedUpdate {
        /// The field.
        field: String,
    },

    /// An operator of an update has a wrong operand.
    #[error("{operator}{} takes {expected}", At(.path))]
    InvalidOperand {
        /// The operator.
        operator: Cow<'static, str>,
        /// The path to be changed, empty for the operator itself.
        path: String,
        /// What is expected instead.
        expected: Cow<'static, str>,
    },

    /// Two parts of one update change the same path.
    #[error("{first:?} and {second:?} overlap, and one update changes a place once; split it")]
    ConflictingPaths {
        /// The shorter path.
        first: String,
        /// The other one, equal to the first or inside of it.
        second: String,
    },

    /// An operator of an update was applied to a value of a type that it does not support.
    #[error("{operator} at {path:?} works on {expected}, and found a value of type {found}")]
    WrongType {
        /// The operator.
        operator: Cow<'static, str>,
        /// Where it was applied.
        path: String,
        /// The supported types.
        expected: Cow<'static, str>,
        /// The type of the value at that path.
        found: Kind,
    },

    /// The result of an arithmetic operator does not fit 64 bits.
    #[error("{operator} at {path:?} overflows 64 bits; the value was left unchanged")]
    Overflow {
        /// The operator.
        operator: Cow<'static, str>,
        /// Where it was applied.
        path: String,
    },

    /// A filter, sort, projection, pipeline, index or schema is not valid.
    #[error("{what}{} {problem}", At(.place))]
    InvalidQuery {
        /// Which of these it is: "filter", "sort", "projection", "pipeline", "index", "schema".
        what: Cow<'static, str>,
        /// The dotted path of the mistake in it, such as `$and.1.age.$gte`; empty for the whole.
        place: String,
        /// What is wrong there and what would be right, as the end of a sentence: "uses the unknown
        /// operator \"$gts\"; did you mean $gte?".
        problem: String,
    },

    /// An expression of a pipeline was applied to values that it cannot compute with.
    #[error("{operator} {problem}")]
    Expression {
        /// The operator.
        operator: Cow<'static, str>,
        /// What it cannot do, as the end of a sentence.
        problem: String,
    },

    /// A query was stopped at its deadline.
    #[error(
        "the query was stopped at its deadline; nothing was changed. Give it more time, an index or a narrower filter"
    )]
    DeadlineExceeded,

    /// A query would use more memory than its limit.
    #[error("{what}{} is {found}, and at most {max} is allowed", At(.place))]
    MemoryExceeded {
        /// What the memory is used for, as in "memory of a query for sorting in bytes".
        what: Cow<'static, str>,
        /// The stage or operator of a pipeline; empty outside of pipelines.
        place: String,
        /// How many bytes it would be.
        found: usize,
        /// The limit, in bytes.
        max: usize,
    },

    /// A value has another type than the caller asked for.
    #[error("a value of type {found} is not {expected}")]
    Conversion {
        /// The type asked for.
        expected: Cow<'static, str>,
        /// The type of the value.
        found: Kind,
    },

    /// A Rust type does not fit the document model, or a document does not fit a Rust type.
    #[error("{}{message}", Within(.path))]
    Serde {
        /// The dotted path of the value that does not fit, empty for the whole document or where it
        /// is not known.
        path: String,
        /// The message of serde or of the type.
        message: String,
    },

    /// Encoded bytes are not what the encoder writes: they are damaged, or something else.
    #[error("encoded bytes are corrupt: {problem}")]
    Corrupt {
        /// What is wrong with them.
        problem: Cow<'static, str>,
    },

    /// A command or an answer is encoded in a version that this release does not know, perhaps by a
    /// later release.
    #[error(
        "{what} is encoded in version {found}, and only version {known} is known here; use the \
         release that wrote it, or a later one"
    )]
    UnknownVersion {
        /// What is encoded: "a command" or "an answer".
        what: Cow<'static, str>,
        /// The version of the encoding, its first byte.
        found: u8,
        /// The supported version.
        known: u8,
    },
}

impl Error {
    /// What the caller can do about it.
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::LimitExceeded { .. }
            | Self::ReservedFieldName { .. }
            | Self::DuplicateField { .. }
            | Self::InvalidJson { .. }
            | Self::RefusedJson { .. }
            | Self::ExtendedJson { .. }
            | Self::IntegerRange { .. }
            | Self::TimeRange
            | Self::InvalidTime { .. }
            | Self::InvalidText { .. }
            | Self::InvalidPath { .. }
            | Self::PathBlocked { .. }
            | Self::InvalidDocumentId { .. }
            | Self::InvalidRequestId { .. }
            | Self::InvalidCollectionName { .. }
            | Self::UnknownConsistency { .. }
            | Self::UnknownOperator { .. }
            | Self::EngineField { .. }
            | Self::VersionUsed { .. }
            | Self::MixedUpdate { .. }
            | Self::InvalidOperand { .. }
            | Self::ConflictingPaths { .. }
            | Self::WrongType { .. }
            | Self::Overflow { .. }
            | Self::InvalidQuery { .. }
            | Self::Expression { .. }
            | Self::Conversion { .. }
            | Self::Serde { .. } => ErrorClass::Invalid,
            Self::DeadlineExceeded => ErrorClass::Timeout,
            Self::MemoryExceeded { .. } => ErrorClass::ResourceLimit,
            // It was written by another release, which has to be used instead.
            Self::UnknownVersion { .. } => ErrorClass::Unavailable,
            Self::Corrupt { .. } => ErrorClass::Corrupt,
        }
    }

    /// The same error within a field or an element of this name, if it is about a type.
    pub(crate) fn within(self, step: &str) -> Self {
        match self {
            Self::Serde { path, message } => {
                let step = step.replace('\\', "\\\\").replace('.', "\\.");
                let path = if path.is_empty() { step } else { format!("{step}.{path}") };
                Self::Serde { path, message }
            }
            other => other,
        }
    }

    /// A [`Corrupt`](Self::Corrupt) error.
    pub(crate) const fn corrupt(problem: &'static str) -> Self {
        Self::Corrupt { problem: Cow::Borrowed(problem) }
    }
}

impl serde::ser::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Serde { path: String::new(), message: message.to_string() }
    }
}

impl serde::de::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Serde { path: String::new(), message: message.to_string() }
    }
}

/// How much of its input an error repeats, in bytes.
const SHOWN_BYTES_MAX: usize = 64;

/// The beginning of a text, for an error.
pub(crate) fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
    if end == text.len() { text.to_owned() } else { format!("{}…", &text[..end]) }
}

/// Prints a path in front of a sentence, and nothing for the empty path.
struct Within<'a>(&'a str);

impl std::fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "field {:?}: ", self.0) }
    }
}

/// Prints an operator in front of a sentence, and nothing where there is none.
struct By<'a>(&'a str);

impl std::fmt::Display for By<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}

/// What to do about a field whose name begins with `$`.
fn name_advice(path: &str) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    if crate::vocabulary::is_reference(name) {
        return format!(
            "{name}, a part of MongoDB's references to documents, is not supported yet"
        );
    }
    "use another name".to_owned()
}

/// Prints a path as part of a sentence, and nothing for the empty path.
struct At<'a>(&'a str);

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " at {:?}", self.0) }
    }
}
