//! The arguments of `find`, `explain` and `aggregate`.

use std::time::Duration;

use clap::{ArgGroup, Args as ClapArgs};

use super::folder::{Csv, Shown, Source, Target};
use crate::format;

/// Which documents, in which order, how many, and which of their fields.
#[derive(Debug, Clone, ClapArgs)]
pub struct Selection {
    /// Which documents, as a JSON object, `@FILE` for a file or `-` for standard input [default: all]
    #[arg(value_name = "FILTER")]
    pub filter: Option<String>,
    /// The order: `a,-b`, or JSON such as `{"a": 1, "b": -1}`, in the order in which it is
    /// written
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// How many at the most [default: all]
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<u64>,
    /// How many to skip first
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub offset: u64,
    /// Continues after the end of an earlier page
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
    /// Which fields, as a JSON object such as `{"name": 1}`, `{"secret": 0}` or
    /// `{"_meta.version": 1}`
    #[arg(long, value_name = "JSON")]
    pub project: Option<String>,
}

/// The limits of a query.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Limits")]
pub struct Bounds {
    /// Stops after this time, such as 500ms, 30s, 15m
    #[arg(long, value_name = "TIME", value_parser = format::parse_duration)]
    pub timeout: Option<Duration>,
    /// The memory limit for sorting, grouping and the like [default: 100MiB]
    #[arg(long, value_name = "BYTES", value_parser = format::parse_bytes)]
    pub memory: Option<usize>,
}

/// The arguments of `find`.
#[derive(Debug, ClapArgs)]
#[command(group(ArgGroup::new("fields").args(["meta", "project"])))]
pub struct Find {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub selection: Selection,
    /// Prints on standard error how to get the next page, as `--after CURSOR`, if there is
    /// one
    #[arg(long, requires = "limit", conflicts_with = "csv")]
    pub page: bool,
    /// Prints the first document, which has to exist
    #[arg(long, conflicts_with_all = ["limit", "page", "csv"])]
    pub first: bool,
    /// Prints how many there are
    #[arg(long, conflicts_with_all = ["page", "first", "project", "meta", "csv"])]
    pub count: bool,
    /// Prints the distinct values at this path, of arrays those of their elements
    #[arg(long, value_name = "PATH",
          conflicts_with_all = ["page", "first", "project", "count", "meta", "csv"])]
    pub distinct: Option<String>,
    #[command(flatten)]
    pub shown: Shown,
    #[command(flatten)]
    pub csv: Csv,
    #[command(flatten)]
    pub bounds: Bounds,
}

/// The arguments of `explain`.
#[derive(Debug, ClapArgs)]
pub struct Explain {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub selection: Selection,
    /// Explains this pipeline, a JSON array of stages, instead of a query
    #[arg(long, value_name = "JSON",
          conflicts_with_all = ["filter", "sort", "limit", "offset", "after", "project"])]
    pub pipeline: Option<String>,
    #[command(flatten)]
    pub bounds: Bounds,
}

/// The arguments of `aggregate`.
#[derive(Debug, ClapArgs)]
pub struct Aggregate {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub csv: Csv,
    #[command(flatten)]
    pub bounds: Bounds,
}
