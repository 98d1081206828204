//! The arguments of commands on single documents, and of those that read a collection in the order
//! of ids.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use velocitydb::{DocumentId, Path, RequestId, Value};

use super::folder::{Csv, Shown, Source, Target, Timeout, WriteOptions};
use crate::format;

/// The arguments of `get`.
#[derive(Debug, ClapArgs)]
pub struct Get {
    #[command(flatten)]
    pub target: Target,
    /// The documents' ids: text, or json:42 and the like for other types
    #[arg(required = true, value_name = "ID", value_parser = format::parse_id)]
    pub ids: Vec<DocumentId>,
    #[command(flatten)]
    pub shown: Shown,
}

/// The arguments of `insert`.
#[derive(Debug, ClapArgs)]
pub struct Insert {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub source: Source,
    /// The document's id [default: its `_id`, or a new one]
    #[arg(long, conflicts_with = "many", value_parser = format::parse_id)]
    pub id: Option<DocumentId>,
    /// Takes the value of this field as the document's id, whatever its type; the document keeps the field
    #[arg(long, value_name = "PATH", conflicts_with = "id", value_parser = str::parse::<Path>)]
    pub id_field: Option<Path>,
    /// Takes one document a line, or a JSON array of them; each 1,000 of them, or 8 MiB, are inserted
    /// together or not at all
    #[arg(long, conflicts_with = "request_id")]
    pub many: bool,
    /// Replaces documents that exist already
    #[arg(long, requires = "many", conflicts_with_all = ["skip_existing", "keep_metadata"])]
    pub upsert: bool,
    /// Leaves documents that exist already as they are
    #[arg(long, requires = "many")]
    pub skip_existing: bool,
    /// Writes the documents that are refused to this file, and inserts the others: a JSON object a line,
    /// with `line`, `error`, and the document's `text` as it was
    #[arg(long, value_name = "FILE", requires = "many")]
    pub errors: Option<PathBuf>,
    /// Keeps version and times of documents that were printed with --meta
    #[arg(long, conflicts_with = "time_to_live")]
    pub keep_metadata: bool,
    #[command(flatten)]
    pub options: WriteOptions,
}

/// The arguments of `replace` and `upsert`, and those that `update` shares with them.
#[derive(Debug, ClapArgs)]
pub struct Change {
    #[command(flatten)]
    pub target: Target,
    /// The document's id: text, or json:42 and the like for other types
    #[arg(value_parser = format::parse_id)]
    pub id: DocumentId,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub options: WriteOptions,
}

/// The arguments of `update`.
#[derive(Debug, ClapArgs)]
pub struct Update {
    #[command(flatten)]
    pub change: Change,
    /// Creates the document if it does not exist, from what the update makes of no fields
    #[arg(long, conflicts_with = "request_id")]
    pub upsert: bool,
}

/// The arguments of `delete`.
#[derive(Debug, ClapArgs)]
pub struct Delete {
    #[command(flatten)]
    pub target: Target,
    /// The document's id: text, or json:42 and the like for other types
    #[arg(value_parser = format::parse_id)]
    pub id: DocumentId,
    /// Applies the write at most once, however often it is retried with this id
    #[arg(long, value_name = "ID", value_parser = RequestId::new)]
    pub request_id: Option<RequestId>,
}

/// The arguments of `list`.
#[derive(Debug, ClapArgs)]
pub struct List {
    #[command(flatten)]
    pub target: Target,
    /// How many documents to print at the most [default: all]
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<u64>,
    /// How many documents to skip first
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub offset: u64,
    /// Continues after this id: the last one of an earlier page
    #[arg(long, value_name = "ID", value_parser = format::parse_id)]
    pub after: Option<DocumentId>,
    /// In descending order of ids
    #[arg(long)]
    pub reverse: bool,
    #[command(flatten)]
    pub shown: Shown,
    #[command(flatten)]
    pub csv: Csv,
    #[command(flatten)]
    pub timeout: Timeout,
}

/// The arguments of `count`.
#[derive(Debug, ClapArgs)]
pub struct Count {
    #[command(flatten)]
    pub target: Target,
}

/// The arguments of `cas`.
#[derive(Debug, ClapArgs)]
pub struct Cas {
    #[command(flatten)]
    pub target: Target,
    /// The document's id: text, or json:42 and the like for other types
    #[arg(value_parser = format::parse_id)]
    pub id: DocumentId,
    #[command(flatten)]
    pub comparison: Comparison,
    #[command(flatten)]
    pub swap: Swap,
    #[command(flatten)]
    pub shown: Shown,
    #[command(flatten)]
    pub options: WriteOptions,
}

/// The comparison with the document.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Comparison")]
pub struct Comparison {
    /// The document has this version
    #[arg(long, value_name = "VERSION")]
    pub if_version: Option<u64>,
    /// The field at this path equals this JSON value; can be given several times
    #[arg(long, value_name = "PATH=JSON", value_parser = format::parse_assignment,
          conflicts_with_all = ["if_version", "if_document", "if_absent", "if_matches"])]
    pub if_field: Vec<(Path, Value)>,
    /// There is no field at this path; can be given several times
    #[arg(long, value_name = "PATH",
          conflicts_with_all = ["if_version", "if_document", "if_absent", "if_matches"])]
    pub if_missing: Vec<Path>,
    /// The fields as a whole equal this JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "if_version")]
    pub if_document: Option<String>,
    /// The document satisfies this filter, a JSON object
    #[arg(long, value_name = "FILTER", conflicts_with_all = ["if_version", "if_document"])]
    pub if_matches: Option<String>,
    /// There is no such document
    #[arg(long, conflicts_with_all = ["if_version", "if_document", "if_matches"])]
    pub if_absent: bool,
}

/// The change of the document.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Swap")]
pub struct Swap {
    /// Sets the field at this path to this JSON value; can be given several times
    #[arg(long, value_name = "PATH=JSON", value_parser = format::parse_assignment)]
    pub set: Vec<(Path, Value)>,
    /// Merges this JSON object, or applies its operators, as in `velocitydb update`
    #[arg(long, value_name = "JSON", conflicts_with = "set")]
    pub update: Option<String>,
    /// Replaces all fields by this JSON object, or creates the document
    #[arg(long, value_name = "JSON", conflicts_with_all = ["set", "update"])]
    pub replace: Option<String>,
    /// Deletes the document
    #[arg(long, conflicts_with_all = ["set", "update", "replace"])]
    pub delete: bool,
}
