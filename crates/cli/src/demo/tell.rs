//! The order of the chapters.

use crate::demo::narrator::Narrator;
use crate::demo::{beyond, durable, prototype, queries, speed, work};
use crate::failure::{Failure, Result};
use crate::output::Output;

/// Runs the whole demo.
pub fn run(output: &mut Output) -> Result {
    let mut narrator = Narrator::new(output);
    let db = velocitydb::open_in_memory()?;
    prototype::tell(&db, &mut narrator)?;
    beyond::tell(&db, &mut narrator)?;
    queries::tell(&db, &mut narrator)?;
    work::tell(&db, &mut narrator)?;
    let folder = tempfile::Builder::new().prefix("velocitydb-demo-").tempdir();
    let folder =
        folder.map_err(|source| Failure::TemporaryFolder { path: std::env::temp_dir(), source })?;
    durable::tell(&folder.path().join("data"), &mut narrator)?;
    speed::tell(&folder.path().join("speed"), &mut narrator)?;
    narrator.finish()
}
