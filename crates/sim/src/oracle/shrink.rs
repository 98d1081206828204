//! Shrinking a mismatch: fewer documents, fewer fields, a smaller query. It does not know the
//! meaning of queries: parts are left out one by one, and the answers are compared again.

use velocitydb_core::{Object, Value};

use super::by_the_book;
use super::case::{Batch, Query};

/// How often the answers are compared at the most.
const ATTEMPTS_MAX: usize = 2_000;

/// The smallest batch of one query that was found whose answers still differ.
pub fn shrink(batch: Batch, differs: &mut dyn FnMut(&Batch) -> bool) -> Batch {
    let mut shrinking = Shrinking { best: batch, attempts: 0, differs };
    while shrinking.step() {}
    shrinking.best
}

struct Shrinking<'a> {
    best: Batch,
    attempts: usize,
    differs: &'a mut dyn FnMut(&Batch) -> bool,
}

impl Shrinking<'_> {
    /// Returns whether something smaller was found.
    fn step(&mut self) -> bool {
        self.fewer_documents() | self.smaller_query() | self.smaller_documents()
    }

    fn try_it(&mut self, candidate: Batch) -> bool {
        self.attempts += 1;
        let better = self.attempts < ATTEMPTS_MAX && (self.differs)(&candidate);
        if better {
            self.best = candidate;
        }
        better
    }

    fn fewer_documents(&mut self) -> bool {
        let mut found = false;
        let mut size = self.best.documents.len() / 2;
        while size > 0 {
            let mut start = 0;
            while start < self.best.documents.len() {
                let mut candidate = self.best.clone();
                let end = (start + size).min(candidate.documents.len());
                candidate.documents.drain(start..end);
                let is_kept = keep_document(&mut candidate.queries[0], start, end);
                if is_kept && self.try_it(candidate) {
                    found = true;
                } else {
                    start += size;
                }
            }
            size /= 2;
        }
        found
    }

    fn smaller_query(&mut self) -> bool {
        let mut found = false;
        'again: loop {
            for query in smaller_queries(&self.best.queries[0]) {
                let candidate = Batch { queries: vec![query], ..self.best.clone() };
                if self.try_it(candidate) {
                    found = true;
                    continue 'again;
                }
            }
            return found;
        }
    }

    fn smaller_documents(&mut self) -> bool {
        let mut found = false;
        for at in 0..self.best.documents.len() {
            'again: loop {
                for smaller in smaller_objects(&self.best.documents[at]) {
                    let mut candidate = self.best.clone();
                    if smaller.get("_id") != self.best.documents[at].get("_id") {
                        continue;
                    }
                    candidate.documents[at] = smaller;
                    if self.try_it(candidate) {
                        found = true;
                        continue 'again;
                    }
                }
                break;
            }
        }
        found
    }
}

/// Whether the document that the query changes is still there; its position is corrected.
fn keep_document(query: &mut Query, start: usize, end: usize) -> bool {
    match query {
        Query::Update { document, .. } if *document >= end => *document -= end - start,
        Query::Update { document, .. } => return *document < start,
        _ => {}
    }
    true
}

fn smaller_queries(query: &Query) -> Vec<Query> {
    let mut queries = Vec::new();
    match query {
        Query::Find(find) => {
            let mut with = |change: &dyn Fn(&mut super::Find)| {
                let mut smaller = find.clone();
                change(&mut smaller);
                if smaller != *find {
                    queries.push(Query::Find(smaller));
                }
            };
            with(&|it| it.limit = None);
            with(&|it| it.skip = None);
            with(&|it| it.filter = Object::new());
            // The last key is the id, without which ties could have any order.
            for at in 0..find.sort.len().saturating_sub(1) {
                with(&|it| drop(it.sort.remove(at)));
            }
            for filter in smaller_objects(&find.filter) {
                with(&|it| it.filter = filter.clone());
            }
            for projection in find.projection.iter().flat_map(smaller_objects) {
                with(&|it| it.projection = Some(projection.clone()));
            }
        }
        Query::Count { filter } => {
            let smaller = smaller_objects(filter).into_iter();
            queries.extend(smaller.map(|filter| Query::Count { filter }));
        }
        Query::Distinct { path, filter } => {
            let smaller = smaller_objects(filter).into_iter();
            queries.extend(smaller.map(|filter| Query::Distinct { path: path.clone(), filter }));
        }
        Query::Update { document, update } => {
            let smaller = smaller_objects(update).into_iter();
            queries.extend(smaller.map(|update| Query::Update { document: *document, update }));
        }
        Query::Aggregate { pipeline, order } => {
            let smaller = smaller_lists(pipeline).into_iter();
            let smaller = smaller.filter(|smaller| keeps_order(pipeline, smaller));
            queries.extend(smaller.map(|pipeline| Query::Aggregate { pipeline, order: *order }));
        }
    }
    queries
}

