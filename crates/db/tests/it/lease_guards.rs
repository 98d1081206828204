//! Guards of leases: they renew by themselves, and never believe in a lease for longer than the state
//! does. And work that is given back for later.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use velocitydb::{
    Claimed, Database, Documents, Error, ErrorClass, LEASE_GUARDS_MAX, LeaseGuard, Mode, Release,
    Update, object,
};

use crate::fault::{Fault, Faulty, wait_until};
use crate::world::{World, in_every_mode, options};

/// So long that the thread renews none by itself while a test runs.
const LEASE: Duration = Duration::from_secs(900);

fn jobs(db: &Database) -> Documents {
    let jobs = db.documents("jobs");
    jobs.insert("job", object! { "state": "waiting" }).unwrap();
    jobs
}

fn hold_for(jobs: &Documents, duration: Duration) -> Claimed<LeaseGuard> {
    let claim = jobs.claim(object! { "state": "waiting" });
    let claim = claim.lease(duration, object! { "state": "waiting" });
    claim.hold(object! { "state": "running" }).unwrap()
}

fn hold(jobs: &Documents) -> LeaseGuard {
    hold_for(jobs, LEASE).documents.pop().unwrap()
}

fn state(jobs: &Documents) -> String {
    let job = jobs.get("job").unwrap().unwrap().fields().unwrap();
    job["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_lease_is_renewed_for_as_long_as_it_takes() {
    let db = velocitydb::open_in_memory().unwrap();
    let jobs = jobs(&db);
    let lease = Duration::from_millis(1_500);
    let job = hold_for(&jobs, lease).documents.pop().unwrap();
    assert_eq!((job.id().as_str(), job.version(), job.document().version()), (Some("job"), 2, 2));
    assert!(job.time_left() <= lease);
    // Three times a third of it: without them the lease would have ended.
    wait_until("three renewals", || job.version() >= 5);
    assert!(job.is_held() && job.time_left() > Duration::ZERO);
    assert!(hold_for(&jobs, lease).documents.is_empty(), "the lease is held");
    job.update(object! { "progress": 50 }).unwrap();
    assert!(job.is_held());
    job.complete(object! { "state": "done" }).unwrap();
    let done = jobs.get("job").unwrap().unwrap().fields().unwrap();
    assert_eq!(done, object! { "state": "done", "progress": 50 });
}

/// The clock that says first that the lease has expired counts, and the lease stays lost.
#[test]
fn a_guard_says_that_its_time_is_over() {
    in_every_mode(|home| {
        let jobs = jobs(home.db());
        let job = hold(&jobs);
        assert!(job.is_held());
        home.world.advance(LEASE - Duration::from_micros(1));
        assert!(job.is_held() && job.time_left() == Duration::from_micros(1));
        home.world.advance(Duration::from_micros(1));
        assert!(!job.is_held() && job.time_left() == Duration::ZERO);
        let error = job.check().unwrap_err();
        assert!(matches!(error, Error::LeaseLost { cause: None, .. }), "{error}");
        assert_eq!((error.class(), error.is_retryable()), (ErrorClass::Conflict, false));
        home.world.set_micros(crate::world::START_MICROS);
        assert!(!job.is_held(), "it is not had again");
        home.world.advance(LEASE);
        let other = hold(&jobs);
        let error = job.complete(object! { "state": "done" }).unwrap_err();
        assert!(matches!(error, Error::LeaseLost { .. }), "{error}");
        assert!(other.is_held() && state(&jobs) == "running");
        other.complete(object! { "state": "done" }).unwrap();
    });
}

#[test]
fn a_guard_that_cannot_renew_says_so() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    let jobs = jobs(&db);
    let job = hold(&jobs);
    let taken = jobs.claim(object! { "_id": "job" }).even_if_leased();
    taken.update(object! { "state": "taken" }).unwrap();
    assert!(job.is_held(), "it has not asked yet");
    let error = job.renew().unwrap_err();
    let Error::LeaseLost { cause: Some(cause), .. } = &error else { panic!("{error}") };
    assert!(matches!(**cause, Error::VersionMismatch { .. }), "{error}");
    assert!(!job.is_held() && job.update(object! {}).is_err() && job.release().is_err());
    assert_eq!(state(&jobs), "taken");
    // The state has the last word, also before the guard has heard of it.
    jobs.update("job", object! { "state": "waiting" }).unwrap();
    let job = hold(&jobs);
    jobs.update("job", object! { "state": "changed" }).unwrap();
    let error = job.complete(object! { "state": "done" }).unwrap_err();
    assert!(matches!(error, Error::VersionMismatch { .. }), "{error}");
    assert_eq!(state(&jobs), "changed");
}

