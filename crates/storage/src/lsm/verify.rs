//! [`verify`]: reads a whole data folder and reports what is wrong with it, file by file.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::engine::Lsm;
use super::folder::Folder;
use super::marker::Marker;
use super::options::{LsmOptions, MEMORY_BYTES_MIN};
use super::{journal, tables};
use crate::{Bounds, Direction, Engine, Error, Keyspace, Result};

/// The content of a data folder, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The format of the folder; 0 if it has none yet.
    pub format: u32,
    /// The number of the newest commit in the journals; `None` when they hold none.
    pub newest_commit: Option<u64>,
    /// The files whose every byte was read and agreed with its checksum.
    pub files_sound: Vec<PathBuf>,
    /// The name and number of keys of each keyspace; empty unless all files are sound.
    pub keys: Vec<(String, u64)>,
    /// What is wrong. Empty when the folder is sound.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, and the offset if it is known.
    pub place: String,
    /// What was found there.
    pub what: String,
}

impl Report {
    fn find<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Corrupt { place, what }) => {
                self.findings.push(Finding { place, what });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads every byte of the data folder at `path`, which must not be open meanwhile; `wait` is how long
/// others may still have it open.
///
/// The folder is left as it is. One without findings is opened to be read, and every key is read.
pub fn verify(path: &Path, wait: Duration) -> Result<Report> {
    let mut report = Report::default();
    if !Folder::is_begun(path)? {
        return Err(Error::Invalid { what: format!("{} is not a data folder", path.display()) });
    }
    let _lock = Folder::lock_to_read(path, wait)?;
    let Some(marker) = report.find(Marker::read(path))? else { return Ok(report) };
    // Creating it was interrupted before there was anything in it.
    let Some(marker) = marker else { return Ok(report) };
    report.format = marker.format;
    if !marker.is_ready {
        return Ok(report);
    }
    let Some(store) = report.find(Folder::existing_store(path))? else { return Ok(report) };
    if let Some(journals) = report.find(journal::verify(&store, None))? {
        report.newest_commit = journals.last;
        report.files_sound.extend(journals.files);
    }
    let trees = marker.keyspaces.len() + super::writer::TREES_EXTRA;
    let tables = report.find(tables::verify(&store, trees, trees))?;
    for table in tables.unwrap_or_default() {
        if report.find(table.verify())?.is_some() {
            report.files_sound.push(table.path);
        }
    }
    if report.findings.is_empty() {
        let keys = count_keys(path, &marker.keyspaces);
        report.keys = report.find(keys)?.unwrap_or_default();
    }
    Ok(report)
}

fn count_keys(path: &Path, keyspaces: &[String]) -> Result<Vec<(String, u64)>> {
    let engine = Lsm::open(LsmOptions {
        keyspaces: keyspaces.to_vec(),
        memory_bytes: MEMORY_BYTES_MIN,
        is_read_only: true,
        ..LsmOptions::new(path, &[])
    })?;
    let snapshot = engine.snapshot()?;
    let mut counts = Vec::new();
    for (number, name) in keyspaces.iter().enumerate() {
        let mut count = 0;
        snapshot.scan(Keyspace(number as u8), Bounds::ALL, Direction::Forward, &mut |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        counts.push((name.clone(), count));
    }
    Ok(counts)
}
