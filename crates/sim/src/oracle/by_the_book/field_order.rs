//! The order of fields in results, as `docs/queries.md` describes it: mingo has another one for fields
//! that an update adds and for those that a projection includes.

use velocitydb_core::{Object, Value};

use crate::oracle::case::{Answer, Find, Query, id_of};

/// Whether the fields of an answer are in the right order, as far as that is known here.
pub fn is_in_order(query: &Query, documents: &[Object], answer: &Answer) -> bool {
    let Answer::Documents(results) = answer else { return true };
    let mut results = results.iter().filter_map(Value::as_object);
    match query {
        Query::Find(find) => results.all(|result| is_projected(find, documents, result)),
        Query::Update { document, update } => {
            results.all(|result| is_updated("", &documents[*document], update, result))
        }
        Query::Aggregate { pipeline, .. } => {
            let last = pipeline.last().and_then(Value::as_object);
            last.is_none_or(|stage| results.all(|result| is_computed(stage, result)))
        }
        Query::Count { .. } | Query::Distinct { .. } => true,
    }
}

/// Whether the fields of a result are in the order of the document's.
fn is_projected(find: &Find, documents: &[Object], result: &Object) -> bool {
    let is_its =
        |document: &&Object| !result.contains_key("_id") || id_of(document) == id_of(result);
    let mut documents = documents.iter().filter(is_its);
    find.projection.is_none() || documents.any(|document| follows(result, document))
}

/// Whether the fields that both have are in the same order, also in the objects inside.
fn follows(result: &Object, document: &Object) -> bool {
    common(result, document).eq(common(document, result))
        && result.iter().all(|(name, value)| match (value, document.get(name)) {
            (Value::Object(value), Some(Value::Object(before))) => follows(value, before),
            _ => true,
        })
}

/// The names in one object that another one has too.
fn common<'a>(object: &'a Object, other: &Object) -> impl Iterator<Item = &'a str> {
    object.keys().filter(|name| other.contains_key(name))
}

/// Whether fields that were there have kept their places, and new ones follow by name, in the object at
/// a path, which is empty or ends in a dot.
fn is_updated(path: &str, before: &Object, update: &Object, result: &Object) -> bool {
    let changes = || update.values().filter_map(Value::as_object);
    let mut expected: Vec<&str> = common(before, result).collect();
    let mut added: Vec<&str> = result.keys().filter(|name| !before.contains_key(name)).collect();
    added.sort_unstable();
    expected.extend(added);
    result.keys().eq(expected)
        && result.iter().all(|(name, value)| {
            let path = format!("{path}{name}");
            let is_replaced = changes().any(|changes| changes.contains_key(&path));
            match (before.get(name), value) {
                (Some(Value::Object(before)), Value::Object(value)) if !is_replaced => {
                    is_updated(&format!("{path}."), before, update, value)
                }
                _ => true,
            }
        })
}

/// Whether `_id` comes first, and what a stage computes comes last, in the order of the stage.
fn is_computed(stage: &Object, result: &Object) -> bool {
    let Some((operator, Value::Object(fields))) = stage.iter().next() else { return true };
    let is_kept = |value: &Value| value.as_bool().is_some() || value.kind().is_number();
    let names = fields.iter().filter(|(name, _)| *name != "_id" && !name.contains('.'));
    let computed: Vec<&str> = match operator {
        "$group" => names.map(|(name, _)| name).collect(),
        "$project" => names.filter(|(_, value)| !is_kept(value)).map(|(name, _)| name).collect(),
        _ => return true,
    };
    let found: Vec<&str> = computed.into_iter().filter(|name| result.contains_key(name)).collect();
    let names: Vec<&str> = result.keys().collect();
    names.ends_with(&found) && names.iter().position(|name| *name == "_id").is_none_or(|at| at == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Order;
    use velocitydb_core::{object, value};

    fn holds(query: &Query, result: Value) -> bool {
        let documents = [object! { "_id": 1, "b": { "y": 1, "x": 1 }, "a": 1 }];
        is_in_order(query, &documents, &Answer::Documents(vec![result]))
    }

    #[test]
    fn a_projection_keeps_the_order() {
        let find = |projection| Find { projection: Some(projection), ..Find::default() };
        let query = Query::Find(find(object! { "a": 1, "b.x": 1 }));
        assert!(holds(&query, value!({ "_id": 1, "b": { "x": 1 }, "a": 1 })));
        assert!(!holds(&query, value!({ "_id": 1, "a": 1, "b": { "x": 1 } })));
        assert!(!holds(&query, value!({ "b": { "x": 1, "y": 1 } })));
    }

    #[test]
    fn an_update_appends_by_name() {
        let update = object! { "$set": { "d": 1, "c": { "z": 1, "q": 1 } }, "$inc": { "b.w": 1 } };
        let query = Query::Update { document: 0, update };
        let right = value!({
            "_id": 1, "b": { "y": 1, "x": 1, "w": 1 }, "a": 1, "c": { "z": 1, "q": 1 }, "d": 1,
        });
        assert!(holds(&query, right));
        assert!(!holds(
            &query,
            value!({ "_id": 1, "b": { "y": 1, "x": 1 }, "a": 1, "d": 1, "c": 1 })
        ));
        assert!(!holds(&query, value!({ "_id": 1, "b": { "w": 1, "y": 1, "x": 1 }, "a": 1 })));
    }

    #[test]
    fn what_is_computed_comes_last() {
        let stage = value!({ "$project": { "r": "$a", "a": 1, "q": "$a" } });
        let query = Query::Aggregate { pipeline: vec![stage], order: Order::Free };
        assert!(holds(&query, value!({ "_id": 1, "a": 1, "r": 1, "q": 1 })));
        assert!(!holds(&query, value!({ "_id": 1, "a": 1, "q": 1, "r": 1 })));
        assert!(!holds(&query, value!({ "a": 1, "r": 1, "_id": 1 })));
    }
}
