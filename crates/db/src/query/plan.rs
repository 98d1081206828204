//! [`Plan`]: how the documents of a query are come by, and [`plan`], which decides it.
//!
//! Every way that the filter and the order allow becomes a candidate with an estimate of its cost,
//! and the cheapest is taken. A plan never decides *what* is found: whoever asks for an order gets
//! a total one, by id in the end, from every plan.

use super::access::Access;
use super::candidate::{Candidate, Estimate};
use super::candidates::{collection, index_scans, union};
use super::estimate::intersection;
use super::target::{Order, Request, Target};
use crate::Result;

/// How the documents of a query are come by.
pub(crate) struct Plan {
    pub(crate) access: Access,
    /// Whether all that the access leads to satisfies the filter.
    pub(crate) is_exact: bool,
    /// Whether the documents come in the order that was asked for.
    pub(crate) is_sorted: bool,
    /// What it was expected to cost.
    pub(crate) estimate: Estimate,
    /// The other ways, with what they were expected to cost.
    pub(crate) rejected: Vec<Candidate>,
}

/// Decides how the documents are come by.
pub(crate) fn plan(target: &Target<'_>, request: &Request<'_>) -> Result<Plan> {
    let conjuncts = super::candidates::conjuncts(request.filter.predicate());
    let mut candidates = vec![collection(target, request, &conjuncts)];
    if !matches!(candidates[0].access, Access::Ids(_) | Access::Nothing) {
        candidates.extend(index_scans(target, request, &conjuncts));
        candidates.extend(union(target, request, &conjuncts));
        if candidates.len() > 1 {
            Estimate::all(target, request, &mut candidates)?;
            candidates.extend(intersection(target, request, &candidates));
        }
    }
    let is_cheaper = |one: &Candidate, other: &Candidate| one.estimate.cost < other.estimate.cost;
    let mut best = 0;
    for position in 1..candidates.len() {
        if is_cheaper(&candidates[position], &candidates[best]) {
            best = position;
        }
    }
    let Candidate { access, is_exact, is_sorted, estimate } = candidates.swap_remove(best);
    let is_sorted = is_sorted || matches!(request.order, Order::Any);
    Ok(Plan { access, is_exact, is_sorted, estimate, rejected: candidates })
}
