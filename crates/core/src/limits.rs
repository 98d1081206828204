//! Every limit of the document model, with its reason. Nothing here is configurable: a document
//! that one replica accepts is a document that every replica accepts.

/// The largest encoded document, in bytes: 16 MiB.
///
/// As MongoDB's. A document is read, copied and replicated as one piece, so a larger one would
/// stall everything behind it.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The deepest nesting of arrays and objects, the document itself being level 1.
///
/// As MongoDB's. Encoding, comparing and printing recurse, and this bounds their stack.
pub const DEPTH_MAX: usize = 100;

/// The longest field name, in bytes of UTF-8.
///
/// Names are compared at every read of a field; longer ones are data, not names.
pub const FIELD_NAME_BYTES_MAX: usize = 1024;

/// The longest document id, in bytes of UTF-8.
///
/// Ids are part of every storage key, and index entries carry one beside the indexed values.
pub const DOCUMENT_ID_BYTES_MAX: usize = 512;

/// The longest collection name, in bytes.
///
/// Room for any descriptive name, and short enough for logs and metric labels.
pub const COLLECTION_NAME_BYTES_MAX: usize = 128;

/// The longest dotted path, in bytes of UTF-8.
///
/// Several of the longest names; paths are kept in indexes, updates and error messages.
pub const PATH_BYTES_MAX: usize = 4096;

/// The largest number of places that one update may change.
///
/// They are checked against each other for conflicts, and applied while writers wait.
pub const UPDATE_OPERATIONS_MAX: usize = 1_000;

/// The largest number of `null`s that setting an array element beyond the end may insert.
///
/// Without a bound `{"$set": {"a.4000000000": 1}}` would exhaust memory before the result is found
/// to be too large, and every operation of an update may do so.
pub const ARRAY_PADDING_MAX: usize = 1_000;

/// The largest number of operations in one command (a batch or a transaction).
///
/// A command is applied as one piece, while other writers wait.
pub const COMMAND_OPERATIONS_MAX: usize = 10_000;

/// The largest encoded command, in bytes: 64 MiB.
///
/// A command is one entry of the replicated log, held in memory while it is sent and applied.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024 * 1024;
