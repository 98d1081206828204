//! Planted bugs: an evaluator with one small bug. The comparison is trusted once it has detected
//! each of them.
//!
//! A bug changes the query before it is answered, or the answer, so it can be planted in every evaluator.

use velocitydb_core::{Bytes, Object, Value, object};

use super::case::{Answer, Query};
use super::evaluate::Evaluator;

/// A small bug.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    /// The name on the command line.
    pub name: &'static str,
    /// Within how many comparisons of all kinds it has to be detected.
    pub comparisons: u64,
    change: Change,
}

/// What it changes.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// Each object of the query, before it is answered.
    Query(fn(&mut Object)),
    /// Each document of the answer.
    Result(fn(&mut Object)),
}

/// All of them.
pub const BUGS: &[Bug] = &[
    Bug {
        name: "gte-is-gt",
        comparisons: 2_000,
        change: Change::Query(|it| rename(it, "$gte", "$gt")),
    },
    Bug { name: "nin-is-ne-first", comparisons: 5_000, change: Change::Query(nin_takes_the_first) },
    Bug {
        name: "null-is-not-missing",
        comparisons: 5_000,
        change: Change::Query(null_is_not_missing),
    },
    Bug {
        name: "all-is-in",
        comparisons: 5_000,
        change: Change::Query(|it| rename(it, "$all", "$in")),
    },
    Bug {
        name: "patterns-heed-case",
        comparisons: 20_000,
        change: Change::Query(|it| drop(it.remove("$options"))),
    },
    Bug { name: "skip-one-less", comparisons: 2_000, change: Change::Query(skip_one_less) },
    Bug {
        name: "second-key-ignored",
        comparisons: 5_000,
        change: Change::Query(second_key_ignored),
    },
    Bug {
        name: "push-ignores-position",
        comparisons: 20_000,
        change: Change::Query(|it| drop(it.remove("$position"))),
    },
    Bug {
        name: "push-sorts-by-one",
        comparisons: 50_000,
        change: Change::Query(push_sorts_by_one),
    },
    Bug { name: "there-if-a-float", comparisons: 20_000, change: Change::Query(there_if_a_float) },
    Bug {
        name: "null-is-one",
        comparisons: 50_000,
        change: Change::Query(|it| null_is(it, &1.into())),
    },
    Bug {
        name: "multiply-adds",
        comparisons: 5_000,
        change: Change::Query(|it| rename(it, "$mul", "$inc")),
    },
    Bug {
        name: "pop-other-end",
        comparisons: 20_000,
        change: Change::Query(|it| negate(it, "$pop")),
    },
    Bug {
        name: "average-sums",
        comparisons: 5_000,
        change: Change::Query(|it| rename(it, "$avg", "$sum")),
    },
    Bug {
        name: "zone-ignored",
        comparisons: 5_000,
        change: Change::Query(|it| drop(it.remove("timezone"))),
    },
    Bug {
        name: "week-from-sunday",
        comparisons: 50_000,
        change: Change::Query(|it| drop(it.remove("startOfWeek"))),
    },
    Bug {
        name: "decimals-are-floats",
        comparisons: 20_000,
        change: Change::Query(decimals_are_floats),
    },
    Bug { name: "ids-are-texts", comparisons: 5_000, change: Change::Query(ids_are_texts) },
    Bug {
        name: "binary-has-no-subtype",
        comparisons: 20_000,
        change: Change::Query(binary_has_no_subtype),
    },
    Bug {
        name: "null-is-first-in-lists",
        comparisons: 100_000,
        change: Change::Query(null_is_first),
    },
    Bug {
        name: "fields-are-sorted",
        comparisons: 20_000,
        change: Change::Query(fields_are_sorted),
    },
    Bug {
        name: "results-are-sorted",
        comparisons: 5_000,
        change: Change::Result(|it| it.sort_by_name()),
    },
];

impl Bug {
    /// The bug with this name.
    pub fn named(name: &str) -> Option<Self> {
        BUGS.iter().copied().find(|bug| bug.name == name)
    }
}

/// An evaluator with a bug.
pub struct Planted {
    /// The evaluator.
    pub evaluator: Box<dyn Evaluator>,
    /// The bug.
    pub bug: Bug,
}

impl Evaluator for Planted {
    fn name(&self) -> String {
        format!("{} with {}", self.evaluator.name(), self.bug.name)
    }

    fn load(&mut self, documents: &[Object], number: u64) -> Result<(), String> {
        self.evaluator.load(documents, number)
    }

