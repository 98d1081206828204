//! [`ClaimParameters`]: the options of a claim, which [`Claim`](crate::Claim) and
//! [`TransactionClaim`](crate::TransactionClaim) share. Claims nothing.

use std::time::Duration;

use velocitydb_core::{Filter, Lease, Release, Skip, Sort, Time, Update, field};

use crate::Result;
use crate::handle::claim::{CLAIM_COUNT_MAX, RETRY_AT_FIELD};

/// Which documents are claimed, how many, by whom, and for how long.
pub(crate) struct ClaimParameters {
    pub(crate) filter: Filter,
    pub(crate) sort: Sort,
    pub(crate) limit: u32,
    pub(crate) skip: Skip,
    pub(crate) lease: Option<(Duration, Release)>,
    /// The path that the claimant's name is written to, and the name.
    claimant: Option<(String, String)>,
}

/// Parameters that have been checked, with the update of the claim.
pub(crate) struct CheckedClaim {
    pub(crate) filter: Filter,
    pub(crate) sort: Sort,
    pub(crate) limit: u32,
    pub(crate) skip: Skip,
    pub(crate) lease: Option<Lease>,
    /// The update of each document, which also sets the claimant.
    pub(crate) update: Update,
}

impl ClaimParameters {
    /// One document that satisfies the filter and is under no lease, in the order of ids.
    pub(crate) fn new(filter: Filter) -> Self {
        let (sort, limit, skip) = (Sort::new(), 1, Skip::UnfitAndLeased);
        ClaimParameters { filter, sort, limit, skip, lease: None, claimant: None }
    }

    pub(crate) fn set_claimant(&mut self, path: &str, claimant: &str) {
        self.claimant = Some((path.to_owned(), claimant.to_owned()));
    }

    /// Leaves out documents that are to be tried again later than `now`.
    pub(crate) fn set_due(&mut self, now: Time) {
        let retry_at = || field(RETRY_AT_FIELD);
        let is_due = retry_at().lte(now).or(retry_at().is_missing());
        self.filter = std::mem::take(&mut self.filter).and(is_due);
    }

    pub(crate) fn set_even_if_leased(&mut self) {
        self.skip = Skip::Unfit;
    }

    /// Checks how many documents the claim may take.
    pub(crate) fn check_limit(&self) -> Result<()> {
        if self.limit <= CLAIM_COUNT_MAX {
            return Ok(());
        }
        Err(velocitydb_core::Error::LimitExceeded {
            what: "number of documents of one claim".into(),
            path: String::new(),
            found: self.limit as usize,
            max: CLAIM_COUNT_MAX as usize,
        }
        .into())
    }

    /// Checks the limit, the update and the lease. The filter and the sort are checked where documents
    /// are searched.
    pub(crate) fn check(self, update: Update) -> Result<CheckedClaim> {
        self.check_limit()?;
        let update = match self.claimant {
            Some((path, claimant)) => update.set(&path, claimant),
            None => update,
        };
        update.check()?;
        let lease = self.lease.map(|(duration, release)| Lease { duration, release });
        if let Some(lease) = &lease {
            lease.release.check()?;
        }
        let ClaimParameters { filter, sort, limit, skip, .. } = self;
        Ok(CheckedClaim { filter, sort, limit, skip, lease, update })
    }
}