#[test]
fn a_renewal_that_fails_is_tried_again_while_there_is_time() {
    let (engine, world) = (Faulty::new(), World::new());
    let db = engine.database(world.clone());
    let jobs = jobs(&db);
    let job = hold(&jobs);
    engine.set(Fault::DiskFull);
    job.renew().unwrap();
    assert!(job.is_held() && job.version() == 2, "it was not renewed, and is held still");
    world.advance(LEASE / 2);
    engine.set(Fault::None);
    job.renew().unwrap();
    assert!(job.version() == 3 && job.time_left() > LEASE / 2);
    world.advance(LEASE / 2);
    engine.set(Fault::DiskFull);
    job.renew().unwrap();
    world.advance(LEASE / 2);
    assert!(!job.is_held() && job.renew().is_err());
    engine.set(Fault::None);
    drop(job);
    // Whether it was renewed is not known: it is not held.
    let job = hold(&jobs);
    engine.set(Fault::Fsync);
    let error = job.renew().unwrap_err();
    let Error::LeaseLost { cause: Some(cause), .. } = &error else { panic!("{error}") };
    assert_eq!(cause.class(), ErrorClass::UnknownOutcome);
}

#[test]
fn a_guard_that_is_dropped_gives_the_work_back() {
    in_every_mode(|home| {
        let jobs = jobs(home.db());
        drop(hold(&jobs));
        assert_eq!(state(&jobs), "waiting");
        let version = hold(&jobs).release().unwrap();
        assert_eq!((state(&jobs).as_str(), version), ("waiting", 5));
        let token = hold(&jobs).detach();
        assert_eq!(state(&jobs), "running");
        jobs.complete("job", token, object! { "state": "done" }).unwrap();
    });
}

#[test]
fn a_guard_holds_its_database_and_no_longer() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    let jobs = jobs(&db);
    let job = hold(&jobs);
    drop(jobs);
    let other = db.clone();
    assert!(matches!(other.close(), Err(Error::InUse { handles: 2, .. })));
    job.complete(object! { "state": "done" }).unwrap();
    db.close().unwrap();
}

#[test]
fn guards_are_bounded_and_need_a_lease() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    let jobs = jobs(&db);
    let error = jobs.claim(object! {}).hold(object! { "state": "running" }).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid, "{error}");
    assert_eq!(state(&jobs), "waiting");
    let _job = hold(&jobs);
    let claim = jobs.claim(object! {}).limit(LEASE_GUARDS_MAX as u32);
    let error = claim.lease(LEASE, object! {}).hold(object! {}).unwrap_err();
    assert!(matches!(error, Error::TooManyLeases { held: 1.., .. }), "{error}");
}

#[derive(Debug, Serialize, Deserialize)]
struct Job {
    state: String,
    attempts: u32,
    retry_reason: Option<String>,
}

/// A job was given back by one write, and its time and reason were another one: in between it could
/// be claimed.
#[test]
fn work_is_given_back_for_later_as_one() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.collection::<Job>("jobs");
        let new = Job { state: "waiting".to_owned(), attempts: 0, retry_reason: None };
        jobs.insert("job", &new).unwrap();
        let hold = || {
            let release =
                Release::when(object! { "attempts": { "$lt": 2 } }, object! { "state": "waiting" });
            let release = release.or(object! { "state": "dead" });
            let claim = jobs.claim(object! { "state": "waiting" }).due().lease(LEASE, release);
            let update = Update::new().set("state", "running").inc("attempts", 1);
            claim.hold(update).unwrap().documents.pop()
        };
        let job = hold().unwrap();
        assert_eq!((job.document().value.attempts, job.version()), (1, 2));
        let before = db.snapshot().unwrap().index().unwrap();
        let version = job.retry(db.now().saturating_add(LEASE), "it is busy").unwrap();
        assert_eq!(version, 3);
        assert_eq!(db.snapshot().unwrap().index().unwrap(), before + 1, "it is one command");
        let waiting = jobs.get("job").unwrap().unwrap();
        assert_eq!((waiting.version, waiting.value.state.as_str()), (3, "waiting"));
        assert_eq!(waiting.value.retry_reason.as_deref(), Some("it is busy"));
        assert!(hold().is_none(), "it is not due");
        home.world.advance(LEASE);
        let token = hold().unwrap().detach();
        // Its last attempt was that one; the reason is kept with what became of it.
        jobs.retry("job", token, db.now(), "it is broken").unwrap();
        let dead = jobs.get("job").unwrap().unwrap().value;
        assert_eq!(
            (dead.state.as_str(), dead.retry_reason.as_deref()),
            ("dead", Some("it is broken"))
        );
        let error = jobs.retry("job", token, db.now(), "again").unwrap_err();
        assert!(matches!(error, Error::VersionMismatch { .. }), "{error}");
        let version = jobs.get("job").unwrap().unwrap().version;
        let error = jobs.retry("job", version, db.now(), "again").unwrap_err();
        assert!(matches!(error, Error::NotLeased { .. }), "{error}");
    });
}
