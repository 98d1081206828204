//! [`explain`]: finds the known difference that explains two answers, if there is one. Every document
//! for which the answers differ has to be explained.

use std::collections::BTreeSet;

use velocitydb_core::{Object, Value, object};

use super::difference::{Change, Condition, Key, KnownDifference, Recognise};
use crate::oracle::Order;
use crate::oracle::by_the_book;
use crate::oracle::case::{Answer, Find, Query, id_of};
use crate::oracle::compare::{agree, values_agree};
use crate::oracle::reach::Reach;

/// A query with two answers that do not agree.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The collection.
    pub documents: &'a [Object],
    /// The query.
    pub query: &'a Query,
    /// VelocityDB's answer.
    pub ours: &'a Answer,
    /// Mingo's answer.
    pub mingo: &'a Answer,
}

/// Documents as values, so that they can be used like elements of arrays.
type Documents = Vec<Value>;

/// The known difference that explains the situation.
pub fn explain(situation: Situation<'_>) -> Option<&'static KnownDifference> {
    let documents: Documents = by_the_book::as_read(situation.documents);
    let right = by_the_book::answer(situation.query, &documents);
    let order = situation.query.order();
    if right.as_ref().is_some_and(|right| !agree(situation.ours, right, order)) {
        return None;
    }
    let confirmed = if right.is_some() { Confirmed::ByTheBook } else { Confirmed::No };
    match situation.query {
        Query::Find(find) => explain_find(find, &documents, situation, confirmed),
        Query::Count { filter } => {
            documents.iter().find_map(|document| by_filter(filter, document))
        }
        Query::Distinct { path, filter } => {
            // The path is followed like that of a condition, and has the same differences.
            let reach = object! { (path.as_str()): { "distinct": null } };
            let by_path = || documents.iter().find_map(|document| by_filter(&reach, document));
            documents.iter().find_map(|document| by_filter(filter, document)).or_else(by_path)
        }
        Query::Update { document, update } => {
            by_update(update, &documents[*document], situation.ours)
        }
        Query::Aggregate { pipeline, .. } if confirmed == Confirmed::ByTheBook => {
            by_sort_stage(pipeline, &documents)
        }
        Query::Aggregate { pipeline, .. } => by_pipeline(pipeline, situation),
    }
}

/// Whether VelocityDB's answer is known to be right. If so, further effects on mingo's answer do not
/// matter: its comparison of arrays need not be an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmed {
    ByTheBook,
    No,
}

fn explain_find(
    find: &Find,
    documents: &Documents,
    situation: Situation<'_>,
    confirmed: Confirmed,
) -> Option<&'static KnownDifference> {
    if let Some(projection) = &find.projection {
        return by_projection(find, projection, documents, situation);
    }
    let (Answer::Ids(ours), Answer::Ids(mingo)) = (situation.ours, situation.mingo) else {
        return documents.iter().find_map(|document| by_filter(&find.filter, document));
    };
    let is_cut = find.skip.is_some() || find.limit.is_some();
    if !is_cut {
        let (a, b): (BTreeSet<_>, BTreeSet<_>) = (ours.iter().collect(), mingo.iter().collect());
        let different: BTreeSet<_> = a.symmetric_difference(&b).copied().collect();
        if !different.is_empty() {
            return explain_each(documents, &find.filter, &different);
        }
    }
    let by_order = sorts().filter(|known| {
        let upsets = documents.iter().any(|document| is_about(known, &find.sort, document));
        let is_upset =
            matches!(known.recognise, Recognise::Upset(_)) || confirmed == Confirmed::ByTheBook;
        upsets && (is_cut || is_upset || rest_agrees(&[known], find, documents, ours, mingo))
    });
    let all: Vec<&KnownDifference> = sorts().collect();
    let together = || rest_agrees(&all, find, documents, ours, mingo).then(|| all[0]);
    let by_filter = || documents.iter().find_map(|document| by_filter(&find.filter, document));
    by_order.into_iter().next().or_else(together).or_else(|| is_cut.then(by_filter)?)
}

/// Whether the documents that none of these differences affects are in the same order.
fn rest_agrees(
    known: &[&KnownDifference],
    find: &Find,
    documents: &Documents,
    ours: &[String],
    mingo: &[String],
) -> bool {
    let plain: BTreeSet<String> = documents
        .iter()
        .filter(|document| !known.iter().any(|known| is_about(known, &find.sort, document)))
        .filter_map(|document| document.as_object().map(id_of))
        .collect();
    let is_plain = |id: &&String| plain.contains(*id);
    ours.iter().filter(is_plain).eq(mingo.iter().filter(is_plain))
}

/// The known differences of sorts.
fn sorts() -> impl Iterator<Item = &'static KnownDifference> {
    super::all().filter(|it| matches!(it.recognise, Recognise::Key(_) | Recognise::Upset(_)))
}

/// Whether a known difference affects a document that is sorted.
fn is_about(known: &KnownDifference, sort: &[Value], document: &Value) -> bool {
    let (Recognise::Key(holds) | Recognise::Upset(holds)) = known.recognise else { return false };
    sort.iter().filter_map(Value::as_object).flatten().any(|(path, direction)| {
        holds(&Key { document, path, descending: *direction < Value::Int(0) })
    })
}

/// The difference that explains the first of the documents, if all of them have one.
fn explain_each(
    documents: &Documents,
    filter: &Object,
    different: &BTreeSet<&String>,
) -> Option<&'static KnownDifference> {
    let mut first = None;
    for document in documents {
        let id = document.as_object().map(id_of).unwrap_or_default();
        if different.contains(&id) {
            let known = by_filter(filter, document)?;
            first.get_or_insert(known);
        }
    }
    first
}

