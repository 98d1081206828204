//! Steps are bounded in bytes, not only in number.
//!
//! Steps of 256 and of 1,000 documents were meant for documents of some hundred bytes: of 60 documents
//! of 10 MB, `list` held 1.3 GB and `update_many` 2.5 GB. What an engine is asked for at a time is weighed here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use velocitydb::{Database, Error, IndexSpec, Mode, Sort, object};
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
    world: Arc<World>,
    weights: Arc<Weights>,
}

impl Scales {
    fn new(count: usize) -> Self {
        let weights = Arc::new(Weights::default());
        let engine = Arc::new(Weighing { inner: Memory::new(3), weights: weights.clone() });
        let world = World::new();
        let db = options(Mode::MemoryOnly, world.clone()).open_engine(engine).unwrap();
        let large = db.documents("large");
        for number in 0..count {
            let pad = "x".repeat(MEGABYTE - 100);
            large.insert(id(number), object! { "n": number as i64, "pad": pad }).unwrap();
        }
        weights.commit.store(0, Ordering::SeqCst);
        weights.scan.store(0, Ordering::SeqCst);
        Scales { db, world, weights }
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
    let by_id = || [Sort::new().ascending("_id"), Sort::new().descending("_id")];
    for sort in by_id() {
        let is_backward = sort == by_id()[1];
        for (bytes_max, expected) in
            [(1, vec![1; 7]), (3 * MEGABYTE, vec![3, 3, 1]), (7 * MEGABYTE, vec![7])]
        {
            let (mut pages, mut ids, mut after) = (Vec::new(), Vec::new(), None);
            loop {
                let find = large.find(object! {}).sort(sort.clone()).page_bytes(bytes_max);
                let find = find.limit(100);
                let page = match after {
                    Some(token) => find.after(token).page().unwrap(),
                    None => find.page().unwrap(),
                };
                pages.push(page.documents.len());
                ids.extend(page.documents.iter().map(|one| one.id().to_string()));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(pages, expected, "{bytes_max} bytes");
            if is_backward {
                ids.reverse();
            }
            assert_eq!(ids, (0..7).map(id).collect::<Vec<_>>());
        }
    }
}

/// Pages of a query do so too, in the order of its sort.
#[test]
fn pages_of_queries_end_at_a_bound_of_bytes() {
    let scales = Scales::new(7);
    let large = scales.db.documents("large");
    let sorts = [Sort::new(), Sort::new().descending("n")];
    for (sort, bytes_max, expected) in [
        (&sorts[0], 1, vec![1; 7]),
        (&sorts[0], 3 * MEGABYTE, vec![3, 3, 1]),
        (&sorts[1], 3 * MEGABYTE, vec![3, 3, 1]),
        (&sorts[1], 7 * MEGABYTE, vec![7]),
    ] {
        let find = || large.find(object! {}).sort(sort.clone()).page_bytes(bytes_max);
        let (mut pages, mut ids, mut next) = (Vec::new(), Vec::new(), None);
        loop {
            let page = match next.take() {
                Some(cursor) => find().limit(100).after(cursor).page(),
                None => find().page(),
            };
            let page = page.unwrap();
            pages.push(page.documents.len());
            ids.extend(page.documents.iter().map(|one| one.id().to_string()));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(pages, expected, "{bytes_max} bytes");
        if *sort == sorts[1] {
            ids.reverse();
        }
        assert_eq!(ids, (0..7).map(id).collect::<Vec<_>>());
    }
}

/// Ends of leases write documents, as many at a time as a step may: by maintenance, and before a
/// claim that is to find them released.
#[test]
fn leases_on_large_documents_end_in_steps() {
    let scales = Scales::new(30);
    let large = scales.db.documents("large");
    let claim = |limit| {
        let claim = large.claim(object! { "state": { "$ne": "running" } }).limit(limit);
        let claim = claim.lease(Duration::from_secs(1), object! { "state": "waiting" });
        claim.update(object! { "state": "running" }).unwrap()
    };
    let end_all = || {
        scales.world.advance(Duration::from_secs(2));
        scales.weights.commit.store(0, Ordering::SeqCst);
    };
    (0..30).for_each(|_| assert_eq!(claim(1).documents.len(), 1));
    end_all();
    scales.db.maintain().unwrap();
    assert_eq!(large.find(object! { "state": "waiting" }).count().unwrap(), 30);
    assert!(scales.commit_megabytes() <= 10, "{} MB", scales.commit_megabytes());
    (0..30).for_each(|_| assert_eq!(claim(1).documents.len(), 1));
    end_all();
    assert_eq!(claim(1).documents.len(), 1);
    assert_eq!(large.find(object! { "state": "waiting" }).count().unwrap(), 29);
    assert!(scales.commit_megabytes() <= 10, "{} MB", scales.commit_megabytes());
}

/// A claim of many was an error where their documents are large. It takes fewer.
#[test]
fn a_claim_of_large_documents_takes_fewer() {
    let scales = Scales::new(70);
    let large = scales.db.documents("large");
    let take = || {
        let claim = large.claim(object! { "state": { "$exists": false } }).limit(1_000);
        claim.update(object! { "state": "running" }).unwrap().documents.len()
    };
    assert_eq!([take(), take(), take()], [65, 5, 0]);
    // What the update adds counts too.
    let pad = "x".repeat(8 * MEGABYTE);
    let claim = large.claim(object! {}).limit(1_000);
    let taken = claim.update(object! { "more": pad }).unwrap().documents.len();
    assert!((4..=16).contains(&taken), "{taken}");
}

/// Building an index writes entries that are many times the size of their documents.
#[test]
fn an_index_of_many_entries_a_document_is_built_in_steps() {
    let scales = Scales::new(0);
    let wide = scales.db.documents("wide");
    for number in 0..20 {
        let list: Vec<i64> = (0..200).collect();
        let pad = "x".repeat(8_000);
        wide.insert(id(number), object! { "list": list, "pad": pad }).unwrap();
    }
    scales.weights.commit.store(0, Ordering::SeqCst);
    let keys = Sort::new().ascending("list").ascending("pad");
    scales.db.documents("wide").create_index(IndexSpec::new(keys)).unwrap();
    assert!(scales.commit_megabytes() <= 10, "{} MB", scales.commit_megabytes());
    assert_eq!(wide.find(object! { "list": 7 }).count().unwrap(), 20);
    assert!(scales.db.snapshot().unwrap().check().unwrap().is_healthy());
}

/// Merged ranges are fetched by bytes too.
#[test]
fn merged_ranges_fetch_a_megabyte_at_a_time() {
    let scales = Scales::new(0);
    let docs = scales.db.documents("docs");
    for number in 0..6_000_i64 {
        let text = format!("{number:04}{}", "x".repeat(5_000));
        docs.insert(id(number as usize), object! { "kind": number % 4, "text": text }).unwrap();
    }
    let keys = Sort::new().ascending("kind").ascending("text");
    scales.db.documents("docs").create_index(IndexSpec::new(keys)).unwrap();
    let sort = Sort::new().ascending("text");
    let found = docs.find(object! { "kind": { "$in": [0, 1, 2, 3] } }).sort(sort).limit(600);
    let plan = found.clone().explain().unwrap().plan;
    assert_eq!(plan["merged"], true.into(), "{plan:?}");
    scales.weights.scan.store(0, Ordering::SeqCst);
    let ids: Vec<_> = found.documents().unwrap().iter().map(|one| one.id().to_string()).collect();
    assert_eq!(ids, (0..600).map(id).collect::<Vec<_>>());
    assert!(scales.scan_megabytes() < 1, "{} MB", scales.scan_megabytes());
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
    assert_eq!(first[0].id().to_string(), id(29));
    let part = find().limit(3).offset(5).memory_limit(18 * MEGABYTE).documents().unwrap();
    let ids: Vec<_> = part.iter().map(|one| one.id().to_string()).collect();
    assert_eq!(ids, [id(24), id(23), id(22)]);
    let error = find().limit(10).memory_limit(4 * MEGABYTE).documents().unwrap_err();
    assert!(matches!(error, Error::MemoryExceeded { .. }), "{error}");
    let claimed = large.claim(object! {}).sort(Sort::new().descending("n"));
    let claimed = claimed.update(object! { "state": "running" }).unwrap();
    assert_eq!(claimed.documents[0].id().to_string(), id(29));
}

/// Every element of an array has an entry with the values of the other keys. Of a text of 8 MB beside
/// an array of 9,000 numbers the entries would have 72 GB, and were made before they were measured.
#[test]
fn entries_of_one_document_are_measured_before_they_are_made() {
    let scales = Scales::new(0);
    let keys = Sort::new().ascending("list").ascending("text");
    scales.db.documents("c").create_index(velocitydb::IndexSpec::new(keys)).unwrap();
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
