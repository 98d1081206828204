//! The checker of claims: no job was held by two claims at the same time, no acknowledged claim is
//! lost, tokens increase, and no slot is used twice.
//!
//! A job's list has its claims in order. A claim with a long lease holds the job until the end: a
//! later claim on the list took it wrongly.

use std::collections::BTreeMap;

use super::Violation;
use crate::content::OperationId;
use crate::history::{Answer, Call, Fate, History};
use crate::operation::{Job, Lease, What};
use crate::state::{JobState, State};

pub(super) fn check(before: &State, history: &History, after: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    check_known(before, after, &mut violations);
    check_calls(history, after, &mut violations);
    for (&job, state) in &after.jobs {
        check_claims(before.jobs.get(&job), history, job, state, after.index, &mut violations);
    }
    check_slots(after, &mut violations);
    violations
}

fn violation(job: Job, what: impl Into<String>) -> Violation {
    Violation::Job { job, what: what.into() }
}

/// Jobs from before the cycle still exist, and have not gone back.
fn check_known(before: &State, after: &State, violations: &mut Vec<Violation>) {
    for (&job, known) in &before.jobs {
        match after.jobs.get(&job) {
            None => violations.push(violation(job, "it was there before the cycle, and is gone")),
            Some(found) if !found.claims.starts_with(&known.claims) => {
                violations.push(violation(job, "claims from before the cycle are gone"));
            }
            Some(found) if found.version < known.version => {
                violations.push(violation(job, "its version went back"));
            }
            Some(found) if known.finished.is_some() && *found != *known => {
                violations.push(violation(job, "it was finished before, and has changed"));
            }
            Some(_) => {}
        }
    }
}

/// Acknowledged calls are in the state, and refused or lost ones are not.
fn check_calls(history: &History, after: &State, violations: &mut Vec<Violation>) {
    let mut tokens: BTreeMap<(Job, u64), OperationId> = BTreeMap::new();
    for call in &history.calls {
        let (id, fate) = (call.operation.id, history.fate(call, after.index));
        match (call.operation.what, call.job) {
            (What::Offer { .. }, _) => {
                let is_there = after.jobs.keys().any(|job| job.offer == id);
                if fate == Fate::Retained && !is_there {
                    violations.push(violation(Job { offer: id, number: 0 }, "it is lost"));
                }
                if matches!(fate, Fate::Lost | Fate::Nothing) && is_there {
                    let what = "it is there, and should not be";
                    violations.push(violation(Job { offer: id, number: 0 }, what));
                }
            }
            (What::Claim { .. }, Some(job)) => {
                let Answer::Applied { version, .. } = call.answer else { continue };
                if let Some(other) = tokens.insert((job, version), id) {
                    let what = format!("claims {other} and {id} both got version {version}");
                    violations.push(violation(job, what));
                }
                let has_it = after.jobs.get(&job).is_some_and(|job| job.claims.contains(&id));
                if fate == Fate::Retained && !has_it {
                    violations.push(violation(job, format!("the acknowledged claim {id} is lost")));
                }
            }
            (What::Finish { job, .. }, _) => {
                let by = after.jobs.get(&job).and_then(|job| job.finished);
                if fate == Fate::Retained && by != Some(id) {
                    let what = format!("{id} has finished it, and it says {by:?}");
                    violations.push(violation(job, what));
                }
            }
            _ => {}
        }
    }
}

/// The claims on one job, in their order.
fn check_claims(
    before: Option<&JobState>,
    history: &History,
    job: Job,
    state: &JobState,
    recovered: u64,
    violations: &mut Vec<Violation>,
) {
    let mut violate = |what: String| violations.push(violation(job, what));
    let known = before.map_or(&[][..], |before| &before.claims);
    let mut token = 0;
    let mut holder: Option<OperationId> = None;
    for (position, claim) in state.claims.iter().enumerate() {
        if state.claims[..position].contains(claim) {
            violate(format!("claim {claim} took it twice"));
        }
        if let Some(holder) = holder {
            violate(format!("claim {claim} took it from {holder}, who had it"));
        }
        let Some(call) = history.call(*claim) else {
            // Whether an older claim was brief is not known any more.
            if !known.contains(claim) {
                violate(format!("nobody made claim {claim}"));
            }
            continue;
        };
        if let Some(problem) = problem_of(history, call, job, recovered) {
            violate(format!("claim {claim} {problem}"));
        }
        if let What::Claim { lease: Lease::Long, .. } = call.operation.what {
            holder = Some(*claim);
        }
        if let Answer::Applied { version, .. } = call.answer {
            if version <= token {
                violate(format!("claim {claim} got version {version} after {token}"));
            }
            token = version;
        }
    }
    if state.is_waiting && holder.is_some() {
        violate("it waits, though somebody has it for long".to_owned());
    }
    if token > state.version {
        violate(format!("it has version {}, and a claim got {token}", state.version));
    }
}

/// What is wrong with a claim that is on a job's list.
fn problem_of(history: &History, call: &Call, job: Job, recovered: u64) -> Option<&'static str> {
    let is_claim = matches!(call.operation.what, What::Claim { .. });
    match (history.fate(call, recovered), call.job) {
        _ if !is_claim => Some("is none"),
        (Fate::Nothing, _) => Some("was told that there was nothing"),
        (Fate::Lost, _) => Some("is there, though the state ends before it"),
        (_, Some(other)) if other != job => Some("was told of another job"),
        _ => None,
    }
}

