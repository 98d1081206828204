//! The audit of the folder of a killed worker.

use std::path::Path;
use std::time::{Duration, Instant};

use velocitydb::{Database, IndexBuild, MaintenanceMode, Mode, Time};

use super::Worker;
use super::pause::check_after_pause;
use crate::Random;
use crate::check::{self, Known, Violation};
use crate::history::{Answer, Call, Fate, History};
use crate::operation::{Retry, What};
use crate::perform::{Done, is_reuse_refused, perform, prepare};
use crate::state::State;

/// How many acknowledged requests are retried after a crash.
const RETRIES_MAX: usize = 100;

/// One of this many folders is also opened after a long pause.
const PAUSED: u64 = 3;

/// The audit waits for documents that expire within this time.
const SOON: Duration = Duration::from_secs(60);

/// What an audit found.
#[derive(Debug)]
pub struct Audit {
    /// What is known of the folder now.
    pub known: Known,
    /// Promises that were not kept.
    pub violations: Vec<Violation>,
    /// Documents that were recovered.
    pub documents: u64,
    /// Acknowledged operations that were lost, as the mode allows.
    pub lost: u64,
    /// How long before the end the first of them had been acknowledged.
    pub lost_age: Duration,
}

/// Audits a folder whose worker was killed at `killed`.
///
/// # Errors
///
/// Those of the database: the folder cannot be opened, or not be read.
pub fn audit(
    path: &Path,
    known: &Known,
    history: &History,
    killed: Instant,
    random: &mut Random,
) -> velocitydb::Result<Audit> {
    let mut violations = Vec::new();
    check_health(path, history.mode(), &mut violations)?;
    if history.mode() != Mode::MemoryOnly && path.exists() && random.one_in(PAUSED) {
        violations.extend(check_after_pause(path, history.mode())?);
    }
    let db = open(path, history.mode())?;
    let recovered = State::read(&db)?;
    violations.extend(check::check(known, history, &recovered));
    let (lost, lost_age) = history.lost(recovered.index, killed);
    prepare(&db)?;
    retry_acknowledged(&db, history, &recovered, random, &mut violations)?;
    retry_unanswered(&db, history, &recovered, &mut violations)?;
    let now = expire(&db, &mut violations)?;
    violations.extend(check_again(&now));
    check_indexes(&db, &mut violations)?;
    let documents = recovered.counts.values().map(|(_, listed)| listed).sum();
    let known = match history.mode() {
        Mode::MemoryOnly => Known::default(),
        _ => known.next(history, &recovered, now),
    };
    Ok(Audit { known, violations, documents, lost, lost_age })
}

fn check_health(
    path: &Path,
    mode: Mode,
    violations: &mut Vec<Violation>,
) -> velocitydb::Result<()> {
    // A worker that was killed early may not have created the folder.
    if mode == Mode::MemoryOnly || !path.exists() {
        return Ok(());
    }
    let report = velocitydb::doctor(path)?;
    let problems = report.problems.into_iter();
    violations.extend(
        problems.map(|problem| Violation::Malformed { what: format!("doctor: {problem}") }),
    );
    Ok(())
}

fn open(path: &Path, mode: Mode) -> velocitydb::Result<Database> {
    let options = Worker::options(mode).maintenance(MaintenanceMode::Manual);
    match mode {
        Mode::MemoryOnly => options.open_in_memory(),
        _ => options.open(path),
    }
}

/// Retries acknowledged requests that are in the state: they must be answered the same, and not
/// applied.
fn retry_acknowledged(
    db: &Database,
    history: &History,
    recovered: &State,
    random: &mut Random,
    violations: &mut Vec<Violation>,
) -> velocitydb::Result<()> {
    let is_remembered = |call: &&Call| {
        call.operation.retry == Retry::Safe && history.fate(call, recovered.index) == Fate::Retained
    };
    let calls: Vec<&Call> = history.calls.iter().filter(is_remembered).collect();
    for _ in 0..RETRIES_MAX.min(calls.len()) {
        let call = random.one_of(&calls);
        let Answer::Applied { index, version } = call.answer else { continue };
        let found = perform(db, &call.operation)?;
        let expected = match call.document.clone() {
            Some(document) => Done::Added { index, version, document, is_replayed: true },
            None => Done::Applied { index, version, is_replayed: true },
        };
        if found != expected {
            violations.push(Violation::Forgotten {
                operation: call.operation.id,
                expected: format!("{expected:?}"),
                found: format!("{found:?}"),
            });
        }
        if !is_reuse_refused(db, &call.operation)? {
            violations.push(Violation::Reused { operation: call.operation.id });
        }
    }
    Ok(())
}

