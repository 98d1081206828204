//! Random collections with values of all types, also those that JavaScript lacks, and queries about
//! these that [`by_the_book`](crate::oracle::by_the_book) answers: comparing, sorting and grouping by
//! them, and updates of whole fields.

use std::collections::BTreeMap;

use velocitydb_core::{Decimal, Foreign, Object, ObjectId, Value, object, value};

use super::Source;
use super::batch::distinct;
use super::documents::{FIELDS, INNER, RANK, by_id, rank_of, shuffled};
use super::filter::Filters;
use super::ids::Ids;
use super::shape::sort;
use super::values::{Values, scalar};
use crate::oracle::case::{Find, Order, Query};

/// Decimals; many equal each other, an integer or a float, and many nearly do.
const DECIMALS: [&str; 30] = [
    "0",
    "-0",
    "0E-6176",
    "0E+6111",
    "0.1",
    "0.10",
    "0.1000000000000000055511151231257827",
    "0.1000000000000000055511151231257828",
    "-0.5",
    "1",
    "1.0",
    "1.000000000000000000000000000000000",
    "1.000000000000000000000000000000001",
    "10",
    "1E+1",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "9007199254740993.000000000000000001",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "1E-6176",
    "9.999999999999999999999999999999999E+6144",
    "Infinity",
    "-Infinity",
    "NaN",
];
const FLOATS: [f64; 17] = [
    0.0,
    -0.0,
    0.1,
    -0.5,
    1.0,
    10.0,
    9_007_199_254_740_992.0,
    9_007_199_254_740_994.0,
    9_223_372_036_854_775_808.0,
    -9_223_372_036_854_775_808.0,
    18_446_744_073_709_551_616.0,
    1e300,
    5e-324,
    -5e-324,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];
const INTEGERS: [i64; 9] =
    [0, 1, 10, 1 << 31, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN];

/// Numbers of which 34 digits hold the sum of some thousand, and mostly the product of two. A sum that was
/// rounded could depend on the order of the rows.
const SUMMANDS: [&str; 9] = [
    "0.1",
    "-0.10",
    "1.50",
    "3",
    "-2E+2",
    "12345678901234567.89",
    "0.000000001",
    "99999999999999999999",
    "-0.00",
];

/// The name of a field of decimals and integers that can be summed.
const SUMMAND: &str = "t";

/// A collection of 20 to 40 documents.
pub fn collection(source: &mut Source) -> Vec<Object> {
    let ids = Ids::of_any_type(source);
    let (count, mut ranks) = (source.between(20, 40), BTreeMap::new());
    let mut document = |number| {
        let mut document = object! { "_id": ids.id(number, source), SUMMAND: summand(source) };
        for name in FIELDS {
            document.extend(field(source).map(|value| (name, value)));
        }
        document.insert(RANK, rank_of(document.get("a"), &mut ranks));
        shuffled(document, source)
    };
    by_id((0..count).map(&mut document).collect())
}

fn field(source: &mut Source) -> Option<Value> {
    Some(match source.weighted(&[10, 70, 12, 8]) {
        0 => return None,
        1 => any(source),
        2 => (0..source.below(4)).map(|_| any(source)).collect(),
        _ => {
            let count = source.below(4);
            let names = source.several(&INNER, count);
            names.into_iter().map(|name| (*name, any(source))).collect::<Object>().into()
        }
    })
}

/// Any value that is not made of others.
pub fn any(source: &mut Source) -> Value {
    match source.weighted(&[45, 20, 35]) {
        0 => number(source),
        1 => kept(source),
        _ => scalar(source),
    }
}

fn number(source: &mut Source) -> Value {
    match source.weighted(&[50, 25, 20, 5]) {
        0 => decimal(source.one_of::<&str>(&DECIMALS)),
        1 => (*source.one_of(&FLOATS)).into(),
        2 => (*source.one_of(&INTEGERS)).into(),
        _ => (*source.one_of(&[1 << 63, u64::MAX])).into(),
    }
}

/// A decimal or an integer.
pub fn decimal_or_integer(source: &mut Source) -> Value {
    match source.below(3) {
        0 => decimal(source.one_of::<&str>(&DECIMALS)),
        1 => (*source.one_of(&INTEGERS)).into(),
        _ => summand(source),
    }
}

fn summand(source: &mut Source) -> Value {
    if source.percent(40) {
        source.between(-9, 9).into()
    } else {
        decimal(source.one_of::<&str>(&SUMMANDS))
    }
}

fn decimal(text: &str) -> Value {
    text.parse::<Decimal>().expect("the lists are of decimals").into()
}

