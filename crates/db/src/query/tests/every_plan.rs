//! Tests that every plan, and not only the cheapest, finds the same in the same order.
//!
//! With as few documents as a test can have, most ways are never the cheapest. Here each that the
//! planner thinks of is taken.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use velocitydb_core::{CollectionName, Object, Path, Sort};
use velocitydb_storage::contract::Random;

use super::candidate::Candidate;
use super::execute::Execution;
use super::hit::{Hit, Need, Record};
use super::plan::Plan;
use super::select::{Selection, order_key, run};
use super::target::{Order, Target};
use super::{Access, Control, Merge};
use crate::{Database, Error, Filter};

#[path = "../../../tests/it/queries.rs"]
#[allow(dead_code, reason = "the planner tests from outside use all of it")]
mod queries;

#[path = "../../../tests/it/differential/id.rs"]
#[allow(dead_code, reason = "the differential test uses all of it")]
mod id;

use id::Id;
use queries::{PATHS, Queries, id_of, matching, sorted};

const ROUNDS: usize = 12;
const DOCUMENTS: u64 = 60;
const INDEXES: usize = 8;
const QUERIES: usize = 120;

/// All plans for a selection, the best one first.
fn plans(target: &Target<'_>, selection: &Selection<'_>) -> Vec<Plan> {
    let mut best = selection.plan(target, &Control::new(None, usize::MAX)).unwrap();
    let others = std::mem::take(&mut best.rejected);
    let is_any = matches!(selection.order, Order::Any);
    let plan = |Candidate { access, is_exact, is_sorted, estimate }| Plan {
        access,
        is_exact,
        is_sorted: is_sorted || is_any,
        estimate,
        rejected: Vec::new(),
    };
    std::iter::once(best).chain(others.into_iter().map(plan)).collect()
}

fn describe(plan: &Plan) -> String {
    format!("{:?}, exact {}, sorted {}", plan.access, plan.is_exact, plan.is_sorted)
}

/// What a plan is called in the count of those that were taken.
fn kind(plan: &Plan) -> String {
    let access = match &plan.access {
        Access::Nothing => "nothing",
        Access::Ids(_) => "ids",
        Access::Collection(..) => "collection",
        Access::Index(scan) if scan.merge == Merge::Ordered => {
            match scan.definition.spec.is_unique() && scan.ranges.len() > 1 {
                true => "merged unique index",
                false => "merged index",
            }
        }
        Access::Index(scan) if scan.has_repeats => "index with repeats",
        Access::Index(_) => "index",
        Access::Union(_) => "union",
        Access::Intersection(..) => "intersection",
    };
    let exact = if plan.is_exact { ", exact" } else { "" };
    format!("{access}{exact}{}", if plan.is_sorted { ", sorted" } else { "" })
}