fn by_filter(filter: &Object, document: &Value) -> Option<&'static KnownDifference> {
    let mut found = None;
    conditions(filter, document, &mut |condition| {
        found = found.or_else(|| {
            super::all().find(|known| match known.recognise {
                Recognise::Condition(holds) => holds(condition),
                _ => false,
            })
        });
    });
    found
}

/// Visits every operator of a filter, with the objects that it is applied to.
fn conditions(filter: &Object, object: &Value, visit: &mut dyn FnMut(&Condition<'_>)) {
    for (name, value) in filter.iter() {
        match (name, value) {
            ("$and" | "$or" | "$nor", Value::Array(parts)) => {
                for part in parts.iter().filter_map(Value::as_object) {
                    conditions(part, object, visit);
                }
            }
            (path, value) => conditions_on(path, value, object, visit),
        }
    }
}

fn conditions_on(path: &str, value: &Value, object: &Value, visit: &mut dyn FnMut(&Condition<'_>)) {
    let operators = value.as_object().filter(|it| it.keys().any(|name| name.starts_with('$')));
    let Some(operators) = operators else {
        visit(&Condition { object, path, operator: "$eq", operand: value });
        return;
    };
    for (operator, operand) in operators.iter() {
        match (operator, operand) {
            ("$not", operand) => conditions_on(path, operand, object, visit),
            ("$elemMatch", Value::Object(inner)) => {
                visit(&Condition { object, path, operator, operand });
                conditions_on_elements(path, inner, object, visit);
            }
            _ => visit(&Condition { object, path, operator, operand }),
        }
    }
}

fn conditions_on_elements(
    path: &str,
    inner: &Object,
    object: &Value,
    visit: &mut dyn FnMut(&Condition<'_>),
) {
    let is_about_fields =
        inner.keys().any(|name| !name.starts_with('$') || matches!(name, "$and" | "$or" | "$nor"));
    for found in Reach::of(object, path).found {
        for element in found.as_array().into_iter().flatten() {
            if is_about_fields {
                conditions(inner, element, visit);
            } else {
                conditions_on("", &inner.clone().into(), element, visit);
            }
        }
    }
}

/// A path of the projection has to explain every document that is projected differently.
fn by_projection(
    find: &Find,
    projection: &Object,
    documents: &Documents,
    situation: Situation<'_>,
) -> Option<&'static KnownDifference> {
    let known_for = |document: &Value| {
        projection.keys().find_map(|path| {
            super::all().find(|known| match known.recognise {
                Recognise::Projected(holds) => holds(path, document, projection),
                _ => false,
            })
        })
    };
    let by_filter = || documents.iter().find_map(|document| by_filter(&find.filter, document));
    let (Answer::Documents(ours), Answer::Documents(mingo)) = (situation.ours, situation.mingo)
    else {
        return by_filter().or_else(|| documents.iter().find_map(known_for));
    };
    if !find.filter.is_empty() || ours.len() != mingo.len() || ours.len() != documents.len() {
        return by_filter().or_else(|| documents.iter().find_map(known_for));
    }
    let mut first = None;
    for (document, (ours, mingo)) in documents.iter().zip(ours.iter().zip(mingo)) {
        if !values_agree(ours, mingo, Order::Given) {
            let known = known_for(document)?;
            first.get_or_insert(known);
        }
    }
    first
}

/// The difference of a sort that a pipeline has.
fn by_sort_stage(pipeline: &[Value], documents: &Documents) -> Option<&'static KnownDifference> {
    let sorted = |stage: &Value| stage.as_object()?.get("$sort")?.as_array().cloned();
    let sort = pipeline.iter().find_map(sorted)?;
    sorts().find(|known| documents.iter().any(|document| is_about(known, &sort, document)))
}

fn by_update(update: &Object, document: &Value, ours: &Answer) -> Option<&'static KnownDifference> {
    update.iter().find_map(|(operator, changes)| {
        changes.as_object()?.iter().find_map(|(path, operand)| {
            let change = Change { document, path, operator, operand, ours };
            super::all().find(|known| match known.recognise {
                Recognise::Change(holds) => holds(&change),
                _ => false,
            })
        })
    })
}

/// Removes a known difference of pipelines from an answer.
type TakeOut = fn(Value) -> Value;

/// The first of the differences whose operators are in the pipeline, if the answers are the same
/// without all of these: one pipeline can have several.
fn by_pipeline(
    pipeline: &[Value],
    Situation { ours, mingo, .. }: Situation<'_>,
) -> Option<&'static KnownDifference> {
    let (Answer::Documents(ours), Answer::Documents(mingo)) = (ours, mingo) else { return None };
    let known: Vec<(&KnownDifference, TakeOut)> = super::all()
        .filter_map(|known| match known.recognise {
            Recognise::Pipeline(holds, take_out) if holds(pipeline) => Some((known, take_out)),
            _ => None,
        })
        .collect();
    let agree_without = |differences: &[(&KnownDifference, TakeOut)]| {
        let without = |documents: &[Value]| {
            differences.iter().fold(Value::from(documents), |it, (_, take_out)| take_out(it))
        };
        values_agree(&without(ours), &without(mingo), Order::Sets)
    };
    let single = known.iter().find(|known| agree_without(&[**known]));
    let found = single.or_else(|| known.first().filter(|_| agree_without(&known)));
    found.map(|(known, _)| *known)
}