/// Retries unanswered requests: one that is in the state must not be applied again.
fn retry_unanswered(
    db: &Database,
    history: &History,
    recovered: &State,
    violations: &mut Vec<Violation>,
) -> velocitydb::Result<()> {
    let is_open = |call: &&Call| {
        call.operation.retry == Retry::Safe && history.fate(call, recovered.index) == Fate::Possible
    };
    for call in history.calls.iter().filter(is_open) {
        let found = perform(db, &call.operation)?;
        let is_answered_as_before = match call.operation.what {
            What::Write { register, .. } => {
                let observed = recovered.registers.get(&register);
                let is_there = observed.is_some_and(|seen| seen.trail.contains(&call.operation.id));
                !is_there || matches!(found, Done::Applied { is_replayed: true, .. })
            }
            What::Add => match recovered.added.get(&call.operation.id) {
                Some(there) => matches!(&found, Done::Added { document, is_replayed: true, .. }
                    if there.contains(document)),
                None => matches!(found, Done::Added { is_replayed: false, .. }),
            },
            _ => true,
        };
        if !is_answered_as_before {
            violations.push(Violation::Forgotten {
                operation: call.operation.id,
                expected: "to be applied if it is not in the state, or else answered as it was"
                    .to_owned(),
                found: format!("{found:?}"),
            });
        }
    }
    Ok(())
}

/// Waits for documents that expire soon, runs maintenance, and reads everything.
fn expire(db: &Database, violations: &mut Vec<Violation>) -> velocitydb::Result<State> {
    let now = || Time::try_from(std::time::SystemTime::now()).unwrap_or(Time::MAX);
    let micros_left = |expires: Time| expires.as_micros() - now().as_micros();
    let state = State::read(db)?;
    if let Some(expires) = state.expires_soon_last(now(), SOON) {
        let wait = u64::try_from(micros_left(expires) + 1_000).unwrap_or(0);
        std::thread::sleep(Duration::from_micros(wait));
    }
    let before = now();
    db.maintain()?;
    let state = State::read(db)?;
    violations.extend(check_expired(&state, before));
    Ok(state)
}

/// After maintenance at `now` there is no document that expires before.
fn check_expired(state: &State, now: Time) -> impl Iterator<Item = Violation> {
    let late = state.expiries.iter().filter(move |expires| **expires <= now);
    late.map(move |expires| Violation::NotExpired {
        expires: expires.as_micros(),
        now: now.as_micros(),
    })
}

/// After maintenance every index is ready, even if its build was interrupted, and agrees with the
/// documents.
fn check_indexes(db: &Database, violations: &mut Vec<Violation>) -> velocitydb::Result<()> {
    for collection in db.collections()? {
        for index in db.documents(collection.name.as_str()).indexes()? {
            if index.state != IndexBuild::Ready {
                let (name, state) = (index.name.as_str(), index.state);
                let what = format!("index {name:?} is not ready after maintenance: {state:?}");
                violations.push(Violation::Malformed { what });
            }
        }
    }
    let problems = db.snapshot()?.check()?.problems.into_iter();
    violations.extend(
        problems
            .map(|problem| Violation::Malformed { what: format!("after maintenance: {problem}") }),
    );
    Ok(())
}

