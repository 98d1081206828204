//! Filters and sorts. This returns `None` for what it does not support: patterns, and sorting by a
//! position.

use std::cmp::Ordering;

use velocitydb_core::{Object, Value, value};

use super::combinations::{SortValue, sort_values};
use super::groups::{distinct_values, grouped};
use super::order::{class, compare, is_equal};
use super::types::has_type;
use super::updates::updated;
use crate::oracle::case::{Answer, Find, Query, id_of};
use crate::oracle::reach::{Reach, is_nan};

/// The right answer, if this supports the query.
pub fn answer(query: &Query, documents: &[Value]) -> Option<Answer> {
    match query {
        Query::Find(find) if find.projection.is_none() => find_ids(find, documents),
        Query::Find(find) => projected(find, documents),
        Query::Aggregate { pipeline, .. } => {
            ordered(pipeline, documents).or_else(|| grouped(pipeline, documents))
        }
        Query::Distinct { path, filter } => distinct_values(path, filter, documents),
        Query::Update { document, update } => updated(documents[*document].as_object()?, update),
        Query::Count { filter } => {
            let found: Option<Vec<bool>> =
                documents.iter().map(|document| holds(filter, document)).collect();
            Some(Answer::Count(found?.into_iter().filter(|found| *found).count() as u64))
        }
    }
}

fn find_ids(find: &Find, documents: &[Value]) -> Option<Answer> {
    Some(Answer::Ids(found(find, documents)?.into_iter().map(id_of).collect()))
}

/// The documents that are found, in the order of the sort.
pub(super) fn found<'a>(find: &Find, documents: &'a [Value]) -> Option<Vec<&'a Object>> {
    let mut found: Vec<(Vec<SortValue<'_>>, &Object)> = Vec::new();
    for document in documents {
        if holds(&find.filter, document)? {
            found.push((sort_values(&find.sort, document)?, document.as_object()?));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    let skip = find.skip.unwrap_or(0) as usize;
    let limit = find.limit.map_or(usize::MAX, |limit| limit as usize);
    let found = found.into_iter().skip(skip).take(limit);
    Some(found.map(|(_, document)| document).collect())
}

/// The result of a pipeline that sorts documents and keeps their ids.
fn ordered(pipeline: &[Value], documents: &[Value]) -> Option<Answer> {
    let (last, stages) = pipeline.split_last()?;
    let mut find = Find::default();
    for stage in stages {
        let (name, operand) = stage.as_object()?.iter().next()?;
        match (name, operand) {
            ("$match", Value::Object(filter)) if find.sort.is_empty() => {
                find.filter.extend(filter.iter().map(|(name, value)| (name, value.clone())));
            }
            ("$sort", Value::Array(keys)) if find.sort.is_empty() => find.sort.clone_from(keys),
            ("$skip", count) if find.limit.is_none() => find.skip = count.as_u64(),
            ("$limit", count) => find.limit = count.as_u64(),
            _ => return None,
        }
    }
    let keeps_ids = *last == value!({ "$project": { "_id": 1 } });
    let is_ordered = keeps_ids && !find.sort.is_empty();
    let found = is_ordered.then(|| found(&find, documents))??;
    let id = |document: &Object| value!({ "_id": document["_id"].clone() });
    Some(Answer::Documents(found.into_iter().map(id).collect()))
}

/// The result of a projection that selects elements and excludes fields.
fn projected(find: &Find, documents: &[Value]) -> Option<Answer> {
    let projection = find.projection.as_ref()?;
    let picks = |value: &Value| value.as_object().is_some_and(|it| it.contains_key("$elemMatch"));
    let leaves_out = |value: &Value| value.as_bool() == Some(false) || is_equal(value, &0.into());
    let is_known = |(name, value): (&str, &Value)| match name {
        "_id" => leaves_out(value),
        name => !name.contains('.') && (leaves_out(value) || picks(value)),
    };
    let is_about_others = |(name, value): (&str, &Value)| name != "_id" && leaves_out(value);
    if !projection.iter().all(is_known) || !projection.iter().any(is_about_others) {
        return None;
    }
    let Answer::Ids(_) = find_ids(&Find { projection: None, ..find.clone() }, documents)? else {
        return None;
    };
    let mut left = Vec::new();
    for document in documents {
        if holds(&find.filter, document)? {
            left.push(picked(projection, document.as_object()?)?.into());
        }
    }
    Some(Answer::Documents(left))
}

/// The document with the first matching element of some arrays, and without some fields.
fn picked(projection: &Object, document: &Object) -> Option<Object> {
    let mut left = Object::new();
    for (name, value) in document.iter() {
        let part = projection.get(name);
        let Some(part) = part else {
            left.insert(name, value.clone());
            continue;
        };
        let inner = part.as_object().and_then(|it| it.get("$elemMatch")?.as_object());
        let (Some(inner), Some(items)) = (inner, value.as_array()) else { continue };
        for item in items {
            if element_matches(inner, item)? {
                left.insert(name, value!([item.clone()]));
                break;
            }
        }
    }
    Some(left)
}

/// Whether an object satisfies a filter.
fn holds(filter: &Object, object: &Value) -> Option<bool> {
    let each: Option<Vec<bool>> = filter
        .iter()
        .map(|(name, value)| {
            let parts = || value.as_array().into_iter().flatten().filter_map(Value::as_object);
            let each = || parts().map(|part| holds(part, object)).collect::<Option<Vec<bool>>>();
            Some(match name {
                "$and" => each()?.into_iter().all(|holds| holds),
                "$or" => each()?.into_iter().any(|holds| holds),
                "$nor" => !each()?.into_iter().any(|holds| holds),
                path => holds_at(path, value, object)?,
            })
        })
        .collect();
    Some(each?.into_iter().all(|holds| holds))
}

fn holds_at(path: &str, condition: &Value, object: &Value) -> Option<bool> {
    // For `$elemMatch`, an array is an object whose names are its positions.
    let reach = Reach::of(object, path);
    let is_array_without_fields =
        object.as_array().is_some() && path.split('.').next()?.parse::<u32>().is_err();
    let reach =
        if is_array_without_fields { Reach { missing: 1, ..Reach::default() } } else { reach };
    let places = Places {
        values: reach.with_elements().collect(),
        whole: reach.found.clone(),
        missing: reach.missing > 0,
    };
    places.satisfy(condition)
}

/// The values that an operator tests.
struct Places<'a> {
    /// The values, and the elements of those that are arrays.
    values: Vec<&'a Value>,
    /// The values.
    whole: Vec<&'a Value>,
    /// Whether a value is missing at some place.
    missing: bool,
}

impl Places<'_> {
    fn satisfy(&self, condition: &Value) -> Option<bool> {
        let operators = condition.as_object().filter(|it| it.keys().any(|it| it.starts_with('$')));
        let Some(operators) = operators else { return Some(self.equals(condition)) };
        let mut all = true;
        for (operator, operand) in operators.iter() {
            all &= self.satisfies(operator, operand)?;
        }
        Some(all)
    }

    fn satisfies(&self, operator: &str, operand: &Value) -> Option<bool> {
        let list = || operand.as_array().into_iter().flatten();
        Some(match operator {
            "$eq" => self.equals(operand),
            "$ne" => !self.equals(operand),
            "$in" => list().any(|item| self.equals(item)),
            "$nin" => !list().any(|item| self.equals(item)),
            "$all" => list().count() > 0 && list().all(|item| self.equals(item)),
            "$not" => !self.satisfy(operand)?,
            "$exists" => {
                let is_meant = operand.as_bool().or_else(|| Some(!is_equal(operand, &0.into())));
                self.whole.is_empty() != is_meant?
            }
            "$size" => self.arrays().any(|items| is_equal(&items.len().into(), operand)),
            "$elemMatch" => {
                let inner = operand.as_object()?;
                let each: Option<Vec<bool>> =
                    self.arrays().flatten().map(|item| element_matches(inner, item)).collect();
                each?.into_iter().any(|holds| holds)
            }
            "$type" => match operand {
                Value::Array(types) => types.iter().any(|it| self.has_type(it)),
                it => self.has_type(it),
            },
            "$gt" => self.compares(operand, Ordering::is_gt),
            "$lt" => self.compares(operand, Ordering::is_lt),
            "$gte" => self.equals(operand) || self.compares(operand, Ordering::is_gt),
            "$lte" => self.equals(operand) || self.compares(operand, Ordering::is_lt),
            _ => return None,
        })
    }

    fn equals(&self, operand: &Value) -> bool {
        let is_there = self.values.iter().any(|value| is_equal(value, operand));
        is_there || (operand.is_null() && self.missing)
    }

    fn compares(&self, operand: &Value, wanted: fn(Ordering) -> bool) -> bool {
        self.values.iter().any(|value| {
            let comparable = class(value) == class(operand) && !is_nan(value) && !is_nan(operand);
            comparable && wanted(compare(value, operand))
        })
    }

    fn has_type(&self, wanted: &Value) -> bool {
        self.values.iter().any(|value| has_type(value, wanted))
    }

    fn arrays(&self) -> impl Iterator<Item = &Vec<Value>> {
        self.whole.iter().filter_map(|value| value.as_array())
    }
}

