//! What a command costs does not depend on how many collections there are: keys that are read,
//! visited and written are counted among few and among many.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use velocitydb::schema::{Field, Schema};
use velocitydb::{Database, Existing, IndexSpec, Mode, object};
use velocitydb_storage::memory::Memory;
use velocitydb_storage::{
    Batch, Blob, Bounds, Direction, Durability, Engine, EngineStats, Error, Keyspace, Result, Room,
    Snapshot, Visit,
};

use crate::world::{World, options};

type Keys = BTreeSet<(Keyspace, Vec<u8>)>;

/// An engine that counts the keys that go through it, and whose disk can be full.
struct Counting {
    inner: Memory,
    keys: Arc<AtomicU64>,
    /// Commits up to the next one that fails.
    fails_after: AtomicU64,
    /// Deleted keys that scans would still pass; `None` if they are not counted.
    deleted: Option<Arc<Mutex<Keys>>>,
    age: Arc<Age>,
}

/// How many commits there were, and the most of them that a snapshot lived through.
#[derive(Default)]
struct Age {
    commits: AtomicU64,
    longest: AtomicU64,
}

struct CountingSnapshot {
    inner: Arc<dyn Snapshot>,
    keys: Arc<AtomicU64>,
    deleted: Option<Arc<Mutex<Keys>>>,
    age: Arc<Age>,
    born: u64,
}

impl Drop for CountingSnapshot {
    fn drop(&mut self) {
        let lived = self.age.commits.load(Ordering::SeqCst) - self.born;
        self.age.longest.fetch_max(lived, Ordering::SeqCst);
    }
}

impl Counting {
    fn new() -> Arc<Self> {
        Arc::new(Self::plain())
    }

    fn plain() -> Self {
        let (keys, fails_after) = (Arc::default(), AtomicU64::new(u64::MAX));
        Counting { inner: Memory::new(3), keys, fails_after, deleted: None, age: Arc::default() }
    }

    fn database(self: &Arc<Self>, world: &Arc<World>) -> Database {
        options(Mode::MemoryOnly, world.clone()).open_engine(self.clone()).unwrap()
    }

    /// How many keys `work` reads, visits and writes.
    fn count<T>(&self, work: impl FnOnce() -> T) -> u64 {
        let before = self.keys.load(Ordering::SeqCst);
        work();
        self.keys.load(Ordering::SeqCst) - before
    }
}

impl Engine for Counting {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.keys.fetch_add(1, Ordering::SeqCst);
        self.inner.get(keyspace, key)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        let (inner, keys) = (self.inner.snapshot()?, self.keys.clone());
        let (deleted, age) = (self.deleted.clone(), self.age.clone());
        let born = age.commits.load(Ordering::SeqCst);
        Ok(Arc::new(CountingSnapshot { inner, keys, deleted, age, born }))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        if self.fails_after.fetch_sub(1, Ordering::SeqCst) == 0 {
            let room = Some(Room { free_bytes: 0, needed_bytes: 1 });
            return Err(Error::DiskFull { path: "/data".into(), room });
        }
        self.keys.fetch_add(batch.len() as u64, Ordering::SeqCst);
        if let Some(deleted) = &self.deleted {
            let mut deleted = deleted.lock().unwrap();
            for write in batch.writes().filter(|write| !write.is_overwritten) {
                let key = (write.keyspace, write.key.to_vec());
                match write.value {
                    Some(_) => deleted.remove(&key),
                    None => deleted.insert(key),
                };
            }
        }
        self.age.commits.fetch_add(1, Ordering::SeqCst);
        self.inner.commit(batch, durability)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> EngineStats {
        self.inner.stats()
    }
}

