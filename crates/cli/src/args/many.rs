//! The arguments of `update-many` and `delete-many`.

use clap::Args as ClapArgs;
use velocitydb::RequestId;

use super::folder::{Source, Target};

/// The arguments of `update-many`.
#[derive(Debug, ClapArgs)]
pub struct UpdateMany {
    #[command(flatten)]
    pub target: Target,
    /// Which documents, as a JSON object; `{}` is all
    pub filter: String,
    #[command(flatten)]
    pub source: Source,
    /// Changes all atomically, at most 10,000, and at most once however often it is retried with
    /// this id
    #[arg(long, value_name = "ID", value_parser = RequestId::new)]
    pub request_id: Option<RequestId>,
}

/// The arguments of `delete-many`.
#[derive(Debug, ClapArgs)]
pub struct DeleteMany {
    #[command(flatten)]
    pub target: Target,
    /// Which documents, as a JSON object; `{}` is all
    pub filter: String,
    /// Deletes all atomically, at most 10,000, and at most once however often it is retried with
    /// this id
    #[arg(long, value_name = "ID", value_parser = RequestId::new)]
    pub request_id: Option<RequestId>,
}
