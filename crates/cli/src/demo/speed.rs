//! Measurements on this machine. The figures have no expected values.

use std::path::Path;
use std::time::Duration;

use super::narrator::Narrator;
use crate::failure::Result;
use crate::format;
use crate::workload::{Kind, Workload};

/// How long each figure is measured: short, since this is a demo. `velocitydb bench` measures
/// longer.
const DURATION: Duration = Duration::from_millis(200);
const DOCUMENT_BYTES: usize = 200;
const WRITERS: usize = 64;

/// Runs the chapter; `folder` does not exist yet.
pub fn tell(folder: &Path, narrator: &mut Narrator<'_>) -> Result {
    narrator.chapter("Measured just now, with documents of 200 bytes")?;
    let db = velocitydb::open_in_memory()?;
    let mut workload = Workload::new(db.documents("speed"), DOCUMENT_BYTES, 1, DURATION);
    for kind in Kind::ALL {
        let measured = workload.measure(kind)?;
        let what = format!("in memory, 1 thread: {}", kind.as_str());
        narrator.tell(&what, format::rate(measured.per_second()))?;
    }
    let db = velocitydb::open(folder)?;
    for (collection, writers) in [("one", 1), ("many", WRITERS)] {
        let documents = db.documents(collection);
        let mut workload = Workload::new(documents, DOCUMENT_BYTES, writers, DURATION);
        let measured = workload.measure(Kind::Insert)?;
        let plural = if writers == 1 { "" } else { "s" };
        let what = format!("on disk and synced, {writers} thread{plural}: insert");
        narrator.tell(&what, format::rate(measured.per_second()))?;
    }
    Ok(())
}