/// Whether an element satisfies the operand of `$elemMatch`.
fn element_matches(inner: &Object, item: &Value) -> Option<bool> {
    let is_about_the_element = !inner.is_empty()
        && inner
            .keys()
            .all(|name| name.starts_with('$') && !matches!(name, "$and" | "$or" | "$nor"));
    if is_about_the_element {
        let places = Places { values: vec![item], whole: vec![item], missing: false };
        return places.satisfy(&inner.clone().into());
    }
    match item {
        Value::Object(_) | Value::Array(_) => holds(inner, item),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb_core::object;

    #[test]
    fn it_knows_what_the_examples_of_the_known_differences_say() {
        for (filter, document, expected) in [
            (value!({ "a.x": null }), value!({ "a": [{ "x": 1 }, {}] }), true),
            (value!({ "a.x": null }), value!({ "a": [1] }), false),
            (value!({ "a": { "$gte": null } }), value!({}), true),
            (value!({ "a": { "$in": [[1, 2]] } }), value!({ "a": [1, 2] }), true),
            (value!({ "a": { "$lte": 1 } }), value!({ "a": f64::NAN }), false),
            (value!({ "a": { "$type": "string" } }), value!({ "a": ["text"] }), true),
            (value!({ "a": { "$elemMatch": { "x": 1 } } }), value!({ "a": [[{ "x": 1 }]] }), false),
            (value!({ "a": { "$elemMatch": { "x": 1 } } }), value!({ "a": [1] }), false),
            (value!({ "a": { "$not": { "$size": 1 } } }), value!({ "a": [[1, 2]] }), false),
        ] {
            let filter = filter.as_object().unwrap();
            assert_eq!(holds(filter, &document), Some(expected), "{filter} {document}");
        }
        assert_eq!(holds(&object! { "a": { "$regex": "a" } }, &value!({})), None);
    }
}
