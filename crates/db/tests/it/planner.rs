//! Random queries with and without random indexes: whichever there are, the answer is that of a
//! linear scan, and pages put together are the whole.
//!
//! `VELOCITYDB_SEED` replays a run, `VELOCITYDB_ROUNDS` says how many there are.

use std::collections::{BTreeMap, BTreeSet};

use velocitydb::{
    Accumulator, Database, Documents, Error, Filter, IndexSpec, Mode, Object, PageToken, Pipeline,
    Projection, Sort, Value, object,
};
use velocitydb_storage::contract::Random;

use crate::differential::id::Id;
use crate::queries::{Queries, id_of, matching, sorted};
use crate::world::Home;

const DOCUMENTS: u64 = 260;
const INDEXES: usize = 6;
const QUERIES: usize = 120;
const ROUNDS: u64 = 2;

fn rounds() -> u64 {
    let given = std::env::var("VELOCITYDB_ROUNDS").ok();
    given.and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

/// The same documents several times: with no index, with each of them, with all.
struct Variants {
    home: Home,
    names: Vec<String>,
    documents: BTreeMap<Id, Object>,
    /// The number of indexes shows what a failure was about.
    specs: Vec<IndexSpec>,
}

impl Variants {
    fn new(queries: &mut Queries) -> Self {
        let home = Home::new(Mode::MemoryOnly);
        let count = queries.random.within(1..DOCUMENTS);
        let specs: Vec<_> =
            (0..INDEXES).map(|n| queries.any_index().named(format!("index{n}"))).collect();
        // What a unique index refuses is in none of the variants.
        let sieve = home.db().documents("sieve");
        for spec in specs.iter().filter(|spec| spec.is_unique()) {
            home.db().documents("sieve").create_index(spec.clone()).unwrap();
        }
        let mut documents = BTreeMap::new();
        for n in 0..count {
            let (id, fields) = (Id::read(&id_of(n)), queries.object());
            match sieve.insert(&id, &fields) {
                Ok(_) => drop(documents.insert(id, fields)),
                Err(Error::Duplicate { .. } | Error::Inapplicable { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        let mut names = vec!["none".to_owned(), "all".to_owned()];
        names.extend((0..specs.len()).map(|n| format!("one{n}")));
        let variants = Variants { home, names, documents, specs };
        for name in &variants.names {
            let db = variants.home.db();
            // Some are built over documents that are there, others kept up from the start.
            let is_built = queries.random.one_in(2);
            if !is_built {
                variants.create_indexes(db, name);
            }
            let all = variants.documents.iter().map(|(id, fields)| (id.clone(), fields.clone()));
            for (id, fields) in all {
                db.documents(name).upsert(&id, fields).unwrap();
            }
            if is_built {
                variants.create_indexes(db, name);
            }
        }
        if queries.random.one_in(2) {
            variants.home.db().analyze().unwrap();
        }
        variants
    }

    /// A filter and a sort, of which half were made for one of the indexes.
    fn question(&self, queries: &mut Queries) -> (Filter, Sort) {
        if queries.random.one_in(2) {
            return (queries.filter(), queries.sort());
        }
        let index = queries.random.within(0..self.specs.len() as u64) as usize;
        queries.fitting(&self.specs[index])
    }

    fn create_indexes(&self, db: &Database, name: &str) {
        for (n, spec) in self.specs.iter().enumerate() {
            if name == "all" || name == format!("one{n}") {
                db.documents(name).create_index(spec.clone()).unwrap();
            }
        }
    }

    fn explain(&self, name: &str, filter: &Filter, sort: Option<&Sort>) -> String {
        let find = self.home.db().documents(name).find(filter.clone());
        let find = match sort {
            Some(sort) => find.sort(sort.clone()),
            None => find,
        };
        let specs: Vec<_> = self.specs.iter().map(|spec| spec.to_object().to_json()).collect();
        let plan = find.explain().map(|explained| explained.to_object().to_json());
        format!(
            "{name}: filter {}, sort {:?}, plan {plan:?}, indexes {specs:#?}",
            filter.to_json(),
            sort.map(|sort| sort.to_value().to_json())
        )
    }
}

fn ids(documents: &[velocitydb::Document]) -> Vec<Id> {
    documents.iter().map(|document| Id::read(document.id())).collect()
}

/// The ways to documents that were taken, so that a test which takes none of the interesting ones is
/// noticed.
fn ways(find: velocitydb::Find, ways: &mut BTreeMap<String, u64>) {
    let plan = find.explain().unwrap().plan;
    let is = |name: &str| plan.get(name).is_some_and(|value| *value == Value::from(true));
    let mut way = plan["access"].as_str().unwrap().to_owned();
    for flag in ["covered", "merged"] {
        if is(flag) {
            way.push_str(&format!(" {flag}"));
        }
    }
    if plan.get("sorted_by").is_some_and(|by| *by == Value::from("access")) {
        way.push_str(" sorted");
    }
    *ways.entry(way).or_default() += 1;
}

#[test]
fn indexes_change_no_answer() {
    let random = Random::announced("indexes_change_no_answer");
    let mut queries = Queries::new(random);
    let mut taken = BTreeMap::new();
    for _ in 0..rounds() {
        let variants = Variants::new(&mut queries);
        for _ in 0..QUERIES {
            let (filter, sort) = variants.question(&mut queries);
            let path = queries.path();
            let (offset, limit) = (queries.random.within(0..6), queries.random.within(0..12));
            let fields = match queries.random.one_in(2) {
                true => queries.projection().into_iter().map(str::to_owned).collect(),
                false => read_by(&filter, &sort),
            };
            let found = matching(&variants.documents, &filter);
            let in_order = sorted(&found, &sort);
            let part: Vec<_> =
                in_order.iter().skip(offset as usize).take(limit as usize).cloned().collect();
            let reference = variants.home.db().documents("none");
            let distinct = distinct(&reference, &filter, &path);
            let of = queries.path();
            let groups = groups(&reference, &filter, &path, &of);
            let projected = projected(&reference, &filter, &fields, &sort);
            for name in &variants.names {
                let docs = variants.home.db().documents(name);
                let find = || docs.find(filter.clone());
                let plan = |sort: Option<&Sort>| variants.explain(name, &filter, sort);
                let any = ids(&find().documents().unwrap());
                let set: BTreeSet<_> = any.iter().cloned().collect();
                let expected: BTreeSet<_> = found.keys().cloned().collect();
                assert_eq!(set, expected, "{}", plan(None));
                assert_eq!(any.len(), set.len(), "one twice: {}", plan(None));
                assert_eq!(find().count().unwrap(), found.len() as u64, "count: {}", plan(None));
                let limited = find().limit(limit).offset(offset).documents().unwrap().len();
                assert_eq!(limited, part.len(), "limit: {}", plan(None));
                ways(find(), &mut taken);
                ways(find().sort(sort.clone()).limit(limit + 1), &mut taken);
                let ordered = find().sort(sort.clone()).documents().unwrap();
                assert_eq!(ids(&ordered), in_order, "{}", plan(Some(&sort)));
                let some = find().sort(sort.clone()).offset(offset).limit(limit);
                assert_eq!(ids(&some.documents().unwrap()), part, "part: {}", plan(Some(&sort)));
                assert_eq!(
                    self::distinct(&docs, &filter, &path),
                    distinct,
                    "distinct {path}: {}",
                    plan(None)
                );
                assert_eq!(
                    self::groups(&docs, &filter, &path, &of),
                    groups,
                    "groups of {path}, {of}: {}",
                    plan(None)
                );
                assert_eq!(
                    self::projected(&docs, &filter, &fields, &sort),
                    projected,
                    "projection {fields:?}: {}",
                    plan(Some(&sort))
                );
            }
        }
        let report = variants.home.db().snapshot().unwrap().check().unwrap();
        assert!(report.is_healthy(), "{report:#?}");
    }
    let by_index: u64 =
        taken.iter().filter(|(way, _)| way.starts_with("index")).map(|(_, count)| count).sum();
    assert!(by_index > 20, "hardly a query went by an index: {taken:#?}");
}

/// As text, so that `1` is not `1.0`: equal values are one, and which of them is shown must not
/// depend on the plan.
fn distinct(docs: &Documents, filter: &Filter, path: &str) -> Vec<String> {
    docs.find(filter.clone()).distinct(path).unwrap().iter().map(shown).collect()
}

/// The groups of a path, with what their rows add up to.
fn groups(docs: &Documents, filter: &Filter, path: &str, of: &str) -> Vec<String> {
    let (path, of) = (format!("${path}"), format!("${of}"));
    let fields = [
        ("count", Accumulator::count()),
        ("least", Accumulator::min(of.clone())),
        ("greatest", Accumulator::max(of.clone())),
        ("all", Accumulator::add_to_set(of)),
    ];
    let pipeline = Pipeline::new().matching(filter).group(path, fields);
    let groups = docs.aggregate(pipeline).objects().unwrap();
    groups.iter().map(|group| shown(&Value::from(group.clone()))).collect()
}

/// A value, formatted so that its representation shows.
fn shown(value: &Value) -> String {
    format!("{value:?}")
}

/// The paths that a query reads, so that an index which has them covers it. None is inside of another.
fn read_by(filter: &Filter, sort: &Sort) -> Vec<String> {
    let of_sort = sort.keys().iter().map(|key| &key.path);
    let mut paths: Vec<_> = filter.paths().into_iter().chain(of_sort).collect();
    paths.sort_unstable();
    paths.dedup_by(|inside, outside| outside.is_prefix_of(inside));
    paths.into_iter().map(ToString::to_string).collect()
}

/// As text, so that the order of fields counts.
fn projected(docs: &Documents, filter: &Filter, paths: &[String], sort: &Sort) -> Vec<String> {
    let fields: Object = paths.iter().map(|path| (path.as_str(), Value::from(1))).collect();
    let projection = Projection::from_object(fields).unwrap();
    let objects = docs.find(filter.clone()).sort(sort.clone()).project(projection).objects();
    objects.unwrap().iter().map(Object::to_json).collect()
}

#[test]
fn pages_put_together_are_the_whole() {
    let random = Random::announced("pages_put_together_are_the_whole");
    let mut queries = Queries::new(random);
    for _ in 0..rounds() {
        let variants = Variants::new(&mut queries);
        for _ in 0..QUERIES / 2 {
            let (filter, sort) = match queries.random.one_in(4) {
                true => (Filter::all(), queries.sort()),
                false => variants.question(&mut queries),
            };
            let expected = sorted(&matching(&variants.documents, &filter), &sort);
            let size = match queries.random.one_in(2) {
                true => queries.random.within(1..4),
                false => queries.random.within(4..20),
            };
            for name in &variants.names {
                let docs = variants.home.db().documents(name);
                let found = pages(&docs, &filter, &sort, size, &mut |_| {});
                let plan = variants.explain(name, &filter, Some(&sort));
                assert_eq!(found, expected, "pages of {size}: {plan}");
            }
        }
    }
}

/// All pages of a query, one after another; `between` is called before each but the first with
/// what was found so far.
fn pages(
    docs: &Documents,
    filter: &Filter,
    sort: &Sort,
    size: u64,
    between: &mut dyn FnMut(&[Id]),
) -> Vec<Id> {
    let (mut found, mut cursor) = (Vec::new(), None::<PageToken>);
    loop {
        let mut find = docs.find(filter.clone()).sort(sort.clone()).limit(size);
        if let Some(cursor) = cursor {
            find = find.after(cursor.to_string().parse().unwrap());
        }
        let page = find.page().unwrap();
        assert!(page.documents.len() as u64 <= size);
        found.extend(ids(&page.documents));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
        between(&found);
    }
}

/// A cursor stops and goes on in the middle of every kind of plan; what it gives is what the same
/// query gives at once, in the same order.
#[test]
fn what_is_pulled_is_what_is_found() {
    let random = Random::announced("what_is_pulled_is_what_is_found");
    let mut queries = Queries::new(random);
    let mut taken = BTreeMap::new();
    for _ in 0..rounds() {
        let variants = Variants::new(&mut queries);
        for _ in 0..QUERIES / 2 {
            let (filter, sort) = match queries.random.one_in(4) {
                true => (Filter::all(), queries.sort()),
                false => variants.question(&mut queries),
            };
            let (offset, limit) = (queries.random.within(0..30), queries.random.within(0..120));
            let size = queries.random.within(1..40);
            for name in &variants.names {
                let docs = variants.home.db().documents(name);
                let find = || docs.find(filter.clone());
                let sorted = || find().sort(sort.clone());
                ways(find(), &mut taken);
                ways(sorted(), &mut taken);
                let after = sorted().limit(size).page().unwrap().next;
                let mut questions = vec![
                    find(),
                    find().offset(offset),
                    find().limit(limit),
                    sorted(),
                    sorted().offset(offset).limit(limit),
                ];
                questions.extend(after.map(|token| sorted().after(token)));
                for (number, question) in questions.into_iter().enumerate() {
                    let expected = ids(&question.clone().documents().unwrap());
                    let pulled: Vec<_> = question.iter().unwrap().map(Result::unwrap).collect();
                    let plan = variants.explain(name, &filter, (number > 2).then_some(&sort));
                    assert_eq!(ids(&pulled), expected, "question {number}: {plan}");
                }
            }
        }
    }
    let by_index: u64 =
        taken.iter().filter(|(way, _)| way.starts_with("index")).map(|(_, count)| count).sum();
    assert!(by_index > 20, "hardly a query went by an index: {taken:#?}");
}

#[test]
fn what_is_not_touched_is_on_one_page() {
    let random = Random::announced("what_is_not_touched_is_on_one_page");
    let mut queries = Queries::new(random);
    for _ in 0..rounds() {
        let variants = Variants::new(&mut queries);
        for name in &variants.names {
            let docs = variants.home.db().documents(name);
            for n in 0..12 {
                let (filter, sort) = variants.question(&mut queries);
                let size = queries.random.within(1..10);
                let before = matching(&variants.documents, &filter);
                let mut touched = BTreeSet::new();
                let found = pages(&docs, &filter, &sort, size, &mut |_| {
                    for _ in 0..queries.random.within(0..4) {
                        let id = Id::read(&id_of(queries.random.within(0..DOCUMENTS + 40)));
                        match queries.random.one_in(2) {
                            true => drop(docs.delete(&id).unwrap()),
                            // A unique index may refuse it.
                            false => drop(docs.upsert(&id, queries.object())),
                        }
                        touched.insert(id);
                    }
                });
                for id in before.keys().filter(|id| !touched.contains(*id)) {
                    let count = found.iter().filter(|found| *found == id).count();
                    let plan = variants.explain(name, &filter, Some(&sort));
                    assert_eq!(count, 1, "{id} in query {n}, pages of {size}: {plan}");
                }
                touched.iter().for_each(|id| drop(docs.delete(id).unwrap()));
                for id in touched {
                    if let Some(fields) = variants.documents.get(&id) {
                        docs.upsert(&id, fields.clone()).unwrap();
                    }
                }
            }
        }
        let report = variants.home.db().snapshot().unwrap().check().unwrap();
        assert!(report.is_healthy(), "{report:#?}");
    }
}

/// Statistics are collected in the background some time after the documents are there.
#[test]
fn indexes_bound_ranges_before_there_are_statistics() {
    const COUNT: i64 = 20_000;
    let home = Home::new(Mode::MemoryOnly);
    let docs = home.db().documents("docs");
    for name in ["x", "y", "group"] {
        docs.create_index(IndexSpec::new(Sort::new().ascending(name))).unwrap();
    }
    let fields =
        |n: i64| object! { "x": n, "y": COUNT - n, "group": n % 2, "text": "t".repeat(50) };
    for n in 0..COUNT {
        docs.insert(n, fields(n)).unwrap();
    }
    let reads = |filter: Object| {
        let explained = docs.find(filter).explain().unwrap();
        (explained.plan["access"].as_str().unwrap().to_owned(), explained.documents_examined)
    };
    for hits in [1, 63, 64, 65, 100, 500, 1_000, 2_000] {
        let index = ("index".to_owned(), hits as u64);
        assert_eq!(reads(object! { "x": { "$lt": hits } }), index);
        assert_eq!(reads(object! { "x": { "$gte": COUNT - hits } }), index);
        // The better one of two, in whatever order they are made.
        assert_eq!(reads(object! { "x": { "$lt": hits }, "group": { "$gte": 0 } }), index);
        assert_eq!(reads(object! { "y": { "$gt": 100 }, "x": { "$lt": hits } }), index);
        assert_eq!(reads(object! { "x": { "$gt": 100 }, "y": { "$lte": hits } }), index);
    }
    // Where the index leads to most documents, reading them in order is faster.
    assert_eq!(reads(object! { "x": { "$gte": 1 } }), ("collection".to_owned(), COUNT as u64));
}

/// Entries are counted in pieces of some hundred kilobytes, each behind the one before.
#[test]
fn long_entries_are_counted_once_each() {
    const COUNT: i64 = 6_000;
    let home = Home::new(Mode::MemoryOnly);
    let docs = home.db().documents("docs");
    docs.create_index(IndexSpec::new(Sort::new().ascending("text"))).unwrap();
    let text = |n: i64| format!("{n:04}{}", "x".repeat(1_500));
    for n in 0..COUNT {
        docs.insert(n, object! { "text": text(n) }).unwrap();
    }
    for hits in [1, 100, 170, 180, 500, 600] {
        for sort in [Sort::new().ascending("text"), Sort::new().descending("text")] {
            let find = docs.find(object! { "text": { "$lt": text(hits) } }).sort(sort);
            let explained = find.explain().unwrap();
            assert_eq!(explained.plan["access"], "index".into());
            assert_eq!(explained.estimate["keys"], Value::from(hits));
            assert_eq!(explained.returned, hits as u64);
        }
    }
}