/// Whether stages that depend on the order still follow a sort: without one, the first row may be
/// any. Groups are in an order, and rows are not.
fn keeps_order(pipeline: &[Value], smaller: &[Value]) -> bool {
    let count = |stages: &[Value], word: &str| Value::from(stages).to_json().matches(word).count();
    let depends = ["\"$first\"", "\"$last\"", "\"$limit\"", "\"$skip\""];
    let has_groups = count(pipeline, "\"$group\"") == count(smaller, "\"$group\"");
    let is_sorted = count(pipeline, "\"$sort\"") == count(smaller, "\"$sort\"");
    has_groups && (is_sorted || !depends.iter().any(|word| count(smaller, word) > 0))
}

/// The object without one of its fields, or with one of them smaller.
fn smaller_objects(object: &Object) -> Vec<Object> {
    let mut smaller = Vec::new();
    for name in object.keys() {
        let mut without = object.clone();
        without.remove(name);
        smaller.push(without);
    }
    for (name, value) in object.iter() {
        smaller.extend(smaller_values(value).into_iter().map(|value| {
            let mut with = object.clone();
            with.insert(name, value);
            with
        }));
    }
    smaller
}

fn smaller_lists(items: &[Value]) -> Vec<Vec<Value>> {
    let mut smaller = Vec::new();
    for at in 0..items.len() {
        let mut without = items.to_vec();
        without.remove(at);
        smaller.push(without);
    }
    for (at, item) in items.iter().enumerate() {
        smaller.extend(smaller_values(item).into_iter().map(|item| {
            let mut with = items.to_vec();
            with[at] = item;
            with
        }));
    }
    smaller
}

/// Smaller values; an object is also replaced by the value of its only field, for `$not` and the
/// like.
fn smaller_values(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => smaller_lists(items).into_iter().map(Value::Array).collect(),
        Value::Object(object) => {
            let mut smaller: Vec<Value> = match (object.len(), object.iter().next()) {
                (1, Some((name, value))) if name.starts_with('$') => vec![value.clone()],
                _ => Vec::new(),
            };
            smaller.extend(smaller_objects(object).into_iter().map(Value::Object));
            // A call of which mingo gets the result remains one.
            if by_the_book::right(object).is_some() {
                let right = |it: &Value| it.as_object().and_then(by_the_book::right);
                smaller.retain(|it| right(it).is_some());
            }
            smaller
        }
        Value::String(text) if text.len() > 1 && text.is_ascii() && !text.starts_with('$') => {
            vec![Value::from(&text[..1])]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::{Find, Kind};
    use velocitydb_core::object;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let documents: Vec<Object> = (0..30)
            .map(|n| object! { "_id": format!("d{n:02}"), "a": n, "b": [1, { "x": n }], "c": "text" })
            .collect();
        let filter = object! { "$and": [{ "a": { "$gte": 3, "$lt": 9 } }, { "c": "text" }] };
        let query = Query::Find(Find { filter, limit: Some(3), ..Find::default() });
        let batch = Batch { kind: Kind::Filter, documents, queries: vec![query] };
        let small = shrink(batch, &mut |batch| {
            let text = batch.queries[0].to_value().to_json();
            text.contains("$gte") && batch.documents.iter().any(|it| it["a"] == 7.into())
        });
        assert_eq!(small.documents, [object! { "_id": "d07", "a": 7 }]);
        let filter = object! { "$and": [{ "a": { "$gte": 3 } }] };
        let Query::Find(find) = &small.queries[0] else { panic!("{small:?}") };
        assert_eq!(find, &Find { filter, ..Find::default() });
    }
}
