//! The reported changes: all of them, in order, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use velocitydb::{
    Cause, Change, CollectionName, Consistency, Database, Document, DocumentChange, DocumentId,
    Effect, Mode, Object, Update, object,
};
use velocitydb_storage::contract::Random;

use crate::differential::generator::Generator;
use crate::differential::real;
use crate::differential::step::Step;
use crate::fault::{Fault, Faulty, Place, wait_until};
use crate::world::{MODES, World, options};

const STEPS: u64 = 600;

type Told = Arc<Mutex<Vec<Change>>>;

fn told() -> (Told, impl Fn(Vec<Change>) + Send + Sync) {
    let told = Told::default();
    let listener = {
        let told = told.clone();
        move |changes: Vec<Change>| told.lock().extend(changes)
    };
    (told, listener)
}

/// The state as a consumer of changes reconstructs it.
#[derive(Debug, Default, PartialEq)]
struct State {
    collections: BTreeMap<CollectionName, BTreeMap<DocumentId, (u64, Object)>>,
    index: u64,
}

fn content(document: &Document) -> (u64, Object) {
    (document.version(), document.fields().unwrap())
}

impl State {
    fn apply(&mut self, change: &Change) {
        assert!(change.index >= self.index, "in order: {change:?}");
        self.index = change.index;
        match &change.effect {
            Effect::Created => {
                let before = self.collections.insert(change.collection.clone(), BTreeMap::new());
                assert!(before.is_none(), "{change:?}");
            }
            Effect::Dropped => {
                assert!(self.collections.remove(&change.collection).is_some(), "{change:?}");
            }
            Effect::Document(document) => {
                let DocumentChange { id, version, before, after, .. } = &**document;
                let documents = self.collections.get_mut(&change.collection).unwrap();
                let known = match after {
                    Some(after) => {
                        assert_eq!(after.version(), *version);
                        documents.insert(id.clone(), content(after))
                    }
                    None => documents.remove(id),
                };
                assert_eq!(before.as_ref().map(content), known, "{change:?}");
                assert!(known.is_none_or(|(before, _)| before + 1 == *version), "{change:?}");
            }
        }
    }

    fn of(db: &Database) -> Self {
        let snapshot = db.snapshot().unwrap();
        let collections = snapshot.collections().unwrap().into_iter().map(|one| {
            let documents = snapshot.iter(one.name.as_str()).unwrap().map(|document| {
                let document = document.unwrap();
                (document.id().clone(), content(&document))
            });
            (one.name.clone(), documents.collect())
        });
        State { collections: collections.collect(), index: 0 }
    }
}

/// Replaying the changes gives the documents, whatever was executed, refused, rolled back or expired.
#[test]
fn replaying_the_changes_makes_the_documents() {
    for mode in MODES {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new();
        let (told, listener) = told();
        let options = options(mode, world.clone()).on_changes(listener);
        let db = match mode {
            Mode::MemoryOnly => options.open_in_memory().unwrap(),
            _ => options.open(folder.path()).unwrap(),
        };
        let random = Random::announced("replaying_the_changes_makes_the_documents");
        let mut generator = Generator::new(random);
        let mut state = State::default();
        for number in 0..STEPS {
            let step = generator.next_command();
            let index = db.snapshot().unwrap().index().unwrap();
            real::run(&db, &db.snapshot().unwrap(), &step);
            world.advance(Duration::from_secs(number % 7));
            if number % 50 == 49 {
                real::run(&db, &db.snapshot().unwrap(), &Step::Maintain);
            }
            let changes = std::mem::take(&mut *told.lock());
            if db.snapshot().unwrap().index().unwrap() == index {
                assert!(changes.is_empty(), "{step:?} changed nothing: {changes:?}");
            }
            changes.iter().for_each(|change| state.apply(change));
        }
        while db.maintain_step().unwrap() {}
        told.lock().drain(..).for_each(|change| state.apply(&change));
        state.index = 0;
        assert_eq!(state, State::of(&db), "{mode:?}");
    }
}

/// A change is reported once it is durable: after the fsync, and later changes after it.
#[test]
fn changes_are_told_in_order_when_they_are_settled() {
    let engine = Faulty::new();
    let (told, listener) = told();
    let options = options(Mode::Persistent, World::new()).on_changes(listener);
    let db = options.open_engine(engine.clone()).unwrap();
    let docs = db.documents("docs");
    let local = docs.at(Consistency::Local);
    let ids = || {
        let id = |change: &Change| match &change.effect {
            Effect::Document(document) => document.id.to_string(),
            other => format!("{other:?}"),
        };
        told.lock().drain(..).map(|change| id(&change)).collect::<Vec<_>>()
    };
    local.insert("zero", object! {}).unwrap();
    assert_eq!(ids(), ["Created", "zero"]);
    thread::scope(|scope| {
        let gate = engine.close_gate(Place::Fsync);
        scope.spawn(|| docs.insert("one", object! {}).unwrap());
        engine.await_arrival();
        local.insert("two", object! {}).unwrap();
        let three = scope.spawn(|| docs.insert("three", object! {}).unwrap());
        wait_until("three to be visible", || local.get("three").unwrap().is_some());
        assert!(ids().is_empty());
        gate.let_one_pass();
        engine.await_arrival();
        wait_until("settled changes to be reported", || told.lock().len() == 2);
        assert_eq!(ids(), ["one", "two"]);
        drop(gate);
        three.join().unwrap();
        assert_eq!(ids(), ["three"]);
    });
    // Changes that are not committed, or never become durable, are not reported.
    engine.set(Fault::DiskFull);
    assert!(docs.insert("four", object! {}).is_err());
    engine.set(Fault::Fsync);
    assert!(docs.insert("five", object! {}).is_err());
    assert!(ids().is_empty());
}

