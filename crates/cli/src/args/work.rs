//! The arguments of `claim`, `complete`, `renew`, `release` and `retry`.

use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args as ClapArgs};
use velocitydb::{CLAIM_COUNT_MAX, CLAIMANT_FIELD, Path, RequestId, Value};

use super::folder::{Source, Target};
use crate::format;

/// The arguments of `claim`.
#[derive(Debug, ClapArgs)]
#[command(group(ArgGroup::new("taken").args(["set", "update", "claimant", "explain"])
    .required(true).multiple(true)))]
#[command(group(ArgGroup::new("releases").args(["release", "release_if"]).multiple(true)))]
pub struct Claim {
    #[command(flatten)]
    pub target: Target,
    /// Which documents wait to be claimed, as a JSON object
    pub filter: String,
    /// Sets the field at this path to this JSON value; can be given several times
    #[arg(long, value_name = "PATH=JSON", value_parser = format::parse_assignment)]
    pub set: Vec<(Path, Value)>,
    /// Merges this JSON object, or applies its operators, as in `velocitydb update`
    #[arg(long, value_name = "JSON", conflicts_with = "set")]
    pub update: Option<String>,
    /// Which come first: `a,-b`, or JSON as in `velocitydb find`; else the smallest ids
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// How many at the most
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(CLAIM_COUNT_MAX)))]
    pub limit: u32,
    /// Who claims, to be written to the document
    #[arg(long, value_name = "NAME")]
    pub claimant: Option<String>,
    /// Where the claimant is written
    #[arg(long, value_name = "PATH", requires = "claimant", default_value = CLAIMANT_FIELD)]
    pub claimant_field: String,
    /// Takes what is due only: passes over what `velocitydb retry` has given back for later
    #[arg(long)]
    pub due: bool,
    /// Takes documents that are under somebody's lease too
    #[arg(long)]
    pub even_if_leased: bool,
    /// For how long: then --release is done, unless the work is completed, renewed or released, or
    /// what the claim has set was changed
    #[arg(long, value_name = "TIME", requires = "releases", value_parser = format::parse_duration)]
    pub lease: Option<Duration>,
    /// The update by which the work can be claimed again, when its lease ends or is given back
    #[arg(long, value_name = "JSON", requires = "lease")]
    pub release: Option<String>,
    /// An update that is done instead, if the document then satisfies a filter; can be given several
    /// times, and the first that holds is done
    #[arg(long, value_names = ["FILTER", "JSON"], num_args = 2, requires = "lease",
          action = ArgAction::Append)]
    pub release_if: Vec<String>,
    /// Claims at most once, however often it is retried with this id
    #[arg(long, value_name = "ID", value_parser = RequestId::new)]
    pub request_id: Option<RequestId>,
    /// Claims nothing: shows how the work would be found, and what that takes
    #[arg(long, conflicts_with_all = ["set", "update", "claimant", "lease", "request_id"])]
    pub explain: bool,
}

/// Which claimed work: the document, and the version that the claim gave it.
#[derive(Debug, Clone, ClapArgs)]
pub struct Token {
    /// The document's id
    pub id: String,
    /// The version that `claim` or `renew` printed: the fencing token
    pub version: u64,
}

/// The arguments of `complete`.
#[derive(Debug, ClapArgs)]
pub struct Complete {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub token: Token,
    #[command(flatten)]
    pub source: Source,
    /// Completes at most once, however often it is retried with this id
    #[arg(long, value_name = "ID", value_parser = RequestId::new)]
    pub request_id: Option<RequestId>,
}

/// The arguments of `renew`.
#[derive(Debug, ClapArgs)]
pub struct Renew {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub token: Token,
    /// When the lease is to end, counted from now, such as 30s
    #[arg(long, value_name = "TIME", value_parser = format::parse_duration)]
    pub lease: Duration,
}

/// The arguments of `release`.
#[derive(Debug, ClapArgs)]
pub struct Release {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub token: Token,
}

/// The arguments of `retry`.
#[derive(Debug, ClapArgs)]
pub struct Retry {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub token: Token,
    /// When it may be tried again, counted from now, such as 30s
    #[arg(long = "in", value_name = "TIME", value_parser = format::parse_duration)]
    pub delay: Duration,
    /// Why it did not work this time
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
