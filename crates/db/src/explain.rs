//! [`Explanation`]: how a query is carried out, and what that took.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use velocitydb_core::{Object, Value, object};
use velocitydb_storage::Direction;

use crate::Result;
use crate::keys::CollectionNumber;
use crate::query::{
    Access, Candidate, Control, Examined, Execution, IndexScan, Merge, Need, Order, Plan, Range,
    Selection, Target, allowed_need, run,
};

/// How a query was carried out, and what that took; see [`Find::explain`](crate::Find::explain).
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The plan: `access`, what it reads, and which steps follow.
    pub plan: Object,
    /// What the plan was expected to read: `keys` and `documents`.
    pub estimate: Object,
    /// The plans that were thought to cost more.
    pub rejected: Vec<Object>,
    /// Entries of indexes that were read.
    pub keys_examined: u64,
    /// Documents that were read.
    pub documents_examined: u64,
    /// Results.
    pub returned: u64,
    /// How long it took to decide on the plan.
    pub planning: Duration,
    /// How long it took to carry it out.
    pub execution: Duration,
}

impl Explanation {
    pub(crate) fn of_nothing() -> Self {
        Explanation {
            plan: object! { "access": "nothing", "reason": "the collection does not exist" },
            estimate: object! { "keys": 0, "documents": 0 },
            rejected: Vec::new(),
            keys_examined: 0,
            documents_examined: 0,
            returned: 0,
            planning: Duration::ZERO,
            execution: Duration::ZERO,
        }
    }

    pub(crate) fn new(
        target: &Target<'_>,
        control: &Control,
        selection: &Selection<'_>,
    ) -> Result<Self> {
        let begin = Instant::now();
        let mut plan = selection.plan(target)?;
        let planning = begin.elapsed();
        let mut explanation = Explanation {
            plan: describe_plan(&plan, selection),
            estimate: object! { "keys": plan.estimate.keys, "documents": plan.estimate.documents },
            rejected: plan.rejected.iter().map(describe_candidate).collect(),
            planning,
            ..Self::of_nothing()
        };
        let begin = Instant::now();
        let mut execution = Execution::new(target, control, &plan, selection.filter);
        run(&mut plan, &mut execution, selection, &mut |_| {
            explanation.returned += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        explanation.execution = begin.elapsed();
        let Examined { keys, documents } = execution.examined;
        (explanation.keys_examined, explanation.documents_examined) = (keys, documents);
        Ok(explanation)
    }

    /// All of it as one object.
    pub fn to_object(&self) -> Object {
        let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
        object! {
            "plan": self.plan.clone(),
            "estimate": self.estimate.clone(),
            "rejected": self.rejected.clone(),
            "keys_examined": self.keys_examined,
            "documents_examined": self.documents_examined,
            "returned": self.returned,
            "planning_us": micros(self.planning),
            "execution_us": micros(self.execution)
        }
    }
}

fn describe_plan(plan: &Plan, selection: &Selection<'_>) -> Object {
    let mut described = describe_access(&plan.access);
    if !plan.is_exact {
        described.insert("filter", selection.filter.to_object());
    }
    if let Order::By(sort) = selection.order {
        described.insert("sort", sort.to_value());
        described.insert("sorted_by", if plan.is_sorted { "access" } else { "memory" });
    }
    let covered = allowed_need(plan, selection) != Need::Documents;
    described.insert("covered", covered);
    described
}

fn describe_candidate(candidate: &Candidate) -> Object {
    let mut described = describe_access(&candidate.access);
    described.insert("sorted", candidate.is_sorted);
    described.insert("cost", candidate.estimate.cost);
    described
}

fn describe_access(access: &Access) -> Object {
    match access {
        Access::Nothing => {
            object! { "access": "nothing", "reason": "the filter contradicts itself" }
        }
        Access::Ids(ids) => object! { "access": "ids", "count": ids.len() },
        Access::Collection(range, direction) => object! {
            "access": "collection",
            "direction": direction_name(*direction),
            "bounded": range.low.len() > size_of::<CollectionNumber>()
        },
        Access::Index(scan) => describe_scan(scan),
        Access::Union(parts) => {
            let parts: Value = parts.iter().map(describe_access).collect();
            object! { "access": "union", "parts": parts }
        }
        Access::Intersection(first, second) => object! {
            "access": "intersection",
            "parts": [describe_scan(first), describe_scan(second)]
        },
    }
}

fn describe_scan(scan: &IndexScan) -> Object {
    let bounded = |(range, prefix): (&Range, &usize)| range.low.len() > *prefix;
    let is_range = scan.ranges.iter().zip(&scan.prefixes).any(bounded);
    object! {
        "access": "index",
        "index": scan.definition.name.as_str(),
        "keys": scan.definition.spec.keys().to_value(),
        "direction": direction_name(scan.direction),
        "ranges": scan.ranges.len(),
        "equal_keys": scan.fixed,
        "range_key": is_range,
        "merged": scan.merge == Merge::Ordered
    }
}

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "forward",
        Direction::Backward => "backward",
    }
}