impl Snapshot for CountingSnapshot {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.keys.fetch_add(1, Ordering::SeqCst);
        self.inner.get(keyspace, key)
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let mut last = None;
        self.inner.scan(keyspace, bounds, direction, &mut |key, value| {
            self.keys.fetch_add(1, Ordering::SeqCst);
            let flow = visit(key, value);
            last = flow.is_break().then(|| key.to_vec());
            flow
        })?;
        if let Some(deleted) = &self.deleted {
            let is_passed = |key: &[u8]| match (&last, direction) {
                (None, _) => bounds.end.is_none_or(|end| key < end),
                (Some(last), Direction::Forward) => key < &last[..],
                (Some(last), Direction::Backward) => &last[..] < key,
            };
            let deleted = deleted.lock().unwrap();
            let from = deleted.range((keyspace, bounds.start.to_vec())..);
            let within = from.take_while(|(other, key)| {
                *other == keyspace && bounds.end.is_none_or(|end| &key[..] < end)
            });
            let passed = within.filter(|(_, key)| is_passed(key)).count();
            self.keys.fetch_add(passed as u64, Ordering::SeqCst);
        }
        Ok(())
    }
}

const MANY: u32 = 10_000;

fn name(number: u32) -> String {
    format!("collection-{number}")
}

/// What each kind of command costs among `count` collections, each with an index.
fn costs(count: u32) -> Vec<(&'static str, u64)> {
    let (engine, world) = (Counting::new(), World::new());
    let db = engine.database(&world);
    for number in 0..count {
        db.documents(&name(number)).create_index(IndexSpec::on("a")).unwrap();
        db.documents(&name(number)).insert("first", object! { "a": number }).unwrap();
    }
    let last = db.documents(&name(count - 1));
    let mut costs = Vec::new();
    let mut cost = |what, work: &dyn Fn()| costs.push((what, engine.count(work)));
    cost("create", &|| db.create_collection("new", Default::default()).unwrap());
    cost("insert", &|| drop(last.insert("second", object! { "a": 7 }).unwrap()));
    cost("insert into a new one", &|| {
        drop(db.documents("newer").insert("first", object! {}).unwrap());
    });
    cost("get", &|| drop(last.get("first").unwrap()));
    cost("get from none", &|| drop(db.documents("none").get("first").unwrap()));
    cost("find", &|| assert_eq!(last.find(object! { "a": 7 }).documents().unwrap().len(), 1));
    cost("count", &|| assert_eq!(last.count().unwrap(), 2));
    cost("last index", &|| assert!(db.snapshot().unwrap().index().unwrap() > 0));
    cost("health", &|| assert!(db.health().is_readable));
    cost("index", &|| db.documents(&name(0)).create_index(IndexSpec::on("b")).unwrap());
    cost("drop index", &|| db.documents(&name(0)).drop_index("a_1").unwrap());
    cost("maintain", &|| db.maintain().unwrap());
    cost("drop", &|| db.drop_collection(&name(0)).unwrap());
    cost("maintain after a drop", &|| db.maintain().unwrap());
    cost("refused", &|| drop(last.insert("second", object! {}).unwrap_err()));
    cost("full disk", &|| {
        engine.fails_after.store(0, Ordering::SeqCst);
        last.insert("third", object! {}).unwrap_err();
        engine.fails_after.store(u64::MAX, Ordering::SeqCst);
    });
    cost("insert afterwards", &|| drop(last.insert("third", object! {}).unwrap()));
    costs
}

/// Every commit iterated over all collections in memory, a refused one reloaded the catalog, the number of
/// the last command was found by reading it too, and a step of maintenance made a list of all names.
#[test]
fn a_command_costs_the_same_among_few_and_among_many_collections() {
    let (few, many) = (costs(10), costs(MANY));
    for ((what, among_few), (_, among_many)) in few.iter().zip(&many) {
        assert!(among_many <= among_few, "{what}: {among_few} keys, among many {among_many}");
    }
}

/// Opening reads each row of the catalog a bounded number of times.
#[test]
fn opening_is_linear_in_the_number_of_collections() {
    let cost = |count: u32| {
        let (engine, world) = (Counting::new(), World::new());
        let db = engine.database(&world);
        for number in 0..count {
            db.documents(&name(number)).create_index(IndexSpec::on("a")).unwrap();
        }
        drop(db);
        engine.count(|| engine.database(&world))
    };
    let (few, many) = (cost(100), cost(1_000));
    assert!(many <= 10 * few + 100, "{few} keys for 100 collections, {many} for 1,000");
    assert!(many <= 10 * 1_000, "{many} keys for 1,000 collections");
}

