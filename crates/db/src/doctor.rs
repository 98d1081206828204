//! [`doctor`]: checks a data folder, from the bytes on disk up to the totals of collections.
//!
//! It does not check documents against their collection's schema: those from before it may violate
//! it.

mod indexes;
mod leases;
pub(crate) mod report;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use velocitydb_core::Time;
use velocitydb_storage::{Bounds, Direction, lsm, mode};

use self::indexes::Indexes;
use self::report::Report;
use crate::keys::{self, CollectionNumber, DOCUMENTS, SYSTEM};
use crate::options::Options;
use crate::state::catalog::{Catalog, Postponed, SystemTotals, Tombstone, Totals, highest_id};
use crate::state::collection_schema::CollectionSchema;
use crate::state::document::Document;
use crate::state::snapshot::Snapshot;
use crate::{Error, Result};

/// Checks the data folder `path`, which no process may have open to write: every file, every document, and
/// whether counts, tombstones, the order of expiry, leases and indexes agree with the documents. The
/// folder is left as it is.
///
/// # Errors
///
/// When the folder cannot be read at all, is in use, or is not a data folder. Problems of its
/// content are not errors, but are in the report.
pub fn doctor(path: impl AsRef<Path>) -> Result<Report> {
    doctor_within(path, Duration::ZERO)
}

/// As [`doctor`], of a folder that others may still have open for `wait`.
///
/// # Errors
///
/// As for [`doctor`].
pub fn doctor_within(path: impl AsRef<Path>, wait: Duration) -> Result<Report> {
    let verified = lsm::verify(path.as_ref(), wait)?;
    let findings = verified.findings.into_iter();
    let mut report = Report { files: verified.files_sound.len() as u64, ..Report::default() };
    report.note_all(findings.map(|finding| format!("{}: {}", finding.place, finding.what)));
    // Without a format, creating the folder was interrupted, and it has no data.
    if !report.is_healthy() || verified.format == 0 {
        return Ok(report);
    }
    // Only the engine is opened: `Database` would refuse a damaged state.
    let path = Some(path.as_ref().into());
    let storage = mode::Options { path, wait, is_read_only: true, ..Options::new().storage };
    let engine = mode::open(&storage)?;
    Snapshot::of_everything(engine.snapshot()?).check_into(&mut report)?;
    Ok(report)
}

/// The totals of one collection, counted from its documents.
#[derive(Default)]
struct Counted {
    count: u64,
    bytes: u64,
    tombstones: u64,
    unfit: u64,
    version_max: u64,
}

impl Snapshot {
    /// Checks that everything in this state can be read and agrees with everything else, as
    /// [`doctor`] does with a folder that is not open. Files are not looked at.
    ///
    /// # Errors
    ///
    /// When storage fails. Problems of the state are not errors, but are in the report.
    pub fn check(&self) -> Result<Report> {
        let mut report = Report::default();
        self.check_into(&mut report)?;
        Ok(report)
    }

    fn check_into(&self, report: &mut Report) -> Result<()> {
        let catalog = match Catalog::load(self.state()) {
            Ok(catalog) => catalog,
            Err(error) => {
                report.note(error.to_string());
                return Ok(());
            }
        };
        report.collections = catalog.collections.len() as u64;
        report.indexes = catalog.collections.values().map(|one| one.indexes.len() as u64).sum();
        let mut indexes = Indexes::new(self.state(), &catalog, report);
        let mut counted = BTreeMap::new();
        let mut expiries = 0;
        self.check_documents(report, &indexes, &mut counted, &mut expiries)?;
        indexes.check_entries(report)?;
        self.check_system(report, &catalog.system, &indexes, &mut counted, expiries)?;
        for (name, collection) in &catalog.collections {
            let counted = counted.remove(&collection.number).unwrap_or_default();
            check_totals(report, name.as_str(), &collection.totals, &counted);
            check_schema(report, name.as_str(), collection.schema.as_deref());
        }
        for number in counted.keys() {
            let purge = keys::numbered(keys::PURGE, *number);
            if self.state().get(SYSTEM, &purge)?.is_none() {
                report
                    .note(format!("documents of collection number {number}, which does not exist"));
            }
        }
        Ok(())
    }

