//! A long pause: a copy of the folder is opened with a clock two hours ahead. All documents with a
//! time to live and all leases have expired, and maintenance has not run yet.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use velocitydb::{Database, Environment, MaintenanceMode, Mode, SystemEnvironment, Time, object};

use super::Worker;
use crate::check::Violation;
use crate::jobs;
use crate::operation::Job;
use crate::state::State;

/// Longer than any time to live or lease of the workload.
const PAUSE: Duration = Duration::from_secs(2 * 60 * 60);

/// Jobs that one claim takes.
const CLAIMED: u32 = 1_000;

/// The environment after the pause.
struct Later;

impl Environment for Later {
    fn now(&self) -> Time {
        SystemEnvironment.now().checked_add(PAUSE).unwrap_or(Time::MAX)
    }

    fn random(&self) -> u128 {
        SystemEnvironment.random()
    }
}

/// The violations of a folder, which is not open, when it is opened after a long pause. The folder
/// itself is not changed.
///
/// # Errors
///
/// Those of the file system and of the database.
pub fn check_after_pause(path: &Path, mode: Mode) -> velocitydb::Result<Vec<Violation>> {
    let home = tempfile::tempdir().map_err(|error| failed(path, &error))?;
    let copy = home.path().join("later");
    copy_folder(path, &copy).map_err(|error| failed(path, &error))?;
    let options = Worker::options(mode).maintenance(MaintenanceMode::Manual);
    check(&options.environment(Arc::new(Later)).open(&copy)?)
}

fn failed(path: &Path, error: &io::Error) -> velocitydb::Error {
    velocitydb::Error::Storage(velocitydb::StorageError::Io {
        action: "copying",
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

fn check(db: &Database) -> velocitydb::Result<Vec<Violation>> {
    let state = State::read(db)?;
    let now = Later.now().as_micros();
    let late = state.expiries.iter();
    let mut violations: Vec<_> =
        late.map(|expires| Violation::NotExpired { expires: expires.as_micros(), now }).collect();
    for (collection, &(count, listed)) in &state.counts {
        if count != listed {
            let collection = collection.clone();
            violations.push(Violation::Count { collection, count, listed });
        }
    }
    let claimable = claim_all(db)?;
    let open = state.jobs.iter().filter(|(_, job)| job.finished.is_none());
    for (&job, _) in open.filter(|(job, _)| !claimable.contains(job)) {
        let what = "its lease was over after a long pause, and no claim found it".to_owned();
        violations.push(Violation::Job { job, what });
    }
    Ok(violations)
}

/// Claims every job that can be claimed.
fn claim_all(db: &Database) -> velocitydb::Result<BTreeSet<Job>> {
    let mut claimable = BTreeSet::new();
    loop {
        let jobs = db.documents(jobs::COLLECTION);
        let claim = jobs.claim(object! { "state": "waiting" }).limit(CLAIMED);
        let claimed = claim.update(object! { "state": "running" })?.documents;
        if claimed.is_empty() {
            return Ok(claimable);
        }
        claimable.extend(claimed.iter().filter_map(|job| Job::of_document(job.id())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job that is never released, and a document that does not expire: as if the end of a
    /// lease, or an expiry, were missed.
    #[test]
    fn what_a_pause_leaves_undone_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data");
        let job = |number| Job { offer: crate::content::OperationId::new(1, 0, 1), number };
        {
            let db = Worker::options(Mode::Hybrid).open(&path).unwrap();
            let jobs = db.documents(jobs::COLLECTION);
            for number in 0..3 {
                let fields = object! { "kind": 0, "state": "waiting", "claims": [], "n": number };
                jobs.insert(job(number).document(), fields).unwrap();
            }
            let minute = Duration::from_secs(60);
            let claim = jobs.claim(object! { "n": 0 });
            let claim = claim.lease(minute, object! { "state": "waiting" });
            claim.update(object! { "state": "running" }).unwrap();
        }
        assert_eq!(check_after_pause(&path, Mode::Hybrid).unwrap(), []);
        {
            let db = Worker::options(Mode::Hybrid).open(&path).unwrap();
            let jobs = db.documents(jobs::COLLECTION);
            jobs.claim(object! { "n": 1 }).update(object! { "state": "running" }).unwrap();
        }
        let violations = check_after_pause(&path, Mode::Hybrid).unwrap();
        let [Violation::Job { job: lost, .. }] = violations[..] else { panic!("{violations:?}") };
        assert_eq!(lost, job(1));
    }
}
