//! Random sorts and projections.

use velocitydb_core::{Object, Value, value};

use super::Source;
use super::documents::{FIELDS, INNER};
use super::values::whole;

/// A sort whose last key is the id, so that there are no ties.
pub fn sort(source: &mut Source) -> Vec<Value> {
    let count = 1 + source.weighted(&[50, 35, 15]);
    let mut paths: Vec<String> = Vec::new();
    for field in source.several(&FIELDS, count) {
        match source.weighted(&[65, 15, 20]) {
            0 => paths.push((*field).to_owned()),
            1 => paths.push(format!("{field}.{}", source.one_of(&INNER))),
            // Several fields of the same array are taken from one element.
            _ => paths.extend(fields_of(field, source)),
        }
    }
    let direction = |source: &mut Source| if source.percent(50) { 1 } else { -1 };
    let mut keys: Vec<Value> =
        paths.iter().map(|path| value!({ (path.as_str()): direction(source) })).collect();
    keys.push(value!({ "_id": if source.percent(80) { 1 } else { -1 } }));
    keys
}

/// Several paths into one field.
fn fields_of(field: &str, source: &mut Source) -> Vec<String> {
    let inner: Vec<&str> = source.several(&INNER, 2).into_iter().copied().collect();
    let mut paths: Vec<String> = inner.iter().map(|inner| format!("{field}.{inner}")).collect();
    if source.percent(15) {
        paths.insert(source.below(3), field.to_owned());
    }
    paths
}

/// A projection that keeps fields, or leaves fields out.
pub fn projection(source: &mut Source) -> Object {
    let count = 1 + source.weighted(&[45, 35, 20]);
    let keeps = source.percent(55);
    let mut projection = Object::new();
    for field in source.several(&FIELDS, count) {
        for path in paths_in(field, source) {
            let says = match (keeps, source.percent(20)) {
                (true, true) => value!(true),
                (true, false) => whole(1, source),
                (false, true) => value!(false),
                (false, false) => whole(0, source),
            };
            projection.insert(path, says);
        }
    }
    // Mingo treats a slice of an array as an included field, so mostly fields are included.
    if source.percent(20) {
        let (path, part) = part_of_array(source);
        if !projection.keys().any(|other| other.starts_with(path)) {
            projection.insert(path, part);
        }
    }
    if source.percent(30) {
        projection.insert("_id", 0);
    } else if keeps && source.percent(20) {
        projection.insert("_id", 1);
    }
    // Sometimes a projection that contradicts itself.
    if source.percent(2) {
        projection.insert(*source.one_of(&FIELDS), if keeps { 0 } else { 1 });
    }
    projection
}

/// Some elements of an array.
fn part_of_array(source: &mut Source) -> (&'static str, Value) {
    let path = *source.one_of(&FIELDS);
    let part = match source.below(3) {
        0 => value!({ "$slice": whole(source.between(-3, 3), source) }),
        1 => value!({ "$slice": [source.between(-3, 3), source.between(1, 3)] }),
        _ => {
            value!({ "$elemMatch": { (*source.one_of(&INNER)): { "$gte": source.between(0, 3) } } })
        }
    };
    (path, part)
}

/// The field, or one or two paths inside of it.
fn paths_in(field: &str, source: &mut Source) -> Vec<String> {
    if source.percent(55) {
        return vec![field.to_owned()];
    }
    let count = 1 + source.below(2);
    source.several(&INNER, count).into_iter().map(|inner| format!("{field}.{inner}")).collect()
}