    fn check_documents(
        &self,
        report: &mut Report,
        indexes: &Indexes<'_>,
        counted: &mut BTreeMap<CollectionNumber, Counted>,
        expiries: &mut u64,
    ) -> Result<()> {
        let flow =
            self.state().try_scan(DOCUMENTS, Bounds::ALL, Direction::Forward, |key, record| {
                report.documents += 1;
                let Some((number, id)) = keys::split_document(key) else {
                    report.note(format!("document key {}: not valid", key.escape_ascii()));
                    return Ok(ControlFlow::Continue(()));
                };
                let header = match Document::validate(record) {
                    Ok(header) => header,
                    Err(error) => {
                        report.note(format!("document {id:?} of collection {number}: {error}"));
                        return Ok(ControlFlow::Continue(()));
                    }
                };
                let counted = counted.entry(number).or_default();
                counted.count += 1;
                counted.bytes += (id.as_bytes().len() + record.len()) as u64;
                counted.version_max = counted.version_max.max(header.version);
                *expiries += u64::from(header.expires.is_some());
                self.check_expiry(report, key, header.expires)?;
                leases::check_document(self.state(), report, key, header.lease)?;
                indexes.check_document(report, number, id, record)?;
                Ok(ControlFlow::Continue(()))
            });
        flow.map(|_| ())
    }

    /// Checks that a document with a time to live is in the order of expiry.
    fn check_expiry(&self, report: &mut Report, key: &[u8], expires: Option<Time>) -> Result<()> {
        let Some(time) = expires else { return Ok(()) };
        if self.state().get(SYSTEM, &keys::timed(keys::EXPIRY, time, key))?.is_none()
            && let Some((number, id)) = keys::split_document(key)
        {
            report.note(format!("document {id:?} of collection {number} expires, but is not due"));
        }
        Ok(())
    }

