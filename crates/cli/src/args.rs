//! The command line: what can be asked for, and how `--help` explains it. Nothing is done here.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use velocitydb::{Consistency, Cursor, Mode, Path, RequestId, Value};

use crate::format;

const EXIT_CODES: &str = "\
Exit codes:
   0  done
   1  not found, or the comparison did not hold
   2  the command line is wrong
   3  the input is invalid
   4  it exists already, or conflicts with another write
   5  storage is not available: missing, in use, full, or stopped after a failure
   6  the data are corrupt
   7  the consistency level is below the collection's floor
  70  a bug in velocitydb";

/// A JSON-document database in which every operation chooses its own consistency.
///
/// Each command works on a data folder, without any server. Documents are written to standard
/// output as JSON, one in a line, or as tables on a terminal.
#[derive(Debug, Parser)]
#[command(name = "velocitydb", version, after_help = EXIT_CODES)]
pub struct Args {
    /// JSON lines or tables [default: tables on a terminal, JSON elsewhere]
    #[arg(long, global = true, value_enum)]
    pub format: Option<Format>,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// How results are written: one JSON object in a line, or tables for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "clap would show them as a list in every help")]
pub enum Format {
    Json,
    Table,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show on the real engine what the database does
    #[command(after_help = "Example:\n  velocitydb demo")]
    Demo,
    /// Print documents
    #[command(after_help = "Examples:
  velocitydb get users alice
  velocitydb get users alice bob --format json")]
    Get(Get),
    /// Create a document, or many
    #[command(
        after_help = r#"Examples:
  velocitydb insert users '{"_id": "alice", "name": "Alice", "age": 28}'
  velocitydb insert users --id bob '{"name": "Bob"}'
  echo '{"note": "its id is made up"}' | velocitydb insert notes -
  velocitydb list users --format json | velocitydb insert users --many - --path copy"#,
        override_usage = "velocitydb insert [OPTIONS] <COLLECTION> <JSON|-|--file FILE>"
    )]
    Insert(Insert),
    /// Change some fields of a document
    ///
    /// An object is merged: its fields are set, the others stay. An object of operators does
    /// more: $set, $unset, $inc, $mul, $min, $max, $rename, $push, $pull, $pop, $addToSet,
    /// $currentDate.
    #[command(
        after_help = r#"Examples:
  velocitydb update users alice '{"age": 29}'
  velocitydb update users alice '{"$inc": {"age": 1}, "$push": {"tags": "admin"}}'"#,
        override_usage = "velocitydb update [OPTIONS] <COLLECTION> <ID> <JSON|-|--file FILE>"
    )]
    Update(Change),
    /// Replace all fields of a document that exists
    #[command(
        after_help = r#"Example:
  velocitydb replace users alice '{"name": "Alice", "age": 30}'"#,
        override_usage = "velocitydb replace [OPTIONS] <COLLECTION> <ID> <JSON|-|--file FILE>"
    )]
    Replace(Change),
    /// Create a document, or replace all fields of it
    #[command(
        after_help = r#"Examples:
  velocitydb upsert users alice '{"name": "Alice", "age": 30}'
  velocitydb upsert sessions s1 '{"user": "alice"}' --time-to-live 30m"#,
        override_usage = "velocitydb upsert [OPTIONS] <COLLECTION> <ID> <JSON|-|--file FILE>"
    )]
    Upsert(Change),
    /// Delete a document
    #[command(after_help = "Example:\n  velocitydb delete users bob")]
    Delete(Delete),
    /// Print the documents of a collection, in the order of their ids
    #[command(after_help = "Examples:
  velocitydb list users
  velocitydb list users --limit 10 --after alice
  velocitydb list users --reverse --format json")]
    List(List),
    /// Print how many documents a collection has
    #[command(after_help = "Example:\n  velocitydb count users")]
    Count(Count),
    /// Compare a document, and swap in a change if the comparison holds
    ///
    /// Without a comparison the document must exist. Without a swap it is only compared. Exits
    /// with 1 when the comparison does not hold, and prints the document as it is.
    #[command(after_help = r#"Examples:
  velocitydb cas jobs job1 --if-field 'state="waiting"' --set 'state="running"'
  velocitydb cas users alice --if-version 2 --update '{"$inc": {"age": 1}}'
  velocitydb cas locks lock1 --if-absent --replace '{"owner": "me"}' --time-to-live 30s
  velocitydb cas jobs job1 --if-field 'state="done"' --delete"#)]
    Cas(Box<Cas>),
    /// List, create and drop collections
    #[command(after_help = "Examples:
  velocitydb collections
  velocitydb collections create payments --min-write quorum --min-read strong
  velocitydb collections drop payments")]
    Collections(Collections),
    /// Print what the database holds
    #[command(after_help = "Example:\n  velocitydb stats --format table")]
    Stats(Folder),
    /// Check every file and document of a data folder
    ///
    /// Exits with 6 when something is wrong, after printing every problem with its place.
    #[command(after_help = "Examples:
  velocitydb doctor
  velocitydb doctor /var/lib/velocitydb")]
    Doctor(Doctor),
    /// Measure inserts, gets, updates and compare-and-swaps on this machine
    ///
    /// It works in memory, or in a temporary folder beside the data folder: on the same disk, and
    /// touching no data.
    #[command(after_help = "Examples:
  velocitydb bench
  velocitydb bench --mode memory-only --threads 2 --seconds 3
  velocitydb bench --mode persistent --threads 64 --consistency local")]
    Bench(Bench),
}

