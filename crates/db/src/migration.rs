//! [`convert`]: brings the state of a data folder of format 5 to the rules of this version.
//!
//! In format 5 the metadata of a document had five reserved names, `_version` and so on; now it is in one
//! object, `_meta`. What is stored under the old names are the filters of leases: they are rewritten, in
//! one batch with the version of the rules, so that this is done once, and so that the old version does
//! not open the state any more. What has the name `_meta` would be hidden or could not be read: it is
//! looked for first, and if there is any, nothing is changed.
//!
//! The answers to requests keep the hashes of their commands. So a retry that names metadata is another
//! command than its first attempt before the migration, and is refused as such.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use velocitydb_core::document::{META_FIELDS, METADATA};
use velocitydb_core::{CollectionName, DocumentView, Filter, Object, Release, Value};
use velocitydb_storage::{Batch, Bounds, Direction, Durability, Engine, Snapshot};

use crate::index::Definition;
use crate::keys::{self, CollectionNumber, DOCUMENTS, SYSTEM};
use crate::state::catalog::{self, StateVersion};
use crate::state::collection_schema::CollectionSchema;
use crate::state::lease::LeaseRecord;
use crate::{Error, Result};

/// The names of the collections of a state.
type Names = BTreeMap<CollectionNumber, CollectionName>;

/// Converts a state of format 5, atomically and durably; does nothing to one that is converted.
///
/// # Errors
///
/// [`Error::NotMigrated`] when something has the name `_meta`, and failures of storage.
pub(crate) fn convert(engine: &dyn Engine) -> Result<()> {
    let snapshot = engine.snapshot()?;
    let snapshot = &*snapshot;
    let Some(totals) = snapshot.get(SYSTEM, &[keys::TOTALS])? else {
        // Nothing was ever written.
        return Ok(());
    };
    if catalog::state_version(&totals)? == StateVersion::Current {
        return Ok(());
    }
    let names = catalog::all_names(snapshot)?;
    let names: Names = names.into_iter().map(|(name, number, _)| (number, name)).collect();
    check_documents(snapshot, &names)?;
    check_schemas(snapshot, &names)?;
    check_indexes(snapshot, &names)?;
    let mut batch = Batch::new();
    convert_leases(snapshot, &names, &mut batch)?;
    let totals = catalog::SystemTotals::decode(&totals);
    let totals = totals.ok_or_else(|| keys::corrupt(&[keys::TOTALS]))?;
    batch.put(SYSTEM, &[keys::TOTALS], &totals.encode());
    Ok(engine.commit(&batch, Durability::Disk)?)
}

/// Looks for documents with a field `_meta` of their own.
fn check_documents(snapshot: &dyn Snapshot, names: &Names) -> Result<()> {
    let mut found: Option<(CollectionNumber, String, u64)> = None;
    let scanned = snapshot.try_scan(DOCUMENTS, Bounds::ALL, Direction::Forward, |key, record| {
        let (number, id) = keys::split_document(key).ok_or_else(|| keys::corrupt(key))?;
        // What dropped collections left is nobody's.
        if !names.contains_key(&number)
            || DocumentView::decode(id, record)?.fields.get(METADATA)?.is_none()
        {
            return Ok::<_, Error>(ControlFlow::Continue(()));
        }
        match &mut found {
            None => found = Some((number, id.to_string(), 1)),
            Some((first, _, count)) if *first == number => *count += 1,
            Some(_) => return Ok(ControlFlow::Break(())),
        }
        Ok(ControlFlow::Continue(()))
    });
    scanned.map(|_| ())?;
    let Some((number, id, count)) = found else { return Ok(()) };
    let name = &names[&number];
    Err(Error::NotMigrated {
        collection: name.clone(),
        what: match count {
            1 => format!("document {id:?} has a field {METADATA:?} of its own"),
            _ => format!("{count} documents have a field {METADATA:?} of their own, first {id:?}"),
        },
        remedy: format!(
            "rename it: velocitydb update-many {} '{{\"{METADATA}\": {{\"$exists\": true}}}}' \
             '{{\"$rename\": {{\"{METADATA}\": \"meta\"}}}}'",
            name.as_str()
        ),
    })
}

/// Looks for schemas that give `_meta` a default value or an index.
fn check_schemas(snapshot: &dyn Snapshot, names: &Names) -> Result<()> {
    for (number, name) in names {
        let Some(schema) = CollectionSchema::load(snapshot, *number)? else { continue };
        for rules in [&schema.current, &schema.proposed].into_iter().flatten() {
            let text = rules.object.to_json();
            if text.contains(METADATA) && rules.schema().is_err() {
                return Err(Error::NotMigrated {
                    collection: name.clone(),
                    what: format!("the schema gives a field {METADATA:?} a default or an index"),
                    remedy: format!(
                        "set one without that: velocitydb schema set {} --file FILE",
                        name.as_str()
                    ),
                });
            }
        }
    }
    Ok(())
}

