//! `stats`: the totals of a data folder.

use velocitydb::{EngineStats, Object, Stats, Value, object};

use super::collections::{COLUMNS, collection};
use crate::args::{Folder, Format, mode_name};
use crate::failure::Result;
use crate::format;
use crate::output::Output;

/// Prints the totals of the database.
pub fn stats(folder: &Folder, output: &mut Output) -> Result {
    let db = folder.open_to_read()?;
    let stats = db.stats()?;
    let collections = stats.collections.iter().map(|stats| collection(&db, stats));
    let collections = collections.collect::<Result<Vec<Object>>>()?;
    match output.format() {
        Format::Json => {
            let mut object = summary(&stats, Value::from);
            object.insert("collections", collections);
            output.object(&object)
        }
        Format::Table => {
            output.object(&summary(&stats, |bytes| format::bytes(bytes).into()))?;
            output.rows(&COLUMNS, &collections)
        }
    }
}

/// The totals, with byte counts formatted by `bytes`.
fn summary(stats: &Stats, bytes: fn(u64) -> Value) -> Object {
    let EngineStats { keyspaces, .. } = &stats.engine;
    object! {
        "mode": mode_name(stats.mode),
        "index": stats.index,
        "documents": stats.document_count(),
        "document_bytes": bytes(stats.collections.iter().map(|one| one.bytes).sum()),
        "disk_bytes": bytes(stats.engine.disk_bytes),
        "memory_bytes": bytes(keyspaces.iter().map(|one| one.memory_bytes).sum()),
        "postponed": stats.postponed,
        "skipped": stats.collections.iter().map(|one| one.skipped).sum::<u64>()
    }
}