/// Which data folder, and how it is opened.
#[derive(Debug, Clone, ClapArgs)]
pub struct Folder {
    /// The data folder
    #[arg(long, value_name = "DIR", env = "VELOCITYDB_PATH", default_value = "./velocity-data")]
    #[arg(global = true)]
    pub path: PathBuf,
    /// How the folder is opened, and so what a crash loses
    #[arg(long, default_value = "persistent", value_parser = folder_mode(), global = true)]
    pub mode: Mode,
}

/// Which collection, of which data folder, at which level.
#[derive(Debug, Clone, ClapArgs)]
pub struct Target {
    /// The collection
    pub collection: String,
    #[command(flatten)]
    pub folder: Folder,
    /// The level that the operation is done at
    #[arg(long, value_name = "LEVEL", default_value = "strong", value_parser = level())]
    pub consistency: Consistency,
}

/// What all writes take.
#[derive(Debug, Clone, ClapArgs)]
pub struct WriteOptions {
    /// The document expires after this time, such as 500ms, 30s, 15m, 12h, 7d
    #[arg(long, visible_alias = "ttl", value_name = "TIME", value_parser = format::parse_duration)]
    pub time_to_live: Option<Duration>,
    /// Applies the write at most once, however often it is retried with this id
    #[arg(long, value_name = "ID", value_parser = RequestId::new)]
    pub request_id: Option<RequestId>,
}

/// Where JSON text comes from.
#[derive(Debug, Clone, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct Source {
    /// JSON text, or `-` for standard input
    #[arg(value_name = "JSON")]
    pub text: Option<String>,
    /// Reads the JSON text from a file
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// The arguments of `get`.
#[derive(Debug, ClapArgs)]
pub struct Get {
    #[command(flatten)]
    pub target: Target,
    /// The documents' ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
}

/// The arguments of `insert`.
#[derive(Debug, ClapArgs)]
pub struct Insert {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub source: Source,
    /// The document's id [default: its `_id`, or else a new one]
    #[arg(long, conflicts_with = "many")]
    pub id: Option<String>,
    /// Takes one document a line; each 1,000 of them are inserted together or not at all
    #[arg(long, conflicts_with = "request_id")]
    pub many: bool,
    #[command(flatten)]
    pub options: WriteOptions,
}

/// The arguments of `update`, `replace` and `upsert`.
#[derive(Debug, ClapArgs)]
pub struct Change {
    #[command(flatten)]
    pub target: Target,
    /// The document's id
    pub id: String,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub options: WriteOptions,
}

/// The arguments of `delete`.
#[derive(Debug, ClapArgs)]
pub struct Delete {
    #[command(flatten)]
    pub target: Target,
    /// The document's id
    pub id: String,
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
    pub limit: Option<usize>,
    /// How many documents to leave out first
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub offset: usize,
    /// Goes on behind this id: the last one of an earlier page
    #[arg(long, value_name = "ID")]
    pub after: Option<Cursor>,
    /// From the largest id down
    #[arg(long)]
    pub reverse: bool,
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
    /// The document's id
    pub id: String,
    #[command(flatten)]
    pub comparison: Comparison,
    #[command(flatten)]
    pub swap: Swap,
    #[command(flatten)]
    pub options: WriteOptions,
}