#[test]
fn changes_say_why() {
    let (told, listener) = told();
    let world = World::new();
    let options = options(Mode::MemoryOnly, world.clone()).on_changes(listener);
    let db = options.open_in_memory().unwrap();
    let docs = db.documents("docs");
    docs.insert("leased", object! { "state": "waiting" }).unwrap();
    let waiting = Update::new().set("state", "waiting");
    let claim = docs.claim(object! { "state": "waiting" }).lease(Duration::from_secs(10), waiting);
    claim.update(object! { "state": "running" }).unwrap();
    docs.time_to_live(Duration::from_secs(20)).insert("short", object! {}).unwrap();
    world.advance(Duration::from_secs(30));
    db.maintain().unwrap();
    docs.delete("leased").unwrap();
    let causes: Vec<_> = told
        .lock()
        .iter()
        .filter_map(|change| match &change.effect {
            Effect::Document(document) => {
                let id = document.id.to_string();
                Some((id, document.cause, document.after.is_some()))
            }
            _ => None,
        })
        .collect();
    let expected = [
        ("leased", Cause::Written, true),
        ("leased", Cause::Written, true),
        ("short", Cause::Written, true),
        ("short", Cause::Expired, false),
        ("leased", Cause::LeaseEnded, true),
        ("leased", Cause::Written, false),
    ];
    assert_eq!(causes, expected.map(|(id, cause, is_there)| (id.to_owned(), cause, is_there)));
}

/// A consumer of changes may write. It is notified of its own write when it has returned, even if that
/// write waits for an fsync, which the notifying thread has just done.
#[test]
fn whoever_is_told_may_write() {
    MODES.into_iter().for_each(writes_when_told);
}

fn writes_when_told(mode: Mode) {
    let folder = tempfile::tempdir().unwrap();
    let slot: Arc<Mutex<Option<Database>>> = Arc::default();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let listener = {
        let (slot, seen) = (slot.clone(), seen.clone());
        move |changes: Vec<Change>| {
            for change in changes {
                let Effect::Document(document) = change.effect else { continue };
                let id = document.id;
                seen.lock().push(id.to_string());
                let db = slot.lock().clone();
                if let Some(db) = db.filter(|_| id == "first") {
                    db.documents("docs").insert("second", object! {}).unwrap();
                    assert_eq!(*seen.lock(), ["first"]);
                }
            }
        }
    };
    let options = options(mode, World::new()).on_changes(listener);
    let db = match mode {
        Mode::MemoryOnly => options.open_in_memory().unwrap(),
        _ => options.open(folder.path()).unwrap(),
    };
    *slot.lock() = Some(db.clone());
    db.documents("docs").insert("first", object! {}).unwrap();
    assert_eq!(*seen.lock(), ["first", "second"]);
    slot.lock().take();
}

/// A consumer of changes writes for each of them, while many threads write, so that its writes meet
/// groups, fsyncs and what is left to the next fsync. None of them waits for itself.
#[test]
fn whoever_is_told_may_write_among_many_writers() {
    MODES.into_iter().for_each(writes_among_writers);
}

fn writes_among_writers(mode: Mode) {
    const WRITERS: usize = 12;
    const WRITES: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let slot: Arc<Mutex<Option<Database>>> = Arc::default();
    let indexes: Arc<Mutex<Vec<u64>>> = Arc::default();
    let listener = {
        let (slot, indexes) = (slot.clone(), indexes.clone());
        move |changes: Vec<Change>| {
            for change in changes {
                indexes.lock().push(change.index);
                let db = slot.lock().clone();
                if let (Effect::Document(document), Some(db)) = (change.effect, db)
                    && change.collection.as_str() == "docs"
                {
                    let echoes = db.documents("echoes").at(Consistency::Strong);
                    echoes.insert(document.id, object! {}).unwrap();
                }
            }
        }
    };
    let options = options(mode, World::new()).on_changes(listener);
    let db = match mode {
        Mode::MemoryOnly => options.open_in_memory().unwrap(),
        _ => options.open(folder.path()).unwrap(),
    };
    *slot.lock() = Some(db.clone());
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let docs = db.documents("docs").at(Consistency::Strong);
            scope.spawn(move || {
                for write in 0..WRITES {
                    docs.insert(format!("{writer}-{write}"), object! {}).unwrap();
                }
            });
        }
    });
    wait_until("an echo of every document", || {
        db.documents("echoes").count().unwrap() == (WRITERS * WRITES) as u64
    });
    assert!(indexes.lock().is_sorted());
    slot.lock().take();
}