/// What a plan shows.
fn carry_out(
    target: &Target<'_>,
    selection: &Selection<'_>,
    number: usize,
    visit: &mut dyn FnMut(&Hit<'_>),
) {
    let mut plan = plans(target, selection).swap_remove(number);
    let control = Control::new(None, usize::MAX);
    let mut execution = Execution::new(target, &control, &plan, selection.filter);
    run(&mut plan, &mut execution, selection, &mut |hit| {
        visit(&hit);
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
}

/// The ids that a plan shows, with the places in the order where documents are read.
fn found(target: &Target<'_>, selection: &Selection<'_>, number: usize) -> Vec<(Id, Vec<u8>)> {
    let mut found = Vec::new();
    carry_out(target, selection, number, &mut |hit| {
        let place = match hit.record {
            Record::NotFetched => Vec::new(),
            _ => order_key(selection.order, hit).unwrap().to_vec(),
        };
        found.push((Id::read(&hit.id.to_owned()), place));
    });
    found
}

struct Case<'a> {
    target: Target<'a>,
    filter: Filter,
    sort: Sort,
    expected: Vec<Id>,
    shown: String,
}

impl Case<'_> {
    /// Every plan with this offset and limit, and behind every place of the order.
    fn check_order(&self, offset: u64, limit: Option<u64>, kinds: &mut BTreeMap<String, u64>) {
        let order = Order::By(&self.sort);
        let whole = Selection { order, ..Selection::new(&self.filter) };
        let count = plans(&self.target, &whole).len();
        for number in 0..count {
            let plan = describe(&plans(&self.target, &whole)[number]);
            *kinds.entry(kind(&plans(&self.target, &whole)[number])).or_default() += 1;
            let all = found(&self.target, &whole, number);
            let ids: Vec<_> = all.iter().map(|(id, _)| id.clone()).collect();
            assert_eq!(ids, self.expected, "{plan}: {}", self.shown);
            let part = Selection { offset, limit, ..whole };
            let count_of_part = plans(&self.target, &part).len();
            for number in 0..count_of_part {
                let ids = found(&self.target, &part, number).into_iter().map(|(id, _)| id);
                let end = limit.map_or(usize::MAX, |limit| limit as usize);
                let expected = self.expected.iter().skip(offset as usize).take(end).cloned();
                let (ids, expected): (Vec<_>, Vec<_>) = (ids.collect(), expected.collect());
                let plan = describe(&plans(&self.target, &part)[number]);
                assert_eq!(
                    ids, expected,
                    "offset {offset}, limit {limit:?}, {plan}: {}",
                    self.shown
                );
            }
            for (position, (_, place)) in all.iter().enumerate().step_by(5) {
                let behind = Selection { after: Some(place), ..whole };
                let ids = found(&self.target, &behind, number).into_iter().map(|(id, _)| id);
                let ids: Vec<_> = ids.collect();
                assert_eq!(
                    ids,
                    self.expected[position + 1..],
                    "behind {place:x?}, {plan}: {}",
                    self.shown
                );
            }
        }
    }

    /// Every plan, in pages of this size, each behind the last of the one before.
    fn check_pages(&self, size: u64) {
        let whole = Selection { order: Order::By(&self.sort), ..Selection::new(&self.filter) };
        for number in 0..plans(&self.target, &whole).len() {
            let (mut ids, mut last) = (Vec::new(), None::<Vec<u8>>);
            loop {
                // The limit is not told, which could make a plan of another kind the best.
                let page = Selection { after: last.as_deref(), ..whole };
                let found = found(&self.target, &page, number).into_iter().take(size as usize);
                let found: Vec<_> = found.collect();
                let Some((_, place)) = found.last().cloned() else { break };
                ids.extend(found.into_iter().map(|(id, _)| id));
                last = Some(place);
                assert!(ids.len() <= self.expected.len(), "pages of {size}: {}", self.shown);
            }
            let plan = describe(&plans(&self.target, &whole)[number]);
            assert_eq!(ids, self.expected, "pages of {size}, {plan}: {}", self.shown);
        }
    }

    /// Every plan in any order, for documents, for a count, and for what indexes have.
    fn check_sets(&self, fields: &[Path]) {
        let mut expected = self.expected.clone();
        expected.sort();
        for need in [Need::Documents, Need::IndexedFields, Need::Count] {
            let selection = Selection { need, fields, ..Selection::new(&self.filter) };
            for number in 0..plans(&self.target, &selection).len() {
                let plan = describe(&plans(&self.target, &selection)[number]);
                let mut ids = Vec::new();
                carry_out(&self.target, &selection, number, &mut |hit| {
                    ids.push(Id::read(&hit.id.to_owned()))
                });
                assert_eq!(ids.len(), expected.len(), "{need:?}, {plan}: {}", self.shown);
                if need != Need::Count {
                    ids.sort();
                    assert_eq!(ids, expected, "{need:?}, {plan}: {}", self.shown);
                }
            }
        }
    }
}

fn fill(db: &Database, queries: &mut Queries) -> BTreeMap<Id, Object> {
    let docs = db.documents("docs");
    let count = queries.random.within(1..DOCUMENTS);
    for n in 0..INDEXES {
        let index = queries.any_index().named(format!("index{n}"));
        db.documents("docs").create_index(index).unwrap();
    }
    let mut documents = BTreeMap::new();
    for n in 0..count {
        let (id, fields) = (Id::read(&id_of(n)), queries.object());
        match docs.insert(&id, &fields) {
            Ok(_) => drop(documents.insert(id, fields)),
            // Two documents have the same values, or arrays on two paths of a unique index.
            Err(Error::Duplicate { .. } | Error::Inapplicable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    documents
}

/// A union did not remember the documents that one of its parts had found by their ids, and showed
/// them again when an index led to them.
#[test]
fn a_union_shows_a_document_once_that_is_named_by_its_id() {
    let db = crate::open_in_memory().unwrap();
    let docs = db.documents("docs");
    db.documents("docs").create_index(crate::IndexSpec::on("n")).unwrap();
    docs.insert("a", crate::object! { "n": 1 }).unwrap();
    docs.insert("b", crate::object! { "n": 1 }).unwrap();
    let snapshot = db.snapshot().unwrap();
    let queried = snapshot.queried(&CollectionName::new("docs").unwrap()).unwrap().unwrap();
    let filter = Filter::from_json(r#"{"$or": [{"_id": "a"}, {"n": 1}]}"#).unwrap();
    let expected = vec![Id::new("a"), Id::new("b")];
    let (sort, shown) = (Sort::new(), String::new());
    let case = Case { target: queried.target(), filter, sort, expected, shown };
    case.check_sets(&["n".parse().unwrap()]);
}

#[test]
fn every_plan_finds_the_same() {
    let random = Random::announced("every_plan_finds_the_same");
    let mut queries = Queries::new(random);
    let mut kinds = BTreeMap::new();
    for _ in 0..ROUNDS {
        let db = crate::open_in_memory().unwrap();
        let documents = fill(&db, &mut queries);
        let snapshot = db.snapshot().unwrap();
        let name = CollectionName::new("docs").unwrap();
        let indexes = snapshot.indexes(&name).unwrap();
        let indexes: Vec<_> = indexes.into_iter().map(|index| index.spec).collect();
        let specs: Vec<_> = indexes.iter().map(|spec| spec.to_object()).collect();
        let queried = snapshot.queried(&name).unwrap().unwrap();
        for _ in 0..QUERIES {
            let (filter, sort) = match queries.random.one_in(2) {
                true => {
                    let index = queries.random.within(0..INDEXES as u64) as usize;
                    queries.fitting(&indexes[index])
                }
                false => (queries.filter(), queries.sort()),
            };
            let expected = sorted(&matching(&documents, &filter), &sort);
            let (filter_text, sort_text) = (filter.to_json(), sort.to_value().to_json());
            let shown = format!("filter {filter_text}, sort {sort_text}, indexes {specs:?}");
            let case = Case { target: queried.target(), filter, sort, expected, shown };
            let (offset, limit) = (queries.random.within(0..4), queries.random.within(1..9));
            let limit = queries.random.one_in(2).then_some(limit);
            case.check_order(offset, limit, &mut kinds);
            case.check_pages(queries.random.within(1..4));
            let path = PATHS[queries.random.within(0..PATHS.len() as u64) as usize];
            case.check_sets(&[path.parse().unwrap()]);
        }
    }
    println!("{kinds:#?}");
    for kind in ["index", "merged index", "merged unique index", "intersection"] {
        assert!(kinds.keys().any(|taken| taken.starts_with(kind)), "no {kind}: {kinds:#?}");
    }
}
