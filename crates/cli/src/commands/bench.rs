//! `bench`: measures this machine, in memory or on the disk of the data folder.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use velocitydb::{Database, Mode, Object, Options, object};

use crate::args::{Bench, Format, mode_name};
use crate::exit::{Failure, Result};
use crate::format;
use crate::output::Output;
use crate::workload::{Kind, Measured, Workload};

/// Measures one kind of operation after the other, and prints each.
pub fn measure(args: &Bench, output: &mut Output) -> Result {
    let (db, _folder) = open(args)?;
    let documents = db.documents("bench").at(args.consistency);
    let (bytes, threads) = (args.document_bytes as usize, usize::from(args.threads));
    let mut workload = Workload::new(documents, bytes, threads, args.seconds);
    let mut measured = Vec::new();
    for kind in Kind::ALL {
        measured.push((kind, workload.measure(kind)?));
    }
    match output.format() {
        Format::Json => {
            let objects = measured.iter().map(|(kind, one)| line(args, *kind, one));
            output.objects(&objects.collect::<Vec<_>>())
        }
        Format::Table => {
            output.line(format_args!(
                "{}, {}, {} thread{}, documents of {} bytes",
                mode_name(args.mode),
                args.consistency,
                threads,
                if threads == 1 { "" } else { "s" },
                bytes
            ))?;
            let rows = measured.iter().map(|(kind, one)| row(threads, *kind, one));
            output.rows(&["operation", "rate", "mean", "operations"], &rows.collect::<Vec<_>>())
        }
    }
}

/// A database to be thrown away. The folder goes when it is dropped, which is after the database.
fn open(args: &Bench) -> Result<(Database, Option<TempDir>)> {
    if args.mode == Mode::MemoryOnly {
        return Ok((Options::new().open_in_memory()?, None));
    }
    let beside = beside(&args.path);
    let folder = tempfile::Builder::new().prefix(".velocitydb-bench-").tempdir_in(&beside);
    let folder = folder.map_err(|source| Failure::TemporaryFolder { path: beside, source })?;
    let db = Options::new().mode(args.mode).open(folder.path().join("data"))?;
    Ok((db, Some(folder)))
}

/// The nearest folder above `path` that exists.
fn beside(path: &Path) -> PathBuf {
    let above = path.ancestors().skip(1).find(|path| path.is_dir());
    above.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

fn line(args: &Bench, kind: Kind, measured: &Measured) -> Object {
    object! {
        "operation": kind.as_str(),
        "mode": mode_name(args.mode),
        "consistency": args.consistency.as_str(),
        "threads": args.threads,
        "document_bytes": args.document_bytes,
        "operations": measured.operations,
        "seconds": measured.elapsed.as_secs_f64(),
        "per_second": measured.per_second().round()
    }
}

fn row(threads: usize, kind: Kind, measured: &Measured) -> Object {
    let mean_us = threads as f64 * 1e6 / measured.per_second();
    object! {
        "operation": kind.as_str(),
        "operations": measured.operations,
        "rate": format::rate(measured.per_second()),
        "mean": format!("{mean_us:.2} µs")
    }
}
