//! One random batch.

use velocitydb_core::{Object, Value, object, value};

use super::Source;
use super::any;
use super::documents::{FIELDS, Flavour, RANK, collection, records};
use super::filter::{Filters, path};
use super::pipeline::pipeline;
use super::shape::{projection, sort};
use super::update::update;
use super::values::Values;
use crate::oracle::case::{Batch, Find, Kind, Query};

/// How many queries there are on one collection.
pub const QUERIES: usize = 50;

/// The batch with this number.
pub fn batch(kind: Kind, seed: u64, number: u64) -> Batch {
    let source = &mut Source::new(seed, number);
    let documents = match kind {
        Kind::Pipeline => records(source),
        Kind::Value => any::collection(source),
        _ => collection(flavour(kind, source), source),
    };
    let queries = (0..QUERIES).map(|_| query(kind, &documents, source)).collect();
    Batch { kind, documents, queries }
}

/// Mingo sorts arrays and objects differently, and then only `by_the_book` knows the right order:
/// sorts are compared with fewer of these.
fn flavour(kind: Kind, source: &mut Source) -> Flavour {
    let weights = if kind == Kind::Sort { [75, 10, 15] } else { [10, 60, 30] };
    [Flavour::Flat, Flavour::Plain, Flavour::Rich][source.weighted(&weights)]
}

fn query(kind: Kind, documents: &[Object], source: &mut Source) -> Query {
    let filters = Filters { documents, values: Values::OfJavaScript };
    match kind {
        Kind::Filter => match source.weighted(&[88, 5, 7]) {
            0 => Query::Find(Find { filter: filters.filter(source), ..Find::default() }),
            1 => Query::Count { filter: filters.filter(source) },
            _ => distinct(filters, source),
        },
        Kind::Sort if source.percent(15) => Query::Find(merged(documents, source)),
        Kind::Sort => Query::Find(Find {
            filter: match source.percent(20) {
                true => one_of_several(documents, source),
                false => filters.sometimes(source),
            },
            sort: sort(source),
            skip: source.percent(30).then(|| source.below(8) as u64),
            limit: source.percent(60).then(|| 1 + source.below(12) as u64),
            projection: None,
        }),
        Kind::Projection if source.percent(20) => Query::Find(covered(documents, source)),
        Kind::Projection => Query::Find(Find {
            filter: filters.sometimes(source),
            projection: Some(projection(source)),
            ..Find::default()
        }),
        Kind::Update => {
            let document = source.below(documents.len());
            Query::Update { document, update: update(&documents[document], source) }
        }
        Kind::Value => any::query(documents, source),
        Kind::Pipeline => {
            let (pipeline, order) = pipeline(documents, source);
            Query::Aggregate { pipeline, order }
        }
    }
}

/// A search that an index of one field can cover.
fn covered(documents: &[Object], source: &mut Source) -> Find {
    let field = *source.one_of(&FIELDS);
    let found = source.one_of(documents).get(field).cloned().unwrap_or_default();
    let operator = *source.one_of(&["$eq", "$in", "$gt", "$lte"]);
    let operand = if operator == "$in" { value!([found]) } else { found };
    let mut projection = object! { (field): 1 };
    if source.percent(50) {
        projection.insert("_id", 0);
    }
    let filter = object! { (field): { (operator): operand } };
    Find { filter, projection: Some(projection), ..Find::default() }
}

/// A search in several ranges of a unique index, sorted by its second key.
fn merged(documents: &[Object], source: &mut Source) -> Find {
    let mut keys = sort(source);
    keys.insert(0, value!({ (RANK): if source.percent(50) { 1 } else { -1 } }));
    if source.percent(60) {
        keys.drain(1..keys.len() - 1);
    }
    Find {
        filter: several_of("a", documents, source),
        sort: keys,
        skip: source.percent(20).then(|| source.below(4) as u64),
        limit: source.percent(60).then(|| 1 + source.below(8) as u64),
        projection: None,
    }
}

/// A condition that a field is one of a few values: an index reads several ranges for that, and has
/// to merge them.
fn one_of_several(documents: &[Object], source: &mut Source) -> Object {
    let field = *source.one_of(&FIELDS);
    several_of(field, documents, source)
}

fn several_of(field: &str, documents: &[Object], source: &mut Source) -> Object {
    let count = 2 + source.below(3);
    let value = |source: &mut Source| source.one_of(documents).get(field).cloned();
    let is_plain = |it: &Value| !matches!(it, Value::Array(_) | Value::Object(_) | Value::Null);
    let values: Value = (0..count).filter_map(|_| value(source)).filter(is_plain).collect();
    object! { (field): { "$in": values } }
}

/// The distinct values at a path.
pub(super) fn distinct(filters: Filters<'_>, source: &mut Source) -> Query {
    let filter = filters.sometimes(source);
    let path = path(filters.documents, source);
    // Mingo's stages do not support positions in arrays.
    let names: Vec<&str> = path.split('.').filter(|name| name.parse::<u32>().is_err()).collect();
    Query::Distinct { path: names.join("."), filter }
}