/// Looks for indexes over a field `_meta`, or that select documents by it.
fn check_indexes(snapshot: &dyn Snapshot, names: &Names) -> Result<()> {
    scan(snapshot, keys::INDEX, |key, row| {
        let (number, index) = keys::split_document(&key[1..]).ok_or_else(|| keys::corrupt(key))?;
        let Some(name) = names.get(&number) else { return Ok(()) };
        match Definition::decode(row) {
            Some(_) => Ok(()),
            None if !mentions_metadata(row) => Err(keys::corrupt(key)),
            None => Err(Error::NotMigrated {
                collection: name.clone(),
                what: format!("index {index:?} is over a field {METADATA:?}"),
                remedy: format!("drop it: velocitydb index drop {} '{index}'", name.as_str()),
            }),
        }
    })
}

/// Rewrites the filters of leases.
fn convert_leases(snapshot: &dyn Snapshot, names: &Names, batch: &mut Batch) -> Result<()> {
    scan(snapshot, keys::LEASE, |key, row| {
        let (number, id) = keys::split_document(&key[1..]).ok_or_else(|| keys::corrupt(key))?;
        let Some(name) = names.get(&number) else { return Ok(()) };
        match LeaseRecord::decode(row) {
            Some(mut record) => {
                if let Some(release) = converted_release(&record.release)? {
                    record.release = release;
                    batch.put(SYSTEM, key, &record.encode()?);
                }
                Ok(())
            }
            None if !mentions_metadata(row) => Err(keys::corrupt(key)),
            None => Err(Error::NotMigrated {
                collection: name.clone(),
                what: format!("the end of the lease on document {id:?} sets a field {METADATA:?}"),
                remedy: format!(
                    "give the document back: velocitydb release {} '{id}' VERSION",
                    name.as_str()
                ),
            }),
        }
    })
}

/// The release with the new names of metadata; `None` if it has none of the old ones.
fn converted_release(release: &Release) -> Result<Option<Release>> {
    let mut converted: Option<Release> = None;
    let mut is_changed = false;
    for (filter, update) in release.choices() {
        let old = filter.to_object();
        let new = renamed(&old);
        is_changed |= new != old;
        let filter = Filter::from_object(new)?;
        converted = Some(match converted {
            None => Release::when(filter, update.clone()),
            Some(release) => release.or_when(filter, update.clone()),
        });
    }
    Ok(converted.filter(|_| is_changed))
}

/// A filter with the new names of metadata. Inside of arrays there is none.
fn renamed(filter: &Object) -> Object {
    let parts = filter.iter().map(|(name, operand)| match operand {
        Value::Array(parts) if name.starts_with('$') => {
            let renamed = |part: &Value| match part {
                Value::Object(part) => renamed(part).into(),
                other => other.clone(),
            };
            (name.to_owned(), parts.iter().map(renamed).collect())
        }
        operand => (new_path(name), operand.clone()),
    });
    parts.collect()
}

/// The path with the new name of metadata, if it begins with an old one.
fn new_path(path: &str) -> String {
    let (first, rest) = path.split_at(path.find('.').unwrap_or(path.len()));
    let name = first.strip_prefix('_').unwrap_or_default();
    match META_FIELDS.iter().find(|old| **old == name) {
        Some(name) => format!("{METADATA}.{name}{rest}"),
        None => path.to_owned(),
    }
}

/// Whether a row of the catalog that was valid has the name that is reserved now.
fn mentions_metadata(row: &[u8]) -> bool {
    row.windows(METADATA.len()).any(|bytes| bytes == METADATA.as_bytes())
}

/// Calls `visit` with every system key of a kind and its value.
fn scan(
    snapshot: &dyn Snapshot,
    kind: u8,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let bounds = Bounds { start: &[kind], end: Some(&[kind + 1]) };
    let flow = snapshot.try_scan(SYSTEM, bounds, Direction::Forward, |key, value| {
        visit(key, value).map(ControlFlow::Continue)
    });
    flow.map(|_| ())
}

#[cfg(test)]
mod tests {
    use velocitydb_core::object;

    use super::*;

    #[test]
    fn only_the_names_at_the_beginning_of_a_path_are_renamed() {
        let filter = object! {
            "_version": { "$gte": 3 },
            "_lease.x": null,
            "_versions": 1,
            "a._version": 1,
            "_id": "a",
            "list": { "$elemMatch": { "_version": 1 } },
            "$or": [{ "_created": 1 }, { "$nor": [{ "_modified": 1 }, { "_expires": 1 }] }]
        };
        let expected = object! {
            "_meta.version": { "$gte": 3 },
            "_meta.lease.x": null,
            "_versions": 1,
            "a._version": 1,
            "_id": "a",
            "list": { "$elemMatch": { "_version": 1 } },
            "$or": [
                { "_meta.created": 1 },
                { "$nor": [{ "_meta.modified": 1 }, { "_meta.expires": 1 }] }
            ]
        };
        assert_eq!(renamed(&filter), expected);
        // What is converted stays as it is.
        assert_eq!(renamed(&expected), expected);
    }
}