/// Names of dropped collections are forgotten in the order of their age. They were considered in the order
/// of names, all of them with every step, and old ones after a thousand young ones were never reached.
#[test]
fn dropped_names_are_forgotten_by_age() {
    let (engine, world) = (Counting::new(), World::new());
    let db = engine.database(&world);
    db.create_collection("z-old", Default::default()).unwrap();
    db.drop_collection("z-old").unwrap();
    world.advance(Duration::from_secs(23 * 60 * 60));
    for number in 0..1_500 {
        db.create_collection(&name(number), Default::default()).unwrap();
        db.drop_collection(&name(number)).unwrap();
    }
    db.maintain().unwrap();
    let idle = engine.count(|| db.maintain().unwrap());
    assert!(idle < 20, "{idle} keys for a step that has nothing to do");
    let rows = |engine: &Counting| {
        let mut rows = 0;
        let snapshot = engine.snapshot().unwrap();
        let bounds = Bounds { start: b"d", end: Some(b"e") };
        let visit = &mut |_: &[u8], _: &[u8]| {
            rows += 1;
            ControlFlow::Continue(())
        };
        snapshot.scan(Keyspace(1), bounds, Direction::Forward, visit).unwrap();
        rows
    };
    assert_eq!(rows(&engine), 1_501);
    world.advance(Duration::from_secs(2 * 60 * 60));
    db.maintain().unwrap();
    assert_eq!(rows(&engine), 1_500, "the old one is forgotten, and no young one");
    world.advance(Duration::from_secs(24 * 60 * 60));
    db.maintain().unwrap();
    assert_eq!(rows(&engine), 0);
    assert!(db.snapshot().unwrap().check().unwrap().is_healthy());
}

/// A commit that failed takes back just what its group had done, names included.
#[test]
fn a_failed_commit_leaves_the_catalog_as_it_was() {
    let (engine, world) = (Counting::new(), World::new());
    let db = engine.database(&world);
    db.documents("stays").create_index(IndexSpec::on("a").unique()).unwrap();
    db.documents("stays").insert("first", object! { "a": 1 }).unwrap();
    let fail = |work: &dyn Fn() -> bool| {
        engine.fails_after.store(0, Ordering::SeqCst);
        assert!(work(), "it failed");
        engine.fails_after.store(u64::MAX, Ordering::SeqCst);
    };
    fail(&|| db.drop_collection("stays").is_err());
    fail(&|| db.create_collection("new", Default::default()).is_err());
    fail(&|| db.documents("stays").drop_index("a_1").is_err());
    fail(&|| db.documents("stays").insert("second", object! { "a": 2 }).is_err());
    assert_eq!(db.documents("stays").count().unwrap(), 1);
    assert!(db.documents("new").get("any").unwrap().is_none());
    assert!(db.documents("stays").insert("second", object! { "a": 1 }).is_err());
    db.create_collection("new", Default::default()).unwrap();
    let third = db.documents("stays").insert("third", object! { "a": 3 }).unwrap();
    assert_eq!(third.version, 1);
    assert!(db.snapshot().unwrap().check().unwrap().is_healthy());
    let reopened = engine.database(&world);
    assert_eq!(
        reopened.snapshot().unwrap().index().unwrap(),
        db.snapshot().unwrap().index().unwrap()
    );
}

