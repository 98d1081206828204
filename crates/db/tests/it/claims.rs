//! Many concurrent claims: no job is assigned twice, none is lost, and each goes to a claimant that can do
//! it.
//!
//! The selection is that of ColonyOS: equality on colony, type and state, upper bounds on six
//! resources, a name in the job's list or an empty list, in the order of the priority time.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use velocitydb::{
    Database, DocumentId, Error, Filter, IndexSpec, Mode, Object, Sort, Time, Value, field, object,
};
use velocitydb_storage::contract::Random;

use crate::queries::id_of;
use crate::world::in_every_mode;

const CLAIMANTS: u64 = 64;
const COLONIES: [&str; 2] = ["red", "blue"];
const TYPES: [&str; 3] = ["train", "render", "ship"];
const RESOURCES: [&str; 6] = ["nodes", "cpu", "processes", "memory", "storage", "gpu"];
const NAMES: u64 = 8;

/// A job that every kind of claimant can do by its resources: bounds are from 1 to 8.
fn job(random: &mut Random, n: u64) -> Object {
    let colony = COLONIES[random.within(0..2) as usize];
    let kind = TYPES[random.within(0..3) as usize];
    let mut job = object! {
        "colony": colony, "type": kind, "state": "waiting", "prioritytime": random.within(0..1_000),
        "n": n
    };
    let resources: Object = RESOURCES
        .iter()
        .map(|name| ((*name).to_owned(), Value::from(random.within(0..9))))
        .collect();
    job.insert("resources", resources);
    let names: Vec<_> = match random.one_in(4) {
        true => (0..3).map(|_| format!("executor{}", random.within(0..NAMES))).collect(),
        false => Vec::new(),
    };
    job.insert("names", names);
    job
}

/// What a claimant can do: the first of a kind can do all that the resources ask for.
struct Claimant {
    name: String,
    colony: &'static str,
    kind: &'static str,
    bound: i64,
}

impl Claimant {
    fn new(me: u64) -> Self {
        Claimant {
            name: format!("executor{}", me % NAMES),
            colony: COLONIES[(me / NAMES % 2) as usize],
            kind: TYPES[(me / NAMES / 2 % 3) as usize],
            // The last 16 can do less than the others.
            bound: if me < 48 { 8 } else { 4 },
        }
    }

    fn filter(&self) -> Filter {
        let base = field("colony").eq(self.colony).and(field("type").eq(self.kind));
        let base = base.and(field("state").eq("waiting"));
        let bounded = RESOURCES.iter().fold(base, |filter, name| {
            filter.and(field(&format!("resources.{name}")).lte(self.bound))
        });
        bounded.and(field("names").eq(self.name.as_str()).or(field("names").has_size(0)))
    }

    fn can_do(&self, job: &Object) -> bool {
        let names = job["names"].as_array().unwrap();
        let is_named = |name: &Value| name.as_str() == Some(self.name.as_str());
        let Some(Value::Object(resources)) = job.get("resources") else { return false };
        job["colony"] == self.colony.into()
            && job["type"] == self.kind.into()
            && RESOURCES.iter().all(|name| resources[*name].as_i64().unwrap() <= self.bound)
            && (names.is_empty() || names.iter().any(is_named))
    }
}

fn order() -> Sort {
    Sort::new().ascending("prioritytime")
}

fn fill(db: &Database, count: u64, random: &mut Random) -> BTreeMap<DocumentId, Object> {
    let keys = Sort::new().ascending("colony").ascending("type").ascending("state");
    let keys = keys.ascending("prioritytime");
    db.documents("jobs").create_index(IndexSpec::new(keys).named("queue")).unwrap();
    let jobs: BTreeMap<_, _> = (0..count).map(|n| (id_of(n), job(random, n))).collect();
    let all: Vec<_> = jobs.iter().map(|(id, job)| (id.clone(), job.clone())).collect();
    for part in all.chunks(1_000) {
        db.documents("jobs").insert_many(part.iter().cloned()).unwrap();
    }
    jobs
}

