//! The constraints on documents: unique indexes and schemas, as simple code.

use std::collections::BTreeSet;

use velocitydb::{Object, Value};
use velocitydb_core::key::{Direction, encode_key_value};

use super::id::Id;
use super::state::{Collection, Document, Refusal};
use super::step::{self, Rules};

/// The fields with defaults, if they keep to the schema.
pub fn keep_to_schema(schema: Option<Rules>, fields: Object) -> Result<Object, Refusal> {
    let Some(rules) = schema else { return Ok(fields) };
    let fields = completed(rules, fields);
    if is_violated(rules, &fields) { Err(Refusal::Schema) } else { Ok(fields) }
}

pub fn completed(rules: Rules, mut fields: Object) -> Object {
    if rules == Rules::Numbers && !fields.contains_key("m") {
        fields.insert("m", 7);
    }
    fields
}

pub fn is_violated(rules: Rules, fields: &Object) -> bool {
    match rules {
        Rules::Numbers => fields.get("n").is_some_and(|n| !n.kind().is_number()),
        Rules::Needs => !fields.contains_key("n"),
    }
}

/// What unique indexes say to what a document is to be.
#[derive(Default)]
pub struct InTheWay {
    /// The expired documents that have a value that it is to have.
    pub stale: BTreeSet<Id>,
    /// The first index in which one has such a value whose time is not over.
    pub duplicate: Option<usize>,
    /// The values that it comes by, with their indexes.
    pub taken: Vec<(usize, Vec<u8>)>,
}

/// The documents that keep a document from having these fields. If the result is final, checking stops at
/// the first index that refuses it.
pub fn in_the_way(
    collection: &Collection,
    id: &Id,
    before: Option<&Document>,
    fields: &Object,
    now: i64,
    is_last_word: bool,
) -> Result<InTheWay, Refusal> {
    let mut way = InTheWay::default();
    for index in &collection.indexes {
        let before = before.and_then(|before| unique_values(*index, &before.fields));
        let before = before.unwrap_or_default();
        if is_last_word && way.duplicate.is_some() {
            break;
        }
        let after = unique_values(*index, fields).ok_or(Refusal::Update)?;
        way.taken.extend(after.difference(&before).map(|value| (*index, value.clone())));
        for (other, document) in &collection.documents {
            let theirs = unique_values(*index, &document.fields).unwrap_or_default();
            let is_hit = after.difference(&before).any(|value| theirs.contains(value));
            if other == id || !is_hit {
                continue;
            }
            if document.expires.is_none_or(|time| time > now) {
                way.duplicate.get_or_insert(*index);
            } else {
                way.stale.insert(other.clone());
            }
        }
    }
    Ok(way)
}

/// The values that no other document may have; `None` when a document is not valid for such an index.
pub fn unique_values(index: usize, fields: &Object) -> Option<BTreeSet<Vec<u8>>> {
    let spec = step::index(index);
    let is_out = spec.partial_filter().is_some_and(|filter| !filter.matches_object(fields));
    if !spec.is_unique() || is_out {
        return Some(BTreeSet::new());
    }
    let mut rows = BTreeSet::from([Vec::new()]);
    let (mut arrays, mut is_missing) = (0, true);
    for key in spec.keys().keys() {
        let value = fields.get(&key.path.to_string());
        is_missing &= value.is_none();
        let parts: BTreeSet<Vec<u8>> = match value {
            None => BTreeSet::from([b"missing;".to_vec()]),
            Some(Value::Array(items)) => {
                arrays += 1;
                match items.is_empty() {
                    true => BTreeSet::from([b"empty;".to_vec()]),
                    false => items.iter().map(encoded).collect(),
                }
            }
            Some(value) => BTreeSet::from([encoded(value)]),
        };
        let with = |row: &Vec<u8>, part: &Vec<u8>| [&row[..], &part[..]].concat();
        rows = rows.iter().flat_map(|row| parts.iter().map(move |part| with(row, part))).collect();
    }
    if arrays > 1 {
        return None;
    }
    Some(if is_missing && spec.is_sparse() { BTreeSet::new() } else { rows })
}

pub fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key_value(value, Direction::Ascending, &mut bytes);
    bytes
}
