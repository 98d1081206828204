//! Random pipelines over the records. A stage whose result depends on the order follows a sort
//! without ties.

use velocitydb_core::{Decimal, Object, Value, object, value};

use super::Source;
use super::expression::{any, condition, moment, number, text};
use crate::oracle::case::Order;

/// A pipeline, and whether its results have an order.
pub fn pipeline(documents: &[Object], source: &mut Source) -> (Vec<Value>, Order) {
    let mut stages = Vec::new();
    if source.percent(40) {
        stages.push(value!({ "$match": matching(documents, source) }));
    }
    let goal = source.weighted(&[43, 19, 11, 8, 8, 6, 5]);
    // Sorts by several keys need distinct ids.
    if matches!(goal, 0..3) && source.percent(20) {
        stages.extend(unwinding(source));
    }
    let order = match goal {
        0 => grouping(&mut stages, source),
        1 => projecting(&mut stages, source),
        2 => bucketing(&mut stages, source),
        3 => joining(&mut stages, source),
        4 => faceting(&mut stages, source),
        5 => counting(&mut stages, source),
        _ => ordering(&mut stages, source),
    };
    (stages, order)
}

fn matching(documents: &[Object], source: &mut Source) -> Object {
    let field =
        *source.one_of(&["n", "f", "d", "s", "g", "h", "p", "q", "t", "m", "l", "w", "_id"]);
    let document = source.one_of(documents);
    let operand = match document.get(field) {
        Some(Value::Array(items)) => items.first().cloned().unwrap_or_default(),
        found => found.cloned().unwrap_or_default(),
    };
    let operator = *source.one_of(&["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]);
    // Ranges with null are tested by filters.
    let operator = if operand.is_null() { "$ne" } else { operator };
    object! { (field): { (operator): operand } }
}

/// An order without ties, unless a list has been unwound.
fn sorting(source: &mut Source) -> Value {
    let count = 1 + source.below(2);
    let fields = source.several(&["g", "h", "n", "d", "p", "t"], count);
    let mut keys: Vec<Value> = fields
        .into_iter()
        .map(|field| value!({ (*field): if source.percent(50) { 1 } else { -1 } }))
        .collect();
    keys.push(value!({ "_id": 1 }));
    value!({ "$sort": keys })
}

/// A sort by fields of the elements of arrays, which only [`by_the_book`](crate::oracle::by_the_book)
/// supports.
fn ordering(stages: &mut Vec<Value>, source: &mut Source) -> Order {
    let count = 1 + source.below(3);
    let paths = source.several(&["j.x", "j.y", "j.x", "k", "z", "g"], count);
    let direction = |source: &mut Source| if source.percent(50) { 1 } else { -1 };
    let mut keys: Vec<Value> = Vec::new();
    for path in paths {
        if !keys.iter().filter_map(Value::as_object).any(|key| key.contains_key(path)) {
            keys.push(value!({ (*path): direction(source) }));
        }
    }
    keys.push(value!({ "_id": 1 }));
    stages.push(value!({ "$sort": keys }));
    cut(stages, source);
    stages.push(value!({ "$project": { "_id": 1 } }));
    Order::Given
}

fn unwinding(source: &mut Source) -> Vec<Value> {
    // No other list, since operators on lists would find their elements.
    let path = "$k";
    let mut unwind = object! { "path": path };
    if source.percent(40) {
        unwind.insert("preserveNullAndEmptyArrays", source.percent(70));
    }
    if source.percent(30) {
        unwind.insert("includeArrayIndex", "i");
    }
    let operand: Value = if source.percent(40) { path.into() } else { unwind.into() };
    // Several documents have one id afterwards, so it cannot break ties.
    let numbered = value!({ "$sort": [{ "_id": 1 }] });
    vec![numbered, value!({ "$unwind": operand })]
}

fn grouping(stages: &mut Vec<Value>, source: &mut Source) -> Order {
    if !has_stage(stages, "$unwind") {
        stages.push(sorting(source));
    }
    let mut group = object! { "_id": group_key(source) };
    for (number, name) in ["r", "s", "q"].iter().enumerate() {
        if number == 0 || source.percent(60) {
            group.insert(*name, accumulator(source));
        }
    }
    // Groups whose key is an object are sorted by names first in mingo.
    let is_object = group["_id"].as_object().is_some_and(|it| it.contains_key("u"));
    let is_sorted = !is_object && source.percent(50);
    stages.push(value!({ "$group": group }));
    if !is_sorted {
        return Order::Sets;
    }
    stages.push(value!({ "$sort": [{ "_id": if source.percent(50) { 1 } else { -1 } }] }));
    if source.percent(30) {
        stages.push(value!({ "$limit": 1 + source.below(4) }));
    }
    // Sets have no order.
    Order::Sets
}

fn group_key(source: &mut Source) -> Value {
    match source.weighted(&[30, 15, 10, 20, 15, 10, 10, 8, 6]) {
        7 => "$q".into(),
        8 => "$d".into(),
        6 => "$z".into(),
        0 => "$g".into(),
        1 => "$h".into(),
        2 => Value::Null,
        3 => moment(source),
        4 => value!({ "$ifNull": [number(1, source), 0] }),
        _ => value!({ "u": "$g", "v": { "$ifNull": ["$h", "none"] } }),
    }
}

fn accumulator(source: &mut Source) -> Value {
    if source.percent(1) {
        return accumulator_of_several(source);
    }
    match source.weighted(&[10, 12, 12, 10, 10, 8, 8, 8, 8, 5, 2, 8]) {
        0 => value!({ "$sum": 1 }),
        1 => value!({ "$sum": number(1, source) }),
        2 => value!({ "$avg": number(1, source) }),
        3 => value!({ "$min": least(source) }),
        4 => value!({ "$max": least(source) }),
        5 => value!({ "$first": any(1, source) }),
        6 => value!({ "$last": any(1, source) }),
        7 => value!({ "$push": present(source) }),
        8 => value!({ "$addToSet": present(source) }),
        9 => value!({ "$stdDevPop": "$p" }),
        10 => value!({ "$stdDevSamp": "$p" }),
        _ if source.percent(50) => value!({ "$count": {} }),
        _ => {
            let p: Value =
                source.several(&[0.1, 0.25, 0.5, 0.9, 0.99], 2).into_iter().copied().collect();
            value!({ "$percentile": { "input": "$p", "p": p, "method": "approximate" } })
        }
    }
}

/// An accumulator with a list as its operand, which a group refuses.
fn accumulator_of_several(source: &mut Source) -> Value {
    let names = ["$sum", "$avg", "$min", "$max", "$push", "$addToSet", "$first", "$last"];
    let count = source.below(3);
    let operands = source.several(&["$n", "$f", "$p"], count).into_iter();
    let operands: Value = operands.copied().collect();
    value!({ (*source.one_of(&names)): operands })
}

/// An accumulator for buckets. Mingo evaluates `$first` and `$last` of empty ones too, and fails.
fn accumulator_of_some(source: &mut Source) -> Value {
    let accumulator = accumulator(source);
    let takes_one = ["$first", "$last"]
        .map(|name| accumulator.as_object().is_some_and(|it| it.contains_key(name)));
    if takes_one.contains(&true) { value!({ "$max": "$p" }) } else { accumulator }
}

/// An operand that is compared: a number, a string, a time, or anything.
fn least(source: &mut Source) -> Value {
    match source.below(5) {
        4 => (*source.one_of(&["$d", "$q"])).into(),
        0 => number(1, source),
        1 => text(1, source),
        2 => "$t".into(),
        _ if source.percent(30) => "$z".into(),
        _ => "$m".into(),
    }
}

/// An operand that is never missing: mingo collects null for missing ones.
fn present(source: &mut Source) -> Value {
    match source.weighted(&[30, 20, 20, 27, 3, 10, 10]) {
        6 => (*source.one_of(&["$q", "$_id"])).into(),
        5 => "$z".into(),
        0 => value!({ "$ifNull": ["$n", "none"] }),
        1 => "$t".into(),
        2 => value!({ "$ifNull": [text(1, source), 0] }),
        3 => value!({ "k": "$p", "v": { "$ifNull": ["$g", -1] } }),
        _ => "$n".into(),
    }
}

fn projecting(stages: &mut Vec<Value>, source: &mut Source) -> Order {
    let mut computed = Object::new();
    for name in ["r", "q"] {
        computed.insert(name, any(2, source));
    }
    let stage = match source.weighted(&[55, 25, 20]) {
        0 => {
            for field in source.several(&["n", "s", "l", "o", "t"], 2) {
                computed.insert(*field, 1);
            }
            if source.percent(20) {
                computed.insert("_id", 0);
            }
            "$project"
        }
        1 => "$addFields",
        _ => "$set",
    };
    if source.percent(40) && !has_stage(stages, "$unwind") {
        stages.push(sorting(source));
        cut(stages, source);
    }
    let order = if has_stage(stages, "$sort") { Order::Given } else { Order::Free };
    stages.push(value!({ (stage): computed }));
    if source.percent(20) {
        // Unwound documents share their objects in mingo, and changing one would change all.
        let unwound = has_stage(stages, "$unwind");
        let names: &[&str] = if unwound { &["r", "m"] } else { &["r", "m", "o.x"] };
        stages.push(value!({ "$unset": *source.one_of(names) }));
    }
    order
}

fn has_stage(stages: &[Value], name: &str) -> bool {
    stages.iter().any(|stage| stage.as_object().is_some_and(|it| it.contains_key(name)))
}

fn cut(stages: &mut Vec<Value>, source: &mut Source) {
    if source.percent(50) {
        stages.push(value!({ "$skip": source.below(8) }));
    }
    if source.percent(50) {
        stages.push(value!({ "$limit": 1 + source.below(15) }));
    }
}

/// No value equals a boundary: mingo puts such a value into the bucket before.
fn bucketing(stages: &mut Vec<Value>, source: &mut Source) -> Order {
    let (by, boundaries) = match source.below(4) {
        0 => ("$p", value!([9, 29.5, 60.25, 101])),
        1 => ("$n", value!([-5.5, 0.5, 12.5])),
        2 => ("$f", value!([-3.25, 1.25, 4.75])),
        _ => ("$d", value!([-3.25, Decimal::new(125, -2), 4.75])),
    };
    let mut bucket = object! {
        "groupBy": by,
        "boundaries": boundaries,
        "output": { "count": { "$sum": 1 }, "r": accumulator_of_some(source) },
    };
    if by != "$p" || source.percent(50) {
        bucket.insert("default", *source.one_of(&["other", "rest"]));
    }
    stages.push(sorting_unless_unwound(stages, source));
    stages.push(value!({ "$bucket": bucket }));
    // Mingo lists empty buckets too.
    if source.percent(95) {
        stages.push(value!({ "$match": { "count": { "$gt": 0 } } }));
    }
    Order::Sets
}

fn sorting_unless_unwound(stages: &[Value], source: &mut Source) -> Value {
    if has_stage(stages, "$unwind") { value!({ "$match": {} }) } else { sorting(source) }
}

/// The local and the foreign field of joins. A local one may lead through arrays, to their elements
/// or to a position, also beyond their end.
const JOINED: [(&str, &str); 22] = [
    ("q", "q"),
    ("d", "f"),
    ("n", "d"),
    ("_id", "_id"),
    ("g", "l"),
    ("h", "w"),
    ("p", "p"),
    ("o.x", "g"),
    ("g", "o.x"),
    ("l", "g"),
    ("l", "l"),
    ("l.0", "g"),
    ("l.1", "l"),
    ("l.99", "g"),
    ("w.0", "h"),
    ("j.x", "g"),
    ("j.0.x", "g"),
    ("j.1.x", "o.x"),
    ("j.y.0", "l"),
    ("c", "l.0"),
    ("c", "j.0.x"),
    ("z", "j.y.0"),
];

fn joining(stages: &mut Vec<Value>, source: &mut Source) -> Order {
    let (local, foreign) = *source.one_of(&JOINED);
    stages.push(value!({ "$lookup": {
        "from": "records", "localField": local, "foreignField": foreign, "as": "joined",
    } }));
    stages.push(value!({ "$project": { "ids": "$joined._id" } }));
    Order::Sets
}

fn faceting(stages: &mut Vec<Value>, source: &mut Source) -> Order {
    let mut one = Vec::new();
    grouping(&mut one, source);
    let mut other = vec![sorting(source)];
    projecting(&mut other, source);
    stages.push(value!({ "$facet": { "u": one, "v": other } }));
    Order::Sets
}

fn counting(stages: &mut Vec<Value>, source: &mut Source) -> Order {
    stages.push(value!({ "$match": { "p": { "$gte": source.between(10, 25) } } }));
    if source.percent(50) {
        stages.push(value!({ "$match": { "$expr": condition(2, source) } }));
    }
    stages.push(value!({ "$count": "n" }));
    Order::Given
}
