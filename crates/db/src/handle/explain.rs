//! [`Explanation`]: how a query is executed, and what that took.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use velocitydb_core::key::{Component, decode_component};
use velocitydb_core::{Object, Value, object};
use velocitydb_storage::Direction;

use crate::Result;
use crate::apply::Searched;
use crate::keys::{CollectionNumber, entries};
use crate::query::{
    Access, Candidate, Control, Examined, Execution, Hint, IndexScan, Merge, Need, Order, Passed,
    Plan, Range, ScannedRange, Selection, Target, allowed_need, run,
};

/// How a query was executed, and what that took; see [`Find::explain`](crate::Find::explain) and
/// [`Claim::explain`](crate::Claim::explain).
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The plan: `access`, what it reads, and which steps follow.
    pub plan: Object,
    /// What the plan was expected to read: `keys` and `documents`.
    pub estimate: Object,
    /// The plans that were estimated to cost more.
    pub rejected: Vec<Object>,
    /// For a claim, where the search begins in each range, since keys before that need not be read again.
    /// `begins` is the id of the first document or the values of the first entry, or `start` or `end`.
    /// `stretches` is how many stretches of the range are read, and `waiting` how many will be once a bound
    /// of the filter has moved.
    pub hints: Vec<Object>,
    /// Entries of indexes that were read.
    pub keys_examined: u64,
    /// Stored keys, of indexes and documents, that scans passed, those of the planning included: keys that
    /// were read, and deleted or overwritten ones that the engine has not cleaned up yet.
    pub keys_passed: u64,
    /// Documents that were read.
    pub documents_examined: u64,
    /// Results that were returned.
    pub returned: u64,
    /// How long the planning took.
    pub planning: Duration,
    /// How long the execution took.
    pub execution: Duration,
}

impl Explanation {
    pub(crate) fn of_nothing() -> Self {
        Explanation {
            plan: object! { "access": "nothing", "reason": "the collection does not exist" },
            estimate: object! { "keys": 0, "documents": 0 },
            rejected: Vec::new(),
            hints: Vec::new(),
            keys_examined: 0,
            keys_passed: 0,
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
        let passed = Passed::new(target.state);
        let target = &Target { state: &passed, ..target.clone() };
        let begin = Instant::now();
        let mut plan = selection.plan(target, control)?;
        let planning = begin.elapsed();
        let mut explanation = Explanation {
            plan: describe_plan(target, &plan, selection),
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
        explanation.keys_passed = passed.count()?;
        Ok(explanation)
    }

    /// Explains how a command found documents.
    pub(crate) fn of_search(searched: &Searched<'_>) -> Result<Self> {
        let Searched { target, plan, selection, hints, examined, passed, returned } = searched;
        let ranges = plan.access.scanned_ranges();
        let hints = ranges.iter().zip(hints).filter_map(|(one, hint)| hint.map(|hint| (one, hint)));
        Ok(Explanation {
            plan: describe_plan(target, plan, selection),
            estimate: object! { "keys": plan.estimate.keys, "documents": plan.estimate.documents },
            rejected: plan.rejected.iter().map(describe_candidate).collect(),
            hints: hints.map(|(range, hint)| describe_hint(plan, range, hint)).collect(),
            keys_examined: examined.keys,
            keys_passed: passed.count()?,
            documents_examined: examined.documents,
            returned: *returned,
            ..Self::of_nothing()
        })
    }

    /// All fields, as one object.
    pub fn to_object(&self) -> Object {
        let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
        let mut object = object! {
            "plan": self.plan.clone(),
            "estimate": self.estimate.clone(),
            "rejected": self.rejected.clone(),
            "keys_examined": self.keys_examined,
            "keys_passed": self.keys_passed,
            "documents_examined": self.documents_examined,
            "returned": self.returned,
            "planning_us": micros(self.planning),
            "execution_us": micros(self.execution)
        };
        if !self.hints.is_empty() {
            object.insert("hints", self.hints.clone());
        }
        object
    }
}

/// A hint, for `explain`.
fn describe_hint(plan: &Plan, scanned: &ScannedRange<'_>, hint: &Hint) -> Object {
    let (stretches, waiting) = hint.counts();
    let begins = match hint.next_open(scanned.range, scanned.direction) {
        None => Value::from("end"),
        Some(part) => {
            let is_at_start = match scanned.direction {
                Direction::Forward => part.low == scanned.range.low,
                Direction::Backward => part.high == scanned.range.high,
            };
            let key = match scanned.direction {
                Direction::Forward => &part.low,
                Direction::Backward => part.high.as_ref().unwrap_or(&part.low),
            };
            if is_at_start { Value::from("start") } else { describe_key(plan, scanned, key) }
        }
    };
    object! { "begins": begins, "stretches": stretches, "waiting": waiting }
}

/// The id of a document, or the values of an entry.
fn describe_key(plan: &Plan, scanned: &ScannedRange<'_>, key: &[u8]) -> Value {
    let definition = match &plan.access {
        Access::Index(scan) => &scan.definition,
        _ => {
            let id = key.get(scanned.prefix.len()..).unwrap_or_default();
            return Value::from(&*String::from_utf8_lossy(id));
        }
    };
    let mut at = entries(definition.number).len();
    let mut values = Vec::new();
    for number in 0..definition.paths().len() {
        let rest = key.get(at..).unwrap_or_default();
        let Ok((component, length)) = decode_component(rest, definition.direction(number)) else {
            break;
        };
        at += length;
        values.push(match component {
            Component::Value(value) => value,
            Component::Missing | Component::Empty => Value::Null,
        });
    }
    Value::from(values)
}

fn describe_plan(target: &Target<'_>, plan: &Plan, selection: &Selection<'_>) -> Object {
    let mut described = describe_access(&plan.access);
    if !plan.is_exact {
        described.insert("filter", selection.filter.to_object());
    }
    if let Order::By(sort) = selection.order {
        described.insert("sort", sort.to_value());
        described.insert("sorted_by", if plan.is_sorted { "access" } else { "memory" });
    }
    let covered = allowed_need(target, plan, selection) != Need::Documents;
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
