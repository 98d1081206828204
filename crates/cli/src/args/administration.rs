//! The arguments of commands on collections, indexes, schemas, data folders and machines.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};
use velocitydb::{Consistency, Mode, NewIds};

use super::folder::{Folder, Patience, Source, Timeout, any_mode, level};
use crate::format;

/// The arguments of `collections`.
#[derive(Debug, ClapArgs)]
pub struct Collections {
    /// The subcommand
    #[command(subcommand)]
    pub command: Option<CollectionsCommand>,
    #[command(flatten)]
    pub folder: Folder,
}

/// The subcommands of `collections`.
#[derive(Debug, Subcommand)]
pub enum CollectionsCommand {
    /// Print every collection, by name
    #[command(after_help = "Example:\n  velocitydb collections list")]
    List,
    /// Create a collection with options; without any, the first insert does it
    #[command(after_help = "Example:
  velocitydb collections create payments --min-write quorum --min-read strong")]
    Create(CreateCollection),
    /// Drop a collection with all its documents
    #[command(after_help = "Example:\n  velocitydb collections drop payments")]
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
    /// Which ids new documents get that are inserted without one: text, objectid, uuid or integer
    #[arg(long, value_name = "KIND", default_value_t = NewIds::Text)]
    pub ids: NewIds,
}

/// The arguments of `index`.
#[derive(Debug, ClapArgs)]
pub struct Index {
    /// The subcommand
    #[command(subcommand)]
    pub command: IndexCommand,
    #[command(flatten)]
    pub folder: Folder,
}

/// The subcommands of `index`.
#[derive(Debug, Subcommand)]
pub enum IndexCommand {
    /// Create an index, and wait until it is ready; reads and writes go on meanwhile
    #[command(after_help = r#"Examples:
  velocitydb index create users email --unique
  velocitydb index create users '{"city": 1, "age": -1}'
  velocitydb index create jobs -priority,created
  velocitydb index create jobs priority --partial '{"state": "waiting"}' --name next"#)]
    Create(CreateIndex),
    /// Print the indexes of a collection, by name
    #[command(after_help = "Example:\n  velocitydb index list users")]
    List {
        /// The collection
        collection: String,
    },
    /// Drop an index
    #[command(after_help = "Example:\n  velocitydb index drop users email_1")]
    Drop {
        /// The collection
        collection: String,
        /// The index's name
        name: String,
    },
}

/// The arguments of `index create`.
#[derive(Debug, ClapArgs)]
pub struct CreateIndex {
    /// The collection
    pub collection: String,
    /// The paths: `a,-b`, or JSON such as `{"a": 1, "b": -1}`, in the order in which it is
    /// written
    #[arg(allow_hyphen_values = true)]
    pub keys: String,
    /// No two documents may have the same values
    #[arg(long)]
    pub unique: bool,
    /// Leaves out documents that have none of the paths
    #[arg(long)]
    pub sparse: bool,
    /// Leaves out documents that do not satisfy this filter
    #[arg(long, value_name = "FILTER")]
    pub partial: Option<String>,
    /// Its name [default: its paths and directions, as in city_1_age_-1]
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub timeout: Timeout,
}

/// The arguments of `schema`.
#[derive(Debug, ClapArgs)]
pub struct Schema {
    /// The subcommand
    #[command(subcommand)]
    pub command: SchemaCommand,
    #[command(flatten)]
    pub folder: Folder,
}

/// The subcommands of `schema`.
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Give a collection a schema, or another one
    ///
    /// A schema is JSON Schema 2020-12, in which `default`, `unique` and `indexed` take effect.
    /// Existing documents have to satisfy it.
    #[command(
        after_help = r#"Examples:
  velocitydb schema set users '{"properties": {"age": {"type": "integer"}}, "required": ["name"]}'
  velocitydb schema set users --file users.schema.json --keep-existing"#,
        override_usage = "velocitydb schema set [OPTIONS] <COLLECTION> <JSON|-|--file FILE>"
    )]
    Set {
        /// The collection
        collection: String,
        #[command(flatten)]
        source: Source,
        /// Keeps existing documents that violate it; they have to satisfy it when they are next
        /// written
        #[arg(long)]
        keep_existing: bool,
        #[command(flatten)]
        timeout: Timeout,
    },
    /// Print the schema of a collection
    #[command(after_help = "Example:\n  velocitydb schema show users")]
    Show {
        /// The collection
        collection: String,
    },
    /// Remove the schema of a collection; its indexes stay
    #[command(after_help = "Example:\n  velocitydb schema remove users")]
    Remove {
        /// The collection
        collection: String,
    },
    /// Print which documents violate a schema, and how, without setting it
    ///
    /// Without a schema, that of the collection is checked. Exits with 3 when there are
    /// violations.
    #[command(after_help = r#"Examples:
  velocitydb schema check users
  velocitydb schema check users '{"properties": {"age": {"maximum": 150}}}'"#)]
    Check {
        /// The collection
        collection: String,
        /// The schema as JSON text, `-` for standard input, or `@FILE` for a file
        #[arg(value_name = "JSON")]
        text: Option<String>,
        /// Reads the schema from a file
        #[arg(long, value_name = "FILE", conflicts_with = "text")]
        file: Option<PathBuf>,
        #[command(flatten)]
        timeout: Timeout,
    },
}

/// The arguments of `doctor`.
#[derive(Debug, ClapArgs)]
pub struct Doctor {
    /// The data folder [default: that of --path]
    #[arg(value_name = "DIR")]
    pub checked: Option<PathBuf>,
    /// The data folder, if it is not given as an argument
    #[arg(long, value_name = "DIR", env = "VELOCITYDB_PATH", default_value = "./velocity-data")]
    pub path: PathBuf,
    #[command(flatten)]
    pub patience: Patience,
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
