//! [`doctor`]: checks a data folder from the bytes on disk up to what the totals add up to.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use velocitydb_storage::{Bounds, Direction, lsm};

use crate::catalog::{Catalog, Tombstone, Totals};
use crate::keys::{self, CollectionNumber, DOCUMENTS, SYSTEM};
use crate::{Document, MaintenanceMode, Options, Result, Snapshot};

/// What [`doctor`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Everything that is wrong, each with its place. Empty for a healthy folder.
    pub problems: Vec<String>,
    /// Files whose every byte agrees with its checksum.
    pub files: u64,
    /// Documents that were checked.
    pub documents: u64,
    /// Collections that were checked.
    pub collections: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_healthy(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks the data folder `path`, which no process may have open: every file, every document, and
/// whether counts, tombstones and the order of expiry agree with the documents. A damaged folder
/// is left as it is; a healthy one is opened, which cuts off the torn end of a log.
///
/// # Errors
///
/// When the folder cannot be read at all, is in use, or is not a data folder. What is wrong with
/// its content is no error but in the report.
pub fn doctor(path: impl AsRef<Path>) -> Result<Report> {
    let verified = lsm::verify(path.as_ref())?;
    let findings = verified.findings.into_iter();
    let mut report = Report {
        problems: findings.map(|finding| format!("{}: {}", finding.place, finding.what)).collect(),
        files: verified.files_sound.len() as u64,
        ..Report::default()
    };
    if !report.is_healthy() {
        return Ok(report);
    }
    let db = Options::new().maintenance(MaintenanceMode::Manual).open(path)?;
    db.snapshot()?.check(&mut report)?;
    Ok(report)
}

/// What the documents of one collection add up to, counted.
#[derive(Default)]
struct Counted {
    count: u64,
    bytes: u64,
    tombstones: u64,
    version_max: u64,
}

impl Snapshot {
    /// Checks that everything in this state can be read and agrees with everything else.
    fn check(&self, report: &mut Report) -> Result<()> {
        let catalog = match Catalog::load(self.state()) {
            Ok(catalog) => catalog,
            Err(error) => {
                report.problems.push(error.to_string());
                return Ok(());
            }
        };
        report.collections = catalog.collections.len() as u64;
        let mut counted = BTreeMap::new();
        let mut expiries = 0;
        self.check_documents(report, &mut counted, &mut expiries)?;
        self.check_system(report, &mut counted, expiries)?;
        for (name, collection) in &catalog.collections {
            let counted = counted.remove(&collection.number).unwrap_or_default();
            check_totals(report, name.as_str(), &collection.totals, &counted);
        }
        for number in counted.keys() {
            let purge = keys::numbered(keys::PURGE, *number);
            if self.state().get(SYSTEM, &purge)?.is_none() {
                report
                    .problems
                    .push(format!("documents of collection number {number}, which does not exist"));
            }
        }
        Ok(())
    }

    fn check_documents(
        &self,
        report: &mut Report,
        counted: &mut BTreeMap<CollectionNumber, Counted>,
        expiries: &mut u64,
    ) -> Result<()> {
        let mut missing = Ok(());
        self.state().scan(DOCUMENTS, Bounds::ALL, Direction::Forward, &mut |key, record| {
            report.documents += 1;
            let Some((number, id)) = keys::split_document(key) else {
                report.problems.push(format!("document key {}: not one", key.escape_ascii()));
                return ControlFlow::Continue(());
            };
            let header = match Document::validate(record) {
                Ok(header) => header,
                Err(error) => {
                    report
                        .problems
                        .push(format!("document {id:?} of collection {number}: {error}"));
                    return ControlFlow::Continue(());
                }
            };
            let counted = counted.entry(number).or_default();
            counted.count += 1;
            counted.bytes += (id.len() + record.len()) as u64;
            counted.version_max = counted.version_max.max(header.version);
            if let Some(time) = header.expires {
                *expiries += 1;
                match self.state().get(SYSTEM, &keys::timed(keys::EXPIRY, time, key)) {
                    Ok(Some(_)) => {}
                    Ok(None) => report.problems.push(format!(
                        "document {id:?} of collection {number} expires, but is not due"
                    )),
                    Err(error) => missing = Err(error),
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(missing?)
    }

    fn check_system(
        &self,
        report: &mut Report,
        counted: &mut BTreeMap<CollectionNumber, Counted>,
        expiries: u64,
    ) -> Result<()> {
        let (mut due, mut aged, mut tombstones, mut requests, mut request_ages) = (0, 0, 0, 0, 0);
        self.state().scan(SYSTEM, Bounds::ALL, Direction::Forward, &mut |key, value| {
            match key.first() {
                Some(&keys::EXPIRY) => due += 1,
                Some(&keys::TOMBSTONE_AGE) => aged += 1,
                Some(&keys::REQUEST) => requests += 1,
                Some(&keys::REQUEST_AGE) => request_ages += 1,
                Some(&keys::TOMBSTONE) => {
                    tombstones += 1;
                    match (keys::split_document(&key[1..]), Tombstone::decode(value)) {
                        (Some((number, _)), Some(tombstone)) => {
                            let counted = counted.entry(number).or_default();
                            counted.tombstones += 1;
                            counted.version_max = counted.version_max.max(tombstone.version);
                        }
                        _ => report.problems.push(format!(
                            "tombstone {}: a value that cannot be read",
                            key.escape_ascii()
                        )),
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        })?;
        let pairs = [
            ("documents that expire", expiries, "entries in the order of expiry", due),
            ("tombstones", tombstones, "entries in the order of their age", aged),
            ("request ids", requests, "entries in the order of their age", request_ages),
        ];
        for (what, count, entries, found) in pairs {
            if count != found {
                report.problems.push(format!("{count} {what}, but {found} {entries}"));
            }
        }
        Ok(())
    }
}

fn check_totals(report: &mut Report, name: &str, totals: &Totals, counted: &Counted) {
    let pairs = [
        ("count", totals.count, counted.count),
        ("bytes", totals.bytes, counted.bytes),
        ("tombstones", totals.tombstones, counted.tombstones),
    ];
    for (what, stored, found) in pairs {
        if stored != found {
            report.problems.push(format!(
                "collection {name:?} says {what} {stored}, but its documents add up to {found}"
            ));
        }
    }
    if totals.version_max < counted.version_max {
        report.problems.push(format!(
            "collection {name:?} says version_max {}, but a document has {}",
            totals.version_max, counted.version_max
        ));
    }
}