/// No slot is used by two jobs.
fn check_slots(after: &State, violations: &mut Vec<Violation>) {
    let mut slots = BTreeMap::new();
    for (&job, state) in &after.jobs {
        let Some(slot) = state.slot else { continue };
        if let Some(other) = slots.insert(slot, job) {
            let what = format!("it has slot {slot}, and so has {}", other.document());
            violations.push(violation(job, what));
        }
    }
}

#[cfg(test)]
mod planted {
    //! Planted bugs: states that a broken database would leave, and the violations that have to be
    //! reported.

    use std::time::Instant;

    use velocitydb::{Consistency, Mode};

    use super::*;
    use crate::operation::{Operation, Retry};
    use crate::record::Record;

    fn id(sequence: u32) -> OperationId {
        OperationId::new(1, 0, sequence)
    }

    const fn job_of(offer: OperationId) -> Job {
        Job { offer, number: 0 }
    }

    /// An offer, a brief claim, a long one, and its finish.
    struct Cycle {
        history: History,
        after: State,
    }

    impl Cycle {
        fn new() -> Self {
            let mut cycle =
                Cycle { history: History::new(Mode::Persistent), after: State::default() };
            cycle.begin(1, What::Offer { kind: 0, slot: 7 });
            cycle.add(Record::Applied { id: id(1), index: 1, version: 1 });
            cycle.claim(2, Lease::Brief, 2, 2);
            cycle.claim(3, Lease::Long, 4, 4);
            cycle.after.index = 4;
            let claims = vec![id(2), id(3)];
            let job = JobState { version: 4, claims, slot: Some(7), ..JobState::default() };
            cycle.after.jobs.insert(job_of(id(1)), job);
            cycle
        }

        fn begin(&mut self, sequence: u32, what: What) {
            let (level, retry) = (Consistency::Strong, Retry::Unsafe);
            self.add(Record::Begin(Operation { id: id(sequence), level, retry, what }));
        }

        fn add(&mut self, record: Record) {
            self.history.add(record, Instant::now());
        }

        fn claim(&mut self, sequence: u32, lease: Lease, index: u64, version: u64) {
            self.begin(sequence, What::Claim { kind: 0, lease });
            let job = job_of(id(1));
            self.add(Record::Claimed { id: id(sequence), index, version, job });
        }

        fn job(&mut self) -> &mut JobState {
            self.after.jobs.get_mut(&job_of(id(1))).unwrap()
        }

        fn problems(&mut self) -> String {
            self.history.finish();
            let all = check(&State::default(), &self.history, &self.after);
            all.iter().map(|one| format!("{one}\n")).collect()
        }
    }

    #[test]
    fn what_a_sound_database_leaves_is_sound() {
        assert_eq!(Cycle::new().problems(), "");
    }

    #[test]
    fn a_double_claim_is_noticed() {
        // Both claims were acknowledged, and both are on the list.
        let mut cycle = Cycle::new();
        cycle.claim(4, Lease::Long, 5, 5);
        cycle.after.index = 5;
        cycle.job().claims.push(id(4));
        cycle.job().version = 5;
        assert!(cycle.problems().contains("took it from"), "{}", cycle.problems());
        // The second one overwrote the first.
        cycle.job().claims = vec![id(2), id(4)];
        assert!(cycle.problems().contains("is lost"), "{}", cycle.problems());
        // Both got the same token.
        let mut cycle = Cycle::new();
        cycle.claim(4, Lease::Long, 5, 4);
        cycle.after.index = 5;
        assert!(cycle.problems().contains("both got version 4"), "{}", cycle.problems());
    }

    #[test]
    fn lost_doubled_and_invented_claims_are_noticed() {
        type Damage = fn(&mut Cycle);
        let cases: [(Damage, &str); 9] = [
            (|cycle| _ = cycle.job().claims.pop(), "the acknowledged claim 1.0.3 is lost"),
            (|cycle| cycle.after.jobs.clear(), "it is lost"),
            (|cycle| cycle.job().claims.insert(0, id(2)), "took it twice"),
            (|cycle| cycle.job().claims.insert(0, id(9)), "nobody made claim"),
            (|cycle| cycle.job().claims.swap(0, 1), "got version 2 after 4"),
            (|cycle| cycle.job().is_waiting = true, "it waits, though"),
            (|cycle| cycle.job().version = 3, "and a claim got 4"),
            (|cycle| cycle.after.index = 3, "though the state ends before it"),
            (
                |cycle| {
                    let job = cycle.job().clone();
                    let other = Job { offer: id(1), number: 1 };
                    cycle.after.jobs.insert(other, JobState { claims: Vec::new(), ..job });
                },
                "it has slot 7, and so has",
            ),
        ];
        for (damage, expected) in cases {
            let mut cycle = Cycle::new();
            damage(&mut cycle);
            assert!(cycle.problems().contains(expected), "{expected}: {}", cycle.problems());
        }
    }

    #[test]
    fn a_finish_that_is_lost_is_noticed() {
        let mut cycle = Cycle::new();
        let finish = What::Finish { job: job_of(id(1)), version: 4, lease: Lease::Long };
        cycle.begin(5, finish);
        cycle.add(Record::Applied { id: id(5), index: 0, version: 5 });
        assert!(cycle.problems().contains("has finished it"), "{}", cycle.problems());
        cycle.job().finished = Some(id(5));
        assert_eq!(cycle.problems(), "");
    }
}
