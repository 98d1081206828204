//! The arguments of `claim`, `complete`, `renew`, `release` and `retry`.

use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args as ClapArgs};
use velocitydb::{CLAIM_COUNT_MAX, CLAIMANT_FIELD, DocumentId, Path, RequestId, Value};

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
    /// Which documents can be claimed, as a JSON object
    pub filter: String,
    /// Sets the field at this path to this JSON value; can be given several times
    #[arg(long, value_name = "PATH=JSON", value_parser = format::parse_assignment)]
    pub set: Vec<(Path, Value)>,
    /// Merges this JSON object, or applies its operators, as in `velocitydb update`
    #[arg(long, value_name = "JSON", conflicts_with = "set")]
    pub update: Option<String>,
    /// The order: `a,-b`, or JSON as in `velocitydb find` [default: the order of ids]
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// How many at the most
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(CLAIM_COUNT_MAX)))]
    pub limit: u32,
    /// The name of the claimant, which is written to the document
    #[arg(long, value_name = "NAME")]
    pub claimant: Option<String>,
    /// The path at which the claimant is written
    #[arg(long, value_name = "PATH", requires = "claimant", default_value = CLAIMANT_FIELD)]
    pub claimant_field: String,
    /// Claims only what is due: skips what `velocitydb retry` has given back for later
    #[arg(long)]
    pub due: bool,
    /// Also claims documents that are under a lease
    #[arg(long)]
    pub even_if_leased: bool,
    /// The duration of the lease: then --release is applied, unless the document is completed,
    /// renewed or released, or what the claim has set was changed
    #[arg(long, value_name = "TIME", requires = "releases", value_parser = format::parse_duration)]
    pub lease: Option<Duration>,
    /// The update that makes the document claimable again, applied when the lease ends or it is
    /// given back
    #[arg(long, value_name = "JSON", requires = "lease")]
    pub release: Option<String>,
    /// An update that is applied instead, if the document then matches a filter; can be given
    /// several times, and the first that matches is applied
    #[arg(long, value_names = ["FILTER", "JSON"], num_args = 2, requires = "lease",
          action = ArgAction::Append)]
    pub release_if: Vec<String>,
    /// Claims at most once, however often it is retried with this id
    #[arg(long, value_name = "ID", value_parser = RequestId::new)]
    pub request_id: Option<RequestId>,
    /// Claims nothing: shows how documents would be found, and what that reads
    #[arg(long, conflicts_with_all = ["set", "update", "claimant", "lease", "request_id"])]
    pub explain: bool,
}

/// The claimed document, and the version that the claim gave it.
#[derive(Debug, Clone, ClapArgs)]
pub struct Token {
    /// The document's id: text, or json:42 and the like for other types
    #[arg(value_parser = format::parse_id)]
    pub id: DocumentId,
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
    /// The duration of the lease from now, such as 30s
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
    /// When it may be claimed again, counted from now, such as 30s
    #[arg(long = "in", value_name = "TIME", value_parser = format::parse_duration)]
    pub delay: Duration,
    /// Why the work failed this time
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