/// The checks of any state, which need no history.
fn check_again(state: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    for what in &state.malformed {
        violations.push(Violation::Malformed { what: what.clone() });
    }
    for (&register, observed) in &state.registers {
        let mut seen = observed.trail.clone();
        seen.sort_unstable();
        for pair in seen.windows(2).filter(|pair| pair[0] == pair[1]) {
            violations.push(Violation::AppliedTwice { register, operation: pair[0] });
        }
    }
    violations.extend(check::check_once(state));
    for (collection, &(count, listed)) in &state.counts {
        if count != listed {
            let collection = collection.clone();
            violations.push(Violation::Count { collection, count, listed });
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::OperationId;
    use crate::operation::{Compare, Effect, Kind, Operation, Register};
    use crate::record::Record;
    use velocitydb::Consistency;

    /// The history of a client that inserted a note with `retry`, in the folder at `path`.
    fn inserted(path: &Path, retry: Retry) -> History {
        let register = Register { kind: Kind::Note, number: 0 };
        let (effect, compare) = (Effect::Insert, Compare::Nothing);
        let operation = Operation {
            id: OperationId::new(1, 0, 1),
            level: Consistency::Strong,
            retry: Retry::Safe,
            what: What::Write { register, effect, compare },
        };
        let db = Worker::options(Mode::Persistent).open(path).unwrap();
        let done = perform(&db, &Operation { retry, ..operation }).unwrap();
        let Done::Applied { index, version, .. } = done else { panic!("{done:?}") };
        let mut history = History::new(Mode::Persistent);
        history.add(Record::Begin(operation), Instant::now());
        history.add(Record::Applied { id: operation.id, index, version }, Instant::now());
        history.finish();
        history
    }

    fn audited(path: &Path, history: &History) -> Vec<Violation> {
        let mut random = Random::new(1);
        let audit = audit(path, &Known::default(), history, Instant::now(), &mut random);
        audit.unwrap().violations
    }

    #[test]
    fn a_request_that_is_forgotten_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let (good, bad) = (home.path().join("good"), home.path().join("bad"));
        let history = inserted(&good, Retry::Safe);
        assert_eq!(audited(&good, &history), []);
        let history = inserted(&bad, Retry::Unsafe);
        let violations = audited(&bad, &history);
        assert!(matches!(violations[..], [Violation::Forgotten { .. }]), "{violations:?}");
    }

    /// The history of a client that inserted a document without an id, once more often than the
    /// history says.
    fn added(path: &Path, retries: [Retry; 2], is_answered: bool) -> History {
        let operation = |retry| Operation {
            id: OperationId::new(1, 0, 1),
            level: Consistency::Strong,
            retry,
            what: What::Add,
        };
        let db = Worker::options(Mode::Persistent).open(path).unwrap();
        prepare(&db).unwrap();
        let mut history = History::new(Mode::Persistent);
        history.add(Record::Begin(operation(Retry::Safe)), Instant::now());
        for retry in retries {
            let Done::Added { index, version, document, .. } =
                perform(&db, &operation(retry)).unwrap()
            else {
                panic!("it was inserted");
            };
            let id = OperationId::new(1, 0, 1);
            if is_answered {
                history.add(Record::Added { id, index, version, document }, Instant::now());
            }
        }
        history.finish();
        history
    }

    /// A database that forgets the request, or answers a retry with a new document, is detected,
    /// whether or not the client had got the answer.
    #[test]
    fn an_insert_without_an_id_that_is_made_twice_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        for is_answered in [true, false] {
            let path = |name: &str| home.path().join(format!("{name}-{is_answered}"));
            let good = path("good");
            let history = added(&good, [Retry::Safe, Retry::Safe], is_answered);
            assert_eq!(audited(&good, &history), []);
            for (name, retries) in [
                ("forgotten", [Retry::Unsafe, Retry::Safe]),
                ("twice", [Retry::Unsafe, Retry::Unsafe]),
            ] {
                let bad = path(name);
                let history = added(&bad, retries, is_answered);
                let violations = audited(&bad, &history);
                let is_noticed =
                    violations.iter().any(|violation| matches!(violation, Violation::Added { .. }));
                assert!(is_noticed, "{name}: {violations:?}");
            }
        }
    }

    #[test]
    fn a_document_that_outlives_its_time_is_noticed() {
        let time = |micros| Time::from_micros(micros).unwrap();
        let state = State { expiries: vec![time(5), time(8)], ..State::default() };
        let expired: Vec<_> = check_expired(&state, time(7)).collect();
        assert_eq!(expired, [Violation::NotExpired { expires: 5, now: 7 }]);
    }
}
