//! `bench`: measures this machine, in memory or on the disk of the data folder.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use velocitydb::{Mode, Object, Options, object};

use crate::args::{Bench, Format, mode_name};
use crate::failure::{Failure, Result};
use crate::format;
use crate::output::Output;
use crate::workload::{Kind, Measured, Workload};

/// Measures one kind of operation after the other, and prints each.
pub fn measure(args: &Bench, output: &mut Output) -> Result {
    let folder = temporary_folder(args)?;
    let measured = measure_in(args, folder.as_ref().map(TempDir::path))?;
    if let Some(folder) = folder {
        let path = folder.path().to_path_buf();
        folder.close().map_err(|source| Failure::TemporaryFolder { path, source })?;
    }
    match output.format() {
        Format::Json => {
            let objects = measured.iter().map(|(kind, one)| line(args, *kind, one));
            output.objects(&objects.collect::<Vec<_>>())
        }
        Format::Table => {
            let threads = args.threads;
            output.line(format_args!(
                "{}, {}, {threads} thread{}, documents of {} bytes",
                mode_name(args.mode),
                args.consistency,
                if threads == 1 { "" } else { "s" },
                args.document_bytes
            ))?;
            let rows = measured.iter().map(|(kind, one)| row(threads, *kind, one));
            let columns = ["operation", "rate", "mean", "operations"];
            output.rows(&columns, &rows.collect::<Vec<_>>())
        }
    }
}

/// Measures in a temporary database, which is closed on return.
fn measure_in(args: &Bench, folder: Option<&Path>) -> Result<Vec<(Kind, Measured)>> {
    let options = Options::new().mode(args.mode);
    let db = match folder {
        None => options.open_in_memory()?,
        Some(folder) => options.open(folder.join("data"))?,
    };
    let documents = db.documents("bench").at(args.consistency);
    let (bytes, threads) = (args.document_bytes as usize, usize::from(args.threads));
    let mut workload = Workload::new(documents, bytes, threads, args.seconds);
    let measured = Kind::ALL.map(|kind| Ok((kind, workload.measure(kind)?)));
    measured.into_iter().collect()
}

/// A folder on the disk of the data folder, for the modes that need one.
fn temporary_folder(args: &Bench) -> Result<Option<TempDir>> {
    if args.mode == Mode::MemoryOnly {
        return Ok(None);
    }
    let beside = beside(&args.path);
    let folder = tempfile::Builder::new().prefix(".velocitydb-bench-").tempdir_in(&beside);
    folder.map(Some).map_err(|source| Failure::TemporaryFolder { path: beside, source })
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

fn row(threads: u16, kind: Kind, measured: &Measured) -> Object {
    let mean_us = f64::from(threads) * 1e6 / measured.per_second();
    object! {
        "operation": kind.as_str(),
        "operations": measured.operations,
        "rate": format::rate(measured.per_second()),
        "mean": format!("{mean_us:.2} µs")
    }
}
