//! Checks leases: a document's header, the lease's record, and its key in the order of ends have
//! to agree.

use velocitydb_core::{Header, Time};
use velocitydb_storage::Snapshot;

use super::report::Report;
use crate::Result;
use crate::keys::{self, DOCUMENTS, SYSTEM};
use crate::state::lease::LeaseRecord;

/// Checks that a document's lease, if it has one, has its record and its key in the order of
/// ends.
pub(super) fn check_document(
    state: &dyn Snapshot,
    report: &mut Report,
    key: &[u8],
    lease: Option<Time>,
) -> Result<()> {
    let Some(time) = lease else { return Ok(()) };
    let missing = [
        (keys::of_document(keys::LEASE, key), "its lease has no update for its end"),
        (keys::timed(keys::LEASE_END, time, key), "its lease is not in the order of ends"),
    ];
    for (lease_key, problem) in missing {
        if state.get(SYSTEM, &lease_key)?.is_none() {
            report.note(format!("{}: {problem}", document_place(key)));
        }
    }
    Ok(())
}

/// What is wrong with the record of a lease.
pub(super) fn lease_problem(
    state: &dyn Snapshot,
    key: &[u8],
    value: &[u8],
) -> Result<Option<String>> {
    let document = &key[1..];
    let place = document_place(document);
    if LeaseRecord::decode(value).is_none() {
        return Ok(Some(format!("{place}: what is to be done at the lease's end cannot be read")));
    }
    Ok(match lease_of(state, document)? {
        Some(_) => None,
        None => leftover(state, document, "has no lease, but an update for the end of one")?,
    })
}

/// What is wrong with a key in the order of the ends of leases.
pub(super) fn end_problem(state: &dyn Snapshot, key: &[u8]) -> Result<Option<String>> {
    let Some((time, document)) = keys::split_timed(key) else {
        return Ok(Some(format!("end of a lease {}: an invalid key", key.escape_ascii())));
    };
    Ok(match lease_of(state, document)? {
        Some(found) if found == time => None,
        _ => leftover(state, document, "has no lease that ends then, but is in the order of ends")?,
    })
}

fn lease_of(state: &dyn Snapshot, document: &[u8]) -> Result<Option<Time>> {
    let Some(record) = state.get(DOCUMENTS, document)? else { return Ok(None) };
    // A document that cannot be read has been reported.
    Ok(Header::decode(&record).ok().and_then(|(header, _)| header.lease))
}

/// The problem, unless the document's collection was dropped and is still to be removed.
fn leftover(state: &dyn Snapshot, document: &[u8], problem: &str) -> Result<Option<String>> {
    let collection = document.first_chunk::<4>().map(|number| u32::from_be_bytes(*number));
    if let Some(collection) = collection
        && state.get(SYSTEM, &keys::numbered(keys::PURGE, collection))?.is_some()
    {
        return Ok(None);
    }
    Ok(Some(format!("{} {problem}", document_place(document))))
}

fn document_place(key: &[u8]) -> String {
    match keys::split_document(key) {
        Some((collection, id)) => format!("document {id:?} of collection {collection}"),
        None => format!("document key {}", key.escape_ascii()),
    }
}