    fn answer(&mut self, query: &Query) -> Option<Answer> {
        match self.bug.change {
            Change::Query(change) => self.evaluator.answer(&changed(query, change)),
            Change::Result(change) => {
                let mut answer = self.evaluator.answer(query)?;
                if let Answer::Documents(documents) = &mut answer {
                    documents.iter_mut().filter_map(Value::as_object_mut).for_each(change);
                }
                Some(answer)
            }
        }
    }
}

fn changed(query: &Query, change: fn(&mut Object)) -> Query {
    let mut query = query.clone();
    match &mut query {
        Query::Find(find) => {
            in_object(&mut find.filter, change);
            let mut options = object! { "skip": find.skip, "sort": find.sort.clone() };
            change(&mut options);
            find.skip = options["skip"].as_u64();
            find.sort = options["sort"].as_array().cloned().unwrap_or_default();
        }
        Query::Count { filter } | Query::Distinct { filter, .. } => in_object(filter, change),
        Query::Update { update, .. } => in_object(update, change),
        Query::Aggregate { pipeline, .. } => {
            pipeline.iter_mut().for_each(|stage| in_value(stage, change));
        }
    }
    query
}

fn in_object(object: &mut Object, change: fn(&mut Object)) {
    change(object);
    object.iter_mut().for_each(|(_, value)| in_value(value, change));
}

fn in_value(value: &mut Value, change: fn(&mut Object)) {
    match value {
        Value::Object(object) => in_object(object, change),
        Value::Array(items) => items.iter_mut().for_each(|item| in_value(item, change)),
        _ => {}
    }
}

fn rename(object: &mut Object, from: &str, to: &str) {
    if let Some(operand) = object.remove(from) {
        object.insert(to, operand);
    }
}

fn negate(object: &mut Object, operator: &str) {
    if let Some(Value::Object(fields)) = object.get_mut(operator) {
        for (_, value) in fields.iter_mut() {
            *value = (-value.as_i64().unwrap_or(0)).into();
        }
    }
}

fn nin_takes_the_first(object: &mut Object) {
    if let Some(Value::Array(values)) = object.get_mut("$nin") {
        values.truncate(1);
    }
}

fn null_is_not_missing(object: &mut Object) {
    if object.get("$eq").is_some_and(Value::is_null) {
        object.remove("$eq");
        object.insert("$type", "null");
    }
}

fn push_sorts_by_one(object: &mut Object) {
    if let (true, Some(Value::Array(keys))) =
        (object.contains_key("$each"), object.get_mut("$sort"))
    {
        keys.truncate(1);
    }
}

fn there_if_a_float(object: &mut Object) {
    if let Some(Value::Float(_)) = object.get("$exists") {
        object.insert("$exists", true);
    }
}

fn null_is(object: &mut Object, other: &Value) {
    for name in ["$multiply", "$divide"] {
        if let Some(Value::Array(operands)) = object.get_mut(name) {
            operands.iter_mut().filter(|it| it.is_null()).for_each(|it| *it = other.clone());
        }
    }
}

fn decimals_are_floats(object: &mut Object) {
    for (_, value) in object.iter_mut() {
        if let Value::Decimal(decimal) = value {
            *value = decimal.to_f64().into();
        }
    }
}

fn ids_are_texts(object: &mut Object) {
    if let Some(id) = object.get_mut("_id")
        && id.kind().is_number()
    {
        *id = id.to_json().into();
    }
}

fn binary_has_no_subtype(object: &mut Object) {
    for (_, value) in object.iter_mut() {
        if let Value::Binary(binary) = value {
            *value = Bytes(binary.as_bytes().to_vec()).into();
        }
    }
}

/// Null is not found behind what is below it.
fn null_is_first(object: &mut Object) {
    if let Some(Value::Array(values)) = object.get_mut("$in")
        && values.iter().any(|value| *value < Value::Null)
    {
        values.retain(|value| !value.is_null());
    }
}

fn fields_are_sorted(object: &mut Object) {
    if let Some(Value::Object(fields)) = object.get_mut("$set") {
        for (_, value) in fields.iter_mut() {
            if let Value::Object(value) = value {
                value.sort_by_name();
            }
        }
    }
}

fn skip_one_less(object: &mut Object) {
    if let Some(skip) = object.get("skip").and_then(Value::as_u64) {
        object.insert("skip", skip.saturating_sub(1));
    }
}

fn second_key_ignored(object: &mut Object) {
    if let Some(Value::Array(keys)) = object.get_mut("sort")
        && keys.len() > 2
    {
        keys.remove(1);
    }
}