#[test]
fn every_job_goes_to_one_claimant() {
    let random = Random::announced("every_job_goes_to_one_claimant");
    in_every_mode(|home| {
        let db = home.db();
        let count = match home.mode {
            Mode::MemoryOnly | Mode::MemoryFirst => 20_000,
            Mode::Hybrid => 4_000,
            Mode::Persistent => 2_000,
        };
        let jobs = fill(db, count, &mut random.clone());
        let claimed = thread::scope(|scope| {
            let claim = |me: u64| {
                let db = db.clone();
                scope.spawn(move || claim_all(&db, &Claimant::new(me), me))
            };
            let threads: Vec<_> = (0..CLAIMANTS).map(claim).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let mut owners = BTreeMap::new();
        for (me, mine) in claimed.iter().enumerate() {
            let claimant = Claimant::new(me as u64);
            for id in mine {
                assert!(claimant.can_do(&jobs[id]), "{id} went to {}", claimant.name);
                let other = owners.insert(id.clone(), me);
                assert!(other.is_none(), "{id} went to {me} and {other:?}");
            }
        }
        let claimants: Vec<_> = (0..CLAIMANTS).map(Claimant::new).collect();
        let left = jobs.iter().filter(|(id, _)| !owners.contains_key(*id));
        for (id, job) in left {
            assert!(!claimants.iter().any(|claimant| claimant.can_do(job)), "{id} was lost");
        }
        let done = db.documents("jobs").find(object! { "state": "done" }).count().unwrap();
        assert_eq!(done, owners.len() as u64);
        let report = db.snapshot().unwrap().check().unwrap();
        assert!(report.is_healthy(), "{report:#?}");
    });
}

/// Claims and completes until nothing is left; all kinds of claims that there are.
fn claim_all(db: &Database, claimant: &Claimant, me: u64) -> Vec<DocumentId> {
    let jobs = db.documents("jobs");
    let mut mine = Vec::new();
    for round in 0_u32.. {
        let claim = jobs.claim(claimant.filter()).sort(order()).claimant(&claimant.name);
        let claim = claim.limit(1 + round % 3);
        let hour = Duration::from_secs(3_600);
        let claim = match round % 2 {
            0 => claim,
            _ => claim.lease(hour, object! { "state": "waiting" }),
        };
        let claimed = claim.update(object! { "state": "running" }).unwrap().documents;
        if claimed.is_empty() {
            break;
        }
        for job in claimed {
            let (id, version) = (job.id().clone(), job.version());
            assert_eq!(job.fields().unwrap()["state"], "running".into());
            let is_leased = round % 2 == 1;
            let version = match (me + u64::from(round)) % 7 {
                0 if is_leased => jobs.renew(&id, version, hour).unwrap(),
                // Given back: another claim gets it, with a higher token.
                1 if is_leased && version < 3 => {
                    let given_back = jobs.release(&id, version).unwrap();
                    assert_eq!(given_back, version + 1);
                    let late = jobs.complete(&id, version, object! { "state": "done" });
                    assert!(matches!(late, Err(Error::VersionMismatch { .. })));
                    continue;
                }
                _ => version,
            };
            let done = object! { "state": "done" };
            assert_eq!(jobs.complete(&id, version, done).unwrap(), version + 1);
            mine.push(id);
        }
    }
    mine
}

#[test]
fn one_claimant_gets_jobs_in_order() {
    let random = Random::announced("one_claimant_gets_jobs_in_order");
    in_every_mode(|home| {
        let db = home.db();
        let jobs = fill(db, 400, &mut random.clone());
        for me in [0, 17, 60] {
            let claimant = Claimant::new(me);
            let mut expected: Vec<_> =
                jobs.iter().filter(|(_, job)| claimant.can_do(job)).collect();
            expected.sort_by_key(|(id, job)| (job["prioritytime"].as_i64(), (*id).clone()));
            let mut found = Vec::new();
            loop {
                let docs = db.documents("jobs");
                let claim = docs.claim(claimant.filter()).sort(order()).limit(3);
                let claimed = claim.update(object! { "state": "running" }).unwrap().documents;
                if claimed.is_empty() {
                    break;
                }
                found.extend(claimed.iter().map(|job| job.id().clone()));
            }
            let expected: Vec<_> = expected.into_iter().map(|(id, _)| id.clone()).collect();
            assert_eq!(found, expected);
            let back = db.documents("jobs").update_many(object! {}, object! { "state": "waiting" });
            assert_eq!(back.unwrap().count, 400);
        }
    });
}

/// Leases expire, and each job can then be claimed by another claimant: tokens rise, and an old token is
/// refused.
#[test]
fn tokens_rise_when_leases_end() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        db.documents("jobs").create_index(IndexSpec::on("state")).unwrap();
        for n in 0..20 {
            jobs.insert(id_of(n), object! { "state": "waiting" }).unwrap();
        }
        let second = Duration::from_secs(1);
        let mut tokens: BTreeMap<DocumentId, u64> = BTreeMap::new();
        for round in 0..5 {
            let claim = jobs.claim(object! { "state": "waiting" }).limit(20);
            let claim = claim.lease(second, object! { "state": "waiting" });
            let claimed = claim.update(object! { "state": "running" }).unwrap().documents;
            assert_eq!(claimed.len(), 20, "round {round}");
            for job in claimed {
                let id = job.id().clone();
                let before = tokens.insert(id.clone(), job.version()).unwrap_or(0);
                assert!(job.version() > before);
                let late = jobs.renew(&id, before, second);
                assert!(matches!(late, Err(Error::VersionMismatch { .. })));
            }
            home.world.advance(second * 2);
            db.maintain().unwrap();
            assert_eq!(jobs.find(object! { "state": "waiting" }).count().unwrap(), 20);
            let report = db.snapshot().unwrap().check().unwrap();
            assert!(report.is_healthy(), "{report:#?}");
        }
    });
}

