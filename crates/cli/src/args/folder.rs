//! Arguments of many commands: the data folder and the storage mode, the collection and the level,
//! the options of writes, and the source of JSON text.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use velocitydb::{Cancellation, Consistency, Expiry, Mode, RequestId};

use crate::csv::Columns;
use crate::format;

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
    #[command(flatten)]
    pub patience: Patience,
}

/// How long a command waits for others.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct Patience {
    /// How long to wait for another command that has the folder open, such as 0s, 500ms or 1m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = format::parse_wait)]
    #[arg(global = true)]
    pub wait: Duration,
}

/// The collection, its data folder, and the level.
#[derive(Debug, Clone, ClapArgs)]
pub struct Target {
    /// The collection
    pub collection: String,
    #[command(flatten)]
    pub folder: Folder,
    /// The consistency level of the operation
    #[arg(long, value_name = "LEVEL", default_value = "strong", value_parser = level())]
    pub consistency: Consistency,
}

/// The options of all writes.
#[derive(Debug, Clone, ClapArgs)]
pub struct WriteOptions {
    /// The document expires after this time, such as 500ms, 30s, 15m, 12h, 7d, or `never`
    #[arg(long, visible_alias = "ttl", value_name = "TIME", value_parser = format::parse_expiry)]
    pub time_to_live: Option<Expiry>,
    /// Applies the write at most once, however often it is retried with this id
    #[arg(long, value_name = "ID", value_parser = RequestId::new)]
    pub request_id: Option<RequestId>,
}

/// The limit of a command's time.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Limits")]
pub struct Timeout {
    /// Stops after this time, such as 500ms, 30s, 15m
    #[arg(long, value_name = "TIME", value_parser = format::parse_duration)]
    pub timeout: Option<Duration>,
}

impl Timeout {
    /// What stops the command.
    pub fn cancellation(&self) -> Cancellation {
        let cancellation = Cancellation::new();
        self.timeout.map_or(cancellation.clone(), |timeout| cancellation.deadline(timeout))
    }
}

/// What of a document is printed.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct Shown {
    /// Prints also `_meta`, what the database knows about a document: `version`, `created` and
    /// `modified`, and `expires` and `lease` where it has them
    #[arg(long)]
    pub meta: bool,
}

/// Results as a table for other programs.
#[derive(Debug, Clone, ClapArgs)]
pub struct Csv {
    /// Prints comma-separated values with a header and these columns: dotted paths such as
    /// `_id,name,address.city,_meta.version`
    #[arg(id = "csv", long = "csv", value_name = "PATHS", value_parser = Columns::parse)]
    pub columns: Option<Columns>,
}

/// The source of JSON text.
#[derive(Debug, Clone, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct Source {
    /// JSON text, `-` for standard input, or `@FILE` for a file
    #[arg(value_name = "JSON")]
    pub text: Option<String>,
    /// Reads the JSON text from a file
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
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
pub(super) fn folder_mode() -> impl TypedValueParser<Value = Mode> {
    one_of(&MODES[1..])
}

pub(super) fn any_mode() -> impl TypedValueParser<Value = Mode> {
    one_of(&MODES)
}

fn one_of(modes: &'static [(&'static str, Mode)]) -> impl TypedValueParser<Value = Mode> {
    PossibleValuesParser::new(modes.iter().map(|(name, _)| *name)).map(|name| {
        let named = MODES.iter().find(|(other, _)| *other == name);
        named.expect("the parser accepts only names of the table").1
    })
}

pub(super) fn level() -> impl TypedValueParser<Value = Consistency> {
    PossibleValuesParser::new(Consistency::ALL.map(Consistency::as_str))
        .map(|name| name.parse().expect("the parser accepts only names of levels"))
}
