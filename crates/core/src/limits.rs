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

/// The longest name of an index, in bytes.
///
/// Long enough for one made of several paths.
pub const INDEX_NAME_BYTES_MAX: usize = 128;

/// The most indexes of one collection.
///
/// As MongoDB's. Each is checked by every write.
pub const INDEXES_MAX: usize = 64;

/// The most entries that one document has in one index.
///
/// An array has an entry for each element, and two arrays one for each pair.
pub const INDEX_ENTRIES_MAX: usize = 10_000;

/// The most bytes of the entries that one document has in one index, encoded values alone: 16 MiB, as
/// of the largest document.
///
/// Each element of an array has an entry with the values of the other keys, so entries can be a
/// thousand times as large as their document.
pub const INDEX_ENTRIES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest indexed values of one entry, encoded, in bytes: 8 KiB.
///
/// Keys are compared, cached and copied at every step of a search.
pub const INDEX_KEY_BYTES_MAX: usize = 8 * 1024;

/// The most bounds of a [`Histogram`](crate::Histogram).
///
/// A range of less than one in as many entries is not told from an empty one.
pub const HISTOGRAM_BOUNDS_MAX: usize = 512;

/// How many bytes of a bound a [`Histogram`](crate::Histogram) keeps: 128.
///
/// Keys that are equal up to there are not told apart, and a histogram has at most 64 KiB.
pub const HISTOGRAM_BOUND_BYTES_MAX: usize = 128;

/// The longest dotted path, in bytes of UTF-8.
///
/// Room for several of the longest names; paths are kept in indexes, updates and error messages.
pub const PATH_BYTES_MAX: usize = 4096;

/// The largest number of paths that one update may change.
///
/// They are checked against each other for conflicts, and applied while writers wait.
pub const UPDATE_OPERATIONS_MAX: usize = 1_000;

/// The largest number of updates in the release of a lease, one of which is applied.
///
/// The filter of each is evaluated while writers wait.
pub const RELEASE_CHOICES_MAX: usize = 16;

/// The largest number of `null`s that setting an array element beyond the end may insert.
///
/// Without a bound `{"$set": {"a.4000000000": 1}}` would exhaust memory before the result is found
/// to be too large, and every operation of an update may do so.
pub const ARRAY_PADDING_MAX: usize = 1_000;

/// The largest number of operations in one command (a batch or a transaction).
///
/// A command is applied as one piece, while other writers wait.
pub const COMMAND_OPERATIONS_MAX: usize = 10_000;

/// The largest number of reads that one transaction checks: of documents, listings and queries.
///
/// They are checked again when it commits, while other writers wait.
pub const COMMAND_CHECKS_MAX: usize = 10_000;

/// The largest encoded command, in bytes: 64 MiB.
///
/// A command is one entry of the replicated log, held in memory while it is sent and applied.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The most bytes that one command reads to change, and that it writes: 256 MiB each.
///
/// A small command can change many large documents, and a document can have many entries in indexes.
/// All of it is held in memory until it is committed. It is four times the largest command, which
/// leaves room for the index entries of its documents.
pub const COMMAND_EFFECT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The largest number of operators and values in one filter, projection or pipeline.
///
/// They are evaluated on every document that a query reads, by commands while writers wait.
pub const QUERY_NODES_MAX: usize = 10_000;

/// The default memory limit of one query for sorting, grouping and faceting, in bytes: 100 MiB.
///
/// As MongoDB's. Queries run side by side, and each may need as much.
pub const QUERY_MEMORY_BYTES_MAX: usize = 100 * 1024 * 1024;

/// The largest number of keys of one sort or index.
///
/// As MongoDB's. Every further key makes each index entry longer.
pub const SORT_KEYS_MAX: usize = 32;

/// The longest pattern of a regular expression, in bytes, and the largest compiled one.
///
/// Patterns are untrusted input; matching is linear in the text, and this bounds the factor.
pub const REGEX_BYTES_MAX: usize = 4096;
/// See [`REGEX_BYTES_MAX`]: the bytes of the compiled program, 1 MiB.
pub const REGEX_PROGRAM_BYTES_MAX: usize = 1024 * 1024;

/// The largest number of schema violations that are listed for one document.
///
/// More would not be read, and they are part of answers.
pub const VIOLATIONS_MAX: usize = 100;

/// The largest size of the paths and messages of the listed violations of one document, in bytes:
/// 256 KiB. The first one is always listed; its path is at most as long as 100 names.
pub const VIOLATIONS_BYTES_MAX: usize = 256 * 1024;

/// The largest number of violations of one document that are counted, including those beyond the
/// listed ones.
pub const VIOLATIONS_COUNTED_MAX: usize = 10_000;

/// The largest number of stages of one pipeline, those of the pipelines in it included.
///
/// Rows are passed from stage to stage by recursion if a stage makes several rows of one.
pub const PIPELINE_STAGES_MAX: usize = 200;

/// The highest version that an imported document can have: one that no document reaches by being written, and
/// behind which there are as many.
pub const IMPORTED_VERSION_MAX: u64 = i64::MAX as u64;