    /// Checks that every row has its counterpart, and that their numbers are equal: so each has
    /// exactly one.
    fn check_system(
        &self,
        report: &mut Report,
        totals: &SystemTotals,
        indexes: &Indexes<'_>,
        counted: &mut BTreeMap<CollectionNumber, Counted>,
        expiries: u64,
    ) -> Result<()> {
        let (mut due, mut aged, mut tombstones, mut requests, mut request_ages) = (0, 0, 0, 0, 0);
        let (mut dropped, mut dropped_ages) = (0, 0);
        let _ = self.state().try_scan(SYSTEM, Bounds::ALL, Direction::Forward, |key, value| {
            let problem = match key.first() {
                Some(&(keys::EXPIRY | keys::LEASE_END)) if !value.is_empty() => {
                    due += u64::from(key[0] == keys::EXPIRY);
                    Ok(Some(postponed(key, value)))
                }
                Some(&keys::EXPIRY) => count(&mut due),
                Some(&keys::TOMBSTONE_AGE) => count(&mut aged),
                Some(&keys::DROPPED) => count(&mut dropped),
                Some(&keys::DROPPED_AGE) => {
                    dropped_ages += 1;
                    self.dropped_problem(key)
                }
                Some(&keys::REQUEST) => count(&mut requests),
                Some(&keys::REQUEST_AGE) => {
                    request_ages += 1;
                    self.request_problem(key, value, totals)
                }
                Some(&keys::TOMBSTONE) => {
                    tombstones += 1;
                    self.tombstone_problem(key, value, counted)
                }
                Some(&keys::UNFIT) => self.unfit_problem(key, counted),
                Some(&keys::HIGHEST_ID) => Ok(self.highest_id_problem(key)),
                Some(&keys::LEASE) => leases::lease_problem(self.state(), key, value),
                Some(&keys::LEASE_END) => leases::end_problem(self.state(), key),
                Some(&(keys::INDEX | keys::INDEX_TOTALS | keys::HISTOGRAM | keys::SCHEMA)) => {
                    Ok(indexes.record_problem(key, value))
                }
                _ => Ok(None),
            };
            report.note_all(problem?);
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        let pairs = [
            ("documents that expire", expiries, "entries in the order of expiry", due),
            ("tombstones", tombstones, "entries in the order of their age", aged),
            ("dropped names", dropped, "entries in the order of their age", dropped_ages),
            ("request ids", requests, "entries in the order of their age", request_ages),
        ];
        for (what, count, entries, found) in pairs {
            if count != found {
                report.note(format!("{count} {what}, but {found} {entries}"));
            }
        }
        Ok(())
    }

    /// What is wrong with a tombstone.
    fn tombstone_problem(
        &self,
        key: &[u8],
        value: &[u8],
        counted: &mut BTreeMap<CollectionNumber, Counted>,
    ) -> Result<Option<String>> {
        let document = &key[1..];
        let parts = (keys::split_document(document), Tombstone::decode(value));
        let (Some((number, id)), Some(tombstone)) = parts else {
            let key = key.escape_ascii();
            return Ok(Some(format!("tombstone {key}: a value that cannot be read")));
        };
        let counted = counted.entry(number).or_default();
        counted.tombstones += 1;
        counted.version_max = counted.version_max.max(tombstone.version);
        if self.state().get(DOCUMENTS, document)?.is_some() {
            let problem = "exists, and has a tombstone";
            return Ok(Some(format!("document {id:?} of collection {number} {problem}")));
        }
        let age = keys::timed(keys::TOMBSTONE_AGE, tombstone.deleted, document);
        let problem = "has a tombstone, which has no place in the order of age";
        let is_missing = self.state().get(SYSTEM, &age)?.is_none();
        Ok(is_missing.then(|| format!("document {id:?} of collection {number} {problem}")))
    }

    /// What is wrong with the key of a dropped name in the order of age.
    fn dropped_problem(&self, key: &[u8]) -> Result<Option<String>> {
        let dropped = match keys::split_timed(key) {
            Some((time, name)) => {
                let value = self.state().get(SYSTEM, &keys::of_document(keys::DROPPED, name))?;
                let dropped = value.as_deref().and_then(Tombstone::decode);
                dropped.filter(|dropped| dropped.deleted == time)
            }
            None => None,
        };
        let problem = || format!("dropped name {}: a wrong place", key.escape_ascii());
        Ok(dropped.is_none().then(problem))
    }

    /// What is wrong with the mark of a document that some claims skip as unfit.
    fn unfit_problem(
        &self,
        key: &[u8],
        counted: &mut BTreeMap<CollectionNumber, Counted>,
    ) -> Result<Option<String>> {
        let document = &key[1..];
        let Some((number, id)) = keys::split_document(document) else {
            return Ok(Some(format!(
                "mark {}: its key has no valid document key",
                key.escape_ascii()
            )));
        };
        counted.entry(number).or_default().unfit += 1;
        let is_missing = self.state().get(DOCUMENTS, document)?.is_none();
        let problem = "is marked as unfit for claims, and does not exist";
        Ok(is_missing.then(|| format!("document {id:?} of collection {number} {problem}")))
    }

    /// What is wrong with the highest integer id of a collection that may not exist.
    fn highest_id_problem(&self, key: &[u8]) -> Option<String> {
        let number = key.get(1..)?.first_chunk::<4>().map(|number| u32::from_be_bytes(*number));
        let is_read = number.is_some_and(|number| highest_id(self.state(), number).is_ok());
        (!is_read).then(|| format!("highest id {}: it cannot be read", key.escape_ascii()))
    }

    /// What is wrong with the key of a request id in the order of age.
    fn request_problem(
        &self,
        key: &[u8],
        request: &[u8],
        totals: &SystemTotals,
    ) -> Result<Option<String>> {
        let number = key[1..].try_into().map(u64::from_be_bytes);
        let numbers = totals.request_first..totals.request_next;
        let request_key = keys::of_document(keys::REQUEST, request);
        let is_known = self.state().get(SYSTEM, &request_key)?.is_some();
        let is_sound = is_known && number.is_ok_and(|number| numbers.contains(&number));
        let (place, request) = (key.escape_ascii(), request.escape_ascii());
        Ok((!is_sound).then(|| format!("request id {request}: a wrong place {place}")))
    }
}

/// The problem of an expiry or a lease's end that was due and failed.
fn postponed(key: &[u8], value: &[u8]) -> String {
    let what = if key[0] == keys::EXPIRY {
        "document could not be expired"
    } else {
        "lease could not be ended"
    };
    let document = keys::split_timed(key).and_then(|(_, document)| keys::split_document(document));
    let (Some((collection, id)), Some(postponed)) = (document, Postponed::decode(value)) else {
        return format!("entry {} in an order of time: not valid", key.escape_ascii());
    };
    let Postponed { since, reason } = postponed;
    format!("document {id:?} of collection {collection}: the {what} at {since}: {reason}")
}

/// Counts an entry that needs no check of its own.
fn count(entries: &mut u64) -> Result<Option<String>> {
    *entries += 1;
    Ok(None)
}

fn check_totals(report: &mut Report, name: &str, totals: &Totals, counted: &Counted) {
    let pairs = [
        ("count", totals.count, counted.count),
        ("bytes", totals.bytes, counted.bytes),
        ("tombstones", totals.tombstones, counted.tombstones),
        ("unfit", totals.unfit, counted.unfit),
    ];
    for (what, stored, found) in pairs {
        if stored != found {
            report.note(format!(
                "collection {name:?} says {what} {stored}, but its documents add up to {found}"
            ));
        }
    }
    if totals.version_max < counted.version_max {
        report.note(format!(
            "collection {name:?} says version_max {}, but a document has {}",
            totals.version_max, counted.version_max
        ));
    }
}

/// Checks that the schemas of a collection are valid.
fn check_schema(report: &mut Report, name: &str, schema: Option<&CollectionSchema>) {
    let Some(schema) = schema else { return };
    for rules in [&schema.current, &schema.proposed].into_iter().flatten() {
        if let Err(error) = rules.schema() {
            report.note(format!("the schema of collection {name:?}: {error}"));
        }
        if rules.version > schema.version {
            report.note(format!(
                "the schema of collection {name:?} says version {}, but is part of version {}",
                rules.version, schema.version
            ));
        }
    }
}