/// A claim must find the same documents whatever was claimed before: a document that has expired by the
/// clock of one claim exists for another one, if the clock was set back.
#[test]
fn a_claim_finds_what_is_there_when_the_clock_goes_back() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        let keys = Sort::new().ascending("state").ascending("n");
        db.documents("jobs").create_index(IndexSpec::new(keys)).unwrap();
        let short = jobs.time_to_live(Duration::from_secs(10));
        short.insert("short", object! { "state": "waiting", "n": 1 }).unwrap();
        jobs.insert("long", object! { "state": "waiting", "n": 2 }).unwrap();
        jobs.insert("other", object! { "state": "waiting", "n": 3 }).unwrap();
        let start = db.snapshot().unwrap().get("jobs", "long").unwrap().unwrap().created();
        let claim = || {
            let sort = Sort::new().ascending("n");
            let claim = jobs.claim(object! { "state": "waiting" }).sort(sort);
            claim.update(object! { "state": "running" }).unwrap().documents[0].id().to_string()
        };
        home.world.advance(Duration::from_secs(20));
        assert_eq!(claim(), "long");
        home.world.set_micros(Time::as_micros(start));
        assert_eq!(claim(), "short");
    });
}

/// The plan of a claim that is repeated is kept, but only as long as it finds what a new one would find:
/// not when an index comes or goes, nor when arrays come into it.
#[test]
fn repeated_claims_follow_their_indexes() {
    in_every_mode(|home| {
        let db = home.db();
        let jobs = db.documents("jobs");
        let claim = |expected: &[&str]| {
            for id in expected {
                let filter = object! { "size": { "$gt": 5, "$lt": 7 }, "done": false };
                let claim = jobs.claim(filter).sort(Sort::new().ascending("size"));
                let claimed = claim.update(object! { "done": true }).unwrap();
                assert_eq!(claimed.documents[0].id().to_string(), *id);
            }
        };
        let insert = |id: &str, size: Value| {
            jobs.insert(id, object! { "size": size, "done": false }).unwrap();
        };
        for number in 0..200 {
            insert(&format!("large {number}"), 9.into());
        }
        jobs.create_index(IndexSpec::new(Sort::new().ascending("size"))).unwrap();
        db.maintain().unwrap();
        ["a", "b", "c"].into_iter().for_each(|id| insert(id, 6.into()));
        claim(&["a", "b"]);
        // Different elements satisfy the two bounds.
        insert("array", vec![Value::from(1), Value::from(10)].into());
        claim(&["array", "c"]);
        insert("d", 6.into());
        insert("e", 6.into());
        claim(&["d"]);
        jobs.drop_index("size_1").unwrap();
        insert("f", 6.into());
        claim(&["e", "f"]);
    });
}
