//! Distinct values, and pipelines that match and group by a top-level field.

use velocitydb_core::{Object, Value};

use super::numbers::sum;
use super::order::{compare, is_equal};
use super::queries::found;
use super::simplest::{distinct, is_simpler};
use crate::oracle::case::{Answer, Find};
use crate::oracle::reach::Reach;

/// The distinct values at a path: of arrays those of their elements.
pub fn distinct_values(path: &str, filter: &Object, documents: &[Value]) -> Option<Answer> {
    let find = Find { filter: filter.clone(), ..Find::default() };
    let documents: Vec<Value> =
        found(&find, documents)?.into_iter().map(|it| it.clone().into()).collect();
    let elements = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let reached = documents.iter().flat_map(|document| Reach::of(document, path).found);
    let values: Vec<Value> = reached.flat_map(elements).collect();
    Some(Answer::Values(distinct(&values)))
}

/// The result of a pipeline of `$match` and `$group`, or of `$group` alone.
pub fn grouped(pipeline: &[Value], documents: &[Value]) -> Option<Answer> {
    let stage = |at: usize, name: &str| pipeline.get(at)?.as_object()?.get(name)?.as_object();
    let (filter, group) = match pipeline.len() {
        1 => (Object::new(), stage(0, "$group")?),
        2 => (stage(0, "$match")?.clone(), stage(1, "$group")?),
        _ => return None,
    };
    let key = field_of(group.get("_id")?)?;
    let mut groups: Vec<(Value, Vec<&Object>)> = Vec::new();
    for document in found(&Find { filter, ..Find::default() }, documents)? {
        let value = document.get(key).cloned().unwrap_or_default();
        match groups.iter_mut().find(|(key, _)| is_equal(key, &value)) {
            Some((key, rows)) => {
                rows.push(document);
                if is_simpler(&value, key) {
                    *key = value;
                }
            }
            None => groups.push((value, vec![document])),
        }
    }
    groups.sort_by(|(a, _), (b, _)| compare(a, b));
    let rows: Option<Vec<Value>> = groups
        .into_iter()
        .map(|(key, rows)| {
            let mut row = Object::from([("_id", key)]);
            for (name, accumulator) in group.iter().filter(|(name, _)| *name != "_id") {
                row.insert(name, accumulated(accumulator.as_object()?, &rows)?);
            }
            Some(row.into())
        })
        .collect();
    Some(Answer::Documents(rows?))
}

/// The name of a top-level field in an expression.
fn field_of(expression: &Value) -> Option<&str> {
    let name = expression.as_str()?.strip_prefix('$')?;
    (!name.contains(['.', '$'])).then_some(name)
}

fn accumulated(accumulator: &Object, rows: &[&Object]) -> Option<Value> {
    let (operator, operand) = accumulator.iter().next()?;
    if operator == "$count" {
        return Some(rows.len().into());
    }
    let name = field_of(operand)?;
    let values = rows.iter().filter_map(|row| row.get(name));
    let all = distinct(values.clone());
    let present = all.iter().filter(|value| !value.is_null());
    Some(match operator {
        "$min" => present.min_by(|a, b| compare(a, b)).cloned().unwrap_or_default(),
        "$max" => present.max_by(|a, b| compare(a, b)).cloned().unwrap_or_default(),
        "$addToSet" => {
            let mut all = all;
            all.sort_by(compare);
            all.into()
        }
        "$sum" => total(values.filter(|value| value.kind().is_number()))?,
        _ => return None,
    })
}

/// The sum of integers and decimals; of one number it is this one, with its digits.
fn total<'a>(mut numbers: impl Iterator<Item = &'a Value>) -> Option<Value> {
    let first = numbers.next().cloned().unwrap_or(Value::Int(0));
    numbers.try_fold(first, |total, number| match (&total, number) {
        (Value::Int(a), Value::Int(b)) => a.checked_add(*b).map(Value::from),
        (total, number) => sum(total, number),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb_core::{Decimal, value};

    #[test]
    fn equal_keys_are_one_group() {
        let half: Value = "0.50".parse::<Decimal>().unwrap().into();
        let documents = [
            value!({ "a": 1.0, "b": half.clone() }),
            value!({ "a": "1" }),
            value!({ "a": 1, "b": 2 }),
            value!({ "b": null }),
        ];
        let group = value!({ "$group": {
            "_id": "$a", "n": { "$count": {} }, "t": { "$sum": "$b" }, "l": { "$min": "$b" },
        } });
        let expected = vec![
            value!({ "_id": null, "n": 1, "t": 0, "l": null }),
            value!({ "_id": 1, "n": 2, "t": "2.50".parse::<Decimal>().unwrap(), "l": half }),
            value!({ "_id": "1", "n": 1, "t": 0, "l": null }),
        ];
        assert_eq!(grouped(&[group], &documents), Some(Answer::Documents(expected)));
        let values = distinct_values("a", &Object::new(), &documents);
        assert_eq!(values, Some(Answer::Values(vec![1.into(), "1".into()])));
    }
}