/// A value of a type that is only kept.
fn kept(source: &mut Source) -> Value {
    let text = *source.one_of(&["", "a", "ab", "b"]);
    let foreign = match source.below(9) {
        0 => Foreign::min_key(),
        1 => Foreign::max_key(),
        2 => Foreign::undefined(),
        3 => Foreign::symbol(text),
        4 => {
            let seconds = *source.one_of(&[0, 1, 255, 256, u32::MAX]);
            Foreign::timestamp(seconds, source.below(3) as u32)
        }
        5 => Foreign::regex(text, source.one_of::<&str>(&["", "i", "m"]))
            .expect("these are without NUL"),
        6 => Foreign::javascript(text),
        7 => {
            let scope = if source.percent(50) {
                object! {}
            } else {
                object! { "x": 1 }
            };
            Foreign::javascript_with_scope(&format!("{text}{}", scope.len()), &scope)
                .expect("the scope is small")
        }
        _ => {
            let id = ObjectId::from([source.below(3) as u8; 12]);
            Foreign::db_pointer(text, id).expect("it is without NUL")
        }
    };
    foreign.into()
}

/// A query.
pub fn query(documents: &[Object], source: &mut Source) -> Query {
    let filters = Filters { documents, values: Values::All };
    match source.weighted(&[50, 5, 15, 8, 10, 12]) {
        0 => Query::Find(Find { filter: filters.filter(source), ..Find::default() }),
        1 => Query::Count { filter: filters.filter(source) },
        2 => Query::Find(Find {
            filter: filters.sometimes(source),
            sort: sort(source),
            skip: source.percent(30).then(|| source.below(8) as u64),
            limit: source.percent(50).then(|| 1 + source.below(12) as u64),
            projection: None,
        }),
        3 => distinct(filters, source),
        4 => grouping(filters, source),
        _ => {
            let document = source.below(documents.len());
            Query::Update { document, update: update(&documents[document], documents, source) }
        }
    }
}

fn grouping(filters: Filters<'_>, source: &mut Source) -> Query {
    let field = |source: &mut Source| format!("${}", source.one_of(&FIELDS));
    let group = object! {
        "_id": field(source),
        "n": { "$count": {} },
        "least": { "$min": field(source) },
        "most": { "$max": field(source) },
        "all": { "$addToSet": field(source) },
        "total": { "$sum": format!("${SUMMAND}") },
    };
    let filter = filters.sometimes(source);
    let mut pipeline = vec![value!({ "$group": group })];
    if !filter.is_empty() {
        pipeline.insert(0, value!({ "$match": filter }));
    }
    Query::Aggregate { pipeline, order: Order::Given }
}

/// An update of one or two fields.
fn update(document: &Object, documents: &[Object], source: &mut Source) -> Object {
    let count = 1 + source.below(2);
    let mut update = Object::new();
    for name in source.several(&["a", "b", "c", "_version", "e", SUMMAND], count) {
        let other = source.one_of(documents).get(name).cloned();
        let other = other.filter(|_| source.percent(60)).unwrap_or_else(|| any(source));
        let (operator, operand) = change(document.get(name), other, source);
        let changes = update.get_or_insert_with(operator, || Object::new().into());
        changes.as_object_mut().expect("it was inserted as one").insert(*name, operand);
    }
    update
}

/// An operator that mostly fits the value, and another value as its operand.
fn change(before: Option<&Value>, other: Value, source: &mut Source) -> (&'static str, Value) {
    let is_number = before.is_none_or(|before| before.kind().is_number());
    match (before, source.below(100)) {
        (_, 0..20) => ("$set", other),
        (_, 20..25) => ("$unset", value!("")),
        (_, 25..45) => (*source.one_of(&["$min", "$max"]), other),
        (Some(Value::Array(items)), _) => change_of_list(items, other, source),
        (None, 45..60) => change_of_list(&[], other, source),
        (_, 45..98) if is_number => (*source.one_of(&["$inc", "$mul"]), summand(source)),
        (_, 98..) => change_of_list(&[], other, source),
        _ => (*source.one_of(&["$min", "$max"]), other),
    }
}

fn change_of_list(items: &[Value], other: Value, source: &mut Source) -> (&'static str, Value) {
    let one = |source: &mut Source| match source.below(3) {
        0 => other.clone(),
        1 if !items.is_empty() => source.one_of(items).clone(),
        _ => any(source),
    };
    let several =
        |source: &mut Source| -> Value { (0..source.below(4)).map(|_| one(source)).collect() };
    match source.below(5) {
        0 => ("$push", value!({ "$each": several(source) })),
        1 => {
            let direction = if source.percent(50) { 1 } else { -1 };
            ("$push", value!({ "$each": several(source), "$sort": direction }))
        }
        2 => ("$addToSet", value!({ "$each": several(source) })),
        3 => ("$pullAll", several(source)),
        _ => match one(source) {
            // It would be a filter.
            Value::Object(_) => ("$pull", 1.into()),
            operand => ("$pull", operand),
        },
    }
}
