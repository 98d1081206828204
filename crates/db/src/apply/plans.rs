//! [`Plans`]: the plans of searches that commands repeat with the same values, such as claims.
//!
//! A plan is made of the search and of the indexes, and chosen by numbers of documents and entries. So it is
//! used again as long as the indexes are the same and those numbers are similar, but not too often, since it
//! was also chosen by what was in the ranges.
//!
//! Plans are not part of the state. A search finds the same documents with any plan.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::Result;
use crate::query::{Plan, Target, UsableIndex};

/// How many plans are kept. Beyond that, all are forgotten.
const PLANS_MAX: usize = 1_024;

/// How many times a plan is used.
const USES_MAX: u32 = 64;

/// Numbers that differ by less than this are similar.
const SIMILAR: u64 = 64;

/// The plans of repeated searches.
#[derive(Default)]
pub(super) struct Plans {
    /// By the identity of the search.
    kept: HashMap<u128, Kept, rapidhash::fast::RandomState>,
}

/// A plan, and that of which it was made.
pub(super) struct Kept {
    pub(super) plan: Plan,
    indexes: SmallVec<[UsableIndex; 4]>,
    /// How many documents the collection had.
    count: u64,
    uses_left: u32,
}

impl Kept {
    /// A plan for a target, used once.
    fn new(plan: Plan, target: &Target<'_>) -> Self {
        let (indexes, count) = (target.indexes.clone(), target.count);
        Kept { plan, indexes, count, uses_left: USES_MAX - 1 }
    }

    fn is_of(&self, target: &Target<'_>) -> bool {
        let same = |(one, other): (&UsableIndex, &UsableIndex)| {
            Arc::ptr_eq(&one.definition, &other.definition)
                && one.totals.multikey == other.totals.multikey
                && are_similar(one.totals.entries, other.totals.entries)
        };
        self.indexes.len() == target.indexes.len()
            && are_similar(self.count, target.count)
            && self.indexes.iter().zip(&target.indexes).all(same)
    }
}

impl Plans {
    /// Takes the plan of a search if it can be used again, or else makes one. `None` is a search that is
    /// not repeated.
    pub(super) fn take_or(
        &mut self,
        search: Option<u128>,
        target: &Target<'_>,
        make: impl FnOnce() -> Result<Plan>,
    ) -> Result<Kept> {
        let kept = search.and_then(|search| self.kept.remove(&search));
        match kept.filter(|kept| kept.uses_left > 0 && kept.is_of(target)) {
            Some(kept) => Ok(Kept { uses_left: kept.uses_left - 1, ..kept }),
            None => Ok(Kept::new(make()?, target)),
        }
    }

    /// Keeps the plan of a search.
    pub(super) fn put(&mut self, search: u128, mut kept: Kept) {
        if self.kept.len() >= PLANS_MAX {
            self.kept.clear();
        }
        kept.plan.rejected = Vec::new();
        self.kept.insert(search, kept);
    }
}

fn are_similar(one: u64, other: u64) -> bool {
    one.max(other) <= one.min(other).saturating_mul(2).saturating_add(SIMILAR)
}