/// Each step of removing passed all that the steps before it had deleted.
#[test]
fn removing_takes_time_in_proportion() {
    let costs = |count: u32| {
        let world = World::new();
        let engine = Counting { deleted: Some(Arc::default()), ..Counting::plain() };
        let engine = Arc::new(engine);
        let options = options(Mode::MemoryOnly, world.clone()).maintenance_step(100);
        let db = options.open_engine(engine.clone()).unwrap();
        let document = |number: u32| (format!("{number:06}"), object! { "a": number, "state": 1 });
        let fill = |name: &str| {
            let documents = db.documents(name);
            documents.insert_many((0..count).map(document)).unwrap();
            documents
        };
        let mut costs = Vec::new();
        let mut cost = |what, work: &dyn Fn()| costs.push((what, engine.count(work)));

        let short = db.documents("expires").time_to_live(Duration::from_secs(1));
        short.insert_many((0..count).map(document)).unwrap();
        world.advance(Duration::from_secs(10));
        cost("expire", &|| db.maintain().unwrap());
        assert_eq!(short.count().unwrap(), 0);

        let jobs = fill("jobs");
        for _ in 0..count / 1_000 {
            let claim = jobs.claim(object! { "state": 1 }).limit(1_000);
            let claim = claim.lease(Duration::from_secs(1), object! { "state": 1 });
            claim.update(object! { "state": 2 }).unwrap();
        }
        world.advance(Duration::from_secs(10));
        cost("end leases", &|| db.maintain().unwrap());
        assert_eq!(jobs.find(object! { "state": 1 }).count().unwrap(), u64::from(count));

        fill("indexed");
        db.documents("indexed").create_index(IndexSpec::on("a")).unwrap();
        db.documents("indexed").drop_index("a_1").unwrap();
        cost("drop an index", &|| db.maintain().unwrap());
        db.documents("indexed").delete_many(object! {}).unwrap();
        fill("indexed");
        db.documents("indexed").delete_many(object! {}).unwrap();
        fill("dropped");
        db.drop_collection("indexed").unwrap();
        db.drop_collection("dropped").unwrap();
        cost("drop collections", &|| db.maintain().unwrap());

        fill("deleted").delete_many(object! {}).unwrap();
        world.advance(Duration::from_secs(25 * 60 * 60));
        cost("forget tombstones", &|| db.maintain().unwrap());
        assert!(db.snapshot().unwrap().check().unwrap().is_healthy());
        costs
    };
    let (few, many) = (costs(1_000), costs(8_000));
    for ((what, few), (_, many)) in few.iter().zip(&many) {
        assert!(*many <= 10 * few, "{what}: {few} keys for 1,000, {many} for 8,000");
    }
}

/// A key that cannot be read keeps a list waiting, and loses nothing of it: what was taken from the
/// list with it is taken again. It was passed, up to the next opening.
#[test]
fn what_was_taken_with_an_unreadable_key_is_taken_again() {
    let (engine, world) = (Counting::new(), World::new());
    let db = engine.database(&world);
    db.documents("docs").insert("a", object! {}).unwrap();
    db.documents("docs").delete("a").unwrap();
    let unreadable = [b"u".as_slice(), &[0; 8]].concat();
    let mut batch = Batch::new();
    batch.put(Keyspace(1), &unreadable, &[]);
    engine.commit(&batch, Durability::Memory).unwrap();
    world.advance(Duration::from_secs(25 * 60 * 60));
    db.maintain().unwrap();
    assert_eq!(db.collections().unwrap()[0].tombstones, 1);
    batch.clear();
    batch.delete(Keyspace(1), &unreadable);
    engine.commit(&batch, Durability::Memory).unwrap();
    db.maintain().unwrap();
    assert_eq!(db.collections().unwrap()[0].tombstones, 0);
}

/// Defaults were filled in with the state of the beginning held to the end, which kept every
/// document as it was beside what it became.
#[test]
fn filling_in_defaults_holds_no_state_for_long() {
    let (engine, world) = (Counting::new(), World::new());
    let db = engine.database(&world);
    let jobs = db.documents("jobs");
    jobs.insert_many((0..10_000).map(|at| (format!("{at:05}"), object! { "a": at }))).unwrap();
    let field = Field::string().default("new");
    let schema = Schema::builder().field("state", field).build().unwrap();
    engine.age.longest.store(0, Ordering::SeqCst);
    db.documents("jobs").set_schema(&schema, Existing::Check).unwrap();
    let longest = engine.age.longest.load(Ordering::SeqCst);
    assert!(longest <= 3, "a snapshot lived through {longest} commits");
    assert_eq!(jobs.find(object! { "state": "new" }).count().unwrap(), 10_000);
    assert_eq!(jobs.get("00000").unwrap().unwrap().version(), 2);
}