/// What must hold of the document.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Comparison")]
pub struct Comparison {
    /// The document has this version
    #[arg(long, value_name = "VERSION")]
    pub if_version: Option<u64>,
    /// The field at this path equals this JSON value; can be given several times
    #[arg(long, value_name = "PATH=JSON", value_parser = format::parse_assignment,
          conflicts_with_all = ["if_version", "if_document", "if_absent"])]
    pub if_field: Vec<(Path, Value)>,
    /// There is no field at this path; can be given several times
    #[arg(long, value_name = "PATH",
          conflicts_with_all = ["if_version", "if_document", "if_absent"])]
    pub if_missing: Vec<Path>,
    /// The fields as a whole equal this JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "if_version")]
    pub if_document: Option<String>,
    /// There is no such document
    #[arg(long, conflicts_with_all = ["if_version", "if_document"])]
    pub if_absent: bool,
}

/// What is done to the document.
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

/// The arguments of `collections`.
#[derive(Debug, ClapArgs)]
pub struct Collections {
    /// What is to be done
    #[command(subcommand)]
    pub command: Option<CollectionsCommand>,
    #[command(flatten)]
    pub folder: Folder,
}

/// What is done to collections.
#[derive(Debug, Subcommand)]
pub enum CollectionsCommand {
    /// Print every collection, by name
    List,
    /// Create a collection with options; without any, the first insert does it
    Create(CreateCollection),
    /// Drop a collection with all its documents
    Drop {
        /// Its name
        name: String,
    },
}

/// The arguments of `collections create`.
#[derive(Debug, ClapArgs)]
pub struct CreateCollection {
    /// Its name
    pub name: String,
    /// The weakest level that it can be written at
    #[arg(long, value_name = "LEVEL", value_parser = level())]
    pub min_write: Option<Consistency>,
    /// The weakest level that it can be read at
    #[arg(long, value_name = "LEVEL", value_parser = level())]
    pub min_read: Option<Consistency>,
}

/// The arguments of `doctor`.
#[derive(Debug, ClapArgs)]
pub struct Doctor {
    /// The data folder [default: that of --path]
    #[arg(value_name = "DIR")]
    pub checked: Option<PathBuf>,
    /// The data folder, where it is not named before
    #[arg(long, value_name = "DIR", env = "VELOCITYDB_PATH", default_value = "./velocity-data")]
    pub path: PathBuf,
}

/// The arguments of `bench`.
#[derive(Debug, ClapArgs)]
pub struct Bench {
    /// The data folder whose disk is measured
    #[arg(long, value_name = "DIR", env = "VELOCITYDB_PATH", default_value = "./velocity-data")]
    pub path: PathBuf,
    /// Which storage mode is measured
    #[arg(long, default_value = "persistent", value_parser = any_mode())]
    pub mode: Mode,
    /// The level of the operations
    #[arg(long, value_name = "LEVEL", default_value = "strong", value_parser = level())]
    pub consistency: Consistency,
    /// How many threads work at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: u16,
    /// How long each kind of operation is measured
    #[arg(long, default_value = "1", value_parser = format::parse_seconds)]
    pub seconds: Duration,
    /// How many bytes of JSON a document has
    #[arg(long, value_name = "BYTES", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub document_bytes: u32,
}

/// Every storage mode by its name. The first of them needs no folder.
const MODES: [(&str, Mode); 4] = [
    ("memory-only", Mode::MemoryOnly),
    ("memory-first", Mode::MemoryFirst),
    ("hybrid", Mode::Hybrid),
    ("persistent", Mode::Persistent),
];

/// The name of a storage mode.
pub fn mode_name(mode: Mode) -> &'static str {
    let named = MODES.iter().find(|(_, other)| *other == mode);
    named.expect("every mode is in the table").0
}

/// A storage mode that keeps its data in a folder: what is in memory only would be gone when the
/// command ends.
fn folder_mode() -> impl TypedValueParser<Value = Mode> {
    one_of(&MODES[1..])
}

fn any_mode() -> impl TypedValueParser<Value = Mode> {
    one_of(&MODES)
}

fn one_of(modes: &'static [(&'static str, Mode)]) -> impl TypedValueParser<Value = Mode> {
    PossibleValuesParser::new(modes.iter().map(|(name, _)| *name)).map(|name| {
        let named = MODES.iter().find(|(other, _)| *other == name);
        named.expect("only names of the table are let through").1
    })
}

fn level() -> impl TypedValueParser<Value = Consistency> {
    PossibleValuesParser::new(Consistency::ALL.map(Consistency::as_str))
        .map(|name| name.parse().expect("only names of levels are let through"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example_in_its_help() {
        for command in Args::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("velocitydb "), "{} shows no example", command.get_name());
        }
    }
}
