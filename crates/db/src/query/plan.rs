//! [`Plan`]: how the documents of a query are found, and [`plan`], which decides it.
//!
//! Every access path that the filter and the order allow becomes a candidate with an estimate of
//! its cost, and the cheapest is used. A plan never decides *what* is found: if an order is
//! requested, every plan gives the same total order, which ends with the id.

use super::access::Access;
use super::candidate::{Candidate, Estimate};
use super::candidates::{collection, index_scans, union};
use super::control::Control;
use super::estimate::intersection;
use super::target::{Order, Request, Target};
use crate::Result;

/// How the documents of a query are found.
pub(crate) struct Plan {
    pub(crate) access: Access,
    /// Whether all documents of the access path match the filter.
    pub(crate) is_exact: bool,
    /// Whether the documents come in the requested order.
    pub(crate) is_sorted: bool,
    /// Its expected cost.
    pub(crate) estimate: Estimate,
    /// The other candidates, with their expected costs.
    pub(crate) rejected: Vec<Candidate>,
}

/// Chooses the plan of a request.
///
/// # Errors
///
/// Those of reading indexes, and of `control`.
pub(crate) fn plan(target: &Target<'_>, control: &Control, request: &Request<'_>) -> Result<Plan> {
    let conjuncts = super::candidates::conjuncts(request.filter.predicate());
    let mut candidates = vec![collection(target, request, &conjuncts)];
    if !matches!(candidates[0].access, Access::Ids(_) | Access::Nothing) {
        candidates.extend(index_scans(target, request, &conjuncts));
        candidates.extend(union(target, request, &conjuncts));
        if candidates.len() > 1 {
            Estimate::all(target, control, request, &mut candidates)?;
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
