//! Steps are bounded in bytes, not only in number.
//!
//! Steps of 256 and of 1,000 documents were meant for documents of some hundred bytes: of 60 documents
//! of 10 MB, `list` held 1.3 GB and `update_many` 2.5 GB. What an engine is asked for at a time is weighed here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use velocitydb::{Database, Direction, Error, InputError, List, Mode, Sort, object};
use velocitydb_storage::memory::Memory;
use velocitydb_storage::{
    Batch, Blob, Bounds, Durability, Engine, EngineStats, Keyspace, Result, Snapshot, Visit,
};

use crate::world::{World, options};

const MEGABYTE: usize = 1 << 20;

/// An engine that weighs what it is asked for.
struct Weighing {
    inner: Memory,
    weights: Arc<Weights>,
}

#[derive(Default)]
struct Weights {
    /// Bytes of the largest batch.
    commit: AtomicUsize,
    /// Bytes that the longest scan has shown.
    scan: AtomicUsize,
}

struct WeighingSnapshot {
    inner: Arc<dyn Snapshot>,
    weights: Arc<Weights>,
}

impl Engine for Weighing {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.inner.get(keyspace, key)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        let (inner, weights) = (self.inner.snapshot()?, self.weights.clone());
        Ok(Arc::new(WeighingSnapshot { inner, weights }))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        self.weights.commit.fetch_max(batch.byte_length(), Ordering::SeqCst);
        self.inner.commit(batch, durability)
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn stats(&self) -> EngineStats {
        self.inner.stats()
    }
}

impl Snapshot for WeighingSnapshot {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.inner.get(keyspace, key)
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: velocitydb_storage::Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let mut shown = 0;
        let result = self.inner.scan(keyspace, bounds, direction, &mut |key, value| {
            shown += key.len() + value.len();
            visit(key, value)
        });
        self.weights.scan.fetch_max(shown, Ordering::SeqCst);
        result
    }
}

/// A database with a collection `large` of `count` documents of a megabyte each, all weights at 0.
struct Scales {
    db: Database,
    weights: Arc<Weights>,
}

impl Scales {
    fn new(count: usize) -> Self {
        let weights = Arc::new(Weights::default());
        let engine = Arc::new(Weighing { inner: Memory::new(3), weights: weights.clone() });
        let db = options(Mode::MemoryOnly, World::new()).open_engine(engine).unwrap();
        let large = db.documents("large");
        for number in 0..count {
            let pad = "x".repeat(MEGABYTE - 100);
            large.insert(&id(number), object! { "n": number as i64, "pad": pad }).unwrap();
        }
        weights.commit.store(0, Ordering::SeqCst);
        weights.scan.store(0, Ordering::SeqCst);
        Scales { db, weights }
    }

    fn commit_megabytes(&self) -> usize {
        self.weights.commit.load(Ordering::SeqCst) / MEGABYTE
    }

    fn scan_megabytes(&self) -> usize {
        self.weights.scan.load(Ordering::SeqCst) / MEGABYTE
    }
}

fn id(number: usize) -> String {
    format!("{number:04}")
}

#[test]
fn iterating_fetches_a_megabyte_at_a_time() {
    let scales = Scales::new(20);
    assert_eq!(scales.db.documents("large").iter().unwrap().count(), 20);
    assert!(scales.scan_megabytes() <= 2, "{} MB", scales.scan_megabytes());
}

/// Pages end at a bound of bytes, go on behind it, and together have everything. A document that is
/// larger than the bound is a page of its own.
#[test]
fn pages_end_at_a_bound_of_bytes() {
    let scales = Scales::new(7);
    let large = scales.db.documents("large");
    for direction in [Direction::Forward, Direction::Backward] {
        for (bytes_max, expected) in
            [(1, vec![1; 7]), (3 * MEGABYTE, vec![3, 3, 1]), (7 * MEGABYTE, vec![7])]
        {
            let mut list =
                List { bytes_max: Some(bytes_max), limit: Some(100), direction, ..List::default() };
            let (mut pages, mut ids) = (Vec::new(), Vec::new());
            loop {
                let page = large.list(&list).unwrap();
                pages.push(page.documents.len());
                ids.extend(page.documents.iter().map(|one| one.id().as_str().to_owned()));
                list.after = page.next;
                if list.after.is_none() {
                    break;
                }
            }
            assert_eq!(pages, expected, "{bytes_max} bytes");
            if direction == Direction::Backward {
                ids.reverse();
            }
            assert_eq!(ids, (0..7).map(id).collect::<Vec<_>>());
        }
    }
}

#[test]
fn many_large_documents_are_changed_in_steps() {
    let scales = Scales::new(30);
    let large = scales.db.documents("large");
    let changed = large.update_many(object! {}, object! { "seen": true }).unwrap();
    assert_eq!(changed.count, 30);
    assert!(scales.commit_megabytes() <= 10, "{} MB", scales.commit_megabytes());
    assert_eq!(large.find(object! { "seen": true }).count().unwrap(), 30);
    let deleted = large.delete_many(object! {}).unwrap();
    assert_eq!((deleted.count, large.count().unwrap()), (30, 0));
}

/// The first of a sort needs no memory for all: 66 documents were held for it, whatever their size.
#[test]
fn the_first_of_a_sort_does_not_hold_the_others() {
    let scales = Scales::new(30);
    let large = scales.db.documents("large");
    let find = || large.find(object! {}).sort(Sort::new().descending("n"));
    let first = find().limit(1).memory_limit(4 * MEGABYTE).documents().unwrap();
    assert_eq!(first[0].id().as_str(), id(29));
    let part = find().limit(3).offset(5).memory_limit(18 * MEGABYTE).documents().unwrap();
    let ids: Vec<_> = part.iter().map(|one| one.id().as_str().to_owned()).collect();
    assert_eq!(ids, [id(24), id(23), id(22)]);
    let error = find().limit(10).memory_limit(4 * MEGABYTE).documents().unwrap_err();
    assert!(matches!(error, Error::Invalid(InputError::LimitExceeded { .. })), "{error}");
    let claimed = large.claim(object! {}).sort(Sort::new().descending("n"));
    let claimed = claimed.update(object! { "state": "running" }).unwrap();
    assert_eq!(claimed.documents[0].id().as_str(), id(29));
}

/// Every element of an array has an entry with the values of the other keys. Of a text of 8 MB beside
/// an array of 9,000 numbers the entries would have 72 GB, and were made before they were measured.
#[test]
fn entries_of_one_document_are_measured_before_they_are_made() {
    let scales = Scales::new(0);
    let keys = Sort::new().ascending("list").ascending("text");
    scales.db.create_index("c", velocitydb::IndexSpec::new(keys)).unwrap();
    let documents = scales.db.documents("c");
    let list: Vec<_> = (0..9_000).map(velocitydb::Value::from).collect();
    for (length, expected) in
        [(8 * MEGABYTE, "an index entry"), (8_000, "in one index"), (1_000, "")]
    {
        let fields = object! { "list": list.clone(), "text": "x".repeat(length) };
        match documents.insert("a", fields) {
            Err(error) => {
                let is_expected = !expected.is_empty() && error.to_string().contains(expected);
                assert!(is_expected, "{length}: {error}");
            }
            Ok(_) => assert_eq!(expected, "", "{length}"),
        }
    }
    assert_eq!(documents.find(object! { "list": 8_999 }).count().unwrap(), 1);
}
